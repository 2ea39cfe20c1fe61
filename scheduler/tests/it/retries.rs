//! Second chances: failures that an artist has forgotten, and what is said where there is no more to try.

use protocol::message::RefusedCode;
use protocol::view::JobStatus;
use protocol::{JobId, Request, Selection, Steering, TileIndex};
use scheduler::core::{Event, JobPhase, plan, view};

use crate::callers::{Farm, client, frame, honest, node, ordered, runtime, spec, wait_for, work};
use crate::simulator::{policy, run, two_nodes_and_a_job};
use crate::world::World;

fn retry(world: &mut World, job: JobId, which: Selection) {
    let (steering, now_ms) = (Steering::Retry(which), world.now_ms);
    world.apply(Event::Steered { job, steering, now_ms });
    world.assert_invariants();
    assert_eq!(world.replayed().book, world.state.book);
}

fn grant(world: &World, index: usize) -> Option<Event> {
    plan::next_grant(&world.state, world.nodes[index].id, world.now_ms)
}

/// A node takes a lease and never answers; of which unit, if it got one.
fn fail(world: &mut World, index: usize) -> Option<u32> {
    let event = grant(world, index)?;
    let Event::Granted { lease, unit_index, .. } = event else { panic!("a plan is a grant") };
    world.apply(event);
    world.apply(Event::Lapsed { lease, now_ms: world.now_ms });
    Some(unit_index)
}

#[test]
fn a_node_that_was_passed_over_may_try_again_where_its_failures_are_forgotten() {
    let (mut world, job) = two_nodes_and_a_job(21);
    let failed: Vec<u32> = std::iter::from_fn(|| fail(&mut world, 0)).take(100).collect();
    let count = policy().job_failures_per_node_max as usize;
    assert_eq!(failed, vec![failed[0]; count], "at one unit, until others come first");
    let row = |world: &World| view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    let reason = row(&world).reason.expect("a reason");
    assert!(reason.starts_with("1 nodes have failed") && reason.contains("retry"), "{reason}");

    let unit = world.state.book.jobs[&job].units[failed[0] as usize].unit;
    let spec = world.state.book.jobs[&job].spec.clone();
    let shot = spec.shot(unit.shot).expect("of the job");
    let all = Selection::default();
    let this = Selection { frame: Some(shot.frame), view: Some(shot.view), tile: Some(unit.tile) };
    let other_tile = Selection { tile: Some(TileIndex(unit.tile.0 + 1)), ..all };
    let other_frame = Selection { frame: Some(1 - shot.frame), ..this };
    for which in [other_tile, other_frame] {
        retry(&mut world, job, which);
        assert_eq!(grant(&world, 0), None, "{which:?} is another");
    }
    for which in [this, all, Selection { frame: Some(shot.frame), ..all }] {
        retry(&mut world, job, which);
        let state = &world.state.book.jobs[&job].units[failed[0] as usize];
        assert_eq!((state.failures, state.lost, state.failed_by.len()), (0, 0, 0));
        assert_eq!(row(&world).reason, None);
        while fail(&mut world, 0).is_some() {}
        assert_eq!(grant(&world, 0), None, "as often as before");
    }
    // What is accepted stays, and is paid once.
    run(&mut world, 2_000);
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
}

#[test]
fn a_job_that_would_end_for_a_tile_goes_on_where_its_failures_are_forgotten() {
    let (mut world, job) = two_nodes_and_a_job(22);
    let ends = |world: &World| {
        let due = plan::due(&world.state, world.now_ms);
        due.iter().any(|event| matches!(event, Event::Failed { .. }))
    };
    for turn in 0.. {
        assert!(turn < 1_000, "nobody gets it done, and it goes on");
        if ends(&world) {
            break;
        }
        let failed = [fail(&mut world, 0), fail(&mut world, 1)];
        assert_ne!(failed, [None, None]);
    }
    retry(&mut world, job, Selection::default());
    assert!(!ends(&world));
    run(&mut world, 2_000);
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
}

#[test]
fn who_has_nothing_to_retry_is_told_what_there_is_to_do() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let (artist, stranger) = (client(10, ticket).await, client(11, ticket).await);
        let job = ordered(&artist, &spec("retried")).await;
        let ask = |which| Request::Steer { job, steering: Steering::Retry(which) };
        let all = Selection::default();
        assert_eq!(stranger.refusal(ask(all)).await.code, RefusedCode::NotFound);
        assert_eq!(artist.ask(ask(all)).await, protocol::Reply::Done);
        // Every try costs the nodes that make it.
        assert_eq!(artist.refusal(ask(all)).await.code, RefusedCode::Busy);
        for which in
            [Selection { tile: Some(TileIndex(6)), ..all }, Selection { frame: Some(1), ..all }]
        {
            let refused = artist.refusal(ask(which)).await;
            assert_eq!(refused.code, RefusedCode::NotFound, "{refused}");
        }
        // Units of a tile are done one after the other: two, and the tile is.
        let worker = node(1, ticket).await;
        work(&worker, frame(), honest, 1_500, 1_000).await;
        wait_for(&artist, job, JobStatus::Done).await;
        let refused = artist.refusal(ask(all)).await;
        assert_eq!(refused.code, RefusedCode::BadRequest);
        assert!(refused.message.contains(&format!("tessera jobs continue {job}")), "{refused}");
        for caller in [artist, stranger, worker] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
