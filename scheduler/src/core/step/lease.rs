//! The life of a lease up to its film.

use ledger::{Code, Link, Transfer, account};
use protocol::{Class, Digest, GivenBack, JobId, LeaseId, NodeId, RayCount, Tokens, Unit};

use super::verdict::{self, Wrong};
use super::{accept, challenge, conviction, job};
use crate::core::event::{Effect, FilmRef};
use crate::core::state::{Book, Committed, JobPhase, LeasePhase, LeasePurse, LeaseRecord, State};
use crate::money;

/// A planned lease.
pub(super) struct Grant {
    pub(super) lease: LeaseId,
    pub(super) node: NodeId,
    pub(super) job: JobId,
    pub(super) unit_index: u32,
    pub(super) films_wanted: u8,
    pub(super) boosted: bool,
}

/// Hands a lease out: its average pay is reserved in its purse.
pub(super) fn grant(state: &mut State, grant: &Grant, now_ms: u64, effects: &mut Vec<Effect>) {
    let book = &mut state.book;
    book.leases_granted += 1;
    let policy = &book.policy;
    book.touched.job(grant.job);
    let job = book.jobs.get_mut(&grant.job).expect("invariant: plans name known jobs");
    let unit = &mut job.units[grant.unit_index as usize];
    assert!(job.phase == JobPhase::Open && unit.accepted.is_none(), "invariant: a unit to do");
    let has_primary =
        unit.leases.iter().any(|lease| book.leases[lease].purse != LeasePurse::Reserve);
    let purse = if has_primary {
        LeasePurse::Reserve
    } else if unit.clawed_back.is_zero() {
        LeasePurse::Escrow
    } else {
        LeasePurse::Appeal
    };
    unit.films_wanted = grant.films_wanted;
    unit.leases.push(grant.lease);
    let clawed_back = unit.clawed_back;
    let unit_id = unit.unit;
    let average = job.average_pay(&unit_id).max(Tokens::from_micro(1));
    let pay_max = money::share(average, u128::from(policy.pay_max_factor), 1);
    let reserved = match purse {
        LeasePurse::Escrow => {
            let reserved = average.min(job.available);
            job.available = money::minus(job.available, reserved);
            job.reserved = money::plus(job.reserved, reserved);
            reserved
        }
        LeasePurse::Reserve => {
            let reserved = job.twin_share(average).min(book.reserve);
            book.reserve = money::minus(book.reserve, reserved);
            reserved
        }
        LeasePurse::Appeal => {
            job.units[grant.unit_index as usize].clawed_back = Tokens::ZERO;
            clawed_back
        }
    };
    job.leases += 1;
    job.served_ms = now_ms;
    job.refresh(grant.unit_index);
    let needs_ms = book.nodes[&grant.node].needs_ms(job.unit_work());
    let is_of_any = book.is_for_any(&book.jobs[&grant.job]);
    let record = LeaseRecord {
        id: grant.lease,
        node: grant.node,
        owner: book.nodes[&grant.node].facts.owner,
        job: grant.job,
        unit_index: grant.unit_index,
        purse,
        reserved,
        pay_max,
        // Plans are for nodes that have qualified; what is unknown would be compared strictly.
        class: book.nodes.get(&grant.node).and_then(|node| node.class).unwrap_or(Class::Exact),
        boosted: grant.boosted,
        of_any: is_of_any,
        of_veteran: book.is_veteran(&book.nodes[&grant.node]),
        granted_ms: now_ms,
        before: book.nodes[&grant.node].granted,
        expected_ms: needs_ms.map_or(u64::MAX, |ms| now_ms.saturating_add(ms)),
        phase: LeasePhase::Out,
    };
    let pending = reservation(&record, unit_id);
    state.live.deadlines.set(grant.lease, Some(now_ms + policy.lease_ms));
    let node = book.node_mut(grant.node);
    node.granted += 1;
    node.out += 1;
    node.leases.insert(grant.lease);
    book.leases.insert(grant.lease, record);
    book.transfer(vec![pending], effects);
}

