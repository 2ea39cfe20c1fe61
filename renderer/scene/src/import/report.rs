//! What an import says about what it left out or changed.

use std::collections::BTreeMap;
use std::fmt;

/// What was imported, and what was not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportReport {
    /// What was left out or changed, by name; each once.
    pub warnings: Vec<ImportWarning>,
    /// Nodes.
    pub nodes: usize,
    /// Triangles, each mesh counted once however often it is shown.
    pub triangles: u64,
    /// Textures.
    pub textures: usize,
    /// Bytes of vertices and pixels, decoded.
    pub bytes: u64,
    /// Names of the material variants to choose from.
    pub variants: Vec<String>,
}

/// Something that was left out or changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ImportWarning {
    /// An extension that is not supported.
    Extension {
        /// Its name.
        name: String,
        /// Objects that use it.
        uses: usize,
    },
    /// Animations beside the first.
    OtherAnimations {
        /// The one that is played.
        played: String,
        /// The others.
        others: Vec<String>,
    },
    /// Variants of which none was asked for.
    Variants {
        /// The first of their names.
        names: Vec<String>,
    },
    /// A channel of the animation.
    Channel {
        /// What it moves.
        path: String,
        /// Of this node, or nothing.
        node: String,
        /// Why it is left out.
        why: &'static str,
    },
    /// A channel of the animation that names its place by a pointer.
    Pointer {
        /// The pointer.
        pointer: String,
        /// Why it is left out.
        why: &'static str,
    },
    /// A skin.
    Skin {
        /// Its name.
        skin: String,
        /// Why it is left out.
        why: &'static str,
    },
    /// Weights of joints that do not sum to 1 were scaled.
    JointWeights {
        /// Of this mesh.
        mesh: String,
    },
    /// What a morph target changes beside positions, normals and tangents.
    MorphAttribute {
        /// Its name.
        name: String,
        /// Of this mesh.
        mesh: String,
    },
    /// Points or lines.
    Mode {
        /// POINTS, LINES, `LINE_LOOP` or `LINE_STRIP`.
        mode: &'static str,
        /// Of this mesh.
        mesh: String,
    },
    /// A vertex attribute.
    Attribute {
        /// Its name.
        name: String,
    },
    /// A name under `extras.tessera` that means nothing there.
    Extra {
        /// Of what.
        owner: String,
        /// The name.
        name: String,
    },
    /// Indices that do not fill a last triangle.
    LeftoverIndices {
        /// Of this mesh.
        mesh: String,
    },
    /// Vertex colours outside 0..=1 were moved to the nearer end.
    ColorsClamped {
        /// Of this mesh.
        mesh: String,
    },
    /// Normals or tangents that point nowhere were replaced.
    NoDirection {
        /// NORMAL or TANGENT.
        attribute: &'static str,
        /// Of this mesh.
        mesh: String,
    },
    /// A material reads texture coordinates that the mesh lacks; 0, 0 is used.
    NoTextureCoordinates {
        /// Of this mesh.
        mesh: String,
    },
    /// A texture reads a set of coordinates beyond the second.
    TextureCoordinateSet {
        /// In this material.
        material: String,
        /// The set.
        set: u32,
    },
    /// A factor outside its range was moved to the nearer end.
    FactorClamped {
        /// In this material.
        material: String,
        /// Which factor.
        factor: &'static str,
    },
    /// Occlusion textures.
    OcclusionTexture {
        /// In this material.
        material: String,
    },
    /// Thickness textures.
    ThicknessTexture {
        /// In this material.
        material: String,
    },
    /// A texture without an image that can be read.
    TextureWithoutImage {
        /// In this material.
        material: String,
    },
    /// A texture whose file cannot be had became magenta.
    MissingTexture {
        /// Its name.
        image: String,
    },
    /// An image of 16 bits a channel was rounded to 8.
    DeepImage {
        /// Its name.
        image: String,
    },
    /// A node has a matrix and a translation, rotation or scale; the matrix is used.
    TwoTransforms {
        /// The node's name.
        node: String,
    },
    /// Scenes beside the shown one.
    OtherScenes {
        /// How many.
        count: usize,
    },
    /// A spot light's cones that were not in order.
    SpotCones {
        /// Its name.
        light: String,
    },
    /// Chunks of a binary glTF that are neither JSON nor binary, or bytes behind its end.
    ExtraBytes {
        /// How many bytes.
        count: u64,
    },
}

