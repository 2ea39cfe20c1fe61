//! How a ledger finds its books when it is opened: from the newest good snapshot and what the
//! journal got since, or else from the whole journal.

use std::io;
use std::path::{Path, PathBuf};

use proof::{Checkpoint, Entry};
use protocol::PublicKey;

use crate::books::Books;
use crate::journal::{self, EntryProblem, Found, OpenError, Source, Start};
use crate::snapshot::{self, Outline, Snapshot, SnapshotError};

/// A snapshot that opening did not use.
#[derive(Debug)]
pub struct PassedOver {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: PassedOverWhy,
}

/// Why opening did not use a snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassedOverWhy {
    /// The file.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The journal does not go through its place, or what follows does not hold: then the whole
    /// journal was read.
    #[error("the journal from its place on does not hold")]
    Journal(#[source] Box<OpenError>),
    /// A checkpoint that somebody else keeps lies before it, and only the whole journal shows
    /// whether that one is met.
    #[error("a checkpoint at {0} that somebody else keeps lies before its place")]
    Witness(u64),
}

/// The books that were found.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    pub books: Books,
    /// The snapshot that was used.
    pub used: Option<Outline>,
    pub passed_over: Vec<PassedOver>,
}

impl Opening {
    /// Reads the journal and fills in the books.
    ///
    /// Every snapshot's note is a checkpoint that this ledger signed: the journal must reach it and
    /// agree with it, whatever became of the snapshot's other bytes.
    pub(crate) fn read(&mut self, source: &Source<'_>) -> Result<Found, OpenError> {
        let found =
            snapshot::list(source.dir).map_err(journal::failed("listing snapshots", source.dir))?;
        let mut points = source.witnessed.to_vec();
        let mut candidates = Vec::new();
        for (_, path) in found {
            match source.key.map(|key| snapshot::note(&path, source.origin, key)) {
                Some(Ok(state)) => {
                    points.push(state.checkpoint.clone());
                    candidates.push((path, state.checkpoint.size));
                }
                Some(Err(why)) => self.pass_over(path, why),
                None => {}
            }
        }
        let held = Source { witnessed: &points, ..*source };
        for (path, size) in candidates {
            let witness = source.witnessed.iter().map(|point| point.size).find(|&at| at < size);
            let tried = match witness {
                Some(at) => Err(PassedOverWhy::Witness(at)),
                None => self.resume(&held, &path),
            };
            match tried {
                Ok(found) => return Ok(found),
                Err(why) => self.pass_over(path, why),
            }
        }
        let mut books = Books::default();
        let found = journal::read(&held, &mut |seq, bytes| replay(&mut books, seq, bytes))?;
        self.books = books;
        Ok(found)
    }

    fn resume(&mut self, source: &Source<'_>, path: &Path) -> Result<Found, PassedOverWhy> {
        let key = source.key.expect("invariant: a snapshot's note was checked with it");
        let Snapshot { outline, mut books } = snapshot::load(path, source.origin, key)?;
        let start = Start { place: &outline.place, before: &outline.before };
        let found =
            journal::read_from(source, &start, &mut |seq, bytes| replay(&mut books, seq, bytes))
                .map_err(|error| PassedOverWhy::Journal(Box::new(error)))?;
        (self.books, self.used) = (books, Some(outline));
        Ok(found)
    }

    fn pass_over(&mut self, path: PathBuf, why: impl Into<PassedOverWhy>) {
        self.passed_over.push(PassedOver { path, why: why.into() });
    }
}

fn replay(books: &mut Books, seq: u64, bytes: &[u8]) -> Result<(), EntryProblem> {
    Ok(books.replay(seq, &Entry::decode(bytes)?)?)
}

/// What snapshots say of a journal, for whoever reads all of it.
pub(crate) struct Places {
    /// The checkpoints in the notes of those that this ledger signed.
    pub signed: Vec<Checkpoint>,
    pub good: Vec<Outline>,
    pub bad: Vec<PassedOver>,
}

impl Places {
    /// Looks at all snapshots beside a journal.
    pub(crate) fn find(dir: &Path, origin: &str, key: PublicKey) -> Self {
        let mut places = Self { signed: Vec::new(), good: Vec::new(), bad: Vec::new() };
        // A directory that cannot be listed is the journal's trouble.
        for (_, path) in snapshot::list(dir).unwrap_or_default() {
            if let Ok(state) = snapshot::note(&path, origin, key) {
                places.signed.push(state.checkpoint);
            }
            match snapshot::outline(&path, origin, key) {
                Ok(outline) => places.good.push(outline),
                // One that a running ledger has just removed is no trouble.
                Err(SnapshotError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(why) => places.bad.push(PassedOver { path, why: why.into() }),
            }
        }
        places
    }
}
