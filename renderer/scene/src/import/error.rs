//! What can go wrong with a file.

use std::path::PathBuf;

use super::draco::DracoProblem;
use super::meshopt::MeshoptProblem;
use crate::limits::{IMAGE_SIDE_PX_MAX, JSON_BYTES_MAX};
use crate::validate::SceneError;

/// A file that cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is neither `.glb` nor `.gltf`.
    #[error("the file begins with neither \"glTF\" nor JSON; only glTF 2.0 (.glb, .gltf) is read")]
    NotGltf,
    /// The file is of another format.
    #[error("the file is {name}; only glTF 2.0 (.glb, .gltf) is read: {advice}")]
    Foreign {
        /// What it is.
        name: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// A binary glTF of another version.
    #[error("the file is binary glTF version {version}; only version 2 is read")]
    GlbVersion {
        /// Its version.
        version: u32,
    },
    /// The file ends early.
    #[error("the file is cut short: {what} should have {needed} bytes, {available} are there")]
    Truncated {
        /// Which part.
        what: &'static str,
        /// What its header asks for.
        needed: u64,
        /// What is there.
        available: u64,
    },
    /// A binary glTF without JSON at its start.
    #[error("the file's first chunk is not JSON")]
    NoJson,
    /// The JSON is too long.
    #[error("the file's JSON has {bytes} bytes; at most {JSON_BYTES_MAX} are read")]
    JsonTooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The JSON is not glTF.
    #[error("the file's JSON is not valid glTF")]
    Json(#[source] serde_json::Error),
    /// A glTF of another version.
    #[error("the file is glTF {version}; only 2.0 is read")]
    AssetVersion {
        /// Its version.
        version: String,
    },
    /// Extensions without which the file's author did not want it shown.
    #[error("the file requires {}, which Tessera does not support; export it without", names.join(", "))]
    RequiredExtensions {
        /// Their names.
        names: Vec<String>,
    },
    /// Decoded, the scene is too large.
    #[error("the scene needs more than {max} bytes once decoded ({what} ask for {needed} more)")]
    TooLarge {
        /// What asked for the bytes that were too many.
        what: &'static str,
        /// How many it asked for.
        needed: u64,
        /// The limit.
        max: u64,
    },
    /// An index points outside its list.
    #[error("{owner} {owner_index} names {what} {index}, but the file has {count}")]
    Index {
        /// What holds the index.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// What it names.
        what: &'static str,
        /// The index.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// A word that glTF does not know.
    #[error("{owner} {owner_index} has the {what} {value:?}, which glTF 2.0 does not know")]
    Word {
        /// What holds it.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// What it is.
        what: &'static str,
        /// The word.
        value: String,
    },
    /// A part that glTF requires is missing.
    #[error("{owner} {owner_index} has no {what}")]
    Missing {
        /// What should hold it.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// What is missing.
        what: &'static str,
    },
    /// A node has two parents, or is its own ancestor.
    #[error("node {node} {problem}; nodes must form trees")]
    NodeTree {
        /// The node.
        node: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An accessor cannot be read.
    #[error("accessor {accessor} cannot be read")]
    Accessor {
        /// The accessor.
        accessor: u32,
        /// Why.
        #[source]
        problem: AccessorProblem,
    },
    /// A compressed buffer view cannot be decoded.
    #[error("the compressed buffer view {view} cannot be decoded; export the scene again")]
    Meshopt {
        /// The buffer view.
        view: usize,
        /// Why.
        #[source]
        problem: MeshoptProblem,
    },
    /// A primitive's Draco stream cannot be decoded.
    #[error(
        "primitive {primitive} of mesh {mesh} is compressed and cannot be decoded; export it again \
         without Draco, or run `gltf-transform copy` on the file"
    )]
    Draco {
        /// The mesh.
        mesh: usize,
        /// The primitive.
        primitive: usize,
        /// Why.
        #[source]
        problem: DracoProblem,
    },
    /// A primitive cannot be used.
    #[error("primitive {primitive} of mesh {mesh} cannot be used")]
    Primitive {
        /// The mesh.
        mesh: usize,
        /// The primitive.
        primitive: usize,
        /// Why.
        #[source]
        problem: PrimitiveProblem,
    },
    /// A node's instances cannot be used.
    #[error("node {node} has {count} {attribute} values for {instances} instances")]
    Instances {
        /// The node.
        node: u32,
        /// Which attribute.
        attribute: &'static str,
        /// Its length.
        count: usize,
        /// Length of the first attribute.
        instances: usize,
    },
    /// The file has no animation of the asked name.
    #[error("the file has no animation named {name:?}; {}", choices(names))]
    NoAnimation {
        /// The name asked for.
        name: String,
        /// The names there are.
        names: Vec<String>,
    },
    /// The file has no material variant of the asked name.
    #[error("the file has no variant named {name:?}; {}", variants(names))]
    NoVariant {
        /// The name asked for.
        name: String,
        /// The names there are.
        names: Vec<String>,
    },
    /// What a file says under `extras.tessera` cannot be read.
    #[error("extras.tessera of {owner} cannot be read; see docs/extras.md")]
    Extras {
        /// Of what.
        owner: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// What a file says under `extras.tessera` cannot be.
    #[error("extras.tessera of {owner} {problem}; see docs/extras.md")]
    ExtrasProblem {
        /// Of what.
        owner: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A skin has fewer matrices than joints.
    #[error("skin {skin} has {matrices} inverse bind matrices for {joints} joints")]
    InverseBinds {
        /// The skin.
        skin: usize,
        /// How many matrices it has.
        matrices: usize,
        /// How many joints it has.
        joints: usize,
    },
    /// A URI cannot be followed.
    #[error("{owner} {owner_index} has a URI that cannot be followed: {uri:?}")]
    Uri {
        /// What holds it.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// Why.
        #[source]
        problem: UriProblem,
        /// Its first characters.
        uri: String,
    },
    /// An image cannot be decoded.
    #[error("image {image} ({name}) cannot be decoded")]
    Image {
        /// The image.
        image: usize,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        problem: ImageProblem,
    },
    /// An image's bytes are not in the file.
    #[error("the bytes of image {image} cannot be found")]
    ImageBytes {
        /// The image.
        image: usize,
        /// Why.
        #[source]
        problem: AccessorProblem,
    },
    /// The environment cannot be decoded.
    #[error("the environment {} cannot be decoded", path.display())]
    Environment {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        problem: ImageProblem,
    },
    /// The scene breaks a promise of the model.
    #[error("the file holds a scene that cannot be used")]
    Scene(#[from] SceneError),
}

fn choices(names: &[String]) -> String {
    if names.is_empty() {
        "it has none, and stands still".to_owned()
    } else {
        format!("choose one of: {}", names.join(", "))
    }
}

fn variants(names: &[String]) -> String {
    if names.is_empty() {
        "it has none; leave the variant out".to_owned()
    } else {
        format!("choose one of: {}", names.join(", "))
    }
}

/// Why an accessor cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessorProblem {
    /// It has another shape than its use asks for.
    #[error("its type is {found:?} where {expected} is needed")]
    Type {
        /// What its use asks for.
        expected: &'static str,
        /// What it says.
        found: String,
    },
    /// Its component type is unknown or does not fit its use.
    #[error("its component type is {found}, which does not fit its use")]
    ComponentType {
        /// What it says.
        found: u32,
    },
    /// It names something that is not there.
    #[error("it names {what} {index}, but the file has {count}")]
    Index {
        /// What it names.
        what: &'static str,
        /// The index.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// It or its buffer view reaches past the end.
    #[error("its {what} needs bytes {start}..{end} of {available}")]
    OutOfBounds {
        /// Which part of it.
        what: &'static str,
        /// First byte.
        start: u64,
        /// Behind the last byte.
        end: u64,
        /// Bytes that are there.
        available: u64,
    },
    /// Its elements overlap.
    #[error("its stride of {stride} bytes is less than its elements' {size}")]
    Stride {
        /// Its stride.
        stride: u64,
        /// An element's size.
        size: u64,
    },
    /// It has no elements.
    #[error("it is empty")]
    Empty,
    /// Its sparse indices do not rise, or point outside.
    #[error("its sparse index {index} does not follow {previous:?} below {count}")]
    Sparse {
        /// The index.
        index: u32,
        /// The one before.
        previous: Option<u32>,
        /// Elements of the accessor.
        count: u64,
    },
    /// It asks for more memory than the import may use.
    #[error("it asks for {needed} bytes; {left} are left of the import's limit")]
    TooLarge {
        /// What it asks for.
        needed: u64,
        /// What is left.
        left: u64,
    },
}

/// Why a primitive cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrimitiveProblem {
    /// It has no positions.
    #[error("it has no POSITION")]
    NoPositions,
    /// Its attributes differ in length.
    #[error("its {attribute} has {count} elements where its POSITION has {positions}")]
    Lengths {
        /// The attribute.
        attribute: &'static str,
        /// Its length.
        count: usize,
        /// Length of the positions.
        positions: usize,
    },
    /// An index points outside its vertices.
    #[error("its indices name vertex {index}, but it has {count}")]
    Vertex {
        /// The index.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// A vertex is not a number, or out of this world.
    #[error("its {attribute} of vertex {vertex} is {value}; it must be finite and within ±1e9")]
    Value {
        /// The attribute.
        attribute: &'static str,
        /// The vertex.
        vertex: usize,
        /// The number.
        value: String,
    },
    /// It has other morph targets than the mesh's first primitive.
    #[error("it has {count} morph targets where the mesh's first primitive has {first}")]
    Targets {
        /// How many it has.
        count: usize,
        /// How many the first has.
        first: usize,
    },
    /// A mode that glTF does not know.
    #[error("its mode is {mode}; glTF 2.0 knows 0 to 6")]
    Mode {
        /// The mode.
        mode: u32,
    },
}

/// Why a URI cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UriProblem {
    /// It leads out of the scene's folder.
    #[error("it leads out of the scene's folder; put the file beside the scene")]
    Outside,
    /// It is neither a relative path nor `data:`.
    #[error("only relative paths and data: are followed; download the file and put it beside")]
    Scheme,
    /// Its percent signs, backslashes or characters are not valid.
    #[error("it is not a valid relative path")]
    Malformed,
    /// Its base64 is not valid.
    #[error("its data is not valid base64: {0}")]
    Base64(base64::DecodeError),
    /// Its data is not base64.
    #[error("its data is not base64")]
    NotBase64,
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
    /// The file is shorter than the buffer it fills.
    #[error("the buffer should have {needed} bytes, {available} are there")]
    Short {
        /// What the buffer asks for.
        needed: u64,
        /// What is there.
        available: u64,
    },
}

/// Why an image cannot be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// Neither PNG, JPEG, WebP nor KTX 2 (or, for an environment, Radiance HDR).
    #[error("its format is not known; {expected} can be read")]
    Format {
        /// What can be read.
        expected: &'static str,
    },
    /// A side is 0 or too long.
    #[error("it is {width}x{height} px; each side must be 1..={IMAGE_SIDE_PX_MAX} px")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// It asks for more memory than the import may use.
    #[error("it asks for {needed} bytes; {left} are left of the import's limit")]
    TooLarge {
        /// What it asks for.
        needed: u64,
        /// What is left.
        left: u64,
    },
    /// Its data is damaged.
    #[error("its data is damaged")]
    Decode(#[source] image::ImageError),
    /// A KTX 2 image cannot be used.
    #[error("its KTX 2 data cannot be decoded: {what}")]
    Ktx {
        /// Why.
        what: String,
    },
    /// It has neither a URI nor a buffer view.
    #[error("it has neither a URI nor a buffer view")]
    NoSource,
    /// A pixel of the environment is not a number, or too bright.
    #[error("a pixel is {value}; it must be finite and at most 1e12")]
    Pixel {
        /// The number.
        value: f32,
    },
}
