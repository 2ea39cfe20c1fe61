//! Pausing, ordering, stopping and going on: in the simulator and over sockets.

use std::collections::BTreeSet;

use ledger::account;
use proof::receipt::{ReceiptError, check};
use protocol::message::RefusedCode;
use protocol::view::JobStatus;
use protocol::{
    JobId, JobSpec, Offer, Order, Priority, RenderSettings, Reply, Request, Schedule, Signed,
    Steering, Tokens,
};
use scheduler::core::{BaseError, Event, JobPhase, LeasePhase, kept, view};

use crate::callers::{
    Caller, Farm, assert_picture, client, frame, honest, node, order, ordered, quote, runtime,
    settings, soon_paid, spec, wait_for, work,
};
use crate::receipts::receipt;
use crate::simulator::{HONEST, policy, run};
use crate::world::{Wanted, World, public};

fn world(seed: u64, nodes: u8) -> World {
    let farm: Vec<_> = (1..=nodes).map(|owner| (owner, HONEST)).collect();
    let mut world = World::new(seed, &farm, policy());
    for artist in [50, 51] {
        world.issue(account::wallet(public(artist)), Tokens::from_whole(100_000), artist);
    }
    world
}

fn steer(world: &mut World, job: JobId, steering: Steering) {
    world.apply(Event::Steered { job, steering, now_ms: world.now_ms });
    world.assert_invariants();
}

fn status(world: &World, job: JobId) -> JobStatus {
    view::summary(&world.state.book.jobs[&job]).status
}

fn priority(number: u8) -> Priority {
    Priority::try_from(number).expect("1 to 100")
}

/// Whose job the next film of some node is, which comes and is paid at once.
fn next(world: &mut World) -> Option<JobId> {
    let job = (0..world.nodes.len()).find_map(|index| world.work_one(index));
    world.settle_all();
    job
}

#[test]
fn a_paused_job_gets_in_what_was_begun_and_begins_nothing() {
    let mut world = world(1, 2);
    let job = world.order(50, 1, 140);
    world.settle_all();
    assert_eq!(next(&mut world), Some(job));
    let accepted = world.state.book.jobs[&job].units_accepted;
    // One is out, and its film comes while the job is paused.
    let node = world.nodes[0].id;
    let event = scheduler::core::plan::next_grant(&world.state, node, world.now_ms);
    let Some(Event::Granted { lease, unit_index, .. }) = event.clone() else { panic!("work") };
    world.apply(event.expect("just seen"));
    steer(&mut world, job, Steering::Pause);
    assert_eq!((status(&world, job), next(&mut world)), (JobStatus::Paused, None));
    world.commit(0, lease, job, unit_index);
    world.settle_all();
    let waits =
        world.state.book.leases.values().any(|it| matches!(it.phase, LeasePhase::Passed(_)));
    let book = &world.state.book;
    assert!(book.jobs[&job].units_accepted > accepted || waits, "what was begun came in");
    world.now_ms += 3_600_000;
    for event in scheduler::core::plan::due(&world.state, world.now_ms) {
        world.apply(event);
    }
    world.settle_all();
    assert_eq!((status(&world, job), next(&mut world)), (JobStatus::Paused, None));
    steer(&mut world, job, Steering::Resume);
    assert_eq!(next(&mut world), Some(job));
    run(&mut world, 400);
    assert_eq!(status(&world, job), JobStatus::Done);
}

#[test]
fn who_was_paused_stands_behind_those_who_came_meanwhile() {
    let mut world = world(2, 1);
    let first = world.order(50, 1, 140);
    world.settle_all();
    steer(&mut world, first, Steering::Pause);
    world.now_ms += 60_000;
    let second = world.order(51, 2, 140);
    world.settle_all();
    world.now_ms += 60_000;
    steer(&mut world, first, Steering::Resume);
    let begun: Vec<_> = (0..3).map(|_| next(&mut world)).collect();
    assert_eq!(begun, [Some(second); 3]);
}

/// Who tells a job to go on that does so anyway loses no place by it.
#[test]
fn a_job_that_is_not_held_keeps_its_place() {
    let mut world = world(12, 1);
    let first = world.order(50, 1, 140);
    world.now_ms += 60_000;
    world.order(51, 2, 140);
    world.settle_all();
    world.now_ms += 60_000;
    steer(&mut world, first, Steering::Resume);
    assert_eq!((0..3).map(|_| next(&mut world)).collect::<Vec<_>>(), [Some(first); 3]);
}