/// The transfer that reserves a lease's pay in its purse.
pub(super) fn reservation(lease: &LeaseRecord, unit: Unit) -> Transfer {
    let (purse, code) = match lease.purse {
        LeasePurse::Escrow => (account::escrow(lease.job), Code::Pay),
        LeasePurse::Reserve => (account::reserve(), Code::Verification),
        LeasePurse::Appeal => (account::appeal(), Code::Correction),
    };
    let id = money::lease_movement_id("lease", lease.id);
    let accounts = (purse, account::held(lease.node));
    let timeout_ms = money::RESERVATION_TIMEOUT_MS;
    Transfer::pending(id, accounts, lease.reserved, code, timeout_ms).with_link(Link::unit(unit))
}

/// The transfer that gives a lease's reservation back.
pub(super) fn void(lease: &LeaseRecord, unit: Unit) -> Transfer {
    Transfer::void(money::lease_movement_id("void", lease.id), &reservation(lease, unit))
}

/// Takes a lease back, whatever its phase: what it reserved returns to its purse.
pub(super) fn withdraw(
    state: &mut State,
    id: LeaseId,
    effects: &mut Vec<Effect>,
) -> Option<LeaseRecord> {
    let lease = detach(state, id)?;
    let book = &mut state.book;
    let job = book.job_mut(lease.job);
    match lease.purse {
        LeasePurse::Escrow => {
            job.reserved = money::minus(job.reserved, lease.reserved);
            job.available = money::plus(job.available, lease.reserved);
        }
        LeasePurse::Reserve => book.reserve = money::plus(book.reserve, lease.reserved),
        LeasePurse::Appeal => {
            job.units[lease.unit_index as usize].clawed_back = lease.reserved;
        }
    }
    let unit = book.jobs[&lease.job].units[lease.unit_index as usize].unit;
    book.transfer(vec![void(&lease, unit)], effects);
    book.job_mut(lease.job).refresh(lease.unit_index);
    Some(lease)
}

/// Forgets an unsettled lease; its reservation is the caller's to settle.
pub(super) fn detach(state: &mut State, id: LeaseId) -> Option<LeaseRecord> {
    let lease = state.book.leases.remove(&id)?;
    state.live.deadlines.set(id, None);
    state.live.waiting_since.set(id, None);
    let node = state.book.node_mut(lease.node);
    node.out -= u32::from(lease.phase == LeasePhase::Out);
    node.leases.remove(&id);
    let job = state.book.job_mut(lease.job);
    job.leases -= 1;
    let unit = &mut job.units[lease.unit_index as usize];
    unit.leases.retain(|other| *other != id);
    // Whoever was on trial with it is considered anew.
    unit.on_trial = false;
    Some(lease)
}

/// A node gives a lease back: for some reasons it gets no more of the job.
pub(super) fn note_given_back(book: &mut Book, id: LeaseId, why: GivenBack) {
    let out = book.leases.get(&id).filter(|lease| lease.phase == LeasePhase::Out);
    let Some((node, job)) = out.map(|lease| (lease.node, lease.job)) else { return };
    let job = book.job_mut(job);
    match why {
        GivenBack::Undone => {}
        GivenBack::TooLarge => drop(job.too_small.insert(node)),
        GivenBack::Unwanted => drop(job.unwanted_by.insert(node)),
    }
}

/// A lease lapsed or was given back: the unit goes elsewhere.
///
/// That a node gives a lease back says nothing about the unit; that it never answered may.
pub(super) fn drop_lease(
    state: &mut State,
    id: LeaseId,
    has_lapsed: bool,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    if state.book.leases.get(&id).is_none_or(|lease| lease.phase != LeasePhase::Out) {
        return;
    }
    let Some(lease) = withdraw(state, id, effects) else { return };
    if !has_lapsed && state.book.jobs[&lease.job].unwanted_by.contains(&lease.node) {
        // Who does not want a job has not failed at it.
        verdict::consider(state, lease.job, lease.unit_index, now_ms, effects);
        job::end_if_over(state, lease.job, now_ms, effects);
        return;
    }
    state.book.node_mut(lease.node).dropped += 1;
    let unit = &mut state.book.job_mut(lease.job).units[lease.unit_index as usize];
    unit.lost += u32::from(has_lapsed);
    count_failure(state, &lease, now_ms, effects);
}

