//! `tessera render`: a picture, here.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use film::{FrameRate, Metadata};

use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::layers::{self, LayerName};
use crate::local::{self, BackendArgs, Rendered};
use crate::options::{EnvironmentArgs, PictureArgs};
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::text;

/// Options of `tessera render`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera render scene.glb -o frame.exr -o frame.png --size 640x360 --spp 64
  tessera render scene.glb -o frame.png --camera shot_cam --exposure 0.5
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
    environment: EnvironmentArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    backend: BackendArgs,
    /// Frame of the animation
    #[arg(long, value_name = "N", default_value_t = 0)]
    frame: u32,
    /// Frames a second of the animation; a frame is what --shutter is a fraction of
    #[arg(long, value_name = "RATE", default_value_t = 24.0)]
    fps: f32,
    /// Time of the animation, seconds, instead of a frame
    #[arg(long, value_name = "SECONDS", conflicts_with = "frame")]
    time: Option<f32>,
    /// Layers of an EXR beside those of every film, commas between them
    #[arg(long, value_enum, value_name = "LAYERS", value_delimiter = ',', help_heading = "Output")]
    layers: Vec<LayerName>,
    /// Print what was done as a JSON object
    #[arg(long)]
    json: bool,
}

/// Renders and saves; an interrupted render saves the tiles it has.
///
/// # Errors
/// Bad options, a scene that cannot be imported or rendered, a file that cannot be written.
pub fn run(args: &RenderArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let outputs = args.output.outputs(&local::name_of(&args.scene))?;
    let time_s = args.time_s()?;
    let scene = args.environment.import(&args.scene)?;
    let settings = args.picture.settings(Some(&scene), args.fps);
    let render_scene = local::prepare(&scene, &settings, time_s)?;
    let mut backend = args.backend.open()?;
    let description = backend.description();
    eprintln!("  rendering   {} px, {} spp, {description}", settings.size, settings.samples);

    let progress = Progress::start("rendering", "tiles");
    let mut rendered =
        local::render(backend.as_mut(), &render_scene, interrupt.cancel(), &progress)?;
    drop(progress);

    // Who interrupts does not want to wait for layers of pixels that are not there.
    let wanted = if rendered.complete { args.layers.as_slice() } else { &[] };
    let manifests = layers::add(&mut rendered.picture, &scene, &render_scene, wanted)?;
    let metadata = Metadata {
        manifests,
        frame: args.time.is_none().then_some(args.frame),
        frame_rate: FrameRate::nearest(args.fps),
        ..local::metadata(&settings)
    };
    let written = outputs.write(&rendered.picture, None, &metadata)?;
    eprintln!("  {}", summary(&rendered));
    if args.json {
        text::print(object(&rendered, &written, &description))?;
    } else {
        written.iter().try_for_each(|path| text::print(path.display()))?;
    }
    if rendered.complete {
        return Ok(Exit::Done);
    }
    eprintln!("  interrupted; the tiles that were not rendered are transparent");
    Ok(Exit::Interrupted)
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

fn object(rendered: &Rendered, written: &[PathBuf], backend: &str) -> serde_json::Value {
    serde_json::json!({
        "v": json::VERSION,
        "complete": rendered.complete,
        "files": written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "backend": backend,
        "samples": rendered.samples,
        "rays": { "closest": rendered.rays.closest, "shadow": rendered.rays.shadow },
        "seconds": rendered.wall.as_secs_f64(),
        "cpu_seconds": rendered.cpu.as_secs_f64(),
        "samples_per_second": local::per_second(rendered.samples, rendered.wall),
        "rays_per_second": local::per_second(rendered.rays.total(), rendered.wall),
    })
}
