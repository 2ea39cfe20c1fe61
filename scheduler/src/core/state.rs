//! What the scheduler knows.

mod able;
mod blocks;
mod demand;
mod index;
mod job;
mod line;
mod quiet;
mod reports;
mod risk;
mod times;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

pub use able::Able;
pub use blocks::Blocks;
pub use demand::Demand;
pub use index::{Index, Touched};
pub(super) use index::{LAST_AFTER_MS, Open, RACE_AFTER_MS, slow_after_ms};
pub use job::{Accepted, Ending, First, Job, JobPhase, Pause, UnitState, Urgency, Want};
pub(super) use line::Merged;
pub use line::{InLine, Line};
pub use quiet::Quiet;
pub use risk::{Appeal, Audit, Conviction, Dispute, Recheck, Stake};
pub use times::Times;
pub use verdicts::Verdicts;

use ledger::Transfer;
use protocol::{
    Class, Engine, JobId, LeaseId, NodeId, PublicKey, Quote, QuoteId, RayCount, ShotIndex, Tokens,
    Unit, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::core::draw::Secret;
use crate::core::event::{Effect, FilmRef, NodeFacts};
use crate::core::policy::Policy;
use crate::market::pace::Pace;
use crate::money;

/// Everything the scheduler knows.
#[derive(Debug, Clone)]
pub struct State {
    /// What a replay of the journal restores.
    pub book: Book,
    /// What it does not.
    pub live: Live,
    /// Both by what is asked for; made from them.
    pub index: Index,
}

/// What a replay of the journal restores, to the bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// Source of every random draw. It lies in a file of its own.
    #[serde(skip, default = "no_secret")]
    pub secret: Secret,
    /// The rules in force.
    pub policy: Policy,
    /// The engine in force.
    pub engine: Engine,
    /// How many times the scheduler has started.
    pub boot: u64,
    /// Leases granted since the last start.
    pub leases_granted: u64,
    /// Nodes ever met.
    pub nodes: BTreeMap<NodeId, Node>,
    /// Jobs ever ordered.
    pub jobs: BTreeMap<JobId, Job>,
    /// Jobs that are not over, oldest first, by number.
    pub active: BTreeMap<u64, JobId>,
    /// Jobs ever ordered.
    pub jobs_ordered: u64,
    /// Leases that are not settled.
    pub leases: BTreeMap<LeaseId, LeaseRecord>,
    /// Accepted films that are being checked once more.
    pub rechecks: BTreeMap<LeaseId, Recheck>,
    /// Convictions that are not settled, by the lease whose film was bad.
    pub convictions: BTreeMap<LeaseId, Conviction>,
    /// Challenges at which the trusted renderer looks after a verifier, by lease and round.
    pub audits: BTreeMap<(LeaseId, u32), Audit>,
    /// Accepted films that their artists doubt, until the tile was rendered once more.
    pub disputes: BTreeMap<LeaseId, Dispute>,
    /// Those whose fee the ledger has not set aside yet, by number in the outbox.
    pub disputes_ordered: BTreeMap<u64, LeaseId>,
    /// What owners of nodes have at risk.
    pub stakes: BTreeMap<PublicKey, Stake>,
    /// Nodes that artists keep off their jobs.
    pub blocks: Blocks,
    /// Stakes that the ledger has not moved yet, by number in the outbox.
    pub stakes_ordered: BTreeMap<u64, (PublicKey, Tokens, [u8; 16])>,
    /// Whether the operator has given the verification reserve its first tokens.
    pub reserve_seeded: bool,
    /// What the verification reserve holds, less what is reserved for twins.
    pub reserve: Tokens,
    /// What the treasury holds.
    pub treasury: Tokens,
    /// The base price, tokens per billion metered rays.
    pub base_per_gray: Tokens,
    /// When it last moved.
    pub base_since_ms: u64,
    /// Leases ever granted in rotation.
    pub turns: u64,
    /// Transfers that the ledger has not confirmed.
    pub outbox: BTreeMap<u64, Vec<Transfer>>,
    /// Batches of transfers ever asked for.
    pub moves: u64,
    /// What is to be indexed anew at the end of the event.
    #[serde(skip)]
    pub touched: Touched,
}

