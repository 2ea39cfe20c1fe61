//! Opening from a snapshot: the same ledger, sooner; and what is noticed of what was not read.

use std::fs;
use std::path::{Path, PathBuf};

use ledger::{
    ApplyError, Audit, Code, JOURNAL_DIR, Ledger, Options, Outcome, Transfer, account, offline,
};
use proof::{Checkpoint, ledger_origin};
use protocol::{NodeId, SigningKey};
use tempfile::TempDir;

use crate::damage::in_full;
use crate::{grant, id, key, micro, open, public, wallet};

fn options() -> Options {
    Options {
        index: false,
        segment_bytes_max: 1500,
        checkpoint_records: 3,
        snapshot_entries: 10,
        ..Options::default()
    }
}

fn lease(number: u64, timeout_ms: u64) -> Transfer {
    let pair = (wallet(1), account::held(NodeId([2; 32])));
    Transfer::pending(id(number), pair, micro(5), Code::Pay, timeout_ms)
}

/// Thirty grants and four leases; closed, with a snapshot at its end.
fn filled() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &Options { snapshot_entries: 34, ..options() });
    for number in 0..30 {
        ledger.apply(&[grant(number, wallet(1), 100)], number).expect("applies");
    }
    let leases = [lease(30, 0), lease(31, 50), lease(32, 0), lease(33, 0)];
    ledger.apply(&leases, 40).expect("applies");
    dir
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join(JOURNAL_DIR)).expect("lists");
    let paths = files.map(|file| file.expect("a file").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    paths.sort();
    paths
}

#[test]
fn a_ledger_goes_on_from_its_snapshot_as_if_nothing_had_been_closed() {
    let dir = filled();
    let mut ledger = open(dir.path(), &options());
    assert_eq!((ledger.opened_at(), ledger.books().size()), (34, 34));
    assert!(*ledger.books() == offline::verify(dir.path(), public(), &[]).expect("holds").books);
    assert_eq!(ledger.wait_for_audit(), Audit::Holds { entries: 34 });

    // Ids hold for ever.
    let again = ledger.apply(&[grant(3, wallet(1), 100)], 41).expect("harmless");
    assert_eq!(again.outcomes, [Outcome::AlreadyApplied { seq: 3 }]);
    let error = ledger.apply(&[grant(3, wallet(1), 101)], 41).expect_err("other content");
    assert!(matches!(error, ApplyError::IdReused { seq: 3, .. }), "{error}");

    // What was open can be ended, and expires.
    ledger.apply(&[Transfer::post(id(40), &lease(30, 0), micro(4))], 42).expect("posts");
    ledger.apply(&[Transfer::void(id(41), &lease(32, 0))], 43).expect("voids");
    assert_eq!(ledger.next_expiry_ms(), Some(90));
    assert_eq!(ledger.expire(90).expect("expires"), [lease(31, 50)]);
    let error = ledger.apply(&[Transfer::void(id(42), &lease(31, 50))], 91);
    assert!(matches!(error, Err(ApplyError::Ended { .. })), "{error:?}");
    assert!(ledger.check().verified);

    // Opened again from there, with entries behind it.
    let books = ledger.books().clone();
    drop(ledger);
    let ledger = open(dir.path(), &options());
    assert!(*ledger.books() == books && ledger.opened_at() == 34);
}

#[test]
fn snapshots_are_made_while_the_ledger_is_used_and_two_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &options());
    let mut number = 0;
    // In the background, so it takes a few more entries or many.
    while files(dir.path(), "snapshot").len() < 2 || ledger.snapshot_status().0 < Some(30) {
        ledger.apply(&[grant(number, wallet(1), 1)], number).expect("applies");
        number += 1;
        assert!(number < 100_000 && ledger.snapshot_status().1.is_none(), "no snapshot");
    }
    assert_eq!(files(dir.path(), "snapshot").len(), 2);
    drop(ledger);
    let verified = offline::verify(dir.path(), public(), &[]).expect("holds");
    assert_eq!((verified.snapshots.len(), verified.contradicted.len()), (2, 0));
    assert!(open(dir.path(), &options()).opened_at() > 0);
}

