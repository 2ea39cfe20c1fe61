//! Which scenes stay on disk: the most recently used, within a limit of bytes.

use std::collections::BTreeMap;

use protocol::{Digest, SceneId};
use transport::Part;

/// Parts and last uses of the scenes on disk. Pure: it says what to remove, others do it.
///
/// A part that several scenes share is there once, and counts once.
#[derive(Debug)]
pub(crate) struct SceneCache {
    limit_bytes: u64,
    uses: u64,
    scenes: BTreeMap<SceneId, Entry>,
    parts: BTreeMap<Digest, Shared>,
    total_bytes: u64,
}

#[derive(Debug)]
struct Entry {
    parts: Vec<Digest>,
    last_use: u64,
}

/// A part, and how many scenes have it.
#[derive(Debug, Default)]
struct Shared {
    size_bytes: u64,
    scenes: u32,
}

impl SceneCache {
    /// An empty cache.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        let (scenes, parts) = (BTreeMap::new(), BTreeMap::new());
        Self { limit_bytes, uses: 0, scenes, parts, total_bytes: 0 }
    }

    /// Keeps to another limit from the next use on.
    pub(crate) fn set_limit(&mut self, limit_bytes: u64) {
        self.limit_bytes = limit_bytes;
    }

    /// Bytes of all scenes together.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Most bytes that one scene may have.
    pub(crate) fn scene_bytes_max(&self) -> u64 {
        self.limit_bytes.min(protocol::limits::SCENE_BYTES_MAX)
    }

    /// Notes a use of a scene of which these parts are here, each named once, and returns the
    /// scenes to remove: the least recently used ones that `pinned` does not hold and without
    /// which something is freed, until the rest fits.
    pub(crate) fn touch(
        &mut self,
        scene: SceneId,
        parts: &[Part],
        pinned: impl Fn(SceneId) -> bool,
    ) -> Vec<SceneId> {
        self.uses += 1;
        self.forget(scene);
        for part in parts {
            let shared = self.parts.entry(part.hash).or_default();
            // As it is now: it may have grown since another scene told of it.
            self.total_bytes = self.total_bytes - shared.size_bytes + part.size_bytes;
            shared.size_bytes = part.size_bytes;
            shared.scenes += 1;
        }
        let parts = parts.iter().map(|part| part.hash).collect();
        self.scenes.insert(scene, Entry { parts, last_use: self.uses });
        let mut removed = Vec::new();
        while self.total_bytes > self.limit_bytes {
            let free = self
                .scenes
                .iter()
                .filter(|(id, entry)| **id != scene && !pinned(**id) && self.own_bytes(entry) > 0);
            let oldest = free.min_by_key(|(id, entry)| (entry.last_use, **id)).map(|(id, _)| *id);
            let Some(oldest) = oldest else { break };
            self.forget(oldest);
            removed.push(oldest);
        }
        removed
    }

    /// Bytes that would be free without a scene.
    fn own_bytes(&self, entry: &Entry) -> u64 {
        let shared = entry.parts.iter().filter_map(|part| self.parts.get(part));
        shared.filter(|part| part.scenes == 1).map(|part| part.size_bytes).sum()
    }

    /// Takes a scene out of the count.
    pub(crate) fn forget(&mut self, scene: SceneId) {
        let Some(entry) = self.scenes.remove(&scene) else { return };
        for part in entry.parts {
            let shared =
                self.parts.get_mut(&part).expect("invariant: every scene's parts are here");
            shared.scenes -= 1;
            if shared.scenes == 0 {
                self.total_bytes -= shared.size_bytes;
                self.parts.remove(&part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SceneId = SceneId([1; 32]);
    const B: SceneId = SceneId([2; 32]);
    const C: SceneId = SceneId([3; 32]);

    fn part(number: u8, size_bytes: u64) -> Part {
        Part { hash: Digest([number; 32]), size_bytes }
    }

    fn cache(limit_bytes: u64, scenes: &[(SceneId, &[Part])]) -> SceneCache {
        let mut cache = SceneCache::new(limit_bytes);
        for (scene, parts) in scenes {
            cache.touch(*scene, parts, |_| true);
        }
        cache
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = SceneCache::new(100);
        assert!(cache.touch(A, &[part(1, 40)], |_| false).is_empty());
        assert!(cache.touch(B, &[part(2, 40)], |_| false).is_empty());
        assert!(cache.touch(A, &[part(1, 40)], |_| false).is_empty());
        assert_eq!(cache.touch(C, &[part(3, 40)], |_| false), [B]);
        assert_eq!(cache.touch(B, &[part(2, 100)], |_| false), [A, C]);
    }

    #[test]
    fn another_limit_is_kept_from_the_next_use_on() {
        let mut cache = cache(100, &[(A, &[part(1, 40)]), (B, &[part(2, 40)])]);
        cache.set_limit(50);
        assert_eq!((cache.total_bytes(), cache.scene_bytes_max()), (80, 50));
        assert_eq!(cache.touch(C, &[part(3, 10)], |_| false), [A]);
        assert_eq!(cache.total_bytes(), 50);
    }

    #[test]
    fn what_is_in_use_stays() {
        let mut cache = cache(100, &[(A, &[part(1, 60)]), (B, &[part(2, 40)])]);
        assert_eq!(cache.touch(C, &[part(3, 50)], |scene| scene == A), [B]);
        let over = cache.touch(B, &[part(2, 90)], |_| true);
        assert!(over.is_empty(), "over the limit rather than broken");
        assert_eq!(cache.scene_bytes_max(), 100);
    }

    #[test]
    fn what_scenes_share_counts_once_and_stays_while_one_of_them_does() {
        let shared = part(9, 70);
        let of_a: &[Part] = &[part(1, 10), shared];
        let mut cache = cache(100, &[(A, of_a), (B, &[part(2, 10), shared])]);
        assert_eq!(cache.total_bytes, 90);
        assert_eq!(cache.touch(C, &[part(3, 10), shared], |_| false), []);
        assert_eq!(cache.total_bytes, 100);
        // The oldest frees its own part alone, then the next.
        let removed = cache.touch(SceneId([4; 32]), &[part(4, 15)], |_| false);
        assert_eq!((removed, cache.total_bytes), (vec![A, B], 95));
        // The last that shares it takes it along.
        assert_eq!(cache.touch(SceneId([5; 32]), &[part(5, 85)], |_| false), [C]);
        assert_eq!(cache.total_bytes, 100);
    }

    #[test]
    fn a_scene_without_which_nothing_is_freed_is_left_alone() {
        let (one, two) = (part(1, 50), part(2, 50));
        let mut cache = cache(100, &[(A, &[one]), (B, &[one, two])]);
        assert_eq!(cache.touch(C, &[part(3, 10)], |scene| scene == B), []);
        assert_eq!(cache.touch(C, &[part(3, 10)], |_| false), [B]);
    }

    #[test]
    fn a_part_that_has_grown_counts_as_it_is() {
        let mut cache = cache(100, &[(A, &[part(1, 5)])]);
        assert!(cache.touch(B, &[part(1, 60)], |_| false).is_empty());
        assert_eq!(cache.total_bytes, 60);
        cache.forget(B);
        assert_eq!(cache.total_bytes, 60, "A has it still");
        cache.forget(A);
        assert_eq!((cache.total_bytes, cache.parts.len()), (0, 0));
    }
}
