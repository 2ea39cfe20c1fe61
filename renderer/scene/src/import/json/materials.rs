//! The `KHR_materials_` extensions as they are written.

use serde::Deserialize;

use super::{Known, List, TextureInfo};

#[derive(Deserialize)]
pub struct Ior {
    #[serde(default = "glass")]
    pub ior: f32,
}

fn glass() -> f32 {
    1.5
}

fn one() -> f32 {
    1.0
}

fn white() -> [f32; 3] {
    [1.0; 3]
}

fn solid_white() -> [f32; 4] {
    [1.0; 4]
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Specular {
    #[serde(default = "one")]
    pub specular_factor: f32,
    pub specular_texture: Option<TextureInfo>,
    #[serde(default = "white")]
    pub specular_color_factor: [f32; 3],
    pub specular_color_texture: Option<TextureInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transmission {
    #[serde(default)]
    pub transmission_factor: f32,
    pub transmission_texture: Option<TextureInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    #[serde(default)]
    pub thickness_factor: f32,
    pub thickness_texture: Option<TextureInfo>,
    /// Metres; none is without end.
    pub attenuation_distance: Option<f32>,
    #[serde(default = "white")]
    pub attenuation_color: [f32; 3],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clearcoat {
    #[serde(default)]
    pub clearcoat_factor: f32,
    pub clearcoat_texture: Option<TextureInfo>,
    #[serde(default)]
    pub clearcoat_roughness_factor: f32,
    pub clearcoat_roughness_texture: Option<TextureInfo>,
    pub clearcoat_normal_texture: Option<TextureInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sheen {
    #[serde(default)]
    pub sheen_color_factor: [f32; 3],
    pub sheen_color_texture: Option<TextureInfo>,
    #[serde(default)]
    pub sheen_roughness_factor: f32,
    pub sheen_roughness_texture: Option<TextureInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anisotropy {
    #[serde(default)]
    pub anisotropy_strength: f32,
    #[serde(default)]
    pub anisotropy_rotation: f32,
    pub anisotropy_texture: Option<TextureInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Iridescence {
    #[serde(default)]
    pub iridescence_factor: f32,
    pub iridescence_texture: Option<TextureInfo>,
    #[serde(default = "film")]
    pub iridescence_ior: f32,
    /// Nanometres.
    #[serde(default = "thin")]
    pub iridescence_thickness_minimum: f32,
    #[serde(default = "thick")]
    pub iridescence_thickness_maximum: f32,
    pub iridescence_thickness_texture: Option<TextureInfo>,
}

fn film() -> f32 {
    1.3
}

fn thin() -> f32 {
    100.0
}

fn thick() -> f32 {
    400.0
}

#[derive(Deserialize)]
pub struct Dispersion {
    #[serde(default)]
    pub dispersion: f32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffuseTransmission {
    #[serde(default)]
    pub diffuse_transmission_factor: f32,
    pub diffuse_transmission_texture: Option<TextureInfo>,
    #[serde(default = "white")]
    pub diffuse_transmission_color_factor: [f32; 3],
    pub diffuse_transmission_color_texture: Option<TextureInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecularGlossiness {
    #[serde(default = "solid_white")]
    pub diffuse_factor: [f32; 4],
    pub diffuse_texture: Option<TextureInfo>,
    #[serde(default = "white")]
    pub specular_factor: [f32; 3],
    #[serde(default = "one")]
    pub glossiness_factor: f32,
    pub specular_glossiness_texture: Option<TextureInfo>,
}

/// `KHR_materials_variants`: the root's names and a primitive's materials share the name.
#[derive(Deserialize)]
pub struct Variants {
    #[serde(default)]
    pub variants: List<Variant>,
    #[serde(default)]
    pub mappings: List<Mapping>,
}

#[derive(Deserialize)]
pub struct Variant {
    pub name: String,
}

/// The material of some variants.
#[derive(Deserialize)]
pub struct Mapping {
    pub material: u32,
    pub variants: List<u32>,
}

impl Known {
    /// The textures that a material's extensions use.
    pub fn textures(&self) -> impl Iterator<Item = &TextureInfo> {
        let specular = self
            .specular
            .iter()
            .flat_map(|specular| [&specular.specular_texture, &specular.specular_color_texture]);
        let transmission =
            self.transmission.iter().map(|transmission| &transmission.transmission_texture);
        let clearcoat = self.clearcoat.iter().flat_map(|coat| {
            [
                &coat.clearcoat_texture,
                &coat.clearcoat_roughness_texture,
                &coat.clearcoat_normal_texture,
            ]
        });
        let sheen = self
            .sheen
            .iter()
            .flat_map(|sheen| [&sheen.sheen_color_texture, &sheen.sheen_roughness_texture]);
        let gloss = self
            .specular_glossiness
            .iter()
            .flat_map(|gloss| [&gloss.diffuse_texture, &gloss.specular_glossiness_texture]);
        let anisotropy = self.anisotropy.iter().map(|lobe| &lobe.anisotropy_texture);
        let through = self.diffuse_transmission.iter().flat_map(|through| {
            [&through.diffuse_transmission_texture, &through.diffuse_transmission_color_texture]
        });
        let film = self
            .iridescence
            .iter()
            .flat_map(|film| [&film.iridescence_texture, &film.iridescence_thickness_texture]);
        specular
            .chain(film)
            .chain(transmission)
            .chain(clearcoat)
            .chain(sheen)
            .chain(gloss)
            .chain(anisotropy)
            .chain(through)
            .flatten()
    }
}
