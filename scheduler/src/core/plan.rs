//! Decisions that depend on the moment: who gets which lease, what has come due. They only read;
//! what they decide enters the state as an event.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{JobId, LeaseId, NodeId, PublicKey, Steering, Tokens};

use crate::core::event::Event;
use crate::core::gauge;
use crate::core::state::{
    Able, Appeal, Book, InLine, Job, JobPhase, LeasePhase, LeasePurse, LeaseRecord, Merged, Node,
    Open, State, UnitState, Want, slow_after_ms,
};
use crate::core::{Policy, race, view};
use crate::market::base::{self, Signal};
use crate::market::place;
use crate::{money, reputation};

/// Units of one job, of each kind, that are looked at for a node before it is sent on: who comes next
/// finds those that were passed over.
pub(super) const LOOKED_AT_MAX: usize = 64;

/// A node that is done with a unit in so many milliseconds is of use for any job.
const OF_USE_MS: u64 = 5_000;

/// The next lease for a node, or `None` when there is nothing for it now.
///
/// What jobs that are almost done wait for comes first, then the jobs in line whose turn it is and that
/// are not done sooner without this node, then what others are slow with.
///
/// The cost does not depend on how many nodes and leases there are. It grows with the logarithm of the
/// number of jobs, and by some comparisons for each job in front that is not for this node.
#[must_use]
pub fn next_grant(state: &State, id: NodeId, now_ms: u64) -> Option<Event> {
    let (book, index) = (&state.book, &state.index);
    let node = book.nodes.get(&id).filter(|node| node.class.is_some() && !node.barred)?;
    let is_full = node.out >= book.policy.leases_per_node || outruns_its_judges(book, node);
    if is_full || node.facts.engine != book.engine {
        return None;
    }
    // Jobs that need what the node has not are in lines that it never sees.
    let open = index.open_to(node);
    let by_place = || {
        let lines = open.iter().map(|open| {
            let jobs = open.line.by_place.iter();
            jobs.map(|(place, it)| (*place, Waiting { job: it, ahead: 0, able: open.able }))
        });
        let in_order = Merged::new(lines, |(place, _)| *place);
        let ahead = in_order.scan(0_u128, |ahead, (_, it)| {
            *ahead = ahead.saturating_add(it.job.work());
            Some(Waiting { ahead: *ahead, ..it })
        });
        first_in_line(state, node, &open, ahead, now_ms)
    };
    let by_turn = || {
        let lines = open.iter().map(|open| {
            let jobs = open.line.by_turn.iter();
            jobs.map(|(turn, it)| (*turn, Waiting { job: it, ahead: it.work(), able: open.able }))
        });
        let own = Merged::new(lines, |(turn, _)| *turn).map(|(_, it)| it);
        first_in_line(state, node, &open, own, now_ms)
    };
    // Where a turn is of no use to this node, its place may be.
    let rotates = place::rotates(&book.policy.market, book.leases_granted + 1);
    let in_line = || rotates.then(by_turn).flatten().or_else(by_place);
    // A job that is almost done does not wait until others run out of work.
    race::end(state, node, &open, now_ms)
        .or_else(in_line)
        .or_else(|| race::any(state, node, &open, now_ms))
}

/// Whether so many films of a node wait for their challenges that it gets nothing new before some are
/// judged: a farm renders no faster than it can look, and who only pretends to render hands in no more
/// than that before the first film is looked at. Newcomers have twice as many as are to make them a name.
fn outruns_its_judges(book: &Book, node: &Node) -> bool {
    let Policy { unjudged_max, newcomer_units, .. } = book.policy;
    let of_newcomers = newcomer_units.saturating_mul(2).max(1);
    let most = if book.has_name(node) { unjudged_max } else { unjudged_max.min(of_newcomers) };
    let most = most as usize;
    let is_unjudged =
        |lease: &&LeaseId| matches!(book.leases[*lease].phase, LeasePhase::Committed(_));
    node.leases.len() >= most && node.leases.iter().filter(is_unjudged).count() >= most
}

