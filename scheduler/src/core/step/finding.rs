//! What verifiers say of challenged films, and what becomes of them for it.

use ledger::{Code, Link, Transfer, account};
use protocol::LeaseId;

use super::{challenge_of, check, conviction, verdict};
use crate::core::event::{CheckKind, CheckOutcome, Effect, Finding};
use crate::core::state::{Audit, Book, LeasePhase, State};
use crate::core::verifiers;
use crate::money;

/// A verifier has answered a challenge. Where it says that the film is wrong, and now and then where it
/// says that it is right, the trusted renderer looks as well before anything is believed.
pub(super) fn find(
    state: &mut State,
    id: LeaseId,
    round: u32,
    finding: Finding,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let book = &mut state.book;
    let Some(lease) = book.leases.get(&id) else { return };
    let LeasePhase::Committed(committed) = &lease.phase else { return };
    if committed.round != round || book.audits.contains_key(&(id, round)) {
        return;
    }
    let mut committed = committed.clone();
    let challenge = challenge_of(book, lease, &committed);
    let (film, job, unit_index) = (committed.film, lease.job, lease.unit_index);
    let audit = Audit { film, job, unit_index, challenge, finding, believed: false };
    if !finding.agrees || verifiers::is_audited(book, finding.verifier, id, round) {
        book.audits.insert((id, round), audit);
        effects.push(look(book, &audit));
        return;
    }
    pay(book, &audit, effects);
    committed.vouched = Some(Box::new(Audit { believed: true, ..audit }));
    verdict::pass(state, id, committed, finding.pixels, now_ms, effects);
}

/// A film that a verifier was believed about is bad: the trusted renderer looks at the very pixels that
/// it has vouched for, which may be right all the same.
pub(super) fn question(book: &mut Book, vouched: Option<&Audit>, effects: &mut Vec<Effect>) {
    let Some(audit) = vouched else { return };
    let key = (audit.film.lease, audit.challenge.round);
    if !book.nodes[&audit.finding.verifier].barred && !book.audits.contains_key(&key) {
        book.audits.insert(key, *audit);
        effects.push(look(book, audit));
    }
}

/// The trusted render that an audit waits for.
pub(super) fn look(book: &Book, audit: &Audit) -> Effect {
    let Audit { film, job, unit_index, challenge, .. } = *audit;
    check(book, job, unit_index, CheckKind::Challenge { film, challenge })
}

/// The trusted renderer has answered a challenge: if a verifier had before, it is paid if it was right
/// and convicted if not, whatever has become of the lease.
pub(super) fn conclude(
    state: &mut State,
    id: LeaseId,
    round: u32,
    outcome: &CheckOutcome,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Some(audit) = state.book.audits.remove(&(id, round)) else { return };
    let holds = match outcome {
        // Nobody can look any more: the farm has another engine by now.
        CheckOutcome::Passed { pixels: 0 } => return,
        CheckOutcome::Passed { .. } => true,
        CheckOutcome::Refused { .. } => false,
    };
    if audit.finding.agrees == holds {
        if !audit.believed {
            pay(&mut state.book, &audit, effects);
        }
    } else {
        conviction::convict_verifier(state, &audit, now_ms, effects);
    }
}

/// Pays a verifier out of the verification reserve, as far as that reaches. Nothing is held back: what
/// it can lose is the pay for its own films.
fn pay(book: &mut Book, audit: &Audit, effects: &mut Vec<Effect>) {
    let Audit { film, finding, challenge, .. } = audit;
    let job = &book.jobs[&audit.job];
    let unit = job.units[audit.unit_index as usize].unit;
    let wage = job.wage(&unit, finding.pixels).min(book.reserve);
    book.reserve = money::minus(book.reserve, wage);
    let node = book.node_mut(finding.verifier);
    node.verified += 1;
    node.earned = money::plus(node.earned, wage);
    let move_wage = |what, from, to, code| {
        let id = money::wage_id(what, film.lease, challenge.round);
        Transfer::posted(id, (from, to), wage, code).with_link(Link::unit(unit))
    };
    // By the node's account, so that its statement shows what it has earned.
    let (held, wallet) = (account::held(finding.verifier), account::wallet(finding.owner));
    let transfers = vec![
        move_wage("wage", account::reserve(), held, Code::Verification),
        move_wage("wage released", held, wallet, Code::Release),
    ];
    book.transfer(transfers, effects);
}
