//! How fast a transfer goes.

use std::collections::VecDeque;
use std::time::Duration;

/// The pace is that of so much time: a line that has become slow shows it.
const PACE_SPAN: Duration = Duration::from_secs(15);

/// How fast it goes, over the last while.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// When how many bytes had come, the oldest first.
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// Notes that after `now` since the beginning `come` of `to_send` bytes have come; gives bytes a
    /// second, and the time that is left. Nothing before there is a pace.
    pub fn note(&mut self, now: Duration, come: u64, to_send: u64) -> Option<(f64, Duration)> {
        // An attempt that begins anew begins a new pace.
        if self.seen.back().is_some_and(|&(_at, before)| before > come) {
            self.seen.clear();
        }
        while self.seen.len() > 1 && self.seen.front().is_some_and(|(at, _)| *at + PACE_SPAN < now)
        {
            self.seen.pop_front();
        }
        self.seen.push_back((now, come));
        let &(since, before) = self.seen.front()?;
        let rate = (come - before) as f64 / (now - since).as_secs_f64();
        if !rate.is_finite() || rate <= 0.0 {
            return None;
        }
        let left = (to_send.saturating_sub(come) as f64 / rate).min(1e9);
        Some((rate, Duration::from_secs_f64(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn note(pace: &mut Pace, second: u64, come_mb: u64) -> Option<(u64, u64)> {
        let noted = pace.note(Duration::from_secs(second), come_mb * MB, 100 * MB);
        noted.map(|(rate, left)| (rate as u64 / MB, left.as_secs()))
    }

    #[test]
    fn the_pace_is_that_of_the_last_while() {
        let mut pace = Pace::default();
        assert_eq!(note(&mut pace, 1, 0), None, "one look is no pace");
        assert_eq!(note(&mut pace, 2, 10), Some((10, 9)));
        assert_eq!(note(&mut pace, 3, 20), Some((10, 8)));
        // It becomes slow: at first it is the mean, later the slow pace alone.
        assert_eq!(note(&mut pace, 13, 30), Some((2, 28)));
        assert_eq!(note(&mut pace, 24, 41), Some((1, 59)));
        // And stands still.
        for second in 25..40 {
            note(&mut pace, second, 41);
        }
        assert_eq!(note(&mut pace, 41, 41), None);
        // The connection was lost, and what was not on disk comes again.
        assert_eq!(note(&mut pace, 42, 30), None);
        assert_eq!(note(&mut pace, 43, 35), Some((5, 13)));
    }
}
