//! A job and its units.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{
    Engine, JobId, JobSpec, LeaseId, NodeId, Order, Priority, PublicKey, Quote, RayCount,
    Selection, Signed, Tokens, Unit,
};
use serde::{Deserialize, Serialize};

use super::{Audit, Demand, InLine, Node, Quiet};
use crate::core::event::FilmRef;
use crate::market::pace;
use crate::market::place::Standing;
use crate::money;

/// Accepted units that a job's pace is told by.
const RECENT_MAX: usize = 64;
/// With fewer it is not known.
const RECENT_MIN: usize = 4;

/// Which of an artist's jobs comes first, the first the least: by priority, then by when they are wanted.
pub type Urgency = (Reverse<Priority>, u64);

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// Place in the order of orders.
    pub number: u64,
    /// Who pays.
    pub artist: PublicKey,
    /// What is rendered.
    pub spec: JobSpec,
    /// The firm price.
    pub quote: Quote,
    /// Which line it stands in.
    pub demand: Demand,
    /// The artist's word.
    pub order: Signed<Order>,
    /// What each unit gets for setting up its frame.
    pub setup_per_unit: Tokens,
    /// Which of the artist's jobs comes first.
    pub priority: Priority,
    /// Jobs that it waits for.
    pub after: BTreeSet<JobId>,
    /// Why nothing new is begun until the artist says so.
    pub pause: Option<Pause>,
    /// When it ends with the samples that it has.
    pub stops_ms: Option<u64>,
    /// By when the artist wants it.
    pub wanted_by_ms: Option<u64>,
    /// When the last of its units were accepted, at most 64, oldest first.
    pub recent: VecDeque<u64>,
    /// The engine it is pinned to.
    pub engine: Engine,
    /// When it was ordered.
    pub ordered_ms: u64,
    /// Since when it stands in line: who is held back comes in behind.
    pub in_line_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// Where it stands.
    pub phase: JobPhase,
    /// Number of the transfer that fills the escrow.
    pub escrow_seq: u64,
    /// How many units it was cut into.
    pub unit_count: u32,
    /// Whether its films are gone, and its units are not known any more.
    pub expired: bool,
    /// Its units, in the order of [`crate::split()`].
    pub units: Vec<UnitState>,
    /// Indices of the units in the order of what they are, for looking one up.
    pub by_unit: Vec<u32>,
    /// What its artist wants to see first.
    pub first: Option<First>,
    /// Units that want a film, those that nobody has begun with their rings around what is wanted
    /// first, in the order in which they are handed out.
    pub waiting: BTreeSet<(Want, u32, u32)>,
    /// Units that are to be indexed anew at the end of the event.
    #[serde(skip)]
    pub touched: Vec<u32>,
    /// How far its tiles are, if they end when they have little noise.
    pub quiet: Option<Quiet>,
    /// Units accepted.
    pub units_accepted: u32,
    /// Units that nobody is at, and that are not rendered because their tiles have ended.
    pub units_spared: u32,
    /// Unsettled leases.
    pub leases: u32,
    /// Rechecks under way.
    pub rechecks: u32,
    /// What the escrow still holds, less what leases have reserved.
    pub available: Tokens,
    /// What leases have reserved in the escrow.
    pub reserved: Tokens,
    /// Paid out of the escrow, fees included.
    pub spent: Tokens,
    /// What the treasury has added to the escrow because the price did not reach, less what it got back;
    /// none as long as it was not asked.
    pub cover: Option<Tokens>,
    /// Returned to the artist.
    pub refunded: Tokens,
    /// Soft failures of nodes since their last good unit.
    pub failures: BTreeMap<NodeId, u32>,
    /// Nodes into whose memory its scene did not fit, though they were taken to have enough.
    pub too_small: BTreeSet<NodeId>,
    /// Nodes whose owners do not want it.
    pub unwanted_by: BTreeSet<NodeId>,
    /// What they told the operator.
    pub reports: BTreeMap<NodeId, String>,
    /// Whether its artist does without its scene, now that it is over.
    pub scene_dropped: bool,
    /// Times that its artist has had failures forgotten.
    pub retries: u32,
    /// When last.
    pub retried_ms: Option<u64>,
    /// Counts every change that an artist can see; every run of the scheduler begins above all
    /// that earlier ones can have told.
    pub version: u64,
    /// Verdicts that refused films of it, by node and number among its verdicts.
    pub refusals: Vec<(NodeId, u64)>,
    /// Pixels rendered again for it.
    pub pixels_checked: u64,
    /// Films that came for it.
    pub films: u64,
    /// From their leases to these films, milliseconds in all.
    pub films_ms: u64,
    /// When it opened or last got a lease.
    pub served_ms: u64,
    /// Number of the turn that it had last, or of the last of all when it was ordered.
    pub turn: u64,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobPhase {
    /// The escrow is being filled.
    Funding,
    /// Units are handed out.
    Open,
    /// No more units are handed out; what has come or still comes is judged.
    Closing(Ending),
    /// Every unit is accepted and the rest went back.
    Done,
    /// Over before it was done.
    Ended(Ending),
}

