//! Convictions: what is taken, what is checked again, appeals, and where what was taken ends.
//!
//! ```text
//!  held pay ──┐                    a bad film rendered anew, or its pay back to the artist
//!             ├─► appeal account ──┤
//!  stake ─────┘        │           upheld, or nobody appealed: compensation to the artist whose
//!                      │           film was bad, the rest to the treasury
//!                      └────────── overturned: back to the owner
//! ```

use ledger::{Code, Link, Transfer, account};
use protocol::{Challenge, JobId, LeaseId, NodeId, PublicKey, Tokens, Verdict, VerdictKind};

use super::verdict::{self, Wrong};
use super::{check, dispute, finding, job, lease, quiet, stake};
use crate::core::event::{CheckKind, CheckOutcome, Effect, FilmRef, Finding};
use crate::core::state::{Appeal, Audit, Book, Conviction, Hold, JobPhase, Recheck, State};
use crate::money;

/// Convicts a node by one of its films: the film is refused, the node gets no more work, its held
/// pay and its owner's stake go to the appeal account, and what the pay was held for is checked once
/// more.
pub(super) fn convict(
    state: &mut State,
    id: LeaseId,
    wrong: Wrong,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Some(record) = state.book.leases.get(&id) else { return };
    let (node_id, job_id, unit_index) = (record.node, record.job, record.unit_index);
    let film = record.committed().map(|committed| committed.film);
    let vouched = record.committed().and_then(|committed| committed.vouched.clone());
    let unpaid = film
        .map_or(Tokens::ZERO, |film| state.book.jobs[&job_id].worth(film.rays).min(record.pay_max));
    let whose = Whose { node: node_id, owner: record.owner, job: job_id, unit_index };
    let book = &mut state.book;
    open(book, id, film, &whose, now_ms, effects);
    conviction_mut(book, id).lost = unpaid;
    lease::refuse(state, id, wrong, now_ms, effects);
    withdraw_all(state, node_id, now_ms, effects);
    finding::question(&mut state.book, vouched.as_deref(), effects);
}

/// Convicts a verifier by what it has said of somebody else's film. The artist lost nothing by it and is
/// owed nothing.
pub(super) fn convict_verifier(
    state: &mut State,
    audit: &Audit,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Audit { film, job, unit_index, finding, .. } = *audit;
    let Finding { lease: id, verifier, owner, agrees, evidence, .. } = finding;
    let book = &mut state.book;
    let unit = book.jobs[&job].units[unit_index as usize].unit;
    let kind = VerdictKind::WrongFinding { agreed: agrees };
    let (root, evidence) = (film.root, Some(evidence));
    let verdict = Verdict { lease: id, unit, node: verifier, root, kind, evidence };
    book.say(verdict);
    let node = book.node_mut(verifier);
    // Several findings of one lease may be wrong, and it may have been convicted of a film of its own.
    if node.barred {
        return;
    }
    let whose = Whose { node: verifier, owner, job, unit_index };
    open(book, id, Some(film), &whose, now_ms, effects);
    let conviction = conviction_mut(book, id);
    (conviction.audit, conviction.harm) = (Some(*audit), Tokens::ZERO);
    withdraw_all(state, verifier, now_ms, effects);
}

/// Whose film of which unit.
struct Whose {
    node: NodeId,
    owner: PublicKey,
    job: JobId,
    unit_index: u32,
}

/// Writes a conviction down: the node is barred, its held pay and its owner's stake are taken.
fn open(
    book: &mut Book,
    id: LeaseId,
    film: Option<FilmRef>,
    whose: &Whose,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Whose { node: node_id, owner, job: job_id, unit_index } = *whose;
    let job = &book.jobs[&job_id];
    let unit = job.units[unit_index as usize].unit;
    let (artist, harm) = (job.artist, job.average_pay(&unit));
    let conviction = Conviction {
        node: node_id,
        owner,
        audit: None,
        film,
        unit,
        unit_index,
        artist,
        harm,
        lost: Tokens::ZERO,
        taken: Tokens::ZERO,
        stake: stake::seize(book, id, owner, effects),
        since_ms: now_ms,
        appeal: Appeal::Open,
    };
    let node = book.node_mut(node_id);
    node.barred = true;
    node.convictions += 1;
    book.convictions.insert(id, conviction);
    seize_holds(book, id, node_id, effects);
    dispute::doubt_all_vouched_by(book, node_id, effects);
}

