//! Scenes: packages in parts, kept here and fetched from others.
//!
//! A part is named by its hash, and a scene by the hash of its parts' hashes: whoever has one
//! scene and fetches another gets the parts that he lacks, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{Connection as Link, Endpoint, VarInt};
use iroh::{EndpointAddr, EndpointId, TransportAddr};
use protocol::{Digest, PublicKey, SceneId, limits};
use tokio::time::timeout;

use crate::giving::{self, GIVE_ALPN};
use crate::pace::Pace;
use crate::registry::Registry;
use crate::{BoxFuture, Ticket};

/// How far a fetch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress {
    /// Bytes that need not be sent: they were here when the fetch began, of other scenes or of
    /// earlier attempts, or stand in the package more than once.
    pub found_bytes: u64,
    /// Bytes that are here and verified, the found ones included.
    pub received_bytes: u64,
    /// Bytes of the package.
    pub size_bytes: u64,
}

/// A part of a scene, as far as it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Its BLAKE3 hash: the same part of another scene has the same.
    pub hash: Digest,
    /// Bytes of it that are here.
    pub size_bytes: u64,
}

/// A scene that is kept, perhaps not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Bytes of its package, if all of it is here.
    pub size_bytes: Option<u64>,
    /// Its parts, each once, in order of their hashes.
    pub parts: Vec<Part>,
}

/// The store of scenes failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SceneError {
    /// The scene is not here, or not whole.
    #[error("the scene is not here, or not whole; fetch it first: {0}")]
    Missing(SceneId),
    /// The stored bytes no longer hash to the id.
    #[error("the stored bytes of the scene are damaged; remove and fetch it again: {0}")]
    Damaged(SceneId),
    /// The scene does not fit into memory.
    #[error("there is no memory to read the scene into: {0}")]
    Memory(SceneId),
    /// A scene of no parts, of an empty one or of too many.
    #[error("a scene cannot be kept in these parts: {0}")]
    Uncut(String),
    /// Another program has the store open.
    #[error("another program uses this folder; stop that one, or choose another folder: {}", .0.display())]
    InUse(PathBuf),
    /// The disk or the store's index failed.
    #[error("the store of scenes failed: {0}")]
    Store(String),
}

/// A scene that did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no connection with the peer.
    #[error("not connected with {0}; a scene is fetched from a connected peer")]
    NotConnected(PublicKey),
    /// The peer cannot be reached for scenes.
    #[error("{peer} cannot be reached for scenes at {addresses:?}: {reason}")]
    Unreachable {
        /// The peer.
        peer: PublicKey,
        /// Where it was looked for.
        addresses: Vec<SocketAddr>,
        /// What happened.
        reason: String,
    },
    /// The peer does not have the scene, or does not give it.
    #[error("{peer} does not give the scene ({reason}): {scene}")]
    NotGiven {
        /// The peer.
        peer: PublicKey,
        /// The scene.
        scene: SceneId,
        /// What happened.
        reason: String,
    },
    /// What the peer gives cannot be a scene; nothing was fetched.
    #[error("{peer} gives something that is no scene ({reason}): {scene}")]
    Malformed {
        /// The peer.
        peer: PublicKey,
        /// The scene.
        scene: SceneId,
        /// What is wrong.
        reason: String,
    },
    /// The scene is larger than allowed; nothing was fetched.
    #[error("the scene has {size_bytes} bytes, at most {limit_bytes} are taken: {scene}")]
    TooLarge {
        /// The scene.
        scene: SceneId,
        /// Its size, proven by the hashes of its parts.
        size_bytes: u64,
        /// What the caller allowed.
        limit_bytes: u64,
    },
    /// The transfer broke off. What has arrived is kept; fetch again to go on.
    #[error(
        "the scene stopped after {received_bytes} bytes ({reason}); fetch again to go on: {scene}"
    )]
    Interrupted {
        /// The scene.
        scene: SceneId,
        /// Bytes that are here.
        received_bytes: u64,
        /// What happened.
        reason: String,
    },
    /// Our own store failed.
    #[error(transparent)]
    Scene(#[from] SceneError),
}

