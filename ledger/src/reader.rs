//! What takes long, in any thread: statements and checks as of a moment, while the ledger's owner
//! goes on.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use protocol::view::{LedgerCheck, StatementPage};
use protocol::{AccountId, PublicKey, limits};

use crate::audit::Audit;
use crate::books::Books;
use crate::index::IndexReader;
use crate::journal::FollowError;
use crate::offline;
use crate::statement::Row;

/// How long a statement waits for the index before it reads the journal itself.
const INDEX_WAIT: Duration = Duration::from_secs(5);

/// Why a statement could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The journal could not be read.
    #[error("the statement could not be read from the journal")]
    Journal(#[from] FollowError),
    /// The journal could not be listed.
    #[error("the journal could not be listed: {}", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

/// Reads statements of the ledger as it was when this was made.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) journal: PathBuf,
    pub(crate) size: u64,
    pub(crate) index: Option<IndexReader>,
}

impl Reader {
    /// Entries of an account, newest first: at most `limit` rows (and at most
    /// [`limits::PAGE_ROWS_MAX`]) after `offset` rows.
    ///
    /// # Errors
    /// See [`StatementError`]. A failing index is no error: the journal is read instead.
    pub fn statement(
        &self,
        account: impl Into<AccountId>,
        offset: u64,
        limit: u32,
    ) -> Result<StatementPage, StatementError> {
        let account = account.into();
        let (rows, total) = self.rows(account, offset, limit)?;
        Ok(StatementPage { account, rows: rows.iter().map(Row::view).collect(), total })
    }

    /// The same with all that the ledger knows of each row, and the number of rows in all.
    ///
    /// # Errors
    /// As [`Reader::statement`].
    pub fn rows(
        &self,
        account: AccountId,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<Row>, u64), StatementError> {
        self.page(account, offset, limit.min(limits::PAGE_ROWS_MAX) as usize)
    }

    /// The rows of an account that are not before `from_ms`, newest first, and whether these are all:
    /// at most `rows_max` are read.
    ///
    /// # Errors
    /// As [`Reader::statement`].
    pub fn since(
        &self,
        account: impl Into<AccountId>,
        from_ms: u64,
        rows_max: usize,
    ) -> Result<(Vec<Row>, bool), StatementError> {
        let (mut rows, total) = self.page(account.into(), 0, rows_max)?;
        let is_all = rows.len() as u64 == total;
        let fresh = rows.partition_point(|row| row.time_ms >= from_ms);
        let ends_within = fresh < rows.len();
        rows.truncate(fresh);
        Ok((rows, is_all || ends_within))
    }

    fn page(
        &self,
        account: AccountId,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<Row>, u64), StatementError> {
        let store = self.index.as_ref().and_then(|index| index.wait_for(self.size, INDEX_WAIT));
        if let Some(Ok(page)) = store.map(|store| store.page(account, offset, limit)) {
            return Ok(page);
        }
        offline::scan(&self.journal, account, self.size, offset, limit)
    }
}

/// Checks the ledger as it was when this was made.
#[derive(Debug)]
pub struct Checker {
    pub(crate) dir: PathBuf,
    pub(crate) key: PublicKey,
    /// Everything but the ids of transfers.
    pub(crate) books: Books,
    pub(crate) audit: Audit,
}

impl Checker {
    /// Verifies the journal on disk, replays it, and compares accounts, sums and open transfers
    /// with those that were in memory. It takes as long as the journal is.
    #[must_use]
    pub fn run(&self) -> LedgerCheck {
        let check = offline::check_against(&self.dir, self.key, &[], Some(&self.books));
        match &self.audit {
            Audit::Contradicted { problem } if check.problem.is_none() => {
                LedgerCheck { verified: false, problem: Some(problem.clone()), ..check }
            }
            _ => check,
        }
    }
}
