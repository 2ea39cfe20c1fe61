//! Ledger API (bodies follow).
use crate::{Account, Transfer};
use protocol::view::{LedgerCheck, StatementPage};
use protocol::{AccountId, PublicKey, SigningKey, Tokens, TransferId};
use std::path::Path;

/// How a ledger is kept.
#[derive(Debug, Clone, Default)]
pub struct Options {}
/// The ledger.
#[derive(Debug)]
pub struct Ledger;
/// An account's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// Micro-tokens that are the account's; below zero for issuance only.
    pub posted: i128,
    /// Set aside to leave.
    pub pending_debits: Tokens,
    /// Set aside to arrive.
    pub pending_credits: Tokens,
    /// Free to spend.
    pub available: Tokens,
}
/// What became of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Now.
    Applied {
        /// Entry.
        seq: u64,
    },
    /// Before.
    AlreadyApplied {
        /// Entry.
        seq: u64,
    },
}
/// A durable batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// One per transfer, in order.
    pub outcomes: Vec<Outcome>,
    /// Time of the entries (never goes back).
    pub time_ms: u64,
}
/// Why a batch was not applied (nothing of it was).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Not enough tokens available.
    #[error("x")]
    NotEnough {
        /// Which transfer of the batch.
        transfer: TransferId,
        /// account
        account: Account,
        /// free
        available: Tokens,
        /// wanted
        amount: Tokens,
    },
    /// The id was used for another transfer.
    #[error("x")]
    IdReused {
        /// id
        transfer: TransferId,
    },
}
/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// x
    #[error("x")]
    X(PublicKey),
}
/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// x
    #[error("x")]
    X,
}
impl Ledger {
    /// Opens or makes the ledger in `dir` (`dir/journal`, `dir/index`).
    pub fn open(_dir: &Path, _key: SigningKey, _options: &Options) -> Result<Self, OpenError> {
        unimplemented!()
    }
    /// Applies a batch, all or nothing; durable when it returns.
    pub fn apply(&mut self, _batch: &[Transfer], _now_ms: u64) -> Result<Applied, ApplyError> {
        unimplemented!()
    }
    /// Several batches with one fdatasync; each is atomic for itself.
    pub fn apply_all(
        &mut self,
        _batches: &[&[Transfer]],
        _now_ms: u64,
    ) -> Result<Vec<Result<Applied, ApplyError>>, ApplyError> {
        unimplemented!()
    }
    /// Ends pending transfers whose time is over; returns them.
    pub fn expire(&mut self, _now_ms: u64) -> Result<Vec<Transfer>, ApplyError> {
        unimplemented!()
    }
    /// Balance of an account; zero for one never used.
    pub fn balance(&self, _account: impl Into<AccountId>) -> Balance {
        unimplemented!()
    }
    /// Newest first.
    pub fn statement(
        &self,
        _account: impl Into<AccountId>,
        _offset: u64,
        _limit: u32,
    ) -> Result<StatementPage, StatementError> {
        unimplemented!()
    }
    /// What an account is, when it was ever used.
    pub fn account(&self, _id: AccountId) -> Option<Account> {
        unimplemented!()
    }
    /// Whether a transfer was applied.
    pub fn contains(&self, _id: TransferId) -> bool {
        unimplemented!()
    }
    /// An open pending transfer.
    pub fn pending(&self, _id: TransferId) -> Option<&Transfer> {
        unimplemented!()
    }
    /// Verifies everything.
    pub fn check(&self) -> LedgerCheck {
        unimplemented!()
    }
    /// Signed checkpoint text for nodes and clients.
    pub fn checkpoint(&mut self) -> Result<String, ApplyError> {
        unimplemented!()
    }
}
