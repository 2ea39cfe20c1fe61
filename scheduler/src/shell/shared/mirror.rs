//! Standing by: copies what the leading scheduler writes, and takes the lead when it is gone.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use ledger::Books;
use ledger::journal::{Fold, Journal, Keeper, Options};
use proof::ledger_origin;
use protocol::sign::public_key;
use tokio::sync::mpsc::UnboundedSender;

use super::PostgresLog;
use super::seat::{Found, Lead, Seat};
use crate::config::{Config, Database};
use crate::core::{Secret, State};
use crate::shell::open::{Folded, Keys, journal_origin, tell_problem};

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
    let Keys { key, secret } = keys;
    let farm = public_key(key);
    let mut seat = Seat::open(config, database, farm, &secret.to_bytes())?;
    let options = |origin| Options::new(origin).signed_by(key.clone());
    let log = |name| PostgresLog::open(database, farm, name, None);
    let every = config.snapshot_entries;
    let (dir, origin) = (config.data_dir.join("journal"), journal_origin(key));
    let secret = Secret::new(secret.to_bytes());
    let journal = Folded::<State>::open(&dir, options(origin), secret, every)
        .context("the scheduler's journal was not opened")?;
    let mut scheduler = Mirror::of(journal, log(SCHEDULER_LOG)?);
    let dir = config.data_dir.join("ledger").join(ledger::JOURNAL_DIR);
    let journal = Folded::<Books>::open(&dir, options(ledger_origin(farm)), (), every)
        .context("the ledger's journal was not opened")?;
    let mut ledger = Mirror::of(journal, log(LEDGER_LOG)?);
    let mut catch_up = || scheduler.catch_up().and_then(|()| ledger.catch_up());
    let mut told = None;
    while !stop.load(Ordering::Relaxed) {
        // Who lacks much should not lead before who lacks nothing.
        catch_up()?;
        match seat.take()? {
            Found::Taken(term) => {
                // From now on nobody else writes. The lead is held while the rest comes in.
                let lead = Lead::begin(seat, term)?;
                catch_up()?;
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
struct Mirror<F: Fold> {
    /// Goes before the journal, whose lock says that nobody else writes beside it.
    keeper: Keeper<F>,
    journal: Journal,
    log: PostgresLog,
}

impl<F: Fold> Mirror<F> {
    /// What the entries come to is of no use before it leads, and grows old.
    fn of(folded: Folded<F>, log: PostgresLog) -> Self {
        let Folded { journal, keeper, fold: _ } = folded;
        Self { journal, keeper, log }
    }

    fn catch_up(&mut self) -> anyhow::Result<()> {
        let Self { journal, keeper, log } = self;
        let entries = journal.catch_up(log).context("a journal did not come from the database")?;
        if entries > 0 {
            tracing::debug!(?log, entries, "caught up");
            keeper.advance(journal);
            tell_problem(keeper);
        }
        Ok(())
    }
}
