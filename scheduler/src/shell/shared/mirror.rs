//! Standing by: copies what the leading scheduler writes, and takes the lead when it is gone.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use ledger::journal::{Journal, Options};
use proof::ledger_origin;
use protocol::SigningKey;
use protocol::sign::public_key;
use tokio::sync::mpsc::UnboundedSender;

use super::PostgresLog;
use super::seat::{Found, Lead, Seat};
use crate::config::{Config, Database};
use crate::shell::run::{Keys, journal_origin};

/// Name of the scheduler's journal in the database.
pub(in crate::shell) const SCHEDULER_LOG: &str = "scheduler";
/// Name of the ledger's.
pub(in crate::shell) const LEDGER_LOG: &str = "ledger";

/// Waits for the lead, or for a stop: then there is none. Blocks, and tells who leads meanwhile.
///
/// # Errors
/// The database is not reached; what it holds is not what is on this disk.
pub(in crate::shell) fn stand_by(
    config: &Config,
    database: &Database,
    keys: &Keys,
    (tell, stop): (&UnboundedSender<String>, &AtomicBool),
) -> anyhow::Result<Option<Lead>> {
    let farm = public_key(&keys.key);
    let mut seat = Seat::open(config, database, farm, &keys.secret.to_bytes())?;
    let mut mirrors = [
        Mirror::open(config, database, &keys.key, SCHEDULER_LOG)?,
        Mirror::open(config, database, &keys.key, LEDGER_LOG)?,
    ];
    let mut told = None;
    while !stop.load(Ordering::Relaxed) {
        // Who lacks much should not lead before who lacks nothing.
        mirrors.iter_mut().try_for_each(Mirror::catch_up)?;
        match seat.take()? {
            Found::Taken(term) => {
                // From now on nobody else writes. The lead is held while the rest comes in.
                let lead = Lead::begin(seat, term)?;
                mirrors.iter_mut().try_for_each(Mirror::catch_up)?;
                tracing::info!(term, "this scheduler leads the farm");
                return Ok(Some(lead));
            }
            Found::Led(leader) => {
                seat.announce()?;
                // Its own lead of before lapses by itself.
                if told.as_ref() != Some(&leader) && leader != seat.address() {
                    // Nobody who listens is on the way down.
                    drop(tell.send(leader.clone()));
                    told = Some(leader);
                }
            }
        }
        std::thread::sleep(seat.interval());
    }
    Ok(None)
}

/// A journal on this disk that follows the one in the database.
struct Mirror {
    journal: Journal,
    log: PostgresLog,
}

impl Mirror {
    fn open(
        config: &Config,
        database: &Database,
        key: &SigningKey,
        name: &'static str,
    ) -> anyhow::Result<Self> {
        let ledger_dir = config.data_dir.join("ledger");
        let (dir, origin) = match name {
            LEDGER_LOG => (ledger_dir.join(ledger::JOURNAL_DIR), ledger_origin(public_key(key))),
            _ => (config.data_dir.join("journal"), journal_origin(key)),
        };
        let options = Options::new(origin).signed_by(key.clone());
        let (journal, _cut) = Journal::open_with(&dir, options, &mut |_seq, _entry| Ok(()))
            .with_context(|| format!("the {name}'s journal was not opened"))?;
        let log = PostgresLog::open(database, public_key(key), name, None)?;
        Ok(Self { journal, log })
    }

    fn catch_up(&mut self) -> anyhow::Result<()> {
        let Self { journal, log } = self;
        let entries = journal.catch_up(log).context("a journal did not come from the database")?;
        if entries > 0 {
            tracing::debug!(?log, entries, "caught up");
        }
        Ok(())
    }
}