/// A film is gone before it was judged, by no fault of its node's: the unit goes elsewhere.
pub(super) fn lose(state: &mut State, id: LeaseId, now_ms: u64, effects: &mut Vec<Effect>) {
    // What a verifier has said of it can be looked at no more.
    state.book.audits.retain(|(lease, _round), _| *lease != id);
    if state.book.leases.get(&id).is_none_or(|lease| lease.phase == LeasePhase::Out) {
        return;
    }
    let Some(lease) = withdraw(state, id, effects) else { return };
    verdict::consider(state, lease.job, lease.unit_index, now_ms, effects);
    job::end_if_over(state, lease.job, now_ms, effects);
}

/// Counts a soft failure of a node on a unit.
pub(super) fn count_failure(
    state: &mut State,
    lease: &LeaseRecord,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let job = state.book.job_mut(lease.job);
    *job.failures.entry(lease.node).or_default() += 1;
    let unit = &mut job.units[lease.unit_index as usize];
    unit.failures += 1;
    match unit.failed_by.iter_mut().find(|(node, _)| *node == lease.node) {
        Some((_, failures)) => *failures += 1,
        None => unit.failed_by.push((lease.node, 1)),
    }
    job.refresh(lease.unit_index);
    accept::assert_money_adds_up(job);
    verdict::consider(state, lease.job, lease.unit_index, now_ms, effects);
    job::end_if_over(state, lease.job, now_ms, effects);
}

/// What a node has committed to.
pub(super) struct Told {
    pub(super) root: Digest,
    pub(super) rays: RayCount,
    pub(super) signature: [u8; 64],
}

/// The first film of a lease: it is challenged.
pub(super) fn commit(
    state: &mut State,
    id: LeaseId,
    told: &Told,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let book = &mut state.book;
    let Some(lease) = book.leases.get_mut(&id).filter(|lease| lease.phase == LeasePhase::Out)
    else {
        return;
    };
    let Told { root, rays, signature } = *told;
    let LeaseRecord { node, owner, class, .. } = *lease;
    let film = FilmRef { lease: id, node, owner, class, root, rays, signature };
    let film = Committed { film, round: 0, pixels: 0, vouched: None };
    let (job, unit_index) = (lease.job, lease.unit_index);
    state.live.deadlines.set(id, None);
    book.touched.node(node);
    book.nodes.get_mut(&node).expect("invariant: who has a lease is known").out -= 1;
    book.touched.job(job);
    let counted = book.jobs.get_mut(&job).expect("invariant: a lease's job is known");
    counted.touched.push(unit_index);
    let shot = counted.units[unit_index as usize].unit.shot;
    state.live.rendered.entry(job).or_default().entry(shot).or_default().insert(node);
    counted.films += 1;
    counted.films_ms += now_ms.saturating_sub(lease.granted_ms);
    if book.policy.check {
        lease.phase = LeasePhase::Committed(film);
        book.job_mut(job).version += 1;
        effects.push(challenge(book, id));
    } else {
        lease.phase = LeasePhase::Passed(film);
        verdict::consider(state, job, unit_index, now_ms, effects);
    }
}

/// A film that cannot be right, whatever the pixels: refused unchallenged.
pub(super) fn trip(
    state: &mut State,
    id: LeaseId,
    wrong: Wrong,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    if state.book.leases.get(&id).is_none_or(|lease| lease.phase != LeasePhase::Out) {
        return;
    }
    let node = state.book.leases[&id].node;
    let refusals = state.book.nodes[&node].refused + 1;
    if refusals >= state.book.policy.refusals_max {
        conviction::convict(state, id, wrong, now_ms, effects);
    } else {
        refuse(state, id, wrong, now_ms, effects);
    }
}

/// Refuses a film: it is not used and not paid.
pub(super) fn refuse(
    state: &mut State,
    id: LeaseId,
    wrong: Wrong,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let Some(lease) = withdraw(state, id, effects) else { return };
    let unit = state.book.jobs[&lease.job].units[lease.unit_index as usize].unit;
    verdict::record_refusal(&mut state.book, id, lease.node, unit, wrong);
    state.book.job_mut(lease.job).units[lease.unit_index as usize].lost += 1;
    count_failure(state, &lease, now_ms, effects);
}
