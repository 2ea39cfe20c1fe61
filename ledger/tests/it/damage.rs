//! A closed ledger with one bit flipped, one file cut, one file gone, at every possible place: it
//! opens in full or not at all. And what no file of this machine can show, but a witness can.

use std::error::Error as _;
use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use ledger::{Books, JOURNAL_DIR, Ledger, OpenError, Options, offline};
use proof::{Checkpoint, ledger_origin};
use tempfile::TempDir;

use crate::kill::batch;
use crate::{grant, key, number, open, public, wallet};

/// How many batches the damaged ledger has; more, by hand, make more segments.
const BATCHES: &str = "TESSERA_TEST_LEDGER_DAMAGE_BATCHES";

/// Several segments and a checkpoint in as few bytes as they fit.
fn options() -> Options {
    Options {
        index: false,
        audit: false,
        segment_bytes_max: 800,
        checkpoint_records: 4,
        snapshot_entries: 0,
        ..Options::default()
    }
}

fn fill(dir: &Path, batches: u64) -> Books {
    let mut ledger = open(dir, &options());
    for _ in 0..batches {
        let size = ledger.head().size;
        ledger.apply(&batch(size), size).expect("applies");
    }
    ledger.books().clone()
}

fn filled() -> (TempDir, Books) {
    let dir = tempfile::tempdir().expect("a directory");
    let books = fill(dir.path(), number(BATCHES, 4));
    let names: Vec<PathBuf> = files(dir.path());
    assert!(names.len() >= 3 && names[names.len() - 1].ends_with("checkpoint"), "{names:?}");
    (dir, books)
}

/// The journal's files, the segments in order and then the checkpoint. The lock holds nothing.
fn files(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join(JOURNAL_DIR)).expect("lists");
    let paths = files.map(|file| file.expect("a file").path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| !path.ends_with("lock")).collect();
    paths.sort();
    paths
}

pub(crate) fn in_full(error: &OpenError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// Opens a damaged ledger: it must be the full one, or be refused with words that say what to do,
/// and then be left as it is. Says whether it was the full one.
fn is_full(dir: &Path, full: &Books, what: &str) -> bool {
    let before: Vec<Vec<u8>> =
        files(dir).iter().map(|path| fs::read(path).expect("reads")).collect();
    match Ledger::open(dir, key(), &options()) {
        Ok(ledger) => {
            assert_eq!(ledger.cut(), None, "{what}");
            assert!(ledger.books() == full, "{what}: it opened as another ledger");
            true
        }
        Err(error) => {
            let words = in_full(&error);
            assert!(words.contains("restore") && words.contains("journal"), "{what}: {words}");
            let after = files(dir).into_iter().map(|path| fs::read(path).expect("reads"));
            assert!(after.eq(before), "{what}: a refusal changed something");
            false
        }
    }
}

#[test]
fn every_flipped_bit_of_every_file_is_refused() {
    let (dir, full) = filled();
    let mut bits = 0;
    for path in files(dir.path()) {
        let good = fs::read(&path).expect("reads");
        let mut file = OpenOptions::new().write(true).open(&path).expect("opens");
        // In place: a file that is emptied and written again waits for the disk.
        let mut put = |at: usize, byte: u8| {
            file.seek(SeekFrom::Start(at as u64)).expect("seeks");
            file.write_all(&[byte]).expect("writes");
        };
        for bit in 0..good.len() * 8 {
            put(bit / 8, good[bit / 8] ^ 1 << (bit % 8));
            let what = format!("bit {bit} of {}", path.display());
            assert!(!is_full(dir.path(), &full, &what), "{what} made no difference");
            if bit % 8 == 3 {
                let verified = offline::verify(dir.path(), public(), &[]);
                assert!(verified.is_err(), "{what}: verify is blind");
            }
            put(bit / 8, good[bit / 8]);
            bits += 1;
        }
    }
    assert!(is_full(dir.path(), &full, "as it was"));
    println!("{bits} bits of {} files", files(dir.path()).len());
}

#[test]
fn every_cut_of_every_file_is_refused() {
    let (dir, full) = filled();
    for path in files(dir.path()) {
        let good = fs::read(&path).expect("reads");
        let is_checkpoint = path.ends_with("checkpoint");
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).expect("writes");
            let what = format!("{} cut to {length} bytes", path.display());
            // The last line's end says nothing.
            let is_whole = is_checkpoint && length + 1 == good.len();
            assert_eq!(is_full(dir.path(), &full, &what), is_whole, "{what}");
        }
        fs::remove_file(&path).expect("removes");
        // Without its checkpoint the ledger is still the full one, and makes another.
        let what = format!("{} gone", path.display());
        assert_eq!(is_full(dir.path(), &full, &what), is_checkpoint, "{what}");
        fs::write(&path, &good).expect("writes");
    }
    assert!(is_full(dir.path(), &full, "as it was"));
}

