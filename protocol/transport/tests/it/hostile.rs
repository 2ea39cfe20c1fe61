//! Strangers who do not keep to the protocol, on endpoints of their own.

use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{Connection, Endpoint, presets};
use iroh::{EndpointAddr, EndpointId, RelayMode, SecretKey, TransportAddr};
use protocol::message::RefusedCode;
use protocol::{Reply, Request, decode, encode, limits};
use transport::{PeerLimits, RPC_ALPN, frame};

use crate::desk::{Office, admitted, bind, call, hello};

pub struct Stranger(pub Endpoint);

impl Stranger {
    pub async fn new(seed: u8) -> Self {
        let endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(SecretKey::from_bytes(&[seed; 32]))
            .relay_mode(RelayMode::Disabled)
            .clear_ip_transports()
            .bind_addr("127.0.0.1:0")
            .expect("an address")
            .bind()
            .await;
        Self(endpoint.expect("a free port"))
    }

    pub async fn dial(&self, office: &Office, alpn: &[u8]) -> Option<Connection> {
        let ticket = office.peer.ticket();
        let id = EndpointId::from_bytes(&ticket.key().0).expect("a key");
        let addresses = ticket.addresses().iter().copied().map(TransportAddr::Ip);
        self.0.connect(EndpointAddr::from_parts(id, addresses), alpn).await.ok()
    }
}

/// Sends raw bytes on one stream and reads what comes back; `None` when the stream breaks.
pub async fn send(link: &Connection, bytes: &[u8], end: bool) -> Option<Reply> {
    let (mut send, mut recv) = link.open_bi().await.ok()?;
    // The other side may stop reading before the end; its answer counts.
    let _stopped = send.write_all(bytes).await;
    if end {
        send.finish().ok();
    }
    let answer = recv.read_to_end(1 << 20).await.ok()?;
    let size = u32::from_le_bytes(answer.get(..4)?.try_into().ok()?) as usize;
    decode(answer.get(4..4 + size)?, limits::MESSAGE_BYTES_MAX).ok()
}

fn code(reply: Option<Reply>) -> Option<RefusedCode> {
    match reply {
        Some(Reply::Refused(refused)) => Some(refused.code),
        _other => None,
    }
}

