//! What making a scene ready costs: time, memory, and the first pixel.
//!
//! ```text
//! prepare                          every case below, each in a process of its own
//! prepare build TRIANGLES          a made height field: time and memory of its tables
//! prepare trees TRIANGLES|FILE     our trees beside obvhs' own: time to build, rays a second
//! prepare texels SIDE              a square texture: time and memory of its texels
//! prepare first FILE [WxH]         from a file on disk to the first film, one sample a pixel
//! ```
//!
//! Two threads wherever there are several. Memory is the most that the process held meanwhile, all of
//! it (VmHWM); it is told where Linux tells it.

#[path = "shared/mod.rs"]
mod shared;

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use obvhs::BvhBuildParams;
use obvhs::cwbvh::CwBvh;
use obvhs::cwbvh::builder::build_cwbvh_from_tris;
use obvhs::cwbvh::node::CwBvhNode;
use obvhs::ray::{Ray, RayHit};
use obvhs::triangle::Triangle;
use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::bvh::{self, Bounds, Effort, TREE_DEPTH_MAX};
use renderer::math::Vec3;
use renderer::ray::triangle_box;
use renderer::sampler::hash;
use renderer::{Backend, Cancel, CpuBackend, Work, prepare, prepare_with};
use scene::{
    Filter, Image, Material, Mesh, Node, Pixels, Primitive, Scene, Texture, TextureRef, Wrap,
};
use shared::processor_seconds;

type Failure = Box<dyn std::error::Error>;

/// Threads of every case.
const THREADS: &str = "2";
/// Rays that each tree is asked.
const RAYS: u32 = 1_000_000;
/// How often each tree is asked; the best counts.
const TURNS: u32 = 5;
/// The frame whose first film is waited for.
const FRAME: Size = Size::new(640, 360);

fn main() -> Result<(), Failure> {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["build", triangles] => build(triangles.parse()?),
        ["trees", of] => trees(of),
        ["texels", side] => texels(side.parse()?),
        ["first", file] => first(Path::new(file)),
        [] => every_case(),
        _ => {
            Err("cases are: build TRIANGLES, trees TRIANGLES|FILE, texels SIDE, first FILE".into())
        }
    }
}

fn every_case() -> Result<(), Failure> {
    let file = std::env::temp_dir().join(format!("tessera-first-{}.glb", std::process::id()));
    write_glb(&field(100_000), &file)?;
    let path = file.to_string_lossy();
    let cases = [
        &["build", "1000000"][..],
        &["build", "10000000"],
        &["trees", "1000000"],
        &["texels", "4096"],
        &["first", &path],
    ];
    for case in cases {
        let status = Command::new(std::env::current_exe()?)
            .args(case)
            .env("RAYON_NUM_THREADS", THREADS)
            .status()?;
        if !status.success() {
            return Err(format!("{} ended with {status}", case.join(" ")).into());
        }
    }
    Ok(std::fs::remove_file(&file)?)
}

/// What a piece of work cost.
struct Cost {
    wall_s: f64,
    cpu_s: f64,
    /// Most bytes that the process held meanwhile.
    peak_bytes: u64,
}

fn measured<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    // Where Linux allows it, the most held is counted anew; else it is that of all before.
    let _older_kernels_refuse = std::fs::write("/proc/self/clear_refs", "5");
    let (wall, cpu) = (Instant::now(), processor_seconds());
    let done = work();
    let (wall_s, cpu_s) = (wall.elapsed().as_secs_f64(), processor_seconds() - cpu);
    let peak_bytes = memory("VmHWM:");
    (done, Cost { wall_s, cpu_s, peak_bytes })
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wall_s, cpu_s, peak_bytes } = self;
        write!(
            f,
            "{wall_s:.2} s, {cpu_s:.2} CPU-s, at most {:.0} MB held",
            *peak_bytes as f64 / 1e6
        )
    }
}

