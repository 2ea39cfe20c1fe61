//! Changing the course of a job that is not over.

use std::time::Duration;

use clap::Args;
use client::Farm;
use protocol::view::JobSummary;
use protocol::{JobId, Priority, Rect, Request, Selection, Steering, TileIndex, ViewIndex};

use crate::exit::{Exit, fail};
use crate::json;
use crate::options::FarmArgs;
use crate::text;
use crate::values;

/// Which job, on which farm.
#[derive(Debug, Args)]
pub struct WhichArgs {
    /// The job
    #[arg(index = 1)]
    job: JobId,
    #[command(flatten)]
    pub(super) farm: FarmArgs,
    /// Print the job as a JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `tessera jobs pause` and `tessera jobs resume`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs pause job_3f… --farm @ticket
  tessera jobs resume job_3f… --farm @ticket

")]
pub struct SteerArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

/// Options of `tessera jobs priority`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs priority job_3f… 80 --farm @ticket

")]
pub struct PriorityArgs {
    /// 1 to 100, the highest comes first; 50 unless chosen
    #[arg(index = 2, value_parser = values::priority)]
    priority: Priority,
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

/// Options of `tessera jobs retry`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs retry job_3f… --farm @ticket
  tessera jobs retry job_3f… --frame 12 --tile 17 --tile 18 --farm @ticket

")]
pub struct RetryArgs {
    /// Tiles of this frame only
    #[arg(long, value_name = "N")]
    frame: Option<u32>,
    /// Tiles of this camera only: 0 is the first
    #[arg(long, value_name = "N")]
    camera: Option<u32>,
    /// This tile only, in rows from the upper left; may be given again
    #[arg(long, value_name = "N")]
    tile: Vec<u32>,
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

impl RetryArgs {
    /// What is asked for, each in a request of its own.
    fn selections(&self) -> Vec<Selection> {
        let (frame, view) = (self.frame, self.camera.map(ViewIndex));
        let of_tile = |tile| Selection { frame, view, tile };
        match self.tile.as_slice() {
            [] => vec![of_tile(None)],
            tiles => tiles.iter().map(|tile| of_tile(Some(TileIndex(*tile)))).collect(),
        }
    }
}

/// Options of `tessera jobs first`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs first job_3f… --at 960,400 --farm @ticket
  tessera jobs first job_3f… --frame 12 --farm @ticket

")]
pub struct FirstArgs {
    /// This frame
    #[arg(long, value_name = "N")]
    frame: Option<u32>,
    /// This camera: 0 is the first
    #[arg(long, value_name = "N")]
    camera: Option<u32>,
    /// The tile with this pixel of the picture, and then those around it
    #[arg(long, value_name = "X,Y", value_parser = values::pixel)]
    at: Option<(u32, u32)>,
    /// This tile, in rows from the upper left, and then those around it
    #[arg(long, value_name = "N", conflicts_with = "at")]
    tile: Option<u32>,
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

/// Options of `tessera jobs stop` and `tessera jobs cancel`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs stop job_3f… --farm @ticket --dry-run
  tessera jobs stop job_3f… --farm @ticket
  tessera jobs cancel job_3f… --farm @ticket

")]
pub struct EndArgs {
    /// Show what would return, and end nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

pub(super) async fn steer(
    args: &SteerArgs,
    farm: &Farm,
    steering: Steering,
) -> anyhow::Result<Exit> {
    farm.ask(Request::Steer { job: args.which.job, steering }).await?;
    say(&now(farm, args.which.job).await?, args.which.json)
}

pub(super) async fn prefer(args: &PriorityArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let steering = Steering::Priority(args.priority);
    farm.ask(Request::Steer { job: args.which.job, steering }).await?;
    let job = now(farm, args.which.job).await?;
    if !args.which.json {
        note!("  priority {} among your jobs", job.priority);
    }
    say(&job, args.which.json)
}

pub(super) async fn retry(args: &RetryArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let job = args.which.job;
    let before = now(farm, job).await?;
    if before.status.is_over() {
        return Err(fail(Exit::Failed, instead_of_retry(&before)));
    }
    for selection in args.selections() {
        farm.ask(Request::Steer { job, steering: Steering::Retry(selection) }).await?;
    }
    note!("  who failed at it may try again");
    say(&now(farm, job).await?, args.which.json)
}

pub(super) async fn first(args: &FirstArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let job = args.which.job;
    let tile = match args.at {
        Some((x, y)) => {
            let spec = now(farm, job).await?.spec;
            let window = spec.settings.window();
            let outside = || {
                let Rect { x0, y0, x1, y1 } = window;
                let words = format!(
                    "pixel {x},{y} is not rendered; choose one from {x0},{y0} to {},{}",
                    x1 - 1,
                    y1 - 1
                );
                fail(Exit::Usage, words)
            };
            Some(spec.grid().tile_at(x, y).ok_or_else(outside)?)
        }
        None => args.tile.map(TileIndex),
    };
    let which = Selection { frame: args.frame, view: args.camera.map(ViewIndex), tile };
    farm.ask(Request::Steer { job, steering: Steering::First(which) }).await?;
    if !args.which.json {
        note!("  first: {which}");
    }
    say(&now(farm, job).await?, args.which.json)
}

/// What there is to do with a job that is over: its rest has returned, so that it cannot go on itself.
fn instead_of_retry(job: &JobSummary) -> String {
    let (id, word) = (job.job, job.status.word());
    match job.units_accepted == job.units {
        true => format!(
            "the job is {word}, and all of it is accepted; to have a tile that you doubt rendered once more: tessera jobs dispute {id} --tile N --max-cost TOKENS"
        ),
        false => format!(
            "the job is {word}, and what was not spent has returned; what it lacks is another order, which keeps what is there: tessera jobs continue {id}"
        ),
    }
}

pub(super) async fn end(args: &EndArgs, farm: &Farm, steering: Steering) -> anyhow::Result<Exit> {
    let before = now(farm, args.which.job).await?;
    if before.status.is_over() {
        note!("  the job has ended already ({}); nothing to end", before.status.word());
        return say(&before, args.which.json);
    }
    if args.dry_run {
        let left = before.price.checked_sub(before.spent).unwrap_or_default();
        let (accepted, all) = (before.units_accepted.into(), before.units.into());
        let units = text::share(accepted, all, ["unit", "units"]);
        note!("  would end with {units} accepted; up to {left} tokens would return");
        return say(&before, args.which.json);
    }
    farm.ask(Request::Steer { job: args.which.job, steering }).await?;
    let after = now(farm, args.which.job).await?;
    if !after.status.is_over() {
        note!(
            "  it ends when what nodes have begun is in; see it with: tessera jobs watch {}",
            args.which.job
        );
    }
    say(&after, args.which.json)
}

async fn now(farm: &Farm, job: JobId) -> anyhow::Result<JobSummary> {
    Ok(farm.watch(job, 0, Duration::ZERO).await?.summary)
}

fn say(job: &JobSummary, json: bool) -> anyhow::Result<Exit> {
    match json {
        true => text::print(json::job(job))?,
        false => super::watch::say_end(job),
    }
    Ok(Exit::Done)
}
