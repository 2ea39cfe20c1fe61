//! Rendering on this machine: import, prepare, tile by tile.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use client::SceneImport;
use client::description::ImportError;
use film::{Frame, Picture};
use protocol::{Batch, CameraChoice, JobSpec, NoiseTarget, RayCount, RenderSettings, TileGrid};
use renderer::{Backend, Cancel, Effort, PrepareError, RenderError, RenderScene, Work};
use scene::{Imported, Scene, UriProblem};

use crate::exit::{Exit, WithExit as _, fail};
use crate::progress::Progress;
use crate::text;

/// Chunks rendered between two looks at the progress bar.
const CHUNKS_PER_STEP: u32 = 4;

/// Imports a scene and says on standard error what came in and what did not; the path of what
/// surrounds it is taken from `folder`.
///
/// # Errors
/// Not found: no such file, animation or variant. Usage: wishes that cannot be. Else the importer's
/// reason.
pub fn import(path: &Path, how: &SceneImport, folder: &Path) -> anyhow::Result<Imported> {
    let around = how.environment.as_ref().map(|around| folder.join(&around.file));
    for file in [Some(path), around.as_deref()].into_iter().flatten() {
        if let Err(error) = std::fs::metadata(file) {
            let exit = match error.kind() {
                ErrorKind::NotFound => Exit::NotFound,
                _ => Exit::Failed,
            };
            let message =
                format!("the file cannot be read ({error}); check its path: {}", file.display());
            return Err(fail(exit, message));
        }
    }
    let imported = how.read(path, folder);
    let exit = imported.as_ref().err().map_or(Exit::Done, exit_of);
    let imported = imported
        .with_context(|| format!("the scene was not imported: {}", path.display()))
        .exit(exit)?;
    let report = &imported.report;
    note!(
        "  {:<11} {}: {} triangles, {}, {}",
        "scene",
        path.file_name().unwrap_or_default().display(),
        text::count(report.triangles),
        text::plural(report.textures as u64, "texture", "textures"),
        text::bytes(report.bytes)
    );
    for warning in &report.warnings {
        note!("  warning     {warning}");
    }
    Ok(imported)
}

fn exit_of(error: &ImportError) -> Exit {
    use scene::ImportError as Why;
    match error {
        ImportError::TwoSkies | ImportError::Sky { .. } => Exit::Usage,
        ImportError::Import(Why::NoAnimation { .. } | Why::NoVariant { .. }) => Exit::NotFound,
        ImportError::Import(
            Why::Read { source, .. } | Why::Uri { problem: UriProblem::Read(source), .. },
        ) if source.kind() == ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Failed,
    }
}

/// Whether a scene has the cameras that are named.
///
/// # Errors
/// Not found: it has no such camera; its cameras are named.
pub fn check_cameras(scene: &Scene, cameras: &[CameraChoice]) -> anyhow::Result<()> {
    let carries = |wanted: &str| {
        scene.nodes.iter().any(|node| {
            let camera = node.camera.map(|camera| &scene.cameras[camera as usize]);
            camera.is_some_and(|camera| camera.name == wanted || node.name == wanted)
        })
    };
    let missing = cameras.iter().find_map(|camera| match camera {
        CameraChoice::Named(name) => Some(name).filter(|name| !carries(name)),
        CameraChoice::Default | CameraChoice::LookAt { .. } => None,
    });
    match missing {
        None => Ok(()),
        Some(name) => {
            let names = renderer::scene_cameras(scene).names;
            Err(PrepareError::NoCamera { name: name.clone(), names }).exit(Exit::NotFound)
        }
    }
}

/// Name for jobs and files: the file's name without its ending.
pub fn name_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.filter(|stem| !stem.is_empty()).unwrap_or_else(|| "scene".to_owned())
}

/// Prepares the scene at a time, with so much work in its trees.
///
/// # Errors
/// Usage: a setting is out of range. Not found: the scene has no such camera; its cameras are
/// named. Else the renderer's reason.
pub fn prepare(
    scene: &Scene,
    settings: &RenderSettings,
    time_s: f32,
    effort: Effort,
) -> anyhow::Result<RenderScene> {
    let prepared = renderer::prepare_with(scene, settings, time_s, effort);
    let exit = match &prepared {
        Err(PrepareError::Settings(_) | PrepareError::Time(_)) => Exit::Usage,
        Err(PrepareError::NoCamera { .. }) => Exit::NotFound,
        _ => Exit::Failed,
    };
    prepared.exit(exit)
}

/// What a local render yielded.
pub struct Rendered {
    /// The picture; tiles that were not rendered are transparent.
    pub picture: Picture,
    /// Whether every tile is in it.
    pub complete: bool,
    /// Rays traced.
    pub rays: RayCount,
    /// Samples rendered, all pixels together.
    pub samples: u64,
    /// Tiles that had little noise before they had all samples.
    pub quiet_tiles: u32,
    /// Tiles of the frame.
    pub tiles: u32,
    /// Wall time of the rendering alone.
    pub wall: Duration,
    /// CPU time of this process for it.
    pub cpu: Duration,
}

