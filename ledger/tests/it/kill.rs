//! `kill -9` at any moment, in a real process: what was acknowledged is there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use ledger::journal::{self, Journal};
use ledger::{Code, Entry, Event, JOURNAL_DIR, Ledger, Options, Transfer};
use protocol::TransferId;

use crate::{Random, escrow, grant, id, micro, number, open, small, wallet};

const CHILD_DIR: &str = "TESSERA_TEST_LEDGER_DIR";
const CHILD_ROUND: &str = "TESSERA_TEST_LEDGER_ROUND";
/// How often a child is killed; 500 by hand.
const ROUNDS: &str = "TESSERA_TEST_LEDGER_KILLS";
const SEED: &str = "TESSERA_TEST_LEDGER_SEED";
/// Kills that one ledger goes through.
const ROUNDS_OF_ONE: u64 = 25;

/// Starts this test binary as a child; what comes before it in `shell` is run first.
pub fn child(test: &str, dir: &Path, shell: Option<&str>) -> Child {
    spawn(test, dir, 0, shell)
}

fn child_of_round(test: &str, dir: &Path, round: u64) -> Child {
    spawn(test, dir, round, None)
}

fn spawn(test: &str, dir: &Path, round: u64, shell: Option<&str>) -> Child {
    let binary = std::env::current_exe().expect("this binary");
    let arguments = [test, "--exact", "--nocapture", "--test-threads=1"];
    let mut command = match shell {
        None => Command::new(binary),
        Some(script) => {
            let mut command = Command::new("sh");
            command.args(["-c", script]).arg(binary);
            command
        }
    };
    command
        .args(arguments)
        .env(CHILD_DIR, dir)
        .env(CHILD_ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts")
}

/// The directory, in the child; `None` in the test run itself.
pub fn child_dir() -> Option<std::path::PathBuf> {
    std::env::var_os(CHILD_DIR).map(Into::into)
}

/// Numbers of entries that the child says are durable, as it says so.
pub fn acknowledged(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let output = child.stdout.take().expect("piped");
    BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.rsplit_once("durable ")?.1.parse().ok())
}

/// The batch that comes when the ledger has `size` entries: grants, leases, pay, voids.
pub fn batch(size: u64) -> Vec<Transfer> {
    let lease = Transfer::pending(
        id(size + 1),
        (wallet(1), escrow(1)),
        micro(50),
        Code::Pay,
        u64::from(size.is_multiple_of(3)),
    );
    let mut batch = vec![grant(size, wallet(1), 60), lease.clone()];
    match size % 4 {
        0 => batch.push(Transfer::post(id(size + 2), &lease, micro(40))),
        1 => batch.push(Transfer::void(id(size + 2), &lease)),
        _ => {}
    }
    batch
}

/// Applies batches for ever, saying what is durable.
pub fn work(ledger: &mut Ledger) -> ledger::ApplyError {
    loop {
        let size = ledger.head().size;
        let result = ledger.apply(&batch(size), size).and_then(|_| ledger.expire(size + 2));
        match result {
            Ok(_) => println!("durable {}", ledger.head().size),
            Err(error) => return error,
        }
    }
}

/// Threads that give batches to the one that owns the ledger.
const WRITERS: u64 = 4;
/// Batches that share one sync.
const TOGETHER_MAX: usize = 16;

/// A transfer's number, and with it its id: who made it, and which of how many of a batch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    /// Of the round and the writer in it.
    writer: u64,
    batch: u32,
    size: u8,
    place: u8,
}

impl Number {
    fn id(self) -> TransferId {
        let batch = u64::from(self.batch) << 32 | u64::from(self.size) << 8 | u64::from(self.place);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.writer.to_le_bytes());
        bytes[8..].copy_from_slice(&batch.to_le_bytes());
        TransferId(bytes)
    }

    fn of(id: TransferId) -> Self {
        let half = |at: usize| u64::from_le_bytes(id.0[at..at + 8].try_into().expect("eight"));
        let (writer, batch) = (half(0), half(8));
        Self { writer, batch: (batch >> 32) as u32, size: (batch >> 8) as u8, place: batch as u8 }
    }
}

/// A writer's batches, one after the other: grants, orders, leases that are paid, voided, forgotten.
fn writers_batch(writer: u64, batch: u32) -> Vec<Transfer> {
    let size = [1, 2, 3, 1, 9][batch as usize % 5];
    let id = |batch, size, place| Number { writer, batch, size, place }.id();
    let owner = wallet(writer as u8);
    let new = |place| id(batch, size, place);
    let lease = |batch| {
        let pair = (owner, escrow(writer as u8));
        Transfer::pending(id(batch, 3, 1), pair, micro(40), Code::Pay, u64::from(batch % 2))
    };
    let mut all = vec![Transfer { id: new(0), ..grant(0, owner, 100) }];
    match batch % 5 {
        1 => all.push(Transfer::posted(new(1), (owner, escrow(9)), micro(7), Code::Escrow)),
        2 => {
            all.push(lease(batch));
            all.push(Transfer::posted(new(2), (owner, escrow(9)), micro(3), Code::Escrow));
        }
        // The lease of the batch before: what was forgotten may have expired by now.
        3 if batch % 2 == 1 => all[0] = Transfer::post(new(0), &lease(batch - 1), micro(30)),
        4 => all.extend((1..9).map(|place| Transfer { id: new(place), ..grant(0, owner, 1) })),
        _ => {}
    }
    all
}

