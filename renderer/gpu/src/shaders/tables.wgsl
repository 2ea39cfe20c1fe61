// The packed tables of a prepared scene, as renderer/src/tables.rs lays them out.
#define_import_path tessera::tables

#import tessera::math::Affine

const NONE: u32 = 0xffffffffu;

const CAMERA_PERSPECTIVE: u32 = 0u;
const CAMERA_ORTHOGRAPHIC: u32 = 1u;
const CAMERA_PANORAMA: u32 = 2u;
const ENVIRONMENT_NONE: u32 = 0u;
const ENVIRONMENT_CONSTANT: u32 = 1u;
const ENVIRONMENT_MAP: u32 = 2u;
const INSTANCE_IDENTITY: u32 = 1u;
const INSTANCE_MOVES: u32 = 2u;
const TRIANGLE_ALPHA: u32 = 1u;
const TRIANGLE_CULL: u32 = 2u;
const TRIANGLE_MOVES: u32 = 4u;
const ALPHA_OPAQUE: u32 = 0u;
const ALPHA_MASK: u32 = 1u;
const ALPHA_BLEND: u32 = 2u;
const MATERIAL_DOUBLE_SIDED: u32 = 1u;
const MATERIAL_EMISSIVE: u32 = 2u;
const MATERIAL_UNLIT: u32 = 4u;
const LAYERS_BODY: u32 = 1u;
const WRAP_REPEAT: u32 = 0u;
const WRAP_MIRROR: u32 = 1u;
const WRAP_CLAMP: u32 = 2u;
const FILTER_NEAREST: u32 = 0u;
const FILTER_LINEAR: u32 = 1u;
const EMITTER_TRIANGLE: u32 = 0u;
const EMITTER_POINT: u32 = 1u;
const EMITTER_SPOT: u32 = 2u;
const EMITTER_DIRECTIONAL: u32 = 3u;
const EMITTER_ENVIRONMENT: u32 = 4u;
const EMITTER_MOVING: u32 = 5u;
const LIGHT_LEAF: u32 = 0x80000000u;
const LIGHT_TWO_SIDED: u32 = 0x40000000u;
const LIGHT_INDEX: u32 = 0x3fffffffu;
const LIGHT_DEPTH_MAX: u32 = 64u;
const FILTER_ENTRIES: u32 = 257u;
const ALBEDO_SIDE: u32 = 32u;
const ALBEDO_MEANS_AT: u32 = ALBEDO_SIDE * ALBEDO_SIDE * 3u;
const ALBEDO_SHEEN_AT: u32 = ALBEDO_MEANS_AT + ALBEDO_SIDE * 4u;
const ALBEDO_GLASS_AT: u32 = ALBEDO_SHEEN_AT + ALBEDO_SIDE * ALBEDO_SIDE;
const GLASS_SIDE: u32 = 16u;
const GLASS_INDICES: u32 = 9u;

// Strides in words.
const INSTANCE_WORDS: u32 = 32u;
const SHAPE_WORDS: u32 = 12u;
const MATERIAL_WORDS: u32 = 48u;
const LAYERS_WORDS: u32 = 136u;
const TEXTURE_USE_WORDS: u32 = 8u;
const TEXTURE_WORDS: u32 = 8u;
const EMITTER_WORDS: u32 = 16u;
const PICK_WORDS: u32 = 2u;
const LIGHT_NODE_WORDS: u32 = 16u;

