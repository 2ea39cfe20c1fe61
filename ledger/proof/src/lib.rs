//! Verifying what the ledger says of itself with nothing but its public key: accounts and
//! entries, the journal's records and hash chain, signed checkpoints, proofs of inclusion.
//!
//! **Architecture invariant:** this crate does no I/O, reads no clock and draws no randomness. It
//! is small on purpose: nodes and clients run it on bytes they do not trust.
//!
//! | module | what |
//! | --- | --- |
//! | [`account`], [`entry`] | the words of the ledger |
//! | [`record`] | segments and records: the bytes on disk |
//! | [`verify`] | chain, sequence, signatures and checkpoints of a journal |
//! | [`merkle`] | the tree over all entries (RFC 6962), inclusion and consistency |
//! | [`checkpoint`] | signed heads that others keep (C2SP signed note, tlog-checkpoint) |
//! | [`state`] | what all accounts held there: the account tree |
//! | [`inclusion`] | proofs of an entry or of a balance, as text (C2SP tlog-proof) |
//! | [`consistency`] | proofs that a ledger goes on from where it was, as text (C2SP tlog-witness) |
//! | [`witness`] | co-signatures of those who checked that (C2SP tlog-cosignature) |
//! | [`receipt`] | what a receipt proves |

pub mod account;
pub mod checkpoint;
pub mod consistency;
pub mod entry;
pub mod inclusion;
pub mod merkle;
mod note;
pub mod receipt;
pub mod record;
pub mod state;
pub mod verify;
pub mod witness;

pub use account::Account;
pub use checkpoint::{Checkpoint, CheckpointError, claimed_key, ledger_origin};
pub use consistency::{Consistency, ConsistencyError, Fork};
pub use entry::{Code, Entry, EntryError, Event, Link, Transfer, TransferKind, transfer_id};
pub use inclusion::{Kind as ProofKind, Proof, ProofError, Proven};
pub use state::{AccountState, AccountStateError, State};
pub use verify::{Head, Place, Signatures, Verifier, VerifyError};
pub use witness::Cosignature;
