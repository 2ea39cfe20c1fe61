//! What the index asks of a store, and nothing more: so that another can take sled's place, and the
//! same tests run over both.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

/// Keys and values, in the order of the keys.
pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(#[source] Box<dyn Error + Send + Sync>);

impl StoreError {
    /// Of whatever kind it is.
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Ordered keys on disk. Clones share them, and may be read while one of them writes.
///
/// It need not keep what it was given through a crash, but then it must have all of a batch or
/// nothing, and of two batches not the second alone.
pub(crate) trait Store: Clone + Send + std::fmt::Debug + Sized + 'static {
    /// Opens the store in a directory, or begins one there; what cannot be read begins anew.
    fn open(dir: &Path) -> Result<Self, StoreError>;
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Hands out the values of all keys that begin so, the last first, until `visit` has enough.
    fn last_first(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), StoreError>;
    /// Whether it holds nothing.
    fn is_empty(&self) -> Result<bool, StoreError>;
    /// Writes all or nothing.
    fn write(&self, rows: Rows) -> Result<(), StoreError>;
    /// Writes many, perhaps some of them only: whoever fills a store says last that it is full.
    fn fill(&self, rows: Rows) -> Result<(), StoreError>;
    /// Forgets all.
    fn clear(&self) -> Result<(), StoreError>;
    /// Returns when what was written is on its way to the disk.
    fn flush(&self) -> Result<(), StoreError>;
}
