//! Scenes go to nodes that can hold them: in the simulator and over sockets.

use ledger::account;
use protocol::message::RefusedCode;
use protocol::view::JobStatus;
use protocol::{
    BackendKind, Equipment, Footprint, GivenBack, JobId, Needs, Reply, Request, Role, Selection,
    Steering, Tokens,
};
use scheduler::core::{Event, JobPhase, plan, view};

use crate::callers::{
    Caller, Farm, client, frame, golden_as, honest, leases, node, node_hello, order, ordered,
    quote, runtime, soon_paid, spec, wait_for, work,
};
use crate::simulator::{HONEST, policy, run};
use crate::world::{Wanted, World, public};

const GIGABYTE: u64 = 1_000_000_000;

fn world(seed: u64, equipment: &[Equipment]) -> World {
    let farm: Vec<_> = (2..).zip(equipment).map(|(owner, _)| (owner, HONEST)).collect();
    let mut world = World::new(seed, &farm, policy());
    world.issue(account::wallet(public(50)), Tokens::from_whole(100_000), 50);
    for (index, equipment) in equipment.iter().enumerate() {
        world.equip(index, equipment.clone());
    }
    world
}

fn with(backend: BackendKind, gigabytes: Option<u64>) -> Equipment {
    let memory_bytes = gigabytes.map(|count| count * GIGABYTE);
    Equipment { backend, memory_bytes, ..Equipment::default() }
}

const fn gigabytes(cpu: u64, gpu: u64) -> Footprint {
    Footprint { cpu_bytes: cpu * GIGABYTE, gpu_bytes: gpu * GIGABYTE }
}

fn place(world: &mut World, number: u8, memory: Footprint) -> JobId {
    let job = world.place(50, number, Wanted { memory, ..Wanted::default() });
    world.settle_all();
    job
}

fn grant(world: &World, index: usize) -> Option<Event> {
    plan::next_grant(&world.state, world.nodes[index].id, world.now_ms)
}

fn reason(world: &World, job: JobId) -> String {
    let row = view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    row.reason.unwrap_or_default()
}

/// Has a node take a lease and say that the scene does not fit.
fn give_back(world: &mut World, index: usize) {
    let event = grant(world, index).expect("it is tried");
    let Event::Granted { lease, .. } = event else { panic!("a grant") };
    world.apply(event);
    world.apply(Event::Released { lease, why: GivenBack::TooLarge, now_ms: world.now_ms });
}

#[test]
fn a_scene_is_leased_to_nodes_only_that_can_hold_it_on_what_they_render_with() {
    use BackendKind::{Cpu, Gpu};
    let nodes = [(Cpu, Some(4)), (Cpu, Some(5)), (Gpu, Some(2)), (Gpu, Some(3)), (Gpu, None)];
    let nodes = nodes.map(|(backend, memory)| with(backend, memory));
    let mut world = world(21, &nodes);
    let granted = |world: &World| [0, 1, 2, 3, 4].map(|index| grant(world, index).is_some());
    let job = place(&mut world, 1, gigabytes(5, 3));
    assert_eq!(granted(&world), [false, true, false, true, true]);
    let row = view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    assert_eq!((row.memory, row.nodes_here), (gigabytes(5, 3), Some(3)));
    let reach = view::reach(&world.state, public(50), &Needs::default(), gigabytes(5, 3));
    assert_eq!((reach.known, reach.meet, reach.hold, reach.here), (5, 5, 3, 3));
    // Other jobs are in nobody's way.
    let small = place(&mut world, 2, gigabytes(0, 0));
    assert!(matches!(grant(&world, 0), Some(Event::Granted { job, .. }) if job == small));
    // Nor does a small scene go to a node that has even less.
    let tiny = Equipment { memory_bytes: Some(99), ..Equipment::default() };
    world.equip(0, tiny);
    assert_eq!(grant(&world, 0).map(|_| ()), Some(()), "nothing is known to be needed");
    world.apply(Event::Steered { job: small, steering: Steering::Cancel, now_ms: world.now_ms });
    place(&mut world, 3, Footprint { cpu_bytes: 100, gpu_bytes: 100 });
    assert_eq!(granted(&world), [false, true, true, true, true]);
    // Who comes back with more gets it.
    world.equip(0, with(Cpu, Some(8)));
    assert_eq!(granted(&world), [true; 5]);
}

/// Every grant, twin and race is held against the footprints in `people`.
#[test]
fn twins_and_races_are_rendered_by_nodes_that_can_hold_the_scene() {
    let cpu = |memory| with(BackendKind::Cpu, memory);
    for seed in 40..43 {
        let nodes = [cpu(Some(16)), cpu(Some(8)), cpu(Some(2)), cpu(None), cpu(Some(8))];
        let mut world = world(seed, &nodes);
        world.entrusts_percent = 60;
        let jobs = [gigabytes(8, 8), gigabytes(6, 1), gigabytes(2, 2), gigabytes(12, 12)];
        let jobs: Vec<JobId> =
            (1..).zip(jobs).map(|(number, it)| place(&mut world, number, it)).collect();
        for turn in 0..2_000 {
            world.turn();
            world.assert_invariants();
            if turn % 500 == 499 {
                world.crash();
            }
        }
        run(&mut world, 2_000);
        let done = |job: &JobId| world.state.book.jobs[job].phase == JobPhase::Done;
        assert!(jobs.iter().all(done), "seed {seed}");
        let twins = |job: &JobId| {
            world.state.book.jobs[job].units.iter().any(|unit| unit.films_wanted == 2)
        };
        assert!(twins(&jobs[0]), "seed {seed}: most nodes can hold it");
        assert!(!twins(&jobs[3]), "few can: the reserve pays nobody that an artist could pick");
    }
}

