//! The commands that need no scheduler, on good ledgers and bad ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use ledger::offline::Format;
use ledger::{JOURNAL_DIR, Options, account, offline};
use proof::{Checkpoint, Entry, Event, ledger_origin};
use protocol::{PublicKey, Tokens};
use tempfile::TempDir;

use crate::kill::batch;
use crate::{escrow, grant, id, open, public, small, wallet};

fn filled() -> (TempDir, u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &Options { index: false, snapshot_entries: 0, ..small() });
    for _ in 0..30 {
        let size = ledger.head().size;
        ledger.apply(&batch(size), size).expect("applies");
    }
    let size = ledger.head().size;
    (dir, size)
}

fn last_segment(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir.join(JOURNAL_DIR)).expect("lists");
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "segment")).max().expect("one")
}

#[test]
fn a_good_ledger_verifies() {
    let (dir, size) = filled();
    let verified = offline::verify(dir.path(), public(), &[]).expect("verifies");
    assert_eq!((verified.head.size, verified.cut), (size, None));
    assert_eq!(offline::claimed_key(dir.path()), Some(public()));
    let check = offline::check(dir.path(), public(), &[]);
    assert!(check.verified && check.sum_is_zero && check.problem.is_none(), "{check:?}");
    assert_eq!((check.entries, check.head), (size, verified.head.chain));
}

#[test]
fn a_ledger_says_whose_it_is_before_it_was_ever_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &Options { index: false, snapshot_entries: 0, ..small() });
    assert_eq!(offline::claimed_key(dir.path()), Some(public()));
    ledger.apply(&batch(0), 0).expect("applies");
    let check = offline::check(dir.path(), public(), &[]);
    assert!(check.verified && check.problem.is_none(), "{check:?}");
}

#[test]
fn another_key_or_a_damaged_byte_is_named() {
    let (dir, _) = filled();
    let other = offline::check(dir.path(), PublicKey([0; 32]), &[]);
    assert!(!other.verified && other.problem.is_some(), "{other:?}");
    let path = last_segment(dir.path());
    let mut bytes = fs::read(&path).expect("reads");
    bytes[100] ^= 4;
    fs::write(&path, bytes).expect("writes");
    let check = offline::check(dir.path(), public(), &[]);
    let problem = check.problem.expect("a problem");
    assert!(!check.verified && problem.contains("damaged"), "{problem}");
    assert!(problem.contains("backup") && problem.contains("segment"), "{problem}");
}

#[test]
fn a_witness_notices_a_lost_tail() {
    let (dir, size) = filled();
    let note = fs::read_to_string(dir.path().join(JOURNAL_DIR).join("checkpoint")).expect("one");
    let origin = ledger_origin(public());
    let witnessed = Checkpoint::open(&note, &origin, Some(public())).expect("signed");
    assert_eq!(witnessed.size, size);
    // The operator loses the last segment and the checkpoint that would have told.
    fs::remove_file(last_segment(dir.path())).expect("removes");
    fs::remove_file(dir.path().join(JOURNAL_DIR).join("checkpoint")).expect("removes");
    assert!(offline::verify(dir.path(), public(), &[]).is_ok(), "nothing left here could tell");
    let error = offline::verify(dir.path(), public(), from_ref(&witnessed));
    assert!(error.is_err(), "a witness can");
    let options = Options { witnessed: vec![witnessed], ..small() };
    assert!(ledger::Ledger::open(dir.path(), crate::key(), &options).is_err());
}

#[test]
fn balances_say_what_accounts_are() {
    let (dir, _) = filled();
    let balances = offline::balances(dir.path(), public()).expect("reads");
    let words: Vec<String> = balances.iter().map(|row| row.account.to_string()).collect();
    assert_eq!(words.len(), 3);
    assert!(words[0].starts_with("wallet of key_01"), "{words:?}");
    assert!(words[1].starts_with("escrow of job_01") && words[2] == "issuance", "{words:?}");
    assert_eq!(balances.iter().map(|row| row.balance.posted).sum::<i128>(), 0);
    let (rows, total) =
        offline::statement(dir.path(), public(), escrow(1).id(), 0, None).expect("reads");
    assert_eq!(rows.len() as u64, total);
    let text = rows[rows.len() - 1].to_string();
    assert!(text.contains("+0.000050 pay (set aside) from wallet of key_0101"), "{text}");
}

