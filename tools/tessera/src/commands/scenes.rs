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
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::{EnvironmentArgs, FarmArgs};
use crate::{text, upload};

const DAY_MS: u64 = 24 * 3_600_000;

/// What to do with scenes.
#[derive(Debug, Subcommand)]
pub enum ScenesCommand {
    /// Send a scene to the farm ahead of its jobs, and print its id
    Push(PushArgs),
    /// List the scenes of your jobs, the last used first
    List(ListArgs),
    /// Have the farm drop scenes that only jobs of yours that are over were of
    Gc(GcArgs),
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

/// Options of `tessera scenes gc`.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  tessera scenes gc --farm @ticket --dry-run
  tessera scenes gc --farm @ticket --older-than 30
  tessera scenes gc --farm @ticket --scene scn_3f…

",
    after_help = "\
A scene goes once nothing may have to be rendered again of it: some days after its last job ended,
when the nodes' pay is no longer held back. Pictures stay as long as the farm keeps them. Nodes drop
scenes by themselves when they need the room. A new job of it sends it again.
"
)]
pub struct GcArgs {
    /// Only this scene; may be given again
    #[arg(long, value_name = "ID")]
    scene: Vec<SceneId>,
    /// Only scenes whose last job was ordered so many days ago, or more
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u32>,
    /// Show which, and drop none
    #[arg(long)]
    dry_run: bool,
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
        ScenesCommand::Gc(args) => (&args.farm, None),
    };
    door::block_on(async {
        let farm = door::connect(farm_args, interrupt).await?;
        let exit = match (command, package) {
            (ScenesCommand::Push(args), Some(package)) => push(args, package, &farm).await,
            (ScenesCommand::List(args), _) => list(args, &farm).await,
            (ScenesCommand::Gc(args), _) => collect(args, &farm).await,
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

/// The scenes of all our jobs.
async fn all_used(farm: &Farm) -> anyhow::Result<Vec<UsedScene>> {
    let mut jobs = Vec::new();
    loop {
        let page = farm.jobs(jobs.len() as u32, limits::PAGE_ROWS_MAX).await?;
        let is_last = page.len() < limits::PAGE_ROWS_MAX as usize;
        jobs.extend(page);
        if is_last {
            return Ok(used(&jobs));
        }
    }
}

async fn list(args: &ListArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let scenes = all_used(farm).await?;
    if args.json {
        scenes.iter().try_for_each(|scene| text::print(scene.json()))?;
    } else if scenes.is_empty() {
        note!("  no jobs, so no scenes; the farm keeps the scenes of jobs alone");
    } else {
        text::print(table(&scenes))?;
    }
    Ok(Exit::Done)
}

async fn collect(args: &GcArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let scenes = all_used(farm).await?;
    if let Some(strange) = args.scene.iter().find(|id| scenes.iter().all(|it| it.id != **id)) {
        let message = format!(
            "you have no job of such a scene; see them with: tessera scenes list: {strange}"
        );
        return Err(fail(Exit::NotFound, message));
    }
    let now_ms = text::now_ms();
    let chosen: Vec<&UsedScene> = scenes.iter().filter(|it| args.means(it, now_ms)).collect();
    let (mut dropped, mut exit) = (0, Exit::Done);
    for scene in &chosen {
        if scene.may_go() && !args.dry_run {
            match farm.drop_scene(scene.id).await {
                Ok(()) => {}
                // Another job of it may have been ordered meanwhile; the others go all the same.
                Err(error) if error.refusal().is_some() => {
                    note!("  {} stays: {}", scene.id.short(), error.words());
                    exit = Exit::Failed;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        dropped += u64::from(scene.may_go());
        if args.json {
            text::print(collected(scene, args.dry_run))?;
        }
    }
    if !args.json {
        let would = if args.dry_run { "would be dropped" } else { "dropped" };
        for scene in &chosen {
            let words = match (scene.kept, scene.active) {
                (false, _) => "not kept any longer".to_owned(),
                (true, 0) => would.to_owned(),
                (true, active) => format!("kept: {active} of its jobs are not over"),
            };
            text::print(format_args!("{}  {words}  {}", scene.id, scene.name))?;
        }
        note!("  {} {would}", text::plural(dropped, "scene", "scenes"));
    }
    Ok(exit)
}

/// What becomes of a scene.
pub fn collected(scene: &UsedScene, is_dry: bool) -> Value {
    let mut object = scene.json();
    object["dropped"] = Value::from(scene.may_go() && !is_dry);
    object["may_be_dropped"] = Value::from(scene.may_go());
    object
}

impl GcArgs {
    fn means(&self, scene: &UsedScene, now_ms: u64) -> bool {
        let age_ms = self.older_than.map_or(0, |days| u64::from(days) * DAY_MS);
        let is_old = scene.last_ordered_ms.saturating_add(age_ms) <= now_ms;
        let is_named = self.scene.contains(&scene.id);
        // Those that are gone already are of interest where they were asked for.
        is_old && (is_named || (self.scene.is_empty() && scene.kept))
    }
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
    /// Whether the farm keeps it for any of them.
    kept: bool,
}

/// The scenes of jobs, the last used first.
pub fn used(jobs: &[JobSummary]) -> Vec<UsedScene> {
    let mut scenes: Vec<UsedScene> = Vec::new();
    let mut places: HashMap<SceneId, usize> = HashMap::new();
    for job in jobs {
        let id = job.spec.scene;
        let at = *places.entry(id).or_insert_with(|| {
            let (name, last_ordered_ms) = (job.spec.name.clone(), job.ordered_ms);
            let kept = false;
            scenes.push(UsedScene { id, name, jobs: 0, active: 0, last_ordered_ms, kept });
            scenes.len() - 1
        });
        let scene = &mut scenes[at];
        scene.jobs += 1;
        scene.active += u32::from(!job.status.is_over());
        scene.kept |= !job.expired && !job.scene_dropped;
        if job.ordered_ms > scene.last_ordered_ms {
            scene.last_ordered_ms = job.ordered_ms;
            scene.name.clone_from(&job.spec.name);
        }
    }
    scenes.sort_by_key(|scene| std::cmp::Reverse(scene.last_ordered_ms));
    scenes
}

impl UsedScene {
    /// Whether the farm need not keep it.
    fn may_go(&self) -> bool {
        self.kept && self.active == 0
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "v": json::VERSION,
            "scene": self.id.to_string(),
            "name": self.name,
            "jobs": self.jobs,
            "jobs_active": self.active,
            "last_ordered_ms": self.last_ordered_ms,
            "kept": self.kept,
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
            if scene.kept { "yes" } else { "no" }.to_owned(),
        ]
    });
    text::table(&["scene", "last job", "jobs", "active", "used", "kept"], &[2, 3], rows.collect())
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
        assert_eq!((scenes[0].may_go(), scenes[1].may_go()), (false, false));
    }

    #[test]
    fn scenes_of_jobs_that_are_over_may_go_unless_they_are_gone() {
        let job = |scene: u8, status, scene_dropped| {
            let mut job = JobSummary { status, scene_dropped, ordered_ms: 0, ..examples::job() };
            job.spec.scene = SceneId([scene; 32]);
            job
        };
        let jobs = [
            job(1, JobStatus::Done, false),
            job(1, JobStatus::Cancelled, true),
            job(2, JobStatus::Done, true),
            job(3, JobStatus::Paused, false),
        ];
        let scenes = used(&jobs);
        let args = |scene: &[u8], older_than| GcArgs {
            scene: scene.iter().map(|id| SceneId([*id; 32])).collect(),
            older_than,
            dry_run: false,
            farm: FarmArgs { farm: String::new(), key: None },
            json: false,
        };
        let chosen = |args: &GcArgs, now_ms| {
            let meant = scenes.iter().filter(|scene| args.means(scene, now_ms));
            meant.map(|scene| (scene.id.0[0], scene.may_go())).collect::<Vec<_>>()
        };
        let sorted = |mut chosen: Vec<(u8, bool)>| {
            chosen.sort_unstable();
            chosen
        };
        assert_eq!(sorted(chosen(&args(&[], None), 5)), [(1, true), (3, false)]);
        assert_eq!(chosen(&args(&[2], None), 5), [(2, false)]);
        assert_eq!(chosen(&args(&[], Some(1)), DAY_MS - 1), []);
        assert_eq!(chosen(&args(&[], Some(1)), DAY_MS).len(), 2);
    }
}
