//! CPU and GPU side by side on a scene file: rays, samples, and how many pixels are equal.
//!
//! `cargo bench -p gpu --bench trace -- scene.glb [--size 320x180] [--spp 16] [--hardware]`;
//! without a file the built-in scene is rendered. Software adapters are taken unless
//! `--hardware` is given, for they are what a machine without a card has.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use film::Film;
use gpu::{GpuBackend, GpuOptions};
use protocol::settings::RenderSettings;
use protocol::{Batch, Rect, Size};
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work};

/// How often each backend renders; the best counts.
const ROUNDS: u32 = 3;

struct Arguments {
    file: Option<PathBuf>,
    size: Size,
    samples: u32,
    software: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut found =
        Arguments { file: None, size: Size::new(320, 180), samples: 16, software: true };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            // Cargo adds it to every benchmark.
            "--bench" => {}
            "--hardware" => found.software = false,
            "--spp" => {
                found.samples = value()?.parse().map_err(|why| format!("--spp: {why}"))?;
            }
            "--size" => {
                let text = value()?;
                let (width, height) = text.split_once('x').ok_or("--size wants 320x180")?;
                let side = |text: &str| text.parse().map_err(|why| format!("--size: {why}"));
                found.size = Size::new(side(width)?, side(height)?);
            }
            _ => found.file = Some(PathBuf::from(word)),
        }
    }
    Ok(found)
}

fn scene_of(arguments: &Arguments) -> Result<RenderScene, String> {
    let scene = match &arguments.file {
        None => scene::golden(),
        Some(path) => {
            scene::import(path, &scene::ImportOptions::default())
                .map_err(|why| format!("{}: {why}", path.display()))?
                .scene
        }
    };
    let settings = RenderSettings {
        size: arguments.size,
        samples: arguments.samples,
        ..RenderSettings::default()
    };
    renderer::prepare(&scene, &settings, 0.0).map_err(|why| why.to_string())
}

/// Renders the whole frame a few times: the film and the shortest time.
fn measure(
    backend: &mut dyn Backend,
    scene: &RenderScene,
) -> Result<(Film, Duration, Duration), String> {
    let chunks = scene.settings().chunk_count().next_power_of_two();
    let batch = Batch::new(0, chunks).ok_or("the batch is aligned")?;
    let work = Work { rect: Rect::of_size(scene.settings().size), batch };
    let mut first = Duration::ZERO;
    let mut best = Duration::MAX;
    let mut film = None;
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let rendered = backend.render(scene, work, &Cancel::default());
        film = Some(rendered.map_err(|why| why.to_string())?);
        let took = start.elapsed();
        if round == 0 {
            first = took;
        } else {
            best = best.min(took);
        }
    }
    Ok((film.ok_or("nothing was rendered")?, first, best))
}

fn report(name: &str, film: &Film, first: Duration, best: Duration) {
    let rays = film.rays();
    let samples: u64 = film.pixels().iter().map(|pixel| u64::from(pixel.samples)).sum();
    let seconds = best.as_secs_f64();
    println!(
        "{name:<44} {:>8.3} Mrays/s {:>8.3} Msamples/s   first {:.2} s, best {seconds:.2} s",
        (rays.closest + rays.shadow) as f64 / seconds / 1e6,
        samples as f64 / seconds / 1e6,
        first.as_secs_f64(),
    );
}

fn run() -> Result<(), String> {
    let arguments = arguments()?;
    let scene = scene_of(&arguments)?;
    println!(
        "{} at {}, {} samples, {:.1} MB of tables",
        arguments.file.as_ref().map_or("golden".into(), |path| path.display().to_string()),
        arguments.size,
        arguments.samples,
        scene.byte_size() as f64 / 1e6,
    );
    let mut cpu = CpuBackend::new(None);
    let (wanted, first, best) = measure(&mut cpu, &scene)?;
    report(&cpu.description(), &wanted, first, best);
    let start = Instant::now();
    let options = GpuOptions { software: arguments.software, ..GpuOptions::default() };
    let mut gpu = GpuBackend::open(&options).map_err(|why| why.to_string())?;
    let opened = start.elapsed();
    let (film, first, best) = measure(&mut gpu, &scene)?;
    report("gpu", &film, first, best);
    let pairs = film.pixels().iter().zip(wanted.pixels());
    let equal = pairs.filter(|(a, b)| a.bits() == b.bits()).count();
    println!(
        "    {}, opened and tested in {:.2} s, {equal} of {} pixels bit-equal",
        gpu.description(),
        opened.as_secs_f64(),
        film.pixels().len(),
    );
    Ok(())
}

fn main() {
    if let Err(why) = run() {
        eprintln!("{why}");
        std::process::exit(1);
    }
}
