//! `tessera render`: a picture, here.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use client::pictures::{Label, Outputs, camera_words};
use client::{Description, DescriptionError};
use film::{FrameRate, Metadata};
use protocol::{NoiseTarget, RenderSettings};
use renderer::{Backend, Effort, RenderScene};
use scene::Scene;

use crate::backend::BackendArgs;
use crate::described;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::layers::{self, FrameTime, LayerName};
use crate::local::{self, Rendered};
use crate::options::{EnvironmentArgs, NoiseArgs, PictureArgs, first_camera};
use crate::output::{self, OutputArgs};
use crate::progress::Progress;
use crate::text;
use crate::wishes::{self, Seen};

/// Options of `tessera render`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera render scene.glb -o frame.exr -o frame.png --size 640x360 --spp 64
  tessera render scene.glb -o frame.png --camera shot_cam --exposure 0.5
  tessera render scene.glb -o 'stereo_{camera}.exr' --camera left --camera right
  tessera render scene.glb -o frame.exr --size 1920x1080 --crop 800,300,320x200
  tessera render scene.glb -o plate.exr --size 1920x1080 --overscan 5%
  tessera render scene.glb -o frame.jpg --view neutral --white-balance 4500 --denoise
  tessera render walk.glb -o frame.png --frame 12 --fps 24 --shutter 0.5
  tessera render model.glb -o frame.png --eye 3,2,4 --target 0,1,0 --sun 3 --sky 0.4,0.6,1

")]
pub struct RenderArgs {
    /// The scene, .glb or .gltf
    #[arg(value_hint = ValueHint::FilePath)]
    pub scene: PathBuf,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    noise: NoiseArgs,
    #[command(flatten)]
    environment: EnvironmentArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    backend: BackendArgs,
    /// Make the scene ready sooner and trace it slower, for a first look; the picture is the same to
    /// the bit
    #[arg(long)]
    preview: bool,
    /// Frame of the animation
    #[arg(long, value_name = "N", default_value_t = 0)]
    frame: u32,
    /// Frames a second of the animation; a frame is what --shutter is a fraction of, and how far away
    /// the neighbours are that --layers motion looks at
    #[arg(long, value_name = "RATE", default_value_t = 24.0)]
    fps: f32,
    /// Time of the animation, seconds, instead of a frame
    #[arg(long, value_name = "SECONDS", conflicts_with = "frame")]
    time: Option<f32>,
    /// Layers of an EXR beside those that each has (albedo, depth, normal, samples, variance),
    /// commas between them
    #[arg(long, value_enum, value_name = "LAYERS", value_delimiter = ',', help_heading = "Output")]
    layers: Vec<LayerName>,
    /// Print what was done as a JSON object a picture
    #[arg(long)]
    json: bool,
}

/// Renders and saves the picture of each camera in turn; an interrupted render saves the tiles that
/// it has and begins no other.
///
/// # Errors
/// Bad options, a scene that cannot be imported or rendered, a file that cannot be written.
pub fn run(args: &RenderArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let mut outputs = args.output.outputs(&local::name_of(&args.scene))?;
    let time_s = args.time_s()?;
    if args.time.is_some() && outputs.name_frames() {
        let message = "a time has no number for the {frame} of a file's name; give a --frame";
        return Err(fail(Exit::Usage, message));
    }
    let noise = args.noise.target()?;
    let mut description = Description { fps: Some(args.fps), ..Description::default() };
    args.picture.describe(&mut description);
    let fault = |error: DescriptionError| described::fault(&error, None);
    // What is wrong already is told before a long import.
    described::check(&description).map_err(fault)?;
    let imported = args.environment.import(&args.scene)?;
    let size = imported.wishes.resolution;
    args.picture.complete(&mut description, Some(&imported.scene), size)?;
    let asks = wishes::asks_of(&imported, &first_camera(&description));
    let seen = Seen::of(&asks, Some(&args.output));
    wishes::say(&description, &asks, &seen);
    seen.set(&mut outputs.look);
    let cameras = description.camera_choices().map_err(fault)?;
    let views = wishes::views(&description, &imported).map_err(fault)?;
    let jobs: Vec<_> = views.into_iter().zip(camera_words(&cameras)).collect();
    let scene = imported.scene;
    // The first is prepared before a device is opened, which takes longer.
    let effort = if args.preview { Effort::Preview } else { Effort::Full };
    let first = local::prepare(&scene, &jobs[0].0, time_s, effort)?;
    let backend = args.backend.open()?;
    let description = backend.description();
    let mut easel = Easel { args, time_s, scene, outputs, noise, backend, description, interrupt };
    let of_cameras = jobs.len() > 1;
    let mut prepared = Some(first);
    for (settings, camera) in &jobs {
        let render_scene = match prepared.take() {
            Some(first) => first,
            None => local::prepare(&easel.scene, settings, time_s, effort)?,
        };
        let label = Label { camera, of_cameras, frame: args.frame, of_frames: false };
        if easel.picture(&render_scene, &label)? == Exit::Interrupted {
            return Ok(Exit::Interrupted);
        }
    }
    Ok(Exit::Done)
}

