//! Makes snapshots behind the acknowledgement.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use proof::{Head, Signatures, Verifier, VerifyError};
use protocol::SigningKey;
use protocol::sign::public_key;

use super::{Fold, Snapshot, list, load, store};
use crate::journal::{Disk, FollowError, Follower, Journal};

/// The next snapshot is written when the journal has grown by this part of itself, if that is more
/// than the entries it was told: so all snapshots of a journal's life together are a few times its
/// last one.
const GROWTH_PART: u64 = 16;
/// How many times as long as making a snapshot took the next one waits: a journal that is written
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
struct Owner<S> {
    dir: PathBuf,
    origin: String,
    key: SigningKey,
    seed: S,
}

/// What became of a snapshot, and until when the next waits.
type Made = (Result<(), KeepError>, Option<Instant>);

/// Why a snapshot was not made. The journal goes on without it.
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
/// It takes nothing from the fold in memory, so it never holds that up: it reads the last snapshot
/// and what the journal got since, by the rules, as opening would.
pub struct Keeper<F: Fold> {
    /// None for a journal that nobody signs, and then there are no snapshots.
    owner: Option<Owner<F::Seed>>,
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
    /// Whether nobody has asked for the problem yet.
    is_news: bool,
}

impl<F: Fold> Keeper<F> {
    /// Makes a snapshot of a journal every so many entries, 0 for never. `last` is where the newest
    /// good one is.
    #[must_use]
    pub fn new(journal: &Journal, seed: F::Seed, entries: u64, last: Option<u64>) -> Self {
        let owner = journal.signing_key().map(|key| Owner {
            dir: journal.dir().to_owned(),
            origin: journal.origin().to_owned(),
            key: key.clone(),
            seed,
        });
        let mut keeper = Self {
            owner,
            entries,
            last,
            next: 0,
            rest_until: None,
            late: 0,
            stop: Arc::new(AtomicBool::new(false)),
            thread: None,
            problem: None,
            is_news: false,
        };
        keeper.plan(last.unwrap_or(0));
        keeper
    }

    /// Entries at the newest good snapshot.
    #[must_use]
    pub const fn last(&self) -> Option<u64> {
        self.last
    }

    /// Why the last one was not made.
    #[must_use]
    pub const fn problem(&self) -> Option<&KeepError> {
        self.problem.as_ref()
    }

    /// The same, once.
    pub fn news(&mut self) -> Option<&KeepError> {
        self.problem.as_ref().filter(|_| std::mem::take(&mut self.is_news))
    }