pub fn frame_of(request: &Request, body_bytes: usize) -> Vec<u8> {
    frame::head(&encode(request), body_bytes, body_bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_costs_the_stream_never_the_farm() {
    let office = Office::open(PeerLimits::default()).await;
    let stranger = Stranger::new(9).await;
    let link = stranger.dial(&office, RPC_ALPN).await.expect("connected");
    let bad = Some(RefusedCode::BadRequest);
    // Before the hello: a header too large for a hello.
    assert_eq!(code(send(&link, &(1_u32 << 20).to_le_bytes(), false).await), bad);
    let welcome = send(&link, &frame_of(&hello(), 0), true).await;
    assert!(matches!(welcome, Some(Reply::Welcome { .. })), "{welcome:?}");

    assert_eq!(code(send(&link, &[0xff; 64], false).await), bad, "an absurd header");
    assert_eq!(code(send(&link, &frame::head(&[0xee; 20], 0, 0), true).await), bad, "no request");
    let too_large = frame_of(&Request::Qualify, limits::FILM_BYTES_MAX + 1);
    assert_eq!(code(send(&link, &too_large, false).await), bad, "an absurd body");
    let unasked = frame_of(&Request::Wallet, 1 << 20);
    assert_eq!(code(send(&link, &unasked, false).await), bad, "a body nobody asked for");
    let mut trailing = frame_of(&Request::Farm, 0);
    trailing.push(0);
    assert_eq!(code(send(&link, &trailing, true).await), bad, "bytes after the end");
    let truncated = [&frame_of(&Request::Qualify, 1 << 20)[..], &[1; 1000]].concat();
    assert_eq!(send(&link, &truncated, true).await, None, "a body cut short");

    let qualify = encode(&Request::Qualify);
    let nonsense = [&frame::head(&qualify, 1 << 20, 5_000)[..], &[0xff; 5_000]].concat();
    assert_eq!(code(send(&link, &nonsense, true).await), bad, "a body that does not unpack");
    let bomb = [&frame::head(&qualify, 16 << 20, 2_000)[..], &[0; 2_000]].concat();
    assert_eq!(code(send(&link, &bomb, false).await), bad, "more than can come of it");
    let grown = [&frame::head(&qualify, 3, 4)[..], b"four"].concat();
    assert_eq!(code(send(&link, &grown, false).await), bad, "a body that shrinks by unpacking");
    // The same connection, and others, still serve.
    let mut whole = frame_of(&Request::Qualify, 3);
    whole.extend_from_slice(b"abc");
    assert_eq!(send(&link, &whole, true).await, Some(Reply::Film));
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    admitted(&guest, &office).await;
    guest.close().await;
    stranger.0.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promised_films_that_never_come_hold_little() {
    let limits = PeerLimits {
        // Room for the hostile peer's share and a little more.
        body_bytes_held_max: (limits::BODIES_PER_CONNECTION_MAX as usize * limits::FILM_BYTES_MAX)
            + (4 << 20),
        stall_timeout: Duration::from_millis(300),
        ..PeerLimits::default()
    };
    let office = Office::open(limits).await;
    let stranger = Stranger::new(9).await;
    let link = stranger.dial(&office, RPC_ALPN).await.expect("connected");
    send(&link, &frame_of(&hello(), 0), true).await.expect("welcome");
    let promise = frame_of(&Request::Qualify, limits::FILM_BYTES_MAX);
    let promises: Vec<_> = (0..3 * limits::BODIES_PER_CONNECTION_MAX)
        .map(|_| {
            let (link, promise) = (link.clone(), promise.clone());
            tokio::spawn(async move { send(&link, &promise, false).await })
        })
        .collect();
    // Meanwhile an honest peer's film finds memory.
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = admitted(&guest, &office).await;
    let film = Bytes::from(vec![1; 1 << 20]);
    let (reply, _film) = call(&connection, &Request::Qualify, film).await.expect("served");
    assert_eq!(reply, Reply::Film);
    for promise in promises {
        let refused = code(promise.await.expect("no panic"));
        let refusals = [Some(RefusedCode::BadRequest), Some(RefusedCode::Busy)];
        assert!(refusals.contains(&refused), "{refused:?}");
    }
    guest.close().await;
    stranger.0.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_silent_and_the_many_are_shown_out() {
    let limits = PeerLimits { hello_timeout: Duration::from_millis(300), ..PeerLimits::default() };
    let office = Office::open(limits).await;
    let stranger = Stranger::new(9).await;
    let silent = stranger.dial(&office, RPC_ALPN).await.expect("connected");
    let reason = silent.closed().await.to_string();
    assert!(reason.contains("hello"), "{reason}");

    let mut links = Vec::new();
    for _ in 0..protocol::limits::CONNECTIONS_PER_KEY_MAX {
        let link = stranger.dial(&office, RPC_ALPN).await.expect("connected");
        send(&link, &frame_of(&hello(), 0), true).await.expect("welcome");
        links.push(link);
    }
    let one_more = stranger.dial(&office, RPC_ALPN).await.expect("connected");
    let reason = one_more.closed().await.to_string();
    assert!(reason.contains("too many connections"), "{reason}");
    assert!(links.iter().all(|link| link.close_reason().is_none()));

    assert!(stranger.dial(&office, b"another/protocol/9").await.is_none());
    stranger.0.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scenes_are_not_for_strangers_and_not_writable() {
    let office = Office::open(PeerLimits::default()).await;
    let scene = office.peer.scenes().add(vec![Bytes::from_static(b"a scene")]).await.expect("kept");
    let hash = iroh_blobs::Hash::from_bytes(scene.0);
    let stranger = Stranger::new(9).await;
    let link = stranger.dial(&office, iroh_blobs::ALPN).await.expect("connected");
    let reason = link.closed().await.to_string();
    assert!(reason.contains("hello"), "{reason}");

    let admitted = stranger.dial(&office, RPC_ALPN).await.expect("connected");
    send(&admitted, &frame_of(&hello(), 0), true).await.expect("welcome");
    let link = stranger.dial(&office, iroh_blobs::ALPN).await.expect("connected");
    let size = iroh_blobs::get::request::get_verified_size(&link, &hash).await;
    assert_eq!(size.expect("given").0, 32, "the hash of its part");
    let store = iroh_blobs::store::mem::MemStore::new();
    let pushed = store.add_slice(b"not asked for").await.expect("kept");
    let request = iroh_blobs::protocol::PushRequest::new(
        pushed.hash,
        iroh_blobs::protocol::ChunkRangesSeq::root(),
    );
    let _refused = store.remote().execute_push(link, request).complete().await;
    let pushed = protocol::SceneId(*pushed.hash.as_bytes());
    assert!(!office.peer.scenes().has(pushed).await.expect("a store"));
    assert_eq!(office.peer.scenes().list().await.expect("a store"), [(scene, 7)]);
    stranger.0.close().await;
    office.peer.close().await;
}

/// One key that says nothing on more connections than may wait for a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_crowd_keeps_nobody_out() {
    let office = Office::open(PeerLimits::default()).await;
    let stranger = Stranger::new(9).await;
    let mut silent = Vec::new();
    for _ in 0..protocol::limits::HANDSHAKES_MAX + 20 {
        silent.push(stranger.dial(&office, RPC_ALPN).await.expect("connected"));
    }
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = admitted(&guest, &office).await;
    let reason = silent[0].closed().await.to_string();
    // Where so many took long to dial, the first ones' time was over before.
    let was_shown_out = ["say hello at once", "no hello came in time"];
    assert!(was_shown_out.iter().any(|words| reason.contains(words)), "{reason}");
    let (reply, _) = call(&connection, &Request::Qualify, Bytes::new()).await.expect("served");
    assert_eq!(reply, Reply::Film);
    guest.close().await;
    stranger.0.close().await;
    office.peer.close().await;
}
