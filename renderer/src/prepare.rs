//! A scene, settings and a time become a [`RenderScene`]: everything is evaluated, placed, sorted
//! and packed in one fixed order, so that the tables are the same on every machine.

mod atmosphere;
mod cameras;
mod geometry;
mod lamps;
mod light_tree;
mod lights;
mod materials;
mod motion;
mod moves;
mod objects;
mod orbit;
mod place;
mod pose;
mod reach;
mod retake;
#[cfg(test)]
mod robust;
mod shutter;
mod sky;
mod studio;
mod vary;

pub use cameras::{SceneCameras, scene_cameras, scene_shutter};
pub use moves::Moves;
pub(crate) use moves::Spot;
pub use orbit::{Pose, pose, scene_bounds};
use place::Place;

use std::sync::OnceLock;

use protocol::{RenderSettings, SettingsError};
use scene::{Light, Scene, SceneError};

use crate::RenderScene;
use crate::bsdf::albedo::{AlbedoTable, albedo_table};
use crate::bvh::{Bounds, Effort};
use crate::camera::filter_table;
use crate::precise::srgb_to_linear;
use crate::sampler::frame_key;
use crate::tables::{ENVIRONMENT_NONE, Header, NONE};

/// Why a scene could not be made ready.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The settings are out of range.
    #[error("the settings cannot be rendered")]
    Settings(#[from] SettingsError),
    /// The scene breaks a promise of the model.
    #[error("the scene cannot be rendered")]
    Scene(#[from] SceneError),
    /// The time is not a number.
    #[error("the frame's time {0} s is not a finite number")]
    Time(f32),
    /// The scene has no camera of that name.
    #[error("the scene has no camera named {name:?}; {}", choices(names))]
    NoCamera {
        /// The name asked for.
        name: String,
        /// The names there are.
        names: Vec<String>,
    },
    /// A node's place is beyond what can be computed with.
    #[error("node {node} {name:?} is placed beyond ±1e9 m or by a matrix that is not finite")]
    Place {
        /// Index of the node.
        node: usize,
        /// Its name.
        name: String,
    },
    /// What moves while the shutter is open, and cannot be placed as a whole, has too many vertices.
    #[error(
        "what bends while the shutter is open has {count} vertices over all keys, more than {max}; leave the shutter out (--shutter 0) or bend less"
    )]
    Moving {
        /// Vertices times keys, and triangles.
        count: u64,
        /// How many there may be.
        max: u64,
    },
    /// A table is longer than its indices can count.
    #[error("the scene's {what} need {count} entries, more than 2^32 - 1; split the scene")]
    TooLarge {
        /// Which table.
        what: &'static str,
        /// Entries needed.
        count: u64,
    },
}

fn choices(names: &[String]) -> String {
    if names.is_empty() {
        "it has none; leave the camera out to frame the whole scene".to_owned()
    } else {
        format!("choose one of: {}", names.join(", "))
    }
}

/// Makes a scene ready to be traced at a time.
///
/// # Errors
/// See [`PrepareError`]. A scene without geometry is not an error: it shows its sky.
///
/// # Determinism
/// The tables, and so [`RenderScene::digest`], depend on the arguments alone.
pub fn prepare(
    scene: &Scene,
    settings: &RenderSettings,
    time_s: f32,
) -> Result<RenderScene, PrepareError> {
    prepare_with(scene, settings, time_s, Effort::Full)
}

/// [`prepare`] with a choice of how much work goes into the trees: a preview's are made sooner, and
/// rays take longer through them. Films have the same bits, tables and digest do not.
///
/// The effort is nobody's business but this machine's: no settings, lease or job speak of it.
///
/// # Errors
/// See [`PrepareError`].
pub fn prepare_with(
    scene: &Scene,
    settings: &RenderSettings,
    time_s: f32,
    effort: Effort,
) -> Result<RenderScene, PrepareError> {
    settings.validate()?;
    scene.validate()?;
    if !time_s.is_finite() {
        return Err(PrepareError::Time(time_s));
    }
    let motion = motion::Motion::at(scene, f64::from(time_s));
    let places = place::world_places(scene, &motion)?;
    let varied = vary::Varied::at(scene, f64::from(time_s));
    let surfaces = materials::pack(scene, &varied.materials)?;
    let shutter = shutter::open(scene, settings, f64::from(time_s))?;
    let mut geometry = geometry::pack(scene, &places, &motion, shutter.as_ref(), effort)?;
    let mut header = blank_header(settings, time_s);
    header.root_node = geometry.root_node;
    header.instance_count = geometry.instances.len() as u32;
    let framed = framed(scene, settings, &geometry.bounds)?;
    let cameras = &varied.cameras;
    cameras::place(&mut header, scene, cameras, &places, &framed, &settings.camera)?;
    if let Some(shutter) = &shutter {
        let keys = cameras::keys(&header, scene, shutter, &framed, &settings.camera)?;
        if geometry.moves || keys.is_some() {
            header.motion_keys = checked("keys", shutter.keys.len())?;
        }
        if let Some(keys) = keys {
            header.camera_keys_at = checked("vertex attributes", geometry.attributes.len())?;
            geometry.attributes.extend(keys);
            checked("vertex attributes", geometry.attributes.len())?;
        }
    }
    cameras::look_through(&mut header, settings);
    let mut prepared = RenderScene {
        settings: settings.clone(),
        time_s,
        effort,
        bounds: geometry.bounds,
        header,
        instances: geometry.instances,
        shapes: geometry.shapes,
        materials: surfaces.materials,
        layers: surfaces.layers,
        textures: surfaces.textures,
        emitters: Vec::new(),
        picks: Vec::new(),
        light_nodes: Vec::new(),
        emitter_of: Vec::new(),
        filter: filter_table(settings.filter),
        albedo: shared_tables().albedo.clone(),
        srgb: shared_tables().srgb.clone(),
        nodes: geometry.nodes,
        triangles: geometry.triangles,
        indices: geometry.indices,
        attributes: geometry.attributes,
        texels: surfaces.texels,
        environment: Vec::new(),
        shape_nodes: geometry.shape_nodes,
        shape_parts: geometry.shape_parts,
        instance_nodes: geometry.instance_nodes,
        digest: OnceLock::new(),
        stuff: OnceLock::new(),
        wide: OnceLock::new(),
    };
    light_up(&mut prepared, scene, &varied.lights, &places)?;
    Ok(prepared.seal())
}

