//! Scenes that share parts: what a node fetches of them, and what it keeps.

use std::num::NonZeroU64;

use farm_node::NodeEvent;
use protocol::{Holder, LeaseId, PublicKey, SceneId};
use renderer::ENGINE;
use scene::{Image, Package, Pixels, Scene};
use transport::{Peer, PeerConfig};

use crate::farm::{Farm, Node, lease, open};

const TEXTURE_BYTES: u64 = 4 << 20;

/// The golden scene with images of 4 MiB.
fn textured(seeds: &[u32]) -> Package {
    let image = |seed: &u32| {
        let texels =
            (0..1 << 20_u32).map(|at: u32| at.wrapping_mul(2_654_435_761).wrapping_add(*seed));
        let pixels = Pixels::Rgba8(texels.flat_map(u32::to_le_bytes).collect());
        Image { name: format!("image {seed}"), width: 1024, height: 1024, pixels }
    };
    let golden = scene::golden();
    let images = golden.images.iter().cloned().chain(seeds.iter().map(image)).collect();
    scene::pack(&Scene { images, ..golden })
}

/// Has the node render a tile of a scene; returns what it found here of it, and what it fetched.
async fn rendered(farm: &Farm, node: &mut Node, scene: SceneId, tile: u32) -> (u64, u64) {
    let lease = lease(node.id, scene, tile);
    farm.offer(&lease);
    let fetching = node.hears(|event| match event {
        NodeEvent::Fetching { scene: of, found_bytes, size_bytes, .. } if *of == scene => {
            Some((*found_bytes, size_bytes - found_bytes))
        }
        _other => None,
    });
    let fetched = fetching.await;
    let done = |book: &crate::farm::Book| {
        book.films.iter().any(|(film, _): &(LeaseId, _)| *film == lease.id)
    };
    farm.until(done).await;
    fetched
}

#[tokio::test(flavor = "multi_thread")]
async fn scenes_that_share_parts_take_their_room_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let [first, second, third] = [[1, 2], [1, 3], [1, 4]].map(|seeds| textured(&seeds));
    for package in [&first, &second, &third] {
        peer.scenes().add(package.parts().collect()).await.expect("kept");
    }
    let outline = |package: &Package| package.parts().next().expect("a part").len() as u64;
    // Room for two of them, if what they share is counted once: three textures.
    let small_bytes = first.size_bytes() - 2 * TEXTURE_BYTES;
    let cache_bytes = 3 * TEXTURE_BYTES + 2 * small_bytes;
    assert!(cache_bytes < 2 * first.size_bytes());
    let mut node = Node::start_as(&peer, &folder, |config| config.cache_bytes = cache_bytes).await;
    let fetched = rendered(&farm, &mut node, first.id(), 0).await;
    assert_eq!(fetched, (0, first.size_bytes()));
    for (tile, package) in (1..).zip([&second, &third]) {
        let lacked = TEXTURE_BYTES + outline(package);
        let fetched = rendered(&farm, &mut node, package.id(), tile).await;
        assert_eq!(fetched, (package.size_bytes() - lacked, lacked));
    }
    node.stop().await.expect("a clean stop");

    // The oldest has gone; what the others share with it has not.
    let config = PeerConfig::new([5; 32], folder.path().join("node/scenes"));
    let kept = Peer::bind(config).await.expect("the node has closed its scenes");
    let mut expected: Vec<_> = [&second, &third].map(|it| (it.id(), it.size_bytes())).to_vec();
    expected.sort_unstable();
    assert_eq!(kept.scenes().list().await.expect("a store"), expected);
    assert_eq!(kept.scenes().read(second.id()).await.expect("whole"), second.bytes());
    kept.close().await;
    peer.close().await;
}

/// Waits until a tile is rendered.
async fn filmed(farm: &Farm, node: &Node, scene: SceneId, tile: u32) {
    let lease = lease(node.id, scene, tile);
    farm.offer(&lease);
    farm.until(|book| book.films.iter().any(|(film, _)| *film == lease.id)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_gives_its_scenes_to_others_of_the_farm() {
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folders[0]).await;
    farm.book().by_node = true;
    let package = textured(&[1]);
    let scene = peer.scenes().add(package.parts().collect()).await.expect("kept");
    let mut giver = Node::start_as(&peer, &folders[0], |config| {
        config.give_bytes_per_second = NonZeroU64::new(1 << 30);
    })
    .await;
    giver.hears(|event| matches!(event, NodeEvent::Connected { .. }).then_some(())).await;
    filmed(&farm, &giver, scene, 0).await;
    let key = PublicKey(giver.id.0);
    farm.until(|book| book.given.get(&key).is_some_and(|(scenes, _)| scenes == &[scene])).await;

    // From now on the scheduler does not have it: whoever gets it gets it from the node. One that
    // is named first and is not there is passed over.
    peer.scenes().remove(scene).await.expect("removed");
    let gone = Holder { node: PublicKey([3; 32]), addresses: vec![([127, 0, 0, 1], 9).into()] };
    farm.book().named.push(gone);
    let mut taker = Node::start_as(&peer, &folders[1], |_as_ever| ()).await;
    taker.hears(|event| matches!(event, NodeEvent::Connected { .. }).then_some(())).await;
    let fetched = rendered(&farm, &mut taker, scene, 1).await;
    assert_eq!(fetched, (0, package.size_bytes()));
    assert!(!farm.book().given.contains_key(&PublicKey(taker.id.0)), "it gives nothing itself");

    // Where nobody gives it any more, the scheduler does.
    giver.stop().await.expect("a clean stop");
    peer.scenes().add(package.parts().collect()).await.expect("kept");
    let last = Node::start_as(&peer, &folders[2], |_as_ever| ()).await;
    filmed(&farm, &last, scene, 2).await;
    taker.stop().await.expect("a clean stop");
    last.stop().await.expect("a clean stop");
    peer.close().await;
}
