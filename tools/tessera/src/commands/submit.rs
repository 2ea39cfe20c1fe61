//! `tessera jobs submit`: scene, estimate, quote, order.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use client::{Farm, SceneAsks};
use protocol::{CameraChoice, JobSpec, Offer, Quote, RenderSettings, SceneId, ViewIndex};
use renderer::{Effort, Probe, RenderScene};
use scene::{Imported, Package, Scene};

use crate::commands::order::{OfferArgs, OrderArgs};
use crate::described::{Described, Source};
use crate::door;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::local;
use crate::needs::{NeedsArgs, reach_lines};
use crate::options::{EnvironmentArgs, FarmArgs, FrameArgs, NoiseArgs, PictureArgs};
use crate::output::OutputArgs;
use crate::wishes::{self, Seen};
use crate::{text, upload};

/// What a job renders.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The scene, .glb or .gltf, or a job file, .toml, that names it; see docs/cli.md
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "scene")]
    file: Option<PathBuf>,
    /// A scene that the farm already holds, instead of a file, or of the one that a job file names
    #[arg(long, value_name = "scn_…", conflicts_with = "env")]
    scene: Option<SceneId>,
    /// The job's name; without it, the scene file's
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    noise: NoiseArgs,
    #[command(flatten)]
    environment: EnvironmentArgs,
    #[command(flatten)]
    frames: FrameArgs,
    /// Side of the square tiles, pixels; without it 128, or more in jobs of very many tiles
    #[arg(long, value_name = "PX")]
    tile: Option<u32>,
    #[command(flatten)]
    needs: NeedsArgs,
    #[command(flatten)]
    offer: OfferArgs,
}

/// Options of `tessera jobs submit`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs submit scene.glb --farm @ticket --follow -o frame.exr
  tessera jobs submit job.toml --farm @ticket --yes --max-cost 5.00
  tessera jobs submit scene.glb --farm @ticket --frames 1-240 --yes --max-cost 5.00
  tessera jobs submit scene.glb --farm @ticket --all-cameras --follow -o '{camera}.exr'
  tessera jobs submit scene.glb --farm @ticket --bid 15 --assurance 99
  tessera jobs submit scene.glb --farm @ticket --spp 4096 --noise 0.01 --follow
  tessera jobs submit scene.glb --farm @ticket --spp 4096 --stop-after 15m --follow
  tessera jobs submit b.glb --farm @ticket --after job_3f… --priority 80
  tessera jobs submit scene.glb --farm @ticket --by '2026-12-01 08:00'
  tessera jobs submit scene.glb --farm @ticket --only-mine --backend gpu
  tessera jobs submit scene.glb --farm @ticket --pool studio --memory 8
  tessera jobs submit scene.glb --farm @ticket --dry-run

")]
pub struct SubmitArgs {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    order: OrderArgs,
}

impl SubmitArgs {
    /// Which farm.
    pub const fn farm(&self) -> &FarmArgs {
        &self.order.farm
    }
}

/// A job ready to be quoted.
pub struct PreparedJob {
    described: Described,
    scene: SceneId,
    asks: SceneAsks,
    /// The scene's package, for a farm that does not hold it.
    package: Option<Package>,
    /// How the scene's file asks to be seen.
    seen: Seen,
}

impl JobArgs {
    /// The job that the options and perhaps a file describe, checked as far as it can be without its
    /// scene.
    ///
    /// # Errors
    /// Usage: what cannot be. Not found: no such job file.
    pub fn described(&self) -> anyhow::Result<Described> {
        let mut described = Described::new(self.file.as_deref(), self.scene)?;
        let description = &mut described.description;
        self.picture.describe(description);
        self.noise.describe(description)?;
        self.frames.describe(description)?;
        self.needs.describe(description);
        self.offer.describe(description);
        description.tile = self.tile.or(description.tile);
        let name = self.name.clone().or(description.name.take());
        description.name = name.or_else(|| match &described.source {
            Source::File(path) => Some(local::name_of(path)),
            Source::Held(_) => None,
        });
        described.check()?;
        Ok(described)
    }

    /// Imports the scene and checks the job, without a network; `output` where its picture will be
    /// written here.
    ///
    /// # Errors
    /// The scene cannot be imported or prepared; a setting is out of range.
    pub fn prepare(
        &self,
        mut described: Described,
        interrupt: &Interrupt,
        output: Option<&OutputArgs>,
    ) -> anyhow::Result<PreparedJob> {
        let id = match &described.source {
            Source::Held(id) => *id,
            Source::File(path) => {
                let (import, folder) = (&described.import, described.folder());
                let imported = self.environment.import_over(import, path, folder)?;
                return self.prepare_imported(described, &imported, interrupt, output);
            }
        };
        self.picture.complete(&mut described.description, None, None)?;
        let asks = SceneAsks::default();
        described.spec(id, &asks)?;
        Ok(PreparedJob { described, scene: id, asks, package: None, seen: Seen::default() })
    }

