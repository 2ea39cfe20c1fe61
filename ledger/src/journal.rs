//! Journal API (bodies follow).
use proof::Checkpoint;
use protocol::{PublicKey, SigningKey};
use std::path::Path;

/// How a journal is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name: no spaces.
    pub origin: String,
    /// Signs every group.
    pub signing_key: Option<SigningKey>,
    /// A new segment is begun past this.
    pub segment_bytes_max: u64,
    /// Groups between checkpoints.
    pub checkpoint_groups: u32,
    /// Checkpoints that others kept.
    pub witnessed: Vec<Checkpoint>,
}
impl Options {
    /// Unsigned, with defaults.
    pub fn new(origin: impl Into<String>) -> Self {
        unimplemented!("{}", origin.into())
    }
}
/// A journal.
#[derive(Debug)]
pub struct Journal;
/// Entries found, in order: `(seq, bytes)`.
#[derive(Debug)]
pub struct Replay {
    /// Bytes of a torn tail that were cut.
    pub cut: Option<CutTail>,
}
impl Iterator for Replay {
    type Item = (u64, Vec<u8>);
    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}
/// A torn tail that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutTail {
    /// Bytes.
    pub bytes: u64,
}
/// Why a journal is not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// x
    #[error("x")]
    X(PublicKey),
}
/// Why entries were not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// x
    #[error("x")]
    X,
}
impl Journal {
    /// Opens or makes a journal.
    pub fn open(_dir: &Path, _options: Options) -> Result<(Self, Replay), OpenError> {
        unimplemented!()
    }
    /// Buffers one entry; returns its number. Durable after `sync`.
    pub fn append(&mut self, _entry: &[u8]) -> Result<u64, AppendError> {
        unimplemented!()
    }
    /// Makes buffered entries durable: one record, one fdatasync. On error none of them is in the journal.
    pub fn sync(&mut self) -> Result<(), AppendError> {
        unimplemented!()
    }
    /// `append` each and `sync`; returns the first's number.
    pub fn append_sync(&mut self, _entries: &[&[u8]]) -> Result<u64, AppendError> {
        unimplemented!()
    }
    /// Entries, buffered ones included.
    pub fn size(&self) -> u64 {
        unimplemented!()
    }
    /// Signs (if keyed) and stores a checkpoint, and returns its text.
    pub fn checkpoint(&mut self) -> Result<String, AppendError> {
        unimplemented!()
    }
    /// Checkpoints and closes (drop alone is fine too).
    pub fn close(self) -> Result<(), AppendError> {
        unimplemented!()
    }
}
