//! What people and machines did, told from the journal's events: who, what, when.
//!
//! The journal is signed and chained, so this is an audit log that nobody can have changed: there is no
//! second one beside it that could say something else.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{JobId, LeaseId, NodeId, PublicKey, Refusal, Steering};

use super::event::{CheckOutcome, Effect, Event};
use super::state::{Book, Ending, JobPhase, State};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Whoever runs the scheduler.
    Operator,
    /// Who pays for jobs.
    Artist(PublicKey),
    /// Who is paid for a node's work.
    Owner(PublicKey),
    /// A node.
    Node(NodeId),
    /// The farm by its rules.
    Farm,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Number of the entry in the journal.
    pub seq: u64,
    /// When, or not before: some events carry no time of their own. Milliseconds since 1970.
    pub at_ms: u64,
    /// By whom.
    pub actor: Actor,
    /// A word for programs.
    pub act: &'static str,
    /// The job that it is about.
    pub job: Option<JobId>,
    /// The node that it is about.
    pub node: Option<NodeId>,
    /// The rest, for people.
    pub words: String,
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// Its film is the one in use.
    Accepted,
    /// Its film was good, and is not: a twin, or a race that was lost.
    Passed,
    /// Its film was refused.
    Refused,
    /// The node gave it back.
    Released,
    /// Nothing came of it in time.
    Lapsed,
    /// It was not needed any more.
    Dropped,
}

/// The life of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The lease.
    pub lease: LeaseId,
    /// Whose.
    pub node: NodeId,
    /// The job.
    pub job: JobId,
    /// Index of the unit in the job.
    pub unit_index: u32,
    /// When it was granted, milliseconds since 1970.
    pub granted_ms: u64,
    /// When its film came.
    pub film_ms: Option<u64>,
    /// When it was settled.
    pub ended_ms: u64,
    /// How.
    pub end: LeaseEnd,
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Somebody did something.
    Deed(Deed),
    /// A lease was settled.
    Lease(Span),
}

/// Reads a journal from its beginning.
#[derive(Debug)]
pub struct History {
    state: State,
    now_ms: u64,
    /// Leases that are not settled, by job and unit.
    open: BTreeMap<(JobId, u32), Vec<Span>>,
    /// Convictions that were told.
    convictions: BTreeSet<LeaseId>,
}

impl History {
    /// Before the first event.
    #[must_use]
    pub const fn new(state: State) -> Self {
        Self { state, now_ms: 0, open: BTreeMap::new(), convictions: BTreeSet::new() }
    }

    /// What has come of the events so far.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Takes in the next event, and tells what was done.
    pub fn take_in(&mut self, seq: u64, event: Event, tell: &mut dyn FnMut(Told)) {
        self.now_ms = time_of(&event).unwrap_or(self.now_ms).max(self.now_ms);
        let at_ms = self.now_ms;
        let mut deeds = deeds(&self.state.book, &event);
        let ends = ends(&event);
        let unit = unit_of(&self.state.book, &event);
        self.note(&event);
        let (is_start, steered) = match &event {
            Event::Steered { job, .. }
            | Event::Failed { job, .. }
            | Event::Unrenderable { job, .. } => (false, Some(*job)),
            event => (matches!(event, Event::Started { .. }), None),
        };
        let effects = super::step(&mut self.state, event);
        let barred = self.barred();
        // Whoever is convicted loses all of its leases.
        let is_wide = is_start || !barred.is_empty();
        deeds.extend(barred);
        let over = effects.iter().filter_map(|effect| match effect {
            Effect::JobEnded(job) => Some(*job),
            _ => None,
        });
        let jobs: Vec<JobId> = over.clone().chain(steered).collect();
        deeds.extend(over.map(|job| ended(&self.state.book, job)));
        for (actor, act, (job, node), words) in deeds {
            tell(Told::Deed(Deed { seq, at_ms, actor, act, job, node, words }));
        }
        let book = &self.state.book;
        let mut settle = |spans: &mut Vec<Span>| {
            spans.retain(|span| {
                let is_open = book.leases.contains_key(&span.lease);
                if !is_open {
                    let end = end(book, span, &ends);
                    tell(Told::Lease(Span { ended_ms: at_ms, end, ..*span }));
                }
                is_open
            });
            !spans.is_empty()
        };
        if is_wide {
            self.open.retain(|_, spans| settle(spans));
            return;
        }
        let of_jobs = jobs.iter().flat_map(|job| self.open.range((*job, 0)..=(*job, u32::MAX)));
        let units: Vec<_> = of_jobs.map(|(unit, _)| *unit).chain(unit).collect();
        for unit in units {
            if self.open.get_mut(&unit).is_some_and(|spans| !settle(spans)) {
                self.open.remove(&unit);
            }
        }
    }

