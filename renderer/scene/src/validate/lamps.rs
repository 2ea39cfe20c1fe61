//! What lamps, skies and lenses promise beside what glTF says of them.

use super::{at, bounded, positive, require, within};
use crate::lamps::{Lens, SunSky};
use crate::limits::{COORDINATE_ABS_MAX, LAMP_SIZE_MAX, LIGHT_MAX, UV_ABS_MAX};
use crate::model::{Light, Scene};
use crate::validate::SceneError;

/// More blades are a circle.
const BLADES_MAX: u32 = 64;

impl Scene {
    pub(super) fn validate_lamps(&self) -> Result<(), SceneError> {
        let owner = "area light";
        for (index, area) in self.area_lights.iter().enumerate() {
            at(owner, index, "node", area.node, &self.nodes)?;
            for side in area.size {
                positive(owner, index, "a side of", side)?;
            }
            for value in area.radiance {
                within(owner, index, ("a radiance of", "in 0..=1e12"), value, LIGHT_MAX)?;
            }
        }
        for (index, camera) in self.cameras.iter().enumerate() {
            validate_lens(index, &camera.lens)?;
        }
        self.sun_sky.as_ref().map_or(Ok(()), validate_sun_sky)
    }
}

pub(super) fn validate_size(index: usize, light: &Light) -> Result<(), SceneError> {
    let range = ("a radius of", "in 0..=1e6 m");
    within("light", index, range, light.radius, LAMP_SIZE_MAX)?;
    // From one side of the sun's disc to the other.
    let range = ("an angle of", "in 0..=π rad");
    within("light", index, range, light.angle, std::f32::consts::PI * (1.0 + 1e-6))
}

fn validate_lens(index: usize, lens: &Lens) -> Result<(), SceneError> {
    let owner = "camera";
    let range = ("an aperture of", "in 0..=1e9 m");
    within(owner, index, range, lens.aperture, COORDINATE_ABS_MAX)?;
    positive(owner, index, "a focus distance of", lens.focus_distance)?;
    let range = ("a blade count of", "0 or in 3..=64");
    let holds = lens.blades == 0 || (3..=BLADES_MAX).contains(&lens.blades);
    require(owner, index, range, lens.blades as f32, holds)?;
    let range = ("a blade rotation of", "within ±1e6 rad");
    bounded(owner, index, range, lens.blade_rotation, UV_ABS_MAX)?;
    within(owner, index, ("a shutter of", "in 0..=1 of a frame"), lens.shutter, 1.0)
}

fn validate_sun_sky(sky: &SunSky) -> Result<(), SceneError> {
    let owner = "the sky";
    let range = ("a sun's elevation of", "within ±π/2 rad");
    bounded(owner, 0, range, sky.elevation, std::f32::consts::FRAC_PI_2 * (1.0 + 1e-6))?;
    bounded(owner, 0, ("a sun's azimuth of", "within ±1e6 rad"), sky.azimuth, UV_ABS_MAX)?;
    let holds = (1.0..=10.0).contains(&sky.turbidity);
    require(owner, 0, ("a turbidity of", "in 1..=10"), sky.turbidity, holds)?;
    within(owner, 0, ("a strength of", "in 0..=1e9"), sky.strength, COORDINATE_ABS_MAX)
}
