//! What happened that a person may want to know, and has not asked for.

use std::path::PathBuf;

use protocol::JobId;

/// Notices that are kept.
const KEPT: usize = 100;
/// How long one stays in sight by itself, milliseconds.
pub const IN_SIGHT_MS: u64 = 8_000;

/// How it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It is worth a look.
    Warning,
    /// It went wrong.
    Bad,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Tells it from the others.
    pub number: u64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// How it is meant.
    pub tone: Tone,
    /// What happened, in a sentence.
    pub words: String,
    /// The job that it is about.
    pub job: Option<JobId>,
    /// The folder that it is about.
    pub folder: Option<PathBuf>,
}

/// Notices, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    /// All that are kept.
    pub list: Vec<Notice>,
    /// Number of the last one that was read.
    pub read: u64,
    last: u64,
}

impl Notices {
    /// Adds one.
    pub fn add(&mut self, at_ms: u64, tone: Tone, words: impl Into<String>) -> &mut Notice {
        self.last += 1;
        if self.list.len() == KEPT {
            self.list.remove(0);
        }
        let (number, words) = (self.last, words.into());
        self.list.push(Notice { number, at_ms, tone, words, job: None, folder: None });
        self.list.last_mut().expect("invariant: it was just put there")
    }

    /// How many are not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.list.iter().filter(|notice| notice.number > self.read).count()
    }

    /// All are read.
    pub fn read_all(&mut self) {
        self.read = self.last;
    }

    /// One is put away.
    pub fn dismiss(&mut self, number: u64) {
        self.list.retain(|notice| notice.number != number);
    }

    /// Those that still stand in sight, the newest last.
    pub fn in_sight(&self, now_ms: u64) -> impl Iterator<Item = &Notice> {
        let fresh = move |notice: &&Notice| {
            notice.number > self.read && now_ms < notice.at_ms + IN_SIGHT_MS
        };
        self.list.iter().filter(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_leave_the_sight_and_stay_in_the_list() {
        let mut notices = Notices::default();
        notices.add(1_000, Tone::Good, "one");
        notices.add(5_000, Tone::Bad, "two");
        let seen = |notices: &Notices, now: u64| -> Vec<String> {
            notices.in_sight(now).map(|notice| notice.words.clone()).collect()
        };
        assert_eq!(seen(&notices, 6_000), ["one", "two"]);
        assert_eq!(seen(&notices, 9_500), ["two"]);
        assert_eq!(notices.unread(), 2);
        notices.read_all();
        assert!(seen(&notices, 6_000).is_empty() && notices.unread() == 0);
        notices.add(9_000, Tone::Good, "three");
        assert_eq!((notices.unread(), notices.list.len()), (1, 3));
        notices.dismiss(2);
        assert_eq!(notices.list.len(), 2);
    }

    #[test]
    fn old_ones_make_room() {
        let mut notices = Notices::default();
        for number in 0..150 {
            notices.add(number, Tone::Good, number.to_string());
        }
        assert_eq!(notices.list.len(), KEPT);
        assert_eq!(notices.list[0].words, "50");
    }
}
