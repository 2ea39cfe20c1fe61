//! A peer: one key, one socket, one place for scenes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use iroh::endpoint::{
    Connection as Link, Endpoint, Incoming, IncomingAddr, QuicTransportConfig, VarInt, presets,
};
use iroh::{RelayMode, SecretKey};
use protocol::{PublicKey, limits};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::blobs::BlobStore;
use crate::giving::{GIVE_ALPN, Giving, Porter};
use crate::lobby::{Lobby, Seat};
use crate::pace::{Carried, Pace, PeerPace};
use crate::registry::Registry;
use crate::scenes::{SceneError, SceneStore, Scenes, Usher};
use crate::serve::{Door, Service};
use crate::{Connection, RPC_ALPN, Ticket};

/// How a peer is set up.
#[derive(Clone)]
pub struct PeerConfig {
    /// Secret half of the peer's ed25519 key.
    pub key: [u8; 32],
    /// Where to listen. Port 0 takes a free one; an unspecified address listens on all
    /// interfaces.
    pub bind: SocketAddr,
    /// Folder of the scenes; one peer at a time may use it.
    pub scenes_dir: PathBuf,
    /// What others may take of this peer.
    pub limits: PeerLimits,
    /// What this peer takes of its line, and counts; with it, [`Peer::set_pace`] changes it. Without,
    /// all there is, uncounted.
    pub pace: Option<PeerPace>,
}

/// What others may take of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerLimits {
    /// Connections in all.
    pub connections_max: u32,
    /// Bytes of films under way, over all connections.
    pub body_bytes_held_max: usize,
    /// How long a new connection may wait before its hello.
    pub hello_timeout: Duration,
    /// How long a transfer may stand still.
    pub stall_timeout: Duration,
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            body_bytes_held_max: limits::BODY_BYTES_HELD_MAX,
            hello_timeout: limits::HELLO_TIMEOUT,
            stall_timeout: limits::STALL_TIMEOUT,
        }
    }
}

impl PeerConfig {
    /// A peer that listens on this machine only, at a free port.
    #[must_use]
    pub fn new(key: [u8; 32], scenes_dir: impl Into<PathBuf>) -> Self {
        Self {
            key,
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            scenes_dir: scenes_dir.into(),
            limits: PeerLimits::default(),
            pace: None,
        }
    }
}

impl fmt::Debug for PeerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key stays out of every log.
        write!(f, "PeerConfig({}, scenes in {})", self.bind, self.scenes_dir.display())
    }
}

/// A peer that could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} ({reason}); choose another address or port 0")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// The scenes' folder cannot be used.
    #[error(
        "the scenes cannot be opened: {}", path.display()
    )]
    Scenes {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: SceneError,
    },
}

/// A connection that did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answered.
    #[error(
        "nobody answers for {peer} at {addresses:?} within {timeout:?}; is the scheduler running, and is the ticket its latest?"
    )]
    Timeout {
        /// Who was called.
        peer: PublicKey,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// How long was waited.
        timeout: Duration,
    },
    /// The ticket's key is no key.
    #[error("the ticket's key is damaged: {0}")]
    Key(PublicKey),
    /// The peer is there but answers no calls of this protocol.
    #[error(
        "{0} is no scheduler, or of another release (it does not speak {rpc}); check the ticket and install the same release", rpc = String::from_utf8_lossy(RPC_ALPN)
    )]
    NotServing(PublicKey),
    /// Somebody answered, but no connection came of it.
    #[error("{peer} cannot be connected with: {reason}")]
    Failed {
        /// Who was called.
        peer: PublicKey,
        /// What happened.
        reason: String,
    },
}

/// One end of the network: dials others, answers them once told how, keeps scenes.
///
/// Clones share it. Close it with [`Peer::close`]; merely dropped, its peers learn of it by
/// [`limits::IDLE_TIMEOUT`].
#[derive(Clone)]
pub struct Peer {
    shared: Arc<Shared>,
    _accepting: Arc<AbortOnDrop>,
}

