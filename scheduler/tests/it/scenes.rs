//! Scenes that artists offer: what is sent of them, and which are not taken.

use bytes::Bytes;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::{Holder, Holders, Offer, Reply, Request, Role, SceneId, limits};
use scene::{Image, Package, Pixels, Scene};

use crate::callers::{
    Caller, Farm, client, leases, node, offer, ordered, runtime, soon_paid, spec,
};

/// The golden scene with two images of 4 MiB.
fn textured(seeds: [u32; 2]) -> Package {
    let image = |seed: u32| {
        let texels =
            (0..1 << 20_u32).map(|at: u32| at.wrapping_mul(2_654_435_761).wrapping_add(seed));
        let pixels = Pixels::Rgba8(texels.flat_map(u32::to_le_bytes).collect());
        Image { name: format!("image {seed}"), width: 1024, height: 1024, pixels }
    };
    let golden = scene::golden();
    let images = golden.images.iter().cloned().chain(seeds.map(image)).collect();
    scene::pack(&Scene { images, ..golden })
}

async fn guest(number: u8, farm: &Farm) -> Caller {
    let caller = Caller::connect(number, &farm.ready.ticket).await;
    caller.hello(Role::Client).await;
    caller
}

async fn keep(caller: &Caller, parts: Vec<Bytes>) -> SceneId {
    caller.peer.scenes().add(parts).await.expect("kept")
}

#[test]
fn a_scene_with_another_texture_sends_that_texture() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let artist = guest(10, &farm).await;
        let old = textured([1, 2]);
        keep(&artist, old.parts().collect()).await;
        let arrival = offer(&artist, old.id(), old.size_bytes()).await;
        assert_eq!((arrival.found_bytes, arrival.received_bytes), (0, old.size_bytes()));

        // Also after a restart, and from somebody else.
        artist.peer.close().await;
        farm.stop().await;
        let farm = Farm::start(dir.path(), soon_paid).await;
        let artist = guest(11, &farm).await;
        let new = textured([1, 3]);
        let outline = new.parts().next().expect("a part").len() as u64;
        keep(&artist, new.parts().collect()).await;
        let arrival = offer(&artist, new.id(), new.size_bytes()).await;
        let sent = arrival.size_bytes - arrival.found_bytes;
        assert_eq!(sent, (4 << 20) + outline, "{arrival:?}");
        let mut of_it = spec("textured");
        of_it.scene = new.id();
        let quote = Request::Quote { spec: of_it, offer: Offer::default() };
        let quoted = artist.ask(quote).await;
        assert!(matches!(quoted, Reply::Quote(_)), "{quoted:?}");

        // What is there is not sent again.
        let again = offer(&artist, new.id(), new.size_bytes()).await;
        assert_eq!(again.found_bytes, again.size_bytes);
        assert!(again.is_whole);
        artist.peer.close().await;
        farm.stop().await;
    });
}

#[test]
fn a_scene_has_one_name_and_what_cannot_be_had_is_refused() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let artist = guest(10, &farm).await;
        // The same bytes cut elsewhere have another id, and are no scene.
        let package = scene::pack(&scene::golden());
        let bytes = package.bytes();
        let elsewhere = keep(&artist, vec![bytes.slice(..1_000), bytes.slice(1_000..)]).await;
        assert_ne!(elsewhere, package.id());
        offer(&artist, elsewhere, package.size_bytes()).await;
        let mut of_it = spec("cut elsewhere");
        of_it.scene = elsewhere;
        let refused = artist.refusal(Request::Quote { spec: of_it, offer: Offer::default() }).await;
        assert_eq!(refused.code, RefusedCode::BadScene);
        assert!(refused.message.contains("canonical"), "{refused}");

        let scene = keep(&artist, package.parts().collect()).await;
        let size_bytes = package.size_bytes();
        let ask = |scene, size_bytes| Request::OfferScene { scene, size_bytes, wait_ms: 10_000 };
        for (what, request) in [
            ("more than is taken", ask(scene, limits::SCENE_BYTES_MAX + 1)),
            ("more than was said", ask(scene, size_bytes - 1)),
            ("what the artist does not have", ask(SceneId([9; 32]), 1)),
        ] {
            let refused = artist.refusal(request).await;
            assert_eq!(refused.code, RefusedCode::BadScene, "{what}: {refused}");
        }
        // A refusal is no verdict for ever.
        assert!(offer(&artist, scene, size_bytes).await.is_whole);
        artist.peer.close().await;
        farm.stop().await;
    });
}

