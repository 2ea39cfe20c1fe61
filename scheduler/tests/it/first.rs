//! What an artist wants to see first.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::message::RefusedCode;
use protocol::{JobId, Request, Selection, Steering, TileIndex, Unit};
use scheduler::core::{Event, JobPhase, Want, plan};
use transport::CallError;

use crate::callers::{Farm, client, ordered, runtime, spec};
use crate::simulator::{paired, run, two_nodes_and_a_job, two_nodes_and_a_job_by};
use crate::world::World;

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
    let (mut world, job) = two_nodes_and_a_job_by(31, paired());
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
    // The one begun wants a twin: who could choose what comes first among such could choose whose.
    let twins = |world: &World| {
        let waiting = world.state.book.jobs[&job].waiting.iter();
        waiting.filter(|(want, ..)| *want == Want::Twin).copied().collect::<Vec<_>>()
    };
    let before = twins(&world);
    assert_eq!(before.iter().map(|&(_, _, at)| at).collect::<Vec<_>>(), [begun]);
    put_first(&mut world, job, other);
    assert_eq!(twins(&world), before);
    let of_job = &world.state.book.jobs[&job];
    let fresh = of_job.waiting.iter().find(|(want, ..)| *want == Want::Fresh).expect("some");
    let unit = of_job.units[fresh.2 as usize].unit;
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
        let (one, other) = tokio::join!(
            artist.call(ask(here), Bytes::new()),
            artist.call(ask(here), Bytes::new())
        );
        let refused = |answer: Result<_, CallError>| match answer {
            Err(CallError::Refused(refused)) => Some(refused.code),
            _other => None,
        };
        let mut answers = [refused(one), refused(other)];
        answers.sort_by_key(Option::is_some);
        assert_eq!(answers, [None, Some(RefusedCode::Busy)]);
        for caller in [artist, stranger] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// What is handed out next is where it belongs, whatever is put first between other happenings.
#[test]
fn the_order_is_whole_through_crashes_whatever_is_put_first() {
    let (mut world, job) = two_nodes_and_a_job(31);
    let spec = world.state.book.jobs[&job].spec.clone();
    let (grid, frames) = (spec.grid(), [None, Some(spec.frames.first), Some(spec.frames.last)]);
    for turn in 0.. {
        assert!(turn < 20_000, "it goes on for ever");
        if world.all_over() {
            break;
        }
        world.turn();
        if world.dice.below(20) == 0 {
            let frame = frames[world.dice.below(3) as usize];
            let tile = TileIndex(world.dice.below(u64::from(grid.tile_count())) as u32);
            let tile = (world.dice.below(3) > 0).then_some(tile);
            let (steering, now_ms) =
                (Steering::First(Selection { frame, tile, view: None }), world.now_ms);
            world.apply(Event::Steered { job, steering, now_ms });
        }
        if world.dice.below(100) == 0 {
            world.crash();
        }
        world.assert_invariants();
        let of_job = &world.state.book.jobs[&job];
        for &(want, ring, at) in &of_job.waiting {
            let unit = &of_job.units[at as usize].unit;
            let first = of_job.first.map(|first| first.which).filter(|_| want == Want::Fresh);
            let expected = match first {
                Some(which) if !Selection { tile: None, ..which }.holds(&spec, unit) => u32::MAX,
                Some(Selection { tile: Some(tile), .. }) => grid.rings_between(tile, unit.tile),
                _ => 0,
            };
            assert_eq!(ring, expected, "unit {at} of {:?}", of_job.first);
        }
        let waiting = of_job.waiting.iter().map(|(.., at)| at);
        assert_eq!(waiting.collect::<BTreeSet<_>>().len(), of_job.waiting.len(), "each once");
    }
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
}
