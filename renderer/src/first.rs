//! What camera rays meet: positions, objects and materials of a frame's pixels, and how they move.
//!
//! The same rays as the film's (filter, lens, alpha), traced again where a picture is put
//! together: ids are counts and not sums, so no film carries them. One ray a sample, a tenth of
//! what a picture costs.

use std::ops::Range;

use protocol::Rect;
use rayon::prelude::*;

use crate::RenderScene;
use crate::backend::{Cancel, RenderError};
use crate::integrator::begin;
use crate::math::Vec3;
use crate::prepare::{Moves, Spot};
use crate::ray::{Cast, Hit};
use crate::surface::{hit_position, three_weights, vertices};
use crate::tables::NONE;
use crate::trace::{Path, Tracer};

/// What the camera rays of one pixel met.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FirstHits {
    /// Rays.
    pub samples: u32,
    /// Those that met something.
    pub met: u32,
    /// Sum of the places that were met, world space, metres.
    pub position: [f32; 3],
    /// How many rays met which of the scene's nodes, in the order of their first.
    pub nodes: Vec<(u32, u32)>,
    /// How many rays met which of the scene's materials, in the order of their first; after the
    /// last come glTF's default material and the scene's area lights.
    pub materials: Vec<(u32, u32)>,
    /// How what was met moves in the picture, pixels, mean over the rays that met something, or over
    /// all where none did; 0 unless [`Moves`] were given.
    ///
    /// X and Y are where it was a frame before less where it is, Z and W where it is less where it
    /// will be a frame after; to the right and up. Blender's pass `Vector`.
    pub motion: [f32; 4],
}

/// Traces the camera rays of some pixels, rows from the upper left: of each its first samples, as
/// many as `samples` says of its place, and at most those of the settings.
///
/// `rect` lies inside the frame's canvas. Blocks until done; looks at `cancel` before every pixel.
/// Who wants to show how far it is asks for one tile after the other, as with
/// [`crate::Backend::render`].
///
/// # Errors
/// [`RenderError::Cancelled`].
pub fn first_hits(
    scene: &RenderScene,
    rect: Rect,
    samples: impl Fn(u32, u32) -> u32 + Sync,
    cancel: &Cancel,
) -> Result<Vec<FirstHits>, RenderError> {
    hits_and_moves(scene, None, rect, samples, cancel)
}

/// [`first_hits`] with motion vectors; `moves` are of the scene at the time it was prepared for.
///
/// # Errors
/// [`RenderError::Cancelled`].
pub fn moving_first_hits(
    scene: &RenderScene,
    moves: &Moves<'_>,
    rect: Rect,
    samples: impl Fn(u32, u32) -> u32 + Sync,
    cancel: &Cancel,
) -> Result<Vec<FirstHits>, RenderError> {
    hits_and_moves(scene, Some(moves), rect, samples, cancel)
}

fn hits_and_moves(
    scene: &RenderScene,
    moves: Option<&Moves<'_>>,
    rect: Rect,
    samples: impl Fn(u32, u32) -> u32 + Sync,
    cancel: &Cancel,
) -> Result<Vec<FirstHits>, RenderError> {
    let tracer = Tracer::new(scene, Path::best());
    let rows: Vec<u32> = (rect.y0..rect.y1).collect();
    let rows: Result<Vec<_>, _> = rows
        .into_par_iter()
        .map(|y| row(&tracer, moves, y, rect.x0..rect.x1, &samples, cancel))
        .collect();
    Ok(rows?.into_iter().flatten().collect())
}

fn row(
    tracer: &Tracer<'_>,
    moves: Option<&Moves<'_>>,
    y: u32,
    columns: Range<u32>,
    samples: &impl Fn(u32, u32) -> u32,
    cancel: &Cancel,
) -> Result<Vec<FirstHits>, RenderError> {
    let scene = tracer.scene;
    let mut casts: Vec<Cast> = Vec::new();
    let mut hits: Vec<Hit> = Vec::new();
    let pixel = |x: u32| {
        if cancel.is_set() {
            return Err(RenderError::Cancelled);
        }
        let samples = samples(x, y).min(scene.header.samples);
        casts.clear();
        hits.resize(samples as usize, Hit::miss(0.0));
        casts.extend((0..samples).map(|sample| begin(scene, x, y, sample).1));
        tracer.closest(&casts, &mut hits);
        let mut first = FirstHits { samples, ..FirstHits::default() };
        for (cast, hit) in casts.iter().zip(&hits).filter(|(_, hit)| hit.is_hit()) {
            let time = cast.query.time;
            first.met += 1;
            first.position = (Vec3::of(first.position) + hit_position(scene, hit, time)).to_array();
            let shape = scene.triangles[hit.triangle as usize].shape;
            count(&mut first.nodes, node_of(scene, shape, hit.instance));
            count(&mut first.materials, scene.shapes[shape as usize].material);
        }
        if let Some(moves) = moves {
            first.motion = mean_motion(scene, moves, &casts, &hits);
        }
        Ok(first)
    };
    columns.map(pixel).collect()
}

/// The motion of what a pixel's rays have met; that of what is behind everything where they met
/// nothing.
fn mean_motion(scene: &RenderScene, moves: &Moves<'_>, casts: &[Cast], hits: &[Hit]) -> [f32; 4] {
    let is_met = hits.iter().any(Hit::is_hit);
    let mut sums = [[0.0; 2]; 2];
    let mut counts = [0_u32; 2];
    for (cast, hit) in casts.iter().zip(hits).filter(|(_, hit)| hit.is_hit() == is_met) {
        let way = if is_met {
            moves.spot(&spot_of(scene, hit))
        } else {
            moves.direction(cast.ray.direction.to_array())
        };
        for (at, vector) in moves.vectors(&way).into_iter().enumerate() {
            let Some([x, y]) = vector else { continue };
            sums[at] = [sums[at][0] + x, sums[at][1] + y];
            counts[at] += 1;
        }
    }
    let mean = |at: usize, axis: usize| (sums[at][axis] / f64::from(counts[at].max(1))) as f32;
    [mean(0, 0), mean(0, 1), mean(1, 0), mean(1, 1)]
}

/// The place on a surface that was hit.
fn spot_of(scene: &RenderScene, hit: &Hit) -> Spot {
    let triangle = &scene.triangles[hit.triangle as usize];
    let shape = &scene.shapes[triangle.shape as usize];
    Spot {
        node: node_of(scene, triangle.shape, hit.instance),
        part: scene.shape_parts[triangle.shape as usize],
        vertices: vertices(scene, shape, triangle.primitive),
        weights: three_weights((hit.u, hit.v)),
    }
}

/// The scene's node that shows a shape.
fn node_of(scene: &RenderScene, shape: u32, instance: u32) -> u32 {
    match scene.shape_nodes[shape as usize] {
        NONE => scene.instance_nodes[instance as usize],
        node => node,
    }
}

fn count(list: &mut Vec<(u32, u32)>, id: u32) {
    match list.iter_mut().find(|(known, _)| *known == id) {
        Some((_, rays)) => *rays += 1,
        None => list.push((id, 1)),
    }
}
