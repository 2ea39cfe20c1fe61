//! The life of a job: ordered, funded, closed, ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ledger::{Code, Link, Transfer, account};
use protocol::{Digest, JobId, LeaseId, Tokens};

use super::{dispute, lease, node, quiet, stake, steering, verdict};
use crate::core::event::{Effect, Ordered};
use crate::core::kept::kept;
use crate::core::state::{
    Book, Demand, Ending, Job, JobPhase, LeasePhase, LeaseRecord, Quiet, State, UnitState,
};
use crate::market::place;
use crate::money;
use crate::split;

/// An order: its price is to be moved into escrow.
pub(super) fn order(state: &mut State, ordered: Ordered, effects: &mut Vec<Effect>) {
    let Ordered { job: id, spec, quote, schedule, batches, order, artist, now_ms } = ordered;
    let book = &mut state.book;
    if book.jobs.contains_key(&id) {
        return;
    }
    let kept = kept(book, artist, &spec).expect("invariant: the shell takes sound orders only");
    let units = split::split(id, &spec, batches, &kept)
        .expect("invariant: the shell splits a job before it takes the order");
    let mut by_unit: Vec<u32> = (0..units.len() as u32).collect();
    by_unit.sort_unstable_by_key(|&index| units[index as usize]);
    let quiet = Quiet::of(&spec, &units);
    let units: Vec<UnitState> = units
        .into_iter()
        .map(|unit| UnitState {
            unit,
            films_wanted: 1,
            leases: Vec::new(),
            spared: false,
            on_trial: false,
            failures: 0,
            lost: 0,
            failed_by: Vec::new(),
            clawed_back: Tokens::ZERO,
            accepted: None,
        })
        .collect();
    let (after, pause) = steering::begin(book, &schedule);
    let price = quote.price;
    let evidence = Digest::of("tessera 2026 order link v1", &[order.payload()]);
    let accounts = (account::wallet(artist), account::escrow(id));
    let escrow_id = money::job_movement_id("escrow", id);
    let escrow = Transfer::posted(escrow_id, accounts, price, Code::Escrow);
    book.transfer(vec![escrow.with_link(Link::job(id).with_evidence(evidence))], effects);
    book.jobs_ordered += 1;
    let job = Job {
        id,
        number: book.jobs_ordered,
        artist,
        demand: Demand::of(&spec.needs, quote.memory),
        spec,
        setup_per_unit: money::share(quote.setup, 1, (units.len() as u128).max(1)),
        quote,
        order,
        priority: schedule.priority,
        after,
        pause,
        wanted_by_ms: schedule.wanted_by_ms,
        recent: VecDeque::new(),
        stops_ms: schedule.stop_after_ms.map(|ms| now_ms.saturating_add(ms)),
        engine: book.engine,
        ordered_ms: now_ms,
        in_line_ms: now_ms,
        ended_ms: None,
        phase: JobPhase::Funding,
        escrow_seq: book.moves,
        unit_count: units.len() as u32,
        expired: false,
        scene_dropped: false,
        units,
        by_unit,
        first: None,
        waiting: BTreeSet::new(),
        touched: Vec::new(),
        quiet,
        units_accepted: 0,
        units_spared: 0,
        leases: 0,
        rechecks: 0,
        available: price,
        reserved: Tokens::ZERO,
        spent: Tokens::ZERO,
        cover: None,
        refunded: Tokens::ZERO,
        failures: BTreeMap::new(),
        too_small: BTreeSet::new(),
        unwanted_by: BTreeSet::new(),
        reports: BTreeMap::new(),
        retries: 0,
        retried_ms: None,
        version: kept.count() as u64,
        refusals: Vec::new(),
        pixels_checked: 0,
        films: 0,
        films_ms: 0,
        served_ms: now_ms,
        turn: book.turns,
    };
    book.active.insert(job.number, id);
    book.touched.job(id);
    book.jobs.insert(id, job);
    if price.is_zero() {
        open(state, id, effects);
    }
}

/// A lease of a job is about to be granted: one that goes in rotation is its turn.
pub(super) fn take_turn(book: &mut Book, id: JobId) {
    if place::rotates(&book.policy.market, book.leases_granted + 1) {
        book.turns += 1;
        book.job_mut(id).turn = book.turns;
    }
}

