//! What happens to the core, and what it asks for.

use ledger::Transfer;
use protocol::challenge::challenge_pixels;
use protocol::{
    Batch, BatchLengths, Challenge, Class, Commitment, Digest, Engine, Equipment, GivenBack, JobId,
    JobSpec, LeaseId, NodeId, NoiseTarget, Order, Piece, PublicKey, Quote, RayCount, Refusal,
    SceneId, Schedule, Signed, Steering, Tokens, Unit, Verdict, VerdictKind,
};
use serde::{Deserialize, Serialize};

use crate::core::policy::Policy;

/// What a node has said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// A name for people.
    pub name: String,
    /// Backend and device, for people.
    pub backend: String,
    /// What it renders with, and which pools it is in.
    pub equipment: Equipment,
    /// Engine of its renderer.
    pub engine: Engine,
    /// Who is paid: the bound owner, or the node itself.
    pub owner: PublicKey,
    /// Own measure of speed, metered rays a second.
    pub rays_per_second: u64,
    /// Least that it works for, tokens per billion metered rays.
    pub ask_per_gray: Tokens,
}

/// An order as the shell has checked it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    /// The job: a hash of the order.
    pub job: JobId,
    /// What is rendered.
    pub spec: JobSpec,
    /// The price taken.
    pub quote: Quote,
    /// When it is rendered.
    pub schedule: Schedule,
    /// Length of batches.
    pub batches: BatchLengths,
    /// The artist's word.
    pub order: Signed<Order>,
    /// Who pays.
    pub artist: PublicKey,
    /// When.
    pub now_ms: u64,
}

