//! A node's manners: when it leaves the machine to the person before it.
//!
//! [`decide`] is pure; what it is told is observed elsewhere. Every pause has its reason and says
//! how it ends.

mod observe;
mod pause;
mod schedule;
mod sleep;

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use observe::cpu_temperature_c;
pub use observe::{Observer, can_observe};
pub use pause::Pause;
pub use schedule::{ScheduleError, Span, WeekTime};
pub(crate) use sleep::{AfterSleep, after_sleep, slept, woke};

use crate::wishes::RunAnyway;

/// Longest time without a key that can be asked for, minutes: a day.
pub const AWAY_MINUTES_MAX: u32 = 1440;
/// Temperatures that a rule may name, °C: below them any machine is, above them it is off.
pub const TEMPERATURES_C: RangeInclusive<f32> = 30.0..=110.0;
/// How much cooler it must be before a node that was too hot goes on, °C.
const COOLER_C: f32 = 5.0;

/// When a node may render. By default always, but on battery and beside a full-screen program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manners {
    /// Only when nobody has used keyboard or mouse for so many minutes.
    pub away_minutes: Option<u32>,
    /// Only in these spans of the week, local time; always without any.
    pub schedule: Vec<Span>,
    /// Not while a program of one of these names runs.
    pub exclusive: Vec<String>,
    /// Whether to render while a program fills the screen.
    pub through_full_screen: bool,
    /// Whether to render on battery.
    pub on_battery: bool,
    /// Not above this temperature of the hottest sensor, °C.
    pub temperature_c_max: Option<f32>,
    /// Not with less free disk space, bytes.
    pub disk_free_bytes_min: u64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            away_minutes: None,
            schedule: Vec::new(),
            exclusive: Vec::new(),
            through_full_screen: false,
            on_battery: false,
            temperature_c_max: None,
            // Below it, other programs begin to fail.
            disk_free_bytes_min: 1_000_000_000,
        }
    }
}

/// What is seen of the machine; `None` is what cannot be seen here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observation {
    /// Local time of the week.
    pub time: Option<WeekTime>,
    /// Since the last key or mouse movement.
    pub idle: Option<Duration>,
    /// Of the exclusive programs, the first that runs; `Some(None)` where none does.
    pub exclusive: Option<Option<String>>,
    /// The program that fills the screen; `Some(None)` where none does.
    pub full_screen: Option<Option<String>>,
    /// Whether the machine is about to sleep.
    pub sleeps: Option<bool>,
    /// Whether the machine runs on its battery.
    pub on_battery: Option<bool>,
    /// The hottest sensor, °C.
    pub temperature_c: Option<f32>,
    /// Free disk space where scenes are kept, bytes.
    pub disk_free_bytes: Option<u64>,
}

/// Manners that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MannersError {
    /// Minutes away out of bounds.
    #[error("away_minutes is {0}; choose 1 to {AWAY_MINUTES_MAX}, or none for no rule")]
    Away(u32),
    /// A temperature out of bounds.
    #[error(
        "temperature_c_max is {0}; choose {least} to {most}, or none for no rule",
        least = TEMPERATURES_C.start(), most = TEMPERATURES_C.end()
    )]
    Temperature(f32),
}

impl Manners {
    /// Checks what their types do not.
    ///
    /// # Errors
    /// See [`MannersError`].
    pub fn check(&self) -> Result<(), MannersError> {
        if let Some(minutes) = self.away_minutes
            && !(1..=AWAY_MINUTES_MAX).contains(&minutes)
        {
            return Err(MannersError::Away(minutes));
        }
        match self.temperature_c_max {
            Some(max) if !TEMPERATURES_C.contains(&max) => Err(MannersError::Temperature(max)),
            _fine => Ok(()),
        }
    }
}

impl Observation {
    /// The same without what concerns only the person's comfort, and with the battery where that is
    /// overridden as well: for who runs the node anyway. What is not seen is no reason to pause.
    #[must_use]
    pub(crate) fn overridden(self, by: RunAnyway) -> Self {
        let on_battery = self.on_battery.filter(|_seen| !by.on_battery);
        let (idle, exclusive, full_screen, time) = (None, None, None, None);
        Self { idle, exclusive, full_screen, time, on_battery, ..self }
    }
}

