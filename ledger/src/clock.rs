//! Which readings of the clock the ledger believes.
//!
//! The journal's time never goes back, so one wrong reading far in the future would hold for ever:
//! all that is set aside would expire, and nothing set aside later ever would. Pure: readings and
//! the time that passed between them come in as arguments.

use crate::apply::ApplyError;

const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: u64 = 8766 * HOUR_MS;

/// How far ahead of the time that passed a clock may be in a running ledger, milliseconds. A
/// machine that sleeps does not count the time: one that slept over a long weekend is believed.
pub const CLOCK_AHEAD_MS_MAX: u64 = 72 * HOUR_MS;
/// How long a ledger may have been closed, milliseconds: nothing on the machine tells a pause from
/// a clock that is set wrong, but ten years are no pause.
pub const CLOSED_MS_MAX: u64 = 10 * YEAR_MS;
/// The year 10000, milliseconds since 1970: no clock is there.
const TIME_MS_MAX: u64 = 253_402_300_800_000;

/// A reading, and when it was taken by a count that nobody can set, milliseconds.
#[derive(Debug, Clone, Copy)]
struct Reading {
    time_ms: u64,
    at_ms: u64,
}

/// What is known of the clock since the ledger was opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    /// The last reading that was not behind the journal.
    good: Option<Reading>,
    /// The journal's time when the clock fell behind it.
    behind: Option<Reading>,
}

impl Clock {
    /// The time of entries that are made when the clock says `now_ms`, milliseconds since 1970.
    ///
    /// `last_ms` is the journal's time, `None` when it is empty; `at_ms` counts milliseconds since
    /// the ledger was opened. A clock behind the journal does not stop it: its time then goes on
    /// half as fast as `at_ms`, until the clock has caught up.
    ///
    /// # Errors
    /// [`ApplyError::ClockAhead`]: the reading is forgotten.
    pub(crate) fn believe(
        &mut self,
        now_ms: u64,
        last_ms: Option<u64>,
        at_ms: u64,
    ) -> Result<u64, ApplyError> {
        let believed_ms = match (self.good, last_ms) {
            (Some(good), _) => {
                let passed_ms = at_ms.saturating_sub(good.at_ms);
                good.time_ms.saturating_add(passed_ms).saturating_add(CLOCK_AHEAD_MS_MAX)
            }
            (None, Some(last_ms)) => last_ms.saturating_add(CLOSED_MS_MAX),
            (None, None) => TIME_MS_MAX,
        };
        let last_ms = last_ms.unwrap_or(0);
        if now_ms >= last_ms {
            let believed_ms = believed_ms.min(TIME_MS_MAX);
            if now_ms > believed_ms {
                return Err(ApplyError::ClockAhead { now_ms, believed_ms });
            }
            self.good = Some(Reading { time_ms: now_ms, at_ms });
            self.behind = None;
            return Ok(now_ms);
        }
        let since = *self.behind.get_or_insert(Reading { time_ms: last_ms, at_ms });
        Ok(last_ms.max(since.time_ms + at_ms.saturating_sub(since.at_ms) / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    const DAY_MS: u64 = 24 * HOUR_MS;

    /// Readings in order: what the clock says, the journal's time, the count, what is believed.
    fn check(readings: &[(u64, u64, u64, Option<u64>)]) {
        let mut clock = Clock::default();
        for &(now_ms, last_ms, at_ms, expected) in readings {
            let believed = clock.believe(now_ms, Some(last_ms), at_ms);
            assert_eq!(believed.ok(), expected, "{now_ms} at {at_ms}, journal at {last_ms}");
        }
    }

    #[test]
    fn a_good_clock_is_believed_however_long_nothing_happened() {
        let year = 365 * DAY_MS;
        check(&[
            (NOW_MS, NOW_MS - 20 * DAY_MS, 0, Some(NOW_MS)),
            (NOW_MS + 5, NOW_MS, 5, Some(NOW_MS + 5)),
            (NOW_MS + year, NOW_MS + 5, year, Some(NOW_MS + year)),
        ]);
    }

    #[test]
    fn a_jump_ahead_is_refused_until_the_clock_is_set_right() {
        let far = NOW_MS + 5 + CLOCK_AHEAD_MS_MAX;
        check(&[
            (NOW_MS, NOW_MS, 0, Some(NOW_MS)),
            (far + 1, NOW_MS, 5, None),
            (far + 1, NOW_MS, 5, None),
            (u64::MAX, NOW_MS, 5, None),
            (NOW_MS + 6, NOW_MS, 6, Some(NOW_MS + 6)),
            (far + 1, NOW_MS + 6, 6, Some(far + 1)),
        ]);
    }

    #[test]
    fn after_a_pause_of_years_the_first_reading_is_believed_after_ten_it_is_not() {
        for last_ms in [NOW_MS - 30 * DAY_MS, NOW_MS - CLOSED_MS_MAX] {
            check(&[(NOW_MS, last_ms, 0, Some(NOW_MS))]);
        }
        check(&[
            (NOW_MS, NOW_MS - CLOSED_MS_MAX - 1, 0, None),
            (NOW_MS - 9 * YEAR_MS, NOW_MS - CLOSED_MS_MAX - 1, 0, Some(NOW_MS - 9 * YEAR_MS)),
        ]);
    }

    #[test]
    fn a_machine_that_wakes_in_1970_goes_on_and_is_set_right() {
        let last_ms = NOW_MS - 30 * DAY_MS;
        check(&[
            (0, last_ms, 0, Some(last_ms)),
            (1000, last_ms, 1000, Some(last_ms + 500)),
            (2000, last_ms + 500, 2000, Some(last_ms + 1000)),
            (NOW_MS, last_ms + 1000, 3000, Some(NOW_MS)),
        ]);
    }

    #[test]
    fn a_clock_set_back_is_caught_up_with() {
        check(&[
            (NOW_MS, NOW_MS, 0, Some(NOW_MS)),
            (NOW_MS - 1000, NOW_MS, 0, Some(NOW_MS)),
            (NOW_MS - 200, NOW_MS, 800, Some(NOW_MS + 400)),
            (NOW_MS + 700, NOW_MS + 400, 1700, Some(NOW_MS + 700)),
            (NOW_MS + 500, NOW_MS + 700, 1900, Some(NOW_MS + 700)),
        ]);
        // However it wobbles meanwhile, the journal's time does not run ahead of the count.
        let mut wobbles = vec![(NOW_MS, NOW_MS, 0, Some(NOW_MS))];
        for at_ms in 1..100 {
            let time_ms = NOW_MS + (at_ms - 1) / 2;
            wobbles.push((at_ms % 2 * (NOW_MS / 2), time_ms, at_ms, Some(time_ms)));
        }
        check(&wobbles);
    }

    #[test]
    fn a_new_ledger_begins_at_any_time_there_may_be() {
        for (now_ms, is_good) in [(0, true), (NOW_MS, true), (TIME_MS_MAX + 1, false)] {
            assert_eq!(Clock::default().believe(now_ms, None, 0).is_ok(), is_good);
        }
    }
}
