//! Tiles that end when they have little noise.

use protocol::{Batch, JobId, Unit};

use super::job;
use crate::core::event::{Check, CheckKind, Effect};
use crate::core::kept::kept_units;
use crate::core::state::{Book, Job, JobPhase, State};

/// Asks how much noise a unit's tile has, if all is there that it is decided by.
pub(super) fn consider(book: &Book, id: JobId, unit_index: u32, effects: &mut Vec<Effect>) {
    let job = &book.jobs[&id];
    if job.phase == JobPhase::Open && is_due(job, unit_index) {
        effects.extend(look(book, job, unit_index));
    }
}

/// Every look at a job's tiles that is due.
pub(super) fn due<'a>(book: &'a Book, job: &'a Job) -> impl Iterator<Item = Effect> + 'a {
    let decides = job.phase == JobPhase::Open && job.quiet.is_some();
    let units = if decides { &job.units[..] } else { &[] };
    // The first unit that its tile does not want stands for the tile: there is one while it is undecided.
    let stands = move |&unit_index: &u32| {
        let unit = &units[unit_index as usize].unit;
        let quiet = job.quiet.as_ref();
        let next = quiet.and_then(|quiet| quiet.decides_after(unit));
        next.is_some_and(|chunks| job.first_from(unit, chunks) == Some(unit_index))
    };
    (0..units.len() as u32)
        .filter(stands)
        .filter(|&unit_index| is_due(job, unit_index))
        .filter_map(|unit_index| look(book, job, unit_index))
}

/// It was seen whether a unit's tile has samples enough.
pub(super) fn conclude(
    state: &mut State,
    id: JobId,
    unit_index: u32,
    (chunks, is_enough): (u32, bool),
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Some(job) = state.book.jobs.get(&id).filter(|job| job.phase == JobPhase::Open) else {
        return;
    };
    let unit = job.units[unit_index as usize].unit;
    let decides = job.quiet.as_ref().and_then(|quiet| quiet.decides_after(&unit));
    if decides != Some(chunks) || !is_due(job, unit_index) {
        return;
    }
    let job = state.book.job_mut(id);
    if let Some(quiet) = &mut job.quiet {
        quiet.decide(&unit, is_enough);
    }
    refresh_tile(job, &unit);
    // Where a base has more samples than it is decided by, more may be there.
    consider(&state.book, id, unit_index, effects);
    job::end_if_over(state, id, now_ms, effects);
}

/// A film of an open job turned out to be bad: what its tile's end was decided by was not there.
pub(super) fn decide_again(job: &mut Job, unit_index: u32) {
    let unit = job.units[unit_index as usize].unit;
    let Some(quiet) = &mut job.quiet else { return };
    quiet.decide_again(&unit);
    refresh_tile(job, &unit);
}

fn refresh_tile(job: &mut Job, unit: &Unit) {
    let of_tile: Vec<u32> = job.of_tile(unit).collect();
    for unit_index in of_tile {
        job.refresh(unit_index);
    }
}

/// Whether all films are there that a unit's tile is decided by.
fn is_due(job: &Job, unit_index: u32) -> bool {
    let unit = &job.units[unit_index as usize].unit;
    let Some(quiet) = job.quiet.as_ref().filter(|it| it.decides_after(unit).is_some()) else {
        return false;
    };
    let mut of_tile = job.of_tile(unit).map(|unit_index| &job.units[unit_index as usize]);
    of_tile.all(|it| !quiet.wants(&it.unit) || it.accepted.is_some())
}

/// The look at a unit's tile: at all films of its first chunks, those of the job's bases among them.
fn look(book: &Book, job: &Job, unit_index: u32) -> Option<Effect> {
    let unit = job.units[unit_index as usize].unit;
    let quiet = job.quiet.as_ref()?;
    let chunks = quiet.decides_after(&unit)?;
    let is_in =
        |it: &Unit| (it.shot, it.tile) == (unit.shot, unit.tile) && it.batch.end_chunk() <= chunks;
    let own = job.of_tile(&unit).map(|unit_index| &job.units[unit_index as usize]);
    let own = own.filter_map(|it| Some((it, it.accepted.as_ref()?)));
    let films = own.chain(kept_units(book, &job.spec)).filter(|(it, _)| is_in(&it.unit));
    let films = films.map(|(it, accepted)| (it.unit.batch, accepted.film)).collect();
    let unit = Unit { batch: Batch::new(0, chunks)?, ..unit };
    let piece = job.spec.piece(unit, job.engine)?;
    let kind = CheckKind::Noise { target: quiet.target(), films };
    Some(Effect::Check(Box::new(Check { piece, unit_index, kind })))
}
