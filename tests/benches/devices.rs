//! Whom challenges wrong whose films were made by another device: films of lavapipe beside the CPU's.
//!
//! ```text
//! cargo bench --profile release -p farm-tests --bench devices -- [scene.glb …] [--pairs 500] [--draws 500]
//! ```
//!
//! Each tile is rendered three times: by the CPU, which is trusted, by lavapipe as a node would, and by
//! lavapipe with contraction allowed, which rounds otherwise as a device of class Tolerant does. What is
//! printed of the last are the figures that [`Tolerance`] bounds, so that its limits can be held against
//! what honest films need.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use film::{Film, Sums};
use gpu::{GpuBackend, GpuOptions, ShaderChecks};
use protocol::{Batch, Challenge, Class, LeaseId, NodeId, Rect, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, Work};
use scene::Scene;
use scheduler::core::Policy;
use scheduler::verify::{Distance, Tolerance, challenge_pixels, differing_pixels, doubtful, judge};

const SIDE: u32 = 64;
/// Tiles of a frame, along each side.
const TILES: u32 = 4;
const SAMPLES: u32 = 16;

struct Options {
    files: Vec<String>,
    pairs: u32,
    draws: u32,
}

fn options() -> Result<Options> {
    let mut options = Options { files: Vec::new(), pairs: 500, draws: 500 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--bench" => {}
            "--pairs" => options.pairs = value()?.parse()?,
            "--draws" => options.draws = value()?.parse()?,
            _ => options.files.push(word),
        }
    }
    Ok(options)
}

/// What was seen of the tiles of one scene.
#[derive(Default)]
struct Seen {
    pairs: u32,
    /// Films of the device as it is that are not the CPU's to the bit.
    unequal: u32,
    /// Of the one that rounds otherwise: pixels, and those that are the CPU's to the bit.
    pixels: u64,
    equal: u64,
    outliers: u64,
    outliers_most: f64,
    /// Largest of a tile: bias over the mean, and over its error; what is not bias over the noise.
    bias_most: f64,
    bias_errors_most: f64,
    rms_most: f64,
    rays_most: f64,
    /// Tiles that exceed the tolerance, and of them those that Welch's test is asked about.
    refused: u32,
    doubted: u32,
    /// Challenges, and those that would have the whole tile rendered.
    draws: u64,
    alarms: u64,
}

impl Seen {
    fn note(&mut self, draws: u32, trusted: &Film, exact: &Film, other: &Film) -> Result<()> {
        self.pairs += 1;
        self.unequal += u32::from(differing_pixels(Class::Exact, exact.sums(), trusted.sums()) > 0);
        let (got, wanted) = (other.sums(), trusted.sums());
        let distance = Distance::between(got, wanted, &Tolerance::ACROSS_CLASSES);
        self.pixels += got.len() as u64;
        self.equal += (0..got.len()).filter(|&at| got.is_same(wanted, at)).count() as u64;
        self.outliers += distance.outliers as u64;
        let most = |held: &mut f64, value: f64| *held = held.max(value);
        most(&mut self.outliers_most, distance.outliers as f64 / distance.pixels as f64);
        most(&mut self.rays_most, distance.rays);
        for drift in &distance.drifts {
            most(&mut self.bias_most, drift.bias.abs() / drift.level.abs().max(1e-3));
            most(&mut self.bias_errors_most, drift.bias.abs() / drift.bias_error.max(1e-12));
            most(&mut self.rms_most, drift.rms / drift.noise.max(1e-12));
        }
        self.refused += u32::from(differing_pixels(Class::Tolerant, got, wanted) > 0);
        self.doubted += u32::from(doubtful(Class::Tolerant, got, wanted).is_some());
        for number in 0..draws {
            let places = draw(u64::from(self.pairs) << 32 | u64::from(number), other);
            let picked = |film: &Film| picked(film, &places);
            let verdict = judge(Class::Tolerant, &places, &picked(other)?, &picked(trusted)?);
            self.draws += 1;
            self.alarms += u64::from(verdict.is_err());
        }
        Ok(())
    }

    fn print(&self, name: &str) {
        let share = |part: u64, of: u64| 100.0 * part as f64 / of.max(1) as f64;
        println!(
            "{name:<14}{:>6}{:>9}{:>9.2}{:>10.4}{:>9.3}{:>10.1e}{:>8.1}{:>10.1e}{:>9.1e}{:>9}{:>9}{:>9}{:>8}",
            self.pairs,
            self.unequal,
            share(self.equal, self.pixels),
            share(self.outliers, self.pixels),
            100.0 * self.outliers_most,
            self.bias_most,
            self.bias_errors_most,
            self.rms_most,
            self.rays_most,
            self.refused,
            self.doubted,
            self.draws,
            self.alarms,
        );
    }
}

