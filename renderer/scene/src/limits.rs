//! Every bound of a scene in one place, with its reason. Readers check them before they allocate.

/// Bytes of a scene file, of a file beside it, and of what an import may decode to: the package
/// has to fit what travels.
pub const SCENE_BYTES_MAX: u64 = protocol::limits::SCENE_BYTES_MAX;
/// Bytes of glTF's JSON. Geometry in `data:` URIs counts in; 128 MiB of it is already a file
/// that should have been a `.glb`.
pub const JSON_BYTES_MAX: u64 = 128 << 20;
/// Entries of any one list: nodes, meshes, materials, primitives of a mesh and so on. A film
/// scene's set has some 10⁵ nodes; each may cost hundreds of bytes from three bytes of JSON.
pub const LIST_MAX: usize = 1 << 20;
/// Triangles of the whole scene, instances not counted: indices of corners then fit `u32`.
pub const TRIANGLES_MAX: u64 = 1 << 30;
/// Triangles (or vertices, where they are more) of meshes that bend, those of every node that shows
/// one counted: each becomes an object of its own, of some hundred bytes a triangle.
pub const BENT_TRIANGLES_MAX: u64 = 1 << 26;
/// Vertices of all morph targets, those of every node that shows a mesh counted: what a frame may
/// have to add up, about a minute's work.
pub const MORPH_STEPS_MAX: u64 = 1 << 34;
/// A texture's side, in pixels: what GPUs accept at most.
pub const IMAGE_SIDE_PX_MAX: u32 = 16_384;
/// Bytes of the part of a package that lists everything but vertices and pixels.
pub const OUTLINE_BYTES_MAX: u64 = 512 << 20;
/// Bytes of a name that the file gives; longer ones are cut.
pub const NAME_BYTES_MAX: usize = 256;
/// Coordinates in metres, of points and of transforms: squares and their sums, and those of
/// differences, stay finite in `f32`.
pub const COORDINATE_ABS_MAX: f32 = 1e9;
/// Texture coordinates: beyond it `f32` no longer tells texels apart.
pub const UV_ABS_MAX: f32 = 1e6;
/// Radiance, intensity and irradiance: the sun's disc is 1e9; sums over lights stay finite.
pub const LIGHT_MAX: f32 = 1e12;
/// Radius of a lamp, and its sides: its squares stay far from the ends of `f32`.
pub const LAMP_SIZE_MAX: f32 = 1e6;
/// How far from 1 the length of a unit vector may be, squared: quantised files are this rough.
pub const UNIT_TOLERANCE: f32 = 1e-3;
/// Bytes of a part of a package: what a changed texel costs on the wire, and few enough parts that
/// what each costs the store (some milliseconds) does not show.
pub const PART_BYTES_MAX: usize = 8 << 20;
/// An image, or a primitive's lists, of so many bytes shares its parts with nobody: a texture of
/// 1024² texels.
pub const ALONE_BYTES_MIN: usize = 4 << 20;
/// Bytes of a group of smaller items, before one of them can end it.
pub const GROUP_BYTES_MIN: usize = 2 << 20;
/// Bytes after that until one ends it, in the mean: e⁻³ of all groups reach [`PART_BYTES_MAX`].
pub const GROUP_BYTES_MEAN: usize = 2 << 20;
