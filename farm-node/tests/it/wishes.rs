//! An owner who changes his mind while his node works.

use std::sync::Mutex;

use farm_node::{Hold, Manners, NodeEvent, Pause, RunAnyway, Unwanted, Wishes};
use protocol::{Batch, JobId, Lease, NodeId, SceneId};
use renderer::ENGINE;
use tempfile::TempDir;
use transport::Peer;

use crate::farm::{Farm, Node, lease, open};

struct Scenery {
    folder: TempDir,
    farm: std::sync::Arc<Farm>,
    peer: Peer,
    scene: SceneId,
}

async fn scenery() -> Scenery {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let parts = scene::pack(&scene::golden()).parts().collect();
    let scene = peer.scenes().add(parts).await.expect("kept");
    Scenery { folder, farm, peer, scene }
}

/// A lease that takes its time: so many chunks of samples.
fn long(node: NodeId, scene: SceneId, tile: u32, chunks: u32) -> Lease {
    let mut lease = lease(node, scene, tile);
    lease.piece.settings.samples = chunks * 16;
    lease.piece.unit.batch = Batch::new(0, chunks).expect("aligned");
    lease
}

fn held(hold: Hold) -> Wishes {
    Wishes { hold: Some(hold), ..Wishes::default() }
}

async fn pause(node: &mut Node) -> Pause {
    let paused = node.hears(|event| match event {
        NodeEvent::Paused { pause } => Some(pause.clone()),
        _other => None,
    });
    paused.await
}

async fn resumed(node: &mut Node) {
    node.hears(|event| matches!(event, NodeEvent::Resumed).then_some(())).await;
}

