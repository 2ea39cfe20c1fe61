//! Jobs that owners of nodes do not want on their machines, and what they tell the operator.

use ledger::account;
use protocol::sign::public_key;
use protocol::{GivenBack, JobId, NodeId, Reply, Request, Tokens};
use scheduler::core::history::Told;
use scheduler::core::{Event, JobPhase, plan, view};

use crate::callers::{Farm, client, leases, node, ordered, runtime, spec};
use crate::simulator::{HONEST, policy, run};
use crate::world::{World, public};

fn world() -> (World, JobId) {
    let mut world = World::new(41, &[(1, HONEST), (2, HONEST)], policy());
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    let job = world.order(50, 1, 140);
    world.settle_all();
    (world, job)
}

fn gives_back(world: &mut World, index: usize, why: GivenBack) {
    let grant = plan::next_grant(&world.state, world.nodes[index].id, world.now_ms);
    let Some(Event::Granted { lease, .. }) = grant else { panic!("no lease: {grant:?}") };
    world.apply(grant.expect("a grant"));
    world.apply(Event::Released { lease, why, now_ms: world.now_ms });
    world.assert_invariants();
    assert_eq!(world.replayed().book, world.state.book);
}

#[test]
fn a_job_that_a_nodes_owner_does_not_want_goes_to_others() {
    let (mut world, job) = world();
    gives_back(&mut world, 0, GivenBack::Undone);
    gives_back(&mut world, 0, GivenBack::Unwanted);
    let offer = |world: &World, index: usize| {
        plan::next_grant(&world.state, world.nodes[index].id, world.now_ms)
    };
    assert_eq!(offer(&world, 0), None);
    assert!(offer(&world, 1).is_some());
    // Nobody makes a node take it by having it retried.
    let steering = protocol::Steering::Retry(protocol::Selection::default());
    world.apply(Event::Steered { job, steering, now_ms: world.now_ms });
    assert_eq!(offer(&world, 0), None);
    let row = |world: &World| view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    assert_eq!((row(&world).nodes_here, row(&world).reason), (Some(1), None));
    // The other one has no rival for a twin, and does all of it.
    run(&mut world, 2_000);
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
    assert_eq!(world.state.book.nodes[&world.nodes[0].id].accepted, 0);
}

#[test]
fn a_job_that_nobody_wants_says_so_to_its_artist() {
    let (mut world, job) = world();
    gives_back(&mut world, 0, GivenBack::Unwanted);
    gives_back(&mut world, 1, GivenBack::Unwanted);
    let row = view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    let reason = row.reason.expect("a reason");
    assert!(reason.starts_with("none of the 2 connected nodes"), "{reason}");
}

#[test]
fn what_an_owner_reports_is_kept_once_and_seen_by_the_operator() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let artist = client(10, ticket).await;
        let job = ordered(&artist, &spec("reported")).await;
        let worker = node(1, ticket).await;
        let taken = leases(&worker, 1, 5_000).await.expect("a lease");
        let held: Vec<_> = taken.iter().map(|lease| lease.id).collect();
        assert_eq!(held.len(), 1);
        let release = |reason: &str| Request::Release {
            leases: held.clone(),
            reason: reason.to_owned(),
            why: GivenBack::Unwanted,
        };
        assert_eq!(worker.ask(release(&"x".repeat(600))).await, Reply::Done);
        // The lease is gone: a second word has nothing to stand on.
        assert_eq!(worker.ask(release("again")).await, Reply::Done);
        assert_eq!(leases(&worker, 1, 0).await.expect("an answer"), []);
        let by = NodeId(public_key(&worker.key).0);
        for caller in [artist, worker] {
            caller.peer.close().await;
        }
        farm.stop().await;
        let mut reports = Vec::new();
        let mut tell = |told| match told {
            Told::Deed(deed) if deed.act == "job_reported" => reports.push(deed),
            _ => {}
        };
        scheduler::history(dir.path(), &mut tell).expect("readable");
        let kept: Vec<_> =
            reports.iter().map(|it| (it.job, it.node, it.words.chars().count())).collect();
        assert_eq!(kept, [(Some(job), Some(by), 500)]);
    });
}
