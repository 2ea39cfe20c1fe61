//! What the scheduler shows: jobs, nodes, wallets. Views carry data, never decide anything.

use serde::{Deserialize, Serialize};

use crate::footprint::Footprint;
use crate::id::{AccountId, Digest, JobId, NodeId, PublicKey, TransferId};
use crate::job::{JobSpec, RayCount, Unit};
use crate::lease::Class;
use crate::needs::Equipment;
use crate::offer::Assurance;
use crate::order::Priority;
use crate::tokens::Tokens;

/// How far a scene has come that an artist offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneArrival {
    /// Bytes that need not be sent: they were there when the transfer began, of other scenes or of
    /// an earlier attempt.
    pub found_bytes: u64,
    /// Bytes that are there and verified, the found ones included.
    pub received_bytes: u64,
    /// Bytes of the scene's package.
    pub size_bytes: u64,
    /// Whether the scene is whole, so that it can be quoted.
    pub is_whole: bool,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStatus {
    /// No node has it yet.
    Waiting,
    /// Nodes work on it.
    Rendering,
    /// Nothing new is begun until the artist lets it go on; why is in [`JobSummary::reason`].
    Paused,
    /// Every unit is accepted; the rest of the escrow went back.
    Done,
    /// It ended, as its artist wanted, with the samples that it had; the rest of the escrow went back.
    Stopped,
    /// It gave up; the reason is in [`JobSummary::reason`].
    Failed,
    /// The artist did not want it any more.
    Cancelled,
}

impl JobStatus {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Rendering,
        Self::Paused,
        Self::Done,
        Self::Stopped,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Rendering => "rendering",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a job that stands so is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Stopped | Self::Failed | Self::Cancelled)
    }
}

/// Where a tile stands: the least advanced of its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TileStatus {
    /// No node has it.
    Waiting,
    /// Leased.
    Rendering,
    /// A film was refused; it goes elsewhere.
    Retrying,
    /// A film is here and is being checked.
    Received,
    /// Accepted.
    Accepted,
}

impl TileStatus {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Rendering => "rendering",
            Self::Retrying => "retrying",
            Self::Received => "received",
            Self::Accepted => "accepted",
        }
    }
}

/// A row of the job list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSummary {
    /// Id.
    pub job: JobId,
    /// What is rendered.
    pub spec: JobSpec,
    /// Who pays.
    pub artist: PublicKey,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it waits, is paused or failed, where there is more to say than its status does.
    pub reason: Option<String>,
    /// Which of the artist's jobs comes first.
    pub priority: Priority,
    /// When it ends with the samples that it has, milliseconds since 1970.
    pub stops_ms: Option<u64>,
    /// By when the artist wants it, milliseconds since 1970.
    pub wanted_by_ms: Option<u64>,
    /// When it is done if it goes on as it does, milliseconds since 1970; none where that is not known.
    pub done_ms: Option<u64>,
    /// Memory that its scene takes.
    pub memory: Footprint,
    /// Connected nodes that may render it and can hold it; none where it is over.
    pub nodes_here: Option<u32>,
    /// Units in all.
    pub units: u32,
    /// Units accepted.
    pub units_accepted: u32,
    /// The quote's price.
    pub price: Tokens,
    /// What it pays, tokens per billion metered rays of weight 100.
    pub price_per_gray: Tokens,
    /// How surely a forgery of 5 % of a film is caught.
    pub assurance: Assurance,
    /// Spent so far, fees included.
    pub spent: Tokens,
    /// Returned to the artist.
    pub refunded: Tokens,
    /// When it was ordered, milliseconds since 1970.
    pub ordered_ms: u64,
    /// When it ended, milliseconds since 1970.
    pub ended_ms: Option<u64>,
    /// Whether its films and what was known of its units are gone: it ended long ago.
    pub expired: bool,
    /// Whether its artist has let the farm drop its scene.
    pub scene_dropped: bool,
}

/// News of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobUpdate {
    /// The job as it is now.
    pub summary: JobSummary,
    /// Every tile of every shot: shots in order, tiles by index.
    pub tiles: Vec<TileStatus>,
    /// Units accepted since `after`, in order of acceptance.
    pub accepted: Vec<AcceptedUnit>,
    /// What to ask `after` next.
    pub next: u64,
}

/// An accepted unit, ready to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedUnit {
    /// Which: of the job itself, or of one that it goes on from.
    pub unit: Unit,
    /// Who rendered it.
    pub node: NodeId,
    /// Film's hash.
    pub root: Digest,
    /// Rays paid for.
    pub rays: RayCount,
    /// Pixels rendered again.
    pub pixels_checked: u32,
}

/// A node's good name with its reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reputation {
    /// Expected share of good results, in millionths: the mean of a Beta posterior.
    pub mean_ppm: u32,
    /// Units accepted.
    pub accepted: u64,
    /// Units refused.
    pub refused: u64,
    /// Leases that lapsed or were given back.
    pub dropped: u64,
}

/// A node as the farm sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Id.
    pub node: NodeId,
    /// Its own name.
    pub name: String,
    /// Its own word on backend and device.
    pub backend: String,
    /// Its own word on what it renders with, and which pools it is in.
    pub equipment: Equipment,
    /// Who is paid.
    pub owner: PublicKey,
    /// Least that it works for, tokens per billion metered rays.
    pub ask_per_gray: Tokens,
    /// The farm's base price now: where it is below the ask, only jobs that bid more are offered.
    pub base_per_gray: Tokens,
    /// How its films are compared; none before it has qualified.
    pub class: Option<Class>,
    /// Whether it was convicted and gets no more work.
    pub barred: bool,
    /// Its good name.
    pub reputation: Reputation,
    /// Rays paid for.
    pub rays: RayCount,
    /// Its own word on its speed, metered rays a second of the reference scene.
    pub claimed_rays_per_second: u64,
    /// Its speed by what it has rendered and how long that took, network included, in the same unit; none
    /// before its first film.
    pub shown_rays_per_second: Option<u64>,
    /// Tokens paid out to its owner's wallet for its work.
    pub earned: Tokens,
    /// Tokens held back for a while.
    pub held: Tokens,
    /// Challenges of others' films that it has looked at, and was right.
    pub verified: u64,
    /// Tokens that its owner has at risk.
    pub stake: Tokens,
    /// Leases it holds now.
    pub leases: u32,
    /// Last heard of, milliseconds since 1970.
    pub seen_ms: u64,
}

