//! Proofs from hashes on disk equal those from the whole journal, however the hashes are lost.

use std::fs;

use proof::merkle::{Tree as Whole, leaf};
use proof::{Code, Transfer, account, entry::transfer_id};
use protocol::sign::public_key;
use protocol::{PublicKey, SigningKey, Tokens};
use tempfile::TempDir;

use super::*;
use crate::ledger::{JOURNAL_DIR, Ledger, Options, TREE_DIR};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn open(dir: &Path) -> Ledger {
    // Segments of some dozen records, so that tiles begin in the middle of most of them.
    let options = Options { segment_bytes_max: 9000, ..Options::default() };
    Ledger::open(dir, key(), &options).expect("opens")
}

/// Writes entries in records of many sizes, up to `until`.
fn grow(ledger: &mut Ledger, until: u64) {
    while ledger.head().size < until {
        let size = ledger.head().size;
        let count = (1 + size % 37).min(until - size);
        let pair = (account::issuance(), account::wallet(PublicKey([1; 32])));
        let grant = |number: u64| {
            let id = transfer_id("tree", &[&number.to_le_bytes()]);
            Transfer::posted(id, pair, Tokens::from_micro(100), Code::Grant)
        };
        let batch: Vec<Transfer> = (size..size + count).map(grant).collect();
        ledger.apply(&batch, 1000 + size).expect("applies");
    }
}

/// The tree over the journal, read the long way.
fn whole(dir: &Path, size: u64) -> Whole {
    let (mut tree, journal) = (Whole::default(), dir.join(JOURNAL_DIR));
    let mut follower = Follower::starting_at(&journal, 0).expect("lists");
    let followed = follower.follow(size, &mut |group| {
        group.entries().for_each(|entry| tree.push(leaf(entry)));
        Ok(())
    });
    followed.expect("reads");
    tree
}

fn filled(size: u64) -> (TempDir, Ledger) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path());
    grow(&mut ledger, size);
    (dir, ledger)
}

fn note(ledger: &mut Ledger) -> String {
    ledger.checkpoint_if_behind().expect("stored")
}

/// Every proof at these places, against the whole tree.
fn compare(dir: &Path, ledger: &mut Ledger, places: &[u64]) {
    let size = ledger.head().size;
    let (note, prover, tree) = (note(ledger), ledger.prover().expect("kept"), whole(dir, size));
    let asked: Vec<u64> = places.iter().copied().filter(|&at| at < size).collect();
    let proofs = prover.entries(&asked, &note).expect("proves");
    for (proof, &seq) in proofs.iter().zip(&asked) {
        assert_eq!(proof.index, seq);
        assert_eq!(Some(&proof.path), tree.inclusion(seq, size).as_ref(), "entry {seq} of {size}");
        proof.check(public_key(&key())).expect("holds");
    }
    for &old in &asked {
        let proof = prover.consistency(old, &note).expect("proves");
        assert_eq!(proof.path, tree.consistency(old, size).unwrap_or_default(), "{old} of {size}");
    }
}

const PLACES: [u64; 14] = [0, 1, 2, 100, 255, 256, 257, 511, 512, 700, 1023, 1024, 1500, 70_000];

#[test]
fn proofs_equal_those_of_the_whole_journal() {
    let (dir, mut ledger) = filled(1);
    for size in [2, 255, 256, 257, 600, 1024, 1801] {
        grow(&mut ledger, size);
        compare(dir.path(), &mut ledger, &PLACES);
    }
    // Closed and opened, it goes on where it was.
    drop(ledger);
    let mut ledger = open(dir.path());
    compare(dir.path(), &mut ledger, &PLACES);
    grow(&mut ledger, 2600);
    compare(dir.path(), &mut ledger, &PLACES);
    let note = note(&mut ledger);
    let prover = ledger.prover().expect("kept");
    let beyond = prover.entries(&[2600], &note);
    assert!(matches!(beyond, Err(ProverError::Beyond { size: 2600, asked: 2600 })), "{beyond:?}");
    let beyond = prover.consistency(2601, &note);
    assert!(matches!(beyond, Err(ProverError::Beyond { .. })), "{beyond:?}");
}

#[test]
fn an_upper_level_is_read_from_its_file() {
    let (dir, mut ledger) = filled(66_000);
    compare(dir.path(), &mut ledger, &[0, 3, 65_535, 65_536, 65_999]);
    drop(ledger);
    assert!(dir.path().join(TREE_DIR).join("2").is_file());
    compare(dir.path(), &mut open(dir.path()), &[0, 65_536, 65_999]);
}

#[test]
fn hashes_that_are_lost_or_damaged_are_made_again() {
    let (dir, mut ledger) = filled(1801);
    compare(dir.path(), &mut ledger, &PLACES);
    drop(ledger);
    let tree = dir.path().join(TREE_DIR);
    for name in ["head", "places", "0", "1"] {
        let path = tree.join(name);
        let bytes = fs::read(&path).expect("reads");
        // Gone, cut short, and full of zeros as a power cut may leave it.
        for altered in [None, Some(bytes[..bytes.len() / 2].to_vec()), Some(vec![0; bytes.len()])] {
            match &altered {
                None => fs::remove_file(&path).expect("removes"),
                Some(altered) => fs::write(&path, altered).expect("writes"),
            }
            let mut ledger = open(dir.path());
            let (note, prover) = (note(&mut ledger), ledger.prover().expect("kept"));
            let asked: Vec<u64> = PLACES.iter().copied().filter(|&at| at < 1801).collect();
            // Nothing wrong is handed out; soon after, all is right.
            let tries = (0..3).map(|_try| prover.entries(&asked, &note));
            let proofs = tries.skip_while(|proofs| matches!(proofs, Err(ProverError::Damaged)));
            let proofs = proofs.take(1).next().expect("made again").expect("proves");
            for proof in proofs {
                proof.check(public_key(&key())).expect("holds");
            }
            compare(dir.path(), &mut ledger, &PLACES);
        }
    }
}

#[test]
fn hashes_of_another_journal_are_not_believed() {
    let (one, ledger) = filled(700);
    drop(ledger);
    let other = tempfile::tempdir().expect("a directory");
    let mut ledger = open(other.path());
    // As many entries, of other times.
    let pair = (account::issuance(), account::treasury());
    let first = transfer_id("other", &[]);
    let first = Transfer::posted(first, pair, Tokens::from_micro(1), Code::Grant);
    ledger.apply(&[first], 5).expect("applies");
    grow(&mut ledger, 700);
    drop(ledger);
    fs::remove_dir_all(other.path().join(TREE_DIR)).expect("removes");
    fs::rename(one.path().join(TREE_DIR), other.path().join(TREE_DIR)).expect("moves");
    compare(other.path(), &mut open(other.path()), &PLACES);
}

#[test]
fn a_note_of_another_key_is_proven_against_by_nobody() {
    let (_dir, ledger) = filled(10);
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let origin = ledger_origin(public_key(&key()));
    let forged = Checkpoint { origin, size: 5, root: [1; 32] };
    let prover = ledger.prover().expect("kept");
    let refused = prover.consistency(3, &forged.to_note(Some(&stranger)));
    assert!(matches!(refused, Err(ProverError::Note(_))), "{refused:?}");
    // One that the ledger's own key signed, though it is of another history.
    let refused = prover.consistency(3, &forged.to_note(Some(&key())));
    assert!(matches!(refused, Err(ProverError::Damaged)), "{refused:?}");
}
