//! Entries of the ledger's journal: transfers, and the ends of those that were never resolved.

use std::fmt;

use protocol::{Digest, JobId, Tokens, TransferId, Unit, wire};
use serde::{Deserialize, Serialize};

use crate::account::Account;

/// Most bytes of an encoded [`Entry`]: twice what the longest one takes.
pub const ENTRY_BYTES_MAX: usize = 512;

/// Tokens moving, or set aside to move, from one account to another.
///
/// The model is TigerBeetle's: a transfer is never changed; the same id twice is one transfer;
/// a two-phase transfer is set aside with [`TransferKind::Pending`] and ends once, by
/// [`TransferKind::Post`], [`TransferKind::Void`] or expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Chosen by the caller from what the transfer pays for, so that a repetition is harmless.
    pub id: TransferId,
    /// Where tokens leave.
    pub debit: Account,
    /// Where tokens arrive.
    pub credit: Account,
    /// How much; never zero. A post or void repeats the accounts and the amount of its pending
    /// transfer, so that every entry can be read alone.
    pub amount: Tokens,
    /// Why.
    pub code: Code,
    /// In one step, or in which of two.
    pub kind: TransferKind,
    /// What caused it.
    pub link: Link,
}

/// In one step, or in which of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferKind {
    /// The tokens move at once.
    Posted,
    /// The tokens are set aside until the transfer is posted or voided, or expires.
    Pending {
        /// Milliseconds until it expires, counted from the entry's time; 0 for never.
        timeout_ms: u64,
    },
    /// Moves what was set aside, or less; the rest is free again.
    Post {
        /// The pending transfer.
        pending: TransferId,
        /// What moves: at least 1, at most the pending amount.
        amount: Tokens,
    },
    /// Frees what was set aside.
    Void {
        /// The pending transfer.
        pending: TransferId,
    },
}

/// Why tokens move. The list only grows: its order is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Code {
    /// Issued by the operator.
    Grant,
    /// A job's price, from the artist's wallet.
    Escrow,
    /// Pay for verified work.
    Pay,
    /// The farm's fee.
    Fee,
    /// The share that pays for checking.
    Reserve,
    /// Held pay comes free.
    Release,
    /// The rest of an escrow goes back.
    Refund,
    /// Pay for work whose only use was to check other work.
    Verification,
    /// Tokens put at risk.
    Stake,
    /// Tokens no longer at risk.
    Unstake,
    /// Tokens of a convicted node.
    Slash,
    /// The treasury bears what a quote did not foresee.
    Overrun,
    /// A wrong transfer is made good by another.
    Correction,
    /// Tokens that leave circulation.
    Burn,
}

impl Code {
    /// The code in a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Escrow => "escrow",
            Self::Pay => "pay",
            Self::Fee => "fee",
            Self::Reserve => "reserve",
            Self::Release => "release",
            Self::Refund => "refund",
            Self::Verification => "verification",
            Self::Stake => "stake",
            Self::Unstake => "unstake",
            Self::Slash => "slash",
            Self::Overrun => "overrun",
            Self::Correction => "correction",
            Self::Burn => "burn",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What caused a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Link {
    /// The job.
    pub job: Option<JobId>,
    /// The piece of it.
    pub unit: Option<Unit>,
    /// Digest of the verdict, order or grant that says so.
    pub evidence: Option<Digest>,
}

impl Link {
    /// Caused by a job.
    #[must_use]
    pub fn job(job: JobId) -> Self {
        Self { job: Some(job), ..Self::default() }
    }

    /// Caused by a piece of a job.
    #[must_use]
    pub fn unit(unit: Unit) -> Self {
        Self { job: Some(unit.job), unit: Some(unit), evidence: None }
    }

    /// The same with the digest of what says so.
    #[must_use]
    pub const fn with_evidence(self, evidence: Digest) -> Self {
        Self { evidence: Some(evidence), ..self }
    }
}

impl Transfer {
    /// Moves tokens at once.
    #[must_use]
    pub fn posted(
        id: TransferId,
        (debit, credit): (Account, Account),
        amount: Tokens,
        code: Code,
    ) -> Self {
        let (kind, link) = (TransferKind::Posted, Link::default());
        Self { id, debit, credit, amount, code, kind, link }
    }

    /// Sets tokens aside for `timeout_ms` milliseconds; 0 for ever.
    #[must_use]
    pub fn pending(
        id: TransferId,
        (debit, credit): (Account, Account),
        amount: Tokens,
        code: Code,
        timeout_ms: u64,
    ) -> Self {
        let (kind, link) = (TransferKind::Pending { timeout_ms }, Link::default());
        Self { id, debit, credit, amount, code, kind, link }
    }

