//! Decisions that depend on the moment: who gets which lease, what has come due. They only read;
//! what they decide enters the state as an event.

use protocol::{JobId, JobSpec, LeaseId, NodeId, Shot, ShotIndex, Tokens};

use crate::core::event::Event;
use crate::core::gauge;
use crate::core::state::{Appeal, Job, JobPhase, LeasePhase, LeaseRecord, Node, State, UnitState};
use crate::market::{base, place};
use crate::reputation;

/// A lease is raced that has been out so many times longer than the job's films took on average.
const RACE_FACTOR: u64 = 4;
/// And at least so long, milliseconds.
const RACE_AFTER_MS: u64 = 10_000;

/// The next lease for a node, or `None` when there is nothing for it now.
#[must_use]
pub fn next_grant(state: &State, id: NodeId, now_ms: u64) -> Option<Event> {
    let book = &state.book;
    let node = book.nodes.get(&id).filter(|node| node.class.is_some() && !node.barred)?;
    let out = book
        .leases
        .values()
        .filter(|lease| lease.node == id && lease.phase == LeasePhase::Out)
        .count();
    if out >= book.policy.leases_per_node as usize || node.facts.engine != book.engine {
        return None;
    }
    let waiting = || {
        jobs_in_turn(state, node)
            .into_iter()
            .flat_map(|job| job.waiting.iter().map(move |&(_, unit_index)| (job, unit_index)))
            .find_map(|(job, unit_index)| grant_of(state, node, job, unit_index, now_ms))
    };
    waiting().or_else(|| race(state, node, now_ms))
}

/// The jobs that have units for a node, whose turn is next first.
fn jobs_in_turn<'a>(state: &'a State, node: &Node) -> Vec<&'a Job> {
    let book = &state.book;
    let rules = &book.policy.market;
    let jobs = book.active.values().map(|job| &book.jobs[job]);
    let mut jobs: Vec<&Job> =
        jobs.filter(|job| !job.waiting.is_empty() && is_offered(state, node, job)).collect();
    let rotates = place::rotates(rules, book.leases_granted + 1);
    jobs.sort_by(|a, b| match rotates {
        true => place::by_turn(&a.standing(), &b.standing()),
        false => place::by_place(rules, &a.standing(), &b.standing()),
    });
    jobs
}

/// Whether a job's units are for this node.
fn is_offered(state: &State, node: &Node, job: &Job) -> bool {
    let failures = job.failures.get(&node.id).copied().unwrap_or(0);
    job.phase == JobPhase::Open
        && job.pays(node)
        && (failures < state.book.policy.job_failures_per_node_max || !has_rival(state, node, job))
}

/// One more lease of a unit that another node is slow with, for a node that has nothing else to do:
/// the first film that holds is taken, and paid once.
fn race(state: &State, node: &Node, now_ms: u64) -> Option<Event> {
    let book = &state.book;
    book.leases.values().find_map(|lease| {
        let job = &book.jobs[&lease.job];
        let unit = &job.units[lease.unit_index as usize];
        let is_raced = is_slow(job, lease, now_ms)
            && unit.leases.len() <= usize::from(unit.films_wanted)
            && unit.accepted.is_none()
            && !unit.on_trial;
        (is_raced && is_offered(state, node, job))
            .then(|| grant_of(state, node, job, lease.unit_index, now_ms))?
    })
}

/// Whether a film takes much longer than those of its job did; never before one has come.
fn is_slow(job: &Job, lease: &LeaseRecord, now_ms: u64) -> bool {
    job.films_ms.checked_div(job.films).is_some_and(|usual_ms| {
        let slow_ms = usual_ms.saturating_mul(RACE_FACTOR).max(RACE_AFTER_MS);
        lease.phase == LeasePhase::Out && now_ms.saturating_sub(lease.granted_ms) >= slow_ms
    })
}

/// The lease of one unit for one node, if the node may have it.
fn grant_of(state: &State, node: &Node, job: &Job, unit_index: u32, now_ms: u64) -> Option<Event> {
    let book = &state.book;
    let unit = &job.units[unit_index as usize];
    let owner_of = |lease: &LeaseId| book.nodes[&book.leases[lease].node].facts.owner;
    if unit.leases.iter().any(|lease| owner_of(lease) == node.facts.owner) {
        return None;
    }
    if failures_of(unit, node.id) >= book.policy.unit_failures_per_node_max
        && has_rival(state, node, job)
    {
        return None;
    }
    let is_second = !unit.leases.is_empty();
    let needs_reserve = unit
        .leases
        .iter()
        .any(|lease| book.leases[lease].purse != crate::core::state::LeasePurse::Reserve);
    let funds_missing = if needs_reserve {
        book.reserve.is_zero()
    } else {
        unit.clawed_back.is_zero() && job.available.is_zero()
    };
    if funds_missing {
        return None;
    }
    let number = book.leases_granted + 1;
    let wants_twin = !is_second && book.policy.check && draws_twin(state, node, job, unit_index);
    let twin_possible = has_rival(state, node, job) && book.reserve >= job.average_pay(&unit.unit);
    let films_wanted = match (is_second, wants_twin && twin_possible) {
        (true, _) => unit.films_wanted,
        (false, true) => 2,
        (false, false) => 1,
    };
    Some(Event::Granted {
        lease: book.secret.lease_id(book.boot, number),
        node: node.id,
        job: job.id,
        unit_index,
        films_wanted,
        boosted: wants_twin && !twin_possible,
        now_ms,
    })
}

