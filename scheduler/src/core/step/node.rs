//! Starts, hellos, heartbeats.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Code, Transfer, account};
use protocol::{Class, Engine, LeaseId, NodeId, PublicKey, RayCount, Tokens};

use super::{job, lease};
use crate::core::event::{Effect, NodeFacts};
use crate::core::policy::Policy;
use crate::core::state::{Book, Ending, LeasePhase, Node, State, Verdicts};
use crate::market::pace::{self, Pace};
use crate::money;

/// A new run: new rules, fresh deadlines, jobs of another engine end.
pub(super) fn start(
    state: &mut State,
    policy: Policy,
    engine: Engine,
    now_ms: u64,
    effects: &mut Vec<Effect>,
) {
    set_rules(&mut state.book, policy, now_ms);
    state.book.engine = engine;
    state.book.boot += 1;
    state.book.leases_granted = 0;
    // A crash takes back grants whose news were told already: what happens from now on must be
    // newer than anything that anybody may have heard.
    for job in state.book.jobs.values_mut() {
        job.version = (job.version | u64::from(u32::MAX)) + 1;
    }
    state.live.connected.clear();
    let lease_ms = state.book.policy.lease_ms;
    for lease in state.book.leases.values() {
        match lease.phase {
            LeasePhase::Out => {
                state.live.deadlines.set(lease.id, Some(now_ms + lease_ms));
            }
            LeasePhase::Passed(_) => {
                state.live.waiting_since.set(lease.id, Some(now_ms));
            }
            LeasePhase::Committed(_) => {}
        }
    }
    end_jobs_of_other_engines(state, now_ms, effects);
    // Rules and engine are part of every key.
    state.index = state.indexed_anew();
}

/// New rules. A base price that the operator has not touched goes on where it was.
fn set_rules(book: &mut Book, policy: Policy, now_ms: u64) {
    let market = &policy.market;
    if book.boot == 0 || book.policy.market.per_gray != market.per_gray {
        reprice(book, market.per_gray, now_ms);
    }
    let kept = book.base_per_gray.clamp(market.floor, market.ceiling);
    if kept != book.base_per_gray {
        reprice(book, kept, now_ms);
    }
    book.policy = policy;
}

/// The base price has moved: quotes from now on are made at it.
pub(super) fn reprice(book: &mut Book, base_per_gray: Tokens, now_ms: u64) {
    book.base_per_gray = base_per_gray;
    book.base_since_ms = now_ms;
}

/// A film came: its node has shown what it can do. That the rays are claimed is no matter: a claim
/// that is wrong convicts.
pub(super) fn clock(book: &mut Book, lease: LeaseId, rays: RayCount, now_ms: u64) {
    let Some(lease) = book.leases.get(&lease).filter(|lease| lease.phase == LeasePhase::Out) else {
        return;
    };
    let weight = book.jobs[&lease.job].quote.weight_percent;
    let (id, granted_ms) = (lease.node, lease.granted_ms);
    book.node_mut(id).pace.observe(pace::weighted(rays, weight), granted_ms, now_ms);
}

/// Samples of two engines do not mix: what was ordered of another engine ends here.
pub(super) fn end_jobs_of_other_engines(state: &mut State, now_ms: u64, effects: &mut Vec<Effect>) {
    let engine = state.book.engine;
    let of_other_engine: Vec<_> = state
        .book
        .active
        .values()
        .filter(|job| state.book.jobs[job].engine != engine)
        .copied()
        .collect();
    for id in of_other_engine {
        let old = state.book.jobs[&id].engine;
        let failure = format!(
            "the farm has changed from {old} to {engine}, and samples of two engines do not mix; order it again"
        );
        // A film that was not judged cannot be any more.
        for lease in state.book.leases_of_job(id) {
            if !state.book.leases[&lease].has_passed() {
                lease::withdraw(state, lease, effects);
            }
        }
        job::close(state, id, Ending::Failed(failure), now_ms, effects);
    }
}

/// The operator's gift to the verification reserve: made once, whatever is asked later.
pub(super) fn seed_reserve(
    book: &mut Book,
    scheduler: PublicKey,
    amount: Tokens,
    effects: &mut Vec<Effect>,
) {
    if book.reserve_seeded {
        return;
    }
    book.reserve_seeded = true;
    book.reserve = money::plus(book.reserve, amount);
    let accounts = (account::issuance(), account::reserve());
    let id = money::reserve_seed_id(scheduler);
    book.transfer(vec![Transfer::posted(id, accounts, amount, Code::Grant)], effects);
}

/// A hello. Another backend must qualify anew.
pub(super) fn meet(state: &mut State, id: NodeId, facts: NodeFacts) {
    let fresh = || Node {
        id,
        facts: facts.clone(),
        class: None,
        barred: false,
        convictions: 0,
        granted: 0,
        accepted: 0,
        accepted_of_any: 0,
        accepted_for_others: 0,
        refused: 0,
        dropped: 0,
        verified: 0,
        rays: RayCount::default(),
        pace: Pace::default(),
        earned: Tokens::ZERO,
        leases: BTreeSet::new(),
        out: 0,
        holds: BTreeMap::new(),
        vouched: BTreeSet::new(),
        verdicts: Verdicts::default(),
    };
    state.book.touched.node(id);
    let node = state.book.nodes.entry(id).or_insert_with(fresh);
    if (&node.facts.backend, node.facts.engine) != (&facts.backend, facts.engine) {
        node.class = None;
    }
    node.facts = facts;
}

/// A golden film was judged.
pub(super) fn qualify(state: &mut State, id: NodeId, class: Class) {
    state.book.touched.node(id);
    if let Some(node) = state.book.nodes.get_mut(&id) {
        node.class = Some(class);
    }
}

/// A node is there.
pub(super) fn hear(state: &mut State, id: NodeId, now_ms: u64) {
    if state.live.connected.insert(id, now_ms).is_none() {
        state.book.touched.node(id);
    }
    state.live.seen.insert(id, now_ms);
}

/// A node's connection is gone: its leases lapse soon, unless it comes back and says so.
pub(super) fn lose(state: &mut State, id: NodeId, now_ms: u64) {
    state.live.connected.remove(&id);
    state.book.touched.node(id);
    let soon = now_ms + state.book.policy.gone_ms;
    let leases = state.book.nodes.get(&id).into_iter().flat_map(|node| &node.leases);
    for &lease in leases {
        if let Some(deadline) = state.live.deadlines.get(&lease) {
            state.live.deadlines.set(lease, Some(soon.min(deadline)));
        }
    }
}

/// A node works on a lease: its deadline moves on, up to the longest that a lease may last.
pub(super) fn beat(state: &mut State, id: NodeId, lease: LeaseId, now_ms: u64) {
    let policy = &state.book.policy;
    let Some(record) = state.book.leases.get(&lease).filter(|lease| lease.node == id) else {
        return;
    };
    if state.live.deadlines.get(&lease).is_some() {
        let until_ms = (now_ms + policy.lease_ms).min(record.granted_ms + policy.lease_max_ms);
        state.live.deadlines.set(lease, Some(until_ms));
    }
}
