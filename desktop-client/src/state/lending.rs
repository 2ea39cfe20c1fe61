//! How a person lends his machine: when, how much of it, how hot.

use farm_node::{Manners, Unwanted};
use serde::{Deserialize, Serialize};

/// Jobs that are remembered as not wanted.
const UNWANTED_MAX: usize = 100;

/// Of so many of them, what was told the farm's operator is remembered: the newest.
const REPORTS_MAX: usize = 5;

/// How much of the machine the node may take, by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// One does not hear it.
    Quiet,
    /// One may hear it.
    Balanced,
    /// All of it.
    Full,
}

impl Share {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Quiet, Self::Balanced, Self::Full];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quiet => "Quiet",
            Self::Balanced => "Balanced",
            Self::Full => "Full",
        }
    }

    /// Percent of the time, and the hottest that it may get, °C.
    const fn values(self) -> (u8, f32) {
        match self {
            Self::Quiet => (40, 65.0),
            Self::Balanced => (80, 75.0),
            Self::Full => (100, 85.0),
        }
    }
}

/// When the node may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// While nobody uses the machine.
    #[default]
    Away,
    /// In some hours of each day.
    Hours,
    /// At any time.
    Always,
}

/// How a person lends his machine. The defaults protect him.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lending {
    /// What the farm calls the node.
    pub name: String,
    /// When it may work.
    pub when: When,
    /// Minutes without a key after which nobody uses the machine.
    pub away_minutes: u32,
    /// First hour of the day, local time.
    pub from_hour: u8,
    /// Hour of the day before which it ends; below the first, the next day's.
    pub to_hour: u8,
    /// Whether it works on battery.
    pub on_battery: bool,
    /// Whether it works beside a program that fills the screen.
    pub through_full_screen: bool,
    /// Hottest sensor, °C.
    pub temperature_c: f32,
    /// Share of the time that it computes, percent.
    pub duty_percent: u8,
    /// Disk for scenes, GB.
    pub cache_gb: u32,
    /// Scenes fetched, MB a second at most; 0 for as fast as they come.
    pub down_mb: u32,
    /// Films handed in, MB a second at most; 0 for as fast as they go.
    pub up_mb: u32,
    /// Whether it starts with the app.
    pub with_app: bool,
    /// Jobs that are not rendered here, the newest last.
    pub unwanted: Vec<Unwanted>,
}

impl Default for Lending {
    fn default() -> Self {
        let (duty_percent, temperature_c) = Share::Balanced.values();
        Self {
            name: String::new(),
            when: When::default(),
            away_minutes: 5,
            from_hour: 22,
            to_hour: 7,
            on_battery: false,
            through_full_screen: false,
            temperature_c,
            duty_percent,
            cache_gb: 20,
            down_mb: 0,
            up_mb: 0,
            with_app: false,
            unwanted: Vec::new(),
        }
    }
}

impl Lending {
    /// The word for its limits, where there is one.
    #[must_use]
    pub fn share(&self) -> Option<Share> {
        Share::ALL.into_iter().find(|share| {
            let (duty, heat) = share.values();
            self.duty_percent == duty && (self.temperature_c - heat).abs() < 0.1
        })
    }

    /// Sets what a word stands for.
    pub fn set(&mut self, share: Share) {
        (self.duty_percent, self.temperature_c) = share.values();
    }

    /// A job is not rendered here any more.
    pub fn refuse(&mut self, job: Unwanted) {
        self.unwanted.retain(|other| other.job != job.job);
        self.unwanted.push(job);
        // Jobs end; the farm remembers those that do not.
        let more = self.unwanted.len().saturating_sub(UNWANTED_MAX);
        self.unwanted.drain(..more);
        // The operator has heard the older ones, and every wish carries all of them.
        let told = self.unwanted.len().saturating_sub(REPORTS_MAX);
        self.unwanted[..told].iter_mut().for_each(|it| it.report.clear());
    }

    /// The manners as a node has them.
    #[must_use]
    pub fn manners(&self) -> Manners {
        let hours = format!("{:02}:00-{:02}:00", self.from_hour % 24, self.to_hour % 24);
        let schedule = match self.when {
            When::Hours => hours.parse().into_iter().collect(),
            When::Away | When::Always => Vec::new(),
        };
        Manners {
            away_minutes: (self.when == When::Away).then_some(self.away_minutes.clamp(1, 1440)),
            schedule,
            through_full_screen: self.through_full_screen,
            on_battery: self.on_battery,
            temperature_c_max: Some(self.temperature_c.clamp(30.0, 110.0)),
            ..Manners::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::JobId;

    use super::*;
    use crate::state::node::Node;

    #[test]
    fn the_defaults_protect_the_person_and_are_manners() {
        let lending = Lending::default();
        let manners = lending.manners();
        assert_eq!(manners.away_minutes, Some(5));
        assert!(!manners.on_battery && !manners.through_full_screen);
        assert_eq!(manners.temperature_c_max, Some(75.0));
        assert_eq!(manners.check(), Ok(()));
        assert_eq!(lending.share(), Some(Share::Balanced));
        let nightly = Lending { when: When::Hours, ..lending };
        assert_eq!(nightly.manners().schedule.len(), 1);
        assert_eq!(nightly.manners().away_minutes, None);
        assert_eq!(Node::default().wishes(&nightly).check(), Ok(()));
    }

    #[test]
    fn a_job_is_refused_once_and_old_ones_are_forgotten() {
        let mut lending = Lending::default();
        let refused = |number: u8, report: &str| Unwanted {
            job: JobId([number; 16]),
            report: report.to_owned(),
        };
        lending.refuse(refused(1, ""));
        lending.refuse(refused(1, "why"));
        assert_eq!(lending.unwanted, [refused(1, "why")]);
        assert_eq!(Node::default().wishes(&lending).unwanted, lending.unwanted);
        (1..=101).for_each(|number| lending.refuse(refused(number, "")));
        assert_eq!(lending.unwanted.len(), UNWANTED_MAX);
        assert_eq!(lending.unwanted[0].job, JobId([2; 16]));
        // Long reports, however many, leave a line that a node reads.
        let report = "語".repeat(protocol::limits::REPORT_CHARS_MAX);
        (1..=101).for_each(|number| lending.refuse(refused(number, &report)));
        let wishes = Node::default().wishes(&lending);
        assert_eq!(wishes.check(), Ok(()));
        let line = serde_json::to_string(&wishes).expect("written");
        assert!(line.len() < 32 << 10, "{} bytes", line.len());
        let told = lending.unwanted.iter().filter(|it| !it.report.is_empty()).count();
        assert_eq!((lending.unwanted.len(), told), (UNWANTED_MAX, REPORTS_MAX));
        assert_eq!(lending.unwanted.last(), Some(&refused(101, &report)), "the newest is told");
        // Settings on disk keep them.
        let text = toml::to_string(&lending).expect("written");
        assert_eq!(toml::from_str::<Lending>(&text).expect("read"), lending);
    }
}
