// What a hit looks like: place, normals, material, emission; mirrored from
// renderer/src/surface.rs.
#define_import_path tessera::surface

#import tessera::math::{
    fclamp, fcross, fdot, fmin, fsaturate, normalize_or, transform_direction, transform_point,
    transform_transposed,
}
#import tessera::ray::Hit
#import tessera::tables::{
    BASE_COLOR_TEXTURE, EMISSIVE_TEXTURE, MATERIAL_DOUBLE_SIDED, MATERIAL_EMISSIVE,
    METALLIC_ROUGHNESS_TEXTURE, Material, NONE, NORMAL_TEXTURE, Shape, attribute_pair,
    attribute_row, attribute_vec, indices, instance_at, instance_object_to_world,
    instance_world_to_object, material_of, shape_of, texture_use_of, triangle_of,
}
#import tessera::texture::sample

// Height of the viewer's mirror direction over the surface that shading normals are bent for.
const MIRROR_HEIGHT_MIN: f32 = 0.01;

// A point of a surface, seen from one side.
struct Surface {
    position: vec3<f32>,
    geometric: vec3<f32>,
    normal: vec3<f32>,
    base_color: vec3<f32>,
    metallic: f32,
    roughness: f32,
    emission: vec3<f32>,
}

// Vertex indices of a primitive.
fn vertices(shape: Shape, primitive: u32) -> vec3<u32> {
    let at = shape.indices_at + (primitive - shape.first_primitive) * 3u;
    return vec3<u32>(indices[at], indices[at + 1u], indices[at + 2u]);
}

// The weights of a triangle's three vertices, from those of the second and third.
fn three_weights(weights: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(1.0 - weights.x - weights.y, weights.x, weights.y);
}

fn blend_pair(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, w: vec3<f32>) -> vec2<f32> {
    return a * w.x + b * w.y + c * w.z;
}

// blend3 in Rust.
fn blend_vec(a: vec3<f32>, b: vec3<f32>, c: vec3<f32>, w: vec3<f32>) -> vec3<f32> {
    return a * w.x + b * w.y + c * w.z;
}

fn blend_row(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, w: vec3<f32>) -> vec4<f32> {
    return a * w.x + b * w.y + c * w.z;
}

// Texture coordinates of a set; the origin where the shape has none.
fn uv_at(shape: Shape, uv_set: u32, index: vec3<u32>, w: vec3<f32>) -> vec2<f32> {
    let at = select(shape.uvs_at.x, shape.uvs_at.y, (uv_set & 1u) == 1u);
    if at == NONE { return vec2<f32>(0.0); }
    let a = attribute_pair(at + index.x * 2u);
    let b = attribute_pair(at + index.y * 2u);
    let c = attribute_pair(at + index.z * 2u);
    return blend_pair(a, b, c, w);
}

// What a material's textures show at a point; one everywhere where there is none.
struct Texels {
    base_color: vec4<f32>,
    metallic_roughness: vec4<f32>,
    normal: vec4<f32>,
    emissive: vec4<f32>,
}

// Bit of a texture for `texels_at`.
const SHOW_BASE_COLOR: u32 = 1u;
const SHOW_METALLIC_ROUGHNESS: u32 = 2u;
const SHOW_NORMAL: u32 = 4u;
const SHOW_EMISSIVE: u32 = 8u;

// Samples those of a material's textures that are wanted, one after the other: Rust samples each
// where it needs it. One place in the code for all of them keeps the kernel small.
fn texels_at(
    shape: Shape, material: Material, index: vec3<u32>, w: vec3<f32>, wanted: u32,
) -> Texels {
    let none = vec4<f32>(1.0);
    var found = Texels(none, none, none, none);
    var left = wanted & material.textures;
    while left != 0u {
        let which = firstTrailingBit(left);
        left &= left - 1u;
        let usage = texture_use_of(material, which);
        let srgb = which == BASE_COLOR_TEXTURE || which == EMISSIVE_TEXTURE;
        let color = sample(usage, uv_at(shape, usage.uv_set, index, w), srgb);
        if which == BASE_COLOR_TEXTURE { found.base_color = color; }
        if which == METALLIC_ROUGHNESS_TEXTURE { found.metallic_roughness = color; }
        if which == NORMAL_TEXTURE { found.normal = color; }
        if which == EMISSIVE_TEXTURE { found.emissive = color; }
    }
    return found;
}

// Base colour with alpha: factor, texture and vertex colour multiplied.
fn base_color_at(
    shape: Shape, material: Material, index: vec3<u32>, w: vec3<f32>, shown: Texels,
) -> vec4<f32> {
    var color = material.base_color * shown.base_color;
    if shape.colors_at != NONE {
        let a = attribute_row(shape.colors_at + index.x * 4u);
        let b = attribute_row(shape.colors_at + index.y * 4u);
        let c = attribute_row(shape.colors_at + index.z * 4u);
        color = color * blend_row(a, b, c, w);
    }
    return color;
}