/// What is true of this process only.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Whether no new job is taken.
    pub drains: bool,
    /// Jobs that no node that is here may render, with since when; kept while it drains.
    pub unserved: BTreeMap<JobId, u64>,
    /// When a film was last fetched by its artist, milliseconds.
    pub fetched_ms: u64,
    /// Quotes made since the start.
    pub quotes_made: u64,
    /// Quotes that can still be ordered.
    pub quotes: BTreeMap<QuoteId, Quoted>,
    /// Nodes that are connected, with when they were last heard.
    pub connected: BTreeMap<NodeId, u64>,
    /// Nodes heard of since the start, with when.
    pub seen: BTreeMap<NodeId, u64>,
    /// When each lease lapses.
    pub deadlines: Times<LeaseId>,
    /// When each film began to wait for its twin.
    pub waiting_since: Times<LeaseId>,
    /// Nodes that have rendered tiles of a shot, and so hold its scene; of jobs that are not over.
    pub rendered: BTreeMap<JobId, BTreeMap<ShotIndex, BTreeSet<NodeId>>>,
}

/// A quote on offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Quoted {
    /// The price.
    pub quote: Quote,
    /// Rays of one sample of one pixel, in thousandths, as probed.
    pub millirays_per_sample: u64,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Id.
    pub id: NodeId,
    /// Its word.
    pub facts: NodeFacts,
    /// How its films are compared; none before it has qualified.
    pub class: Option<Class>,
    /// Whether it was convicted.
    pub barred: bool,
    /// Convictions, and other films of a convict's that were bad, less those that were overturned.
    pub convictions: u32,
    /// Leases ever granted.
    pub granted: u64,
    /// Units accepted.
    pub accepted: u64,
    /// Units accepted of jobs for any node: what held pay ages by.
    pub accepted_of_any: u64,
    /// Of these, units of jobs that are not its owner's: what its name rests on.
    pub accepted_for_others: u64,
    /// Films refused.
    pub refused: u64,
    /// Leases lapsed or given back.
    pub dropped: u64,
    /// Challenges of others' films that it has looked at, and was right.
    pub verified: u64,
    /// Rays paid for.
    pub rays: RayCount,
    /// What it has shown that it can do.
    pub pace: Pace,
    /// Released to the owner's wallet.
    pub earned: Tokens,
    /// Its unsettled leases.
    pub leases: BTreeSet<LeaseId>,
    /// Of these, leases that it has not answered.
    pub out: u32,
    /// Held back, oldest first by number.
    pub holds: BTreeMap<u64, Hold>,
    /// Held pay for films that it has vouched for: whose, and its number there.
    pub vouched: BTreeSet<(NodeId, u64)>,
    /// What was said of its films.
    pub verdicts: Verdicts,
}

/// Pay that is held back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// What was accepted.
    pub film: FilmRef,
    /// Of which unit.
    pub unit: Unit,
    /// Index of the unit in its job.
    pub unit_index: u32,
    /// How much.
    pub amount: Tokens,
    /// Whether the film is the one in use, and not its twin.
    pub primary: bool,
    /// The word on which alone it was accepted.
    pub vouched: Option<Box<Audit>>,
    /// When it was accepted.
    pub since_ms: u64,
    /// Units of jobs for any node that the node had accepted then, this one included.
    pub of_any: u64,
}

/// A lease that is not settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Id.
    pub id: LeaseId,
    /// To whom.
    pub node: NodeId,
    /// Whose node it was then.
    pub owner: PublicKey,
    /// The job.
    pub job: JobId,
    /// Index of the unit in the job.
    pub unit_index: u32,
    /// Where its pay comes from.
    pub purse: LeasePurse,
    /// What is reserved for it there.
    pub reserved: Tokens,
    /// Most it pays.
    pub pay_max: Tokens,
    /// How its film is compared: the node's class when it was granted, whatever the node says of
    /// itself since.
    pub class: Class,
    /// Whether more pixels are challenged.
    pub boosted: bool,
    /// Whether its job was for any node when it was granted: then it makes its node a name.
    pub of_any: bool,
    /// Whether its node was a veteran when it was granted.
    pub of_veteran: bool,
    /// When it was granted.
    pub granted_ms: u64,
    /// Leases that its node was granted before it: a node works on the first that is out.
    pub before: u64,
    /// When its film should come; never where nothing is known of its node.
    pub expected_ms: u64,
    /// How far it is.
    pub phase: LeasePhase,
}

