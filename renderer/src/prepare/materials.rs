//! Materials, textures and texels as tables.

use scene::{AlphaMode, Filter, Pixels, Scene, TextureRef, Wrap};

use super::{PrepareError, checked, lamps};
use crate::precise::{ln, sin_cos};
use crate::tables::{
    ALPHA_BLEND, ALPHA_MASK, ALPHA_OPAQUE, FILTER_LINEAR, FILTER_NEAREST, LAYERS_BODY, Layers,
    MATERIAL_DOUBLE_SIDED, MATERIAL_EMISSIVE, MATERIAL_MATTE, MATERIAL_UNLIT, Material, NONE,
    Texture, TextureUse, WRAP_CLAMP, WRAP_MIRROR, WRAP_REPEAT,
};

/// An index of refraction this close to the air's does not bend light: the half vector of
/// transmission would have no direction.
const BEND_MIN: f32 = 1e-3;
/// Absorbed colours are held above this, so that a body is never infinitely dark.
const ATTENUATION_MIN: f32 = 1e-6;

/// Tables of surfaces.
pub struct Surfaces {
    pub materials: Vec<Material>,
    pub layers: Vec<Layers>,
    pub textures: Vec<Texture>,
    pub texels: Vec<u32>,
}

/// Packs all materials, glTF's default material and those of flat lamps after them, their layers,
/// the textures and the texels of every image that a texture shows. `own` are the scene's
/// materials at the time.
pub fn pack(scene: &Scene, own: &[scene::Material]) -> Result<Surfaces, PrepareError> {
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
    let lamps = lamps::materials(scene);
    let mut layers = Vec::new();
    let mut materials = Vec::with_capacity(own.len() + 1 + lamps.len());
    for material in own.iter().chain(std::iter::once(&default)).chain(&lamps) {
        let mut packed = pack_material(material);
        if material.layers != scene::Layers::default() {
            packed.layers = checked("layers", layers.len())?;
            let own = pack_layers(&material.layers);
            packed.textures |= used(&[
                &own.specular_texture,
                &own.specular_color_texture,
                &own.sheen_color_texture,
                &own.sheen_roughness_texture,
                &own.transmission_texture,
                &own.coat_texture,
                &own.coat_roughness_texture,
                &own.coat_normal_texture,
                &own.anisotropy_texture,
                &own.translucency_texture,
                &own.translucent_color_texture,
                &own.iridescence_texture,
                &own.iridescence_thickness_texture,
            ]) << OWN_TEXTURES;
            if is_matte(material) {
                packed.flags |= MATERIAL_MATTE;
            }
            layers.push(own);
        }
        materials.push(packed);
    }
    Ok(Surfaces { materials, layers, textures, texels })
}

/// Texture uses of a material without layers.
const OWN_TEXTURES: u32 = 4;

/// A bit for each use that has a texture, the first use in the lowest.
fn used(uses: &[&TextureUse]) -> u32 {
    let bits = uses.iter().zip(0..).map(|(usage, at)| u32::from(usage.texture != NONE) << at);
    bits.fold(0, |all, bit: u32| all | bit)
}

/// Whether a material scatters evenly and does nothing else.
fn is_matte(material: &scene::Material) -> bool {
    let layers = &material.layers;
    let others = [
        material.metallic,
        layers.specular,
        layers.transmission,
        layers.coat,
        layers.iridescence,
        layers.translucency,
    ];
    let [r, g, b] = layers.sheen_color;
    !layers.is_body && others.into_iter().chain([r, g, b]).all(|factor| factor <= 0.0)
}

fn pack_layers(layers: &scene::Layers) -> Layers {
    let bends = (layers.ior - 1.0).abs() >= BEND_MIN;
    let turn = sin_cos(f64::from(layers.anisotropy_rotation));
    let is_body = layers.is_body && bends && layers.ior > 0.0;
    let absorption = layers.attenuation_color.map(|color| {
        let octaves = -ln(f64::from(color.max(ATTENUATION_MIN))) / std::f64::consts::LN_2;
        let distance = f64::from(layers.attenuation_distance);
        if layers.is_body && distance > 0.0 { (octaves / distance) as f32 } else { 0.0 }
    });
    Layers {
        specular_color: layers.specular_color,
        specular: layers.specular,
        sheen_color: layers.sheen_color,
        sheen_roughness: layers.sheen_roughness,
        absorption,
        transmission: layers.transmission,
        coat: layers.coat,
        coat_roughness: layers.coat_roughness,
        ior: layers.ior,
        flags: if is_body { LAYERS_BODY } else { 0 },
        coat_normal_scale: layers.coat_normal_scale,
        anisotropy: layers.anisotropy,
        anisotropy_cos: turn.1 as f32,
        anisotropy_sin: turn.0 as f32,
        translucent_color: layers.translucent_color,
        translucency: layers.translucency,
        // KHR_materials_dispersion: the spread of the indices for 20 over the Abbe number.
        spread: if is_body { (layers.ior - 1.0) * 0.025 * layers.dispersion } else { 0.0 },
        iridescence: layers.iridescence,
        iridescence_ior: layers.iridescence_ior,
        iridescence_thin: layers.iridescence_thickness[0],
        iridescence_thick: layers.iridescence_thickness[1],
        reserved: [0; 3],
        specular_texture: pack_use(layers.specular_texture.as_ref()),
        specular_color_texture: pack_use(layers.specular_color_texture.as_ref()),
        sheen_color_texture: pack_use(layers.sheen_color_texture.as_ref()),
        sheen_roughness_texture: pack_use(layers.sheen_roughness_texture.as_ref()),
        transmission_texture: pack_use(layers.transmission_texture.as_ref()),
        coat_texture: pack_use(layers.coat_texture.as_ref()),
        coat_roughness_texture: pack_use(layers.coat_roughness_texture.as_ref()),
        coat_normal_texture: pack_use(layers.coat_normal_texture.as_ref()),
        anisotropy_texture: pack_use(layers.anisotropy_texture.as_ref()),
        translucency_texture: pack_use(layers.translucency_texture.as_ref()),
        translucent_color_texture: pack_use(layers.translucent_color_texture.as_ref()),
        iridescence_texture: pack_use(layers.iridescence_texture.as_ref()),
        iridescence_thickness_texture: pack_use(layers.iridescence_thickness_texture.as_ref()),
    }
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
    if material.is_unlit {
        flags |= MATERIAL_UNLIT;
    }
    let mut packed = Material {
        base_color: material.base_color,
        emissive: material.emissive,
        metallic: material.metallic,
        roughness: material.roughness,
        normal_scale: material.normal_scale,
        alpha_mode,
        alpha_cutoff,
        flags,
        layers: NONE,
        textures: 0,
        reserved: 0,
        base_color_texture: pack_use(material.base_color_texture.as_ref()),
        metallic_roughness_texture: pack_use(material.metallic_roughness_texture.as_ref()),
        normal_texture: pack_use(material.normal_texture.as_ref()),
        emissive_texture: pack_use(material.emissive_texture.as_ref()),
    };
    packed.textures = used(&[
        &packed.base_color_texture,
        &packed.metallic_roughness_texture,
        &packed.normal_texture,
        &packed.emissive_texture,
    ]);
    packed
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
