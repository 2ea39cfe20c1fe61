//! How long to wait after a try that failed.

use std::time::Duration;

/// The waits between the tries of a delivery: one more try than there are waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    waits: Vec<Duration>,
    jitter_percent: u8,
}

impl Ladder {
    /// Waits, each longer or shorter by up to `jitter_percent` hundredths (at most 100), so that
    /// deliveries which failed together are not tried together.
    #[must_use]
    pub fn new(waits: Vec<Duration>, jitter_percent: u8) -> Self {
        Self { waits, jitter_percent: jitter_percent.min(100) }
    }

    /// How long to wait after so many tries have failed (1 or more), or `None` when it is enough;
    /// `random` chooses within the jitter.
    #[must_use]
    pub(super) fn wait(&self, failed: usize, random: u16) -> Option<Duration> {
        let wait = *self.waits.get(failed.checked_sub(1)?)?;
        let jitter = f64::from(self.jitter_percent) / 100.0;
        let at = f64::from(random) / f64::from(u16::MAX);
        Some(wait.mul_f64(1.0 - jitter + 2.0 * jitter * at))
    }
}

impl Default for Ladder {
    /// What the API promises: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, each within
    /// 10 %: the Standard Webhooks' recommendation, of three days in all.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        let minutes = |minutes: u64| seconds(60 * minutes);
        let hours = |hours: u64| minutes(60 * hours);
        let first = [seconds(5), minutes(5), minutes(30)];
        Self::new(first.into_iter().chain([2, 5, 10, 14, 20, 24].map(hours)).collect(), 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_as_promised_within_a_tenth() {
        let ladder = Ladder::default();
        let hour = 3_600;
        let promised =
            [5, 300, 1_800, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour];
        for (failed, promised) in (1..).zip(promised) {
            let wait = |random| ladder.wait(failed, random).expect("it works").as_millis();
            assert_eq!(wait(0), promised * 900);
            assert_eq!(wait(u16::MAX), promised * 1_100);
            assert!(wait(u16::MAX / 2).abs_diff(promised * 1_000) <= promised);
        }
        assert_eq!(ladder.wait(10, 0), None);
        assert_eq!(ladder.wait(0, 0), None);
        assert_eq!(Ladder::new(Vec::new(), 200).wait(1, 0), None);
    }
}
