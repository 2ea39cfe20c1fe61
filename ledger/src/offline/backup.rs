//! Copies of a ledger: verified as they are made, and before they are used.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proof::record::{BadRecord, Group, SEGMENT_HEADER_BYTES, SegmentHeader};
use proof::{Checkpoint, Entry, Signatures, Verifier, VerifyError, ledger_origin};
use protocol::PublicKey;

use super::{Verified, verify};
use crate::books::Books;
use crate::journal::disk::{self, Output};
use crate::journal::{self, Disk, EntryProblem, Lock, OpenError, Source, SystemDisk};
use crate::ledger::JOURNAL_DIR;

/// What a backup holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Entries in all.
    pub entries: u64,
    /// Those that came with this run.
    pub new_entries: u64,
    /// Bytes that were written.
    pub bytes: u64,
}

/// Why no backup was made. What the backup held before is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The ledger's journal does not hold.
    #[error("the ledger was not backed up any further: its journal does not hold")]
    Journal(#[source] OpenError),
    /// An entry of the ledger breaks the rules.
    #[error("the ledger was not backed up any further: entry {seq} cannot be used")]
    Entry {
        /// Its number.
        seq: u64,
        /// Why.
        #[source]
        source: EntryProblem,
    },
    /// What is in the target is no backup of this ledger, is damaged, or is in use.
    #[error("the target cannot take a backup of this ledger; name another folder: {}", path.display())]
    Target {
        /// The target.
        path: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The backup goes on where the ledger does not: it holds another story.
    #[error(
        "the backup has {backup} entries and the ledger does not go on from there; keep it, find \
         out which of the two is right, and back up into another folder: {}", path.display()
    )]
    Diverged {
        /// Entries in the backup.
        backup: u64,
        /// The target.
        path: PathBuf,
    },
    /// The target cannot be written.
    #[error("writing the backup failed; make room and run it again, it goes on from there: {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