#[test]
fn priority_orders_an_artists_own_jobs_and_nobody_elses() {
    let mut world = world(3, 1);
    let own_first = world.order(50, 1, 140);
    world.now_ms += 1_000;
    let others = world.order(51, 2, 140);
    world.now_ms += 1_000;
    let schedule = Schedule { priority: priority(90), ..Schedule::default() };
    let urgent = world.place(50, 3, Wanted { schedule, ..Wanted::default() });
    world.settle_all();
    // The urgent one is last in line: the first place is not its, but not the other one's either.
    assert_eq!(next(&mut world), Some(others));
    steer(&mut world, others, Steering::Cancel);
    world.settle_all();
    assert_eq!(next(&mut world), Some(urgent));
    steer(&mut world, own_first, Steering::Priority(priority(91)));
    assert_eq!(next(&mut world), Some(own_first));
    steer(&mut world, own_first, Steering::Pause);
    assert_eq!(next(&mut world), Some(urgent));
    steer(&mut world, own_first, Steering::Resume);
    run(&mut world, 400);
    assert_eq!(status(&world, urgent), JobStatus::Done);
}

/// Where nobody may have units of the urgent job, the other one does not wait for it.
#[test]
fn an_urgent_job_that_nobody_works_for_blocks_nothing() {
    let mut world = world(4, 1);
    world.ask(0, Tokens::from_whole(900));
    let usual = world.order(50, 1, 140);
    let schedule = Schedule { priority: priority(90), ..Schedule::default() };
    let price_per_gray = Tokens::from_whole(800);
    let wanted = Wanted { schedule, price_per_gray, ..Wanted::default() };
    let cheap = world.place(50, 2, wanted);
    world.settle_all();
    assert_eq!(next(&mut world), Some(usual));
    assert_eq!(status(&world, cheap), JobStatus::Waiting);
}

#[test]
fn a_job_begins_after_those_it_waits_for() {
    let mut world = world(5, 2);
    let first = world.order(50, 1, 140);
    let after = |jobs: &[JobId]| {
        let schedule = Schedule { after: jobs.to_vec(), ..Schedule::default() };
        Wanted { schedule, ..Wanted::default() }
    };
    let second = world.place(50, 2, after(&[first]));
    let third = world.place(50, 3, after(&[first, second]));
    world.settle_all();
    let waits = view::summary(&world.state.book.jobs[&third]);
    assert!(waits.reason.is_some_and(|why| why.contains(&first.to_string())));
    let mut begun = Vec::new();
    for _ in 0..10_000 {
        let Some(job) = next(&mut world) else {
            if world.all_over() {
                break;
            }
            // A node that has shown little is of use when nobody else was for a while.
            world.now_ms += 1_000;
            continue;
        };
        world.assert_invariants();
        if begun.last() != Some(&job) {
            begun.push(job);
        }
        world.now_ms += 20;
    }
    assert_eq!(begun, [first, second, third]);
    run(&mut world, 400);
    // What is done already is not waited for.
    let fourth = world.place(50, 4, after(&[first]));
    world.settle_all();
    assert_eq!(next(&mut world), Some(fourth));
}

#[test]
fn a_job_whose_forerunner_was_cancelled_is_paused_and_says_so() {
    let mut world = world(6, 2);
    let first = world.order(50, 1, 140);
    let schedule = Schedule { after: vec![first], ..Schedule::default() };
    let second = world.place(50, 2, Wanted { schedule, ..Wanted::default() });
    world.settle_all();
    steer(&mut world, first, Steering::Cancel);
    world.settle_all();
    let summary = view::summary(&world.state.book.jobs[&second]);
    assert_eq!((summary.status, next(&mut world)), (JobStatus::Paused, None));
    assert!(summary.reason.is_some_and(|why| why.contains(&first.to_string())));
    steer(&mut world, second, Steering::Resume);
    assert_eq!(next(&mut world), Some(second));
    run(&mut world, 400);
    assert_eq!(status(&world, second), JobStatus::Done);
}

