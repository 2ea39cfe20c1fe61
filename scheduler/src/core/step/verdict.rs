//! From challenges to decisions.

use protocol::{Class, Digest, JobId, LeaseId, NodeId, Refusal, Unit, Verdict, VerdictKind};

use super::{accept, challenge, conviction, trial};
use crate::core::event::{CheckOutcome, Effect, Tried};
use crate::core::state::{Book, Committed, JobPhase, LeasePhase, State};

/// What is wrong with a film.
pub(super) struct Wrong {
    pub(super) root: Digest,
    pub(super) refusal: Refusal,
    /// Hash of the evidence, which is on disk.
    pub(super) evidence: Option<Digest>,
}

/// Writes a refused film to the node's name, and for the artist to see.
pub(super) fn record_refusal(
    book: &mut Book,
    lease: LeaseId,
    node: NodeId,
    unit: Unit,
    wrong: Wrong,
) {
    let Wrong { root, refusal, evidence } = wrong;
    let refused = book.node_mut(node);
    refused.refused += 1;
    let kind = VerdictKind::Refused(refusal);
    let number = book.say(Verdict { lease, unit, node, root, kind, evidence });
    book.job_mut(unit.job).refusals.push((node, number));
}

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
    let LeasePhase::Committed(committed) = &lease.phase else { return };
    if committed.round != round {
        return;
    }
    let committed = committed.clone();
    match outcome {
        CheckOutcome::Passed { pixels } => {
            pass(state, id, committed, pixels, now_ms, effects);
        }
        CheckOutcome::Refused { refusal, evidence } => {
            let wrong = Wrong { root: committed.film.root, refusal, evidence };
            conviction::convict(state, id, wrong, now_ms, effects);
        }
    }
}

/// A film has held against a challenge of so many pixels.
pub(super) fn pass(
    state: &mut State,
    id: LeaseId,
    mut committed: Committed,
    pixels: u32,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Some(lease) = state.book.leases.get_mut(&id) else { return };
    committed.pixels += pixels;
    lease.phase = LeasePhase::Passed(committed);
    let (job, unit_index) = (lease.job, lease.unit_index);
    state.live.waiting_since.set(id, Some(now_ms));
    let job_mut = state.book.job_mut(job);
    job_mut.pixels_checked += u64::from(pixels);
    job_mut.version += 1;
    consider(state, job, unit_index, now_ms, effects);
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
        JobPhase::Closing(_) => !passed.is_empty() && passed.len() == unit.leases.len(),
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
        .filter_map(|lease| book.leases[lease].committed())
        .map(|committed| (committed.film.class, committed.film.root))
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
            let root = films[index].1;
            let verdict = Verdict { lease, unit: unit_id, node, root, kind, evidence: None };
            book.say(verdict);
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
    let LeasePhase::Passed(committed) = &lease.phase else { return };
    let mut committed = committed.clone();
    let (job_id, unit_index) = (lease.job, lease.unit_index);
    book.touched.job(job_id);
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
    committed.round += 1;
    lease.boosted = true;
    lease.phase = LeasePhase::Committed(committed);
    book.job_mut(job_id).refresh(unit_index);
    effects.push(challenge(book, id));
}

/// A trial is over: whoever differs from the trusted render is convicted.
pub(super) fn conclude_trial(
    state: &mut State,
    job_id: JobId,
    unit_index: u32,
    tried: &[Tried],
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let book = &mut state.book;
    book.touched.job(job_id);
    let Some(job) = book.jobs.get_mut(&job_id) else { return };
    let Some(unit) = job.units.get_mut(unit_index as usize).filter(|unit| unit.on_trial) else {
        return;
    };
    unit.on_trial = false;
    // Another film has come meanwhile, of a race: all are tried together once it is judged.
    let is_tried = |lease: &LeaseId| tried.iter().any(|film| film.lease == *lease);
    let has_film = |lease: &&LeaseId| book.leases[*lease].committed().is_some();
    if !unit.leases.iter().filter(has_film).all(is_tried) {
        consider(state, job_id, unit_index, now_ms, effects);
        return;
    }
    let mut guilty: Vec<(LeaseId, Wrong)> = Vec::new();
    for &Tried { lease: id, differing, evidence } in tried.iter().filter(|film| film.differing > 0)
    {
        let Some(lease) = book.leases.get_mut(&id) else { continue };
        let Some(committed) = lease.committed().cloned() else { continue };
        let refusal = Refusal::Duplicate { differing };
        guilty.push((id, Wrong { root: committed.film.root, refusal, evidence }));
        // A guilty film no longer counts as one that held.
        lease.phase = LeasePhase::Committed(committed);
    }
    if guilty.is_empty() {
        // Films of different classes that are both right differ in their last bits.
        accept::accept(state, job_id, unit_index, now_ms, effects);
        return;
    }
    unit.films_wanted = 1;
    job.touched.push(unit_index);
    for (id, wrong) in guilty {
        conviction::convict(state, id, wrong, now_ms, effects);
    }
}