    /// Nodes that the last event has convicted.
    fn barred(&mut self) -> Vec<Act> {
        let convictions = &self.state.book.convictions;
        if convictions.keys().eq(&self.convictions) {
            return Vec::new();
        }
        let new = convictions.iter().filter(|(lease, _)| !self.convictions.contains(lease));
        let acts = new.map(|(_, it)| {
            let words = format!(
                "by a film of unit {}; {} tokens of held pay and {} at stake are taken",
                it.unit_index, it.taken, it.stake
            );
            (Actor::Farm, "node_barred", (Some(it.unit.job), Some(it.node)), words)
        });
        let acts = acts.collect();
        self.convictions = convictions.keys().copied().collect();
        acts
    }

    /// Begins the span of a lease that is granted, and marks its film.
    fn note(&mut self, event: &Event) {
        match *event {
            Event::Granted { lease, node, job, unit_index, now_ms, .. } => {
                let (granted_ms, ended_ms, end) = (now_ms, now_ms, LeaseEnd::Dropped);
                let film_ms = None;
                let span =
                    Span { lease, node, job, unit_index, granted_ms, film_ms, ended_ms, end };
                self.open.entry((job, unit_index)).or_default().push(span);
            }
            Event::Committed { lease, now_ms, .. } => {
                let unit = unit_of(&self.state.book, event);
                let spans = unit.and_then(|unit| self.open.get_mut(&unit));
                let span = spans.into_iter().flatten().find(|span| span.lease == lease);
                span.into_iter().for_each(|span| span.film_ms = Some(now_ms));
            }
            _ => {}
        }
    }
}