/// Moves a convicted node's held pay to the appeal account and has its films checked again.
fn seize_holds(book: &mut Book, cause: LeaseId, id: NodeId, effects: &mut Vec<Effect>) {
    let holds = std::mem::take(&mut book.node_mut(id).holds);
    for (&number, hold) in &holds {
        if let Some(verifier) = hold.vouched_by() {
            book.node_mut(verifier).vouched.remove(&(id, number));
        }
    }
    let holds: Vec<Hold> = holds.into_values().collect();
    let sum = holds.iter().fold(Tokens::ZERO, |sum, hold| money::plus(sum, hold.amount));
    let accounts = (account::held(id), account::appeal());
    let seizure = money::lease_movement_id("conviction", cause);
    book.transfer(vec![Transfer::posted(seizure, accounts, sum, Code::Slash)], effects);
    conviction_mut(book, cause).taken = sum;
    for hold in holds.into_iter().filter(|hold| hold.primary) {
        book.job_mut(hold.unit.job).rechecks += 1;
        let lease = hold.film.lease;
        book.rechecks.insert(lease, Recheck { cause, hold });
        effects.push(recheck(book, lease));
    }
}

fn conviction_mut(book: &mut Book, cause: LeaseId) -> &mut Conviction {
    book.convictions.get_mut(&cause).expect("invariant: a conviction outlives its rechecks")
}

/// The check of an accepted film, asked for once more, with a fresh nonce and more pixels.
pub(super) fn recheck(book: &Book, lease: LeaseId) -> Effect {
    let hold = &book.rechecks[&lease].hold;
    let film = hold.film;
    let kind = CheckKind::Recheck { film, challenge: fresh_challenge(book, &film) };
    check(book, hold.unit.job, hold.unit_index, kind)
}

/// More pixels of an accepted film, drawn by a nonce that nobody has seen.
pub(super) fn fresh_challenge(book: &Book, film: &FilmRef) -> Challenge {
    Challenge {
        nonce: book.secret.recheck_nonce(film.lease),
        round: 0,
        pixels: book.policy.pixels(film.class, true),
    }
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
    let Some(Recheck { cause, hold }) = book.rechecks.remove(&id) else { return };
    let job_id = hold.unit.job;
    let job = book.job_mut(job_id);
    job.rechecks -= 1;
    match outcome {
        CheckOutcome::Passed { pixels } => job.pixels_checked += u64::from(pixels),
        CheckOutcome::Refused { refusal, evidence } => {
            if put_back(book, &hold, effects) {
                let conviction = conviction_mut(book, cause);
                conviction.taken = money::minus(conviction.taken, hold.amount);
            }
            let wrong = Wrong { root: hold.film.root, refusal, evidence };
            verdict::record_refusal(book, id, hold.film.node, hold.unit, wrong);
            // Whatever becomes of the film that convicted it, this one was bad as well.
            book.node_mut(hold.film.node).convictions += 1;
            finding::question(book, hold.vouched.as_deref(), effects);
        }
    }
    close_if_decided(state, cause, effects);
    job::end_if_over(state, job_id, now_ms, effects);
}

/// Takes a bad film out of the picture; whether it was in it. Its pay, which is on the appeal account,
/// has the unit rendered anew; of a job that was stopped, or is of an older engine, it goes back to
/// the artist instead.
fn put_back(book: &mut Book, hold: &Hold, effects: &mut Vec<Effect>) -> bool {
    let (job_id, engine) = (hold.unit.job, book.engine);
    let job = book.job_mut(job_id);
    let anew = matches!(job.phase, JobPhase::Open | JobPhase::Done)
        && job.engine == engine
        && !hold.amount.is_zero();
    let artist = job.artist;
    let unit = &mut job.units[hold.unit_index as usize];
    let lease = hold.film.lease;
    if unit.accepted.as_ref().is_none_or(|accepted| accepted.film.lease != lease) {
        return false;
    }
    unit.accepted = None;
    unit.films_wanted = 1;
    unit.failures += 1;
    if anew {
        unit.clawed_back = hold.amount;
    }
    job.units_accepted -= 1;
    // Of a job that was over the rest of the price is back with its artist.
    if job.phase == JobPhase::Open {
        quiet::decide_again(job, hold.unit_index);
    }
    if anew && job.is_over() {
        job::reopen(book, job_id);
    }
    book.job_mut(job_id).refresh(hold.unit_index);
    if !anew {
        let id = money::lease_movement_id("paid back", lease);
        let accounts = (account::appeal(), account::wallet(artist));
        let back = Transfer::posted(id, accounts, hold.amount, Code::Refund);
        book.transfer(vec![back.with_link(Link::unit(hold.unit))], effects);
    }
    true
}

