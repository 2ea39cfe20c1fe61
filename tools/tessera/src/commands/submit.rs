//! `tessera jobs submit`: scene, estimate, quote, order.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use client::Farm;
use protocol::{CameraChoice, JobSpec, Needs, Offer, Quote, RenderSettings, SceneId, ViewIndex};
use renderer::{Effort, Probe, RenderScene};
use scene::{Package, Scene};

use crate::commands::order::{OfferArgs, OrderArgs};
use crate::door;
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::local;
use crate::needs::{NeedsArgs, reach_lines};
use crate::options::{EnvironmentArgs, FrameArgs, NoiseArgs, PictureArgs};
use crate::output::OutputArgs;
use crate::wishes::{self, Asked};
use crate::{text, upload};

/// What a job renders.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The scene, .glb or .gltf
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "scene")]
    file: Option<PathBuf>,
    /// A scene that the farm already holds, instead of a file
    #[arg(long, value_name = "scn_…", conflicts_with_all = ["file", "env"])]
    scene: Option<SceneId>,
    /// The job's name; without it, the file's
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
    /// Side of the square tiles, pixels
    #[arg(long, value_name = "PX", default_value_t = JobSpec::TILE_SIDE_PX)]
    tile: u32,
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

/// A job ready to be quoted.
pub struct PreparedJob {
    spec: JobSpec,
    needs: NeedsArgs,
    offer: Offer,
    /// The scene's package, for a farm that does not hold it.
    package: Option<Package>,
    /// What the scene's file asks of the picture.
    asked: Asked,
}

impl JobArgs {
    /// Imports the scene and checks the job, without a network; `output` where its picture will be
    /// written here.
    ///
    /// # Errors
    /// The scene cannot be imported or prepared; a setting is out of range.
    pub fn prepare(
        &self,
        interrupt: &Interrupt,
        output: Option<&OutputArgs>,
    ) -> anyhow::Result<PreparedJob> {
        let frames = self.frames.range();
        self.picture.check(frames.fps).exit(Exit::Usage)?;
        let noise = self.noise.target()?;
        let imported =
            self.file.as_deref().map(|file| self.environment.import(file)).transpose()?;
        let scene = imported.as_ref().map(|imported| &imported.scene);
        let cameras = self.picture.cameras(scene)?;
        let (asked, package, id) = match (&imported, self.scene) {
            (Some(imported), _) => {
                let asked = Asked::of(imported, &self.picture, &cameras[0], output);
                one_shutter(&imported.scene, &self.picture, &cameras)?;
                let package = scene::pack(&imported.scene);
                let id = package.id();
                (asked, Some(package), id)
            }
            (None, Some(id)) => (Asked::default(), None, id),
            (None, None) => return Err(fail(Exit::Usage, "name a scene file, or --scene")),
        };
        let name = self.name.clone().or_else(|| self.file.as_deref().map(local::name_of));
        let spec = JobSpec {
            name: name.unwrap_or_else(|| id.short()),
            scene: id,
            settings: self.picture.settings(&cameras[0], &asked, frames.fps),
            more_cameras: cameras[1..].to_vec(),
            frames,
            tile_side_px: self.tile,
            base: None,
            noise,
            // Who we are is known when the farm is.
            needs: Needs::default(),
        };
        spec.validate().exit(Exit::Usage)?;
        if let Some(imported) = &imported {
            let probes = probes(&imported.scene, &spec, interrupt)?;
            eprintln!("  estimate    {}", estimate(&probes, &spec.settings, frames.count()));
        }
        let needs = self.needs.clone();
        Ok(PreparedJob { spec, needs, offer: self.offer.offer(), package, asked })
    }
}

/// A job has one shutter: cameras of a scene that ask for several need an option that decides.
fn one_shutter(
    scene: &Scene,
    picture: &PictureArgs,
    cameras: &[CameraChoice],
) -> anyhow::Result<()> {
    let shutter = |camera: &CameraChoice| wishes::shutter_of(scene, picture, camera).unwrap_or(0.0);
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
    /// Uploads the scene unless the farm has it, and asks for the price.
    ///
    /// # Errors
    /// The farm.
    pub async fn quote(self, farm: &Farm) -> anyhow::Result<(JobSpec, Quote)> {
        let spec = JobSpec { needs: self.needs.needs(farm.id()), ..self.spec };
        spec.validate().exit(Exit::Usage)?;
        if let Some(package) = self.package {
            upload::send(farm, package).await?;
        }
        let quote = farm.quote(&spec, self.offer).await.context("there is no quote")?;
        for line in reach_lines(&spec.needs, quote.memory, quote.reach) {
            eprintln!("{line}");
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
    let name = job.file.as_deref().map_or_else(|| "job".to_owned(), local::name_of);
    let mut outputs = order.check(&name)?;
    let prepared = job.prepare(interrupt, order.follow.then_some(&order.output))?;
    if let Some(outputs) = &mut outputs {
        prepared.asked.set(&mut outputs.look);
    }
    door::block_on(async {
        let farm = door::connect(&order.farm, interrupt).await?;
        let ordered = async {
            let (spec, quote) = prepared.quote(&farm).await?;
            order.order(&farm, (&spec, &quote), outputs, interrupt).await
        };
        let exit = ordered.await;
        farm.close().await;
        exit
    })
}