/// Whom an artist keeps off his jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// A node's key, or an owner's.
    pub who: PublicKey,
    /// Whether a node has that key.
    pub is_node: bool,
    /// Names of the nodes that it means, ten at most, as far as the farm knows any.
    pub nodes: Vec<String>,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
}

impl BlockView {
    /// Who it is: `nod_…` or `key_…`.
    #[must_use]
    pub fn id(&self) -> String {
        if self.is_node { NodeId(self.who.0).to_string() } else { self.who.to_string() }
    }
}

/// The caller's balances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletView {
    /// The wallet.
    pub account: AccountId,
    /// Free to spend.
    pub balance: Tokens,
    /// In escrow for jobs.
    pub escrowed: Tokens,
    /// Pay held back for a while.
    pub held: Tokens,
    /// At risk for the good work of nodes; what was asked back but is not free yet is in it.
    pub staked: Tokens,
}

/// Entries of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementPage {
    /// The account.
    pub account: AccountId,
    /// Newest first.
    pub rows: Vec<StatementRow>,
    /// Rows in all.
    pub total: u64,
}

/// One entry of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementRow {
    /// The transfer.
    pub transfer: TransferId,
    /// Whether tokens came in.
    pub credit: bool,
    /// The other account.
    pub other: AccountId,
    /// What that account is, in words: `escrow of job_…`; nothing where it is not told.
    pub other_is: String,
    /// The job that caused it.
    pub job: Option<JobId>,
    /// How much.
    pub amount: Tokens,
    /// Why, in a word of the ledger.
    pub code: String,
    /// Balance after it.
    pub balance: Tokens,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
}

/// What earnings are added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EarningsBy {
    /// Days, UTC.
    Day,
    /// Jobs.
    Job,
    /// Nodes.
    Node,
}

/// Whose sum a row of earnings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EarningsOf {
    /// A day, UTC: its first millisecond since 1970.
    Day(u64),
    /// A job; none for what no job caused.
    Job(Option<JobId>),
    /// A node.
    Node(NodeId),
}

/// What nodes have earned in a day, by a job, or one of them in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarningsRow {
    /// Whose sum it is.
    pub of: EarningsOf,
    /// Payments for films in use: two where a film cost more than was reserved for it.
    pub payments: u64,
    /// What they brought.
    pub pay: Tokens,
    /// Payments for twins and for verifying others' films.
    pub checks: u64,
    /// What they brought.
    pub checking: Tokens,
    /// Taken after convictions; what an appeal gives back goes to the wallet and is not counted here.
    pub taken: Tokens,
}

/// Pay that is held back, and when it comes free at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRow {
    /// Whose pay.
    pub node: NodeId,
    /// When, milliseconds since 1970; rounded up to a minute.
    pub until_ms: u64,
    /// How much.
    pub amount: Tokens,
    /// Payments in it.
    pub films: u32,
}

/// What the caller's nodes have earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarningsView {
    /// Sums: days and jobs newest first, nodes by what they earned.
    pub rows: Vec<EarningsRow>,
    /// What is held back, soonest first.
    pub held: Vec<HeldRow>,
    /// Whether that is all since the time asked for: very long histories are cut at their old end.
    pub complete: bool,
}

/// What verifying the ledger found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCheck {
    /// Whether the sum over all accounts is zero.
    pub sum_is_zero: bool,
    /// Whether the journal's chain and signatures hold and the balances equal its replay.
    pub verified: bool,
    /// Entries in the journal.
    pub entries: u64,
    /// Hash of the last entry.
    pub head: Digest,
    /// What is wrong, when something is.
    pub problem: Option<String>,
}

/// The farm at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FarmView {
    /// Nodes heard of lately, best reputation first.
    pub nodes: Vec<NodeView>,
    /// Jobs under way.
    pub jobs_active: u32,
    /// Base price, tokens per billion metered rays.
    pub price_per_gray: Tokens,
    /// Why it is that, and where it goes.
    pub market: MarketView,
}

/// What moves the base price.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MarketView {
    /// Lowest that the base price may be, tokens per billion metered rays; no bid may be below it.
    pub floor: Tokens,
    /// Where it stands on a farm without a market, or with a line of the usual length.
    pub per_gray: Tokens,
    /// Highest that the base price may be.
    pub ceiling: Tokens,
    /// Where the base price goes if everything stays as it is.
    pub heading: Tokens,
    /// Most that it moves in an epoch, in millionths.
    pub step_ppm: u32,
    /// Length of an epoch, milliseconds.
    pub epoch_ms: u64,
    /// How far a job that pays `per_gray` more than another comes before it in line, milliseconds.
    pub bid_moves_ms: u64,
    /// How long the nodes that work for the base price need for what waits and what is under way,
    /// milliseconds; none while none of them has shown its speed.
    pub line_ms: Option<u64>,
    /// Nodes that are here and may work.
    pub nodes_able: u32,
    /// Of these, nodes that work for the base price.
    pub nodes_willing: u32,
}
