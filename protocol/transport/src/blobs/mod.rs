//! Scenes on iroh-blobs: each part of a package one blob, each scene a sequence of their hashes,
//! held by a tag of its id's text. A tag holds its parts, so that what two scenes share stays
//! while either does, and is kept and fetched once.
//!
//! iroh-blobs 0.104 does not call itself production quality yet, so that what comes out is hashed
//! once more here, and the rest of the crate knows only [`SceneStore`].

mod paced;
mod sequence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::Connection as Link;
use iroh_blobs::api::Store;
use iroh_blobs::api::blobs::{Bitfield, BlobStatus};
use iroh_blobs::api::remote::GetProgressItem;
use iroh_blobs::protocol::{ChunkRanges, GetRequest};
use iroh_blobs::provider::events::{
    AbortReason, EventMask, EventSender, ObserveMode, ProviderMessage, RequestMode, ThrottleMode,
};
use iroh_blobs::store::GcConfig;
use iroh_blobs::store::fs::{FsStore, options::Options};
use iroh_blobs::{ALPN, BlobFormat, Hash};
use n0_future::StreamExt as _;
use protocol::{Digest, PublicKey, SceneId};
use tokio::time::timeout;

use crate::BoxFuture;
use crate::pace::Pace;
use crate::scenes::{FetchError, FetchProgress, Held, Part, SceneError, SceneStore, Usher};
use sequence::{Sequence, SequenceError};

/// How often blobs without a tag are swept out.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// After this much of a fetch the index is written out, so that a kill finds the pieces again.
/// By then the first piece has passed every queue of the store; smaller scenes begin anew.
const INDEX_AFTER_BYTES: u64 = 4 << 20;

/// Questions about what is given that wait for an answer: each stands for 16 KiB at most.
const GIVEN_EVENTS: usize = 16;

/// Attempts within a fetch: a sweep that had begun before the scene's tag was set may still take
/// parts that nothing held until then.
const ROUNDS: u32 = 3;

pub(crate) struct BlobStore {
    store: FsStore,
    stall: Duration,
    /// Of what is fetched.
    down: Option<Arc<Pace>>,
    /// Of what connected peers fetch.
    up: Option<Arc<Pace>>,
    /// Scenes that were found whole. Nobody else writes to the store.
    whole: Mutex<BTreeMap<SceneId, Arc<Held>>>,
}

/// What of a scene is here.
struct Stock {
    sequence: Sequence,
    /// Of every part.
    parts: BTreeMap<Digest, Bitfield>,
}

/// What of a scene is not here.
struct Lack {
    request: GetRequest,
    bytes: u64,
}

impl BlobStore {
    pub(crate) async fn open(
        folder: &Path,
        stall: Duration,
        paces: Option<(Arc<Pace>, Arc<Pace>)>,
    ) -> Result<Self, SceneError> {
        let store = Self::open_swept(folder, stall, SWEEP_INTERVAL).await?;
        let (down, up) = paces.unzip();
        Ok(Self { down, up, ..store })
    }

    async fn open_swept(
        folder: &Path,
        stall: Duration,
        sweep_interval: Duration,
    ) -> Result<Self, SceneError> {
        std::fs::create_dir_all(folder).map_err(|error| SceneError::Store(error.to_string()))?;
        // The store takes an absolute path only.
        let folder =
            std::path::absolute(folder).map_err(|error| SceneError::Store(error.to_string()))?;
        let mut options = Options::new(&folder);
        options.gc = Some(GcConfig { interval: sweep_interval, add_protected: None });
        let store = FsStore::load_with_opts(folder.join("blobs.db"), options).await;
        let store = store.map_err(|error| match format!("{error:#}") {
            words if words.contains("already open") => SceneError::InUse(folder.clone()),
            words => SceneError::Store(words),
        })?;
        let store = Self { store, stall, down: None, up: None, whole: Mutex::default() };
        store.forget_uncut().await?;
        Ok(store)
    }

    fn api(&self) -> &Store {
        &self.store
    }