/// Something that happened. The journal holds these bytes: any change of them needs another protocol
/// version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The scheduler started. First of every run; leases in flight get a fresh deadline.
    Started {
        /// The rules from now on.
        policy: Policy,
        /// The engine from now on; jobs of another end here.
        engine: Engine,
        /// When.
        now_ms: u64,
    },
    /// The operator gives the verification reserve its first tokens, once.
    ReserveSeeded {
        /// Whose farm it is.
        scheduler: PublicKey,
        /// How much.
        amount: Tokens,
    },
    /// A node said hello.
    NodeMet {
        /// The node.
        node: NodeId,
        /// Its word.
        facts: NodeFacts,
    },
    /// A node's golden film was judged.
    Qualified {
        /// The node.
        node: NodeId,
        /// How its films are compared from now on.
        class: Class,
    },
    /// An artist took a quote; the escrow is to be filled.
    Ordered(Box<Ordered>),
    /// The artist's wallet held less than the price when the ledger was asked.
    Unfunded {
        /// The job, which is forgotten.
        job: JobId,
    },
    /// The ledger has done a batch of transfers.
    Moved {
        /// Its number.
        seq: u64,
        /// When.
        now_ms: u64,
    },
    /// A lease was handed out, as planned by [`crate::core::plan::next_grant`].
    Granted {
        /// Its id.
        lease: LeaseId,
        /// To whom.
        node: NodeId,
        /// The job.
        job: JobId,
        /// Index of the unit in the job.
        unit_index: u32,
        /// Films of the unit that must agree: 1, or 2 with a twin.
        films_wanted: u8,
        /// More pixels are challenged because no twin could be had.
        boosted: bool,
        /// When.
        now_ms: u64,
    },
    /// A node gave a lease back.
    Released {
        /// The lease.
        lease: LeaseId,
        /// What follows from it.
        why: GivenBack,
        /// When.
        now_ms: u64,
    },
    /// A lease lapsed.
    Lapsed {
        /// The lease.
        lease: LeaseId,
        /// When.
        now_ms: u64,
    },
    /// A node committed to a film, whose bytes are on disk.
    Committed {
        /// The lease.
        lease: LeaseId,
        /// Hash of the film.
        root: Digest,
        /// Rays of the film.
        rays: RayCount,
        /// The node's word.
        commitment: Signed<Commitment>,
        /// When.
        now_ms: u64,
    },
    /// A film tripped a wire before any challenge.
    Tripped {
        /// The lease.
        lease: LeaseId,
        /// Hash of what came.
        root: Digest,
        /// Which wire.
        refusal: Refusal,
        /// Hash of what shows it.
        evidence: Option<Digest>,
        /// When.
        now_ms: u64,
    },
    /// A challenge was answered by the trusted renderer.
    Judged {
        /// The lease.
        lease: LeaseId,
        /// Which challenge of the lease.
        round: u32,
        /// What came out.
        outcome: CheckOutcome,
        /// When.
        now_ms: u64,
    },
    /// A verifier has rendered the pixels of a challenge in the trusted renderer's place.
    Found {
        /// The lease whose film was challenged.
        lease: LeaseId,
        /// Which challenge of the lease.
        round: u32,
        /// What it says.
        finding: Finding,
        /// When.
        now_ms: u64,
    },
    /// No twin can be had: more pixels are challenged instead.
    TwinWaived {
        /// The lease whose film waits.
        lease: LeaseId,
        /// When.
        now_ms: u64,
    },
    /// Twins that differed were tried against a trusted render.
    Tried {
        /// The job.
        job: JobId,
        /// Index of the unit.
        unit_index: u32,
        /// What was found of each film.
        films: Vec<Tried>,
        /// When.
        now_ms: u64,
    },
    /// The noise of a tile was looked at.
    Weighed {
        /// The job.
        job: JobId,
        /// Index of a unit of the tile.
        unit_index: u32,
        /// After how many chunks.
        chunks: u32,
        /// Whether it has samples enough with these.
        is_enough: bool,
        /// When.
        now_ms: u64,
    },
    /// A film that nobody has judged is gone from the disk, and cannot be made again.
    FilmLost {
        /// The lease it came from.
        lease: LeaseId,
        /// When.
        now_ms: u64,
    },
    /// An accepted film of a node convicted since was checked once more.
    Rechecked {
        /// The lease it came from.
        lease: LeaseId,
        /// What came out.
        outcome: CheckOutcome,
        /// When.
        now_ms: u64,
    },
    /// Held pay has aged.
    Aged {
        /// The node.
        node: NodeId,
        /// The holds that are released.
        leases: Vec<LeaseId>,
    },
    /// A job cannot go on.
    Failed {
        /// The job.
        job: JobId,
        /// Why.
        why: String,
        /// When.
        now_ms: u64,
    },
    /// The artist changed the course of a job, or had it set beforehand.
    Steered {
        /// The job.
        job: JobId,
        /// How.
        steering: Steering,
        /// When.
        now_ms: u64,
    },

    /// An artist doubts an accepted film.
    Disputed {
        /// The job.
        job: JobId,
        /// Index of the unit.
        unit_index: u32,
    },
    /// The artist's wallet held less than a dispute costs when the ledger was asked.
    DisputeUnfunded {
        /// Number of the movement.
        seq: u64,
    },
    /// A disputed film was compared with a render of the whole tile.
    DisputeHeard {
        /// The lease it came from.
        lease: LeaseId,
        /// What came out.
        outcome: CheckOutcome,
        /// When.
        now_ms: u64,
    },
    /// A conviction is appealed against.
    Appealed {
        /// The lease whose film convicted the node.
        lease: LeaseId,
    },
    /// An appeal was decided by a render of the whole tile.
    AppealHeard {
        /// The lease whose film convicted the node.
        lease: LeaseId,
        /// Whether the film is good; none where nobody can render it any more.
        holds: Option<bool>,
    },
    /// The time for an appeal is over.
    AppealLapsed {
        /// The lease whose film convicted the node.
        lease: LeaseId,
    },
    /// An owner of nodes puts tokens at risk.
    Staked {
        /// Who.
        owner: PublicKey,
        /// How much.
        amount: Tokens,
        /// The owner's number for it: said twice, it is done once.
        id: [u8; 16],
    },
    /// The wallet held less than the stake when the ledger was asked.
    StakeUnfunded {
        /// Number of the movement.
        seq: u64,
    },
    /// An owner asks for tokens at risk back.
    Unstaked {
        /// Who.
        owner: PublicKey,
        /// How much, or all there is.
        amount: Tokens,
        /// When.
        now_ms: u64,
    },
    /// What was asked back is free.
    StakeLeft {
        /// Whose.
        owner: PublicKey,
    },

    /// A node is connected. Not kept.
    Heard {
        /// The node.
        node: NodeId,
        /// When.
        now_ms: u64,
    },
    /// A node's connection is gone. Not kept.
    Gone {
        /// The node.
        node: NodeId,
        /// When.
        now_ms: u64,
    },
    /// A node works on a lease. Not kept.
    Beat {
        /// The node.
        node: NodeId,
        /// The lease.
        lease: LeaseId,
        /// When.
        now_ms: u64,
    },

    /// A job ended long ago: its films, and what is known of its units, are not kept any longer; as
    /// planned by [`crate::core::keep::expired`].
    Expired {
        /// The job.
        job: JobId,
    },
    /// The base price has moved, as planned by [`crate::core::plan::due`].
    Repriced {
        /// Tokens per billion metered rays, from now on.
        base_per_gray: Tokens,
        /// When.
        now_ms: u64,
    },
    /// A node's owner told the operator something of a job that he does not want.
    Reported {
        /// The node.
        node: NodeId,
        /// The job.
        job: JobId,
        /// His words.
        words: String,
        /// When.
        now_ms: u64,
    },
    /// An artist keeps a node, or all of an owner's, off his jobs, or lets it back.
    Blocked {
        /// Whose jobs.
        artist: PublicKey,
        /// The node's key, or its owner's.
        who: PublicKey,
        /// Whether it gets no more of them.
        is_blocked: bool,
        /// When.
        now_ms: u64,
    },
    /// An artist's jobs that are over need their scene no longer.
    SceneDropped {
        /// Whose.
        artist: PublicKey,
        /// The scene.
        scene: SceneId,
        /// When.
        now_ms: u64,
    },
    /// A job's price does not reach: the treasury adds to its escrow.
    Covered {
        /// The job.
        job: JobId,
        /// When.
        now_ms: u64,
    },
    /// The farm itself cannot render what films of a job show, so that nobody can judge them.
    Unrenderable {
        /// The job.
        job: JobId,
        /// The leases that they came from.
        leases: Vec<LeaseId>,
        /// Why.
        why: String,
        /// When.
        now_ms: u64,
    },
}

