//! Proofs that an entry is in a ledger, or what an account held, as text that anyone can check
//! with the ledger's public key alone.
//!
//! The form is C2SP's tlog-proof (c2sp.org/tlog-proof); of an account only the first line differs,
//! for its tree is another:
//!
//! ```text
//! c2sp.org/tlog-proof@v1      or tessera/account-proof@v1
//! extra AAEB…                 the entry, or the account and its sums, base64
//! index 12                    number of the leaf
//! 2jHk…=                      hashes from the leaf up to the root
//! kq0w…=
//!
//! tessera/ledger/3f…          a checkpoint, or a state (see [`crate::state`])
//! 17
//! …
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::PublicKey;

use crate::checkpoint::{Checkpoint, CheckpointError, ledger_origin};
use crate::entry::{ENTRY_BYTES_MAX, Entry, EntryError};
use crate::merkle::{self, Hash};
use crate::note;
use crate::state::{AccountState, AccountStateError, State};

/// Most bytes of a proof's text: a note, an entry, and a path as long as any tree is high.
pub const PROOF_BYTES_MAX: usize = 16 << 10;
/// No tree of 2⁶⁴ leaves is higher.
const PATH_MAX: usize = 64;

const ENTRY_HEADER: &str = "c2sp.org/tlog-proof@v1";
const ACCOUNT_HEADER: &str = "tessera/account-proof@v1";

/// What a proof is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An entry of the journal.
    Entry,
    /// What an account held.
    Account,
}

/// A proof; believed only after [`Proof::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What it is about.
    pub kind: Kind,
    /// The entry's or account's canonical bytes.
    pub content: Vec<u8>,
    /// Number of the leaf.
    pub index: u64,
    /// Hashes from the leaf up to the root.
    pub path: Vec<Hash>,
    /// The signed note that names the root.
    pub note: String,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// The ledger has this entry.
    Entry {
        /// Its number.
        seq: u64,
        /// The entry.
        entry: Entry,
        /// The checkpoint that covers it.
        checkpoint: Checkpoint,
    },
    /// The account held this.
    Account {
        /// Its sums.
        account: AccountState,
        /// The checkpoint at which it did.
        checkpoint: Checkpoint,
    },
}

/// A proof that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Not the form of a proof.
    #[error("the text is not a proof: {0}")]
    Malformed(&'static str),
    /// Its note does not hold.
    #[error("the proof's checkpoint does not hold")]
    Note(#[from] CheckpointError),
    /// Its entry is none.
    #[error("the proof's entry cannot be read")]
    Entry(#[from] EntryError),
    /// Its account is none.
    #[error("the proof's account cannot be read")]
    Account(#[from] AccountStateError),
    /// The hashes do not lead to the root.
    #[error(
        "the hashes do not tie it to the checkpoint; it was altered, or never was in the ledger"
    )]
    Path,
}

impl Proof {
    /// The proof as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let header = match self.kind {
            Kind::Entry => ENTRY_HEADER,
            Kind::Account => ACCOUNT_HEADER,
        };
        let (extra, index) = (STANDARD.encode(&self.content), self.index);
        let path = note::path_text(&self.path);
        format!("{header}\nextra {extra}\nindex {index}\n{path}\n{}", self.note)
    }

    /// Reads a proof; nothing of it is checked yet.
    ///
    /// # Errors
    /// [`ProofError::Malformed`]; hostile text never panics.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed;
        if text.len() > PROOF_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        let (head, note) =
            text.split_once("\n\n").ok_or(malformed("no empty line before its checkpoint"))?;
        let mut lines = head.split('\n');
        let kind = match lines.next() {
            Some(ENTRY_HEADER) => Kind::Entry,
            Some(ACCOUNT_HEADER) => Kind::Account,
            _ => return Err(malformed("its first line is not known here")),
        };
        let content = lines.next().and_then(|line| line.strip_prefix("extra "));
        let content = content
            .filter(|text| text.len() <= 2 * ENTRY_BYTES_MAX)
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or(malformed("no entry or account in it"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index =
            index.and_then(|text| text.parse().ok()).ok_or(malformed("no number of a leaf"))?;
        let path =
            note::parse_path(lines, PATH_MAX).ok_or(malformed("a line of it is not a hash"))?;
        Ok(Self { kind, content, index, path, note: note.to_owned() })
    }

    /// Checks the proof against the key of the ledger it speaks of.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn check(&self, key: PublicKey) -> Result<Proven, ProofError> {
        let (origin, leaf) = (ledger_origin(key), merkle::leaf(&self.content));
        let leads_to = |size, root| {
            let is_in = merkle::is_included(leaf, self.index, size, &self.path, root);
            if is_in { Ok(()) } else { Err(ProofError::Path) }
        };
        match self.kind {
            Kind::Entry => {
                let checkpoint = Checkpoint::open(&self.note, &origin, Some(key))?;
                leads_to(checkpoint.size, &checkpoint.root)?;
                let entry = Entry::decode(&self.content)?;
                Ok(Proven::Entry { seq: self.index, entry, checkpoint })
            }
            Kind::Account => {
                let state = State::open(&self.note, &origin, key)?;
                leads_to(state.accounts, &state.accounts_root)?;
                let account = AccountState::decode(&self.content)?;
                Ok(Proven::Account { account, checkpoint: state.checkpoint })
            }
        }
    }
}

