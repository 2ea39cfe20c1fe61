//! A disk that is really full: the child may not write past a file size.

use ledger::journal::AppendError;
use ledger::{ApplyError, Options};

use crate::kill::{acknowledged, batch, child, child_dir, work};
use crate::open;

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
fn a_full_disk_loses_nothing_acknowledged() {
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