struct Header {
    width: u32,
    height: u32,
    samples: u32,
    bounces: u32,
    frame_key: u32,
    overscan: u32,
    camera_kind: u32,
    environment_kind: u32,
    camera_origin: vec3<f32>,
    camera_half_width: f32,
    camera_right: vec3<f32>,
    camera_half_height: f32,
    camera_up: vec3<f32>,
    emitter_count: u32,
    camera_forward: vec3<f32>,
    environment_emitter: u32,
    sky: vec3<f32>,
    root_node: u32,
    environment_cos: f32,
    environment_sin: f32,
    environment_width: u32,
    environment_height: u32,
    environment_texels_at: u32,
    environment_cells_at: u32,
    environment_rows_at: u32,
    environment_cell_columns: u32,
    environment_cell_rows: u32,
    instance_count: u32,
    instances_at: u32,
    shapes_at: u32,
    materials_at: u32,
    textures_at: u32,
    emitters_at: u32,
    picks_at: u32,
    emitter_of_at: u32,
    filter_at: u32,
    albedo_at: u32,
    srgb_at: u32,
    layers_at: u32,
    roulette_after: u32,
    lens_radius: f32,
    lens_focus: f32,
    lens_blades: u32,
    lens_turn: f32,
    light_nodes_at: u32,
    infinite_count: u32,
    infinite_irradiance: f32,
    motion_keys: u32,
    camera_keys_at: u32,
    reserved: u32,
}

@group(1) @binding(0) var<uniform> header: Header;
@group(1) @binding(1) var<storage, read> words: array<u32>;
@group(1) @binding(2) var<storage, read> nodes: array<vec4<u32>>;
@group(1) @binding(3) var<storage, read> triangles: array<vec4<u32>>;
@group(1) @binding(4) var<storage, read> indices: array<u32>;
@group(1) @binding(5) var<storage, read> attributes: array<f32>;
@group(1) @binding(6) var<storage, read> texels: array<u32>;
@group(1) @binding(7) var<storage, read> environment: array<u32>;

fn word(at: u32) -> u32 {
    return words[at];
}

fn word_f(at: u32) -> f32 {
    return bitcast<f32>(words[at]);
}

fn word_vec(at: u32) -> vec3<f32> {
    return vec3<f32>(word_f(at), word_f(at + 1u), word_f(at + 2u));
}

fn word_row(at: u32) -> vec4<f32> {
    return vec4<f32>(word_f(at), word_f(at + 1u), word_f(at + 2u), word_f(at + 3u));
}

fn word_affine(at: u32) -> Affine {
    return Affine(word_row(at), word_row(at + 4u), word_row(at + 8u));
}

fn attribute_pair(at: u32) -> vec2<f32> {
    return vec2<f32>(attributes[at], attributes[at + 1u]);
}

fn attribute_vec(at: u32) -> vec3<f32> {
    return vec3<f32>(attributes[at], attributes[at + 1u], attributes[at + 2u]);
}

fn attribute_row(at: u32) -> vec4<f32> {
    return vec4<f32>(
        attributes[at], attributes[at + 1u], attributes[at + 2u], attributes[at + 3u],
    );
}

fn environment_f(at: u32) -> f32 {
    return bitcast<f32>(environment[at]);
}

fn environment_vec(at: u32) -> vec3<f32> {
    return vec3<f32>(environment_f(at), environment_f(at + 1u), environment_f(at + 2u));
}

// Where an instance's words begin.
fn instance_at(index: u32) -> u32 {
    return header.instances_at + index * INSTANCE_WORDS;
}

fn instance_world_to_object(at: u32) -> Affine { return word_affine(at); }
fn instance_object_to_world(at: u32) -> Affine { return word_affine(at + 12u); }
fn instance_root_node(at: u32) -> u32 { return words[at + 24u]; }
fn instance_id(at: u32) -> u32 { return words[at + 25u]; }
fn instance_emitters_of_at(at: u32) -> u32 { return words[at + 26u]; }
fn instance_flags(at: u32) -> u32 { return words[at + 27u]; }
fn instance_motion_at(at: u32) -> u32 { return words[at + 28u]; }
fn instance_stretch(at: u32) -> f32 { return bitcast<f32>(words[at + 29u]); }
fn instance_shift(at: u32) -> f32 { return bitcast<f32>(words[at + 30u]); }

// A triangle as rays meet it, in object space.
struct Triangle {
    a: vec3<f32>,
    b: vec3<f32>,
    c: vec3<f32>,
    primitive: u32,
    shape: u32,
    flags: u32,
}

