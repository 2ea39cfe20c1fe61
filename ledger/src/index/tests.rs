//! One suite over sled and redb: what holds over both is ours, not the store's.

use std::fs;
use std::time::{Duration, Instant};

use proof::{Code, Transfer, account, entry::transfer_id};
use protocol::sign::public_key;
use protocol::{JobId, NodeId, PublicKey, SigningKey, Tokens};
use tempfile::TempDir;

use super::redb::Redb;
use super::sled::Sled;
use super::*;
use crate::ledger::{INDEX_DIR, JOURNAL_DIR, Ledger, Options};
use crate::offline;

/// Entries of a run by hand that says how long each store takes.
const ENTRIES: &str = "TESSERA_TEST_LEDGER_STORES";
const WAIT: Duration = Duration::from_secs(300);

macro_rules! over_both {
    ($($name:ident),* $(,)?) => {
        mod sled_suite {
            $(#[test] fn $name() { super::$name::<super::Sled>(); })*
        }
        mod redb_suite {
            $(#[test] fn $name() { super::$name::<super::Redb>(); })*
        }
    };
}

over_both!(
    a_store_keeps_its_promises,
    statements_agree_with_the_journal,
    a_lost_index_is_built_again,
    an_index_of_another_journal_is_not_believed,
    an_index_that_was_filled_in_part_starts_over,
    a_garbled_index_is_nothing_but_lost,
    an_index_found_wrong_is_made_anew,
    how_long_a_store_takes,
);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn wallet(number: u8) -> Account {
    account::wallet(PublicKey([number; 32]))
}

/// Grants, orders, leases and what becomes of them, of a few people.
fn batch(number: u64, amount: u128) -> Vec<Transfer> {
    let id = |what: &str| transfer_id(what, &[&number.to_le_bytes()]);
    let owner = wallet((number / 4 % 5) as u8);
    let escrow = account::escrow(JobId([(number / 4 % 3) as u8; 16]));
    let held = account::held(NodeId([1; 32]));
    let micro = Tokens::from_micro;
    let grant = (account::issuance(), owner);
    let lease = Transfer::pending(id("lease"), (escrow, held), micro(30), Code::Pay, 0);
    vec![
        Transfer::posted(id("grant"), grant, micro(amount), Code::Grant),
        Transfer::posted(id("order"), (owner, escrow), micro(60), Code::Escrow),
        lease.clone(),
        match number / 4 % 2 {
            0 => Transfer::post(id("pay"), &lease, micro(20)),
            _ => Transfer::void(id("void"), &lease),
        },
    ]
}

/// A ledger with an index beside it on a store of the test's choice.
struct Indexed<S: Store> {
    ledger: Ledger,
    index: Behind<Index<S>>,
    root: PathBuf,
}

impl<S: Store> Indexed<S> {
    fn open(root: &Path) -> Self {
        let options = Options {
            index: false,
            segment_bytes_max: 9000,
            checkpoint_records: 3,
            ..Options::default()
        };
        let ledger = Ledger::open(root, key(), &options).expect("opens");
        let size = ledger.books().size();
        let index = start(root.join(INDEX_DIR), root.join(JOURNAL_DIR), size).expect("a thread");
        Self { ledger, index, root: root.to_owned() }
    }

    fn grow(&mut self, batches: u64, amount: u128) {
        for _ in 0..batches {
            let number = self.ledger.books().size();
            self.ledger.apply(&batch(number, amount), number).expect("applies");
            self.index.advance(self.ledger.books().size());
        }
    }

    fn view(&self) -> Index<S> {
        let size = self.ledger.books().size();
        let view = self.index.reader().wait_for(size, WAIT);
        view.unwrap_or_else(|| panic!("{:?}", self.index.progress()))
    }

    /// The index says what the journal says, and what the books say.
    fn compare(&self) {
        let (view, books) = (self.view(), self.ledger.books());
        for (id, account, totals) in books.accounts() {
            assert_eq!(view.totals(id).expect("reads"), totals, "{account}");
        }
        for account in [wallet(1), account::escrow(JobId([1; 16])), account::issuance()] {
            let (id, key) = (account.id(), public_key(&key()));
            let all = offline::statement(&self.root, key, id, 0, None).expect("reads");
            assert!(all.1 > 3, "{account} has rows");
            assert_eq!(view.page(id, 0, usize::MAX).expect("reads"), all, "{account}");
            let (rows, total) = view.page(id, 1, 2).expect("reads");
            assert_eq!((&rows[..], total), (&all.0[1..3], all.1), "{account}");
            assert_eq!(view.page(id, total, 10).expect("reads"), (vec![], total));
        }
        assert_eq!(view.page(wallet(9).id(), 0, 10).expect("reads"), (vec![], 0));
    }
}

fn filled<S: Store>(batches: u64) -> (TempDir, Indexed<S>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut indexed = Indexed::open(dir.path());
    indexed.grow(batches, 100);
    (dir, indexed)
}

fn a_store_keeps_its_promises<S: Store>() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = S::open(dir.path()).expect("opens");
    assert!(store.is_empty().expect("reads"));
    let rows = |list: &[(&[u8], &[u8])]| -> Rows {
        list.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    };
    store
        .write(rows(&[(b"a\x01", b"1"), (b"b", b"other"), (b"a\xff", b"3"), (b"a\x02", b"2")]))
        .expect("writes");
    store.fill(rows(&[(b"\xff\xff", b"end"), (b"a\x02", b"two")])).expect("writes");
    let last_first = |store: &S, prefix: &[u8], most: usize| {
        let mut found = Vec::new();
        let visited = store.last_first(prefix, &mut |value| {
            found.push(String::from_utf8(value.to_vec()).expect("text"));
            found.len() < most
        });
        visited.expect("reads");
        found
    };
    let check = |store: &S| {
        assert_eq!(store.get(b"b").expect("reads").as_deref(), Some(&b"other"[..]));
        assert_eq!(store.get(b"a").expect("reads"), None);
        assert_eq!(last_first(store, b"a", 9), ["3", "two", "1"]);
        assert_eq!(last_first(store, b"a", 2), ["3", "two"]);
        assert_eq!(last_first(store, b"\xff", 9), ["end"]);
        assert!(last_first(store, b"c", 9).is_empty());
        assert!(!store.is_empty().expect("reads"));
    };
    // A clone sees the same.
    check(&store.clone());
    store.flush().expect("flushes");
    drop(store);
    let store = S::open(dir.path()).expect("opens");
    check(&store);
    store.clear().expect("clears");
    assert!(store.is_empty().expect("reads") && store.get(b"b").expect("reads").is_none());
}

fn statements_agree_with_the_journal<S: Store>() {
    let (dir, indexed) = filled::<S>(30);
    indexed.compare();
    drop(indexed);
    let mut again = Indexed::<S>::open(dir.path());
    again.compare();
    again.grow(10, 100);
    again.compare();
}

fn a_lost_index_is_built_again<S: Store>() {
    let (dir, indexed) = filled::<S>(20);
    indexed.compare();
    drop(indexed);
    let index = dir.path().join(INDEX_DIR);
    fs::remove_dir_all(&index).expect("removes");
    let indexed = Indexed::<S>::open(dir.path());
    indexed.compare();
    let size = indexed.ledger.books().size();
    drop(indexed);
    fs::remove_dir_all(&index).expect("removes");
    assert_eq!(build::<S>(&index, &dir.path().join(JOURNAL_DIR), size).expect("builds"), size);
    Indexed::<S>::open(dir.path()).compare();
}

fn an_index_of_another_journal_is_not_believed<S: Store>() {
    let (one, indexed) = filled::<S>(20);
    indexed.compare();
    drop(indexed);
    // As many entries in as many records, of other amounts: only the chain tells them apart.
    let other = tempfile::tempdir().expect("a directory");
    let mut indexed = Indexed::<S>::open(other.path());
    indexed.grow(20, 101);
    drop(indexed);
    let [from, to] = [&one, &other].map(|dir| dir.path().join(INDEX_DIR));
    fs::remove_dir_all(&to).expect("removes");
    fs::rename(from, to).expect("moves");
    Indexed::<S>::open(other.path()).compare();
}

fn an_index_that_was_filled_in_part_starts_over<S: Store>() {
    let (dir, indexed) = filled::<S>(20);
    drop(indexed);
    let (index, journal) = (dir.path().join(INDEX_DIR), dir.path().join(JOURNAL_DIR));
    fs::remove_dir_all(&index).expect("removes");
    let mut part = Index::<S>::open(&index).expect("opens");
    let mut follower = Follower::starting_at(&journal, 0).expect("lists");
    let (mut rows, _place) = part.rows(&mut follower, 40).expect("reads");
    // What a kill leaves: rows, some of them, and no place.
    rows.pop_first();
    part.store.fill(rows).expect("writes");
    part.store.flush().expect("flushes");
    part.size = 0;
    drop(part);
    Indexed::<S>::open(dir.path()).compare();
}

fn a_garbled_index_is_nothing_but_lost<S: Store>() {
    let (dir, indexed) = filled::<S>(20);
    indexed.compare();
    drop(indexed);
    let index = dir.path().join(INDEX_DIR);
    for file in fs::read_dir(&index).expect("lists") {
        let path = file.expect("a file").path();
        if path.is_file() {
            let size = fs::metadata(&path).expect("its size").len() as usize;
            fs::write(&path, vec![0x5a; size]).expect("garbles");
        }
    }
    let indexed = Indexed::<S>::open(dir.path());
    let size = indexed.ledger.books().size();
    // Begun anew, or stopped with a reason: never other rows.
    match indexed.index.reader().wait_for(size, WAIT) {
        Some(_view) => indexed.compare(),
        None => assert!(indexed.index.progress().problem.is_some()),
    }
    drop(indexed);
    fs::remove_dir_all(&index).expect("removes");
    Indexed::<S>::open(dir.path()).compare();
}

fn an_index_found_wrong_is_made_anew<S: Store>() {
    let (_dir, mut indexed) = filled::<S>(20);
    let view = indexed.view();
    let place = view.store.get(PLACE).expect("reads");
    indexed.index.reader().start_over();
    indexed.compare();
    assert_eq!(indexed.view().store.get(PLACE).expect("reads"), place);
    indexed.grow(5, 100);
    indexed.compare();
}

/// By hand with as many entries as one likes; in CI with so few that it says nothing of speed.
fn how_long_a_store_takes<S: Store>() {
    let entries = std::env::var(ENTRIES).map_or(400, |text| text.parse().expect("a number"));
    let root = tempfile::tempdir().expect("a directory");
    let options = Options { index: false, ..Options::default() };
    let mut ledger = Ledger::open(root.path(), key(), &options).expect("opens");
    while ledger.books().size() < entries {
        let from = ledger.books().size();
        let batch: Vec<Transfer> = (0..25).flat_map(|at| batch(from + 4 * at, 100)).collect();
        ledger.apply(&batch, from).expect("applies");
    }
    let (size, name) = (ledger.books().size(), std::any::type_name::<S>());
    let (index, journal) = (root.path().join(INDEX_DIR), root.path().join(JOURNAL_DIR));
    let timed = |what: &str, since: Instant| {
        println!("{name}: {what} {:.3} s", since.elapsed().as_secs_f64());
    };
    let start_at = Instant::now();
    build::<S>(&index, &journal, size).expect("builds");
    timed("fills an index in", start_at);
    let mib = |dir: &Path| -> u64 {
        let files = fs::read_dir(dir).expect("lists").map(|file| file.expect("a file"));
        files.map(|file| file.metadata().expect("its size").len()).sum::<u64>() >> 20
    };
    println!("{name}: {} MiB", mib(&index));
    let start_at = Instant::now();
    let behind: Behind<Index<S>> = start(index.clone(), journal.clone(), size).expect("a thread");
    behind.reader().wait_for(size, WAIT).expect("opens");
    timed("opens what was closed in", start_at);
    // Follows as it goes, and is left as a kill leaves it.
    let more = size + entries / 10;
    let start_at = Instant::now();
    while ledger.books().size() < more {
        let from = ledger.books().size();
        let batch: Vec<Transfer> = (0..25).flat_map(|at| batch(from + 4 * at, 100)).collect();
        ledger.apply(&batch, from).expect("applies");
        behind.advance(ledger.books().size());
    }
    let size = ledger.books().size();
    behind.reader().wait_for(size, WAIT).expect("follows");
    timed("follows a tenth more in", start_at);
    let killed = root.path().join("killed");
    fs::create_dir(&killed).expect("makes");
    for file in fs::read_dir(&index).expect("lists") {
        let path = file.expect("a file").path();
        if path.is_file() {
            fs::copy(&path, killed.join(path.file_name().expect("a name"))).expect("copies");
        }
    }
    drop(behind);
    let start_at = Instant::now();
    let behind: Behind<Index<S>> = start(killed, journal, size).expect("a thread");
    behind.reader().wait_for(size, WAIT).expect("opens");
    timed("opens what a kill leaves in", start_at);
}
