// What a hit looks like: place, normals, material, emission; mirrored from
// renderer/src/surface.rs.
#define_import_path tessera::surface

#import tessera::lobe::fresnel_rise
#import tessera::math::{
    Affine, Frame, fabs, fclamp, fcross, fdot, fmax, fmin, frame_of, fsaturate, lerp, max_component,
    normalize_or, rcp, transform_direction, transform_point, transform_transposed,
}
#import tessera::moving::{placed_at, triangle_at, vertex_normal, vertex_tangent}
#import tessera::ray::Hit
#import tessera::rounding::div
#import tessera::tables::{
    ANISOTROPY_TEXTURE, BASE_COLOR_TEXTURE, COAT_NORMAL_TEXTURE, COAT_ROUGHNESS_TEXTURE, COAT_TEXTURE,
    EMISSIVE_TEXTURE, IRIDESCENCE_TEXTURE, IRIDESCENCE_THICKNESS_TEXTURE, LAYERS_BODY, MATERIAL_DOUBLE_SIDED, MATERIAL_EMISSIVE, MATERIAL_UNLIT,
    METALLIC_ROUGHNESS_TEXTURE, Material, NONE, NORMAL_TEXTURE, SHEEN_COLOR_TEXTURE,
    SHEEN_ROUGHNESS_TEXTURE, SPECULAR_COLOR_TEXTURE, SPECULAR_TEXTURE, Shape, TRANSLUCENCY_TEXTURE,
    TRANSLUCENT_COLOR_TEXTURE, TRANSMISSION_TEXTURE,
    attribute_pair, attribute_row, instance_at, instance_shift, instance_stretch, layers_of,
    material_of, shape_of, texture_use_of, vertices,
}
#import tessera::texture::sample

// Height of the viewer's mirror direction over the surface that shading normals are bent for.
const MIRROR_HEIGHT_MIN: f32 = 0.01;

// A point of a surface, seen from one side.
struct Surface {
    position: vec3<f32>,
    reach: f32,
    geometric: vec3<f32>,
    normal: vec3<f32>,
    base_color: vec3<f32>,
    metallic: f32,
    roughness: f32,
    emission: vec3<f32>,
    is_unlit: bool,
    reflectance: vec3<f32>,
    reflectance_rim: f32,
    index: f32,
    rise: f32,
    transmission: f32,
    eta: f32,
    is_thin: bool,
    spread: f32,
    absorption: vec3<f32>,
    coat: f32,
    coat_roughness: f32,
    coat_normal: vec3<f32>,
    sheen: vec3<f32>,
    sheen_roughness: f32,
    translucency: f32,
    translucent: vec3<f32>,
    iridescence: f32,
    iridescence_ior: f32,
    iridescence_thickness: f32,
    anisotropy: f32,
    tangent: vec3<f32>,
}

// Two unit vectors that complete the normal to the shading frame: Surface::frame in Rust.
fn shading_frame(surface: Surface) -> Frame {
    let round = frame_of(surface.normal);
    if surface.anisotropy > 0.0 {
        let flat_tangent =
            surface.tangent - surface.normal * fdot(surface.tangent, surface.normal);
        let x = normalize_or(flat_tangent, round.s);
        return Frame(x, fcross(surface.normal, x));
    }
    return round;
}

// The index of refraction beyond over the one before for a colour: 0 red, 1 green, 2 blue.
fn eta_of(surface: Surface, channel: u32) -> f32 {
    let offset = (f32(channel) - 1.0) * surface.spread;
    if surface.eta >= 1.0 { return surface.eta + offset; }
    return rcp(rcp(surface.eta) + offset);
}

// Reflectance of a dielectric along its normal, its index of refraction; smallest roughness of sheen: renderer/src/bsdf.
const DIELECTRIC_REFLECTANCE: f32 = 0.04;
const DIELECTRIC_INDEX: f32 = 1.5;
const SHEEN_ROUGHNESS_MIN: f32 = 0.1;

// Surface::PLAIN in Rust.
fn plain_surface() -> Surface {
    let up = vec3<f32>(0.0, 0.0, 1.0);
    let black = vec3<f32>(0.0);
    return Surface(
        black, 1.0, up, up, vec3<f32>(1.0), 0.0, 1.0, black, false,
        vec3<f32>(DIELECTRIC_REFLECTANCE), 1.0, DIELECTRIC_INDEX, 1.0, 0.0, 1.0, true, 0.0, black, 0.0, 0.0, up, black,
        1.0, 0.0, black, 0.0, 1.0, 0.0, 0.0, black,
    );
}

