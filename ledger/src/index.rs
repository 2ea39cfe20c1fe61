//! The index: statements and totals in sled, written behind the acknowledgement by a thread
//! that follows the journal.
//!
//! Nothing depends on it but the speed of statements: sled 0.34 issues no fsync, so it may lose
//! or garble what it holds on a power cut, and the journal builds it again.

#[cfg(test)]
mod redb;
mod sled;
mod store;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::path::{Path, PathBuf};

use proof::record::Group;
use proof::{Account, Entry};
use protocol::{AccountId, wire};

use self::sled::Sled;
use crate::behind::{Behind, BehindReader, Derived};
use crate::journal::{EntryProblem, Follower};
use crate::statement::Row;
use crate::totals::{Effect, Totals};
use store::{Rows, Store};

pub use store::StoreError;

/// Entries written at a time: large enough that sled's log is not all headers.
const ENTRIES_AT_ONCE: u64 = 2000;
/// The same when it is filled from the beginning: then rows are written in the order of their
/// keys, which sled takes the faster the more there are.
const ENTRIES_AT_ONCE_FROM_NOTHING: u64 = 100_000;
/// Rows of an account that lie together: sled takes as long for many as for one.
const ROWS_TOGETHER: usize = 64;
/// Bytes of a value: so many of the longest rows fit twice.
const VALUE_BYTES_MAX: usize = 512 * ROWS_TOGETHER;
/// Where the place is: another name for another form of the rows.
const PLACE: &[u8] = b"m2";

/// The thread that keeps the index of a ledger.
pub(crate) type Keeper = Behind<Index<Sled>>;
/// Reads it.
pub(crate) type IndexReader = BehindReader<Index<Sled>>;

/// Starts following the journal, of which `durable` entries may be read.
pub(crate) fn start<S: Store>(
    dir: PathBuf,
    journal: PathBuf,
    durable: u64,
) -> std::io::Result<Behind<Index<S>>> {
    Behind::start("ledger index", durable, move |durable, stop| {
        Follow::open(&dir, journal, durable, stop)
    })
}

/// Why the index stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Its store failed.
    #[error("the index's store failed ({0}); rebuild the index")]
    Store(#[from] StoreError),
    /// The index holds what it never wrote.
    #[error("the index is garbled; rebuild it")]
    Garbled,
    /// The journal could not be read.
    #[error("the journal could not be followed: {0}")]
    Journal(String),
}

/// The index, and where it reads on.
struct Follow<S> {
    index: Index<S>,
    follower: Follower,
    journal: PathBuf,
}

impl<S: Store> Follow<S> {
    fn open(
        dir: &Path,
        journal: PathBuf,
        durable: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, IndexError> {
        let mut index = Index::open(dir)?;
        let mut follower = index.resume(&journal, durable)?;
        if durable - index.size >= ENTRIES_AT_ONCE_FROM_NOTHING && index.size == 0 {
            index.fill(&mut follower, durable, stop)?;
        }
        Ok(Self { index, follower, journal })
    }
}

impl<S: Store> Derived for Follow<S> {
    type View = Index<S>;
    type Error = IndexError;

    fn size(&self) -> u64 {
        self.index.size
    }

    fn view(&self) -> Index<S> {
        self.index.clone()
    }

    fn take_in(&mut self, until: u64) -> Result<(), IndexError> {
        self.index.take_in(&mut self.follower, until.min(self.index.size + ENTRIES_AT_ONCE))
    }

    fn start_over(&mut self) -> Result<(), IndexError> {
        self.index.clear()?;
        self.follower = Follower::starting_at(&self.journal, 0).map_err(unreadable)?;
        Ok(())
    }

    fn close(&mut self) -> Result<(), IndexError> {
        Ok(self.index.store.flush()?)
    }
}

/// Builds the whole index anew and returns the number of entries in it.
pub(crate) fn build<S: Store>(dir: &Path, journal: &Path, size: u64) -> Result<u64, IndexError> {
    let mut index = Index::<S>::open(dir)?;
    index.clear()?;
    let mut follower = Follower::starting_at(journal, 0).map_err(unreadable)?;
    index.fill(&mut follower, size, &|| false)?;
    index.store.flush()?;
    Ok(index.size)
}

/// Builds the index of a ledger anew, as [`build`] does.
pub(crate) fn rebuild(dir: &Path, journal: &Path, size: u64) -> Result<u64, IndexError> {
    build::<Sled>(dir, journal, size)
}

/// The rows: `a` accounts, `s` of statements by account and first entry, `m2` how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Index<S> {
    store: S,
    size: u64,
    chain: [u8; 32],
}

type Kept = (Account, Totals, u64);

/// An account, and its new rows.
struct Touched {
    kept: Kept,
    new: Vec<Row>,
}

impl<S: Store> Index<S> {
    fn open(dir: &Path) -> Result<Self, IndexError> {
        let store = S::open(dir)?;
        let (size, chain) = match store.get(PLACE)? {
            Some(bytes) => decode(&bytes)?,
            None => (0, [0; 32]),
        };
        Ok(Self { store, size, chain })
    }

    fn clear(&mut self) -> Result<(), IndexError> {
        self.store.clear()?;
        (self.size, self.chain) = (0, [0; 32]);
        Ok(())
    }

