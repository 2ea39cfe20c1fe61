//! What peers say to each other: one request, one reply, each perhaps with a body of raw bytes.
//!
//! The connection proves who speaks (both ends show their ed25519 key), so that a request does
//! not repeat it. What must outlive the connection is signed besides.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::id::{AccountId, JobId, LeaseId, PublicKey, SceneId, TransferId};
use crate::invitation::Invitation;
use crate::job::{JobSpec, ShotIndex, Unit};
use crate::lease::{Class, Commitment, Engine, Lease, OwnerBinding, Verdict};
use crate::needs::Equipment;
use crate::offer::Offer;
use crate::order::{Order, Quote, Steering};
use crate::pass::Holders;
use crate::settings::RenderSettings;
use crate::sign::Signed;
use crate::tokens::Tokens;
use crate::verification::{Findings, Testimony, VerificationLease};
use crate::view::{
    BlockView, EarningsBy, EarningsView, FarmView, JobSummary, JobUpdate, LedgerCheck, NodeView,
    SceneArrival, StatementPage, WalletView,
};
use crate::voucher::Voucher;

/// What a peer asks of the scheduler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// First words of every connection.
    Hello {
        /// [`crate::PROTOCOL_VERSION`] of the caller.
        protocol: u32,
        /// What the caller is.
        role: Role,
        /// What its ticket carries: a private farm lets nobody in without.
        invitation: Option<Invitation>,
    },

    // A node's.
    /// The golden film that [`Reply::Welcome`] asked for. Body: the film's bytes.
    Qualify,
    /// Asks for work; the reply waits up to `wait_ms` when there is none.
    Leases {
        /// Most leases wanted, at most [`crate::limits::LEASES_PER_REQUEST_MAX`].
        max: u32,
        /// Milliseconds to wait, at most [`crate::limits::POLL_WAIT_MAX`].
        wait_ms: u32,
    },
    /// Says that these leases are being worked on.
    Heartbeat {
        /// The leases.
        leases: Vec<LeaseId>,
    },
    /// A result. Body: the film's bytes.
    Submit {
        /// The node's word.
        commitment: Signed<Commitment>,
    },
    /// Gives leases back.
    Release {
        /// The leases.
        leases: Vec<LeaseId>,
        /// Why, for the log; where they are unwanted, a word to the operator, or nothing.
        reason: String,
        /// What follows from it.
        why: GivenBack,
    },
    /// Asks for pixels of others' films to render; the reply waits up to `wait_ms` when there are
    /// none.
    VerificationLease {
        /// Milliseconds to wait, at most [`crate::limits::POLL_WAIT_MAX`].
        wait_ms: u32,
    },
    /// What a verifier has rendered.
    Findings {
        /// The node's word.
        findings: Signed<Findings>,
    },
    /// Which nodes give a scene besides the scheduler.
    Holders {
        /// The scene, which the node has a lease of.
        scene: SceneId,
    },
    /// The node gives scenes to others who show a pass: all that it gives, from now on.
    Gives {
        /// Scenes that it holds whole, at most [`crate::limits::SCENES_GIVEN_MAX`].
        scenes: Vec<SceneId>,
        /// Where it listens, at most [`crate::limits::TICKET_ADDRESSES_MAX`] addresses. Others are
        /// told of those at which the scheduler sees it: behind a NAT it is at none.
        addresses: Vec<SocketAddr>,
    },
    /// The node's own standing.
    MyNode,
    /// Verdicts on the node's results, in order, after number `after`.
    MyVerdicts {
        /// Number of the last verdict already seen; 0 for all.
        after: u64,
    },

    // An artist's.
    /// "I can serve this scene": the scheduler fetches what it lacks of it from the caller. Asked
    /// again while it comes, it says how far it is.
    OfferScene {
        /// The scene.
        scene: SceneId,
        /// Its package's size, bytes.
        size_bytes: u64,
        /// Milliseconds to wait for all of it, at most [`crate::limits::POLL_WAIT_MAX`].
        wait_ms: u32,
    },
    /// Asks for a firm price.
    Quote {
        /// What is to be rendered.
        spec: JobSpec,
        /// On which terms.
        offer: Offer,
    },
    /// Takes a quote: moves the price into escrow and starts the job.
    Order {
        /// What is to be rendered, as quoted.
        spec: JobSpec,
        /// The artist's word.
        order: Signed<Order>,
    },
    /// Changes the course of a job that is not over.
    Steer {
        /// The job.
        job: JobId,
        /// How.
        steering: Steering,
    },
    /// The caller's jobs, newest first.
    Jobs {
        /// Rows to skip.
        offset: u32,
        /// Rows wanted, at most [`crate::limits::PAGE_ROWS_MAX`].
        limit: u32,
    },
    /// News of a job: the reply waits up to `wait_ms` while nothing has changed since `after`.
    Watch {
        /// The job.
        job: JobId,
        /// [`JobUpdate::next`] of the last reply; 0 at first.
        after: u64,
        /// Milliseconds to wait, at most [`crate::limits::POLL_WAIT_MAX`].
        wait_ms: u32,
    },
    /// An accepted film. The reply's body holds its bytes.
    Film {
        /// Which.
        unit: Unit,
    },

    /// Keeps a node, or all nodes of an owner, off the caller's jobs, or lets it back. What it works
    /// on already goes on.
    Block {
        /// The node's key, or its owner's.
        who: PublicKey,
        /// Whether it gets no more of them.
        is_blocked: bool,
    },
    /// Whom the caller keeps off his jobs.
    Blocks,
    /// Has the farm drop a scene once no job needs it: for those of the caller's that are over it is not
    /// kept any longer.
    DropScene {
        /// The scene.
        scene: SceneId,
    },

    // Anyone's.
    /// The caller's balances.
    Wallet,
    /// Entries of one of the caller's accounts, newest first.
    Statement {
        /// The account.
        account: AccountId,
        /// Rows to skip.
        offset: u32,
        /// Rows wanted, at most [`crate::limits::PAGE_ROWS_MAX`].
        limit: u32,
    },
    /// What the caller's nodes have earned.
    Earnings {
        /// What it is added up by.
        by: EarningsBy,
        /// Since when, milliseconds since 1970.
        from_ms: u64,
    },
    /// Verifies the ledger and says what came out.
    CheckLedger,
    /// The farm at a glance.
    Farm,
    /// What a refusal rests on: to the node that was refused and to the artist of the job; or the
    /// conviction of a verifier: to that.
    Evidence {
        /// The lease whose film was refused.
        lease: LeaseId,
    },
    /// What there is to show of a shot's accepted units. The reply's body holds a
    /// [`Receipt`](crate::Receipt).
    Receipt {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
    },
    /// Pixels of an accepted film, opened against its root; see `film::opening`.
    Opening {
        /// Which film.
        unit: Unit,
        /// Which pixels, at most [`EVIDENCE_PIXELS_MAX`](crate::EVIDENCE_PIXELS_MAX).
        places: Vec<(u32, u32)>,
    },
    /// Has the tile of a film that convicted a node of the caller's rendered once more.
    Appeal {
        /// The lease whose film it was.
        lease: LeaseId,
    },
    /// Puts tokens of the caller's wallet at risk for the good work of the caller's nodes.
    Stake {
        /// How much.
        amount: Tokens,
        /// A number of the caller's choice: said twice, it is done once.
        id: [u8; 16],
    },
    /// Asks for tokens at risk back; they come free after a while.
    Unstake {
        /// How much, or all there is.
        amount: Tokens,
    },
    /// Films of one of the caller's jobs that were refused, in order, after number `after`.
    Refusals {
        /// The job.
        job: JobId,
        /// Number of the last already seen; 0 for all.
        after: u64,
    },
    /// Has an accepted tile of one of the caller's jobs rendered once more as a whole, at a price that
    /// comes back if the film is bad.
    Dispute {
        /// Which film.
        unit: Unit,
        /// Most that it may cost.
        fee_max: Tokens,
    },
    /// Pays a voucher of this farm out.
    Redeem {
        /// The operator's word.
        voucher: Signed<Voucher>,
        /// Whose wallet it goes to.
        to: PublicKey,
    },
    /// The ledger's newest published checkpoint, and that it goes on from an older one.
    Checkpoint {
        /// Entries at the checkpoint that the caller keeps; 0 when it keeps none.
        since: u64,
    },
    /// The caller's co-signature of a published checkpoint.
    Cosign {
        /// Entries at the checkpoint.
        size: u64,
        /// The line of the signed note, at most [`crate::limits::COSIGNATURE_LINE_BYTES_MAX`] bytes.
        line: String,
    },
}

