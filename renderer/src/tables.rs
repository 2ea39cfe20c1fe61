//! The packed tables of a prepared scene: plain structs of 4-byte words.
//!
//! The CPU backend reads them as they stand; the GPU backend uploads the same bytes to storage
//! buffers. Every struct is a multiple of 16 bytes and holds only `u32`, `f32` and arrays of them,
//! so that a shader may read it as an array of words. Indices are into whole tables, never
//! relative, unless a field says so. Matrices are three rows of four: `[x·m0 + y·m1 + z·m2 + m3]`.

use bytemuck::{Pod, Zeroable};

/// An index that points nowhere.
pub const NONE: u32 = u32::MAX;

/// [`Header::camera_kind`]: lines of sight meet in a point.
pub const CAMERA_PERSPECTIVE: u32 = 0;
/// [`Header::camera_kind`]: lines of sight are parallel.
pub const CAMERA_ORTHOGRAPHIC: u32 = 1;
/// All directions, equirectangular.
pub const CAMERA_PANORAMA: u32 = 2;

/// [`Header::environment_kind`]: black.
pub const ENVIRONMENT_NONE: u32 = 0;
/// [`Header::environment_kind`]: [`Header::sky`] everywhere; never picked as an emitter.
pub const ENVIRONMENT_CONSTANT: u32 = 1;
/// [`Header::environment_kind`]: an equirectangular map.
pub const ENVIRONMENT_MAP: u32 = 2;

/// [`Instance::flags`]: both matrices are the identity; rays are not transformed at all.
pub const INSTANCE_IDENTITY: u32 = 1;
/// [`Instance::flags`]: it is placed anew at every time, see [`Instance::motion_at`].
pub const INSTANCE_MOVES: u32 = 2;

/// [`Triangle::flags`]: alpha decides whether the triangle is there.
pub const TRIANGLE_ALPHA: u32 = 1;
/// [`Triangle::flags`]: camera rays do not see its back.
pub const TRIANGLE_CULL: u32 = 2;
/// [`Triangle::flags`]: its corners move, see [`Shape::positions_at`].
pub const TRIANGLE_MOVES: u32 = 4;

/// [`Material::alpha_mode`]: alpha is ignored.
pub const ALPHA_OPAQUE: u32 = 0;
/// [`Material::alpha_mode`]: there where alpha is at least the cutoff.
pub const ALPHA_MASK: u32 = 1;
/// [`Material::alpha_mode`]: there with probability alpha.
pub const ALPHA_BLEND: u32 = 2;

/// [`Material::flags`]: the back face emits too, and camera rays see it.
pub const MATERIAL_DOUBLE_SIDED: u32 = 1;
/// [`Material::flags`]: the emissive factor is above zero.
pub const MATERIAL_EMISSIVE: u32 = 2;
/// [`Material::flags`]: shows its base colour and scatters nothing.
pub const MATERIAL_UNLIT: u32 = 4;
/// [`Material::flags`]: scatters evenly and does nothing else, so that a backend may take the short
/// way to the same bits.
pub const MATERIAL_MATTE: u32 = 8;

/// [`Layers::flags`]: the surface bounds a body, which refracts and absorbs.
pub const LAYERS_BODY: u32 = 1;

/// [`Texture::wrap_u`], [`Texture::wrap_v`]: again and again.
pub const WRAP_REPEAT: u32 = 0;
/// Again, mirrored every other time.
pub const WRAP_MIRROR: u32 = 1;
/// The border's texel.
pub const WRAP_CLAMP: u32 = 2;
/// [`Texture::filter`]: the nearest texel.
pub const FILTER_NEAREST: u32 = 0;
/// Between four texels.
pub const FILTER_LINEAR: u32 = 1;

/// [`Emitter::kind`]: a triangle of an emissive material.
pub const EMITTER_TRIANGLE: u32 = 0;
/// A point that shines in all directions.
pub const EMITTER_POINT: u32 = 1;
/// A point that shines in a cone.
pub const EMITTER_SPOT: u32 = 2;
/// A direction from infinitely far away.
pub const EMITTER_DIRECTIONAL: u32 = 3;
/// The environment map.
pub const EMITTER_ENVIRONMENT: u32 = 4;
/// A triangle of an emissive material that moves.
pub const EMITTER_MOVING: u32 = 5;

