//! The scene model: what an imported file means, independent of its format.
//!
//! Units: metres, radians, scene-linear Rec.709; right-handed, y up. Indices point into the
//! scene's own lists and are checked by [`crate::Scene::validate`], so that whoever holds a
//! validated scene may index without asking again.

use serde::{Deserialize, Serialize};

use crate::animation::{Channel, MorphTarget, Skin};
use crate::lamps::{AreaLight, Lens, SunSky};
use crate::variation::Variation;

pub use crate::layers::Layers;

/// A 3D scene.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scene {
    /// A name for people.
    pub name: String,
    /// The node tree, parents before their children.
    pub nodes: Vec<Node>,
    /// Triangle meshes.
    pub meshes: Vec<Mesh>,
    /// Materials.
    pub materials: Vec<Material>,
    /// Images with their samplers.
    pub textures: Vec<Texture>,
    /// Decoded images.
    pub images: Vec<Image>,
    /// Punctual lights.
    pub lights: Vec<Light>,
    /// Flat lamps.
    pub area_lights: Vec<AreaLight>,
    /// Cameras.
    pub cameras: Vec<Camera>,
    /// What surrounds the scene.
    pub environment: Option<Environment>,
    /// A clear sky, in place of an environment.
    pub sun_sky: Option<SunSky>,
    /// What bends meshes.
    pub skins: Vec<Skin>,
    /// What moves nodes and weights, at most one for a node's property.
    pub channels: Vec<Channel>,
    /// What changes factors of materials, lights and cameras, at most one for a factor.
    pub variations: Vec<Variation>,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Node {
    /// A name for people.
    pub name: String,
    /// Index of the parent, always smaller than the node's own.
    pub parent: Option<u32>,
    /// Place in the parent's space.
    pub transform: Transform,
    /// Index of the mesh it shows.
    pub mesh: Option<u32>,
    /// Index of the camera it carries; it looks along -z with y up.
    pub camera: Option<u32>,
    /// Index of the light it carries; it shines along -z.
    pub light: Option<u32>,
    /// Index of the skin that bends its mesh, which then stands where the joints put it.
    pub skin: Option<u32>,
    /// Weights of its mesh's morph targets; empty for the mesh's own.
    pub weights: Vec<f32>,
}

/// A place in the parent's space.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Transform {
    /// Scale, then rotate, then move.
    Trs {
        /// Metres.
        translation: [f32; 3],
        /// Unit quaternion x, y, z, w.
        rotation: [f32; 4],
        /// Factors.
        scale: [f32; 3],
    },
    /// Columns of an affine 4×4 matrix; the last row is 0, 0, 0, 1.
    Matrix([[f32; 4]; 4]),
}

impl Transform {
    /// No change.
    pub const IDENTITY: Self =
        Self::Trs { translation: [0.0; 3], rotation: [0.0, 0.0, 0.0, 1.0], scale: [1.0; 3] };
}

impl Default for Transform {
    fn default() -> Self {
        Self::IDENTITY
    }
}

/// A triangle mesh in parts of one material each.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Mesh {
    /// A name for people.
    pub name: String,
    /// Its parts.
    pub primitives: Vec<Primitive>,
    /// Weights of its morph targets where a node has none; empty for zeros.
    pub weights: Vec<f32>,
}

/// Triangles of one material. All vertex lists are as long as `positions`, or empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Primitive {
    /// Vertex positions, metres.
    pub positions: Vec<[f32; 3]>,
    /// Unit normals; empty for flat shading.
    pub normals: Vec<[f32; 3]>,
    /// Unit tangents with the bitangent's sign; empty when no normal map needs them.
    pub tangents: Vec<[f32; 4]>,
    /// Texture coordinates, up to two sets.
    pub uvs: [Vec<[f32; 2]>; 2],
    /// Linear RGBA that multiplies the base colour.
    pub colors: Vec<[f32; 4]>,
    /// Three vertex indices a triangle, counter-clockwise seen from the front.
    pub indices: Vec<[u32; 3]>,
    /// Index of the material; none is glTF's default material.
    pub material: Option<u32>,
    /// Four joints of the skin a vertex, in up to two sets.
    pub joints: [Vec<[u16; 4]>; 2],
    /// How much each of those joints counts; a vertex's weights sum to 1.
    pub joint_weights: [Vec<[f32; 4]>; 2],
    /// Shapes to blend in, as many as every other part of the mesh has.
    pub targets: Vec<MorphTarget>,
}

/// A metallic-roughness material (glTF 2.0, section 3.9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Material {
    /// A name for people.
    pub name: String,
    /// Linear RGBA factor.
    pub base_color: [f32; 4],
    /// sRGB-encoded RGBA.
    pub base_color_texture: Option<TextureRef>,
    /// 0 dielectric, 1 metal.
    pub metallic: f32,
    /// Perceptual roughness, 0..=1.
    pub roughness: f32,
    /// Linear; green is roughness, blue is metallic.
    pub metallic_roughness_texture: Option<TextureRef>,
    /// Linear tangent-space normals.
    pub normal_texture: Option<TextureRef>,
    /// Factor of the normal map's x and y.
    pub normal_scale: f32,
    /// Emitted radiance factor, W·sr⁻¹·m⁻², emissive strength included.
    pub emissive: [f32; 3],
    /// sRGB-encoded RGB.
    pub emissive_texture: Option<TextureRef>,
    /// How alpha is understood.
    pub alpha: AlphaMode,
    /// Whether back faces are seen.
    pub double_sided: bool,
    /// `KHR_materials_unlit`: shows its base colour as it is, and no light falls on it.
    pub is_unlit: bool,
    /// What extensions add.
    pub layers: Layers,
}

