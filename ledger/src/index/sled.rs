//! sled, which the index lies on.

use std::path::Path;
use std::time::Duration;

use super::store::{Rows, Store, StoreError};

/// Memory sled may use for pages.
const CACHE_BYTES: u64 = 32 << 20;
/// How often sled's lock is asked for, and the pause in between: tasks of a sled that was closed a
/// moment ago may hold it a little longer.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A sled database.
#[derive(Debug, Clone)]
pub(crate) struct Sled(sled::Db);

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::new(error)
    }
}

impl Store for Sled {
    fn open(dir: &Path) -> Result<Self, StoreError> {
        let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES);
        match open_unlocked(&config) {
            // A kill while sled began its files leaves some that it cannot read: seen in one of
            // some hundred kills. The journal gives all of it again.
            Err(sled::Error::Corruption { .. }) => {
                std::fs::remove_dir_all(dir).map_err(StoreError::new)?;
                Ok(Self(open_unlocked(&config)?))
            }
            opened => Ok(Self(opened?)),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key)?.map(|value| value.to_vec()))
    }

    fn last_first(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), StoreError> {
        for value in self.0.scan_prefix(prefix).values().rev() {
            if !visit(&value?) {
                break;
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.0.is_empty())
    }

    fn write(&self, rows: Rows) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        rows.into_iter().for_each(|(key, value)| batch.insert(key, value));
        Ok(self.0.apply_batch(batch)?)
    }

    fn fill(&self, rows: Rows) -> Result<(), StoreError> {
        for (key, value) in rows {
            self.0.insert(key, value)?;
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), StoreError> {
        Ok(self.0.clear()?)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.0.flush()?;
        Ok(())
    }
}

/// Opens sled once nobody else has its lock.
fn open_unlocked(config: &sled::Config) -> Result<sled::Db, sled::Error> {
    // sled tells a held lock from other trouble by its words alone.
    let is_locked = |error: &sled::Error| error.to_string().contains("could not acquire lock");
    for _try in 1..LOCK_TRIES {
        match config.open() {
            Err(error) if is_locked(&error) => std::thread::sleep(LOCK_PAUSE),
            opened => return opened,
        }
    }
    config.open()
}
