//! What becomes of jobs that ended long ago, and of their films.

use std::path::Path;
use std::time::Duration;

use ledger::account;
use protocol::view::JobStatus;
use protocol::{JobId, JobSpec, RenderSettings, Reply, Request, ShotIndex, Tokens};
use scheduler::Config;
use scheduler::core::{BaseError, Event, keep, kept, view};

use crate::callers::{
    Farm, client, frame, honest, node, ordered, runtime, settings, spec, wait_for, work,
};
use crate::simulator::{HONEST, policy, run};
use crate::world::{Wanted, World, public};

const WEEK_MS: u64 = 7 * 24 * 3_600_000;

fn expire(world: &mut World) -> Vec<JobId> {
    let events = keep::expired(&world.state, world.now_ms);
    let job = |event: &Event| match event {
        Event::Expired { job } => *job,
        other => panic!("{other:?}"),
    };
    let jobs = events.iter().map(job).collect();
    events.into_iter().for_each(|event| world.apply(event));
    world.assert_invariants();
    jobs
}

/// Pay that is held back is released, and nothing is under way any more.
fn weeks_pass(world: &mut World, weeks: u64) {
    world.now_ms += weeks * WEEK_MS;
    for _ in 0..3 {
        for event in scheduler::core::plan::due(&world.state, world.now_ms) {
            world.apply(event);
        }
        world.settle_all();
    }
}

#[test]
fn a_job_expires_when_nothing_rests_on_it_any_more() {
    let mut world = World::new(900, &[(1, HONEST), (2, HONEST)], policy());
    world.issue(account::wallet(public(50)), Tokens::from_whole(100_000), 1);
    let first = world.order(50, 1, 140);
    run(&mut world, 400);
    let films = keep::films(&world.state.book).len();
    let before = view::summary(&world.state.book.jobs[&first]);
    assert!(films >= before.units as usize);
    assert_eq!(expire(&mut world), [], "it has only just ended");
    // Another goes on from it: its picture is made of the films of both.
    let more = Wanted { samples: 96, base: Some(first), ..Wanted::default() };
    let second = world.place(50, 2, more);
    run(&mut world, 400);
    weeks_pass(&mut world, 2);
    assert_eq!(expire(&mut world), [second], "the first is of use until the second is not");
    assert_eq!(expire(&mut world), [first]);
    assert_eq!(expire(&mut world), []);
    let book = &world.state.book;
    assert!(keep::films(book).is_empty());
    let after = view::summary(&book.jobs[&first]);
    assert!(after.expired && after.units == before.units && after.spent == before.spent);
    assert_eq!(after.status, JobStatus::Done);
    assert!(
        view::update(&world.state, second, 0, world.now_ms).expect("known").accepted.is_empty()
    );
    let again = JobSpec { base: Some(first), ..book.jobs[&second].spec.clone() };
    assert_eq!(kept(book, public(50), &again), Err(BaseError::Expired(first)));
    assert_eq!(world.replayed().book, world.state.book);
    // And the farm goes on.
    let third = world.order(50, 3, 140);
    run(&mut world, 300);
    let book = &world.state.book;
    assert_eq!(view::summary(&book.jobs[&third]).status, JobStatus::Done);
    // Verdicts on what expired have gone from the nodes that were judged since; numbers went on.
    let judged = book.nodes.values().filter(|node| {
        node.verdicts.iter().next_back().is_some_and(|verdict| verdict.unit.job == third)
    });
    let mut count = 0;
    for node in judged {
        assert!(node.verdicts.iter().all(|verdict| verdict.unit.job == third));
        assert!(node.verdicts.after(0).next().is_some_and(|(number, _)| number > 1));
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn films_of_which_pay_is_held_back_stay() {
    let policy = scheduler::core::Policy { keep_ms: 1, ..policy() };
    let mut world = World::new(901, &[(1, HONEST), (2, HONEST)], policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(100_000), 1);
    let job = world.order(50, 1, 140);
    run(&mut world, 400);
    let is_held = |world: &World| {
        let nodes = world.state.book.nodes.values();
        nodes.flat_map(|node| node.holds.values()).any(|hold| hold.unit.job == job)
    };
    assert!(is_held(&world));
    assert_eq!(expire(&mut world), []);
    weeks_pass(&mut world, 1);
    assert!(!is_held(&world));
    assert_eq!(expire(&mut world), [job]);
}

fn count_files(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).expect("a folder").flatten();
    let count = |path: std::path::PathBuf| if path.is_dir() { count_files(&path) } else { 1 };
    entries.map(|entry| count(entry.path())).sum()
}

#[test]
fn films_leave_the_disk_and_the_list_of_jobs_stays() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_gone).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let one = node(1, ticket).await;
        let job = ordered(&client, &spec("soon gone")).await;
        work(&one, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        let films = dir.path().join("films");
        for _ in 0..600 {
            if count_files(&films) == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(count_files(&films), 0);
        let Reply::Job(now) = client.ask(Request::Watch { job, after: 0, wait_ms: 0 }).await else {
            panic!("no news")
        };
        assert!(now.summary.expired && now.accepted.is_empty());
        assert_eq!(now.summary.units_accepted, update.summary.units_accepted);
        let unit = update.accepted[0].unit;
        let shot = ShotIndex(0);
        for request in [Request::Film { unit }, Request::Receipt { job, shot }] {
            let refused = client.refusal(request).await;
            assert!(refused.message.contains("order it anew"), "{refused}");
        }
        let deeper = RenderSettings { samples: 64, ..settings() };
        let more = JobSpec { base: Some(job), settings: deeper, ..spec("soon gone") };
        let offer = protocol::Offer::default();
        let refused = client.refusal(Request::Quote { spec: more, offer }).await;
        assert!(refused.message.contains("not kept"), "{refused}");
        // The same once more: its films have the same hashes.
        let again = ordered(&client, &spec("soon gone")).await;
        work(&one, frame(), honest, 1_500, 1_000).await;
        wait_for(&client, again, JobStatus::Done).await;
        for caller in [client, one] {
            caller.peer.close().await;
        }
        farm.stop().await;
        let farm = Farm::start(dir.path(), soon_gone).await;
        farm.stop().await;
    });
}

fn soon_gone(config: &mut Config) {
    let policy = &mut config.policy;
    (policy.hold_ms, policy.appeal_ms, policy.keep_ms) = (1, 1, 6_000);
    config.sweep_ms = 300;
}
