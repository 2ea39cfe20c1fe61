//! Layers of what camera rays meet first, for compositing.

use clap::ValueEnum;
use film::cryptomatte::{self, Coverage, Manifest};
use film::{Layer, LayerKind, LayerValues, Picture};
use protocol::Rect;
use renderer::{FirstHits, RenderScene};
use scene::Scene;

/// A layer that is made beside the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayerName {
    /// Place of the first hit, world space, metres
    Position,
    /// Mattes of every object and every material, as Cryptomatte
    Cryptomatte,
}

/// Adds layers to a picture; returns the manifests of its mattes.
///
/// # Errors
/// A layer of that name is there already.
pub fn add(
    picture: &mut Picture,
    scene: &Scene,
    render_scene: &RenderScene,
    names: &[LayerName],
) -> anyhow::Result<Vec<Manifest>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let hits = renderer::first_hits(render_scene, Rect::of_size(picture.size));
    let mut manifests = Vec::new();
    if names.contains(&LayerName::Position) {
        let mean = |hits: &FirstHits| hits.position.map(|sum| sum / hits.met.max(1) as f32);
        let values = LayerValues::Float(hits.iter().flat_map(mean).collect());
        let axes = ["X", "Y", "Z"];
        picture.add(Layer::try_new("position", &axes, LayerKind::Data, values)?)?;
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
    Ok(manifests)
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
