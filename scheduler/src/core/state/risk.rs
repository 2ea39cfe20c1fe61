//! What is doubted, what was taken for it, and what may still be.

use std::collections::BTreeSet;

use protocol::{Challenge, JobId, LeaseId, NodeId, PublicKey, Tokens, Unit};
use serde::{Deserialize, Serialize};

use super::Hold;
use crate::core::event::{FilmRef, Finding};

/// An accepted film that is being checked once more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recheck {
    /// The lease whose film convicted the node.
    pub cause: LeaseId,
    /// Its pay, which is on the appeal account now.
    pub hold: Hold,
}

/// A conviction that can still be appealed against, or is being.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conviction {
    /// Who was convicted.
    pub node: NodeId,
    /// Whose node it was when it got the lease.
    pub owner: PublicKey,
    /// What a verifier had said of the film.
    pub audit: Option<Audit>,
    /// The film, a verifier's being somebody else's; none where it was refused for what it holds, and was not kept.
    pub film: Option<FilmRef>,
    /// Of which unit.
    pub unit: Unit,
    /// Index of the unit in its job.
    pub unit_index: u32,
    /// Whose job it is.
    pub artist: PublicKey,
    /// The average price of the unit: what the artist gets for the wait.
    pub harm: Tokens,
    /// Pay for the film that the node lost, or never had.
    pub lost: Tokens,
    /// Held pay on the appeal account that no bad film has used up.
    pub taken: Tokens,
    /// Stake on the appeal account.
    pub stake: Tokens,
    /// When.
    pub since_ms: u64,
    /// How far an appeal is.
    pub appeal: Appeal,
}

/// A verifier's word on a film, and the challenge that it answers. Where the trusted renderer looks as
/// well, that is decided whatever becomes of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The film.
    pub film: FilmRef,
    /// Its job.
    pub job: JobId,
    /// Index of the unit in the job.
    pub unit_index: u32,
    /// Which pixels.
    pub challenge: Challenge,
    /// What the verifier says.
    pub finding: Finding,
    /// Whether it was believed, and paid, before anybody looked.
    pub believed: bool,
}

/// How far an appeal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Appeal {
    /// Nobody has appealed yet.
    Open,
    /// The tile is being rendered again.
    Asked,
    /// The conviction stands.
    Upheld,
    /// The film was good.
    Overturned,
}

/// An accepted film that is doubted: by its artist, or because who vouched for it was wrong elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dispute {
    /// The job.
    pub job: JobId,
    /// Index of the unit in the job.
    pub unit_index: u32,
    /// The film.
    pub film: FilmRef,
    /// What it was paid.
    pub pay: Tokens,
    /// What the artist loses if it is good; nothing where he has not asked, and then only some pixels
    /// are looked at.
    pub fee: Tokens,
    /// Number of the movement that sets the fee aside, until the ledger has done it.
    pub seq: Option<u64>,
}

/// What an owner of nodes has at risk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stake {
    /// At risk, and counted.
    pub amount: Tokens,
    /// Asked back: still at risk, no longer counted.
    pub leaving: Tokens,
    /// When what was asked back goes to the wallet.
    pub leaves_ms: u64,
    /// Times that some went back.
    pub withdrawals: u64,
    /// The owner's numbers of what was put at risk: each counts once.
    pub said: BTreeSet<[u8; 16]>,
}
