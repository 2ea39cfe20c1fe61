//! What triangles carry at their vertices, and what textures say there.

use crate::RenderScene;
use crate::math::{Vec3, vec3};
use crate::moving::{moved_normal, moved_tangent};
use crate::tables::{MATERIAL_EMISSIVE, Material, NONE, Shape, TextureUse};
use crate::texture::{Rgba, sample};

/// Vertex indices of a primitive.
#[inline(always)]
#[must_use]
pub fn vertices(scene: &RenderScene, shape: &Shape, primitive: u32) -> [u32; 3] {
    let at = (shape.indices_at + (primitive - shape.first_primitive) * 3) as usize;
    let [a, b, c] = scene.indices[at..at + 3] else { unreachable!("three of three") };
    [a, b, c]
}

#[inline(always)]
fn attribute2(scene: &RenderScene, at: u32, vertex: u32) -> (f32, f32) {
    let i = (at + vertex * 2) as usize;
    (scene.attributes[i], scene.attributes[i + 1])
}

#[inline(always)]
fn attribute3(scene: &RenderScene, at: u32, vertex: u32) -> Vec3 {
    let i = (at + vertex * 3) as usize;
    let [x, y, z] = scene.attributes[i..i + 3] else { unreachable!("three of three") };
    vec3(x, y, z)
}

#[inline(always)]
fn attribute4(scene: &RenderScene, at: u32, vertex: u32) -> Rgba {
    let i = (at + vertex * 4) as usize;
    let [x, y, z, a] = scene.attributes[i..i + 4] else { unreachable!("four of four") };
    Rgba { rgb: vec3(x, y, z), a }
}

/// Normal of a vertex at a time, of any length; only for shapes that have normals.
#[inline(always)]
pub(super) fn vertex_normal(scene: &RenderScene, shape: &Shape, vertex: u32, time: f32) -> Vec3 {
    if shape.positions_at == NONE {
        return attribute3(scene, shape.normals_at, vertex);
    }
    moved_normal(scene, shape, vertex, time)
}

/// Tangent of a vertex at a time, of any length, and the sign of its bitangent; only for shapes
/// that have tangents.
#[inline(always)]
pub(super) fn vertex_tangent(scene: &RenderScene, shape: &Shape, vertex: u32, time: f32) -> Rgba {
    if shape.positions_at == NONE {
        return attribute4(scene, shape.tangents_at, vertex);
    }
    let (rgb, a) = moved_tangent(scene, shape, vertex, time);
    Rgba { rgb, a }
}

/// The weights of a triangle's three vertices, from those of the second and third.
#[inline(always)]
#[must_use]
pub fn three_weights(weights: (f32, f32)) -> [f32; 3] {
    [1.0 - weights.0 - weights.1, weights.0, weights.1]
}

#[inline(always)]
pub(super) fn blend3(a: Vec3, b: Vec3, c: Vec3, w: [f32; 3]) -> Vec3 {
    a * w[0] + b * w[1] + c * w[2]
}

#[inline(always)]
fn blend(a: f32, b: f32, c: f32, w: [f32; 3]) -> f32 {
    a * w[0] + b * w[1] + c * w[2]
}

/// Texture coordinates of a set; the origin where the shape has none.
#[inline(always)]
#[must_use]
pub fn uv_at(
    scene: &RenderScene,
    shape: &Shape,
    set: u32,
    index: [u32; 3],
    w: [f32; 3],
) -> (f32, f32) {
    let at = shape.uvs_at[(set & 1) as usize];
    if at == NONE {
        return (0.0, 0.0);
    }
    let a = attribute2(scene, at, index[0]);
    let b = attribute2(scene, at, index[1]);
    let c = attribute2(scene, at, index[2]);
    (blend(a.0, b.0, c.0, w), blend(a.1, b.1, c.1, w))
}

#[inline(always)]
pub(super) fn sample_at(
    scene: &RenderScene,
    shape: &Shape,
    usage: &TextureUse,
    index: [u32; 3],
    w: [f32; 3],
    srgb: bool,
) -> Rgba {
    let (u, v) = uv_at(scene, shape, usage.uv_set, index, w);
    sample(scene, usage, u, v, srgb)
}

/// Base colour with alpha: factor, texture and vertex colour multiplied.
#[inline(always)]
#[must_use]
pub fn base_color_at(
    scene: &RenderScene,
    shape: &Shape,
    material: &Material,
    index: [u32; 3],
    w: [f32; 3],
) -> Rgba {
    let factor = material.base_color;
    let mut color = Rgba { rgb: vec3(factor[0], factor[1], factor[2]), a: factor[3] };
    if material.base_color_texture.texture != NONE {
        let texel = sample_at(scene, shape, &material.base_color_texture, index, w, true);
        color = Rgba { rgb: color.rgb * texel.rgb, a: color.a * texel.a };
    }
    if shape.colors_at != NONE {
        let a = attribute4(scene, shape.colors_at, index[0]);
        let b = attribute4(scene, shape.colors_at, index[1]);
        let c = attribute4(scene, shape.colors_at, index[2]);
        let tint = Rgba { rgb: blend3(a.rgb, b.rgb, c.rgb, w), a: blend(a.a, b.a, c.a, w) };
        color = Rgba { rgb: color.rgb * tint.rgb, a: color.a * tint.a };
    }
    color
}

/// Alpha of a triangle at a point.
#[inline]
#[must_use]
pub fn alpha_of(
    scene: &RenderScene,
    shape: &Shape,
    material: &Material,
    primitive: u32,
    weights: (f32, f32),
) -> f32 {
    let index = vertices(scene, shape, primitive);
    base_color_at(scene, shape, material, index, three_weights(weights)).a
}

/// Radiance that the material of a triangle emits at a point, on a side that emits.
#[inline]
#[must_use]
pub fn emission_at(
    scene: &RenderScene,
    shape: &Shape,
    material: &Material,
    index: [u32; 3],
    w: [f32; 3],
) -> Vec3 {
    if material.flags & MATERIAL_EMISSIVE == 0 {
        return Vec3::ZERO;
    }
    let mut emission = Vec3::of(material.emissive);
    if material.emissive_texture.texture != NONE {
        emission *= sample_at(scene, shape, &material.emissive_texture, index, w, true).rgb;
    }
    emission
}
