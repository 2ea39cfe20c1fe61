use std::fs;

use proof::VerifyError;
use tempfile::TempDir;

use super::sim::{Faults, SimDisk};
use super::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

/// Small segments, so that a few records fill several; no checkpoint by itself.
fn options() -> Options {
    let small =
        Options { segment_bytes_max: 500, checkpoint_records: u32::MAX, ..Options::new("test") };
    small.signed_by(key())
}

fn entry(seq: u64) -> Vec<u8> {
    format!("entry number {seq}").into_bytes()
}

/// A journal of `records` records of two entries each.
fn fill(dir: &Path, records: u64) {
    let (mut journal, _) = Journal::open(dir, options()).expect("opens");
    for _ in 0..records {
        let first = journal.next_seq();
        journal.append_sync(&[entry(first), entry(first + 1)]).expect("appends");
    }
}

/// A journal of six records with the checkpoint that closing stored, or without one.
fn filled(with_checkpoint: bool) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fill(dir.path(), 6);
    if !with_checkpoint {
        fs::remove_file(dir.path().join(read::CHECKPOINT)).expect("closing stored one");
    }
    dir
}

/// What opening would find, without changing anything.
fn look(dir: &Path) -> Result<(Vec<Vec<u8>>, Option<CutTail>), OpenError> {
    let mut entries = Vec::new();
    let source = Source {
        dir,
        origin: "test",
        key: Some(public_key(&key())),
        signatures: Signatures::Last,
        witnessed: &[],
    };
    let found = read(&source, &mut |_seq, bytes| {
        entries.push(bytes.to_vec());
        Ok(())
    })?;
    Ok((entries, found.cut))
}

fn all(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(entry).collect()
}

fn paths(dir: &Path) -> Vec<PathBuf> {
    disk::segments(dir).expect("lists").into_iter().map(|(_, path)| path).collect()
}

#[test]
fn entries_come_back_over_several_segments() {
    let dir = filled(true);
    assert!(paths(dir.path()).len() >= 3, "{:?}", paths(dir.path()));
    fill(dir.path(), 1);
    let (journal, replay) = Journal::open(dir.path(), options()).expect("opens");
    assert_eq!(journal.next_seq(), 14);
    assert_eq!(replay.map(|(_, bytes)| bytes).collect::<Vec<_>>(), all(14));
}

#[test]
fn every_damaged_byte_is_refused_or_cuts_the_last_record() {
    let dir = filled(false);
    let segments = paths(dir.path());
    for (index, path) in segments.iter().enumerate() {
        let good = fs::read(path).expect("reads");
        let header = SegmentHeader::decode(&good).expect("a header");
        let last = header.groups(&good, SEGMENT_HEADER_BYTES).last().expect("a record");
        let last = last.expect("a good record").offset;
        for at in 0..good.len() {
            // One bit of each byte here, where files are written; `proof` tries all of them.
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(path, &bytes).expect("writes");
            let is_tail = index + 1 == segments.len() && at >= last;
            match look(dir.path()) {
                Ok((entries, Some(cut))) if is_tail => {
                    assert_eq!((entries, cut.offset), (all(10), last as u64), "byte {at}");
                }
                Err(OpenError::Damaged { .. } | OpenError::Header { .. }) if !is_tail => {}
                other => panic!("byte {at} of {}: {other:?}", path.display()),
            }
        }
        fs::write(path, &good).expect("writes");
    }
    assert_eq!(look(dir.path()).expect("as before").0, all(12));
}

#[test]
fn below_a_checkpoint_nothing_is_cut() {
    let dir = filled(true);
    let path = paths(dir.path()).pop().expect("a segment");
    let good = fs::read(&path).expect("reads");
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).expect("writes");
        let error = look(dir.path()).map(|(entries, cut)| (entries.len(), cut));
        assert!(
            matches!(error, Err(OpenError::Broken { .. } | OpenError::Header { .. })),
            "{length} bytes: {error:?}"
        );
        assert_eq!(fs::read(&path).expect("reads").len(), length, "a refusal changes nothing");
    }
}

