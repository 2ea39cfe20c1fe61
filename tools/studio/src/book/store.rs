//! The file: opening it, transactions, rows.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use redb::{
    Database, DatabaseError, Durability, Key, ReadTransaction, ReadableDatabase as _,
    ReadableTable, TableDefinition, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BookError, answers, events, jobs, teams, tokens};

/// The format that is written here.
const FORMAT: u64 = 1;
/// Memory for pages of the file.
const CACHE_BYTES: usize = 64 << 20;
/// Transactions that may wait for the disk together: what a power cut may take, and what keeps the
/// file from growing, since pages are free again only once what freed them is on the disk.
const UNSYNCED_MAX: u32 = 256;

/// Counters, and the file's format.
pub(crate) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// What most tables hold: a struct as JSON, so that a later release can add fields.
pub(crate) type Row = &'static [u8];

/// What the door remembers.
#[derive(Debug, Clone)]
pub struct Book(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    /// Requests that this process has begun and not answered: token and key.
    under_way: Mutex<BTreeSet<(String, String)>>,
    /// Transactions since the last that is on the disk.
    unsynced: AtomicU32,
}

/// When a transaction must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// When it is committed.
    Now,
    /// With a later one; until then a power cut takes it, and all after it.
    Soon,
}

impl Book {
    /// Opens the book, or begins one.
    ///
    /// The file is readable to its owner only, since it holds the keys of webhooks.
    /// Requests that an earlier process began and never answered are found
    /// [`Interrupted`](super::Begun::Interrupted).
    ///
    /// # Errors
    /// - [`BookError::InUse`] another process has it open
    /// - [`BookError::Newer`] a newer release wrote it
    /// - [`BookError::File`], [`BookError::Open`] it cannot be made or read
    pub fn open(path: &Path) -> Result<Self, BookError> {
        make(path).map_err(|source| BookError::File { path: path.to_owned(), source })?;
        let database = match Database::builder().set_cache_size(CACHE_BYTES).create(path) {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                return Err(BookError::InUse { path: path.to_owned() });
            }
            Err(error) => {
                return Err(BookError::Open { path: path.to_owned(), source: error.into() });
            }
        };
        let under_way = Mutex::default();
        let book = Self(Arc::new(Inner { database, under_way, unsynced: AtomicU32::new(0) }));
        book.write(Keep::Now, |change| {
            let format = change.open_table(META)?.get("format")?.map(|format| format.value());
            if let Some(format) = format.filter(|&format| format > FORMAT) {
                return Err(BookError::Newer { format, known: FORMAT, path: path.to_owned() });
            }
            change.open_table(META)?.insert("format", FORMAT)?;
            tokens::create(change)?;
            teams::create(change)?;
            jobs::create(change)?;
            answers::create(change)?;
            events::create(change)?;
            crate::hooks::create(change)
        })?;
        Ok(book)
    }

    /// Brings to the disk what was appended or recorded without waiting for it; quick when there
    /// is nothing.
    ///
    /// # Errors
    /// [`BookError::Storage`].
    pub fn sync(&self) -> Result<(), BookError> {
        if self.0.unsynced.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.write(Keep::Now, |_change| Ok(()))
    }

    /// A view of the book that does not change.
    pub(crate) fn read(&self) -> Result<ReadTransaction, BookError> {
        Ok(self.0.database.begin_read()?)
    }

    /// Makes a change whole or not at all; one at a time, whoever asks.
    pub(crate) fn write<T, E: From<BookError>>(
        &self,
        keep: Keep,
        change: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.0.database.begin_write().map_err(BookError::from)?;
        let done = change(&transaction)?;
        self.close_change(keep, transaction)?;
        Ok(done)
    }

    /// Begins a change whose [`Keep`] is known later.
    pub(crate) fn open_change(&self) -> Result<WriteTransaction, BookError> {
        Ok(self.0.database.begin_write()?)
    }

    /// Ends a change.
    pub(crate) fn close_change(
        &self,
        keep: Keep,
        mut transaction: WriteTransaction,
    ) -> Result<(), BookError> {
        // Nobody else counts meanwhile: there is one change at a time.
        let unsynced = self.0.unsynced.load(Ordering::Relaxed);
        if keep == Keep::Soon && unsynced < UNSYNCED_MAX {
            self.0.unsynced.store(unsynced + 1, Ordering::Relaxed);
            transaction.set_durability(Durability::None)?;
            return Ok(transaction.commit()?);
        }
        self.0.unsynced.store(0, Ordering::Relaxed);
        transaction.commit().map_err(|error| {
            self.0.unsynced.fetch_add(unsynced, Ordering::Relaxed);
            error.into()
        })
    }

    /// Requests that this process has begun and not answered.
    pub(super) fn under_way(&self) -> &Mutex<BTreeSet<(String, String)>> {
        &self.0.under_way
    }
}

