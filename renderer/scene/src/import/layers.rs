//! The `KHR_materials_` extensions of a material.

use super::Importer;
use super::error::ImportError;
use super::json;
use super::json::SpecularGlossiness;
use super::report::ImportWarning;
use crate::limits::COORDINATE_ABS_MAX;
use crate::model::{Image, Layers, Material, Pixels, Texture, TextureRef};

/// Above it an index of refraction is no dielectric's; diamond's is 2.42.
const IOR_MAX: f32 = 100.0;

/// A film of a tenth of a millimetre has no colours left.
const FILM_NM_MAX: f32 = 1e5;
/// The Abbe number 1: far beyond any glass, whose is 20 and more.
const DISPERSION_MAX: f32 = 20.0;

impl Importer<'_> {
    /// Puts the extensions of a material on it.
    pub fn add_layers(
        &mut self,
        index: u32,
        source: &json::Extensions,
        material: &mut Material,
    ) -> Result<(), ImportError> {
        let Some(known) = source.known() else { return Ok(()) };
        let name = material.name.clone();
        let mut layers = Layers::default();
        if let Some(ior) = &known.ior {
            // 0 is the extension's own word for a dielectric that reflects all.
            let is_word = ior.ior <= 0.0;
            layers.ior = if is_word {
                0.0
            } else {
                self.held(&name, "index of refraction", ior.ior, 1.0, IOR_MAX)
            };
        }
        if let Some(specular) = &known.specular {
            layers.specular = self.unit(&name, "specular factor", specular.specular_factor);
            layers.specular_texture = self.optional(&name, index, &specular.specular_texture)?;
            // More than 1 is allowed: the product with the index of refraction's is capped.
            layers.specular_color = specular
                .specular_color_factor
                .map(|value| self.held(&name, "specular colour", value, 0.0, IOR_MAX));
            layers.specular_color_texture =
                self.optional(&name, index, &specular.specular_color_texture)?;
        }
        if let Some(transmission) = &known.transmission {
            layers.transmission =
                self.unit(&name, "transmission", transmission.transmission_factor);
            layers.transmission_texture =
                self.optional(&name, index, &transmission.transmission_texture)?;
        }
        if let Some(volume) = &known.volume {
            layers.is_body = volume.thickness_factor > 0.0;
            layers.attenuation_color =
                volume.attenuation_color.map(|value| self.unit(&name, "attenuation", value));
            let distance = volume.attenuation_distance.filter(|distance| distance.is_finite());
            layers.attenuation_distance = distance.map_or(0.0, |distance| {
                self.held(&name, "attenuation distance", distance, 0.0, COORDINATE_ABS_MAX)
            });
            if volume.thickness_texture.is_some() {
                let material = name.clone();
                self.warnings.push(ImportWarning::ThicknessTexture { material });
            }
        }
        if let Some(coat) = &known.clearcoat {
            layers.coat = self.unit(&name, "clearcoat", coat.clearcoat_factor);
            layers.coat_texture = self.optional(&name, index, &coat.clearcoat_texture)?;
            layers.coat_roughness =
                self.unit(&name, "clearcoat roughness", coat.clearcoat_roughness_factor);
            layers.coat_roughness_texture =
                self.optional(&name, index, &coat.clearcoat_roughness_texture)?;
            let normal = &coat.clearcoat_normal_texture;
            layers.coat_normal_texture = self.optional(&name, index, normal)?;
            let scale = normal.as_ref().and_then(|normal| normal.scale);
            layers.coat_normal_scale = scale.unwrap_or(1.0);
        }
        if let Some(sheen) = &known.sheen {
            layers.sheen_color =
                sheen.sheen_color_factor.map(|value| self.unit(&name, "sheen colour", value));
            layers.sheen_color_texture = self.optional(&name, index, &sheen.sheen_color_texture)?;
            layers.sheen_roughness =
                self.unit(&name, "sheen roughness", sheen.sheen_roughness_factor);
            layers.sheen_roughness_texture =
                self.optional(&name, index, &sheen.sheen_roughness_texture)?;
        }
        if let Some(anisotropy) = &known.anisotropy {
            layers.anisotropy = self.unit(&name, "anisotropy", anisotropy.anisotropy_strength);
            layers.anisotropy_rotation = anisotropy.anisotropy_rotation;
            layers.anisotropy_texture =
                self.optional(&name, index, &anisotropy.anisotropy_texture)?;
        }
        if let Some(film) = &known.iridescence {
            layers.iridescence = self.unit(&name, "iridescence", film.iridescence_factor);
            layers.iridescence_texture = self.optional(&name, index, &film.iridescence_texture)?;
            let what = "iridescence index of refraction";
            layers.iridescence_ior = self.held(&name, what, film.iridescence_ior, 1.0, IOR_MAX);
            let ends = [film.iridescence_thickness_minimum, film.iridescence_thickness_maximum];
            layers.iridescence_thickness =
                ends.map(|end| self.held(&name, "film's thickness", end, 0.0, FILM_NM_MAX));
            layers.iridescence_thickness_texture =
                self.optional(&name, index, &film.iridescence_thickness_texture)?;
        }
        if let Some(dispersion) = &known.dispersion {
            layers.dispersion =
                self.held(&name, "dispersion", dispersion.dispersion, 0.0, DISPERSION_MAX);
        }
        if let Some(through) = &known.diffuse_transmission {
            let factor = through.diffuse_transmission_factor;
            layers.translucency = self.unit(&name, "diffuse transmission", factor);
            layers.translucency_texture =
                self.optional(&name, index, &through.diffuse_transmission_texture)?;
            layers.translucent_color = through
                .diffuse_transmission_color_factor
                .map(|value| self.unit(&name, "diffuse transmission colour", value));
            layers.translucent_color_texture =
                self.optional(&name, index, &through.diffuse_transmission_color_texture)?;
        }
        if let Some(gloss) = &known.specular_glossiness {
            self.convert_glossiness(index, gloss, material, &mut layers)?;
        }
        if known.unlit.is_some() {
            material.is_unlit = true;
            material.emissive = [0.0; 3];
            layers = Layers::default();
        }
        material.layers = layers;
        Ok(())
    }

    /// `KHR_materials_pbrSpecularGlossiness` as a dielectric whose reflectance is the specular
    /// colour: its diffuse colour is the base, its glossiness one less the roughness.
    fn convert_glossiness(
        &mut self,
        index: u32,
        source: &SpecularGlossiness,
        material: &mut Material,
        layers: &mut Layers,
    ) -> Result<(), ImportError> {
        let name = material.name.clone();
        material.base_color =
            source.diffuse_factor.map(|value| self.unit(&name, "diffuse colour", value));
        material.base_color_texture = self.optional(&name, index, &source.diffuse_texture)?;
        material.metallic = 0.0;
        material.metallic_roughness_texture = None;
        let glossiness = self.unit(&name, "glossiness", source.glossiness_factor);
        material.roughness = 1.0 - glossiness;
        layers.ior = 0.0;
        layers.specular_color =
            source.specular_factor.map(|value| self.unit(&name, "specular colour", value));
        let Some(texture) = self.optional(&name, index, &source.specular_glossiness_texture)?
        else {
            return Ok(());
        };
        layers.specular_color_texture = Some(texture);
        material.roughness = 1.0;
        material.metallic_roughness_texture = Some(self.roughness_of(texture, glossiness)?);
        Ok(())
    }

    /// The texture whose green is one less the glossiness in another's alpha.
    fn roughness_of(&mut self, glossy: TextureRef, factor: f32) -> Result<TextureRef, ImportError> {
        let texture = self.scene.textures[glossy.texture as usize];
        let image = &self.scene.images[texture.image as usize];
        let Pixels::Rgba8(bytes) = &image.pixels else { return Ok(glossy) };
        let rough = |alpha: u8| (255.0 - f32::from(alpha) * factor).round() as u8;
        let pixels = bytes.chunks_exact(4).flat_map(|texel| [0, rough(texel[3]), 0, 255]).collect();
        let made = Image {
            name: format!("roughness of {}", image.name),
            width: image.width,
            height: image.height,
            pixels: Pixels::Rgba8(pixels),
        };
        let bytes = bytes.len() as u64;
        self.budget.take(bytes).map_err(|left| {
            let problem = super::ImageProblem::TooLarge { needed: bytes, left };
            ImportError::Image { image: texture.image as usize, name: made.name.clone(), problem }
        })?;
        let image = super::push(&mut self.scene.images, made);
        let texture = super::push(&mut self.scene.textures, Texture { image, ..texture });
        Ok(TextureRef { texture, ..glossy })
    }

    fn optional(
        &mut self,
        material: &str,
        index: u32,
        info: &Option<json::TextureInfo>,
    ) -> Result<Option<TextureRef>, ImportError> {
        match info {
            Some(info) => self.texture_ref(material, index, info),
            None => Ok(None),
        }
    }

    fn unit(&mut self, material: &str, factor: &'static str, value: f32) -> f32 {
        self.held(material, factor, value, 0.0, 1.0)
    }

    /// A factor within its range; moved to the nearer end with a warning. NaN stays: validation
    /// names it.
    fn held(
        &mut self,
        material: &str,
        factor: &'static str,
        value: f32,
        low: f32,
        high: f32,
    ) -> f32 {
        let inside = value.clamp(low, high);
        if (value - inside).abs() > 0.0 {
            let material = material.to_owned();
            self.warnings.push(ImportWarning::FactorClamped { material, factor });
        }
        inside
    }
}