    fn whole(&self) -> MutexGuard<'_, BTreeMap<SceneId, Arc<Held>>> {
        // A map of what was found is whole after any panic.
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of packages that earlier releases kept in one piece: nothing reads them any more.
    async fn forget_uncut(&self) -> Result<(), SceneError> {
        for (name, format) in self.tags().await? {
            if format != BlobFormat::HashSeq {
                tracing::info!("a scene of an earlier release is dropped: {name}");
                self.api().tags().delete(name).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn tags(&self) -> Result<Vec<(String, BlobFormat)>, SceneError> {
        let prefix = format!("{}_", SceneId::PREFIX);
        let mut tags = Box::pin(self.api().tags().list_prefix(prefix).await.map_err(failed)?);
        let mut found = Vec::new();
        while let Some(tag) = tags.next().await {
            let tag = tag.map_err(failed)?;
            found.push((String::from_utf8_lossy(tag.name.as_ref()).into_owned(), tag.format));
        }
        Ok(found)
    }

    /// The scene's sequence, if it is held: without its tag it is on its way out.
    async fn sequence(&self, scene: SceneId) -> Result<Option<Sequence>, SceneError> {
        if self.api().tags().get(tag(scene)).await.map_err(failed)?.is_none() {
            return Ok(None);
        }
        let BlobStatus::Complete { .. } =
            self.api().blobs().status(hash(scene)).await.map_err(failed)?
        else {
            return Ok(None);
        };
        let bytes = self.api().blobs().get_bytes(hash(scene)).await.map_err(failed)?;
        if Hash::new(&bytes) != hash(scene) {
            return Err(SceneError::Damaged(scene));
        }
        let sequence = Sequence::parse(scene, bytes);
        sequence.map(Some).map_err(|_other_content| SceneError::Damaged(scene))
    }

    /// What is here of a scene, `closely` also of what the index does not know yet.
    async fn stock(&self, sequence: Sequence, closely: bool) -> Result<Stock, SceneError> {
        let mut parts = BTreeMap::new();
        for (part, _place) in sequence.distinct() {
            let blob = Hash::from_bytes(part.0);
            let here = match self.api().blobs().status(blob).await.map_err(failed)? {
                BlobStatus::Complete { size } => Bitfield::complete(size),
                BlobStatus::NotFound if !closely => Bitfield::empty(),
                _perhaps_in_part => self.api().blobs().observe(blob).await.map_err(failed)?,
            };
            parts.insert(part, here);
        }
        Ok(Stock { sequence, parts })
    }

    /// What is here of a scene that is held, whole or not.
    async fn held(&self, scene: SceneId) -> Result<Option<Arc<Held>>, SceneError> {
        if let Some(held) = self.whole().get(&scene) {
            return Ok(Some(held.clone()));
        }
        let Some(sequence) = self.sequence(scene).await? else {
            return Ok(None);
        };
        let held = Arc::new(self.stock(sequence, false).await?.held());
        if held.size_bytes.is_some() {
            self.whole().insert(scene, held.clone());
        }
        Ok(Some(held))
    }

    /// How large a scene's parts are, as their hashes prove, in the order of the sequence.
    async fn sizes(&self, link: &Link, stock: &Stock) -> Result<Vec<u64>, SequenceError> {
        let unknown: Vec<usize> = stock
            .sequence
            .distinct()
            .into_iter()
            .filter(|(part, _place)| stock.parts[part].validated_size().is_none())
            .map(|(_part, place)| place)
            .collect();
        let told = sequence::ask_sizes(link, &stock.sequence, &unknown, self.stall).await?;
        let distinct = stock.sequence.distinct();
        let size = |hash: Hash| {
            let part = Digest(*hash.as_bytes());
            let here = stock.parts[&part].validated_size();
            here.unwrap_or_else(|| told.get(&distinct[&part]).copied().unwrap_or_default())
        };
        Ok(stock.sequence.hashes().map(size).collect())
    }

    /// Fetches what is not here, until all is.
    async fn complete(
        &self,
        link: &Link,
        sequence: &Sequence,
        sizes: &[u64],
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), FetchError> {
        let (scene, size_bytes) = (sequence.scene(), sizes.iter().sum::<u64>());
        let mut found_bytes = None;
        for round in 0..ROUNDS {
            let Some(lack) = self.stock(sequence.clone(), round > 0).await?.lack(sizes) else {
                let found_bytes = found_bytes.unwrap_or(size_bytes);
                progress(FetchProgress { found_bytes, received_bytes: size_bytes, size_bytes });
                return Ok(());
            };
            let kept_bytes = size_bytes.saturating_sub(lack.bytes);
            let found_bytes = *found_bytes.get_or_insert(kept_bytes);
            let report = |bytes: u64| {
                let received_bytes = (kept_bytes + bytes).min(size_bytes);
                progress(FetchProgress { found_bytes, received_bytes, size_bytes });
            };
            report(0);
            if let Err(reason) = self.download(link, lack.request, &report).await? {
                let lack = self.stock(sequence.clone(), true).await?.lack(sizes);
                let received_bytes = size_bytes.saturating_sub(lack.map_or(0, |lack| lack.bytes));
                return Err(FetchError::Interrupted { scene, received_bytes, reason });
            }
        }
        if self.stock(sequence.clone(), true).await?.lack(sizes).is_some() {
            let reason = "parts of it were swept out while others came".to_owned();
            return Err(FetchError::Interrupted { scene, received_bytes: 0, reason });
        }
        Ok(())
    }

    /// One request; why it broke off, if it did.
    async fn download(
        &self,
        link: &Link,
        request: GetRequest,
        report: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Result<(), String>, SceneError> {
        let getting = match &self.down {
            None => self.api().remote().execute_get(link.clone(), request),
            Some(pace) => match paced::open(link, pace.clone()).await {
                Ok(streams) => self.api().remote().execute_get(streams, request),
                Err(error) => return Ok(Err(format!("{error:#}"))),
            },
        };
        let mut items = Box::pin(getting.stream());
        let mut indexed = false;
        loop {
            match timeout(self.stall, items.next()).await {
                Err(_elapsed) => return Ok(Err(format!("nothing came for {:?}", self.stall))),
                Ok(Some(GetProgressItem::Progress(bytes))) => {
                    report(bytes);
                    if !indexed && bytes >= INDEX_AFTER_BYTES {
                        self.api().sync_db().await.map_err(failed)?;
                        indexed = true;
                    }
                }
                Ok(Some(GetProgressItem::Done(_stats))) => return Ok(Ok(())),
                Ok(Some(GetProgressItem::Error(error))) => return Ok(Err(format!("{error:#}"))),
                Ok(None) => return Ok(Err("the transfer ended without a word".to_owned())),
            }
        }
    }
}

impl Stock {
    fn held(&self) -> Held {
        let part = |(hash, here): (&Digest, &Bitfield)| Part {
            hash: *hash,
            size_bytes: here.total_bytes(),
        };
        let whole = self.parts.values().all(Bitfield::is_complete);
        let size = |hash: Hash| self.parts[&Digest(*hash.as_bytes())].size();
        let size_bytes = whole.then(|| self.sequence.hashes().map(size).sum());
        Held { size_bytes, parts: self.parts.iter().map(part).collect() }
    }

    /// What to ask for, of parts of these sizes.
    fn lack(&self, sizes: &[u64]) -> Option<Lack> {
        let (mut request, mut bytes) = (GetRequest::builder(), 0);
        for (part, place) in self.sequence.distinct() {
            let here = &self.parts[&part];
            if !here.is_complete() {
                let missing = ChunkRanges::all().difference(&here.ranges);
                request = request.child(place as u64, missing);
                bytes += sizes[place].saturating_sub(here.total_bytes());
            }
        }
        let root = hash(self.sequence.scene());
        let lacks = self.parts.values().any(|here| !here.is_complete());
        lacks.then(|| Lack { request: request.build(root), bytes })
    }
}

impl SceneStore for BlobStore {
    fn alpn(&self) -> &'static [u8] {
        ALPN
    }

    fn add(&self, parts: Vec<Bytes>) -> BoxFuture<'_, Result<SceneId, SceneError>> {
        Box::pin(async move {
            // Held until the scene's own tag holds them.
            let mut held = Vec::new();
            for part in parts {
                held.push(self.api().blobs().add_bytes(part).temp_tag().await.map_err(failed)?);
            }
            let sequence = Sequence::of(held.iter().map(|part| part.hash()));
            let (scene, bytes) = (sequence.scene(), sequence.bytes().clone());
            Sequence::parse(scene, bytes.clone())
                .map_err(|error| SceneError::Uncut(error.to_string()))?;
            let added = self.api().blobs().add_bytes_with_opts((bytes, BlobFormat::HashSeq));
            added.with_named_tag(tag(scene)).await.map_err(failed)?;
            Ok(scene)
        })
    }

    fn held(&self, scene: SceneId) -> BoxFuture<'_, Result<Option<Arc<Held>>, SceneError>> {
        Box::pin(self.held(scene))
    }

    fn read(&self, scene: SceneId) -> BoxFuture<'_, Result<Bytes, SceneError>> {
        Box::pin(async move {
            let held = self.held(scene).await?;
            let size_bytes = held.and_then(|held| held.size_bytes);
            let size_bytes = size_bytes.ok_or(SceneError::Missing(scene))?;
            let read = self.read_parts(scene, size_bytes).await;
            if read.is_err() {
                // Not as it was found: the next fetch looks again.
                self.whole().remove(&scene);
            }
            read
        })
    }