/// A job in line, as a node comes to it.
#[derive(Clone, Copy)]
struct Waiting<'a> {
    job: &'a InLine,
    /// Work up to its end.
    ahead: u128,
    /// Nodes that may render it.
    able: &'a Able,
}

/// The first unit for a node of jobs in line.
///
/// A job whose artist wants another one first is looked at when all others were: so its artist alone
/// waits for that order, and nobody is passed by it. Of the artist's jobs those count that are for the
/// node.
fn first_in_line<'a>(
    state: &'a State,
    node: &Node,
    open: &[Open<'_>],
    mut jobs: impl Iterator<Item = Waiting<'a>>,
    now_ms: u64,
) -> Option<Event> {
    let mut later = Vec::new();
    let of_job = |it: Waiting<'_>| {
        (it.job.price >= node.facts.ask_per_gray && is_of_use(node, it, now_ms))
            .then(|| grant_in(state, node, &state.book.jobs[&it.job.job], now_ms))?
    };
    let first = jobs.find_map(|it| {
        if open.iter().any(|open| open.line.comes_later(it.job)) {
            later.push(it);
            return None;
        }
        of_job(it)
    });
    first.or_else(|| by_urgency(later).into_iter().find_map(of_job))
}

/// Each artist's jobs by urgency, in the places that they have in line: between artists nothing changes.
fn by_urgency(jobs: Vec<Waiting<'_>>) -> Vec<Waiting<'_>> {
    let mut of_artist: BTreeMap<PublicKey, Vec<Waiting<'_>>> = BTreeMap::new();
    for it in &jobs {
        of_artist.entry(it.job.artist).or_default().push(*it);
    }
    for own in of_artist.values_mut() {
        own.sort_by_key(|it| it.job.urgency);
        own.reverse();
    }
    let next = |it: Waiting<'_>| of_artist.get_mut(&it.job.artist).and_then(Vec::pop);
    jobs.into_iter().filter_map(next).collect()
}

/// Whether a node does a unit of a job before others have done all work up to its end: who does not
/// only keeps the artist waiting. A job that nobody else has served since waits for nobody else.
fn is_of_use(node: &Node, it: Waiting<'_>, now_ms: u64) -> bool {
    let Waiting { job, able, .. } = it;
    // Quick nodes come to what was begun before all else.
    let ahead = if job.is_ending { job.work() } else { it.ahead };
    let others_ms = |work: u128| {
        let ms = work.saturating_mul(1_000).checked_div(able.per_second());
        ms.map_or(u64::MAX, |ms| u64::try_from(ms).unwrap_or(u64::MAX))
    };
    // Films of slow nodes count in what was usual, and waits in their lines; nobody is to wait as long
    // again at the end.
    let mean_ms = others_ms(job.unit_work.saturating_mul(able.len() as u128));
    let film_ms = job.usual_ms.unwrap_or(mean_ms).min(mean_ms / 2);
    let waited_ms = now_ms.saturating_sub(job.served_ms);
    let allowed_ms = others_ms(ahead).saturating_add(film_ms).saturating_add(waited_ms);
    let needs_ms = node.needs_ms(job.unit_work).unwrap_or(0);
    needs_ms <= allowed_ms.max(OF_USE_MS)
}

/// The first unit of a job that wants a film and that a node may have.
pub(super) fn grant_in(state: &State, node: &Node, job: &Job, now_ms: u64) -> Option<Event> {
    if !is_offered(state, node, job) {
        return None;
    }
    // Nobody has begun with a fresh unit, so if the first is not for the node, none is.
    [(Want::Again, LOOKED_AT_MAX), (Want::Twin, LOOKED_AT_MAX), (Want::Fresh, 1)]
        .into_iter()
        .flat_map(|(want, most)| job.waiting_for(want).take(most))
        .find_map(|unit_index| grant_of(state, node, job, unit_index, now_ms))
}

/// Whether a job's units are for this node.
pub(super) fn is_offered(state: &State, node: &Node, job: &Job) -> bool {
    let fails = |id| fails_at(state, job, id);
    job.is_offered()
        && state.book.is_for(job, node)
        && job.pays(node)
        && (!fails(node.id) || !has_better(state, node, job, fails))
}

/// Whether a node has failed so often in a job that others come first.
fn fails_at(state: &State, job: &Job, node: NodeId) -> bool {
    let failures = job.failures.get(&node).copied().unwrap_or(0);
    failures >= state.book.policy.job_failures_per_node_max
}

/// Whether a film takes much longer than those of its job did; never before one has come.
fn is_slow(job: &Job, lease: &LeaseRecord, now_ms: u64) -> bool {
    slow_after_ms(job).is_some_and(|after_ms| {
        lease.phase == LeasePhase::Out && now_ms.saturating_sub(lease.granted_ms) >= after_ms
    })
}

/// The lease of one unit for one node, if the node may have it.
pub(super) fn grant_of(
    state: &State,
    node: &Node,
    job: &Job,
    unit_index: u32,
    now_ms: u64,
) -> Option<Event> {
    let book = &state.book;
    let unit = &job.units[unit_index as usize];
    let owner_of = |lease: &LeaseId| book.nodes[&book.leases[lease].node].facts.owner;
    if unit.leases.iter().any(|lease| owner_of(lease) == node.facts.owner) {
        return None;
    }
    let each_max = book.policy.unit_failures_per_node_max;
    let fails = |id| failures_of(unit, id) >= each_max;
    if fails(node.id) && has_better(state, node, job, |id| fails(id) || fails_at(state, job, id)) {
        return None;
    }
    let is_second = !unit.leases.is_empty();
    let is_twin = is_second && unit.films_wanted > 1;
    let mut held = unit.leases.iter().map(|lease| &book.leases[lease]);
    let is_no_pair = is_twin && !held.all(|lease| book.may_be_paired(node, lease));
    // Where nobody else is left and a film is late, the unit goes on without a twin.
    if is_no_pair && !goes_on_alone(state, job, unit, now_ms) {
        return None;
    }
    let needs_reserve =
        unit.leases.iter().any(|lease| book.leases[lease].purse != LeasePurse::Reserve);
    // Where nothing costs anything nothing can be missing.
    let is_free = job.quote.price.is_zero();
    // Who was blocked since is not to choose whose twin the reserve pays.
    if is_twin && !is_free && !book.is_for_any(job) {
        return None;
    }
    let funds_missing = if is_free {
        false
    } else if needs_reserve {
        book.reserve.is_zero()
    } else {
        unit.clawed_back.is_zero() && job.available.is_zero()
    };
    if funds_missing {
        return None;
    }
    let number = book.leases_granted + 1;
    // Who may render his own job with his own nodes only would cheat himself.
    let may_cheat = book.policy.check && !job.is_private();
    let wants_twin = !is_second && may_cheat && draws_twin(state, node, job, unit_index);
    // The reserve pays nobody whom an artist has picked: more pixels are looked at instead.
    let reserve_pays = book.is_for_any(job) && book.reserve >= job.average_pay(&unit.unit);
    // However many a newcomer takes while its first ones wait for theirs: veterans have other work too.
    let may_wait = book.has_name(node) || node.leases.len() < book.policy.newcomer_units as usize;
    let pays_twin = is_free || reserve_pays;
    let has_pair = || has_rival(state, job, node.facts.owner, book.is_veteran(node));
    let gets_twin = wants_twin && may_wait && pays_twin && has_pair();
    let films_wanted = match (is_second, gets_twin) {
        (true, _) if is_no_pair => 1,
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
        boosted: wants_twin && !gets_twin || is_no_pair,
        now_ms,
    })
}