/// Where a lease's pay comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeasePurse {
    /// The job's escrow: the unit's primary payment.
    Escrow,
    /// The verification reserve: a twin.
    Reserve,
    /// The appeal account: a unit rendered anew after a conviction.
    Appeal,
}

/// How far a lease is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LeasePhase {
    /// The node works on it.
    Out,
    /// A film is here and challenged.
    Committed(Committed),
    /// The film held; it waits for its twin or its trial.
    Passed(Committed),
}

/// A film that a node has committed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Committed {
    /// The film.
    pub film: FilmRef,
    /// Which challenge is under way.
    pub round: u32,
    /// Pixels rendered again so far.
    pub pixels: u32,
    /// The word on which alone it has held.
    pub vouched: Option<Box<Audit>>,
}

/// Until whoever reads a book puts in the secret.
const fn no_secret() -> Secret {
    Secret::new([0; 32])
}

impl State {
    /// A scheduler that knows nothing yet.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        let book = Book {
            secret,
            policy: Policy::default(),
            engine: Engine(0),
            boot: 0,
            leases_granted: 0,
            nodes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            active: BTreeMap::new(),
            jobs_ordered: 0,
            leases: BTreeMap::new(),
            rechecks: BTreeMap::new(),
            convictions: BTreeMap::new(),
            audits: BTreeMap::new(),
            disputes: BTreeMap::new(),
            disputes_ordered: BTreeMap::new(),
            stakes: BTreeMap::new(),
            blocks: Blocks::default(),
            stakes_ordered: BTreeMap::new(),
            reserve_seeded: false,
            reserve: Tokens::ZERO,
            treasury: Tokens::ZERO,
            base_per_gray: Tokens::ZERO,
            base_since_ms: 0,
            turns: 0,
            outbox: BTreeMap::new(),
            moves: 0,
            touched: Touched::default(),
        };
        Self { book, live: Live::default(), index: Index::default() }
    }
}

impl Book {
    /// Whether a node has done more than a newcomer.
    #[must_use]
    pub fn has_name(&self, node: &Node) -> bool {
        node.accepted_for_others >= u64::from(self.policy.newcomer_units)
    }

    /// What the treasury adds to a job's escrow at most: a share of its price, at the base price where the
    /// artist has bid more.
    #[must_use]
    pub fn cover(&self, job: &Job) -> Tokens {
        let price = job.twin_share(job.quote.price);
        let share = money::share(price, u128::from(self.policy.overrun_ppm), 1_000_000);
        share.min(self.treasury)
    }

    /// Whether others' films may be compared with a node's.
    #[must_use]
    pub fn is_veteran(&self, node: &Node) -> bool {
        node.accepted_for_others >= u64::from(self.policy.verifier_units)
    }

    /// Whether a node may be the twin of whoever has a lease: one of a pair is a veteran, the first when
    /// it was granted its lease, or the second. Keys are free, and who has two that nobody knows may
    /// render once and hand in twice.
    #[must_use]
    pub fn may_be_paired(&self, node: &Node, lease: &LeaseRecord) -> bool {
        lease.of_veteran || self.is_veteran(node)
    }

    /// When held pay of a node comes free at the latest, milliseconds.
    #[must_use]
    pub fn free_ms(&self, node: &Node, hold: &Hold) -> u64 {
        hold.since_ms.saturating_add(self.policy.hold_ms_after(node.accepted_for_others))
    }

