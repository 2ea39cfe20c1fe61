//! Acceptance: one film into the picture, one primary payment, the twin from the reserve.

use ledger::{Code, Link, Transfer, account};
use protocol::{JobId, LeaseId, Tokens, TransferId, Unit};

use super::lease::{reservation, void};
use super::{dispute, job, lease, quiet};
use crate::core::event::Effect;
use crate::core::state::{
    Accepted, Book, Committed, Hold, Job, JobPhase, LeasePhase, LeasePurse, LeaseRecord, State,
    slow_after_ms,
};
use crate::money;

/// Accepts the films of a unit that held, and pays for them.
pub(super) fn accept(
    state: &mut State,
    job_id: JobId,
    unit_index: u32,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let unit = &state.book.jobs[&job_id].units[unit_index as usize];
    let unit_id = unit.unit;
    assert!(unit.accepted.is_none(), "invariant: a unit is accepted once at a time");
    let (held, others): (Vec<LeaseId>, Vec<LeaseId>) =
        unit.leases.iter().copied().partition(|lease| state.book.leases[lease].has_passed());
    for id in others {
        let Some(other) = lease::withdraw(state, id, effects) else { continue };
        // Who was slow, or never meant to answer; not who was overtaken in good time.
        let after_ms = slow_after_ms(&state.book.jobs[&job_id]).unwrap_or(u64::MAX);
        let was_slow =
            now_ms >= other.late_ms() || now_ms.saturating_sub(other.granted_ms) >= after_ms;
        if other.phase == LeasePhase::Out && was_slow {
            state.book.node_mut(other.node).dropped += 1;
            *state.book.job_mut(job_id).failures.entry(other.node).or_default() += 1;
        }
    }
    let (paid, overtaken) = paid_of(&state.book, held);
    for id in overtaken {
        let record = lease::withdraw(state, id, effects).expect("invariant: it is the unit's");
        let committed = record.committed().expect("invariant: what passed is a film");
        state.book.say(committed.film.acceptance(unit_id, committed.pixels, Tokens::ZERO));
    }
    let records: Vec<LeaseRecord> =
        paid.iter().filter_map(|&id| lease::detach(state, id)).collect();
    for (index, record) in records.iter().enumerate() {
        let primary = index == 0;
        let committed = record.committed().expect("invariant: what passed is a film").clone();
        let (pay, transfers) = if primary {
            pay_primary(&mut state.book, record, &committed, unit_id)
        } else {
            pay_twin(&mut state.book, record, &committed, unit_id)
        };
        let verdict = committed.film.acceptance(unit_id, committed.pixels, pay);
        let evidence = proof::receipt::verdict_link(&verdict);
        let link = Link::unit(unit_id).with_evidence(evidence);
        let transfers = transfers.into_iter().map(|transfer| transfer.with_link(link)).collect();
        state.book.transfer(transfers, effects);
        state.book.say(verdict);
        credit_node(state, record, &committed, (unit_id, primary, pay), now_ms);
        if primary {
            let job = state.book.job_mut(job_id);
            job.version += 1;
            job.units_accepted += 1;
            job.note_accepted(now_ms);
            job.units[unit_index as usize].accepted = Some(Accepted {
                film: committed.film,
                pixels_checked: committed.pixels,
                pay,
                disputed: false,
                vouched: committed.vouched.clone(),
                version: job.version,
            });
            dispute::doubt_if_vouched_by_convict(&mut state.book, record, effects);
        }
    }
    let job = state.book.job_mut(job_id);
    job.refresh(unit_index);
    assert_money_adds_up(job);
    quiet::consider(&state.book, job_id, unit_index, effects);
    job::end_if_over(state, job_id, now_ms, effects);
}

/// The films that are paid, the primary one first, and those that were only overtaken.
///
/// The primary is the film whose pay the artist has reserved; a twin that is left alone takes its place. Who
/// raced it is paid beside it where they could have been twins: else two newcomers of one person, whom
/// nobody drew for each other, would sell one film twice.
fn paid_of(book: &Book, mut held: Vec<LeaseId>) -> (Vec<LeaseId>, Vec<LeaseId>) {
    held.sort_by_key(|lease| book.leases[lease].purse == LeasePurse::Reserve);
    let Some(&primary) = held.first() else { return (held, Vec::new()) };
    let is_of_veteran = |lease: &LeaseId| book.leases[lease].of_veteran;
    held.into_iter().partition(|it| *it == primary || is_of_veteran(&primary) || is_of_veteran(it))
}