/// Whether all films of a unit that wants a twin are late, and none of their nodes has anybody to be paired
/// with, or nobody has come for as long as a film waits for its twin.
fn goes_on_alone(state: &State, job: &Job, unit: &UnitState, now_ms: u64) -> bool {
    let book = &state.book;
    let mut leases = unit.leases.iter().map(|lease| &book.leases[lease]);
    let long_ago_ms = now_ms.saturating_sub(book.policy.twin_wait_ms);
    leases.all(|lease| {
        is_slow(job, lease, now_ms)
            && (is_slow(job, lease, long_ago_ms) || !lease_has_rival(state, job, lease))
    })
}

fn failures_of(unit: &UnitState, node: NodeId) -> u32 {
    unit.failed_by.iter().find(|(other, _)| *other == node).map_or(0, |(_, failures)| *failures)
}

/// Whether this unit, given to this node, wants a twin: always of a newcomer, else by dice that
/// the scheduler's secret has weighed by the node's name.
fn draws_twin(state: &State, node: &Node, job: &Job, unit_index: u32) -> bool {
    let book = &state.book;
    let name = reputation::reputation(node.accepted_for_others, node.refused, node.dropped);
    let floor_ppm = book.policy.twin_floor_ppm;
    let stake = book.stakes.get(&node.facts.owner).map_or(Tokens::ZERO, |stake| stake.amount);
    let ppm = reputation::twin_ppm(&name, floor_ppm);
    let ppm = reputation::staked_twin_ppm(ppm, floor_ppm, stake, book.policy.stake_full);
    let attempt = job.units[unit_index as usize].failures;
    !book.has_name(node)
        || book.secret.twin_draw_ppm(job.id, unit_index, attempt, book.leases_granted) < ppm
}

