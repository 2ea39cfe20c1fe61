//! Makes snapshots behind the acknowledgement.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use proof::{Entry, Head, Place, Signatures, Verifier, VerifyError};
use protocol::SigningKey;
use protocol::sign::public_key;

use super::{Snapshot, list, load, store};
use crate::books::Books;
use crate::journal::{Disk, FollowError, Follower};

/// A ledger writes its next snapshot when it has grown by this part of itself, if that is more
/// than the entries it was told: so all snapshots of a ledger's life together are a few times its
/// last one.
const GROWTH_PART: u64 = 16;
/// How many times as long as making a snapshot took the next one waits: a ledger that is written
/// as fast as it goes shares a processor with its snapshots half of the time. The longer the rest,
/// the more is to be replayed after a crash in such a time: four times was tried, and left half a
/// million entries.
const REST_FACTOR: u32 = 1;
/// What part of its usual entries more may come meanwhile: then it rests no longer, for opening
/// after a crash would take too long. A disk that takes a hundred thousand entries a second needs
/// this; one that takes twenty thousand does not.
const LATE_PART: u64 = 2;

/// Whose snapshots they are, and where they lie.
#[derive(Clone)]
struct Owner {
    dir: PathBuf,
    origin: String,
    key: SigningKey,
}

/// What became of a snapshot, and until when the next waits.
type Made = (Result<(), KeepError>, Option<Instant>);

