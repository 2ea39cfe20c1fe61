//! What all accounts hold at a checkpoint: a tree over them, and the signed note that covers it.
//!
//! The leaves of the account tree (RFC 6962, as the tree over the entries) are the accounts that
//! were ever named, in the order of their ids, with all their sums. The note is a checkpoint with
//! two more lines, which C2SP's tlog-checkpoint allows, so that whoever can check a checkpoint can
//! check it too:
//!
//! ```text
//! tessera/ledger/3f…
//! 17
//! 2jHk…=
//! accounts 5 kq0w…=           how many accounts, and the root of the tree over them
//! snapshot 9fBd…=             BLAKE3 of a snapshot's bytes; not when it is a state alone
//!
//! — tessera/ledger/3f… kB2…=
//! ```

use ed25519_dalek::SigningKey;
use protocol::{AccountId, Digest, PublicKey, wire};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::{self, Hash};
use crate::note;

/// Most bytes of an encoded [`AccountState`]: an account and four of the largest sums.
pub const ACCOUNT_STATE_BYTES_MAX: usize = 128;

/// An account and the sums over its transfers, micro-tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// The account.
    pub account: Account,
    /// Left.
    pub debits_posted: u128,
    /// Arrived.
    pub credits_posted: u128,
    /// Set aside to leave.
    pub debits_pending: u128,
    /// Set aside to arrive.
    pub credits_pending: u128,
}

/// Bytes that are no account's state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountStateError {
    /// Not its encoding.
    #[error("the bytes are not the state of an account")]
    Decode(#[from] protocol::DecodeError),
    /// Not its canonical bytes.
    #[error("the account's bytes are not canonical; another program than Tessera wrote them")]
    NotCanonical,
}

impl AccountState {
    /// The account's id.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.account.id()
    }

    /// The canonical bytes: a leaf of the account tree.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// See [`AccountStateError`]; hostile bytes never panic.
    pub fn decode(bytes: &[u8]) -> Result<Self, AccountStateError> {
        let state: Self = wire::decode(bytes, ACCOUNT_STATE_BYTES_MAX)?;
        if state.encode() == bytes { Ok(state) } else { Err(AccountStateError::NotCanonical) }
    }

    /// Hash of the canonical bytes: a leaf of the account tree.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        merkle::leaf(&self.encode())
    }
}

/// A checkpoint, and what all accounts held there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The entries.
    pub checkpoint: Checkpoint,
    /// Number of accounts.
    pub accounts: u64,
    /// Root of the tree over them.
    pub accounts_root: Hash,
    /// BLAKE3 of a snapshot of all that the ledger knew there.
    pub snapshot: Option<Digest>,
}

impl State {
    /// The text that is signed.
    #[must_use]
    pub fn body(&self) -> String {
        let (accounts, root) = (self.accounts, note::hash_text(&self.accounts_root));
        let mut body = self.checkpoint.body() + &format!("accounts {accounts} {root}\n");
        if let Some(snapshot) = &self.snapshot {
            body += &format!("snapshot {}\n", note::hash_text(&snapshot.0));
        }
        body
    }

    /// The text with a signature.
    #[must_use]
    pub fn to_note(&self, key: &SigningKey) -> String {
        note::seal(&self.body(), &self.checkpoint.origin, Some(key))
    }

    /// Reads a state of `origin` that `key` signed.
    ///
    /// # Errors
    /// See [`CheckpointError`]; hostile text never panics.
    pub fn open(note: &str, origin: &str, key: PublicKey) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let (checkpoint, more) = Checkpoint::open_extended(note, origin, Some(key))?;
        let (accounts, snapshot) = more
            .strip_suffix('\n')
            .map(|more| more.split_once('\n').map_or((more, None), |(one, two)| (one, Some(two))))
            .ok_or(malformed("it says nothing of accounts"))?;
        let (accounts, root) = accounts
            .strip_prefix("accounts ")
            .and_then(|text| text.split_once(' '))
            .ok_or(malformed("it says nothing of accounts"))?;
        let snapshot =
            match snapshot.map(|text| text.strip_prefix("snapshot ")) {
                None => None,
                Some(text) => Some(text.and_then(note::parse_hash).map(Digest).ok_or(
                    malformed("the line after its accounts is not the hash of a snapshot"),
                )?),
            };
        let state = Self {
            checkpoint,
            accounts: accounts.parse().map_err(|_why| malformed("not a number of accounts"))?,
            accounts_root: note::parse_hash(root)
                .ok_or(malformed("the accounts' root is not 32 bytes in base64"))?,
            snapshot,
        };
        if !note.starts_with(&(state.body() + "\n")) {
            return Err(malformed("a number or hash is not in its one canonical form"));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use protocol::sign::public_key;

    use super::*;
    use crate::account;
    use crate::checkpoint::ledger_origin;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn state(snapshot: Option<Digest>) -> State {
        let origin = ledger_origin(public_key(&key(1)));
        let checkpoint = Checkpoint { origin, size: 17, root: [9; 32] };
        State { checkpoint, accounts: 5, accounts_root: [8; 32], snapshot }
    }

    #[test]
    fn a_state_opens_as_itself_and_as_a_checkpoint() {
        let owner = public_key(&key(1));
        for state in [state(None), state(Some(Digest([7; 32])))] {
            let (note, origin) = (state.to_note(&key(1)), &state.checkpoint.origin);
            assert_eq!(State::open(&note, origin, owner), Ok(state.clone()));
            assert_eq!(Checkpoint::open(&note, origin, Some(owner)), Ok(state.checkpoint.clone()));
            let other = State::open(&note, origin, public_key(&key(2)));
            assert!(matches!(other, Err(CheckpointError::Signature(_))));
            let plain = state.checkpoint.to_note(Some(&key(1)));
            assert!(matches!(
                State::open(&plain, origin, owner),
                Err(CheckpointError::Malformed(_))
            ));
        }
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let (state, owner) = (state(Some(Digest([7; 32]))), public_key(&key(1)));
        let note = state.to_note(&key(1));
        for at in 0..note.len() {
            for flip in [1, 2, 0x20] {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(altered) = String::from_utf8(bytes) else { continue };
                let opened = State::open(&altered, &state.checkpoint.origin, owner);
                assert!(opened.is_err(), "byte {at}: {altered}");
            }
        }
    }

    #[test]
    fn an_accounts_bytes_are_canonical_and_short() {
        let sum = i128::MAX as u128;
        let state = AccountState {
            account: account::wallet(PublicKey([0xff; 32])),
            debits_posted: sum,
            credits_posted: sum,
            debits_pending: sum,
            credits_pending: sum,
        };
        assert_eq!(AccountState::decode(&state.encode()), Ok(state));
        let mut longer = state.encode();
        longer.push(0);
        assert!(AccountState::decode(&longer).is_err());
        let small = AccountState { debits_posted: 0, ..state };
        let mut bytes = small.encode();
        bytes.splice(33..34, [0x80, 0x00]);
        assert_eq!(AccountState::decode(&bytes), Err(AccountStateError::NotCanonical));
        assert_ne!(small.leaf(), state.leaf());
    }
}
