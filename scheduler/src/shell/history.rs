//! Reads a scheduler's journal from outside, while it is written or not.

use std::path::Path;

use anyhow::{Context as _, ensure};
use ledger::journal;
use protocol::sign::public_key;

use super::open::{journal_origin, known_keys};
use crate::core::history::{History, Told};
use crate::core::{Secret, State, event_of};

/// Tells all that the journal in a scheduler's data folder tells, from its beginning; how many entries
/// there are. Everything is verified: records, chain and signatures.
///
/// # Errors
/// There is no scheduler's folder, or its journal does not hold.
pub fn history(data_dir: &Path, tell: &mut dyn FnMut(Told)) -> anyhow::Result<u64> {
    let (dir, shown) = (data_dir.join("journal"), data_dir.display());
    let is_there = dir.is_dir() && data_dir.join("key").is_file();
    ensure!(is_there, "no scheduler has been here; give the folder of one with --data: {shown}");
    let keys = known_keys(data_dir)?;
    let mut history = History::new(State::new(Secret::new(keys.secret.to_bytes())));
    journal::read_signed(
        &dir,
        &journal_origin(&keys.key),
        public_key(&keys.key),
        &mut |seq, entry| {
            history.take_in(seq, event_of(entry)?, tell);
            Ok(())
        },
    )
    .with_context(|| format!("the scheduler's journal was not read: {}", dir.display()))
}