#[test]
fn who_says_so_twice_begins_without_waiting() {
    let mut world = world(7, 1);
    let first = world.order(50, 1, 140);
    let schedule = Schedule { after: vec![first], paused: true, ..Schedule::default() };
    let second = world.place(50, 2, Wanted { schedule, ..Wanted::default() });
    world.settle_all();
    steer(&mut world, first, Steering::Pause);
    steer(&mut world, second, Steering::Resume);
    assert_eq!((status(&world, second), next(&mut world)), (JobStatus::Waiting, None));
    steer(&mut world, second, Steering::Resume);
    assert_eq!(next(&mut world), Some(second));
}

#[test]
fn a_stopped_job_keeps_what_was_begun_and_returns_the_rest() {
    let mut world = world(8, 3);
    let schedule = Schedule { stop_after_ms: Some(30_000), ..Schedule::default() };
    let job = world.place(50, 1, Wanted { schedule, ..Wanted::default() });
    world.settle_all();
    for _ in 0..10 {
        next(&mut world);
    }
    let node = world.nodes[0].id;
    let event = scheduler::core::plan::next_grant(&world.state, node, world.now_ms);
    let Some(Event::Granted { lease, unit_index, .. }) = event.clone() else { panic!("work") };
    world.apply(event.expect("just seen"));
    // A second one that waits on the same node is not begun yet.
    let second = scheduler::core::plan::next_grant(&world.state, node, world.now_ms);
    let Some(Event::Granted { lease: waiting, .. }) = second.clone() else { panic!("work") };
    world.apply(second.expect("just seen"));
    let before = world.state.book.jobs[&job].units_accepted;
    world.now_ms += 30_000;
    let due = scheduler::core::plan::due(&world.state, world.now_ms);
    let stop = due.into_iter().find(|event| matches!(event, Event::Steered { .. }));
    world.apply(stop.expect("its time is up"));
    let leases = &world.state.book.leases;
    assert!(leases.contains_key(&lease) && !leases.contains_key(&waiting));
    world.assert_invariants();
    assert_eq!((status(&world, job), next(&mut world)), (JobStatus::Rendering, None));
    world.commit(0, lease, job, unit_index);
    run(&mut world, u64::MAX);
    let ended = &world.state.book.jobs[&job];
    assert_eq!(status(&world, job), JobStatus::Stopped);
    assert!(ended.units_accepted > before && (ended.units_accepted as usize) < ended.units.len());
    assert!(!ended.refunded.is_zero());
}

#[test]
fn whoever_cancels_a_stopping_job_does_not_wait_for_nodes() {
    let mut world = world(9, 1);
    let job = world.order(50, 1, 140);
    world.settle_all();
    let node = world.nodes[0].id;
    let event = scheduler::core::plan::next_grant(&world.state, node, world.now_ms);
    world.apply(event.expect("work"));
    steer(&mut world, job, Steering::Stop);
    assert_eq!(status(&world, job), JobStatus::Rendering);
    steer(&mut world, job, Steering::Stop);
    assert_eq!(status(&world, job), JobStatus::Rendering);
    steer(&mut world, job, Steering::Cancel);
    assert_eq!(status(&world, job), JobStatus::Cancelled);
    world.settle_all();
    world.assert_settled();
}

