//! A journal: entries that are never changed, only added, and that survive what they were
//! acknowledged before.
//!
//! It knows nothing of money: the ledger keeps transfers in one, the scheduler its events in
//! another. On disk it is a directory of segments (see [`proof::record`]), a `checkpoint`, and a
//! `lock` that keeps a second writer out. `docs/ledger.md` draws it.
//!
//! ```
//! use ledger::journal::{Journal, Options};
//!
//! let dir = tempfile::tempdir()?;
//! let (mut journal, replay) = Journal::open(dir.path(), Options::new("example"))?;
//! assert_eq!(replay.count(), 0);
//! journal.append(b"first")?;
//! journal.append(b"second")?;
//! journal.sync()?; // one record, one fdatasync: now both are durable
//! drop(journal);
//!
//! let (_journal, replay) = Journal::open(dir.path(), Options::new("example"))?;
//! let entries: Vec<(u64, Vec<u8>)> = replay.collect();
//! assert_eq!(entries, [(0, b"first".to_vec()), (1, b"second".to_vec())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod disk;
mod error;
mod read;
mod shared;

use std::io;
use std::path::{Path, PathBuf};

use proof::record::{ENTRY_BYTES_MAX, GroupBuilder, SEGMENT_HEADER_BYTES, SegmentHeader};
use proof::verify::sign_group;
use proof::{Checkpoint, Head, Place};
use protocol::SigningKey;
use protocol::sign::public_key;

use crate::opening::Opening;
use disk::Output;
pub(crate) use disk::{Disk, Lock, SystemDisk};
pub use error::{AppendError, FollowError, OpenError};
pub(crate) use proof::Signatures;
pub use read::read_signed;
pub(crate) use read::{
    Follower, Found, Source, Start, read, read_from, segments_before, stored_checkpoint,
};
pub use shared::{ShareError, SharedLog};

pub use crate::opening::{Opened, PassedOver, PassedOverWhy};
pub use crate::snapshot::{Fold, KeepError, Keeper, SnapshotError};

/// Why a caller could not use an entry.
pub type EntryProblem = Box<dyn std::error::Error + Send + Sync>;

/// Takes entries as they are read: number and bytes.
pub type Visit<'a> = dyn FnMut(u64, &[u8]) -> Result<(), EntryProblem> + 'a;

/// How a journal is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name, part of the hash chain: a journal of another name is not opened. Without
    /// spaces, plus signs and line ends, for it stands in checkpoints.
    pub origin: String,
    /// Signs every record and checkpoint. Without a key the journal is chained, not signed.
    pub signing_key: Option<SigningKey>,
    /// A segment is followed by the next before it grows past this, bytes.
    pub segment_bytes_max: u64,
    /// Records between two checkpoints.
    pub checkpoint_records: u32,
    /// Checkpoints that others kept: the journal must agree with them.
    pub witnessed: Vec<Checkpoint>,
}

impl Options {
    /// Bytes of a segment when nothing else is asked for: read at once without pain.
    pub const SEGMENT_BYTES: u64 = 64 << 20;
    /// Records between checkpoints when nothing else is asked for: a checkpoint costs about
    /// three times what a record does.
    pub const CHECKPOINT_RECORDS: u32 = 256;

    /// An unsigned journal with the usual sizes.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            signing_key: None,
            segment_bytes_max: Self::SEGMENT_BYTES,
            checkpoint_records: Self::CHECKPOINT_RECORDS,
            witnessed: Vec::new(),
        }
    }

    /// The same, signed.
    #[must_use]
    pub fn signed_by(self, key: SigningKey) -> Self {
        Self { signing_key: Some(key), ..self }
    }
}

/// A record that a crash cut short, before it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutTail {
    /// The segment it was in.
    pub segment: PathBuf,
    /// Where it began.
    pub offset: u64,
    /// How many bytes were there.
    pub bytes: u64,
}

/// The entries found on opening, in order: `(number, bytes)`.
///
/// It holds them in memory; [`Journal::open_with`] does not.
#[derive(Debug)]
pub struct Replay {
    /// What was cut off the end.
    pub cut: Option<CutTail>,
    entries: std::iter::Enumerate<std::vec::IntoIter<Vec<u8>>>,
}