fn triangle_of(index: u32) -> Triangle {
    let p = triangles[index * 3u];
    let q = triangles[index * 3u + 1u];
    let r = triangles[index * 3u + 2u];
    return Triangle(
        bitcast<vec3<f32>>(p.xyz),
        bitcast<vec3<f32>>(vec3<u32>(p.w, q.xy)),
        bitcast<vec3<f32>>(vec3<u32>(q.zw, r.x)),
        r.y,
        r.z,
        r.w,
    );
}

// Triangles of one material with one set of vertex lists.
struct Shape {
    material: u32,
    first_primitive: u32,
    indices_at: u32,
    normals_at: u32,
    tangents_at: u32,
    uvs_at: vec2<u32>,
    colors_at: u32,
    // Where its positions begin for each key, or NONE where it does not move.
    positions_at: u32,
    vertex_count: u32,
}

fn shape_of(index: u32) -> Shape {
    let at = header.shapes_at + index * SHAPE_WORDS;
    return Shape(
        words[at], words[at + 1u], words[at + 2u], words[at + 3u], words[at + 4u],
        vec2<u32>(words[at + 5u], words[at + 6u]), words[at + 7u], words[at + 8u], words[at + 9u],
    );
}

// Vertex indices of a primitive.
fn vertices(shape: Shape, primitive: u32) -> vec3<u32> {
    let at = shape.indices_at + (primitive - shape.first_primitive) * 3u;
    return vec3<u32>(indices[at], indices[at + 1u], indices[at + 2u]);
}

// A material's factors; its textures are read one by one, where they are needed.
struct Material {
    base_color: vec4<f32>,
    emissive: vec3<f32>,
    metallic: f32,
    roughness: f32,
    normal_scale: f32,
    alpha_mode: u32,
    alpha_cutoff: f32,
    flags: u32,
    // Index of its layers, or NONE.
    layers: u32,
    // Where its texture uses begin, and where those of its layers do.
    textures_at: u32,
    layer_textures_at: u32,
    // A bit for each use that has a texture.
    textures: u32,
}

fn material_of(index: u32) -> Material {
    let at = header.materials_at + index * MATERIAL_WORDS;
    let layers = words[at + 13u];
    let layer_textures_at = header.layers_at + layers * LAYERS_WORDS + 32u;
    return Material(
        word_row(at), word_vec(at + 4u), word_f(at + 7u), word_f(at + 8u), word_f(at + 9u),
        words[at + 10u], word_f(at + 11u), words[at + 12u], layers, at + 16u, layer_textures_at,
        words[at + 14u],
    );
}

// What extensions add to a material; their textures are read one by one.
struct Layers {
    specular_color: vec3<f32>,
    specular: f32,
    sheen_color: vec3<f32>,
    sheen_roughness: f32,
    absorption: vec3<f32>,
    transmission: f32,
    coat: f32,
    coat_roughness: f32,
    ior: f32,
    flags: u32,
    coat_normal_scale: f32,
    anisotropy: f32,
    // Cosine and sine of its turn from the tangent.
    anisotropy_turn: vec2<f32>,
    translucent_color: vec3<f32>,
    translucency: f32,
    spread: f32,
    iridescence: f32,
    iridescence_ior: f32,
    iridescence_thin: f32,
    iridescence_thick: f32,
}

fn layers_of(index: u32) -> Layers {
    let at = header.layers_at + index * LAYERS_WORDS;
    return Layers(
        word_vec(at), word_f(at + 3u), word_vec(at + 4u), word_f(at + 7u),
        word_vec(at + 8u), word_f(at + 11u), word_f(at + 12u), word_f(at + 13u),
        word_f(at + 14u), words[at + 15u], word_f(at + 16u), word_f(at + 17u),
        vec2<f32>(word_f(at + 18u), word_f(at + 19u)), word_vec(at + 20u), word_f(at + 23u),
        word_f(at + 24u), word_f(at + 25u), word_f(at + 26u), word_f(at + 27u), word_f(at + 28u),
    );
}