#[test]
fn no_damage_to_a_ledger_with_snapshots_gives_other_books() {
    let with = Options { snapshot_entries: 6, audit: false, ..options() };
    // In memory where the system has such a place: it is opened, and synced, some ten thousand
    // times.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_none| tempfile::tempdir());
    let dir = dir.expect("a directory");
    let mut ledger = open(dir.path(), &with);
    for _ in 0..number(BATCHES, 4) {
        let size = ledger.head().size;
        ledger.apply(&batch(size), size).expect("applies");
    }
    let full = ledger.books().clone();
    drop(ledger);
    let is_snapshot = |path: &Path| path.extension().is_some_and(|end| end == "snapshot");
    assert!(files(dir.path()).iter().any(|path| is_snapshot(path)));
    let (mut kept, mut bits) = (0, 0);
    for path in files(dir.path()) {
        let good = fs::read(&path).expect("reads");
        let mut file = OpenOptions::new().write(true).open(&path).expect("opens");
        let mut put = |at: usize, byte: u8| {
            file.seek(SeekFrom::Start(at as u64)).expect("seeks");
            file.write_all(&[byte]).expect("writes");
        };
        // Every bit of the journal is flipped above; here one of each byte is enough.
        let step = if is_snapshot(&path) { 1 } else { 8 };
        for bit in (0..good.len() * 8).skip(3 * (step / 8)).step_by(step) {
            put(bit / 8, good[bit / 8] ^ 1 << (bit % 8));
            let what = format!("bit {bit} of {}", path.display());
            // Opened, it is the full ledger; that is what this asserts.
            let opened = is_full(dir.path(), &full, &what);
            assert!(opened || !is_snapshot(&path), "{what}: the journal is whole");
            if opened && bit % 8 == 3 {
                let verified = offline::verify(dir.path(), public(), &[]);
                let is_seen = verified.is_err() || verified.is_ok_and(|it| !it.unusable.is_empty());
                assert!(is_seen, "{what}: verify is blind");
            }
            put(bit / 8, good[bit / 8]);
            (kept, bits) = (kept + u32::from(opened), bits + 1);
        }
        if is_snapshot(&path) {
            for length in 0..good.len() {
                fs::write(&path, &good[..length]).expect("writes");
                assert!(is_full(dir.path(), &full, "a snapshot cut short"), "{length}");
            }
            fs::write(&path, &good).expect("writes");
        }
    }
    let verified = offline::verify(dir.path(), public(), &[]).expect("as it was");
    assert!(!verified.snapshots.is_empty() && verified.contradicted.is_empty());
    println!("{bits} bits, {kept} of them made no difference to opening");
}

/// A checkpoint of the ledger as it is, in the hands of somebody else.
fn witnessed(dir: &Path) -> Options {
    let note = fs::read_to_string(dir.join(JOURNAL_DIR).join("checkpoint")).expect("one");
    let point = Checkpoint::open(&note, &ledger_origin(public()), Some(public())).expect("signed");
    Options { witnessed: vec![point], ..options() }
}

/// Opens without complaint as an older ledger here, but not for a witness.
fn only_a_witness_sees(dir: &Path, older: &Books, witnessed: &Options, words: &str) {
    let error = Ledger::open(dir, key(), witnessed).expect_err("a witness sees it");
    assert!(in_full(&error).contains(words), "{}", in_full(&error));
    let here = offline::verify(dir, public(), &[]).expect("nothing here shows it");
    assert!(here.cut.is_none() && here.books == *older);
}

#[test]
fn only_a_witness_sees_all_files_rolled_back_together() {
    let dir = tempfile::tempdir().expect("a directory");
    let older = fill(dir.path(), 3);
    let backup: Vec<(PathBuf, Vec<u8>)> = files(dir.path())
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).expect("reads")))
        .collect();
    let full = fill(dir.path(), 3);
    let witnessed = witnessed(dir.path());
    assert!(Ledger::open(dir.path(), key(), &witnessed).is_ok_and(|found| *found.books() == full));

    files(dir.path()).iter().for_each(|path| fs::remove_file(path).expect("removes"));
    backup.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("writes"));
    let words = format!("a checkpoint was signed at {}: entries are missing", full.size());
    only_a_witness_sees(dir.path(), &older, &witnessed, &words);

    // Grown past the witness's checkpoint again, it tells another story.
    let mut ledger = open(dir.path(), &options());
    while ledger.head().size <= full.size() {
        let number = 1000 + ledger.head().size;
        ledger.apply(&[grant(number, wallet(2), 5)], number).expect("applies");
    }
    let forked = ledger.books().clone();
    drop(ledger);
    let words = format!("the first {} entries are not the ones", full.size());
    only_a_witness_sees(dir.path(), &forked, &witnessed, &words);
}

#[test]
fn only_a_witness_sees_the_last_record_and_the_checkpoint_lost_together() {
    let (dir, full) = filled();
    let witnessed = witnessed(dir.path());
    let (mut files, mut silent) = (files(dir.path()), 0);
    fs::remove_file(files.pop().expect("the checkpoint")).expect("removes");
    let last = files.pop().expect("a segment");
    let good = fs::read(&last).expect("reads");
    for length in 0..good.len() {
        fs::write(&last, &good[..length]).expect("writes");
        let error = Ledger::open(dir.path(), key(), &witnessed).expect_err("a witness sees it");
        assert!(in_full(&error).contains("restore"), "{length}: {}", in_full(&error));
        // Here it is seen at most as a write that a crash cut short, which nobody was promised.
        if let Ok(found) = offline::verify(dir.path(), public(), &[]) {
            assert!(found.head.size < full.size());
            silent += u32::from(found.cut.is_none());
        }
    }
    assert!(silent >= 1, "a cut at a record's end shows nowhere else");
}