// Alpha of a triangle at a point.
fn alpha_of(shape: Shape, material: Material, primitive: u32, weights: vec2<f32>) -> f32 {
    let index = vertices(shape, primitive);
    let w = three_weights(weights);
    let shown = texels_at(shape, material, index, w, SHOW_BASE_COLOR);
    return base_color_at(shape, material, index, w, shown).w;
}

// Radiance that the material of a triangle emits at a point, on a side that emits.
fn emission_at(material: Material, shown: Texels) -> vec3<f32> {
    if (material.flags & MATERIAL_EMISSIVE) == 0u { return vec3<f32>(0.0); }
    return material.emissive * shown.emissive.xyz;
}

// `normal` turned as far as it must be for the viewer's mirror direction to leave the surface.
fn facing(normal: vec3<f32>, geometric: vec3<f32>, viewer: vec3<f32>) -> vec3<f32> {
    let near = select(normal, -normal, fdot(normal, geometric) < 0.0);
    let mirrored = near * (2.0 * fdot(near, viewer)) - viewer;
    let height = fdot(mirrored, geometric);
    let least = fmin(0.9 * fdot(viewer, geometric), MIRROR_HEIGHT_MIN);
    if height >= least { return near; }
    let raised = normalize_or(mirrored + geometric * (least - height), geometric);
    return normalize_or(viewer + raised, geometric);
}

// The surface at a hit, seen against `direction`.
fn surface_at(hit: Hit, direction: vec3<f32>) -> Surface {
    let placed = instance_at(hit.instance);
    let object_to_world = instance_object_to_world(placed);
    let world_to_object = instance_world_to_object(placed);
    let triangle = triangle_of(hit.triangle);
    let shape = shape_of(triangle.shape);
    let material = material_of(shape.material);
    let index = vertices(shape, triangle.primitive);
    let w = three_weights(vec2<f32>(hit.u, hit.v));
    let a = triangle.a;
    let b = triangle.b;
    let c = triangle.c;
    let position = transform_point(object_to_world, blend_vec(a, b, c, w));

    // The side that is seen.
    let viewer = -direction;
    let flat_normal = fcross(b - a, c - a);
    let outward = normalize_or(transform_transposed(world_to_object, flat_normal), viewer);
    let front = fdot(outward, direction) <= 0.0;
    let geometric = select(-outward, outward, front);

    // Textures.
    let emits = front || (material.flags & MATERIAL_DOUBLE_SIDED) != 0u;
    let mapped = shape.normals_at != NONE && shape.tangents_at != NONE;
    let shown = texels_at(
        shape, material, index, w,
        SHOW_BASE_COLOR | SHOW_METALLIC_ROUGHNESS
            | select(0u, SHOW_NORMAL, mapped)
            | select(0u, SHOW_EMISSIVE, emits && (material.flags & MATERIAL_EMISSIVE) != 0u),
    );

    // Shading normal.
    var normal = geometric;
    if shape.normals_at != NONE {
        let smoothed = blend_vec(
            attribute_vec(shape.normals_at + index.x * 3u),
            attribute_vec(shape.normals_at + index.y * 3u),
            attribute_vec(shape.normals_at + index.z * 3u),
            w,
        );
        var world = transform_transposed(world_to_object, smoothed);
        if mapped && (material.textures & SHOW_NORMAL) != 0u {
            let unit = normalize_or(world, outward);
            // The normal map's normal: mapped_normal in Rust.
            let ta = attribute_row(shape.tangents_at + index.x * 4u);
            let tb = attribute_row(shape.tangents_at + index.y * 4u);
            let tc = attribute_row(shape.tangents_at + index.z * 4u);
            let along = blend_vec(ta.xyz, tb.xyz, tc.xyz, w);
            let across = fcross(smoothed, along) * ta.w;
            let black = vec3<f32>(0.0);
            let tangent = normalize_or(transform_direction(object_to_world, along), black);
            let bitangent = normalize_or(transform_direction(object_to_world, across), black);
            let texel = shown.normal;
            let x = (texel.x * 2.0 - 1.0) * material.normal_scale;
            let y = (texel.y * 2.0 - 1.0) * material.normal_scale;
            let z = texel.z * 2.0 - 1.0;
            world = tangent * x + bitangent * y + unit * z;
        }
        normal = facing(normalize_or(world, geometric), geometric, viewer);
    }

    // Material.
    let color = base_color_at(shape, material, index, w, shown);
    let metallic = material.metallic * shown.metallic_roughness.z;
    let roughness = material.roughness * shown.metallic_roughness.y;
    var emission = vec3<f32>(0.0);
    if emits { emission = emission_at(material, shown); }
    return Surface(
        position,
        geometric,
        normal,
        vec3<f32>(fsaturate(color.x), fsaturate(color.y), fsaturate(color.z)),
        fsaturate(metallic),
        fclamp(roughness, 0.0, 1.0),
        emission,
    );
}
