//! glTF's JSON as it is written (glTF 2.0, section 5): names, defaults, nothing checked but types.
//!
//! Why not the `gltf` crate: its index type cuts 2³² to 0 in silence, its validation indexes
//! without asking (a panic on a bad file), and it reads what it does not know as nothing. Here an
//! index is a `u32`, a list has a greatest length before it is built, and every extension's name
//! is kept for the report.

mod extensions;
mod extras;
mod materials;
mod motion;

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

pub use extensions::{Extensions, Known};
pub use extras::Extras;
pub use materials::{
    Anisotropy, Clearcoat, DiffuseTransmission, Dispersion, Ior, Iridescence, Sheen, Specular,
    SpecularGlossiness, Transmission, Variants, Volume,
};
pub use motion::{Animation, AnimationChannel, AnimationSampler, Pointer, Skin};

use crate::limits::LIST_MAX;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Root {
    pub asset: Asset,
    #[serde(default)]
    pub extensions_used: List<String>,
    #[serde(default)]
    pub extensions_required: List<String>,
    #[serde(default)]
    pub accessors: List<Accessor>,
    #[serde(default)]
    pub animations: List<Animation>,
    #[serde(default)]
    pub buffers: List<Buffer>,
    #[serde(default)]
    pub buffer_views: List<BufferView>,
    #[serde(default)]
    pub cameras: List<Camera>,
    #[serde(default)]
    pub images: List<Image>,
    #[serde(default)]
    pub materials: List<Material>,
    #[serde(default)]
    pub meshes: List<Mesh>,
    #[serde(default)]
    pub nodes: List<Node>,
    #[serde(default)]
    pub samplers: List<Sampler>,
    pub scene: Option<u32>,
    #[serde(default)]
    pub scenes: List<Scene>,
    #[serde(default)]
    pub skins: List<Skin>,
    #[serde(default)]
    pub textures: List<Texture>,
    #[serde(default)]
    pub extensions: Extensions,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asset {
    pub version: String,
    pub min_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accessor {
    pub buffer_view: Option<u32>,
    #[serde(default)]
    pub byte_offset: u64,
    pub component_type: u32,
    #[serde(default)]
    pub normalized: bool,
    pub count: u64,
    #[serde(rename = "type")]
    pub kind: String,
    pub sparse: Option<Box<Sparse>>,
}

#[derive(Deserialize)]
pub struct Sparse {
    pub count: u64,
    pub indices: SparseIndices,
    pub values: SparseValues,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SparseIndices {
    pub buffer_view: u32,
    #[serde(default)]
    pub byte_offset: u64,
    pub component_type: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SparseValues {
    pub buffer_view: u32,
    #[serde(default)]
    pub byte_offset: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Buffer {
    pub uri: Option<String>,
    pub byte_length: u64,
    #[serde(default)]
    pub extensions: Extensions,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BufferView {
    pub buffer: u32,
    #[serde(default)]
    pub byte_offset: u64,
    pub byte_length: u64,
    pub byte_stride: Option<u64>,
    #[serde(default)]
    pub extensions: Extensions,
}

#[derive(Deserialize)]
pub struct Camera {
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub perspective: Option<Perspective>,
    pub orthographic: Option<Orthographic>,
    #[serde(default)]
    pub extras: Extras,
}

#[derive(Deserialize)]
pub struct Perspective {
    pub yfov: f32,
}

#[derive(Deserialize)]
pub struct Orthographic {
    pub ymag: f32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    pub name: Option<String>,
    pub uri: Option<String>,
    pub buffer_view: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Material {
    pub name: Option<String>,
    #[serde(default)]
    pub pbr_metallic_roughness: PbrMetallicRoughness,
    pub normal_texture: Option<TextureInfo>,
    pub occlusion_texture: Option<TextureInfo>,
    pub emissive_texture: Option<TextureInfo>,
    #[serde(default)]
    pub emissive_factor: [f32; 3],
    #[serde(default = "opaque")]
    pub alpha_mode: String,
    pub alpha_cutoff: Option<f32>,
    #[serde(default)]
    pub double_sided: bool,
    #[serde(default)]
    pub extensions: Extensions,
}

fn opaque() -> String {
    "OPAQUE".to_owned()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PbrMetallicRoughness {
    pub base_color_factor: Option<[f32; 4]>,
    pub base_color_texture: Option<TextureInfo>,
    pub metallic_factor: Option<f32>,
    pub roughness_factor: Option<f32>,
    pub metallic_roughness_texture: Option<TextureInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextureInfo {
    pub index: u32,
    #[serde(default)]
    pub tex_coord: u32,
    /// Of normal textures.
    pub scale: Option<f32>,
    #[serde(default)]
    pub extensions: Extensions,
}

#[derive(Deserialize)]
pub struct Mesh {
    pub name: Option<String>,
    pub primitives: List<Primitive>,
    #[serde(default)]
    pub weights: List<f32>,
    #[serde(default)]
    pub extensions: Extensions,
}

#[derive(Deserialize)]
pub struct Primitive {
    pub attributes: Attributes,
    pub indices: Option<u32>,
    pub material: Option<u32>,
    pub mode: Option<u32>,
    #[serde(default)]
    pub targets: List<Attributes>,
    #[serde(default)]
    pub extensions: Extensions,
}

#[derive(Deserialize)]
pub struct Node {
    pub name: Option<String>,
    #[serde(default)]
    pub children: List<u32>,
    pub matrix: Option<Box<[f32; 16]>>,
    pub translation: Option<[f32; 3]>,
    pub rotation: Option<[f32; 4]>,
    pub scale: Option<[f32; 3]>,
    pub mesh: Option<u32>,
    pub skin: Option<u32>,
    #[serde(default)]
    pub weights: List<f32>,
    pub camera: Option<u32>,
    #[serde(default)]
    pub extensions: Extensions,
    #[serde(default)]
    pub extras: Extras,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sampler {
    pub mag_filter: Option<u32>,
    pub wrap_s: Option<u32>,
    pub wrap_t: Option<u32>,
}

#[derive(Deserialize)]
pub struct Scene {
    pub name: Option<String>,
    #[serde(default)]
    pub nodes: List<u32>,
    #[serde(default)]
    pub extensions: Extensions,
    #[serde(default)]
    pub extras: Extras,
}

#[derive(Deserialize)]
pub struct Texture {
    pub source: Option<u32>,
    pub sampler: Option<u32>,
    #[serde(default)]
    pub extensions: Extensions,
}

/// `KHR_lights_punctual`: the root's list and a node's index share the name.
#[derive(Deserialize)]
pub struct Lights {
    #[serde(default)]
    pub lights: List<Light>,
    pub light: Option<u32>,
}

#[derive(Deserialize)]
pub struct Light {
    pub name: Option<String>,
    #[serde(default = "white")]
    pub color: [f32; 3],
    #[serde(default = "one")]
    pub intensity: f32,
    #[serde(rename = "type")]
    pub kind: String,
    pub range: Option<f32>,
    pub spot: Option<Spot>,
    #[serde(default)]
    pub extras: Extras,
}

fn white() -> [f32; 3] {
    [1.0; 3]
}

fn one() -> f32 {
    1.0
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spot {
    #[serde(default)]
    pub inner_cone_angle: f32,
    pub outer_cone_angle: Option<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmissiveStrength {
    #[serde(default = "one")]
    pub emissive_strength: f32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextureTransform {
    #[serde(default)]
    pub offset: [f32; 2],
    #[serde(default)]
    pub rotation: f32,
    #[serde(default = "twice_one")]
    pub scale: [f32; 2],
    pub tex_coord: Option<u32>,
}

fn twice_one() -> [f32; 2] {
    [1.0; 2]
}

/// `EXT_mesh_gpu_instancing`: accessors of TRANSLATION, ROTATION and SCALE.
#[derive(Deserialize)]
pub struct Instancing {
    pub attributes: Attributes,
}

/// `EXT_texture_webp` and `KHR_texture_basisu`: the image to read instead.
#[derive(Deserialize)]
pub struct OtherSource {
    pub source: u32,
}

/// `KHR_draco_mesh_compression`: attributes by the ids that the stream gives them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draco {
    pub buffer_view: u32,
    pub attributes: Attributes,
}

/// `EXT_meshopt_compression` and `KHR_meshopt_compression`: a buffer's flag and a view's stream
/// share the name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meshopt {
    #[serde(default)]
    pub fallback: bool,
    pub buffer: Option<u32>,
    #[serde(default)]
    pub byte_offset: u64,
    pub byte_length: Option<u64>,
    pub byte_stride: Option<u64>,
    pub count: Option<u64>,
    pub mode: Option<String>,
    pub filter: Option<String>,
}

/// A primitive's attributes: names and accessors.
pub struct Attributes(pub Vec<(String, u32)>);

impl Attributes {
    pub fn get(&self, name: &str) -> Option<u32> {
        self.0.iter().find(|(found, _)| found == name).map(|&(_, accessor)| accessor)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, u32>()? {
                    if pairs.iter().any(|(name, _)| *name == pair.0) {
                        return Err(A::Error::custom(format_args!("{} is given twice", pair.0)));
                    }
                    if pairs.len() >= 64 {
                        return Err(A::Error::custom("a primitive has more than 64 attributes"));
                    }
                    pairs.push(pair);
                }
                Ok(Attributes(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A list of at most [`LIST_MAX`] entries.
pub struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() >= LIST_MAX {
                        let message = format_args!("a list has more than {LIST_MAX} entries");
                        return Err(A::Error::custom(message));
                    }
                    items.push(item);
                }
                Ok(List(items))
            }
        }
        deserializer.deserialize_seq(Items(PhantomData))
    }
}