/// Why a snapshot was not made. The ledger goes on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The disk.
    #[error("writing a snapshot failed")]
    Io(#[from] io::Error),
    /// The journal could not be read.
    #[error("the journal could not be followed")]
    Follow(#[from] FollowError),
    /// What was read does not hold.
    #[error("the journal on disk does not hold")]
    Verify(#[from] VerifyError),
    /// What was read is not what was written.
    #[error("the journal on disk is not the one that was written; verify it")]
    OtherHead,
    /// The thread.
    #[error("the snapshot's thread panicked")]
    Panicked,
}

/// Makes snapshots in a thread of their own.
///
/// It takes nothing from the books in memory, so it never holds them up: it reads the last
/// snapshot and what the journal got since, by the rules, as opening would.
pub(crate) struct Keeper {
    owner: Owner,
    /// Entries between two snapshots; 0 for none.
    entries: u64,
    /// Entries at the newest good snapshot.
    last: Option<u64>,
    /// The next is made at so many entries, and not before.
    next: u64,
    rest_until: Option<Instant>,
    /// At so many entries it does not wait for its rest to end.
    late: u64,
    stop: Arc<AtomicBool>,
    thread: Option<(u64, JoinHandle<Made>)>,
    problem: Option<KeepError>,
}

impl Keeper {
    pub(crate) fn new(
        dir: &Path,
        origin: String,
        key: SigningKey,
        entries: u64,
        last: Option<u64>,
    ) -> Self {
        let owner = Owner { dir: dir.to_owned(), origin, key };
        let stop = Arc::new(AtomicBool::new(false));
        let mut keeper = Self {
            owner,
            entries,
            last,
            next: 0,
            rest_until: None,
            late: 0,
            stop,
            thread: None,
            problem: None,
        };
        keeper.plan(last.unwrap_or(0));
        keeper
    }

    /// Entries at the newest good snapshot.
    pub(crate) const fn last(&self) -> Option<u64> {
        self.last
    }

    /// Why the last one was not made.
    pub(crate) const fn problem(&self) -> Option<&KeepError> {
        self.problem.as_ref()
    }

    /// Says that the journal has grown to `head`: begins a snapshot when it is time for one.
    pub(crate) fn advance(
        &mut self,
        head: impl FnOnce() -> Head,
        size: u64,
        disk: &dyn Fn() -> Box<dyn Disk>,
    ) {
        if self.entries == 0 || size < self.next {
            return;
        }
        if let Some((_, thread)) = &self.thread
            && !thread.is_finished()
        {
            return;
        }
        self.collect();
        let rests = self.rest_until.is_some_and(|until| Instant::now() < until);
        if size < self.next || rests && size < self.late {
            return;
        }
        let (owner, last, head) = (self.owner.clone(), self.last, head());
        let (mut disk, stop) = (disk(), Arc::clone(&self.stop));
        let made = std::thread::Builder::new().name("ledger snapshot".into()).spawn(move || {
            let start = Instant::now();
            let made = owner.make(&mut *disk, last, &head, &stop);
            (made, Instant::now().checked_add(REST_FACTOR * start.elapsed()))
        });
        match made {
            Ok(thread) => self.thread = Some((size, thread)),
            Err(error) => {
                self.problem = Some(error.into());
                self.next = size + self.entries;
            }
        }
    }

    /// Waits for a snapshot that is being made, and lets the next begin at once.
    #[cfg(test)]
    pub(crate) fn wait(&mut self) {
        self.collect();
        self.rest_until = None;
    }

    /// Stops, and makes a last snapshot from the books at hand when enough entries came.
    pub(crate) fn close(&mut self, place: &Place, books: &Books, disk: &mut dyn Disk) {
        self.stop.store(true, Ordering::Relaxed);
        self.collect();
        let since = books.size().saturating_sub(self.last.unwrap_or(0));
        if self.entries > 0 && since >= self.entries {
            let (to, by) = (&self.owner.dir, (&*self.owner.origin, &self.owner.key));
            // Nothing is lost when it fails: the journal gives all of it again.
            let _best_effort = store(disk, to, (place, books), by, self.last);
        }
    }

    /// Takes in what the thread came to, waiting for it.
    fn collect(&mut self) {
        let Some((size, thread)) = self.thread.take() else { return };
        let (made, rest_until) = thread.join().unwrap_or((Err(KeepError::Panicked), None));
        self.rest_until = rest_until;
        match made {
            Ok(()) => {
                (self.last, self.problem) = (Some(size), None);
                self.plan(size);
            }
            Err(error) => {
                self.problem = Some(error);
                self.next = size + self.entries;
            }
        }
    }

    fn plan(&mut self, size: u64) {
        let step = self.entries.max(size / GROWTH_PART);
        self.next = size.saturating_add(step);
        self.late = self.next.saturating_add(step / LATE_PART);
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (last, next) = (self.last, self.next);
        f.debug_struct("Keeper").field("last", &last).field("next", &next).finish_non_exhaustive()
    }
}

impl Owner {
    /// Reads the last snapshot and what came since, up to `head`, and writes the next.
    fn make(
        &self,
        disk: &mut dyn Disk,
        last: Option<u64>,
        head: &Head,
        stop: &AtomicBool,
    ) -> Result<(), KeepError> {
        let (mut verifier, mut books) = self.begin(last)?;
        let from = books.size();
        let mut follower = Follower::starting_at(&self.dir, from)?;
        follower.follow(head.size, &mut |group| {
            if stop.load(Ordering::Relaxed) {
                return Err("the ledger is being closed".into());
            }
            if group.head.first_seq < from {
                return Ok(());
            }
            verifier.group(group)?;
            for (seq, bytes) in (group.head.first_seq..).zip(group.entries()) {
                books.replay(seq, &Entry::decode(bytes)?)?;
            }
            Ok(())
        })?;
        if verifier.finish()? != *head {
            return Err(KeepError::OtherHead);
        }
        let by = (&*self.origin, &self.key);
        Ok(store(disk, &self.dir, (&verifier.place(), &books), by, last)?)
    }

    /// The books at the last snapshot; at the journal's beginning when it is not to be had.
    fn begin(&self, last: Option<u64>) -> Result<(Verifier, Books), KeepError> {
        let (origin, key) = (&*self.origin, public_key(&self.key));
        let path = list(&self.dir)?.into_iter().find(|(size, _)| Some(*size) == last);
        let loaded = path.and_then(|(_, path)| load(&path, origin, key).ok());
        Ok(match loaded {
            Some(Snapshot { outline, books }) => {
                let place = outline.place;
                (Verifier::starting_at(place, origin, Some(key), Signatures::Last)?, books)
            }
            None => (Verifier::new(origin, Some(key), Signatures::Last)?, Books::default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proof::{Code, Transfer, account, entry::transfer_id, ledger_origin};
    use protocol::Tokens;

    use super::*;
    use crate::journal::SystemDisk;
    use crate::ledger::{JOURNAL_DIR, Ledger, Options};

    #[test]
    fn a_rest_ends_when_too_much_would_have_to_be_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let key = SigningKey::from_bytes(&[7; 32]);
        let options = Options { index: false, snapshot_entries: 0, ..Options::default() };
        let mut ledger = Ledger::open(dir.path(), key.clone(), &options).expect("opens");
        let pair = (account::issuance(), account::treasury());
        let grant = |number: u64| {
            let id = transfer_id("keeper", &[&number.to_le_bytes()]);
            Transfer::posted(id, pair, Tokens::from_micro(1), Code::Grant)
        };
        let batch: Vec<Transfer> = (0..12).map(grant).collect();
        ledger.apply(&batch, 1).expect("applies");

        let origin = ledger_origin(public_key(&key));
        let mut keeper = Keeper::new(&dir.path().join(JOURNAL_DIR), origin, key, 8, None);
        keeper.rest_until = Instant::now().checked_add(Duration::from_secs(3600));
        let disk = || -> Box<dyn Disk> { Box::new(SystemDisk) };
        for size in [7, 8, 11] {
            keeper.advance(|| ledger.head(), size, &disk);
            assert!(keeper.thread.is_none(), "it rests at {size}");
        }
        keeper.advance(|| ledger.head(), 12, &disk);
        keeper.wait();
        assert_eq!((keeper.last(), keeper.problem().map(ToString::to_string)), (Some(12), None));
    }
}