/// Bytes of this process by the system's word; 0 where it says nothing.
fn memory(word: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn settings() -> RenderSettings {
    RenderSettings { size: FRAME, samples: 1, ..RenderSettings::default() }
}

/// The first film of a prepared scene.
fn render(prepared: &renderer::RenderScene) -> Result<film::Film, Failure> {
    let mut backend = CpuBackend::new(THREADS.parse::<NonZeroUsize>().ok());
    let batch = Batch::new(0, 1).ok_or("a chunk is a batch")?;
    let work = Work { rect: Rect::of_size(prepared.settings().size), batch };
    Ok(backend.render(prepared, work, &Cancel::default())?)
}

fn build(triangles: u32) -> Result<(), Failure> {
    let scene = field(triangles);
    let (empty, cost) = measured(|| prepare(&Scene::default(), &settings(), 0.0));
    println!("prepare, no scene, once a process: {cost}, {} bytes", empty?.byte_size());
    let held = memory("VmRSS:");
    let (preview, cost) = measured(|| prepare_with(&scene, &settings(), 0.0, Effort::Preview));
    let preview = preview?;
    println!("prepare, {} triangles, preview: {cost}", preview.triangles().len());
    let (film, cost) = measured(|| render(&preview));
    let seen = film?.root();
    println!("  first film on the CPU, which makes its own tree: {cost}");
    drop(preview);
    let (prepared, cost) = measured(|| prepare(&scene, &settings(), 0.0));
    let prepared = prepared?;
    let count = prepared.triangles().len() as f64;
    println!("prepare, {count} triangles: {cost}");
    let bytes = prepared.byte_size() as f64;
    println!("  tables {:.0} MB, {:.1} bytes a triangle", bytes / 1e6, bytes / count);
    let (film, cost) = measured(|| render(&prepared));
    if film?.root() != seen {
        return Err("the preview's film is another".into());
    }
    println!("  first film on the CPU, which makes its own tree: {cost}");
    println!("  the imported scene alone: {:.0} MB", held as f64 / 1e6);
    Ok(())
}

fn texels(side: u32) -> Result<(), Failure> {
    let mut scene = field(2);
    let pixels = (0..side * side * 4).map(|at| (hash(at) >> 24) as u8).collect();
    scene.images.push(Image {
        name: String::new(),
        width: side,
        height: side,
        pixels: Pixels::Rgba8(pixels),
    });
    let (wrap_u, wrap_v, filter) = (Wrap::Repeat, Wrap::Repeat, Filter::Linear);
    scene.textures.push(Texture { image: 0, wrap_u, wrap_v, filter });
    let (offset, scale) = ([0.0; 2], [1.0; 2]);
    let texture = TextureRef { texture: 0, uv_set: 0, offset, rotation: 0.0, scale };
    scene.materials[0].base_color_texture = Some(texture);
    let primitive = &mut scene.meshes[0].primitives[0];
    primitive.uvs[0] = vec![[0.0; 2]; primitive.positions.len()];
    prepare(&Scene::default(), &settings(), 0.0)?;
    let (prepared, cost) = measured(|| prepare(&scene, &settings(), 0.0));
    let texels = prepared?.texels().len();
    println!("prepare, {side}x{side} px texture: {cost}, {texels} words of texels");
    Ok(())
}

/// A tree that is asked rays, and what it cost.
struct Asked {
    name: &'static str,
    tree: CwBvh,
    cost: Cost,
    /// Shortest time of all rays, seconds.
    best_s: f64,
    met: u32,
}

/// Builds trees over the same triangles, of a file or of the field, ours on two threads and obvhs' on
/// one, and asks them in turns on one, so that a busy machine is busy for all.
fn trees(of: &str) -> Result<(), Failure> {
    let (corners, boxes) = match of.parse::<u32>() {
        Ok(triangles) => soup(&field(triangles))?,
        Err(_not_a_number) => {
            soup(&scene::import(Path::new(of), &scene::ImportOptions::default())?.scene)?
        }
    };
    let rays = rays(&boxes);
    println!("trees over {} triangles of {of}, {RAYS} closest-hit rays on one thread", boxes.len());
    let mut all = Vec::new();
    for (name, effort) in [("Tessera", Effort::Full), ("Tessera, preview", Effort::Preview)] {
        let (tree, cost) = measured(|| {
            let tree = bvh::build(&boxes, TREE_DEPTH_MAX, effort);
            let nodes = bytemuck::cast_slice::<_, CwBvhNode>(&tree.nodes).to_vec();
            CwBvh { nodes, primitive_indices: tree.order, ..CwBvh::default() }
        });
        all.push(Asked { name, tree, cost, best_s: f64::INFINITY, met: 0 });
    }
    for (name, params) in [
        ("obvhs, fastest", BvhBuildParams::fastest_build()),
        ("obvhs, medium", BvhBuildParams::medium_build()),
        ("obvhs, very slow", BvhBuildParams::very_slow_build()),
    ] {
        let (tree, cost) =
            measured(|| build_cwbvh_from_tris(&corners, params, &mut Default::default()));
        all.push(Asked { name, tree, cost, best_s: f64::INFINITY, met: 0 });
    }
    for _ in 0..TURNS {
        all.iter_mut().for_each(|asked| asked.ask(&corners, &rays));
    }
    for Asked { name, tree, cost, best_s, met } in &all {
        let rate = rays.len() as f64 / best_s / 1e6;
        println!("  {name:<17} {cost}, {} nodes, {rate:.2} Mrays/s, {met} met", tree.nodes.len());
    }
    Ok(())
}

/// The triangles of a scene as it is placed, and their boxes; those of instances as they are stored.
fn soup(scene: &Scene) -> Result<(Vec<Triangle>, Vec<Bounds>), Failure> {
    let prepared = prepare_with(scene, &settings(), 0.0, Effort::Preview)?;
    let corners = prepared.triangles().iter().map(|triangle| Triangle {
        v0: triangle.a.into(),
        v1: triangle.b.into(),
        v2: triangle.c.into(),
    });
    let boxes = prepared.triangles().iter().map(|triangle| {
        let [a, b, c] = [triangle.a, triangle.b, triangle.c].map(Vec3::of);
        let (low, high) = triangle_box(a, b, c);
        Bounds { low: low.to_array(), high: high.to_array() }
    });
    Ok((corners.collect(), boxes.collect()))
}

impl Asked {
    /// Asks all rays once, by obvhs' own traversal and triangle test.
    fn ask(&mut self, soup: &[Triangle], rays: &[Ray]) {
        let tree = &self.tree;
        self.met = 0;
        let start = Instant::now();
        for ray in rays {
            let mut hit = RayHit::none();
            let test =
                |ray: &Ray, at: usize| soup[tree.primitive_indices[at] as usize].intersect(ray);
            self.met += u32::from(tree.ray_traverse(*ray, &mut hit, test));
        }
        self.best_s = self.best_s.min(start.elapsed().as_secs_f64());
    }
}

/// Rays between places around and over the middles of boxes, in no order.
fn rays(boxes: &[Bounds]) -> Vec<Ray> {
    let all = boxes.iter().fold(Bounds::EMPTY, |sum, own| sum.union(own));
    let above = (all.high[0] - all.low[0]) * 0.3;
    let middle = |at: u32| {
        let own = &boxes[hash(at) as usize % boxes.len()];
        [0, 1, 2].map(|axis: usize| (own.low[axis] + own.high[axis]) * 0.5)
    };
    (0..RAYS)
        .map(|at| {
            let (mut from, to) = (middle(2 * at), middle(2 * at + 1));
            from[1] += above;
            let way = [0, 1, 2].map(|axis: usize| to[axis] - from[axis]);
            let length = way.iter().map(|side| side * side).sum::<f32>().sqrt();
            Ray::new_inf(from.into(), way.map(|side| side / length).into())
        })
        .collect()
}

/// From a file to its first film, as a program that was just started: nothing is warm.
fn first(file: &Path) -> Result<(), Failure> {
    let start = Instant::now();
    let cpu = processor_seconds();
    let imported = scene::import(file, &scene::ImportOptions::default())?;
    let import_s = start.elapsed().as_secs_f64();
    let prepared = prepare(&imported.scene, &settings(), 0.0)?;
    let prepare_s = start.elapsed().as_secs_f64() - import_s;
    let film = render(&prepared)?;
    let all_s = start.elapsed().as_secs_f64();
    let lit = film.pixels().iter().filter(|pixel| pixel.beauty[1] > 0.0).count();
    println!(
        "first film of {} triangles at {FRAME}, 1 spp: {all_s:.3} s, {:.2} CPU-s \
         (import {import_s:.3}, prepare {prepare_s:.3}, render {:.3}), {lit} pixels are lit",
        imported.report.triangles,
        processor_seconds() - cpu,
        all_s - import_s - prepare_s,
    );
    Ok(())
}

/// A field of hills over a square of 200 m, of at least so many triangles.
fn field(triangles: u32) -> Scene {
    let side = (1..).find(|side| side * side * 2 >= triangles).unwrap_or(1);
    let step = 200.0 / side as f32;
    let mut primitive = Primitive { material: Some(0), ..Primitive::default() };
    for y in 0..=side {
        for x in 0..=side {
            let [east, south] = [x, y].map(|at| at as f32 * step - 100.0);
            let rough = (hash(hash(x) ^ y.wrapping_mul(77)) >> 16) as f32 / 65_536.0 * step;
            let hills = 6.0 * (east * 0.11).sin() * (south * 0.07).cos() + (east * 0.9).sin();
            primitive.positions.push([east, hills + rough, south]);
        }
    }
    for y in 0..side {
        for x in 0..side {
            let a = y * (side + 1) + x;
            let (b, c, d) = (a + 1, a + side + 1, a + side + 2);
            primitive.indices.extend([[a, c, b], [b, c, d]]);
        }
    }
    Scene {
        nodes: vec![Node { mesh: Some(0), ..Node::default() }],
        meshes: vec![Mesh { primitives: vec![primitive], ..Mesh::default() }],
        materials: vec![Material { metallic: 0.0, ..Material::default() }],
        ..Scene::default()
    }
}

/// Writes a field as a binary glTF.
fn write_glb(scene: &Scene, file: &Path) -> Result<(), Failure> {
    let primitive = &scene.meshes[0].primitives[0];
    let positions: &[u8] = bytemuck::cast_slice(&primitive.positions);
    let indices: &[u8] = bytemuck::cast_slice(&primitive.indices);
    let (vertices, corners) = (primitive.positions.len(), primitive.indices.len() * 3);
    let mut low = [f32::MAX; 3];
    let mut high = [f32::MIN; 3];
    for position in &primitive.positions {
        for axis in 0..3 {
            low[axis] = low[axis].min(position[axis]);
            high[axis] = high[axis].max(position[axis]);
        }
    }
    let (at, length) = (positions.len(), positions.len() + indices.len());
    let mut json = format!(
        r#"{{"asset":{{"version":"2.0"}},"scene":0,"scenes":[{{"nodes":[0]}}],"nodes":[{{"mesh":0}}],
"meshes":[{{"primitives":[{{"attributes":{{"POSITION":0}},"indices":1}}]}}],
"accessors":[{{"bufferView":0,"componentType":5126,"count":{vertices},"type":"VEC3","min":{low:?},"max":{high:?}}},
{{"bufferView":1,"componentType":5125,"count":{corners},"type":"SCALAR"}}],
"bufferViews":[{{"buffer":0,"byteLength":{at}}},{{"buffer":0,"byteOffset":{at},"byteLength":{}}}],
"buffers":[{{"byteLength":{length}}}]}}"#,
        indices.len()
    );
    while !json.len().is_multiple_of(4) {
        json.push(' ');
    }
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    let word = |out: &mut std::io::BufWriter<_>, value: usize| -> Result<(), Failure> {
        Ok(out.write_all(&u32::try_from(value)?.to_le_bytes())?)
    };
    out.write_all(b"glTF\x02\0\0\0")?;
    word(&mut out, 12 + 8 + json.len() + 8 + length)?;
    word(&mut out, json.len())?;
    out.write_all(b"JSON")?;
    out.write_all(json.as_bytes())?;
    word(&mut out, length)?;
    out.write_all(b"BIN\0")?;
    out.write_all(positions)?;
    out.write_all(indices)?;
    Ok(out.flush()?)
}