#[test]
fn nodes_that_give_are_named_to_nodes_with_a_pass() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let (giver, taker) = (node(1, ticket).await, node(2, ticket).await);
        let artist = client(10, ticket).await;
        let given = spec("given");
        let scene = given.scene;
        let key = |caller: &Caller| public_key(&caller.key);
        // Who has no lease of it learns nothing.
        let refused = taker.refusal(Request::Holders { scene }).await;
        assert_eq!(refused.code, RefusedCode::NotAllowed, "{refused}");
        ordered(&artist, &given).await;
        for caller in [&taker, &giver] {
            assert_eq!(leases(caller, 1, 1_000).await.expect("work").len(), 1);
        }
        let named = async || {
            let Reply::Holders(named) = taker.ask(Request::Holders { scene }).await else {
                panic!("no answer")
            };
            named
        };
        assert_eq!(named().await.holders, []);

        // Where it does not listen nobody finds it.
        let addresses = vec!["198.51.100.7:7".parse().expect("an address")];
        let elsewhere = Request::Gives { scenes: vec![scene], addresses };
        assert_eq!(giver.ask(elsewhere).await, Reply::Done);
        assert_eq!(named().await.holders, []);
        let addresses = giver.peer.ticket().addresses().to_vec();
        let gives = Request::Gives { scenes: vec![scene], addresses: addresses.clone() };
        assert_eq!(giver.ask(gives.clone()).await, Reply::Done);
        let Holders { holders, pass } = *named().await;
        assert_eq!(holders, [Holder { node: key(&giver), addresses }]);
        let pass = pass.open_from(farm.ready.key).expect("the scheduler's word");
        assert_eq!((pass.fetcher, pass.scene), (key(&taker), scene));
        let own = giver.ask(Request::Holders { scene }).await;
        assert!(matches!(own, Reply::Holders(named) if named.holders.is_empty()), "not itself");

        // Not for artists, and not without bound.
        for request in [gives, Request::Holders { scene }] {
            assert_eq!(artist.refusal(request).await.code, RefusedCode::NotAllowed);
        }
        let scenes = vec![scene; limits::SCENES_GIVEN_MAX + 1];
        let many = Request::Gives { scenes, addresses: Vec::new() };
        assert_eq!(giver.refusal(many).await.code, RefusedCode::BadRequest);
        // Who is gone gives nothing.
        giver.peer.close().await;
        while !named().await.holders.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        for caller in [taker, artist] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length / 8).flat_map(|_| next().to_le_bytes()).collect()
}

/// Packs, offers and quotes a scene, and prints how long each takes.
async fn timed(artist: &Caller, what: &str, scene: Scene) {
    let seconds = |begun: std::time::Instant| begun.elapsed().as_secs_f64();
    let begun = std::time::Instant::now();
    let package = scene::pack(&scene);
    drop(scene);
    let (packed_s, size_bytes) = (seconds(begun), package.size_bytes());
    let (id, parts) = (package.id(), package.parts().count());
    let begun = std::time::Instant::now();
    keep(artist, package.parts().collect()).await;
    drop(package);
    let kept_s = seconds(begun);
    let begun = std::time::Instant::now();
    let arrival = offer(artist, id, size_bytes).await;
    let (sent_s, sent) = (seconds(begun), arrival.size_bytes - arrival.found_bytes);
    let begun = std::time::Instant::now();
    let mut of_it = spec(what);
    of_it.scene = id;
    let request = Request::Quote { spec: of_it, offer: Offer::default() };
    let quoted = artist.connection.call(&request, Bytes::new(), limits::QUOTE_TIMEOUT).await;
    let quoted_s = seconds(begun);
    assert!(matches!(quoted, Ok((Reply::Quote(_), _))), "{quoted:?}");
    println!(
        "{what}: {size_bytes} bytes in {parts} parts; packed {packed_s:.2} s, kept {kept_s:.2} s, {sent} bytes sent in {sent_s:.2} s, quoted {quoted_s:.2} s"
    );
}