    fn parts(&self, scene: SceneId) -> BoxFuture<'_, Result<Vec<Digest>, SceneError>> {
        Box::pin(async move {
            let sequence = self.sequence(scene).await?.ok_or(SceneError::Missing(scene))?;
            Ok(sequence.hashes().map(|part| Digest(*part.as_bytes())).collect())
        })
    }

    fn part(&self, scene: SceneId, part: Digest) -> BoxFuture<'_, Result<Bytes, SceneError>> {
        Box::pin(self.read_part(scene, Hash::from_bytes(part.0)))
    }

    fn remove(&self, scene: SceneId) -> BoxFuture<'_, Result<(), SceneError>> {
        Box::pin(async move {
            self.whole().remove(&scene);
            self.api().tags().delete(tag(scene)).await.map_err(failed)?;
            Ok(())
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<BTreeSet<SceneId>, SceneError>> {
        Box::pin(async move {
            let tags = self.tags().await?;
            Ok(tags.iter().filter_map(|(name, _format)| name.parse().ok()).collect())
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
            let refused = |error: SequenceError| match error {
                error if link.close_reason().is_some() => {
                    let reason = error.to_string();
                    FetchError::Interrupted { scene, received_bytes: 0, reason }
                }
                SequenceError::Silence(_) | SequenceError::NotGiven(_) => {
                    FetchError::NotGiven { peer, scene, reason: error.to_string() }
                }
                flaw => FetchError::Malformed { peer, scene, reason: flaw.to_string() },
            };
            let sequence = match self.sequence(scene).await? {
                Some(sequence) => sequence,
                None => sequence::ask(link, scene, self.stall).await.map_err(refused)?,
            };
            let stock = self.stock(sequence.clone(), false).await?;
            let sizes = self.sizes(link, &stock).await.map_err(refused)?;
            let size_bytes = sizes.iter().fold(0_u64, |sum, size| sum.saturating_add(*size));
            if size_bytes > size_bytes_max {
                let limit_bytes = size_bytes_max;
                return Err(FetchError::TooLarge { scene, size_bytes, limit_bytes });
            }
            // The tag comes first: it keeps the pieces of an attempt that breaks off.
            let content = (sequence.bytes().clone(), BlobFormat::HashSeq);
            let added = self.api().blobs().add_bytes_with_opts(content);
            added.with_named_tag(tag(scene)).await.map_err(failed)?;
            self.complete(link, &sequence, &sizes, progress).await?;
            Ok(size_bytes)
        })
    }

    fn serve(&self, link: Link) -> BoxFuture<'static, ()> {
        Box::pin(answer(link, self.api().clone(), Gate::Open, self.up.iter().cloned().collect()))
    }

    fn serve_some(&self, link: Link, usher: Arc<dyn Usher>) -> BoxFuture<'static, ()> {
        let (store, paces) = (self.api().clone(), self.up.iter().cloned().collect());
        Box::pin(answer(link, store, Gate::Usher(usher), paces))
    }

    fn give(&self, link: Link, scene: SceneId, paces: Vec<Arc<Pace>>) -> BoxFuture<'static, ()> {
        Box::pin(answer(link, self.api().clone(), Gate::Scene(scene), paces))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.api().shutdown().await {
                tracing::warn!(%error, "the store of scenes did not close well");
            }
        })
    }
}

