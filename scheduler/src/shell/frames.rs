//! Prepared frames: kept while they are in use, so that `prepare` is paid once.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Digest, RenderSettings, SceneId, encode};
use renderer::RenderScene;
use scene::Scene;
use transport::{SceneError, Scenes};

/// Unpacked scenes kept: an animation prepares one again and again.
const SCENES_KEPT: usize = 2;

/// Scenes and frames, the latest used first.
pub(super) struct Frames {
    store: Scenes,
    runtime: tokio::runtime::Handle,
    scenes: Mutex<Vec<(SceneId, Arc<Unpacked>)>>,
    frames: Mutex<Vec<(Digest, Arc<RenderScene>)>>,
    frames_kept: usize,
}

/// A scene, and how large its package is.
struct Unpacked {
    scene: Scene,
    package_bytes: u64,
}

/// A frame that cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The store does not give the scene.
    #[error("the scene is not here: {scene}")]
    Store {
        /// The scene.
        scene: SceneId,
        /// What the store said.
        #[source]
        source: SceneError,
    },
    /// The package is not a scene.
    #[error("the package is not a scene that can be rendered: {scene}")]
    Unpack {
        /// The scene.
        scene: SceneId,
        /// Why.
        #[source]
        source: scene::UnpackError,
    },
    /// The scene cannot be rendered with these settings.
    #[error("the scene cannot be rendered with these settings: {scene}")]
    Prepare {
        /// The scene.
        scene: SceneId,
        /// Why.
        #[source]
        source: renderer::PrepareError,
    },
}

impl Frames {
    pub(super) fn new(store: Scenes, runtime: tokio::runtime::Handle, frames_kept: usize) -> Self {
        let (scenes, frames) = (Mutex::default(), Mutex::default());
        Self { store, runtime, scenes, frames, frames_kept }
    }

    /// A frame, prepared. Blocks: for threads, never for tasks.
    pub(super) fn frame(
        &self,
        id: SceneId,
        settings: &RenderSettings,
        time_s: f32,
    ) -> Result<Arc<RenderScene>, FrameError> {
        let parts: [&[u8]; 3] = [&id.0, &encode(settings), &time_s.to_bits().to_le_bytes()];
        let key = Digest::of("tessera 2026 prepared frame v1", &parts);
        if let Some(frame) = touch(&self.frames, &key) {
            return Ok(frame);
        }
        let frame = self.prepared(id, settings, time_s)?;
        Ok(keep(&self.frames, self.frames_kept, key, Arc::new(frame)))
    }

    /// A frame, prepared anew and not kept. Blocks.
    pub(super) fn prepared(
        &self,
        id: SceneId,
        settings: &RenderSettings,
        time_s: f32,
    ) -> Result<RenderScene, FrameError> {
        let unpacked = self.unpacked(id)?;
        renderer::prepare(&unpacked.scene, settings, time_s)
            .map_err(|source| FrameError::Prepare { scene: id, source })
    }

    /// Bytes of a scene's package. Blocks.
    pub(super) fn package_bytes(&self, id: SceneId) -> Result<u64, FrameError> {
        Ok(self.unpacked(id)?.package_bytes)
    }

    fn unpacked(&self, id: SceneId) -> Result<Arc<Unpacked>, FrameError> {
        if let Some(scene) = touch(&self.scenes, &id) {
            return Ok(scene);
        }
        let bytes = self
            .runtime
            .block_on(self.store.read(id))
            .map_err(|source| FrameError::Store { scene: id, source })?;
        let scene = scene::unpack_as(id, &bytes)
            .map_err(|source| FrameError::Unpack { scene: id, source })?;
        let unpacked = Unpacked { scene, package_bytes: bytes.len() as u64 };
        Ok(keep(&self.scenes, SCENES_KEPT, id, Arc::new(unpacked)))
    }
}

/// Finds an item and moves it to the front.
fn touch<K: PartialEq, V>(list: &Mutex<Vec<(K, Arc<V>)>>, key: &K) -> Option<Arc<V>> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    let place = list.iter().position(|(other, _)| other == key)?;
    list[..=place].rotate_right(1);
    list.first().map(|(_, item)| item.clone())
}

/// Puts an item to the front and drops the last ones.
fn keep<K, V>(list: &Mutex<Vec<(K, Arc<V>)>>, max: usize, key: K, item: Arc<V>) -> Arc<V> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.insert(0, (key, item.clone()));
    list.truncate(max);
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_goes_first() {
        let list = Mutex::new(Vec::new());
        for key in [1, 2] {
            keep(&list, 2, key, Arc::new(key * 10));
        }
        assert_eq!(touch(&list, &1).as_deref(), Some(&10));
        keep(&list, 2, 3, Arc::new(30));
        assert!(touch(&list, &2).is_none());
        assert_eq!(touch(&list, &1).as_deref(), Some(&10));
    }
}