#[test]
fn child_with_many_writers() {
    let Some(dir) = child_dir() else { return };
    let round: u64 = number(CHILD_ROUND, 0);
    let mut ledger = open(&dir, &Options { index: round.is_multiple_of(5), ..small() });
    let (give, take) = mpsc::sync_channel::<(Vec<Transfer>, SyncSender<()>)>(64);
    for writer in 0..WRITERS {
        let give = give.clone();
        let writer = round * WRITERS + writer;
        thread::spawn(move || {
            for number in 0.. {
                let batch = writers_batch(writer, number);
                let ids: Vec<String> =
                    batch.iter().map(|transfer| transfer.id.to_string()).collect();
                let (done, is_done) = mpsc::sync_channel(1);
                // Every seventh is said twice, as a caller does who lost the answer.
                for _time in 0..1 + u32::from(number % 7 == 0) {
                    give.send((batch.clone(), done.clone())).expect("the owner lives");
                    is_done.recv().expect("the owner lives");
                }
                // One write, so that a line is there as a whole or shows that it is not.
                let line = format!("durable {} .\n", ids.join(" "));
                std::io::stdout().lock().write_all(line.as_bytes()).expect("the parent reads");
            }
        });
    }
    drop(give);
    while let Ok(first) = take.recv() {
        let mut some = vec![first];
        some.extend(take.try_iter().take(TOGETHER_MAX - 1));
        let batches: Vec<&[Transfer]> = some.iter().map(|(batch, _)| &batch[..]).collect();
        let now_ms = ledger.books().size();
        let results = ledger.apply_all(&batches, now_ms).expect("the disk works");
        for (result, (batch, done)) in results.iter().zip(&some) {
            assert!(result.is_ok(), "{batch:?}: {result:?}");
            done.send(()).expect("the writer lives");
        }
        ledger.expire(now_ms).expect("the disk works");
    }
    panic!("the child only ends when it is killed");
}

/// How often each transfer is in the journal, read without the rules that would refuse a second
/// time.
fn counts(dir: &Path) -> BTreeMap<TransferId, u32> {
    let options =
        journal::Options::new(proof::ledger_origin(crate::public())).signed_by(crate::key());
    let mut counts = BTreeMap::new();
    let opened = Journal::open_with(&dir.join(JOURNAL_DIR), options, &mut |_seq, bytes| {
        if let Event::Transfer(transfer) = Entry::decode(bytes)?.event {
            *counts.entry(transfer.id).or_insert(0) += 1;
        }
        Ok(())
    });
    drop(opened.expect("the journal opens"));
    counts
}

/// Starts a child, kills it at a random moment and returns the ids that it acknowledged.
fn kill_once(dir: &Path, round: u64, random: &mut Random) -> Vec<TransferId> {
    let mut child = child_of_round("kill::child_with_many_writers", dir, round);
    let (give, acknowledged) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let reader = thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // A line without its end was cut short by the kill: nobody was told.
            let line = line.rsplit_once("durable ").and_then(|(_, ids)| ids.strip_suffix(" ."));
            for id in line.into_iter().flat_map(|ids| ids.split(' ')) {
                give.send(id.parse::<TransferId>().expect("an id")).expect("somebody counts");
            }
        }
    });
    let mut ids = Vec::new();
    // A quarter is killed while it starts and opens, the others while they work.
    if !round.is_multiple_of(4) {
        ids.push(acknowledged.recv_timeout(Duration::from_secs(60)).expect("the child works"));
    }
    thread::sleep(Duration::from_micros(random.below(40_000)));
    child.kill().expect("kills");
    let status = child.wait().expect("ends");
    assert!(!status.success(), "the child only ends when it is killed: {status}");
    reader.join().expect("reads");
    ids.extend(acknowledged.try_iter());
    ids
}

#[test]
fn what_many_writers_were_told_survives_kill_9() {
    let (rounds, seed) = (number(ROUNDS, 15), number(SEED, 1));
    let (mut random, mut total, mut killed_early) = (Random(seed), 0, 0);
    let mut dir = tempfile::tempdir().expect("a directory");
    let mut known: BTreeSet<TransferId> = BTreeSet::new();
    for round in 0..rounds {
        // A new ledger now and then: opening one takes as long as it is.
        if round.is_multiple_of(ROUNDS_OF_ONE) {
            dir = tempfile::tempdir().expect("a directory");
            known.clear();
        }
        let ids = kill_once(dir.path(), round, &mut random);
        total += ids.len();
        killed_early += u64::from(ids.is_empty());
        known.extend(ids);

        let what = format!("round {round} of seed {seed}");
        let counts = counts(dir.path());
        for id in &known {
            assert_eq!(counts.get(id), Some(&1), "{what}: {id} was acknowledged");
        }
        let mut batches: BTreeMap<(u64, u32), (u8, u8)> = BTreeMap::new();
        for (&id, &count) in &counts {
            let Number { writer, batch, size, .. } = Number::of(id);
            assert_eq!(count, 1, "{what}: {id} is there twice");
            let (found, _) = batches.entry((writer, batch)).or_insert((0, size));
            *found += 1;
        }
        let torn = batches.iter().find(|(_, (found, size))| found != size);
        assert_eq!(torn, None, "{what}: part of a batch");

        let ledger = open(dir.path(), &Options { index: round.is_multiple_of(5), ..small() });
        assert!(known.iter().all(|&id| ledger.contains(id)), "{what}");
        assert_eq!(ledger.books().check(), Ok(()), "{what}");
        let sum: i128 = ledger.books().accounts().map(|(_, _, totals)| totals.posted()).sum();
        assert_eq!(sum, 0, "{what}");
        if round.is_multiple_of(5) {
            assert_eq!(ledger.check_index(), Some(true), "{what}: {:?}", ledger.index_status());
            let check = ledger.check();
            assert!(check.verified && check.sum_is_zero, "{check:?}");
        }
    }
    assert!(total as u64 > rounds, "{total}");
    println!("{rounds} kills, {killed_early} before the first answer, {total} transfers answered");
}
