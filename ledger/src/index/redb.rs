//! redb, as a second opinion: in tests only.

use std::path::Path;
use std::sync::Arc;

use redb::{
    Database, DatabaseError, Durability, Error, ReadableDatabase as _, ReadableTableMetadata as _,
    StorageError, TableDefinition,
};

use super::store::{Rows, Store, StoreError};

const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("index");
/// Name of its file.
const FILE: &str = "index.redb";
/// Memory it may use for pages: as sled.
const CACHE_BYTES: usize = 32 << 20;

/// A redb database.
#[derive(Debug, Clone)]
pub(super) struct Redb(Arc<Database>);

fn failed(error: impl Into<Error>) -> StoreError {
    StoreError::new(error.into())
}

/// The first key after all that begin with a prefix; `None` when none comes after them.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte < 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

impl Redb {
    fn insert(&self, rows: Rows, durability: Durability) -> Result<(), StoreError> {
        let mut transaction = self.0.begin_write().map_err(failed)?;
        transaction.set_durability(durability).map_err(failed)?;
        {
            let mut table = transaction.open_table(TABLE).map_err(failed)?;
            for (key, value) in rows {
                table.insert(&key[..], &value[..]).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}

impl Store for Redb {
    fn open(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(StoreError::new)?;
        let path = dir.join(FILE);
        let open = || Database::builder().set_cache_size(CACHE_BYTES).create(&path);
        let opened = match open() {
            Err(DatabaseError::Storage(StorageError::Corrupted(_) | StorageError::Io(_))) => {
                std::fs::remove_file(&path).map_err(StoreError::new)?;
                open()
            }
            opened => opened,
        };
        let store = Self(Arc::new(opened.map_err(failed)?));
        // A table is there once something was written.
        store.insert(Rows::new(), Durability::Immediate)?;
        Ok(store)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.0.begin_read().map_err(failed)?.open_table(TABLE).map_err(failed)?;
        let value = table.get(key).map_err(failed)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn last_first(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let table = self.0.begin_read().map_err(failed)?.open_table(TABLE).map_err(failed)?;
        let end = after(prefix);
        let rows = match &end {
            Some(end) => table.range(prefix..&end[..]),
            None => table.range(prefix..),
        };
        for row in rows.map_err(failed)?.rev() {
            let (_key, value) = row.map_err(failed)?;
            if !visit(value.value()) {
                break;
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        let table = self.0.begin_read().map_err(failed)?.open_table(TABLE).map_err(failed)?;
        table.is_empty().map_err(failed)
    }

    fn write(&self, rows: Rows) -> Result<(), StoreError> {
        self.insert(rows, Durability::None)
    }

    fn fill(&self, rows: Rows) -> Result<(), StoreError> {
        self.insert(rows, Durability::None)
    }

    fn clear(&self) -> Result<(), StoreError> {
        let transaction = self.0.begin_write().map_err(failed)?;
        transaction.delete_table(TABLE).map_err(failed)?;
        transaction.open_table(TABLE).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.insert(Rows::new(), Durability::Immediate)
    }
}