/// What the pictures of one render share.
struct Easel<'a> {
    args: &'a RenderArgs,
    /// The frame's time, seconds.
    time_s: f32,
    scene: Scene,
    outputs: Outputs,
    noise: Option<NoiseTarget>,
    backend: Box<dyn Backend>,
    description: String,
    interrupt: &'a Interrupt,
}

impl Easel<'_> {
    /// Renders one picture and writes its files.
    fn picture(&mut self, render_scene: &RenderScene, label: &Label<'_>) -> anyhow::Result<Exit> {
        let (args, settings, noise) = (self.args, render_scene.settings(), self.noise);
        let of = if label.of_cameras { format!("{}, ", settings.camera) } else { String::new() };
        let (frame, samples) = (text::frame(settings), settings.samples);
        note!("  rendering   {of}{frame}, {samples} spp, {}", self.description);

        let cancel = self.interrupt.cancel();
        let progress = Progress::start("rendering", ["tile", "tiles"]);
        let backend = self.backend.as_mut();
        let mut rendered = local::render(backend, render_scene, noise, cancel, &progress)?;
        drop(progress);

        // Who interrupts does not want to wait for layers of pixels that are not there.
        let wanted = if rendered.complete { args.layers.as_slice() } else { &[] };
        let time = FrameTime { time_s: self.time_s, fps: args.fps };
        let scenes = (&self.scene, render_scene);
        let manifests = layers::add(&mut rendered.picture, scenes, time, wanted, cancel)?;
        let has_layers = manifests.is_some();
        let metadata = Metadata {
            manifests: manifests.unwrap_or_default(),
            frame: args.time.is_none().then_some(args.frame),
            frame_rate: FrameRate::nearest(args.fps),
            ..client::shots::metadata(settings)
        };
        let written = output::write(&self.outputs, &rendered.picture, label, &metadata)?;
        note!("  {}", summary(&rendered));
        if noise.is_some() && rendered.complete {
            note!("  {}", saved(&rendered, settings));
        }
        if args.json {
            let camera = metadata.camera.as_deref();
            text::print(object(&rendered, &written, &self.description, camera))?;
        } else {
            written.iter().try_for_each(|path| text::print(path.display()))?;
        }
        match (rendered.complete, has_layers) {
            (true, true) => return Ok(Exit::Done),
            (true, false) => note!("  interrupted; the picture is whole, without --layers"),
            (false, _) => {
                note!("  interrupted; the tiles that were not rendered are transparent");
            }
        }
        Ok(Exit::Interrupted)
    }
}

impl RenderArgs {
    fn time_s(&self) -> anyhow::Result<f32> {
        let time_s = self.time.unwrap_or(self.frame as f32 / self.fps);
        if self.fps > 0.0 && time_s.is_finite() && time_s >= 0.0 {
            Ok(time_s)
        } else {
            Err(fail(Exit::Usage, "the time must be 0 s or later, and --fps above 0"))
        }
    }
}

fn summary(rendered: &Rendered) -> String {
    let rate = |events| text::short_count(local::per_second(events, rendered.wall));
    format!(
        "{} samples/s, {} rays/s, {}, {:.1} CPU-seconds",
        rate(rendered.samples),
        rate(rendered.rays.total()),
        text::span(rendered.wall),
        rendered.cpu.as_secs_f64()
    )
}

/// What stopping at a noise has saved.
fn saved(rendered: &Rendered, settings: &RenderSettings) -> String {
    let all = settings.window().pixel_count() * u64::from(settings.samples);
    let saved = all.saturating_sub(rendered.samples);
    format!(
        "{} of {} samples saved ({:.0} %): {} little noise",
        text::short_count(saved),
        text::short_count(all),
        saved as f64 * 100.0 / all.max(1) as f64,
        text::share(rendered.quiet_tiles.into(), rendered.tiles.into(), ["tile has", "tiles have"]),
    )
}

/// A picture that was rendered, for programs.
pub fn object(
    rendered: &Rendered,
    written: &[PathBuf],
    backend: &str,
    camera: Option<&str>,
) -> serde_json::Value {
    serde_json::json!({
        "v": json::VERSION,
        "complete": rendered.complete,
        "files": written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "camera": camera,
        "backend": backend,
        "samples": rendered.samples,
        "quiet_tiles": rendered.quiet_tiles,
        "tiles": rendered.tiles,
        "rays": { "closest": rendered.rays.closest, "shadow": rendered.rays.shadow },
        "seconds": rendered.wall.as_secs_f64(),
        "cpu_seconds": rendered.cpu.as_secs_f64(),
        "samples_per_second": local::per_second(rendered.samples, rendered.wall),
        "rays_per_second": local::per_second(rendered.rays.total(), rendered.wall),
    })
}