#[test]
fn samples_are_added_to_what_is_there() {
    let mut world = world(10, 2);
    let first = world.order(50, 1, 140);
    world.settle_all();
    for _ in 0..40 {
        next(&mut world);
    }
    steer(&mut world, first, Steering::Stop);
    run(&mut world, u64::MAX);
    let there = world.state.book.jobs[&first].units_accepted;
    // 40 samples are three chunks, the last one short: of no use for more samples.
    let whole = |world: &World, job: JobId| {
        let job = &world.state.book.jobs[&job];
        let units = job.units.iter().filter(|unit| unit.accepted.is_some());
        units.filter(|unit| unit.unit.batch.end_chunk() <= 2).count()
    };
    let kept_units = whole(&world, first);
    let second = world.place(50, 2, Wanted { samples: 96, base: Some(first), ..Wanted::default() });
    let paid_before = world.state.book.jobs[&first].spent;
    run(&mut world, 200);
    let book = &world.state.book;
    assert_eq!(status(&world, second), JobStatus::Done);
    assert_eq!(book.jobs[&first].spent, paid_before, "what is there costs nothing");
    assert!(kept_units > 0 && there > 0);
    // All news of the second job are its films and those that it kept, each once.
    let (mut told, mut after) = (BTreeSet::new(), 0);
    while let Some(update) =
        view::update(&world.state, second, after, world.now_ms).filter(|it| !it.accepted.is_empty())
    {
        for film in update.accepted {
            assert!(told.insert(film.unit), "twice");
        }
        after = update.next;
    }
    let of_first = told.iter().filter(|unit| unit.job == first).count();
    assert_eq!(of_first, kept_units);
    let mut samples = std::collections::BTreeMap::<_, u64>::new();
    for unit in &told {
        *samples.entry((unit.shot, unit.tile)).or_default() += unit.batch.samples(96).len() as u64;
    }
    assert_eq!(samples.len(), 4 * 15);
    assert!(samples.into_values().all(|samples| samples == 96));
}

#[test]
fn a_base_must_be_over_and_of_the_same_pictures() {
    let mut world = world(11, 2);
    let first = world.order(50, 1, 140);
    world.settle_all();
    let book = &world.state.book;
    let spec = |samples, base| {
        let old = &book.jobs[&first].spec;
        let settings = RenderSettings { samples, ..old.settings.clone() };
        JobSpec { settings, base: Some(base), ..old.clone() }
    };
    let refused = |artist, spec: &JobSpec| kept(book, public(artist), spec).expect_err("refused");
    assert_eq!(refused(50, &spec(96, first)), BaseError::UnderWay(first));
    assert_eq!(refused(51, &spec(96, first)), BaseError::Unknown(first));
    assert_eq!(refused(50, &spec(96, JobId([9; 16]))), BaseError::Unknown(JobId([9; 16])));
    let wider = JobSpec { tile_side_px: 32, ..spec(96, first) };
    run(&mut world, u64::MAX);
    let book = &world.state.book;
    assert_eq!(kept(book, public(50), &wider), Err(BaseError::Differs(first)));
}

/// Artists steer at random, through crashes: no token is lost, and every job ends.
#[test]
fn any_steering_ends_with_every_token_where_it_belongs() {
    let mut seen = BTreeSet::new();
    for seed in 500..512 {
        let mut world = world(seed, 4);
        let first = world.order(50, 1, 140);
        let schedule =
            Schedule { after: vec![first], stop_after_ms: Some(40_000), ..Schedule::default() };
        let second = world.place(50, 2, Wanted { schedule, ..Wanted::default() });
        let third = world.place(51, 3, Wanted { percent: 120, ..Wanted::default() });
        let jobs = [first, second, third];
        for turn in 0..600 {
            world.turn();
            world.assert_invariants();
            let job = jobs[world.dice.below(3) as usize];
            let steering = match world.dice.below(400) {
                0..12 => Steering::Pause,
                12..36 => Steering::Resume,
                36..42 => Steering::Priority(priority(1 + world.dice.below(100) as u8)),
                42 if turn > 200 => Steering::Stop,
                43 if turn > 300 => Steering::Cancel,
                _ => continue,
            };
            let is_funded = |job: &scheduler::core::Job| job.phase != JobPhase::Funding;
            if world.state.book.jobs.get(&job).is_some_and(is_funded) {
                steer(&mut world, job, steering);
            }
            if world.dice.below(10) == 0 {
                world.crash();
                assert_eq!(world.replayed().book, world.state.book);
            }
        }
        for job in jobs {
            steer(&mut world, job, Steering::Resume);
            steer(&mut world, job, Steering::Resume);
        }
        run(&mut world, 400);
        seen.extend(jobs.map(|job| status(&world, job).word()));
    }
    assert!(["done", "stopped"].iter().all(|word| seen.contains(word)), "{seen:?}");
}

