//! `KHR_draco_mesh_compression`: a primitive's triangles and attributes from a Draco stream.
//!
//! The decoder is `draco-core`: Rust without `unsafe`, with limits of its own, which are set to
//! what the import may still take.

use draco_core::decode_limits::DecodeLimits;
use draco_core::decoder_buffer::DecoderBuffer;
use draco_core::mesh::Mesh;
use draco_core::mesh_decoder::MeshDecoder;

use super::accessor::Replaced;
use super::{AccessorProblem, Importer, json};

/// Why a Draco stream cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DracoProblem {
    /// Its bytes are not in the file.
    #[error("its bytes cannot be found")]
    Bytes(#[source] AccessorProblem),
    /// The stream is damaged, or larger than what the import may use.
    #[error("its Draco stream is damaged or too large: {what}")]
    Damaged {
        /// What the decoder says.
        what: String,
    },
    /// An attribute is not in the stream.
    #[error("its Draco stream has no attribute {id} for {attribute}")]
    Missing {
        /// The attribute.
        attribute: String,
        /// The id that the file names.
        id: u32,
    },
    /// An attribute's accessor cannot be read.
    #[error("its {attribute} has an accessor that cannot be read")]
    Accessor {
        /// The attribute.
        attribute: String,
        /// Why.
        #[source]
        problem: AccessorProblem,
    },
    /// An attribute has other components than its accessor says.
    #[error("its {attribute} has {found} components in the Draco stream where {needed} are needed")]
    Components {
        /// The attribute.
        attribute: String,
        /// How many the stream has.
        found: u8,
        /// How many the accessor has.
        needed: usize,
    },
}

use DracoProblem as Problem;

impl Importer<'_> {
    /// Decodes a primitive's stream, if it has one: gives its triangles' corners, and puts the
    /// attributes where accessors look for them.
    pub fn read_draco(&mut self, source: &json::Primitive) -> Result<Option<Vec<u32>>, Problem> {
        let known = source.extensions.known().and_then(|known| known.draco.as_ref());
        let Some(draco) = known else { return Ok(None) };
        let (bytes, _stride) = self.data.view(draco.buffer_view).map_err(Problem::Bytes)?;
        let mesh = decode(bytes, self.budget.left)?;
        let points = mesh.num_points();
        let mut replaced = Vec::new();
        let mut bytes_left = self.budget.left;
        for (attribute, id) in &draco.attributes.0 {
            let name = || attribute.chars().take(80).collect();
            let Some(index) = source.attributes.get(attribute) else { continue };
            let accessor = self
                .data
                .accessor(index)
                .map_err(|problem| Problem::Accessor { attribute: name(), problem })?;
            let found = mesh.attribute_by_unique_id(*id);
            let found = found.ok_or(Problem::Missing { attribute: name(), id: *id })?;
            let needed = match accessor.kind.as_str() {
                "SCALAR" => 1,
                "VEC2" => 2,
                "VEC3" => 3,
                _ => 4,
            };
            if usize::from(found.num_components()) != needed {
                let found = found.num_components();
                return Err(Problem::Components { attribute: name(), found, needed });
            }
            let size = points as u64 * needed as u64 * 4;
            let too_large = || damaged("its attributes are more than the import may take");
            bytes_left = bytes_left.checked_sub(size).ok_or_else(too_large)?;
            let values = found.read_f32s(points, needed);
            let bytes = encode(accessor.component_type, &values);
            replaced.push((index, Replaced { bytes, count: points as u64 }));
        }
        self.data.replaced.extend(replaced);
        let corners = mesh.faces().iter().flatten().map(|point| point.0);
        Ok(Some(corners.collect()))
    }
}

fn decode(bytes: &[u8], bytes_max: u64) -> Result<Mesh, Problem> {
    // A face is three indices, a point at least a position: both fit what is left in the end.
    let limits = DecodeLimits::default()
        .with_max_faces(bytes_max / 12)
        .with_max_points(bytes_max / 12)
        .with_max_decoded_bytes(bytes_max);
    let mut mesh = Mesh::new();
    let mut buffer = DecoderBuffer::new(bytes).with_limits(limits);
    let decoded = MeshDecoder::new().decode(&mut buffer, &mut mesh);
    decoded.map_err(|error| damaged(error.message()))?;
    let points = mesh.num_points();
    // Each point is a vertex of the scene, whatever few values the stream has for them.
    if points as u64 > bytes_max / 12 {
        return Err(damaged("it has more points than the import may take"));
    }
    Ok(mesh)
}

fn damaged(what: &str) -> Problem {
    Problem::Damaged { what: what.chars().take(200).collect() }
}

/// Numbers as an accessor of this component type has them. Types that no accessor has give
/// nothing, which the accessor's reader names.
fn encode(component_type: u32, values: &[f32]) -> Vec<u8> {
    match component_type {
        5120 => values.iter().map(|&value| value as i8 as u8).collect(),
        5121 => values.iter().map(|&value| value as u8).collect(),
        5122 => values.iter().flat_map(|&value| (value as i16).to_le_bytes()).collect(),
        5123 => values.iter().flat_map(|&value| (value as u16).to_le_bytes()).collect(),
        5125 => values.iter().flat_map(|&value| (value as u32).to_le_bytes()).collect(),
        5126 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        _ => Vec::new(),
    }
}
