//! What an artist wants for all of his jobs.

use protocol::{JobId, PublicKey, SceneId};

use crate::core::state::Book;

/// Keeps somebody off an artist's jobs, or lets him back. Leases that are out go on.
pub(super) fn block(book: &mut Book, artist: PublicKey, who: PublicKey, since_ms: Option<u64>) {
    book.blocks.set(artist, who, since_ms);
    let active = book.active.values().copied();
    let own: Vec<JobId> = active.filter(|id| book.jobs[id].artist == artist).collect();
    for id in own {
        book.job_mut(id).version += 1;
    }
}

/// Does without a scene for those of an artist's jobs that are over.
pub(super) fn drop_scene(book: &mut Book, artist: PublicKey, scene: SceneId) {
    let over = book.jobs.values().filter(|job| {
        job.artist == artist && job.spec.scene == scene && job.is_over() && !job.scene_dropped
    });
    let over: Vec<JobId> = over.map(|job| job.id).collect();
    for id in over {
        let job = book.job_mut(id);
        job.scene_dropped = true;
        job.version += 1;
    }
}
