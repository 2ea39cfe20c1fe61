//! What may go wrong with the file.

use std::io;
use std::path::PathBuf;

use redb::{CommitError, SetDurabilityError, StorageError, TableError, TransactionError};

/// Why the book could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// Another process has it open.
    #[error("another process has the studio's book open; stop it or ask its door instead: {path}")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer release wrote it.
    #[error(
        "the studio's book has format {format} and this release reads up to {known}; use the \
         newer release: {path}"
    )]
    Newer {
        /// The format of the file.
        format: u64,
        /// The newest format that is understood here.
        known: u64,
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("the studio's book cannot be made: {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no book, or is damaged.
    #[error("the studio's book cannot be opened: {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: redb::Error,
    },
    /// Reading or writing failed: a full disk, a broken one.
    #[error("the studio's book cannot be read or written")]
    Storage(#[source] redb::Error),
    /// A row is not what this release wrote.
    #[error("a row of the studio's book cannot be read (table {table})")]
    Row {
        /// The table that holds it.
        table: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for BookError {
            fn from(error: $error) -> Self {
                Self::Storage(error.into())
            }
        }
    )*};
}

from_redb!(CommitError, SetDurabilityError, StorageError, TableError, TransactionError);
