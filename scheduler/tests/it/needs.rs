//! Jobs that are not for every node: in the simulator and over sockets.

use ledger::account;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::JobStatus;
use protocol::{
    BackendKind, Equipment, Footprint, JobId, JobSpec, Needs, NodeId, Pool, PublicKey, Reply,
    Request, Role, SceneId, Tokens,
};
use scheduler::core::{Event, JobPhase, NodeFacts, plan, view};
use transport::FetchError;

use crate::callers::{
    Caller, Farm, client, frame, honest, leases, node, node_hello, ordered, quote, runtime,
    soon_paid, spec, wait_for, work,
};
use crate::simulator::{HONEST, policy, run};
use crate::world::{Wanted, World, public};

const GIGABYTE: u64 = 1_000_000_000;

fn pool(name: &str) -> Pool {
    name.parse().expect("a name")
}

fn of_owners(owners: &[PublicKey]) -> Needs {
    Needs { owners: owners.iter().copied().collect(), ..Needs::default() }
}

fn with(backend: BackendKind, gigabytes: Option<u64>, pools: &[&str]) -> Equipment {
    let memory_bytes = gigabytes.map(|count| count * GIGABYTE);
    Equipment { backend, memory_bytes, pools: pools.iter().map(|name| pool(name)).collect() }
}

/// A farm of one node for each owner, and artists with enough.
fn world(seed: u64, owners: &[u8]) -> World {
    let farm: Vec<_> = owners.iter().map(|owner| (*owner, HONEST)).collect();
    let mut world = World::new(seed, &farm, policy());
    for artist in [1, 50] {
        world.issue(account::wallet(public(artist)), Tokens::from_whole(100_000), artist);
    }
    world
}

fn place(world: &mut World, artist: u8, number: u8, needs: Needs) -> JobId {
    world.place(artist, number, Wanted { needs, ..Wanted::default() })
}

fn grant(world: &World, index: usize) -> Option<Event> {
    plan::next_grant(&world.state, world.nodes[index].id, world.now_ms)
}

/// Every grant and every verifier's errand is held against the needs in `people`.
#[test]
fn nodes_get_what_is_for_them_only_through_crashes_and_changes() {
    let (mut chosen, mut found) = (0, 0);
    for seed in 900..904 {
        let mut world = world(seed, &[1, 1, 2, 3, 4, 5, 6]);
        world.reequips = true;
        world.entrusts_percent = 60;
        let equipment = [
            with(BackendKind::Gpu, Some(16), &["studio"]),
            with(BackendKind::Gpu, Some(8), &["studio", "night"]),
            with(BackendKind::Cpu, Some(32), &["night"]),
            with(BackendKind::Cpu, None, &[]),
            with(BackendKind::Gpu, None, &["night"]),
            with(BackendKind::Cpu, Some(4), &["studio"]),
        ];
        for (index, equipment) in equipment.into_iter().enumerate() {
            world.equip(index, equipment);
        }
        let any = Needs::default();
        let needs = [
            of_owners(&[public(1), public(2), public(3)]),
            Needs { pool: Some(pool("night")), ..any.clone() },
            Needs { backend: Some(BackendKind::Gpu), memory_bytes: 8 * GIGABYTE, ..any.clone() },
            of_owners(&[public(1)]),
            any,
        ];
        let jobs: Vec<JobId> =
            (1..).zip(needs).map(|(number, needs)| place(&mut world, 50, number, needs)).collect();
        // Who has it may come back without it: the farm has them all again in the end.
        for turn in 0..2_000 {
            world.turn();
            world.assert_invariants();
            if turn % 500 == 499 {
                world.crash();
            }
        }
        world.reequips = false;
        world.equip(0, with(BackendKind::Gpu, Some(16), &["studio", "night"]));
        run(&mut world, 2_000);
        let done = |job: &JobId| world.state.book.jobs[job].phase == JobPhase::Done;
        assert!(jobs.iter().all(done), "seed {seed}");
        chosen += world.chosen;
        found += world.found;
    }
    assert!(chosen > 500 && found > 10, "{chosen} leases, {found} findings: proves little");
}