/// Whether another owner has a node here that could render the twin of a lease.
fn lease_has_rival(state: &State, job: &Job, lease: &LeaseRecord) -> bool {
    has_rival(state, job, state.book.nodes[&lease.node].facts.owner, lease.of_veteran)
}

/// Whether another owner has a node here that could render a twin, for what the job pays: a veteran, where
/// the first is none.
fn has_rival(state: &State, job: &Job, owner: PublicKey, is_veteran: bool) -> bool {
    let book = &state.book;
    let able = state.index.able_for(&job.demand);
    if book.passes_some_by(job) {
        let is_rival = |other: &Node| other.facts.owner != owner && job.pays(other);
        let mut veterans = able.into_iter().flat_map(Able::veteran_ids).map(|id| &book.nodes[&id]);
        return match is_veteran {
            true => able_nodes_for(state, job).any(is_rival),
            false => veterans.any(|other| book.is_for(job, other) && is_rival(other)),
        };
    }
    let ask = able.and_then(|able| match is_veteran {
        true => able.lowest_ask_of_others(owner),
        false => able.lowest_ask_of_veterans(owner),
    });
    ask.is_some_and(|ask| job.quote.price_per_gray >= ask)
}

/// Whether another owner has a node here that is paid and does not fail: where all have failed as
/// often, as when the scheduler's own line was down, nobody waits for anybody.
fn has_better(state: &State, node: &Node, job: &Job, fails: impl Fn(NodeId) -> bool) -> bool {
    able_nodes_for(state, job)
        .any(|other| other.facts.owner != node.facts.owner && job.pays(other) && !fails(other.id))
}

/// Nodes that are here and could get a lease.
pub(super) fn able_nodes(state: &State) -> impl Iterator<Item = &Node> {
    state.index.able.ids().map(|id| &state.book.nodes[&id])
}

/// Nodes that are here and could get a lease of a job.
pub(super) fn able_nodes_for<'a>(state: &'a State, job: &Job) -> impl Iterator<Item = &'a Node> {
    let able = state.index.able_for(&job.demand);
    let nodes = able.into_iter().flat_map(Able::ids).map(|id| &state.book.nodes[&id]);
    // The line of all nodes has those with very little memory, too.
    nodes.filter(|node| state.book.is_for(job, node))
}

