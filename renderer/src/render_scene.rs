//! A scene at one time, packed for tracing.

use std::sync::OnceLock;

use bytemuck::{Pod, cast_slice};
use protocol::{Digest, RenderSettings};

use crate::bsdf::albedo::AlbedoTable;
use crate::bvh::{Bounds, Effort};
use crate::tables::{
    Emitter, Header, Instance, Layers, LightNode, Material, Node, Pick, Shape, Texture, Triangle,
};

#[cfg(target_arch = "x86_64")]
pub(crate) type WideTrees = crate::wide::WideScene;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) type WideTrees = ();

/// What of a node a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// That primitive of its mesh.
    Mesh(u32),
    /// That of the scene's flat lamps.
    Lamp(u32),
}

/// A scene at one time with its settings: everything that decides a film's bits, as tables.
///
/// Made by [`crate::prepare()`]. The same scene, settings and time give the same tables on every
/// machine, whatever its number of threads.
#[derive(Debug)]
pub struct RenderScene {
    pub(crate) settings: RenderSettings,
    /// The time it was prepared for, seconds.
    pub(crate) time_s: f32,
    /// What its trees were made with.
    pub(crate) effort: Effort,
    /// Of everything, in world space; empty without geometry.
    pub(crate) bounds: Bounds,
    pub(crate) header: Header,
    pub(crate) instances: Vec<Instance>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) materials: Vec<Material>,
    pub(crate) layers: Vec<Layers>,
    pub(crate) textures: Vec<Texture>,
    pub(crate) emitters: Vec<Emitter>,
    pub(crate) picks: Vec<Pick>,
    pub(crate) light_nodes: Vec<LightNode>,
    pub(crate) emitter_of: Vec<u32>,
    pub(crate) filter: Vec<f32>,
    pub(crate) albedo: Box<AlbedoTable>,
    pub(crate) srgb: Vec<f32>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) triangles: Vec<Triangle>,
    pub(crate) indices: Vec<u32>,
    pub(crate) attributes: Vec<f32>,
    pub(crate) texels: Vec<u32>,
    pub(crate) environment: Vec<u32>,
    /// The scene's node that shows each shape, or `NONE` where instances do; decides no bits.
    pub(crate) shape_nodes: Vec<u32>,
    /// Which part of that node's each shape is; decides no bits.
    pub(crate) shape_parts: Vec<Part>,
    /// The scene's node of each instance, or `NONE` for the world's object.
    pub(crate) instance_nodes: Vec<u32>,
    /// Made when somebody first asks: it takes a while, and a preview does without.
    pub(crate) digest: OnceLock<Digest>,
    /// As well; other settings leave it as it is.
    pub(crate) stuff: OnceLock<Digest>,
    /// The wide trees of the SIMD path, made when a CPU first needs them.
    pub(crate) wide: OnceLock<WideTrees>,
}

impl RenderScene {
    /// The settings it was prepared with.
    #[must_use]
    pub const fn settings(&self) -> &RenderSettings {
        &self.settings
    }

    /// The same frame with other random numbers: what [`crate::prepare()`] gives with this seed.
    ///
    /// `time_s` is the time it was prepared for, seconds.
    #[must_use]
    pub fn with_seed(mut self, seed: u32, time_s: f32) -> Self {
        self.settings.seed = seed;
        self.header.frame_key = crate::prepare::frame_key_of(seed, time_s);
        self.digest = OnceLock::new();
        self
    }