/// A job of one's own nodes has nobody to compare with, nor needs to.
#[test]
fn a_job_of_ones_own_nodes_has_no_twins_and_waits_for_none() {
    let check = |owner: u8, boosts: bool| {
        let mut world = world(7, &[owner, owner, 3, 4]);
        let job = place(&mut world, 1, 1, of_owners(&[public(owner)]));
        world.settle_all();
        assert_eq!((grant(&world, 2), grant(&world, 3)), (None, None), "strangers");
        let mut boosted = 0;
        while world.state.book.jobs[&job].phase == JobPhase::Open {
            let next = (0..2).find_map(|index| Some((index, grant(&world, index)?)));
            let (index, event) = next.expect("a unit for one of them");
            let Event::Granted { films_wanted, boosted: is_boosted, lease, unit_index, .. } = event
            else {
                panic!("a plan is a grant")
            };
            assert_eq!(films_wanted, 1, "newcomers are paired elsewhere");
            boosted += u32::from(is_boosted);
            world.apply(event);
            world.commit(index, lease, job, unit_index);
            world.settle_all();
            let unit = &world.state.book.jobs[&job].units.get(unit_index as usize);
            assert!(unit.is_some_and(|unit| unit.accepted.is_some()), "it waits for nobody");
        }
        assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
        assert_eq!(boosted > 0, boosts, "{boosted} films were looked at more closely");
    };
    // Who forges his own picture cheats himself; another's may be forged.
    check(1, false);
    check(2, true);
}

/// Who picks the nodes could pick his own: what they do for him says nothing of them to others.
#[test]
fn nodes_that_an_artist_has_picked_gain_neither_names_nor_twins_nor_their_pay_sooner() {
    let mut world = world(11, &[2, 3, 4]);
    place(&mut world, 50, 1, of_owners(&[public(2), public(3)]));
    run(&mut world, 2_000);
    for node in world.nodes.iter().map(|it| &world.state.book.nodes[&it.id]) {
        assert_eq!(node.accepted_for_others, 0);
        assert_eq!(node.accepted > 0, node.facts.owner != public(4));
        // However many came after it: only time frees what is held.
        assert!(node.holds.values().all(|hold| hold.of_any == 0));
    }
    // A newcomer is one still: his first unit for all is paired, or looked at more closely.
    let job = place(&mut world, 50, 2, Needs::default());
    world.settle_all();
    let Some(Event::Granted { films_wanted, boosted, .. }) = grant(&world, 0) else {
        panic!("a unit of {job}");
    };
    assert!(films_wanted == 2 || boosted);
    let picked = place(&mut world, 50, 3, of_owners(&[public(2), public(3)]));
    world.settle_all();
    run(&mut world, 2_000);
    assert_eq!(world.state.book.jobs[&picked].phase, JobPhase::Done);
    let units = &world.state.book.jobs[&picked].units;
    assert!(units.iter().all(|unit| unit.films_wanted == 1), "the reserve pays none of them");
}

/// However fast others are: they may not.
#[test]
fn a_slow_node_is_of_use_where_faster_ones_may_not_render() {
    let mut world = world(8, &[1, 2, 3]);
    let facts = world.state.book.nodes[&world.nodes[0].id].facts.clone();
    let slow = NodeFacts { rays_per_second: 100, ..facts };
    world.apply(Event::NodeMet { node: world.nodes[0].id, facts: slow });
    let open = place(&mut world, 50, 1, Needs::default());
    world.settle_all();
    // The others show what they can do, and the rest of the job is theirs.
    while world.state.book.jobs[&open].waiting.len() > 8 {
        for index in [1, 2] {
            let Some(event) = grant(&world, index) else { continue };
            let Event::Granted { lease, unit_index, .. } = event else { panic!("a grant") };
            world.apply(event);
            world.now_ms += 20;
            world.commit(index, lease, open, unit_index);
        }
        world.settle_all();
    }
    assert_eq!(grant(&world, 0), None, "others are done before it");
    let own = place(&mut world, 1, 2, of_owners(&[public(1)]));
    world.settle_all();
    let event = grant(&world, 0).expect("its own job");
    assert!(matches!(event, Event::Granted { job, .. } if job == own), "{event:?}");
}