/// What has come due: lapsed leases, twins that will not come, aged pay, jobs that cannot go on, the
/// base price's next step.
#[must_use]
pub fn due(state: &State, now_ms: u64) -> Vec<Event> {
    let mut events = Vec::new();
    let policy = &state.book.policy;
    let lapsed = state.live.deadlines.due(now_ms);
    events.extend(lapsed.map(|(_, lease)| Event::Lapsed { lease, now_ms }));
    let waited_ms = policy.twin_wait_ms.min(policy.gone_ms);
    let waiting = now_ms.checked_sub(waited_ms).map(|since| state.live.waiting_since.due(since));
    let lonely = waiting.into_iter().flatten().filter(|&(since_ms, lease)| {
        waits_in_vain(state, lease, now_ms.saturating_sub(since_ms), now_ms)
    });
    events.extend(lonely.map(|(_, lease)| Event::TwinWaived { lease, now_ms }));
    events.extend(all_aged(state, now_ms));
    let appeal_ms = policy.appeal_ms;
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
    let mut may_cover = true;
    let stuck = |&job: &JobId| {
        // One at a time: what the treasury holds is not there twice.
        if covers(state, job) {
            let is_first = std::mem::take(&mut may_cover);
            return is_first.then_some(Event::Covered { job, now_ms });
        }
        let why = exhausted(state, job).or_else(|| hopeless(state, job))?;
        Some(Event::Failed { job, why, now_ms })
    };
    let active = || state.book.active.values();
    events.extend(active().filter_map(stuck));
    let is_up = |job: &&JobId| {
        let job = &state.book.jobs[job];
        job.phase == JobPhase::Open && job.stops_ms.is_some_and(|stops_ms| now_ms >= stops_ms)
    };
    let steering = Steering::Stop;
    events.extend(active().filter(is_up).map(|&job| Event::Steered { job, steering, now_ms }));
    events.extend(repriced(state, now_ms));
    events
}

/// The base price's step, when an epoch has passed since the last; a step of nothing where it stands
/// where it belongs, so that all nodes are looked at once an epoch only.
fn repriced(state: &State, now_ms: u64) -> Option<Event> {
    let book = &state.book;
    let rules = &book.policy.market;
    if now_ms < book.base_since_ms.saturating_add(rules.epoch_ms) {
        return None;
    }
    let old = book.base_per_gray;
    let able = &state.index.able;
    let is_market = able.owners() >= rules.owners_min as usize && rules.floor < rules.ceiling;
    let signal = match is_market {
        true => gauge::signal(state, now_ms),
        false => Signal { lowest_ask: able.lowest_ask(), ..Signal::default() },
    };
    let base_per_gray = base::next(rules, old, base::heading(rules, old, &signal));
    (is_market || base_per_gray != old).then_some(Event::Repriced { base_per_gray, now_ms })
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
    let is_unpaid = !job.quote.price.is_zero() && !book.is_for_any(job);
    let nobody_comes = || is_unpaid || !lease_has_rival(state, job, record);
    waited_ms >= policy.twin_wait_ms || waited_ms >= policy.gone_ms && nobody_comes()
}

/// Held pay that is old enough, or has enough newer units of its node behind it.
fn all_aged(state: &State, now_ms: u64) -> Vec<Event> {
    let (book, index) = (&state.book, &state.index);
    let old = index.held.due(now_ms).map(|(_, id)| id);
    let nodes: BTreeSet<NodeId> = old.chain(index.outworked.iter().copied()).collect();
    if nodes.is_empty() {
        return Vec::new();
    }
    let audited = book.audits.values().map(|audit| audit.finding.verifier).collect();
    nodes.into_iter().filter_map(|id| aged(state, &book.nodes[&id], &audited, now_ms)).collect()
}