/// [`LightNode::child`]: a leaf.
pub const LIGHT_LEAF: u32 = 1 << 31;
/// [`LightNode::child`]: emitters shine against their directions as well.
pub const LIGHT_TWO_SIDED: u32 = 1 << 30;
/// [`LightNode::child`]: what is left of it without the flags.
pub const LIGHT_INDEX: u32 = LIGHT_TWO_SIDED - 1;
/// Steps from the root of the light tree to a leaf, at most.
pub const LIGHT_DEPTH_MAX: u32 = 64;

/// Entries of the pixel filter's table, both ends included.
pub const FILTER_ENTRIES: usize = 257;
/// Steps of cosine and of roughness in the albedo table.
pub const ALBEDO_SIDE: usize = 32;
/// Where the means of the albedo table begin: four per roughness.
pub const ALBEDO_MEANS_AT: usize = ALBEDO_SIDE * ALBEDO_SIDE * 3;
/// Where the albedo of sheen begins: one per cell.
pub const ALBEDO_SHEEN_AT: usize = ALBEDO_MEANS_AT + ALBEDO_SIDE * 4;
/// Where the albedo of glass begins: one per side, index of refraction, roughness and cosine.
pub const ALBEDO_GLASS_AT: usize = ALBEDO_SHEEN_AT + ALBEDO_SIDE * ALBEDO_SIDE;
/// Steps of cosine and of roughness in the table of glass.
pub const GLASS_SIDE: usize = 16;
/// Steps of the index of refraction in the table of glass, from 1 to 3.
pub const GLASS_INDICES: usize = 9;
/// Floats of the albedo table, see [`crate::bsdf::albedo::albedo_table`].
pub const ALBEDO_FLOATS: usize = ALBEDO_GLASS_AT + 2 * GLASS_INDICES * GLASS_SIDE * GLASS_SIDE;

/// Values that all pixels share, and where each table of the words buffer begins.
///
/// The words buffer is the small tables one after the other, see
/// [`crate::RenderScene::words`]; the offsets count words.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// Frame width, pixels.
    pub width: u32,
    /// Frame height, pixels.
    pub height: u32,
    /// Samples per pixel.
    pub samples: u32,
    /// Scattering events after the camera ray.
    pub bounces: u32,

    /// What the frame's random numbers hang on, see [`crate::sampler::frame_key`].
    pub frame_key: u32,
    /// Pixels that are rendered beyond each edge of the frame: the canvas, in whose pixels work is
    /// told, begins so far to the left of it and above it.
    pub overscan: u32,
    /// One of the `CAMERA_` constants.
    pub camera_kind: u32,
    /// One of the `ENVIRONMENT_` constants.
    pub environment_kind: u32,

    /// Position, metres.
    pub camera_origin: [f32; 3],
    /// Half the picture's width: tangent (perspective) or metres (orthographic).
    pub camera_half_width: f32,
    /// Unit vector to the right of the picture.
    pub camera_right: [f32; 3],
    /// Half the picture's height: tangent (perspective) or metres (orthographic).
    pub camera_half_height: f32,
    /// Unit vector to the top of the picture.
    pub camera_up: [f32; 3],
    /// Number of emitters, the infinitely far ones first; 0 when nothing can be picked.
    pub emitter_count: u32,
    /// Unit vector into the picture.
    pub camera_forward: [f32; 3],
    /// Index of the environment's emitter, or [`NONE`].
    pub environment_emitter: u32,

    /// Radiance of a constant environment.
    pub sky: [f32; 3],
    /// Index of the root of the tree over instances in the node table, or [`NONE`]: no geometry.
    pub root_node: u32,

    /// Cosine of the map's turn about y.
    pub environment_cos: f32,
    /// Sine of the map's turn about y.
    pub environment_sin: f32,
    /// Width of the map, texels.
    pub environment_width: u32,
    /// Height of the map, texels.
    pub environment_height: u32,

    /// Where the map's texels begin in the environment buffer: three floats each, rows from +y.
    pub environment_texels_at: u32,
    /// Where the sampling cells begin in the environment buffer, rows from +y: four words each:
    /// alias threshold (f32), alias (u32), density over solid angle (f32), zero.
    pub environment_cells_at: u32,
    /// Where the cosines of the cell rows' upper edges begin: `environment_cell_rows + 1` floats,
    /// from 1 to -1.
    pub environment_rows_at: u32,
    /// Cells across.
    pub environment_cell_columns: u32,

    /// Cells down.
    pub environment_cell_rows: u32,
    /// Number of instances.
    pub instance_count: u32,
    /// [`Instance`] table.
    pub instances_at: u32,
    /// [`Shape`] table.
    pub shapes_at: u32,

    /// [`Material`] table.
    pub materials_at: u32,
    /// [`Texture`] table.
    pub textures_at: u32,
    /// [`Emitter`] table.
    pub emitters_at: u32,
    /// [`Pick`] table: the alias table over the infinitely far emitters.
    pub picks_at: u32,

    /// Emitter index of primitives, see [`Instance::emitters_of_at`].
    pub emitter_of_at: u32,
    /// Pixel filter table: [`FILTER_ENTRIES`] floats.
    pub filter_at: u32,
    /// Directional albedos of the lobes: [`ALBEDO_FLOATS`] floats.
    pub albedo_at: u32,
    /// Linear value of each sRGB byte: 256 floats.
    pub srgb_at: u32,

    /// [`Layers`] table.
    pub layers_at: u32,
    /// Scattering events before roulette begins.
    pub roulette_after: u32,
    /// Radius of the lens, metres; 0 for a pinhole.
    pub lens_radius: f32,
    /// Distance along the axis at which things are sharp, metres.
    pub lens_focus: f32,

    /// Blades of the iris; 0 for a round one.
    pub lens_blades: u32,
    /// Turn of the iris, full turns.
    pub lens_turn: f32,
    /// [`LightNode`] table: the tree over the other emitters.
    pub light_nodes_at: u32,
    /// Number of infinitely far emitters: directional lights and the environment map.
    pub infinite_count: u32,

    /// Luminance of what they send onto surfaces that face them, W/m².
    pub infinite_irradiance: f32,
    /// Keys of what moves while the shutter is open, at least 2; 0 where nothing does.
    pub motion_keys: u32,
    /// Where the camera's keys begin in the attribute buffer, [`crate::moving::CAMERA_FLOATS`]
    /// each, or [`NONE`] where it stands still.
    pub camera_keys_at: u32,
    /// Always 0.
    pub reserved: u32,
}

