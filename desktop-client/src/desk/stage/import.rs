//! A file to a scene on the stage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{CameraChoice, RenderSettings};
use scene::{ImportError, ImportOptions, MissingTextures, Package, Scene};

use crate::desk::{capital, chain};
use crate::state::orbit::Orbit;
use crate::state::stage::{Imported, Report, Sight, Surroundings, Trouble};

/// Reads a file.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn read(path: PathBuf) -> Result<(Imported, Scene), Trouble> {
    // A file of a stranger may find a bug; the window is not to end over it.
    let read = catch_unwind(AssertUnwindSafe(|| read_or_say(&path)));
    let read = read.unwrap_or_else(|_panic| {
        Err("This file makes the importer fail, which is our mistake. Send it to us".to_owned())
    });
    read.map_err(|why| Trouble { path, why })
}

fn read_or_say(path: &Path) -> Result<(Imported, Scene), String> {
    let options =
        ImportOptions { missing_textures: MissingTextures::Magenta, ..ImportOptions::default() };
    let imported = scene::import(path, &options).map_err(|error| words(&error))?;
    let scene = &imported.scene;
    let sights = sights(scene).map_err(|error| chain(&error))?;
    let bounds = renderer::scene_bounds(scene).map_err(|error| chain(&error))?;
    let scale = bounds.map_or(1.0, |bounds| {
        let side = |axis: usize| bounds.high[axis] - bounds.low[axis];
        (side(0).powi(2) + side(1).powi(2) + side(2).powi(2)).sqrt()
    });
    let animation_s = scene
        .channels
        .iter()
        .filter_map(|channel| channel.keys().times.last().copied())
        .fold(0.0, f32::max);
    let package = scene::pack(scene);
    let report = Report {
        warnings: imported.report.warnings.iter().map(|it| capital(&it.to_string())).collect(),
        triangles: imported.report.triangles,
        textures: imported.report.textures,
        bytes: imported.report.bytes,
        package_bytes: package.size_bytes(),
    };
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let shown = Imported {
        path: path.to_owned(),
        name: name.unwrap_or_else(|| "scene".to_owned()),
        package: Arc::new(package),
        report,
        sights: sights.into_iter().map(|sight| with_scale(sight, scale)).collect(),
        scale,
        animation_s,
        wishes: imported.wishes,
    };
    Ok((shown, imported.scene))
}

/// The scene with an image of light around it, or as it is, ready to travel.
///
/// # Errors
/// What is wrong with the image, in a sentence.
pub(super) fn surrounded(
    scene: &Scene,
    surroundings: Option<&Surroundings>,
) -> Result<Package, String> {
    let Some(Surroundings { path, strength, rotation_degrees }) = surroundings else {
        return Ok(scene::pack(scene));
    };
    let room = ImportOptions::default().decoded_bytes_max.saturating_sub(scene.decoded_bytes());
    let image = scene::read_environment(path, room).map_err(|error| words(&error))?;
    let mut scene = scene.clone();
    scene
        .set_environment(image, *strength, rotation_degrees.to_radians())
        .map_err(|error| capital(&chain(&error)))?;
    Ok(scene::pack(&scene))
}

fn with_scale(sight: Sight, scale: f32) -> Sight {
    Sight { orbit: Orbit { scale: scale.max(1e-6), ..sight.orbit }, ..sight }
}

/// The scene's cameras: the one that looks unasked first, then those with names.
fn sights(scene: &Scene) -> Result<Vec<Sight>, renderer::PrepareError> {
    let names = renderer::scene_cameras(scene).names;
    let first = match names.is_empty() {
        true => vec![(CameraChoice::Default, "Whole scene".to_owned())],
        false => Vec::new(),
    };
    let named = names.into_iter().map(|name| (CameraChoice::Named(name.clone()), name));
    let all = first.into_iter().chain(named);
    all.map(|(camera, words)| {
        let settings = RenderSettings { camera: camera.clone(), ..RenderSettings::default() };
        let renderer::Pose { eye, target, vfov_degrees } = renderer::pose(scene, &settings, 0.0)?;
        let shutter = renderer::scene_shutter(scene, &camera);
        Ok(Sight { camera, words, orbit: Orbit::of(eye, target, vfov_degrees, 1.0), shutter })
    })
    .collect()
}

/// What is wrong with a file, what it means, and what to do.
fn words(error: &ImportError) -> String {
    let what = capital(&chain(error));
    match error {
        ImportError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "There is no such file. Check its name".to_owned()
        }
        ImportError::AssetVersion { .. } => {
            format!("{what}. Export the scene again as glTF 2.0")
        }
        _other => what,
    }
}
