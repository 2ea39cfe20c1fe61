//! A journal on several machines: what is in the shared log counts.

use std::sync::{Arc, Mutex};

use ledger::journal::{AppendError, EntryProblem, Journal, Options, ShareError, SharedLog};
use ledger::{Code, Ledger, Transfer, account, transfer_id};
use proof::ledger_origin;
use protocol::sign::public_key;
use protocol::{SigningKey, Tokens};
use tempfile::TempDir;

/// A record and the number of its first entry.
type Record = (u64, Vec<u8>);

/// A log in memory, which takes no more from a writer that was sent away.
#[derive(Debug, Clone, Default)]
struct MemoryLog {
    records: Arc<Mutex<Vec<Record>>>,
    is_away: Arc<Mutex<bool>>,
}

impl SharedLog for MemoryLog {
    fn last(&mut self) -> Result<Option<Vec<u8>>, EntryProblem> {
        Ok(self.records.lock().expect("whole").last().map(|(_, record)| record.clone()))
    }

    fn read(
        &mut self,
        first_seq: u64,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), EntryProblem>,
    ) -> Result<(), EntryProblem> {
        let records = self.records.lock().expect("whole").clone();
        records.iter().filter(|(seq, _)| *seq >= first_seq).try_for_each(|(_, it)| visit(it))
    }

    fn append(&mut self, first_seq: u64, record: &[u8]) -> Result<(), EntryProblem> {
        if *self.is_away.lock().expect("whole") {
            return Err("somebody else writes it".into());
        }
        let mut records = self.records.lock().expect("whole");
        if records.last().is_some_and(|(seq, _)| *seq >= first_seq) {
            return Err("there is one already".into());
        }
        records.push((first_seq, record.to_vec()));
        Ok(())
    }
}

/// Small segments, so that several are filled.
fn options() -> Options {
    let key = SigningKey::from_bytes(&[3; 32]);
    Options { segment_bytes_max: 900, ..Options::new("test") }.signed_by(key)
}

fn open(dir: &TempDir) -> (Journal, Vec<Vec<u8>>) {
    let (journal, replay) = Journal::open(dir.path(), options()).expect("opens");
    (journal, replay.map(|(_, entry)| entry).collect())
}