#[test]
fn without_a_checkpoint_a_shortened_end_is_a_prefix() {
    let dir = filled(false);
    let path = paths(dir.path()).pop().expect("a segment");
    let good = fs::read(&path).expect("reads");
    for length in SEGMENT_HEADER_BYTES..good.len() {
        fs::write(&path, &good[..length]).expect("writes");
        let (entries, cut) = look(dir.path()).expect("opens");
        assert_eq!(entries, all(entries.len() as u64));
        let good_bytes = cut.map_or(length, |cut| cut.offset as usize);
        assert!(good_bytes <= length && (length - good_bytes) < 200, "{length}: {good_bytes}");
    }
}

#[test]
fn a_cut_tail_is_reported_and_written_over() {
    let dir = filled(false);
    let path = paths(dir.path()).pop().expect("a segment");
    let bytes = fs::read(&path).expect("reads");
    fs::write(&path, &bytes[..bytes.len() - 1]).expect("writes");
    let (mut journal, replay) = Journal::open(dir.path(), options()).expect("opens");
    assert_eq!(replay.cut.as_ref().map(|cut| &cut.segment), Some(&path));
    assert_eq!(replay.count(), 10);
    assert_eq!(journal.append_sync(&[entry(10)]).expect("appends"), 10);
    drop(journal);
    assert_eq!(look(dir.path()).expect("opens"), (all(11), None));
}

#[test]
fn sectors_that_a_power_cut_left_empty_are_a_torn_tail() {
    let dir = filled(false);
    let path = paths(dir.path()).pop().expect("a segment");
    let good = fs::read(&path).expect("reads");
    let header = SegmentHeader::decode(&good).expect("a header");
    let last = header.groups(&good, SEGMENT_HEADER_BYTES).last().expect("a record");
    let last = last.expect("a good record").offset;
    for from in (last..good.len()).step_by(5) {
        for to in (from + 1..good.len() + 1).step_by(13) {
            let mut bytes = good.clone();
            bytes[from..to].fill(0);
            if to == good.len() {
                // The file had grown by whole blocks.
                bytes.resize(good.len() + 4096, 0);
            }
            if bytes == good {
                continue;
            }
            fs::write(&path, &bytes).expect("writes");
            let (entries, cut) = look(dir.path()).expect("opens");
            assert_eq!((entries, cut.map(|cut| cut.offset)), (all(10), Some(last as u64)));
        }
    }
}

#[test]
fn a_missing_swapped_or_renamed_segment_is_refused() {
    for what in ["first", "middle", "last", "swapped", "renamed", "other"] {
        let dir = filled(true);
        let segments = paths(dir.path());
        let (first, middle, last) = (&segments[0], &segments[1], &segments[segments.len() - 1]);
        match what {
            "first" => fs::remove_file(first).expect("removes"),
            "middle" => fs::remove_file(middle).expect("removes"),
            "last" => fs::remove_file(last).expect("removes"),
            "swapped" => {
                let bytes = fs::read(middle).expect("reads");
                fs::copy(last, middle).expect("copies");
                fs::write(last, bytes).expect("writes");
            }
            "renamed" => {
                fs::rename(last, disk::segment_path(dir.path(), 1000)).expect("renames");
            }
            _ => {
                // The same segment of another journal of the same name and key.
                let other = tempfile::tempdir().expect("a directory");
                let (mut journal, _) = Journal::open(other.path(), options()).expect("opens");
                for seq in 0..12 {
                    journal.append_sync(&[entry(seq), entry(100)]).expect("appends");
                }
                drop(journal);
                let name = middle.file_name().expect("a name");
                fs::copy(other.path().join(name), middle).expect("copies");
            }
        }
        let opened = Journal::open(dir.path(), options());
        assert!(opened.is_err(), "{what}: {opened:?}");
    }
}

