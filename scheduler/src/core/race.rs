//! When one more node gets a unit that another is at. The first film that holds is taken, and paid once.

use std::cmp::Reverse;

use protocol::JobId;

use crate::core::event::Event;
use crate::core::plan::{LOOKED_AT_MAX, grant_in, grant_of, is_offered};
use crate::core::state::{
    Job, LeasePhase, LeaseRecord, Line, Merged, Node, Open, RACE_AFTER_MS, State, Times,
    slow_after_ms,
};

/// A job's last units are raced by who is done with them in so many times less than they may take.
const LAST_FACTOR: u64 = 3;

/// A unit, for a quick node, that a job waits for all of whose units were begun.
pub(super) fn end(state: &State, node: &Node, open: &[Open<'_>], now_ms: u64) -> Option<Event> {
    let ending = || latest(open, |line| &line.ending);
    ending()
        .take(LOOKED_AT_MAX)
        .take_while(|(ends_ms, _)| *ends_ms == u64::MAX)
        .map(|(_, job)| &state.book.jobs[&job])
        .filter(|job| is_quick(node, job))
        .find_map(|job| grant_in(state, node, job, now_ms))
        .or_else(|| last(state, node, open, now_ms))
        .or_else(|| overtake(state, node, ending(), now_ms))
}

/// One more lease of a unit that another node is slow with, for a node that has nothing else to do.
pub(super) fn any(state: &State, node: &Node, open: &[Open<'_>], now_ms: u64) -> Option<Event> {
    let lines = open.iter().map(|open| open.line.races.due(now_ms));
    let slow = Merged::new(lines, |it| *it).take(LOOKED_AT_MAX);
    slow.map(|(_, job)| &state.book.jobs[&job])
        .filter(|job| is_quick(node, job) && is_offered(state, node, job))
        .flat_map(|job| {
            let after_ms = slow_after_ms(job).unwrap_or(u64::MAX);
            let is_slow = move |since_ms: u64| now_ms.saturating_sub(since_ms) >= after_ms;
            let out = state.index.out(job.id).take_while(move |(since_ms, _)| is_slow(*since_ms));
            out.map(move |(_, unit_index)| (job, unit_index))
        })
        .take(LOOKED_AT_MAX)
        .find_map(|(job, unit_index)| grant_of(state, node, job, unit_index, now_ms))
        .or_else(|| overtake(state, node, latest(open, |line| &line.expected), now_ms))
}

/// One more lease, for a quick node, of one of a job's last units: its film is late, or it has begun them
/// all and the film may take three times as long as this node needs before it is.
fn last(state: &State, node: &Node, open: &[Open<'_>], now_ms: u64) -> Option<Event> {
    latest(open, |line| &line.tails)
        .take(LOOKED_AT_MAX)
        .map(|(_, job)| &state.book.jobs[&job])
        .filter(|job| is_quick(node, job) && is_offered(state, node, job))
        .filter_map(|job| Some((job, node.needs_ms(job.unit_work())?)))
        .flat_map(|(job, needs_ms)| {
            let likely_ms = likely_ms(state, job);
            let late = state.index.late(job.id, now_ms);
            let units = late.chain(state.index.expected(job.id).map(|(_, unit_index)| unit_index));
            units.map(move |unit_index| (job, unit_index, needs_ms, likely_ms))
        })
        .take(LOOKED_AT_MAX)
        .filter(|&(job, unit_index, needs_ms, likely_ms)| {
            let late_ms = late_ms(state, job, unit_index);
            let left_ms = late_ms.saturating_sub(now_ms);
            let is_slower =
                left_ms == 0 || job.is_ending() && left_ms > needs_ms.saturating_mul(LAST_FACTOR);
            // Quicker ones come soon, if there are any.
            is_slower && (needs_ms <= likely_ms || now_ms.saturating_sub(late_ms) >= needs_ms)
        })
        .find_map(|(job, unit_index, ..)| grant_of(state, node, job, unit_index, now_ms))
}

/// When a unit is late: the last of as many films as it still wants, the first ones that should come.
fn late_ms(state: &State, job: &Job, unit_index: u32) -> u64 {
    let unit = &job.units[unit_index as usize];
    let leases = unit.leases.iter().map(|lease| &state.book.leases[lease]);
    let out = leases.filter(|lease| lease.phase == LeasePhase::Out);
    let mut late_ms: Vec<u64> = out.map(LeaseRecord::late_last_ms).collect();
    late_ms.sort_unstable();
    let films = unit.leases.len() - late_ms.len();
    let wanted = usize::from(unit.films_wanted).saturating_sub(films);
    late_ms.get(wanted.saturating_sub(1)).copied().unwrap_or(u64::MAX)
}

/// How long a unit takes the node that is likeliest to be at it, milliseconds.
fn likely_ms(state: &State, job: &Job) -> u64 {
    let able = state.index.able_for(&job.demand);
    let per_second = able.map_or(0, |able| able.likely_per_second());
    let ms = job.unit_work().saturating_mul(1_000).checked_div(per_second);
    ms.map_or(u64::MAX, |ms| u64::try_from(ms).unwrap_or(u64::MAX))
}

/// One more lease, for a quick node, of a unit whose film is late, or should come so late that the node
/// would be done with it in half of the time; of jobs by when their last films should come.
fn overtake(
    state: &State,
    node: &Node,
    last: impl Iterator<Item = (u64, JobId)>,
    now_ms: u64,
) -> Option<Event> {
    let last = last.take(LOOKED_AT_MAX);
    last.map(|(_, job)| &state.book.jobs[&job])
        .filter(|job| is_quick(node, job) && is_offered(state, node, job))
        .filter_map(|job| Some((job, node.needs_ms(job.unit_work())?)))
        .flat_map(|(job, needs_ms)| {
            let usual_ms = job.films_ms.checked_div(job.films).unwrap_or(0);
            let least_ms = needs_ms.saturating_mul(2).max(usual_ms).max(RACE_AFTER_MS);
            let is_far = move |expected_ms: u64| expected_ms.saturating_sub(now_ms) > least_ms;
            let far = state.index.expected(job.id).take_while(move |it| is_far(it.0));
            far.map(|(_, unit_index)| unit_index)
                .chain(state.index.late(job.id, now_ms))
                .map(move |unit_index| (job, unit_index))
        })
        .take(LOOKED_AT_MAX)
        .find_map(|(job, unit_index)| grant_of(state, node, job, unit_index, now_ms))
}

/// Whether a node does a unit of a job in no more time than its films have taken, if that is known.
fn is_quick(node: &Node, job: &Job) -> bool {
    let usual_ms = job.films_ms.checked_div(job.films);
    let needs_ms = node.needs_ms(job.unit_work());
    needs_ms.zip(usual_ms).is_none_or(|(needs_ms, usual_ms)| needs_ms <= usual_ms)
}

/// Jobs of several lines by a time, the latest first.
fn latest<'a>(
    open: &'a [Open<'a>],
    times: fn(&Line) -> &Times<JobId>,
) -> impl Iterator<Item = (u64, JobId)> {
    let lines = open.iter().map(move |open| times(open.line).latest());
    Merged::new(lines, |it| Reverse(*it))
}
