//! What the base price follows, read off the state.

use protocol::Tokens;

use crate::core::plan;
use crate::core::state::{Job, Node, State};
use crate::market::base::Signal;

/// Work in line beside what the nodes that work for the base price have shown that they can do.
///
/// A node that could have work and has none does not count: only one that works, by a lease that is
/// out or a film within the last epoch, or for which nothing waits. So nobody lowers the price with
/// nodes that only stand there, nor raises it by the speed that they claim.
#[must_use]
pub fn signal(state: &State, now_ms: u64) -> Signal {
    let book = &state.book;
    let base = book.base_per_gray;
    let open = || book.active.values().map(|id| &book.jobs[id]).filter(is_open);
    let best_waiting = open().filter(|job| job.has_fresh_units()).map(price).max();
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
        let works = node.out > 0 || has_just_worked(node, now_ms, book.policy.market.epoch_ms);
        if works || best_waiting.is_none_or(|best| best < ask) {
            signal.per_second += node.pace.per_second().unwrap_or(0);
        }
    }
    // Every lease that is out has a deadline.
    let nobody_works = state.live.deadlines.is_empty();
    let lowest_ask = signal.lowest_ask;
    for job in open().filter(|job| lowest_ask.is_some_and(|ask| price(job) >= ask)) {
        signal.work = signal.work.saturating_add(worth(job.work_left(), price(job), base));
        signal.refused |= nobody_works && price(job) >= base && job.has_fresh_units();
    }
    signal
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
