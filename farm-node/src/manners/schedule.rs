//! Spans of the week: `mon-fri 22:00-07:00`, `sat,sun 00:00-24:00`, `22:00-07:00`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const DAY_MINUTES: u32 = 24 * 60;
const WEEK_MINUTES: u32 = 7 * DAY_MINUTES;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A minute of the week, from Monday's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeekTime(u32);

impl WeekTime {
    /// A minute of a day, 0 for Monday; what is beyond the week wraps.
    #[must_use]
    pub const fn new(day: u32, minute: u32) -> Self {
        Self((day % 7 * DAY_MINUTES + minute % DAY_MINUTES) % WEEK_MINUTES)
    }
}

/// A span that begins on some days of the week; one that ends before it begins ends on the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    days: [bool; 7],
    from_minute: u32,
    to_minute: u32,
}

/// No span of the week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no span of the week; write it as 22:00-07:00 or mon-fri 22:00-07:00")]
pub struct ScheduleError(String);

impl Span {
    /// Minutes from a time until it begins; 0 inside it.
    fn minutes_until(&self, WeekTime(now): WeekTime) -> Option<u32> {
        let length = (self.to_minute + DAY_MINUTES - self.from_minute) % DAY_MINUTES;
        // The same minute twice is a whole day.
        let length = if length == 0 { DAY_MINUTES } else { length };
        let days = (0..7).filter(|&day| self.days[day as usize]);
        let waits = days.map(|day| {
            let begin = day * DAY_MINUTES + self.from_minute;
            let since = (now + WEEK_MINUTES - begin) % WEEK_MINUTES;
            if since < length { 0 } else { WEEK_MINUTES - since }
        });
        waits.min()
    }
}

/// Minutes until the first of the spans; `None` inside one, and where there is none at all.
pub(super) fn minutes_until(spans: &[Span], now: WeekTime) -> Option<u32> {
    let first = spans.iter().filter_map(|span| span.minutes_until(now)).min();
    first.filter(|&minutes| minutes > 0)
}

impl FromStr for Span {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let parsed = || {
            let (days, hours) = text.trim().rsplit_once(' ').unwrap_or(("mon-sun", text.trim()));
            let (from, to) = hours.split_once('-')?;
            let (from_minute, to_minute) = (minute(from)?, minute(to)?);
            let days = days_of(days)?;
            (from_minute < DAY_MINUTES).then_some(Self { days, from_minute, to_minute })
        };
        parsed().ok_or_else(|| ScheduleError(text.to_owned()))
    }
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    let index = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim()));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let count = (last + 7 - first) % 7 + 1;
        (first..first + count).for_each(|day| days[day % 7] = true);
    }
    Some(days)
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour <= 24 && minute < 60 && hour * 60 + minute <= DAY_MINUTES).then(|| hour * 60 + minute)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = DAYS.iter().zip(self.days).filter(|(_, chosen)| *chosen);
        let days: Vec<_> = days.map(|(day, _)| *day).collect();
        let (from, to) = (self.from_minute, self.to_minute);
        let days = days.join(",");
        write!(f, "{days} {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl TryFrom<String> for Span {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(span: &str, day: u32, hour: u32, expected: Option<u32>) {
        let span: Span = span.parse().expect("a span");
        let again: Span = span.to_string().parse().expect("what is written can be read");
        assert_eq!(again, span);
        assert_eq!(minutes_until(&[span], WeekTime::new(day, hour * 60)), expected);
    }

    #[test]
    fn spans_reach_over_midnight_and_the_week() {
        check("22:00-07:00", 3, 23, None);
        check("22:00-07:00", 3, 6, None);
        check("22:00-07:00", 3, 7, Some(15 * 60));
        check("sun 22:00-07:00", 0, 6, None);
        check("sun 22:00-07:00", 1, 6, Some((5 * 24 + 16) * 60));
        check("fri-mon 10:00-12:00", 0, 11, None);
        check("fri-mon 10:00-12:00", 2, 10, Some(48 * 60));
        check("sat,sun 00:00-24:00", 6, 23, None);
        check("tue 08:00-08:00", 2, 7, None);
        assert_eq!(minutes_until(&[], WeekTime::new(0, 0)), None, "no span is no rule");
    }

    #[test]
    fn what_is_no_span_is_refused() {
        let texts = [
            "",
            "22:00",
            "22-07",
            "25:00-07:00",
            "22:60-07:00",
            "24:00-07:00",
            "someday 1:00-2:00",
            "4294967295:00-1:00",
            "mon- 1:00-2:00",
        ];
        for text in texts {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
