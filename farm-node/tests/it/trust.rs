//! Whom a node believes, and how it can be false itself.

use farm_node::{Cheat, NodeEvent};
use film::Film;
use film::tripwire::{RayBounds, check};
use protocol::{Signed, SigningKey};
use renderer::ENGINE;

use crate::farm::{Book, Farm, Node, honest, lease, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_lease_is_not_worked_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let scene =
        peer.scenes().add(scene::pack(&scene::golden()).parts().collect()).await.expect("kept");
    let mut node = Node::start(&peer, &folder, None).await;
    let (forged, good) = (lease(node.id, scene, 0), lease(node.id, scene, 1));
    let forged = Signed::new(&forged, &SigningKey::from_bytes(&[13; 32]));
    farm.book().to_lease.push_back(forged);
    farm.offer(&good);
    let message = node.hears(|event| match event {
        NodeEvent::Error { message, .. } if message.contains("lease") => Some(message.clone()),
        _other => None,
    });
    assert!(message.await.contains("not signed by the scheduler"));
    farm.until(|book| book.films.len() == 1).await;
    assert_eq!(farm.book().films[0].0, good.id);
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheats_film_passes_the_tripwires_and_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, true);
    let peer = open(&farm, &folder).await;
    let scene =
        peer.scenes().add(scene::pack(&scene::golden()).parts().collect()).await.expect("kept");
    let node = Node::start(&peer, &folder, Some(Cheat::QuarterSamples)).await;
    let lease = lease(node.id, scene, 2);
    farm.offer(&lease);
    farm.until(|book| book.films.len() == 1).await;
    let bytes = farm.book().films[0].1.clone();
    let (rect, batch) = (lease.piece.rect, lease.piece.unit.batch);
    let forged = Film::from_bytes(rect, batch, false, &bytes).expect("a film of the leased size");
    let honest = honest(&lease.piece.settings, rect, batch);
    assert!(forged != honest);
    assert!(forged.pixels().iter().all(|pixel| pixel.samples == 64));
    // Within a factor of the honest ray count: nothing to trip over.
    let share = forged.rays().total() as f64 / honest.rays().total() as f64;
    assert!((0.8..1.25).contains(&share), "{share}");
    let bounds = RayBounds { closest_per_sample_max: 64, shadow_per_sample_max: 64 };
    assert_eq!(check(&forged, lease.piece.settings.samples, &bounds), Ok(()));
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_silent_cheat_takes_and_never_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let scene =
        peer.scenes().add(scene::pack(&scene::golden()).parts().collect()).await.expect("kept");
    let node = Node::start(&peer, &folder, Some(Cheat::Silent)).await;
    (0..2).for_each(|tile| farm.offer(&lease(node.id, scene, tile)));
    farm.until(|book| book.to_lease.is_empty()).await;
    node.stop().await.expect("a clean stop");
    let silent = |book: &Book| [book.films.len(), book.released.len(), book.beaten.len()];
    assert_eq!(silent(&farm.book()), [0; 3]);
    peer.close().await;
}
