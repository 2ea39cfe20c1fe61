//! One event in, the new state and what it asks for out.

mod accept;
mod artist;
mod conviction;
mod dispute;
mod finding;
mod hold;
mod job;
mod lease;
mod node;
mod quiet;
mod stake;
mod steering;
mod verdict;

use protocol::{Challenge, JobId, LeaseId};

pub use self::conviction::{AppealError, may_appeal};
pub use self::dispute::dispute_fee;
use crate::core::event::{Check, CheckKind, Effect, Event};
use crate::core::state::{Appeal, Book, Committed, Ending, LeasePhase, LeaseRecord, State};

/// Applies one event.
///
/// An event that no longer fits (a verdict on a lease that is settled, a second answer) changes
/// nothing: whoever sends twice does no harm.
///
/// # Panics
/// When an invariant of the state is broken: money would be wrong, so the scheduler must stop.
pub fn step(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    let out = &mut effects;
    match event {
        Event::Started { policy, engine, now_ms } => {
            node::start(state, policy, engine, now_ms, out);
        }
        Event::ReserveSeeded { scheduler, amount } => {
            node::seed_reserve(&mut state.book, scheduler, amount, out);
        }
        Event::NodeMet { node, facts } => node::meet(state, node, facts),
        Event::Qualified { node, class } => node::qualify(state, node, class),
        Event::Heard { node, now_ms } => node::hear(state, node, now_ms),
        Event::Gone { node, now_ms } => node::lose(state, node, now_ms),
        Event::Beat { node, lease, now_ms } => node::beat(state, node, lease, now_ms),
        Event::Ordered(ordered) => job::order(state, *ordered, out),
        Event::Unfunded { job } => job::forget(state, job),
        Event::Moved { seq, now_ms } => job::moved(state, seq, now_ms, out),
        Event::Failed { job, why, now_ms } => {
            job::close(state, job, Ending::Failed(why), now_ms, out);
        }
        Event::Steered { job, steering, now_ms } => {
            steering::steer(state, job, steering, now_ms, out);
        }
        Event::Granted { lease, node, job, unit_index, films_wanted, boosted, now_ms } => {
            job::take_turn(&mut state.book, job);
            let grant = lease::Grant { lease, node, job, unit_index, films_wanted, boosted };
            lease::grant(state, &grant, now_ms, out);
        }
        Event::Released { lease, why, now_ms } => {
            lease::note_given_back(&mut state.book, lease, why);
            lease::drop_lease(state, lease, false, now_ms, out);
        }
        Event::Lapsed { lease, now_ms } => lease::drop_lease(state, lease, true, now_ms, out),
        Event::Committed { lease, root, rays, commitment, now_ms } => {
            node::clock(&mut state.book, lease, rays, now_ms);
            let told = lease::Told { root, rays, signature: commitment.signature() };
            lease::commit(state, lease, &told, now_ms, out);
        }
        Event::Tripped { lease, root, refusal, evidence, now_ms } => {
            let wrong = verdict::Wrong { root, refusal, evidence };
            lease::trip(state, lease, wrong, now_ms, out);
        }
        Event::Judged { lease, round, outcome, now_ms } => {
            verdict::judge(state, lease, round, outcome.clone(), now_ms, out);
            finding::conclude(state, lease, round, &outcome, now_ms, out);
        }
        Event::Found { lease, round, finding, now_ms } => {
            finding::find(state, lease, round, finding, now_ms, out);
        }
        Event::TwinWaived { lease, now_ms } => verdict::waive_twin(state, lease, now_ms, out),
        Event::Tried { job, unit_index, films, now_ms } => {
            verdict::conclude_trial(state, job, unit_index, &films, now_ms, out);
        }
        Event::Weighed { job, unit_index, chunks, is_enough, now_ms } => {
            quiet::conclude(state, job, unit_index, (chunks, is_enough), now_ms, out);
        }
        Event::FilmLost { lease, now_ms } => lease::lose(state, lease, now_ms, out),
        Event::Rechecked { lease, outcome, now_ms } => {
            if state.book.rechecks.contains_key(&lease) {
                conviction::conclude_recheck(state, lease, outcome, now_ms, out);
            } else {
                dispute::conclude(state, lease, outcome, now_ms, out);
            }
        }
        Event::Disputed { job, unit_index } => {
            dispute::open(&mut state.book, job, unit_index, out);
        }
        Event::DisputeUnfunded { seq } => dispute::unfunded(&mut state.book, seq),
        Event::DisputeHeard { lease, outcome, now_ms } => {
            dispute::conclude(state, lease, outcome, now_ms, out);
        }
        Event::Appealed { lease } => conviction::appeal(&mut state.book, lease, out),
        Event::AppealHeard { lease, holds } => conviction::hear(state, lease, holds, out),
        Event::AppealLapsed { lease } => conviction::lapse(state, lease, out),
        Event::Staked { owner, amount, id } => {
            stake::order(&mut state.book, owner, amount, id, out);
        }
        Event::StakeUnfunded { seq } => stake::unfunded(&mut state.book, seq),
        Event::Unstaked { owner, amount, now_ms } => {
            stake::withdraw(&mut state.book, owner, amount, now_ms);
        }
        Event::StakeLeft { owner } => stake::leave(&mut state.book, owner, out),
        Event::Aged { node, leases } => hold::release(&mut state.book, node, &leases, out),
        Event::Expired { job } => job::expire(&mut state.book, job),
        Event::Reported { node, job, words, .. } => {
            state.book.report(job, node, words);
        }
        Event::Blocked { artist, who, is_blocked, now_ms } => {
            artist::block(&mut state.book, artist, who, is_blocked.then_some(now_ms));
        }
        Event::SceneDropped { artist, scene, .. } => {
            artist::drop_scene(&mut state.book, artist, scene);
        }
        Event::Covered { job, .. } => job::cover(state, job, out),
        Event::Unrenderable { job, leases, why, now_ms } => {
            job::give_up(state, job, &leases, why, now_ms, out);
        }
        Event::Repriced { base_per_gray, now_ms } => {
            node::reprice(&mut state.book, base_per_gray, now_ms);
        }
    }
    state.reindex();
    effects
}

