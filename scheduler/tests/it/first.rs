//! What an artist wants to see first.

use std::collections::BTreeSet;

use ledger::account;
use protocol::message::RefusedCode;
use protocol::{JobId, Request, Selection, Steering, TileIndex, Tokens, Unit};
use scheduler::core::{Event, JobPhase, plan};

use crate::callers::{Farm, client, ordered, runtime, spec};
use crate::simulator::{HONEST, policy, run};
use crate::world::{World, public};

fn world() -> (World, JobId) {
    let mut world = World::new(31, &[(1, HONEST), (2, HONEST)], policy());
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    let job = world.order(50, 1, 140);
    world.settle_all();
    (world, job)
}

fn put_first(world: &mut World, job: JobId, which: Selection) {
    let (steering, now_ms) = (Steering::First(which), world.now_ms);
    world.apply(Event::Steered { job, steering, now_ms });
    world.assert_invariants();
    assert_eq!(world.replayed().book, world.state.book);
}

/// The unit that a node would get next.
fn next(world: &World, job: JobId, node: usize) -> (u32, Unit) {
    let event = plan::next_grant(&world.state, world.nodes[node].id, world.now_ms);
    let Some(Event::Granted { unit_index, .. }) = event else { panic!("no lease: {event:?}") };
    (unit_index, world.state.book.jobs[&job].units[unit_index as usize].unit)
}

#[test]
fn what_is_wanted_first_is_handed_out_first_and_then_what_is_around_it() {
    let (mut world, job) = world();
    let spec = world.state.book.jobs[&job].spec.clone();
    let (last, grid) = (TileIndex(spec.grid().tile_count() - 1), spec.grid());
    let frame = spec.frames.last;
    assert_ne!(next(&world, job, 0).1.tile, last, "the centre comes first unless said");
    let first = Selection { frame: Some(frame), tile: Some(last), view: None };
    put_first(&mut world, job, first);
    // Handed out one by one, as if each were begun by somebody.
    let waiting = &world.state.book.jobs[&job].waiting;
    let units: Vec<Unit> = waiting
        .iter()
        .map(|&(_, _, at)| world.state.book.jobs[&job].units[at as usize].unit)
        .collect();
    let away = |unit: &Unit| {
        let here = spec.shot(unit.shot).expect("of the job").frame == frame;
        (!here, if here { grid.rings_between(last, unit.tile) } else { 0 })
    };
    let order: Vec<_> = units.iter().map(away).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(order.iter().collect::<BTreeSet<_>>().len() > 2, "rings and another frame: {order:?}");
    assert_eq!(next(&world, job, 0).1, units[0]);

    // The last word counts; what was begun and failed still comes before all that is fresh.
    let other = Selection { frame: Some(spec.frames.first), tile: Some(TileIndex(0)), view: None };
    let (begun, _) = next(&world, job, 0);
    let grant = plan::next_grant(&world.state, world.nodes[0].id, world.now_ms).expect("a grant");
    let Event::Granted { lease, .. } = grant else { panic!("a plan is a grant") };
    world.apply(grant);
    put_first(&mut world, job, other);
    let (_, unit) = next(&world, job, 1);
    assert_eq!(
        (spec.shot(unit.shot).map(|shot| shot.frame), unit.tile),
        (other.frame, TileIndex(0))
    );
    world.apply(Event::Lapsed { lease, now_ms: world.now_ms });
    assert_eq!(next(&world, job, 1).0, begun);
    run(&mut world, 2_000);
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
}

#[test]
fn an_order_within_a_job_is_its_artists_and_changes_twice_a_second_at_most() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let (artist, stranger) = (client(10, ticket).await, client(11, ticket).await);
        let job = ordered(&artist, &spec("first")).await;
        let ask = |which| Request::Steer { job, steering: Steering::First(which) };
        let all = Selection::default();
        assert_eq!(stranger.refusal(ask(all)).await.code, RefusedCode::NotFound);
        let nowhere = Selection { tile: Some(TileIndex(6)), ..all };
        assert_eq!(artist.refusal(ask(nowhere)).await.code, RefusedCode::NotFound);
        let here = Selection { tile: Some(TileIndex(1)), ..all };
        assert_eq!(artist.ask(ask(here)).await, protocol::Reply::Done);
        assert_eq!(artist.refusal(ask(here)).await.code, RefusedCode::Busy);
        for caller in [artist, stranger] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