/// Renders a frame tile by tile, the centre first, until done or cancelled; with `noise`, a tile
/// ends as soon as it has that little.
///
/// # Errors
/// The backend's, but for a cancelled render: that is an incomplete picture.
pub fn render(
    backend: &mut dyn Backend,
    scene: &RenderScene,
    noise: Option<NoiseTarget>,
    cancel: &Cancel,
    progress: &Progress,
) -> anyhow::Result<Rendered> {
    let settings = scene.settings();
    let chunk_count = settings.chunk_count();
    let grid = TileGrid::new(settings.window(), JobSpec::TILE_SIDE_PX);
    let mut frame = Frame::of(settings);
    let (mut rays, mut samples, mut quiet_tiles) = (RayCount::default(), 0, 0);
    let (started, cpu_started) = (Instant::now(), cpu_time::ProcessTime::now());
    let tiles = grid.from_centre();
    let total = tiles.len() as u64;
    let mut cancelled = false;

    'tiles: for (done, &tile) in tiles.iter().enumerate() {
        let rect = grid.rect(tile).expect("invariant: the grid lists its own tiles");
        let mut chunks = 0;
        while let Some(batch) = next_batch(noise.as_ref(), chunks, chunk_count) {
            let speed = short_speed(rays, started.elapsed());
            progress.show(done as u64, total, &speed);
            if cancel.is_set() {
                cancelled = true;
                break 'tiles;
            }
            let film = match backend.render(scene, Work { rect, batch }, cancel) {
                Ok(film) => film,
                Err(RenderError::Cancelled) => {
                    cancelled = true;
                    break 'tiles;
                }
                Err(error) => return Err(error).context("the render failed"),
            };
            rays += film.rays();
            samples += rect.pixel_count() * batch.samples(settings.samples).len() as u64;
            chunks = batch.end_chunk();
            frame.insert(film).context("a film did not fit the frame")?;
            let reached = |target: NoiseTarget| {
                frame.start_of(rect, chunks).is_some_and(|film| film::is_quiet(film, target))
            };
            if chunks < chunk_count && noise.is_some_and(reached) {
                frame.enough(rect);
                quiet_tiles += 1;
                break;
            }
        }
    }
    let (wall, cpu) = (started.elapsed(), cpu_started.elapsed());
    let complete = !cancelled && frame.is_complete();
    let (picture, tiles) = (frame.picture(), tiles.len() as u32);
    Ok(Rendered { picture, complete, rays, samples, quiet_tiles, tiles, wall, cpu })
}

/// What to render of a tile that has so many chunks.
fn next_batch(noise: Option<&NoiseTarget>, chunks: u32, chunk_count: u32) -> Option<Batch> {
    match noise {
        Some(target) => target.next_batch(chunks, chunk_count, CHUNKS_PER_STEP),
        None => {
            Batch::cover(chunk_count, CHUNKS_PER_STEP).find(|batch| batch.first_chunk() == chunks)
        }
    }
}

fn short_speed(rays: RayCount, elapsed: Duration) -> String {
    if rays.total() == 0 {
        return String::new();
    }
    format!("{} rays/s", text::short_count(per_second(rays.total(), elapsed)))
}

/// A rate, whole events a second.
pub fn per_second(events: u64, elapsed: Duration) -> u64 {
    (events as f64 / elapsed.as_secs_f64().max(1e-9)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::classify;

    #[test]
    fn what_a_scene_does_not_have_is_not_found() {
        use scene::ImportError as Why;
        let check = |why: Why, exit| assert_eq!(exit_of(&ImportError::Import(why)), exit);
        let named = || ("walk".to_owned(), Vec::new());
        let (name, names) = named();
        check(Why::NoAnimation { name, names }, Exit::NotFound);
        let (name, names) = named();
        check(Why::NoVariant { name, names }, Exit::NotFound);
        let texture = |kind: ErrorKind| Why::Uri {
            owner: "image",
            owner_index: 0,
            problem: UriProblem::Read(kind.into()),
            uri: "wood.png".to_owned(),
        };
        check(texture(ErrorKind::NotFound), Exit::NotFound);
        check(texture(ErrorKind::PermissionDenied), Exit::Failed);
        check(Why::NotGltf, Exit::Failed);
        assert_eq!(exit_of(&ImportError::TwoSkies), Exit::Usage);
    }

    #[test]
    fn a_camera_is_found_by_its_own_name_or_its_nodes() {
        let mut scene = scene::golden();
        let node = scene.nodes.iter().position(|node| node.camera.is_some()).expect("a camera");
        scene.nodes[node].name = "dolly".to_owned();
        let named = |name: &str| check_cameras(&scene, &[CameraChoice::Named(name.to_owned())]);
        assert!(named("golden").is_ok() && named("dolly").is_ok());
        assert!(check_cameras(&scene, &[CameraChoice::Default]).is_ok());
        let error = named("crane").expect_err("no such camera");
        assert_eq!(classify(&error), Exit::NotFound);
        let words = format!("{error:#}");
        assert!(words.contains("no camera named \"crane\"") && words.contains("golden"), "{words}");
    }
}
