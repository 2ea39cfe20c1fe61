//! The share of the time that a worker may compute.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A share of the time, percent of it: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Duty(u8);

/// A number that is no [`Duty`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duty of {0} % is none; choose 1 to 100")]
pub struct DutyError(u8);

/// What a worker does at some moment, and for how much longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) rests: bool,
    pub(crate) lasts: Duration,
}

/// A turn of work and rest. Short beside what a cooler takes to notice, long beside what a graphics
/// device takes to end what it was given before the rest.
const TURN: Duration = Duration::from_secs(1);
/// Below it a rest excuses silence: patience is for twenty times what an old machine takes, and
/// this leaves a quarter of that.
const EXCUSED_BELOW: Duty = Duty(20);

impl Duty {
    /// All of the time.
    pub const FULL: Self = Self(100);

    /// Whether it works or rests so long after the first turn began; each turn begins with work.
    pub(crate) fn phase(self, since: Duration) -> Phase {
        if self == Self::FULL {
            return Phase { rests: false, lasts: TURN };
        }
        let works = TURN * u32::from(self.0) / 100;
        let at = Duration::from_nanos((since.as_nanos() % TURN.as_nanos()) as u64);
        match works.checked_sub(at).filter(|left| !left.is_zero()) {
            Some(lasts) => Phase { rests: false, lasts },
            None => Phase { rests: true, lasts: TURN - at },
        }
    }

    /// Whether a worker's rests count as time in which it cannot be expected to say anything.
    pub(crate) fn excuses(self) -> bool {
        self < EXCUSED_BELOW
    }
}

impl TryFrom<u8> for Duty {
    type Error = DutyError;

    fn try_from(percent: u8) -> Result<Self, DutyError> {
        if (1..=100).contains(&percent) { Ok(Self(percent)) } else { Err(DutyError(percent)) }
    }
}

impl From<Duty> for u8 {
    fn from(Duty(percent): Duty) -> Self {
        percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duty(percent: u8) -> Duty {
        percent.try_into().expect("a duty")
    }

    #[test]
    fn work_comes_first_and_rest_fills_the_turn() {
        let check = |percent, at_ms, rests, lasts_ms| {
            let phase = duty(percent).phase(Duration::from_millis(at_ms));
            assert_eq!(phase, Phase { rests, lasts: Duration::from_millis(lasts_ms) }, "{at_ms}");
        };
        check(50, 0, false, 500);
        check(50, 499, false, 1);
        check(50, 500, true, 500);
        check(50, 999, true, 1);
        check(50, 1_000, false, 500);
        check(1, 86_400_009, false, 1);
        check(1, 86_400_010, true, 990);
        check(99, 7_989, false, 1);
        check(99, 7_990, true, 10);
        check(100, 999, false, 1_000);
    }

    #[test]
    fn the_share_of_work_is_the_duty_however_often_it_is_looked_at() {
        for percent in [1, 7, 33, 50, 80, 99, 100] {
            // As the watch does: at the next look or the next change, whichever is sooner.
            let (mut at, mut worked) = (Duration::ZERO, Duration::ZERO);
            while at < Duration::from_secs(100) {
                let Phase { rests, lasts } = duty(percent).phase(at);
                let step = lasts.min(Duration::from_millis(50));
                if !rests {
                    worked += step;
                }
                at += step;
            }
            let share = worked.as_secs_f64() / at.as_secs_f64() * 100.0;
            assert!((share - f64::from(percent)).abs() < 1e-6, "{share} % instead of {percent} %");
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for percent in [0, 101, 255] {
            assert_eq!(Duty::try_from(percent), Err(DutyError(percent)));
        }
        assert_eq!(DutyError(0).to_string(), "a duty of 0 % is none; choose 1 to 100");
        assert_eq!(
            (duty(19).excuses(), duty(20).excuses(), Duty::FULL.excuses()),
            (true, false, false)
        );
    }
}