/// What a restarted scheduler must ask for again: unconfirmed transfers in order, then every
/// check that has no answer yet.
#[must_use]
pub fn outstanding(book: &Book) -> Vec<Effect> {
    let moves = book
        .outbox
        .iter()
        .map(|(&seq, transfers)| Effect::Move { seq, transfers: transfers.clone() });
    let challenges = book
        .leases
        .values()
        .filter(|lease| {
            matches!(&lease.phase, LeasePhase::Committed(committed)
                if !book.audits.contains_key(&(lease.id, committed.round)))
        })
        .map(|lease| challenge(book, lease.id));
    let audits = book.audits.values().map(|audit| finding::look(book, audit));
    let trials = book.active.values().flat_map(|job| {
        let units = book.jobs[job].units.iter().enumerate();
        units.filter(|(_, unit)| unit.on_trial).map(|(index, _)| trial(book, *job, index as u32))
    });
    let rechecks = book.rechecks.keys().map(|&lease| conviction::recheck(book, lease));
    let asked = book.convictions.iter().filter(|(_, it)| it.appeal == Appeal::Asked);
    let hearings = asked.filter_map(|(&lease, _)| conviction::hearing(book, lease));
    let funded = book.disputes.iter().filter(|(_, dispute)| dispute.seq.is_none());
    let disputes = funded.map(|(&lease, _)| dispute::look(book, lease));
    let looks = book.active.values().flat_map(|job| quiet::due(book, &book.jobs[job]));
    let checks = challenges
        .chain(audits)
        .chain(trials)
        .chain(rechecks)
        .chain(hearings)
        .chain(disputes)
        .chain(looks);
    moves.chain(checks).collect()
}

/// The challenge of a lease that has committed.
fn challenge(book: &Book, lease: LeaseId) -> Effect {
    let record = &book.leases[&lease];
    let committed = record.committed().expect("invariant: only a film is challenged");
    let challenge = challenge_of(book, record, committed);
    let kind = CheckKind::Challenge { film: committed.film, challenge };
    check(book, record.job, record.unit_index, kind)
}

/// Which pixels of a film are challenged.
fn challenge_of(book: &Book, record: &LeaseRecord, committed: &Committed) -> Challenge {
    Challenge {
        nonce: book.secret.nonce(record.id),
        round: committed.round,
        pixels: book.policy.pixels_for(
            (committed.film.class, record.boosted),
            book.jobs[&record.job].quote.offer.assurance,
            book.nodes[&record.node].accepted_for_others,
        ),
    }
}

/// The trial of a unit whose films differ.
fn trial(book: &Book, job: JobId, unit_index: u32) -> Effect {
    let films = book.jobs[&job].units[unit_index as usize]
        .leases
        .iter()
        .filter_map(|lease| Some(book.leases[lease].committed()?.film))
        .collect();
    check(book, job, unit_index, CheckKind::Trial { films })
}

fn check(book: &Book, job: JobId, unit_index: u32, kind: CheckKind) -> Effect {
    let job = &book.jobs[&job];
    let unit = job.units[unit_index as usize].unit;
    let piece = job.spec.piece(unit, job.engine);
    let piece = piece.expect("invariant: a job was split into its own shots and tiles");
    Effect::Check(Box::new(Check { piece, unit_index, kind }))
}
