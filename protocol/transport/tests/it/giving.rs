//! Scenes for strangers with a pass.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{PublicKey, SceneId};
use transport::{FetchError, Peer, PeerLimits, Porter, Ticket};

use crate::desk::bind;
use crate::scenes::noise;

/// Lets in one guest, whose pass is the scene's id.
struct Doorman(PublicKey);

impl Porter for Doorman {
    fn admits(&self, caller: PublicKey, pass: &[u8]) -> Option<SceneId> {
        let scene = SceneId(pass.try_into().ok()?);
        (caller == self.0).then_some(scene)
    }
}

async fn fetch(to: &Peer, scene: SceneId, from: &Ticket, pass: &[u8]) -> Result<u64, FetchError> {
    to.scenes().fetch_given(scene, u64::MAX, (from, pass), |_progress| ()).await
}

fn per_second(bytes: u64) -> NonZeroU64 {
    NonZeroU64::new(bytes).expect("not zero")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_opens_what_it_names_to_whom_it_names() {
    let (giver, _giver_folder) = bind(1, PeerLimits::default()).await;
    let (guest, _guest_folder) = bind(2, PeerLimits::default()).await;
    let (other, _other_folder) = bind(3, PeerLimits::default()).await;
    let parts = [noise(1, 70_000), noise(2, 3_000_000)];
    let scene = giver.scenes().add(parts.to_vec()).await.expect("kept");
    let another = giver.scenes().add(vec![noise(3, 500)]).await.expect("kept");
    let ticket = giver.ticket();

    // Before it gives, nobody answers by that name.
    let unasked = fetch(&guest, scene, &ticket, &scene.0).await;
    assert!(matches!(unasked, Err(FetchError::Unreachable { .. })), "{unasked:?}");
    giver.give_scenes(Arc::new(Doorman(guest.id())), per_second(1 << 30));

    for (what, to, wanted, pass) in [
        ("another scene's pass", &guest, another, &scene.0[..]),
        ("somebody else's pass", &other, scene, &scene.0[..]),
        ("no pass", &guest, scene, &[]),
        ("a pass without end", &guest, scene, &[7; 100_000]),
    ] {
        let refused = fetch(to, wanted, &ticket, pass).await;
        assert!(matches!(refused, Err(FetchError::NotGiven { .. })), "{what}: {refused:?}");
    }
    let size_bytes = fetch(&guest, scene, &ticket, &scene.0).await.expect("given");
    assert_eq!(size_bytes, 3_070_000);
    assert_eq!(guest.scenes().read(scene).await.expect("here"), parts.concat());
    // What the giver does not have it does not give.
    let unknown = SceneId([9; 32]);
    let missing = fetch(&guest, unknown, &ticket, &unknown.0).await;
    assert!(matches!(missing, Err(FetchError::NotGiven { .. })), "{missing:?}");
    // A pass is no hello.
    let unmet = other.scenes().fetch(another, u64::MAX, giver.id(), |_progress| ()).await;
    assert!(matches!(unmet, Err(FetchError::NotConnected(_))), "{unmet:?}");
    for peer in [guest, other, giver] {
        peer.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_keeps_to_its_pace() {
    let (giver, _giver_folder) = bind(1, PeerLimits::default()).await;
    let (guest, _guest_folder) = bind(2, PeerLimits::default()).await;
    let parts: Vec<Bytes> = (1..=3).map(|seed| noise(seed, 400_000)).collect();
    let scene = giver.scenes().add(parts).await.expect("kept");
    giver.give_scenes(Arc::new(Doorman(guest.id())), per_second(1_000_000));
    let begun = Instant::now();
    fetch(&guest, scene, &giver.ticket(), &scene.0).await.expect("given");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(1_100), "1.2 MB at 1 MB/s took {took:?}");
    guest.close().await;
    giver.close().await;
}
