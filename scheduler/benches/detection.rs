//! What challenges catch, and whom they wrong: real films, real draws, the real judge.
//!
//! ```text
//! detection [scene.glb ...] [--pairs 200] [--side 64] [--draws 500] [--forged 20000] [--doubted 200]
//! ```
//!
//! Honest pairs are the same tile rendered in two of the ways that this machine has (portable,
//! AVX2, AVX-512): they are compared as a whole, and the film of one is challenged against the other as
//! often as `--draws` says. What is refused of whole films is what a rate can be stated of: draws from
//! one film are no independent trials.
//! Forgeries are honest films in which pixels were replaced by their neighbours; only pixels that
//! then differ count as forged. The node of class Tolerant is made: no device at hand rounds
//! otherwise, so its films are honest ones with noise in the sixth digit and one pixel in 500 from
//! a film of another seed.
//!
//! Films in doubt have more such pixels than the tolerance allows, and are decided by Welch's test;
//! so are forgeries of as many pixels. `--doubted` says how many films there are of each sort.

use std::path::Path as FilePath;
use std::time::Instant;

use film::{Film, Sums};
use protocol::{Batch, Challenge, Class, Digest, LeaseId, NodeId, Rect, RenderSettings, Size};
use renderer::trace::Path;
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work, prepare};
use scene::Scene;
use scheduler::core::Policy;
use scheduler::verify::{
    challenge_pixels, detection_probability, differing_pixels, doubtful, judge, welch,
};

type Failure = Box<dyn std::error::Error>;

const SAMPLES: u32 = 16;
/// Tiles of a frame of honest pairs, along each side.
const TILES: u32 = 4;
const SHARES: [f64; 6] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25];

struct Options {
    files: Vec<String>,
    pairs: u32,
    side: u32,
    draws: u32,
    forged: u32,
    doubted: u32,
}

