//! The index: statements and totals in sled, written behind the acknowledgement by a thread
//! that follows the journal.
//!
//! Nothing depends on it but the speed of statements: sled 0.34 issues no fsync, so it may lose
//! or garble what it holds on a power cut, and the journal builds it again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proof::record::Group;
use proof::{Account, Entry};
use protocol::{AccountId, wire};

use crate::behind::{Behind, BehindReader, Derived};
use crate::journal::{EntryProblem, Follower};
use crate::statement::Row;
use crate::totals::{Effect, Totals};

/// Entries written to sled at a time: large enough that its log is not all headers.
const ENTRIES_AT_ONCE: u64 = 2000;
/// The same when it is filled from the beginning: then rows are written in the order of their
/// keys, which sled takes the faster the more there are.
const ENTRIES_AT_ONCE_FROM_NOTHING: u64 = 100_000;
/// Memory sled may use for pages.
const CACHE_BYTES: u64 = 32 << 20;
/// How often sled's lock is asked for, and the pause in between: tasks of a sled that was closed a
/// moment ago may hold it a little longer.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Rows of an account that lie together: sled takes as long for many as for one.
const ROWS_TOGETHER: usize = 64;
/// Bytes of a value: so many of the longest rows fit twice.
const VALUE_BYTES_MAX: usize = 512 * ROWS_TOGETHER;
/// Where the place is: another name for another form of the rows.
const PLACE: &[u8] = b"m2";

/// The thread that keeps the index.
pub(crate) type Index = Behind<Store>;
/// Reads the index.
pub(crate) type IndexReader = BehindReader<Store>;

/// Starts following the journal, of which `durable` entries may be read.
pub(crate) fn start(dir: PathBuf, journal: PathBuf, durable: u64) -> std::io::Result<Index> {
    Behind::start("ledger index", durable, move |durable, stop| {
        Follow::open(&dir, journal, durable, stop)
    })
}

/// Why the index stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// sled failed.
    #[error("sled failed ({0}); rebuild the index")]
    Sled(#[from] sled::Error),
    /// The index holds what it never wrote.
    #[error("the index is garbled; rebuild it")]
    Garbled,
    /// The journal could not be read.
    #[error("the journal could not be followed: {0}")]
    Journal(String),
}

/// The store, and where it reads on.
struct Follow {
    store: Store,
    follower: Follower,
    journal: PathBuf,
}

impl Follow {
    fn open(
        dir: &Path,
        journal: PathBuf,
        durable: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, IndexError> {
        let mut store = Store::open(dir)?;
        let mut follower = store.resume(&journal, durable)?;
        if durable - store.size >= ENTRIES_AT_ONCE_FROM_NOTHING && store.size == 0 {
            store.fill(&mut follower, durable, stop)?;
        }
        Ok(Self { store, follower, journal })
    }
}

impl Derived for Follow {
    type View = Store;
    type Error = IndexError;

    fn size(&self) -> u64 {
        self.store.size
    }

    fn view(&self) -> Store {
        self.store.clone()
    }

    fn take_in(&mut self, until: u64) -> Result<(), IndexError> {
        self.store.take_in(&mut self.follower, until.min(self.store.size + ENTRIES_AT_ONCE))
    }

    fn start_over(&mut self) -> Result<(), IndexError> {
        self.store.clear()?;
        self.follower = Follower::starting_at(&self.journal, 0).map_err(unreadable)?;
        Ok(())
    }

    fn close(&mut self) -> Result<(), IndexError> {
        self.store.tree.flush()?;
        Ok(())
    }
}

/// Builds the whole index anew and returns the number of entries in it.
pub(crate) fn build(dir: &Path, journal: &Path, size: u64) -> Result<u64, IndexError> {
    let mut store = Store::open(dir)?;
    store.clear()?;
    let mut follower = Follower::starting_at(journal, 0).map_err(unreadable)?;
    store.fill(&mut follower, size, &|| false)?;
    store.tree.flush()?;
    Ok(store.size)
}

/// The rows: `a` accounts, `s` of statements by account and first entry, `m2` how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    tree: sled::Db,
    size: u64,
    chain: [u8; 32],
}

type Kept = (Account, Totals, u64);

/// Keys and values, in the order of the keys.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// An account, and its new rows.
struct Touched {
    kept: Kept,
    new: Vec<Row>,
}

impl Store {
    fn open(dir: &Path) -> Result<Self, IndexError> {
        let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES);
        let tree = match open_unlocked(&config) {
            // A kill while sled began its files leaves some that it cannot read: seen in one of
            // some hundred kills. The journal gives all of it again.
            Err(sled::Error::Corruption { .. }) => {
                std::fs::remove_dir_all(dir).map_err(sled::Error::from)?;
                open_unlocked(&config)?
            }
            opened => opened?,
        };
        let (size, chain) = match tree.get(PLACE)? {
            Some(bytes) => decode(&bytes)?,
            None => (0, [0; 32]),
        };
        Ok(Self { tree, size, chain })
    }

    fn clear(&mut self) -> Result<(), IndexError> {
        self.tree.clear()?;
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
        let is_here = read.is_ok() && (end, chain) == (self.size, self.chain);
        // Rows without a place are what filling left that was cut short.
        if is_here || self.size == 0 && self.tree.is_empty() {
            return Ok(follower);
        }
        self.clear()?;
        Follower::starting_at(journal, 0).map_err(unreadable)
    }

    /// Takes in entries in one atomic step with the place they lead to.
    fn take_in(&mut self, follower: &mut Follower, until: u64) -> Result<(), IndexError> {
        let (rows, place) = self.rows(follower, until)?;
        let mut batch = sled::Batch::default();
        rows.into_iter().for_each(|(key, value)| batch.insert(key, value));
        batch.insert(PLACE, wire::encode(&place));
        self.tree.apply_batch(batch)?;
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
            for (key, value) in rows {
                self.tree.insert(key, value)?;
            }
            (self.size, self.chain) = place;
        }
        if self.size == until {
            self.tree.insert(PLACE, wire::encode(&(self.size, self.chain)))?;
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
        self.tree.get(key(b'a', &id.0, None))?.map(|bytes| decode(&bytes)).transpose()
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
        let mut page = Vec::new();
        for together in self.tree.scan_prefix(key(b's', &id.0, None)).values().rev() {
            let together: Vec<Row> = decode(&together?)?;
            let wanted = limit - page.len();
            page.extend(together.iter().rev().skip(skip).take(wanted).cloned());
            skip = skip.saturating_sub(together.len());
            if page.len() == limit {
                break;
            }
        }
        Ok((page, total))
    }

    /// What an account adds up to.
    pub(crate) fn totals(&self, id: AccountId) -> Result<Totals, IndexError> {
        Ok(self.account(id)?.map(|(_, totals, _)| totals).unwrap_or_default())
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
