//! What is looked up at every grant, so that nothing is searched for.
//!
//! All of it follows from the book and from who is connected. [`step`](crate::core::step()) notes what it
//! touches in [`Touched`], and at its end what was touched is indexed anew; a replay makes the index as
//! it makes the book.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{JobId, LeaseId, NodeId, PublicKey, Tokens};

use super::{Book, Job, JobPhase, LeasePhase, Live, State, Times, UnitState};
use crate::market::place;

/// A lease is raced that has been out so many times longer than the job's films took on average.
const RACE_FACTOR: u64 = 4;
/// And at least so long, milliseconds.
const RACE_AFTER_MS: u64 = 10_000;

/// Nodes and jobs that an event has changed, until they are indexed anew. Empty between events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    nodes: Vec<NodeId>,
    jobs: Vec<JobId>,
}

impl Touched {
    pub(in crate::core) fn node(&mut self, id: NodeId) {
        if self.nodes.last() != Some(&id) {
            self.nodes.push(id);
        }
    }

    pub(in crate::core) fn job(&mut self, id: JobId) {
        if self.jobs.last() != Some(&id) {
            self.jobs.push(id);
        }
    }
}

/// Nodes and jobs by what is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Index {
    /// Nodes that are here and could get a lease.
    pub able: Able,
    /// Open jobs with units that want a film, by their places in line, with what they pay.
    pub by_place: BTreeMap<(i128, u64), (JobId, Tokens)>,
    /// The same by their turns.
    pub by_turn: BTreeMap<(u64, u64), (JobId, Tokens)>,
    /// Open jobs by when their oldest lease that may be raced is slow; none before a film has come.
    pub races: Times<JobId>,
    /// Jobs that wait for their escrow, by number of the transfer that fills it.
    pub funding: BTreeMap<u64, JobId>,
    /// Since when the first held pay of each node is held.
    pub held: Times<NodeId>,
    /// Nodes whose first held pay has enough newer units behind it.
    pub outworked: BTreeSet<NodeId>,
    jobs: BTreeMap<JobId, JobKeys>,
}

/// Where a job is in the index.
#[derive(Debug, Clone, Default, PartialEq)]
struct JobKeys {
    /// While units want a film.
    line: Option<LineKeys>,
    funding: Option<u64>,
    /// Units that may be raced, by when the oldest lease that is out was granted.
    out: Times<u32>,
}

/// Where a job is in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LineKeys {
    /// Its place and its number.
    place: (i128, u64),
    /// Its turn and its number.
    turn: (u64, u64),
    /// What it pays.
    price: Tokens,
}

/// Nodes that are here and could get a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Able {
    nodes: BTreeMap<NodeId, (PublicKey, Tokens)>,
    asks: BTreeMap<PublicKey, BTreeSet<(Tokens, NodeId)>>,
    /// The lowest ask of each owner.
    lowest: BTreeSet<(Tokens, PublicKey)>,
}

impl Able {
    /// All of them, by id.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied()
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many owners they have.
    #[must_use]
    pub fn owners(&self) -> usize {
        self.asks.len()
    }

    /// The least that any of them works for, tokens per billion metered rays.
    #[must_use]
    pub fn lowest_ask(&self) -> Option<Tokens> {
        self.lowest.first().map(|(ask, _)| *ask)
    }

    /// The least that a node of another owner works for, tokens per billion metered rays.
    #[must_use]
    pub fn lowest_ask_of_others(&self, owner: PublicKey) -> Option<Tokens> {
        self.lowest.iter().find(|(_, other)| *other != owner).map(|(ask, _)| *ask)
    }

    fn set(&mut self, id: NodeId, now: Option<(PublicKey, Tokens)>) {
        let old = match now {
            Some(now) => self.nodes.insert(id, now),
            None => self.nodes.remove(&id),
        };
        if old == now {
            return;
        }
        if let Some((owner, ask)) = old {
            self.change(owner, |asks| asks.remove(&(ask, id)));
        }
        if let Some((owner, ask)) = now {
            self.change(owner, |asks| asks.insert((ask, id)));
        }
    }

    fn change(
        &mut self,
        owner: PublicKey,
        with: impl FnOnce(&mut BTreeSet<(Tokens, NodeId)>) -> bool,
    ) {
        let lowest = |asks: &BTreeSet<(Tokens, NodeId)>| asks.first().map(|(ask, _)| *ask);
        let asks = self.asks.entry(owner).or_default();
        let before = lowest(asks);
        with(asks);
        let after = lowest(asks);
        if after.is_none() {
            self.asks.remove(&owner);
        }
        if before != after {
            if let Some(ask) = before {
                self.lowest.remove(&(ask, owner));
            }
            self.lowest.extend(after.map(|ask| (ask, owner)));
        }
    }
}

