//! What lights, cameras and environments promise: what glTF says of them, and what lies beside.

use super::{at, bounded, positive, require, within};
use crate::lamps::{Lens, SunSky};
use crate::limits::{COORDINATE_ABS_MAX, LAMP_SIZE_MAX, LIGHT_MAX, UV_ABS_MAX};
use crate::model::{Environment, Light, LightKind, Pixels, Projection, Scene};
use crate::validate::SceneError;

/// More blades are a circle.
const BLADES_MAX: u32 = 64;

impl Scene {
    pub(super) fn validate_lights(&self) -> Result<(), SceneError> {
        for (index, light) in self.lights.iter().enumerate() {
            for value in light.intensity {
                within("light", index, ("an intensity of", "in 0..=1e12"), value, LIGHT_MAX)?;
            }
            validate_size(index, light)?;
            if let Some(range) = light.range {
                positive("light", index, "a range of", range)?;
            }
            if let LightKind::Spot { inner_cone, outer_cone } = light.kind {
                let right_angle = std::f32::consts::FRAC_PI_2 * (1.0 + 1e-6);
                let range = ("an outer cone of", "in 0..=π/2 rad");
                within("light", index, range, outer_cone, right_angle)?;
                positive("light", index, "an outer cone of", outer_cone)?;
                let range = ("an inner cone of", "at least 0 and at most the outer cone");
                within("light", index, range, inner_cone, outer_cone)?;
            }
        }
        Ok(())
    }

    pub(super) fn validate_cameras(&self) -> Result<(), SceneError> {
        for (index, camera) in self.cameras.iter().enumerate() {
            match camera.projection {
                Projection::Perspective { vfov } => {
                    let range = ("a field of view of", "above 0 and below π rad");
                    within("camera", index, range, vfov, std::f32::consts::PI - 1e-4)?;
                    positive("camera", index, range.0, vfov)?;
                }
                Projection::Orthographic { half_height } => {
                    positive("camera", index, "a half height of", half_height)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn validate_environment(&self) -> Result<(), SceneError> {
        match self.environment {
            None => Ok(()),
            Some(Environment::Constant(radiance)) => radiance.into_iter().try_for_each(|value| {
                within("environment", 0, ("a radiance of", "in 0..=1e12"), value, LIGHT_MAX)
            }),
            Some(Environment::Map { image, strength, rotation }) => {
                let target = at("environment", 0, "image", image, &self.images)?;
                if !matches!(target.pixels, Pixels::Rgb32F(_)) {
                    let owner = "environment";
                    return Err(SceneError::ImageKind { owner, owner_index: 0, image });
                }
                let range = ("a strength of", "in 0..=1e9");
                within("environment", 0, range, strength, COORDINATE_ABS_MAX)?;
                let range = ("a rotation of", "within ±1e6 rad");
                bounded("environment", 0, range, rotation, UV_ABS_MAX)
            }
        }
    }

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

fn validate_size(index: usize, light: &Light) -> Result<(), SceneError> {
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