impl fmt::Display for ImportWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension { name, uses: 0 } => {
                write!(f, "{name} is declared but not supported; {}", without(name))
            }
            Self::Extension { name, uses } => {
                write!(f, "{name} ({uses} uses) is not supported; {}", without(name))
            }
            Self::OtherAnimations { played, others } => write!(
                f,
                "the animation {played} is played; others are left out: {}",
                others.join(", ")
            ),
            Self::Variants { names } => write!(
                f,
                "the materials without a variant are shown; there are variants: {}",
                names.join(", ")
            ),
            Self::Channel { path, node, why } => {
                write!(f, "the animation's channel for the {path} of {node} is left out: {why}")
            }
            Self::Pointer { pointer, why } => {
                write!(f, "the animation's channel for {pointer} is left out: {why}")
            }
            Self::Skin { skin, why } => {
                write!(f, "skin {skin} is left out, its meshes keep their bind pose: {why}")
            }
            Self::JointWeights { mesh } => {
                write!(f, "joint weights of mesh {mesh} do not sum to 1 and were scaled")
            }
            Self::MorphAttribute { name, mesh } => {
                write!(f, "{name} of the morph targets of mesh {mesh} is left out")
            }
            Self::Mode { mode, mesh } => {
                write!(f, "{mode} of mesh {mesh} are left out; only triangles are rendered")
            }
            Self::Attribute { name } => write!(f, "the vertex attribute {name} is left out"),
            Self::Extra { owner, name } => {
                write!(f, "extras.tessera.{name} of {owner} means nothing there and is left out")
            }
            Self::LeftoverIndices { mesh } => {
                write!(f, "mesh {mesh} has indices that fill no triangle; they are left out")
            }
            Self::ColorsClamped { mesh } => {
                write!(f, "vertex colours of mesh {mesh} lie outside 0..1 and were clamped")
            }
            Self::NoDirection { attribute, mesh } => write!(
                f,
                "mesh {mesh} has {attribute} vectors of no direction; they were computed anew"
            ),
            Self::NoTextureCoordinates { mesh } => write!(
                f,
                "mesh {mesh} lacks texture coordinates that its material reads; 0, 0 is used"
            ),
            Self::TextureCoordinateSet { material, set } => write!(
                f,
                "a texture of material {material} reads TEXCOORD_{set}; only 0 and 1 are \
                 supported, the texture is left out"
            ),
            Self::FactorClamped { material, factor } => {
                write!(f, "the {factor} of material {material} is out of range and was clamped")
            }
            Self::OcclusionTexture { material } => write!(
                f,
                "the occlusion texture of material {material} is left out; path tracing finds \
                 occlusion itself"
            ),
            Self::ThicknessTexture { material } => write!(
                f,
                "the thickness texture of material {material} is left out; path tracing finds the \
                 thickness itself"
            ),
            Self::TextureWithoutImage { material } => write!(
                f,
                "a texture of material {material} has no PNG, JPEG, WebP or KTX 2 image and is left out"
            ),
            Self::MissingTexture { image } => {
                write!(f, "the file of image {image} cannot be had; it is shown in magenta")
            }
            Self::DeepImage { image } => {
                write!(f, "image {image} has 16 bits a channel and was rounded to 8")
            }
            Self::TwoTransforms { node } => write!(
                f,
                "node {node} has a matrix and a translation, rotation or scale; the matrix is used"
            ),
            Self::OtherScenes { count } => {
                write!(f, "{count} other scenes of the file are left out")
            }
            Self::SpotCones { light } => {
                write!(f, "the cones of spot light {light} were out of order and were adjusted")
            }
            Self::ExtraBytes { count } => {
                write!(f, "{count} bytes of the file are neither JSON nor binary data")
            }
        }
    }
}

/// What an unsupported extension's objects look like instead.
fn without(name: &str) -> &'static str {
    match name {
        "MSFT_texture_dds" => "its textures use their fallback image",
        _ if name.starts_with("KHR_materials_") => "its materials are shown without it",
        _ => "the scene is shown without it",
    }
}

/// Collects warnings; equal ones are one, and a flood of them stays bounded.
#[derive(Default)]
pub struct Warnings(BTreeMap<ImportWarning, ()>);

/// More are not kept: nobody reads them.
const WARNINGS_MAX: usize = 1000;

impl Warnings {
    pub fn push(&mut self, warning: ImportWarning) {
        if self.0.len() < WARNINGS_MAX {
            self.0.insert(warning, ());
        }
    }

    pub fn into_vec(self) -> Vec<ImportWarning> {
        self.0.into_keys().collect()
    }
}
