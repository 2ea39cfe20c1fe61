//! What can become of a batch, and what can be wrong with a journal's entries or the books.

use proof::Account;
use protocol::{Tokens, TransferId};

use crate::journal::AppendError;
use crate::totals::{MICRO_TOKENS_MAX, Totals};

/// Most transfers of one batch (TigerBeetle's bound, for the same reason: a batch is one write).
pub const BATCH_TRANSFERS_MAX: usize = 8190;

/// Why a batch was not applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// More transfers than a batch may have.
    #[error("a batch of {0} transfers is over the limit of {BATCH_TRANSFERS_MAX}; split it")]
    BatchTooLarge(usize),
    /// A transfer of nothing.
    #[error("{transfer} moves nothing; an amount must be at least 0.000001")]
    NoAmount {
        /// The transfer.
        transfer: TransferId,
    },
    /// From an account to itself.
    #[error("{transfer} goes from the {account} to itself")]
    SameAccount {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: Account,
    },
    /// The account holds less.
    #[error("{transfer} takes {amount} from the {account}, which has {available} available")]
    NotEnough {
        /// The transfer.
        transfer: TransferId,
        /// The account that tokens should leave.
        account: Account,
        /// What it has available.
        available: Tokens,
        /// What was asked of it.
        amount: Tokens,
    },
    /// The id belongs to a transfer with other content.
    #[error("{transfer} was applied with other content as entry {seq}; an id names one transfer")]
    IdReused {
        /// The transfer.
        transfer: TransferId,
        /// Entry that used the id.
        seq: u64,
    },
    /// A post or void of a transfer that never was, or was not a pending one.
    #[error("{transfer} would end {pending}, which is not a pending transfer")]
    NotPending {
        /// The transfer.
        transfer: TransferId,
        /// What it would end.
        pending: TransferId,
    },
    /// A post or void of a transfer that has ended.
    #[error("{transfer} would end {pending}, which was {ended} already")]
    Ended {
        /// The transfer.
        transfer: TransferId,
        /// What it would end.
        pending: TransferId,
        /// How that ended.
        ended: Ended,
    },
    /// A post or void of a transfer whose time is over.
    #[error("{transfer} would end {pending}, whose time was over at {expired_ms} ms, now {now_ms}")]
    TooLate {
        /// The transfer.
        transfer: TransferId,
        /// What it would end.
        pending: TransferId,
        /// When that expired, milliseconds since 1970.
        expired_ms: u64,
        /// The time now.
        now_ms: u64,
    },
    /// A post or void that does not repeat its pending transfer's accounts and amount.
    #[error("{transfer} names another {field} than the pending {pending} that it ends")]
    Differs {
        /// The transfer.
        transfer: TransferId,
        /// What it would end.
        pending: TransferId,
        /// Which field.
        field: &'static str,
    },
    /// A post of more than was set aside.
    #[error("{transfer} posts {amount} of a pending {set_aside}")]
    PostsMore {
        /// The transfer.
        transfer: TransferId,
        /// What it would move.
        amount: Tokens,
        /// What was set aside.
        set_aside: Tokens,
    },
    /// Sums would pass what the ledger can count.
    #[error("{transfer} would bring a sum over {MICRO_TOKENS_MAX} micro-tokens")]
    Overflow {
        /// The transfer.
        transfer: TransferId,
    },
    /// The clock is further ahead than it can be.
    #[error(
        "the clock says {now_ms} ms since 1970, but it can be at most {believed_ms}; set it right \
         and try again, or if it is right, open the ledger again"
    )]
    ClockAhead {
        /// What it says, milliseconds since 1970.
        now_ms: u64,
        /// The latest time that would have been believed, milliseconds since 1970.
        believed_ms: u64,
    },
    /// The whole journal gives other books than the snapshot that the ledger was opened from.
    #[error("the ledger takes no more: {0}")]
    Contradicted(String),
    /// The journal could not record it.
    #[error("the journal did not record the batch")]
    Journal(#[from] AppendError),
}

/// How a pending transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was posted.
    Posted,
    /// It was voided.
    Voided,
    /// Its time ran out.
    Expired,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Posted => "posted",
            Self::Voided => "voided",
            Self::Expired => "expired",
        })
    }
}

/// What became of a transfer of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was applied now.
    Applied {
        /// Its entry.
        seq: u64,
    },
    /// The same transfer had been applied before.
    AlreadyApplied {
        /// Its entry.
        seq: u64,
    },
}

impl Outcome {
    /// Whether the transfer had been applied before.
    #[must_use]
    pub const fn was_applied_before(self) -> bool {
        matches!(self, Self::AlreadyApplied { .. })
    }
}

/// An entry of the journal that the rules do not allow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Entries come in another order than they were numbered.
    #[error("entry {got} comes where entry {expected} should")]
    Sequence {
        /// Its number.
        got: u64,
        /// The number that should come.
        expected: u64,
    },
    /// Time went backwards.
    #[error("the entry's time {time_ms} ms is before the last entry's {last_ms} ms")]
    Time {
        /// Its time.
        time_ms: u64,
        /// The time of the entry before.
        last_ms: u64,
    },
    /// The same id twice.
    #[error("{0} is in the journal twice")]
    Twice(TransferId),
    /// An expiry of what had not expired.
    #[error("{0} is said to have expired, but is not a pending transfer whose time was over")]
    NotExpired(TransferId),
    /// A transfer that would have been refused.
    #[error("the transfer should have been refused")]
    Refused(#[source] ApplyError),
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// Debits and credits differ.
    #[error("debits and credits differ: {0:?}")]
    Unequal(Totals),
    /// The running sums are not the sums.
    #[error("the running sums {running:?} are not the sums over the accounts {counted:?}")]
    Sums {
        /// As kept.
        running: Box<Totals>,
        /// As counted.
        counted: Box<Totals>,
    },
    /// An account below zero that may not be.
    #[error("the {0} is below zero")]
    BelowZero(Account),
    /// What is set aside is not the sum of the open pending transfers.
    #[error("accounts have {set_aside} micro-tokens set aside, open transfers {open}")]
    Pending {
        /// Over the accounts.
        set_aside: u128,
        /// Over the open transfers.
        open: u128,
    },
}