    fn prepare_imported(
        &self,
        mut described: Described,
        imported: &Imported,
        interrupt: &Interrupt,
        output: Option<&OutputArgs>,
    ) -> anyhow::Result<PreparedJob> {
        let (scene, size) = (&imported.scene, imported.wishes.resolution);
        self.picture.complete(&mut described.description, Some(scene), size)?;
        let cameras = described.description.camera_choices();
        let cameras = cameras.map_err(|error| described.fault(&error))?;
        let asks = wishes::asks_of(imported, &cameras[0]);
        let seen = Seen::of(&asks, output);
        wishes::say(&described.description, &asks, &seen);
        if described.description.shutter.is_none() {
            one_shutter(scene, &cameras)?;
        }
        let package = scene::pack(scene);
        let spec = described.spec(package.id(), &asks)?;
        let probes = probes(scene, &spec, interrupt)?;
        note!("  estimate    {}", estimate(&probes, &spec.settings, spec.frames.count()));
        Ok(PreparedJob { described, scene: package.id(), asks, package: Some(package), seen })
    }
}

/// A job has one shutter: cameras of a scene that ask for several need an option that decides.
fn one_shutter(scene: &Scene, cameras: &[CameraChoice]) -> anyhow::Result<()> {
    let shutter = |camera: &CameraChoice| wishes::shutter_of(scene, camera).unwrap_or(0.0);
    let (first, wanted) = (&cameras[0], shutter(&cameras[0]));
    match cameras.iter().find(|camera| shutter(camera).to_bits() != wanted.to_bits()) {
        None => Ok(()),
        Some(other) => {
            let message = format!(
                "the scene opens the shutter for {wanted} frames of {first} and {} of {other}; a job has one for all its cameras, choose it with --shutter",
                shutter(other)
            );
            Err(fail(Exit::Usage, message))
        }
    }
}

/// A probe of the first frame through each camera.
fn probes(scene: &Scene, spec: &JobSpec, interrupt: &Interrupt) -> anyhow::Result<Vec<Probe>> {
    let time_s = spec.frames.first as f32 / spec.frames.fps;
    let views = (0..spec.view_count()).filter_map(|view| spec.settings_of(ViewIndex(view)));
    views
        .map(|settings| probe(&local::prepare(scene, &settings, time_s, Effort::Full)?, interrupt))
        .collect()
}

impl PreparedJob {
    /// Uploads the scene unless the farm has it, and asks for the price on these terms.
    ///
    /// # Errors
    /// The farm.
    pub async fn quote(self, farm: &Farm, offer: Offer) -> anyhow::Result<(JobSpec, Quote)> {
        let described = &self.described;
        let spec = described.description.spec(self.scene, &self.asks, farm.id());
        let spec = spec.map_err(|error| described.fault(&error))?;
        if let Some(package) = self.package {
            upload::send(farm, package).await?;
        }
        let quote = farm.quote(&spec, offer).await.context("there is no quote")?;
        for line in reach_lines(&spec.needs, quote.memory, quote.reach) {
            note!("{line}");
        }
        Ok((spec, quote))
    }
}

/// The same probe that the scheduler quotes from, on this machine: an estimate before upload.
///
/// # Errors
/// Interrupted, or the renderer's reason.
pub fn probe(render_scene: &RenderScene, interrupt: &Interrupt) -> anyhow::Result<Probe> {
    let mut cpu = renderer::CpuBackend::new(None);
    let probed = renderer::probe(&mut cpu, render_scene, 0, interrupt.cancel());
    if interrupt.is_set() {
        return Err(fail(Exit::Interrupted, "interrupted"));
    }
    probed.context("the probe failed")
}

/// The probes' words, one of each camera, on a job of so many frames.
pub fn estimate(probes: &[Probe], settings: &RenderSettings, frames: u32) -> String {
    let samples = settings.window().pixel_count() * u64::from(settings.samples) * u64::from(frames);
    let rays = |per_sample: fn(&Probe) -> f64| {
        let sum: f64 = probes.iter().map(per_sample).sum();
        text::short_count((sum * samples as f64) as u64)
    };
    let several = |count: usize, things| match count {
        0 | 1 => String::new(),
        _ => format!(", {count} {things}"),
    };
    format!(
        "about {} rays, at most {}, for {}, {} spp{}{}",
        rays(|probe| probe.closest_mean + probe.shadow_mean),
        rays(|probe| probe.closest_bound + probe.shadow_bound),
        text::frame(settings),
        settings.samples,
        several(frames as usize, "frames"),
        several(probes.len(), "cameras")
    )
}

/// Quotes, asks, orders and perhaps follows.
///
/// # Errors
/// The scene, the options, the farm; not enough tokens; no consent.
pub fn run(args: &SubmitArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let SubmitArgs { job, order } = args;
    let mut described = job.described()?;
    let name = described.file_name();
    let file = described.file.clone();
    let mut terms = order.terms(&mut described.description, file.as_ref(), &name)?;
    let prepared = job.prepare(described, interrupt, order.follow.then_some(&order.output))?;
    if let Some(outputs) = &mut terms.outputs {
        prepared.seen.set(&mut outputs.look);
    }
    door::block_on(async {
        let farm = door::connect(&order.farm, interrupt).await?;
        let ordered = async {
            let (spec, quote) = prepared.quote(&farm, terms.offer).await?;
            order.order(&farm, (&spec, &quote), terms, interrupt).await
        };
        let exit = ordered.await;
        farm.close().await;
        exit
    })
}

#[cfg(test)]
mod tests;
