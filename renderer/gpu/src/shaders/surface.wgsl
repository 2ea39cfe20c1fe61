// What a hit looks like: place, normals, material, emission; mirrored from
// renderer/src/surface.rs.
#define_import_path tessera::surface

#import tessera::math::{
    Affine, fclamp, fcross, fdot, fmax, fmin, fsaturate, normalize_or, rcp, transform_direction,
    transform_point, transform_transposed,
}
#import tessera::ray::Hit
#import tessera::rounding::div
#import tessera::tables::{
    BASE_COLOR_TEXTURE, COAT_NORMAL_TEXTURE, COAT_ROUGHNESS_TEXTURE, COAT_TEXTURE,
    EMISSIVE_TEXTURE, LAYERS_BODY, MATERIAL_DOUBLE_SIDED, MATERIAL_EMISSIVE, MATERIAL_UNLIT,
    METALLIC_ROUGHNESS_TEXTURE, Material, NONE, NORMAL_TEXTURE, SHEEN_COLOR_TEXTURE,
    SHEEN_ROUGHNESS_TEXTURE, SPECULAR_COLOR_TEXTURE, SPECULAR_TEXTURE, Shape, TRANSMISSION_TEXTURE,
    attribute_pair, attribute_row, attribute_vec, indices, instance_at, instance_object_to_world,
    instance_world_to_object, layers_of, material_of, shape_of, texture_use_of, triangle_of,
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
    is_unlit: bool,
    reflectance: vec3<f32>,
    reflectance_rim: f32,
    transmission: f32,
    eta: f32,
    is_thin: bool,
    absorption: vec3<f32>,
    coat: f32,
    coat_roughness: f32,
    coat_normal: vec3<f32>,
    sheen: vec3<f32>,
    sheen_roughness: f32,
}

// Reflectance of a dielectric along its normal; smallest roughness of sheen: renderer/src/bsdf.
const DIELECTRIC_REFLECTANCE: f32 = 0.04;
const SHEEN_ROUGHNESS_MIN: f32 = 0.1;

// Surface::PLAIN in Rust.
fn plain_surface() -> Surface {
    let up = vec3<f32>(0.0, 0.0, 1.0);
    let black = vec3<f32>(0.0);
    return Surface(
        black, up, up, vec3<f32>(1.0), 0.0, 1.0, black, false,
        vec3<f32>(DIELECTRIC_REFLECTANCE), 1.0, 0.0, 1.0, true, black, 0.0, 0.0, up, black, 1.0,
    );
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
    specular: vec4<f32>,
    specular_color: vec4<f32>,
    sheen_color: vec4<f32>,
    sheen_roughness: vec4<f32>,
    transmission: vec4<f32>,
    coat: vec4<f32>,
    coat_roughness: vec4<f32>,
    coat_normal: vec4<f32>,
}

// Bit of a texture for `texels_at`.
const SHOW_BASE_COLOR: u32 = 1u;
const SHOW_METALLIC_ROUGHNESS: u32 = 2u;
const SHOW_NORMAL: u32 = 4u;
const SHOW_EMISSIVE: u32 = 8u;
const SHOW_LAYERS: u32 = 0x7f0u;
const SHOW_COAT_NORMAL: u32 = 0x800u;

