//! Where a camera stands, said so that somebody can turn it by hand.

use protocol::{CameraChoice, RenderSettings};
use scene::Scene;

use super::motion::Motion;
use super::place::{dot, world_places};
use super::{PrepareError, blank_header, cameras, reach, vary};
use crate::bvh::Bounds;
use crate::tables::CAMERA_ORTHOGRAPHIC;

/// Closest that a target may be to the eye, as a share of the scene's diagonal: who turns a camera
/// that looks away from the scene turns on the spot.
const NEAR: f64 = 0.01;
/// And as a share of the eye's distance from the origin: closer, single precision has no direction.
const NEAR_OF_REACH: f64 = 1e-4;
/// Distance of the target where the scene has no geometry, metres.
const NEAR_NOTHING: f64 = 1.0;

/// Where a camera stands and what it looks at: where an orbit begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Position, metres.
    pub eye: [f32; 3],
    /// The point in the middle of the picture that the camera turns around, metres.
    pub target: [f32; 3],
    /// Vertical field of view, degrees, above 0 and below 180.
    pub vfov_degrees: f32,
}

impl Pose {
    /// The camera that stands here, its top upwards (+y).
    #[must_use]
    pub const fn camera(&self) -> CameraChoice {
        let Self { eye, target, vfov_degrees } = *self;
        CameraChoice::LookAt { eye, target, vfov_degrees }
    }
}

/// Where the camera of `settings` stands at a time, seconds: [`Pose::camera`] shows what it shows.
///
/// The target of a camera set by hand is its own. That of any other lies where the camera's axis
/// passes nearest to the middle of [`scene_bounds()`], and ahead of the eye in any case: a hundredth
/// of the scene's diagonal at least, or 1 m where the scene has no geometry.
///
/// A pose keeps the top upwards: a camera that rolls (or hangs upside down) loses its roll. A
/// camera without perspective becomes one of 40° that shows as much where the target is, from a
/// place of its own. Of the settings only the camera and the size count; lens, shutter and panorama
/// are no part of a pose.
///
/// # Errors
/// See [`PrepareError`].
pub fn pose(scene: &Scene, settings: &RenderSettings, time_s: f32) -> Result<Pose, PrepareError> {
    settings.validate()?;
    if let CameraChoice::LookAt { eye, target, vfov_degrees } = settings.camera {
        return Ok(Pose { eye, target, vfov_degrees });
    }
    let bounds = scene_bounds(scene)?;
    if !time_s.is_finite() {
        return Err(PrepareError::Time(time_s));
    }
    let places = world_places(scene, &Motion::at(scene, f64::from(time_s)))?;
    let list = vary::cameras_at(scene, f64::from(time_s));
    let mut header = blank_header(settings, time_s);
    let framed = bounds.unwrap_or(Bounds::EMPTY);
    cameras::place(&mut header, scene, &list, &places, &framed, &settings.camera)?;

    let eye = header.camera_origin.map(f64::from);
    let forward = header.camera_forward.map(f64::from);
    let along = |distance: f64, from: [f64; 3]| {
        [0, 1, 2].map(|axis: usize| (from[axis] + forward[axis] * distance) as f32)
    };
    let ahead = bounds.map_or(NEAR_NOTHING, |bounds| {
        let (low, high) = (bounds.low.map(f64::from), bounds.high.map(f64::from));
        let diagonal = [0, 1, 2].map(|axis| high[axis] - low[axis]);
        let to_middle = [0, 1, 2].map(|axis| (low[axis] + high[axis]) * 0.5 - eye[axis]);
        dot(to_middle, forward).max(dot(diagonal, diagonal).sqrt() * NEAR)
    });
    let ahead = ahead.max(dot(eye, eye).sqrt() * NEAR_OF_REACH).max(f64::from(f32::MIN_POSITIVE));
    let target = along(ahead, eye);
    let half_height = f64::from(header.camera_half_height);
    if header.camera_kind == CAMERA_ORTHOGRAPHIC {
        let vfov = cameras::FRAMING_VFOV;
        let eye = along(-half_height / (vfov * 0.5).tan(), target.map(f64::from));
        return Ok(Pose { eye, target, vfov_degrees: vfov.to_degrees() as f32 });
    }
    let vfov_degrees = (half_height.atan() * 2.0).to_degrees() as f32;
    Ok(Pose { eye: header.camera_origin, target, vfov_degrees })
}

/// The box that holds a scene, in metres: what a camera that frames it frames. That of the whole
/// animation, whatever the time, where the scene moves; `None` without geometry.
///
/// # Errors
/// See [`PrepareError`].
pub fn scene_bounds(scene: &Scene) -> Result<Option<Bounds>, PrepareError> {
    scene.validate()?;
    let bounds =
        if scene.channels.is_empty() { reach::bounds_still(scene) } else { reach::bounds(scene) }?;
    Ok((bounds.low[0] <= bounds.high[0]).then_some(bounds))
}
