//! What can go wrong with a journal, and what to do then.

use std::io;
use std::path::PathBuf;

use proof::record::ENTRY_BYTES_MAX;
use proof::{CheckpointError, VerifyError};

use super::EntryProblem;

/// Why a journal was not opened. Nothing on disk was changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The disk failed.
    #[error("{what} failed; check the disk and its permissions: {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// Another process writes it.
    #[error("the journal is in use by another process; stop that one first: {}", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// A name that cannot stand in a checkpoint.
    #[error("a journal's name must have no spaces, plus signs or line ends, this is not: {0:?}")]
    Origin(String),
    /// Good records follow a bad one, or another segment does.
    #[error(
        "the journal is damaged at byte {offset}, after entry number {size}, with good records \
         behind; restore this file from a backup, do not shorten it: {}", segment.display()
    )]
    Damaged {
        /// The segment.
        segment: PathBuf,
        /// Where the bad record begins.
        offset: u64,
        /// Entries before it.
        size: u64,
    },
    /// A segment without a good header, or named after another entry than its first.
    #[error(
        "the segment's header is damaged, or the file was renamed; restore it from a backup: {}",
        segment.display()
    )]
    Header {
        /// The segment.
        segment: PathBuf,
    },
    /// The journal's first segment begins another journal.
    #[error("this is not the journal {origin}; open it under its own name and key: {}", segment.display())]
    OtherJournal {
        /// The name it was opened under.
        origin: String,
        /// Its first segment.
        segment: PathBuf,
    },
    /// Chain, sequence, signatures or checkpoints do not hold.
    #[error(
        "the journal does not hold; it was altered or parts of it are missing: restore it from a \
         backup: {}", path.display()
    )]
    Broken {
        /// The segment, or the directory when it is the journal as a whole.
        path: PathBuf,
        /// What does not hold.
        #[source]
        source: VerifyError,
    },
    /// The stored checkpoint cannot be relied on.
    #[error(
        "the stored checkpoint is damaged or of another journal; restore it, or delete it after \
         comparing the journal with a checkpoint that somebody else kept: {}", path.display()
    )]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
    /// An entry makes no sense to the caller.
    #[error("entry {seq} of the journal cannot be used; was it written by another version?")]
    Entry {
        /// Its number.
        seq: u64,
        /// The caller's words.
        #[source]
        source: EntryProblem,
    },
}

/// Why entries were not added. None of those that were waiting is acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// An entry is too long.
    #[error("an entry of {bytes} bytes is over the journal's limit of {ENTRY_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Too much waits to be written.
    #[error("{waiting} entries wait and fill a whole record; call sync before adding more")]
    Full {
        /// How many wait.
        waiting: u32,
    },
    /// The record could not be written; the journal is as before and goes on.
    #[error("writing to the journal failed and was undone; make room and try again: {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The disk did not confirm: whether the entries are there is known on reopening only.
    #[error(
        "the disk did not confirm a write, so the journal takes no more; check the disk and \
         open it again: {}", path.display()
    )]
    Unsure {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The log that several machines share did not confirm: whether the entries are there is known on
    /// catching up only.
    #[error(
        "the shared log of the journal did not confirm a write, so the journal takes no more; open it again and catch up"
    )]
    Shared(#[source] EntryProblem),
    /// An earlier write was not confirmed.
    #[error("the journal takes no more since an earlier write was not confirmed; open it again: {}", path.display())]
    Closed {
        /// The directory.
        path: PathBuf,
    },
}

/// Why a journal could not be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The disk failed.
    #[error("reading the journal failed: {}", path.display())]
    Io {
        /// On what.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// Entries that should be there are not.
    #[error("entry {seq} is missing from the journal; verify it: {}", dir.display())]
    Missing {
        /// The entry's number.
        seq: u64,
        /// The journal.
        dir: PathBuf,
    },
    /// An entry makes no sense to the caller.
    #[error("entry {seq} of the journal cannot be used")]
    Entry {
        /// Its number.
        seq: u64,
        /// The caller's words.
        #[source]
        source: EntryProblem,
    },
}
