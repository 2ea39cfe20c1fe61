//! What the base price follows, read off the state.

use std::collections::BTreeMap;

use protocol::Tokens;

use crate::core::plan;
use crate::core::state::{Demand, Job, LeasePhase, Node, State};
use crate::market::base::Signal;

/// Work in line beside what the nodes that work for the base price have shown that they can do.
///
/// A node that could have work and has none does not count: only one that works, by a lease that is
/// out or a film within the last epoch, or for which nothing waits; and who is at a job for certain
/// nodes counts as far as that job does. So nobody lowers the price with
/// nodes that only stand there, nor raises it by the speed that they claim.
#[must_use]
pub fn signal(state: &State, now_ms: u64) -> Signal {
    let book = &state.book;
    let base = book.base_per_gray;
    let open = || book.active.values().map(|id| &book.jobs[id]).filter(is_open);
    // What waits for anybody, and what for certain nodes only.
    let mut waiting = BTreeMap::<&Demand, Tokens>::new();
    // Nobody stands there idle for not doing what he may be kept off.
    let is_for_all = |job: &&Job| !book.blocks.are_there(job.artist);
    for job in open().filter(|job| job.has_fresh_units()).filter(is_for_all) {
        let best = waiting.entry(&job.demand).or_default();
        *best = price(job).max(*best);
    }
    let for_any = waiting.remove(&Demand::default());
    let able = &state.index.able;
    let mut signal = Signal {
        able: able.len() as u32,
        owners: able.owners() as u32,
        lowest_ask: able.lowest_ask(),
        ..Signal::default()
    };
    for node in plan::able_nodes(state) {
        let ask = node.facts.ask_per_gray;
        if ask > base {
            continue;
        }
        signal.willing += 1;
        let needs = state.index.needs_met_by(node.id);
        let best_waiting = needs.filter_map(|needs| waiting.get(needs).copied()).max().max(for_any);
        let works = node.out > 0 || has_just_worked(node, now_ms, book.policy.market.epoch_ms);
        if works || best_waiting.is_none_or(|best| best < ask) {
            signal.per_second += part(state, node, node.pace.per_second().unwrap_or(0));
        }
    }
    // Every lease that is out has a deadline.
    let nobody_works = state.live.deadlines.is_empty();
    for job in open() {
        let Some((per_second, lowest_ask)) = able_for(state, job) else { continue };
        if lowest_ask.is_none_or(|ask| price(job) < ask) {
            continue;
        }
        let work = share(job.work_left(), per_second, state.index.able.per_second());
        signal.work = signal.work.saturating_add(worth(work, price(job), base));
        signal.refused |= nobody_works && price(job) >= base && job.has_fresh_units();
    }
    signal
}

/// What the nodes that may render a job can do, and the least that one of them asks.
fn able_for(state: &State, job: &Job) -> Option<(u128, Option<Tokens>)> {
    let able = state.index.able_for(&job.demand)?;
    if !state.book.blocks.are_there(job.artist) {
        return Some((able.per_second(), able.lowest_ask()));
    }
    let left = || plan::able_nodes_for(state, job);
    let per_second = left().filter_map(|node| node.pace.per_second()).sum();
    Some((per_second, left().map(|node| node.facts.ask_per_gray).min()))
}

/// What a node can do, as far as the work that it is at counts: who is at a job for certain nodes is not
/// there for all.
fn part(state: &State, node: &Node, per_second: u128) -> u128 {
    let book = &state.book;
    let out = node.leases.iter().map(|lease| &book.leases[lease]);
    let at = out.filter(|lease| lease.phase == LeasePhase::Out);
    let able = at.filter_map(|lease| state.index.able_for(&book.jobs[&lease.job].demand));
    let all = state.index.able.per_second();
    let parts = able.map(|able| share(per_second, able.per_second(), all));
    parts.max().unwrap_or(per_second)
}

fn is_open(job: &&Job) -> bool {
    job.is_offered()
}

const fn price(job: &Job) -> Tokens {
    job.quote.price_per_gray
}

fn has_just_worked(node: &Node, now_ms: u64, epoch_ms: u64) -> bool {
    node.pace.last_ms().is_some_and(|last_ms| last_ms.saturating_add(epoch_ms) >= now_ms)
}

/// Work as far as nodes meet its job's needs, by what they have shown of what all have: who needs what
/// few nodes have cannot make the line longer for everybody else.
const fn share(work: u128, few: u128, all: u128) -> u128 {
    if few >= all {
        return work;
    }
    // In millionths, so that the products stay small.
    work.saturating_mul(few.saturating_mul(1_000_000) / all) / 1_000_000
}

/// Work as far as it pays the base price: who bids a tenth of it cannot make the line longer for
/// everybody else by more than a tenth of his job.
fn worth(work: u128, price: Tokens, base: Tokens) -> u128 {
    if price >= base {
        return work;
    }
    // In millionths, so that the product stays small.
    let part = price.checked_mul_div(1_000_000, base.micro()).map_or(0, Tokens::micro);
    work.saturating_mul(part) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_counts_as_far_as_nodes_may_do_it() {
        assert_eq!([0, 1, 2, 4].map(|few| share(1_000, few, 4)), [0, 250, 500, 1_000]);
        assert_eq!(share(1_000, 0, 0), 1_000, "nobody has shown anything");
        assert!(share(u128::MAX, u128::MAX / 2, u128::MAX) < u128::MAX);
    }
}