#[test]
#[ignore = "prints figures; takes gigabytes of memory and disk: TESSERA_TEST_SCENE_GIB, 1 without it"]
fn many_small_things_and_a_large_one() {
    let gib =
        std::env::var("TESSERA_TEST_SCENE_GIB").map_or(1, |gib| gib.parse().expect("a number"));
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let artist = guest(10, &farm).await;
        let small = |changed: Option<u64>| {
            let mut scene = scene::golden();
            let image = |seed: u64| {
                let seed = if changed == Some(seed) { 1 << 40 } else { seed };
                let pixels = Pixels::Rgba8(noise(seed, 4096));
                Image { name: format!("image {seed}"), width: 32, height: 32, pixels }
            };
            scene.images.extend((0..60_000).map(image));
            scene
        };
        timed(&artist, "60 000 images of 4 KiB", small(None)).await;
        timed(&artist, "one of them has changed", small(Some(30_000))).await;
        // One image has 1 GiB at most.
        let large = |changed: bool| {
            let mut scene = scene::golden();
            let image = |seed: u64| {
                let mut texels = noise(seed, 1 << 30);
                if changed && seed == 0 {
                    texels[1 << 29] ^= 1;
                }
                let pixels = Pixels::Rgba8(texels);
                Image { name: format!("image {seed}"), width: 16_384, height: 16_384, pixels }
            };
            scene.images.extend((0..gib).map(image));
            scene
        };
        timed(&artist, "images of 1 GiB", large(false)).await;
        timed(&artist, "one texel of it has changed", large(true)).await;
        artist.peer.close().await;
        farm.stop().await;
    });
}

/// What no job needs and nobody asks for leaves the disk, and can be offered again.
#[test]
fn a_scene_that_nobody_needs_is_not_kept_for_ever() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |config| {
            (config.sweep_ms, config.prices.valid_ms, config.keep_scenes_ms) = (100, 500, 1_000);
        })
        .await;
        let artist = guest(10, &farm).await;
        let (spare, ordered_one) = (textured([1, 2]), textured([1, 4]));
        for package in [&spare, &ordered_one] {
            keep(&artist, package.parts().collect()).await;
            offer(&artist, package.id(), package.size_bytes()).await;
        }
        let job = protocol::JobSpec { scene: ordered_one.id(), ..spec("kept") };
        // Nobody works here, so that the job goes on.
        crate::callers::ordered(&artist, &job).await;
        let spec = protocol::JobSpec { scene: spare.id(), ..spec("spare") };
        let mut is_gone = false;
        for _ in 0..100 {
            // Who asks for a price keeps the scene: rarely.
            tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
            let request = Request::Quote { spec: spec.clone(), offer: Offer::default() };
            if let Err(transport::CallError::Refused(refused)) =
                artist.call(request, Bytes::new()).await
            {
                assert_eq!(refused.code, RefusedCode::NotFound, "{refused}");
                is_gone = true;
                break;
            }
        }
        assert!(is_gone);
        let again = offer(&artist, spare.id(), spare.size_bytes()).await;
        assert!(
            again.found_bytes >= 4 << 20,
            "the ordered one has kept the texture that they share"
        );
        artist.peer.close().await;
        farm.stop().await;
    });
}
