//! What changes in place: keys of a factor of a material, a light or a camera
//! (`KHR_animation_pointer`).

use serde::{Deserialize, Serialize};

use crate::animation::{Interpolation, Keys};
use crate::limits::{COORDINATE_ABS_MAX, LIGHT_MAX, UV_ABS_MAX};
use crate::model::{AlphaMode, Camera, Layers, Light, LightKind, Material, Projection, TextureRef};

/// Keys of one factor.
///
/// # Shapes and units
/// As in [`crate::Channel`]; components are those of the [`Slot`] that the target names, in its
/// units, or one where the slot is scaled. What lies between keys may leave the slot's range and
/// is held within it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variation {
    /// Which factor of what.
    pub target: Target,
    /// What lies between keys. Before the first and after the last, their values hold.
    pub interpolation: Interpolation,
    /// When the keys are.
    pub times: Vec<f32>,
    /// What the keys are.
    pub values: Vec<f32>,
}

impl Variation {
    /// The keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys { interpolation: self.interpolation, times: &self.times, values: &self.values }
    }
}

/// Which factor of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Target {
    /// Of a material.
    Material {
        /// Its index.
        material: u32,
        /// Which factor.
        factor: Factor,
    },
    /// Of a light.
    Light {
        /// Its index.
        light: u32,
        /// Which factor.
        factor: LightFactor,
    },
    /// A camera's field of view, or its half height.
    Camera {
        /// Its index.
        camera: u32,
    },
}

/// A factor of a material; the names are those of [`Material`] and [`crate::Layers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields of the same names have them")]
pub enum Factor {
    BaseColor,
    Metallic,
    Roughness,
    NormalScale,
    /// The cutoff of [`AlphaMode::Mask`].
    AlphaCutoff,
    /// Without the strength where that varies on its own.
    Emissive,
    /// Multiplies the emission that the other variation gives, or the material's.
    EmissiveStrength,
    Ior,
    Specular,
    SpecularColor,
    Transmission,
    AttenuationColor,
    AttenuationDistance,
    Coat,
    CoatRoughness,
    CoatNormalScale,
    SheenColor,
    SheenRoughness,
    Anisotropy,
    AnisotropyRotation,
    Iridescence,
    IridescenceIor,
    IridescenceThicknessMinimum,
    IridescenceThicknessMaximum,
    Dispersion,
    Translucency,
    TranslucentColor,
    /// Offset of a texture's use.
    TextureOffset(TextureSlot),
    /// Rotation of a texture's use, radians.
    TextureRotation(TextureSlot),
    /// Scale of a texture's use.
    TextureScale(TextureSlot),
}

/// A use of a texture; the names are those of [`Material`] and [`crate::Layers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields of the same names have them")]
pub enum TextureSlot {
    BaseColor,
    MetallicRoughness,
    Normal,
    Emissive,
    Specular,
    SpecularColor,
    Transmission,
    Coat,
    CoatRoughness,
    CoatNormal,
    SheenColor,
    SheenRoughness,
    Anisotropy,
    Translucency,
    TranslucentColor,
    Iridescence,
    IridescenceThickness,
}

/// A factor of a light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LightFactor {
    /// RGB, without the strength where that varies on its own.
    Intensity,
    /// Multiplies the intensity that the other variation gives, or the light's.
    Strength,
    /// Distance beyond which it does not shine, metres.
    Range,
    /// Half angle of full light, radians.
    InnerCone,
    /// Half angle where light ends, radians.
    OuterCone,
}

/// The numbers that a target names, and what they may be.
#[derive(Debug, PartialEq)]
pub struct Slot<'s> {
    /// Where they are.
    pub numbers: &'s mut [f32],
    /// The least that each may be.
    pub low: f32,
    /// The most that each may be.
    pub high: f32,
    /// Whether one value multiplies all of them, instead of replacing each.
    pub is_scaled: bool,
}

impl Slot<'_> {
    /// Components of a value.
    #[must_use]
    pub fn components(&self) -> usize {
        if self.is_scaled { 1 } else { self.numbers.len() }
    }
}

fn slot(numbers: &mut [f32], low: f32, high: f32) -> Option<Slot<'_>> {
    Some(Slot { numbers, low, high, is_scaled: false })
}

fn one(number: &mut f32, low: f32, high: f32) -> Option<Slot<'_>> {
    slot(std::slice::from_mut(number), low, high)
}

