//! An artist who doubts an accepted tile has it rendered once more as a whole, at a price that he gets
//! back if he is right: good work cannot be disputed for nothing, and bad work not be kept.
//!
//! Films that a verifier has vouched for are doubted the same way, at no price and on some pixels only,
//! once it was wrong elsewhere.

use ledger::{Code, Link, Transfer, account};
use protocol::{JobId, LeaseId, NodeId, Tokens};

use super::verdict::Wrong;
use super::{check, conviction, job};
use crate::core::event::{CheckKind, CheckOutcome, Effect};
use crate::core::state::{Book, Dispute, Hold, LeaseRecord, State};
use crate::money;

/// What a dispute of a unit costs whoever is wrong: the price of the unit's work.
#[must_use]
pub fn dispute_fee(book: &Book, job: JobId, unit_index: u32) -> Tokens {
    let job = &book.jobs[&job];
    let unit = &job.units[unit_index as usize].unit;
    job.average_pay(unit).max(Tokens::from_micro(1))
}

/// Sets the price aside in the artist's wallet; the tile is rendered once the ledger has done so.
pub(super) fn open(book: &mut Book, job_id: JobId, unit_index: u32, effects: &mut Vec<Effect>) {
    let fee = dispute_fee(book, job_id, unit_index);
    let job = book.jobs.get_mut(&job_id).expect("invariant: what is disputed was accepted");
    let Some(accepted) = &mut job.units[unit_index as usize].accepted else { return };
    if book.disputes.contains_key(&accepted.film.lease) {
        return;
    }
    if std::mem::replace(&mut accepted.disputed, true) {
        return;
    }
    let (film, pay) = (accepted.film, accepted.pay);
    let dispute = Dispute { job: job_id, unit_index, film, pay, fee, seq: None };
    let pending = pending(book, &dispute);
    book.transfer(vec![pending], effects);
    let seq = Some(book.moves);
    book.disputes_ordered.insert(book.moves, film.lease);
    book.disputes.insert(film.lease, Dispute { seq, ..dispute });
}

/// The transfer that sets the price aside.
fn pending(book: &Book, dispute: &Dispute) -> Transfer {
    let job = &book.jobs[&dispute.job];
    let id = money::lease_movement_id("dispute", dispute.film.lease);
    let accounts = (account::wallet(job.artist), account::reserve());
    let timeout_ms = money::RESERVATION_TIMEOUT_MS;
    let unit = job.units[dispute.unit_index as usize].unit;
    Transfer::pending(id, accounts, dispute.fee, Code::Verification, timeout_ms)
        .with_link(Link::unit(unit))
}

/// The ledger has done a batch: if it was a dispute's, the tile is rendered.
pub(super) fn moved(book: &mut Book, seq: u64, effects: &mut Vec<Effect>) {
    let Some(lease) = book.disputes_ordered.remove(&seq) else { return };
    if let Some(dispute) = book.disputes.get_mut(&lease) {
        dispute.seq = None;
        effects.push(look(book, lease));
    }
}

/// The wallet held less: as if nothing had been said.
pub(super) fn unfunded(book: &mut Book, seq: u64) {
    let Some(lease) = book.disputes_ordered.remove(&seq) else { return };
    let Some(dispute) = book.disputes.remove(&lease) else { return };
    book.outbox.remove(&seq);
    let unit = &mut book.job_mut(dispute.job).units[dispute.unit_index as usize];
    if let Some(accepted) = unit.accepted.as_mut().filter(|it| it.film.lease == lease) {
        accepted.disputed = false;
    }
}

/// Doubts all held films that a node has vouched for: it was convicted of something else.
pub(super) fn doubt_all_vouched_by(book: &mut Book, id: NodeId, effects: &mut Vec<Effect>) {
    let holds =
        book.nodes[&id].vouched.iter().map(|(maker, number)| &book.nodes[maker].holds[number]);
    for hold in holds.filter(|hold| hold.primary).cloned().collect::<Vec<Hold>>() {
        doubt(book, &hold, effects);
    }
}

