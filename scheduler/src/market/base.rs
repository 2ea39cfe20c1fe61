//! Where the base price goes: a function of the line, approached in bounded steps.
//!
//! The price follows how *long* the line is; it does not grow for as long as there is one. A line
//! adds up, and a price that adds up over it, as EIP-1559's does over full blocks, would answer late
//! and swing.

use protocol::Tokens;

use super::Rules;

/// What the price follows, measured at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signal {
    /// Work that waits and that is under way, weighted centirays; of a job that pays less than the
    /// base price, the same part as it pays of that.
    pub work: u128,
    /// Weighted centirays a second of the nodes that work for the base price, as they have shown.
    pub per_second: u128,
    /// Nodes that are here and may work.
    pub able: u32,
    /// Of these, nodes that work for the base price.
    pub willing: u32,
    /// Whether a job that pays the base price waits and nobody works at all.
    pub refused: bool,
    /// Owners of nodes that may work.
    pub owners: u32,
    /// Lowest that any of them asks.
    pub lowest_ask: Option<Tokens>,
}

impl Signal {
    /// How long the willing nodes need for the work, milliseconds: for ever, when nobody works for
    /// the price; none while none has shown what it can do.
    #[must_use]
    pub fn line_ms(&self) -> Option<u64> {
        if self.refused {
            return Some(u64::MAX);
        }
        if self.work == 0 {
            return Some(0);
        }
        let line = self.work.saturating_mul(1_000).checked_div(self.per_second)?;
        Some(u64::try_from(line).unwrap_or(u64::MAX))
    }
}

/// Where the base price goes if everything stays as it is.
///
/// From `floor` with no line to `per_gray` at `line_ms` and to `ceiling` at `line_max_ms`, straight
/// between these. Never below what the cheapest node asks, for a price that nobody works for is no
/// price; and `per_gray` on a farm of fewer owners than make a market.
#[must_use]
pub fn heading(rules: &Rules, base: Tokens, signal: &Signal) -> Tokens {
    let Rules { per_gray, floor, ceiling, .. } = *rules;
    let by_line = match signal.line_ms() {
        _ if signal.owners < rules.owners_min => per_gray,
        None => base,
        Some(line_ms) if line_ms <= rules.line_ms => {
            between(floor, per_gray, line_ms, rules.line_ms)
        }
        Some(line_ms) => {
            let beyond_ms = line_ms.min(rules.line_max_ms) - rules.line_ms;
            between(per_gray, ceiling, beyond_ms, rules.line_max_ms - rules.line_ms)
        }
    };
    by_line.max(signal.lowest_ask.unwrap_or(floor)).clamp(floor, ceiling)
}

/// `part` of `whole` on the way from one price up to another.
fn between(low: Tokens, high: Tokens, part: u64, whole: u64) -> Tokens {
    let way = high.micro() - low.micro();
    Tokens::from_micro(low.micro() + way * u128::from(part) / u128::from(whole.max(1)))
}

/// The base price of the next epoch: towards `heading`, by one bounded step, and always within
/// floor and ceiling.
#[must_use]
pub fn next(rules: &Rules, base: Tokens, heading: Tokens) -> Tokens {
    // At least a micro-token, or a small price would never move.
    let step = (base.micro() * u128::from(rules.step_ppm) / 1_000_000).max(1);
    let (low, high) = (base.micro().saturating_sub(step), base.micro() + step);
    Tokens::from_micro(heading.micro().clamp(low, high)).clamp(rules.floor, rules.ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Tokens {
        text.parse().expect("an amount")
    }

    /// A farm of willing nodes that trace a centiray a second.
    fn line(ms: u64) -> Signal {
        let work = u128::from(ms / 1_000);
        Signal { work, per_second: 1, able: 9, willing: 9, owners: 9, ..Signal::default() }
    }

    #[track_caller]
    fn check(signal: Signal, expected: &str) {
        let heading = heading(&Rules::default(), tokens("12"), &signal);
        assert_eq!(heading, tokens(expected), "{signal:?}");
    }

    #[test]
    fn the_longer_the_line_the_higher_the_price() {
        check(line(0), "5");
        check(line(15 * 60_000), "7.5");
        check(line(30 * 60_000), "10");
        check(line((30 + 105) * 60_000), "25");
        check(line(4 * 3_600_000), "40");
        check(line(u64::MAX), "40");
    }

    #[test]
    fn a_price_that_nobody_works_for_is_no_price() {
        let ask = |lowest, willing| Signal { lowest_ask: Some(tokens(lowest)), willing, ..line(0) };
        check(ask("8", 9), "8");
        check(ask("15", 0), "15");
        check(ask("1000", 0), "40");
        check(Signal { refused: true, per_second: 0, ..line(0) }, "40");
    }

    #[test]
    fn without_a_market_or_a_measure_it_stays_where_it_belongs() {
        check(Signal { owners: 7, ..line(u64::MAX) }, "10");
        check(Signal { owners: 7, lowest_ask: Some(tokens("11")), ..line(0) }, "11");
        check(Signal { per_second: 0, ..line(60_000) }, "12");
        check(Signal { per_second: 0, ..line(0) }, "5");
    }

    #[test]
    fn steps_are_bounded_and_reach_their_goal() {
        let rules = Rules::default();
        let step = |base: &str, heading: &str| next(&rules, tokens(base), tokens(heading));
        assert_eq!(step("10", "40"), tokens("10.2"));
        assert_eq!(step("10", "5"), tokens("9.8"));
        assert_eq!(step("10", "10.1"), tokens("10.1"));
        assert_eq!(step("40", "90"), tokens("40"));
        assert_eq!(step("5", "0"), tokens("5"));
        // Twice the price takes ln 2 / ln 1.02 epochs.
        let mut base = tokens("10");
        let epochs = std::iter::repeat_with(|| {
            base = next(&rules, base, tokens("20"));
            base
        });
        assert_eq!(epochs.take_while(|&base| base < tokens("20")).count() + 1, 36);
        let tiny = Rules { floor: Tokens::from_micro(1), ..rules };
        assert_eq!(next(&tiny, Tokens::from_micro(3), tokens("40")), Tokens::from_micro(4));
    }
}