/// Convicts the node of a film that was accepted and found bad in a dispute. The unit is rendered
/// anew from what was seized from the node: the film's own pay if that was still held, else what it
/// had beside it. From nothing else, or an artist with a node of his own could empty the reserve; where
/// nothing was left the film stays in the picture, and the artist has the evidence.
pub(super) fn convict_of_accepted(
    state: &mut State,
    disputed: &Hold,
    wrong: Wrong,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Hold { film, unit, unit_index, amount, .. } = *disputed;
    let (id, node_id) = (film.lease, film.node);
    let book = &mut state.book;
    let job = &book.jobs[&unit.job];
    let accepted = job.units[unit_index as usize].accepted.as_ref();
    let in_use = accepted.is_some_and(|accepted| accepted.film.lease == id);
    if !in_use || book.convictions.contains_key(&id) {
        return;
    }
    let vouched = accepted.and_then(|accepted| accepted.vouched.clone());
    let whose = Whose { node: node_id, owner: film.owner, job: unit.job, unit_index };
    open(book, id, Some(film), &whose, now_ms, effects);
    // The dispute has looked at this film as a whole: there is nothing to check once more.
    if book.rechecks.remove(&id).is_some() {
        book.job_mut(unit.job).rechecks -= 1;
        effects.retain(|effect| !is_recheck_of(effect, id));
    }
    let amount = take_free(book, node_id, amount);
    conviction_mut(book, id).lost = amount;
    if !amount.is_zero() {
        put_back(book, &Hold { amount, ..disputed.clone() }, effects);
    }
    verdict::record_refusal(book, id, node_id, unit, wrong);
    finding::question(book, vouched.as_deref(), effects);
    withdraw_all(state, node_id, now_ms, effects);
}

/// Uses up to `wanted` of what convictions of a node have taken and no film that is being checked again
/// may still need.
fn take_free(book: &mut Book, node: NodeId, wanted: Tokens) -> Tokens {
    let mut found = Tokens::ZERO;
    for (id, conviction) in book.convictions.iter_mut().filter(|(_, it)| it.node == node) {
        let rechecks = book.rechecks.values().filter(|recheck| recheck.cause == *id);
        let needed =
            rechecks.fold(Tokens::ZERO, |sum, recheck| money::plus(sum, recheck.hold.amount));
        let some = money::minus(conviction.taken, needed).min(money::minus(wanted, found));
        conviction.taken = money::minus(conviction.taken, some);
        found = money::plus(found, some);
    }
    found
}

fn is_recheck_of(effect: &Effect, lease: LeaseId) -> bool {
    let Effect::Check(check) = effect else { return false };
    matches!(&check.kind, CheckKind::Recheck { film, .. } if film.lease == lease)
}

/// Takes a convicted node's leases back: others get the work.
fn withdraw_all(state: &mut State, id: NodeId, now_ms: u64, effects: &mut Vec<Effect>) {
    for id in state.book.nodes[&id].leases.clone() {
        if let Some(lease) = lease::withdraw(state, id, effects) {
            verdict::consider(state, lease.job, lease.unit_index, now_ms, effects);
            job::end_if_over(state, lease.job, now_ms, effects);
        }
    }
}

/// Why a conviction cannot be appealed against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppealError {
    /// No such conviction, or it is settled.
    #[error(
        "no conviction of a node of yours rests on that lease, or the time for an appeal is over"
    )]
    Unknown,
    /// Said already.
    #[error("an appeal was made and is being decided")]
    Asked,
    /// Nothing to render again.
    #[error("the film was refused for what it holds, which no second render can change")]
    NoFilm,
    /// A key without a name or pay: another one costs nothing.
    #[error(
        "the node had no accepted work yet, and less was taken than rendering the tile again costs; start again with a new key"
    )]
    NothingTaken,
}

/// Whether the conviction that a film caused can be appealed against by a caller.
///
/// # Errors
/// See [`AppealError`].
pub fn may_appeal(book: &Book, caller: PublicKey, lease: LeaseId) -> Result<(), AppealError> {
    let conviction = book.convictions.get(&lease).ok_or(AppealError::Unknown)?;
    let node = &book.nodes[&conviction.node];
    if conviction.owner != caller && PublicKey::from(node.id) != caller {
        return Err(AppealError::Unknown);
    }
    match (conviction.appeal, conviction.film) {
        (Appeal::Asked, _) => Err(AppealError::Asked),
        (Appeal::Upheld | Appeal::Overturned, _) => Err(AppealError::Unknown),
        (Appeal::Open, None) => Err(AppealError::NoFilm),
        (Appeal::Open, Some(_)) => {
            let taken = money::plus(conviction.taken, conviction.stake);
            let nameless = node.accepted_for_others == 0;
            if taken < conviction.harm && nameless {
                Err(AppealError::NothingTaken)
            } else {
                Ok(())
            }
        }
    }
}

/// An appeal: the whole tile is rendered once more.
pub(super) fn appeal(book: &mut Book, lease: LeaseId, effects: &mut Vec<Effect>) {
    let Some(conviction) = book.convictions.get_mut(&lease) else { return };
    if conviction.appeal == Appeal::Open && conviction.film.is_some() {
        conviction.appeal = Appeal::Asked;
        effects.extend(hearing(book, lease));
    }
}

