//! What an artist wants for all of his jobs: nodes that are kept off them, scenes that they need no
//! longer.

use std::time::Duration;

use bytes::Bytes;
use ledger::account;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::{BlockView, JobStatus};
use protocol::{NodeId, PublicKey, Reply, Request, Tokens};
use scheduler::core::{Event, JobPhase, keep, plan, view};
use transport::CallError;

use crate::callers::{
    Farm, assert_picture, client, frame, honest, node, ordered, quote, runtime, spec, wait_for,
    work,
};
use crate::simulator::{HONEST, paired, run, two_nodes_and_a_job};
use crate::world::{World, public};

fn block(world: &mut World, who: PublicKey, is_blocked: bool) {
    let (artist, now_ms) = (public(50), world.now_ms);
    world.apply(Event::Blocked { artist, who, is_blocked, now_ms });
    world.assert_invariants();
    assert_eq!(world.replayed().book, world.state.book);
}

fn offer(world: &World, index: usize) -> Option<Event> {
    plan::next_grant(&world.state, world.nodes[index].id, world.now_ms)
}

#[test]
fn whom_an_artist_has_blocked_gets_nothing_of_his() {
    let (mut world, job) = two_nodes_and_a_job(43);
    let (first, second) = (PublicKey(world.nodes[0].id.0), public(2));
    assert!(world.state.book.is_for_any(&world.state.book.jobs[&job]));
    block(&mut world, first, true);
    // By the key of its owner.
    block(&mut world, second, true);
    assert_eq!((offer(&world, 0), offer(&world, 1)), (None, None));
    let row = |world: &World| view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    assert_eq!(row(&world).nodes_here, Some(0));
    let reason = row(&world).reason.expect("a reason");
    assert!(reason.contains("its artist has blocked 2 of the 2"), "{reason}");
    let reach = |world: &World, artist| {
        let (needs, memory) = (protocol::Needs::default(), protocol::Footprint::default());
        view::reach(&world.state, artist, &needs, memory).meet
    };
    assert_eq!((reach(&world, public(50)), reach(&world, public(51))), (0, 2));
    let version = world.state.book.jobs[&job].version;
    block(&mut world, second, false);
    assert!(world.state.book.jobs[&job].version > version, "who watches the job hears of it");
    assert_eq!(
        (offer(&world, 0), row(&world).nodes_here, row(&world).reason),
        (None, Some(1), None)
    );
    // Whoever keeps others off picks who renders: nobody makes a name by it, and the reserve pays no twin.
    assert!(!world.state.book.is_for_any(&world.state.book.jobs[&job]));
    run(&mut world, 2_000);
    let book = &world.state.book;
    assert_eq!(book.jobs[&job].phase, JobPhase::Done);
    let done = world.nodes.iter().map(|node| {
        let node = &book.nodes[&node.id];
        (node.accepted > 0, node.accepted_of_any, node.accepted_for_others)
    });
    assert_eq!(done.collect::<Vec<_>>(), [(false, 0, 0), (true, 0, 0)]);
    block(&mut world, first, false);
    assert!(!world.state.book.blocks.are_there(public(50)));
}

#[test]
fn a_lease_that_is_out_goes_on_when_its_node_is_blocked() {
    let (mut world, job) = two_nodes_and_a_job(44);
    let grant = offer(&world, 0);
    let Some(Event::Granted { lease, unit_index, .. }) = grant else { panic!("no lease") };
    world.apply(grant.expect("a grant"));
    let node = world.nodes[0].id;
    block(&mut world, PublicKey(node.0), true);
    assert_eq!(offer(&world, 0), None);
    world.commit(0, lease, job, unit_index);
    run(&mut world, 2_000);
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
    assert_eq!(world.state.book.nodes[&node].accepted, 1);
}

#[test]
fn a_scene_stays_while_something_may_be_rendered_again() {
    let (mut world, job) = two_nodes_and_a_job(45);
    let scene = world.state.book.jobs[&job].spec.scene;
    let drop_it = |world: &mut World| {
        let (artist, now_ms) = (public(50), world.now_ms);
        world.apply(Event::SceneDropped { artist, scene, now_ms });
    };
    drop_it(&mut world);
    assert!(!world.state.book.jobs[&job].scene_dropped, "it is not over");
    run(&mut world, 2_000);
    drop_it(&mut world);
    assert!(view::summary(&world.state.book.jobs[&job]).scene_dropped);
    let pay_is_held =
        |world: &World| world.state.book.nodes.values().any(|node| !node.holds.is_empty());
    assert!(pay_is_held(&world));
    assert!(keep::scenes(&world.state.book).contains(&scene), "films may be looked at again");
    world.now_ms += 30 * 24 * 3_600_000;
    for _ in 0..3 {
        for event in plan::due(&world.state, world.now_ms) {
            world.apply(event);
        }
        world.settle_all();
    }
    assert!(!pay_is_held(&world));
    assert!(!keep::scenes(&world.state.book).contains(&scene));
    assert!(!keep::films(&world.state.book).is_empty(), "the films stay");
    // Another job of it needs it as before.
    world.order(50, 2, 140);
    assert!(keep::scenes(&world.state.book).contains(&scene));
    assert_eq!(world.replayed().book, world.state.book);
}