// Use of a texture by a material.
struct TextureUse {
    texture: u32,
    uv_set: u32,
    row_u: vec3<f32>,
    row_v: vec3<f32>,
}

const BASE_COLOR_TEXTURE: u32 = 0u;
const METALLIC_ROUGHNESS_TEXTURE: u32 = 1u;
const NORMAL_TEXTURE: u32 = 2u;
const EMISSIVE_TEXTURE: u32 = 3u;
const SPECULAR_TEXTURE: u32 = 4u;
const SPECULAR_COLOR_TEXTURE: u32 = 5u;
const SHEEN_COLOR_TEXTURE: u32 = 6u;
const SHEEN_ROUGHNESS_TEXTURE: u32 = 7u;
const TRANSMISSION_TEXTURE: u32 = 8u;
const COAT_TEXTURE: u32 = 9u;
const COAT_ROUGHNESS_TEXTURE: u32 = 10u;
const COAT_NORMAL_TEXTURE: u32 = 11u;
const ANISOTROPY_TEXTURE: u32 = 12u;
const TRANSLUCENCY_TEXTURE: u32 = 13u;
const TRANSLUCENT_COLOR_TEXTURE: u32 = 14u;
const IRIDESCENCE_TEXTURE: u32 = 15u;
const IRIDESCENCE_THICKNESS_TEXTURE: u32 = 16u;

fn texture_use_of(material: Material, which: u32) -> TextureUse {
    var at = material.textures_at + which * TEXTURE_USE_WORDS;
    if which >= SPECULAR_TEXTURE {
        at = material.layer_textures_at + (which - SPECULAR_TEXTURE) * TEXTURE_USE_WORDS;
    }
    return TextureUse(words[at], words[at + 1u], word_vec(at + 2u), word_vec(at + 5u));
}

struct Texture {
    texels_at: u32,
    width: u32,
    height: u32,
    wrap_u: u32,
    wrap_v: u32,
    filtering: u32,
}

fn texture_of(index: u32) -> Texture {
    let at = header.textures_at + index * TEXTURE_WORDS;
    return Texture(
        words[at], words[at + 1u], words[at + 2u], words[at + 3u], words[at + 4u], words[at + 5u],
    );
}

struct Emitter {
    kind: u32,
    leaf: u32,
    triangle: u32,
    measure: f32,
    position: vec3<f32>,
    extent: f32,
    edge_b: vec3<f32>,
    cone_scale: f32,
    edge_c: vec3<f32>,
    cone_offset: f32,
}

fn emitter_of(index: u32) -> Emitter {
    let at = header.emitters_at + index * EMITTER_WORDS;
    return Emitter(
        words[at], words[at + 1u], words[at + 2u], word_f(at + 3u),
        word_vec(at + 4u), word_f(at + 7u),
        word_vec(at + 8u), word_f(at + 11u),
        word_vec(at + 12u), word_f(at + 15u),
    );
}

// The instance of a triangle that moves.
fn emitter_measure_bits(index: u32) -> u32 {
    return words[header.emitters_at + index * EMITTER_WORDS + 3u];
}

fn emitter_measure(index: u32) -> f32 {
    return word_f(header.emitters_at + index * EMITTER_WORDS + 3u);
}

// A node of the tree over emitters that are somewhere: what bounds their light.
struct LightNode {
    center: vec3<f32>,
    radius: f32,
    half_sides: vec3<f32>,
    intensity: f32,
    axis: vec3<f32>,
    cone_cos: f32,
    end_cos: f32,
    child: u32,
    parent: u32,
}

fn light_node_of(index: u32) -> LightNode {
    let at = header.light_nodes_at + index * LIGHT_NODE_WORDS;
    return LightNode(
        word_vec(at), word_f(at + 3u),
        word_vec(at + 4u), word_f(at + 7u),
        word_vec(at + 8u), word_f(at + 11u),
        word_f(at + 12u), words[at + 13u], words[at + 14u],
    );
}
