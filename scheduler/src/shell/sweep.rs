//! Jobs that ended long ago expire; films, evidence and scenes that nobody needs any more leave the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use protocol::{Digest, SceneId};
use transport::Scenes;

use super::by_hash::ByHash;
use super::depot::SceneDepot;
use super::desk::DeskHandle;
use super::shared::Proof;
use crate::config::Config;
use crate::core::keep;

/// When scenes were last asked for, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct SceneUses {
    last: Mutex<BTreeMap<SceneId, Instant>>,
}

impl SceneUses {
    /// Somebody has offered the scene, or wants a price for it.
    pub(super) fn touch(&self, scene: SceneId) {
        // A map of times is whole after any panic.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(scene, Instant::now());
    }

    /// Which of these nobody has asked for during its `age`; of one that is new here that counts from now.
    fn idle(&self, scenes: BTreeSet<SceneId>, age: impl Fn(SceneId) -> Duration) -> Vec<SceneId> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|scene, _| scenes.contains(scene));
        let mut is_idle = |scene: &SceneId| {
            last.entry(*scene).or_insert_with(Instant::now).elapsed() >= age(*scene)
        };
        scenes.into_iter().filter(|scene| is_idle(scene)).collect()
    }
}

/// What is swept, and by which rules.
pub(super) struct Sweeper {
    pub(super) desk: DeskHandle,
    pub(super) films: Arc<ByHash>,
    pub(super) evidence: Arc<ByHash>,
    pub(super) scenes: Scenes,
    pub(super) depot: Option<SceneDepot>,
    /// Where several schedulers share the films: whether this one led when it was asked what is needed.
    pub(super) proof: Option<Proof>,
    pub(super) uses: Arc<SceneUses>,
    /// How often; films that are younger stay in any case, for no event may name them yet.
    pub(super) every: Duration,
    /// How long scenes stay that no job needs.
    pub(super) keep_scenes: Duration,
    /// The same of those that their artists do without: as long as a quote may still be ordered.
    pub(super) keep_dropped: Duration,
}

impl Sweeper {
    /// By the operator's rules.
    pub(super) fn new(
        config: &Config,
        desk: DeskHandle,
        (films, evidence): (Arc<ByHash>, Arc<ByHash>),
        (scenes, depot): (Scenes, Option<SceneDepot>),
        (uses, proof): (Arc<SceneUses>, Option<Proof>),
    ) -> Self {
        let every = Duration::from_millis(config.sweep_ms);
        let keep_scenes = Duration::from_millis(config.keep_scenes_ms);
        // Whoever has asked for a price may order for so long, and a sweep takes a while.
        let keep_dropped =
            Duration::from_millis(config.prices.valid_ms.saturating_add(config.sweep_ms));
        let keep_dropped = keep_dropped.min(keep_scenes);
        Self { desk, films, evidence, scenes, depot, proof, uses, every, keep_scenes, keep_dropped }
    }

    /// Sweeps again and again; ends when the desk has.
    pub(super) async fn tend(&self) {
        let mut interval = tokio::time::interval(self.every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let (asked, at) = (Instant::now(), SystemTime::now());
            let needed = self.desk.ask(|desk| {
                let now_ms = desk.now_ms();
                let expired = keep::expired(desk.state(), now_ms);
                if !expired.is_empty() {
                    tracing::info!(jobs = expired.len(), "jobs of long ago expire");
                }
                expired.into_iter().for_each(|event| desk.apply(event));
                let book = &desk.state().book;
                let scenes = (keep::scenes(book), keep::dropped(book));
                (keep::films(book), keep::evidence(book), scenes)
            });
            let Ok((films, evidence, (scenes, dropped))) = needed.await else { return };
            // A scheduler that was frozen wakes with an old book: what came since would be swept away.
            if let Some(mut proof) = self.proof.clone()
                && !proof.led_at(asked).await
            {
                return;
            }
            self.sweep_files("films", &self.films, films, at).await;
            self.sweep_files("evidence", &self.evidence, evidence, at).await;
            if let Err(error) = self.sweep_scenes(&scenes, &dropped, at).await {
                tracing::warn!("the scenes were not swept: {error:#}");
            }
        }
    }

    /// `at` is when it was known what is needed.
    async fn sweep_files(
        &self,
        what: &'static str,
        files: &Arc<ByHash>,
        needed: BTreeSet<Digest>,
        at: SystemTime,
    ) {
        let (files, every) = (files.clone(), self.every);
        let swept = tokio::task::spawn_blocking(move || files.sweep(&needed, every, at)).await;
        match swept.context("sweeping panicked").and_then(|swept| Ok(swept?)) {
            Ok((0, _)) => {}
            Ok((files, bytes)) => tracing::info!(files, bytes, "gone, for nobody needs it: {what}"),
            Err(error) => tracing::warn!("not swept, {what}: {error:#}"),
        }
    }

    /// The same of scenes.
    async fn sweep_scenes(
        &self,
        needed: &BTreeSet<SceneId>,
        dropped: &BTreeSet<SceneId>,
        at: SystemTime,
    ) -> anyhow::Result<()> {
        let here = self.scenes.list().await?.into_iter().map(|(scene, _bytes)| scene);
        let spare = here.filter(|scene| !needed.contains(scene)).collect();
        let age = |scene| match dropped.contains(&scene) {
            true => self.keep_dropped,
            false => self.keep_scenes,
        };
        for scene in self.uses.idle(spare, age) {
            self.scenes.remove(scene).await?;
            tracing::info!(%scene, "a scene that nobody needs is gone");
        }
        if let Some(depot) = &self.depot {
            // What is here is there.
            let here = self.scenes.list().await?.into_iter().map(|(scene, _bytes)| scene);
            let kept = here.chain(needed.iter().copied()).collect();
            let (parts, bytes) = depot.sweep(&kept, self.keep_scenes, at).await?;
            if parts > 0 {
                tracing::info!(parts, bytes, "parts of scenes are gone from object storage");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_idle_when_nobody_has_asked_for_it_for_long() {
        let uses = SceneUses::default();
        let [one, two] = [1, 2].map(|number| SceneId([number; 32]));
        let (all, hour) = (BTreeSet::from([one, two]), Duration::from_secs(3600));
        uses.touch(one);
        assert_eq!(uses.idle(all.clone(), |_| hour), []);
        assert_eq!(uses.idle(all.clone(), |_| Duration::ZERO), [one, two]);
        let early = Instant::now().checked_sub(hour).expect("the machine runs for an hour");
        uses.last.lock().expect("whole").insert(two, early);
        assert_eq!(uses.idle(all.clone(), |_| hour), [two]);
        uses.touch(two);
        assert_eq!(uses.idle(all.clone(), |_| hour), []);
        // One without which its artist does goes sooner, but not before who asked for a price may order.
        let age = |scene| if scene == one { Duration::ZERO } else { hour };
        assert_eq!(uses.idle(all, age), [one]);
    }
}
