//! What is looked up at every grant, so that nothing is searched for.
//!
//! All of it follows from the book and from who is connected. [`step`](crate::core::step()) notes what it
//! touches in [`Touched`], and at its end what was touched is indexed anew; a replay makes the index as
//! it makes the book.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use protocol::{JobId, NodeId, Priority, PublicKey, Tokens};

use super::{Book, Job, JobPhase, LeasePhase, Live, State, Times, UnitState};
use crate::market::place;

/// Leases of a unit at a time: its film, its twin and a race, or its film and two races.
const LEASES_MAX: usize = 3;
/// A lease is slow that has been out so many times longer than the job's films took on average.
const RACE_FACTOR: u64 = 4;
/// And no lease is slow or late that has been out for less, milliseconds.
pub(in crate::core) const RACE_AFTER_MS: u64 = 10_000;

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
    /// Open jobs with units that want a film, by their places in line; none that is held back.
    pub by_place: BTreeMap<(i128, u64), InLine>,
    /// The same by their turns.
    pub by_turn: BTreeMap<(u64, u64), InLine>,
    /// Open jobs by when their oldest lease that may be raced is slow; none before a film has come.
    pub races: Times<JobId>,
    /// Open jobs by when the last film should come whose unit may be raced.
    pub expected: Times<JobId>,
    /// The same of jobs all of whose units were begun; for ever where one of them wants a film.
    pub ending: Times<JobId>,
    /// Open jobs with units that want a film, of each artist, the highest priority first.
    pub by_artist: BTreeMap<PublicKey, BTreeSet<(Reverse<Priority>, JobId)>>,
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
    /// The same by when the first such lease is late.
    late: Times<u32>,
    /// The same by when the last such film should come.
    expected: Times<u32>,
}

/// A job in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InLine {
    /// Which.
    pub job: JobId,
    /// Whose.
    pub artist: PublicKey,
    /// Which of the artist's jobs comes first.
    pub priority: Priority,
    /// What it pays, tokens per billion metered rays.
    pub price: Tokens,
    /// Work of one unit: weighted centirays, as the quote bounds them.
    pub unit_work: u128,
    /// Units that want a film.
    pub units: u32,
    /// From a lease to its film on average, milliseconds; none before a film has come.
    pub usual_ms: Option<u64>,
    /// When it opened or last got a lease, milliseconds.
    pub served_ms: u64,
}

impl InLine {
    /// Work of the units that want a film.
    #[must_use]
    pub fn work(&self) -> u128 {
        self.unit_work.saturating_mul(u128::from(self.units))
    }
}

/// Where a job is in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LineKeys {
    /// Its place and its number.
    place: (i128, u64),
    /// Its turn and its number.
    turn: (u64, u64),
    /// Whose it is, and which of the artist's jobs comes first.
    artist: PublicKey,
    priority: Priority,
}

/// Nodes that are here and could get a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Able {
    nodes: BTreeMap<NodeId, AbleNode>,
    /// What they have shown that they can do together: weighted centirays a second.
    per_second: u128,
    asks: BTreeMap<PublicKey, BTreeSet<(Tokens, NodeId)>>,
    /// The lowest ask of each owner.
    lowest: BTreeSet<(Tokens, PublicKey)>,
}

/// What is asked of a node that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AbleNode {
    owner: PublicKey,
    ask: Tokens,
    per_second: u128,
}

impl Able {
    /// What they have shown that they can do together: weighted centirays a second.
    #[must_use]
    pub const fn per_second(&self) -> u128 {
        self.per_second
    }

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