#[test]
fn a_snapshot_of_another_key_is_passed_over() {
    let (dir, other) = (filled(), tempfile::tempdir().expect("a directory"));
    let key = SigningKey::from_bytes(&[8; 32]);
    let opened = |dir: &Path| Ledger::open(dir, key.clone(), &options()).expect("opens");
    opened(other.path()).apply(&[grant(0, wallet(1), 1)], 1).expect("applies");
    let from = files(dir.path(), "snapshot").pop().expect("one");
    fs::copy(&from, other.path().join(JOURNAL_DIR).join(from.file_name().expect("its name")))
        .expect("copies");
    let ledger = opened(other.path());
    assert_eq!((ledger.opened_at(), ledger.books().size()), (0, 1));
    let why = ledger.passed_over()[0].why.to_string();
    assert!(why.contains("note does not hold"), "{why}");
}

#[test]
fn a_journal_shorter_than_its_snapshot_is_refused() {
    let dir = filled();
    fs::remove_file(dir.path().join(JOURNAL_DIR).join("checkpoint")).expect("removes");
    let last = files(dir.path(), "segment").pop().expect("one");
    let good = fs::read(&last).expect("reads");
    for length in 60..good.len() {
        fs::write(&last, &good[..length]).expect("writes");
        let error = Ledger::open(dir.path(), key(), &options()).expect_err("entries are missing");
        let words = in_full(&error);
        assert!(words.contains("a checkpoint was signed at 34"), "{length}: {words}");
    }
}

#[test]
fn damage_before_the_snapshot_is_found_after_opening() {
    let dir = filled();
    let first = files(dir.path(), "segment").remove(0);
    let good = fs::read(&first).expect("reads");
    let mut bad = good.clone();
    bad[200] ^= 1;
    fs::write(&first, &bad).expect("writes");
    let mut ledger = open(dir.path(), &options());
    assert_eq!((ledger.opened_at(), ledger.books().size()), (34, 34));
    let Audit::Damaged { problem } = ledger.wait_for_audit() else { panic!("not found") };
    assert!(problem.contains("restore this file") && problem.contains(".segment"), "{problem}");
    // The books are right, so it goes on.
    ledger.apply(&[grant(50, wallet(1), 1)], 50).expect("goes on");
    drop(ledger);
    assert!(offline::verify(dir.path(), public(), &[]).is_err());

    // What is missing or cut short needs no reading.
    for left in [None, Some(&good[..good.len() - 1])] {
        match left {
            None => fs::remove_file(&first).expect("removes"),
            Some(bytes) => fs::write(&first, bytes).expect("writes"),
        }
        assert!(Ledger::open(dir.path(), key(), &options()).is_err(), "{left:?}");
    }
    fs::write(&first, good).expect("writes");
    assert_eq!(open(dir.path(), &options()).wait_for_audit(), Audit::Holds { entries: 35 });
}

#[test]
fn a_witness_before_the_snapshot_is_held_to_by_reading_it_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &Options { snapshot_entries: 40, ..options() });
    let mut early = None;
    for number in 0..40 {
        ledger.apply(&[grant(number, wallet(1), 1)], number).expect("applies");
        if number == 19 {
            let (note, origin) = (ledger.checkpoint().expect("signs"), ledger_origin(public()));
            early = Checkpoint::open(&note, &origin, Some(public())).ok();
        }
    }
    drop(ledger);
    assert_eq!(open(dir.path(), &options()).opened_at(), 40);
    let early = early.expect("a checkpoint");
    let with = |witnessed| Options { witnessed: vec![witnessed], ..options() };
    let ledger = open(dir.path(), &with(early.clone()));
    assert_eq!((ledger.opened_at(), ledger.books().size()), (0, 40));
    let why = ledger.passed_over()[0].why.to_string();
    assert!(why.contains("at 20 that somebody else keeps"), "{why}");
    drop(ledger);
    let forged = Checkpoint { root: [1; 32], ..early };
    assert!(Ledger::open(dir.path(), key(), &with(forged)).is_err());
}
