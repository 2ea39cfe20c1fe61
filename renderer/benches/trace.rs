//! How fast rays are traced and samples rendered on this machine's CPU.
//!
//! ```text
//! trace [scene.gltf] [--size 1024x768] [--samples 16] [--threads 2]
//! ```
//!
//! Without a scene a made landscape of 850 000 triangles is used. Every figure stands beside that
//! of the baseline, the portable traversal. Times are processor seconds where the system tells
//! them (they do not suffer from neighbours), else wall seconds; rates are per second of all
//! threads together.

use std::num::NonZeroUsize;
use std::time::Instant;

use failure::Failure;
use protocol::{Batch, CameraChoice, Lighting, Rect, RenderSettings, Size};
use renderer::camera::camera_ray;
use renderer::math::{FAR, Vec3, dot, frame_of};
use renderer::ray::{Cast, Hit, Query, Ray, offset_origin};
use renderer::sampler::{hash, sample_pair};
use renderer::surface::surface_at;
use renderer::trace::{Path, Tracer};
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work, prepare};
use scene::{Mesh, Node, Primitive, Scene};

/// Errors of a small program: their text.
mod failure {
    /// A message.
    pub struct Failure(pub String);

    impl<E: std::error::Error> From<E> for Failure {
        fn from(error: E) -> Self {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            Self(text)
        }
    }

    impl std::fmt::Debug for Failure {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.0)
        }
    }
}

struct Options {
    file: Option<String>,
    size: Size,
    samples: u32,
    threads: Option<NonZeroUsize>,
}

fn options() -> Result<Options, Failure> {
    let mut options =
        Options { file: None, size: Size::new(1024, 768), samples: 16, threads: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure(format!("{word} needs a value")));
        match word.as_str() {
            "--bench" => {}
            "--samples" => options.samples = value()?.parse()?,
            "--threads" => options.threads = Some(value()?.parse()?),
            "--size" => {
                let text = value()?;
                let (width, height) =
                    text.split_once('x').ok_or_else(|| Failure(format!("no size: {text}")))?;
                options.size = Size::new(width.parse()?, height.parse()?);
            }
            _ => options.file = Some(word),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let made = match &options.file {
        Some(file) => scene::import(file.as_ref(), &scene::ImportOptions::default())?.scene,
        None => landscape(),
    };
    // Into the landscape; a scene from a file is seen by its own camera.
    let camera = match &options.file {
        Some(_) => CameraChoice::Default,
        None => CameraChoice::LookAt {
            eye: [-30.0, 26.0, 52.0],
            target: [4.0, 4.0, 0.0],
            vfov_degrees: 50.0,
        },
    };
    let settings = RenderSettings {
        size: options.size,
        samples: options.samples,
        camera,
        lighting: Lighting::default(),
        ..RenderSettings::default()
    };
    let start = Instant::now();
    let scene = prepare(&made, &settings, 0.0)?;
    println!(
        "{}: {} triangles, {} instances, {:.1} MB, prepared in {:.2} s",
        options.file.as_deref().unwrap_or("landscape"),
        scene.triangles().len(),
        scene.instance_count(),
        scene.byte_size() as f64 / 1e6,
        start.elapsed().as_secs_f64(),
    );
    trace_rays(&scene);
    for (name, mut backend) in [
        ("baseline", CpuBackend::with_path(options.threads, Path::Portable)),
        ("best", CpuBackend::new(options.threads)),
    ] {
        render_paths(name, &mut backend, &scene)?;
    }
    Ok(())
}

/// Processor seconds of this process, where the system tells; else none.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = text.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    // Linux counts hundredths for programs, whatever the kernel's own clock.
    Some(ticks / 100.0)
}

/// Processor seconds on one thread, or wall seconds, of the best of some runs.
fn best_of(runs: u32, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let (cpu, wall) = (processor_seconds(), Instant::now());
        work();
        let wall = wall.elapsed().as_secs_f64();
        let seconds = match (cpu, processor_seconds()) {
            (Some(start), Some(end)) => end - start,
            _ => wall,
        };
        best = best.min(seconds.max(1e-3));
    }
    best
}

/// Rays that are traced together.
const WAVE: usize = 256;