impl BlobStore {
    /// The parts' bytes, one after another.
    async fn read_parts(&self, scene: SceneId, size_bytes: u64) -> Result<Bytes, SceneError> {
        let sequence = self.sequence(scene).await?.ok_or(SceneError::Missing(scene))?;
        let size = usize::try_from(size_bytes).map_err(|_too_large| SceneError::Memory(scene))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_no_memory| SceneError::Memory(scene))?;
        for part in sequence.hashes() {
            bytes.extend_from_slice(&self.read_part(scene, part).await?);
        }
        Ok(bytes.into())
    }

    async fn read_part(&self, scene: SceneId, part: Hash) -> Result<Bytes, SceneError> {
        let read = self.api().blobs().get_bytes(part).await.map_err(failed)?;
        if Hash::new(&read) == part { Ok(read) } else { Err(SceneError::Damaged(scene)) }
    }
}

/// Which scenes a caller gets.
enum Gate {
    /// All.
    Open,
    /// This one.
    Scene(SceneId),
    /// Those that the usher lets him have.
    Usher(Arc<dyn Usher>),
}

impl Gate {
    /// What is asked about before it is answered.
    fn mask(&self, is_paced: bool) -> EventMask {
        let throttle = if is_paced { ThrottleMode::Intercept } else { ThrottleMode::None };
        match self {
            // The default refuses pushes: others read, they never write.
            Self::Open => EventMask { throttle, ..EventMask::DEFAULT },
            // Every fetch of ours asks for a sequence or for children of it: one hash names all. A part
            // by its own is no scene that anybody knows.
            Self::Scene(_) | Self::Usher(_) => EventMask {
                get: RequestMode::Intercept,
                get_many: RequestMode::Disabled,
                push: RequestMode::Disabled,
                observe: ObserveMode::Intercept,
                throttle,
                ..EventMask::DEFAULT
            },
        }
    }

