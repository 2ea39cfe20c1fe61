//! What many lights cost: noise and time of scenes with ten, a thousand and a hundred thousand.
//!
//! ```text
//! lights [scene.gltf ...] [--samples 16] [--reference 4096] [--size 64x48]
//! ```
//!
//! Without scenes, halls are made that are as bright whatever their number of lights. The noise is
//! the mean over the pixels of the squared relative error (relMSE), against a film of another seed
//! with many more samples, and their median, which tells of the noise without rare bright dots.
//! Rendering is told in processor seconds of all cores.

#[path = "shared/mod.rs"]
mod shared;

use std::time::Instant;

use protocol::{Batch, CameraChoice, Lighting, Rect, RenderSettings, Size};
use renderer::sampler::hash;
use renderer::{Backend, Cancel, CpuBackend, Work, prepare};
use scene::{Light, LightKind, Material, Mesh, Node, Primitive, Scene, Transform};
use shared::processor_seconds;

type Failure = Box<dyn std::error::Error>;

/// Half the side of the made halls' floor, metres.
const HALF: f32 = 40.0;
/// Films of a few samples, each with a seed of its own, that noise is the mean of.
const SEEDS: u32 = 8;
/// Radiance of the triangles, W/(sr m²).
const RADIANCE: f32 = 400.0;

struct Options {
    files: Vec<String>,
    size: Size,
    samples: u32,
    reference: u32,
}

fn options() -> Result<Options, Failure> {
    let mut options =
        Options { files: Vec::new(), size: Size::new(64, 48), samples: 16, reference: 4096 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--bench" => {}
            "--samples" => options.samples = value()?.parse()?,
            "--reference" => options.reference = value()?.parse()?,
            "--size" => {
                let text = value()?;
                let (width, height) =
                    text.split_once('x').ok_or_else(|| format!("no size: {text}"))?;
                options.size = Size::new(width.parse()?, height.parse()?);
            }
            _ => options.files.push(word),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    println!("scene                            prepare s  render s    relMSE    median");
    if options.files.is_empty() {
        let camera = CameraChoice::LookAt {
            eye: [0.0, 0.7 * HALF, 1.2 * HALF],
            target: [0.0, 0.0, 0.2 * HALF],
            vfov_degrees: 45.0,
        };
        for count in [10, 1000, 100_000] {
            measure(&format!("{count} lamps"), &hall(count, false), &camera, &options)?;
        }
        let mut glossy = hall(1000, false);
        glossy.materials[0].roughness = 0.3;
        measure("1000 lamps, glossy", &glossy, &camera, &options)?;
        for count in [10, 1000, 100_000] {
            measure(&format!("{count} triangles"), &hall(count, true), &camera, &options)?;
        }
    }
    for file in &options.files {
        let imported = scene::import(file.as_ref(), &scene::ImportOptions::default())?;
        let name = file.rsplit('/').next().unwrap_or(file);
        measure(name, &imported.scene, &CameraChoice::Default, &options)?;
    }
    Ok(())
}

fn measure(
    name: &str,
    scene: &Scene,
    camera: &CameraChoice,
    options: &Options,
) -> Result<(), Failure> {
    let settings = RenderSettings {
        size: options.size,
        samples: options.samples,
        camera: camera.clone(),
        lighting: Lighting::default(),
        ..RenderSettings::default()
    };
    let (_, _, wanted) = rendered(
        scene,
        &RenderSettings { samples: options.reference, seed: 1234, ..settings.clone() },
    )?;
    let mean: f64 = wanted.iter().sum::<f64>() / wanted.len() as f64;
    let floor = 0.01 * mean * mean;
    let (mut noise, mut prepare_best, mut render_best) = (0.0, f64::INFINITY, f64::INFINITY);
    let mut errors = Vec::new();
    for seed in 0..SEEDS {
        let (prepare_s, render_s, got) =
            rendered(scene, &RenderSettings { seed, ..settings.clone() })?;
        prepare_best = prepare_s.min(prepare_best);
        render_best = render_s.min(render_best);
        let new = got.iter().zip(&wanted).map(|(g, w)| (g - w).powi(2) / (w * w + floor));
        errors.extend(new);
    }
    noise += errors.iter().sum::<f64>() / errors.len() as f64;
    errors.sort_by(f64::total_cmp);
    let median = errors[errors.len() / 2];
    println!("{name:32} {prepare_best:9.2} {render_best:9.3} {noise:9.5} {median:9.5}");
    Ok(())
}

/// Seconds to prepare and to render, and every pixel's green.
fn rendered(scene: &Scene, settings: &RenderSettings) -> Result<(f64, f64, Vec<f64>), Failure> {
    let start = Instant::now();
    let prepared = prepare(scene, settings, 0.0)?;
    let prepare_s = start.elapsed().as_secs_f64();
    let chunks = settings.chunk_count().next_power_of_two();
    let batch = Batch::new(0, chunks).ok_or("no batch")?;
    let work = Work { rect: Rect::of_size(settings.size), batch };
    let mut backend = CpuBackend::new(None);
    let start = processor_seconds();
    let film = backend.render(&prepared, work, &Cancel::default())?;
    let render_s = processor_seconds() - start;
    let green = |pixel: &film::Pixel| f64::from(pixel.beauty[1]) / f64::from(pixel.samples);
    Ok((prepare_s, render_s, film.pixels().iter().map(green).collect()))
}

/// Numbers in 0..1 that look random, the same every time.
struct Random(u32);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(1);
        renderer::sampler::to_unit(hash(self.0.wrapping_mul(0x9e37_79b1)))
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}

