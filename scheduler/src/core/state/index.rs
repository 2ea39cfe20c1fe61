//! What is looked up at every grant, so that nothing is searched for.
//!
//! All of it follows from the book and from who is connected. [`step`](crate::core::step()) notes what it
//! touches in [`Touched`], and at its end what was touched is indexed anew; a replay makes the index as
//! it makes the book.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::{JobId, NodeId, Pool, PublicKey};

use super::able::AbleNode;
use super::demand::Demand;
use super::line::LineKeys;
use super::{Able, Book, Job, JobPhase, LeasePhase, Line, Live, Node, State, Times, UnitState};
use crate::market::place;

/// Leases of a unit at a time beyond the films that it wants: two races.
const RACES_MAX: usize = 2;
/// A lease is slow that has been out so many times longer than the job's films took on average.
const RACE_FACTOR: u64 = 4;
/// And no lease is slow or late that has been out for less, milliseconds.
pub(in crate::core) const RACE_AFTER_MS: u64 = 10_000;
/// The same of a job's last units, for which an artist waits.
pub(in crate::core) const LAST_AFTER_MS: u64 = 2_000;
/// A job's last units are one of so many.
const LAST_SHARE: u32 = 50;

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
    /// Open jobs that any node may render.
    pub line: Line,
    /// What jobs that are not over need, who meets it, and which they are.
    groups: BTreeMap<Arc<Demand>, Group>,
    /// Where a node finds the groups that may be for it.
    found_by: BTreeMap<Trait, BTreeSet<Arc<Demand>>>,
    /// The groups of each node that could get a lease, if there are any.
    member_of: BTreeMap<NodeId, BTreeSet<Arc<Demand>>>,
    /// Jobs that wait for their escrow, by number of the transfer that fills it.
    pub funding: BTreeMap<u64, JobId>,
    /// Since when the first held pay of each node is held.
    pub held: Times<NodeId>,
    /// Nodes whose first held pay has enough newer units behind it.
    pub outworked: BTreeSet<NodeId>,
    jobs: BTreeMap<JobId, JobKeys>,
}

/// Jobs that need the same of nodes.
#[derive(Debug, Clone, Default, PartialEq)]
struct Group {
    /// Nodes that meet it.
    able: Able,
    /// Open jobs.
    line: Line,
    /// All that are not over.
    jobs: BTreeSet<JobId>,
}

/// What a node is looked up by, so that none scans what can only be for others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Trait {
    Owner(PublicKey),
    Pool(Pool),
    Any,
}

/// Jobs in line that a node may render, and the nodes that may.
#[derive(Clone, Copy)]
pub(in crate::core) struct Open<'a> {
    pub(in crate::core) line: &'a Line,
    pub(in crate::core) able: &'a Able,
}