/// A real picture: half of its samples by one job, the rest by another, on other nodes.
#[test]
fn a_still_gets_more_samples_later_and_has_the_bits_of_one_render() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let (ticket, key) = (&farm.ready.ticket, farm.ready.key);
        let (client, stranger) = (client(10, ticket).await, client(11, ticket).await);
        // One node alone, so that nobody waits for a twin.
        let one = node(1, ticket).await;
        let first_spec = with_samples(16, None);
        let first_frame = prepared(&first_spec);
        let first = ordered(&client, &first_spec).await;
        work(&one, first_frame, honest, 1_500, 1_000).await;
        wait_for(&client, first, JobStatus::Done).await;

        let more = with_samples(32, Some(first));
        let priced = quote(&client, &more).await;
        let whole = quote(&client, &with_samples(32, None)).await;
        assert_eq!(priced.samples * 2, whole.samples);
        // Each is rounded up.
        assert!((priced.rays.total() * 2).abs_diff(whole.rays.total()) <= 4);
        assert_refusals(&client, &stranger, first, &more).await;
        let Reply::Ordered { job } = client.ask(order(&client, &more, &priced)).await else {
            panic!("not ordered")
        };
        one.peer.close().await;
        let two = node(2, ticket).await;
        work(&two, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        // To the bit the picture of one render of 32 samples.
        assert_picture(&client, &update, &frame()).await;
        assert!(update.summary.price < whole.price);

        let receipt = receipt(&client, job).await;
        let checked = check(&receipt, key).expect("holds");
        assert!(checked.complete);
        assert_eq!((checked.job, receipt.jobs.len()), (job, 2));
        let mut without = receipt.clone();
        without.jobs.truncate(1);
        assert!(!check(&without, key).expect("holds, of half the samples").complete);
        let mut turned = receipt.clone();
        turned.jobs.swap(0, 1);
        assert_eq!(check(&turned, key), Err(ReceiptError::Differs("base")));
        let mut twice = receipt.clone();
        twice.jobs.push(receipt.jobs[1].clone());
        assert_eq!(check(&twice, key), Err(ReceiptError::Differs("base")));
        for caller in [client, stranger, two] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

fn with_samples(samples: u32, base: Option<JobId>) -> JobSpec {
    let settings = RenderSettings { samples, ..settings() };
    JobSpec { settings, base, ..spec("anytime") }
}

fn prepared(spec: &JobSpec) -> std::sync::Arc<renderer::RenderScene> {
    let frame = renderer::prepare(&scene::golden(), &spec.settings, 0.0);
    std::sync::Arc::new(frame.expect("prepares"))
}

/// What cannot be is refused with the reason.
async fn assert_refusals(client: &Caller, stranger: &Caller, first: JobId, more: &JobSpec) {
    let ask = |spec: JobSpec| Request::Quote { spec, offer: Offer::default() };
    let refused = stranger.refusal(ask(more.clone())).await;
    assert!(refused.message.contains("no such job to go on from"), "{refused}");
    let refused = client.refusal(ask(with_samples(16, Some(first)))).await;
    assert!(refused.message.contains("nothing left to render"), "{refused}");
    let seeded = RenderSettings { seed: 7, ..more.settings.clone() };
    let refused = client.refusal(ask(JobSpec { settings: seeded, ..more.clone() })).await;
    assert!(refused.message.contains("other pictures"), "{refused}");

    let steer = |job, steering| Request::Steer { job, steering };
    let refused = client.refusal(steer(first, Steering::Pause)).await;
    assert_eq!(refused.code, RefusedCode::BadRequest, "{refused}");
    let refused = stranger.refusal(steer(first, Steering::Cancel)).await;
    assert_eq!(refused.code, RefusedCode::NotFound, "{refused}");

    let priced = quote(client, more).await;
    let scheduled = |schedule| {
        let artist = protocol::sign::public_key(&client.key);
        let (quote, price, spec) = (priced.id, priced.price, more.digest());
        let order = Order { quote, spec, price, artist, schedule };
        Request::Order { spec: more.clone(), order: Signed::new(&order, &client.key) }
    };
    let after = Schedule { after: vec![JobId([7; 16])], ..Schedule::default() };
    let refused = client.refusal(scheduled(after)).await;
    assert_eq!(refused.code, RefusedCode::NotFound, "{refused}");
    let at_once = Schedule { stop_after_ms: Some(10), ..Schedule::default() };
    let refused = client.refusal(scheduled(at_once)).await;
    assert!(refused.message.contains("10 ms"), "{refused}");
}
