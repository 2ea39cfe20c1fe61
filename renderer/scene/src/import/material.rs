//! Materials, textures and samplers.

use std::collections::BTreeMap;

use super::error::ImportError;
use super::json;
use super::report::ImportWarning;
use super::{Importer, MissingTextures, UriProblem, name, picture, uri};
use crate::limits::LIGHT_MAX;
use crate::model::{AlphaMode, Filter, Image, Layers, Material, Texture, TextureRef, Wrap};

/// What of the file's lists is already in the scene: only what is used gets in.
#[derive(Default)]
pub struct Taken {
    materials: BTreeMap<u32, u32>,
    textures: BTreeMap<u32, Option<u32>>,
    images: BTreeMap<u32, u32>,
}

impl Importer<'_> {
    /// Index in the scene of the file's material.
    pub fn material(
        &mut self,
        owner: (&'static str, usize),
        index: u32,
    ) -> Result<u32, ImportError> {
        if let Some(&taken) = self.taken.materials.get(&index) {
            return Ok(taken);
        }
        let source = super::at(owner, "material", index, &self.data.root.materials)?;
        let material = self.convert_material(index, source)?;
        let taken = super::push(&mut self.scene.materials, material);
        self.taken.materials.insert(index, taken);
        Ok(taken)
    }

    /// Index in the scene of the file's material, where something shown uses it.
    pub fn taken_material(&self, index: u32) -> Option<u32> {
        self.taken.materials.get(&index).copied()
    }

    fn convert_material(
        &mut self,
        index: u32,
        source: &json::Material,
    ) -> Result<Material, ImportError> {
        let name = name(source.name.as_deref(), "material", index);
        let pbr = &source.pbr_metallic_roughness;
        let mut texture = |info: &Option<json::TextureInfo>| match info {
            Some(info) => self.texture_ref(&name, index, info),
            None => Ok(None),
        };
        let base_color_texture = texture(&pbr.base_color_texture)?;
        let metallic_roughness_texture = texture(&pbr.metallic_roughness_texture)?;
        let normal_texture = texture(&source.normal_texture)?;
        let emissive_texture = texture(&source.emissive_texture)?;
        if source.occlusion_texture.is_some() {
            let material = name.clone();
            self.warnings.push(ImportWarning::OcclusionTexture { material });
        }

        let mut clamp = |factor: &'static str, value: f32, max: f32| {
            let inside = value.clamp(0.0, max);
            // NaN is not clamped: validation names it.
            if (value - inside).abs() > 0.0 {
                let material = name.clone();
                self.warnings.push(ImportWarning::FactorClamped { material, factor });
            }
            inside
        };
        let base_color = pbr.base_color_factor.unwrap_or([1.0; 4]);
        let base_color = base_color.map(|value| clamp("base colour", value, 1.0));
        let metallic = clamp("metallic factor", pbr.metallic_factor.unwrap_or(1.0), 1.0);
        let roughness = clamp("roughness factor", pbr.roughness_factor.unwrap_or(1.0), 1.0);
        let known = source.extensions.known();
        let strength = known.and_then(|known| known.emissive_strength.as_ref());
        let strength = strength.map_or(1.0, |strength| strength.emissive_strength);
        let emissive =
            source.emissive_factor.map(|value| clamp("emission", value * strength, LIGHT_MAX));
        let cutoff = clamp("alpha cutoff", source.alpha_cutoff.unwrap_or(0.5), 1e9);

        let alpha = match source.alpha_mode.as_str() {
            "OPAQUE" => AlphaMode::Opaque,
            "MASK" => AlphaMode::Mask(cutoff),
            "BLEND" => AlphaMode::Blend,
            value => return Err(super::word("material", index, "alpha mode", value)),
        };
        let scale = source.normal_texture.as_ref().and_then(|info| info.scale);
        let mut material = Material {
            name,
            base_color,
            base_color_texture,
            metallic,
            roughness,
            metallic_roughness_texture,
            normal_texture,
            normal_scale: scale.unwrap_or(1.0),
            emissive,
            emissive_texture,
            alpha,
            double_sided: source.double_sided,
            is_unlit: false,
            layers: Layers::default(),
        };
        self.add_layers(index, &source.extensions, &mut material)?;
        Ok(material)
    }

    /// The use of a texture; none, with a warning, where it cannot be used.
    pub fn texture_ref(
        &mut self,
        material: &str,
        index: u32,
        info: &json::TextureInfo,
    ) -> Result<Option<TextureRef>, ImportError> {
        let transform = info.extensions.known().and_then(|known| known.texture_transform.as_ref());
        let set = transform.and_then(|transform| transform.tex_coord).unwrap_or(info.tex_coord);
        let Some(texture) = self.texture(("material", index as usize), info.index)? else {
            let material = material.to_owned();
            self.warnings.push(ImportWarning::TextureWithoutImage { material });
            return Ok(None);
        };
        if set > 1 {
            let material = material.to_owned();
            self.warnings.push(ImportWarning::TextureCoordinateSet { material, set });
            return Ok(None);
        }
        let (offset, rotation, scale) = transform.map_or(([0.0; 2], 0.0, [1.0; 2]), |transform| {
            (transform.offset, transform.rotation, transform.scale)
        });
        Ok(Some(TextureRef { texture, uv_set: set, offset, rotation, scale }))
    }

    /// Index in the scene of the file's texture; none when it has no image that can be read.
    fn texture(
        &mut self,
        owner: (&'static str, usize),
        index: u32,
    ) -> Result<Option<u32>, ImportError> {
        if let Some(&taken) = self.taken.textures.get(&index) {
            return Ok(taken);
        }
        let source = super::at(owner, "texture", index, &self.data.root.textures)?;
        let known = source.extensions.known();
        let other = known.and_then(|known| known.basisu.as_ref().or(known.webp.as_ref()));
        let image = other.map(|other| other.source).or(source.source);
        let taken = match image {
            None => None,
            Some(image) => {
                let (wrap_u, wrap_v, filter) = self.sampler(index, source.sampler)?;
                let image = self.image(("texture", index as usize), image)?;
                let texture = Texture { image, wrap_u, wrap_v, filter };
                Some(super::push(&mut self.scene.textures, texture))
            }
        };
        self.taken.textures.insert(index, taken);
        Ok(taken)
    }

    fn sampler(
        &self,
        texture: u32,
        index: Option<u32>,
    ) -> Result<(Wrap, Wrap, Filter), ImportError> {
        let Some(index) = index else { return Ok((Wrap::Repeat, Wrap::Repeat, Filter::Linear)) };
        let owner = ("texture", texture as usize);
        let sampler = super::at(owner, "sampler", index, &self.data.root.samplers)?;
        let wrap = |code: Option<u32>| match code {
            None | Some(10_497) => Ok(Wrap::Repeat),
            Some(33_648) => Ok(Wrap::Mirror),
            Some(33_071) => Ok(Wrap::Clamp),
            Some(code) => Err(super::word("sampler", index, "wrap mode", &code.to_string())),
        };
        let filter = match sampler.mag_filter {
            None | Some(9729) => Filter::Linear,
            Some(9728) => Filter::Nearest,
            Some(code) => {
                return Err(super::word("sampler", index, "filter", &code.to_string()));
            }
        };
        Ok((wrap(sampler.wrap_s)?, wrap(sampler.wrap_t)?, filter))
    }

    fn image(&mut self, owner: (&'static str, usize), index: u32) -> Result<u32, ImportError> {
        if let Some(&taken) = self.taken.images.get(&index) {
            return Ok(taken);
        }
        let source = super::at(owner, "image", index, &self.data.root.images)?;
        let fallback = source.uri.as_deref().filter(|uri| !uri.starts_with("data:"));
        let name = name(source.name.as_deref().or(fallback), "image", index);
        let failed =
            |problem| ImportError::Image { image: index as usize, name: name.clone(), problem };
        let decoded = if let Some(text) = &source.uri {
            match uri::read(text, self.resolver, self.budget.left) {
                Ok(bytes) => picture::decode_texture(&bytes, &mut self.budget),
                Err(UriProblem::Read(_) | UriProblem::Outside | UriProblem::Scheme)
                    if self.missing_textures == MissingTextures::Magenta =>
                {
                    self.warnings.push(ImportWarning::MissingTexture { image: name.clone() });
                    Ok(picture::magenta())
                }
                Err(problem) => return Err(super::uri_error("image", index, text, problem)),
            }
        } else if let Some(view) = source.buffer_view {
            let (bytes, _stride) = self.data.view(view).map_err(|problem| match problem {
                super::AccessorProblem::Index { what, index: found, count } => {
                    let (owner, owner_index) = ("image", index as usize);
                    ImportError::Index { owner, owner_index, what, index: found, count }
                }
                problem => ImportError::ImageBytes { image: index as usize, problem },
            })?;
            picture::decode_texture(bytes, &mut self.budget)
        } else {
            Err(super::ImageProblem::NoSource)
        };
        let decoded = decoded.map_err(failed)?;
        if decoded.deep {
            self.warnings.push(ImportWarning::DeepImage { image: name.clone() });
        }
        let picture::Decoded { width, height, pixels, .. } = decoded;
        let image = Image { name, width, height, pixels };
        let taken = super::push(&mut self.scene.images, image);
        self.taken.images.insert(index, taken);
        Ok(taken)
    }
}
