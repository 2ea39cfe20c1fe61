//! Jobs that owners of nodes do not want on their machines, and what they tell the operator.

use ledger::account;
use protocol::sign::public_key;
use protocol::{GivenBack, LeaseId, NodeId, Reply, Request, Tokens};
use scheduler::core::history::Told;
use scheduler::core::{Event, JobPhase, plan, view};

use crate::callers::{Farm, client, leases, node, ordered, runtime, spec};
use crate::simulator::{HONEST, policy, run, two_nodes_and_a_job};
use crate::world::{World, public};

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
    let (mut world, job) = two_nodes_and_a_job(41);
    gives_back(&mut world, 0, GivenBack::Undone);
    gives_back(&mut world, 0, GivenBack::Unwanted);
    let dropped = world.state.book.nodes[&world.nodes[0].id].dropped;
    assert_eq!(dropped, 1, "who does not want a job has not failed at it");
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
    let (mut world, job) = two_nodes_and_a_job(41);
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
        let taken = leases(&worker, 2, 5_000).await.expect("leases");
        let held: Vec<_> = taken.iter().map(|lease| lease.id).collect();
        assert_eq!(held.len(), 2);
        let words = format!("\u{1b}[2J{}\n", "x".repeat(600));
        let release = |held: &[LeaseId]| Request::Release {
            leases: held.to_vec(),
            reason: words.clone(),
            why: GivenBack::Unwanted,
        };
        // Two leases, and again without any: one report.
        assert_eq!(worker.ask(release(&held)).await, Reply::Done);
        assert_eq!(worker.ask(release(&held)).await, Reply::Done);
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
        assert!(reports.iter().all(|it| it.words.starts_with(" [2Jx")), "{reports:?}");
    });
}

#[test]
fn one_word_of_each_owner_is_kept_and_names_come_before_newcomers() {
    let nodes: Vec<(u8, _)> = (1..=23).map(|owner| (owner, HONEST)).collect();
    let mut world = World::new(42, &nodes, policy());
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    let job = world.order(50, 1, 140);
    world.settle_all();
    let ids: Vec<NodeId> = world.nodes.iter().map(|node| node.id).collect();
    let report = |world: &mut World, index: usize| {
        let may = world.state.book.may_report(job, ids[index]);
        if may {
            let (node, words, now_ms) = (ids[index], format!("by {index}"), world.now_ms);
            world.apply(Event::Reported { node, job, words, now_ms });
        }
        may
    };
    assert!(report(&mut world, 0) && !report(&mut world, 0), "once");
    let kept = (1..22).filter(|index| report(&mut world, *index)).count();
    assert_eq!(kept, 19, "twenty in all");
    // One with a name takes the place of one without.
    world.state.book.nodes.get_mut(&ids[22]).expect("known").accepted_for_others = 1_000;
    assert!(report(&mut world, 22));
    let reports = &world.state.book.jobs[&job].reports;
    assert_eq!((reports.len(), reports.contains_key(&ids[22])), (20, true));
}
