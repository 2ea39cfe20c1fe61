//! `tessera jobs`: our jobs on a farm.

mod go_on;
mod steer;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use client::Farm;
use protocol::view::{AcceptedUnit, JobStatus, JobSummary, JobUpdate};
use protocol::{
    JobId, JobSpec, NoiseTarget, Request, Shot, ShotIndex, Steering, Tokens, ViewIndex, limits,
};

use crate::commands::submit::{self, SubmitArgs};
use crate::deadline;
use crate::door;
use crate::download::Download;
use crate::exit::{Exit, fail};
use crate::follow::{self, Followed};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::output::OutputArgs;
use crate::papers::{self, Paper};
use crate::progress::Progress;
use crate::text;

use self::go_on::ContinueArgs;
use self::steer::{EndArgs, FirstArgs, PriorityArgs, RetryArgs, SteerArgs};

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Order a render
    Submit(Box<SubmitArgs>),
    /// List your jobs, newest first
    List(ListArgs),
    /// Show a job
    Show(JobArgs),
    /// Watch a job until it ends
    Watch(JobArgs),
    /// Save a job's picture, as far as it is accepted
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

/// Options of `tessera jobs list`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs list --farm @ticket
  tessera jobs list --farm @ticket --status failed --json

")]
pub struct ListArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Only jobs that stand so
    #[arg(long, value_enum)]
    status: Option<StatusName>,
    /// Rows to skip
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u32,
    /// Rows to show
    #[arg(long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::PAGE_ROWS_MAX)))]
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

/// A job, and how to show it.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs show job_3f… --farm @ticket
  tessera jobs watch job_3f… --farm @ticket --json

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

/// Options of `tessera jobs download`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs download job_3f… --farm @ticket -o frame.exr -o frame.png