/// A row of JSON, if it is there.
pub(crate) fn get<'a, K: Key + 'static, T: DeserializeOwned>(
    name: &'static str,
    table: &impl ReadableTable<K, Row>,
    key: impl Borrow<K::SelfType<'a>>,
) -> Result<Option<T>, BookError> {
    table.get(key)?.map(|row| decode(name, row.value())).transpose()
}

/// What a row of JSON says.
pub(crate) fn decode<T: DeserializeOwned>(
    table: &'static str,
    bytes: &[u8],
) -> Result<T, BookError> {
    serde_json::from_slice(bytes).map_err(|source| BookError::Row { table, source })
}

/// A row of JSON.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("invariant: rows have text for keys and write to memory")
}

/// Makes the file, for its owner's eyes only, where there is none yet.
fn make(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    // Its name must outlive a power cut, too; only Unix opens folders.
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::scratch::{book, power_cut};

    #[test]
    fn a_book_is_one_process_s() {
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("studio.redb");
        let book = Book::open(&path).expect("it works");
        let error = Book::open(&path).expect_err("it is refused");
        assert!(matches!(&error, BookError::InUse { path: named } if *named == path), "{error}");
        drop(book);
        Book::open(&path).expect("it works");
    }

    #[test]
    fn a_newer_format_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("studio.redb");
        let book = Book::open(&path).expect("it works");
        book.write(Keep::Now, |change| {
            change.open_table(META)?.insert("format", FORMAT + 1)?;
            Ok::<_, BookError>(())
        })
        .expect("it works");
        drop(book);
        for _twice in 0..2 {
            let error = Book::open(&path).expect_err("it is refused");
            let BookError::Newer { format, known, .. } = error else { panic!("{error}") };
            assert_eq!((format, known), (FORMAT + 1, FORMAT));
        }
    }

    #[test]
    fn what_is_no_book_is_refused() {
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("studio.redb");
        std::fs::write(&path, vec![7; 10_000]).expect("it works");
        assert!(matches!(Book::open(&path), Err(BookError::Open { .. })));
        assert_eq!(std::fs::read(&path).expect("it works"), vec![7; 10_000]);
        let nowhere = dir.path().join("nowhere").join("studio.redb");
        assert!(matches!(Book::open(&nowhere), Err(BookError::File { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("studio.redb");
        let _book = Book::open(&path).expect("it works");
        assert_eq!(path.metadata().expect("it works").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_waits_for_the_disk_reaches_it_with_a_later_change_or_a_sync() {
        let (dir, book) = book();
        let put = |value: u64, keep| {
            book.write(keep, |change| {
                change.open_table(META)?.insert("test", value)?;
                Ok::<_, BookError>(())
            })
            .expect("it works");
        };
        let after_cut = || {
            let (_after, copy) = power_cut(dir.path());
            let table = copy.read().expect("it works").open_table(META).expect("it works");
            table.get("test").expect("it works").map(|value| value.value())
        };
        put(1, Keep::Soon);
        assert_eq!(after_cut(), None);
        put(2, Keep::Now);
        assert_eq!(after_cut(), Some(2));
        put(3, Keep::Soon);
        book.sync().expect("it works");
        assert_eq!(after_cut(), Some(3));
        for value in 0..=u64::from(UNSYNCED_MAX) {
            put(value, Keep::Soon);
        }
        assert_eq!(after_cut(), Some(UNSYNCED_MAX.into()));
    }
}
