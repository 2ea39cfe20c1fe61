//! Scenes on iroh-blobs: each package one blob, held by a tag of its id's text.
//!
//! iroh-blobs 0.104 does not call itself production quality yet, so that what comes out is hashed
//! once more here, and the rest of the crate knows only [`SceneStore`].

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::Connection as Link;
use iroh_blobs::api::Store;
use iroh_blobs::api::blobs::BlobStatus;
use iroh_blobs::api::remote::GetProgressItem;
use iroh_blobs::get::request::get_verified_size;
use iroh_blobs::provider::events::EventSender;
use iroh_blobs::store::GcConfig;
use iroh_blobs::store::fs::{FsStore, options::Options};
use iroh_blobs::{ALPN, Hash, HashAndFormat};
use n0_future::StreamExt as _;
use protocol::{PublicKey, SceneId};
use tokio::time::timeout;

use crate::BoxFuture;
use crate::scenes::{FetchError, FetchProgress, SceneError, SceneStore};

/// How often blobs without a tag are swept out.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// After this much of a fetch the index is written out, so that a kill finds the pieces again.
/// By then the first piece has passed every queue of the store; smaller scenes begin anew.
const INDEX_AFTER_BYTES: u64 = 4 << 20;

pub(crate) struct BlobStore {
    store: FsStore,
    stall: Duration,
}

impl BlobStore {
    pub(crate) async fn open(folder: &Path, stall: Duration) -> Result<Self, SceneError> {
        std::fs::create_dir_all(folder).map_err(|error| SceneError::Store(error.to_string()))?;
        // The store takes an absolute path only.
        let folder =
            std::path::absolute(folder).map_err(|error| SceneError::Store(error.to_string()))?;
        let mut options = Options::new(&folder);
        options.gc = Some(GcConfig { interval: SWEEP_INTERVAL, add_protected: None });
        let store = FsStore::load_with_opts(folder.join("blobs.db"), options).await;
        Ok(Self { store: store.map_err(failed)?, stall })
    }

    fn api(&self) -> &Store {
        &self.store
    }

    /// Whether the scene is held: without its tag it is on its way out.
    async fn tagged(&self, scene: SceneId) -> Result<bool, SceneError> {
        let tag = self.api().tags().get(tag(scene)).await.map_err(failed)?;
        Ok(tag.is_some())
    }

    async fn whole_size(&self, scene: SceneId) -> Result<Option<u64>, SceneError> {
        if !self.tagged(scene).await? {
            return Ok(None);
        }
        match self.api().blobs().status(hash(scene)).await.map_err(failed)? {
            BlobStatus::Complete { size } => Ok(Some(size)),
            _partial_or_missing => Ok(None),
        }
    }

    async fn local_bytes(&self, scene: SceneId) -> Result<u64, SceneError> {
        let local = self.api().remote().local(HashAndFormat::raw(hash(scene))).await;
        Ok(local.map_err(failed)?.local_bytes())
    }

    async fn download(
        &self,
        link: &Link,
        scene: SceneId,
        size_bytes: u64,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), FetchError> {
        let kept_bytes = self.local_bytes(scene).await?;
        progress(FetchProgress { received_bytes: kept_bytes, size_bytes });
        let content = HashAndFormat::raw(hash(scene));
        let mut items = Box::pin(self.api().remote().fetch(link.clone(), content).stream());
        let mut indexed = false;
        let reason = loop {
            match timeout(self.stall, items.next()).await {
                Err(_elapsed) => break format!("nothing came for {:?}", self.stall),
                Ok(Some(GetProgressItem::Progress(bytes))) => {
                    let received_bytes = (kept_bytes + bytes).min(size_bytes);
                    progress(FetchProgress { received_bytes, size_bytes });
                    if !indexed && bytes >= INDEX_AFTER_BYTES {
                        self.api().sync_db().await.map_err(failed)?;
                        indexed = true;
                    }
                }
                Ok(Some(GetProgressItem::Done(_stats))) => return Ok(()),
                Ok(Some(GetProgressItem::Error(error))) => break format!("{error:#}"),
                Ok(None) => break "the transfer ended without a word".to_owned(),
            }
        };
        drop(items);
        let received_bytes = self.local_bytes(scene).await?;
        Err(FetchError::Interrupted { scene, received_bytes, reason })
    }
}