/// Rays of one kind, one thread.
fn trace_rays(scene: &RenderScene) {
    let size = scene.settings().size;
    let query = |key| Query { t_max: FAR, key, camera: false, time: 0.0 };
    let best = Tracer::new(scene, Path::best());
    let mut primary = Vec::new();
    for tile in 0..(size.width.div_ceil(8) * size.height.div_ceil(8)) {
        for at in 0..64 {
            let x = tile % size.width.div_ceil(8) * 8 + at % 8;
            let y = tile / size.width.div_ceil(8) * 8 + at / 8;
            primary.push(camera_ray(scene, x as f32 + 0.5, y as f32 + 0.5, (0.0, 0.0), 0.0));
        }
    }
    let (mut diffuse, mut shadow) = (Vec::new(), Vec::new());
    let up = renderer::math::normalize(renderer::math::vec3(0.3, 0.8, 0.2));
    let casts_of = |rays: &[Ray], key| -> Vec<Cast> {
        rays.iter().map(|&ray| Cast { ray, query: query(key) }).collect()
    };
    let mut hits = vec![Hit::miss(FAR); primary.len()];
    best.closest(&casts_of(&primary, 0), &mut hits);
    for (index, (ray, hit)) in primary.iter().zip(&hits).enumerate() {
        if !hit.is_hit() {
            continue;
        }
        let surface = surface_at(scene, hit, ray.direction, 0.0);
        let origin = offset_origin(surface.position, surface.geometric, surface.reach);
        let (u, v) = sample_pair(hash(index as u32), 0, 0, 0);
        let local = renderer::bsdf::lobe::sample_cosine(u, v);
        let (x, y) = frame_of(surface.geometric);
        let direction = x * local.x + y * local.y + surface.geometric * local.z;
        diffuse.push(Ray { origin, direction });
        if dot(up, surface.geometric) > 0.0 {
            shadow.push(Ray { origin, direction: up });
        }
    }
    let mut shuffled = diffuse.clone();
    for index in (1..shuffled.len()).rev() {
        shuffled.swap(index, hash(index as u32) as usize % (index + 1));
    }
    println!("one thread, Mrays/s       baseline      best     ratio");
    for (name, rays, any) in [
        ("primary", &primary, false),
        ("diffuse", &diffuse, false),
        ("shuffled", &shuffled, false),
        ("shadow", &shadow, true),
    ] {
        let rates = [Path::Portable, Path::best()].map(|path| {
            let tracer = Tracer::new(scene, path);
            let casts = casts_of(rays, 1);
            let mut hits = vec![Hit::miss(FAR); casts.len()];
            let seconds = best_of(3, || {
                // As many together as a wave has.
                for (casts, hits) in casts.chunks(WAVE).zip(hits.chunks_mut(WAVE)) {
                    if any { tracer.any(casts, hits) } else { tracer.closest(casts, hits) }
                }
            });
            let met = hits.iter().filter(|hit| hit.is_hit()).count();
            (rays.len() as f64 / seconds / 1e6, met)
        });
        let [(portable, _), (simd, met)] = rates;
        println!(
            "  {name:<10} {:>8} rays {portable:>8.2} {simd:>9.2} {:>9.2}   {:.1} % met",
            rays.len(),
            simd / portable,
            met as f64 * 100.0 / rays.len().max(1) as f64,
        );
    }
}

/// Whole paths, as a farm renders them.
fn render_paths(name: &str, backend: &mut CpuBackend, scene: &RenderScene) -> Result<(), Failure> {
    let settings = scene.settings();
    let batch = Batch::cover(settings.chunk_count(), settings.chunk_count())
        .next()
        .ok_or_else(|| Failure("no samples".to_owned()))?;
    let work = Work { rect: Rect::of_size(settings.size), batch };
    let wall = Instant::now();
    let mut film = None;
    let seconds = best_of(1, || film = Some(backend.render(scene, work, &Cancel::default())));
    let wall = wall.elapsed().as_secs_f64();
    let film = film.ok_or_else(|| Failure("nothing was rendered".to_owned()))??;
    let samples: f64 = film.pixels().iter().map(|pixel| f64::from(pixel.samples)).sum();
    let rays = film.rays();
    println!(
        "paths, {name} {}: {:.2} Mrays/s and {:.3} Msamples/s per processor second, \
         {:.2} Mrays/s by the wall; {:.2} closest and {:.2} shadow rays a sample",
        backend.description(),
        rays.total() as f64 / seconds / 1e6,
        samples / seconds / 1e6,
        rays.total() as f64 / wall / 1e6,
        rays.closest as f64 / samples,
        rays.shadow as f64 / samples,
    );
    Ok(())
}