/// The ledger has done a batch; the one that fills an escrow opens the job.
pub(super) fn moved(state: &mut State, seq: u64, now_ms: u64, effects: &mut Vec<Effect>) {
    state.book.outbox.remove(&seq);
    stake::moved(&mut state.book, seq);
    dispute::moved(&mut state.book, seq, effects);
    if let Some(&id) = state.index.funding.get(&seq) {
        open(state, id, effects);
        state.book.job_mut(id).served_ms = now_ms;
        node::end_jobs_of_other_engines(state, now_ms, effects);
    }
}

fn open(state: &mut State, id: JobId, effects: &mut Vec<Effect>) {
    let job = state.book.job_mut(id);
    job.phase = JobPhase::Open;
    for unit_index in 0..job.units.len() {
        job.refresh(unit_index as u32);
    }
    effects.extend(quiet::due(&state.book, &state.book.jobs[&id]));
}

/// The wallet did not hold the price: as if the order had not been.
pub(super) fn forget(state: &mut State, id: JobId) {
    let book = &mut state.book;
    let Some(job) = book.jobs.get(&id).filter(|job| job.phase == JobPhase::Funding) else {
        return;
    };
    book.outbox.remove(&job.escrow_seq);
    book.active.remove(&job.number);
    book.touched.job(id);
    book.jobs.remove(&id);
    steering::go_on_without(book, id, None);
}

/// Ends a job: films that are here are still judged, and nothing new is begun. Leases that are out are
/// taken back, but where the artist only stops it those that nodes are at.
pub(super) fn close(
    state: &mut State,
    id: JobId,
    ending: Ending,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    let stopping = JobPhase::Closing(Ending::Stopped);
    let Some(job) = state.book.jobs.get(&id) else { return };
    if job.phase != JobPhase::Open && (job.phase != stopping || ending == Ending::Stopped) {
        return;
    }
    let waits = ending == Ending::Stopped;
    let job = state.book.job_mut(id);
    job.phase = JobPhase::Closing(ending);
    job.waiting.clear();
    job.version += 1;
    for lease in state.book.leases_of_job(id) {
        let record = &state.book.leases[&lease];
        if record.phase == LeasePhase::Out && !(waits && is_first_out(&state.book, record)) {
            lease::withdraw(state, lease, effects);
        }
    }
    let begun = state.book.leases_of_job(id).into_iter();
    let begun: Vec<u32> = begun.map(|lease| state.book.leases[&lease].unit_index).collect();
    for unit_index in begun {
        verdict::consider(state, id, unit_index, now_ms, effects);
    }
    end_if_over(state, id, now_ms, effects);
}

/// Ends a job of which films cannot be judged: they are as if they had never come.
pub(super) fn give_up(
    state: &mut State,
    id: JobId,
    leases: &[LeaseId],
    why: String,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    // What verifiers have said of them can be looked at no more, though the leases be gone already.
    state.book.audits.retain(|(lease, _round), _| !leases.contains(lease));
    let of_it = |lease: &&LeaseId| state.book.leases.get(lease).is_some_and(|it| it.job == id);
    let unjudged: Vec<LeaseId> = leases.iter().filter(of_it).copied().collect();
    // All of a trial at once: of two films that differ neither is to be taken for good.
    let mut units = BTreeSet::new();
    for &lease in &unjudged {
        units.extend(lease::withdraw(state, lease, effects).map(|lease| lease.unit_index));
    }
    close(state, id, Ending::Failed(why), now_ms, effects);
    for unit_index in units {
        verdict::consider(state, id, unit_index, now_ms, effects);
    }
    if state.book.jobs.contains_key(&id) {
        end_if_over(state, id, now_ms, effects);
    }
}

/// Whether a lease is the one that its node is at: the first of those that it has not answered.
fn is_first_out(book: &Book, lease: &LeaseRecord) -> bool {
    let others = book.nodes[&lease.node].leases.iter().map(|other| &book.leases[other]);
    let mut out = others.filter(|other| other.phase == LeasePhase::Out);
    out.all(|other| lease.before <= other.before)
}

/// Opens a job that was done again: one of its films was bad, and is rendered anew from what was
/// taken back of its pay.
pub(super) fn reopen(book: &mut Book, id: JobId) {
    let job = book.job_mut(id);
    job.phase = JobPhase::Open;
    job.ended_ms = None;
    let number = job.number;
    book.active.insert(number, id);
}

