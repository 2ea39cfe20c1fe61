//! Backups of a ledger in use, and what is restored from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ledger::offline::{self, BackupError, RestoreError};
use ledger::{Books, JOURNAL_DIR, Ledger, Options};
use proof::{Checkpoint, ledger_origin};
use protocol::SigningKey;
use tempfile::TempDir;

use crate::damage::in_full;
use crate::kill::batch;
use crate::{grant, open, public, small, wallet};

fn options() -> Options {
    Options { index: false, ..small() }
}

fn grow(ledger: &mut Ledger, batches: u64) {
    for _ in 0..batches {
        let size = ledger.head().size;
        ledger.apply(&batch(size), size).expect("applies");
    }
}

fn two() -> (TempDir, TempDir) {
    (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"))
}

fn books(dir: &Path) -> Books {
    offline::verify(dir, public(), &[]).expect("holds").books
}

fn last_segment(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir.join(JOURNAL_DIR)).expect("lists");
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "segment")).max().expect("one")
}

#[test]
fn a_backup_grows_with_its_ledger_and_restores_to_the_same() {
    let (dir, to) = two();
    let mut ledger = open(dir.path(), &options());
    let mut known = 0;
    for _ in 0..4 {
        grow(&mut ledger, 10);
        let size = ledger.head().size;
        let copied = offline::backup(dir.path(), public(), to.path()).expect("backs up");
        assert_eq!((copied.entries, copied.new_entries), (size, size - known));
        assert!(books(to.path()) == *ledger.books());
        known = size;
    }
    let again = offline::backup(dir.path(), public(), to.path()).expect("nothing is new");
    assert_eq!((again.new_entries, again.bytes), (0, 0));
    let full = ledger.books().clone();
    drop(ledger);

    let restored = tempfile::tempdir().expect("a directory");
    let at = restored.path().join("farm").join("ledger");
    let verified = offline::restore(to.path(), public(), &at, &[]).expect("restores");
    assert!(verified.books == full);
    let mut ledger = open(&at, &options());
    assert!(*ledger.books() == full);
    grow(&mut ledger, 1);
    // Never over a ledger that is there.
    let error = offline::restore(to.path(), public(), &at, &[]).expect_err("it is there");
    assert!(matches!(error, RestoreError::Exists { .. }), "{error}");
    assert!(*ledger.books() != full && ledger.check().verified);
}

#[test]
fn a_backup_of_a_ledger_that_is_being_written_holds() {
    let (dir, to) = two();
    let mut ledger = open(dir.path(), &options());
    grow(&mut ledger, 3);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                grow(&mut ledger, 1);
            }
        });
        let mut last = 0;
        for _ in 0..15 {
            let copied = offline::backup(dir.path(), public(), to.path()).expect("backs up");
            assert!(copied.entries >= last && books(to.path()).size() == copied.entries);
            last = copied.entries;
        }
        done.store(true, Ordering::Relaxed);
        println!("{last} entries");
    });
    offline::backup(dir.path(), public(), to.path()).expect("the rest");
    assert!(books(to.path()) == *ledger.books());
}

#[test]
fn a_backup_that_was_cut_short_anywhere_is_gone_on_with() {
    let (dir, to) = two();
    let mut ledger = open(dir.path(), &options());
    grow(&mut ledger, 12);
    offline::backup(dir.path(), public(), to.path()).expect("backs up");
    // As a kill leaves it: a last segment of any length, and the checkpoint not yet written.
    let last = last_segment(to.path());
    let bytes = fs::read(&last).expect("reads");
    for length in (60..bytes.len()).step_by(7) {
        let _gone = fs::remove_file(to.path().join(JOURNAL_DIR).join("checkpoint"));
        fs::write(&last, &bytes[..length]).expect("writes");
        offline::backup(dir.path(), public(), to.path()).expect("goes on");
        assert!(fs::read(&last).expect("reads") == bytes, "cut at {length}");
    }
    assert!(books(to.path()) == *ledger.books());
}

