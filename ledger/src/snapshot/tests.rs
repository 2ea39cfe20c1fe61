//! Snapshots that a defect or the key's holder signed, though they are wrong.

use proptest::prelude::*;
use protocol::sign::public_key;
use protocol::{NodeId, PublicKey, Tokens};
use tempfile::TempDir;

use super::*;
use crate::journal::SystemDisk;
use crate::{
    ApplyError, Audit, Books, Code, JOURNAL_DIR, Ledger, Options, Transfer, account, offline,
};
use proof::{ledger_origin, transfer_id};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn options() -> Options {
    Options { index: false, snapshot_entries: 0, segment_bytes_max: 1200, ..Options::default() }
}

fn grant(number: u64, amount: u128) -> Transfer {
    let id = transfer_id("snapshot", &[&number.to_le_bytes()]);
    let pair = (account::issuance(), account::wallet(PublicKey([1; 32])));
    Transfer::posted(id, pair, Tokens::from_micro(amount), Code::Grant)
}

fn lease(number: u64) -> Transfer {
    let id = transfer_id("snapshot", &[&number.to_le_bytes()]);
    let pair = (account::wallet(PublicKey([1; 32])), account::held(NodeId([2; 32])));
    Transfer::pending(id, pair, Tokens::from_micro(1), Code::Pay, 1000 * (number % 2))
}

/// A closed ledger of twenty grants of `amount` and ten leases, and where it stands.
fn ledger(amount: u128) -> (TempDir, Place, Books) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = Ledger::open(dir.path(), key(), &options()).expect("opens");
    for number in 0..20 {
        ledger.apply(&[grant(number, amount)], number).expect("applies");
    }
    let leases: Vec<Transfer> = (20..30).map(lease).collect();
    ledger.apply(&leases, 30).expect("applies");
    let (place, books) = (ledger.place(), ledger.books().clone());
    drop(ledger);
    (dir, place, books)
}

fn write(dir: &TempDir, place: &Place, books: &Books) {
    let origin = ledger_origin(public_key(&key()));
    let journal = dir.path().join(JOURNAL_DIR);
    store(&mut SystemDisk, &journal, (place, books), (&origin, &key()), None).expect("writes");
}

#[test]
fn a_signed_snapshot_of_other_books_is_found_and_stops_the_ledger() {
    let (dir, place, books) = ledger(100);
    let (_other_dir, _, other) = ledger(200);
    write(&dir, &place, &other);
    let mut ledger = Ledger::open(dir.path(), key(), &options()).expect("opens");
    assert_eq!(ledger.opened_at(), 30);
    assert!(matches!(ledger.wait_for_audit(), Audit::Contradicted { .. }), "{:?}", ledger.audit());
    let error = ledger.apply(&[grant(50, 1)], 50).expect_err("takes no more");
    assert!(matches!(error, ApplyError::Contradicted(_)), "{error}");
    drop(ledger);
    let public = public_key(&key());
    assert_eq!(
        offline::verify(dir.path(), public, &[]).expect("the journal holds").contradicted,
        [30]
    );
    let check = offline::check(dir.path(), public, &[]);
    assert!(!check.verified && check.problem.is_some_and(|problem| problem.contains("snapshot")));
    // Rebuilding goes back to the truth.
    offline::rebuild(dir.path(), public).expect("rebuilds");
    let ledger = Ledger::open(dir.path(), key(), &options()).expect("opens");
    assert!(*ledger.books() == books && ledger.opened_at() == 0);
}

#[test]
fn a_good_snapshot_holds() {
    let (dir, place, books) = ledger(100);
    write(&dir, &place, &books);
    let mut ledger = Ledger::open(dir.path(), key(), &options()).expect("opens");
    assert!(ledger.opened_at() == 30 && *ledger.books() == books);
    assert_eq!(ledger.wait_for_audit(), Audit::Holds { entries: 30 });
    let verified = offline::verify(dir.path(), public_key(&key()), &[]).expect("holds");
    assert_eq!((verified.snapshots, verified.unusable.len()), (vec![30], 0));
}

#[test]
fn a_place_that_the_journal_does_not_go_through_is_passed_over() {
    let (dir, place, books) = ledger(100);
    // The same entries in other records: the tree agrees, the chain does not.
    write(&dir, &Place { chain: [9; 32], ..place }, &books);
    let ledger = Ledger::open(dir.path(), key(), &options()).expect("opens");
    assert!(ledger.opened_at() == 0 && *ledger.books() == books);
    let why = ledger.passed_over()[0].why.to_string();
    assert!(why.contains("from its place on"), "{why}");
}

#[test]
fn a_snapshot_of_another_history_is_refused_as_a_checkpoint_would_be() {
    let (dir, _, books) = ledger(100);
    let (_other_dir, place, other) = ledger(200);
    write(&dir, &place, &other);
    let error = Ledger::open(dir.path(), key(), &options()).expect_err("two histories");
    let words = offline::in_full(&error);
    assert!(words.contains("the first 30 entries are not the ones"), "{words}");
    assert_eq!(books.size(), 30);
}

#[test]
fn an_image_with_any_byte_altered_never_panics() {
    let (_dir, _, books) = ledger(100);
    let mut image = Vec::new();
    books.write_image(&mut image);
    assert!(Books::from_image(&(), 31, &image).is_err(), "of another place");
    for at in 0..image.len() {
        for flip in [1, 0x80, 0xff] {
            let mut altered = image.clone();
            altered[at] ^= flip;
            if let Ok(found) = Books::from_image(&(), 30, &altered) {
                let mut again = Vec::new();
                found.write_image(&mut again);
                assert!(again == altered, "byte {at}: two images of the same books");
            }
        }
        assert!(Books::from_image(&(), 30, &image[..at]).is_err(), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn hostile_bytes_are_no_snapshot(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let origin = ledger_origin(public_key(&key()));
        let public = public_key(&key());
        prop_assert!(parse(&bytes, &origin, public).is_err());
        let framed = [MAGIC, &(bytes.len() as u32).to_le_bytes()[..], &bytes].concat();
        prop_assert!(parse(&framed, &origin, public).is_err());
        prop_assert!(Books::from_image(&(), 0, &bytes).is_err());
    }
}