fn exported(dir: &Path, format: Format) -> String {
    let mut bytes = Vec::new();
    offline::export(dir, public(), format, &mut bytes).expect("exports");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn an_export_is_one_line_of_json_an_entry() {
    let (dir, size) = filled();
    let text = exported(dir.path(), Format::Jsonl);
    assert_eq!(text.lines().count() as u64, size);
    let first = text.lines().next().expect("one");
    assert!(first.starts_with("{\"code\":\"grant\",\"credit\":\"wallet of key_01"), "{first}");
    assert!(first.ends_with(&format!("\"time_ms\":0,\"transfer\":\"{}\"}}", id(0))), "{first}");
    let mut full = &mut [0_u8; 10][..];
    let error =
        offline::export(dir.path(), public(), Format::Jsonl, &mut full).expect_err("no room");
    assert!(matches!(error, offline::ExportError::Write(_)), "{error}");
}

#[test]
fn a_csv_export_has_a_row_an_entry_and_adds_up_to_the_balances() {
    let (dir, size) = filled();
    let text = exported(dir.path(), Format::Csv);
    assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains('\n'));
    let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split(',').collect()).collect();
    let column = |name| rows[0].iter().position(|it| *it == name).expect("a column");
    assert!(rows.len() as u64 == size + 1 && rows.iter().all(|row| row.len() == rows[0].len()));
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for row in &rows[1..] {
        let moved: Tokens = row[column("moved")].parse().expect("an amount");
        *sums.entry(row[column("credit")]).or_default() += moved.micro() as i128;
        *sums.entry(row[column("debit")]).or_default() -= moved.micro() as i128;
    }
    for row in offline::balances(dir.path(), public()).expect("reads") {
        assert_eq!(sums[&*row.account.to_string()], row.balance.posted, "{}", row.account);
    }
    assert!(rows[1][column("time")] == "1970-01-01T00:00:00.000Z", "{:?}", rows[1]);
}

#[test]
fn a_beancount_export_moves_what_was_moved_and_asserts_every_balance() {
    let (dir, _) = filled();
    let text = exported(dir.path(), Format::Beancount);
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    let micro = |text: &str| -> i128 {
        let tokens: Tokens = text.trim_start_matches('-').parse().expect("an amount");
        tokens.micro() as i128 * if text.starts_with('-') { -1 } else { 1 }
    };
    let mut asserted = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [account, amount, "TES"] if line.starts_with("  ") => {
                *sums.entry(account).or_default() += micro(amount);
            }
            [_date, "balance", account, amount, "~", "0", "TES"] => {
                assert_eq!(sums.get(account).copied().unwrap_or(0), micro(amount), "{account}");
                asserted += 1;
            }
            _ => {}
        }
    }
    assert_eq!(asserted, offline::balances(dir.path(), public()).expect("reads").len());
    assert!(text.contains("; 1970-01-01 entry ") && text.contains("set aside of 0.0000"));
}

#[test]
fn a_journal_that_breaks_the_rules_is_refused_though_it_is_signed() {
    // The operator's own key signs tokens out of nothing: bytes, chain and signature hold.
    let dir = tempfile::tempdir().expect("a directory");
    let options = ledger::journal::Options::new(ledger_origin(public())).signed_by(crate::key());
    let path = dir.path().join(JOURNAL_DIR);
    let (mut journal, _) = ledger::journal::Journal::open(&path, options).expect("opens");
    let stolen = ledger::Transfer {
        debit: wallet(1),
        credit: account::treasury(),
        ..grant(1, wallet(2), 1_000_000)
    };
    let entry = Entry { time_ms: 5, event: Event::Transfer(stolen) };
    journal.append_sync(&[entry.encode()]).expect("writes");
    drop(journal);
    let problem = offline::check(dir.path(), public(), &[]).problem.expect("a problem");
    assert!(problem.contains("entry 0") && problem.contains("0.000000 available"), "{problem}");
    assert!(ledger::Ledger::open(dir.path(), crate::key(), &small()).is_err());
}