impl Default for Material {
    /// glTF's default material.
    fn default() -> Self {
        Self {
            name: String::new(),
            base_color: [1.0; 4],
            base_color_texture: None,
            metallic: 1.0,
            roughness: 1.0,
            metallic_roughness_texture: None,
            normal_texture: None,
            normal_scale: 1.0,
            emissive: [0.0; 3],
            emissive_texture: None,
            alpha: AlphaMode::Opaque,
            double_sided: false,
            is_unlit: false,
            layers: Layers::default(),
        }
    }
}

/// How alpha is understood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum AlphaMode {
    /// Ignored.
    Opaque,
    /// Seen where alpha is at least the cutoff.
    Mask(f32),
    /// Seen with probability alpha.
    Blend,
}

/// Use of a texture: which one, which coordinates, how they are moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TextureRef {
    /// Index of the texture.
    pub texture: u32,
    /// Which set of texture coordinates, 0 or 1.
    pub uv_set: u32,
    /// `KHR_texture_transform`: offset.
    pub offset: [f32; 2],
    /// `KHR_texture_transform`: rotation, radians, counter-clockwise.
    pub rotation: f32,
    /// `KHR_texture_transform`: scale.
    pub scale: [f32; 2],
}

/// An image and how it is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Texture {
    /// Index of the image.
    pub image: u32,
    /// What lies outside 0..1, across.
    pub wrap_u: Wrap,
    /// What lies outside 0..1, down.
    pub wrap_v: Wrap,
    /// Whether texels are interpolated.
    pub filter: Filter,
}

/// What lies outside a texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wrap {
    /// Again and again.
    Repeat,
    /// Again, mirrored every other time.
    Mirror,
    /// The border's texel.
    Clamp,
}

/// How texels become a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// The nearest texel.
    Nearest,
    /// Between four texels.
    Linear,
}

/// A decoded image, rows from the top.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// A name for people.
    pub name: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The pixels.
    pub pixels: Pixels,
}

/// Pixels of an image.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Pixels {
    /// Four bytes a pixel; colour or data by use.
    Rgba8(Vec<u8>),
    /// Three linear floats a pixel: environments.
    Rgb32F(Vec<[f32; 3]>),
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({:?}, {}x{})", self.name, self.width, self.height)
    }
}

/// A light that is no mesh: `KHR_lights_punctual`, with sizes, and lamps that are flat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Light {
    /// A name for people.
    pub name: String,
    /// Linear RGB times intensity: candela-like W·sr⁻¹ for points and spots, W·m⁻² for the sun,
    /// radiance in W·sr⁻¹·m⁻² for rectangles and disks.
    pub intensity: [f32; 3],
    /// Its shape.
    pub kind: LightKind,
    /// Points and spots: distance beyond which it does not shine, metres.
    pub range: Option<f32>,
    /// Points and spots: radius of the sphere that shines, metres; 0 for hard shadows.
    pub radius: f32,
    /// Directional: width of the disc that shines, radians, 0..=π; 0 for hard shadows. The
    /// irradiance stays.
    pub angle: f32,
}

impl Default for Light {
    /// A dark point.
    fn default() -> Self {
        Self {
            name: String::new(),
            intensity: [0.0; 3],
            kind: LightKind::Point,
            range: None,
            radius: 0.0,
            angle: 0.0,
        }
    }
}

/// Shape of a punctual light.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum LightKind {
    /// Infinitely far away.
    Directional,
    /// In all directions.
    Point,
    /// In a cone.
    Spot {
        /// Half angle of full light, radians.
        inner_cone: f32,
        /// Half angle where light ends, radians.
        outer_cone: f32,
    },
}
/// A camera; it looks along -z of its node with y up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// A name for people and for `--camera`.
    pub name: String,
    /// How it projects.
    pub projection: Projection,
    /// Its lens and its shutter.
    pub lens: Lens,
}

impl Default for Camera {
    /// A pinhole of 40°.
    fn default() -> Self {
        let projection = Projection::Perspective { vfov: 0.698_131_7 };
        Self { name: String::new(), projection, lens: Lens::default() }
    }
}

/// How a camera projects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Projection {
    /// With perspective; the picture's own aspect ratio decides the width.
    Perspective {
        /// Vertical field of view, radians.
        vfov: f32,
    },
    /// Without perspective.
    Orthographic {
        /// Half the height of what is seen, metres.
        half_height: f32,
    },
}

/// What surrounds the scene.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Environment {
    /// The same RGB radiance everywhere, W·sr⁻¹·m⁻².
    Constant([f32; 3]),
    /// An equirectangular image: its middle column lies towards -z, its top row is +y.
    Map {
        /// Index of an [`Pixels::Rgb32F`] image.
        image: u32,
        /// Factor of its radiance.
        strength: f32,
        /// Turn about y, radians, counter-clockwise seen from above.
        rotation: f32,
    },
}
