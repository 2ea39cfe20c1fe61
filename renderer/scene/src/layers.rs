//! What the `KHR_materials_` extensions add to a metallic-roughness material.

use serde::{Deserialize, Serialize};

use crate::model::TextureRef;

/// Layers of a material; the default changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layers {
    /// `KHR_materials_ior`: index of refraction, 1..=100; 0 for a dielectric that reflects all, as
    /// materials converted from specular-glossiness need it.
    pub ior: f32,

    /// `KHR_materials_specular`: strength of the dielectric's reflection, 0..=1.
    pub specular: f32,
    /// Alpha is a factor of it.
    pub specular_texture: Option<TextureRef>,
    /// Linear RGB colour of the reflectance along the normal.
    pub specular_color: [f32; 3],
    /// sRGB-encoded RGB.
    pub specular_color_texture: Option<TextureRef>,

    /// `KHR_materials_transmission`: share of the dielectric's body that lets light through.
    pub transmission: f32,
    /// Red is a factor of it.
    pub transmission_texture: Option<TextureRef>,
    /// `KHR_materials_volume`: whether the surface bounds a body, which refracts and absorbs; else
    /// it is a thin wall.
    pub is_body: bool,
    /// Linear RGB that white light has become after [`Layers::attenuation_distance`].
    pub attenuation_color: [f32; 3],
    /// Metres; 0 for a body that absorbs nothing.
    pub attenuation_distance: f32,

    /// `KHR_materials_clearcoat`: strength, 0..=1.
    pub coat: f32,
    /// Red is a factor of it.
    pub coat_texture: Option<TextureRef>,
    /// Perceptual roughness, 0..=1.
    pub coat_roughness: f32,
    /// Green is a factor of it.
    pub coat_roughness_texture: Option<TextureRef>,
    /// Linear tangent-space normals.
    pub coat_normal_texture: Option<TextureRef>,
    /// Factor of the normal map's x and y.
    pub coat_normal_scale: f32,

    /// `KHR_materials_sheen`: linear RGB, 0..=1; black for none.
    pub sheen_color: [f32; 3],
    /// sRGB-encoded RGB.
    pub sheen_color_texture: Option<TextureRef>,
    /// Perceptual roughness, 0..=1.
    pub sheen_roughness: f32,
    /// Alpha is a factor of it.
    pub sheen_roughness_texture: Option<TextureRef>,

    /// `KHR_materials_anisotropy`: strength, 0..=1.
    pub anisotropy: f32,
    /// Turn of its direction from the tangent, radians, counter-clockwise.
    pub anisotropy_rotation: f32,
    /// Red and green are the direction from -1 to 1, blue is a factor of the strength.
    pub anisotropy_texture: Option<TextureRef>,

    /// `KHR_materials_iridescence`: strength of the thin film, 0..=1.
    pub iridescence: f32,
    /// Red is a factor of it.
    pub iridescence_texture: Option<TextureRef>,
    /// Index of refraction of the film, 1..=100.
    pub iridescence_ior: f32,
    /// Thickness, nanometres, where the thickness texture is 0 and where it is 1 or not there.
    pub iridescence_thickness: [f32; 2],
    /// Green is where between the two.
    pub iridescence_thickness_texture: Option<TextureRef>,

    /// `KHR_materials_dispersion`: 20 over the Abbe number, 0..=20; 0 for none.
    pub dispersion: f32,

    /// `KHR_materials_diffuse_transmission`: share of the diffuse light that is scattered to the
    /// other side, 0..=1.
    pub translucency: f32,
    /// Alpha is a factor of it.
    pub translucency_texture: Option<TextureRef>,
    /// Linear RGB colour of that light, 0..=1.
    pub translucent_color: [f32; 3],
    /// sRGB-encoded RGB.
    pub translucent_color_texture: Option<TextureRef>,
}

impl Default for Layers {
    /// None.
    fn default() -> Self {
        Self {
            ior: 1.5,
            specular: 1.0,
            specular_texture: None,
            specular_color: [1.0; 3],
            specular_color_texture: None,
            transmission: 0.0,
            transmission_texture: None,
            is_body: false,
            attenuation_color: [1.0; 3],
            attenuation_distance: 0.0,
            coat: 0.0,
            coat_texture: None,
            coat_roughness: 0.0,
            coat_roughness_texture: None,
            coat_normal_texture: None,
            coat_normal_scale: 1.0,
            sheen_color: [0.0; 3],
            sheen_color_texture: None,
            sheen_roughness: 0.0,
            sheen_roughness_texture: None,
            anisotropy: 0.0,
            anisotropy_rotation: 0.0,
            anisotropy_texture: None,
            iridescence: 0.0,
            iridescence_texture: None,
            iridescence_ior: 1.3,
            iridescence_thickness: [100.0, 400.0],
            iridescence_thickness_texture: None,
            dispersion: 0.0,
            translucency: 0.0,
            translucency_texture: None,
            translucent_color: [1.0; 3],
            translucent_color_texture: None,
        }
    }
}

impl Layers {
    /// The textures they use.
    pub fn textures(&self) -> impl Iterator<Item = TextureRef> {
        let list = [
            self.specular_texture,
            self.specular_color_texture,
            self.transmission_texture,
            self.coat_texture,
            self.coat_roughness_texture,
            self.coat_normal_texture,
            self.sheen_color_texture,
            self.sheen_roughness_texture,
            self.anisotropy_texture,
            self.translucency_texture,
            self.translucent_color_texture,
            self.iridescence_texture,
            self.iridescence_thickness_texture,
        ];
        list.into_iter().flatten()
    }
}