// The weights of a triangle's three vertices, from those of the second and third.
fn three_weights(weights: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(1.0 - weights.x - weights.y, weights.x, weights.y);
}

fn blend_pair(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, w: vec3<f32>) -> vec2<f32> {
    return a * w.x + b * w.y + c * w.z;
}

fn far_of(p: vec3<f32>) -> f32 {
    return max_component(vec3<f32>(fabs(p.x), fabs(p.y), fabs(p.z)));
}

// The largest coordinate of a triangle's corners.
fn reach_of(a: vec3<f32>, b: vec3<f32>, c: vec3<f32>) -> f32 {
    return fmax(fmax(far_of(a), far_of(b)), far_of(c));
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
    anisotropy: vec4<f32>,
    translucency: vec4<f32>,
    translucent_color: vec4<f32>,
    iridescence: vec4<f32>,
    iridescence_thickness: vec4<f32>,
}

// Bit of a texture for `texels_at`.
const SHOW_BASE_COLOR: u32 = 1u;
const SHOW_METALLIC_ROUGHNESS: u32 = 2u;
const SHOW_NORMAL: u32 = 4u;
const SHOW_EMISSIVE: u32 = 8u;
const SHOW_LAYERS: u32 = 0x1e7f0u;
const SHOW_COAT_NORMAL: u32 = 0x800u;
const SHOW_ANISOTROPY: u32 = 0x1000u;

