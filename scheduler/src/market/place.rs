//! Whose turn it is.
//!
//! A job's place in line is the time of its order (or since when it is not held back any more), moved
//! forward by what it pays above the fair price. So at equal price the oldest comes first; who pays more passes whoever was ordered within
//! the time bought, and nobody else; and a job that waits is passed by a bounded amount of work,
//! whatever others bid.
//!
//! One lease in so many goes in rotation instead: to each job in turn, whatever it pays, so that of
//! *n* jobs each has at least one in *n* of these. Whoever comes joins behind.

use std::cmp::Ordering;

use protocol::Tokens;

use super::Rules;

/// What decides a job's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Place in the order of orders.
    pub number: u64,
    /// Since when it stands in line, milliseconds.
    pub in_line_ms: u64,
    /// What it pays, tokens per billion metered rays.
    pub price: Tokens,
    /// Number of the turn that it had last, or of the last of all when it came.
    pub turn: u64,
}

/// Whether the `number`th lease goes in rotation.
#[must_use]
pub const fn rotates(rules: &Rules, number: u64) -> bool {
    number.is_multiple_of(rules.rotate_every)
}

/// A job's place in line, milliseconds: the lowest comes first.
#[must_use]
pub fn place_ms(rules: &Rules, job: &Standing) -> i128 {
    let above = job.price.micro() as i128 - rules.per_gray.micro() as i128;
    let moved = above * i128::from(rules.bid_moves_ms) / rules.per_gray.micro().max(1) as i128;
    i128::from(job.in_line_ms) - moved
}

/// The order of two jobs by their places in line; at equal places the older comes first.
#[must_use]
pub fn by_place(rules: &Rules, a: &Standing, b: &Standing) -> Ordering {
    place_ms(rules, a).cmp(&place_ms(rules, b)).then(a.number.cmp(&b.number))
}

/// The order of two jobs in rotation: whose turn was longest ago comes first, then the older.
#[must_use]
pub fn by_turn(a: &Standing, b: &Standing) -> Ordering {
    (a.turn, a.number).cmp(&(b.turn, b.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn job(number: u64, in_line_ms: u64, price: u64, turn: u64) -> Standing {
        Standing { number, in_line_ms, price: Tokens::from_whole(price), turn }
    }

    fn first(a: Standing, b: Standing) -> u64 {
        match by_place(&Rules::default(), &a, &b) {
            Ordering::Less => a.number,
            _ => b.number,
        }
    }

    #[test]
    fn at_equal_price_the_oldest_comes_first() {
        assert_eq!(first(job(1, 0, 10, 0), job(2, 1, 10, 0)), 1);
        assert_eq!(first(job(2, 5, 10, 0), job(1, 5, 10, 0)), 1);
    }

    #[test]
    fn who_pays_more_passes_those_of_the_time_bought_and_no_others() {
        // Twice the fair price is an hour.
        assert_eq!(first(job(1, 0, 10, 0), job(2, HOUR_MS - 1, 20, 0)), 2);
        assert_eq!(first(job(1, 0, 10, 0), job(2, HOUR_MS, 20, 0)), 1);
        assert_eq!(first(job(1, 0, 10, 0), job(2, 3 * HOUR_MS - 1, 40, 0)), 2);
        // Half of it is half an hour back.
        assert_eq!(first(job(1, 0, 5, 0), job(2, HOUR_MS / 2 - 1, 10, 0)), 2);
        assert_eq!(first(job(1, 0, 5, 0), job(2, HOUR_MS / 2, 10, 0)), 1);
        // The order of numbers has no hole and no overflow at the ends.
        let most = Standing { price: protocol::limits::PRICE_PER_GRAY_MAX, ..job(2, 0, 0, 0) };
        assert_eq!(first(job(1, 0, 10, 0), most), 2);
        assert_eq!(first(job(1, u64::MAX, 1, 0), most), 2);
    }

    #[test]
    fn turns_go_round() {
        assert_eq!(by_turn(&job(1, 0, 10, 4), &job(2, 0, 10, 3)), Ordering::Greater);
        assert_eq!(by_turn(&job(1, 0, 10, 4), &job(2, 0, 99, 4)), Ordering::Less);
        let every: Vec<u64> =
            (1..10).filter(|&number| rotates(&Rules::default(), number)).collect();
        assert_eq!(every, [4, 8]);
    }
}