impl SceneStore for BlobStore {
    fn alpn(&self) -> &'static [u8] {
        ALPN
    }

    fn add(&self, bytes: Bytes) -> BoxFuture<'_, Result<SceneId, SceneError>> {
        Box::pin(async move {
            let scene = SceneId(*Hash::new(&bytes).as_bytes());
            let added = self.api().blobs().add_bytes(bytes).with_named_tag(tag(scene)).await;
            added.map_err(failed)?;
            Ok(scene)
        })
    }

    fn size(&self, scene: SceneId) -> BoxFuture<'_, Result<Option<u64>, SceneError>> {
        Box::pin(self.whole_size(scene))
    }

    fn read(&self, scene: SceneId) -> BoxFuture<'_, Result<Bytes, SceneError>> {
        Box::pin(async move {
            if self.whole_size(scene).await?.is_none() {
                return Err(SceneError::Missing(scene));
            }
            let bytes = self.api().blobs().get_bytes(hash(scene)).await.map_err(failed)?;
            if Hash::new(&bytes) == hash(scene) {
                Ok(bytes)
            } else {
                Err(SceneError::Damaged(scene))
            }
        })
    }

    fn remove(&self, scene: SceneId) -> BoxFuture<'_, Result<(), SceneError>> {
        Box::pin(async move {
            self.api().tags().delete(tag(scene)).await.map_err(failed)?;
            Ok(())
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<(SceneId, u64)>, SceneError>> {
        Box::pin(async move {
            let prefix = format!("{}_", SceneId::PREFIX);
            let tags = self.api().tags().list_prefix(prefix).await.map_err(failed)?;
            let mut tags = Box::pin(tags);
            let mut scenes = Vec::new();
            while let Some(tag) = tags.next().await {
                let scene = SceneId(*tag.map_err(failed)?.hash.as_bytes());
                if let Some(size_bytes) = self.whole_size(scene).await? {
                    scenes.push((scene, size_bytes));
                }
            }
            scenes.sort_unstable();
            Ok(scenes)
        })
    }

    fn fetch<'a>(
        &'a self,
        link: &'a Link,
        scene: SceneId,
        size_bytes_max: u64,
        progress: &'a (dyn Fn(FetchProgress) + Send + Sync),
    ) -> BoxFuture<'a, Result<u64, FetchError>> {
        Box::pin(async move {
            let peer = PublicKey(*link.remote_id().as_bytes());
            let not_given = |reason| FetchError::NotGiven { peer, scene, reason };
            let blob = hash(scene);
            let size_bytes = match timeout(self.stall, get_verified_size(link, &blob)).await {
                Ok(Ok((size_bytes, _stats))) => size_bytes,
                Ok(Err(error)) => return Err(not_given(format!("{error:#}"))),
                Err(_elapsed) => return Err(not_given(format!("no word for {:?}", self.stall))),
            };
            if size_bytes > size_bytes_max {
                let limit_bytes = size_bytes_max;
                return Err(FetchError::TooLarge { scene, size_bytes, limit_bytes });
            }
            // The tag comes first: it keeps the pieces of an attempt that breaks off.
            let content = HashAndFormat::raw(blob);
            self.api().tags().set(tag(scene), content).await.map_err(failed)?;
            self.download(link, scene, size_bytes, progress).await?;
            Ok(size_bytes)
        })
    }

    fn serve(&self, link: Link) -> BoxFuture<'static, ()> {
        let store = self.api().clone();
        // The default events refuse pushes: others read, they never write.
        Box::pin(iroh_blobs::provider::handle_connection(link, store, EventSender::DEFAULT))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.api().shutdown().await {
                tracing::warn!(%error, "the store of scenes did not close well");
            }
        })
    }
}

fn hash(scene: SceneId) -> Hash {
    Hash::from_bytes(scene.0)
}

fn tag(scene: SceneId) -> String {
    scene.to_string()
}

fn failed(error: impl std::fmt::Display) -> SceneError {
    SceneError::Store(format!("{error:#}"))
}
