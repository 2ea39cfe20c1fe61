//! `tessera verdicts`: films that were refused, why, and appeals.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use client::Farm;
use protocol::{JobId, JobSpec, LeaseId, Request, Unit, Verdict, VerdictKind};
use serde_json::json;

use crate::door;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::papers::{self, Paper};
use crate::text;

/// What to do with verdicts.
#[derive(Debug, Subcommand)]
pub enum VerdictsCommand {
    /// List verdicts on a node's films, or the refused films of a job
    List(ListArgs),
    /// Fetch the pixels that a refusal rests on, or what a verifier was asked and answered
    Evidence(EvidenceArgs),
    /// Have the film that convicted a node rendered once more
    Appeal(AppealArgs),
}

/// Options of `tessera verdicts list`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera verdicts list --farm @ticket --key node/key
  tessera verdicts list --job job_3f… --farm @ticket

")]
pub struct ListArgs {
    /// Films of this job of yours that were refused; without it, all verdicts on the node whose key
    /// it is
    #[arg(long, value_name = "job_…")]
    job: Option<JobId>,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object a verdict
    #[arg(long)]
    json: bool,
}

/// Options of `tessera verdicts evidence`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera verdicts evidence lse_3f… --farm @ticket
  tessera verdicts evidence lse_3f… --farm @ticket -o evidence.json
  tessera verify evidence.json --scene scene.glb