/// Where a job is in the index.
#[derive(Debug, Clone, Default, PartialEq)]
struct JobKeys {
    /// Its group, while it needs something and is not over.
    group: Option<Arc<Demand>>,
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
        let for_some = || self.groups.values().filter(|group| !group.able.is_empty());
        self.line.has_work() || for_some().any(|group| group.line.has_work())
    }

    /// Open jobs with units that want a film.
    #[must_use]
    pub fn jobs_in_line(&self) -> usize {
        let of_groups = self.groups.values().map(|group| group.line.by_place.len());
        self.line.by_place.len() + of_groups.sum::<usize>()
    }

    /// The nodes that could get a lease of a job with these needs, which is not over.
    #[must_use]
    pub fn able_for(&self, needs: &Demand) -> Option<&Able> {
        if needs.is_nothing() {
            return Some(&self.able);
        }
        self.groups.get(needs).map(|group| &group.able)
    }

    /// Different needs of jobs that are not over, without those that need nothing.
    #[must_use]
    pub fn needs_count(&self) -> usize {
        self.groups.len()
    }

    /// What a node may render now.
    pub(in crate::core) fn open_to(&self, node: &Node) -> Vec<Open<'_>> {
        let mut open = vec![Open { line: &self.line, able: &self.able }];
        let groups = self.groups_for(node).map(|needs| &self.groups[needs]);
        open.extend(
            groups
                .filter(|group| group.line.has_work())
                .map(|group| Open { line: &group.line, able: &group.able }),
        );
        open
    }

    /// What the jobs need of which a node could get a lease, beside those that need nothing.
    pub(in crate::core) fn needs_met_by(&self, node: NodeId) -> impl Iterator<Item = &Demand> {
        self.member_of.get(&node).into_iter().flatten().map(|needs| &**needs)
    }

    /// The groups whose needs a node meets.
    fn groups_for(&self, node: &Node) -> impl Iterator<Item = &Arc<Demand>> {
        let facts = &node.facts;
        let pools = facts.equipment.pools.iter().cloned().map(Trait::Pool);
        let traits = pools.chain([Trait::Owner(facts.owner), Trait::Any]);
        let traits = (!self.groups.is_empty()).then_some(traits).into_iter().flatten();
        traits
            .filter_map(|it| self.found_by.get(&it))
            .flatten()
            .filter(|needs| needs.allow(facts.owner, &facts.equipment))
    }

    /// Notes which groups a node is in that could get a lease now, or not.
    fn note_member(&mut self, node: &Node, able: Option<AbleNode>) {
        if self.groups.is_empty() {
            return;
        }
        let now: BTreeSet<Arc<Demand>> = match able {
            Some(_) => self.groups_for(node).cloned().collect(),
            None => BTreeSet::new(),
        };
        let was = self.member_of.remove(&node.id).unwrap_or_default();
        for needs in was.union(&now) {
            if let Some(group) = self.groups.get_mut(needs) {
                group.able.set(node.id, able.filter(|_| now.contains(needs)));
            }
        }
        if !now.is_empty() {
            self.member_of.insert(node.id, now);
        }
    }

    /// The group of a job that needs something, made if it is the first.
    fn join(&mut self, book: &Book, job: &Job) -> Option<Arc<Demand>> {
        let needs = &job.demand;
        if needs.is_nothing() {
            return None;
        }
        let known = self.groups.get_key_value(needs).map(|(needs, _)| needs.clone());
        let needs = known.unwrap_or_else(|| self.gather(book, needs));
        self.groups.entry(needs.clone()).or_default().jobs.insert(job.id);
        Some(needs)
    }

    /// A new group, of all nodes that meet its needs.
    fn gather(&mut self, book: &Book, needs: &Demand) -> Arc<Demand> {
        let needs = Arc::new(needs.clone());
        let mut group = Group::default();
        for (id, able) in self.able.nodes() {
            if needs.allow(able.owner, &book.nodes[&id].facts.equipment) {
                group.able.set(id, Some(able));
                self.member_of.entry(id).or_default().insert(needs.clone());
            }
        }
        for it in traits_of(&needs) {
            self.found_by.entry(it).or_default().insert(needs.clone());
        }
        self.groups.insert(needs.clone(), group);
        needs
    }

    /// A job is over: its group goes with its last one.
    fn leave(&mut self, id: JobId, needs: &Arc<Demand>) {
        let Some(group) = self.groups.get_mut(needs) else { return };
        group.jobs.remove(&id);
        if !group.jobs.is_empty() {
            return;
        }
        let members: Vec<NodeId> = group.able.ids().collect();
        self.groups.remove(needs);
        members.into_iter().for_each(|node| take_out(&mut self.member_of, &node, needs));
        traits_of(needs).iter().for_each(|it| take_out(&mut self.found_by, it, needs));
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
            is_veteran: book.is_veteran(node),
        };
        let able = is_able.then_some(able);
        self.able.set(id, able);
        self.note_member(node, able);
        let first = node.holds.first_key_value();
        self.held.set(id, first.map(|(_, hold)| book.free_ms(node, hold)));
        let newer = u64::from(book.policy.hold_units);
        if first.is_some_and(|(_, hold)| hold.of_any.saturating_add(newer) <= node.accepted_of_any)
        {
            self.outworked.insert(id);
        } else {
            self.outworked.remove(&id);
        }
    }

    fn note_job(&mut self, book: &Book, id: JobId, units: impl IntoIterator<Item = u32>) {
        let job = book.jobs.get(&id);
        let open = job.filter(|job| job.is_offered());
        let mut keys = self.jobs.remove(&id).unwrap_or_default();
        let lasts = job.filter(|job| !job.is_over());
        if let Some(job) = lasts.filter(|_| keys.group.is_none()) {
            keys.group = self.join(book, job);
        }
        let waits = open.filter(|job| !job.waiting.is_empty());
        let line = waits.map(|job| LineKeys {
            place: (place::place_ms(&book.policy.market, &job.standing()), job.number),
            turn: (job.turn, job.number),
            artist: job.artist,
            urgency: job.urgency(),
        });
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
        let slow_ms = slow_ms.map(|(since_ms, after_ms)| since_ms.saturating_add(after_ms));
        let last_ms = keys.expected.latest().next().map(|(at_ms, _)| at_ms);
        // One that waits for a unit that was begun comes before all that wait for films only.
        let is_ending = open.is_some_and(Job::is_ending);
        let ends_ms = waits.map(|_| u64::MAX).or(last_ms).filter(|_| is_ending);
        let few = |job: &Job| job.units_left() <= job.units_wanted().div_ceil(LAST_SHARE);
        let is_tail = open.is_some_and(few);
        let group = keys.group.as_ref().and_then(|needs| self.groups.get_mut(needs));
        let jobs = group.map_or(&mut self.line, |group| &mut group.line);
        jobs.place(id, keys.line, line.zip(waits.map(Job::in_line)));
        jobs.races.set(id, slow_ms);
        jobs.expected.set(id, last_ms);
        jobs.ending.set(id, ends_ms);
        jobs.tails.set(id, last_ms.filter(|_| is_tail));
        keys.line = line;
        if let Some(needs) = keys.group.take_if(|_| lasts.is_none()) {
            self.leave(id, &needs);
        }
        if keys != JobKeys::default() {
            self.jobs.insert(id, keys);
        }
    }
}

/// What a node is looked up by that may meet these needs.
fn traits_of(Demand { needs, .. }: &Demand) -> Vec<Trait> {
    match (&needs.pool, needs.owners.is_empty()) {
        (_, false) => needs.owners.iter().copied().map(Trait::Owner).collect(),
        (Some(pool), true) => vec![Trait::Pool(pool.clone())],
        (None, true) => vec![Trait::Any],
    }
}

fn take_out<K: Ord>(sets: &mut BTreeMap<K, BTreeSet<Arc<Demand>>>, of: &K, needs: &Arc<Demand>) {
    let Some(set) = sets.get_mut(of) else { return };
    set.remove(needs);
    if set.is_empty() {
        sets.remove(of);
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
    if unit.accepted.is_some() || unit.on_trial || unit.leases.len() >= wanted + RACES_MAX {
        return None;
    }
    let of_unit = || unit.leases.iter().filter_map(|lease| book.leases.get(lease));
    // What is being checked most likely holds.
    if of_unit().filter(|lease| lease.phase != LeasePhase::Out).count() >= wanted {
        return None;
    }
    let times = of_unit().filter(|lease| lease.phase == LeasePhase::Out).map(|lease| Out {
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
