//! The promises of a material's layers.

use super::{SceneError, bounded, require, within};
use crate::limits::{COORDINATE_ABS_MAX, UV_ABS_MAX};
use crate::model::Layers;

/// Whether every factor is in its range.
pub(super) fn validate(index: usize, layers: &Layers) -> Result<(), SceneError> {
    let range = ("an index of refraction of", "0 or in 1..=100");
    let is_ior = layers.ior.abs() <= 0.0 || (1.0..=100.0).contains(&layers.ior);
    require("material", index, range, layers.ior, is_ior)?;
    let unit = |what, value: f32| within("material", index, (what, "in 0..=1"), value, 1.0);
    unit("a specular factor of", layers.specular)?;
    unit("a transmission of", layers.transmission)?;
    unit("a clearcoat of", layers.coat)?;
    unit("a clearcoat roughness of", layers.coat_roughness)?;
    unit("a sheen roughness of", layers.sheen_roughness)?;
    unit("an anisotropy of", layers.anisotropy)?;
    let range = ("an anisotropy rotation of", "within ±1e6");
    bounded("material", index, range, layers.anisotropy_rotation, UV_ABS_MAX)?;
    within("material", index, ("a dispersion of", "in 0..=20"), layers.dispersion, 20.0)?;
    unit("a diffuse transmission of", layers.translucency)?;
    unit("an iridescence of", layers.iridescence)?;
    let range = ("an iridescence index of refraction of", "in 1..=100");
    let is_ior = (1.0..=100.0).contains(&layers.iridescence_ior);
    require("material", index, range, layers.iridescence_ior, is_ior)?;
    for value in layers.iridescence_thickness {
        within("material", index, ("a film's thickness of", "in 0..=100000"), value, 1e5)?;
    }
    for value in layers.translucent_color {
        unit("a diffuse transmission colour of", value)?;
    }
    for (attenuation, sheen) in layers.attenuation_color.into_iter().zip(layers.sheen_color) {
        unit("an attenuation of", attenuation)?;
        unit("a sheen colour of", sheen)?;
    }
    for value in layers.specular_color {
        within("material", index, ("a specular colour of", "in 0..=100"), value, 100.0)?;
    }
    let range = ("an attenuation distance of", "in 0..=1e9");
    within("material", index, range, layers.attenuation_distance, COORDINATE_ABS_MAX)?;
    let range = ("a clearcoat normal scale of", "within ±1e9");
    bounded("material", index, range, layers.coat_normal_scale, COORDINATE_ABS_MAX)
}