")]
pub struct EvidenceArgs {
    /// The lease whose film was refused, or the verification lease that was answered wrongly
    lease: LeaseId,
    #[command(flatten)]
    farm: FarmArgs,
    /// Keep it in this file, for `tessera verify`
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// Options of `tessera verdicts appeal`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera verdicts appeal lse_3f… --farm @ticket --key node/key

")]
pub struct AppealArgs {
    /// The lease whose film convicted the node
    lease: LeaseId,
    #[command(flatten)]
    farm: FarmArgs,
}

/// Does it.
///
/// # Errors
/// The farm; no such verdict; a file that cannot be written.
pub fn run(command: &VerdictsCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let farm_args = match command {
        VerdictsCommand::List(args) => &args.farm,
        VerdictsCommand::Evidence(args) => &args.farm,
        VerdictsCommand::Appeal(args) => &args.farm,
    };
    door::block_on(async {
        let farm = door::connect(farm_args, interrupt).await?;
        let exit = match command {
            VerdictsCommand::List(args) => list(args, &farm).await,
            VerdictsCommand::Evidence(args) => evidence(args, &farm).await,
            VerdictsCommand::Appeal(args) => appeal(args, &farm).await,
        };
        farm.close().await;
        exit
    })
}

async fn list(args: &ListArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let verdicts = farm.verdicts(args.job).await?;
    if args.json {
        verdicts.iter().try_for_each(|(number, verdict)| text::print(object(*number, verdict)))?;
        return Ok(Exit::Done);
    }
    if verdicts.is_empty() {
        note!("  no verdicts");
        return Ok(Exit::Done);
    }
    let spec = match args.job {
        Some(job) => Some((job, farm.watch(job, 0, Duration::ZERO).await?.summary.spec)),
        None => None,
    };
    let rows = verdicts.iter().map(|(number, verdict)| {
        let unit = &verdict.unit;
        vec![
            number.to_string(),
            verdict.lease.to_string(),
            verdict.node.short(),
            place(unit, spec.as_ref().filter(|(job, _)| *job == unit.job).map(|(_, spec)| spec)),
            words(&verdict.kind),
        ]
    });
    text::print(text::table(&["", "lease", "node", "unit", "verdict"], &[0], rows.collect()))?;
    Ok(Exit::Done)
}

/// Where a unit is, by its frame where what is rendered is known.
fn place(unit: &Unit, spec: Option<&JobSpec>) -> String {
    let (job, tile) = (unit.job.short(), unit.tile.0);
    let Some((spec, shot)) = spec.and_then(|spec| Some((spec, spec.shot(unit.shot)?))) else {
        return format!("{job} shot {}, tile {tile}", unit.shot.0);
    };
    let camera = spec.camera(shot.view).filter(|_| spec.view_count() > 1);
    let of = camera.map_or_else(String::new, |camera| format!(" of {camera}"));
    format!("{job} frame {}{of}, tile {tile}", shot.frame)
}

/// Why a film was not taken, where that it was not is said already.
pub fn why(kind: &VerdictKind) -> String {
    match kind {
        VerdictKind::Refused(refusal) => refusal.to_string(),
        VerdictKind::Disputed { .. } => DIFFERS.to_owned(),
        other => words(other),
    }
}

/// What a dispute begins with.
const DIFFERS: &str = "another node's film differs";

/// A verdict in words.
pub fn words(kind: &VerdictKind) -> String {
    match kind {
        VerdictKind::Accepted { pixels_checked, pay, .. } => {
            let pixels = text::plural((*pixels_checked).into(), "pixel", "pixels");
            format!("accepted, {pixels} checked, {pay} tokens")
        }
        VerdictKind::Refused(refusal) => format!("refused: {refusal}"),
        VerdictKind::Disputed { .. } => format!("disputed: {DIFFERS}"),
        VerdictKind::WrongFinding { agreed: true } => "wrong: it vouched for a bad film".to_owned(),
        VerdictKind::WrongFinding { agreed: false } => {
            "wrong: it found fault with a good film".to_owned()
        }
        VerdictKind::Overturned { returned, .. } => {
            format!("appeal won, {returned} tokens returned")
        }
    }
}

/// A verdict as an object.
pub fn object(number: u64, verdict: &Verdict) -> serde_json::Value {
    let unit = &verdict.unit;
    json!({
        "v": json::VERSION,
        "number": number,
        "lease": verdict.lease.to_string(),
        "node": verdict.node.to_string(),
        "job": unit.job.to_string(),
        "shot": unit.shot.0,
        "tile": unit.tile.0,
        "batch": unit.batch.to_string(),
        "film": verdict.root.to_string(),
        "verdict": words(&verdict.kind),
        "evidence": verdict.evidence.map(|hash| hash.to_string()),
    })
}

async fn evidence(args: &EvidenceArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let paper = Paper::from(farm.evidence(args.lease).await?);
    match &paper {
        Paper::Evidence(signed) => {
            let examined = film::evidence::examine(signed, farm.scheduler())?;
            text::print(papers::pixel_table(&examined))?;
        }
        Paper::Testimony(testimony) => {
            let (lease, digest) = testimony.open(farm.scheduler())?;
            let pixels = lease.spots[testimony.entry as usize].places.len() as u64;
            let pixels = text::plural(pixels, "pixel", "pixels");
            text::print(format_args!("{} was asked for {pixels} and found {digest}", lease.node))?;
        }
        Paper::Receipt(_) => {}
    }
    if let Some(path) = &args.output {
        papers::write(path, farm.scheduler(), &paper)?;
        note!("  check it with: tessera verify {} --scene SCENE", path.display());
    }
    Ok(Exit::Done)
}

async fn appeal(args: &AppealArgs, farm: &Farm) -> anyhow::Result<Exit> {
    farm.ask(Request::Appeal { lease: args.lease }).await?;
    note!("  the tile is being rendered once more; what comes of it is among your verdicts");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn a_unit_is_where_its_frame_is_if_that_is_known() {
        let (unit, spec) = (examples::unit(), examples::spec());
        let job = unit.job.short();
        assert_eq!(place(&unit, Some(&spec)), format!("{job} frame 3 of right, tile 73"));
        assert_eq!(place(&unit, None), format!("{job} shot 3, tile 73"));
        let alone = JobSpec { more_cameras: Vec::new(), ..spec };
        assert_eq!(place(&unit, Some(&alone)), format!("{job} frame 7, tile 73"));
    }

    #[test]
    fn a_refusal_is_said_once() {
        let kind = examples::verdict().kind;
        assert_eq!(words(&kind), format!("refused: {}", why(&kind)));
    }
}
