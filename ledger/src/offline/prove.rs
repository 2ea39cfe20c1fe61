//! Proofs of entries and balances.

use std::path::Path;

use proof::merkle::{self, Hash};
use proof::{
    Checkpoint, CheckpointError, Consistency, Event, Proof, ProofKind, State, ledger_origin,
};
use protocol::{AccountId, PublicKey, SigningKey, TransferId};

use super::verify_journal;
use crate::journal::{self, OpenError, Signatures, Source};
use crate::ledger::JOURNAL_DIR;
use crate::snapshot;

/// What is to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// That a transfer was applied.
    Transfer(TransferId),
    /// That the journal has an entry.
    Entry(u64),
    /// What an account held.
    Account(AccountId),
}

/// Against which signed note.
#[derive(Debug, Clone, Copy, Default)]
pub struct Against<'a> {
    /// A checkpoint that somebody keeps; otherwise the one that is stored beside the journal.
    pub kept: Option<&'a str>,
    /// The ledger's key, which signs what all accounts held there. Without it balances are proven
    /// against a snapshot.
    pub key: Option<&'a SigningKey>,
}

/// Why nothing was proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The journal does not hold, or does not agree with the checkpoint.
    #[error("nothing is proven: the ledger does not hold, or is not that of the checkpoint")]
    Journal(#[from] OpenError),
    /// The checkpoint does not hold.
    #[error("the checkpoint that was given does not hold")]
    Kept(#[source] CheckpointError),
    /// There is no checkpoint to prove against.
    #[error("no checkpoint is stored beside the journal; open the ledger once, or name one")]
    NoCheckpoint,
    /// The transfer or account is not in the ledger.
    #[error("the ledger has no such entry or account")]
    Unknown,
    /// It came after the checkpoint.
    #[error(
        "it is entry {seq}, and the checkpoint covers the first {size}; try again against a later \
         one: a scheduler stores one every half minute"
    )]
    Later {
        /// Its entry.
        seq: u64,
        /// Entries at the checkpoint.
        size: u64,
    },
    /// Nobody signed what accounts held there.
    #[error("no snapshot is at entry {size}, and without the ledger's key no state can be signed")]
    NoState {
        /// Entries at the checkpoint.
        size: u64,
    },
}

/// Proves an entry or a balance of the ledger of `key` in `dir`. The journal is read and verified
/// as a whole.
///
/// # Errors
/// See [`ProveError`].
pub fn prove(
    dir: &Path,
    key: PublicKey,
    wanted: Wanted,
    against: Against<'_>,
) -> Result<Proof, ProveError> {
    match wanted {
        Wanted::Account(account) => prove_account(dir, key, account, against),
        Wanted::Transfer(_) | Wanted::Entry(_) => prove_entry(dir, key, wanted, against),
    }
}

fn prove_entry(
    dir: &Path,
    key: PublicKey,
    wanted: Wanted,
    against: Against<'_>,
) -> Result<Proof, ProveError> {
    let (note, point) = checkpoint(dir, key, against.kept)?;
    let (mut tree, mut found) = (merkle::Tree::default(), None);
    verify_journal(dir, key, std::slice::from_ref(&point), &mut |books, entry, bytes| {
        let seq = books.size() - 1;
        let is_wanted = match (wanted, &entry.event) {
            (Wanted::Entry(wanted), _) => wanted == seq,
            (Wanted::Transfer(id), Event::Transfer(transfer)) => transfer.id == id,
            _ => false,
        };
        if is_wanted {
            found = Some((seq, bytes.to_vec()));
        }
        tree.push(merkle::leaf(bytes));
        Ok(())
    })?;
    let (seq, content) = found.ok_or(ProveError::Unknown)?;
    let size = point.size;
    let path = tree.inclusion(seq, size).ok_or(ProveError::Later { seq, size })?;
    Ok(Proof { kind: ProofKind::Entry, content, index: seq, path, note })
}

