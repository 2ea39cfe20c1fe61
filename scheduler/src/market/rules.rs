//! What the operator decides about prices.

use protocol::{Tokens, limits};
use serde::{Deserialize, Serialize};

/// How the base price moves, and how bids order jobs. Part of the policy, so that the journal
/// holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The fair price, tokens per billion metered rays: where the base price begins, where it
    /// stays on a farm that is too small for a market, and where it stands when the line is
    /// `line_ms` long.
    #[serde(with = "protocol::tokens::as_text")]
    pub per_gray: Tokens,
    /// Lowest that the base price may be, and lowest that a job may bid.
    #[serde(with = "protocol::tokens::as_text")]
    pub floor: Tokens,
    /// Highest that the base price may be. A job may bid more.
    #[serde(with = "protocol::tokens::as_text")]
    pub ceiling: Tokens,
    /// Owners with a node that may work, below which there is no market.
    pub owners_min: u32,
    /// Length of an epoch, milliseconds: the base price moves at most once in each.
    pub epoch_ms: u64,
    /// Most that the base price moves in an epoch, in millionths.
    pub step_ppm: u32,
    /// The line, in milliseconds of what the willing nodes can do, at which work costs `per_gray`.
    pub line_ms: u64,
    /// The line at which it costs `ceiling`, milliseconds.
    pub line_max_ms: u64,
    /// How far a job that pays twice `per_gray` is moved forward in line, milliseconds; others in
    /// proportion.
    pub bid_moves_ms: u64,
    /// One lease in so many goes to the jobs in rotation, whatever they pay.
    pub rotate_every: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            per_gray: Tokens::from_whole(10),
            floor: Tokens::from_whole(5),
            ceiling: Tokens::from_whole(40),
            // A handful of friends is no market: there the price stays what the operator says.
            owners_min: 8,
            epoch_ms: 60_000,
            // Twice the price takes at least half an hour, half of it as long: nobody who looks
            // at a quote twice within its fifteen minutes sees it change by more than a third.
            step_ppm: 20_000,
            line_ms: 30 * 60_000,
            line_max_ms: 4 * 3_600_000,
            bid_moves_ms: 3_600_000,
            rotate_every: 4,
        }
    }
}

/// Rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The prices are not in order.
    #[error(
        "the prices of policy.market are out of order: floor {floor}, per_gray {per_gray}, ceiling {ceiling}; it must be 0 < floor <= per_gray <= ceiling <= {max}",
        max = limits::PRICE_PER_GRAY_MAX
    )]
    Prices {
        /// Lowest.
        floor: Tokens,
        /// Fair.
        per_gray: Tokens,
        /// Highest.
        ceiling: Tokens,
    },
    /// A number is out of range.
    #[error("policy.market.{name} is {value}; {rule}")]
    Range {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u64,
        /// What it should be.
        rule: &'static str,
    },
}

impl Rules {
    /// A price that never moves.
    #[must_use]
    pub fn fixed(price: Tokens) -> Self {
        Self { per_gray: price, floor: price, ceiling: price, ..Self::default() }
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// See [`RulesError`].
    pub fn validate(&self) -> Result<(), RulesError> {
        let Self { per_gray, floor, ceiling, .. } = *self;
        let in_order = !floor.is_zero() && floor <= per_gray && per_gray <= ceiling;
        if !in_order || ceiling > limits::PRICE_PER_GRAY_MAX {
            return Err(RulesError::Prices { floor, per_gray, ceiling });
        }
        let a_month = 31 * 24 * 3_600_000;
        let checks = [
            ("epoch_ms", self.epoch_ms, (1_000..=a_month).contains(&self.epoch_ms)),
            ("line_ms", self.line_ms, (1_000..=a_month).contains(&self.line_ms)),
            ("bid_moves_ms", self.bid_moves_ms, (1_000..=a_month).contains(&self.bid_moves_ms)),
        ];
        let bad = checks.into_iter().find(|(_, _, good)| !good);
        if let Some((name, value, _)) = bad {
            let rule = "it must be between a second and a month, in milliseconds";
            return Err(RulesError::Range { name, value, rule });
        }
        let range = |name, value, rule| Err(RulesError::Range { name, value, rule });
        if !(1..=1_000_000).contains(&self.step_ppm) {
            return range("step_ppm", self.step_ppm.into(), "it must be 1..=1000000 millionths");
        }
        if self.line_max_ms <= self.line_ms || self.line_max_ms > a_month {
            let rule = "it must be more than line_ms, and at most a month, in milliseconds";
            return range("line_max_ms", self.line_max_ms, rule);
        }
        if !(2..=1_000_000).contains(&self.rotate_every) {
            return range("rotate_every", self.rotate_every, "it must be 2..=1000000");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_checked_by_name_and_value() {
        assert_eq!(Rules::default().validate(), Ok(()));
        assert_eq!(Rules::fixed(Tokens::from_micro(1)).validate(), Ok(()));
        let check = |change: fn(&mut Rules), words: &str| {
            let mut rules = Rules::default();
            change(&mut rules);
            let refused = rules.validate().expect_err(words).to_string();
            assert!(refused.contains(words), "{refused}");
        };
        check(|rules| rules.floor = Tokens::ZERO, "floor 0.000000");
        check(|rules| rules.floor = Tokens::from_whole(11), "floor 11.000000");
        check(|rules| rules.ceiling = Tokens::from_whole(9), "ceiling 9.000000");
        check(|rules| rules.ceiling = Tokens::from_whole(1_000_001), "<= 1000000.000000");
        check(|rules| rules.step_ppm = 0, "step_ppm is 0");
        check(|rules| rules.epoch_ms = 0, "epoch_ms is 0");
        check(|rules| rules.line_max_ms = rules.line_ms, "line_max_ms is 1800000");
        check(|rules| rules.rotate_every = 1, "rotate_every is 1");
    }
}
