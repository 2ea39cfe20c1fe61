//! What the owner of a running node wishes of it.

use std::num::NonZeroU64;

use protocol::{JobId, limits};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::duty::Duty;
use crate::manners::{Manners, MannersError};

/// What a node's owner wishes of it now. The default is a node that works as it was started.
///
/// Each is the whole of his wishes: what it leaves out goes back to what the node's
/// [`Config`](crate::Config) says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wishes {
    /// Take no more work.
    pub hold: Option<Hold>,
    /// Work although somebody needs the machine.
    pub run_anyway: Option<RunAnyway>,
    /// Other manners than those at start.
    pub manners: Option<Manners>,
    /// The share of the time that the worker computes; all of it without a wish. The rest of each
    /// second it is halted, which is no pause. Without a worker process it has no effect.
    pub duty_percent: Option<Duty>,
    /// Scenes fetched, bytes a second at most.
    pub down_bytes_per_second: Option<NonZeroU64>,
    /// Films handed in and scenes given, bytes a second at most.
    pub up_bytes_per_second: Option<NonZeroU64>,
    /// Disk space for scenes, bytes; heeded when the next one is needed.
    pub cache_bytes: Option<NonZeroU64>,
    /// Jobs that are not to be rendered here: their leases go back, and the farm gives the node no more
    /// of them.
    pub unwanted: Vec<Unwanted>,
    /// Whether to tell [`NodeEvent::Vitals`](crate::NodeEvent::Vitals) once a second.
    pub vitals: bool,
}

/// A job that is not to be rendered on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unwanted {
    /// The job.
    #[serde(with = "id_as_text")]
    pub job: JobId,
    /// What its owner tells the farm's operator of it, at most
    /// [`REPORT_CHARS_MAX`](limits::REPORT_CHARS_MAX) characters; nothing where it is nobody's concern.
    #[serde(default)]
    pub report: String,
}

/// The text form of a job's id.
mod id_as_text {
    use protocol::JobId;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(job: &JobId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(job)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<JobId, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// How a node stops working, until the wish is withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// The lease that is being rendered is finished and handed in, the others are given back. Where
    /// nothing is being rendered yet, all are.
    AfterThisTile,
    /// The worker is halted and all leases are given back, without a film. One that is rendered
    /// already is handed in.
    Now,
}

/// Working although somebody needs the machine: overrides the pauses for his keyboard and mouse, his
/// programs, his full screen and the schedule. Heat, a full disk and a coming sleep are never
/// overridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAnyway {
    /// Until then, milliseconds since 1970 on this machine's clock.
    pub until_ms: u64,
    /// On battery, too: to be set only where the person was told that the machine is on battery, or
    /// a machine that is unplugged later would drain it.
    #[serde(default)]
    pub on_battery: bool,
}

/// Wishes that no node can meet.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WishesError {
    /// Manners out of bounds.
    #[error(transparent)]
    Manners(#[from] MannersError),
    /// A word that is a speech.
    #[error("the report of {0} has {1} characters; at most {max} are taken", max = limits::REPORT_CHARS_MAX)]
    Report(JobId, usize),
}

impl Wishes {
    /// Checks what their types do not.
    ///
    /// # Errors
    /// See [`WishesError`].
    pub fn check(&self) -> Result<(), WishesError> {
        self.manners.as_ref().map_or(Ok(()), Manners::check)?;
        let length = |it: &Unwanted| it.report.chars().count();
        match self.unwanted.iter().find(|it| length(it) > limits::REPORT_CHARS_MAX) {
            Some(long) => Err(WishesError::Report(long.job, length(long))),
            None => Ok(()),
        }
    }

    /// The wishes of who does not change his mind, as [`run`](crate::run) takes them.
    #[must_use]
    pub fn for_good(self) -> watch::Receiver<Self> {
        watch::channel(self).1
    }
}

impl RunAnyway {
    /// Whether it holds at a time, milliseconds since 1970.
    pub(crate) const fn holds(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_out_of_bounds_are_refused() {
        let check = |change: fn(&mut Manners), expected: Option<&str>| {
            let mut manners = Manners::default();
            change(&mut manners);
            let wishes = Wishes { manners: Some(manners), ..Wishes::default() };
            let error = wishes.check().err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), expected);
        };
        check(|_| (), None);
        check(|it| it.away_minutes = Some(1440), None);
        let away = "away_minutes is 0; choose 1 to 1440, or none for no rule";
        check(|it| it.away_minutes = Some(0), Some(away));
        let away = "away_minutes is 1441; choose 1 to 1440, or none for no rule";
        check(|it| it.away_minutes = Some(1441), Some(away));
        check(|it| it.temperature_c_max = Some(30.0), None);
        let heat = "temperature_c_max is 111; choose 30 to 110, or none for no rule";
        check(|it| it.temperature_c_max = Some(111.0), Some(heat));
        let heat = "temperature_c_max is NaN; choose 30 to 110, or none for no rule";
        check(|it| it.temperature_c_max = Some(f32::NAN), Some(heat));
        assert_eq!(Wishes::default().check(), Ok(()));
        let job = JobId([1; 16]);
        let reported = |count| Wishes {
            unwanted: vec![Unwanted { job, report: "x".repeat(count) }],
            ..Wishes::default()
        };
        assert_eq!(reported(500).check(), Ok(()));
        assert_eq!(reported(501).check(), Err(WishesError::Report(job, 501)));
    }

    #[test]
    fn running_anyway_ends() {
        let anyway = RunAnyway { until_ms: 1_000, on_battery: false };
        assert!(anyway.holds(999) && !anyway.holds(1_000) && !anyway.holds(u64::MAX));
    }
}
