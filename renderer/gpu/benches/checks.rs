//! What the kernels' checks and their exact arithmetic cost: the same frames by kernels compiled in
//! several ways, in turns, the best of each.
//!
//! `cargo bench --profile release -p gpu --bench checks -- [scene.glb …] [--size 160x90] [--spp 8]
//! [--rounds 7] [--hardware]`; without files the built-in scene is rendered. Software adapters are
//! taken unless `--hardware` is given. A software adapter's seconds are the processor's, all threads
//! together, which others on the machine disturb less; a card's are the wall's. The first is
//! measured twice: how far the two are apart is what the figures are good for.

use std::path::PathBuf;
use std::time::Instant;

use cpu_time::ProcessTime;
use film::Film;
use gpu::{BoundsChecks, GpuBackend, GpuOptions, Rounding, ShaderChecks};
use protocol::settings::RenderSettings;
use protocol::{Batch, Size};
use renderer::{Backend, Cancel, RenderScene, Work};

/// Kernels by how they are compiled; the first is the one that the others are compared with.
const KERNELS: [(&str, ShaderChecks, Option<Rounding>); 7] = [
    ("every index checked by the shader", DEFAULT, None),
    ("the same again", DEFAULT, None),
    (
        "buffers checked by the device",
        ShaderChecks { bounds: BoundsChecks::Device, ..DEFAULT },
        None,
    ),
    ("no index checked", UNCHECKED, None),
    ("loops counted as well", ShaderChecks { loops_are_bounded: true, ..DEFAULT }, None),
    ("contraction allowed", ShaderChecks { contraction: true, ..DEFAULT }, None),
    ("our division and root, as where drivers are not exact", DEFAULT, Some(Rounding::Exact)),
];

const DEFAULT: ShaderChecks =
    ShaderChecks { bounds: BoundsChecks::Restrict, loops_are_bounded: false, contraction: false };
const UNCHECKED: ShaderChecks = ShaderChecks { bounds: BoundsChecks::None, ..DEFAULT };

struct Arguments {
    files: Vec<PathBuf>,
    size: Size,
    samples: u32,
    rounds: u32,
    software: bool,
}

fn arguments() -> Result<Arguments, String> {
    let size = Size::new(160, 90);
    let mut found = Arguments { files: Vec::new(), size, samples: 8, rounds: 7, software: true };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|why| format!("{text}: {why}"));
        match word.as_str() {
            // Cargo adds it to every benchmark.
            "--bench" => {}
            "--hardware" => found.software = false,
            "--spp" => found.samples = number(value()?)?,
            "--rounds" => found.rounds = number(value()?)?,
            "--size" => {
                let text = value()?;
                let (width, height) = text.split_once('x').ok_or("--size wants 160x90")?;
                found.size = Size::new(number(width.to_owned())?, number(height.to_owned())?);
            }
            _ => found.files.push(PathBuf::from(word)),
        }
    }
    Ok(found)
}

fn scenes(arguments: &Arguments) -> Result<Vec<(String, RenderScene)>, String> {
    let prepared = |name: String, scene: &scene::Scene| {
        let (size, samples) = (arguments.size, arguments.samples);
        let settings = RenderSettings { size, samples, ..RenderSettings::default() };
        let prepared = renderer::prepare(scene, &settings, 0.0).map_err(|why| why.to_string())?;
        Ok((name, prepared))
    };
    if arguments.files.is_empty() {
        return Ok(vec![prepared("built in".to_owned(), &scene::golden())?]);
    }
    let import = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let imported = scene::import(path, &scene::ImportOptions::default());
        prepared(name, &imported.map_err(|why| format!("{}: {why}", path.display()))?.scene)
    };
    arguments.files.iter().map(import).collect()
}

/// Renders a frame: its film, and how many seconds it took.
fn render(
    kernel: &mut GpuBackend,
    scene: &RenderScene,
    software: bool,
) -> Result<(Film, f64), String> {
    let chunks = scene.settings().chunk_count().next_power_of_two();
    let batch = Batch::new(0, chunks).ok_or("the batch is aligned")?;
    let work = Work { rect: scene.settings().window(), batch };
    let (wall, processor) = (Instant::now(), ProcessTime::now());
    let film = kernel.render(scene, work, &Cancel::default()).map_err(|why| why.to_string())?;
    let took = if software { processor.elapsed() } else { wall.elapsed() };
    Ok((film, took.as_secs_f64()))
}

fn run() -> Result<(), String> {
    let arguments = arguments()?;
    let scenes = scenes(&arguments)?;
    let mut kernels = Vec::new();
    for (_, checks, rounding) in KERNELS {
        let options =
            GpuOptions { software: arguments.software, checks, rounding, ..GpuOptions::default() };
        kernels.push(GpuBackend::open(&options).map_err(|why| why.to_string())?);
    }
    println!(
        "{}, {}, {} spp, best of {}",
        kernels[0].description(),
        arguments.size,
        arguments.samples,
        arguments.rounds
    );
    for (name, scene) in &scenes {
        let mut films = Vec::new();
        for kernel in &mut kernels {
            // The first dispatches compile, and find out how long they may be.
            films.push(render(kernel, scene, arguments.software)?.0);
        }
        let mut best = [f64::INFINITY; KERNELS.len()];
        for _ in 0..arguments.rounds {
            for (kernel, best) in kernels.iter_mut().zip(&mut best) {
                *best = render(kernel, scene, arguments.software)?.1.min(*best);
            }
        }
        println!("{name}, {} rays", films[0].rays().total());
        for (at, (how, ..)) in KERNELS.iter().enumerate() {
            let pairs = films[at].pixels().iter().zip(films[0].pixels());
            let equal = pairs.filter(|(a, b)| a.bits() == b.bits()).count();
            let (seconds, base) = (best[at], best[0]);
            let share = equal as f64 * 100.0 / films[0].pixels().len() as f64;
            println!(
                "  {how:<54} {seconds:.3} s, {:.3} of the first, {share:.2} % of pixels equal",
                seconds / base
            );
        }
    }
    Ok(())
}

fn main() {
    if let Err(why) = run() {
        eprintln!("{why}");
        std::process::exit(1);
    }
}