/// How a job ends that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It cannot go on.
    Failed(String),
    /// The artist does not want it any more.
    Cancelled,
    /// The artist is content with the samples that it has.
    Stopped,
}

/// Why a job is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pause {
    /// The artist wants it so.
    Artist,
    /// A job that it was to wait for ended before it was done.
    After(JobId),
}

/// What an artist wants to see first of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    /// These units, and the others of their picture around them.
    pub which: Selection,
    /// Since when.
    pub since_ms: u64,
}

/// Why a unit wants a film; what was begun comes before what was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Want {
    /// Nobody is at it any more.
    Again,
    /// Another owner is at it or has rendered it: it wants its twin.
    Twin,
    /// Nobody ever was.
    Fresh,
}

/// A unit of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitState {
    /// Which.
    pub unit: Unit,
    /// Films that must agree.
    pub films_wanted: u8,
    /// Its unsettled leases.
    pub leases: Vec<LeaseId>,
    /// Whether nobody is at it, and it is not rendered because its tile has ended.
    pub spared: bool,
    /// Whether its films differ and are on trial.
    pub on_trial: bool,
    /// Soft failures in all.
    pub failures: u32,
    /// Those that may be the unit's fault: leases that lapsed, films that were refused.
    pub lost: u32,
    /// Failures by node.
    pub failed_by: Vec<(NodeId, u32)>,
    /// Pay taken back from a convicted node, to pay for the unit once more.
    pub clawed_back: Tokens,
    /// The film in use.
    pub accepted: Option<Accepted>,
}

/// The film in use for a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The film, all of whose rays are paid for.
    pub film: FilmRef,
    /// Pixels rendered again.
    pub pixels_checked: u32,
    /// What the node was paid.
    pub pay: Tokens,
    /// Whether the artist has had it rendered once more.
    pub disputed: bool,
    /// The word on which alone it was accepted.
    pub vouched: Option<Box<Audit>>,
    /// The job's version when it was accepted.
    pub version: u64,
}