/// What a camera of our own frames. It stands still while the scene moves; `bounds` is where the
/// scene is now.
fn framed(
    scene: &Scene,
    settings: &RenderSettings,
    bounds: &Bounds,
) -> Result<Bounds, PrepareError> {
    if cameras::frames(scene, &settings.camera) && !scene.channels.is_empty() {
        reach::bounds(scene)
    } else {
        Ok(*bounds)
    }
}

/// Packs the environment and all lights into tables that have none yet. `lights` are the scene's at
/// the time.
fn light_up(
    prepared: &mut RenderScene,
    scene: &Scene,
    lights: &[Light],
    places: &[Place],
) -> Result<(), PrepareError> {
    let lighting = prepared.settings.lighting;
    let sky = sky::pack(&mut prepared.header, scene, &lighting)?;
    prepared.environment = sky.words;
    // The artist's sun stands in for the sky's.
    let sun = lighting.sun.or(sky.sun);
    lights::pack(prepared, scene, lights, places, sky.power, sun.as_ref())?;
    if prepared.emitters.is_empty() && !sky.is_lit && lighting.sky.is_none() {
        let sky = sky::pack_map(&mut prepared.header, &studio::studio(), 1.0)?;
        prepared.header.environment_cos = 1.0;
        prepared.environment = sky.words;
        lights::pack(prepared, scene, lights, places, sky.power, sun.as_ref())?;
    }
    Ok(())
}

/// Scattering events before roulette begins.
const ROULETTE_AFTER: u32 = 3;

/// What the random numbers of a frame hang on: its seed and its time, of which both zeros are one.
pub(crate) fn frame_key_of(seed: u32, time_s: f32) -> u32 {
    frame_key(seed, if time_s.abs() > 0.0 { time_s.to_bits() } else { 0 })
}

/// A header with nothing of the scene in it.
fn blank_header(settings: &RenderSettings, time_s: f32) -> Header {
    let mut header = Header {
        environment_kind: ENVIRONMENT_NONE,
        environment_emitter: NONE,
        root_node: NONE,
        camera_keys_at: NONE,
        ..bytemuck::Zeroable::zeroed()
    };
    ask_for(&mut header, settings, time_s);
    header
}

/// Sets what the settings alone decide.
fn ask_for(header: &mut Header, settings: &RenderSettings, time_s: f32) {
    header.width = settings.size.width;
    header.height = settings.size.height;
    header.overscan = settings.overscan;
    header.samples = settings.samples;
    header.bounces = settings.bounces;
    header.frame_key = frame_key_of(settings.seed, time_s);
    header.roulette_after = if settings.roulette { ROULETTE_AFTER } else { u32::MAX };
}

/// Tables that do not depend on the scene.
struct SharedTables {
    albedo: Box<AlbedoTable>,
    srgb: Vec<f32>,
}

fn shared_tables() -> &'static SharedTables {
    static TABLES: OnceLock<SharedTables> = OnceLock::new();
    TABLES.get_or_init(|| SharedTables {
        albedo: albedo_table(),
        srgb: (0..256).map(|byte| srgb_to_linear(f64::from(byte) / 255.0) as f32).collect(),
    })
}

/// A length as an index, or an error when it is none.
fn checked(what: &'static str, count: usize) -> Result<u32, PrepareError> {
    match u32::try_from(count) {
        Ok(short) if short != NONE => Ok(short),
        _ => Err(PrepareError::TooLarge { what, count: count as u64 }),
    }
}