impl State {
    /// Indexes anew what an event has touched.
    pub(in crate::core) fn reindex(&mut self) {
        let Touched { nodes, jobs } = std::mem::take(&mut self.book.touched);
        for id in nodes {
            self.index.note_node(&self.book, &self.live, id);
        }
        for id in jobs {
            let job = self.book.jobs.get_mut(&id);
            let units = job.map(|job| std::mem::take(&mut job.touched)).unwrap_or_default();
            self.index.note_job(&self.book, id, units);
        }
    }

    /// The index as it must be, made from nothing.
    #[must_use]
    pub fn indexed_anew(&self) -> Index {
        let mut index = Index::default();
        for &id in self.book.nodes.keys() {
            index.note_node(&self.book, &self.live, id);
        }
        for (&id, job) in &self.book.jobs {
            index.note_job(&self.book, id, 0..job.units.len() as u32);
        }
        index
    }
}

impl Index {
    /// Units of a job that may be raced, the one whose lease has been out longest first.
    pub(in crate::core) fn out(&self, job: JobId) -> impl Iterator<Item = (u64, u32)> {
        self.jobs.get(&job).into_iter().flat_map(|keys| keys.out.due(u64::MAX))
    }

    fn note_node(&mut self, book: &Book, live: &Live, id: NodeId) {
        let Some(node) = book.nodes.get(&id) else { return };
        let is_able = node.class.is_some()
            && !node.barred
            && node.facts.engine == book.engine
            && live.connected.contains_key(&id);
        self.able.set(id, is_able.then_some((node.facts.owner, node.facts.ask_per_gray)));
        let first = node.holds.first_key_value();
        self.held.set(id, first.map(|(_, hold)| hold.since_ms));
        let newer = u64::from(book.policy.hold_units);
        if first.is_some_and(|(number, _)| number.saturating_add(newer) <= node.accepted) {
            self.outworked.insert(id);
        } else {
            self.outworked.remove(&id);
        }
    }

    fn note_job(&mut self, book: &Book, id: JobId, units: impl IntoIterator<Item = u32>) {
        let job = book.jobs.get(&id);
        let open = job.filter(|job| job.phase == JobPhase::Open);
        let mut keys = self.jobs.remove(&id).unwrap_or_default();
        let line = open.filter(|job| !job.waiting.is_empty()).map(|job| LineKeys {
            place: (place::place_ms(&book.policy.market, &job.standing()), job.number),
            turn: (job.turn, job.number),
            price: job.quote.price_per_gray,
        });
        if line != keys.line {
            if let Some(old) = keys.line {
                self.by_place.remove(&old.place);
                self.by_turn.remove(&old.turn);
            }
            if let Some(new) = line {
                self.by_place.insert(new.place, (id, new.price));
                self.by_turn.insert(new.turn, (id, new.price));
            }
            keys.line = line;
        }
        if let Some(seq) = keys.funding.take() {
            self.funding.remove(&seq);
        }
        if let Some(job) = job.filter(|job| job.phase == JobPhase::Funding) {
            self.funding.insert(job.escrow_seq, id);
            keys.funding = Some(job.escrow_seq);
        }
        match open {
            Some(job) => {
                for unit_index in units {
                    keys.out.set(unit_index, out_since(book, &job.units[unit_index as usize]));
                }
            }
            None => keys.out = Times::default(),
        }
        let oldest_ms = keys.out.first_ms();
        let slow_ms = oldest_ms.zip(open.and_then(slow_after_ms));
        self.races.set(id, slow_ms.map(|(since_ms, after_ms)| since_ms.saturating_add(after_ms)));
        if keys != JobKeys::default() {
            self.jobs.insert(id, keys);
        }
    }
}

/// How long a lease of a job may be out before it is slow, milliseconds; none before a film has come.
pub(in crate::core) fn slow_after_ms(job: &Job) -> Option<u64> {
    let usual_ms = job.films_ms.checked_div(job.films)?;
    Some(usual_ms.saturating_mul(RACE_FACTOR).max(RACE_AFTER_MS))
}

/// Since when the oldest lease of a unit is out, where one more may be granted beside it.
fn out_since(book: &Book, unit: &UnitState) -> Option<u64> {
    let may_be_raced = unit.leases.len() <= usize::from(unit.films_wanted)
        && unit.accepted.is_none()
        && !unit.on_trial;
    let record = |lease: &LeaseId| book.leases.get(lease);
    let out = unit.leases.iter().filter_map(record).filter(|it| it.phase == LeasePhase::Out);
    out.map(|lease| lease.granted_ms).min().filter(|_| may_be_raced)
}