    /// Moves `amount` of what `pending` set aside and frees the rest.
    #[must_use]
    pub fn post(id: TransferId, pending: &Self, amount: Tokens) -> Self {
        Self { id, kind: TransferKind::Post { pending: pending.id, amount }, ..pending.clone() }
    }

    /// Frees what `pending` set aside.
    #[must_use]
    pub fn void(id: TransferId, pending: &Self) -> Self {
        Self { id, kind: TransferKind::Void { pending: pending.id }, ..pending.clone() }
    }

    /// The same with what caused it.
    #[must_use]
    pub fn with_link(self, link: Link) -> Self {
        Self { link, ..self }
    }

    /// BLAKE3 of the canonical bytes: two transfers of one id are one when this is equal.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of("tessera 2026 transfer v1", &[&wire::encode(self)])
    }
}

/// An id for a transfer from what it pays for: the same cause gives the same id.
#[must_use]
pub fn transfer_id(purpose: &str, parts: &[&[u8]]) -> TransferId {
    let mut all = vec![purpose.as_bytes()];
    all.extend_from_slice(parts);
    TransferId(Digest::of("tessera 2026 transfer id v1", &all).truncated())
}

/// One entry of the ledger's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, milliseconds since 1970; never less than the entry's before it.
    pub time_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A transfer was applied.
    Transfer(Transfer),
    /// A pending transfer ran out of time: what it set aside is free again. The whole transfer
    /// is repeated, so that the entry can be read alone.
    Expired(Transfer),
}

/// Bytes that are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not an entry's encoding.
    #[error("the bytes are not a ledger entry")]
    Decode(#[from] protocol::DecodeError),
    /// An entry, but not in its canonical bytes.
    #[error("the entry's bytes are not canonical; another program than Tessera wrote them")]
    NotCanonical,
}

impl Entry {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// See [`EntryError`]; hostile bytes never panic.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = wire::decode(bytes, ENTRY_BYTES_MAX)?;
        if entry.encode() == bytes { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }

    /// The transfer that was applied or expired.
    #[must_use]
    pub const fn transfer(&self) -> &Transfer {
        match &self.event {
            Event::Transfer(transfer) | Event::Expired(transfer) => transfer,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::{Batch, NodeId, PublicKey, ShotIndex, TileIndex};

    use super::*;
    use crate::account;

    fn longest() -> Entry {
        let unit = Unit {
            job: JobId([0xff; 16]),
            shot: ShotIndex(u32::MAX),
            tile: TileIndex(u32::MAX),
            batch: Batch::new(1 << 31, 1 << 30).expect("aligned"),
        };
        let pending = Transfer::pending(
            TransferId([0xff; 16]),
            (account::wallet(PublicKey([0xff; 32])), account::held(NodeId([0xff; 32]))),
            Tokens::from_micro(u128::MAX),
            Code::Burn,
            u64::MAX,
        )
        .with_link(Link::unit(unit).with_evidence(Digest([0xff; 32])));
        let post = Transfer::post(TransferId([0xfe; 16]), &pending, Tokens::from_micro(u128::MAX));
        Entry { time_ms: u64::MAX, event: Event::Transfer(post) }
    }

    #[test]
    fn the_longest_entry_round_trips_within_half_the_limit() {
        let bytes = longest().encode();
        assert_eq!(Entry::decode(&bytes), Ok(longest()));
        assert!(bytes.len() <= ENTRY_BYTES_MAX / 2, "{} bytes", bytes.len());
    }

    #[test]
    fn other_bytes_for_the_same_entry_are_refused() {
        let entry = Entry { time_ms: 5, event: longest().event };
        let mut bytes = entry.encode();
        bytes.splice(0..1, [0x85, 0x00]);
        assert_eq!(Entry::decode(&bytes), Err(EntryError::NotCanonical));
    }

    #[test]
    fn a_digest_covers_every_field() {
        let Event::Transfer(post) = longest().event else { unreachable!("made above") };
        let others = [
            Transfer { amount: Tokens::from_micro(1), ..post.clone() },
            Transfer { code: Code::Pay, ..post.clone() },
            Transfer { debit: account::fee(), ..post.clone() },
            Transfer { credit: account::fee(), ..post.clone() },
            Transfer { kind: TransferKind::Posted, ..post.clone() },
            Transfer { link: Link::default(), ..post.clone() },
            Transfer { id: TransferId([0; 16]), ..post.clone() },
        ];
        assert!(others.iter().all(|other| other.digest() != post.digest()));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_good_ones_are_canonical(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..300,
            value: u8,
        ) {
            let mut altered = longest().encode();
            let at = at % altered.len();
            altered[at] = value;
            for bytes in [noise, altered] {
                if let Ok(entry) = Entry::decode(&bytes) {
                    prop_assert_eq!(entry.encode(), bytes);
                }
            }
        }
    }
}