#[test]
fn who_says_that_a_scene_does_not_fit_gets_no_more_of_that_job() {
    let unknown = with(BackendKind::Gpu, None);
    let mut world = world(23, &[unknown.clone(), unknown]);
    let job = place(&mut world, 1, gigabytes(5, 3));
    give_back(&mut world, 0);
    let node = &world.state.book.nodes[&world.nodes[0].id];
    assert_eq!(node.dropped, 1, "a little, as with any lease that is given back");
    assert_eq!(grant(&world, 0), None);
    let row = view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    assert_eq!((row.reason, row.nodes_here), (None, Some(1)), "the other is tried");
    assert!(grant(&world, 1).is_some());
    let other = place(&mut world, 2, gigabytes(5, 3));
    assert!(matches!(grant(&world, 0), Some(Event::Granted { job, .. }) if job == other));
    world.apply(Event::Steered { job: other, steering: Steering::Cancel, now_ms: world.now_ms });
    give_back(&mut world, 1);
    assert_eq!((grant(&world, 0), grant(&world, 1)), (None, None));
    let why = reason(&world, job);
    assert!(why.contains("did not fit") && why.contains("of any of the 2"), "{why}");
    assert!(why.contains("5 GB on a CPU, 3 GB on a GPU"), "{why}");
    // The artist can have them try again.
    let steering = Steering::Retry(Selection::default());
    world.apply(Event::Steered { job, steering, now_ms: world.now_ms });
    assert!(grant(&world, 0).is_some() && grant(&world, 1).is_some());
}

/// A node that cannot hold a scene is no better one for it, whoever else has failed.
#[test]
fn nobody_waits_for_a_node_that_cannot_hold_the_scene() {
    let cpu = |bytes| Equipment { memory_bytes: Some(bytes), ..Equipment::default() };
    let mut world = world(24, &[cpu(GIGABYTE), cpu(99)]);
    // Both stand in the line of all nodes.
    place(&mut world, 1, Footprint { cpu_bytes: 100, gpu_bytes: 100 });
    for _ in 0..2 * policy().job_failures_per_node_max {
        let event = grant(&world, 0).expect("nobody else could");
        let Event::Granted { lease, .. } = event else { panic!("a grant") };
        world.apply(event);
        world.apply(Event::Released { lease, why: GivenBack::Undone, now_ms: world.now_ms });
    }
}

#[test]
fn jobs_that_few_nodes_can_hold_make_no_names() {
    let cpu = with(BackendKind::Cpu, Some(16));
    let names = |memory| {
        let mut world = world(25, &[cpu.clone(), cpu.clone()]);
        place(&mut world, 1, memory);
        run(&mut world, 2_000);
        let nodes = world.nodes.iter().map(|it| &world.state.book.nodes[&it.id]);
        nodes.map(|node| node.accepted_for_others).sum::<u64>()
    };
    assert!(names(gigabytes(8, 8)) > 0);
    assert_eq!((names(gigabytes(10, 8)), names(gigabytes(8, 10))), (0, 0));
}

/// A node of the test's own with so much memory.
async fn sized(seed: u8, farm: &Farm, memory_bytes: u64) -> Caller {
    let caller = Caller::connect(seed, &farm.ready.ticket).await;
    let Role::Node(mut hello) = node_hello("cpu") else { panic!("a node") };
    hello.equipment.memory_bytes = Some(memory_bytes);
    let film = golden_as(&caller, Role::Node(hello)).await.expect("a golden film is asked for");
    caller.call(Request::Qualify, film.to_bytes().into()).await.expect("it qualifies");
    caller
}

#[test]
fn a_scene_that_no_known_node_can_hold_is_refused_with_both_figures() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        // Nobody waits for a twin from a node so small, which no node is that is started as usual.
        let impatient = |config: &mut scheduler::Config| {
            soon_paid(config);
            config.policy.twin_wait_ms = 200;
        };
        let farm = Farm::start(dir.path(), impatient).await;
        let artist = client(10, &farm.ready.ticket).await;
        let spec = spec("too large for it");
        let early = quote(&artist, &spec).await;
        assert!(early.memory.cpu_bytes > 0 && early.memory.gpu_bytes > early.memory.cpu_bytes);
        assert_eq!((early.reach.known, early.reach.hold), (0, 0));
        let tiny = sized(2, &farm, 1_000).await;
        let quoted = quote(&artist, &spec).await;
        assert_eq!(quoted.memory, early.memory, "whatever the clock says");
        let reach = quoted.reach;
        assert_eq!((reach.known, reach.meet, reach.hold, reach.here), (1, 1, 0, 0));
        let refused = artist.refusal(order(&artist, &spec, &quoted)).await;
        assert_eq!(refused.code, RefusedCode::BadRequest, "{refused}");
        for words in ["none of the 1 nodes", "GB on a CPU", "at most 0.00 GB on a CPU"] {
            assert!(refused.message.contains(words), "{words}: {refused}");
        }

        // Beside a larger one the small one gets nothing of it.
        let large = node(1, &farm.ready.ticket).await;
        let job = ordered(&artist, &spec).await;
        assert_eq!(leases(&tiny, 1, 0).await.expect("an answer"), []);
        work(&large, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&artist, job, JobStatus::Done).await;
        assert_eq!(update.summary.memory, quoted.memory);
        let Reply::Node(view) = tiny.ask(Request::MyNode).await else { panic!("a node") };
        assert_eq!(view.leases, 0);
        for caller in [artist, tiny, large] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
