//! One picture of a job: its receipt, a dispute of one of its tiles.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use client::Farm;
use protocol::view::AcceptedUnit;
use protocol::{JobId, JobSpec, Request, Shot, ShotIndex, Tokens, ViewIndex};

use crate::exit::{Exit, fail};
use crate::json;
use crate::options::FarmArgs;
use crate::papers::{self, Paper};
use crate::text;

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
    pub(super) farm: FarmArgs,
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
    pub(super) farm: FarmArgs,
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

pub(super) async fn receipt(args: &ReceiptArgs, farm: &Farm) -> anyhow::Result<Exit> {
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

pub(super) async fn dispute(args: &DisputeArgs, farm: &Farm) -> anyhow::Result<Exit> {
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
        text::print(json::disputed(films))?;
    }
    let films = text::plural(films, "film is", "films are");
    note!(
        "  {films} being rendered once more; if one is bad, tessera verdicts list --job {job} shows it and the fee comes back"
    );
    Ok(Exit::Done)
}