#[test]
fn an_artist_blocks_nodes_that_are_known_and_lets_them_back() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let worker = node(1, ticket).await;
        let who = public_key(&worker.key);
        let artist = client(10, ticket).await;
        let set = |who, is_blocked| Request::Block { who, is_blocked };
        let refused = artist.refusal(set(who, true)).await;
        assert_eq!(refused.code, RefusedCode::NotAllowed, "no job yet: {refused}");
        let job = ordered(&artist, &spec("blocked")).await;
        let refused = artist.refusal(set(PublicKey([7; 32]), true)).await;
        assert_eq!(refused.code, RefusedCode::NotFound, "{refused}");
        for _ in 0..2 {
            assert_eq!(artist.ask(set(who, true)).await, Reply::Done);
        }
        let Reply::Blocks(blocks) = artist.ask(Request::Blocks).await else { panic!("no blocks") };
        let [block @ BlockView { nodes, since_ms, .. }] = &blocks[..] else { panic!("{blocks:?}") };
        assert!(block.id() == NodeId(who.0).to_string() && nodes.len() == 1, "{blocks:?}");
        assert!(*since_ms > 0);
        assert_eq!(crate::callers::leases(&worker, 1, 0).await.expect("an answer"), []);
        // Each artist has a list of his own.
        let other = client(11, ticket).await;
        assert_eq!(other.ask(Request::Blocks).await, Reply::Blocks(Vec::new()));
        for _ in 0..2 {
            assert_eq!(artist.ask(set(who, false)).await, Reply::Done);
        }
        work(&worker, frame(), honest, 1_500, 1_000).await;
        wait_for(&artist, job, JobStatus::Done).await;
        for caller in [artist, other, worker] {
            caller.peer.close().await;
        }
        farm.stop().await;
        let mut acts = Vec::new();
        let mut tell = |told| match told {
            scheduler::core::history::Told::Deed(deed) if deed.act.ends_with("blocked") => {
                acts.push((deed.act, deed.node));
            }
            _ => {}
        };
        scheduler::history(dir.path(), &mut tell).expect("readable");
        let node = Some(NodeId(who.0));
        assert_eq!(acts, [("node_blocked", node), ("node_unblocked", node)]);
    });
}

#[test]
fn a_dropped_scene_leaves_the_farm_and_can_come_back() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |config| {
            (config.policy.hold_ms, config.policy.appeal_ms) = (1, 1);
            (config.sweep_ms, config.prices.valid_ms) = (300, 2_000);
        });
        let farm = farm.await;
        let ticket = &farm.ready.ticket;
        let artist = client(10, ticket).await;
        let spec = spec("dropped");
        let drop_it = Request::DropScene { scene: spec.scene };
        let refused = artist.refusal(drop_it.clone()).await;
        assert_eq!(refused.code, RefusedCode::NotFound, "{refused}");
        let job = ordered(&artist, &spec).await;
        let refused = artist.refusal(drop_it.clone()).await;
        assert!(refused.message.contains("not over and needs it"), "{refused}");
        let one = node(1, ticket).await;
        work(&one, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&artist, job, JobStatus::Done).await;
        // Who has a price may order as long as it is valid, whoever has the scene dropped meanwhile.
        let price = quote(&artist, &spec).await;
        for _ in 0..2 {
            assert_eq!(artist.ask(drop_it.clone()).await, Reply::Done);
        }
        let offer = protocol::Offer::default();
        let wants = Request::Quote { spec: spec.clone(), offer };
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert!(matches!(artist.ask(wants.clone()).await, Reply::Quote(_)), "{price:?}");
        let mut refused = None;
        for seconds in 3..10 {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            match artist.call(wants.clone(), Bytes::new()).await {
                // Whoever asks for a price has use for the scene for a while.
                Ok(_) => {}
                Err(CallError::Refused(why)) => {
                    refused = Some(why);
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        let refused = refused.expect("it goes");
        assert!(refused.message.contains("offer it first"), "{refused}");
        assert_picture(&artist, &update, &frame()).await;
        let dispute =
            Request::Dispute { unit: update.accepted[0].unit, fee_max: Tokens::from_whole(5) };
        let refused = artist.refusal(dispute).await;
        assert!(refused.message.contains("drop the job's scene"), "{refused}");
        // Its artist offers it anew.
        let again = client(10, ticket).await;
        let job = ordered(&again, &spec).await;
        work(&one, frame(), honest, 1_500, 1_000).await;
        wait_for(&again, job, JobStatus::Done).await;
        for caller in [artist, again, one] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn a_block_does_not_choose_whose_twin_the_reserve_pays() {
    let mut world = World::new(46, &[(1, HONEST), (2, HONEST), (3, HONEST)], paired());
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    let job = world.order(50, 1, 140);
    world.settle_all();
    let grant = offer(&world, 0);
    let Some(Event::Granted { lease, unit_index, films_wanted, .. }) = grant else { panic!() };
    assert_eq!(films_wanted, 2, "a twin is wanted");
    world.apply(grant.expect("a grant"));
    // The artist keeps all off but a friend of the first.
    block(&mut world, public(2), true);
    let second = offer(&world, 2);
    let Some(Event::Granted { unit_index: other, .. }) = second else { panic!("no lease") };
    assert_ne!(other, unit_index, "no twin of what was begun before");
    world.commit(0, lease, job, unit_index);
    run(&mut world, 2_000);
    let book = &world.state.book;
    assert_eq!(book.jobs[&job].phase, JobPhase::Done);
    // What was begun for anybody makes a name, what came after does not.
    assert_eq!(book.nodes[&world.nodes[0].id].accepted_for_others, 1);
    assert_eq!(book.nodes[&world.nodes[2].id].accepted_for_others, 0);
}

#[test]
fn work_that_nobody_is_left_for_does_not_raise_the_price() {
    let (mut world, _job) = two_nodes_and_a_job(47);
    let work = |world: &World| scheduler::core::gauge::signal(&world.state, world.now_ms);
    assert!(work(&world).work > 0 && work(&world).refused);
    block(&mut world, public(1), true);
    block(&mut world, public(2), true);
    assert_eq!((work(&world).work, work(&world).refused), (0, false));
}