/// What keeps and moves scenes. iroh-blobs does it now; this trait is where another would go.
pub(crate) trait SceneStore: Send + Sync + 'static {
    /// The name of its protocol on the network.
    fn alpn(&self) -> &'static [u8];
    /// Keeps the parts of a package.
    fn add(&self, parts: Vec<Bytes>) -> BoxFuture<'_, Result<SceneId, SceneError>>;
    /// What is here of a scene that was added or begun to be fetched.
    fn held(&self, scene: SceneId) -> BoxFuture<'_, Result<Option<Arc<Held>>, SceneError>>;
    /// The bytes of a scene, checked against its parts' hashes.
    fn read(&self, scene: SceneId) -> BoxFuture<'_, Result<Bytes, SceneError>>;
    /// Hashes of a scene's parts, in order.
    fn parts(&self, scene: SceneId) -> BoxFuture<'_, Result<Vec<Digest>, SceneError>>;
    /// The bytes of one of a scene's parts, checked against its hash.
    fn part(&self, scene: SceneId, part: Digest) -> BoxFuture<'_, Result<Bytes, SceneError>>;
    /// Forgets a scene, whole or in part.
    fn remove(&self, scene: SceneId) -> BoxFuture<'_, Result<(), SceneError>>;
    /// Scenes that were added or begun to be fetched.
    fn list(&self) -> BoxFuture<'_, Result<BTreeSet<SceneId>, SceneError>>;
    /// Fetches over a connection of the store's own protocol.
    fn fetch<'a>(
        &'a self,
        link: &'a Link,
        scene: SceneId,
        size_bytes_max: u64,
        progress: &'a (dyn Fn(FetchProgress) + Send + Sync),
    ) -> BoxFuture<'a, Result<u64, FetchError>>;
    /// Answers a connection of the store's own protocol.
    fn serve(&self, link: Link) -> BoxFuture<'static, ()>;
    /// Answers one for scenes that the usher lets the caller have.
    fn serve_some(&self, link: Link, usher: Arc<dyn Usher>) -> BoxFuture<'static, ()>;
    /// Answers one for nothing but this scene, at all of these paces.
    fn give(&self, link: Link, scene: SceneId, paces: Vec<Arc<Pace>>) -> BoxFuture<'static, ()>;
    /// Writes everything out.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Decides which scenes of ours a peer may fetch that has said hello here.
pub trait Usher: Send + Sync + 'static {
    /// Whether the caller may fetch a scene, which need not be here.
    fn may_fetch(&self, caller: PublicKey, scene: SceneId) -> BoxFuture<'_, bool>;
}

/// The scenes that a peer keeps and gives to whomever it is connected with, as far as its
/// [`Usher`] lets them.
#[derive(Clone)]
pub struct Scenes {
    store: Arc<dyn SceneStore>,
    endpoint: Endpoint,
    registry: Registry,
    fetching: Arc<Mutex<BTreeMap<SceneId, Weak<tokio::sync::Mutex<()>>>>>,
}

impl Scenes {
    pub(crate) fn new(store: Arc<dyn SceneStore>, endpoint: Endpoint, registry: Registry) -> Self {
        Self { store, endpoint, registry, fetching: Arc::default() }
    }

    /// Keeps the parts of a package and returns its id, the BLAKE3 hash of their BLAKE3 hashes.
    /// Parts that are here already, of whatever scene, take no more room.
    ///
    /// # Errors
    /// [`SceneError::Store`], as when the disk is full; [`SceneError::Uncut`].
    pub async fn add(&self, parts: Vec<Bytes>) -> Result<SceneId, SceneError> {
        self.store.add(parts).await
    }

    /// Whether the scene is here and whole.
    ///
    /// # Errors
    /// [`SceneError::Store`].
    pub async fn has(&self, scene: SceneId) -> Result<bool, SceneError> {
        Ok(self.size(scene).await?.is_some())
    }

    async fn size(&self, scene: SceneId) -> Result<Option<u64>, SceneError> {
        Ok(self.store.held(scene).await?.and_then(|held| held.size_bytes))
    }

    /// What is here of a scene; nothing when it was never begun, or was removed.
    ///
    /// # Errors
    /// See [`SceneError`].
    pub async fn held(&self, scene: SceneId) -> Result<Option<Arc<Held>>, SceneError> {
        self.store.held(scene).await
    }

    /// The package, checked against the hashes of its parts.
    ///
    /// # Errors
    /// See [`SceneError`].
    pub async fn read(&self, scene: SceneId) -> Result<Bytes, SceneError> {
        self.store.read(scene).await
    }

    /// The hashes of a scene's parts, in order.
    ///
    /// # Errors
    /// See [`SceneError`].
    pub async fn parts(&self, scene: SceneId) -> Result<Vec<Digest>, SceneError> {
        self.store.parts(scene).await
    }

    /// One of a scene's parts, checked against its hash.
    ///
    /// # Errors
    /// See [`SceneError`].
    pub async fn part(&self, scene: SceneId, part: Digest) -> Result<Bytes, SceneError> {
        self.store.part(scene, part).await
    }

    /// Forgets a scene, whole or in part. What no other scene shares of it leaves the disk within
    /// a minute.
    ///
    /// # Errors
    /// [`SceneError::Store`].
    pub async fn remove(&self, scene: SceneId) -> Result<(), SceneError> {
        self.store.remove(scene).await
    }

    /// Scenes here and whole, with their sizes in bytes; in order of their ids.
    ///
    /// # Errors
    /// [`SceneError::Store`].
    pub async fn list(&self) -> Result<Vec<(SceneId, u64)>, SceneError> {
        let mut whole = Vec::new();
        for scene in self.store.list().await? {
            if let Some(size_bytes) = self.size(scene).await? {
                whole.push((scene, size_bytes));
            }
        }
        Ok(whole)
    }

