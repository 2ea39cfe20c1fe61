//! What materials have beyond glTF's metal and roughness.

use super::Surface;
use super::attributes::{blend3, sample_at, vertex_tangent};
use crate::RenderScene;
use crate::bsdf::DIELECTRIC_INDEX;
use crate::bsdf::lobe::{SHEEN_ROUGHNESS_MIN, fresnel_rise};
use crate::math::{
    Vec3, cross, div, dot, lerp, max, min, normalize_or, rcp, saturate, transform_direction, vec3,
};
use crate::tables::{Instance, LAYERS_BODY, Layers, NONE, Shape, TextureUse};
use crate::texture::Rgba;

/// A point of a triangle with what its attributes are read by.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub scene: &'a RenderScene,
    pub instance: &'a Instance,
    pub shape: &'a Shape,
    pub index: [u32; 3],
    pub w: [f32; 3],
    pub time: f32,
}

impl Spot<'_> {
    #[inline(always)]
    fn texel(&self, usage: &TextureUse, srgb: bool) -> Rgba {
        sample_at(self.scene, self.shape, usage, self.index, self.w, srgb)
    }

    /// A texel where there is a texture, ones where there is none.
    #[inline(always)]
    fn factor(&self, usage: &TextureUse, srgb: bool) -> Rgba {
        if usage.texture == NONE {
            return Rgba { rgb: Vec3::ONE, a: 1.0 };
        }
        self.texel(usage, srgb)
    }

    /// Unit tangent and bitangent in world space; `smooth` is the vertex normal in object space.
    #[inline]
    pub fn axes(&self, smooth: Vec3) -> (Vec3, Vec3) {
        let Self { scene, instance, shape, index, w, time } = *self;
        let [a, b, c] = index.map(|vertex| vertex_tangent(scene, shape, vertex, time));
        let along = blend3(a.rgb, b.rgb, c.rgb, w);
        let across = cross(smooth, along) * a.a;
        let to_world = &instance.object_to_world;
        let tangent = normalize_or(transform_direction(to_world, along), Vec3::ZERO);
        let bitangent = normalize_or(transform_direction(to_world, across), Vec3::ZERO);
        (tangent, bitangent)
    }

    /// A normal map's normal in world space, not yet of unit length; `smooth` is the vertex normal
    /// in object space, `world` the same as a unit vector in world space.
    #[inline]
    pub fn mapped_normal(&self, usage: &TextureUse, scale: f32, smooth: Vec3, world: Vec3) -> Vec3 {
        let (tangent, bitangent) = self.axes(smooth);
        let texel = self.texel(usage, false).rgb;
        let x = (texel.x * 2.0 - 1.0) * scale;
        let y = (texel.y * 2.0 - 1.0) * scale;
        let z = texel.z * 2.0 - 1.0;
        tangent * x + bitangent * y + world * z
    }
}

/// Puts the layers of a material on a surface.
#[inline]
pub(super) fn add_layers(surface: &mut Surface, layers: &Layers, spot: &Spot<'_>, front: bool) {
    // The dielectric's reflectance: KHR_materials_ior and KHR_materials_specular.
    let ratio = div(layers.ior - 1.0, layers.ior + 1.0);
    let normal = ratio * ratio;
    surface.f90 = saturate(layers.specular * spot.factor(&layers.specular_texture, false).a);
    let tint = spot.factor(&layers.specular_color_texture, true).rgb;
    let reflectance = |color: f32, tint: f32| min(normal * color * tint, 1.0) * surface.f90;
    let color = layers.specular_color;
    surface.f0 = vec3(
        reflectance(color[0], tint.x),
        reflectance(color[1], tint.y),
        reflectance(color[2], tint.z),
    );

    // An index of 0 means reflection everywhere, from converted gloss: Fresnel has no say there.
    surface.index = if layers.ior >= 1.0 { layers.ior } else { DIELECTRIC_INDEX };
    surface.rise = fresnel_rise(surface.index);

    // What passes: KHR_materials_transmission and KHR_materials_volume.
    let passes = spot.factor(&layers.transmission_texture, false).rgb.x;
    surface.transmission = saturate(layers.transmission * passes);
    surface.is_thin = layers.flags & LAYERS_BODY == 0;
    surface.spread = layers.spread;
    if !surface.is_thin {
        surface.eta = if front { layers.ior } else { rcp(layers.ior) };
    }
    if !front {
        surface.absorption = Vec3::of(layers.absorption);
    }

    // KHR_materials_diffuse_transmission.
    let share = spot.factor(&layers.translucency_texture, false).a;
    surface.translucency = saturate(layers.translucency * share);
    let tint = spot.factor(&layers.translucent_color_texture, true).rgb;
    surface.translucent = Vec3::of(layers.translucent_color) * tint;

    // KHR_materials_iridescence.
    surface.iridescence =
        saturate(layers.iridescence * spot.factor(&layers.iridescence_texture, false).rgb.x);
    surface.iridescence_ior = layers.iridescence_ior;
    let place = spot.factor(&layers.iridescence_thickness_texture, false).rgb.y;
    surface.iridescence_thickness = lerp(layers.iridescence_thin, layers.iridescence_thick, place);

    // KHR_materials_clearcoat.
    surface.coat = saturate(layers.coat * spot.factor(&layers.coat_texture, false).rgb.x);
    let rough = spot.factor(&layers.coat_roughness_texture, false).rgb.y;
    surface.coat_roughness = saturate(layers.coat_roughness * rough);

    // KHR_materials_sheen.
    let tint = spot.factor(&layers.sheen_color_texture, true).rgb;
    surface.sheen = Vec3::of(layers.sheen_color) * tint;
    let rough = spot.factor(&layers.sheen_roughness_texture, false).a;
    surface.sheen_roughness = max(saturate(layers.sheen_roughness * rough), SHEEN_ROUGHNESS_MIN);
}

/// `KHR_materials_anisotropy`; round where the mesh has no tangents.
#[inline]
pub(super) fn add_anisotropy(
    surface: &mut Surface,
    layers: &Layers,
    spot: &Spot<'_>,
    axes: (Vec3, Vec3),
) {
    let (tangent, bitangent) = axes;
    if dot(tangent, tangent) > 0.0 {
        let (mut x, mut y, mut strength) = (1.0, 0.0, 1.0);
        if layers.anisotropy_texture.texture != NONE {
            let texel = spot.texel(&layers.anisotropy_texture, false).rgb;
            (x, y, strength) = (texel.x * 2.0 - 1.0, texel.y * 2.0 - 1.0, texel.z);
        }
        let along = x * layers.anisotropy_cos - y * layers.anisotropy_sin;
        let across = x * layers.anisotropy_sin + y * layers.anisotropy_cos;
        surface.anisotropy = saturate(layers.anisotropy * strength);
        surface.tangent = tangent * along + bitangent * across;
    }
}
