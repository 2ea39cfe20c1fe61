//! What people and machines did, told from the journal's events: who, what, when.
//!
//! The journal is signed and chained, so this is an audit log that nobody can have changed: there is no
//! second one beside it that could say something else.

use std::collections::BTreeMap;

use protocol::{JobId, LeaseId, NodeId, PublicKey, Steering};

use super::event::{CheckOutcome, Effect, Event};
use super::state::{Book, JobPhase, State};

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
}

impl History {
    /// Before the first event.
    #[must_use]
    pub const fn new(state: State) -> Self {
        Self { state, now_ms: 0, open: BTreeMap::new() }
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
        if let Some(deed) = deed(&self.state.book, &event) {
            let (actor, act, (job, node), words) = deed;
            tell(Told::Deed(Deed { seq, at_ms, actor, act, job, node, words }));
        }
        let unit = unit_of(&self.state.book, &event);
        self.note(&event);
        let (is_refusal, is_release, is_lapse) = (
            matches!(event, Event::Tripped { .. } | Event::Tried { .. })
                || matches!(&event, Event::Judged { outcome: CheckOutcome::Refused { .. }, .. }),
            matches!(event, Event::Released { .. }),
            matches!(event, Event::Lapsed { .. }),
        );
        let at_fault = lease_of(&event);
        let effects = super::step(&mut self.state, event);
        let how = |book: &Book, span: &Span| {
            let unit = &book.jobs.get(&span.job)?.units.get(span.unit_index as usize)?;
            let accepted = unit.accepted.as_ref().map(|accepted| accepted.film.lease);
            Some(match span.film_ms {
                _ if accepted == Some(span.lease) => LeaseEnd::Accepted,
                _ if is_release && at_fault == Some(span.lease) => LeaseEnd::Released,
                _ if is_lapse && at_fault == Some(span.lease) => LeaseEnd::Lapsed,
                _ if is_refusal && at_fault.is_none_or(|lease| lease == span.lease) => {
                    LeaseEnd::Refused
                }
                Some(_) => LeaseEnd::Passed,
                None => LeaseEnd::Dropped,
            })
        };
        let mut units: Vec<(JobId, u32)> = unit.into_iter().collect();
        for effect in &effects {
            if let Effect::JobEnded(job) = effect {
                tell(Told::Deed(self.ended(seq, *job)));
                units.extend(self.open.range((*job, 0)..=(*job, u32::MAX)).map(|(unit, _)| *unit));
            }
        }
        for unit in units {
            let Some(spans) = self.open.get_mut(&unit) else { continue };
            let book = &self.state.book;
            spans.retain(|span| {
                let is_open = book.leases.contains_key(&span.lease);
                if !is_open {
                    let end = how(book, span).unwrap_or(LeaseEnd::Dropped);
                    tell(Told::Lease(Span { ended_ms: at_ms, end, ..*span }));
                }
                is_open
            });
            if spans.is_empty() {
                self.open.remove(&unit);
            }
        }
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

    fn ended(&self, seq: u64, id: JobId) -> Deed {
        let job = &self.state.book.jobs[&id];
        let end = match &job.phase {
            JobPhase::Ended(ending) => format!("{ending:?}").to_lowercase(),
            _ => "done".to_owned(),
        };
        let words = format!(
            "{end}: {} of {} units, {} tokens paid, {} returned",
            job.units_accepted, job.unit_count, job.spent, job.refunded
        );
        let (actor, act) = (Actor::Farm, "job_ended");
        Deed { seq, at_ms: self.now_ms, actor, act, job: Some(id), node: None, words }
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
        | Event::Repriced { now_ms, .. } => Some(*now_ms),
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

type About = (Option<JobId>, Option<NodeId>);

/// What an event is, where it is somebody's deed.
fn deed(book: &Book, event: &Event) -> Option<(Actor, &'static str, About, String)> {
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
        Event::Failed { job, why, .. } => {
            (Actor::Farm, "job_failed", (Some(*job), None), why.clone())
        }
        Event::Expired { job } => {
            let words = "its films are not kept any longer".to_owned();
            (Actor::Farm, "job_expired", (Some(*job), None), words)
        }
        Event::Tripped { lease, refusal, .. } => {
            (Actor::Farm, "film_refused", of_lease(lease), format!("{refusal:?}"))
        }
        Event::Judged { lease, outcome: CheckOutcome::Refused { refusal, .. }, .. } => {
            (Actor::Farm, "film_refused", of_lease(lease), format!("{refusal:?}"))
        }
        Event::Disputed { job, unit_index } => {
            let words = format!("the film of unit {unit_index}");
            (artist(job), "film_disputed", (Some(*job), None), words)
        }
        Event::DisputeHeard { outcome, .. } => {
            (Actor::Farm, "dispute_heard", nothing, format!("{outcome:?}"))
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
        _ => return None,
    })
}

fn steered(steering: Steering) -> (&'static str, String) {
    match steering {
        Steering::Pause => ("job_paused", String::new()),
        Steering::Resume => ("job_resumed", String::new()),
        Steering::Priority(priority) => ("job_priority", format!("{}", u8::from(priority))),
        Steering::Retry(_) => ("job_retried", String::new()),
        Steering::Stop => ("job_stopped", String::new()),
        Steering::Cancel => ("job_cancelled", String::new()),
    }
}
