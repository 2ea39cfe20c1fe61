//! `tessera jobs submit`: scene, quote, consent, order, and following it to the picture.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use protocol::{
    Assurance, CameraChoice, JobId, JobSpec, Offer, Quote, RenderSettings, SceneId, Tokens,
    ViewIndex,
};
use renderer::{Effort, Probe, RenderScene};
use scene::Scene;

use crate::client::{self, Farm};
use crate::commands::jobs;
use crate::download::Download;
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::local;
use crate::options::{EnvironmentArgs, FarmArgs, FrameArgs, PictureArgs};
use crate::output::OutputArgs;
use crate::text;
use crate::values;
use crate::wishes::{self, Asked};

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
    environment: EnvironmentArgs,
    #[command(flatten)]
    frames: FrameArgs,
    /// Side of the square tiles, pixels
    #[arg(long, value_name = "PX", default_value_t = JobSpec::TILE_SIDE_PX)]
    tile: u32,
    #[command(flatten)]
    offer: OfferArgs,
}

/// On which terms.
#[derive(Debug, Args)]
struct OfferArgs {
    /// Pay this per billion rays instead of the farm's base price, tokens: more to come sooner, less
    /// to wait for nodes that work for it
    #[arg(long, value_name = "TOKENS", value_parser = values::bid)]
    bid: Option<Tokens>,
    /// How surely a forgery of 5 % of a tile is caught: 95, 99 or 99.9 per cent; less costs less
    #[arg(long, value_name = "PERCENT", default_value = "99.9")]
    assurance: Assurance,
}

/// Options of `tessera jobs submit`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs submit scene.glb --farm @ticket --follow -o frame.exr
  tessera jobs submit scene.glb --farm @ticket --frames 1-240 --yes --max-cost 5.00
  tessera jobs submit scene.glb --farm @ticket --all-cameras --follow -o '{camera}.exr'
  tessera jobs submit scene.glb --farm @ticket --bid 15 --assurance 99
  tessera jobs submit scene.glb --farm @ticket --dry-run

")]
pub struct SubmitArgs {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    farm: FarmArgs,
    /// Never order above this price, tokens
    #[arg(long, value_name = "TOKENS")]
    max_cost: Option<Tokens>,
    /// Order without asking; needs --max-cost
    #[arg(long, requires = "max_cost")]
    yes: bool,
    /// Show the price and order nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Stay until the job has ended, then save its picture
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    output: OutputArgs,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

/// A job ready to be quoted.
pub struct PreparedJob {
    spec: JobSpec,
    offer: Offer,
    /// The scene's package, for a farm that does not hold it.
    package: Option<Vec<u8>>,
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
        let imported =
            self.file.as_deref().map(|file| self.environment.import(file)).transpose()?;
        let scene = imported.as_ref().map(|imported| &imported.scene);
        let cameras = self.picture.cameras(scene)?;
        let (asked, package, id) = match (&imported, self.scene) {
            (Some(imported), _) => {
                let asked = Asked::of(imported, &self.picture, &cameras[0], output);
                one_shutter(&imported.scene, &self.picture, &cameras)?;
                let package = scene::pack(&imported.scene);
                let id = scene::package_id(&package);
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
        };
        spec.validate().exit(Exit::Usage)?;
        if let Some(imported) = &imported {
            let probes = probes(&imported.scene, &spec, interrupt)?;
            eprintln!("  estimate    {}", estimate(&probes, &spec.settings, frames.count()));
        }
        let offer = Offer { bid: self.offer.bid, assurance: self.offer.assurance };
        Ok(PreparedJob { spec, offer, package, asked })
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
        if let Some(package) = self.package {
            let size = text::bytes(package.len() as u64);
            eprintln!("  scene       {size}, {}", self.spec.scene.short());
            farm.offer_scene(package).await.context("the farm did not take the scene")?;
        }
        let quote = farm.quote(&self.spec, self.offer).await.context("there is no quote")?;
        Ok((self.spec, quote))
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
    // The places are checked before anything is paid.
    let name = args.job.file.as_deref().map_or_else(|| "job".to_owned(), local::name_of);
    let mut outputs = args.follow.then(|| args.output.outputs(&name)).transpose()?;
    let prepared = args.job.prepare(interrupt, args.follow.then_some(&args.output))?;
    if let Some(outputs) = &mut outputs {
        prepared.asked.set(&mut outputs.look);
    }
    client::block_on(async {
        let farm = Farm::connect(&args.farm, interrupt).await?;
        let submitted = submit(args, prepared, &farm).await;
        let exit = match (submitted, outputs) {
            (Ok(Some((job, spec))), Some(outputs)) => {
                let download = Download::new(job, &spec, outputs);
                jobs::follow_to_files(&farm, job, download, interrupt, args.json).await
            }
            (submitted, _) => submitted.map(|_job| Exit::Done),
        };
        farm.close().await;
        exit
    })
}

async fn submit(
    args: &SubmitArgs,
    prepared: PreparedJob,
    farm: &Farm,
) -> anyhow::Result<Option<(JobId, JobSpec)>> {
    let (spec, quote) = prepared.quote(farm).await?;
    eprintln!("  quote       {}", price_line(&quote));
    if args.dry_run {
        match args.json {
            true => text::print(json::quote(&quote))?,
            false => text::print(quote.price)?,
        }
        return Ok(None);
    }
    consent(quote.price, args.max_cost, args.yes)?;
    let job = farm.order(&spec, &quote).await.context("the order was not taken")?;
    match args.json {
        true => text::print(serde_json::json!({
            "v": json::VERSION,
            "job": job.to_string(),
            "price": quote.price.to_string(),
        }))?,
        false => text::print(job)?,
    }
    Ok(Some((job, spec)))
}

/// A quote in a line.
pub fn price_line(quote: &Quote) -> String {
    format!(
        "{} tokens, firm (work {}, fee {}, checking {})",
        quote.price, quote.work, quote.fee, quote.reserve
    )
}

/// Nothing is spent without a yes: typed, or given with a limit.
fn consent(price: Tokens, max_cost: Option<Tokens>, yes: bool) -> anyhow::Result<()> {
    if let Some(max_cost) = max_cost
        && price > max_cost
    {
        let message = format!(
            "the price of {price} tokens is above --max-cost {max_cost}; nothing was ordered"
        );
        return Err(fail(Exit::Failed, message));
    }
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let message = "nobody is here to agree to the price; a script gives --yes and --max-cost";
        return Err(fail(Exit::Usage, message));
    }
    eprint!("Order for {price} tokens? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(fail(Exit::Failed, "nothing was ordered")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_stated_its_limit_is_held_to_it() {
        let limit = Some(Tokens::from_whole(5));
        assert!(consent(Tokens::from_whole(5), limit, true).is_ok());
        let refused = consent(Tokens::from_micro(5_000_001), limit, true);
        assert!(refused.is_err_and(|error| error.to_string().contains("5.000001")));
    }
}
