//! Lets the jobs in hand end before the scheduler stops, and takes no new ones: so that a version with
//! another engine can take over.
//!
//! A file in the data folder says so, which whoever may write there puts there and takes away.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::JobId;

use super::desk::{Desk, DeskHandle};
use super::run::News;
use crate::core::{State, view};

/// How often it is looked whether to drain, and how far it is.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long it stays after its last job has ended, and after somebody has fetched a film, milliseconds.
const LINGERS_MS: u64 = 15_000;
/// How long it stays at most without a job, whoever fetches what.
const LINGERS_MS_MAX: u64 = 10 * 60_000;

/// How long it waits for a node that may render a job while none is here, milliseconds.
const WAITS_MS: u64 = 10 * 60_000;

/// Asks the scheduler of a data folder to drain, now or when it is started next.
///
/// # Errors
/// The folder cannot be written.
pub fn drain(data_dir: &Path) -> io::Result<()> {
    std::fs::write(file(data_dir), "")
}

/// Takes that back; whether it was asked.
///
/// # Errors
/// The folder cannot be written.
pub fn keep_open(data_dir: &Path) -> io::Result<bool> {
    match std::fs::remove_file(file(data_dir)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the scheduler of a data folder is to drain.
fn is_asked(data_dir: &Path) -> bool {
    file(data_dir).exists()
}

/// It has drained: the next start is open to all again.
fn is_done(data_dir: &Path) {
    if let Err(error) = keep_open(data_dir) {
        let file = file(data_dir);
        tracing::error!(
            "remove this file, or the next start drains too ({error}): {}",
            file.display()
        );
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("drain")
}

/// Returns when the scheduler was asked to drain, no job can go on any more, and whoever follows one
/// has had time to fetch the rest of it; never before.
pub(super) async fn drained(data_dir: &Path, desk: &DeskHandle, tell: impl Fn(News)) {
    let (mut told, mut busy_ms, mut idle_ms) = (None, 0, None);
    loop {
        let asked = is_asked(data_dir);
        let look = desk.ask(move |desk| {
            desk.live_mut().drains = asked;
            let now_ms = desk.now_ms();
            note_unserved(desk, asked);
            let left = asked.then(|| going(desk.state(), now_ms));
            (left, desk.state().live.fetched_ms, now_ms)
        });
        // A desk that has stopped says so itself.
        let Ok((left, fetched_ms, now_ms)) = look.await else {
            return std::future::pending().await;
        };
        if left != told {
            tell(News::Draining(left));
            told = left;
        }
        if left == Some(0) {
            let idle_ms = *idle_ms.get_or_insert(now_ms);
            if now_ms >= lingers_until_ms(busy_ms.max(fetched_ms), idle_ms) {
                return is_done(data_dir);
            }
        } else {
            (busy_ms, idle_ms) = (now_ms, None);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Until when it stays that was last of use at one time, or never, 0, and has had no job since another.
const fn lingers_until_ms(used_ms: u64, idle_ms: u64) -> u64 {
    if used_ms == 0 {
        return 0;
    }
    let (until_ms, at_most_ms) = (used_ms + LINGERS_MS, idle_ms + LINGERS_MS_MAX);
    if until_ms < at_most_ms { until_ms } else { at_most_ms }
}

/// Takes note since when no node that is here may render a job: while it drains, so that whoever comes
/// back after a start, or over a line that was down, has time to.
fn note_unserved(desk: &mut Desk, drains: bool) {
    let (now_ms, before) = (desk.now_ms(), std::mem::take(&mut desk.live_mut().unserved));
    let state = desk.state();
    let jobs = state.book.active.values().map(|job| &state.book.jobs[job]);
    let unserved = jobs.filter(|job| drains && view::is_unserved(state, job));
    let since_ms = |job: JobId| before.get(&job).copied().unwrap_or(now_ms);
    let noted = unserved.map(|job| (job.id, since_ms(job.id))).collect();
    desk.live_mut().unserved = noted;
}

/// Jobs that go on. Those that are paused, wait for such, or have long had no node here that may render
/// them would hold it up for ever.
pub(super) fn going(state: &State, now_ms: u64) -> usize {
    let (book, unserved) = (&state.book, &state.live.unserved);
    let waits_in_vain =
        |job: &JobId| unserved.get(job).is_some_and(|since_ms| now_ms >= since_ms + WAITS_MS);
    let goes_on = |job: &&JobId| !book.jobs[*job].is_held() && !waits_in_vain(job);
    book.active.values().filter(goes_on).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_for_who_fetches_and_not_for_ever() {
        assert_eq!(lingers_until_ms(0, 1_000_000), 0, "it never was of use");
        assert_eq!(
            lingers_until_ms(999_000, 1_000_000),
            1_014_000,
            "a film was fetched just before"
        );
        assert_eq!(lingers_until_ms(1_300_000, 1_000_000), 1_315_000, "and another after");
        assert_eq!(lingers_until_ms(9_000_000, 1_000_000), 1_600_000, "somebody holds it up");
    }
}