/// One placed tree of triangles. The table is in the order of the leaves of the tree over
/// instances.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Instance {
    /// Rows of the affine map from world to object space; at the first key where it moves.
    pub world_to_object: [[f32; 4]; 3],
    /// Rows of the affine map from object to world space; at the first key where it moves.
    pub object_to_world: [[f32; 4]; 3],
    /// Index of the root of its tree in the node table.
    pub root_node: u32,
    /// Its number for ties and hashes: the order of the scene, not of the table.
    pub id: u32,
    /// Where the emitter index of primitive 0 lies in the `emitter_of` table; the others follow.
    /// [`NONE`] when nothing of it emits.
    pub emitters_of_at: u32,
    /// `INSTANCE_` flags.
    pub flags: u32,
    /// Where the rows of its maps to the world begin in the attribute buffer, twelve floats for each
    /// key, or [`NONE`] where it does not move.
    pub motion_at: u32,
    /// The most that the map to the world multiplies a coordinate by, at any key.
    pub stretch: f32,
    /// The most that it adds to one, metres.
    pub shift: f32,
    /// Always 0.
    pub reserved: u32,
}

/// A node of a compressed wide tree, after Ylitie, Karras and Laine, "Efficient incoherent ray
/// traversal on GPUs through compressed wide BVHs", 2017.
///
/// Plane `q` of axis `k` lies at `origin[k] + q · 2^(e[k] - 127)`, one rounding: with exactly this
/// expression a child's box holds what it must hold, so traversals must use it as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Node {
    /// Lower corner, bits of f32.
    pub origin: [u32; 3],
    /// Biased exponents of x, y and z in the bytes from below; in the top byte bit i is set when
    /// child i is a node.
    pub exponents_and_inner: u32,
    /// Index of the first child node; the others follow in the order of their slots.
    pub first_child: u32,
    /// Index of the first triangle record (or instance, in the tree over instances).
    pub first_primitive: u32,
    /// One byte a child, child 0 in the lowest. 0: empty. Node: `0b001_11000 | slot`. Leaf: offset
    /// from `first_primitive` in the lower five bits, 1, 3 or 7 in the upper three for one, two
    /// or three primitives.
    pub meta: [u32; 2],
    /// Lower planes x, one byte a child.
    pub low_x: [u32; 2],
    /// Upper planes x.
    pub high_x: [u32; 2],
    /// Lower planes y.
    pub low_y: [u32; 2],
    /// Upper planes y.
    pub high_y: [u32; 2],
    /// Lower planes z.
    pub low_z: [u32; 2],
    /// Upper planes z.
    pub high_z: [u32; 2],
}