/// What somebody did: who, a word for programs, about what, and the rest.
type Act = (Actor, &'static str, About, String);
type About = (Option<JobId>, Option<NodeId>);

fn ended(book: &Book, id: JobId) -> Act {
    let job = &book.jobs[&id];
    let end = match &job.phase {
        JobPhase::Ended(Ending::Failed(why)) => format!("failed, {why}"),
        JobPhase::Ended(Ending::Cancelled) => "cancelled".to_owned(),
        JobPhase::Ended(Ending::Stopped) => "stopped".to_owned(),
        _ => "done".to_owned(),
    };
    let words = format!(
        "{end}: {} of {} units, {} tokens paid, {} returned",
        job.units_accepted,
        job.unit_count,
        job.spent_by_artist(),
        job.refunded
    );
    (Actor::Farm, "job_ended", (Some(id), None), words)
}

/// Leases that an event ends in a way of its own.
fn ends(event: &Event) -> Vec<(LeaseId, LeaseEnd)> {
    match event {
        Event::Released { lease, .. } => vec![(*lease, LeaseEnd::Released)],
        Event::Lapsed { lease, .. } => vec![(*lease, LeaseEnd::Lapsed)],
        Event::Tripped { lease, .. }
        | Event::Judged { lease, outcome: CheckOutcome::Refused { .. }, .. } => {
            vec![(*lease, LeaseEnd::Refused)]
        }
        Event::Tried { films, .. } => {
            let guilty = films.iter().filter(|film| film.differing > 0);
            guilty.map(|film| (film.lease, LeaseEnd::Refused)).collect()
        }
        Event::Unrenderable { leases, .. } => {
            leases.iter().map(|lease| (*lease, LeaseEnd::Dropped)).collect()
        }
        _ => Vec::new(),
    }
}

/// How a lease ended that is settled now.
fn end(book: &Book, span: &Span, ends: &[(LeaseId, LeaseEnd)]) -> LeaseEnd {
    let unit = book.jobs.get(&span.job).and_then(|job| job.units.get(span.unit_index as usize));
    let accepted = unit.and_then(|unit| unit.accepted.as_ref()).map(|it| it.film.lease);
    let own = ends.iter().find(|(lease, _)| *lease == span.lease);
    match (own, span.film_ms) {
        _ if accepted == Some(span.lease) => LeaseEnd::Accepted,
        (Some((_, end)), _) => *end,
        (None, Some(_)) => LeaseEnd::Passed,
        (None, None) => LeaseEnd::Dropped,
    }
}

/// When an event happened, where it says so.
fn time_of(event: &Event) -> Option<u64> {
    match event {
        Event::Started { now_ms, .. }
        | Event::Moved { now_ms, .. }
        | Event::Granted { now_ms, .. }
        | Event::Released { now_ms, .. }
        | Event::Lapsed { now_ms, .. }
        | Event::Committed { now_ms, .. }
        | Event::Tripped { now_ms, .. }
        | Event::Judged { now_ms, .. }
        | Event::Found { now_ms, .. }
        | Event::TwinWaived { now_ms, .. }
        | Event::Tried { now_ms, .. }
        | Event::Weighed { now_ms, .. }
        | Event::FilmLost { now_ms, .. }
        | Event::Rechecked { now_ms, .. }
        | Event::Failed { now_ms, .. }
        | Event::Steered { now_ms, .. }
        | Event::DisputeHeard { now_ms, .. }
        | Event::Unstaked { now_ms, .. }
        | Event::Repriced { now_ms, .. }
        | Event::Reported { now_ms, .. }
        | Event::Blocked { now_ms, .. }
        | Event::SceneDropped { now_ms, .. }
        | Event::Covered { now_ms, .. }
        | Event::Unrenderable { now_ms, .. } => Some(*now_ms),
        Event::Ordered(ordered) => Some(ordered.now_ms),
        _ => None,
    }
}

/// The lease that an event is about.
const fn lease_of(event: &Event) -> Option<LeaseId> {
    match event {
        Event::Released { lease, .. }
        | Event::Lapsed { lease, .. }
        | Event::Committed { lease, .. }
        | Event::Tripped { lease, .. }
        | Event::Judged { lease, .. }
        | Event::Found { lease, .. }
        | Event::TwinWaived { lease, .. }
        | Event::FilmLost { lease, .. } => Some(*lease),
        _ => None,
    }
}

/// The unit whose leases an event may settle.
fn unit_of(book: &Book, event: &Event) -> Option<(JobId, u32)> {
    match event {
        Event::Tried { job, unit_index, .. } | Event::Granted { job, unit_index, .. } => {
            Some((*job, *unit_index))
        }
        _ => {
            let lease = book.leases.get(&lease_of(event)?)?;
            Some((lease.job, lease.unit_index))
        }
    }
}

/// What somebody did by an event.
fn deeds(book: &Book, event: &Event) -> Vec<Act> {
    let Event::Tried { job, films, .. } = event else {
        return deed(book, event).into_iter().collect();
    };
    let guilty = films.iter().filter(|film| film.differing > 0);
    let refused = guilty.map(|film| {
        let node = book.leases.get(&film.lease).map(|lease| lease.node);
        let words = Refusal::Duplicate { differing: film.differing }.to_string();
        (Actor::Farm, "film_refused", (Some(*job), node), words)
    });
    refused.collect()
}

/// What an event is, where it is somebody's deed.
fn deed(book: &Book, event: &Event) -> Option<Act> {
    let artist =
        |job: &JobId| book.jobs.get(job).map_or(Actor::Farm, |job| Actor::Artist(job.artist));
    let of_lease = |lease: &LeaseId| {
        let lease = book.leases.get(lease);
        (lease.map(|lease| lease.job), lease.map(|lease| lease.node))
    };
    let convicted = |lease: &LeaseId| book.convictions.get(lease);
    let on_conviction = |lease: &LeaseId| {
        let of = convicted(lease);
        (of.map(|it| it.unit.job), of.map(|it| it.node))
    };
    let nothing: About = (None, None);
    Some(match event {
        Event::Started { engine, .. } => {
            (Actor::Operator, "started", nothing, format!("the scheduler, with {engine}"))
        }
        Event::ReserveSeeded { amount, .. } => {
            (Actor::Operator, "reserve_seeded", nothing, format!("{amount} tokens"))
        }
        Event::NodeMet { node, facts } => {
            let known = book.nodes.get(node);
            if known.is_some_and(|known| known.facts == *facts) {
                return None;
            }
            let act = if known.is_some() { "node_changed" } else { "node_met" };
            let words = format!("{}, {}, of {}", facts.name, facts.backend, facts.owner.short());
            (Actor::Node(*node), act, (None, Some(*node)), words)
        }
        Event::Qualified { node, class } => {
            let words = format!("its films are compared as {class:?}");
            (Actor::Node(*node), "node_qualified", (None, Some(*node)), words)
        }
        Event::Ordered(it) => {
            let (name, price) = (&it.spec.name, it.quote.price);
            let words = format!("{name:?} for {price} tokens, scene {}", it.spec.scene.short());
            (Actor::Artist(it.artist), "job_ordered", (Some(it.job), None), words)
        }
        Event::Unfunded { job } => {
            let words = "the wallet held less than the price".to_owned();
            (Actor::Farm, "job_unfunded", (Some(*job), None), words)
        }
        Event::Steered { job, steering, .. } => {
            let (act, words) = steered(*steering);
            (artist(job), act, (Some(*job), None), words)
        }
        Event::Covered { job, .. } => {
            let added = book.cover(&book.jobs[job]);
            let words = format!("the price did not reach: the treasury adds {added} tokens");
            (Actor::Farm, "job_covered", (Some(*job), None), words)
        }
        Event::Failed { job, why, .. } | Event::Unrenderable { job, why, .. } => {
            (Actor::Farm, "job_failed", (Some(*job), None), why.clone())
        }
        Event::Expired { job } => {
            let words = "its films are not kept any longer".to_owned();
            (Actor::Farm, "job_expired", (Some(*job), None), words)
        }
        Event::Tripped { lease, refusal, .. } => {
            (Actor::Farm, "film_refused", of_lease(lease), refusal.to_string())
        }
        Event::Judged { lease, outcome: CheckOutcome::Refused { refusal, .. }, .. } => {
            (Actor::Farm, "film_refused", of_lease(lease), refusal.to_string())
        }
        Event::Disputed { job, unit_index } => {
            let words = format!("the film of unit {unit_index}");
            (artist(job), "film_disputed", (Some(*job), None), words)
        }
        Event::DisputeHeard { lease, outcome, .. } => {
            let of = book.disputes.get(lease);
            let about = (of.map(|it| it.job), of.map(|it| it.film.node));
            let words = match outcome {
                CheckOutcome::Passed { .. } => "the film is good".to_owned(),
                CheckOutcome::Refused { refusal, .. } => refusal.to_string(),
            };
            (Actor::Farm, "dispute_heard", about, words)
        }
        Event::Appealed { lease } => {
            let actor = convicted(lease).map_or(Actor::Farm, |it| Actor::Owner(it.owner));
            let words = "against a conviction".to_owned();
            (actor, "appealed", on_conviction(lease), words)
        }
        Event::AppealHeard { lease, holds } => {
            let words = match holds {
                Some(true) => "the film is good: the conviction is overturned",
                Some(false) => "the conviction stands",
                None => "nobody can render it any more",
            };
            (Actor::Farm, "appeal_heard", on_conviction(lease), words.to_owned())
        }
        Event::Staked { owner, amount, .. } => {
            (Actor::Owner(*owner), "staked", nothing, format!("{amount} tokens"))
        }
        Event::Unstaked { owner, amount, .. } => {
            (Actor::Owner(*owner), "unstaked", nothing, format!("{amount} tokens"))
        }
        Event::Repriced { base_per_gray, .. } => {
            let words = format!("{base_per_gray} tokens per billion rays");
            (Actor::Farm, "repriced", nothing, words)
        }
        Event::Reported { node, job, words, .. } => {
            (Actor::Node(*node), "job_reported", (Some(*job), Some(*node)), words.clone())
        }
        Event::Blocked { artist, who, is_blocked, .. } => {
            let act = if *is_blocked { "node_blocked" } else { "node_unblocked" };
            let node = Some(NodeId(who.0)).filter(|id| book.nodes.contains_key(id));
            (Actor::Artist(*artist), act, (None, node), who.short())
        }
        Event::SceneDropped { artist, scene, .. } => {
            (Actor::Artist(*artist), "scene_dropped", nothing, scene.short())
        }
        _ => return None,
    })
}

fn steered(steering: Steering) -> (&'static str, String) {
    match steering {
        Steering::Pause => ("job_paused", String::new()),
        Steering::Resume => ("job_resumed", String::new()),
        Steering::Priority(priority) => ("job_priority", format!("{}", u8::from(priority))),
        Steering::First(which) => ("job_first", format!("{which}")),
        Steering::Retry(_) => ("job_retried", String::new()),
        Steering::Stop => ("job_stopped", String::new()),
        Steering::Cancel => ("job_cancelled", String::new()),
    }
}