/// What follows from leases that a node gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GivenBack {
    /// Nothing: it does not come to them, or failed at them.
    Undone,
    /// Their scene does not fit into its memory: it gets no more of their jobs until the artist has
    /// them retried.
    TooLarge,
    /// Its owner does not want them rendered on his machine: it never gets more of their jobs.
    Unwanted,
}

/// What a caller is.
#[expect(clippy::large_enum_variant, reason = "there is one of them a connection")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Role {
    /// Renders.
    Node(NodeHello),
    /// Submits and watches jobs.
    Client,
}

/// What a node says of itself. None of it is believed where money or trust depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeHello {
    /// A name for people.
    pub name: String,
    /// Engine of its renderer.
    pub engine: Engine,
    /// Backend and device, for people: `cpu (avx2, 16 threads)`.
    pub backend: String,
    /// Own measure of speed, metered rays a second: decides nothing but the first batch length.
    pub rays_per_second: u64,
    /// What it renders with, and which pools it is in.
    pub equipment: Equipment,
    /// Least that it works for, tokens per billion metered rays: it is never offered a unit of a
    /// job that pays less.
    pub ask_per_gray: Tokens,
    /// The owner's word; without it the node owns itself.
    pub owner: Option<Signed<OwnerBinding>>,
}

/// What the scheduler answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// To a good hello.
    Welcome {
        /// The scheduler's key: it signs quotes, leases and verdicts.
        scheduler: PublicKey,
        /// The engine of the farm.
        engine: Engine,
        /// A golden film that a node must render before it gets work.
        qualify: Option<Qualification>,
    },
    /// Done; nothing more to say.
    Done,
    /// To [`Request::Qualify`].
    Qualified {
        /// How the node's films are compared from now on.
        class: Class,
    },
    /// To [`Request::Leases`]; empty when there is no work.
    Leases(Vec<Signed<Lease>>),
    /// To [`Request::VerificationLease`]; none when there is nothing to verify.
    VerificationLease(Option<Box<Signed<VerificationLease>>>),
    /// To [`Request::Heartbeat`]: these leases are no longer the node's; drop their work.
    Lapsed(Vec<LeaseId>),
    /// To [`Request::MyNode`].
    Node(NodeView),
    /// To [`Request::MyVerdicts`] and [`Request::Refusals`]: numbered, in order.
    Verdicts(Vec<(u64, Signed<Verdict>)>),
    /// To [`Request::Quote`].
    Quote(Signed<Quote>),
    /// To [`Request::Order`].
    Ordered {
        /// The new job.
        job: JobId,
    },
    /// To [`Request::Jobs`].
    Jobs(Vec<JobSummary>),
    /// To [`Request::Watch`].
    Job(Box<JobUpdate>),
    /// To [`Request::Film`]; the body follows.
    Film,
    /// To [`Request::Wallet`].
    Wallet(WalletView),
    /// To [`Request::Statement`].
    Statement(StatementPage),
    /// To [`Request::Earnings`].
    Earnings(EarningsView),
    /// To [`Request::CheckLedger`].
    Ledger(LedgerCheck),
    /// To [`Request::Farm`].
    Farm(FarmView),
    /// The request was not done.
    Refused(Refused),
    /// To [`Request::Evidence`].
    Evidence(Box<Signed<Evidence>>),
    /// To [`Request::Evidence`] about what a verifier has said.
    Testimony(Box<Testimony>),
    /// To [`Request::Receipt`]; the body follows.
    Receipt,
    /// To [`Request::Opening`].
    Opening(Vec<u8>),
    /// To [`Request::Redeem`]: the wallet has the tokens.
    Redeemed {
        /// The transfer that brought them.
        transfer: TransferId,
        /// Whether it had them already: a voucher pays once.
        before: bool,
    },
    /// To [`Request::Checkpoint`]: text, see `proof::Consistency`.
    Checkpoint(String),
    /// To [`Request::OfferScene`].
    Arrival(SceneArrival),
    /// To [`Request::Holders`].
    Holders(Box<Holders>),
    /// To [`Request::Blocks`], by key.
    Blocks(Vec<BlockView>),
}