/// The held pay of a node that is released.
fn aged(state: &State, node: &Node, audited: &BTreeSet<NodeId>, now_ms: u64) -> Option<Event> {
    let policy = &state.book.policy;
    let ripe: Vec<LeaseId> = node
        .holds
        .iter()
        .filter(|(_, hold)| {
            now_ms >= state.book.free_ms(node, hold)
                || hold.of_any + u64::from(policy.hold_units) <= node.accepted_of_any
        })
        // What is doubted is held until it was looked at, and what may turn out to be: pay of a verifier
        // whose word is being looked at, and for films that it has vouched for.
        .filter(|(_, hold)| !state.book.disputes.contains_key(&hold.film.lease))
        .filter(|(_, hold)| {
            !audited.contains(&node.id) && hold.vouched_by().is_none_or(|id| !audited.contains(&id))
        })
        .map(|(_, hold)| hold.film.lease)
        .collect();
    (!ripe.is_empty()).then_some(Event::Aged { node: node.id, leases: ripe })
}

/// Whether a job's escrow is spent before its last unit.
fn is_exhausted(job: &Job) -> bool {
    job.phase == JobPhase::Open
        && job.leases == 0
        && job.available.is_zero()
        && !job.quote.price.is_zero()
        && job.waiting.iter().any(|&(_, _, index)| job.units[index as usize].clawed_back.is_zero())
}

/// Whether the treasury bears what is missing in a job's escrow: once, no less than what one more unit is
/// likely to cost, and not of jobs whose artist has picked the nodes, who could pick his own. What was
/// returned to an artist is not paid by others.
fn covers(state: &State, id: JobId) -> bool {
    let book = &state.book;
    let job = &book.jobs[&id];
    let unit = || money::share(job.spent, 1, u128::from(job.units_accepted.max(1)));
    let cover = || book.cover(job);
    let is_due = is_exhausted(job) && job.is_offered() && job.cover.is_none();
    let is_insured = || book.is_for_any(job) && job.refunded.is_zero();
    is_due && is_insured() && !cover().is_zero() && cover() >= unit()
}

/// Why a job whose escrow is spent before its last unit ends.
fn exhausted(state: &State, id: JobId) -> Option<String> {
    let job = &state.book.jobs[&id];
    is_exhausted(job).then(|| {
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
    let proven = |node: &Node| !node.barred && book.has_name(node);
    let is_hopeless = |unit: &UnitState| {
        let by_proven = unit.failed_by.iter().filter(|(id, _)| proven(&book.nodes[id]));
        unit.accepted.is_none()
            && unit.lost >= lost_max
            && (by_proven.map(|(_, failures)| failures).sum::<u32>() >= lost_max
                || able_nodes_for(state, job)
                    .filter(|node| proven(node) && job.pays(node))
                    .all(|node| failures_of(unit, node.id) >= each_max))
    };
    if job.phase != JobPhase::Open {
        return None;
    }
    // Units that were begun come first.
    let begun = job.waiting.range(..(Want::Fresh, 0, 0));
    let unit =
        begun.map(|&(_, _, index)| &job.units[index as usize]).find(|unit| is_hopeless(unit))?;
    Some(format!(
        "tile {} of {} failed {} times on the farm's nodes; what was not spent has been returned",
        unit.unit.tile.0,
        view::shot_words(&job.spec, unit.unit.shot),
        unit.failures
    ))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use protocol::Priority;

    use super::*;

    #[test]
    fn what_is_urgent_passes_jobs_of_its_own_artist_only() {
        let able = Able::default();
        // Whose, and by when, in the order of the line.
        let line = [(2, u64::MAX), (1, 5), (2, 20), (1, 1)];
        let jobs = (0..).zip(line).map(|(number, (artist, by_ms))| InLine {
            job: JobId([number; 16]),
            artist: PublicKey([artist; 32]),
            urgency: (Reverse(Priority::default()), by_ms),
            price: Tokens::ZERO,
            unit_work: 1,
            units: 1,
            is_ending: false,
            usual_ms: None,
            served_ms: 0,
        });
        let jobs: Vec<InLine> = jobs.collect();
        let waiting = jobs.iter().map(|job| Waiting { job, ahead: 0, able: &able }).collect();
        let order: Vec<u8> = by_urgency(waiting).iter().map(|it| it.job.job.0[0]).collect();
        assert_eq!(order, [2, 3, 0, 1], "the second artist's jobs are first and third as before");
    }
}