/// Forgets the units of a job that ended long ago; what it was, and what it cost, stays.
pub(super) fn expire(book: &mut Book, id: JobId) {
    let Some(job) = book.jobs.get(&id).filter(|job| job.is_over() && !job.expired) else { return };
    assert!(job.leases == 0 && job.rechecks == 0, "invariant: nothing is under way");
    let job = book.job_mut(id);
    job.expired = true;
    job.too_small = BTreeSet::new();
    job.unwanted_by = BTreeSet::new();
    job.reports = BTreeMap::new();
    job.version += 1;
    job.units = Vec::new();
    job.by_unit = Vec::new();
    job.touched = Vec::new();
    let refusals = std::mem::take(&mut job.refusals);
    job.failures = BTreeMap::new();
    job.quiet = None;
    // Who was barred by them gets no more verdicts, with which they would go.
    refusals.into_iter().for_each(|(node, _)| book.forget_verdicts(node));
}

/// The price does not reach: the treasury adds what it may.
pub(super) fn cover(state: &mut State, id: JobId, effects: &mut Vec<Effect>) {
    let book = &mut state.book;
    let open = |job: &&Job| job.phase == JobPhase::Open && job.cover.is_none();
    let Some(amount) = book.jobs.get(&id).filter(open).map(|job| book.cover(job)) else { return };
    book.treasury = money::minus(book.treasury, amount);
    let job = book.job_mut(id);
    job.cover = Some(amount);
    job.available = money::plus(job.available, amount);
    job.version += 1;
    let accounts = (account::treasury(), account::escrow(id));
    let movement = money::job_movement_id("overrun", id);
    let added = Transfer::posted(movement, accounts, amount, Code::Overrun);
    book.transfer(vec![added.with_link(Link::job(id))], effects);
}

/// Ends a job that has nothing left to do: the rest goes back. Held pay ages as before.
pub(super) fn end_if_over(state: &mut State, id: JobId, now_ms: u64, effects: &mut Vec<Effect>) {
    let job = &state.book.jobs[&id];
    if job.leases > 0 || job.rechecks > 0 {
        return;
    }
    let phase = match &job.phase {
        JobPhase::Open if job.has_all() => JobPhase::Done,
        JobPhase::Closing(ending) => JobPhase::Ended(ending.clone()),
        _ => return,
    };
    assert!(job.reserved.is_zero(), "invariant: no lease, nothing reserved");
    let ended_well = matches!(phase, JobPhase::Done | JobPhase::Ended(Ending::Stopped));
    let job = state.book.job_mut(id);
    job.phase = phase;
    job.ended_ms = Some(now_ms);
    job.waiting.clear();
    job.recent.clear();
    job.version += 1;
    // A job that was opened again has nothing left in its escrow.
    let rest = std::mem::take(&mut job.available);
    // What the treasury has added goes back to it first.
    let added = job.cover.unwrap_or_default();
    let unused = added.min(rest);
    job.cover = job.cover.map(|added| money::minus(added, unused));
    let rest = money::minus(rest, unused);
    job.refunded = money::plus(job.refunded, rest);
    let back = |what, to, amount, code| {
        let accounts = (account::escrow(id), to);
        let id_of = money::job_movement_id(what, id);
        Transfer::posted(id_of, accounts, amount, code).with_link(Link::job(id))
    };
    let mut transfers = vec![
        back("refund", account::wallet(job.artist), rest, Code::Refund),
        back("overrun back", account::treasury(), unused, Code::Overrun),
    ];
    // What was taken back to render a unit anew, and will not be.
    for unit in &mut job.units {
        let back = std::mem::take(&mut unit.clawed_back);
        let id = money::unit_movement_id("paid back", &unit.unit);
        let accounts = (account::appeal(), account::wallet(job.artist));
        let back = Transfer::posted(id, accounts, back, Code::Refund);
        transfers.push(back.with_link(Link::unit(unit.unit)));
    }
    let number = job.number;
    let book = &mut state.book;
    book.treasury = money::plus(book.treasury, unused);
    book.active.remove(&number);
    state.live.rendered.remove(&id);
    let book = &mut state.book;
    book.transfer(transfers, effects);
    effects.push(Effect::JobEnded(id));
    steering::go_on_without(&mut state.book, id, ended_well.then_some(now_ms));
}
