//! Figures of a run.

use scheduler::core::Node;

use crate::farm::{Farm, HOUR_MS, Moment, Ordering, SimNode};

/// How near to where it ends a price must stay to count as settled.
const NEAR: f64 = 0.1;

/// What happened between two hours.
pub struct Phase {
    from: u64,
    to: u64,
    /// Price at the start, lowest, highest, and the mean of the last quarter.
    prices: [f64; 4],
    /// Hours until the price stayed near that mean.
    settled_h: f64,
    busy: f64,
    line_h: f64,
    /// Hours from the order to the first lease and to the last film, of the middle and of one in ten:
    /// all orders, then those with a bid.
    waits: [[f64; 4]; 2],
    orders: usize,
}

impl Phase {
    pub fn of(farm: &Farm, from: u64, to: u64) -> Self {
        let within = |at_ms: u64| (from * HOUR_MS..to * HOUR_MS).contains(&at_ms);
        let moments: Vec<&Moment> =
            farm.moments.iter().filter(|moment| within(moment.at_ms)).collect();
        let base = || moments.iter().map(|moment| moment.base);
        let last = &moments[moments.len() * 3 / 4..];
        let settled = mean(last.iter().map(|moment| moment.base));
        let far = |moment: &&Moment| (moment.base / settled - 1.0).abs() > NEAR;
        let unsettled = moments.iter().rposition(far).map_or(0, |at| at + 1);
        let orders: Vec<&Ordering> =
            farm.orders.iter().filter(|order| within(order.ordered_ms)).collect();
        let bids: Vec<&Ordering> = orders.iter().copied().filter(|order| order.bid).collect();
        Self {
            from,
            to,
            prices: [
                moments.first().map_or(0.0, |moment| moment.base),
                base().fold(f64::INFINITY, f64::min),
                base().fold(0.0, f64::max),
                settled,
            ],
            settled_h: unsettled as f64 / 60.0,
            busy: mean(moments.iter().map(|moment| moment.busy)),
            line_h: mean(
                moments.iter().filter_map(|moment| moment.line_ms).map(|ms| ms as f64 / 3.6e6),
            ),
            waits: [waits(&orders), waits(&bids)],
            orders: orders.len(),
        }
    }

    pub fn print(&self) {
        let [start, low, high, end] = self.prices;
        let [[begun, begun_90, done, done_90], [bid_begun, _, bid_done, _]] = self.waits;
        println!(
            "{:>3}-{:<3}{start:>7.2}{low:>7.2}{high:>7.2}{end:>7.2}{:>8.1}{:>6.0} %{:>7.2}{:>7}  {begun:>6.2}{begun_90:>7.2}{done:>7.2}{done_90:>7.2}{bid_begun:>8.2}{bid_done:>7.2}",
            self.from,
            self.to,
            self.settled_h,
            self.busy * 100.0,
            self.line_h,
            self.orders,
        );
    }
}

pub fn head() {
    println!(
        "{:<7}{:>7}{:>7}{:>7}{:>7}{:>8}{:>8}{:>7}{:>7}  {:>6}{:>7}{:>7}{:>7}{:>8}{:>7}",
        "hours",
        "price",
        "low",
        "high",
        "end",
        "settled",
        "busy",
        "line",
        "orders",
        "begun",
        "9/10",
        "done",
        "9/10",
        "bids:",
        "done"
    );
}

/// Hours from order to first lease and to the end: median and ninth decile of each. What has not
/// ended counts as never.
fn waits(orders: &[&Ordering]) -> [f64; 4] {
    let hours = |end: fn(&Ordering) -> Option<u64>| -> Vec<f64> {
        let since = |order: &&Ordering| {
            end(order).map_or(f64::INFINITY, |at| (at - order.ordered_ms) as f64 / 3.6e6)
        };
        let mut all: Vec<f64> = orders.iter().map(since).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let at = |all: &[f64], part: f64| {
        all.get((all.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN)
    };
    let (begun, done) = (hours(|order| order.begun_ms), hours(|order| order.done_ms));
    [at(&begun, 0.5), at(&begun, 0.9), at(&done, 0.5), at(&done, 0.9)]
}

/// What nodes that always work for the price have earned for each hour and each unit of speed, by
/// the quarter that their speed lies in: the same for all, were speed no advantage.
pub fn small_and_large(farm: &Farm) {
    let floor = farm.state.book.policy.market.floor;
    // Of the small owners: the large one is away at times.
    let mut nodes: Vec<&SimNode> =
        farm.nodes.iter().skip(1).step_by(2).filter(|node| node.cost <= floor).collect();
    nodes.sort_by(|a, b| a.speed.total_cmp(&b.speed));
    let hours = farm.moments.len() as f64 / 60.0;
    println!(
        "willing nodes, by speed: tokens an hour for 10^6 rays a second, busy, films lost to races"
    );
    let size = nodes.len().div_ceil(4).max(1);
    for quarter in nodes.chunks(size) {
        let known = |node: &SimNode| &farm.state.book.nodes[&node.id];
        let rate = |node: &&SimNode| earned(known(node)) / hours / (node.speed / 1e6);
        let (accepted, dropped) = quarter.iter().fold((0, 0), |(accepted, dropped), node| {
            (accepted + known(node).accepted, dropped + known(node).dropped)
        });
        println!(
            "  {:>4.1} to {:>4.1} Mrays/s ({:>4} nodes): {:>7.4} tokens, {:>3.0} % busy, {:.1} % lost",
            quarter[0].speed / 1e6,
            quarter[quarter.len() - 1].speed / 1e6,
            quarter.len(),
            mean(quarter.iter().map(rate)),
            mean(quarter.iter().map(|node| node.busy_ms as f64 / 3.6e6 / hours)) * 100.0,
            dropped as f64 * 100.0 / (accepted + dropped).max(1) as f64
        );
    }
}

fn earned(node: &Node) -> f64 {
    let held: u128 = node.holds.values().map(|hold| hold.amount.micro()).sum();
    (node.earned.micro() + held) as f64 / 1e6
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { f64::NAN }
}
