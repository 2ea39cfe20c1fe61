//! `tessera jobs`: our jobs on a farm.

mod download;
mod go_on;
mod list;
mod logs;
mod shots;
mod show;
mod steer;
mod wait;
mod watch;

use clap::{Args, Subcommand};
use protocol::{JobId, Steering};

use crate::commands::submit::{self, SubmitArgs};
use crate::door;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::options::FarmArgs;

use self::download::DownloadArgs;
use self::go_on::ContinueArgs;
use self::list::ListArgs;
use self::logs::LogsArgs;
use self::shots::{DisputeArgs, ReceiptArgs};
use self::steer::{EndArgs, FirstArgs, PriorityArgs, RetryArgs, SteerArgs};
use self::wait::WaitArgs;
use self::watch::WatchArgs;

pub use self::watch::{Told, to_the_end};

/// Events of a log as programs get them: for the snapshot.
#[cfg(test)]
pub fn event_examples() -> Vec<serde_json::Value> {
    logs::Event::examples()
}

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Order a render
    Submit(Box<SubmitArgs>),
    /// List your jobs, newest first
    List(ListArgs),
    /// Show a job
    Show(JobArgs),
    /// Watch a job until it ends, and save its pictures as they are done
    Watch(WatchArgs),
    /// Wait until jobs have ended; how they did is the exit code
    Wait(WaitArgs),
    /// Say what happened to a job: films that were refused, who rendered a tile
    Logs(LogsArgs),
    /// Save a job's pictures, as far as they are accepted
    Download(DownloadArgs),
    /// Save what proves who rendered a picture, and where it was paid
    Receipt(ReceiptArgs),
    /// Have an accepted tile rendered once more; paid by you if it is right
    Dispute(DisputeArgs),
    /// Begin nothing new of a job; what nodes have begun comes in
    Pause(SteerArgs),
    /// Let a paused job go on, or one that waits for others begin
    Resume(SteerArgs),
    /// Say which of your jobs comes first
    Priority(PriorityArgs),
    /// Say what of a job is rendered first: a place in its picture, a frame, a camera
    First(FirstArgs),
    /// Let nodes that failed at tiles of a job try again
    Retry(RetryArgs),
    /// End a job with the samples that it has; what is left in escrow returns
    Stop(EndArgs),
    /// End a job at once, unwanted; what is left in escrow returns
    Cancel(EndArgs),
    /// Add samples to a job that is over, or render what it lacks
    Continue(Box<ContinueArgs>),
}

/// A job, and how to show it.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs show job_3f… --farm @ticket
  tessera jobs show job_3f… --farm @ticket --json

")]
pub struct JobArgs {
    /// The job
    job: JobId,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

/// Does it.
///
/// # Errors
/// The farm; no such job; files that cannot be written.
pub fn run(command: &JobsCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    if let JobsCommand::Submit(args) = command {
        return submit::run(args, interrupt);
    }
    door::block_on(async {
        let farm = door::connect(command.farm(), interrupt).await?;
        let exit = match command {
            JobsCommand::Submit(_) => Ok(Exit::Done),
            JobsCommand::List(args) => list::list(args, &farm).await,
            JobsCommand::Show(args) => show::show(args, &farm).await,
            JobsCommand::Watch(args) => watch::watch(args, &farm, interrupt).await,
            JobsCommand::Wait(args) => wait::wait(args, &farm, interrupt).await,
            JobsCommand::Logs(args) => logs::logs(args, &farm, interrupt).await,
            JobsCommand::Download(args) => download::download(args, &farm, interrupt).await,
            JobsCommand::Receipt(args) => shots::receipt(args, &farm).await,
            JobsCommand::Dispute(args) => shots::dispute(args, &farm).await,
            JobsCommand::Pause(args) => steer::steer(args, &farm, Steering::Pause).await,
            JobsCommand::Resume(args) => steer::steer(args, &farm, Steering::Resume).await,
            JobsCommand::Priority(args) => steer::prefer(args, &farm).await,
            JobsCommand::First(args) => steer::first(args, &farm).await,
            JobsCommand::Retry(args) => steer::retry(args, &farm).await,
            JobsCommand::Stop(args) => steer::end(args, &farm, Steering::Stop).await,
            JobsCommand::Cancel(args) => steer::end(args, &farm, Steering::Cancel).await,
            JobsCommand::Continue(args) => go_on::go_on(args, &farm, interrupt).await,
        };
        farm.close().await;
        exit
    })
}

impl JobsCommand {
    /// Which farm it asks.
    fn farm(&self) -> &FarmArgs {
        match self {
            Self::Submit(args) => args.farm(),
            Self::List(args) => &args.farm,
            Self::Show(args) => &args.farm,
            Self::Watch(args) => &args.farm,
            Self::Wait(args) => &args.farm,
            Self::Logs(args) => &args.farm,
            Self::Download(args) => &args.farm,
            Self::Receipt(args) => &args.farm,
            Self::Dispute(args) => &args.farm,
            Self::Pause(args) | Self::Resume(args) => &args.which.farm,
            Self::Priority(args) => &args.which.farm,
            Self::First(args) => &args.which.farm,
            Self::Retry(args) => &args.which.farm,
            Self::Stop(args) | Self::Cancel(args) => &args.which.farm,
            Self::Continue(args) => &args.order.farm,
        }
    }
}
