//! Snapshots: what the entries of a journal come to at a place in it, signed, so that opening need
//! not replay what came before.
//!
//! A snapshot holds nothing that the journal does not give. It is a file beside the segments:
//!
//! ```text
//! TSRSNP1⏎ | length u32 | note | chain 32 | peaks 32 each
//!          | segments u64 | each: first entry u64, bytes u64 | image
//! ```
//!
//! The note is a [`State`] and carries the hash of all that follows it. Peaks are those of the
//! tree over the entries, as many as the number of entries has bits set; segments are those that
//! ended before the place. The image is the [`Fold`]'s own: that of a ledger's books is drawn in
//! `books/image.rs`.

mod keeper;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use proof::merkle::{Frontier, Hash};
use proof::{Checkpoint, CheckpointError, Place, State};
use protocol::{Digest, PublicKey, SigningKey};

use crate::journal::disk::write_whole;
use crate::journal::{Disk, EntryProblem, segments_before};

pub use keeper::{KeepError, Keeper};

const MAGIC: &[u8; 8] = b"TSRSNP1\n";
const EXTENSION: &str = "snapshot";
/// Bytes before the note.
const FRAME_BYTES: usize = 12;
/// A longer file is not read into memory: some 600 million entries.
const BYTES_LIMIT: u64 = 32 << 30;

