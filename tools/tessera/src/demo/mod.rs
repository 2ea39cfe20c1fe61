//! `tessera demo`: the whole line once, on this machine: a scheduler and three nodes as processes
//! of their own, a job, a picture, the money. One node cheats; the demo shows what becomes of it.

mod check;
mod farm;
mod member;
mod report;
mod watch;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use client::pictures::Outputs;
use client::{Farm, SceneImport};
use protocol::view::{FarmView, JobStatus, LedgerCheck, WalletView};
use protocol::{
    CameraChoice, FrameRange, JobSpec, Offer, Rect, RenderSettings, Schedule, Size, TileGrid,
    limits,
};
use renderer::{Effort, RenderScene};
use scene::{Package, Scene};

use crate::backend::BackendName;
use crate::commands::{order, submit};
use crate::door;
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::local;
use crate::text;
use crate::values;

use self::check::PictureCheck;
use self::farm::LocalFarm;
use self::report::Ending;
use self::watch::Watched;

/// Where the demo's scene lies in the repository.
const SCENE: &str = "assets/mosaic.glb";
/// Tiles of a frame, so that each of three nodes is busy for a while.
const TILES_MIN: u32 = 12;
/// Tiles rendered again at the end.
const TILES_CHECKED: usize = 2;

/// Options of `tessera demo`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera demo
  tessera demo --size 1280x720 --spp 256 --no-cheat
  tessera demo --scene scene.glb --out pictures --keep

")]
pub struct DemoArgs {
    /// The scene, .glb or .gltf; without it, one of ours
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    scene: Option<PathBuf>,
    /// Frame size, pixels
    #[arg(long, value_name = "WxH", default_value = "800x450", value_parser = values::size)]
    size: Size,
    /// Samples per pixel
    #[arg(long, value_name = "N", default_value_t = 64)]
    spp: u32,
    /// Scattering events after the camera ray
    #[arg(long, value_name = "N", default_value_t = 8)]
    bounces: u32,
    /// The scene's camera of this name
    #[arg(long, value_name = "NAME")]
    camera: Option<String>,
    /// Folder of the picture; made if need be
    #[arg(long, value_name = "DIR", default_value = "out", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Let all three nodes be honest
    #[arg(long)]
    no_cheat: bool,
    /// Keep the farm's folder: journal, ledger, logs
    #[arg(long)]
    keep: bool,
    /// What the nodes render with; auto takes a GPU where there is one
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    backend: BackendName,
    /// Also take a graphics driver that computes on the CPU, such as lavapipe
    #[arg(long)]
    software_gpu: bool,
    /// CPU threads of each node; a third of the cores without it
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<NonZeroUsize>,
    /// Side of the square tiles, pixels; without it, small enough for all nodes to have some
    #[arg(long, value_name = "PX")]
    tile: Option<u32>,
}

/// What the demo ends with.
pub struct Outcome {
    /// The job, and what was seen of it.
    pub watched: Watched,
    /// The nodes after it.
    pub farm: FarmView,
    /// The artist's wallet after it.
    pub wallet: WalletView,
    /// The ledger's check, asked of the scheduler.
    pub ledger: LedgerCheck,
    /// Our own look at the picture.
    pub picture: PictureCheck,
}

/// Runs it all; whatever happens, no process stays behind.
///
/// # Errors
/// The scene; a process that does not start or dies; the farm.
pub fn run(args: &DemoArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let path = scene_path(args)?;
    let settings = RenderSettings {
        size: args.size,
        samples: args.spp,
        bounces: args.bounces,
        camera: args.camera.clone().map_or(CameraChoice::Default, CameraChoice::Named),
        ..RenderSettings::default()
    };
    settings.validate().exit(Exit::Usage)?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("the folder cannot be made: {}", args.out.display()))?;
    let name = local::name_of(&path);

    note!("Tessera: a farm of three nodes on this machine");
    note!();
    let started = Instant::now();
    let mut farm = LocalFarm::start(&farm::Options {
        threads: args.threads,
        cheat: !args.no_cheat,
        backend: args.backend,
        software_gpu: args.software_gpu,
        keep: args.keep,
    })?;

    // The nodes qualify while the scene comes in.
    let (scene, render_scene) = import(&path, &settings)?;
    let probe = submit::probe(&render_scene, interrupt)?;
    say("estimate", &submit::estimate(&[probe], &settings, 1));
    let package = scene::pack(&scene);
    let spec = JobSpec {
        name: name.clone(),
        scene: package.id(),
        settings,
        more_cameras: Vec::new(),
        frames: FrameRange::STILL,
        tile_side_px: args.tile.unwrap_or_else(|| tile_side_px(args.size)),
        base: None,
        noise: None,
        needs: protocol::Needs::default(),
    };
    spec.validate().exit(Exit::Usage)?;

    let outputs = Outputs::exr_and_png(&args.out, &name);
    let ticket = farm.wait_for_ticket()?;
    let outcome = door::block_on(async {
        let key = farm.folder().join("artist.key");
        let client = door::connect_as(&key, ticket, interrupt).await?;
        let artist = Artist { client: &client, spec: &spec, render_scene: &render_scene };
        let outcome = artist.render(&mut farm, package, outputs, interrupt).await;
        client.close().await;
        outcome
    });
    if interrupt.is_set() {
        note!("  interrupted; the farm is closed");
        return Ok(Exit::Interrupted);
    }
    let outcome = outcome?;
    let cpu_seconds = farm.stop();
    let ending = Ending {
        outcome,
        honest: args.no_cheat,
        our_scene: args.scene.is_none(),
        // The files have the last word: they hold what the closing scheduler wrote, too.
        ledger: farm.check_ledger().context("the farm left no ledger")?,
        wall: started.elapsed(),
        cpu_seconds,
    };
    report::print(&ending)?;
    if let Some(folder) = farm.keep() {
        say("kept", &folder.display().to_string());
    }
    Ok(report::exit(&ending))
}