/// Doubts a film that is being accepted where who vouched for it has been convicted meanwhile.
pub(super) fn doubt_if_vouched_by_convict(
    book: &mut Book,
    lease: &LeaseRecord,
    effects: &mut Vec<Effect>,
) {
    let vouched = lease.committed().and_then(|committed| committed.vouched.as_ref());
    if vouched.is_some_and(|audit| book.nodes[&audit.finding.verifier].barred) {
        let holds = &book.nodes[&lease.node].holds;
        let hold = holds.values().find(|hold| hold.film.lease == lease.id).cloned();
        hold.into_iter().for_each(|hold| doubt(book, &hold, effects));
    }
}

/// Doubts an accepted film at nobody's price.
fn doubt(book: &mut Book, hold: &Hold, effects: &mut Vec<Effect>) {
    let Hold { film, unit_index, amount: pay, unit, .. } = *hold;
    let job = book.job_mut(unit.job);
    let accepted = job.units[unit_index as usize].accepted.as_mut();
    let Some(accepted) = accepted.filter(|accepted| accepted.film.lease == film.lease) else {
        return;
    };
    // Once as a whole is enough for any film, and nobody is convicted twice of one.
    if !std::mem::replace(&mut accepted.disputed, true) {
        let fee = Tokens::ZERO;
        let dispute = Dispute { job: unit.job, unit_index, film, pay, fee, seq: None };
        book.disputes.insert(film.lease, dispute);
        effects.push(look(book, film.lease));
    }
}

/// The render that decides a dispute.
pub(super) fn look(book: &Book, lease: LeaseId) -> Effect {
    let Dispute { job, unit_index, film, fee, .. } = book.disputes[&lease];
    let kind = if fee.is_zero() {
        CheckKind::Recheck { film, challenge: conviction::fresh_challenge(book, &film) }
    } else {
        CheckKind::Dispute { film }
    };
    check(book, job, unit_index, kind)
}

/// It is decided.
pub(super) fn conclude(
    state: &mut State,
    id: LeaseId,
    outcome: CheckOutcome,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let book = &mut state.book;
    let Some(dispute) = book.disputes.remove(&id) else { return };
    let pending = pending(book, &dispute);
    let done = |what| money::lease_movement_id(what, id);
    let Dispute { job: job_id, unit_index, film, pay, fee, .. } = dispute;
    let is_rechecked = book.rechecks.contains_key(&id);
    match outcome {
        // Nobody can look any more: the farm has another engine by now.
        CheckOutcome::Passed { pixels: 0 } => {
            book.transfer(vec![Transfer::void(done("dispute dropped"), &pending)], effects);
        }
        CheckOutcome::Passed { pixels } => {
            book.reserve = money::plus(book.reserve, fee);
            let post = Transfer::post(done("dispute lost"), &pending, fee);
            book.transfer(vec![post], effects);
            let job = book.job_mut(job_id);
            job.pixels_checked += u64::from(pixels);
            // Some pixels only: the artist may still ask for all.
            let accepted = job.units[unit_index as usize].accepted.as_mut();
            if let Some(accepted) = accepted.filter(|it| fee.is_zero() && it.film.lease == id) {
                accepted.disputed = false;
            }
        }
        CheckOutcome::Refused { refusal, evidence } => {
            book.transfer(vec![Transfer::void(done("dispute won"), &pending)], effects);
            let unit = book.jobs[&job_id].units[unit_index as usize].unit;
            let since_ms = now_ms;
            let (primary, vouched) = (true, None);
            let of_any = 0;
            let hold =
                Hold { film, unit, unit_index, amount: pay, primary, vouched, since_ms, of_any };
            if is_rechecked {
                // Its node was convicted meanwhile: the question is the same.
                let outcome = CheckOutcome::Refused { refusal, evidence };
                conviction::conclude_recheck(state, id, outcome, now_ms, effects);
            } else {
                let wrong = Wrong { root: film.root, refusal, evidence };
                conviction::convict_of_accepted(state, &hold, wrong, now_ms, effects);
            }
        }
    }
    job::end_if_over(state, job_id, now_ms, effects);
}
