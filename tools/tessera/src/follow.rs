//! Following a job until it ends.

use std::time::Duration;

use client::Farm;
use protocol::view::{JobStatus, JobSummary, JobUpdate};
use protocol::{JobId, limits};

use crate::download::Downloaded;
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
        let ended = update.summary.status.is_over();
        if ended && update.accepted.is_empty() {
            return Ok(Followed::Ended(Box::new(update.summary)));
        }
        wait = if ended { Duration::ZERO } else { limits::POLL_WAIT_MAX };
    }
}

/// How the process ends for a job that stands so.
pub fn exit_for(status: JobStatus, files: &Downloaded) -> Exit {
    let is_whole = files.incomplete.is_empty() && files.missing == 0;
    let is_some = !files.written.is_empty() || files.skipped > 0;
    match status {
        _ if !is_some => Exit::Failed,
        _ if is_whole && files.short.is_empty() => Exit::Done,
        // As many samples as there was time for is what was wanted.
        JobStatus::Stopped if is_whole => Exit::Done,
        _ => Exit::Partial,
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Shot, ViewIndex};

    use super::*;

    #[test]
    fn what_was_saved_decides_between_partial_and_failed() {
        let shot = Shot { frame: 0, view: ViewIndex(0) };
        let files = |written, incomplete, short| Downloaded {
            written: vec!["a.exr".into(); written],
            incomplete: vec![shot; incomplete],
            short: vec![(shot, 0.5); short],
            ..Downloaded::default()
        };
        let check = |status, files: Downloaded, exit| assert_eq!(exit_for(status, &files), exit);
        check(JobStatus::Done, files(2, 0, 0), Exit::Done);
        check(JobStatus::Done, files(2, 1, 0), Exit::Partial);
        check(JobStatus::Stopped, files(2, 0, 1), Exit::Done);
        check(JobStatus::Stopped, files(2, 1, 1), Exit::Partial);
        check(JobStatus::Stopped, files(0, 0, 0), Exit::Failed);
        check(JobStatus::Rendering, files(1, 0, 1), Exit::Partial);
        check(JobStatus::Failed, files(1, 1, 0), Exit::Partial);
        check(JobStatus::Cancelled, files(0, 0, 0), Exit::Failed);
        // Frames that were asked for and are all there, of a job that goes on.
        check(JobStatus::Rendering, files(2, 0, 0), Exit::Done);
        let more =
            |written, skipped, missing| Downloaded { skipped, missing, ..files(written, 0, 0) };
        check(JobStatus::Done, more(0, 3, 0), Exit::Done);
        check(JobStatus::Stopped, more(2, 0, 1), Exit::Partial);
        check(JobStatus::Rendering, more(0, 3, 1), Exit::Partial);
        check(JobStatus::Rendering, more(0, 0, 4), Exit::Failed);
    }
}