/// A draw of a challenge of class Tolerant: as the scheduler's, with a lease of this number.
fn draw(number: u64, film: &Film) -> Vec<(u32, u32)> {
    let mut lease = [0; 16];
    lease[..8].copy_from_slice(&number.to_le_bytes());
    let pixels = Policy::default().pixels(Class::Tolerant, false);
    let challenge = Challenge { nonce: [2; 32], round: 0, pixels };
    challenge_pixels(LeaseId(lease), NodeId([1; 32]), film.root(), &challenge, film.rect())
}

fn picked(film: &Film, places: &[(u32, u32)]) -> Result<Sums> {
    let at = |&(x, y): &(u32, u32)| film.index(x, y);
    let indices: Option<Vec<usize>> = places.iter().map(at).collect();
    let picked = indices.map(|indices| film.sums().picked(indices.into_iter()));
    picked.flatten().context("a pixel is not in the tile")
}

fn main() -> Result<()> {
    let options = options()?;
    let mut scenes = vec![("golden".to_owned(), scene::golden())];
    for file in &options.files {
        let imported = scene::import(file.as_ref(), &scene::ImportOptions::default())?;
        let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        scenes.push((name, imported.scene));
    }
    let mut cpu = CpuBackend::new(None);
    let software = GpuOptions { software: true, ..GpuOptions::default() };
    let otherwise = ShaderChecks { contraction: true, ..software.checks };
    let mut exact = GpuBackend::open(&software)?;
    let mut other = GpuBackend::open(&GpuOptions { checks: otherwise, ..software })?;
    println!("{}, tiles of {SIDE} x {SIDE} pixels, {SAMPLES} samples", exact.description());
    println!(
        "{:<14}{:>6}{:>9}{:>9}{:>10}{:>9}{:>10}{:>8}{:>10}{:>9}{:>9}{:>9}{:>9}{:>8}",
        "",
        "",
        "as it is",
        "rounding",
        "outliers",
        "a tile",
        "bias",
        "errors",
        "rms",
        "rays",
        "tiles",
        "of them",
        "",
        ""
    );
    println!(
        "{:<14}{:>6}{:>9}{:>9}{:>10}{:>9}{:>10}{:>8}{:>10}{:>9}{:>9}{:>9}{:>9}{:>8}",
        "scene",
        "pairs",
        "unequal",
        "equal %",
        "%",
        "most %",
        "most",
        "most",
        ": noise",
        "most",
        "refused",
        "doubted",
        "draws",
        "alarms"
    );
    let per_scene = options.pairs.div_ceil(scenes.len() as u32);
    let start = Instant::now();
    for (name, scene) in &scenes {
        let seen = see(scene, per_scene, options.draws, (&mut cpu, &mut exact, &mut other))?;
        seen.print(name);
    }
    println!("({:.0} s)", start.elapsed().as_secs_f64());
    Ok(())
}

/// Renders tiles of frames of one seed after the other.
fn see(
    scene: &Scene,
    pairs: u32,
    draws: u32,
    (cpu, exact, other): (&mut CpuBackend, &mut GpuBackend, &mut GpuBackend),
) -> Result<Seen> {
    let Some(batch) = Batch::new(0, 1) else { bail!("no batch of one chunk") };
    let mut seen = Seen::default();
    for seed in 1.. {
        let size = Size::new(SIDE * TILES, SIDE * TILES);
        let settings = RenderSettings { size, samples: SAMPLES, seed, ..RenderSettings::default() };
        let frame = renderer::prepare(scene, &settings, 0.0)?;
        for tile in 0..TILES * TILES {
            if seen.pairs == pairs {
                return Ok(seen);
            }
            let (x0, y0) = (tile % TILES * SIDE, tile / TILES * SIDE);
            let work = Work { rect: Rect { x0, y0, x1: x0 + SIDE, y1: y0 + SIDE }, batch };
            let trusted = cpu.render(&frame, work, &Cancel::default())?;
            let as_it_is = exact.render(&frame, work, &Cancel::default())?;
            let otherwise = other.render(&frame, work, &Cancel::default())?;
            seen.note(draws, &trusted, &as_it_is, &otherwise)?;
        }
    }
    Ok(seen)
}
