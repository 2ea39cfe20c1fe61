//! Which scenes stay on disk: the most recently used, within a limit of bytes.

use std::collections::BTreeMap;

use protocol::SceneId;

/// Sizes and last uses of the scenes on disk. Pure: it says what to remove, others do it.
#[derive(Debug)]
pub(crate) struct SceneCache {
    limit_bytes: u64,
    uses: u64,
    scenes: BTreeMap<SceneId, Entry>,
}

#[derive(Debug)]
struct Entry {
    size_bytes: u64,
    last_use: u64,
}

impl SceneCache {
    /// A cache with what is on disk already; their order is not known any more.
    pub(crate) fn new(limit_bytes: u64, scenes: impl IntoIterator<Item = (SceneId, u64)>) -> Self {
        let entry = |(scene, size_bytes)| (scene, Entry { size_bytes, last_use: 0 });
        Self { limit_bytes, uses: 0, scenes: scenes.into_iter().map(entry).collect() }
    }

    /// Most bytes that one scene may have.
    pub(crate) fn scene_bytes_max(&self) -> u64 {
        self.limit_bytes.min(protocol::limits::SCENE_BYTES_MAX)
    }

    /// Notes a use, and returns the scenes to remove: the least recently used ones that
    /// `pinned` does not hold, until the rest fits.
    pub(crate) fn touch(
        &mut self,
        scene: SceneId,
        size_bytes: u64,
        pinned: impl Fn(SceneId) -> bool,
    ) -> Vec<SceneId> {
        self.uses += 1;
        self.scenes.insert(scene, Entry { size_bytes, last_use: self.uses });
        let mut removed = Vec::new();
        let mut total: u64 = self.scenes.values().map(|entry| entry.size_bytes).sum();
        while total > self.limit_bytes {
            let free = self.scenes.iter().filter(|(id, _)| **id != scene && !pinned(**id));
            let oldest = free.min_by_key(|(id, entry)| (entry.last_use, **id)).map(|(id, _)| *id);
            let Some(oldest) = oldest else { break };
            total -= self.scenes.remove(&oldest).map_or(0, |entry| entry.size_bytes);
            removed.push(oldest);
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SceneId = SceneId([1; 32]);
    const B: SceneId = SceneId([2; 32]);
    const C: SceneId = SceneId([3; 32]);

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = SceneCache::new(100, []);
        assert!(cache.touch(A, 40, |_| false).is_empty());
        assert!(cache.touch(B, 40, |_| false).is_empty());
        assert!(cache.touch(A, 40, |_| false).is_empty());
        assert_eq!(cache.touch(C, 40, |_| false), [B]);
        assert_eq!(cache.touch(B, 100, |_| false), [A, C]);
    }

    #[test]
    fn what_is_in_use_stays() {
        let mut cache = SceneCache::new(100, [(A, 60), (B, 40)]);
        assert_eq!(cache.touch(C, 50, |scene| scene == A), [B]);
        assert!(cache.touch(B, 90, |_| true).is_empty(), "over the limit rather than broken");
        assert_eq!(cache.scene_bytes_max(), 100);
    }
}
