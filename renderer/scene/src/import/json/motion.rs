//! What moves, as it is written (glTF 2.0, sections 5.5 and 5.28).

use serde::Deserialize;

use super::{Extensions, List};

#[derive(Deserialize)]
pub struct Animation {
    pub name: Option<String>,
    #[serde(default)]
    pub channels: List<AnimationChannel>,
    #[serde(default)]
    pub samplers: List<AnimationSampler>,
    #[serde(default)]
    pub extensions: Extensions,
}

#[derive(Deserialize)]
pub struct AnimationChannel {
    pub sampler: u32,
    pub target: AnimationTarget,
}

#[derive(Deserialize)]
pub struct AnimationTarget {
    pub node: Option<u32>,
    pub path: String,
    #[serde(default)]
    pub extensions: Extensions,
}

/// `KHR_animation_pointer`.
#[derive(Deserialize)]
pub struct Pointer {
    pub pointer: String,
}

#[derive(Deserialize)]
pub struct AnimationSampler {
    pub input: u32,
    pub interpolation: Option<String>,
    pub output: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skin {
    pub name: Option<String>,
    pub inverse_bind_matrices: Option<u32>,
    pub joints: List<u32>,
}
