//! From challenges to decisions.

use protocol::{Class, Digest, JobId, LeaseId, Refusal, Verdict, VerdictKind};

use super::{accept, challenge, hold, trial};
use crate::core::event::{CheckOutcome, Effect};
use crate::core::state::{JobPhase, LeasePhase, State};

/// The trusted renderer has answered a challenge.
pub(super) fn judge(
    state: &mut State,
    id: LeaseId,
    round: u32,
    outcome: CheckOutcome,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Some(lease) = state.book.leases.get_mut(&id) else { return };
    let LeasePhase::Committed(film) = &lease.phase else { return };
    if film.round != round {
        return;
    }
    let mut film = film.clone();
    let (job, unit_index) = (lease.job, lease.unit_index);
    match outcome {
        CheckOutcome::Passed { pixels } => {
            film.pixels += pixels;
            lease.phase = LeasePhase::Passed(film);
            state.live.waiting_since.insert(id, now_ms);
            let job_mut = state.book.job_mut(job);
            job_mut.pixels_checked += u64::from(pixels);
            job_mut.version += 1;
            consider(state, job, unit_index, now_ms, effects);
        }
        CheckOutcome::Refused(refusal) => {
            hold::convict(state, id, film.root, refusal, now_ms, effects);
        }
    }
}

/// Decides about a unit as soon as its films allow it.
pub(super) fn consider(
    state: &mut State,
    job_id: JobId,
    unit_index: u32,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let book = &mut state.book;
    let job = &book.jobs[&job_id];
    let unit = &job.units[unit_index as usize];
    if unit.accepted.is_some() || unit.on_trial || job.is_over() {
        return;
    }
    let passed: Vec<LeaseId> =
        unit.leases.iter().copied().filter(|lease| book.leases[lease].has_passed()).collect();
    let enough = match job.phase {
        // Nothing more will come than what is here.
        JobPhase::Closing { .. } => !passed.is_empty() && passed.len() == unit.leases.len(),
        _ => passed.len() >= usize::from(unit.films_wanted),
    };
    // A film that came while another was challenged is judged as well, and paid.
    let is_challenged =
        |lease: &LeaseId| matches!(book.leases[lease].phase, LeasePhase::Committed(_));
    if !enough || unit.leases.iter().any(is_challenged) {
        return;
    }
    let films: Vec<(Class, Digest)> = passed
        .iter()
        .filter_map(|lease| book.leases[lease].film())
        .map(|film| (film.class, film.root))
        .collect();
    if films.windows(2).all(|pair| pair[0] == pair[1]) {
        accept::accept(state, job_id, unit_index, now_ms, effects);
        return;
    }
    let node_of: Vec<_> = passed.iter().map(|lease| book.leases[lease].node).collect();
    let unit_id = unit.unit;
    if films.iter().all(|(class, _)| *class == Class::Exact) {
        for (index, (&lease, &node)) in passed.iter().zip(&node_of).enumerate() {
            let other_root = films[(index + 1) % films.len()].1;
            let kind = VerdictKind::Disputed { other_root };
            let verdict = Verdict { lease, unit: unit_id, node, root: films[index].1, kind };
            book.node_mut(node).verdicts.push(verdict);
        }
    }
    let job = book.job_mut(job_id);
    job.units[unit_index as usize].on_trial = true;
    job.refresh(unit_index);
    effects.push(trial(book, job_id, unit_index));
}

/// No twin can be had: the film is challenged once more, on more pixels.
pub(super) fn waive_twin(state: &mut State, id: LeaseId, now_ms: u64, effects: &mut Vec<Effect>) {
    let book = &mut state.book;
    let Some(lease) = book.leases.get(&id) else { return };
    let LeasePhase::Passed(film) = &lease.phase else { return };
    let mut film = film.clone();
    let (job_id, unit_index) = (lease.job, lease.unit_index);
    let unit =
        &mut book.jobs.get_mut(&job_id).expect("invariant: known").units[unit_index as usize];
    let is_out = |other: &LeaseId| book.leases[other].phase == LeasePhase::Out;
    if unit.on_trial
        || unit.films_wanted < 2
        || !unit.leases.iter().all(|other| *other == id || is_out(other))
    {
        return;
    }
    unit.films_wanted = 1;
    let lease = book.leases.get_mut(&id).expect("invariant: it was just looked at");
    if lease.boosted {
        consider(state, job_id, unit_index, now_ms, effects);
        return;
    }
    film.round += 1;
    lease.boosted = true;
    lease.phase = LeasePhase::Committed(film);
    book.job_mut(job_id).refresh(unit_index);
    effects.push(challenge(book, id));
}

/// A trial is over: whoever differs from the trusted render is convicted.
pub(super) fn conclude_trial(
    state: &mut State,
    job_id: JobId,
    unit_index: u32,
    differing: &[(LeaseId, u32)],
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let book = &mut state.book;
    let Some(job) = book.jobs.get_mut(&job_id) else { return };
    let Some(unit) = job.units.get_mut(unit_index as usize).filter(|unit| unit.on_trial) else {
        return;
    };
    // An answer about other films than those on trial now is of an older trial.
    if !unit.leases.iter().all(|lease| differing.iter().any(|(tried, _)| tried == lease)) {
        return;
    }
    unit.on_trial = false;
    let mut guilty: Vec<(LeaseId, u32, Digest)> = Vec::new();
    for &(id, pixels) in differing.iter().filter(|(_, pixels)| *pixels > 0) {
        let Some(lease) = book.leases.get_mut(&id) else { continue };
        let Some(film) = lease.film().cloned() else { continue };
        guilty.push((id, pixels, film.root));
        // A guilty film no longer counts as one that held.
        lease.phase = LeasePhase::Committed(film);
    }
    if guilty.is_empty() {
        // Films of different classes that are both right differ in their last bits.
        accept::accept(state, job_id, unit_index, now_ms, effects);
        return;
    }
    unit.films_wanted = 1;
    for (id, pixels, root) in guilty {
        let refusal = Refusal::Duplicate { differing: pixels };
        hold::convict(state, id, root, refusal, now_ms, effects);
    }
}