#[test]
fn what_is_damaged_is_neither_copied_nor_gone_on_with() {
    let (dir, to) = two();
    let mut ledger = open(dir.path(), &options());
    grow(&mut ledger, 6);
    offline::backup(dir.path(), public(), to.path()).expect("backs up");
    let kept = books(to.path());
    grow(&mut ledger, 6);
    drop(ledger);
    let flip = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).expect("reads");
        bytes[at] ^= 1;
        fs::write(path, bytes).expect("writes");
    };
    let last = last_segment(dir.path());
    flip(&last, 100);
    let error = offline::backup(dir.path(), public(), to.path()).expect_err("damaged");
    assert!(matches!(error, BackupError::Journal(_)), "{error:?}");
    // What the backup held before, it holds still, or more, and it goes on once that is mended.
    assert!(books(to.path()).size() >= kept.size());
    flip(&last, 100);
    offline::backup(dir.path(), public(), to.path()).expect("mended");

    flip(&last_segment(to.path()), 100);
    let error = offline::backup(dir.path(), public(), to.path()).expect_err("a damaged backup");
    assert!(matches!(error, BackupError::Target { .. }), "{error:?}");
    let at = to.path().join("restored");
    let error = offline::restore(to.path(), public(), &at, &[]).expect_err("a damaged backup");
    assert!(matches!(error, RestoreError::Backup(_)) && !at.exists(), "{error:?}");
}

#[test]
fn a_ledger_that_tells_another_story_does_not_spoil_its_backup() {
    let (dir, to) = two();
    let mut ledger = open(dir.path(), &Options { snapshot_entries: 0, ..options() });
    grow(&mut ledger, 5);
    let older: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(dir.path().join(JOURNAL_DIR))
        .expect("lists")
        .map(|file| file.expect("a file").path())
        .map(|path| (path.clone(), fs::read(path).expect("reads")))
        .collect();
    grow(&mut ledger, 5);
    offline::backup(dir.path(), public(), to.path()).expect("backs up");
    let kept = books(to.path());
    drop(ledger);
    // Rolled back, the ledger is behind its backup; grown again, it is beside it.
    fs::remove_dir_all(dir.path().join(JOURNAL_DIR)).expect("removes");
    fs::create_dir(dir.path().join(JOURNAL_DIR)).expect("makes");
    older.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("writes"));
    for batches in [0, 10] {
        let mut ledger = open(dir.path(), &Options { snapshot_entries: 0, ..options() });
        for number in 0..batches {
            ledger.apply(&[grant(9000 + number, wallet(4), 5)], 9000).expect("applies");
        }
        let error = offline::backup(dir.path(), public(), to.path()).expect_err("another story");
        assert!(matches!(error, BackupError::Diverged { .. }), "{batches}: {error:?}");
        assert!(books(to.path()) == kept);
    }
    // Another farm's ledger is no matter of this backup at all.
    let other = tempfile::tempdir().expect("a directory");
    let key = SigningKey::from_bytes(&[8; 32]);
    let theirs = protocol::sign::public_key(&key);
    drop(Ledger::open(other.path(), key, &options()).expect("opens"));
    let error = offline::backup(other.path(), theirs, to.path()).expect_err("another ledger");
    assert!(matches!(error, BackupError::Target { .. }), "{error:?}");
}

#[test]
fn a_backup_behind_a_checkpoint_is_not_restored() {
    let (dir, to) = two();
    let mut ledger = open(dir.path(), &options());
    grow(&mut ledger, 5);
    offline::backup(dir.path(), public(), to.path()).expect("backs up");
    grow(&mut ledger, 5);
    let (note, origin) = (ledger.checkpoint().expect("signs"), ledger_origin(public()));
    let kept = Checkpoint::open(&note, &origin, Some(public())).expect("signed");
    let at = to.path().join("restored");
    let error = offline::restore(to.path(), public(), &at, std::slice::from_ref(&kept));
    let error = error.expect_err("it is behind");
    let words = error.to_string();
    let RestoreError::Backup(cause) = error else { panic!("{words}") };
    let cause = in_full(&ledger::OpenError::from(cause));
    assert!(cause.contains("entries are missing") && !at.exists(), "{cause}");
    offline::backup(dir.path(), public(), to.path()).expect("backs up");
    offline::restore(to.path(), public(), &at, &[kept]).expect("up to it");
    // A half that an earlier run left does not matter.
    let again = to.path().join("again");
    fs::create_dir_all(again.join("journal.restoring")).expect("makes");
    fs::write(again.join("journal.restoring").join("left"), "half").expect("writes");
    offline::restore(to.path(), public(), &again, &[]).expect("restores");
    assert!(!again.join(JOURNAL_DIR).join("left").exists());
}
