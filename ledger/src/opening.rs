//! What a journal comes to when it is opened: from the newest good snapshot and what it got since, or
//! else from all of it.

use std::io;
use std::path::{Path, PathBuf};

use proof::Checkpoint;
use protocol::PublicKey;

use crate::journal::{self, CutTail, Found, Journal, OpenError, Source, Start};
use crate::snapshot::{self, Fold, Outline, Snapshot, SnapshotError};

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

/// A journal that was opened, and what its entries come to.
#[derive(Debug)]
pub struct Opened<F> {
    /// The journal.
    pub journal: Journal,
    /// What its entries come to.
    pub fold: F,
    /// The snapshot that was used: how many entries it spared reading.
    pub snapshot: Option<u64>,
    /// Snapshots that were not.
    pub passed_over: Vec<PassedOver>,
    /// What was cut off the end.
    pub cut: Option<CutTail>,
}

/// What is found while a journal is opened.
#[derive(Debug)]
pub(crate) struct Opening<'a, F: Fold> {
    seed: &'a F::Seed,
    /// What the entries come to, once they were read.
    pub fold: F,
    /// The snapshot that was used.
    pub used: Option<Outline>,
    pub passed_over: Vec<PassedOver>,
}

impl<'a, F: Fold> Opening<'a, F> {
    pub(crate) fn new(seed: &'a F::Seed) -> Self {
        Self { seed, fold: F::begin(seed), used: None, passed_over: Vec::new() }
    }

    /// With the journal that was read.
    pub(crate) fn opened(self, journal: Journal, cut: Option<CutTail>) -> Opened<F> {
        let Self { fold, used, passed_over, .. } = self;
        let snapshot = used.map(|used| used.state.checkpoint.size);
        Opened { journal, fold, snapshot, passed_over, cut }
    }

    /// Reads the journal and fills in the fold.
    ///
    /// Every snapshot's note is a checkpoint that the journal's key signed: the journal must reach it
    /// and agree with it, whatever became of the snapshot's other bytes.
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
        let mut fold = F::begin(self.seed);
        let found = journal::read(&held, &mut |seq, bytes| fold.take_in(seq, bytes))?;
        self.fold = fold;
        Ok(found)
    }

    fn resume(&mut self, source: &Source<'_>, path: &Path) -> Result<Found, PassedOverWhy> {
        let key = source.key.expect("invariant: a snapshot's note was checked with it");
        let Snapshot { outline, mut fold } =
            snapshot::load::<F>(path, (source.origin, key), self.seed)?;
        let start = Start { place: &outline.place, before: &outline.before };
        let found = journal::read_from(source, &start, &mut |seq, bytes| fold.take_in(seq, bytes))
            .map_err(|error| PassedOverWhy::Journal(Box::new(error)))?;
        (self.fold, self.used) = (fold, Some(outline));
        Ok(found)
    }

    fn pass_over(&mut self, path: PathBuf, why: impl Into<PassedOverWhy>) {
        self.passed_over.push(PassedOver { path, why: why.into() });
    }
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
