//! Scenes in object storage: their parts by hash, and of each scene the list of its parts, so that
//! what two scenes share lies there once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use protocol::{Digest, SceneId, limits, wire};
use tokio::sync::RwLock;
use transport::Scenes;

use super::{Depot, Stored, is_old};

const PARTS: &str = "parts";
const SCENES: &str = "scenes";
/// Bytes of a list of parts: what its largest number takes, and a little.
const LIST_BYTES_MAX: usize = 64 + 40 * limits::SCENE_PARTS_MAX;

/// The scenes on this disk and in object storage.
#[derive(Clone)]
pub(in crate::shell) struct SceneDepot {
    depot: Depot,
    scenes: Scenes,
    /// Nothing is swept away while something is stored that may rest on it.
    sweeps: Arc<RwLock<()>>,
}

impl SceneDepot {
    pub(in crate::shell) fn new(depot: Depot, scenes: Scenes) -> Self {
        Self { depot, scenes, sweeps: Arc::default() }
    }

    /// Copies a scene that is here, unless it is there.
    ///
    /// # Errors
    /// The disk's, the storage's.
    pub(in crate::shell) async fn store(&self, scene: SceneId) -> anyhow::Result<()> {
        let _no_sweep = self.sweeps.read().await;
        let list = name_of_list(scene);
        if let Some(parts) = self.depot.get(&list).await? {
            // As new as one that is stored now.
            self.depot.put(&list, parts).await?;
            return Ok(());
        }
        let parts = self.scenes.parts(scene).await?;
        for part in &parts {
            let name = name_of_part(*part);
            if !self.depot.has(&name).await? {
                self.depot.put(&name, self.scenes.part(scene, *part).await?).await?;
            }
        }
        // Last: what is listed is whole.
        self.depot.put(&list, Bytes::from(wire::encode(&parts))).await?;
        Ok(())
    }

    /// Brings a scene here that is there.
    ///
    /// # Errors
    /// It is not there, or other bytes are; the disk's, the storage's.
    pub(in crate::shell) async fn restore(&self, scene: SceneId) -> anyhow::Result<()> {
        if self.scenes.has(scene).await? {
            return Ok(());
        }
        let list = self.depot.get(&name_of_list(scene)).await?;
        let list = list.context("the scene is not in object storage")?;
        let hashes: Vec<Digest> = wire::decode(&list, LIST_BYTES_MAX)?;
        let mut parts = Vec::new();
        for hash in hashes {
            let part = self.depot.get(&name_of_part(hash)).await?;
            parts.push(part.with_context(|| format!("a part is not in object storage: {hash}"))?);
        }
        let got = self.scenes.add(parts).await?;
        if got != scene {
            self.scenes.remove(got).await?;
            bail!("object storage has other bytes for the scene, that are {got}");
        }
        Ok(())
    }

    /// Removes scenes there that are not among these, and parts of none, all that were older than `age`
    /// when these were known: younger ones may belong to one that is just being stored. How many parts
    /// went, and their bytes.
    ///
    /// # Errors
    /// The storage's.
    pub(in crate::shell) async fn sweep(
        &self,
        kept: &BTreeSet<SceneId>,
        age: Duration,
        at: SystemTime,
    ) -> anyhow::Result<(u64, u64)> {
        let _nothing_is_stored = self.sweeps.write().await;
        let is_old = |stored: &Stored| is_old(stored.modified, age, at);
        let kept: BTreeSet<String> = kept.iter().copied().map(name_of_list).collect();
        let mut needed = BTreeSet::new();
        for stored in self.depot.list(SCENES).await? {
            if is_old(&stored) && !kept.contains(&stored.name) {
                self.depot.remove(&stored.name).await?;
                continue;
            }
            let Some(list) = self.depot.get(&stored.name).await? else { continue };
            let parts: Vec<Digest> = wire::decode(&list, LIST_BYTES_MAX)?;
            needed.extend(parts.into_iter().map(name_of_part));
        }
        let (mut parts, mut bytes) = (0, 0);
        let all = self.depot.list(PARTS).await?;
        for stored in all.into_iter().filter(|it| is_old(it) && !needed.contains(&it.name)) {
            self.depot.remove(&stored.name).await?;
            (parts, bytes) = (parts + 1, bytes + stored.size_bytes);
        }
        Ok((parts, bytes))
    }
}

fn name_of_list(scene: SceneId) -> String {
    format!("{SCENES}/{scene}")
}

fn name_of_part(hash: Digest) -> String {
    format!("{PARTS}/{hash}")
}
