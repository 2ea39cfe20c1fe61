//! Files and scenes.

use std::collections::BTreeMap;

use client::{SceneAsks, SceneImport};
use protocol::view::SceneArrival;
use serde::{Deserialize, Serialize};

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FileState {
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Bytes that are here.
    pub received_bytes: u64,
    /// Whether all of it is here, and its hash right.
    pub complete: bool,
}

/// A scene to be made of files that are here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewScene {
    /// The path of its `.glb` or `.gltf` file.
    #[schema(example = "shot.gltf")]
    pub root: String,
    /// SHA-256 of each file by its path, forward slashes.
    pub files: BTreeMap<String, String>,
    /// How it is read.
    #[serde(default)]
    pub import: SceneImport,
}

/// A scene.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Scene {
    /// Its id, `scn_…`: the same for the same content.
    pub scene: String,
    /// The path of its `.glb` or `.gltf` file.
    pub root: String,
    /// When it was made here.
    pub created: String,
    /// Bytes of its package, as nodes fetch it.
    pub size_bytes: u64,
    /// What of it was not imported, and what to do.
    pub warnings: Vec<String>,
    /// Names of its cameras.
    pub cameras: Vec<String>,
    /// What it asks of its pictures.
    pub asks: SceneAsks,
    /// Its animation.
    pub animation: Option<Animation>,
    /// How far it has come to the farm.
    pub at_farm: Arrival,
}

/// A scene's animation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Animation {
    /// Its first frame.
    pub first_frame: u32,
    /// Its last frame at this rate.
    pub last_frame: u32,
    /// Frames a second that the frames are counted by.
    pub fps: f32,
}

/// How far a scene has come to the farm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Arrival {
    /// Bytes that are there.
    pub received_bytes: u64,
    /// Bytes of its package.
    pub size_bytes: u64,
    /// Whether it can be quoted.
    pub whole: bool,
}

impl From<SceneArrival> for Arrival {
    fn from(arrival: SceneArrival) -> Self {
        let SceneArrival { received_bytes, size_bytes, is_whole, .. } = arrival;
        Self { received_bytes, size_bytes, whole: is_whole }
    }
}