fn write(journal: &mut Journal, count: u64) {
    for _ in 0..count {
        let entry = format!("entry {}", journal.next_seq()).into_bytes();
        journal.append_sync(&[entry, b"and another".to_vec()]).expect("appends");
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn others_have_what_one_has_written_before_and_after_it_was_shared() {
    let (one, two, mut log) = (folder(), folder(), MemoryLog::default());
    let (mut writer, _) = open(&one);
    write(&mut writer, 20);
    writer.share(Box::new(log.clone())).expect("shares what it has");
    let (mut other, _) = open(&two);
    assert_eq!(other.catch_up(&mut log).expect("catches up"), 40);
    write(&mut writer, 5);
    assert_eq!(other.catch_up(&mut log).expect("catches up"), 10);
    assert_eq!(other.catch_up(&mut log).expect("nothing is new"), 0);
    assert_eq!(other.head(), writer.head());
    drop((writer, other));
    // Both are journals like any other: verified from their first byte.
    let ((_, mine), (_, theirs)) = (open(&one), open(&two));
    assert_eq!((mine.len(), &mine), (50, &theirs));
}

#[test]
fn who_was_sent_away_writes_nothing_more_and_another_goes_on() {
    let (one, two, mut log) = (folder(), folder(), MemoryLog::default());
    let (mut first, _) = open(&one);
    first.share(Box::new(log.clone())).expect("shares");
    write(&mut first, 3);
    *log.is_away.lock().expect("whole") = true;
    first.append(b"too late").expect("is in line");
    assert!(matches!(first.sync(), Err(AppendError::Shared(_))));
    assert!(matches!(first.append(b"more"), Err(AppendError::Closed { .. })));
    drop(first);

    *log.is_away.lock().expect("whole") = false;
    let (mut second, _) = open(&two);
    second.catch_up(&mut log).expect("catches up");
    second.share(Box::new(log.clone())).expect("shares");
    write(&mut second, 2);
    // The first comes back as one of the others.
    let (mut first, entries) = open(&one);
    assert_eq!(entries.len(), 6, "what was refused is not on its disk");
    assert!(matches!(
        first.share(Box::new(log.clone())),
        Err(ShareError::Behind { log: 10, disk: 6 })
    ));
    assert_eq!(first.catch_up(&mut log).expect("catches up"), 4);
    assert_eq!(first.head(), second.head());
}

#[test]
fn what_reached_the_log_alone_comes_back_from_it() {
    let (one, mut log) = (folder(), MemoryLog::default());
    let (mut writer, _) = open(&one);
    writer.share(Box::new(log.clone())).expect("shares");
    write(&mut writer, 4);
    let head = writer.head();
    drop(writer);
    // A crash between the log and the disk: the last record never came.
    let copy = folder();
    let (mut behind, _) = open(&copy);
    let last = log.records.lock().expect("whole").pop().expect("one");
    behind.catch_up(&mut log).expect("catches up");
    drop(behind);
    log.records.lock().expect("whole").push(last);
    let (mut behind, entries) = open(&copy);
    assert_eq!(entries.len(), 6);
    assert_eq!(behind.catch_up(&mut log).expect("catches up"), 2);
    assert_eq!(behind.head(), head);
}

#[test]
fn a_journal_of_its_own_is_not_mixed_with_the_log() {
    let (one, two, mut log) = (folder(), folder(), MemoryLog::default());
    let (mut writer, _) = open(&one);
    writer.share(Box::new(log.clone())).expect("shares");
    write(&mut writer, 4);
    let (mut other, _) = open(&two);
    other.append_sync(&["something else", "and more"]).expect("appends");
    let length = log.records.lock().expect("whole").len();
    assert!(matches!(other.catch_up(&mut log), Err(ShareError::Other(_))));
    drop(other);
    let (mut other, _) = open(&two);
    for _ in 0..6 {
        other.append_sync(&["something else"]).expect("appends");
    }
    // As long as the log, and longer.
    assert!(matches!(other.share(Box::new(log.clone())), Err(ShareError::Other(_))));
    other.append_sync(&["something else"]).expect("appends");
    assert!(matches!(other.share(Box::new(log.clone())), Err(ShareError::Other(_))));
    assert_eq!(log.records.lock().expect("whole").len(), length);
}

#[test]
fn damage_in_the_log_is_refused() {
    let (one, two, mut log) = (folder(), folder(), MemoryLog::default());
    let (mut writer, _) = open(&one);
    writer.share(Box::new(log.clone())).expect("shares");
    write(&mut writer, 3);
    log.records.lock().expect("whole")[1].1[60] ^= 1;
    let (mut other, _) = open(&two);
    assert!(matches!(other.catch_up(&mut log), Err(ShareError::Record { size: 2 })));
}

#[test]
fn a_ledger_goes_on_on_another_machine() {
    let (one, two, mut log) = (folder(), folder(), MemoryLog::default());
    let key = SigningKey::from_bytes(&[7; 32]);
    let pair = (account::issuance(), account::treasury());
    let grant = |number: u64| {
        let id = transfer_id("shared", &[&number.to_le_bytes()]);
        Transfer::posted(id, pair, Tokens::from_whole(1), Code::Grant)
    };
    let options = ledger::Options::default();
    let mut first = Ledger::open(one.path(), key.clone(), &options).expect("opens");
    first.apply(&[grant(0)], 1).expect("applies");
    first.share(Box::new(log.clone())).expect("shares");
    first.apply(&[grant(1)], 2).expect("applies");

    let journal = Options::new(ledger_origin(public_key(&key))).signed_by(key.clone());
    let (mut copy, _) =
        Journal::open(&two.path().join(ledger::JOURNAL_DIR), journal).expect("opens");
    copy.catch_up(&mut log).expect("catches up");
    drop(copy);
    let mut second = Ledger::open(two.path(), key, &options).expect("opens");
    second.share(Box::new(log.clone())).expect("shares");
    let again = second.apply(&[grant(1), grant(2)], 3).expect("applies");
    let before: Vec<bool> = again.outcomes.iter().map(|it| it.was_applied_before()).collect();
    assert_eq!(before, [true, false]);
    assert_eq!(second.balance(account::treasury()).available, Tokens::from_whole(3));
    assert!(second.check().verified);
}