struct Shared {
    id: PublicKey,
    endpoint: Endpoint,
    registry: Registry,
    limits: PeerLimits,
    store: Arc<dyn SceneStore>,
    scenes: Scenes,
    door: OnceLock<Arc<Door>>,
    giving: OnceLock<Giving>,
    usher: OnceLock<Arc<dyn Usher>>,
    /// Of what is fetched.
    down: Option<Arc<Pace>>,
    /// Of all that leaves this peer.
    up: Option<Arc<Pace>>,
    connections: Arc<Semaphore>,
    lobby: Arc<Lobby>,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Peer {
    /// Opens the socket and the scenes. Scenes are served from now on to whomever the peer is
    /// connected with, calls after [`Peer::serve`]: an usher comes first, see
    /// [`Peer::usher_scenes`].
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(config: PeerConfig) -> Result<Self, BindError> {
        let PeerConfig { key, bind, scenes_dir, limits, pace } = config;
        let paces = pace.map(|pace| {
            let of = |bytes_per_second| Arc::new(Pace::new(bytes_per_second));
            (of(pace.down_bytes_per_second), of(pace.up_bytes_per_second))
        });
        let endpoint = endpoint(&key, bind)
            .await
            .map_err(|reason| BindError::Address { address: bind, reason })?;
        let store: Arc<dyn SceneStore> =
            match BlobStore::open(&scenes_dir, limits.stall_timeout, paces.clone()).await {
                Ok(store) => Arc::new(store),
                Err(source) => {
                    endpoint.close().await;
                    return Err(BindError::Scenes { path: scenes_dir, source });
                }
            };
        let registry = Registry::default();
        let (down, up) = paces.unzip();
        let shared = Arc::new(Shared {
            id: PublicKey(*endpoint.id().as_bytes()),
            scenes: Scenes::new(store.clone(), endpoint.clone(), registry.clone()),
            endpoint,
            registry,
            limits,
            store,
            door: OnceLock::new(),
            giving: OnceLock::new(),
            usher: OnceLock::new(),
            down,
            up,
            connections: Arc::new(Semaphore::new(limits.connections_max as usize)),
            lobby: Arc::new(Lobby::new(limits::HANDSHAKES_MAX as usize)),
        });
        shared.tell_alpns();
        let accepting = tokio::spawn(accept(shared.clone())).abort_handle();
        Ok(Self { shared, _accepting: Arc::new(AbortOnDrop(accepting)) })
    }

    /// The peer's key.
    #[must_use]
    pub fn id(&self) -> PublicKey {
        self.shared.id
    }

    /// Who this peer is and where others find it.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        let endpoint = &self.shared.endpoint;
        let mut addresses: Vec<SocketAddr> = endpoint.addr().ip_addrs().copied().collect();
        for bound in endpoint.bound_sockets() {
            let ip = match bound.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            };
            addresses.push(SocketAddr::new(ip, bound.port()));
        }
        addresses.sort_unstable();
        addresses.dedup();
        Ticket::new(self.shared.id, addresses)
    }

    /// Answers calls with `service` from now on. The first service stays: a second is ignored.
    pub fn serve(&self, service: Arc<dyn Service>) {
        let shared = &self.shared;
        let door = Door::new(service, shared.registry.clone(), shared.limits);
        if shared.door.set(Arc::new(door)).is_err() {
            tracing::warn!("a peer serves already; the second service is ignored");
            return;
        }
        shared.tell_alpns();
    }

    /// Asks `usher` from now on before a peer that has said hello here gets a scene; without one it
    /// gets any. What was said first stays.
    pub fn usher_scenes(&self, usher: Arc<dyn Usher>) {
        if self.shared.usher.set(usher).is_err() {
            tracing::warn!("a peer has an usher already; the second is ignored");
        }
    }

    /// Gives scenes from now on to whomever `porter` lets in, connected or not, so many bytes a
    /// second over all of them. What was said first stays.
    pub fn give_scenes(&self, porter: Arc<dyn Porter>, bytes_per_second: NonZeroU64) {
        let shared = &self.shared;
        if shared.giving.set(Giving::new(porter, bytes_per_second, shared.up.clone())).is_err() {
            tracing::warn!("a peer gives scenes already; the second porter is ignored");
            return;
        }
        shared.tell_alpns();
    }

    /// Goes on at another pace, where the peer was bound with one.
    pub fn set_pace(&self, pace: PeerPace) {
        let shared = &self.shared;
        if let (Some(down), Some(up)) = (&shared.down, &shared.up) {
            down.set(pace.down_bytes_per_second);
            up.set(pace.up_bytes_per_second);
        }
    }

    /// What was carried so far; nothing where the peer was bound without a pace.
    #[must_use]
    pub fn carried(&self) -> Carried {
        let bytes = |pace: &Option<Arc<Pace>>| pace.as_ref().map_or(0, |pace| pace.carried_bytes());
        Carried { down_bytes: bytes(&self.shared.down), up_bytes: bytes(&self.shared.up) }
    }

    /// Dials a peer that serves.
    ///
    /// A connection is no admission: send [`protocol::Request::Hello`] and look at the answer.
    ///
    /// # Errors
    /// See [`ConnectError`]; gives up after [`limits::CONNECT_TIMEOUT`].
    pub async fn connect(&self, ticket: &Ticket) -> Result<Connection, ConnectError> {
        let peer = ticket.key();
        let address = ticket.endpoint_addr().ok_or(ConnectError::Key(peer))?;
        let dialling = self.shared.endpoint.connect(address, RPC_ALPN);
        let link = match timeout(limits::CONNECT_TIMEOUT, dialling).await {
            Ok(Ok(link)) => link,
            Ok(Err(error)) if speaks_otherwise(&error) => {
                return Err(ConnectError::NotServing(peer));
            }
            Ok(Err(error)) => {
                return Err(ConnectError::Failed { peer, reason: format!("{error:#}") });
            }
            Err(_elapsed) => {
                let addresses = ticket.addresses().to_vec();
                let timeout = limits::CONNECT_TIMEOUT;
                return Err(ConnectError::Timeout { peer, addresses, timeout });
            }
        };
        let registered = self.shared.registry.enter_dialled(peer, &link);
        // Whom we dialled may fetch our scenes over this connection; it ends with it.
        tokio::spawn(self.shared.store.serve(link.clone()));
        let (stall, up) = (self.shared.limits.stall_timeout, self.shared.up.clone());
        Ok(Connection::new(link, peer, (stall, up), registered))
    }

    /// The scenes that this peer keeps.
    #[must_use]
    pub fn scenes(&self) -> &Scenes {
        &self.shared.scenes
    }

    /// Closes every connection, tells the peers, and writes the scenes out.
    pub async fn close(&self) {
        self.shared.endpoint.close().await;
        self.shared.store.close().await;
    }
}