impl Factor {
    /// Where the factor is in a material; none for a texture or a cutoff that it lacks.
    pub fn slot(self, material: &mut Material) -> Option<Slot<'_>> {
        match self {
            Self::BaseColor => slot(&mut material.base_color, 0.0, 1.0),
            Self::Metallic => one(&mut material.metallic, 0.0, 1.0),
            Self::Roughness => one(&mut material.roughness, 0.0, 1.0),
            Self::NormalScale => {
                one(&mut material.normal_scale, -COORDINATE_ABS_MAX, COORDINATE_ABS_MAX)
            }
            Self::AlphaCutoff => match &mut material.alpha {
                AlphaMode::Mask(cutoff) => one(cutoff, 0.0, COORDINATE_ABS_MAX),
                AlphaMode::Opaque | AlphaMode::Blend => None,
            },
            Self::Emissive => slot(&mut material.emissive, 0.0, LIGHT_MAX),
            Self::EmissiveStrength => {
                let numbers = &mut material.emissive;
                Some(Slot { numbers, low: 0.0, high: LIGHT_MAX, is_scaled: true })
            }
            Self::TextureOffset(at) => slot(&mut at.of(material)?.offset, -UV_ABS_MAX, UV_ABS_MAX),
            Self::TextureRotation(at) => {
                one(&mut at.of(material)?.rotation, -UV_ABS_MAX, UV_ABS_MAX)
            }
            Self::TextureScale(at) => slot(&mut at.of(material)?.scale, -UV_ABS_MAX, UV_ABS_MAX),
            _ => self.of_layers(&mut material.layers),
        }
    }

    fn of_layers(self, layers: &mut Layers) -> Option<Slot<'_>> {
        match self {
            Self::Ior => one(&mut layers.ior, 1.0, 100.0),
            Self::Specular => one(&mut layers.specular, 0.0, 1.0),
            Self::SpecularColor => slot(&mut layers.specular_color, 0.0, 100.0),
            Self::Transmission => one(&mut layers.transmission, 0.0, 1.0),
            Self::AttenuationColor => slot(&mut layers.attenuation_color, 0.0, 1.0),
            Self::AttenuationDistance => {
                one(&mut layers.attenuation_distance, 0.0, COORDINATE_ABS_MAX)
            }
            Self::Coat => one(&mut layers.coat, 0.0, 1.0),
            Self::CoatRoughness => one(&mut layers.coat_roughness, 0.0, 1.0),
            Self::CoatNormalScale => {
                one(&mut layers.coat_normal_scale, -COORDINATE_ABS_MAX, COORDINATE_ABS_MAX)
            }
            Self::SheenColor => slot(&mut layers.sheen_color, 0.0, 1.0),
            Self::SheenRoughness => one(&mut layers.sheen_roughness, 0.0, 1.0),
            Self::Anisotropy => one(&mut layers.anisotropy, 0.0, 1.0),
            Self::AnisotropyRotation => {
                one(&mut layers.anisotropy_rotation, -UV_ABS_MAX, UV_ABS_MAX)
            }
            Self::Iridescence => one(&mut layers.iridescence, 0.0, 1.0),
            Self::IridescenceIor => one(&mut layers.iridescence_ior, 1.0, 100.0),
            Self::IridescenceThicknessMinimum => {
                one(&mut layers.iridescence_thickness[0], 0.0, 1e5)
            }
            Self::IridescenceThicknessMaximum => {
                one(&mut layers.iridescence_thickness[1], 0.0, 1e5)
            }
            Self::Dispersion => one(&mut layers.dispersion, 0.0, 20.0),
            Self::Translucency => one(&mut layers.translucency, 0.0, 1.0),
            Self::TranslucentColor => slot(&mut layers.translucent_color, 0.0, 1.0),
            _ => None,
        }
    }

    /// Whether it belongs to what a material emits.
    #[must_use]
    pub fn is_emission(self) -> bool {
        matches!(
            self,
            Self::Emissive
                | Self::EmissiveStrength
                | Self::TextureOffset(TextureSlot::Emissive)
                | Self::TextureRotation(TextureSlot::Emissive)
                | Self::TextureScale(TextureSlot::Emissive)
        )
    }
}

impl TextureSlot {
    /// The use of the texture in a material, if it has one.
    pub fn of(self, material: &mut Material) -> Option<&mut TextureRef> {
        let layers = &mut material.layers;
        let texture = match self {
            Self::BaseColor => &mut material.base_color_texture,
            Self::MetallicRoughness => &mut material.metallic_roughness_texture,
            Self::Normal => &mut material.normal_texture,
            Self::Emissive => &mut material.emissive_texture,
            Self::Specular => &mut layers.specular_texture,
            Self::SpecularColor => &mut layers.specular_color_texture,
            Self::Transmission => &mut layers.transmission_texture,
            Self::Coat => &mut layers.coat_texture,
            Self::CoatRoughness => &mut layers.coat_roughness_texture,
            Self::CoatNormal => &mut layers.coat_normal_texture,
            Self::SheenColor => &mut layers.sheen_color_texture,
            Self::SheenRoughness => &mut layers.sheen_roughness_texture,
            Self::Anisotropy => &mut layers.anisotropy_texture,
            Self::Translucency => &mut layers.translucency_texture,
            Self::TranslucentColor => &mut layers.translucent_color_texture,
            Self::Iridescence => &mut layers.iridescence_texture,
            Self::IridescenceThickness => &mut layers.iridescence_thickness_texture,
        };
        texture.as_mut()
    }
}

impl LightFactor {
    /// Where the factor is in a light; none for a range or cones that it lacks.
    pub fn slot(self, light: &mut Light) -> Option<Slot<'_>> {
        match (self, &mut light.kind) {
            (Self::Intensity, _) => slot(&mut light.intensity, 0.0, LIGHT_MAX),
            (Self::Strength, _) => {
                let numbers = &mut light.intensity;
                Some(Slot { numbers, low: 0.0, high: LIGHT_MAX, is_scaled: true })
            }
            (Self::Range, _) => one(light.range.as_mut()?, 1e-6, COORDINATE_ABS_MAX),
            (Self::InnerCone, LightKind::Spot { inner_cone, outer_cone }) => {
                one(inner_cone, 0.0, *outer_cone)
            }
            (Self::OuterCone, LightKind::Spot { outer_cone, .. }) => {
                one(outer_cone, 1e-3, std::f32::consts::FRAC_PI_2)
            }
            (Self::InnerCone | Self::OuterCone, _) => None,
        }
    }
}

impl Camera {
    /// Where its field of view is, radians, or its half height, metres.
    pub fn slot(&mut self) -> Option<Slot<'_>> {
        match &mut self.projection {
            Projection::Perspective { vfov } => one(vfov, 1e-4, std::f32::consts::PI - 2e-4),
            Projection::Orthographic { half_height } => one(half_height, 1e-6, COORDINATE_ABS_MAX),
        }
    }
}
