//! A disk that is really full: a small file system of its own, and a limit on the file's size.

use std::path::Path;
use std::process::Command;

use ledger::journal::AppendError;
use ledger::{ApplyError, Options, Transfer, offline};

use crate::kill::{acknowledged, batch, child, child_dir, work};
use crate::{grant, open, public, small, wallet};

/// One segment, so that its file reaches the limit.
fn options() -> Options {
    Options { index: false, ..Options::default() }
}

#[test]
fn child_without_room() {
    let Some(dir) = child_dir() else { return };
    let mut ledger = open(&dir, &options());
    for _ in 0..3 {
        let before = (ledger.books().clone(), ledger.head());
        let error = work(&mut ledger);
        assert!(matches!(error, ApplyError::Journal(AppendError::Write { .. })), "{error}");
        let size = ledger.head().size;
        assert!(size == before.1.size || before.1.size == 0, "there is no room for more");
        assert_eq!(ledger.books().size(), size, "what failed was taken back");
        assert!(ledger.check().verified, "{:?}", ledger.check());
    }
}

#[test]
#[cfg(unix)]
fn a_file_at_its_limit_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    // 32 KiB a file (POSIX counts in 512-byte blocks, bash in 1024); writes past it then fail
    // with EFBIG, the signal being ignored.
    let script = "ulimit -f 64 && trap '' XFSZ && exec \"$0\" \"$@\"";
    let mut child = child("full_disk::child_without_room", dir.path(), Some(script));
    let durable = acknowledged(&mut child).last().expect("the child worked until it was full");
    assert!(child.wait().expect("ends").success(), "the child's own assertions hold");

    let mut ledger = open(dir.path(), &options());
    assert_eq!((ledger.head().size, ledger.cut()), (durable, None));
    assert!(ledger.check().verified);
    ledger.apply(&batch(durable), durable).expect("there is room again");
}

/// Bytes of the file system that is filled; how many it has when there is room again.
const FULL_BYTES: &str = "256k";
const ROOM_BYTES: &str = "16m";
/// A time, and a number of transfers, that is not reached before the disk is full.
const LATE_MS: u64 = 1 << 20;

/// Fills the file system in `dir` to its last page, so that not even a checkpoint fits.
fn fill_up(dir: &Path) {
    let path = dir.join("filler");
    let mut file = std::fs::File::create(path).expect("a name still fits");
    let full = std::io::copy(&mut std::io::repeat(7), &mut file).expect_err("it is full");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
}

/// Applies grants; returns those that were acknowledged, and why there are no more.
fn apply_until_full(ledger: &mut ledger::Ledger) -> (Vec<Transfer>, ApplyError) {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let grants: Vec<Transfer> =
            (0..5).map(|place| grant(number * 5 + place, wallet(1), 10)).collect();
        match ledger.apply(&grants, number) {
            Ok(_) => acknowledged.extend(grants),
            Err(error) => return (acknowledged, error),
        }
    }
    unreachable!("a small disk is full before all numbers are used up")
}

#[test]
fn child_on_a_small_file_system() {
    let Some(dir) = child_dir() else { return };
    let mut ledger = open(&dir, &Options { index: false, ..small() });
    let (acknowledged, error) = apply_until_full(&mut ledger);
    assert!(acknowledged.len() > 500, "{}", acknowledged.len());
    let ApplyError::Journal(write @ AppendError::Write { source, .. }) = &error else {
        panic!("{error}")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert!(write.to_string().contains("make room and try again"), "{write}");
    fill_up(&dir);
    // More than what is left of the last page of the segment.
    let more: Vec<Transfer> = (0..60).map(|place| grant(LATE_MS + place, wallet(1), 1)).collect();
    let books = ledger.books().clone();
    ledger.checkpoint().expect_err("no room for a checkpoint either");
    drop(ledger);

    // It opens on the full disk, with and without an index, and can be read.
    for index in [false, true] {
        let mut ledger = open(&dir, &Options { index, ..small() });
        assert!(*ledger.books() == books && ledger.cut().is_none());
        assert!(acknowledged.iter().all(|transfer| ledger.contains(transfer.id)));
        assert_eq!(ledger.balance(wallet(1)).posted, 10 * acknowledged.len() as i128);
        let check = ledger.check();
        assert!(check.verified && check.sum_is_zero, "{check:?}");
        let (rows, total) = ledger.rows(wallet(1).id(), 0, 10).expect("reads the journal");
        assert_eq!((rows.len(), total), (10, acknowledged.len() as u64));
        let error = ledger.apply(&more, LATE_MS).expect_err("full");
        assert!(matches!(error, ApplyError::Journal(AppendError::Write { .. })), "{error}");
        assert!(*ledger.books() == books, "what failed was taken back");
    }
    assert!(offline::verify(&dir, public(), &[]).is_ok_and(|verified| verified.books == books));

    // With room again the same ledger goes on, without being opened anew.
    let mut ledger = open(&dir, &Options { index: false, ..small() });
    ledger.apply(&more, LATE_MS).expect_err("still full");
    let size = format!("remount,size={ROOM_BYTES}");
    let remount = Command::new("mount").args(["-o", &size]).arg(&dir).status().expect("mounts");
    assert!(remount.success());
    ledger.apply(&more, LATE_MS).expect("there is room again");
    let books = ledger.books().clone();
    drop(ledger);
    let ledger = open(&dir, &small());
    assert!(*ledger.books() == books && more.iter().all(|transfer| ledger.contains(transfer.id)));
    assert_eq!(ledger.check_index(), Some(true), "{:?}", ledger.index_status());
    println!("durable {}", acknowledged.len());
}

/// Says that a test was not run, and why: past the harness, which shows nothing of tests that pass.
/// Where `TESSERA_NO_SKIP` is set, that is an error, as among the farm's tests.
#[cfg(target_os = "linux")]
fn skip(test: &str, why: &str) {
    use std::io::Write as _;
    let may_skip = std::env::var_os("TESSERA_NO_SKIP").is_none();
    assert!(may_skip, "{test} cannot run, and nothing may be skipped: {why}");
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("standard error is open");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_file_system_loses_nothing_acknowledged_and_can_be_read() {
    let dir = tempfile::tempdir().expect("a directory");
    // A mount of its own needs the right to make one: root, or a container that allows it.
    let mount = format!("mount -t tmpfs -o size={FULL_BYTES} tmpfs");
    let try_out = format!("{mount} \"$0\"");
    let tried = Command::new("unshare").args(["-m", "sh", "-c", &try_out]).arg(dir.path()).output();
    if !tried.as_ref().is_ok_and(|output| output.status.success()) {
        let why = format!("no small file system can be mounted here (needs root): {tried:?}");
        skip("a_full_file_system_loses_nothing_acknowledged_and_can_be_read", &why);
        return;
    }
    let script = format!(
        "exec unshare -m sh -c '{mount} \"$TESSERA_TEST_LEDGER_DIR\" && exec \"$0\" \"$@\"' \"$0\" \"$@\""
    );
    let mut child = child("full_disk::child_on_a_small_file_system", dir.path(), Some(&script));
    let durable = acknowledged(&mut child).last();
    assert!(child.wait().expect("ends").success(), "the child's own assertions hold");
    println!("{} transfers acknowledged before it was full", durable.expect("it said so"));
}
