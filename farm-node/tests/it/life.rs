//! A working day: qualify, render, lose the scheduler, stop.

use farm_node::{Manners, NodeEvent, RunError};
use protocol::{Batch, Engine, Invitation, LeaseId, Rect};
use renderer::ENGINE;

use crate::farm::{Farm, Node, golden_settings, honest, lease, open, reopen};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_qualifies_renders_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, true);
    let peer = open(&farm, &folder).await;
    let scene =
        peer.scenes().add(scene::pack(&scene::golden()).parts().collect()).await.expect("kept");
    let mut node = Node::start(&peer, &folder, None).await;

    node.hears(|event| matches!(event, NodeEvent::Qualified { .. }).then_some(())).await;
    let golden = farm.book().golden.clone().expect("a golden film");
    let settings = golden_settings();
    let batch = Batch::new(0, 1).expect("aligned");
    assert!(golden == honest(&settings, Rect::of_size(settings.size), batch).to_bytes());

    let leases: Vec<_> = (0..3).map(|tile| lease(node.id, scene, tile)).collect();
    leases.iter().for_each(|lease| farm.offer(lease));
    farm.until(|book| book.films.len() == 3).await;
    for (id, film) in &farm.book().films {
        let lease = leases.iter().find(|lease| lease.id == *id).expect("a lease of ours");
        let honest = honest(&lease.piece.settings, lease.piece.rect, lease.piece.unit.batch);
        assert!(*film == honest.to_bytes(), "{id}");
    }
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        let number = node.hears(|event| match event {
            NodeEvent::Verdict { number, .. } => Some(*number),
            _other => None,
        });
        numbers.push(number.await);
    }
    assert_eq!(numbers, [1, 2, 3], "each verdict is told once, in order");

    node.stop().await.expect("a clean stop");
    assert_eq!(farm.book().released, [], "nothing was left to give back");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_outlives_the_loss_of_the_scheduler() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let address = peer.ticket().addresses()[0];
    let scene =
        peer.scenes().add(scene::pack(&scene::golden()).parts().collect()).await.expect("kept");
    let mut node = Node::start(&peer, &folder, None).await;
    node.hears(|event| matches!(event, NodeEvent::Connected { .. }).then_some(())).await;
    let lease = lease(node.id, scene, 4);
    // Whatever comes before the loss is not answered.
    farm.book().deaf = true;
    farm.offer(&lease);
    // The scheduler is gone while the tile is rendered, and comes back under the same address.
    node.hears(|event| matches!(event, NodeEvent::Rendering { .. }).then_some(())).await;
    peer.close().await;
    drop(peer);
    node.hears(|event| matches!(event, NodeEvent::Error { retry_in: Some(_), .. }).then_some(()))
        .await;
    farm.book().deaf = false;
    let peer = reopen(&farm, &folder, address).await;
    farm.until(|book| book.films.iter().any(|(id, _)| *id == lease.id)).await;
    // The node says that it still has it, on a stream of its own: before the film or after.
    farm.until(|book| book.beaten.contains(&lease.id)).await;
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_node_gives_its_leases_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let scene =
        peer.scenes().add(scene::pack(&scene::golden()).parts().collect()).await.expect("kept");
    let mut node = Node::start(&peer, &folder, None).await;
    node.hears(|event| matches!(event, NodeEvent::Connected { .. }).then_some(())).await;
    // Far more than can be rendered before the stop.
    let mut long = lease(node.id, scene, 0);
    long.piece.settings.samples = 65_536;
    long.piece.unit.batch = Batch::new(0, 4096).expect("aligned");
    farm.offer(&long);
    node.hears(|event| matches!(event, NodeEvent::Rendering { .. }).then_some(())).await;
    node.stop().await.expect("a clean stop");
    assert_eq!(farm.book().released, [long.id]);
    assert!(farm.book().films.is_empty());
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_done_is_given_back_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let scene = peer.scenes().add(vec!["no scene at all".into()]).await.expect("kept");
    let mut node = Node::start(&peer, &folder, None).await;
    let id = LeaseId([1; 16]);
    node.hears(|event| matches!(event, NodeEvent::Connected { .. }).then_some(())).await;
    farm.offer(&lease(node.id, scene, 0));
    let reason = node.hears(|event| match event {
        NodeEvent::Dropped { lease, reason } if *lease == id => Some(reason.clone()),
        _other => None,
    });
    let reason = reason.await;
    assert!(reason.contains("package"), "{reason}");
    farm.until(|book| book.released == [id]).await;
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_engine_ends_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(Engine(ENGINE.0 + 1), false);
    let peer = open(&farm, &folder).await;
    let node = Node::start(&peer, &folder, None).await;
    let ended = node.ends().await;
    assert!(matches!(ended, Err(RunError::Engine { .. })), "{ended:?}");
    peer.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_node_pauses_while_a_program_runs_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let peer = open(&farm, &folder).await;
    let scene =
        peer.scenes().add(scene::pack(&scene::golden()).parts().collect()).await.expect("kept");
    // A program with a name of its own.
    let game = folder.path().join("a-long-game-of-a-name");
    std::fs::copy("/bin/sleep", &game).expect("copied");
    let mut game = std::process::Command::new(&game).arg("600").spawn().expect("it starts");
    let exclusive = vec!["a-long-game-of-a-name".to_owned()];
    let manners = Manners { exclusive, ..Manners::default() };
    let mut node = Node::start_with(&peer, &folder, None, manners).await;
    let reason = node.hears(|event| match event {
        NodeEvent::Paused { pause } => Some(pause.to_string()),
        _other => None,
    });
    assert_eq!(reason.await, "a-long-game-of-a-name is running; resumes when it ends");
    // What was asked for before the pause is given back; nothing is rendered.
    let lease = lease(node.id, scene, 0);
    farm.offer(&lease);
    let waited = std::time::Duration::from_millis(500);
    tokio::time::sleep(waited).await;
    assert!(farm.book().films.is_empty());
    game.kill().expect("it runs");
    game.wait().expect("it ended");
    node.hears(|event| matches!(event, NodeEvent::Resumed).then_some(())).await;
    if farm.book().released.contains(&lease.id) {
        farm.offer(&lease);
    }
    farm.until(|book| book.films.len() == 1).await;
    node.stop().await.expect("a clean stop");
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_invited_any_more_waits_for_its_files_new_ticket() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::new(ENGINE, false);
    let of_today = Invitation([7; 16]);
    farm.book().invitation = Some(of_today);
    let peer = open(&farm, &folder).await;
    let file = folder.path().join("ticket");
    std::fs::write(&file, peer.ticket().to_string()).expect("written");
    // Without a file nothing would change.
    let typed = Node::start(&peer, &folder, None).await;
    assert!(matches!(typed.ends().await, Err(RunError::Refused(_))));
    let of_file = |config: &mut farm_node::Config| config.farm_file = Some(file.clone());
    let mut node = Node::start_as(&peer, &folder, of_file).await;
    let said = node.hears(|event| match event {
        NodeEvent::Error { message, retry_in: Some(_) } => Some(message.clone()),
        _other => None,
    });
    assert!(said.await.contains("does not invite you"));
    std::fs::write(&file, peer.ticket().inviting(of_today).to_string()).expect("written");
    node.hears(|event| matches!(event, NodeEvent::Connected { .. }).then_some(())).await;
    node.stop().await.expect("a clean stop");
    peer.close().await;
}
