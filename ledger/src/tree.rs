//! Proofs of a ledger in use, in milliseconds: from hashes that a thread keeps beside the journal.

mod tiles;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proof::merkle::{self, Hash};
use proof::record::{SEGMENT_HEADER_BYTES, SegmentHeader};
use proof::{
    Checkpoint, CheckpointError, Consistency, Proof, ProofKind, consistency, ledger_origin,
};
use protocol::PublicKey;

use crate::behind::{Behind, BehindReader, Derived, Progress};
use crate::journal::{FollowError, Follower, disk};
use tiles::{TILE, Writer};

/// Entries whose hashes are written at a time.
const ENTRIES_AT_ONCE: u64 = 100_000;
/// How long a proof waits for hashes that are not written yet.
const WAIT: Duration = Duration::from_secs(5);
/// Bytes of a segment that are read to find an entry; twice as many each time it is not in them.
const WINDOW_BYTES: usize = 64 << 10;

/// The thread that keeps the hashes.
pub(crate) type Tree = Behind<View>;

/// Where they lie, for whoever reads them.
#[derive(Debug, Clone)]
pub(crate) struct View {
    dir: PathBuf,
    size: u64,
}

/// Starts following the journal, of which `durable` entries may be read.
pub(crate) fn start(dir: PathBuf, journal: PathBuf, durable: u64) -> io::Result<Tree> {
    Behind::start("ledger tree", durable, move |durable, _stop| Follow::open(dir, journal, durable))
}

/// Why hashes are not kept any more.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the tree's hashes cannot be written: {0}")]
    Io(#[from] io::Error),
    #[error("the journal could not be followed: {0}")]
    Follow(#[from] FollowError),
}

/// The tiles, and where the journal is read on.
struct Follow {
    dir: PathBuf,
    journal: PathBuf,
    tiles: Writer,
    follower: Follower,
}

impl Follow {
    fn open(dir: PathBuf, journal: PathBuf, durable: u64) -> Result<Self, KeepError> {
        let tiles = Writer::open(&dir, |size, chain| {
            size <= durable && chain_at(&journal, size) == Some(chain)
        })?;
        let follower = Follower::starting_at(&journal, tiles.size())?;
        Ok(Self { dir, journal, tiles, follower })
    }
}

impl Derived for Follow {
    type View = View;
    type Error = KeepError;

    fn size(&self) -> u64 {
        self.tiles.size()
    }

    fn view(&self) -> View {
        View { dir: self.dir.clone(), size: self.tiles.size() }
    }

    fn take_in(&mut self, until: u64) -> Result<(), KeepError> {
        let tiles = &mut self.tiles;
        let mut chain = None;
        let until = until.min(tiles.size() + ENTRIES_AT_ONCE);
        self.follower.follow(until, &mut |group| {
            for (seq, entry) in (group.head.first_seq..).zip(group.entries()) {
                // The first records may be known already: reading begins with a segment.
                if seq >= tiles.size() {
                    tiles.push(merkle::leaf(entry), group.offset as u64)?;
                }
            }
            chain = Some(group.chain());
            Ok(())
        })?;
        if let Some(chain) = chain {
            tiles.write(chain)?;
        }
        Ok(())
    }

    fn start_over(&mut self) -> Result<(), KeepError> {
        self.tiles.clear()?;
        self.follower = Follower::starting_at(&self.journal, 0)?;
        Ok(())
    }

    fn close(&mut self) -> Result<(), KeepError> {
        Ok(())
    }
}

/// The journal's chain after `size` entries, if a record ends there.
fn chain_at(journal: &Path, size: u64) -> Option<Hash> {
    let mut follower = Follower::starting_at(journal, size.checked_sub(1)?).ok()?;
    let mut at = None;
    let read = follower.follow(size, &mut |group| {
        at = Some((group.head.first_seq + u64::from(group.head.count), group.chain()));
        Ok(())
    });
    read.ok()?;
    at.filter(|(end, _)| *end == size).map(|(_, chain)| chain)
}

/// Why nothing was proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProverError {
    /// No hashes are kept, or not as far as the checkpoint yet.
    #[error("the hashes of the ledger's first {size} entries are not there yet; try again")]
    NotThere {
        /// Entries at the checkpoint.
        size: u64,
    },
    /// Why there are none.
    #[error("the ledger's hashes are not kept: {0}")]
    Stopped(String),
    /// The checkpoint does not hold.
    #[error("the checkpoint to prove against does not hold")]
    Note(#[from] CheckpointError),
    /// Past the checkpoint.
    #[error("the checkpoint covers the first {size} entries, asked for was {asked}")]
    Beyond {
        /// Entries at the checkpoint.
        size: u64,
        /// What was asked for.
        asked: u64,
    },
    /// What was found does not lead to the signed root; it is being made anew.
    #[error("the ledger's hashes were damaged and are made anew; try again in a moment")]
    Damaged,
    /// The files.
    #[error("the ledger's hashes or entries cannot be read")]
    Io(#[from] io::Error),
}

/// Proves what a ledger in use holds, in any thread. Every proof was checked before it is handed
/// out.
#[derive(Debug, Clone)]
pub struct Prover {
    key: PublicKey,
    journal: PathBuf,
    hashes: BehindReader<View>,
}

impl Prover {
    pub(crate) const fn new(key: PublicKey, journal: PathBuf, hashes: BehindReader<View>) -> Self {
        Self { key, journal, hashes }
    }

    /// Proves entries, in the order given, against a checkpoint of this ledger.
    ///
    /// # Errors
    /// See [`ProverError`].
    pub fn entries(&self, seqs: &[u64], note: &str) -> Result<Vec<Proof>, ProverError> {
        let point = self.open(note)?;
        let size = point.size;
        if let Some(&asked) = seqs.iter().find(|&&seq| seq >= size) {
            return Err(ProverError::Beyond { size, asked });
        }
        let mut tiles = self.tiles(size)?;
        let segments = disk::segments(&self.journal)?;
        let mut proofs = Vec::with_capacity(seqs.len());
        for &index in seqs {
            let content = entry(&segments, &tiles, index)?.ok_or_else(|| self.damaged())?;
            let mut perfect = |level, at| tiles.perfect(level, at);
            let path = merkle::inclusion_by(index, size, &mut perfect);
            let path = self.read(path)?.expect("invariant: the index was compared with the size");
            if !merkle::is_included(merkle::leaf(&content), index, size, &path, &point.root) {
                return Err(self.damaged());
            }
            let note = note.to_owned();
            proofs.push(Proof { kind: ProofKind::Entry, content, index, path, note });
        }
        Ok(proofs)
    }

    /// Shows that the ledger goes on from its first `old_size` entries to a checkpoint of it.
    ///
    /// # Errors
    /// See [`ProverError`].
    pub fn consistency(&self, old_size: u64, note: &str) -> Result<Consistency, ProverError> {
        let point = self.open(note)?;
        let size = point.size;
        if old_size > size {
            return Err(ProverError::Beyond { size, asked: old_size });
        }
        let note = note.to_owned();
        if old_size == 0 || old_size == size {
            return Ok(Consistency { old_size, path: Vec::new(), note });
        }
        let mut tiles = self.tiles(size)?;
        let mut perfect = |level, at| tiles.perfect(level, at);
        let path = merkle::consistency_by(old_size, size, &mut perfect);
        let path = self.read(path)?.expect("invariant: the sizes were compared");
        let root = self.read(merkle::root_by(old_size, &mut perfect))?;
        let old = Checkpoint { origin: point.origin.clone(), size: old_size, root };
        if consistency::follows(&old, &point, &path).is_err() {
            return Err(self.damaged());
        }
        Ok(Consistency { old_size, path, note })
    }

    fn open(&self, note: &str) -> Result<Checkpoint, ProverError> {
        Ok(Checkpoint::open(note, &ledger_origin(self.key), Some(self.key))?)
    }

    fn tiles(&self, size: u64) -> Result<tiles::Reader, ProverError> {
        let view = self.hashes.wait_for(size, WAIT);
        let view = view.ok_or_else(|| match self.hashes.progress() {
            Progress { problem: Some(problem), .. } => ProverError::Stopped(problem),
            _ => ProverError::NotThere { size },
        })?;
        Ok(tiles::Reader::new(view.dir, view.size))
    }

    /// A hash that is not there is as wrong as one that leads nowhere.
    fn read<T>(&self, read: io::Result<T>) -> Result<T, ProverError> {
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => self.damaged(),
            _ => error.into(),
        })
    }

    fn damaged(&self) -> ProverError {
        self.hashes.start_over();
        ProverError::Damaged
    }
}

