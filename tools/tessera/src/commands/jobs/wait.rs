//! `tessera jobs wait`: until jobs have ended; how they did is the exit code.

use std::collections::BTreeSet;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use client::{Error, Farm};
use protocol::view::{JobStatus, JobSummary};
use protocol::{JobId, JobSpec, ShotIndex, TileIndex, limits};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::progress::Progress;
use crate::text;

/// Questions under way at a time, of those that a connection may have.
const QUESTIONS: usize = limits::STREAMS_PER_CONNECTION_MAX as usize / 2;
/// Pause between two questions about a job that is watched: news come in bunches.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same where there are more jobs than questions: none may hold one for long.
const LOOK_EVERY_OF_MANY: Duration = Duration::from_secs(5);

/// Options of `tessera jobs wait`.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  tessera jobs wait job_3f… --farm @ticket
  tessera jobs wait job_3f… job_7a… --farm @ticket --timeout 2h
  tessera jobs wait job_3f… job_7a… --farm @ticket --any --json

",
    after_help = "\
Exit codes: 0 all are done, 1 one failed or was cancelled, 7 one was stopped with tiles missing,
8 the time was up; with --any, by the job that ended"
)]
pub struct WaitArgs {
    /// The jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<JobId>,
    /// Until one of them has ended, instead of all
    #[arg(long)]
    any: bool,
    /// Wait no longer than this: 90s, 15m, 2h; the jobs go on
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    pub(super) farm: FarmArgs,
    /// Print a JSON object a job, as it ends
    #[arg(long)]
    json: bool,
}

/// How a job ended.
struct Ended {
    job: JobSummary,
    /// Whether a tile has no samples, of one that was stopped.
    has_holes: bool,
}

impl Ended {
    fn exit(&self) -> Exit {
        match (self.job.status, self.has_holes) {
            (JobStatus::Done, _) | (JobStatus::Stopped, false) => Exit::Done,
            (JobStatus::Stopped, true) => Exit::Partial,
            _ => Exit::Failed,
        }
    }
}

/// How several ended together.
fn exit_of(ended: &[Exit]) -> Exit {
    let worst = [Exit::Failed, Exit::Partial].into_iter().find(|exit| ended.contains(exit));
    worst.unwrap_or(Exit::Done)
}

pub(super) async fn wait(
    args: &WaitArgs,
    farm: &Farm,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let jobs: BTreeSet<JobId> = args.jobs.iter().copied().collect();
    let questions = Arc::new(Semaphore::new(QUESTIONS));
    let is_many = jobs.len() > QUESTIONS;
    let mut tasks = JoinSet::new();
    for &job in &jobs {
        tasks.spawn(one(farm.clone(), job, Arc::clone(&questions), is_many));
    }
    let progress = Progress::start("waiting", "jobs");
    let total = if args.any { 1 } else { jobs.len() as u64 };
    let mut exits = Vec::new();
    let time_up = async {
        match args.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => future::pending().await,
        }
    };
    tokio::pin!(time_up);
    loop {
        progress.show(exits.len() as u64, total, "");
        let ended = tokio::select! {
            ended = tasks.join_next() => ended,
            () = &mut time_up => {
                let left = text::plural(jobs.len() as u64 - exits.len() as u64, "job", "jobs");
                progress.note(&format!("  {left} had not ended in time, and go on"));
                return Ok(Exit::TimedOut);
            }
        };
        let Some(ended) = ended else { return Ok(exit_of(&exits)) };
        let ended = match ended.context("a watch was cut off")? {
            Err(_stopped) if interrupt.is_set() => {
                progress.note("  interrupted; the jobs go on");
                return Ok(Exit::Interrupted);
            }
            ended => ended?,
        };
        say(&ended, args.json, &progress)?;
        exits.push(ended.exit());
        if args.any {
            return Ok(exit_of(&exits));
        }
    }
}

fn say(ended: &Ended, json: bool, progress: &Progress) -> anyhow::Result<()> {
    let job = &ended.job;
    if json {
        text::print(json::ended(job, ended.has_holes))?;
        return Ok(());
    }
    let reason = job.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let holes = if ended.has_holes { ", tiles are missing" } else { "" };
    progress.note(&format!(
        "  {} {}: {}{reason}{holes}",
        job.job,
        job.spec.name,
        job.status.word()
    ));
    Ok(())
}

/// Waits for one job.
async fn one(
    farm: Farm,
    job: JobId,
    questions: Arc<Semaphore>,
    is_many: bool,
) -> Result<Ended, Error> {
    let (wait, pause) = match is_many {
        true => (Duration::ZERO, LOOK_EVERY_OF_MANY),
        false => (limits::POLL_WAIT_MAX, LOOK_EVERY),
    };
    let mut after = 0;
    loop {
        let update = {
            let _asks = questions.acquire().await;
            farm.watch(job, after, wait).await?
        };
        after = update.next;
        let job = update.summary;
        if job.status.is_over() {
            let stopped = job.status == JobStatus::Stopped;
            let has_holes = stopped && has_holes(&farm, &job).await?;
            return Ok(Ended { job, has_holes });
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether a tile of an ended job has no samples; of one that is not known any more, whether units
/// were missing.
async fn has_holes(farm: &Farm, job: &JobSummary) -> Result<bool, Error> {
    if job.units_accepted == job.units || job.expired {
        return Ok(job.units_accepted < job.units);
    }
    let mut seen: BTreeSet<(ShotIndex, TileIndex)> = BTreeSet::new();
    let mut after = 0;
    loop {
        let update = farm.watch(job.job, after, Duration::ZERO).await?;
        if update.accepted.is_empty() {
            return Ok((seen.len() as u64) < tiles(&job.spec));
        }
        seen.extend(update.accepted.iter().map(|it| (it.unit.shot, it.unit.tile)));
        after = update.next;
    }
}

/// Tiles of all pictures.
fn tiles(spec: &JobSpec) -> u64 {
    u64::from(spec.grid().tile_count()) * u64::from(spec.shot_count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn how_jobs_ended_is_the_exit_code() {
        let exit = |status, has_holes| {
            Ended { job: JobSummary { status, ..examples::job() }, has_holes }.exit()
        };
        assert_eq!(exit(JobStatus::Done, false), Exit::Done);
        assert_eq!(exit(JobStatus::Stopped, false), Exit::Done);
        assert_eq!(exit(JobStatus::Stopped, true), Exit::Partial);
        assert_eq!(exit(JobStatus::Failed, false), Exit::Failed);
        assert_eq!(exit(JobStatus::Cancelled, false), Exit::Failed);
        assert_eq!(exit_of(&[Exit::Done, Exit::Done]), Exit::Done);
        assert_eq!(exit_of(&[Exit::Done, Exit::Partial]), Exit::Partial);
        assert_eq!(exit_of(&[Exit::Partial, Exit::Failed, Exit::Done]), Exit::Failed);
    }
}