    async fn lets(&self, caller: PublicKey, scene: SceneId) -> bool {
        match self {
            Self::Open => true,
            Self::Scene(it) => *it == scene,
            Self::Usher(usher) => usher.may_fetch(caller, scene).await,
        }
    }
}

/// Answers a connection for what the gate lets through, in its turn of every pace.
async fn answer(link: Link, store: Store, gate: Gate, paces: Vec<Arc<Pace>>) {
    let caller = PublicKey(*link.remote_id().as_bytes());
    let (sender, mut events) = EventSender::channel(GIVEN_EVENTS, gate.mask(!paces.is_empty()));
    let answering = async move {
        while let Some(event) = events.recv().await {
            match event {
                ProviderMessage::GetRequestReceived(asked) => {
                    let scene = SceneId(*asked.inner.request.hash.as_bytes());
                    let may = gate.lets(caller, scene).await;
                    let answer = if may { Ok(()) } else { Err(AbortReason::Permission) };
                    asked.tx.send(answer).await.ok();
                }
                ProviderMessage::Throttle(asked) => {
                    for pace in &paces {
                        pace.wait(asked.inner.size).await;
                        pace.note(asked.inner.size);
                    }
                    asked.tx.send(Ok(())).await.ok();
                }
                // Anything else is not answered, which refuses it.
                _other => {}
            }
        }
    };
    let serving = iroh_blobs::provider::handle_connection(link, store, sender);
    tokio::join!(serving, answering);
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
