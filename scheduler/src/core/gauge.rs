//! What the base price follows, read off the state.

use std::collections::BTreeSet;

use protocol::{NodeId, PublicKey, Tokens};

use crate::core::plan;
use crate::core::state::{Job, JobPhase, LeasePhase, Node, State};
use crate::market::base::Signal;

/// Work in line beside what the nodes that work for the base price have shown that they can do.
///
/// A node counts while it works: by a lease that is out, or a film within the last epoch. So nobody
/// lowers the price with nodes that only stand there, nor raises it by the speed that they claim.
#[must_use]
pub fn signal(state: &State, now_ms: u64) -> Signal {
    let book = &state.book;
    let base = book.base_per_gray;
    let out: BTreeSet<NodeId> = book
        .leases
        .values()
        .filter(|lease| lease.phase == LeasePhase::Out)
        .map(|lease| lease.node)
        .collect();
    let mut owners = BTreeSet::<PublicKey>::new();
    let mut signal = Signal::default();
    for node in plan::able_nodes(state) {
        let ask = node.facts.ask_per_gray;
        owners.insert(node.facts.owner);
        signal.able += 1;
        signal.lowest_ask = Some(signal.lowest_ask.map_or(ask, |lowest| lowest.min(ask)));
        if ask > base {
            continue;
        }
        signal.willing += 1;
        if out.contains(&node.id) || has_just_worked(node, now_ms, book.policy.market.epoch_ms) {
            signal.per_second += node.pace.per_second().unwrap_or(0);
        }
    }
    signal.owners = owners.len() as u32;
    let open = book.active.values().map(|id| &book.jobs[id]);
    let lowest_ask = signal.lowest_ask;
    let wanted = |job: &&Job| {
        job.phase == JobPhase::Open && lowest_ask.is_some_and(|ask| job.quote.price_per_gray >= ask)
    };
    for job in open.filter(wanted) {
        let price = job.quote.price_per_gray;
        signal.work = signal.work.saturating_add(worth(job.work_left(), price, base));
        signal.refused |= out.is_empty() && price >= base && !job.waiting.is_empty();
    }
    signal
}

fn has_just_worked(node: &Node, now_ms: u64, epoch_ms: u64) -> bool {
    node.pace.last_ms().is_some_and(|last_ms| last_ms.saturating_add(epoch_ms) >= now_ms)
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
