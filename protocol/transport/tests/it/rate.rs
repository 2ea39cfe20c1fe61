//! How fast it goes, printed: `cargo test --release -p transport -- --ignored --nocapture rate`.

use std::time::Instant;

use bytes::Bytes;
use protocol::{GivenBack, Request};
use transport::PeerLimits;

use crate::desk::{Office, admitted, bind, call};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures, checks nothing"]
async fn rate() {
    let office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = admitted(&guest, &office).await;
    let release =
        || Request::Release { leases: Vec::new(), reason: String::new(), why: GivenBack::Undone };

    for (in_flight, calls) in [(1, 5_000), (8, 5_000), (32, 2_000)] {
        let begin = Instant::now();
        let callers: Vec<_> = (0..in_flight)
            .map(|_| {
                let connection = connection.clone();
                tokio::spawn(async move {
                    for _ in 0..calls {
                        call(&connection, &release(), Bytes::new()).await.expect("answered");
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.expect("no panic");
        }
        let rate = f64::from(in_flight * calls) / begin.elapsed().as_secs_f64();
        println!("{in_flight} in flight: {rate:.0} calls/s");
    }

    let film = Bytes::from(vec![7; 1 << 20]);
    let begin = Instant::now();
    for _ in 0..100 {
        call(&connection, &Request::Qualify, film.clone()).await.expect("answered");
    }
    let rate = 200.0 / begin.elapsed().as_secs_f64();
    println!("films of 1 MiB there and back: {rate:.0} MiB/s");

    let scene: Bytes = (0..256_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let scene = scene.chunks(8 << 20).map(|part| scene.slice_ref(part)).collect();
    let begin = Instant::now();
    let scene = office.peer.scenes().add(scene).await.expect("kept");
    println!(
        "a scene of 256 MiB in 32 parts: kept at {:.0} MiB/s",
        256.0 / begin.elapsed().as_secs_f64()
    );
    let begin = Instant::now();
    let from = office.peer.id();
    guest.scenes().fetch(scene, u64::MAX, from, |_progress| ()).await.expect("fetched");
    println!("fetched at {:.0} MiB/s", 256.0 / begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    guest.scenes().read(scene).await.expect("here");
    println!("read and hashed at {:.0} MiB/s", 256.0 / begin.elapsed().as_secs_f64());
    guest.close().await;
    office.peer.close().await;
}
