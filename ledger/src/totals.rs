//! What an account adds up to, and how an event changes the two accounts it names.

use proof::{Account, AccountState, Event, TransferKind};
use protocol::Tokens;
use serde::{Deserialize, Serialize};

/// Most micro-tokens that may ever move: sums then fit a signed number.
pub const MICRO_TOKENS_MAX: u128 = i128::MAX as u128;

/// Sums over the transfers of an account, micro-tokens. Posted sums only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Left.
    pub debits_posted: u128,
    /// Arrived.
    pub credits_posted: u128,
    /// Set aside to leave.
    pub debits_pending: u128,
    /// Set aside to arrive.
    pub credits_pending: u128,
}

/// What an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// Micro-tokens that are the account's, those set aside to leave included. Below zero for
    /// issuance only.
    pub posted: i128,
    /// Set aside to leave.
    pub pending_debits: Tokens,
    /// Set aside to arrive.
    pub pending_credits: Tokens,
    /// Free to spend; of issuance, which may go below zero, it is nothing.
    pub available: Tokens,
}

impl Totals {
    /// Posted credits less posted debits, micro-tokens.
    #[must_use]
    pub const fn posted(&self) -> i128 {
        // Both are at most MICRO_TOKENS_MAX, so neither conversion nor difference overflows.
        self.credits_posted as i128 - self.debits_posted as i128
    }

    /// What is free to spend; below zero for issuance only.
    #[must_use]
    pub const fn available(&self) -> i128 {
        self.posted() - self.debits_pending as i128
    }

    /// The same in words of the ledger.
    #[must_use]
    pub fn balance(&self) -> Balance {
        Balance {
            posted: self.posted(),
            pending_debits: Tokens::from_micro(self.debits_pending),
            pending_credits: Tokens::from_micro(self.credits_pending),
            available: Tokens::from_micro(self.available().try_into().unwrap_or(0)),
        }
    }

    /// The same as a leaf of the account tree.
    #[must_use]
    pub const fn of_account(&self, account: Account) -> AccountState {
        let Self { debits_posted, credits_posted, debits_pending, credits_pending } = *self;
        AccountState { account, debits_posted, credits_posted, debits_pending, credits_pending }
    }

    /// Adds other totals, or `None` when a sum passes [`MICRO_TOKENS_MAX`].
    pub(crate) fn checked_add(&self, other: &Self) -> Option<Self> {
        let add = |a: u128, b: u128| a.checked_add(b).filter(|&sum| sum <= MICRO_TOKENS_MAX);
        Some(Self {
            debits_posted: add(self.debits_posted, other.debits_posted)?,
            credits_posted: add(self.credits_posted, other.credits_posted)?,
            debits_pending: add(self.debits_pending, other.debits_pending)?,
            credits_pending: add(self.credits_pending, other.credits_pending)?,
        })
    }

    /// Takes other totals away, or `None` below zero.
    pub(crate) fn checked_sub(&self, other: &Self) -> Option<Self> {
        Some(Self {
            debits_posted: self.debits_posted.checked_sub(other.debits_posted)?,
            credits_posted: self.credits_posted.checked_sub(other.credits_posted)?,
            debits_pending: self.debits_pending.checked_sub(other.debits_pending)?,
            credits_pending: self.credits_pending.checked_sub(other.credits_pending)?,
        })
    }
}

impl From<AccountState> for Totals {
    fn from(state: AccountState) -> Self {
        let AccountState { debits_posted, credits_posted, debits_pending, credits_pending, .. } =
            state;
        Self { debits_posted, credits_posted, debits_pending, credits_pending }
    }
}

/// How an event changes its accounts: what moves, what is set aside, what is free again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effect {
    pub moved: u128,
    pub set_aside: u128,
    pub freed: u128,
}

impl Effect {
    pub(crate) const fn of(event: &Event) -> Self {
        let none = Self { moved: 0, set_aside: 0, freed: 0 };
        match event {
            Event::Expired(transfer) => Self { freed: transfer.amount.micro(), ..none },
            Event::Transfer(transfer) => {
                let amount = transfer.amount.micro();
                match transfer.kind {
                    TransferKind::Posted => Self { moved: amount, ..none },
                    TransferKind::Pending { .. } => Self { set_aside: amount, ..none },
                    TransferKind::Post { amount: moved, .. } => {
                        Self { moved: moved.micro(), freed: amount, ..none }
                    }
                    TransferKind::Void { .. } => Self { freed: amount, ..none },
                }
            }
        }
    }

    /// Changes the account that tokens leave.
    pub(crate) fn on_debit(&self, totals: &Totals) -> Option<Totals> {
        let more = Totals {
            debits_posted: self.moved,
            debits_pending: self.set_aside,
            ..Totals::default()
        };
        let less = Totals { debits_pending: self.freed, ..Totals::default() };
        totals.checked_add(&more)?.checked_sub(&less)
    }

    /// Changes the account that tokens reach.
    pub(crate) fn on_credit(&self, totals: &Totals) -> Option<Totals> {
        let more = Totals {
            credits_posted: self.moved,
            credits_pending: self.set_aside,
            ..Totals::default()
        };
        let less = Totals { credits_pending: self.freed, ..Totals::default() };
        totals.checked_add(&more)?.checked_sub(&less)
    }
}