/// Why a backup was not restored. Nothing is where the ledger should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup does not hold, or is behind a checkpoint that was given.
    #[error("nothing was restored: the backup does not hold, or is not the one of the checkpoint")]
    Backup(#[from] OpenError),
    /// Something is there already.
    #[error("nothing was restored: there is a ledger already, move it away first: {}", path.display())]
    Exists {
        /// The journal that is there.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("writing the ledger failed; make room and try again: {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

/// Backs the ledger of `key` in `dir` up into `to`, or brings the backup there up to date. The
/// ledger may be in use.
///
/// The backup's own entries are verified first, then those that are new, before they are written:
/// checksums, chain, every signature, every rule. A run that was cut short is gone on with by the
/// next. Snapshots are not copied; a ledger makes its own.
///
/// # Errors
/// See [`BackupError`].
pub fn backup(dir: &Path, key: PublicKey, to: &Path) -> Result<Copied, BackupError> {
    let (from, target) = (dir.join(JOURNAL_DIR), to.join(JOURNAL_DIR));
    let origin = ledger_origin(key);
    let source = |dir| {
        let (key, signatures) = (Some(key), Signatures::Every);
        Source { dir, origin: &origin, key, signatures, witnessed: &[] }
    };
    // Read before the segments, so that these reach it.
    let stored = journal::stored_checkpoint(&source(&from)).map_err(BackupError::Journal)?;

    let unfit = |source| BackupError::Target { path: to.to_owned(), source };
    let mut disk = SystemDisk;
    disk::make_dirs(&mut disk, &target).map_err(unwritten(&target))?;
    let _lock = Lock::take(&target).map_err(unfit)?;
    let mut books = Books::default();
    let found = journal::read(&source(&target), &mut |seq, bytes| {
        Ok(books.replay(seq, &Entry::decode(bytes)?)?)
    })
    .map_err(unfit)?;
    let before = books.size();
    disk::remove_leftovers(&mut disk, &target).map_err(unwritten(&target))?;
    let mut output = None;
    if let Some(last) = &found.last {
        let (path, is_cut) = (&last.path, found.cut.is_some());
        let settled = disk::settle(&mut disk, path, last.good_bytes, is_cut, &last.record);
        output = Some((last.header.first_seq, settled.map_err(unwritten(path))?, last.good_bytes));
    }

    let mut verifier = found.verifier;
    if let Some((_, point)) = &stored
        && point.size >= before
    {
        verifier.expect(point.clone());
        let diverged = |_story| BackupError::Diverged { backup: before, path: target.clone() };
        verifier.check_story().map_err(diverged)?;
    }
    let mut copier =
        Copier { disk, target: &target, origin: &origin, verifier, books, output, bytes: 0 };
    copier.copy(&from)?;
    let entries = copier.books.size();
    if let Some((note, point)) = stored
        && point.size >= before
    {
        let path = target.join("checkpoint");
        disk::write_whole(&mut disk, &path, note.as_bytes()).map_err(unwritten(&path))?;
    }
    disk.sync_dir(&target).map_err(unwritten(&target))?;
    disk::sync_above(&mut disk, &target).map_err(unwritten(&target))?;
    Ok(Copied { entries, new_entries: entries - before, bytes: copier.bytes })
}

/// Copies what is new, record by record.
struct Copier<'a> {
    disk: SystemDisk,
    target: &'a Path,
    origin: &'a str,
    verifier: Verifier,
    books: Books,
    /// The segment that grows: its first entry, the file, and its bytes.
    output: Option<(u64, Output, u64)>,
    bytes: u64,
}

impl Copier<'_> {
    fn copy(&mut self, from: &Path) -> Result<(), BackupError> {
        let failed = |path: &Path, source| journal::failed("reading the segment", path)(source);
        let segments =
            disk::segments(from).map_err(|error| BackupError::Journal(failed(from, error)))?;
        let at = self.output.as_ref().map_or(0, |(first_seq, ..)| *first_seq);
        if !segments.iter().any(|(first_seq, _)| *first_seq == at) {
            return Err(self.diverged());
        }
        let count = segments.len();
        for (index, (first_seq, path)) in segments.into_iter().enumerate() {
            if first_seq >= at {
                let bytes =
                    fs::read(&path).map_err(|error| BackupError::Journal(failed(&path, error)))?;
                self.segment(first_seq, &path, &bytes, index + 1 == count)?;
            }
        }
        self.verifier.finish().map_err(|source| {
            BackupError::Journal(OpenError::Broken { path: from.to_owned(), source })
        })?;
        Ok(())
    }

    fn segment(
        &mut self,
        first_seq: u64,
        path: &Path,
        bytes: &[u8],
        is_last: bool,
    ) -> Result<(), BackupError> {
        let bad =
            |source| BackupError::Journal(OpenError::Broken { path: path.to_owned(), source });
        let header = SegmentHeader::decode(bytes)
            .ok()
            .filter(|header| header.first_seq == first_seq)
            .ok_or_else(|| BackupError::Journal(OpenError::Header { segment: path.to_owned() }))?;
        let mut offset = match &self.output {
            Some((own, output, length)) if *own == first_seq => {
                let copied = fs::read(&output.path).map_err(unwritten(&output.path))?;
                if bytes.get(..copied.len()) != Some(&copied) {
                    return Err(self.diverged());
                }
                *length as usize
            }
            _ => {
                match self.verifier.segment(&header) {
                    Err(VerifyError::Chain { seq: 0 }) => {
                        let (origin, segment) = (self.origin.to_owned(), path.to_owned());
                        return Err(BackupError::Journal(OpenError::OtherJournal {
                            origin,
                            segment,
                        }));
                    }
                    checked => checked.map_err(bad)?,
                }
                let own = disk::segment_path(self.target, first_seq);
                let begun = disk::write_whole(&mut self.disk, &own, &bytes[..SEGMENT_HEADER_BYTES]);
                self.output =
                    Some((first_seq, begun.map_err(unwritten(&own))?, SEGMENT_HEADER_BYTES as u64));
                self.disk.sync_dir(self.target).map_err(unwritten(&own))?;
                SEGMENT_HEADER_BYTES
            }
        };
        let start = offset;
        for group in header.groups(bytes, offset) {
            match group {
                Ok(group) => {
                    let is_first = self.bytes == 0 && group.offset == start;
                    match self.verifier.group(&group) {
                        Err(VerifyError::Gap { .. } | VerifyError::Chain { .. }) if is_first => {
                            return Err(self.diverged());
                        }
                        checked => checked.map_err(bad)?,
                    }
                    self.replay(&group)?;
                    offset = group.end;
                }
                // What is just being written comes with the next run.
                Err(BadRecord { good_after: None, .. }) if is_last => {}
                Err(BadRecord { offset, .. }) => {
                    let (segment, size) = (path.to_owned(), self.books.size());
                    let offset = offset as u64;
                    return Err(BackupError::Journal(OpenError::Damaged { segment, offset, size }));
                }
            }
        }
        let (_, output, length) = self.output.as_mut().expect("invariant: begun above");
        let own = output.path.clone();
        if offset > start {
            self.disk
                .write(output, *length, &bytes[start..offset])
                .and_then(|()| self.disk.sync(output))
                .map_err(unwritten(&own))?;
            *length = offset as u64;
            self.bytes += (offset - start) as u64;
        }
        Ok(())
    }

    fn replay(&mut self, group: &Group<'_>) -> Result<(), BackupError> {
        for (seq, bytes) in (group.head.first_seq..).zip(group.entries()) {
            let replayed = Entry::decode(bytes)
                .map_err(EntryProblem::from)
                .and_then(|entry| Ok(self.books.replay(seq, &entry)?));
            replayed.map_err(|source| BackupError::Entry { seq, source })?;
        }
        Ok(())
    }

    fn diverged(&self) -> BackupError {
        let path = self.target.to_owned();
        BackupError::Diverged { backup: self.books.size(), path }
    }
}