/// How soon an event must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Never: it says nothing that outlives the process.
    Volatile,
    /// Before its transfers leave; a crash may lose it.
    Lazy,
    /// Before anything that follows from it is seen outside.
    Sync,
}

impl Event {
    /// How soon this event must be on the disk.
    #[must_use]
    pub const fn durability(&self) -> Durability {
        match self {
            Self::Heard { .. } | Self::Gone { .. } | Self::Beat { .. } => Durability::Volatile,
            Self::NodeMet { .. }
            | Self::Qualified { .. }
            | Self::Moved { .. }
            | Self::Granted { .. }
            | Self::Released { .. }
            | Self::Lapsed { .. }
            | Self::TwinWaived { .. }
            | Self::Repriced { .. } => Durability::Lazy,
            _ => Durability::Sync,
        }
    }
}

/// What the trusted renderer found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckOutcome {
    /// The film holds.
    Passed {
        /// Pixels rendered again.
        pixels: u32,
    },
    /// It does not.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Hash of the evidence, which is on disk.
        evidence: Option<Digest>,
    },
}

/// A verifier's word on the pixels of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The verification lease.
    pub lease: LeaseId,
    /// Who says it.
    pub verifier: NodeId,
    /// Whose node it was when it got the lease.
    pub owner: PublicKey,
    /// Whether its pixels are the film's.
    pub agrees: bool,
    /// Pixels it rendered.
    pub pixels: u32,
    /// Hash of what it was asked and answered, which is on disk.
    pub evidence: Digest,
}

/// A film that was compared whole with a trusted render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The lease it came from.
    pub lease: LeaseId,
    /// Pixels in which it differs beyond what its class allows.
    pub differing: u32,
    /// Hash of the evidence, which is on disk, where it differs.
    pub evidence: Option<Digest>,
}

/// What the core asks of its shell.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Money to move, all or nothing; answered by [`Event::Moved`].
    Move {
        /// Its number in the outbox: batches are done in this order.
        seq: u64,
        /// The transfers.
        transfers: Vec<Transfer>,
    },
    /// Pixels to render again.
    Check(Box<Check>),
    /// A job has ended: for the log.
    JobEnded(JobId),
}