/// The render that decides an appeal.
pub(super) fn hearing(book: &Book, lease: LeaseId) -> Option<Effect> {
    let conviction = &book.convictions[&lease];
    let challenge = conviction.audit.map(|audit| audit.challenge);
    let kind = CheckKind::Appeal { conviction: lease, film: conviction.film?, challenge };
    Some(check(book, conviction.unit.job, conviction.unit_index, kind))
}

/// The appeal was decided, for the node where nobody can look any more.
pub(super) fn hear(state: &mut State, id: LeaseId, holds: Option<bool>, effects: &mut Vec<Effect>) {
    let Some(conviction) = state.book.convictions.get_mut(&id) else { return };
    if conviction.appeal == Appeal::Asked {
        // A maker is right when its film is good, a verifier when it has said so.
        let said = conviction.audit.is_none_or(|audit| audit.finding.agrees);
        let was_right = holds.is_none_or(|holds| holds == said);
        conviction.appeal = if was_right { Appeal::Overturned } else { Appeal::Upheld };
        close_if_decided(state, id, effects);
    }
}

/// Nobody appealed in time.
pub(super) fn lapse(state: &mut State, id: LeaseId, effects: &mut Vec<Effect>) {
    let Some(conviction) = state.book.convictions.get_mut(&id) else { return };
    if conviction.appeal == Appeal::Open {
        conviction.appeal = Appeal::Upheld;
        close_if_decided(state, id, effects);
    }
}

/// Moves what was taken to where it belongs, once the appeal is decided and no film is being checked
/// again: what that would cost is not known before.
fn close_if_decided(state: &mut State, id: LeaseId, effects: &mut Vec<Effect>) {
    let book = &mut state.book;
    let Some(conviction) = book.convictions.get(&id) else { return };
    let is_decided = matches!(conviction.appeal, Appeal::Upheld | Appeal::Overturned);
    if !is_decided || book.rechecks.values().any(|recheck| recheck.cause == id) {
        return;
    }
    let conviction = book.convictions.remove(&id).expect("invariant: it was just looked at");
    match conviction.appeal {
        Appeal::Overturned => overturn(book, id, &conviction, effects),
        _upheld => forfeit(book, id, &conviction, effects),
    }
}

/// The film was good: all that is left goes back, the unit's pay with it.
fn overturn(book: &mut Book, id: LeaseId, conviction: &Conviction, effects: &mut Vec<Effect>) {
    let Some(film) = conviction.film else { return };
    let pay = conviction.lost.min(book.reserve);
    book.reserve = money::minus(book.reserve, pay);
    let returned = conviction.taken;
    let node = book.node_mut(conviction.node);
    if conviction.audit.is_none() {
        node.refused -= 1;
    }
    node.convictions -= 1;
    node.barred = node.convictions > 0;
    node.earned = money::plus(node.earned, money::plus(returned, pay));
    let owner = conviction.owner;
    let kind = VerdictKind::Overturned { returned, stake: conviction.stake, pay };
    let (unit, root) = (conviction.unit, film.root);
    let verdict = Verdict { lease: id, unit, node: conviction.node, root, kind, evidence: None };
    book.say(verdict);
    let back = |what, from, to, amount| {
        let id = money::lease_movement_id(what, id);
        Transfer::posted(id, (from, to), amount, Code::Correction).with_link(Link::unit(unit))
    };
    let (appeal, wallet) = (account::appeal(), account::wallet(owner));
    let transfers = vec![
        back("returned", appeal, wallet, returned),
        back("stake returned", appeal, account::stake(owner), conviction.stake),
        back("paid after all", account::reserve(), wallet, pay),
    ];
    stake::restore(book, owner, conviction.stake);
    book.transfer(transfers, effects);
}

/// The film was bad: the artist is compensated for the wait with the price of the unit, no more, so
/// that nobody gains by convicting himself; the rest is the treasury's.
fn forfeit(book: &mut Book, id: LeaseId, conviction: &Conviction, effects: &mut Vec<Effect>) {
    let all = money::plus(conviction.taken, conviction.stake);
    let compensation = conviction.harm.min(all);
    let slash = |what, to, amount| {
        let id = money::lease_movement_id(what, id);
        let accounts = (account::appeal(), to);
        Transfer::posted(id, accounts, amount, Code::Slash).with_link(Link::unit(conviction.unit))
    };
    let forfeited = money::minus(all, compensation);
    let transfers = vec![
        slash("compensation", account::wallet(conviction.artist), compensation),
        slash("forfeited", account::treasury(), forfeited),
    ];
    book.treasury = money::plus(book.treasury, forfeited);
    book.transfer(transfers, effects);
}