/// A small built-in scene to be rendered with a fresh seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Qualification {
    /// Settings of the golden frame; the whole frame is one tile, all chunks one batch.
    pub settings: RenderSettings,
}

/// Why a request was not done, in words for people and a code for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What kind of trouble.
    pub code: RefusedCode,
    /// What happened, with which value, what to do.
    pub message: String,
}

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedCode {
    /// Another protocol or engine version.
    Version,
    /// The request makes no sense, whoever sends it.
    BadRequest,
    /// The caller may not ask this.
    NotAllowed,
    /// No such thing.
    NotFound,
    /// The wallet holds less than the price.
    NotEnoughTokens,
    /// The scene cannot be rendered.
    BadScene,
    /// The quote has lapsed or fits another job.
    QuoteLapsed,
    /// The lease is not the caller's, lapsed, or already answered.
    LeaseLapsed,
    /// Too busy; try again later.
    Busy,
    /// The scheduler failed; its log says how.
    Internal,
    /// The farm takes no new jobs for now.
    Draining,
    /// The caller's ticket does not invite it; a newer one may.
    NotInvited,
}

impl Request {
    /// Whether a film comes with the request; any other request with a body is refused unread.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        matches!(self, Self::Qualify | Self::Submit { .. })
    }

    /// Whether a film may come with the reply.
    #[must_use]
    pub const fn reply_has_body(&self) -> bool {
        matches!(self, Self::Film { .. } | Self::Receipt { .. })
    }
}

impl Reply {
    /// A refusal.
    #[must_use]
    pub fn refused(code: RefusedCode, message: impl Into<String>) -> Self {
        Self::Refused(Refused { code, message: message.into() })
    }
}