/// Work for the trusted renderer. It names everything, so that the worker needs no state.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What is checked.
    pub piece: Piece,
    /// Index of the unit in its job.
    pub unit_index: u32,
    /// How.
    pub kind: CheckKind,
}

/// A challenge of one film, for whoever answers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenged {
    /// What is checked.
    pub piece: Piece,
    /// Index of the unit in its job.
    pub unit_index: u32,
    /// The film.
    pub film: FilmRef,
    /// Which pixels.
    pub challenge: Challenge,
}

impl Challenged {
    /// The pixels, in the order of their place.
    #[must_use]
    pub fn places(&self) -> Vec<(u32, u32)> {
        let FilmRef { lease, node, root, .. } = self.film;
        challenge_pixels(lease, node, root, &self.challenge, self.piece.rect)
    }
}

impl From<Challenged> for Check {
    fn from(it: Challenged) -> Self {
        let Challenged { piece, unit_index, film, challenge } = it;
        Self { piece, unit_index, kind: CheckKind::Challenge { film, challenge } }
    }
}

impl Check {
    /// The challenge that it is, if it is one.
    #[must_use]
    pub fn challenged(&self) -> Option<Challenged> {
        let CheckKind::Challenge { film, challenge } = self.kind else { return None };
        let (piece, unit_index) = (self.piece.clone(), self.unit_index);
        Some(Challenged { piece, unit_index, film, challenge })
    }
}

/// How the trusted renderer is to look.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    /// Random pixels of one film: answered by [`Event::Judged`].
    Challenge {
        /// The film.
        film: FilmRef,
        /// Which pixels.
        challenge: Challenge,
    },
    /// Whole tiles of twins that differ: answered by [`Event::Tried`].
    Trial {
        /// The films.
        films: Vec<FilmRef>,
    },
    /// The whole tile of a film that convicted its node or a verifier: answered by
    /// [`Event::AppealHeard`].
    Appeal {
        /// The lease that the conviction is known by.
        conviction: LeaseId,
        /// The film.
        film: FilmRef,
        /// The pixels that a verifier was asked for; else the whole tile is rendered.
        challenge: Option<Challenge>,
    },
    /// The whole tile of an accepted film: answered by [`Event::DisputeHeard`].
    Dispute {
        /// The film.
        film: FilmRef,
    },
    /// All films of a tile's first chunks, which the piece names: answered by [`Event::Weighed`].
    Noise {
        /// How little noise is enough.
        target: NoiseTarget,
        /// The films.
        films: Vec<(Batch, FilmRef)>,
    },
    /// Random pixels of an accepted film: answered by [`Event::Rechecked`].
    Recheck {
        /// The film.
        film: FilmRef,
        /// Which pixels, by a fresh nonce.
        challenge: Challenge,
    },
}

/// A film on disk, and who answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilmRef {
    /// The lease it came from.
    pub lease: LeaseId,
    /// Who rendered it.
    pub node: NodeId,
    /// Whose node it was when it got the lease, whatever it says of itself since.
    pub owner: PublicKey,
    /// How it is compared.
    pub class: Class,
    /// Its hash.
    pub root: Digest,
    /// Its rays.
    pub rays: RayCount,
    /// The node's signature under its [`Commitment`].
    #[serde(with = "protocol::sign::signature_bytes")]
    pub signature: [u8; 64],
}

impl FilmRef {
    /// The node's word on the film, which was held to the engine of its piece.
    #[must_use]
    pub fn commitment(&self, piece: &Piece) -> Signed<Commitment> {
        let Self { lease, node, root, rays, signature, .. } = *self;
        let (piece, engine) = (piece.digest(), piece.engine);
        Commitment { lease, node, piece, root, rays, engine }.signed(signature)
    }

    /// The verdict that accepts the film. Its payments are linked to these very bytes, so that a
    /// receipt can make it again.
    #[must_use]
    pub const fn acceptance(&self, unit: Unit, pixels_checked: u32, pay: Tokens) -> Verdict {
        let Self { lease, node, root, rays, .. } = *self;
        let kind = VerdictKind::Accepted { pixels_checked, rays, pay };
        Verdict { lease, unit, node, root, kind, evidence: None }
    }
}