// Samples those of a material's textures that are wanted, one after the other: Rust samples each
// where it needs it. One place in the code for all of them keeps the kernel small.
fn texels_at(
    shape: Shape, material: Material, index: vec3<u32>, w: vec3<f32>, wanted: u32,
) -> Texels {
    let none = vec4<f32>(1.0);
    var found =
        Texels(none, none, none, none, none, none, none, none, none, none, none, none);
    var left = wanted & material.textures;
    while left != 0u {
        let which = firstTrailingBit(left);
        left &= left - 1u;
        let usage = texture_use_of(material, which);
        let srgb = which == BASE_COLOR_TEXTURE || which == EMISSIVE_TEXTURE
            || which == SPECULAR_COLOR_TEXTURE || which == SHEEN_COLOR_TEXTURE;
        let color = sample(usage, uv_at(shape, usage.uv_set, index, w), srgb);
        switch which {
            case BASE_COLOR_TEXTURE: { found.base_color = color; }
            case METALLIC_ROUGHNESS_TEXTURE: { found.metallic_roughness = color; }
            case NORMAL_TEXTURE: { found.normal = color; }
            case EMISSIVE_TEXTURE: { found.emissive = color; }
            case SPECULAR_TEXTURE: { found.specular = color; }
            case SPECULAR_COLOR_TEXTURE: { found.specular_color = color; }
            case SHEEN_COLOR_TEXTURE: { found.sheen_color = color; }
            case SHEEN_ROUGHNESS_TEXTURE: { found.sheen_roughness = color; }
            case TRANSMISSION_TEXTURE: { found.transmission = color; }
            case COAT_TEXTURE: { found.coat = color; }
            case COAT_ROUGHNESS_TEXTURE: { found.coat_roughness = color; }
            default: { found.coat_normal = color; }
        }
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

// A point of a triangle's vertex normal, with what normal maps are placed by.
struct Spot {
    object_to_world: Affine,
    tangents_at: u32,
    index: vec3<u32>,
    w: vec3<f32>,
    // In object space, and the same as a unit vector in world space.
    smoothed: vec3<f32>,
    unit: vec3<f32>,
}

// A normal map's normal in world space, not yet of unit length.
fn mapped_normal(spot: Spot, texel: vec4<f32>, scale: f32) -> vec3<f32> {
    let a = attribute_row(spot.tangents_at + spot.index.x * 4u);
    let b = attribute_row(spot.tangents_at + spot.index.y * 4u);
    let c = attribute_row(spot.tangents_at + spot.index.z * 4u);
    let along = blend_vec(a.xyz, b.xyz, c.xyz, spot.w);
    let across = fcross(spot.smoothed, along) * a.w;
    let black = vec3<f32>(0.0);
    let tangent = normalize_or(transform_direction(spot.object_to_world, along), black);
    let bitangent = normalize_or(transform_direction(spot.object_to_world, across), black);
    let x = (texel.x * 2.0 - 1.0) * scale;
    let y = (texel.y * 2.0 - 1.0) * scale;
    let z = texel.z * 2.0 - 1.0;
    return tangent * x + bitangent * y + spot.unit * z;
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
    var surface = plain_surface();
    surface.position = transform_point(object_to_world, blend_vec(a, b, c, w));

    // The side that is seen.
    let viewer = -direction;
    let flat_normal = fcross(b - a, c - a);
    let outward = normalize_or(transform_transposed(world_to_object, flat_normal), viewer);
    let front = fdot(outward, direction) <= 0.0;
    let geometric = select(-outward, outward, front);
    surface.geometric = geometric;

    // Textures.
    let emits = front || (material.flags & MATERIAL_DOUBLE_SIDED) != 0u;
    let mapped = shape.normals_at != NONE && shape.tangents_at != NONE;
    let shown = texels_at(
        shape, material, index, w,
        SHOW_BASE_COLOR | SHOW_METALLIC_ROUGHNESS | SHOW_LAYERS
            | select(0u, SHOW_NORMAL | SHOW_COAT_NORMAL, mapped)
            | select(0u, SHOW_EMISSIVE, emits && (material.flags & MATERIAL_EMISSIVE) != 0u),
    );

    // Shading normals: the base's, and the coat's, which the base's normal map does not bend.
    surface.normal = geometric;
    surface.coat_normal = geometric;
    if shape.normals_at != NONE {
        let smoothed = blend_vec(
            attribute_vec(shape.normals_at + index.x * 3u),
            attribute_vec(shape.normals_at + index.y * 3u),
            attribute_vec(shape.normals_at + index.z * 3u),
            w,
        );
        let plain = transform_transposed(world_to_object, smoothed);
        let unit = normalize_or(plain, outward);
        let spot = Spot(object_to_world, shape.tangents_at, index, w, smoothed, unit);
        var world = plain;
        if mapped && (material.textures & SHOW_NORMAL) != 0u {
            world = mapped_normal(spot, shown.normal, material.normal_scale);
        }
        surface.normal = facing(normalize_or(world, geometric), geometric, viewer);
        if material.layers != NONE {
            world = plain;
            if mapped && (material.textures & SHOW_COAT_NORMAL) != 0u {
                let scale = layers_of(material.layers).coat_normal_scale;
                world = mapped_normal(spot, shown.coat_normal, scale);
            }
            surface.coat_normal = facing(normalize_or(world, geometric), geometric, viewer);
        }
    }

    // Material.
    let color = base_color_at(shape, material, index, w, shown);
    surface.base_color = vec3<f32>(fsaturate(color.x), fsaturate(color.y), fsaturate(color.z));
    surface.metallic = fsaturate(material.metallic * shown.metallic_roughness.z);
    surface.roughness = fclamp(material.roughness * shown.metallic_roughness.y, 0.0, 1.0);
    if emits { surface.emission = emission_at(material, shown); }
    if (material.flags & MATERIAL_UNLIT) != 0u {
        surface.is_unlit = true;
        surface.emission = surface.base_color;
    }
    if material.layers != NONE { add_layers(&surface, material.layers, shown, front); }
    return surface;
}

// Puts the layers of a material on a surface.
fn add_layers(surface: ptr<function, Surface>, index: u32, shown: Texels, front: bool) {
    let layers = layers_of(index);

    // The dielectric's reflectance.
    let ratio = div(layers.ior - 1.0, layers.ior + 1.0);
    let normal = ratio * ratio;
    let rim = fsaturate(layers.specular * shown.specular.w);
    let color = layers.specular_color;
    let tint = shown.specular_color;
    (*surface).reflectance_rim = rim;
    (*surface).reflectance = vec3<f32>(
        fmin(normal * color.x * tint.x, 1.0) * rim,
        fmin(normal * color.y * tint.y, 1.0) * rim,
        fmin(normal * color.z * tint.z, 1.0) * rim,
    );

    // What passes.
    (*surface).transmission = fsaturate(layers.transmission * shown.transmission.x);
    (*surface).is_thin = (layers.flags & LAYERS_BODY) == 0u;
    if !(*surface).is_thin {
        if front { (*surface).eta = layers.ior; } else { (*surface).eta = rcp(layers.ior); }
    }
    if !front { (*surface).absorption = layers.absorption; }

    // Coat.
    (*surface).coat = fsaturate(layers.coat * shown.coat.x);
    (*surface).coat_roughness = fsaturate(layers.coat_roughness * shown.coat_roughness.y);

    // Sheen.
    (*surface).sheen = layers.sheen_color * shown.sheen_color.xyz;
    (*surface).sheen_roughness = fmax(
        fsaturate(layers.sheen_roughness * shown.sheen_roughness.w), SHEEN_ROUGHNESS_MIN,
    );
}
