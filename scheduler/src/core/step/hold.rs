//! Held pay: released when it has aged, taken when its node is convicted.

use ledger::{Code, Link, Transfer, account};
use protocol::{Challenge, LeaseId, NodeId, PublicKey, Tokens};

use super::verdict::{self, Wrong};
use super::{check, job, lease};
use crate::core::event::{CheckKind, CheckOutcome, Effect};
use crate::core::state::{Book, Hold, JobPhase, Recheck, State};
use crate::money;

/// Releases holds of a node into its owner's wallet, in one movement.
pub(super) fn release(book: &mut Book, id: NodeId, leases: &[LeaseId], effects: &mut Vec<Effect>) {
    let Some(node) = book.nodes.get_mut(&id) else { return };
    let mut released = Vec::new();
    let mut sum = Tokens::ZERO;
    node.holds.retain(|_, hold| {
        let ripe = leases.contains(&hold.film.lease);
        if ripe {
            released.push(hold.film.lease);
            sum = money::plus(sum, hold.amount);
        }
        !ripe
    });
    node.earned = money::plus(node.earned, sum);
    let accounts = (account::held(id), account::wallet(node.facts.owner));
    let release = money::release_id(id, &released);
    book.transfer(vec![Transfer::posted(release, accounts, sum, Code::Release)], effects);
}

/// Convicts a node by one of its films: the film is refused, the node gets no more work, its
/// held pay goes to the appeal account, and what it was held for is checked once more.
pub(super) fn convict(
    state: &mut State,
    id: LeaseId,
    wrong: Wrong,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Some(node_id) = state.book.leases.get(&id).map(|lease| lease.node) else { return };
    state.book.node_mut(node_id).barred = true;
    let others: Vec<LeaseId> = state
        .book
        .leases
        .values()
        .filter(|lease| lease.node == node_id && lease.id != id)
        .map(|lease| lease.id)
        .collect();
    seize_holds(state, id, node_id, effects);
    lease::refuse(state, id, wrong, now_ms, effects);
    for other in others {
        if let Some(lease) = lease::withdraw(state, other, effects) {
            verdict::consider(state, lease.job, lease.unit_index, now_ms, effects);
            job::end_if_over(state, lease.job, now_ms, effects);
        }
    }
}

/// Moves a convicted node's held pay to the appeal account and has its films checked again.
fn seize_holds(state: &mut State, cause: LeaseId, id: NodeId, effects: &mut Vec<Effect>) {
    let book = &mut state.book;
    let holds: Vec<Hold> = std::mem::take(&mut book.node_mut(id).holds).into_values().collect();
    let sum = holds.iter().fold(Tokens::ZERO, |sum, hold| money::plus(sum, hold.amount));
    let accounts = (account::held(id), account::appeal());
    let seizure = money::lease_movement_id("conviction", cause);
    book.transfer(vec![Transfer::posted(seizure, accounts, sum, Code::Slash)], effects);
    for hold in holds.into_iter().filter(|hold| hold.primary) {
        book.job_mut(hold.unit.job).rechecks += 1;
        let lease = hold.film.lease;
        book.rechecks.insert(lease, Recheck { hold });
        effects.push(recheck(book, lease));
    }
}

/// The check of an accepted film, asked for once more, with a fresh nonce and more pixels.
pub(super) fn recheck(book: &Book, lease: LeaseId) -> Effect {
    let Recheck { hold } = &book.rechecks[&lease];
    let kind = CheckKind::Recheck {
        film: hold.film,
        challenge: Challenge {
            nonce: book.secret.recheck_nonce(lease),
            round: 0,
            pixels: book.policy.pixels(hold.film.class, true),
        },
    };
    check(book, hold.unit.job, hold.unit_index, kind)
}

/// An accepted film of a convicted node was checked again: a bad one is rendered anew at no
/// charge, from what was taken back.
pub(super) fn conclude_recheck(
    state: &mut State,
    id: LeaseId,
    outcome: CheckOutcome,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let book = &mut state.book;
    let Some(Recheck { hold }) = book.rechecks.remove(&id) else { return };
    let (job_id, engine) = (hold.unit.job, book.engine);
    let job = book.job_mut(job_id);
    job.rechecks -= 1;
    match outcome {
        CheckOutcome::Passed { pixels } => job.pixels_checked += u64::from(pixels),
        CheckOutcome::Refused { refusal, evidence } => {
            // Of a job that was stopped, or is of an older engine, the pay goes back instead.
            let anew = matches!(job.phase, JobPhase::Open | JobPhase::Done)
                && job.engine == engine
                && !hold.amount.is_zero();
            let artist = job.artist;
            let unit = &mut job.units[hold.unit_index as usize];
            let in_use = unit.accepted.as_ref().is_some_and(|accepted| accepted.film.lease == id);
            if in_use {
                unit.accepted = None;
                unit.films_wanted = 1;
                unit.failures += 1;
                if anew {
                    unit.clawed_back = hold.amount;
                }
                job.units_accepted -= 1;
                if anew && job.is_over() {
                    job::reopen(book, job_id);
                }
                book.job_mut(job_id).refresh(hold.unit_index);
                if !anew {
                    book.transfer(vec![pay_back(&hold, artist)], effects);
                }
            }
            let wrong = Wrong { root: hold.film.root, refusal, evidence };
            verdict::record_refusal(book, id, hold.film.node, hold.unit, wrong);
        }
    }
    job::end_if_over(state, job_id, now_ms, effects);
}

/// The artist of a job that is not opened again gets the pay for a bad film back.
fn pay_back(hold: &Hold, artist: PublicKey) -> Transfer {
    let accounts = (account::appeal(), account::wallet(artist));
    let id = money::lease_movement_id("paid back", hold.film.lease);
    Transfer::posted(id, accounts, hold.amount, Code::Refund).with_link(Link::unit(hold.unit))
}