#[test]
fn another_name_key_or_checkpoint_is_refused() {
    let dir = filled(true);
    let other_name = Options { origin: "other".into(), ..options() };
    let error = Journal::open(dir.path(), other_name).expect_err("another name");
    assert!(matches!(error, OpenError::Checkpoint { .. }), "{error}");

    fs::remove_file(dir.path().join(read::CHECKPOINT)).expect("removes");
    let other_name = Options { origin: "other".into(), ..options() };
    let error = Journal::open(dir.path(), other_name).expect_err("another name");
    assert!(matches!(error, OpenError::OtherJournal { .. }), "{error}");

    let other_key = options().signed_by(SigningKey::from_bytes(&[4; 32]));
    let error = Journal::open(dir.path(), other_key).expect_err("another key");
    let OpenError::Broken { source, .. } = error else { panic!("{error}") };
    assert!(matches!(source, VerifyError::Signature { .. }), "{source}");

    let point = Checkpoint { origin: "test".into(), size: 12, root: [0; 32] };
    let witnessed = Options { witnessed: vec![point], ..options() };
    let error = Journal::open(dir.path(), witnessed).expect_err("another story");
    let OpenError::Broken { source, .. } = error else { panic!("{error}") };
    assert_eq!(source, VerifyError::Story { checkpoint: 12 });

    fs::write(dir.path().join(read::CHECKPOINT), "test\n12\nAAAA\n\n").expect("writes");
    let error = Journal::open(dir.path(), options()).expect_err("not a checkpoint");
    assert!(matches!(error, OpenError::Checkpoint { .. }), "{error}");

    let spaced = Options { origin: "a name".into(), ..options() };
    assert!(matches!(Journal::open(dir.path(), spaced), Err(OpenError::Origin(_))));
}

#[test]
fn a_second_writer_is_kept_out_until_the_first_is_gone() {
    let dir = filled(true);
    let first = Journal::open(dir.path(), options()).expect("opens");
    let second = Journal::open(dir.path(), options());
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
    drop(first);
    assert!(Journal::open(dir.path(), options()).is_ok());
}

#[test]
fn what_a_killed_writer_left_behind_is_removed() {
    let dir = filled(true);
    let left = dir.path().join("00000000000000000012.segment.tmp");
    fs::write(&left, b"half a hea").expect("writes");
    drop(Journal::open(dir.path(), options()).expect("opens"));
    assert!(!left.exists());
}

#[test]
fn checkpoints_are_stored_as_records_pass() {
    let dir = tempfile::tempdir().expect("a directory");
    let often = Options { checkpoint_records: 2, ..options() };
    let (mut journal, _) = Journal::open(dir.path(), often).expect("opens");
    for seq in 0..5 {
        journal.append_sync(&[entry(seq)]).expect("appends");
    }
    let note = fs::read_to_string(dir.path().join(read::CHECKPOINT)).expect("stored");
    let owner = Some(public_key(&key()));
    assert_eq!(Checkpoint::open(&note, "test", owner).expect("opens").size, 4);
    assert_eq!(journal.checkpoint().expect("stores").lines().nth(1), Some("5"));
}

#[test]
fn opening_stores_the_checkpoint_that_a_crash_left_out() {
    let dir = filled(true);
    let checkpoint = dir.path().join(read::CHECKPOINT);
    let old = fs::read(&checkpoint).expect("stored");
    fill(dir.path(), 2);
    // Killed before it could close: the checkpoint is two records behind.
    fs::write(&checkpoint, old).expect("writes");
    drop(Journal::open(dir.path(), options()).expect("opens"));
    // From now on the last record cannot be lost unseen.
    let path = paths(dir.path()).pop().expect("a segment");
    let bytes = fs::read(&path).expect("reads");
    fs::write(&path, &bytes[..bytes.len() - 1]).expect("writes");
    let opened = Journal::open(dir.path(), options());
    assert!(matches!(opened, Err(OpenError::Broken { .. })), "{opened:?}");
}

#[test]
fn a_follower_reads_on_over_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut journal, _) = Journal::open(dir.path(), options()).expect("opens");
    let mut follower = Follower::starting_at(dir.path(), 0).expect("starts");
    let mut seen = Vec::new();
    for round in 0..20_u64 {
        journal.append_sync(&[entry(2 * round), entry(2 * round + 1)]).expect("appends");
        if round % 3 == 0 {
            let size = journal.head().size;
            follower
                .follow(size, &mut |group| {
                    seen.extend(group.entries().map(<[u8]>::to_vec));
                    Ok(())
                })
                .expect("follows");
            assert_eq!(seen, all(size));
        }
    }
    let error = follower.follow(1000, &mut |_| Ok(())).expect_err("not there");
    assert!(matches!(error, FollowError::Missing { seq: 40, .. }), "{error}");
    let mut late = Follower::starting_at(dir.path(), 33).expect("starts");
    let mut first = None;
    let mut note = |group: &proof::record::Group<'_>| {
        first.get_or_insert(group.head.first_seq);
        Ok(())
    };
    late.follow(40, &mut note).expect("follows");
    assert!(first.is_some_and(|seq| seq <= 33 && seq > 20), "{first:?}");
}

