//! Leases, commitments and verdicts: the words of trust.

use serde::{Deserialize, Serialize};

use crate::id::{Digest, JobId, LeaseId, NodeId, PublicKey};
use crate::job::{RayCount, Unit};
use crate::piece::Piece;
use crate::sign::{Signable, Signed};
use crate::tokens::Tokens;

/// The version of everything that decides a film's bits. Films of two engines never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Engine(pub u32);

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "engine {}", self.0)
    }
}

/// How a node's films are compared with the scheduler's; assigned from a golden tile with a
/// fresh seed, never claimed by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Films equal the CPU reference bit for bit.
    Exact,
    /// Films agree within the tolerance test, and are checked on more pixels.
    Tolerant,
}

/// One (tile, batch) handed to one node until a deadline. A twin looks the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Id, unguessable.
    pub id: LeaseId,
    /// The node it was handed to.
    pub node: NodeId,
    /// What is to be rendered.
    pub piece: Piece,
    /// Hash of the nonce that will pick the challenge's pixels: it binds the scheduler before
    /// the node commits.
    pub nonce_hash: Digest,
    /// Most that the unit pays.
    pub pay_max: Tokens,
    /// When the lease lapses, milliseconds since 1970 by the scheduler's clock.
    pub deadline_ms: u64,
}

impl Signable for Lease {
    const DOMAIN: &'static str = "tessera 2026 lease v2";
}

impl Lease {
    /// Hash that commits to a nonce before it is shown.
    #[must_use]
    pub fn nonce_hash(nonce: &[u8; 32]) -> Digest {
        Digest::of("tessera 2026 lease nonce v1", &[nonce])
    }
}

/// A node's word on its result, given before it learns which pixels are challenged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The lease answered.
    pub lease: LeaseId,
    /// The node that answers.
    pub node: NodeId,
    /// What was rendered: [`Piece::digest`] of the lease.
    pub piece: Digest,
    /// BLAKE3 of the film's bytes: every AOV, sample and ray count.
    pub root: Digest,
    /// Rays traced, the sum over the film's pixels.
    pub rays: RayCount,
    /// The engine that rendered.
    pub engine: Engine,
}

impl Commitment {
    /// The signed form of a commitment of which only the signature was kept.
    #[must_use]
    pub fn signed(&self, signature: [u8; 64]) -> Signed<Self> {
        Signed::from_parts(self, self.node.into(), signature)
    }
}

impl Signable for Commitment {
    const DOMAIN: &'static str = "tessera 2026 commitment v2";
}

/// An owner's word that a node is his: what the node earns goes to his wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerBinding {
    /// The node.
    pub node: NodeId,
}

impl Signable for OwnerBinding {
    const DOMAIN: &'static str = "tessera 2026 owner binding v1";
}

/// What became of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The lease judged.
    pub lease: LeaseId,
    /// The unit it was for.
    pub unit: Unit,
    /// The node judged.
    pub node: NodeId,
    /// The film that was judged.
    pub root: Digest,
    /// The decision.
    pub kind: VerdictKind,
    /// Hash of the signed [`Evidence`](crate::Evidence) that a refusal rests on.
    pub evidence: Option<Digest>,
}

impl Signable for Verdict {
    const DOMAIN: &'static str = "tessera 2026 verdict v1";
}

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerdictKind {
    /// The pixels agreed.
    Accepted {
        /// Pixels rendered again.
        pixels_checked: u32,
        /// Rays that are paid for, as recounted.
        rays: RayCount,
        /// The node's pay.
        pay: Tokens,
    },
    /// The film is wrong; it is not used and not paid.
    Refused(Refusal),
    /// Two films of one unit differ; a third render decides.
    Disputed {
        /// The root of the other film.
        other_root: Digest,
    },
    /// The node, a verifier, said of the pixels of this film what a trusted render contradicts.
    WrongFinding {
        /// Whether it had found the film's own values, and the film is bad; or others, and it is good.
        agreed: bool,
    },
    /// An appeal has shown that the node was right: what was taken is returned.
    Overturned {
        /// Held pay that goes to the owner's wallet.
        returned: Tokens,
        /// Stake that is at risk again.
        stake: Tokens,
        /// Pay for the film itself.
        pay: Tokens,
    },
}

/// Why a film was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The film's bytes are not a film of the leased size.
    #[error("the film does not have the leased size or layout")]
    Shape,
    /// The bytes do not hash to the committed root, or the signed ray count is not their sum.
    #[error("the film's bytes are not the ones committed to")]
    Root,
    /// Rendered by another engine.
    #[error("rendered by {got}, the job is pinned to {wanted}")]
    Engine {
        /// The engine named in the commitment.
        got: Engine,
        /// The job's engine.
        wanted: Engine,
    },
    /// A value that light cannot have.
    #[error("pixel {x},{y} holds a value that is not finite")]
    NotFinite {
        /// Pixel column.
        x: u32,
        /// Pixel row.
        y: u32,
    },
    /// A pixel has another number of samples than the batch.
    #[error("pixel {x},{y} counts {got} samples, the batch has {wanted}")]
    Samples {
        /// Pixel column.
        x: u32,
        /// Pixel row.
        y: u32,
        /// Samples counted in the film.
        got: u32,
        /// Samples of the batch.
        wanted: u32,
    },
    /// The challenge's pixels, rendered again, differ.
    #[error("{differing} of {checked} challenged pixels differ, the first at {x},{y}")]
    Pixels {
        /// Challenged pixels that differ.
        differing: u32,
        /// Challenged pixels.
        checked: u32,
        /// Column of the first that differs.
        x: u32,
        /// Row of the first that differs.
        y: u32,
    },
    /// Another film of the unit, confirmed by a trusted render, differs.
    #[error("it differs from a trusted render of the same tile in {differing} pixels")]
    Duplicate {
        /// Pixels that differ.
        differing: u32,
    },
    /// Something that no honest film can hold, found without rendering; in words.
    #[error("{0}")]
    Implausible(String),
}

/// A node's owner: the bound key, or the node itself.
#[must_use]
pub fn owner_or_node(owner: Option<PublicKey>, node: NodeId) -> PublicKey {
    owner.unwrap_or_else(|| node.into())
}

/// Id of a job: nobody can choose it, and the same order twice is one job.
#[must_use]
pub fn job_id(order: &crate::order::Order) -> JobId {
    JobId(Digest::of("tessera 2026 job id v1", &[&crate::wire::encode(order)]).truncated())
}
