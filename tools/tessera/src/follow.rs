//! Following a job until it ends.

use std::time::Duration;

use protocol::view::{JobStatus, JobSummary, JobUpdate};
use protocol::{JobId, limits};

use crate::client::Farm;
use crate::exit::Exit;
use crate::interrupt::Interrupt;

/// How following ended.
pub enum Followed {
    /// The job ended.
    Ended(Box<JobSummary>),
    /// We were asked to stop; the job goes on.
    Detached,
}

/// Hands every news of a job to `news` until the job has ended and all its films are known.
///
/// # Errors
/// Those of [`Farm::watch`] and of `news`.
pub async fn follow(
    farm: &Farm,
    job: JobId,
    interrupt: &Interrupt,
    mut news: impl AsyncFnMut(&JobUpdate) -> anyhow::Result<()>,
) -> anyhow::Result<Followed> {
    let (mut after, mut wait) = (0, Duration::ZERO);
    loop {
        let update = match farm.watch(job, after, wait).await {
            Err(_interrupted) if interrupt.is_set() => return Ok(Followed::Detached),
            update => update?,
        };
        after = update.next;
        match news(&update).await {
            Err(_interrupted) if interrupt.is_set() => return Ok(Followed::Detached),
            told => told?,
        }
        let ended = has_ended(update.summary.status);
        if ended && update.accepted.is_empty() {
            return Ok(Followed::Ended(Box::new(update.summary)));
        }
        wait = if ended { Duration::ZERO } else { limits::POLL_WAIT_MAX };
    }
}

/// Whether a job is over.
pub fn has_ended(status: JobStatus) -> bool {
    matches!(status, JobStatus::Done | JobStatus::Failed | JobStatus::Cancelled)
}

/// How the process ends for a job that ended so, of which `missing` frames are incomplete.
pub fn exit_for(status: JobStatus, missing: usize, written: usize) -> Exit {
    match status {
        JobStatus::Done if missing == 0 => Exit::Done,
        _ if written > 0 => Exit::Partial,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_decides_between_partial_and_failed() {
        assert_eq!(exit_for(JobStatus::Done, 0, 2), Exit::Done);
        assert_eq!(exit_for(JobStatus::Done, 1, 2), Exit::Partial);
        assert_eq!(exit_for(JobStatus::Failed, 1, 1), Exit::Partial);
        assert_eq!(exit_for(JobStatus::Cancelled, 0, 0), Exit::Failed);
    }
}
