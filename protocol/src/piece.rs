//! A piece of a picture: everything that decides a film's bits.

use serde::{Deserialize, Serialize};

use crate::geometry::Rect;
use crate::id::{Digest, SceneId};
use crate::job::{JobSpec, Unit};
use crate::lease::Engine;
use crate::settings::RenderSettings;
use crate::wire;

/// What a lease has rendered, and what a film is held against.
///
/// A node signs its digest with its film, so that neither side can say later that something else
/// was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// Which unit of which job.
    pub unit: Unit,
    /// The scene package.
    pub scene: SceneId,
    /// Settings of the shot.
    pub settings: RenderSettings,
    /// Time of the frame, seconds.
    pub time_s: f32,
    /// Pixels of the tile.
    pub rect: Rect,
    /// The engine that the job is pinned to.
    pub engine: Engine,
}

impl Piece {
    /// BLAKE3 of the canonical bytes, under a domain of its own.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of("tessera 2026 piece v1", &[&wire::encode(self)])
    }
}

impl JobSpec {
    /// What is rendered for a unit of a job that was ordered by this specification, or `None` where
    /// it has no such shot or tile.
    #[must_use]
    pub fn piece(&self, unit: Unit, engine: Engine) -> Option<Piece> {
        let (settings, time_s) = self.shot_settings(unit.shot)?;
        let rect = self.grid().rect(unit.tile)?;
        Some(Piece { unit, scene: self.scene, settings, time_s, rect, engine })
    }
}