/// A triangle as rays meet it, in object space. The table is in the order of the trees' leaves.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Triangle {
    /// First vertex; as the others at the first key where it moves.
    pub a: [f32; 3],
    /// Second vertex.
    pub b: [f32; 3],
    /// Third vertex.
    pub c: [f32; 3],
    /// Its number within the tree's object, for ties, hashes and look-ups.
    pub primitive: u32,
    /// Index of its shape.
    pub shape: u32,
    /// `TRIANGLE_` flags.
    pub flags: u32,
}

/// Triangles of one material with one set of vertex lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Shape {
    /// Index of the material.
    pub material: u32,
    /// Primitive number of its first triangle.
    pub first_primitive: u32,
    /// Where its vertex indices begin in the index buffer: three a triangle, counted from its own
    /// first vertex.
    pub indices_at: u32,
    /// Where its normals begin in the attribute buffer, three floats each, or [`NONE`]; of a shape
    /// that moves all vertices' of the first key, then those of the second, and so on.
    pub normals_at: u32,
    /// Where its tangents begin, four floats each, or [`NONE`]; for each key as the normals.
    pub tangents_at: u32,
    /// Where its texture coordinates of set 0 and 1 begin, two floats each, or [`NONE`].
    pub uvs_at: [u32; 2],
    /// Where its colours begin, four floats each, or [`NONE`].
    pub colors_at: u32,
    /// Where its vertices' positions begin, three floats each, for each key as the normals; [`NONE`]
    /// where it does not move.
    pub positions_at: u32,
    /// Number of its vertices.
    pub vertex_count: u32,
    /// Always 0.
    pub reserved: [u32; 2],
}

/// Use of a texture by a material.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct TextureUse {
    /// Index of the texture, or [`NONE`].
    pub texture: u32,
    /// Which set of texture coordinates.
    pub uv_set: u32,
    /// First row of the map of coordinates: `u' = u·m0 + v·m1 + m2`.
    pub row_u: [f32; 3],
    /// Second row: `v' = u·m0 + v·m1 + m2`.
    pub row_v: [f32; 3],
}

/// A metallic-roughness material.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Material {
    /// Linear RGBA factor.
    pub base_color: [f32; 4],
    /// Emitted radiance factor.
    pub emissive: [f32; 3],
    /// Metallic factor.
    pub metallic: f32,
    /// Roughness factor.
    pub roughness: f32,
    /// Factor of the normal map's x and y.
    pub normal_scale: f32,
    /// One of the `ALPHA_` constants.
    pub alpha_mode: u32,
    /// Cutoff of [`ALPHA_MASK`].
    pub alpha_cutoff: f32,
    /// `MATERIAL_` flags.
    pub flags: u32,
    /// Index of its layers, or [`NONE`].
    pub layers: u32,
    /// A bit for each of its texture uses that has a texture, from the first of its own below; its
    /// layers' follow.
    pub textures: u32,
    /// Always 0.
    pub reserved: u32,
    /// sRGB-encoded RGBA.
    pub base_color_texture: TextureUse,
    /// Green roughness, blue metallic.
    pub metallic_roughness_texture: TextureUse,
    /// Tangent-space normals.
    pub normal_texture: TextureUse,
    /// sRGB-encoded RGB.
    pub emissive_texture: TextureUse,
}