fn options() -> Result<Options, Failure> {
    let files = Vec::new();
    let mut options =
        Options { files, pairs: 200, side: 64, draws: 500, forged: 20_000, doubted: 200 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--bench" => {}
            "--pairs" => options.pairs = value()?.parse()?,
            "--side" => options.side = value()?.parse()?,
            "--draws" => options.draws = value()?.parse()?,
            "--forged" => options.forged = value()?.parse()?,
            "--doubted" => options.doubted = value()?.parse()?,
            _ => options.files.push(word),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let mut scenes = vec![("golden".to_owned(), scene::golden())];
    for file in &options.files {
        let imported = scene::import(file.as_ref(), &scene::ImportOptions::default())?;
        let name =
            FilePath::new(file).file_stem().map_or(file.into(), |name| name.to_string_lossy());
        scenes.push((name.into_owned(), imported.scene));
    }
    honest(&scenes, &options)?;
    for side in [64, 128].into_iter().filter(|_side| options.forged > 0) {
        forged(&scenes[scenes.len() - 1], side, options.forged)?;
    }
    if options.doubted > 0 {
        for (name, scene) in &scenes {
            doubted(name, scene, options.doubted)?;
        }
    }
    Ok(())
}

/// A draw of a challenge: as the scheduler's, with a lease of this number.
fn draw(number: u64, root: Digest, rect: Rect, class: Class) -> Vec<(u32, u32)> {
    let mut lease = [0; 16];
    lease[..8].copy_from_slice(&number.to_le_bytes());
    let wanted = Policy::default().pixels(class, false);
    let challenge = Challenge { nonce: [2; 32], round: 0, pixels: wanted };
    challenge_pixels(LeaseId(lease), NodeId([1; 32]), root, &challenge, rect)
}

fn picked(film: &Film, places: &[(u32, u32)]) -> Sums {
    let indices = places.iter().map(|&(x, y)| film.index(x, y).expect("inside the tile"));
    film.sums().picked(indices).expect("inside the film")
}

/// Whether a challenge refuses a film. As the scheduler's verifier decides, it does so for class
/// Tolerant only where the whole tile is refused as well, which is `is_bad`.
fn is_refused(
    class: Class,
    is_bad: bool,
    film: &Film,
    trusted: &Film,
    places: &[(u32, u32)],
) -> bool {
    (class == Class::Exact || is_bad)
        && judge(class, places, &picked(film, places), &picked(trusted, places)).is_err()
}

fn render(backend: &mut CpuBackend, frame: &RenderScene, rect: Rect) -> Result<Film, Failure> {
    let batch = Batch::new(0, 1).ok_or("no batch")?;
    Ok(backend.render(frame, Work { rect, batch }, &Cancel::default())?)
}

fn frame(scene: &Scene, side: u32, seed: u32) -> Result<RenderScene, Failure> {
    let size = Size::new(side, side);
    let settings = RenderSettings { size, samples: SAMPLES, seed, ..RenderSettings::default() };
    Ok(prepare(scene, &settings, 0.0)?)
}

/// The largest share that `events` of `trials` leave possible, with 95 %: Wilson's bound, and where
/// nothing happened the exact one.
fn most(events: u64, trials: u64) -> f64 {
    let (n, share) = (trials as f64, events as f64 / trials as f64);
    if events == 0 {
        return 1.0 - 0.05_f64.powf(1.0 / n);
    }
    let z = 1.645_f64;
    let middle = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    (middle + spread) / (1.0 + z * z / n)
}

/// Whom challenges wrong.
fn honest(scenes: &[(String, Scene)], options: &Options) -> Result<(), Failure> {
    let start = Instant::now();
    let ways = Path::all();
    let mut backends: Vec<CpuBackend> =
        ways.iter().map(|&way| CpuBackend::with_path(None, way)).collect();
    let side = options.side;
    println!(
        "honest pairs, tiles of {side} x {side} pixels, {SAMPLES} samples, {} draws each",
        options.draws
    );
    println!(
        "{:<14}{:<24}{:>8}{:>10}{:>12}{:>12}{:>10}",
        "scene", "ways", "pairs", "unequal", "95 % most", "draws", "refused"
    );
    let per_scene = options.pairs.div_ceil(scenes.len() as u32);
    let mut all = [0_u64; 4];
    for (name, scene) in scenes {
        let (mut pairs, mut unequal, mut draws, mut refused) = (0, 0_u64, 0_u64, 0_u64);
        let mut seed = 0;
        while pairs < per_scene {
            seed += 1;
            let frame = frame(scene, side * TILES, seed)?;
            for tile in 0..(TILES * TILES).min(per_scene - pairs) {
                let (x0, y0) = (tile % TILES * side, tile / TILES * side);
                let rect = Rect { x0, y0, x1: x0 + side, y1: y0 + side };
                // Every pair of different ways in turn.
                let first = pairs as usize % ways.len();
                let second = (first + 1 + pairs as usize / ways.len() % (ways.len() - 1).max(1))
                    % ways.len();
                let film = render(&mut backends[first], &frame, rect)?;
                let trusted = render(&mut backends[second], &frame, rect)?;
                let root = film.root();
                let differing = differing_pixels(Class::Exact, film.sums(), trusted.sums());
                unequal += u64::from(differing > 0);
                for number in 0..options.draws {
                    let number = u64::from(pairs) << 32 | u64::from(number);
                    let places = draw(number, root, rect, Class::Exact);
                    draws += 1;
                    refused += u64::from(is_refused(Class::Exact, true, &film, &trusted, &places));
                }
                pairs += 1;
            }
        }
        let names: Vec<&str> = ways.iter().map(|way| way.name()).collect();
        println!(
            "{name:<14}{:<24}{pairs:>8}{unequal:>10}{:>12.2e}{draws:>12}{refused:>10}",
            names.join(" "),
            most(unequal, pairs.into()),
        );
        let these = [pairs.into(), unequal, draws, refused];
        all.iter_mut().zip(these).for_each(|(sum, count)| *sum += count);
    }
    let [pairs, unequal, draws, refused] = all;
    println!(
        "{:<38}{pairs:>8}{unequal:>10}{:>12.2e}{draws:>12}{refused:>10}   ({:.0} s)\n",
        "all",
        most(unequal, pairs),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A film with this share of its pixels replaced by their neighbours, spread by a hash.
fn with_forged(film: &Film, share: f64) -> Film {
    let mut forged = film.clone();
    let honest = film.pixels().to_vec();
    for (at, pixel) in forged.pixels_mut().iter_mut().enumerate().skip(1) {
        let hash = renderer::sampler::to_unit(renderer::sampler::hash(at as u32 ^ 0x5eed));
        if f64::from(hash) < share {
            *pixel = honest[at - 1];
        }
    }
    forged
}

/// A film as a device that rounds otherwise would make it, see above.
fn drifted(film: &Film, other: &Film) -> Film {
    let mut drifted = film.clone();
    for (at, pixel) in drifted.pixels_mut().iter_mut().enumerate() {
        let bits = renderer::sampler::hash(at as u32 ^ 0xd21f7);
        if bits.is_multiple_of(500) {
            *pixel = other.pixels()[at];
            continue;
        }
        let factor = 1.0 + (renderer::sampler::to_unit(bits) - 0.5) * 4e-6;
        pixel.beauty.iter_mut().for_each(|channel| *channel *= factor);
    }
    drifted
}

/// What challenges catch.
fn forged((name, scene): &(String, Scene), side: u32, trials: u32) -> Result<(), Failure> {
    let mut backend = CpuBackend::new(None);
    let rect = Rect { x0: 0, y0: 0, x1: side, y1: side };
    let trusted = render(&mut backend, &frame(scene, side, 1)?, rect)?;
    let other = render(&mut backend, &frame(scene, side, 2)?, rect)?;
    println!("forgeries of {name}, one tile of {side} x {side} pixels, {trials} draws each");
    println!(
        "{:<10}{:>10}{:>10}{:>12}{:>12}{:>12}",
        "class", "pixels", "forged", "caught", "95 % least", "formula"
    );
    for class in [Class::Exact, Class::Tolerant] {
        let made = match class {
            Class::Exact => trusted.clone(),
            Class::Tolerant => drifted(&trusted, &other),
        };
        for share in [0.0].into_iter().chain(SHARES) {
            let film = with_forged(&made, share);
            let all_pixels = 0..film.pixels().len();
            let differing = all_pixels.filter(|&at| !film.sums().is_same(made.sums(), at)).count();
            let differing = differing as u64;
            let root = film.root();
            let all = rect.pixel_count();
            let is_bad = differing_pixels(class, film.sums(), trusted.sums()) > 0;
            let (mut caught, mut drawn) = (0_u64, 0);
            for number in 0..trials {
                let places = draw(u64::from(number), root, rect, class);
                drawn = places.len() as u64;
                caught += u64::from(is_refused(class, is_bad, &film, &trusted, &places));
            }
            let least = 1.0 - most(u64::from(trials) - caught, u64::from(trials));
            println!(
                "{:<10}{drawn:>10}{:>9.2} %{:>12.5}{least:>12.5}{:>12}",
                format!("{class:?}"),
                differing as f64 * 100.0 / all as f64,
                caught as f64 / f64::from(trials),
                match class {
                    Class::Exact => format!("{:.5}", detection_probability(all, differing, drawn)),
                    Class::Tolerant => "-".to_owned(),
                },
            );
        }
    }
    println!();
    Ok(())
}

/// Shares of pixels in doubt.
const DOUBTED: [f64; 4] = [0.011, 0.013, 0.016, 0.03];

/// What is put in the place of some pixels: the honest pixel of another seed, or a forgery of it.
#[derive(Clone, Copy)]
enum Sort {
    Honest,
    Neighbour,
    Quarter,
    Blurred,
    Brighter,
}

const SORTS: [(&str, Sort); 5] = [
    ("other paths (honest)", Sort::Honest),
    ("neighbours", Sort::Neighbour),
    ("a quarter of the samples", Sort::Quarter),
    ("blurred", Sort::Blurred),
    ("5 % brighter", Sort::Brighter),
];

/// Films of a tile of 128 x 128 pixels by seed: of each, whole and with a quarter of the samples.
struct Tile {
    whole: Vec<Film>,
    quarter: Vec<Film>,
}

impl Tile {
    const SIDE: u32 = 128;
    const SEEDS: u32 = 48;

    fn render(scene: &Scene) -> Result<Self, Failure> {
        let mut backend = CpuBackend::new(None);
        let rect = Rect { x0: 0, y0: 0, x1: Self::SIDE, y1: Self::SIDE };
        let mut tile = Self { whole: Vec::new(), quarter: Vec::new() };
        for seed in 0..Self::SEEDS {
            tile.whole.push(render(&mut backend, &frame(scene, Self::SIDE, seed)?, rect)?);
            let size = Size::new(Self::SIDE, Self::SIDE);
            let settings =
                RenderSettings { size, samples: SAMPLES / 4, seed, ..RenderSettings::default() };
            tile.quarter.push(render(&mut backend, &prepare(scene, &settings, 0.0)?, rect)?);
        }
        Ok(tile)
    }

    /// A film with a share of its pixels replaced, with the trusted one and those of other seeds.
    fn film(&self, number: u32, share: f64, sort: Sort) -> (Film, &Film, Vec<&Film>) {
        let seed = |place: u32| ((number + place) % Self::SEEDS) as usize;
        let (trusted, other) = (&self.whole[seed(0)], &self.whole[seed(1)]);
        let few = &self.quarter[seed(1)];
        let mut film = trusted.clone();
        for (at, pixel) in film.pixels_mut().iter_mut().enumerate().skip(1) {
            let hash = renderer::sampler::hash_with(renderer::sampler::hash(number), at as u32);
            if f64::from(renderer::sampler::to_unit(hash)) >= share {
                continue;
            }
            let light = |pixel: &film::Pixel, factor: f32| {
                (pixel.beauty.map(|channel| channel * factor), pixel.luminance_squared * factor)
            };
            match sort {
                Sort::Honest => *pixel = other.pixels()[at],
                Sort::Neighbour => *pixel = trusted.pixels()[at - 1],
                Sort::Quarter => {
                    (pixel.beauty, pixel.luminance_squared) = light(&few.pixels()[at], 4.0);
                }
                Sort::Blurred => {
                    let mean = |values: &dyn Fn(&film::Pixel) -> f32| {
                        let row = &trusted.pixels()[at.saturating_sub(2)..];
                        let row = &row[..row.len().min(5)];
                        row.iter().map(values).sum::<f32>() / row.len() as f32
                    };
                    pixel.beauty = [0, 1, 2].map(|channel| mean(&|it| it.beauty[channel]));
                    pixel.luminance_squared = mean(&|it| it.luminance_squared);
                }
                Sort::Brighter => {
                    *pixel = other.pixels()[at];
                    (pixel.beauty, pixel.luminance_squared) = light(pixel, 1.05);
                }
            }
        }
        let others = (2..2 + welch::SEEDS).map(|place| &self.whole[seed(place)]);
        (film, trusted, others.collect())
    }
}

/// Whom Welch's test refuses of the films that exceed the tolerance by the number of outliers.
fn doubted(name: &str, scene: &Scene, films: u32) -> Result<(), Failure> {
    let start = Instant::now();
    let tile = Tile::render(scene)?;
    println!(
        "films in doubt of {name}, {0} x {0} pixels, {SAMPLES} samples, {films} of each sort, ten times as many honest",
        Tile::SIDE
    );
    println!(
        "{:<28}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "replaced by", "share", "too many", "refused", "taken", "least p"
    );
    for (what, sort) in SORTS {
        // Who is wronged is what a rate is stated for.
        let films = if matches!(sort, Sort::Honest) { 10 * films } else { films };
        for share in DOUBTED {
            let (mut too_many, mut refused, mut taken, mut least) = (0, 0, 0, 1.0_f64);
            for number in 0..films {
                let (film, trusted, others) = tile.film(number, share, sort);
                if differing_pixels(Class::Tolerant, film.sums(), trusted.sums()) == 0 {
                    taken += 1;
                    continue;
                }
                let places = doubtful(Class::Tolerant, film.sums(), trusted.sums());
                let Some(places) = places else {
                    too_many += 1;
                    continue;
                };
                let of = |film: &Film| film.sums().picked(places.iter().copied());
                let others: Option<Vec<Sums>> = others.into_iter().map(of).collect();
                let picked = of(&film).zip(of(trusted)).zip(others);
                let ((film, trusted), others) = picked.ok_or("a pixel is not there")?;
                let p = welch::p_value(&film, &trusted, &others);
                least = least.min(p);
                if p < welch::FALSE_REFUSALS { refused += 1 } else { taken += 1 }
            }
            println!(
                "{what:<28}{:>8.1} %{too_many:>10}{refused:>10}{taken:>10}{least:>12.1e}",
                share * 100.0
            );
        }
    }
    println!("({:.0} s)\n", start.elapsed().as_secs_f64());
    Ok(())
}