    fn set(&mut self, id: NodeId, now: Option<AbleNode>) {
        let old = match now {
            Some(now) => self.nodes.insert(id, now),
            None => self.nodes.remove(&id),
        };
        self.per_second += now.map_or(0, |now| now.per_second);
        self.per_second -= old.map_or(0, |old| old.per_second);
        let asked = |node: AbleNode| (node.owner, node.ask);
        if old.map(asked) == now.map(asked) {
            return;
        }
        if let Some(AbleNode { owner, ask, .. }) = old {
            self.change(owner, |asks| asks.remove(&(ask, id)));
        }
        if let Some(AbleNode { owner, ask, .. }) = now {
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

    /// Units of a job that are late, the one that has been longest first.
    pub(in crate::core) fn late(&self, job: JobId, now_ms: u64) -> impl Iterator<Item = u32> {
        let late = self.jobs.get(&job).into_iter().flat_map(move |keys| keys.late.due(now_ms));
        late.map(|(_, unit_index)| unit_index)
    }

    /// Units of a job that may be raced, with when their last films should come, the latest first.
    pub(in crate::core) fn expected(&self, job: JobId) -> impl Iterator<Item = (u64, u32)> {
        self.jobs.get(&job).into_iter().flat_map(|keys| keys.expected.latest())
    }

    /// Whether there may be a lease for somebody: a unit wants a film, or may be raced.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.by_place.is_empty() || !self.expected.is_empty()
    }

    /// Whether another job of the same artist is to come first.
    pub(in crate::core) fn comes_later(&self, job: &InLine) -> bool {
        let jobs = self.by_artist.get(&job.artist);
        let first = jobs.and_then(|jobs| jobs.first());
        first.is_some_and(|(Reverse(priority), _)| *priority > job.priority)
    }

    fn note_node(&mut self, book: &Book, live: &Live, id: NodeId) {
        let Some(node) = book.nodes.get(&id) else { return };
        let is_able = node.class.is_some()
            && !node.barred
            && node.facts.engine == book.engine
            && live.connected.contains_key(&id);
        let able = AbleNode {
            owner: node.facts.owner,
            ask: node.facts.ask_per_gray,
            per_second: node.pace.steadily().unwrap_or(0),
        };
        self.able.set(id, is_able.then_some(able));
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
        let open = job.filter(|job| job.is_offered());
        let mut keys = self.jobs.remove(&id).unwrap_or_default();
        let waits = open.filter(|job| !job.waiting.is_empty());
        let line = waits.map(|job| LineKeys {
            place: (place::place_ms(&book.policy.market, &job.standing()), job.number),
            turn: (job.turn, job.number),
            artist: job.artist,
            priority: job.priority,
        });
        if let Some(old) = keys.line.filter(|_| line != keys.line) {
            self.by_place.remove(&old.place);
            self.by_turn.remove(&old.turn);
            if let Some(jobs) = self.by_artist.get_mut(&old.artist) {
                jobs.remove(&(Reverse(old.priority), id));
                if jobs.is_empty() {
                    self.by_artist.remove(&old.artist);
                }
            }
        }
        if let Some((keys, job)) = line.zip(waits) {
            let in_line = job.in_line();
            self.by_place.insert(keys.place, in_line);
            self.by_turn.insert(keys.turn, in_line);
            let jobs = self.by_artist.entry(keys.artist).or_default();
            jobs.insert((Reverse(keys.priority), id));
        }
        keys.line = line;
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
                    let out = out(book, &job.units[unit_index as usize]);
                    keys.out.set(unit_index, out.map(|out| out.granted_ms));
                    keys.late.set(unit_index, out.map(|out| out.late_ms));
                    keys.expected.set(unit_index, out.map(|out| out.expected_ms));
                }
            }
            None => {
                let none = Times::default;
                (keys.out, keys.late, keys.expected) = (none(), none(), none());
            }
        }
        let oldest_ms = keys.out.first_ms();
        let slow_ms = oldest_ms.zip(open.and_then(slow_after_ms));
        self.races.set(id, slow_ms.map(|(since_ms, after_ms)| since_ms.saturating_add(after_ms)));
        let last_ms = keys.expected.latest().next().map(|(at_ms, _)| at_ms);
        self.expected.set(id, last_ms);
        // One that waits for a unit that was begun comes before all that wait for films only.
        let is_ending = open.is_some_and(|job| !job.has_fresh_units() && !job.is_undecided());
        let ends_ms = waits.map(|_| u64::MAX).or(last_ms);
        self.ending.set(id, ends_ms.filter(|_| is_ending));
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

/// What is looked up of a unit beside whose leases one more may be granted.
#[derive(Clone, Copy)]
struct Out {
    /// When the oldest that is out was granted.
    granted_ms: u64,
    /// When the first is late.
    late_ms: u64,
    /// When the last film should come.
    expected_ms: u64,
}

fn out(book: &Book, unit: &UnitState) -> Option<Out> {
    let wanted = usize::from(unit.films_wanted);
    if unit.accepted.is_some() || unit.on_trial || unit.leases.len() >= LEASES_MAX {
        return None;
    }
    let out = unit.leases.iter().filter_map(|lease| book.leases.get(lease));
    let times = out.filter(|lease| lease.phase == LeasePhase::Out).map(|lease| Out {
        granted_ms: lease.granted_ms,
        late_ms: lease.late_ms(),
        expected_ms: lease.expected_ms,
    });
    if unit.leases.len() <= wanted {
        return times.reduce(|a, b| Out {
            granted_ms: a.granted_ms.min(b.granted_ms),
            late_ms: a.late_ms.min(b.late_ms),
            expected_ms: a.expected_ms.max(b.expected_ms),
        });
    }
    // Who races may be slow itself: once more, when all are late.
    times.reduce(|a, b| Out {
        granted_ms: a.granted_ms.max(b.granted_ms),
        late_ms: a.late_ms.max(b.late_ms),
        expected_ms: a.expected_ms.min(b.expected_ms),
    })
}