/// Shows that the ledger of `key` in `dir` goes on from its first `old_size` entries to a checkpoint
/// that somebody keeps, or to the stored one. The journal is read and verified as a whole.
///
/// # Errors
/// See [`ProveError`].
pub fn prove_consistency(
    dir: &Path,
    key: PublicKey,
    old_size: u64,
    kept: Option<&str>,
) -> Result<Consistency, ProveError> {
    let (note, point) = checkpoint(dir, key, kept)?;
    let size = point.size;
    if old_size > size {
        return Err(ProveError::Later { seq: old_size - 1, size });
    }
    let mut tree = merkle::Tree::default();
    verify_journal(dir, key, &[point], &mut |_books, _entry, bytes| {
        tree.push(merkle::leaf(bytes));
        Ok(())
    })?;
    let path = tree.consistency(old_size, size).unwrap_or_default();
    Ok(Consistency { old_size, path, note })
}

fn prove_account(
    dir: &Path,
    key: PublicKey,
    account: AccountId,
    against: Against<'_>,
) -> Result<Proof, ProveError> {
    let origin = ledger_origin(key);
    let journal = dir.join(JOURNAL_DIR);
    let kept = against.kept.map(|note| Checkpoint::open(note, &origin, Some(key)));
    let kept = kept.transpose().map_err(ProveError::Kept)?;
    // A state to sign at a checkpoint, or one that was signed with a snapshot.
    let (point, signed) = match (against.key, &kept) {
        (Some(_), Some(kept)) => (kept.clone(), None),
        (Some(_), None) => (checkpoint(dir, key, None)?.1, None),
        (None, kept) => {
            let size = kept.as_ref().map(|kept| kept.size);
            let found = snapshot::list(&journal).unwrap_or_default();
            let good = |path: &Path| snapshot::note(path, &origin, key).ok();
            let state = found
                .into_iter()
                .filter(|(at, _)| size.is_none_or(|size| size == *at))
                .find_map(|(_, path)| Some((good(&path)?, snapshot::note_text(&path).ok()?)));
            let (state, note) = state.ok_or(ProveError::NoState { size: size.unwrap_or(0) })?;
            (state.checkpoint.clone(), Some((state, note)))
        }
    };
    let mut states = None;
    let points: Vec<Checkpoint> = kept.into_iter().chain([point.clone()]).collect();
    verify_journal(dir, key, &points, &mut |books, _entry, _bytes| {
        if books.size() == point.size {
            states = Some(books.account_states().collect::<Vec<_>>());
        }
        Ok(())
    })?;
    let states = states.unwrap_or_default();
    let index = states.iter().position(|state| state.id() == account).ok_or(ProveError::Unknown)?;
    let leaves: Vec<Hash> = states.iter().map(proof::AccountState::leaf).collect();
    let accounts = leaves.len() as u64;
    let tree: merkle::Tree = leaves.into_iter().collect();
    let accounts_root = tree.root(accounts).expect("invariant: the account is among them");
    let note = match (signed, against.key) {
        (Some((state, _)), _) if state.accounts_root != accounts_root => {
            return Err(ProveError::NoState { size: point.size });
        }
        (Some((_, note)), _) => note,
        (None, Some(key)) => {
            State { checkpoint: point, accounts, accounts_root, snapshot: None }.to_note(key)
        }
        (None, None) => unreachable!("without a key there is a snapshot, or an error"),
    };
    let (kind, content, index) = (ProofKind::Account, states[index].encode(), index as u64);
    let path = tree.inclusion(index, accounts).expect("invariant: it was found among them");
    Ok(Proof { kind, content, index, path, note })
}

/// The checkpoint to prove against, with its note.
fn checkpoint(
    dir: &Path,
    key: PublicKey,
    kept: Option<&str>,
) -> Result<(String, Checkpoint), ProveError> {
    let (dir, origin) = (dir.join(JOURNAL_DIR), ledger_origin(key));
    if let Some(note) = kept {
        let point = Checkpoint::open(note, &origin, Some(key)).map_err(ProveError::Kept)?;
        return Ok((note.to_owned(), point));
    }
    let (key, signatures) = (Some(key), Signatures::Last);
    let source = Source { dir: &dir, origin: &origin, key, signatures, witnessed: &[] };
    journal::stored_checkpoint(&source)?.ok_or(ProveError::NoCheckpoint)
}