impl Iterator for Replay {
    type Item = (u64, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|(index, entry)| (index as u64, entry))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

/// A journal that is open for writing.
///
/// Dropping it stores a checkpoint if it can; entries that were not synced are lost.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    options: Options,
    disk: Box<dyn Disk>,
    verifier: proof::Verifier,
    segment: SegmentHeader,
    segment_bytes: u64,
    output: Output,
    waiting: GroupBuilder,
    records_since_checkpoint: u32,
    is_poisoned: bool,
    /// Where records go first, when several machines keep them.
    shared: Option<Box<dyn SharedLog>>,
    _lock: Lock,
}

impl Journal {
    /// Opens the journal in `dir`, or begins one there, and returns the entries it holds.
    ///
    /// All of it is verified: checksums, sequence, hash chain, the last signature (which covers
    /// the chain and so every entry), the stored checkpoint and those in
    /// [`Options::witnessed`]. A record that a crash cut short at the very end is cut off and
    /// reported in [`Replay::cut`]. A checkpoint of what is there is stored if there is none.
    ///
    /// # Errors
    /// See [`OpenError`]: whatever is not a cut-short last record is refused, never repaired.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Replay), OpenError> {
        let mut entries = Vec::new();
        let (journal, cut) = Self::open_with(dir, options, &mut |_seq, entry| {
            entries.push(entry.to_vec());
            Ok(())
        })?;
        Ok((journal, Replay { cut, entries: entries.into_iter().enumerate() }))
    }

    /// The same, handing each entry to `visit` as it is read. What it was shown counts only when
    /// the whole succeeds.
    ///
    /// # Errors
    /// See [`OpenError`]; an error of `visit` comes back as [`OpenError::Entry`].
    pub fn open_with(
        dir: &Path,
        options: Options,
        visit: &mut Visit<'_>,
    ) -> Result<(Self, Option<CutTail>), OpenError> {
        Self::open_on(Box::new(SystemDisk), dir, options, visit)
    }

    /// Opens the journal and makes what its entries come to: from the newest good snapshot and what
    /// follows it, or else from all of it.
    ///
    /// What lies before the snapshot is not read, and not checked.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_folded<F: Fold>(
        dir: &Path,
        options: Options,
        seed: &F::Seed,
    ) -> Result<Opened<F>, OpenError> {
        let mut opening = Opening::<F>::new(seed);
        let read = &mut |source: &Source<'_>| opening.read(source);
        let (journal, cut) = Self::open_by(Box::new(SystemDisk), dir, options, read)?;
        Ok(opening.opened(journal, cut))
    }

    /// The same on another disk.
    pub(crate) fn open_on(
        disk: Box<dyn Disk>,
        dir: &Path,
        options: Options,
        visit: &mut Visit<'_>,
    ) -> Result<(Self, Option<CutTail>), OpenError> {
        Self::open_by(disk, dir, options, &mut |source| read(source, visit))
    }

    /// The same, read in the caller's way.
    pub(crate) fn open_by(
        mut disk: Box<dyn Disk>,
        dir: &Path,
        options: Options,
        read: &mut dyn FnMut(&Source<'_>) -> Result<Found, OpenError>,
    ) -> Result<(Self, Option<CutTail>), OpenError> {
        let forbidden = |c: char| c.is_whitespace() || c == '+';
        if options.origin.is_empty() || options.origin.contains(forbidden) {
            return Err(OpenError::Origin(options.origin));
        }
        disk::make_dirs(&mut *disk, dir).map_err(failed("making the directory", dir))?;
        let lock = Lock::take(dir)?;
        let source = Source {
            dir,
            origin: &options.origin,
            key: options.signing_key.as_ref().map(public_key),
            signatures: Signatures::Last,
            witnessed: &options.witnessed,
        };
        let found = read(&source)?;

        let (output, segment, segment_bytes) = match found.last {
            Some(last) => {
                let (path, is_cut) = (&last.path, found.cut.is_some());
                let output = disk::settle(&mut *disk, path, last.good_bytes, is_cut, &last.record)
                    .map_err(failed("settling the last segment", path))?;
                (output, last.header, last.good_bytes)
            }
            None => {
                disk::sync_above(&mut *disk, dir)
                    .map_err(failed("syncing the directories above", dir))?;
                let (output, header) = begin_segment(&mut *disk, dir, &found.verifier.head())
                    .map_err(failed("beginning a segment", dir))?;
                (output, header, SEGMENT_HEADER_BYTES as u64)
            }
        };
        disk::remove_leftovers(&mut *disk, dir).map_err(failed("removing leftovers", dir))?;
        disk.sync_dir(dir).map_err(failed("syncing the directory", dir))?;
        let mut journal = Self {
            dir: dir.to_owned(),
            options,
            disk,
            verifier: found.verifier,
            segment,
            segment_bytes,
            output,
            waiting: GroupBuilder::default(),
            records_since_checkpoint: 0,
            is_poisoned: false,
            shared: None,
            _lock: lock,
        };
        if found.checkpoint != Some(journal.head().size) {
            // What a crash left without one is held to from now on. The next record tries again.
            journal.records_since_checkpoint = journal.options.checkpoint_records;
            let _retried = journal.checkpoint();
        }
        Ok((journal, found.cut))
    }

    /// Puts an entry in line and returns its number. It is durable after [`Journal::sync`].
    ///
    /// # Errors
    /// [`AppendError::TooLarge`], [`AppendError::Full`], [`AppendError::Closed`]; those already
    /// in line stay there.
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, AppendError> {
        self.check_open()?;
        let seq = self.next_seq();
        if self.waiting.push(entry) {
            return Ok(seq);
        }
        Err(match entry.len() {
            bytes if bytes > ENTRY_BYTES_MAX => AppendError::TooLarge { bytes },
            _ => AppendError::Full { waiting: self.waiting.count() },
        })
    }

    /// Makes all entries in line durable: one record, one `fdatasync`; all of them or none.
    ///
    /// # Errors
    /// [`AppendError::Write`]: none is in the journal, the line is empty, the journal goes on.
    /// [`AppendError::Unsure`], [`AppendError::Shared`]: the journal takes no more until it is opened
    /// again.
    pub fn sync(&mut self) -> Result<(), AppendError> {
        self.check_open()?;
        let group = std::mem::take(&mut self.waiting);
        if group.is_empty() {
            return Ok(());
        }
        let head = self.head();
        let chain = group.chain(head.size, head.chain.0);
        let key = self.options.signing_key.as_ref();
        let signature = key.map(|key| sign_group(&self.options.origin, &chain, key));
        if let Some(log) = &mut self.shared
            && let Err(problem) = log.append(head.size, &shared::encode(&group, &head, signature))
        {
            self.is_poisoned = true;
            return Err(AppendError::Shared(problem));
        }
        self.put(|salt| group.encode(head.size, head.chain.0, salt, signature)).inspect_err(
            // The log has it: the disk must not go on without.
            |_| self.is_poisoned |= self.shared.is_some(),
        )?;
        self.verifier
            .take_in(chain, group.entries())
            .expect("invariant: no checkpoint is expected beyond the end");
        self.records_since_checkpoint = self.records_since_checkpoint.saturating_add(1);
        if self.records_since_checkpoint >= self.options.checkpoint_records {
            // The entries are durable whether this succeeds or not; the next record tries again.
            let _retried = self.checkpoint();
        }
        Ok(())
    }

    /// Adds `entries`, makes them durable and returns the number of the first.
    ///
    /// # Errors
    /// As [`Journal::append`] and [`Journal::sync`]; none of `entries` is in line then.
    pub fn append_sync(&mut self, entries: &[impl AsRef<[u8]>]) -> Result<u64, AppendError> {
        self.sync()?;
        let first = self.next_seq();
        for entry in entries {
            if let Err(error) = self.append(entry.as_ref()) {
                self.discard();
                return Err(error);
            }
        }
        self.sync()?;
        Ok(first)
    }

    /// Drops the entries in line.
    pub fn discard(&mut self) {
        self.waiting = GroupBuilder::default();
    }

    /// Where the durable journal stands.
    #[must_use]
    pub fn head(&self) -> Head {
        self.verifier.head()
    }

    /// How many entries are durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.verifier.size()
    }

    /// The number that the next entry gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.size() + u64::from(self.waiting.count())
    }

    /// Whether it takes no more until it is opened again, since a write was not confirmed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_poisoned
    }

    /// The place after the last durable entry.
    pub(crate) fn place(&self) -> Place {
        self.verifier.place()
    }

    /// Its disk, for another thread that writes beside it.
    pub(crate) fn disk(&self) -> Box<dyn Disk> {
        self.disk.share()
    }

    /// Its name.
    pub(crate) fn origin(&self) -> &str {
        &self.options.origin
    }

    /// Who signs it.
    pub(crate) const fn signing_key(&self) -> Option<&SigningKey> {
        self.options.signing_key.as_ref()
    }

    /// Where it lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores a checkpoint of the durable journal and returns its text, for others to keep.
    ///
    /// # Errors
    /// [`AppendError::Write`] when it cannot be stored, [`AppendError::Closed`]. The journal
    /// itself is not touched.
    pub fn checkpoint(&mut self) -> Result<String, AppendError> {
        self.check_open()?;
        let note = self.note();
        let path = self.dir.join(read::CHECKPOINT);
        disk::write_whole(&mut *self.disk, &path, note.as_bytes())
            .and_then(|_closed| self.disk.sync_dir(&self.dir))
            .map_err(|source| AppendError::Write { path, source })?;
        self.records_since_checkpoint = 0;
        Ok(note)
    }

    /// The text of a checkpoint of the durable journal, which is stored when records came since the
    /// last one.
    ///
    /// # Errors
    /// As [`Journal::checkpoint`].
    pub fn checkpoint_if_behind(&mut self) -> Result<String, AppendError> {
        match self.records_since_checkpoint {
            // A signature is the same each time it is made.
            0 => Ok(self.note()),
            _ => self.checkpoint(),
        }
    }

    /// A checkpoint of the durable journal, as text.
    fn note(&self) -> String {
        self.verifier.checkpoint().to_note(self.options.signing_key.as_ref())
    }

    /// Writes a record, which depends on the salt of the segment that it comes to lie in.
    fn put(&mut self, encode: impl Fn([u8; 8]) -> Vec<u8>) -> Result<(), AppendError> {
        let bytes = encode(self.segment.salt);
        match self.make_room(bytes.len() as u64)? {
            false => self.write(&bytes),
            true => self.write(&encode(self.segment.salt)),
        }
    }

    /// Begins the next segment when a record would make this one too long; says whether it did.
    fn make_room(&mut self, record_bytes: u64) -> Result<bool, AppendError> {
        let is_empty = self.segment_bytes <= SEGMENT_HEADER_BYTES as u64;
        if is_empty || self.segment_bytes + record_bytes <= self.options.segment_bytes_max {
            return Ok(false);
        }
        let head = self.head();
        let begun = begin_segment(&mut *self.disk, &self.dir, &head);
        let (output, segment) = match begun {
            Ok(begun) => begun,
            Err(source) => {
                let path = disk::segment_path(&self.dir, head.size);
                // A disk that reports an error may have done it all the same.
                self.is_poisoned = !path.try_exists().is_ok_and(|exists| !exists);
                return Err(match self.is_poisoned {
                    true => AppendError::Unsure { path, source },
                    false => AppendError::Write { path, source },
                });
            }
        };
        // From here on the old segment must not grow: the new one continues what it holds now.
        if let Err(source) = self.disk.sync_dir(&self.dir) {
            self.is_poisoned = true;
            return Err(AppendError::Unsure { path: output.path, source });
        }
        self.output = output;
        (self.segment, self.segment_bytes) = (segment, SEGMENT_HEADER_BYTES as u64);
        Ok(true)
    }

    fn write(&mut self, record: &[u8]) -> Result<(), AppendError> {
        let (disk, output) = (&mut self.disk, &mut self.output);
        let path = output.path.clone();
        if let Err(source) = disk.write(output, self.segment_bytes, record) {
            // Take back what part of it arrived, so that the next record follows the last.
            let undone = disk.cut(output, self.segment_bytes).and_then(|()| disk.sync(output));
            self.is_poisoned = undone.is_err();
            return Err(match undone {
                Ok(()) => AppendError::Write { path, source },
                Err(source) => AppendError::Unsure { path, source },
            });
        }
        if let Err(source) = disk.sync(output) {
            // After a failed sync the kernel may have dropped the pages and a second sync would
            // succeed without them: only reading the disk again tells what is there.
            self.is_poisoned = true;
            return Err(AppendError::Unsure { path, source });
        }
        self.segment_bytes += record.len() as u64;
        Ok(())
    }

    fn check_open(&self) -> Result<(), AppendError> {
        match self.is_poisoned {
            true => Err(AppendError::Closed { path: self.dir.clone() }),
            false => Ok(()),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.records_since_checkpoint > 0 {
            // Nothing is lost when it fails: the journal is durable without it.
            let _best_effort = self.checkpoint();
        }
    }
}

fn begin_segment(
    disk: &mut dyn Disk,
    dir: &Path,
    head: &Head,
) -> io::Result<(Output, SegmentHeader)> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let header = SegmentHeader { first_seq: head.size, salt, chain: head.chain.0 };
    let path = disk::segment_path(dir, header.first_seq);
    Ok((disk::write_whole(disk, &path, &header.encode())?, header))
}

pub(crate) fn failed<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> OpenError + 'a {
    move |source| OpenError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
pub(crate) mod sim;
#[cfg(test)]
mod tests;