fn failures_of(unit: &UnitState, node: NodeId) -> u32 {
    unit.failed_by.iter().find(|(other, _)| *other == node).map_or(0, |(_, failures)| *failures)
}

/// Whether this unit, given to this node, gets a twin: always for a newcomer, else by dice that
/// the scheduler's secret has weighed by the node's name.
fn draws_twin(state: &State, node: &Node, job: &Job, unit_index: u32) -> bool {
    let book = &state.book;
    let name = reputation::reputation(node.accepted_for_others, node.refused, node.dropped);
    let floor_ppm = book.policy.twin_floor_ppm;
    let stake = book.stakes.get(&node.facts.owner).map_or(Tokens::ZERO, |stake| stake.amount);
    let ppm = reputation::twin_ppm(&name, floor_ppm);
    let ppm = reputation::staked_twin_ppm(ppm, floor_ppm, stake, book.policy.stake_full);
    let attempt = job.units[unit_index as usize].failures;
    node.granted < u64::from(book.policy.newcomer_units)
        || book.secret.twin_draw_ppm(job.id, unit_index, attempt, book.leases_granted) < ppm
}

/// Whether another owner has a node here that could render a twin, for what the job pays.
fn has_rival(state: &State, node: &Node, job: &Job) -> bool {
    able_nodes(state).any(|other| other.facts.owner != node.facts.owner && job.pays(other))
}

/// Nodes that are here and could get a lease.
pub(super) fn able_nodes(state: &State) -> impl Iterator<Item = &Node> {
    let known = state.live.connected.keys().filter_map(|id| state.book.nodes.get(id));
    known.filter(|node| {
        node.class.is_some() && !node.barred && node.facts.engine == state.book.engine
    })
}

/// What has come due: lapsed leases, twins that will not come, aged pay, jobs that cannot go on, the
/// base price's next step.
#[must_use]
pub fn due(state: &State, now_ms: u64) -> Vec<Event> {
    let mut events = Vec::new();
    let lapsed = state.live.deadlines.iter().filter(|(_, deadline)| **deadline <= now_ms);
    events.extend(lapsed.map(|(&lease, _)| Event::Lapsed { lease, now_ms }));
    let lonely = state.live.waiting_since.iter().filter(|(lease, since)| {
        let waited_ms = now_ms.saturating_sub(**since);
        waits_in_vain(state, **lease, waited_ms, now_ms)
    });
    events.extend(lonely.map(|(&lease, _)| Event::TwinWaived { lease, now_ms }));
    events.extend(state.book.nodes.values().filter_map(|node| aged(state, node, now_ms)));
    let appeal_ms = state.book.policy.appeal_ms;
    let final_ones = state.book.convictions.iter().filter(|(_, conviction)| {
        conviction.appeal == Appeal::Open && now_ms >= conviction.since_ms.saturating_add(appeal_ms)
    });
    events.extend(final_ones.map(|(&lease, _)| Event::AppealLapsed { lease }));
    let free = state
        .book
        .stakes
        .iter()
        .filter(|(_, stake)| !stake.leaving.is_zero() && now_ms >= stake.leaves_ms);
    events.extend(free.map(|(&owner, _)| Event::StakeLeft { owner }));
    let stuck = |job: &JobId| exhausted(state, *job).or_else(|| hopeless(state, *job));
    events.extend(state.book.active.values().filter_map(|job| {
        let failure = Some(stuck(job)?);
        Some(Event::Stopped { job: *job, failure, now_ms })
    }));
    events.extend(repriced(state, now_ms));
    events
}

/// The base price's step, when an epoch has passed since the last and it does not stand where it
/// belongs.
fn repriced(state: &State, now_ms: u64) -> Option<Event> {
    let book = &state.book;
    let rules = &book.policy.market;
    if now_ms < book.base_since_ms.saturating_add(rules.epoch_ms) {
        return None;
    }
    let old = book.base_per_gray;
    let heading = base::heading(rules, old, &gauge::signal(state, now_ms));
    let base_per_gray = base::next(rules, old, heading);
    (base_per_gray != old).then_some(Event::Repriced { base_per_gray, now_ms })
}