/// What the `KHR_materials_` extensions add to a material that uses them.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Layers {
    /// Colour of the dielectric's reflectance along its normal.
    pub specular_color: [f32; 3],
    /// Strength of the dielectric's reflection.
    pub specular: f32,
    /// Colour of the sheen; black for none.
    pub sheen_color: [f32; 3],
    /// Its roughness.
    pub sheen_roughness: f32,
    /// What the body absorbs, octaves a metre.
    pub absorption: [f32; 3],
    /// Share of the dielectric's body that lets light through.
    pub transmission: f32,
    /// Strength of the coat.
    pub coat: f32,
    /// Its roughness.
    pub coat_roughness: f32,
    /// Index of refraction; 0 for a dielectric that reflects all.
    pub ior: f32,
    /// `LAYERS_` flags.
    pub flags: u32,
    /// Factor of the coat's normal map.
    pub coat_normal_scale: f32,
    /// Strength of the anisotropy.
    pub anisotropy: f32,
    /// Cosine of its turn from the tangent.
    pub anisotropy_cos: f32,
    /// Sine of it.
    pub anisotropy_sin: f32,
    /// Colour of what is scattered to the other side.
    pub translucent_color: [f32; 3],
    /// Share of the diffuse light that is.
    pub translucency: f32,
    /// Half of the difference between the indices of refraction of blue and red.
    pub spread: f32,
    /// Strength of the thin film.
    pub iridescence: f32,
    /// Its index of refraction.
    pub iridescence_ior: f32,
    /// Its thickness where the texture is 0, nanometres.
    pub iridescence_thin: f32,
    /// Its thickness where the texture is 1, nanometres.
    pub iridescence_thick: f32,
    /// Always 0.
    pub reserved: [u32; 3],
    /// Alpha: strength of the dielectric's reflection.
    pub specular_texture: TextureUse,
    /// sRGB-encoded RGB.
    pub specular_color_texture: TextureUse,
    /// sRGB-encoded RGB.
    pub sheen_color_texture: TextureUse,
    /// Alpha.
    pub sheen_roughness_texture: TextureUse,
    /// Red.
    pub transmission_texture: TextureUse,
    /// Red.
    pub coat_texture: TextureUse,
    /// Green.
    pub coat_roughness_texture: TextureUse,
    /// Tangent-space normals.
    pub coat_normal_texture: TextureUse,
    /// Red and green the direction, blue a factor of the strength.
    pub anisotropy_texture: TextureUse,
    /// Alpha.
    pub translucency_texture: TextureUse,
    /// sRGB-encoded RGB.
    pub translucent_color_texture: TextureUse,
    /// Red.
    pub iridescence_texture: TextureUse,
    /// Green.
    pub iridescence_thickness_texture: TextureUse,
}

/// An image and how it is sampled. Texels are one word each, red in the lowest byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Texture {
    /// Where its texels begin in the texel buffer, rows from the top.
    pub texels_at: u32,
    /// Texels across.
    pub width: u32,
    /// Texels down.
    pub height: u32,
    /// `WRAP_` across.
    pub wrap_u: u32,
    /// `WRAP_` down.
    pub wrap_v: u32,
    /// `FILTER_` constant.
    pub filter: u32,
    /// Always 0.
    pub reserved: [u32; 2],
}

/// Something that can be picked to light a point.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Emitter {
    /// One of the `EMITTER_` constants.
    pub kind: u32,
    /// Index of its leaf in the light tree; [`NONE`] of what is infinitely far away.
    pub leaf: u32,
    /// Triangle: index of its record.
    pub triangle: u32,
    /// Directional and environment: probability of being picked among the infinitely far. Point
    /// and spot: radius, metres. Triangle that moves: index of its instance, as bits.
    pub measure: f32,
    /// Triangle: first vertex in world space. Point and spot: position. Directional: unit vector
    /// towards the light.
    pub position: [f32; 3],
    /// Triangle: area in world space, m². Point and spot: range, metres; 0 for no end.
    /// Directional: 1 less the cosine of half its apparent size.
    pub extent: f32,
    /// Triangle: second vertex minus first. Spot: unit vector along which it shines.
    pub edge_b: [f32; 3],
    /// Spot: `scale` of glTF's cone, `clamp(cos · scale + offset)²`. Triangle: 1, or -1 where its
    /// instance mirrors, so that the cross product of its edges points to the back.
    pub cone_scale: f32,
    /// Triangle: third vertex minus first. Others: intensity or irradiance, RGB.
    pub edge_c: [f32; 3],
    /// Spot: `offset` of glTF's cone.
    pub cone_offset: f32,
}

/// A node of the tree over emitters that are somewhere: what bounds their light.
///
/// Siblings lie side by side, the first at an even index; the root is node 0, and node 1 is empty.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct LightNode {
    /// Centre of a box around its emitters, and of a sphere, metres.
    pub center: [f32; 3],
    /// The sphere's radius.
    pub radius: f32,
    /// Half the box's sides.
    pub half_sides: [f32; 3],
    /// Luminance of the light along the brightest directions, W/sr.
    pub intensity: f32,
    /// Middle of the cone of directions along which emitters shine most, a unit vector.
    pub axis: [f32; 3],
    /// Cosine of the cone's half angle.
    pub cone_cos: f32,
    /// Cosine of the angle beyond the cone at which the last light ends.
    pub end_cos: f32,
    /// Index of the first child; of a leaf the index of its emitter. The two highest bits are
    /// `LIGHT_` flags.
    pub child: u32,
    /// Index of the parent; 0 of the root.
    pub parent: u32,
    /// Always 0.
    pub reserved: u32,
}

/// An entry of an alias table (Vose 1991): below the threshold itself, else its alias.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Pick {
    /// Probability of itself, once this entry was drawn.
    pub threshold: f32,
    /// Index of the other.
    pub alias: u32,
}
