//! The states of jobs and tiles in the words of other farms.

use std::fmt;

/// Where a task stands, as AWS Deadline Cloud and others that run Open Job Description call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskRunStatus {
    /// It waits for others.
    Pending,
    /// It could begin.
    Ready,
    /// Work is under way.
    Running,
    /// Somebody holds it up.
    Suspended,
    /// Nobody wants it any more.
    Canceled,
    /// It gave up.
    Failed,
    /// It is there.
    Succeeded,
    /// No machine can do it.
    NotCompatible,
}

/// What a job that waits is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Its turn.
    #[default]
    Turn,
    /// Jobs that it comes after.
    Jobs,
    /// A node that meets its needs: none is known.
    Nodes,
}

impl TaskRunStatus {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Suspended => "SUSPENDED",
            Self::Canceled => "CANCELED",
            Self::Failed => "FAILED",
            Self::Succeeded => "SUCCEEDED",
            Self::NotCompatible => "NOT_COMPATIBLE",
        }
    }

    /// A job's status, by Tessera's word for it, and what it waits for if it does. None of a word
    /// that is no job's status.
    #[must_use]
    pub fn of_job(status: &str, wait: Wait) -> Option<Self> {
        Some(match status {
            "waiting" => match wait {
                Wait::Turn => Self::Ready,
                Wait::Jobs => Self::Pending,
                Wait::Nodes => Self::NotCompatible,
            },
            "rendering" => Self::Running,
            "paused" => Self::Suspended,
            // Who stopped it wanted what was there, and has it.
            "done" | "stopped" => Self::Succeeded,
            "failed" => Self::Failed,
            "cancelled" => Self::Canceled,
            _ => return None,
        })
    }

    /// A tile's status, by Tessera's word for it. None of a word that is no tile's status.
    #[must_use]
    pub fn of_tile(status: &str) -> Option<Self> {
        Some(match status {
            "waiting" | "retrying" => Self::Ready,
            // A film that is being checked may still be refused.
            "rendering" | "received" => Self::Running,
            "accepted" => Self::Succeeded,
            _ => return None,
        })
    }
}

impl fmt::Display for TaskRunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_word_elsewhere() {
        let words = [
            ("waiting", "READY"),
            ("rendering", "RUNNING"),
            ("paused", "SUSPENDED"),
            ("done", "SUCCEEDED"),
            ("stopped", "SUCCEEDED"),
            ("failed", "FAILED"),
            ("cancelled", "CANCELED"),
        ];
        for (ours, theirs) in words {
            let status = TaskRunStatus::of_job(ours, Wait::Turn).expect(ours);
            assert_eq!(status.to_string(), theirs, "{ours}");
        }
        let waits = |wait| TaskRunStatus::of_job("waiting", wait);
        assert_eq!(waits(Wait::Jobs), Some(TaskRunStatus::Pending));
        assert_eq!(waits(Wait::Nodes), Some(TaskRunStatus::NotCompatible));
        assert_eq!(TaskRunStatus::of_job("RUNNING", Wait::Turn), None);
        for tile in ["waiting", "rendering", "retrying", "received", "accepted"] {
            assert!(TaskRunStatus::of_tile(tile).is_some(), "{tile}");
        }
        assert_eq!(TaskRunStatus::of_tile("paused"), None);
    }
}