/// Whether a film that held has no twin to wait for: nobody renders one, or only who is slow.
fn waits_in_vain(state: &State, lease: LeaseId, waited_ms: u64, now_ms: u64) -> bool {
    let book = &state.book;
    let Some(record) = book.leases.get(&lease).filter(|record| record.has_passed()) else {
        return false;
    };
    let job = &book.jobs[&record.job];
    let unit = &job.units[record.unit_index as usize];
    let mut others = unit.leases.iter().filter(|other| **other != lease);
    if unit.on_trial || !others.all(|other| is_slow(job, &book.leases[other], now_ms)) {
        return false;
    }
    let policy = &book.policy;
    waited_ms >= policy.twin_wait_ms
        || waited_ms >= policy.gone_ms && !has_rival(state, &book.nodes[&record.node], job)
}

/// The held pay of a node that is old enough, or has enough newer units behind it.
fn aged(state: &State, node: &Node, now_ms: u64) -> Option<Event> {
    let policy = &state.book.policy;
    let is_audited = |id| state.book.audits.values().any(|audit| audit.finding.verifier == id);
    let ripe: Vec<LeaseId> = node
        .holds
        .iter()
        .filter(|(number, hold)| {
            now_ms >= hold.since_ms.saturating_add(policy.hold_ms)
                || **number + u64::from(policy.hold_units) <= node.accepted
        })
        // What is doubted is held until it was looked at, and what may turn out to be: pay of a verifier
        // whose word is being looked at, and for films that it has vouched for.
        .filter(|(_, hold)| !state.book.disputes.contains_key(&hold.film.lease))
        .filter(|(_, hold)| !is_audited(node.id) && !hold.vouched_by().is_some_and(is_audited))
        .map(|(_, hold)| hold.film.lease)
        .collect();
    (!ripe.is_empty()).then_some(Event::Aged { node: node.id, leases: ripe })
}

/// Why a job whose escrow is spent before its last unit ends.
fn exhausted(state: &State, id: JobId) -> Option<String> {
    let job = &state.book.jobs[&id];
    let stuck = job.phase == JobPhase::Open
        && job.leases == 0
        && job.available.is_zero()
        && !job.quote.price.is_zero()
        && job.waiting.iter().any(|&(_, index)| job.units[index as usize].clawed_back.is_zero());
    stuck.then(|| {
        format!(
            "the frame cost more rays than the probe had bounded, and the price of {} is spent; order the rest with a new quote",
            job.quote.price
        )
    })
}

/// Why a job with a unit that nobody gets done ends.
///
/// Names are free, so what nodes without any fail at counts only as long as none with a name could
/// try: else a few fresh keys would end any job by taking leases and never answering.
fn hopeless(state: &State, id: JobId) -> Option<String> {
    let book = &state.book;
    let job = &book.jobs[&id];
    let (lost_max, each_max) =
        (book.policy.unit_failures_max, book.policy.unit_failures_per_node_max);
    let proven = |node: &Node| {
        !node.barred && node.accepted_for_others >= u64::from(book.policy.newcomer_units)
    };
    let is_hopeless = |unit: &UnitState| {
        let by_proven = unit.failed_by.iter().filter(|(id, _)| proven(&book.nodes[id]));
        unit.accepted.is_none()
            && unit.lost >= lost_max
            && (by_proven.map(|(_, failures)| failures).sum::<u32>() >= lost_max
                || able_nodes(state)
                    .filter(|node| proven(node) && job.pays(node))
                    .all(|node| failures_of(unit, node.id) >= each_max))
    };
    if job.phase != JobPhase::Open {
        return None;
    }
    // Units that were begun come first.
    let begun = job.waiting.iter().take_while(|(is_fresh, _)| !is_fresh);
    let unit =
        begun.map(|&(_, index)| &job.units[index as usize]).find(|unit| is_hopeless(unit))?;
    Some(format!(
        "tile {} of {} failed {} times on the farm's nodes; what was not spent has been returned",
        unit.unit.tile.0,
        shot_words(&job.spec, unit.unit.shot),
        unit.failures
    ))
}

/// A shot in words; its camera where there are several.
fn shot_words(spec: &JobSpec, shot: ShotIndex) -> String {
    let Some(Shot { frame, view }) = spec.shot(shot) else { return format!("shot {}", shot.0) };
    match spec.camera(view) {
        Some(camera) if spec.view_count() > 1 => format!("frame {frame} of {camera}"),
        _ => format!("frame {frame}"),
    }
}