// Samples those of a material's textures that are wanted, one after the other: Rust samples each
// where it needs it. One place in the code for all of them keeps the kernel small.
fn texels_at(
    shape: Shape, material: Material, index: vec3<u32>, w: vec3<f32>, wanted: u32,
) -> Texels {
    let none = vec4<f32>(1.0);
    var found = Texels(
        none, none, none, none, none, none, none, none, none, none, none, none, none, none, none,
        none, none,
    );
    var left = wanted & material.textures;
    while left != 0u {
        let which = firstTrailingBit(left);
        left &= left - 1u;
        let usage = texture_use_of(material, which);
        let srgb = which == BASE_COLOR_TEXTURE || which == EMISSIVE_TEXTURE
            || which == SPECULAR_COLOR_TEXTURE || which == SHEEN_COLOR_TEXTURE
            || which == TRANSLUCENT_COLOR_TEXTURE;
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
            case COAT_NORMAL_TEXTURE: { found.coat_normal = color; }
            case ANISOTROPY_TEXTURE: { found.anisotropy = color; }
            case TRANSLUCENCY_TEXTURE: { found.translucency = color; }
            case TRANSLUCENT_COLOR_TEXTURE: { found.translucent_color = color; }
            case IRIDESCENCE_TEXTURE: { found.iridescence = color; }
            default: { found.iridescence_thickness = color; }
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
    shape: Shape,
    time: f32,
    index: vec3<u32>,
    w: vec3<f32>,
    // In object space, and the same as a unit vector in world space.
    smoothed: vec3<f32>,
    unit: vec3<f32>,
}

// Unit tangent and bitangent in world space.
fn axes_of(spot: Spot) -> Frame {
    let a = vertex_tangent(spot.shape, spot.index.x, spot.time);
    let b = vertex_tangent(spot.shape, spot.index.y, spot.time);
    let c = vertex_tangent(spot.shape, spot.index.z, spot.time);
    let along = blend_vec(a.xyz, b.xyz, c.xyz, spot.w);
    let across = fcross(spot.smoothed, along) * a.w;
    let black = vec3<f32>(0.0);
    let tangent = normalize_or(transform_direction(spot.object_to_world, along), black);
    let bitangent = normalize_or(transform_direction(spot.object_to_world, across), black);
    return Frame(tangent, bitangent);
}

// A normal map's normal in world space, not yet of unit length.
fn mapped_normal(spot: Spot, axes: Frame, texel: vec4<f32>, scale: f32) -> vec3<f32> {
    let x = (texel.x * 2.0 - 1.0) * scale;
    let y = (texel.y * 2.0 - 1.0) * scale;
    let z = texel.z * 2.0 - 1.0;
    return axes.s * x + axes.t * y + spot.unit * z;
}

// The surface at a ray's hit at its time, seen against `direction`.
fn surface_at(hit: Hit, direction: vec3<f32>, time: f32) -> Surface {
    let instance = instance_at(hit.instance);
    let placed = placed_at(instance, time);
    let object_to_world = placed.object_to_world;
    let world_to_object = placed.world_to_object;
    let triangle = triangle_at(hit.triangle, time);
    let shape = shape_of(triangle.shape);
    let material = material_of(shape.material);
    let index = vertices(shape, triangle.primitive);
    let w = three_weights(vec2<f32>(hit.u, hit.v));
    let a = triangle.a;
    let b = triangle.b;
    let c = triangle.c;
    var surface = plain_surface();
    surface.position = transform_point(object_to_world, blend_vec(a, b, c, w));
    surface.reach = reach_of(a, b, c) * instance_stretch(instance) + instance_shift(instance);

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
            | select(0u, SHOW_NORMAL | SHOW_COAT_NORMAL | SHOW_ANISOTROPY, mapped)
            | select(0u, SHOW_EMISSIVE, emits && (material.flags & MATERIAL_EMISSIVE) != 0u),
    );

    // Shading normals: the base's, and the coat's, which the base's normal map does not bend.
    surface.normal = geometric;
    surface.coat_normal = geometric;
    var axes = Frame(vec3<f32>(0.0), vec3<f32>(0.0));
    if shape.normals_at != NONE {
        let smoothed = blend_vec(
            vertex_normal(shape, index.x, time),
            vertex_normal(shape, index.y, time),
            vertex_normal(shape, index.z, time),
            w,
        );
        let plain = transform_transposed(world_to_object, smoothed);
        let unit = normalize_or(plain, outward);
        let spot = Spot(object_to_world, shape, time, index, w, smoothed, unit);
        if mapped { axes = axes_of(spot); }
        var world = plain;
        if mapped && (material.textures & SHOW_NORMAL) != 0u {
            world = mapped_normal(spot, axes, shown.normal, material.normal_scale);
        }
        surface.normal = facing(normalize_or(world, geometric), geometric, viewer);
        if material.layers != NONE {
            world = plain;
            if mapped && (material.textures & SHOW_COAT_NORMAL) != 0u {
                let scale = layers_of(material.layers).coat_normal_scale;
                world = mapped_normal(spot, axes, shown.coat_normal, scale);
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
    if material.layers != NONE {
        add_layers(&surface, material.layers, shown, front);
        let has_texture = (material.textures & SHOW_ANISOTROPY) != 0u;
        add_anisotropy(&surface, material.layers, shown.anisotropy, has_texture, axes);
    }
    return surface;
}

// Round where the mesh has no tangents.
fn add_anisotropy(
    surface: ptr<function, Surface>, index: u32, texel: vec4<f32>, has_texture: bool, axes: Frame,
) {
    let layers = layers_of(index);
    if fdot(axes.s, axes.s) > 0.0 && layers.anisotropy > 0.0 {
        var x = 1.0;
        var y = 0.0;
        var strength = 1.0;
        if has_texture {
            x = texel.x * 2.0 - 1.0;
            y = texel.y * 2.0 - 1.0;
            strength = texel.z;
        }
        let turn = layers.anisotropy_turn;
        let along = x * turn.x - y * turn.y;
        let across = x * turn.y + y * turn.x;
        (*surface).anisotropy = fsaturate(layers.anisotropy * strength);
        (*surface).tangent = axes.s * along + axes.t * across;
    }
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

    // An index of 0 means reflection everywhere: Fresnel has no say there.
    (*surface).index = select(DIELECTRIC_INDEX, layers.ior, layers.ior >= 1.0);
    (*surface).rise = fresnel_rise((*surface).index);

    // What passes.
    (*surface).transmission = fsaturate(layers.transmission * shown.transmission.x);
    (*surface).is_thin = (layers.flags & LAYERS_BODY) == 0u;
    (*surface).spread = layers.spread;
    if !(*surface).is_thin {
        if front { (*surface).eta = layers.ior; } else { (*surface).eta = rcp(layers.ior); }
    }
    if !front { (*surface).absorption = layers.absorption; }

    // What is scattered to the other side.
    (*surface).translucency = fsaturate(layers.translucency * shown.translucency.w);
    (*surface).translucent = layers.translucent_color * shown.translucent_color.xyz;

    // Thin film.
    (*surface).iridescence = fsaturate(layers.iridescence * shown.iridescence.x);
    (*surface).iridescence_ior = layers.iridescence_ior;
    (*surface).iridescence_thickness = lerp(layers.iridescence_thin, layers.iridescence_thick, shown.iridescence_thickness.y);

    // Coat.
    (*surface).coat = fsaturate(layers.coat * shown.coat.x);
    (*surface).coat_roughness = fsaturate(layers.coat_roughness * shown.coat_roughness.y);

    // Sheen.
    (*surface).sheen = layers.sheen_color * shown.sheen_color.xyz;
    (*surface).sheen_roughness = fmax(
        fsaturate(layers.sheen_roughness * shown.sheen_roughness.w), SHEEN_ROUGHNESS_MIN,
    );
}
