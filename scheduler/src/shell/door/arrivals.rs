//! Scenes on their way here from the artists who offer them. Of this process only: after a restart
//! they are offered anew, and go on from what is on disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::message::{Refused, RefusedCode};
use protocol::view::SceneArrival;
use protocol::{PublicKey, Reply, SceneId, limits};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use transport::{FetchError, FetchProgress, Scenes};

use super::{Door, chain, refused};
use crate::shell::depot::SceneDepot;

/// Scenes that come from one artist at a time.
const FROM_ONE_MAX: usize = 4;
/// Scenes that come at a time in all: each has a connection's windows in memory.
const AT_ONCE_MAX: usize = 64;

/// Whose scene it is that comes.
type Offered = (PublicKey, SceneId);

/// The transfers under way, and those that have ended and nobody has asked about since.
#[derive(Default)]
pub(in crate::shell) struct Arrivals {
    coming: Arc<Mutex<BTreeMap<Offered, watch::Receiver<Coming>>>>,
}

/// How a transfer stands.
#[derive(Clone)]
enum Coming {
    UnderWay(SceneArrival),
    Whole(SceneArrival),
    Ended(Refused),
}

impl Coming {
    const fn is_over(&self) -> bool {
        !matches!(self, Self::UnderWay(_))
    }
}

impl Arrivals {
    /// The transfer of a scene, begun now if need be.
    fn join(
        &self,
        (scenes, depot): (&Scenes, Option<&SceneDepot>),
        offered: Offered,
        size_bytes: u64,
    ) -> Result<watch::Receiver<Coming>, Refused> {
        let mut coming = self.lock();
        if let Some(state) = coming.get(&offered) {
            return Ok(state.clone());
        }
        // Those that have ended and were not asked about make room.
        if coming.len() >= AT_ONCE_MAX {
            coming.retain(|_offered, state| !state.borrow().is_over());
        }
        let from_one = coming.keys().filter(|(artist, _scene)| *artist == offered.0).count();
        if from_one >= FROM_ONE_MAX || coming.len() >= AT_ONCE_MAX {
            let message = "too many scenes are on their way here; wait until one has come";
            return Err(refused(RefusedCode::Busy, message));
        }
        let nothing =
            SceneArrival { found_bytes: 0, received_bytes: 0, size_bytes, is_whole: false };
        let (tell, state) = watch::channel(Coming::UnderWay(nothing));
        coming.insert(offered, state.clone());
        tokio::spawn(fetch((scenes.clone(), depot.cloned()), offered, size_bytes, tell));
        Ok(state)
    }

    /// Forgets a transfer that has ended, so that the next offer begins another.
    fn forget(&self, offered: Offered) {
        let mut coming = self.lock();
        if coming.get(&offered).is_some_and(|state| state.borrow().is_over()) {
            coming.remove(&offered);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Offered, watch::Receiver<Coming>>> {
        // A map of what is under way is whole after any panic.
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches a scene from its artist and tells how far it is.
async fn fetch(
    (scenes, depot): (Scenes, Option<SceneDepot>),
    (artist, scene): Offered,
    size_bytes: u64,
    tell: watch::Sender<Coming>,
) {
    let begun = Instant::now();
    let mut last = SceneArrival {
        found_bytes: size_bytes,
        received_bytes: size_bytes,
        size_bytes,
        is_whole: true,
    };
    let progress = |report: FetchProgress| {
        let FetchProgress { found_bytes, received_bytes, size_bytes } = report;
        let arrival = SceneArrival { found_bytes, received_bytes, size_bytes, is_whole: false };
        tell.send_replace(Coming::UnderWay(arrival));
    };
    let fetched = scenes.fetch(scene, size_bytes, artist, progress).await;
    let stored = match (&depot, &fetched) {
        (Some(depot), Ok(_)) => depot.store(scene).await,
        _ => Ok(()),
    };
    let coming = match fetched {
        Ok(_) if let Err(error) = &stored => {
            tracing::error!(%scene, "a scene was not stored for the other schedulers: {error:#}");
            let message = "the farm's storage of scenes cannot be reached; try again later";
            Coming::Ended(refused(RefusedCode::Busy, message))
        }
        Ok(size_bytes) => {
            // Without a report it was here before.
            if let Coming::UnderWay(told) = &*tell.borrow()
                && told.received_bytes > 0
            {
                last.found_bytes = told.found_bytes;
            }
            (last.received_bytes, last.size_bytes) = (size_bytes, size_bytes);
            let sent_bytes = size_bytes - last.found_bytes.min(size_bytes);
            let seconds = begun.elapsed().as_secs_f32();
            tracing::info!(%scene, size_bytes, sent_bytes, seconds, "scene is here");
            Coming::Whole(last)
        }
        Err(error) => {
            tracing::info!(%scene, %artist, "a scene did not come: {}", chain(&error));
            // What the artist's next call may heal is worth another.
            let code = match error {
                FetchError::NotConnected(_)
                | FetchError::Unreachable { .. }
                | FetchError::Interrupted { .. } => RefusedCode::Busy,
                _ => RefusedCode::BadScene,
            };
            let message = format!("the scene was not fetched from you: {}", chain(&error));
            Coming::Ended(refused(code, message))
        }
    };
    tell.send_replace(coming);
}

impl Door {
    pub(super) async fn offer_scene(
        &self,
        caller: PublicKey,
        scene: SceneId,
        size_bytes: u64,
        wait_ms: u32,
    ) -> Result<Reply, Refused> {
        if size_bytes > limits::SCENE_BYTES_MAX {
            let message = format!(
                "the scene has {size_bytes} bytes, at most {} are taken; use smaller textures",
                limits::SCENE_BYTES_MAX
            );
            return Err(refused(RefusedCode::BadScene, message));
        }
        self.scene_uses.touch(scene);
        let offered = (caller, scene);
        let mut state =
            self.arrivals.join((&self.scenes, self.depot.as_ref()), offered, size_bytes)?;
        let wait = Duration::from_millis(u64::from(wait_ms)).min(limits::POLL_WAIT_MAX);
        // Whether it is over or the time is, the state says.
        drop(timeout(wait, state.wait_for(Coming::is_over)).await);
        let coming = state.borrow().clone();
        if coming.is_over() {
            self.arrivals.forget(offered);
        }
        match coming {
            Coming::UnderWay(arrival) | Coming::Whole(arrival) => Ok(Reply::Arrival(arrival)),
            Coming::Ended(refused) => Err(refused),
        }
    }
}
