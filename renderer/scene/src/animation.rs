//! What moves: channels of keys on nodes, skins that bend meshes, and morph targets.
//!
//! The model keeps what the file says (glTF 2.0, sections 3.7.2.2, 3.7.3 and 3.11); the renderer
//! evaluates it at a time.

use serde::{Deserialize, Serialize};

/// Keys of one property of one node (glTF 2.0, section 3.11).
///
/// # Shapes and units
/// - `times`: seconds, rising
/// - `values`: `[key][part][component]`. A cubic spline's key has three parts (tangent before,
///   value, tangent behind), any other's one. Components are three of a translation (metres) or
///   a scale, four of a rotation (quaternion x, y, z, w), or one for each of the mesh's morph
///   targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Index of the node. Where its place is moved it has a [`crate::Transform::Trs`].
    pub node: u32,
    /// What of the node the keys give.
    pub property: Property,
    /// What lies between keys. Before the first and after the last, their values hold.
    pub interpolation: Interpolation,
    /// When the keys are.
    pub times: Vec<f32>,
    /// What the keys are.
    pub values: Vec<f32>,
}

/// Keys of one value, as [`Channel`] and [`crate::Variation`] have them.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// What lies between keys.
    pub interpolation: Interpolation,
    /// When they are, seconds, rising.
    pub times: &'a [f32],
    /// What they are: `[key][part][component]`.
    pub values: &'a [f32],
}

impl Channel {
    /// The keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys { interpolation: self.interpolation, times: &self.times, values: &self.values }
    }
}

/// What of a node a channel gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Property {
    /// Its translation.
    Translation,
    /// Its rotation.
    Rotation,
    /// Its scale.
    Scale,
    /// The weights of its mesh's morph targets.
    Weights,
}

/// What lies between two keys (glTF 2.0, appendix C).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interpolation {
    /// The earlier key.
    Step,
    /// A straight line; for rotations the shorter arc.
    Linear,
    /// A cubic Hermite spline.
    CubicSpline,
}

impl Interpolation {
    /// Parts of a key: a spline has a tangent on either side of its value.
    #[must_use]
    pub fn parts(self) -> usize {
        match self {
            Self::Step | Self::Linear => 1,
            Self::CubicSpline => 3,
        }
    }
}

/// What bends a mesh (glTF 2.0, section 3.7.3).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Skin {
    /// A name for people.
    pub name: String,
    /// Indices of the nodes that vertices follow.
    pub joints: Vec<u32>,
    /// For every joint the four columns of an affine matrix, from the mesh's space to the joint's.
    pub inverse_binds: Vec<[[f32; 3]; 4]>,
}

/// A shape to blend in: what is added, times a weight (glTF 2.0, section 3.7.2.2).
///
/// Lists are as long as the primitive's positions, or empty where nothing changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MorphTarget {
    /// Added to positions, metres.
    pub positions: Vec<[f32; 3]>,
    /// Added to normals.
    pub normals: Vec<[f32; 3]>,
    /// Added to tangents; the bitangent's sign stays.
    pub tangents: Vec<[f32; 3]>,
}

impl crate::Mesh {
    /// Morph targets, the same number in every part.
    #[must_use]
    pub fn target_count(&self) -> usize {
        self.primitives.first().map_or(0, |primitive| primitive.targets.len())
    }
}

impl crate::Scene {
    /// For every node whether it shows its mesh as no other node does: bent by a skin, or by
    /// weights of its own.
    #[must_use]
    pub fn bent_nodes(&self) -> Vec<bool> {
        let has_targets = |node: &crate::Node| {
            let mesh = node.mesh.and_then(|mesh| self.meshes.get(mesh as usize));
            mesh.is_some_and(|mesh| mesh.target_count() > 0)
        };
        let is_bent = |node: &crate::Node| {
            node.mesh.is_some() && node.skin.is_some()
                || !node.weights.is_empty() && has_targets(node)
        };
        let mut bent: Vec<bool> = self.nodes.iter().map(is_bent).collect();
        let weighed = self.channels.iter().filter(|channel| channel.property == Property::Weights);
        for node in weighed.map(|channel| channel.node as usize) {
            if let (Some(bent), Some(node)) = (bent.get_mut(node), self.nodes.get(node)) {
                *bent |= has_targets(node);
            }
        }
        bent
    }
}

impl crate::Primitive {
    /// Bytes of its joints, their weights and its morph targets.
    pub(crate) fn motion_bytes(&self) -> usize {
        let target = |target: &MorphTarget| {
            size_of_val(target.positions.as_slice())
                + size_of_val(target.normals.as_slice())
                + size_of_val(target.tangents.as_slice())
        };
        self.joints.iter().map(|set| size_of_val(set.as_slice())).sum::<usize>()
            + self.joint_weights.iter().map(|set| size_of_val(set.as_slice())).sum::<usize>()
            + self.targets.iter().map(target).sum::<usize>()
    }
}

impl crate::Scene {
    /// Bytes of all keys and inverse bind matrices.
    pub(crate) fn motion_bytes(&self) -> usize {
        let keys = |keys: Keys| 4 * (keys.times.len() + keys.values.len());
        let skin = |skin: &Skin| 48 * skin.inverse_binds.len();
        self.channels
            .iter()
            .map(|channel| keys(channel.keys()))
            .chain(self.variations.iter().map(|variation| keys(variation.keys())))
            .chain(self.skins.iter().map(skin))
            .sum()
    }
}
