//! `kill -9` at any moment, in a real process: what was acknowledged is there afterwards.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ledger::{Code, Ledger, Options, Transfer};

use crate::{escrow, grant, id, micro, open, small, wallet};

const CHILD_DIR: &str = "TESSERA_TEST_LEDGER_DIR";
const ROUNDS: u64 = 15;

/// Starts this test binary as the child that is killed.
pub fn child(test: &str, dir: &Path, shell: Option<&str>) -> Child {
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

#[test]
fn child_that_is_killed() {
    let Some(dir) = child_dir() else { return };
    let mut ledger = open(&dir, &small());
    let error = work(&mut ledger);
    panic!("the child only ends when it is killed: {error}");
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut durable = 0;
    for round in 0..ROUNDS {
        let mut child = child("kill::child_that_is_killed", dir.path(), None);
        let mut acknowledgements = acknowledged(&mut child);
        // The child is at some point of its next batch, sync, checkpoint or new segment.
        let wanted = 1 + round * 7 % 23;
        for _ in 0..wanted {
            durable = acknowledgements.next().expect("the child works");
        }
        child.kill().expect("kills");
        child.wait().expect("ends");
        durable = acknowledgements.last().unwrap_or(durable);

        let ledger = open(dir.path(), &Options { index: round % 5 == 0, ..small() });
        let size = ledger.head().size;
        assert!(size >= durable, "round {round}: {durable} acknowledged, {size} there");
        let check = ledger.check();
        assert!(check.verified && check.sum_is_zero && check.entries == size, "{check:?}");
        assert_eq!(ledger.books().check(), Ok(()));
        if round % 5 == 0 {
            assert_eq!(ledger.check_index(), Some(true), "{:?}", ledger.index_status());
        }
    }
    assert!(durable > ROUNDS, "{durable}");
}