    /// Finds its place in the journal, or starts over when the journal is another than the one
    /// that was indexed.
    fn resume(&mut self, journal: &Path, durable: u64) -> Result<Follower, IndexError> {
        let from = self.size.saturating_sub(1);
        let mut follower = Follower::starting_at(journal, from).map_err(unreadable)?;
        let mut chain = [0; 32];
        let mut end = 0;
        let read = follower.follow(self.size.min(durable), &mut |group| {
            (chain, end) = (group.chain(), group.head.first_seq + u64::from(group.head.count));
            Ok(())
        });
        let is_here = match self.size {
            // Rows without a place are what filling left that was cut short.
            0 => self.store.is_empty()?,
            _ => read.is_ok() && (end, chain) == (self.size, self.chain),
        };
        if is_here {
            return Ok(follower);
        }
        self.clear()?;
        Follower::starting_at(journal, 0).map_err(unreadable)
    }

    /// Takes in entries in one atomic step with the place they lead to.
    fn take_in(&mut self, follower: &mut Follower, until: u64) -> Result<(), IndexError> {
        let (mut rows, place) = self.rows(follower, until)?;
        rows.insert(PLACE.to_vec(), wire::encode(&place));
        self.store.write(rows)?;
        (self.size, self.chain) = place;
        Ok(())
    }

    /// Takes in the whole journal up to `until`, or until `stop` says so: the place is written
    /// last, so that whatever cuts this short leaves an index that starts over.
    fn fill(
        &mut self,
        follower: &mut Follower,
        until: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), IndexError> {
        while self.size < until && !stop() {
            let next = until.min(self.size + ENTRIES_AT_ONCE_FROM_NOTHING);
            let (rows, place) = self.rows(follower, next)?;
            self.store.fill(rows)?;
            (self.size, self.chain) = place;
        }
        if self.size == until {
            let place = wire::encode(&(self.size, self.chain));
            self.store.write(Rows::from([(PLACE.to_vec(), place)]))?;
        }
        Ok(())
    }

    /// The rows that entries up to `until` bring, and the place they lead to.
    fn rows(
        &self,
        follower: &mut Follower,
        until: u64,
    ) -> Result<(Rows, (u64, [u8; 32])), IndexError> {
        let mut touched: BTreeMap<AccountId, Touched> = BTreeMap::new();
        let mut place = (self.size, self.chain);
        let followed = follower.follow(until, &mut |group| {
            self.group(group, &mut touched)?;
            place = (group.head.first_seq + u64::from(group.head.count), group.chain());
            Ok(())
        });
        followed.map_err(unreadable)?;
        let mut rows = BTreeMap::new();
        for (id, Touched { kept, new }) in &touched {
            rows.insert(key(b'a', &id.0, None), wire::encode(kept));
            for together in new.chunks(ROWS_TOGETHER) {
                rows.insert(key(b's', &id.0, Some(together[0].seq)), wire::encode(&together));
            }
        }
        Ok((rows, place))
    }

    fn group(
        &self,
        group: &Group<'_>,
        touched: &mut BTreeMap<AccountId, Touched>,
    ) -> Result<(), EntryProblem> {
        for (seq, bytes) in (group.head.first_seq..).zip(group.entries()) {
            let entry = Entry::decode(bytes)?;
            let (transfer, effect) = (entry.transfer(), Effect::of(&entry.event));
            for credit in [false, true] {
                let account = if credit { transfer.credit } else { transfer.debit };
                let id = account.id();
                let Touched { kept: (_, totals, count), new } = match touched.entry(id) {
                    Occupied(found) => found.into_mut(),
                    Vacant(place) => {
                        let kept = self.account(id)?.unwrap_or((account, Totals::default(), 0));
                        place.insert(Touched { kept, new: Vec::new() })
                    }
                };
                let changed = match credit {
                    true => effect.on_credit(totals),
                    false => effect.on_debit(totals),
                };
                *totals = changed.ok_or(IndexError::Garbled)?;
                *count += 1;
                new.push(Row::new(seq, &entry, credit, totals));
            }
        }
        Ok(())
    }

    fn account(&self, id: AccountId) -> Result<Option<Kept>, IndexError> {
        self.store.get(&key(b'a', &id.0, None))?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Rows of an account, newest first, and how many there are.
    pub(crate) fn page(
        &self,
        id: AccountId,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<Row>, u64), IndexError> {
        let total = self.account(id)?.map_or(0, |(_, _, rows)| rows);
        let mut skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let (mut page, mut garbled) = (Vec::new(), None);
        self.store.last_first(&key(b's', &id.0, None), &mut |together| {
            let together: Vec<Row> = match decode(together) {
                Ok(together) => together,
                Err(error) => {
                    garbled = Some(error);
                    return false;
                }
            };
            let wanted = limit - page.len();
            page.extend(together.iter().rev().skip(skip).take(wanted).cloned());
            skip = skip.saturating_sub(together.len());
            page.len() < limit
        })?;
        garbled.map_or(Ok((page, total)), Err)
    }

    /// What an account adds up to.
    pub(crate) fn totals(&self, id: AccountId) -> Result<Totals, IndexError> {
        Ok(self.account(id)?.map(|(_, totals, _)| totals).unwrap_or_default())
    }
}

fn key(tree: u8, id: &[u8], seq: Option<u64>) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + id.len() + 8);
    key.push(tree);
    key.extend_from_slice(id);
    key.extend(seq.iter().flat_map(|seq| seq.to_be_bytes()));
    key
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, IndexError> {
    wire::decode(bytes, VALUE_BYTES_MAX).map_err(|_why| IndexError::Garbled)
}

fn unreadable(error: impl std::error::Error) -> IndexError {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    IndexError::Journal(format!("{error}{source}"))
}

#[cfg(test)]
mod tests;