/// Whether to render now, given what is seen and whether there is a pause already: `None` to go
/// on, or the first reason not to. What cannot be seen is no reason.
#[must_use]
pub fn decide(manners: &Manners, seen: &Observation, before: Option<&Pause>) -> Option<Pause> {
    if seen.sleeps == Some(true) {
        return Some(Pause::Sleep);
    }
    // The person first.
    if let (Some(away_minutes), Some(idle)) = (manners.away_minutes, seen.idle)
        && idle < Duration::from_secs(60 * u64::from(away_minutes))
    {
        return Some(Pause::UserActive { away_minutes });
    }
    if let Some(Some(program)) = &seen.exclusive {
        return Some(Pause::Exclusive { program: program.clone() });
    }
    if let (Some(Some(program)), false) = (&seen.full_screen, manners.through_full_screen) {
        return Some(Pause::FullScreen { program: program.clone() });
    }
    if seen.on_battery == Some(true) && !manners.on_battery {
        return Some(Pause::Battery);
    }
    if let (Some(max), Some(temperature_c)) = (manners.temperature_c_max, seen.temperature_c) {
        // Not back and forth at the limit.
        let was_hot = matches!(before, Some(Pause::TooHot { .. }));
        let resumes_below_c = max - COOLER_C;
        if temperature_c > if was_hot { resumes_below_c } else { max } {
            return Some(Pause::TooHot { temperature_c, resumes_below_c });
        }
    }
    if let Some(free_bytes) = seen.disk_free_bytes
        && free_bytes < manners.disk_free_bytes_min
    {
        let wanted_bytes = manners.disk_free_bytes_min;
        return Some(Pause::DiskFull { free_bytes, wanted_bytes });
    }
    let time = seen.time?;
    let resumes_in_minutes = schedule::minutes_until(&manners.schedule, time)?;
    Some(Pause::Schedule { resumes_in_minutes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(manners: &Manners, seen: &Observation, expected: Option<&str>) {
        let pause = decide(manners, seen, None).map(|pause| pause.to_string());
        assert_eq!(pause.as_deref(), expected);
    }

    #[test]
    fn what_cannot_be_seen_is_no_reason() {
        let strict = Manners {
            away_minutes: Some(5),
            schedule: vec!["22:00-07:00".parse().expect("a span")],
            exclusive: vec!["game".to_owned()],
            temperature_c_max: Some(75.0),
            ..Manners::default()
        };
        check(&strict, &Observation::default(), None);
    }

    #[test]
    fn the_person_comes_first() {
        let manners = Manners { away_minutes: Some(5), ..Manners::default() };
        let idle = |seconds| Observation {
            idle: Some(Duration::from_secs(seconds)),
            on_battery: Some(true),
            ..Observation::default()
        };
        let active = "you are using this machine; resumes 5 min after you stop";
        check(&manners, &idle(0), Some(active));
        check(&manners, &idle(299), Some(active));
        check(&manners, &idle(300), Some("on battery; resumes when plugged in"));
        check(&Manners { on_battery: true, ..manners }, &idle(300), None);
    }

    #[test]
    fn programs_and_disks_pause() {
        let manners = Manners::default();
        let seen = Observation { exclusive: Some(None), ..Observation::default() };
        check(&manners, &seen, None);
        let seen = Observation { exclusive: Some(Some("portal2".to_owned())), ..seen };
        check(&manners, &seen, Some("portal2 is running; resumes when it ends"));
        let disk = |free| Observation { disk_free_bytes: Some(free), ..Observation::default() };
        check(&manners, &disk(1 << 30), None);
        let full = "the disk is nearly full, 0.5 GB free; resumes at 1.0 GB";
        check(&manners, &disk(1 << 29), Some(full));
    }

    #[test]
    fn a_program_that_fills_the_screen_pauses_unless_told_otherwise() {
        let seen = |program: Option<&str>| Observation {
            full_screen: Some(program.map(ToOwned::to_owned)),
            ..Observation::default()
        };
        let manners = Manners::default();
        let words = "full-screen program (portal2); resumes when it leaves the screen";
        check(&manners, &seen(Some("portal2")), Some(words));
        check(&manners, &seen(None), None);
        let careless = Manners { through_full_screen: true, ..manners };
        check(&careless, &seen(Some("portal2")), None);
        // The program that was named is told by its name.
        let named = Observation { exclusive: Some(Some("hl2".to_owned())), ..seen(Some("hl2")) };
        check(&Manners::default(), &named, Some("hl2 is running; resumes when it ends"));
    }

    #[test]
    fn a_sleep_comes_before_everything_and_no_rule_permits_it() {
        let manners = Manners { through_full_screen: true, on_battery: true, ..Manners::default() };
        let sleeps = |sleeps| Observation {
            sleeps: Some(sleeps),
            exclusive: Some(Some("hl2".to_owned())),
            ..Observation::default()
        };
        let words = "the machine goes to sleep; resumes when it wakes";
        check(&manners, &sleeps(true), Some(words));
        check(&manners, &sleeps(false), Some("hl2 is running; resumes when it ends"));
    }

    #[test]
    fn heat_has_two_limits() {
        let manners = Manners { temperature_c_max: Some(75.0), ..Manners::default() };
        let at = |temperature_c| Observation {
            temperature_c: Some(temperature_c),
            ..Observation::default()
        };
        check(&manners, &at(75.0), None);
        let hot = decide(&manners, &at(75.5), None);
        let words = hot.as_ref().map(ToString::to_string);
        assert_eq!(words.as_deref(), Some("too hot, 76 °C; resumes below 70 °C"));
        assert!(decide(&manners, &at(72.0), hot.as_ref()).is_some(), "not yet cool");
        assert!(decide(&manners, &at(72.0), None).is_none());
        assert!(decide(&manners, &at(70.0), hot.as_ref()).is_none());
    }

    #[test]
    fn who_runs_it_anyway_overrides_comfort_and_no_danger() {
        let manners = Manners {
            away_minutes: Some(5),
            schedule: vec!["22:00-07:00".parse().expect("a span")],
            temperature_c_max: Some(75.0),
            ..Manners::default()
        };
        let quiet = || Observation { idle: Some(Duration::ZERO), ..Observation::default() };
        let named = |name: &str| Some(Some(name.to_owned()));
        let noon = Some(WeekTime::new(0, 720));
        let comfort = [
            quiet(),
            Observation { exclusive: named("hl2"), ..quiet() },
            Observation { full_screen: named("hl2"), ..quiet() },
            Observation { time: noon, ..Observation::default() },
        ];
        let check = |seen: Observation, on_battery, expected: Option<&str>| {
            assert!(decide(&manners, &seen, None).is_some(), "a pause without it: {seen:?}");
            check(&manners, &seen.overridden(RunAnyway { until_ms: 1, on_battery }), expected);
        };
        for seen in comfort {
            check(seen, false, None);
        }
        let plug = Some("on battery; resumes when plugged in");
        check(Observation { on_battery: Some(true), ..quiet() }, false, plug);
        check(Observation { on_battery: Some(true), ..quiet() }, true, None);
        let hot = Some("too hot, 80 °C; resumes below 70 °C");
        check(Observation { temperature_c: Some(80.0), ..quiet() }, true, hot);
        let full = Some("the disk is nearly full, 0.0 GB free; resumes at 1.0 GB");
        check(Observation { disk_free_bytes: Some(1), ..quiet() }, true, full);
        let sleep = Some("the machine goes to sleep; resumes when it wakes");
        check(Observation { sleeps: Some(true), ..quiet() }, true, sleep);
    }

    #[test]
    fn a_schedule_says_when_it_begins() {
        let manners = Manners {
            schedule: vec!["mon-fri 22:00-07:00".parse().expect("a span")],
            ..Manners::default()
        };
        let at = |day: u32, hour: u32| Observation {
            time: Some(WeekTime::new(day, hour * 60)),
            ..Observation::default()
        };
        check(&manners, &at(0, 23), None);
        check(&manners, &at(5, 6), None);
        let tuesday = "outside the schedule; resumes in 13 h 0 min";
        check(&manners, &at(1, 9), Some(tuesday));
        let saturday = "outside the schedule; resumes in 62 h 0 min";
        check(&manners, &at(5, 8), Some(saturday));
    }
}