/// What a pass over the line costs does not grow with jobs for others; and a job that nobody here
/// may render makes the line no longer, nor the price higher.
#[test]
fn jobs_for_others_are_not_in_a_nodes_line_nor_in_the_price() {
    let mut world = world(9, &[2, 3]);
    for number in 1..=20 {
        place(&mut world, 50, number, of_owners(&[public(100 + number)]));
    }
    world.settle_all();
    assert!(!world.state.index.has_work(), "nobody is called for it");
    assert_eq!(world.state.index.jobs_in_line(), 20);
    assert!(world.state.index.line.by_place.is_empty());
    assert_eq!((grant(&world, 0), grant(&world, 1)), (None, None));
    let signal = scheduler::core::gauge::signal(&world.state, world.now_ms);
    assert_eq!((signal.work, signal.refused, signal.willing), (0, false, 2));
    let job = place(&mut world, 50, 30, Needs::default());
    world.settle_all();
    assert!(matches!(grant(&world, 0), Some(Event::Granted { job: it, .. }) if it == job));
}

/// Who works for one artist only is not there for all: he counts as far as that artist's work does.
#[test]
fn a_node_that_is_at_a_private_job_counts_in_part_for_the_price() {
    let mut world = world(12, &[1, 2, 3, 4]);
    place(&mut world, 1, 1, of_owners(&[public(1)]));
    world.settle_all();
    for node in &world.nodes {
        let record = world.state.book.nodes.get_mut(&node.id).expect("it was met");
        record.pace.observe(4_000_000, 1_000, 11_000);
    }
    world.state.index = world.state.indexed_anew();
    let event = grant(&world, 0).expect("its own job");
    world.apply(event);
    let signal = scheduler::core::gauge::signal(&world.state, world.now_ms);
    assert_eq!(signal.per_second, 3 * 400_000 + 100_000);
}

/// An artist's urgent job for other nodes does not hold up his own on those that may not have it.
#[test]
fn what_is_more_urgent_elsewhere_is_no_matter_here() {
    let mut world = world(11, &[2]);
    world.issue(account::wallet(public(51)), Tokens::from_whole(100_000), 2);
    let plain = place(&mut world, 50, 1, Needs::default());
    let priority = protocol::Priority::try_from(90).expect("1 to 100");
    let schedule = protocol::Schedule { priority, ..protocol::Schedule::default() };
    let needs = of_owners(&[public(99)]);
    world.place(50, 2, Wanted { needs, schedule, ..Wanted::default() });
    place(&mut world, 51, 3, Needs::default());
    world.settle_all();
    assert!(matches!(grant(&world, 0), Some(Event::Granted { job, .. }) if job == plain));
}

#[test]
fn who_waits_for_nobody_is_told_so() {
    let mut world = world(10, &[2, 3]);
    let needs = Needs { pool: Some(pool("studio")), ..Needs::default() };
    let job = place(&mut world, 50, 1, needs.clone());
    world.settle_all();
    let row = |world: &World| view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    let reason = row(&world).reason.expect("a reason");
    assert!(reason.contains("pool studio") && reason.contains("none of the 2"), "{reason}");
    let reach = view::reach(&world.state, public(50), &needs, Footprint::default());
    assert_eq!((reach.known, reach.meet, reach.here), (2, 0, 0));
    world.equip(1, with(BackendKind::Cpu, None, &["studio"]));
    assert_eq!(row(&world).reason, None, "one may now");
    world.ask(1, Tokens::from_whole(2_000));
    let reason = row(&world).reason.expect("a reason");
    assert!(reason.contains("ask at least 2000"), "{reason}");
    let node = world.nodes[1].id;
    world.apply(Event::Gone { node, now_ms: world.now_ms });
    let reach = view::reach(&world.state, public(50), &needs, Footprint::default());
    assert_eq!((reach.known, reach.meet, reach.here), (2, 1, 0));
    assert!(row(&world).reason.expect("a reason").contains("none of the 1"));
}

