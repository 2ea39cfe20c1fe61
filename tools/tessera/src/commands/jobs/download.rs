//! `tessera jobs download`: a job's pictures, as far as they are accepted.

use std::time::Duration;

use clap::Args;
use client::Farm;
use protocol::JobId;

use super::watch::{save, show_progress};
use crate::download::Download;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::options::FarmArgs;
use crate::output::{KeepArgs, OutputArgs};
use crate::progress::Progress;
use crate::values::Frames;

/// Options of `tessera jobs download`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs download job_3f… --farm @ticket -o frame.exr -o frame.png
  tessera jobs download job_3f… --farm @ticket -o out/frame.exr --existing skip
  tessera jobs download job_3f… --farm @ticket -o out/frame.exr --frames 1-24
  tessera jobs download job_3f… --farm @ticket -o out/frame.exr --video shot.mp4

")]
pub struct DownloadArgs {
    /// The job
    job: JobId,
    #[command(flatten)]
    pub(super) farm: FarmArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    keep: KeepArgs,
    /// These frames only, first and last
    #[arg(long, value_name = "A-B")]
    frames: Option<Frames>,
    /// Print what was written as a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn download(
    args: &DownloadArgs,
    farm: &Farm,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let mut update = farm.watch(args.job, 0, Duration::ZERO).await?;
    if update.summary.expired {
        let message = "the job ended long ago and the farm has not kept its films; order it anew";
        return Err(fail(Exit::NotFound, message));
    }
    let spec = &update.summary.spec;
    let outputs = args.keep.outputs(&args.output, &spec.name)?;
    let download = match args.frames {
        Some(frames) => Download::of_frames(args.job, spec, outputs, frames)?,
        None => Download::new(args.job, spec, outputs),
    };
    let mut download = download.with_video(args.keep.video()?)?;
    let progress = Progress::start("fetching", ["unit", "units"]);
    while !update.accepted.is_empty() && !download.is_whole() {
        show_progress(&progress, &update);
        download.take(farm, &update.accepted).await?;
        update = farm.watch(args.job, update.next, Duration::ZERO).await?;
    }
    drop(progress);
    if !update.summary.status.is_over() {
        note!("  the job is still {}", update.summary.status.word());
    }
    let exit = save(download, &update.summary, args.json, interrupt)?;
    // A job under way is not a failure, but its picture is partial.
    Ok(match (exit, update.summary.status) {
        (Exit::Failed, status) if !status.is_over() => Exit::Partial,
        (exit, _) => exit,
    })
}
