//! What travels of scenes that share parts, counted by whoever gives; and givers who cheat.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use iroh::endpoint::Connection;
use iroh_blobs::Hash;
use iroh_blobs::provider::events::{EventMask, EventSender, ProviderMessage, ThrottleMode};
use iroh_blobs::store::mem::MemStore;
use protocol::{PublicKey, SceneId, limits};
use transport::{FetchError, FetchProgress, Peer, PeerConfig, PeerLimits, RPC_ALPN};

use crate::desk::{Office, hello};
use crate::hostile::{Stranger, frame_of, send};
use crate::scenes::{id, noise};

const MIB: usize = 1 << 20;

/// A peer of its own make that has said hello to an office.
struct Giver {
    stranger: Stranger,
    store: MemStore,
    given_bytes: Arc<AtomicU64>,
}

impl Giver {
    async fn new(seed: u8) -> Self {
        let (stranger, store) = (Stranger::new(seed).await, MemStore::new());
        Self { stranger, store, given_bytes: Arc::default() }
    }

    fn key(&self) -> PublicKey {
        PublicKey(*self.stranger.0.id().as_bytes())
    }

    /// Keeps whatever bytes for a scene's sequence.
    async fn keep(&self, sequence: Bytes, parts: &[Bytes]) -> SceneId {
        for part in parts {
            self.store.add_bytes(part.clone()).await.expect("kept");
        }
        let added = self.store.add_bytes(sequence).await.expect("kept");
        SceneId(*added.hash.as_bytes())
    }

    async fn keep_scene(&self, parts: &[Bytes]) -> SceneId {
        let hashes = parts.iter().flat_map(|part| *Hash::new(part).as_bytes());
        let scene = self.keep(hashes.collect(), parts).await;
        assert_eq!(scene, id(parts));
        scene
    }

    /// Connects and says hello.
    async fn meet(&self, office: &Office) -> Connection {
        let link = self.stranger.dial(office, RPC_ALPN).await.expect("connected");
        send(&link, &frame_of(&hello(), 0), true).await.expect("welcome");
        link
    }

    /// Gives what it keeps over a connection, and counts.
    async fn serve(&self, office: &Office) {
        let link = self.meet(office).await;
        let mask = EventMask { throttle: ThrottleMode::Intercept, ..EventMask::DEFAULT };
        let (sender, mut events) = EventSender::channel(16, mask);
        let given_bytes = self.given_bytes.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let ProviderMessage::Throttle(asked) = event {
                    given_bytes.fetch_add(asked.size, Ordering::SeqCst);
                    asked.tx.send(Ok(())).await.ok();
                }
            }
        });
        let store = self.store.clone();
        tokio::spawn(iroh_blobs::provider::handle_connection(link, (*store).clone(), sender));
    }

    /// Bytes given since it was last asked.
    fn given(&self) -> u64 {
        self.given_bytes.swap(0, Ordering::SeqCst)
    }
}

/// Fetches; returns the outcome and what the first report said.
async fn fetch(
    to: &Peer,
    scene: SceneId,
    limit: u64,
    from: PublicKey,
) -> (Result<u64, FetchError>, Option<FetchProgress>) {
    let first = Mutex::new(None);
    let note = |report| {
        first.lock().expect("no panic").get_or_insert(report);
    };
    let fetched = to.scenes().fetch(scene, limit, from, note).await;
    (fetched, first.into_inner().expect("no panic"))
}

