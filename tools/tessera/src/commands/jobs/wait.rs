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

use super::watch::held_up;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::progress::{self, Progress};
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

/// Why a job does not go on, as it was said last.
#[derive(Debug, Default)]
struct WhyNot {
    said: Option<String>,
}

impl WhyNot {
    /// What there is to say of a job that is not over, where that is something new.
    fn news(&mut self, job: &JobSummary) -> Option<String> {
        let why = held_up(job);
        if self.said == why {
            return None;
        }
        self.said.clone_from(&why);
        why.map(|why| stands(job, &why))
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
        let why = WhyNot::default();
        tasks.spawn(one(farm.clone(), job, Arc::clone(&questions), is_many, why));
    }
    let progress = Progress::start("waiting", ["job", "jobs"]);
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
                progress.note(&format!("  {}", left_words(jobs.len() - exits.len())));
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
    let holes = if ended.has_holes { ", tiles are missing" } else { "" };
    progress.note(&format!("  {}{holes}", stands(job, &text::standing(job))));
    Ok(())
}

/// A job among several, and how it stands.
fn stands(job: &JobSummary, how: &str) -> String {
    format!("{} {}: {how}", job.job, job.spec.name)
}

/// Those that are left when the time is up.
fn left_words(jobs: usize) -> String {
    let goes_on = if jobs == 1 { "goes on" } else { "go on" };
    format!("{} had not ended in time, and {goes_on}", text::plural(jobs as u64, "job", "jobs"))
}

/// Waits for one job.
async fn one(
    farm: Farm,
    job: JobId,
    questions: Arc<Semaphore>,
    is_many: bool,
    mut why: WhyNot,
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
        if let Some(line) = why.news(&job) {
            progress::note_above(&format!("  {line}"));
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
    fn why_a_job_does_not_go_on_is_said_once() {
        let mut why = WhyNot::default();
        let mut news = |status, reason: Option<&str>| {
            let reason = reason.map(ToOwned::to_owned);
            why.news(&JobSummary { status, reason, ..examples::job() })
        };
        let paused = format!("{} shot_010: paused: by you", examples::job().job);
        assert_eq!(news(JobStatus::Waiting, None), None);
        assert_eq!(news(JobStatus::Paused, Some("by you")), Some(paused.clone()));
        assert_eq!(news(JobStatus::Paused, Some("by you")), None);
        assert_eq!(news(JobStatus::Rendering, None), None);
        assert_eq!(news(JobStatus::Paused, Some("by you")), Some(paused));
    }

    #[test]
    fn who_is_left_is_counted() {
        assert_eq!(left_words(1), "1 job had not ended in time, and goes on");
        assert_eq!(left_words(3), "3 jobs had not ended in time, and go on");
    }

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
