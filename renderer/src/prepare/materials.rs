//! Materials, textures and texels as tables.

use scene::{AlphaMode, Filter, Pixels, Scene, TextureRef, Wrap};

use super::{PrepareError, checked};
use crate::precise::sin_cos;
use crate::tables::{
    ALPHA_BLEND, ALPHA_MASK, ALPHA_OPAQUE, FILTER_LINEAR, FILTER_NEAREST, MATERIAL_DOUBLE_SIDED,
    MATERIAL_EMISSIVE, Material, NONE, Texture, TextureUse, WRAP_CLAMP, WRAP_MIRROR, WRAP_REPEAT,
};

/// Materials, textures and texels.
pub type Packed = (Vec<Material>, Vec<Texture>, Vec<u32>);

/// Packs all materials, glTF's default material after them, the textures and the texels of every
/// image that a texture shows.
pub fn pack(scene: &Scene) -> Result<Packed, PrepareError> {
    let mut texels = Vec::new();
    let mut places = vec![None; scene.images.len()];
    let mut textures = Vec::with_capacity(scene.textures.len());
    for texture in &scene.textures {
        let image = &scene.images[texture.image as usize];
        let place = &mut places[texture.image as usize];
        let texels_at = match *place {
            Some(at) => at,
            None => {
                let at = checked("texels", texels.len())?;
                if let Pixels::Rgba8(bytes) = &image.pixels {
                    texels.extend(
                        bytes.chunks_exact(4).map(|t| u32::from_le_bytes([t[0], t[1], t[2], t[3]])),
                    );
                }
                *place.insert(at)
            }
        };
        textures.push(Texture {
            texels_at,
            width: image.width,
            height: image.height,
            wrap_u: pack_wrap(texture.wrap_u),
            wrap_v: pack_wrap(texture.wrap_v),
            filter: match texture.filter {
                Filter::Nearest => FILTER_NEAREST,
                Filter::Linear => FILTER_LINEAR,
            },
            reserved: [0; 2],
        });
    }
    checked("texels", texels.len())?;
    let default = scene::Material::default();
    let materials =
        scene.materials.iter().chain(std::iter::once(&default)).map(pack_material).collect();
    Ok((materials, textures, texels))
}

const fn pack_wrap(wrap: Wrap) -> u32 {
    match wrap {
        Wrap::Repeat => WRAP_REPEAT,
        Wrap::Mirror => WRAP_MIRROR,
        Wrap::Clamp => WRAP_CLAMP,
    }
}

fn pack_material(material: &scene::Material) -> Material {
    let (alpha_mode, alpha_cutoff) = match material.alpha {
        AlphaMode::Opaque => (ALPHA_OPAQUE, 0.0),
        AlphaMode::Mask(cutoff) => (ALPHA_MASK, cutoff),
        AlphaMode::Blend => (ALPHA_BLEND, 0.0),
    };
    let mut flags = 0;
    if material.double_sided {
        flags |= MATERIAL_DOUBLE_SIDED;
    }
    if material.emissive.iter().any(|&value| value > 0.0) {
        flags |= MATERIAL_EMISSIVE;
    }
    Material {
        base_color: material.base_color,
        emissive: material.emissive,
        metallic: material.metallic,
        roughness: material.roughness,
        normal_scale: material.normal_scale,
        alpha_mode,
        alpha_cutoff,
        flags,
        reserved: [0; 3],
        base_color_texture: pack_use(material.base_color_texture.as_ref()),
        metallic_roughness_texture: pack_use(material.metallic_roughness_texture.as_ref()),
        normal_texture: pack_use(material.normal_texture.as_ref()),
        emissive_texture: pack_use(material.emissive_texture.as_ref()),
    }
}

fn pack_use(usage: Option<&TextureRef>) -> TextureUse {
    let Some(usage) = usage else {
        return TextureUse {
            texture: NONE,
            uv_set: 0,
            row_u: [1.0, 0.0, 0.0],
            row_v: [0.0, 1.0, 0.0],
        };
    };
    // KHR_texture_transform: scale, then rotate counter-clockwise (v points down), then move.
    let (sin, cos) = sin_cos(f64::from(usage.rotation));
    let [scale_u, scale_v] = usage.scale.map(f64::from);
    TextureUse {
        texture: usage.texture,
        uv_set: usage.uv_set,
        row_u: [(cos * scale_u) as f32, (sin * scale_v) as f32, usage.offset[0]],
        row_v: [(-sin * scale_u) as f32, (cos * scale_v) as f32, usage.offset[1]],
    }
}