/// Restores the backup of the ledger of `key` in `from` into `to`, where no ledger may be. The
/// backup is verified as a whole, and must agree with `witnessed`.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore(
    from: &Path,
    key: PublicKey,
    to: &Path,
    witnessed: &[Checkpoint],
) -> Result<Verified, RestoreError> {
    let target = to.join(JOURNAL_DIR);
    let exists = || RestoreError::Exists { path: target.clone() };
    if target.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let verified = verify(from, key, witnessed)?;

    // Under another name until it is whole.
    let unwritten = |path: &Path| {
        let path = path.to_owned();
        move |source| RestoreError::Write { path, source }
    };
    let mut disk = SystemDisk;
    disk::make_dirs(&mut disk, to).map_err(unwritten(to))?;
    let half = to.join("journal.restoring");
    match fs::remove_dir_all(&half) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(unwritten(&half)(error));
        }
        _removed => disk.make_dir(&half).map_err(unwritten(&half))?,
    }
    let journal = from.join(JOURNAL_DIR);
    let mut files = disk::segments(&journal).map_err(unwritten(&journal))?;
    files.push((u64::MAX, journal.join("checkpoint")));
    for (_, path) in files {
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.map_err(unwritten(&path))?,
        };
        let own = half.join(path.file_name().expect("invariant: a file of that directory"));
        disk::write_whole(&mut disk, &own, &bytes).map_err(unwritten(&own))?;
    }
    disk.sync_dir(&half).map_err(unwritten(&half))?;
    // What was read may not be what was verified a moment before.
    let copied = super::verify_dir(&half, key, witnessed)?;
    if copied.head != verified.head {
        return Err(unwritten(&half)(io::Error::other("the backup changed while it was copied")));
    }
    if target.symlink_metadata().is_ok() {
        return Err(exists());
    }
    disk.rename(&half, &target).map_err(unwritten(&target))?;
    disk::sync_above(&mut disk, &target).map_err(unwritten(&target))?;
    Ok(copied)
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Write { path, source }
}
