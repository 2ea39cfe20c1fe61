//! `tessera scenes`: scenes at a farm.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use client::Farm;
use protocol::view::{JobSummary, SceneArrival};
use protocol::{SceneId, limits};
use scene::Package;
use serde_json::{Value, json};

use crate::door;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::{EnvironmentArgs, FarmArgs};
use crate::{text, upload};

/// What to do with scenes.
#[derive(Debug, Subcommand)]
pub enum ScenesCommand {
    /// Send a scene to the farm ahead of its jobs, and print its id
    Push(PushArgs),
    /// List the scenes of your jobs, the last used first
    List(ListArgs),
}

/// Options of `tessera scenes push`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera scenes push scene.glb --farm @ticket
  tessera scenes push scene.glb --farm @ticket --env sky.hdr --json
  tessera jobs submit --scene $(tessera scenes push scene.glb) --yes --max-cost 5

")]
pub struct PushArgs {
    /// The scene, .glb or .gltf
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    environment: EnvironmentArgs,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `tessera scenes list`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera scenes list --farm @ticket
  tessera scenes list --farm @ticket --json

")]
pub struct ListArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object a scene
    #[arg(long)]
    json: bool,
}

/// Does it.
///
/// # Errors
/// The scene, the farm.
pub fn run(command: &ScenesCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let (farm_args, package) = match command {
        ScenesCommand::Push(args) => {
            let imported = args.environment.import(&args.file)?;
            (&args.farm, Some(scene::pack(&imported.scene)))
        }
        ScenesCommand::List(args) => (&args.farm, None),
    };
    door::block_on(async {
        let farm = door::connect(farm_args, interrupt).await?;
        let exit = match (command, package) {
            (ScenesCommand::Push(args), Some(package)) => push(args, package, &farm).await,
            (ScenesCommand::List(args), _) => list(args, &farm).await,
            (ScenesCommand::Push(_), None) => Ok(Exit::Done),
        };
        farm.close().await;
        exit
    })
}

async fn push(args: &PushArgs, package: Package, farm: &Farm) -> anyhow::Result<Exit> {
    let scene = package.id();
    let arrival = upload::send(farm, package).await?;
    match args.json {
        true => text::print(pushed(scene, &arrival))?,
        false => text::print(scene)?,
    }
    Ok(Exit::Done)
}

/// A scene that was sent.
pub fn pushed(scene: SceneId, arrival: &SceneArrival) -> Value {
    json!({
        "v": json::VERSION,
        "scene": scene.to_string(),
        "size_bytes": arrival.size_bytes,
        "found_bytes": arrival.found_bytes,
        "received_bytes": arrival.received_bytes,
    })
}

async fn list(args: &ListArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let mut jobs = Vec::new();
    loop {
        let page = farm.jobs(jobs.len() as u32, limits::PAGE_ROWS_MAX).await?;
        let is_last = page.len() < limits::PAGE_ROWS_MAX as usize;
        jobs.extend(page);
        if is_last {
            break;
        }
    }
    let scenes = used(&jobs);
    if args.json {
        scenes.iter().try_for_each(|scene| text::print(scene.json()))?;
    } else if scenes.is_empty() {
        note!("  no jobs, so no scenes; the farm keeps the scenes of jobs alone");
    } else {
        text::print(table(&scenes))?;
    }
    Ok(Exit::Done)
}

/// A scene, as far as jobs tell of it.
#[derive(Debug)]
pub struct UsedScene {
    id: SceneId,
    /// The name of the last job of it.
    name: String,
    jobs: u32,
    /// Of these, jobs that are not over.
    active: u32,
    last_ordered_ms: u64,
}

/// The scenes of jobs, the last used first.
pub fn used(jobs: &[JobSummary]) -> Vec<UsedScene> {
    let mut scenes: Vec<UsedScene> = Vec::new();
    let mut places: HashMap<SceneId, usize> = HashMap::new();
    for job in jobs {
        let id = job.spec.scene;
        let at = *places.entry(id).or_insert_with(|| {
            let (name, last_ordered_ms) = (job.spec.name.clone(), job.ordered_ms);
            scenes.push(UsedScene { id, name, jobs: 0, active: 0, last_ordered_ms });
            scenes.len() - 1
        });
        let scene = &mut scenes[at];
        scene.jobs += 1;
        scene.active += u32::from(!job.status.is_over());
        if job.ordered_ms > scene.last_ordered_ms {
            scene.last_ordered_ms = job.ordered_ms;
            scene.name.clone_from(&job.spec.name);
        }
    }
    scenes.sort_by_key(|scene| std::cmp::Reverse(scene.last_ordered_ms));
    scenes
}

impl UsedScene {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "v": json::VERSION,
            "scene": self.id.to_string(),
            "name": self.name,
            "jobs": self.jobs,
            "jobs_active": self.active,
            "last_ordered_ms": self.last_ordered_ms,
        })
    }
}

fn table(scenes: &[UsedScene]) -> comfy_table::Table {
    let now_ms = text::now_ms();
    let rows = scenes.iter().map(|scene| {
        vec![
            scene.id.to_string(),
            scene.name.clone(),
            scene.jobs.to_string(),
            scene.active.to_string(),
            text::ago(scene.last_ordered_ms, now_ms),
        ]
    });
    text::table(&["scene", "last job", "jobs", "active", "used"], &[2, 3], rows.collect())
}

#[cfg(test)]
mod tests {
    use protocol::view::JobStatus;

    use super::*;
    use crate::examples;

    #[test]
    fn scenes_of_jobs_are_there_once_the_last_used_first() {
        let job = |scene: u8, ordered_ms, status| {
            let mut job = JobSummary { ordered_ms, status, ..examples::job() };
            job.spec.scene = SceneId([scene; 32]);
            job.spec.name = format!("job {ordered_ms}");
            job
        };
        let jobs = [
            job(1, 50, JobStatus::Done),
            job(2, 90, JobStatus::Rendering),
            job(1, 70, JobStatus::Waiting),
        ];
        let scenes = used(&jobs);
        let told = |at: usize| {
            let UsedScene { id, name, jobs, active, .. } = &scenes[at];
            (id.0[0], name.as_str(), *jobs, *active)
        };
        assert_eq!((told(0), told(1)), ((2, "job 90", 1, 1), (1, "job 70", 2, 1)));
        assert_eq!(scenes.len(), 2);
    }
}
