//! The records of a journal in the database.

use std::fmt;

use ledger::journal::{EntryProblem, SharedLog};
use protocol::PublicKey;

use super::farm_column;
use super::line::Line;
use crate::config::Database;

/// Records asked for at once: what a scheduler writes together, some kilobytes each as a rule.
const RECORDS_AT_ONCE: i64 = 64;

/// The records of one journal of a farm.
pub(in crate::shell) struct PostgresLog {
    line: Line,
    farm: Vec<u8>,
    journal: &'static str,
    /// The term that it is written in; none for reading.
    term: Option<i64>,
}

/// Another scheduler leads.
#[derive(Debug, thiserror::Error)]
#[error("another scheduler of this farm leads now, so that this one writes nothing more")]
pub(in crate::shell) struct Deposed;

impl PostgresLog {
    /// The log of a farm's journal, written in this term.
    pub(in crate::shell) fn open(
        database: &Database,
        farm: PublicKey,
        journal: &'static str,
        term: Option<i64>,
    ) -> anyhow::Result<Self> {
        Ok(Self { line: Line::open(database)?, farm: farm_column(farm), journal, term })
    }
}

impl SharedLog for PostgresLog {
    fn last(&mut self) -> Result<Option<Vec<u8>>, EntryProblem> {
        let rows = self.line.query(
            "SELECT record FROM tessera_record WHERE farm = $1 AND journal = $2
                 ORDER BY first_seq DESC LIMIT 1",
            &[&self.farm, &self.journal],
        )?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    fn read(
        &mut self,
        first_seq: u64,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), EntryProblem>,
    ) -> Result<(), EntryProblem> {
        let mut next = i64::try_from(first_seq)?;
        loop {
            let rows = self.line.query(
                "SELECT first_seq, record FROM tessera_record
                     WHERE farm = $1 AND journal = $2 AND first_seq >= $3
                     ORDER BY first_seq LIMIT $4",
                &[&self.farm, &self.journal, &next, &RECORDS_AT_ONCE],
            )?;
            for row in &rows {
                visit(row.get(1))?;
            }
            match rows.last() {
                Some(last) => next = last.get::<_, i64>(0) + 1,
                None => return Ok(()),
            }
        }
    }

    fn append(&mut self, first_seq: u64, record: &[u8]) -> Result<(), EntryProblem> {
        let first_seq = i64::try_from(first_seq)?;
        // The term is held until the record is in: who takes the lead waits for it, and finds it.
        let written = self.line.execute(
            "WITH mine AS (SELECT farm FROM tessera_farm WHERE farm = $1 AND term = $2 FOR SHARE)
             INSERT INTO tessera_record (farm, journal, first_seq, record)
                 SELECT farm, $3, $4, $5 FROM mine",
            &[&self.farm, &self.term, &self.journal, &first_seq, &record],
        )?;
        if written == 1 { Ok(()) } else { Err(Deposed.into()) }
    }
}

impl fmt::Debug for PostgresLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLog")
            .field("journal", &self.journal)
            .field("term", &self.term)
            .finish_non_exhaustive()
    }
}