async fn rendering(node: &mut Node) {
    node.hears(|event| matches!(event, NodeEvent::Rendering { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_is_finished_and_the_next_one_given_back() {
    let Scenery { folder, farm, peer, scene } = scenery().await;
    let mut node = Node::start(&peer, &folder, None).await;
    let first = long(node.id, scene, 0, 512);
    farm.offer(&first);
    rendering(&mut node).await;
    let next = lease(node.id, scene, 1);
    farm.offer(&next);
    // The next one is taken, and said to be held.
    let beaten = next.id;
    farm.until(|book| book.to_lease.is_empty()).await;
    node.wish(held(Hold::AfterThisTile));
    node.hears(|event| matches!(event, NodeEvent::Finishing).then_some(())).await;
    farm.until(|book| book.released == [beaten]).await;
    assert!(farm.book().films.is_empty(), "the first takes longer than the wish");
    assert_eq!(pause(&mut node).await, Pause::Held { hold: Hold::AfterThisTile });
    {
        let book = farm.book();
        assert_eq!(book.films.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [first.id]);
        assert_eq!(book.released, [beaten], "nothing else was given back");
    }
    // Whoever held a question open has it answered with a lease: that goes back, too.
    let third = lease(node.id, scene, 2);
    farm.offer(&third);
    node.wish(Wishes::default());
    resumed(&mut node).await;
    if farm.book().released.contains(&third.id) {
        farm.offer(&third);
    }
    farm.until(|book| book.films.iter().any(|(id, _)| *id == third.id)).await;
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_once_gives_everything_back_and_the_node_works_again() {
    let Scenery { folder, farm, peer, scene } = scenery().await;
    let mut node = Node::start(&peer, &folder, None).await;
    // Far more than can be rendered in a test.
    let leases = [0, 1].map(|tile| long(node.id, scene, tile, 4096));
    leases.iter().for_each(|lease| farm.offer(lease));
    rendering(&mut node).await;
    farm.until(|book| book.to_lease.is_empty()).await;
    node.wish(held(Hold::Now));
    // It pauses and yields; which is told first is nobody's business.
    let told = Mutex::new((None, None));
    let both = node.hears(|event| {
        let mut told = told.lock().expect("whole");
        match event {
            NodeEvent::Paused { pause } => told.0 = Some(pause.clone()),
            NodeEvent::Yielded { pause, after } => told.1 = Some((pause.clone(), *after)),
            _other => {}
        }
        Some((told.0.clone()?, told.1.clone()?))
    });
    let (paused, (yielded, after)) = both.await;
    assert_eq!((&paused, &yielded), (&Pause::Held { hold: Hold::Now }, &paused));
    assert!(!after.is_zero(), "what is measured takes time");
    farm.until(|book| leases.iter().all(|lease| book.released.contains(&lease.id))).await;
    assert!(farm.book().films.is_empty());
    node.wish(Wishes::default());
    resumed(&mut node).await;
    let next = lease(node.id, scene, 2);
    farm.offer(&next);
    farm.until(|book| book.films.iter().any(|(id, _)| *id == next.id)).await;
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn manners_change_while_a_node_works_and_can_be_overridden() {
    let Scenery { folder, farm, peer, scene } = scenery().await;
    let mut node = Node::start(&peer, &folder, None).await;
    let lease = lease(node.id, scene, 0);
    farm.offer(&lease);
    farm.until(|book| book.films.len() == 1).await;
    // The test's own name, as the kernel has it, is a program that runs.
    let program = std::fs::read_to_string("/proc/self/comm").expect("Linux").trim().to_owned();
    let manners = Manners { exclusive: vec![program.clone()], ..Manners::default() };
    let wishes = Wishes { manners: Some(manners), ..Wishes::default() };
    node.wish(wishes.clone());
    assert_eq!(pause(&mut node).await, Pause::Exclusive { program });
    let run_anyway = Some(RunAnyway { until_ms: u64::MAX, on_battery: false });
    node.wish(Wishes { run_anyway, ..wishes.clone() });
    resumed(&mut node).await;
    // A time that is over overrides nothing.
    let run_anyway = Some(RunAnyway { until_ms: 1, on_battery: false });
    node.wish(Wishes { run_anyway, ..wishes });
    pause(&mut node).await;
    node.wish(Wishes::default());
    resumed(&mut node).await;
    // What makes no sense is said, and changes nothing.
    let manners = Manners { away_minutes: Some(0), ..Manners::default() };
    node.wish(Wishes { manners: Some(manners), ..held(Hold::Now) });
    let message = node.hears(|event| match event {
        NodeEvent::Error { message, retry_in: None } => Some(message.clone()),
        NodeEvent::Paused { pause } => Some(format!("it pauses: {pause}")),
        _other => None,
    });
    let expected =
        "a wish changes nothing: away_minutes is 0; choose 1 to 1440, or none for no rule";
    assert_eq!(message.await, expected);
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_unwanted_go_back_with_a_word_and_others_go_on() {
    let Scenery { folder, farm, peer, scene } = scenery().await;
    let mut node = Node::start(&peer, &folder, None).await;
    let of = |job: u8, mut lease: Lease| {
        lease.piece.unit.job = JobId([job; 16]);
        lease
    };
    let first = of(7, long(node.id, scene, 0, 4096));
    farm.offer(&first);
    rendering(&mut node).await;
    let unwanted = vec![Unwanted { job: JobId([7; 16]), report: "not for my machine".to_owned() }];
    node.wish(Wishes { unwanted, ..Wishes::default() });
    let word = "not for my machine".to_owned();
    farm.until(|book| book.unwanted == [(first.id, word.clone())]).await;
    // What comes of it later goes back as well; another job is rendered.
    let (again, other) = (of(7, lease(node.id, scene, 1)), of(8, lease(node.id, scene, 2)));
    farm.offer(&again);
    farm.until(|book| book.unwanted.iter().any(|(id, _)| *id == again.id)).await;
    farm.offer(&other);
    farm.until(|book| book.films.iter().any(|(id, _)| *id == other.id)).await;
    assert_eq!(farm.book().films.len(), 1);
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vitals_are_told_while_they_are_wished_for() {
    let Scenery { folder, farm, peer, scene } = scenery().await;
    let mut node = Node::start(&peer, &folder, None).await;
    let lease = long(node.id, scene, 0, 4096);
    farm.offer(&lease);
    rendering(&mut node).await;
    let cache_bytes = scene::pack(&scene::golden()).size_bytes();
    node.wish(Wishes { vitals: true, ..Wishes::default() });
    let vitals = node.hears(|event| match event {
        NodeEvent::Vitals(vitals) => Some((**vitals).clone()),
        _other => None,
    });
    let vitals = vitals.await;
    let rendering = vitals.rendering.expect("it renders");
    assert_eq!((rendering.lease, rendering.unit), (lease.id, lease.piece.unit));
    assert!(vitals.cache_bytes >= cache_bytes && vitals.fetched_bytes >= cache_bytes, "{vitals:?}");
    assert_eq!((vitals.sent_bytes, vitals.rests), (0, 0), "no film was handed in");
    assert_eq!(vitals.cards, [], "nothing renders on a card");
    // A duty that nothing can keep is said.
    let duty_percent = Some(50.try_into().expect("a duty"));
    node.wish(Wishes { duty_percent, ..Wishes::default() });
    let message = node.hears(|event| match event {
        NodeEvent::Error { message, .. } => Some(message.clone()),
        _other => None,
    });
    assert!(message.await.starts_with("a duty of 50 % has no effect here"));
    node.stop().await.expect("a clean stop");
    peer.close().await;
}
