//! The index says what the journal says, however it is lost.

use std::fs;

use ledger::{INDEX_DIR, JOURNAL_DIR, Ledger, Options, account};

use crate::kill::batch;
use crate::{escrow, key, open, public, small, wallet};

fn fill(ledger: &mut Ledger, batches: u64) {
    for _ in 0..batches {
        let size = ledger.head().size;
        ledger.apply(&batch(size), size).expect("applies");
        ledger.expire(size + 2).expect("expires");
    }
}

/// Statements of three accounts, from the index and from the journal, agree; and the rows add up.
fn compare(ledger: &Ledger, dir: &std::path::Path) {
    for account in [wallet(1), escrow(1), account::issuance()] {
        let (rows, total) = ledger.rows(account.id(), 0, 500).expect("reads");
        let offline = ledger::offline::statement(dir, public(), account.id(), 0, Some(500));
        assert_eq!(offline.expect("reads"), (rows.clone(), total), "{account}");
        assert_eq!(rows[0].balance, ledger.balance(account).posted);
        let second = ledger.statement(account, 1, 2).expect("reads").rows;
        assert_eq!(second, rows[1..3].iter().map(ledger::Row::view).collect::<Vec<_>>());
    }
    assert_eq!(ledger.rows(wallet(9).id(), 0, 10).expect("reads"), (vec![], 0));
}

#[test]
fn statements_agree_with_the_journal() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &small());
    fill(&mut ledger, 30);
    assert_eq!(ledger.check_index(), Some(true));
    compare(&ledger, dir.path());
    drop(ledger);
    let without = open(dir.path(), &Options { index: false, ..small() });
    compare(&without, dir.path());
    drop(without);
    let mut again = open(dir.path(), &small());
    fill(&mut again, 10);
    assert_eq!(again.check_index(), Some(true));
    compare(&again, dir.path());
}

#[test]
fn a_lost_index_is_built_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &small());
    fill(&mut ledger, 20);
    assert_eq!(ledger.check_index(), Some(true));
    drop(ledger);
    fs::remove_dir_all(dir.path().join(INDEX_DIR)).expect("removes");
    assert_eq!(open(dir.path(), &small()).check_index(), Some(true));
    let entries = ledger::offline::rebuild(dir.path(), public()).expect("rebuilds");
    assert_eq!(entries, open(dir.path(), &small()).head().size);
}

#[test]
fn a_garbled_index_costs_speed_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &small());
    fill(&mut ledger, 20);
    assert_eq!(ledger.check_index(), Some(true));
    drop(ledger);
    let path = dir.path().join(INDEX_DIR).join("db");
    let size = fs::metadata(&path).expect("sled's file").len() as usize;
    fs::write(&path, vec![0x5a; size]).expect("garbles");
    let ledger = open(dir.path(), &small());
    compare(&ledger, dir.path());
    assert!(ledger.check().verified);
    drop(ledger);
    ledger::offline::rebuild(dir.path(), public()).expect("rebuilds");
    let ledger = open(dir.path(), &small());
    assert_eq!(ledger.check_index(), Some(true), "{:?}", ledger.index_status());
}

#[test]
fn an_index_that_another_still_closes_is_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &small());
    fill(&mut ledger, 20);
    assert_eq!(ledger.check_index(), Some(true));
    drop(ledger);
    let held = sled::open(dir.path().join(INDEX_DIR)).expect("opens");
    let ledger = open(dir.path(), &small());
    drop(held);
    assert_eq!(ledger.check_index(), Some(true), "{:?}", ledger.index_status());
}

#[test]
fn rebuilding_needs_the_ledger_to_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::open(dir.path(), key(), &small()).expect("opens");
    let error = ledger::offline::rebuild(dir.path(), public()).expect_err("in use");
    assert!(matches!(error, ledger::offline::RebuildError::Journal(_)), "{error}");
    drop(ledger);
    assert!(dir.path().join(JOURNAL_DIR).is_dir());
}