/// What the entries of a journal come to, one after the other.
///
/// The same entries make the same fold, and the same fold has the same image.
pub trait Fold: Sized + Send + 'static {
    /// What it needs beside the entries.
    type Seed: Clone + Send + 'static;

    /// Of no entries.
    fn begin(seed: &Self::Seed) -> Self;

    /// Takes in the next entry, which has this number.
    ///
    /// # Errors
    /// The entry is none of its.
    fn take_in(&mut self, seq: u64, entry: &[u8]) -> Result<(), EntryProblem>;

    /// Appends all of it but the seed, as bytes.
    fn write_image(&self, to: &mut Vec<u8>);

    /// Reads the image of a fold of `size` entries.
    ///
    /// # Errors
    /// The bytes are no such image: another version wrote them.
    fn from_image(seed: &Self::Seed, size: u64, image: &[u8]) -> Result<Self, EntryProblem>;

    /// Number of its accounts, and the root of the tree over them, for who keeps any.
    fn accounts(&self) -> (u64, Hash) {
        (0, Frontier::default().root())
    }
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It could not be read.
    #[error("it could not be read")]
    Io(#[from] io::Error),
    /// Not the form of a snapshot.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// Its note does not hold.
    #[error("its signed note does not hold")]
    Note(#[from] CheckpointError),
    /// Its bytes are good, but hold nothing that this version reads.
    #[error("another version of Tessera wrote it")]
    Image(#[source] EntryProblem),
}

/// What a snapshot says apart from its image.
#[derive(Debug)]
pub(crate) struct Outline {
    pub state: State,
    pub place: Place,
    /// The segments that ended before the place: first entry and bytes.
    pub before: Vec<(u64, u64)>,
}

/// The fold at a place.
#[derive(Debug)]
pub(crate) struct Snapshot<F> {
    pub outline: Outline,
    pub fold: F,
}

/// The snapshots in a journal's directory, newest first: number of entries and file.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Some(size) = stem.and_then(|stem| stem.parse().ok())
        {
            found.push((size, path));
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

/// The signed note of a snapshot: the start of its file.
pub(crate) fn note(path: &Path, origin: &str, key: PublicKey) -> Result<State, SnapshotError> {
    let mut bytes = Vec::new();
    let most = FRAME_BYTES + proof::checkpoint::CHECKPOINT_BYTES_MAX;
    File::open(path)?.take(most as u64).read_to_end(&mut bytes)?;
    Ok(split(&bytes, origin, key)?.0)
}

/// The text of that note, not checked.
pub(crate) fn note_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let most = FRAME_BYTES + proof::checkpoint::CHECKPOINT_BYTES_MAX;
    File::open(path)?.take(most as u64).read_to_end(&mut bytes)?;
    let note = framed(&bytes).map_or(&[][..], |(note, _rest)| note);
    Ok(String::from_utf8_lossy(note).into_owned())
}

/// Everything but the image, which is covered by its hash all the same.
pub(crate) fn outline(path: &Path, origin: &str, key: PublicKey) -> Result<Outline, SnapshotError> {
    let bytes = read(path)?;
    Ok(parse(&bytes, origin, key)?.0)
}

/// A whole snapshot.
pub(crate) fn load<F: Fold>(
    path: &Path,
    (origin, key): (&str, PublicKey),
    seed: &F::Seed,
) -> Result<Snapshot<F>, SnapshotError> {
    let bytes = read(path)?;
    let (outline, image) = parse(&bytes, origin, key)?;
    let size = outline.state.checkpoint.size;
    let fold = F::from_image(seed, size, image).map_err(SnapshotError::Image)?;
    Ok(Snapshot { outline, fold })
}

impl Outline {
    /// Whether this is the fold that the snapshot holds.
    pub(crate) fn is_of(&self, fold: &impl Fold) -> bool {
        self.state.snapshot == Some(hash(&content(&self.place, &self.before, fold)))
    }
}

/// Signs a snapshot and writes it beside the segments, and removes older ones but `keep`. Whether
/// the removal works does not matter.
pub(crate) fn store(
    disk: &mut dyn Disk,
    dir: &Path,
    (place, fold): (&Place, &impl Fold),
    (origin, key): (&str, &SigningKey),
    keep: Option<u64>,
) -> io::Result<()> {
    let size = place.frontier.size();
    let content = content(place, &segments_before(dir, size)?, fold);
    let checkpoint = Checkpoint { origin: origin.to_owned(), size, root: place.frontier.root() };
    let (accounts, accounts_root) = fold.accounts();
    let snapshot = Some(hash(&content));
    let note = State { checkpoint, accounts, accounts_root, snapshot }.to_note(key);

    let mut bytes = Vec::with_capacity(FRAME_BYTES + note.len() + content.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(note.len() as u32).to_le_bytes());
    bytes.extend_from_slice(note.as_bytes());
    bytes.extend_from_slice(&content);
    drop(content);
    let path = dir.join(format!("{size:020}.{EXTENSION}"));
    write_whole(disk, &path, &bytes)?;
    disk.sync_dir(dir)?;
    for (other, path) in list(dir)? {
        if other != size && Some(other) != keep {
            let _best_effort = disk.remove(&path);
        }
    }
    Ok(())
}

fn content(place: &Place, before: &[(u64, u64)], fold: &impl Fold) -> Vec<u8> {
    let mut bytes = place.chain.to_vec();
    place.frontier.peaks().iter().for_each(|peak| bytes.extend_from_slice(peak));
    bytes.extend_from_slice(&(before.len() as u64).to_le_bytes());
    for (first_seq, length) in before {
        bytes.extend_from_slice(&first_seq.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
    }
    fold.write_image(&mut bytes);
    bytes
}

fn hash(content: &[u8]) -> Digest {
    Digest::of("tessera 2026 ledger snapshot v1", &[content])
}

fn read(path: &Path) -> Result<Vec<u8>, SnapshotError> {
    if fs::metadata(path)?.len() > BYTES_LIMIT {
        return Err(SnapshotError::Damaged("it is far too long"));
    }
    Ok(fs::read(path)?)
}

/// The note's bytes and the rest.
fn framed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    (magic == MAGIC).then(|| rest.split_at_checked(length)).flatten()
}

fn split<'a>(
    bytes: &'a [u8],
    origin: &str,
    key: PublicKey,
) -> Result<(State, &'a [u8]), SnapshotError> {
    let (note, content) =
        framed(bytes).ok_or(SnapshotError::Damaged("its first bytes are not a snapshot's"))?;
    let note = str::from_utf8(note).map_err(|_why| SnapshotError::Damaged("no note"))?;
    Ok((State::open(note, origin, key)?, content))
}

fn parse<'a>(
    bytes: &'a [u8],
    origin: &str,
    key: PublicKey,
) -> Result<(Outline, &'a [u8]), SnapshotError> {
    let (state, content) = split(bytes, origin, key)?;
    if state.snapshot != Some(hash(content)) {
        return Err(SnapshotError::Damaged("its bytes are not those that were signed"));
    }
    let short = || SnapshotError::Damaged("it ends early");
    let (size, mut rest) = (state.checkpoint.size, content);
    let mut take = |length: usize| {
        let (part, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(part)
    };
    let chain = take(32).and_then(|part| part.try_into().ok()).ok_or_else(short)?;
    let peaks = take(32 * size.count_ones() as usize).ok_or_else(short)?;
    let peaks = peaks.as_chunks::<32>().0.to_vec();
    let frontier = Frontier::from_peaks(size, peaks).expect("invariant: one for every set bit");
    if frontier.root() != state.checkpoint.root {
        return Err(SnapshotError::Damaged("its tree is not that of its checkpoint"));
    }
    let word = |part: &[u8]| part.try_into().ok().map(u64::from_le_bytes);
    let count = take(8).and_then(word).ok_or_else(short)?;
    let mut before = Vec::new();
    for _ in 0..count {
        let (first_seq, length) = (take(8).and_then(word), take(8).and_then(word));
        before.push(first_seq.zip(length).ok_or_else(short)?);
    }
    Ok((Outline { state, place: Place { chain, frontier }, before }, rest))
}

#[cfg(test)]
mod tests;
