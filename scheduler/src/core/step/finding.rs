//! What verifiers say of challenged films, and what becomes of them for it.

use ledger::{Code, Link, Transfer, account};
use protocol::{JobId, LeaseId};

use super::{challenge, conviction, verdict};
use crate::core::event::{Effect, FilmRef, Finding};
use crate::core::state::{Book, LeasePhase, State};
use crate::core::verifiers;
use crate::money;

/// A film that the trusted renderer has looked at after a verifier.
pub(super) struct Looked {
    pub(super) film: FilmRef,
    pub(super) round: u32,
    pub(super) job: JobId,
    pub(super) unit_index: u32,
    /// Whether the film held.
    pub(super) holds: bool,
}

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
    let Some(lease) = book.leases.get_mut(&id) else { return };
    let LeasePhase::Committed(committed) = &mut lease.phase else { return };
    if committed.round != round || committed.finding.is_some() {
        return;
    }
    committed.finding = Some(finding);
    let committed = committed.clone();
    let (job, unit_index) = (lease.job, lease.unit_index);
    let is_barred = book.nodes[&finding.verifier].barred;
    if !finding.agrees || is_barred || verifiers::is_audited(book, id, round) {
        effects.push(challenge(book, id));
        return;
    }
    let looked = Looked { film: committed.film, round, job, unit_index, holds: true };
    pay(book, &finding, &looked, effects);
    verdict::pass(state, id, committed, finding.pixels, now_ms, effects);
}

/// The trusted renderer has looked as well: who was right is paid, who was not is convicted.
pub(super) fn conclude(
    state: &mut State,
    finding: &Finding,
    looked: &Looked,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    if finding.agrees == looked.holds {
        pay(&mut state.book, finding, looked, effects);
    } else {
        conviction::convict_verifier(state, finding, looked, now_ms, effects);
    }
}

/// Pays a verifier out of the verification reserve, as far as that reaches. Nothing is held back: what
/// it can lose is the pay for its own films.
fn pay(book: &mut Book, finding: &Finding, looked: &Looked, effects: &mut Vec<Effect>) {
    let job = &book.jobs[&looked.job];
    let unit = job.units[looked.unit_index as usize].unit;
    let wage = job.wage(&unit, finding.pixels).min(book.reserve);
    book.reserve = money::minus(book.reserve, wage);
    let node = book.node_mut(finding.verifier);
    node.verified += 1;
    node.earned = money::plus(node.earned, wage);
    let move_wage = |what, from, to, code| {
        let id = money::wage_id(what, looked.film.lease, looked.round);
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