/// Pays the one primary payment of a unit, with the farm's fee and the reserve's share.
fn pay_primary(
    book: &mut Book,
    lease: &LeaseRecord,
    committed: &Committed,
    unit: Unit,
) -> (Tokens, Vec<Transfer>) {
    let job = book.jobs.get_mut(&lease.job).expect("invariant: a lease's job is known");
    let due = job.worth(committed.film.rays).min(lease.pay_max);
    let clawed_back = std::mem::take(&mut job.units[lease.unit_index as usize].clawed_back);
    let held = account::held(lease.node);
    let anew = money::lease_movement_id("anew", lease.id);
    let mut transfers = Vec::new();
    let pay = match lease.purse {
        LeasePurse::Escrow => {
            job.reserved = money::minus(job.reserved, lease.reserved);
            job.available = money::plus(job.available, lease.reserved);
            let posted = due.min(lease.reserved);
            let top_up = money::minus(due, posted).min(money::minus(job.available, posted));
            transfers.push(settle(lease, unit, posted, money::payment_id(&unit)));
            let id = money::unit_movement_id("top-up", &unit);
            let accounts = (account::escrow(lease.job), held);
            transfers.push(Transfer::posted(id, accounts, top_up, Code::Pay));
            money::plus(posted, top_up)
        }
        LeasePurse::Appeal => {
            let posted = due.min(lease.reserved);
            transfers.push(settle(lease, unit, posted, anew));
            transfers.push(left_over(
                &mut book.treasury,
                lease,
                money::minus(lease.reserved, posted),
            ));
            return (posted, transfers);
        }
        // A twin that is left alone: its reservation returns, and the primary purse pays.
        LeasePurse::Reserve => {
            book.reserve = money::plus(book.reserve, lease.reserved);
            transfers.push(void(lease, unit));
            if !clawed_back.is_zero() {
                let pay = due.min(clawed_back);
                let accounts = (account::appeal(), held);
                transfers.push(Transfer::posted(anew, accounts, pay, Code::Correction));
                transfers.push(left_over(
                    &mut book.treasury,
                    lease,
                    money::minus(clawed_back, pay),
                ));
                return (pay, transfers);
            }
            let pay = due.min(job.available);
            let accounts = (account::escrow(lease.job), held);
            let id = money::payment_id(&unit);
            transfers.push(Transfer::posted(id, accounts, pay, Code::Pay));
            pay
        }
    };
    let (fee, share) = money::shares_on(pay, &job.quote);
    let left = money::minus(job.available, pay);
    let fee = fee.min(left);
    let share = share.min(money::minus(left, fee));
    job.available = money::minus(left, money::plus(fee, share));
    job.spent = money::plus(job.spent, money::plus(pay, money::plus(fee, share)));
    book.reserve = money::plus(book.reserve, share);
    let insured = money::share(fee, u128::from(book.policy.treasury_ppm), 1_000_000);
    book.treasury = money::plus(book.treasury, insured);
    let mut move_share = |what, to, amount, code| {
        let id = money::unit_movement_id(what, &unit);
        transfers.push(Transfer::posted(id, (account::escrow(lease.job), to), amount, code));
    };
    move_share("fee", account::fee(), money::minus(fee, insured), Code::Fee);
    move_share("treasury", account::treasury(), insured, Code::Fee);
    move_share("reserve", account::reserve(), share, Code::Reserve);
    (pay, transfers)
}

/// What rendering a unit anew did not use of a bad film's pay: the treasury's.
fn left_over(treasury: &mut Tokens, lease: &LeaseRecord, amount: Tokens) -> Transfer {
    *treasury = money::plus(*treasury, amount);
    let id = money::lease_movement_id("left over", lease.id);
    Transfer::posted(id, (account::appeal(), account::treasury()), amount, Code::Slash)
}

/// Pays a twin from the verification reserve, as far as that reaches.
fn pay_twin(
    book: &mut Book,
    lease: &LeaseRecord,
    committed: &Committed,
    unit: Unit,
) -> (Tokens, Vec<Transfer>) {
    assert!(lease.purse == LeasePurse::Reserve, "invariant: one primary lease a unit");
    let job = &book.jobs[&lease.job];
    let due = job.twin_share(job.worth(committed.film.rays)).min(lease.pay_max);
    book.reserve = money::plus(book.reserve, lease.reserved);
    let posted = due.min(lease.reserved);
    let pay = due.min(book.reserve);
    book.reserve = money::minus(book.reserve, pay);
    let accounts = (account::reserve(), account::held(lease.node));
    let top_up = Transfer::posted(
        money::lease_movement_id("twin top-up", lease.id),
        accounts,
        money::minus(pay, posted),
        Code::Verification,
    );
    let twin = settle(lease, unit, posted, money::lease_movement_id("twin", lease.id));
    (pay, vec![twin, top_up])
}

/// Posts a lease's reservation in part or in full; nothing to post is a void.
fn settle(lease: &LeaseRecord, unit: Unit, amount: Tokens, id: TransferId) -> Transfer {
    if amount.is_zero() {
        void(lease, unit)
    } else {
        Transfer::post(id, &reservation(lease, unit), amount)
    }
}

/// Writes a good unit to the node's name, and its pay to what is held back.
fn credit_node(
    state: &mut State,
    lease: &LeaseRecord,
    committed: &Committed,
    (unit, primary, pay): (Unit, bool, Tokens),
    now_ms: u64,
) {
    let job = state.book.job_mut(lease.job);
    job.failures.remove(&lease.node);
    let artist = job.artist;
    let is_of_any = lease.of_any;
    let node = state.book.node_mut(lease.node);
    node.accepted += 1;
    // Nobody makes a name on jobs of his own, nor on jobs whose nodes were picked.
    node.accepted_of_any += u64::from(is_of_any);
    node.accepted_for_others += u64::from(is_of_any && artist != node.facts.owner);
    node.rays += committed.film.rays;
    let hold = Hold {
        film: committed.film,
        unit,
        unit_index: lease.unit_index,
        amount: pay,
        primary,
        vouched: committed.vouched.clone(),
        since_ms: now_ms,
        of_any: node.accepted_of_any,
    };
    let (number, vouched_by) = (node.accepted, hold.vouched_by());
    node.holds.insert(number, hold);
    if let Some(verifier) = vouched_by {
        state.book.node_mut(verifier).vouched.insert((lease.node, number));
    }
}

/// What an artist gave, and the treasury added, is spent, reserved, still there or returned: nothing else.
pub(super) fn assert_money_adds_up(job: &Job) {
    if job.phase != JobPhase::Funding {
        let sum = money::plus(
            money::plus(job.spent, job.reserved),
            money::plus(job.available, job.refunded),
        );
        let given = money::plus(job.quote.price, job.cover.unwrap_or_default());
        assert!(sum == given, "invariant: a job's money adds up to its price and what was added");
    }
}