async fn fetch(node: &Caller, farm: &Farm, scene: SceneId) -> Result<u64, FetchError> {
    node.peer.scenes().fetch(scene, u64::MAX, farm.ready.key, |_progress| ()).await
}

/// A scene goes to nodes that have a lease of it, and so meet what its job needs.
#[test]
fn a_scene_is_shown_to_whom_its_job_is_for_only() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let artist = client(10, ticket).await;
        let own = node(1, ticket).await;
        let key = public_key(&own.key);
        let needs = of_owners(&[key]);
        let spec = JobSpec { needs, ..spec("not for all") };
        let (alone, twins) = (quote(&artist, &spec).await, Needs::default());
        assert_eq!((alone.reach.known, alone.reach.meet, alone.reach.here), (1, 1, 1));
        assert_eq!(alone.reserve, alone.checking, "no twins, and none paid");
        let open = quote(&artist, &JobSpec { needs: twins, ..spec.clone() }).await;
        assert!(open.reserve > open.checking);
        let job = ordered(&artist, &spec).await;

        let stranger = node(2, ticket).await;
        let none = leases(&stranger, 1, 0).await.expect("an answer");
        assert_eq!(none, [], "it is not for it");
        let part = scene::pack(&scene::golden()).parts().next().expect("a part");
        let part = SceneId(*blake3::hash(&part).as_bytes());
        for scene in [spec.scene, part] {
            let refused = fetch(&stranger, &farm, scene).await;
            assert!(matches!(refused, Err(FetchError::NotGiven { .. })), "{refused:?}");
            let refused = stranger.refusal(Request::Holders { scene }).await;
            assert_eq!(refused.code, RefusedCode::NotAllowed, "{refused}");
        }

        assert_eq!(leases(&own, 1, 1_000).await.expect("an answer").len(), 1);
        assert!(fetch(&own, &farm, spec.scene).await.is_ok());
        let holders = own.ask(Request::Holders { scene: spec.scene }).await;
        assert!(matches!(holders, Reply::Holders(_)), "{holders:?}");
        own.peer.close().await;
        // The lease lapses with its node, and the artist is told what the job waits for.
        let reason = async || {
            let request = Request::Watch { job, after: 0, wait_ms: 0 };
            let Reply::Job(update) = artist.ask(request).await else { panic!("no news") };
            update.summary.reason
        };
        while reason().await.is_none_or(|it| !it.contains("no node that meets its needs")) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let own = node(1, ticket).await;
        work(&own, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&artist, job, JobStatus::Done).await;
        let own_id = NodeId(key.0);
        assert!(update.accepted.iter().all(|it| it.node == own_id) && !update.accepted.is_empty());
        for caller in [artist, own, stranger] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn a_node_in_too_many_pools_is_refused() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let caller = Caller::connect(1, &farm.ready.ticket).await;
        let Role::Node(mut hello) = node_hello("cpu") else { panic!("a node") };
        let pools = (0..=protocol::limits::POOLS_MAX).map(|number| pool(&number.to_string()));
        hello.equipment.pools = pools.collect();
        let refused = caller.refusal(farm.ready.ticket.hello(Role::Node(hello))).await;
        assert_eq!(refused.code, RefusedCode::BadRequest);
        assert!(refused.message.contains("16 pools, not in 17"), "{refused}");
        caller.peer.close().await;
        farm.stop().await;
    });
}
