//! A witness before an operator with two histories.

use std::fs;

use proof::merkle::{Tree, leaf};
use proof::{Checkpoint, Consistency, ledger_origin};
use protocol::sign::public_key;
use tempfile::TempDir;

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn farm() -> PublicKey {
    public_key(&key(1))
}

/// A history in which the entries from the tenth on are of this kind.
struct History(Tree);

impl History {
    fn new(kind: u8) -> Self {
        Self((0..40_u8).map(|at| leaf(&[at, if at < 10 { 0 } else { kind }])).collect())
    }

    fn shown(&self, since: u64, size: u64) -> String {
        let root = self.0.root(size).expect("inside");
        let note = Checkpoint { origin: ledger_origin(farm()), size, root }.to_note(Some(&key(1)));
        let path = self.0.consistency(since, size).unwrap_or_default();
        Consistency { old_size: since, path, note }.to_text()
    }
}

fn witness(seed: u8) -> (TempDir, Witness) {
    let dir = tempfile::tempdir().expect("a folder");
    let witness = Witness::new(dir.path().join("checkpoints"), key(seed));
    (dir, witness)
}

fn why(taken: Result<Option<Seen>, WitnessError>) -> String {
    match taken {
        Err(WitnessError::Forked { why, evidence, .. }) => {
            let mut names: Vec<_> = fs::read_dir(evidence)
                .expect("evidence")
                .map(|file| file.expect("a file").file_name())
                .collect();
            names.sort();
            assert_eq!(names, ["kept.txt", "shown.txt", "why.txt"]);
            why
        }
        other => panic!("not found: {other:?}"),
    }
}

#[test]
fn a_ledger_that_grows_is_kept_and_co_signed() {
    let (_dir, witness) = witness(2);
    let history = History::new(1);
    let seen = witness.take(farm(), 0, &history.shown(0, 12)).expect("fits").expect("first");
    assert_eq!((seen.entries, seen.line.is_some()), (12, true));
    // The same again is not signed twice.
    let seen = witness.take(farm(), 12, &history.shown(12, 12)).expect("fits").expect("the same");
    assert_eq!((seen.entries, seen.line), (12, None));
    let seen = witness.take(farm(), 12, &history.shown(12, 30)).expect("fits").expect("more");
    let [kept] = &kept(witness.folder()).expect("reads")[..] else { panic!("one farm") };
    assert_eq!((kept.farm, kept.checkpoint.size, &kept.forked), (farm(), 30, &None));
    assert!(kept.note.ends_with(&seen.line.expect("signed")));
    assert_eq!(kept.witnesses[0].witness, public_key(&key(2)));
    // Who asked before another process took a newer one asks again.
    assert_eq!(witness.take(farm(), 12, &history.shown(12, 20)).expect("no accusation"), None);
}

#[test]
fn a_rollback_and_two_histories_are_refused_with_evidence_until_a_person_decides() {
    for (shown, words) in [
        (History::new(1).shown(0, 20), "it was rolled back"),
        (History::new(2).shown(30, 30), "two histories of its first 30 entries"),
        (History::new(2).shown(30, 35), "does not go on from the 30"),
    ] {
        let (_dir, witness) = witness(2);
        let history = History::new(1);
        witness.take(farm(), 0, &history.shown(0, 30)).expect("fits");
        let before = kept(witness.folder()).expect("reads")[0].note.clone();
        let why_now = why(witness.take(farm(), 30, &shown));
        assert!(why_now.contains(words), "{why_now}");
        // It stays refused, whatever is shown, and after a restart too.
        let again = Witness::new(witness.folder(), key(2));
        assert_eq!(why(again.take(farm(), 30, &history.shown(30, 40))), why_now);
        let evidence = witness.folder().join(format!("{}.forked", farm()));
        assert_eq!(fs::read_to_string(evidence.join("kept.txt")).expect("kept"), before);
        assert_eq!(fs::read_to_string(evidence.join("shown.txt")).expect("kept"), shown);
        assert!(kept(witness.folder()).expect("reads")[0].forked.is_some());
        // Another farm is dealt with as before.
        assert_eq!(kept(witness.folder()).expect("reads").len(), 1);

        let settled = accept(witness.folder(), farm()).expect("done").expect("there was evidence");
        assert!(settled.join("kept.txt").is_file(), "evidence is never lost");
        assert_eq!(accept(witness.folder(), farm()).expect("done"), None);
        let seen = again.take(farm(), 0, &History::new(2).shown(0, 35)).expect("accepted");
        assert_eq!(seen.expect("first").entries, 35);
        // A second time the evidence gets another name.
        why(again.take(farm(), 35, &history.shown(35, 36)));
        assert_ne!(accept(witness.folder(), farm()).expect("done"), Some(settled));
    }
}

#[test]
fn what_says_nothing_accuses_nobody() {
    let (_dir, witness) = witness(2);
    let history = History::new(1);
    witness.take(farm(), 0, &history.shown(0, 30)).expect("fits");
    let good = history.shown(30, 35);
    let unsigned = good.rsplit_once("\u{2014}").expect("a signature").0.to_owned();
    for text in [String::new(), history.shown(29, 35), unsigned] {
        let taken = witness.take(farm(), 30, &text);
        assert!(matches!(taken, Err(WitnessError::Reply(_))), "{taken:?}");
    }
    assert!(witness.take(farm(), 30, &good).is_ok());
}

#[test]
fn a_damaged_kept_checkpoint_is_not_forgotten_in_silence() {
    let (_dir, witness) = witness(2);
    let history = History::new(1);
    witness.take(farm(), 0, &history.shown(0, 30)).expect("fits");
    let path = witness.folder().join(format!("{}.txt", farm()));
    let good = fs::read_to_string(&path).expect("kept");
    fs::write(&path, good.replacen("30", "20", 1)).expect("altered");
    let taken = witness.take(farm(), 20, &history.shown(20, 35));
    assert!(matches!(&taken, Err(error @ WitnessError::Damaged { .. }) if error.is_final()));
}