    /// All that is here, also of scenes that are not whole; in order of their ids.
    ///
    /// # Errors
    /// [`SceneError::Store`].
    pub async fn stock(&self) -> Result<Vec<(SceneId, Arc<Held>)>, SceneError> {
        let mut stock = Vec::new();
        for scene in self.store.list().await? {
            if let Some(held) = self.store.held(scene).await? {
                stock.push((scene, held));
            }
        }
        Ok(stock)
    }

    /// Fetches a scene from a connected peer, whoever dialled, and returns its size in bytes.
    ///
    /// The size is proven and compared with `size_bytes_max` before anything is kept, as is the
    /// number of parts with [`limits::SCENE_PARTS_MAX`]; every piece is verified against the hash
    /// as it comes. Only parts that are not here travel, whatever scene brought the others. An
    /// attempt that breaks off, even by a kill, leaves its pieces for the next. A scene that is
    /// here already costs nothing.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(
        &self,
        scene: SceneId,
        size_bytes_max: u64,
        from: PublicKey,
        progress: impl Fn(FetchProgress) + Send + Sync,
    ) -> Result<u64, FetchError> {
        // Two fetches of one scene: the second waits and then finds it here.
        let turn = self.turn(scene);
        let _turn = turn.lock().await;
        if let Some(size_bytes) = self.size(scene).await? {
            return Ok(size_bytes);
        }
        // A peer that dialled us gives over the connection it dialled: one key may be in use by
        // several programs at once, of which one has the scene, and a new connection would reach
        // any of them, or the last place of one that is gone.
        let mut not_given = None;
        for link in self.registry.admitted(from) {
            match self.store.fetch(&link, scene, size_bytes_max, &progress).await {
                Err(error @ FetchError::NotGiven { .. }) => not_given = Some(error),
                // A program that is gone, whose connection had not lapsed when it was asked.
                Err(error @ FetchError::Interrupted { .. }) if link.close_reason().is_some() => {
                    not_given = Some(error);
                }
                other => return other,
            }
        }
        if let Some(error) = not_given {
            return Err(error);
        }
        let link = self.dial(from).await?;
        let fetched = self.store.fetch(&link, scene, size_bytes_max, &progress).await;
        link.close(VarInt::from_u32(0), b"done");
        fetched
    }

    /// Fetches a scene from a peer that gives it to whoever shows this pass; otherwise like
    /// [`Scenes::fetch`].
    ///
    /// # Errors
    /// See [`FetchError`]; it gives up after [`limits::HOLDER_TIMEOUT`] where nobody answers.
    pub async fn fetch_given(
        &self,
        scene: SceneId,
        size_bytes_max: u64,
        (giver, pass): (&Ticket, &[u8]),
        progress: impl Fn(FetchProgress) + Send + Sync,
    ) -> Result<u64, FetchError> {
        let turn = self.turn(scene);
        let _turn = turn.lock().await;
        if let Some(size_bytes) = self.size(scene).await? {
            return Ok(size_bytes);
        }
        let addresses = giver.addresses().to_vec();
        let link = self.reach(giver.key(), addresses, GIVE_ALPN, limits::HOLDER_TIMEOUT).await?;
        if let Err(reason) = giving::show(&link, pass).await {
            return Err(FetchError::NotGiven { peer: giver.key(), scene, reason });
        }
        let fetched = self.store.fetch(&link, scene, size_bytes_max, &progress).await;
        link.close(VarInt::from_u32(0), b"done");
        fetched
    }

    /// Where a connected peer is: the addresses that its connections run over.
    #[must_use]
    pub fn seen_at(&self, peer: PublicKey) -> Vec<SocketAddr> {
        self.registry.addresses(peer)
    }

    async fn dial(&self, peer: PublicKey) -> Result<Link, FetchError> {
        if !self.registry.holds(peer) {
            return Err(FetchError::NotConnected(peer));
        }
        let addresses = self.registry.addresses(peer);
        self.reach(peer, addresses, self.store.alpn(), limits::CONNECT_TIMEOUT).await
    }

    async fn reach(
        &self,
        peer: PublicKey,
        addresses: Vec<SocketAddr>,
        alpn: &[u8],
        patience: Duration,
    ) -> Result<Link, FetchError> {
        let id = EndpointId::from_bytes(&peer.0);
        let id = id.map_err(|_no_key| FetchError::NotConnected(peer))?;
        let known = addresses.iter().copied().map(TransportAddr::Ip);
        let dialling = self.endpoint.connect(EndpointAddr::from_parts(id, known), alpn);
        let reason = match timeout(patience, dialling).await {
            Ok(Ok(link)) => return Ok(link),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_elapsed) => format!("no answer within {patience:?}"),
        };
        Err(FetchError::Unreachable { peer, addresses, reason })
    }

    fn turn(&self, scene: SceneId) -> Arc<tokio::sync::Mutex<()>> {
        // A map of turns is whole after any panic.
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        fetching.retain(|_scene, turn| turn.strong_count() > 0);
        if let Some(turn) = fetching.get(&scene).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        fetching.insert(scene, Arc::downgrade(&turn));
        turn
    }
}