/// A floor with pillars under many lights, point lamps or triangles, of a given power in all.
fn hall(count: u32, triangles: bool) -> Scene {
    let mut random = Random(1);
    let mut solid = Primitive { material: Some(0), ..Primitive::default() };
    quad(&mut solid, [-HALF, 0.0, HALF], [2.0 * HALF, 0.0, 0.0], [0.0, 0.0, -2.0 * HALF]);
    for _ in 0..60 {
        let (x, z) = (random.between(-HALF, HALF), random.between(-HALF, HALF * 0.9));
        let (side, height) = (random.between(0.5, 2.0), random.between(1.0, 8.0));
        pillar(&mut solid, [x, 0.0, z], side, height);
    }
    let mut scene = Scene {
        materials: vec![
            Material { base_color: [0.7, 0.7, 0.7, 1.0], metallic: 0.0, ..Material::default() },
            Material { base_color: [0.0, 0.0, 0.0, 1.0], metallic: 0.0, ..Material::default() },
        ],
        ..Scene::default()
    };
    let mut lamps = Primitive { material: Some(1), ..Primitive::default() };
    let share = 4000.0 / count as f32;
    for _ in 0..count {
        let at =
            [random.between(-HALF, HALF), random.between(2.0, 9.0), random.between(-HALF, HALF)];
        let strength = share * random.between(0.2, 1.8);
        if triangles {
            // Equal radiance and total area, whatever the count; the camera sees backs alone.
            let side = (strength * 2.0 / RADIANCE).sqrt();
            let tilt = [(); 2].map(|()| random.between(-0.3, 0.3) * side);
            let edges = [[side, tilt[0], 0.0], [0.0, tilt[1], side]];
            let first = lamps.positions.len() as u32;
            lamps.positions.push(at);
            lamps.positions.extend(edges.map(|edge| [0, 1, 2].map(|k: usize| at[k] + edge[k])));
            lamps.indices.push([first, first + 1, first + 2]);
        } else {
            scene.lights.push(Light {
                intensity: [strength; 3],
                kind: LightKind::Point,
                ..Light::default()
            });
            scene.nodes.push(Node {
                light: Some(scene.lights.len() as u32 - 1),
                transform: Transform::Trs {
                    translation: at,
                    rotation: [0.0, 0.0, 0.0, 1.0],
                    scale: [1.0; 3],
                },
                ..Node::default()
            });
        }
    }
    let mut primitives = vec![solid];
    if triangles {
        scene.materials[1].emissive = [RADIANCE; 3];
        primitives.push(lamps);
    }
    scene.meshes.push(Mesh { primitives, ..Mesh::default() });
    scene.nodes.push(Node { mesh: Some(0), ..Node::default() });
    scene
}

fn quad(into: &mut Primitive, corner: [f32; 3], u: [f32; 3], v: [f32; 3]) {
    let first = into.positions.len() as u32;
    let at = |s: f32, t: f32| [0, 1, 2].map(|k: usize| corner[k] + u[k] * s + v[k] * t);
    into.positions.extend([at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)]);
    into.indices.extend([[first, first + 1, first + 2], [first, first + 2, first + 3]]);
}

fn pillar(into: &mut Primitive, [x, y, z]: [f32; 3], side: f32, height: f32) {
    let (s, up) = (side, [0.0, height, 0.0]);
    quad(into, [x, y, z + s], [s, 0.0, 0.0], up);
    quad(into, [x + s, y, z], [-s, 0.0, 0.0], up);
    quad(into, [x, y, z], [0.0, 0.0, s], up);
    quad(into, [x + s, y, z + s], [0.0, 0.0, -s], up);
    quad(into, [x, y + height, z + s], [s, 0.0, 0.0], [0.0, 0.0, -s]);
}
