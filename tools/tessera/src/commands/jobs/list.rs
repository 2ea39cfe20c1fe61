//! `tessera jobs list`: our jobs in a table.

use clap::{Args, ValueEnum};
use client::Farm;
use protocol::limits;
use protocol::view::{JobStatus, JobSummary};

use crate::deadline;
use crate::exit::Exit;
use crate::json;
use crate::options::FarmArgs;
use crate::text;
use crate::values;

/// Options of `tessera jobs list`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs list --farm @ticket
  tessera jobs list --farm @ticket --status failed --json

")]
pub struct ListArgs {
    #[command(flatten)]
    pub(super) farm: FarmArgs,
    /// Only jobs that stand so
    #[arg(long, value_enum)]
    status: Option<StatusName>,
    /// Rows to skip
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u32,
    /// Rows to show
    #[arg(long, value_name = "N", default_value_t = 50,
        value_parser = values::whole(1..=limits::PAGE_ROWS_MAX))]
    limit: u32,
    /// Print a JSON object a job
    #[arg(long)]
    json: bool,
}

/// A job's status as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusName {
    /// No node has it yet
    Waiting,
    /// Nodes work on it
    Rendering,
    /// Nothing new is begun
    Paused,
    /// All is accepted
    Done,
    /// Ended by you with the samples that it had
    Stopped,
    /// It gave up
    Failed,
    /// Not wanted any more
    Cancelled,
}

pub(super) async fn list(args: &ListArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let mut jobs = farm.jobs(args.offset, args.limit).await?;
    if let Some(wanted) = args.status {
        jobs.retain(|job| status_name(job.status) == wanted);
    }
    if args.json {
        jobs.iter().try_for_each(|job| text::print(json::job(job)))?;
    } else if jobs.is_empty() {
        note!("  no jobs");
    } else {
        text::print(job_table(&jobs))?;
    }
    Ok(Exit::Done)
}

fn status_name(status: JobStatus) -> StatusName {
    match status {
        JobStatus::Waiting => StatusName::Waiting,
        JobStatus::Rendering => StatusName::Rendering,
        JobStatus::Paused => StatusName::Paused,
        JobStatus::Done => StatusName::Done,
        JobStatus::Stopped => StatusName::Stopped,
        JobStatus::Failed => StatusName::Failed,
        JobStatus::Cancelled => StatusName::Cancelled,
    }
}

fn job_table(jobs: &[JobSummary]) -> comfy_table::Table {
    let now_ms = text::now_ms();
    let rows = jobs.iter().map(|job| {
        vec![
            job.job.to_string(),
            job.spec.name.clone(),
            status(job, now_ms),
            format!("{}/{}", job.units_accepted, job.units),
            job.price.to_string(),
            job.spent.to_string(),
            text::ago(job.ordered_ms, now_ms),
        ]
    });
    let header = ["job", "name", "status", "accepted", "price", "spent", "ordered"];
    text::table(&header, &[3, 4, 5], rows.collect())
}

/// Where a job stands, and by how much it is or will be late.
fn status(job: &JobSummary, now_ms: u64) -> String {
    let late = deadline::outlook(job, now_ms).filter(|_| deadline::is_late(job, now_ms));
    let word = job.status.word();
    late.map_or_else(|| word.to_owned(), |late| format!("{word}, {late}"))
}