/// The largest usual tile side of which a frame has enough tiles.
fn tile_side_px(size: Size) -> u32 {
    let mut side_px = JobSpec::TILE_SIDE_PX;
    while side_px > limits::TILE_SIDE_PX_MIN
        && TileGrid::new(Rect::of_size(size), side_px).tile_count() < TILES_MIN
    {
        side_px /= 2;
    }
    side_px
}

/// A line of the story on standard error.
fn say(label: &str, words: &str) {
    note!("  {label:<11} {words}");
}

/// The scene asked for; else ours, beside the sources or in the current folder.
fn scene_path(args: &DemoArgs) -> anyhow::Result<PathBuf> {
    if let Some(path) = &args.scene {
        if path.is_file() {
            return Ok(path.clone());
        }
        let message = format!("no such file; check the path of the scene: {}", path.display());
        return Err(fail(Exit::NotFound, message));
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(SCENE);
    let places = [sources, PathBuf::from(SCENE)];
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let message = format!("the demo's scene is not here; name another with --scene: {SCENE}");
        fail(Exit::NotFound, message)
    })
}

fn import(path: &Path, settings: &RenderSettings) -> anyhow::Result<(Scene, RenderScene)> {
    let scene = local::import(path, &SceneImport::default(), Path::new(""))?.scene;
    let render_scene = local::prepare(&scene, settings, 0.0, Effort::Full)?;
    Ok((scene, render_scene))
}

/// The artist's side of the demo.
struct Artist<'a> {
    client: &'a Farm,
    spec: &'a JobSpec,
    render_scene: &'a RenderScene,
}

impl Artist<'_> {
    async fn render(
        &self,
        farm: &mut LocalFarm,
        package: Package,
        outputs: Outputs,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Outcome> {
        watch::wait_for_nodes(self.client, farm, interrupt).await?;

        let size = text::bytes(package.size_bytes());
        let offered = self.client.offer_scene(package, |_arrival| ()).await;
        offered.context("the farm did not take the scene")?;
        say("uploaded", &format!("{size}, {}", self.spec.scene.short()));
        let quote = self.client.quote(self.spec, Offer::default()).await;
        let quote = quote.context("there is no quote")?;
        say("quote", &order::price_line(&quote));
        let before = self.client.wallet().await?;
        let job = self
            .client
            .order(self.spec, &quote, Schedule::default())
            .await
            .context("the order was not taken")?;
        say(
            "escrow",
            &format!(
                "{} of the {} tokens that the farm welcomed us with",
                quote.price,
                text::tokens(before.balance)
            ),
        );

        let mut watched =
            watch::watch(self.client, farm, job, self.spec, outputs, interrupt).await?;
        if !matches!(watched.job.status, JobStatus::Done) {
            let reason = watched.job.reason.as_deref().unwrap_or("no reason given");
            anyhow::bail!("the job ended as {}: {reason}", watched.job.status.word());
        }
        report::say_rendered(&watched, self.spec);

        let exr = watched.written.first().context("no picture was written")?;
        let tiles = check::choose(job, self.spec, &watched.refused_tiles, TILES_CHECKED);
        let cancel = interrupt.cancel();
        let picture = check::check(exr, self.render_scene, self.spec, tiles, cancel)?;
        report::say_checked(&picture);

        let farm = watch::settle(self.client, farm, &mut watched).await?;
        report::say_challenged(&watched, &farm);
        Ok(Outcome {
            watched,
            farm,
            wallet: self.client.wallet().await?,
            ledger: self.client.check_ledger().await?,
            picture,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_have_small_tiles() {
        assert_eq!(tile_side_px(Size::new(1920, 1080)), 128);
        assert_eq!(tile_side_px(Size::new(640, 360)), 128);
        assert_eq!(tile_side_px(Size::new(256, 144)), 64);
        assert_eq!(tile_side_px(Size::new(1, 1)), limits::TILE_SIDE_PX_MIN);
    }
}