impl Proven {
    /// The checkpoint that the proof leads to.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        match self {
            Self::Entry { checkpoint, .. } | Self::Account { checkpoint, .. } => checkpoint,
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;
    use protocol::Tokens;
    use protocol::sign::public_key;

    use super::*;
    use crate::entry::{Code, Event, Transfer, transfer_id};
    use crate::{Account, account};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn entry(number: u64) -> Entry {
        let pair = (account::issuance(), account::treasury());
        let id = transfer_id("proof", &[&number.to_le_bytes()]);
        let transfer = Transfer::posted(id, pair, Tokens::from_micro(1), Code::Grant);
        Entry { time_ms: number, event: Event::Transfer(transfer) }
    }

    fn state(account: Account, sum: u128) -> AccountState {
        let (debits_posted, debits_pending, credits_pending) = (0, 0, 0);
        AccountState {
            account,
            debits_posted,
            credits_posted: sum,
            debits_pending,
            credits_pending,
        }
    }

    /// A proof of each kind, of leaf 5 of 11.
    fn proofs() -> [Proof; 2] {
        let entries: Vec<Vec<u8>> = (0..11).map(|number| entry(number).encode()).collect();
        let account = |number| state(account::wallet(PublicKey([number; 32])), number.into());
        let accounts: Vec<Vec<u8>> = (0..11).map(|number| account(number).encode()).collect();
        let leaves = |all: &[Vec<u8>]| -> Vec<Hash> {
            all.iter().map(|bytes| merkle::leaf(bytes)).collect()
        };
        let (entry_leaves, account_leaves) = (leaves(&entries), leaves(&accounts));
        let origin = ledger_origin(public_key(&key(1)));
        let checkpoint = Checkpoint { origin, size: 11, root: merkle::root(&entry_leaves) };
        let accounts_root = merkle::root(&account_leaves);
        let state =
            State { checkpoint: checkpoint.clone(), accounts: 11, accounts_root, snapshot: None };
        let proof = |kind, all: &[Vec<u8>], leaves: &[Hash], note| Proof {
            kind,
            content: all[5].clone(),
            index: 5,
            path: leaves
                .iter()
                .copied()
                .collect::<merkle::Tree>()
                .inclusion(5, 11)
                .expect("a leaf"),
            note,
        };
        [
            proof(Kind::Entry, &entries, &entry_leaves, checkpoint.to_note(Some(&key(1)))),
            proof(Kind::Account, &accounts, &account_leaves, state.to_note(&key(1))),
        ]
    }

    #[test]
    fn a_proof_holds_under_its_key_only() {
        for proof in proofs() {
            let text = proof.to_text();
            let read = Proof::parse(&text).expect("its own text");
            assert_eq!((&read, read.to_text()), (&proof, text));
            let proven = read.check(public_key(&key(1))).expect("holds");
            assert_eq!(proven.checkpoint().size, 11);
            match proven {
                Proven::Entry { seq, entry: found, .. } => assert_eq!((seq, found), (5, entry(5))),
                Proven::Account { account, .. } => assert_eq!(account.credits_posted, 5),
            }
            assert!(matches!(read.check(public_key(&key(2))), Err(ProofError::Note(_))));
        }
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        for proof in proofs() {
            let text = proof.to_text();
            let good = proof.check(public_key(&key(1)));
            for at in 0..text.len() {
                for flip in [1, 2, 0x20] {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= flip;
                    let Ok(altered) = String::from_utf8(bytes) else { continue };
                    let checked =
                        Proof::parse(&altered).and_then(|it| it.check(public_key(&key(1))));
                    // Another way to write the same index, `+5`, proves nothing else.
                    assert!(checked.is_err() || checked == good, "byte {at}: {altered}");
                }
            }
        }
    }

    #[test]
    fn another_entry_or_sum_is_not_proven() {
        let [entry_proof, account_proof] = proofs();
        let forged = [
            Proof { content: entry(6).encode(), ..entry_proof.clone() },
            Proof { index: 6, ..entry_proof.clone() },
            Proof { kind: Kind::Account, note: account_proof.note.clone(), ..entry_proof },
            Proof { content: state(account::fee(), 5).encode(), ..account_proof },
        ];
        for proof in forged {
            assert_eq!(proof.check(public_key(&key(1))), Err(ProofError::Path), "{proof:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in "(?s).{0,300}", cut in 0_usize..900) {
            prop_assert!(Proof::parse(&text).is_err());
            for proof in proofs() {
                let start: String = proof.to_text().chars().take(cut).collect();
                if let Ok(read) = Proof::parse(&(start + &text)) {
                    let checked = read.check(public_key(&key(1)));
                    prop_assert!(checked.is_err() || checked == proof.check(public_key(&key(1))));
                }
            }
        }
    }
}