/// The bytes of an entry; `None` when they are not where they should be.
fn entry(
    segments: &[(u64, PathBuf)],
    tiles: &tiles::Reader,
    seq: u64,
) -> io::Result<Option<Vec<u8>>> {
    let first = seq / TILE * TILE;
    let Some(at) = segments.iter().rposition(|(first_seq, _)| *first_seq <= first) else {
        return Ok(None);
    };
    // Nothing but the first segment is entered in its middle.
    let Ok(mut offset) = tiles.place(seq / TILE) else { return Ok(None) };
    for (first_seq, path) in segments[at..].iter().take_while(|(first_seq, _)| *first_seq <= seq) {
        if let Some(found) = entry_in(path, *first_seq, offset, seq)? {
            return Ok(Some(found));
        }
        offset = SEGMENT_HEADER_BYTES as u64;
    }
    Ok(None)
}

fn entry_in(path: &Path, first_seq: u64, offset: u64, seq: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    let mut header = [0; SEGMENT_HEADER_BYTES];
    file.read_exact(&mut header)?;
    let Ok(header) = SegmentHeader::decode(&header) else { return Ok(None) };
    let (mut offset, mut window) = (offset, WINDOW_BYTES);
    if header.first_seq != first_seq {
        return Ok(None);
    }
    loop {
        let mut bytes = Vec::with_capacity(window);
        file.seek(SeekFrom::Start(offset))?;
        (&file).take(window as u64).read_to_end(&mut bytes)?;
        let mut end = 0;
        for group in header.groups(&bytes, 0).map_while(Result::ok) {
            let within = seq.checked_sub(group.head.first_seq).map(|at| at as usize);
            if let Some(found) = within.and_then(|at| group.entries().nth(at)) {
                return Ok(Some(found.to_vec()));
            }
            end = group.end;
        }
        match (end, bytes.len()) {
            // Neither a record nor more to read.
            (0, read) if read < window => return Ok(None),
            (0, _) => window *= 2,
            (end, _) => (offset, window) = (offset + end as u64, WINDOW_BYTES),
        }
    }
}

#[cfg(test)]
mod tests;