impl Shared {
    /// Tells the endpoint which protocols are answered.
    fn tell_alpns(&self) {
        let rpc = self.door.get().map(|_door| RPC_ALPN.to_vec());
        let giving = self.giving.get().map(|_giving| GIVE_ALPN.to_vec());
        let alpns = rpc.into_iter().chain(giving).chain([self.store.alpn().to_vec()]);
        self.endpoint.set_alpns(alpns.collect());
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.shared.id)
    }
}

async fn endpoint(key: &[u8; 32], bind: SocketAddr) -> Result<Endpoint, String> {
    let idle = limits::IDLE_TIMEOUT.try_into().map_err(|_why| "the idle time is too long")?;
    let window = |bytes: u32| VarInt::from_u32(bytes);
    let transport = QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(limits::STREAMS_PER_CONNECTION_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        // What a connection's peer may have in flight unread: a film, no more.
        .receive_window(window(limits::FILM_BYTES_MAX as u32))
        // noq 1.4 drops a connection whose stream has more than 1024 separate spans in its buffer.
        // At 1200 bytes a packet, every second one lost, this window holds half as many; one of
        // 4 MiB lost connections on loopback whenever the reader was slow.
        .stream_receive_window(window(1_250_000))
        .send_window(limits::FILM_BYTES_MAX as u64)
        .max_idle_timeout(Some(idle))
        .datagram_receive_buffer_size(None)
        .build();
    Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(key))
        .relay_mode(RelayMode::Disabled)
        .transport_config(transport)
        .clear_ip_transports()
        .bind_addr(bind)
        .map_err(|error| format!("{error:#}"))?
        .bind()
        .await
        .map_err(|error| format!("{error:#}"))
}