    /// BLAKE3 of all tables: equal wherever the same engine prepared the same frame. The first call
    /// hashes them, which takes about a millisecond for some megabytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| self.hash_tables())
    }

    /// BLAKE3 of [`RenderScene::nodes`], [`RenderScene::triangles`], [`RenderScene::indices`],
    /// [`RenderScene::attributes`] and [`RenderScene::texels`]: whoever has copied them elsewhere knows
    /// by it that they are there. Hashed once for all that [`RenderScene::seen_through`] makes of it.
    #[must_use]
    pub fn stuff_digest(&self) -> Digest {
        *self.stuff.get_or_init(|| {
            let [stuff @ .., _environment] = self.large_parts();
            hash("tessera 2026 render scene stuff v1", &stuff)
        })
    }

    /// BLAKE3 of all other tables, the header among them: with [`RenderScene::stuff_digest`] it says
    /// as much as [`RenderScene::digest`], and takes little time.
    #[must_use]
    pub fn view_digest(&self) -> Digest {
        let mut parts = vec![bytemuck::bytes_of(&self.header)];
        parts.extend(self.small_parts());
        parts.push(cast_slice(&self.environment));
        hash("tessera 2026 render scene view v1", &parts)
    }

    /// Bytes of all tables.
    #[must_use]
    pub fn byte_size(&self) -> u64 {
        self.parts().iter().map(|part| part.len() as u64).sum()
    }

    /// Bytes of the largest of the tables that a device binds one by one.
    pub(crate) fn largest_table_bytes(&self) -> u64 {
        let words: usize = self.small_parts().iter().map(|part| part.len()).sum();
        let large = self.large_parts().map(<[u8]>::len);
        large.into_iter().max().unwrap_or(0).max(words) as u64
    }

    /// Values that all pixels share, with the offsets into [`RenderScene::words`].
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The small tables one after the other, as the header's offsets say.
    #[must_use]
    pub fn words(&self) -> Vec<u32> {
        self.small_parts().into_iter().flat_map(cast_slice::<u8, u32>).copied().collect()
    }

    /// Nodes of all trees.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Triangles in leaf order.
    #[must_use]
    pub fn triangles(&self) -> &[Triangle] {
        &self.triangles
    }

    /// Vertex indices, three a triangle.
    #[must_use]
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Normals, tangents, texture coordinates and colours.
    #[must_use]
    pub fn attributes(&self) -> &[f32] {
        &self.attributes
    }

    /// Texels of all 8-bit images.
    #[must_use]
    pub fn texels(&self) -> &[u32] {
        &self.texels
    }

    /// The environment map's texels (bits of f32) and its sampling tables.
    #[must_use]
    pub fn environment(&self) -> &[u32] {
        &self.environment
    }

    /// Directional albedos of the lobes.
    #[must_use]
    pub fn albedo(&self) -> &AlbedoTable {
        &self.albedo
    }

    /// Number of instances.
    #[must_use]
    pub fn instance_count(&self) -> usize {
        self.instances.len()
    }

    /// All that can be picked to light a point.
    #[must_use]
    pub fn emitters(&self) -> &[Emitter] {
        &self.emitters
    }

    /// The tables of the words buffer in their order.
    fn small_parts(&self) -> [&[u8]; 12] {
        [
            cast_slice(&self.instances),
            cast_slice(&self.shapes),
            cast_slice(&self.materials),
            cast_slice(&self.textures),
            cast_slice(&self.emitters),
            cast_slice(&self.picks),
            cast_slice(&self.emitter_of),
            cast_slice(&self.filter),
            cast_slice(self.albedo.as_slice()),
            cast_slice(&self.srgb),
            cast_slice(&self.layers),
            cast_slice(&self.light_nodes),
        ]
    }

    /// The tables that have a buffer each.
    fn large_parts(&self) -> [&[u8]; 6] {
        [
            cast_slice(&self.nodes),
            cast_slice(&self.triangles),
            cast_slice::<u32, u8>(&self.indices),
            cast_slice(&self.attributes),
            cast_slice(&self.texels),
            cast_slice(&self.environment),
        ]
    }

    fn parts(&self) -> Vec<&[u8]> {
        let mut parts = vec![bytemuck::bytes_of(&self.header)];
        parts.extend(self.small_parts());
        parts.extend(self.large_parts());
        parts
    }

    /// Fills in the header's offsets: the last step of preparing.
    pub(crate) fn seal(mut self) -> Self {
        let lengths = self.small_parts().map(|part| (part.len() / 4) as u32);
        let mut at = 0;
        let offsets = lengths.map(|length| {
            let start = at;
            at += length;
            start
        });
        let header = &mut self.header;
        [
            header.instances_at,
            header.shapes_at,
            header.materials_at,
            header.textures_at,
            header.emitters_at,
            header.picks_at,
            header.emitter_of_at,
            header.filter_at,
            header.albedo_at,
            header.srgb_at,
            header.layers_at,
            header.light_nodes_at,
        ] = offsets;
        self.digest = OnceLock::new();
        self
    }

    fn hash_tables(&self) -> Digest {
        hash("tessera 2026 render scene v1", &self.parts())
    }
}

/// A digest of tables as they lie in the memory of a little-endian machine.
#[cfg(target_endian = "little")]
fn hash(context: &str, parts: &[&[u8]]) -> Digest {
    Digest::of(context, parts)
}

#[cfg(target_endian = "big")]
fn hash(context: &str, parts: &[&[u8]]) -> Digest {
    let swap = |part: &&[u8]| part.chunks_exact(4).flat_map(|w| [w[3], w[2], w[1], w[0]]).collect();
    let swapped: Vec<Vec<u8>> = parts.iter().map(swap).collect();
    let parts: Vec<&[u8]> = swapped.iter().map(Vec::as_slice).collect();
    Digest::of(context, &parts)
}

/// Number of 4-byte words of a table's entry: the stride of a shader that reads words.
#[must_use]
pub const fn words_of<T: Pod>() -> u32 {
    (size_of::<T>() / 4) as u32
}

// A shader may read every table as words, and the header as a uniform block.
const _: () = {
    assert!(size_of::<Header>().is_multiple_of(16) && size_of::<Header>() == 240);
    assert!(words_of::<Instance>() == 32 && words_of::<Shape>() == 12);
    assert!(words_of::<Layers>() == 136);
    assert!(words_of::<Material>() == 48 && words_of::<Texture>() == 8);
    assert!(words_of::<Emitter>() == 16 && words_of::<Pick>() == 2);
    assert!(words_of::<LightNode>() == 16);
    assert!(words_of::<Node>() == 20 && words_of::<Triangle>() == 12);
};
