//! A peer that takes no more of its line than it was told to.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{GivenBack, Reply, Request};
use tempfile::TempDir;
use transport::{Carried, Peer, PeerConfig, PeerLimits, PeerPace};

use crate::desk::{Office, admitted, call};
use crate::scenes::noise;

/// Longer than a short message may take beside a long one, far below what the long one takes.
const SOON: Duration = Duration::from_millis(1_500);

async fn bind(pace: PeerPace) -> (Peer, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = PeerConfig::new([2; 32], folder.path().join("scenes"));
    config.pace = Some(pace);
    (Peer::bind(config).await.expect("a free port"), folder)
}

fn per_second(bytes: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(bytes)
}

/// Two scenes at once, 8 MB together at 2 MB/s, and short calls meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_keeps_to_the_pace_and_a_short_call_waits_for_nothing() {
    let office = Office::open(PeerLimits::default()).await;
    let down_bytes_per_second = per_second(2_000_000);
    let (guest, _folder) = bind(PeerPace { down_bytes_per_second, ..PeerPace::default() }).await;
    let connection = admitted(&guest, &office).await;
    let parts = [noise(1, 2_000_000), noise(2, 2_000_000), noise(3, 4_000_000)];
    let scenes = office.peer.scenes();
    let one = scenes.add(parts[..2].to_vec()).await.expect("kept");
    let two = scenes.add(parts[2..].to_vec()).await.expect("kept");
    let begun = Instant::now();
    let from = office.peer.id();
    let fetch = |scene| guest.scenes().fetch(scene, u64::MAX, from, |_progress| ());
    let beats = async {
        let mut longest = Duration::ZERO;
        while begun.elapsed() < Duration::from_secs(3) {
            let asked = Instant::now();
            let release = Request::Release {
                leases: Vec::new(),
                reason: "none held".into(),
                why: GivenBack::Undone,
            };
            call(&connection, &release, Bytes::new()).await.expect("answered");
            longest = longest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        longest
    };
    let (first, second, longest) = tokio::join!(fetch(one), fetch(two), beats);
    let took = begun.elapsed();
    assert_eq!((first.expect("here"), second.expect("here")), (4_000_000, 4_000_000));
    let carried = guest.carried();
    // The parts, and what proves them: a sixty-fourth of it or less.
    assert!((8_000_000..8_200_000).contains(&carried.down_bytes), "{carried:?}");
    assert_eq!(office.peer.carried(), Carried::default(), "no pace, no count");
    assert_eq!(guest.scenes().read(one).await.expect("whole"), parts[..2].concat());
    assert_eq!(guest.scenes().read(two).await.expect("whole"), parts[2]);
    println!("8 MB at 2 MB/s took {took:?}; a short call {longest:?} at most");
    assert!(took >= Duration::from_millis(3_500), "8 MB at 2 MB/s took {took:?}");
    assert!(longest < SOON, "a short call took {longest:?}");
    guest.close().await;
    office.peer.close().await;
}

/// A film of 3 MB at 1 MB/s, a scene of 1 MB that the other side fetches meanwhile, short calls.
#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_shares_one_pace_and_a_short_call_waits_for_nothing() {
    let office = Office::open(PeerLimits::default()).await;
    let up_bytes_per_second = per_second(1_000_000);
    let (guest, _folder) = bind(PeerPace { up_bytes_per_second, ..PeerPace::default() }).await;
    let connection = admitted(&guest, &office).await;
    let scene = guest.scenes().add(vec![noise(1, 1_000_000)]).await.expect("kept");
    let film = noise(2, 3_000_000);
    let begun = Instant::now();
    let handing_in = call(&connection, &Request::Qualify, film.clone());
    let fetching = office.peer.scenes().fetch(scene, u64::MAX, guest.id(), |_progress| ());
    let beat = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let asked = Instant::now();
        let release = Request::Release {
            leases: Vec::new(),
            reason: "none held".into(),
            why: GivenBack::Undone,
        };
        call(&connection, &release, Bytes::new()).await.expect("answered");
        asked.elapsed()
    };
    let (handed_in, fetched, beat) = tokio::join!(handing_in, fetching, beat);
    let took = begun.elapsed();
    let (reply, back) = handed_in.expect("answered");
    assert_eq!(reply, Reply::Film);
    assert!(back.iter().eq(film.iter().rev()), "the same bytes, mirrored");
    assert_eq!(fetched.expect("given"), 1_000_000);
    let carried = guest.carried();
    assert!((4_000_000..4_100_000).contains(&carried.up_bytes), "{carried:?}");
    println!("3 MB and 1 MB at 1 MB/s took {took:?}; a short call {beat:?}");
    assert!(took >= Duration::from_millis(3_500), "4 MB at 1 MB/s took {took:?}");
    assert!(beat < SOON, "a short call took {beat:?}");
    guest.close().await;
    office.peer.close().await;
}