/// A fractal field of 512×512 squares with 16 spheres over it, half diffuse, half metal, under one
/// lamp and a sky.
fn landscape() -> Scene {
    let side = 512_u32;
    let noise = |x: u32, y: u32| f32::from((hash(hash(x) ^ y.wrapping_mul(77)) >> 16) as u16);
    let height = |x: u32, y: u32| {
        let mut sum = 0.0;
        let mut weight = 12.0 / 65_536.0;
        for level in (0..8).rev() {
            let step = 1 << level;
            let (cx, cy) = (x / step, y / step);
            let (fx, fy) = ((x % step) as f32 / step as f32, (y % step) as f32 / step as f32);
            let row = |y| noise(cx, y) * (1.0 - fx) + noise(cx + 1, y) * fx;
            sum += weight * (row(cy) * (1.0 - fy) + row(cy + 1) * fy);
            weight *= 0.5;
        }
        sum
    };
    let mut field = Primitive { material: Some(0), ..Primitive::default() };
    for y in 0..=side {
        for x in 0..=side {
            let at = |v: u32| v as f32 * 0.25 - 64.0;
            field.positions.push([at(x), height(x, y), at(y)]);
        }
    }
    for y in 0..side {
        for x in 0..side {
            let a = y * (side + 1) + x;
            let (b, c, d) = (a + 1, a + side + 1, a + side + 2);
            field.indices.extend([[a, c, b], [b, c, d]]);
        }
    }
    let mut primitives = vec![field];
    for index in 0..16_u32 {
        let (x, z) = (index % 4 * 128 + 64, index / 4 * 128 + 64);
        let center = [x as f32 * 0.25 - 64.0, height(x, z) + 6.0, z as f32 * 0.25 - 64.0];
        primitives.push(ball(center, 5.0, 1 + index % 2));
    }
    primitives.push(Primitive {
        positions: vec![
            [-20.0, 70.0, -20.0],
            [20.0, 70.0, -20.0],
            [20.0, 70.0, 20.0],
            [-20.0, 70.0, 20.0],
        ],
        indices: vec![[0, 1, 2], [0, 2, 3]],
        material: Some(3),
        ..Primitive::default()
    });
    let plain = |metallic, roughness, emissive| scene::Material {
        base_color: [0.7, 0.7, 0.7, 1.0],
        metallic,
        roughness,
        emissive: [emissive; 3],
        ..scene::Material::default()
    };
    Scene {
        nodes: vec![Node { mesh: Some(0), ..Node::default() }],
        meshes: vec![Mesh { primitives, ..Mesh::default() }],
        materials: vec![
            plain(0.0, 1.0, 0.0),
            plain(0.0, 1.0, 0.0),
            plain(1.0, 0.3, 0.0),
            plain(0.0, 1.0, 8.0),
        ],
        environment: Some(scene::Environment::Constant([0.6, 0.7, 0.9])),
        ..Scene::default()
    }
}

/// A sphere of 20 480 triangles: rows and columns.
fn ball(center: [f32; 3], radius: f32, material: u32) -> Primitive {
    let (rows, columns) = (72_u32, 144_u32);
    let mut ball = Primitive { material: Some(material), ..Primitive::default() };
    for row in 0..=rows {
        for column in 0..=columns {
            let theta = std::f32::consts::PI * row as f32 / rows as f32;
            let phi = std::f32::consts::TAU * column as f32 / columns as f32;
            let unit =
                Vec3 { x: theta.sin() * phi.cos(), y: theta.cos(), z: -theta.sin() * phi.sin() };
            let place = [unit.x, unit.y, unit.z].map(|value| value * radius);
            ball.positions.push([0, 1, 2].map(|axis: usize| center[axis] + place[axis]));
            ball.normals.push([unit.x, unit.y, unit.z]);
        }
    }
    for row in 0..rows {
        for column in 0..columns {
            let a = row * (columns + 1) + column;
            let b = a + columns + 1;
            ball.indices.extend([[a, b, a + 1], [a + 1, b, b + 1]]);
        }
    }
    ball
}