")]
pub struct DownloadArgs {
    /// The job
    job: JobId,
    #[command(flatten)]
    farm: FarmArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Print what was written as a JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `tessera jobs receipt`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs receipt job_3f… --farm @ticket -o receipt.json
  tessera jobs receipt job_3f… --farm @ticket --frame 12 -o receipt.0012.json
  tessera verify receipt.json --scene scene.glb --picture frame.exr

")]
pub struct ReceiptArgs {
    /// The job
    job: JobId,
    #[command(flatten)]
    farm: FarmArgs,
    #[command(flatten)]
    shot: ShotArgs,
    /// The file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
}

/// Options of `tessera jobs dispute`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs dispute job_3f… --tile 17 --max-cost 0.05 --farm @ticket
  tessera jobs dispute job_3f… --frame 12 --tile 17 --max-cost 0.05 --farm @ticket

")]
pub struct DisputeArgs {
    /// The job
    job: JobId,
    #[command(flatten)]
    farm: FarmArgs,
    #[command(flatten)]
    shot: ShotArgs,
    /// Number of the tile, in rows from the upper left
    #[arg(long, value_name = "N")]
    tile: u32,
    /// Most tokens that looking may cost, for each of the tile's films; they come back if it is bad
    #[arg(long, value_name = "TOKENS")]
    max_cost: Tokens,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Which picture of a job.
#[derive(Debug, Args)]
pub struct ShotArgs {
    /// The frame, of a job with several
    #[arg(long, value_name = "N")]
    frame: Option<u32>,
    /// Number of the camera, of a job with several: 0 is the first
    #[arg(long, value_name = "N", default_value_t = 0)]
    camera: u32,
}

/// Does it.
///
/// # Errors
/// The farm; no such job; files that cannot be written.
pub fn run(command: &JobsCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let farm_args = match command {
        JobsCommand::Submit(args) => return submit::run(args, interrupt),
        JobsCommand::List(args) => &args.farm,
        JobsCommand::Show(args) | JobsCommand::Watch(args) => &args.farm,
        JobsCommand::Download(args) => &args.farm,
        JobsCommand::Receipt(args) => &args.farm,
        JobsCommand::Dispute(args) => &args.farm,
        JobsCommand::Pause(args) | JobsCommand::Resume(args) => &args.which.farm,
        JobsCommand::Priority(args) => &args.which.farm,
        JobsCommand::First(args) => &args.which.farm,
        JobsCommand::Retry(args) => &args.which.farm,
        JobsCommand::Stop(args) | JobsCommand::Cancel(args) => &args.which.farm,
        JobsCommand::Continue(args) => &args.order.farm,
    };
    door::block_on(async {
        let farm = door::connect(farm_args, interrupt).await?;
        let exit = match command {
            JobsCommand::Submit(_) => Ok(Exit::Done),
            JobsCommand::List(args) => list(args, &farm).await,
            JobsCommand::Show(args) => show(args, &farm).await,
            JobsCommand::Watch(args) => watch(args, &farm, interrupt).await,
            JobsCommand::Download(args) => download(args, &farm).await,
            JobsCommand::Receipt(args) => receipt(args, &farm).await,
            JobsCommand::Dispute(args) => dispute(args, &farm).await,
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

async fn list(args: &ListArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let mut jobs = farm.jobs(args.offset, args.limit).await?;
    if let Some(wanted) = args.status {
        jobs.retain(|job| status_name(job.status) == wanted);
    }
    if args.json {
        jobs.iter().try_for_each(|job| text::print(json::job(job)))?;
    } else if jobs.is_empty() {
        eprintln!("  no jobs");
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

async fn show(args: &JobArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let update = farm.watch(args.job, 0, std::time::Duration::ZERO).await?;
    let job = &update.summary;
    if args.json {
        text::print(json::job(job))?;
        return Ok(Exit::Done);
    }
    let (settings, over) = (&job.spec.settings, job.status.is_over());
    let rows = [
        ("name", job.spec.name.clone()),
        ("status", job.status.word().to_owned()),
        ("reason", job.reason.clone().unwrap_or_default()),
        ("scene", job.spec.scene.to_string()),
        ("picture", format!("{}, {} spp", text::frame(settings), settings.samples)),
        ("enough", job.spec.noise.as_ref().map(enough).unwrap_or_default()),
        ("cameras", cameras(&job.spec)),
        ("needs", needs(&job.spec)),
        ("memory", memory(job)),
        ("frames", text::count(u64::from(job.spec.frames.count()))),
        ("accepted", format!("{} of {}", job.units_accepted, job.units)),
        ("tiles", tile_counts(&update)),
        ("price", job.price.to_string()),
        ("pays", format!("{} per billion rays", text::tokens(job.price_per_gray))),
        ("assurance", job.assurance.to_string()),
        ("spent", job.spent.to_string()),
        ("refunded", job.refunded.to_string()),
        ("priority", if over { String::new() } else { job.priority.to_string() }),
        ("goes on from", job.spec.base.map(|base| base.to_string()).unwrap_or_default()),
        ("ordered", text::ago(job.ordered_ms, text::now_ms())),
        ("films", if job.expired { "not kept any longer".to_owned() } else { String::new() }),
        ("wanted", deadline::line(job, text::now_ms()).unwrap_or_default()),
        ("stops", job.stops_ms.filter(|_| !over).map(stops).unwrap_or_default()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        text::print(format_args!("{name:<13}{value}"))?;
    }
    Ok(Exit::Done)
}

/// Memory that its scene takes, and how many of those who may render it and are here have it.
fn memory(job: &JobSummary) -> String {
    let here = job.nodes_here.map(|count| {
        let nodes = text::plural(count.into(), "node", "nodes");
        format!("; {nodes} that can hold it here now")
    });
    format!("{}{}", job.memory, here.unwrap_or_default())
}

/// Which nodes may render it, where not every one may.
fn needs(spec: &JobSpec) -> String {
    if spec.needs.is_nothing() { String::new() } else { spec.needs.to_string() }
}

/// When a tile has samples enough.
fn enough(target: &NoiseTarget) -> String {
    let (threshold, least) = (target.threshold(), target.samples_min());
    format!("a noise of {threshold}, after {least} spp or more")
}

/// When a job ends with the samples that it has.
fn stops(stops_ms: u64) -> String {
    let left = std::time::Duration::from_millis(stops_ms.saturating_sub(text::now_ms()));
    format!("in {}, with the samples that it has then", text::span(left))
}

/// The cameras, where there are several.
fn cameras(spec: &JobSpec) -> String {
    let names = (0..spec.view_count()).filter_map(|view| spec.camera(ViewIndex(view)));
    let names: Vec<String> = names.map(ToString::to_string).collect();
    if names.len() > 1 { names.join(", ") } else { String::new() }
}

/// `3 rendering, 12 accepted`.
fn tile_counts(update: &JobUpdate) -> String {
    let mut statuses = update.tiles.clone();
    statuses.sort_unstable();
    let counts = statuses.chunk_by(|a, b| a == b).map(|run| {
        let status = run.first().copied().map_or("", json::tile_status);
        format!("{} {status}", text::count(run.len() as u64))
    });
    counts.collect::<Vec<_>>().join(", ")
}

async fn watch(args: &JobArgs, farm: &Farm, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let progress = Progress::start("rendering", "units");
    let followed = follow::follow(farm, args.job, interrupt, async |update| {
        show_progress(&progress, update);
        if args.json {
            text::print(json::job(&update.summary))?;
        }
        Ok(())
    })
    .await?;
    drop(progress);
    match followed {
        Followed::Detached => Ok(detached(args.job)),
        Followed::Ended(summary) => {
            say_end(&summary);
            Ok(match summary.status {
                JobStatus::Done | JobStatus::Stopped => Exit::Done,
                _ => Exit::Failed,
            })
        }
    }
}

fn show_progress(progress: &Progress, update: &JobUpdate) {
    let JobSummary { units, units_accepted, spent, price, .. } = &update.summary;
    let word = match price.is_zero() {
        true => String::new(),
        false => format!("{} of {} tokens", text::tokens(*spent), text::tokens(*price)),
    };
    progress.show(u64::from(*units_accepted), u64::from(*units), &word);
}

fn detached(job: JobId) -> Exit {
    eprintln!("  the job goes on; follow it again with: tessera jobs watch {job}");
    Exit::Interrupted
}

fn say_end(job: &JobSummary) {
    let reason = job.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let money = match job.price.is_zero() {
        true => String::new(),
        false => format!(", {} tokens spent, {} refunded", job.spent, job.refunded),
    };
    eprintln!(
        "  {}{reason}; {} of {} accepted{money}",
        job.status.word(),
        job.units_accepted,
        text::plural(u64::from(job.units), "unit", "units"),
    );
}

/// Follows a job, fetching films as they are accepted, and writes its pictures.
///
/// # Errors
/// The farm, or a file that cannot be written.
pub async fn follow_to_files(
    farm: &Farm,
    job: JobId,
    mut download: Download,
    interrupt: &Interrupt,
    json: bool,
) -> anyhow::Result<Exit> {
    let progress = Progress::start("rendering", "units");
    let followed = follow::follow(farm, job, interrupt, async |update| {
        show_progress(&progress, update);
        download.take(farm, &update.accepted).await
    })
    .await?;
    drop(progress);
    match followed {
        Followed::Detached => Ok(detached(job)),
        Followed::Ended(summary) => {
            say_end(&summary);
            save(download, &summary, json)
        }
    }
}

fn save(download: Download, job: &JobSummary, json: bool) -> anyhow::Result<Exit> {
    let files = download.finish()?;
    for shot in &files.incomplete {
        let camera = job.spec.camera(shot.view).filter(|_| job.spec.view_count() > 1);
        let of = camera.map_or_else(String::new, |camera| format!(" of {camera}"));
        eprintln!("  frame {}{of} is incomplete; what is missing is transparent", shot.frame);
    }
    if let Some((_, share)) = files.short.iter().min_by(|a, b| a.1.total_cmp(&b.1)) {
        let frames = text::plural(files.short.len() as u64, "frame has", "frames have");
        let percent = share * 100.0;
        eprintln!(
            "  {frames} not all samples, {percent:.0} % at least; add them with: tessera jobs continue {}",
            job.job
        );
    }
    if json {
        let mut object = json::job(job);
        object["files"] = files.written.iter().map(|path| path.display().to_string()).collect();
        let frames: BTreeSet<u32> = files.incomplete.iter().map(|shot| shot.frame).collect();
        object["incomplete_frames"] = frames.into_iter().collect();
        object["incomplete"] =
            files.incomplete.iter().map(|&shot| json::shot(&job.spec, shot)).collect();
        let shares = files.short.iter().map(|&(shot, share)| {
            let mut object = json::shot(&job.spec, shot);
            object["share_done"] = share.into();
            object
        });
        object["short"] = shares.collect();
        text::print(object)?;
    } else {
        files.written.iter().try_for_each(|path| text::print(path.display()))?;
    }
    Ok(follow::exit_for(job.status, &files))
}

async fn download(args: &DownloadArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let mut update = farm.watch(args.job, 0, std::time::Duration::ZERO).await?;
    if update.summary.expired {
        let message = "the job ended long ago and the farm has not kept its films; order it anew";
        return Err(fail(Exit::NotFound, message));
    }
    let outputs = args.output.outputs(&update.summary.spec.name)?;
    let mut download = Download::new(args.job, &update.summary.spec, outputs);
    let progress = Progress::start("fetching", "units");
    while !update.accepted.is_empty() {
        show_progress(&progress, &update);
        download.take(farm, &update.accepted).await?;
        update = farm.watch(args.job, update.next, std::time::Duration::ZERO).await?;
    }
    drop(progress);
    if !update.summary.status.is_over() {
        eprintln!("  the job is still {}", update.summary.status.word());
    }
    let exit = save(download, &update.summary, args.json)?;
    // A job under way is not a failure, but its picture is partial.
    Ok(match (exit, update.summary.status) {
        (Exit::Failed, status) if !status.is_over() => Exit::Partial,
        (exit, _) => exit,
    })
}

async fn receipt(args: &ReceiptArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let spec = farm.watch(args.job, 0, std::time::Duration::ZERO).await?.summary.spec;
    let receipt = farm.receipt(args.job, args.shot.of(&spec)?).await?;
    papers::write(&args.output, farm.scheduler(), &Paper::Receipt(Box::new(receipt)))?;
    text::print(args.output.display())?;
    Ok(Exit::Done)
}

impl ShotArgs {
    /// The shot's number in the job.
    fn of(&self, spec: &JobSpec) -> anyhow::Result<ShotIndex> {
        if self.frame.is_none() && spec.frames.count() > 1 {
            return Err(fail(Exit::Usage, "the job has several frames; choose one with --frame"));
        }
        let frame = self.frame.unwrap_or(spec.frames.first);
        let shot = Shot { frame, view: ViewIndex(self.camera) };
        spec.shot_index(shot).ok_or_else(|| {
            let message = format!(
                "the job has no frame {frame} of camera {}; it has frames {} to {} of {}",
                self.camera,
                spec.frames.first,
                spec.frames.last,
                text::plural(u64::from(spec.view_count()), "camera", "cameras")
            );
            fail(Exit::NotFound, message)
        })
    }
}

async fn dispute(args: &DisputeArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let mut update = farm.watch(args.job, 0, std::time::Duration::ZERO).await?;
    let shot = args.shot.of(&update.summary.spec)?;
    let (mut films, job) = (0, args.job);
    while !update.accepted.is_empty() {
        let of_tile = |it: &&AcceptedUnit| it.unit.shot == shot && it.unit.tile.0 == args.tile;
        for &AcceptedUnit { unit, .. } in update.accepted.iter().filter(of_tile) {
            farm.ask(Request::Dispute { unit, fee_max: args.max_cost }).await?;
            films += 1;
        }
        update = farm.watch(job, update.next, std::time::Duration::ZERO).await?;
    }
    if films == 0 {
        let message = format!("tile {} is not accepted; there is nothing to dispute", args.tile);
        return Err(fail(Exit::NotFound, message));
    }
    if args.json {
        text::print(serde_json::json!({ "v": json::VERSION, "films": films }))?;
    }
    let films = text::plural(films, "film is", "films are");
    eprintln!(
        "  {films} being rendered once more; see what comes of it with: tessera verdicts list --job {job}"
    );
    Ok(Exit::Done)
}
