//! What a scene may break.

use crate::limits::{IMAGE_SIDE_PX_MAX, NAME_BYTES_MAX};

/// A scene that breaks a promise of the model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SceneError {
    /// A list is too long.
    #[error("the scene has {count} {what}; at most {max} can be used")]
    TooMany {
        /// What is listed.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many there may be.
        max: u64,
    },
    /// A name is too long.
    #[error("a name of {bytes} bytes is too long; at most {NAME_BYTES_MAX}")]
    Name {
        /// Its length.
        bytes: usize,
    },
    /// An index points outside its list.
    #[error("{owner} {owner_index} points at {what} {index}, but there are only {count}")]
    Index {
        /// What holds the index.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// What it points at.
        what: &'static str,
        /// The index.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// A node's parent does not come before it.
    #[error("node {node} has parent {parent}; parents must come before their children")]
    NodeOrder {
        /// The node.
        node: usize,
        /// Its parent.
        parent: u32,
    },
    /// A number is not finite or out of range.
    #[error("{owner} {owner_index} has {what} {value}; it must be {range}")]
    Value {
        /// What holds the number.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// What the number is.
        what: &'static str,
        /// The number.
        value: f32,
        /// What it may be.
        range: &'static str,
    },
    /// Lists that belong together differ in length.
    #[error("mesh {mesh} has {count} {what} for {positions} positions")]
    Lengths {
        /// The mesh.
        mesh: usize,
        /// Which list.
        what: &'static str,
        /// Its length.
        count: usize,
        /// Length of the positions.
        positions: usize,
    },
    /// A vertex list that the material needs is empty.
    #[error("mesh {mesh} has no {what}, which its material {material} needs")]
    Missing {
        /// The mesh.
        mesh: usize,
        /// What it lacks.
        what: &'static str,
        /// The material.
        material: u32,
    },
    /// An image's size and pixels disagree, or its size is out of range.
    #[error(
        "image {image} of {width}x{height} px with {bytes} bytes of pixels cannot be; \
         each side must be 1..={IMAGE_SIDE_PX_MAX} px and the pixels must fill it"
    )]
    ImageSize {
        /// The image.
        image: usize,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Bytes of its pixels.
        bytes: usize,
    },
    /// Keys and values differ in number.
    #[error("{owner} {owner_index} has {count} values for {keys} keys; {expected} are needed")]
    Keys {
        /// Channel or variation.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// How many values it has.
        count: usize,
        /// How many keys it has.
        keys: usize,
        /// How many values these keys have.
        expected: usize,
    },
    /// Something that moves does not fit what it moves.
    #[error("{owner} {owner_index} {problem}")]
    Broken {
        /// What is wrong.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A texture names an image of floats, or an environment one of bytes.
    #[error("{owner} {owner_index} names image {image}, whose pixels are of the other kind")]
    ImageKind {
        /// What names it.
        owner: &'static str,
        /// Which one.
        owner_index: usize,
        /// The image.
        image: u32,
    },
}