impl Job {
    /// Whether it is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, JobPhase::Done | JobPhase::Ended(_))
    }

    /// Whether nothing new of it is begun now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.pause.is_some() || !self.after.is_empty()
    }

    /// Whether units of it may be handed out.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.phase == JobPhase::Open && !self.is_held()
    }

    /// The average price of a unit of this size: its share of the quote's work.
    #[must_use]
    pub fn average_pay(&self, unit: &Unit) -> Tokens {
        let settings = &self.spec.settings;
        let rect_pixels = self.spec.grid().rect(unit.tile).map_or(0, |rect| rect.pixel_count());
        let samples = unit.batch.samples(settings.samples).len() as u128;
        let all = u128::from(self.quote.samples);
        money::share(self.quote.work, u128::from(rect_pixels) * samples, all)
    }

    /// What counted rays of a unit are worth, set-up included.
    #[must_use]
    pub fn worth(&self, rays: RayCount) -> Tokens {
        money::plus(money::pay_for(rays, self.quote.pay_per_gray()), self.setup_per_unit)
    }

    /// What a twin gets of such a pay: no more than at the base price, since the reserve pays and the
    /// artist chose the bid.
    #[must_use]
    pub fn twin_share(&self, pay: Tokens) -> Tokens {
        let (base, price) = (self.quote.base_per_gray.micro(), self.quote.price_per_gray.micro());
        if base < price { money::share(pay, base, price) } else { pay }
    }

    /// What a verifier gets for pixels of a unit: their share of its average price, which no film's
    /// maker can move, and no more than the unit brings the reserve.
    #[must_use]
    pub fn wage(&self, unit: &Unit, pixels: u32) -> Tokens {
        let all = self.spec.grid().rect(unit.tile).map_or(1, |rect| rect.pixel_count());
        let pay = self.twin_share(self.average_pay(unit));
        let (_, brought) = money::shares_on(pay, &self.quote);
        money::share(pay, u128::from(pixels), u128::from(all)).min(brought)
    }

    /// Whether it pays what a node works for. Weight is no part of it: a heavy scene pays more and
    /// takes as much longer.
    #[must_use]
    pub fn pays(&self, node: &Node) -> bool {
        self.quote.price_per_gray >= node.facts.ask_per_gray
    }

    /// Whether a node meets its needs and can hold its scene.
    #[must_use]
    pub(super) fn is_for(&self, node: &Node) -> bool {
        let facts = &node.facts;
        self.spec.needs.allow(facts.owner, &facts.equipment)
            && self.quote.memory.fits(&facts.equipment)
            && !self.is_passed_by(node.id)
    }

    /// Whether a node that may render it has said that it cannot or does not want to.
    #[must_use]
    pub fn is_passed_by(&self, node: NodeId) -> bool {
        self.too_small.contains(&node) || self.unwanted_by.contains(&node)
    }

    /// What was paid out of its escrow of what its artist gave: the treasury's tokens are the last to go.
    #[must_use]
    pub fn spent_by_artist(&self) -> Tokens {
        self.spent.min(self.quote.price)
    }

    /// Whether nobody has picked its nodes, by what he asks of them or by a scene that few can hold.
    #[must_use]
    pub(super) fn is_for_any(&self) -> bool {
        self.spec.needs.is_nothing() && self.quote.memory.is_usual()
    }

    /// Whether its artist does without its scene, and nothing of it can be rendered again but what is
    /// doubted already.
    #[must_use]
    pub fn does_without_scene(&self) -> bool {
        self.scene_dropped && self.is_over()
    }

    /// Whether only nodes of its own artist may render it: who would forge films forges his own.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.spec.needs.sole_owner() == Some(self.artist)
    }

    /// What its turn depends on.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        Standing {
            number: self.number,
            in_line_ms: self.in_line_ms,
            price: self.quote.price_per_gray,
            turn: self.turn,
        }
    }

    /// Whether units wait that nobody has begun; one that was may wait for a certain node.
    #[must_use]
    pub fn has_fresh_units(&self) -> bool {
        self.waiting.last().is_some_and(|(want, ..)| *want == Want::Fresh)
    }

    /// Whether all units that it will want were begun.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        !self.has_fresh_units() && !self.is_undecided()
    }

    /// Work of a unit: weighted centirays, as the quote bounds them.
    #[must_use]
    pub fn unit_work(&self) -> u128 {
        let all = pace::weighted(self.quote.rays, self.quote.weight_percent);
        all / u128::from(self.unit_count).max(1)
    }

    /// Which of the artist's jobs comes first.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        (Reverse(self.priority), self.wanted_by_ms.unwrap_or(u64::MAX))
    }

    /// A unit was accepted.
    pub(in crate::core) fn note_accepted(&mut self, now_ms: u64) {
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(now_ms);
    }

    /// When it is done if units go on to be accepted as the last ones were, milliseconds; none where
    /// too few were, or nothing new is begun. The longer none comes, the later it is.
    #[must_use]
    pub fn done_ms(&self, now_ms: u64) -> Option<u64> {
        if !self.is_offered() || self.recent.len() < RECENT_MIN {
            return None;
        }
        let took_ms = u128::from(now_ms.saturating_sub(*self.recent.front()?));
        let left = u128::from(self.units_left());
        let needs_ms = left * took_ms / (self.recent.len() as u128 - 1);
        Some(now_ms.saturating_add(u64::try_from(needs_ms).unwrap_or(u64::MAX)))
    }

    /// The job as it stands in line.
    pub(super) fn in_line(&self) -> InLine {
        InLine {
            job: self.id,
            artist: self.artist,
            urgency: self.urgency(),
            price: self.quote.price_per_gray,
            unit_work: self.unit_work(),
            units: self.waiting.len() as u32,
            is_ending: self.is_ending(),
            usual_ms: self.films_ms.checked_div(self.films),
            served_ms: self.served_ms,
        }
    }

    /// Index of a unit in `units`.
    #[must_use]
    pub fn index_of(&self, unit: &Unit) -> Option<u32> {
        let place = self.by_unit.binary_search_by_key(unit, |&at| self.units[at as usize].unit);
        place.ok().map(|place| self.by_unit[place])
    }

    /// What is left to do of it: weighted centirays, as the quote bounds them.
    #[must_use]
    pub fn work_left(&self) -> u128 {
        let all = pace::weighted(self.quote.rays, self.quote.weight_percent);
        let left = self.units_left();
        all * u128::from(left) / u128::from(self.unit_count).max(1)
    }

    /// Units that it has or may still want: all but those of tiles that have ended without them.
    #[must_use]
    pub const fn units_wanted(&self) -> u32 {
        self.unit_count - self.units_spared
    }

    /// Of these, units without an accepted film.
    #[must_use]
    pub const fn units_left(&self) -> u32 {
        self.units_wanted() - self.units_accepted
    }

    /// Whether nothing is to be rendered any more, and nothing to be decided.
    #[must_use]
    pub(in crate::core) fn has_all(&self) -> bool {
        self.units_accepted == self.units_wanted()
    }

    /// Whether units may come to be wanted that are not yet.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.quiet.as_ref().is_some_and(Quiet::is_undecided)
    }

    /// Indices of the units of a unit's tile, in the order of their samples.
    pub(in crate::core) fn of_tile(&self, unit: &Unit) -> impl Iterator<Item = u32> {
        let tile = (unit.shot, unit.tile);
        let tile_of = move |at: u32| {
            let unit = &self.units[at as usize].unit;
            (unit.shot, unit.tile)
        };
        let first = self.by_unit.partition_point(|&at| tile_of(at) < tile);
        self.by_unit[first..].iter().copied().take_while(move |&at| tile_of(at) == tile)
    }

    /// Index of the first unit of a unit's tile that begins at this chunk or later.
    pub(in crate::core) fn first_from(&self, unit: &Unit, chunk: u32) -> Option<u32> {
        self.of_tile(unit).find(|&at| self.units[at as usize].unit.batch.first_chunk() >= chunk)
    }

    /// Puts a unit among those that want a film, or takes it out.
    pub(in crate::core) fn refresh(&mut self, unit_index: u32) {
        self.version += 1;
        self.touched.push(unit_index);
        let unit = &self.units[unit_index as usize];
        let want = match (unit.leases.is_empty(), unit.failures) {
            (true, 0) => Want::Fresh,
            (true, _) => Want::Again,
            (false, _) => Want::Twin,
        };
        let wants = self.phase == JobPhase::Open
            && unit.accepted.is_none()
            && !unit.on_trial
            && unit.leases.len() < usize::from(unit.films_wanted)
            && self.quiet.as_ref().is_none_or(|quiet| quiet.wants(&unit.unit));
        let spared = unit.accepted.is_none()
            && unit.leases.is_empty()
            && self.quiet.as_ref().is_some_and(|quiet| quiet.spares(&unit.unit));
        self.units_spared += u32::from(spared);
        let was_spared = std::mem::replace(&mut self.units[unit_index as usize].spared, spared);
        self.units_spared -= u32::from(was_spared);
        for old in [Want::Again, Want::Twin, Want::Fresh] {
            self.waiting.remove(&(old, self.ring(old, unit_index), unit_index));
        }
        if wants {
            self.waiting.insert((want, self.ring(want, unit_index), unit_index));
        }
    }

    /// Units that are waiting for the same reason, in the order in which they are handed out.
    pub(in crate::core) fn waiting_for(&self, want: Want) -> impl Iterator<Item = u32> {
        let all = self.waiting.range((want, 0, 0)..=(want, u32::MAX, u32::MAX));
        all.map(|&(_, _, unit_index)| unit_index)
    }

    /// Has these units handed out before all others of the job that nobody has begun.
    pub(in crate::core) fn put_first(&mut self, first: First) {
        self.first = Some(first);
        let fresh = self.waiting.split_off(&(Want::Fresh, 0, 0));
        let anew = fresh.into_iter().map(|(want, _, at)| (want, self.ring(want, at), at));
        let mut anew: BTreeSet<_> = anew.collect();
        self.waiting.append(&mut anew);
    }

    /// How many rings of tiles a unit is away from what is wanted first; in another picture, the most.
    /// Of what was begun nothing comes first: who could order twins could choose whose they are.
    fn ring(&self, want: Want, unit_index: u32) -> u32 {
        let Some(First { which, .. }) = self.first.filter(|_| want == Want::Fresh) else {
            return 0;
        };
        let unit = &self.units[unit_index as usize].unit;
        let picture = Selection { tile: None, ..which };
        match which.tile {
            _ if !picture.holds(&self.spec, unit) => u32::MAX,
            Some(tile) => self.spec.grid().rings_between(tile, unit.tile),
            None => 0,
        }
    }
}