fn check(what: &str, given: u64, expected: usize) {
    println!("{what}: {given} bytes given, {expected} differ");
    let expected = expected as u64;
    // What proves sizes: a KiB of each part, and the sequence.
    assert!(given >= expected && given <= expected + 16_384, "{what}: {given} of {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_parts_that_are_not_here_travel() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = PeerConfig::new([1; 32], folder.path());
    let office = Office::at(Peer::bind(config.clone()).await.expect("a free port"));
    let giver = Giver::new(5).await;
    giver.serve(&office).await;
    let part = |seed, size| noise(seed, size);
    let (outline, texture, geometry) = (part(1, 3_000), part(2, 4 * MIB), part(3, 8 * MIB));
    let first = giver.keep_scene(&[outline, geometry.clone(), texture.clone()]).await;
    let (fetched, _) = fetch(&office.peer, first, u64::MAX, giver.key()).await;
    let size = 3_000 + 12 * MIB as u64;
    assert_eq!(fetched.expect("fetched"), size);
    check("all of it", giver.given(), size as usize);

    // A texture has changed, and the outline with it.
    let (other_outline, other_texture) = (part(4, 3_001), part(5, 2 * MIB));
    let parts = [other_outline, geometry.clone(), other_texture];
    let second = giver.keep_scene(&parts).await;
    let (fetched, report) = fetch(&office.peer, second, u64::MAX, giver.key()).await;
    let size = 3_001 + 10 * MIB as u64;
    assert_eq!(fetched.expect("fetched"), size);
    check("another texture", giver.given(), 3_001 + 2 * MIB);
    let found_bytes = 8 * MIB as u64;
    let told = FetchProgress { found_bytes, received_bytes: found_bytes, size_bytes: size };
    assert_eq!(report, Some(told));
    assert_eq!(office.peer.scenes().read(second).await.expect("here"), parts.concat());

    // After a restart, and with the first scene gone, the second still has all that it needs.
    office.peer.scenes().remove(first).await.expect("removed");
    office.peer.close().await;
    let office = Office::at(Peer::bind(config).await.expect("a free port"));
    giver.serve(&office).await;
    let (fetched, report) = fetch(&office.peer, second, u64::MAX, giver.key()).await;
    assert_eq!((fetched.expect("here"), report, giver.given()), (size, None, 0));
    let third = [parts[0].clone(), part(6, MIB), geometry.clone(), part(6, MIB)];
    let scene = giver.keep_scene(&third).await;
    let (fetched, report) = fetch(&office.peer, scene, u64::MAX, giver.key()).await;
    fetched.expect("fetched");
    check("a part that stands there twice", giver.given(), MIB);
    let report = report.expect("a report");
    assert_eq!(report.size_bytes - report.found_bytes, MIB as u64);
    assert_eq!(office.peer.scenes().read(scene).await.expect("here"), third.concat());
    let held = office.peer.scenes().held(scene).await.expect("a store").expect("held");
    assert_eq!(held.parts.len(), 3, "each once");
    assert_eq!(held.size_bytes, Some(3_001 + 10 * MIB as u64));
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scene_of_parts_that_are_all_here_moves_nothing() {
    let office = Office::open(PeerLimits::default()).await;
    let giver = Giver::new(5).await;
    giver.serve(&office).await;
    let parts = [noise(1, MIB), noise(2, MIB)];
    let one = office.peer.scenes().add(parts.to_vec()).await.expect("kept");
    let turned = [parts[1].clone(), parts[0].clone()];
    let other = giver.keep_scene(&turned).await;
    assert_ne!(one, other);
    let (fetched, report) = fetch(&office.peer, other, u64::MAX, giver.key()).await;
    assert_eq!(fetched.expect("fetched"), 2 * MIB as u64);
    check("the sequence", giver.given(), 64);
    assert!(report.is_some_and(|report| report.found_bytes == report.size_bytes), "{report:?}");
    assert_eq!(office.peer.scenes().read(other).await.expect("here"), turned.concat());
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_scene_is_refused_and_not_kept() {
    let office = Office::open(PeerLimits::default()).await;
    let giver = Giver::new(5).await;
    giver.serve(&office).await;
    let part = noise(1, MIB);
    let hash = *Hash::new(&part).as_bytes();
    let parts = std::slice::from_ref(&part);
    let malformed = [
        ("no hashes", noise(2, 33)),
        ("too many parts", [&hash[..]; limits::SCENE_PARTS_MAX + 1].concat().into()),
        ("a sequence of 8 MiB", noise(3, 8 * MIB)),
        ("an empty part", [hash, *Hash::EMPTY.as_bytes()].concat().into()),
    ];
    for (what, sequence) in malformed {
        let scene = giver.keep(sequence, parts).await;
        let (refused, report) = fetch(&office.peer, scene, u64::MAX, giver.key()).await;
        assert!(matches!(refused, Err(FetchError::Malformed { .. })), "{what}: {refused:?}");
        assert_eq!(report, None, "{what}");
    }
    assert!(giver.given() < 2 * MIB as u64, "it was not read to its end");

    // Small on the wire, large when it is read: the size is that of all that is read.
    let often = giver.keep([&hash[..]; 4_000].concat().into(), parts).await;
    let (refused, _) = fetch(&office.peer, often, 3_999 << 20, giver.key()).await;
    let expected = (4_000 << 20, 3_999 << 20);
    assert!(
        matches!(refused, Err(FetchError::TooLarge { size_bytes, limit_bytes, .. }) if (size_bytes, limit_bytes) == expected),
        "{refused:?}"
    );
    // A part that the giver does not have.
    let gap = giver.keep([hash, [7; 32]].concat().into(), parts).await;
    let (refused, _) = fetch(&office.peer, gap, u64::MAX, giver.key()).await;
    assert!(matches!(refused, Err(FetchError::NotGiven { .. })), "{refused:?}");
    assert!(giver.given() < MIB as u64, "no part was asked for");
    assert_eq!(office.peer.scenes().stock().await.expect("a store"), []);
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_bytes_are_refused_wherever_they_stand() {
    let office = Office::open(PeerLimits::default()).await;
    // Blobs of one chunk: a size and the bytes are the whole answer.
    let part = noise(1, 1_000);
    let sequence = Bytes::copy_from_slice(Hash::new(&part).as_bytes());
    let scene = id(std::slice::from_ref(&part));
    let answer = |bytes: &Bytes| [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat();
    let forged = |bytes: &Bytes| {
        let mut answer = answer(bytes);
        answer[20] ^= 1;
        answer
    };
    let larger = [&4_000_u64.to_le_bytes()[..], &part].concat();
    let (good_sequence, good_part) = (answer(&sequence), answer(&part));
    let cases = [
        ("the sequence", vec![forged(&sequence)]),
        ("a part's end", vec![good_sequence.clone(), forged(&part)]),
        ("a part's size", vec![good_sequence.clone(), larger]),
        ("a part", vec![good_sequence, good_part, forged(&part)]),
    ];
    for (seed, (what, answers)) in (10..).zip(cases) {
        let giver = Giver::new(seed).await;
        let link = giver.meet(&office).await;
        let (asked, gives) = (answers.len(), link.clone());
        let answering = tokio::spawn(async move {
            for answer in answers {
                let (mut send, mut recv) = gives.accept_bi().await.expect("asked");
                recv.read_to_end(1 << 20).await.expect("a request");
                send.write_all(&answer).await.expect("sent");
                send.finish().expect("sent");
            }
        });
        let (refused, _) = fetch(&office.peer, scene, u64::MAX, giver.key()).await;
        answering.await.expect("all were asked for");
        match asked {
            3 => assert!(matches!(refused, Err(FetchError::Interrupted { .. })), "{refused:?}"),
            _ => assert!(matches!(refused, Err(FetchError::NotGiven { .. })), "{refused:?}"),
        }
        assert!(!office.peer.scenes().has(scene).await.expect("a store"), "{what}");
        link.close(0_u32.into(), b"done");
        giver.stranger.0.close().await;
    }
    // An honest peer's bytes are taken all the same.
    let giver = Giver::new(30).await;
    giver.serve(&office).await;
    giver.keep_scene(std::slice::from_ref(&part)).await;
    let (fetched, _) = fetch(&office.peer, scene, u64::MAX, giver.key()).await;
    assert_eq!(fetched.expect("fetched"), 1_000);
    assert_eq!(office.peer.scenes().read(scene).await.expect("here"), part);
    office.peer.close().await;
}
