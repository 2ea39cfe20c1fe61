//! What an artist does with a job of his: when it begins, which comes first, when it is enough.

use std::collections::BTreeSet;

use protocol::{JobId, Schedule, Selection, Steering};

use super::job;
use crate::core::event::Effect;
use crate::core::state::{Book, Ending, First, Job, JobPhase, Pause, State};

/// What a new job waits for, and why it is paused, if it is.
pub(super) fn begin(book: &Book, schedule: &Schedule) -> (BTreeSet<JobId>, Option<Pause>) {
    let (mut after, mut pause) = (BTreeSet::new(), schedule.paused.then_some(Pause::Artist));
    for &id in &schedule.after {
        match book.jobs.get(&id).map(|job| &job.phase) {
            Some(JobPhase::Done | JobPhase::Ended(Ending::Stopped)) => {}
            None | Some(JobPhase::Ended(_)) => pause = Some(Pause::After(id)),
            Some(_) => {
                after.insert(id);
            }
        }
    }
    (after, pause)
}

/// Does what the artist wants.
pub(super) fn steer(
    state: &mut State,
    id: JobId,
    steering: Steering,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    if state.book.jobs.get(&id).is_none_or(|job| job.is_over()) {
        return;
    }
    let job = state.book.job_mut(id);
    job.version += 1;
    match steering {
        Steering::Pause => job.pause = Some(Pause::Artist),
        Steering::Resume => {
            // One that is not held keeps its place; one that waits for others begins without them.
            if !job.is_held() {
                return;
            }
            if job.pause.take().is_none() {
                job.after.clear();
            }
            join_line(&mut state.book, id, now_ms);
        }
        Steering::Priority(priority) => job.priority = priority,
        Steering::First(which) => job.put_first(First { which, since_ms: now_ms }),
        Steering::Retry(which) => {
            job.retries += 1;
            job.retried_ms = Some(now_ms);
            forgive(job, which);
        }
        Steering::Stop => job::close(state, id, Ending::Stopped, now_ms, effects),
        Steering::Cancel => job::close(state, id, Ending::Cancelled, now_ms, effects),
    }
}

/// Forgets what nodes have failed at in units that are not accepted; of all of a job also whom it has
/// passed over because they were slow.
fn forgive(job: &mut Job, which: Selection) {
    for unit_index in 0..job.units.len() as u32 {
        let unit = &mut job.units[unit_index as usize];
        if unit.accepted.is_some() || unit.failures == 0 || !which.holds(&job.spec, &unit.unit) {
            continue;
        }
        (unit.failures, unit.lost) = (0, 0);
        for (node, forgiven) in std::mem::take(&mut unit.failed_by) {
            let failures = job.failures.entry(node).or_default();
            *failures = failures.saturating_sub(forgiven);
        }
        job.refresh(unit_index);
    }
    if which == Selection::default() {
        job.failures.clear();
        job.too_small.clear();
    }
    job.failures.retain(|_, failures| *failures > 0);
}

/// A job is over: those that wait for it go on if it ended well, and when; else they are paused.
pub(super) fn go_on_without(book: &mut Book, over: JobId, well_ms: Option<u64>) {
    let waits = |id: &&JobId| book.jobs[id].after.contains(&over);
    let waiting: Vec<JobId> = book.active.values().filter(waits).copied().collect();
    for id in waiting {
        let job = book.job_mut(id);
        job.version += 1;
        job.after.remove(&over);
        match well_ms {
            Some(now_ms) => join_line(book, id, now_ms),
            None => job.pause = Some(Pause::After(over)),
        }
    }
}

/// A job that is not held back any more joins the line behind those that are there.
fn join_line(book: &mut Book, id: JobId, now_ms: u64) {
    let turn = book.turns;
    let job = book.job_mut(id);
    if job.is_held() {
        return;
    }
    (job.in_line_ms, job.served_ms, job.turn) = (now_ms, now_ms, turn);
    job.touched = (0..job.units.len() as u32).collect();
    // How fast it was before says nothing of when it will be done.
    job.recent.clear();
}
