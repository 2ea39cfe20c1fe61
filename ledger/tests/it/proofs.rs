//! Proofs of entries and balances, made by the operator, checked by anyone.

use std::fs;
use std::path::Path;

use ledger::offline::{self, Against, ProveError, Wanted};
use ledger::{JOURNAL_DIR, Options};
use proof::{Proof, Proven};
use protocol::PublicKey;
use tempfile::TempDir;

use crate::kill::batch;
use crate::{escrow, grant, id, key, open, public, small, wallet};

fn filled(snapshot_entries: u64) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { index: false, snapshot_entries, ..small() };
    let mut ledger = open(dir.path(), &options);
    for _ in 0..20 {
        let size = ledger.head().size;
        ledger.apply(&batch(size), size).expect("applies");
    }
    dir
}

fn proven(dir: &Path, wanted: Wanted, against: Against<'_>) -> Proven {
    let proof = offline::prove(dir, public(), wanted, against).expect("proves");
    let text = proof.to_text();
    // Whoever checks has nothing but the text and the key.
    Proof::parse(&text).expect("its text").check(public()).expect("holds")
}

#[test]
fn a_transfer_and_an_entry_are_proven_against_the_stored_checkpoint() {
    let dir = filled(0);
    let size = offline::verify(dir.path(), public(), &[]).expect("holds").head.size;
    for wanted in [Wanted::Transfer(id(0)), Wanted::Entry(0)] {
        let proven = proven(dir.path(), wanted, Against::default());
        let Proven::Entry { seq: 0, entry, checkpoint } = proven else { panic!("{proven:?}") };
        assert_eq!((entry.transfer().id, checkpoint.size), (id(0), size));
    }
    for wanted in [Wanted::Transfer(id(999_999)), Wanted::Entry(size)] {
        let error = offline::prove(dir.path(), public(), wanted, Against::default());
        assert!(matches!(error, Err(ProveError::Unknown)), "{error:?}");
    }
    let error =
        offline::prove(dir.path(), PublicKey([0; 32]), Wanted::Entry(0), Against::default());
    assert!(matches!(error, Err(ProveError::Journal(_))), "{error:?}");
}

#[test]
fn a_kept_checkpoint_is_proven_against_as_it_was() {
    let dir = filled(0);
    let kept = fs::read_to_string(dir.path().join(JOURNAL_DIR).join("checkpoint")).expect("one");
    let mut ledger = open(dir.path(), &Options { index: false, snapshot_entries: 0, ..small() });
    let later = ledger.apply(&[grant(5000, wallet(9), 7)], 5000).expect("applies");
    let against = Against { kept: Some(&kept), key: None };
    let Proven::Entry { checkpoint, .. } = proven(dir.path(), Wanted::Entry(3), against) else {
        panic!("an entry")
    };
    assert!(kept.starts_with(&checkpoint.body()));
    let error = offline::prove(dir.path(), public(), Wanted::Transfer(id(5000)), against);
    assert!(matches!(error, Err(ProveError::Later { .. })), "{later:?}: {error:?}");
    let forged = kept.replace("\n\n", "x\n\n");
    let against = Against { kept: Some(&forged), key: None };
    let error = offline::prove(dir.path(), public(), Wanted::Entry(3), against);
    assert!(matches!(error, Err(ProveError::Kept(_))), "{error:?}");
}

#[test]
fn a_balance_is_proven_with_the_key_or_at_a_snapshot() {
    let (signing, snapshot) = (key(), filled(20));
    let with_key = Against { kept: None, key: Some(&signing) };
    let books = offline::verify(snapshot.path(), public(), &[]).expect("holds").books;
    for account in [escrow(1), wallet(1)] {
        let totals = books.totals(account.id());
        let wanted = Wanted::Account(account.id());
        let Proven::Account { account: found, checkpoint } =
            proven(snapshot.path(), wanted, with_key)
        else {
            panic!("an account")
        };
        assert_eq!((found, checkpoint.size), (totals.of_account(account), books.size()));
        // A snapshot is older, or as old.
        let Proven::Account { account: found, checkpoint } =
            proven(snapshot.path(), wanted, Against::default())
        else {
            panic!("an account")
        };
        assert!(found.account == account && checkpoint.size <= books.size());
    }
    let nobody = Wanted::Account(wallet(77).id());
    let error = offline::prove(snapshot.path(), public(), nobody, with_key);
    assert!(matches!(error, Err(ProveError::Unknown)), "{error:?}");
    let bare = filled(0);
    let error =
        offline::prove(bare.path(), public(), Wanted::Account(wallet(1).id()), Against::default());
    assert!(matches!(error, Err(ProveError::NoState { .. })), "{error:?}");
}