    /// Says that the journal has grown: begins a snapshot when it is time for one.
    pub fn advance(&mut self, journal: &Journal) {
        let size = journal.size();
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
        let Some(owner) = self.owner.clone() else { return };
        let (last, head, mut disk) = (self.last, journal.head(), journal.disk());
        let stop = Arc::clone(&self.stop);
        let made = std::thread::Builder::new().name("snapshot".into()).spawn(move || {
            let start = Instant::now();
            let made = owner.make::<F>(&mut *disk, last, &head, &stop);
            (made, Instant::now().checked_add(REST_FACTOR * start.elapsed()))
        });
        match made {
            Ok(thread) => self.thread = Some((size, thread)),
            Err(error) => {
                (self.problem, self.is_news) = (Some(error.into()), true);
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

    /// Stops, and makes a last snapshot of the fold at hand, to which all of the journal has come,
    /// when enough entries came since the last.
    pub fn close(&mut self, journal: &Journal, fold: &F) {
        self.stop.store(true, Ordering::Relaxed);
        self.collect();
        let since = journal.size().saturating_sub(self.last.unwrap_or(0));
        if let Some(owner) =
            self.owner.as_ref().filter(|_| self.entries > 0 && since >= self.entries)
        {
            let (by, place) = ((&*owner.origin, &owner.key), journal.place());
            // Nothing is lost when it fails: the journal gives all of it again.
            let _best_effort =
                store(&mut *journal.disk(), &owner.dir, (&place, fold), by, self.last);
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
                (self.problem, self.is_news) = (Some(error), true);
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

impl<F: Fold> Drop for Keeper<F> {
    fn drop(&mut self) {
        // Nobody else may find the thread writing beside the journal.
        self.stop.store(true, Ordering::Relaxed);
        self.collect();
    }
}

impl<F: Fold> std::fmt::Debug for Keeper<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (last, next) = (self.last, self.next);
        f.debug_struct("Keeper").field("last", &last).field("next", &next).finish_non_exhaustive()
    }
}

impl<S> Owner<S> {
    /// Reads the last snapshot and what came since, up to `head`, and writes the next.
    fn make<F: Fold<Seed = S>>(
        &self,
        disk: &mut dyn Disk,
        last: Option<u64>,
        head: &Head,
        stop: &AtomicBool,
    ) -> Result<(), KeepError> {
        let (mut verifier, mut fold) = self.begin::<F>(last)?;
        let from = verifier.size();
        let mut follower = Follower::starting_at(&self.dir, from)?;
        follower.follow(head.size, &mut |group| {
            if stop.load(Ordering::Relaxed) {
                return Err("the journal is being closed".into());
            }
            if group.head.first_seq < from {
                return Ok(());
            }
            verifier.group(group)?;
            let mut entries = (group.head.first_seq..).zip(group.entries());
            entries.try_for_each(|(seq, bytes)| fold.take_in(seq, bytes))
        })?;
        if verifier.finish()? != *head {
            return Err(KeepError::OtherHead);
        }
        let by = (&*self.origin, &self.key);
        Ok(store(disk, &self.dir, (&verifier.place(), &fold), by, last)?)
    }

    /// The fold at the last snapshot; at the journal's beginning when it is not to be had.
    fn begin<F: Fold<Seed = S>>(&self, last: Option<u64>) -> Result<(Verifier, F), KeepError> {
        let (origin, key) = (&*self.origin, public_key(&self.key));
        let path = list(&self.dir)?.into_iter().find(|(size, _)| Some(*size) == last);
        let loaded = path.and_then(|(_, path)| load(&path, (origin, key), &self.seed).ok());
        Ok(match loaded {
            Some(Snapshot { outline, fold }) => {
                let place = outline.place;
                (Verifier::starting_at(place, origin, Some(key), Signatures::Last)?, fold)
            }
            None => (Verifier::new(origin, Some(key), Signatures::Last)?, F::begin(&self.seed)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::journal::{EntryProblem, Options};

    /// How many entries there were.
    struct Count(u64);

    impl Fold for Count {
        type Seed = ();

        fn begin((): &()) -> Self {
            Self(0)
        }

        fn take_in(&mut self, seq: u64, _entry: &[u8]) -> Result<(), EntryProblem> {
            assert_eq!(seq, self.0);
            self.0 += 1;
            Ok(())
        }

        fn write_image(&self, to: &mut Vec<u8>) {
            to.push(self.0 as u8);
        }

        fn from_image((): &(), size: u64, image: &[u8]) -> Result<Self, EntryProblem> {
            assert_eq!(image, [size as u8]);
            Ok(Self(size))
        }
    }

    #[test]
    fn a_rest_ends_when_too_much_would_have_to_be_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options::new("keeper").signed_by(SigningKey::from_bytes(&[7; 32]));
        let (mut journal, _) = Journal::open(dir.path(), options).expect("opens");
        let mut keeper = Keeper::<Count>::new(&journal, (), 8, None);
        keeper.rest_until = Instant::now().checked_add(Duration::from_secs(3600));
        for size in 1..=11 {
            journal.append_sync(&[b"entry"]).expect("written");
            keeper.advance(&journal);
            assert!(keeper.thread.is_none(), "it rests at {size}");
        }
        journal.append_sync(&[b"entry"]).expect("written");
        keeper.advance(&journal);
        keeper.wait();
        assert_eq!((keeper.last(), keeper.problem().map(ToString::to_string)), (Some(12), None));
    }
}