/// A journal with four entries on a disk whose faults can be set.
fn on_faulty_disk() -> (TempDir, Journal, SimDisk) {
    let dir = tempfile::tempdir().expect("a directory");
    fill(dir.path(), 2);
    let wide = Options { segment_bytes_max: Options::SEGMENT_BYTES, ..options() };
    let disk = SimDisk::new(dir.path(), Faults::default());
    let on = Box::new(disk.clone());
    let (journal, _) = Journal::open_on(on, dir.path(), wide, &mut |_, _| Ok(())).expect("opens");
    (dir, journal, disk)
}

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_the_journal_goes_on() {
    for room in [0, 1, 7, 8, 67, 100, 200] {
        let (dir, mut journal, faults) = on_faulty_disk();
        faults.set(Faults { room: Some(room), ..Faults::default() });
        let big = vec![7; 300];
        for _ in 0..2 {
            let error = journal.append_sync(&[&big]).expect_err("no room");
            assert!(matches!(error, AppendError::Write { .. }), "{error}");
            assert_eq!(journal.next_seq(), 4);
            assert_eq!(look(dir.path()).expect("holds"), (all(4), None));
        }
        faults.set(Faults::default());
        assert_eq!(journal.append_sync(&[entry(4)]).expect("there is room again"), 4);
        assert_eq!(look(dir.path()).expect("holds"), (all(5), None));
    }
}

#[test]
fn an_unconfirmed_write_closes_the_journal_until_it_is_opened_again() {
    let half = Faults { room: Some(50), cut: true, ..Faults::default() };
    let unsynced = Faults { sync: true, ..Faults::default() };
    for (fault, entries) in [(half, 4), (unsynced, 5)] {
        let (dir, mut journal, faults) = on_faulty_disk();
        faults.set(fault);
        let error = journal.append_sync(&[entry(4)]).expect_err("not confirmed");
        assert!(matches!(error, AppendError::Unsure { .. }), "{error}");
        faults.set(Faults::default());
        let errors = [journal.append(b"x").err(), journal.sync().err(), journal.checkpoint().err()];
        for error in errors {
            assert!(matches!(error, Some(AppendError::Closed { .. })), "{error:?}");
        }
        drop(journal);
        let (mut journal, replay) = Journal::open(dir.path(), options()).expect("opens");
        assert_eq!(replay.map(|(_, bytes)| bytes).collect::<Vec<_>>(), all(entries));
        assert_eq!(journal.append_sync(&[entry(entries)]).expect("goes on"), entries);
    }
}

#[test]
fn a_segment_that_began_against_the_disks_word_is_not_passed_over() {
    let dir = tempfile::tempdir().expect("a directory");
    fill(dir.path(), 2);
    let disk = SimDisk::new(dir.path(), Faults::default());
    let on = Box::new(disk.clone());
    let opened = Journal::open_on(on, dir.path(), options(), &mut |_, _| Ok(()));
    let (mut journal, _) = opened.expect("opens");
    // The long record needs the next segment; its renaming is done but reported as failed.
    let rename = disk.points().len() as u64 + 3;
    disk.set(Faults { errors: rename..rename + 1, has_effect: true, ..Faults::default() });
    let error = journal.append_sync(&[vec![1; 400]]).expect_err("no segment");
    assert_eq!(disk.points()[rename as usize].what, "rename a file");
    assert!(matches!(error, AppendError::Unsure { .. }), "{error}");
    // A short one would fit the old segment, which must not grow now.
    let error = journal.append_sync(&[entry(4)]).expect_err("closed");
    assert!(matches!(error, AppendError::Closed { .. }), "{error}");
    drop(journal);
    let (mut journal, replay) = Journal::open(dir.path(), options()).expect("opens");
    assert_eq!(replay.map(|(_, bytes)| bytes).collect::<Vec<_>>(), all(4));
    assert_eq!(journal.append_sync(&[entry(4)]).expect("goes on"), 4);
}

#[test]
fn what_is_too_long_is_refused_and_leaves_nothing_in_line() {
    let (_dir, mut journal, _) = on_faulty_disk();
    let error = journal.append_sync(&[vec![0; 5], vec![0; ENTRY_BYTES_MAX + 1]]);
    assert!(matches!(error, Err(AppendError::TooLarge { .. })), "{error:?}");
    assert_eq!(journal.append_sync(&[entry(4)]).expect("nothing in line"), 4);
}
