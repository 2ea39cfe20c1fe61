//! Layers of what camera rays meet first, for compositing.

use anyhow::Context as _;
use clap::ValueEnum;
use film::cryptomatte::{self, Coverage, Manifest};
use film::{Layer, LayerKind, LayerValues, Picture};
use protocol::{JobSpec, TileGrid};
use renderer::{Cancel, FirstHits, Moves, RenderError, RenderScene, first_hits, moving_first_hits};
use scene::Scene;

use crate::progress::Progress;

/// A layer that is made beside the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayerName {
    /// Place of the first hit, world space, metres
    Position,
    /// Mattes of every object and every material, as Cryptomatte
    Cryptomatte,
    /// How what is seen moves in the picture from the frame before and to the frame after, pixels,
    /// as Blender's pass Vector; frames are those of --fps
    Motion,
}

/// When the frame is, and how far from its neighbours.
#[derive(Debug, Clone, Copy)]
pub struct FrameTime {
    /// Seconds.
    pub time_s: f32,
    /// Frames a second.
    pub fps: f32,
}

/// Adds layers to a picture; returns the manifests of its mattes, or `None` where somebody asked
/// for a stop: the picture is then as it was.
///
/// # Errors
/// A layer of that name is there already; the scene cannot be evaluated a frame before or after.
pub fn add(
    picture: &mut Picture,
    (scene, render_scene): (&Scene, &RenderScene),
    time: FrameTime,
    names: &[LayerName],
    cancel: &Cancel,
) -> anyhow::Result<Option<Vec<Manifest>>> {
    if names.is_empty() {
        return Ok(Some(Vec::new()));
    }
    note!("  layers      camera rays of {} px once more", picture.size);
    let moves = names.contains(&LayerName::Motion).then(|| {
        Moves::of(scene, render_scene, time.time_s, 1.0 / time.fps)
            .context("there are no motion vectors: the neighbouring frames cannot be evaluated")
    });
    let moves = moves.transpose()?;
    let hits = match hits(render_scene, moves.as_ref(), &picture.samples, cancel) {
        Ok(hits) => hits,
        Err(RenderError::Cancelled) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut manifests = Vec::new();
    if names.contains(&LayerName::Position) {
        let mean = |hits: &FirstHits| hits.position.map(|sum| sum / hits.met.max(1) as f32);
        let values = LayerValues::Float(hits.iter().flat_map(mean).collect());
        let axes = ["X", "Y", "Z"];
        picture.add(Layer::try_new("position", &axes, LayerKind::Data, values)?)?;
    }
    if moves.is_some() {
        let values = LayerValues::Float(hits.iter().flat_map(|hits| hits.motion).collect());
        let channels = ["X", "Y", "Z", "W"];
        picture.add(Layer::try_new("motion", &channels, LayerKind::Data, values)?)?;
    }
    if names.contains(&LayerName::Cryptomatte) {
        let objects: Vec<&str> = scene.nodes.iter().map(|node| node.name.as_str()).collect();
        let mut materials: Vec<&str> =
            scene.materials.iter().map(|material| material.name.as_str()).collect();
        materials.push("default");
        materials.extend(scene.area_lights.iter().map(|lamp| lamp.name.as_str()));
        for (name, of, ids) in [
            ("CryptoObject", &objects, counts(&hits, |hits| &hits.nodes)),
            ("CryptoMaterial", &materials, counts(&hits, |hits| &hits.materials)),
        ] {
            manifests.push(mattes(picture, name, of, &ids, &hits)?);
        }
    }
    Ok(Some(manifests))
}

/// What the camera rays of a frame whose pixels have so many samples meet, tile by tile, with a
/// bar.
fn hits(
    render_scene: &RenderScene,
    moves: Option<&Moves<'_>>,
    samples: &[u32],
    cancel: &Cancel,
) -> Result<Vec<FirstHits>, RenderError> {
    let window = render_scene.settings().window();
    let at = |x: u32, y: u32| {
        (y - window.y0) as usize * window.width() as usize + (x - window.x0) as usize
    };
    let mut hits = vec![FirstHits::default(); window.pixel_count() as usize];
    let grid = TileGrid::new(window, JobSpec::TILE_SIDE_PX);
    let tiles = grid.from_centre();
    let progress = Progress::start("layers", ["tile", "tiles"]);
    for (done, &tile) in tiles.iter().enumerate() {
        progress.show(done as u64, tiles.len() as u64, "");
        let rect = grid.rect(tile).expect("invariant: the grid lists its own tiles");
        let samples = |x, y| samples[at(x, y)];
        let found = match moves {
            Some(moves) => moving_first_hits(render_scene, moves, rect, samples, cancel)?,
            None => first_hits(render_scene, rect, samples, cancel)?,
        };
        for ((x, y), found) in rect.pixels().zip(found) {
            hits[at(x, y)] = found;
        }
    }
    Ok(hits)
}

fn counts(hits: &[FirstHits], of: impl Fn(&FirstHits) -> &Vec<(u32, u32)>) -> Vec<&[(u32, u32)]> {
    hits.iter().map(|hits| of(hits).as_slice()).collect()
}

/// Adds one set of mattes; only what is seen is in its manifest.
fn mattes(
    picture: &mut Picture,
    name: &str,
    names: &[&str],
    counts: &[&[(u32, u32)]],
    hits: &[FirstHits],
) -> anyhow::Result<Manifest> {
    let ids: Vec<u32> = names.iter().map(|name| cryptomatte::id(name)).collect();
    let mut is_seen = vec![false; names.len()];
    let mut pixels = Vec::with_capacity(counts.len());
    for counts in counts {
        let mut pixel: Vec<Coverage> = Vec::with_capacity(counts.len());
        for &(index, samples) in *counts {
            is_seen[index as usize] = true;
            pixel.push(Coverage { id: ids[index as usize], samples });
        }
        cryptomatte::rank(&mut pixel);
        pixels.push(pixel);
    }
    let samples: Vec<u32> = hits.iter().map(|hits| hits.samples).collect();
    for layer in cryptomatte::layers(name, &pixels, &samples)? {
        picture.add(layer)?;
    }
    let seen = names.iter().zip(&is_seen).filter_map(|(name, seen)| seen.then_some(*name));
    Ok(Manifest::new(name, seen))
}