/// Whether the other side knows no protocol of the name we asked for.
fn speaks_otherwise(error: &iroh::endpoint::ConnectError) -> bool {
    use iroh::endpoint::{ConnectError, ConnectingError, ConnectionError, TransportErrorCode};
    let ConnectError::Connecting { source, .. } = error else {
        return false;
    };
    let ConnectingError::ConnectionError { source, .. } = source else {
        return false;
    };
    // TLS alert 120, no_application_protocol: RFC 7301, section 3.2.
    matches!(source, ConnectionError::ConnectionClosed(close)
        if close.error_code == TransportErrorCode::crypto(120))
}

/// Takes connections until the endpoint closes.
async fn accept(shared: Arc<Shared>) {
    while let Some(incoming) = shared.endpoint.accept().await {
        // Under load a stranger must show that his address is his before he costs anything.
        if shared.lobby.is_busy() && !incoming.remote_addr_validated() {
            if let Err(error) = incoming.retry() {
                error.into_incoming().refuse();
            }
            continue;
        }
        let from = match incoming.remote_addr() {
            IncomingAddr::Ip(address) => Some(address.ip()),
            _relayed => None,
        };
        let seat = shared.lobby.seat(from);
        tokio::spawn(welcome(shared.clone(), incoming, seat));
    }
}

/// Completes a handshake and hands the connection to whom it asked for.
async fn welcome(shared: Arc<Shared>, incoming: Incoming, mut seat: Seat) {
    let shaking = async { incoming.accept().ok()?.await.ok() };
    let link = tokio::select! {
        shaken = timeout(shared.limits.hello_timeout, shaking) => shaken.ok().flatten(),
        () = seat.needed() => None,
    };
    let Some(link) = link else { return };
    let Ok(_place) = shared.connections.clone().try_acquire_owned() else {
        close(&link, "this peer has too many connections; try again later");
        return;
    };
    let caller = PublicKey(*link.remote_id().as_bytes());
    if link.alpn() == RPC_ALPN {
        match shared.door.get() {
            Some(door) => door.clone().serve(link, caller, seat).await,
            None => close(&link, "this peer answers no calls"),
        }
    } else if link.alpn() == GIVE_ALPN {
        drop(seat);
        let Some(giving) = shared.giving.get() else {
            return close(&link, "this peer gives no scenes");
        };
        let store = &*shared.store;
        if let Err(reason) = giving.welcome(store, &link, shared.limits.hello_timeout).await {
            close(&link, reason);
        }
    } else if shared.registry.holds(caller) {
        drop(seat);
        match shared.usher.get() {
            Some(usher) => shared.store.serve_some(link, usher.clone()).await,
            None => shared.store.serve(link).await,
        }
    } else {
        close(&link, "connect and say hello before you fetch scenes");
    }
}

fn close(link: &Link, reason: &str) {
    link.close(VarInt::from_u32(2), reason.as_bytes());
}