    /// Puts transfers into the outbox, all or nothing; those of nothing are left out.
    pub(super) fn transfer(&mut self, transfers: Vec<Transfer>, effects: &mut Vec<Effect>) {
        let transfers: Vec<Transfer> =
            transfers.into_iter().filter(|transfer| !transfer.amount.is_zero()).collect();
        if transfers.is_empty() {
            return;
        }
        self.moves += 1;
        self.outbox.insert(self.moves, transfers.clone());
        effects.push(Effect::Move { seq: self.moves, transfers });
    }

    /// Unsettled leases of a job, by id.
    pub(super) fn leases_of_job(&self, job: JobId) -> BTreeSet<LeaseId> {
        self.jobs[&job].units.iter().flat_map(|unit| &unit.leases).copied().collect()
    }

    /// The job of an unsettled lease.
    pub(super) fn job_mut(&mut self, job: JobId) -> &mut Job {
        self.touched.job(job);
        self.jobs.get_mut(&job).expect("invariant: a lease's job is known")
    }

    /// Writes a verdict to its node's name, and lets go of those on units that are not known any more;
    /// its number.
    pub(super) fn say(&mut self, verdict: Verdict) -> u64 {
        let id = verdict.node;
        let node = self.nodes.get_mut(&id).expect("invariant: who is judged is known");
        let number = node.verdicts.push(verdict);
        self.forget_verdicts(id);
        number
    }

    /// Lets go of a node's verdicts on units that are not known any more.
    pub(super) fn forget_verdicts(&mut self, node: NodeId) {
        let jobs = &self.jobs;
        let is_wanted = |it: &Verdict| jobs.get(&it.unit.job).is_some_and(|job| !job.expired);
        self.nodes.get_mut(&node).into_iter().for_each(|node| node.verdicts.forget(is_wanted));
    }

    /// A node that has a lease, a hold or a verdict.
    pub(super) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        self.touched.node(node);
        self.nodes.get_mut(&node).expect("invariant: who holds a lease has said hello")
    }
}

impl Node {
    /// How long it needs for so much work beside what it has to do already, milliseconds; none where
    /// nothing is known of it. Leases that are out are taken for as large.
    ///
    /// By what it has shown; before that by its own word, which nobody but itself suffers from: who says
    /// too much is late, and who says too little is passed over.
    #[must_use]
    pub fn needs_ms(&self, work: u128) -> Option<u64> {
        let said = u128::from(self.facts.rays_per_second) * 100;
        let per_second = self.pace.steadily().or((said > 0).then_some(said))?;
        let work = work.saturating_mul(1_000).saturating_mul(u128::from(self.out) + 1);
        Some(u64::try_from(work / per_second.max(1)).unwrap_or(u64::MAX))
    }

    /// Pay that is held back.
    #[must_use]
    pub fn held(&self) -> Tokens {
        self.holds.values().fold(Tokens::ZERO, |sum, hold| money::plus(sum, hold.amount))
    }
}

impl Hold {
    /// The verifier on whose word alone the film was accepted.
    #[must_use]
    pub fn vouched_by(&self) -> Option<NodeId> {
        self.vouched.as_ref().map(|audit| audit.finding.verifier)
    }
}

impl LeaseRecord {
    /// When its film is late: when it has taken half as long again as it should.
    #[must_use]
    pub fn late_ms(&self) -> u64 {
        self.late_after_ms(RACE_AFTER_MS)
    }

    /// The same of the last units of a job.
    #[must_use]
    pub fn late_last_ms(&self) -> u64 {
        self.late_after_ms(LAST_AFTER_MS)
    }

    fn late_after_ms(&self, least_ms: u64) -> u64 {
        let needs_ms = self.expected_ms - self.granted_ms;
        let late_ms = self.expected_ms.saturating_add(needs_ms / 2);
        late_ms.max(self.granted_ms.saturating_add(least_ms))
    }

    /// The film, once there is one.
    #[must_use]
    pub const fn committed(&self) -> Option<&Committed> {
        match &self.phase {
            LeasePhase::Out => None,
            LeasePhase::Committed(committed) | LeasePhase::Passed(committed) => Some(committed),
        }
    }

    /// Whether the film held.
    #[must_use]
    pub const fn has_passed(&self) -> bool {
        matches!(self.phase, LeasePhase::Passed(_))
    }
}
