//! Statements: what came into an account and what left it, row by row.

use std::fmt;

use proof::{Account, Code, Entry, Event, Link, TransferKind};
use protocol::view::StatementRow;
use protocol::{Tokens, TransferId};
use serde::{Deserialize, Serialize};

use crate::totals::{Effect, Totals};

/// What an entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Moved tokens at once.
    Posted,
    /// Set tokens aside.
    SetAside,
    /// Moved what had been set aside.
    PostedPending,
    /// Freed what had been set aside.
    Voided,
    /// Freed what had been set aside, its time being over.
    Expired,
}

impl Phase {
    /// The phase of an entry.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        match event {
            Event::Expired(_) => Self::Expired,
            Event::Transfer(transfer) => match transfer.kind {
                TransferKind::Posted => Self::Posted,
                TransferKind::Pending { .. } => Self::SetAside,
                TransferKind::Post { .. } => Self::PostedPending,
                TransferKind::Void { .. } => Self::Voided,
            },
        }
    }

    /// The phase in a word; nothing for the plain one.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Posted => "",
            Self::SetAside => "set aside",
            Self::PostedPending => "posted",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }
}

/// One entry as one of its accounts sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Number of the entry.
    pub seq: u64,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// The transfer.
    pub transfer: TransferId,
    /// What the entry did.
    pub phase: Phase,
    /// Whether tokens come in.
    pub credit: bool,
    /// The other account.
    pub other: Account,
    /// How much was moved, set aside or freed.
    pub amount: Tokens,
    /// Why.
    pub code: Code,
    /// What caused it.
    pub link: Link,
    /// What the account has after it, micro-tokens; below zero for issuance only.
    pub balance: i128,
}

impl Row {
    /// An entry as its debit account, or its credit account, sees it; `after` is what that
    /// account adds up to after it.
    #[must_use]
    pub fn new(seq: u64, entry: &Entry, credit: bool, after: &Totals) -> Self {
        let transfer = entry.transfer();
        let effect = Effect::of(&entry.event);
        let micro = effect.moved.max(effect.set_aside);
        let micro = if micro == 0 { effect.freed } else { micro };
        Self {
            seq,
            time_ms: entry.time_ms,
            transfer: transfer.id,
            phase: Phase::of(&entry.event),
            credit,
            other: if credit { transfer.debit } else { transfer.credit },
            amount: Tokens::from_micro(micro),
            code: transfer.code,
            link: transfer.link,
            balance: after.posted(),
        }
    }

    /// The row as it is shown: why and in which phase in words, the balance of issuance as zero.
    #[must_use]
    pub fn view(&self) -> StatementRow {
        StatementRow {
            transfer: self.transfer,
            credit: self.credit,
            other: self.other.id(),
            other_is: self.other.to_string(),
            job: self.link.job,
            amount: self.amount,
            code: self.reason(),
            balance: Tokens::from_micro(self.balance.try_into().unwrap_or(0)),
            time_ms: self.time_ms,
        }
    }

    /// Why and in which phase: `pay`, `pay (set aside)`.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.phase.word() {
            "" => self.code.to_string(),
            phase => format!("{} ({phase})", self.code),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, from) = if self.credit { ('+', "from") } else { ('-', "to") };
        write!(f, "{} {sign}{} {} {from} {}", self.seq, self.amount, self.reason(), self.other)
    }
}
