//! Times by which artists want their jobs: which comes first, and whether it will be there.

use ledger::account;
use protocol::{JobId, Priority, Schedule, Steering, Tokens};
use scheduler::core::{Event, view};

use crate::simulator::{HONEST, policy};
use crate::world::{Wanted, World, public};

const HOUR_MS: u64 = 3_600_000;

/// One node, and artists with enough: films have no twins.
fn world(seed: u64) -> World {
    let mut world = World::new(seed, &[(1, HONEST)], policy());
    for artist in [50, 51] {
        world.issue(account::wallet(public(artist)), Tokens::from_whole(100_000), artist);
    }
    world
}

fn place(world: &mut World, artist: u8, number: u8, schedule: Schedule) -> JobId {
    let job = world.place(artist, number, Wanted { schedule, ..Wanted::default() });
    world.settle_all();
    job
}

fn wanted_in(world: &World, hours: u64) -> Schedule {
    let wanted_by_ms = Some(world.now_ms + hours * HOUR_MS);
    Schedule { wanted_by_ms, ..Schedule::default() }
}

/// Whose jobs all films are of, in the order in which they come.
fn all(world: &mut World) -> Vec<JobId> {
    let mut order = Vec::new();
    while let Some(job) = world.work_one(0) {
        world.settle_all();
        order.push(job);
    }
    world.assert_invariants();
    order
}

#[test]
fn what_is_wanted_first_comes_first_among_an_artists_own_and_passes_nobody_else() {
    let run = |with: bool| {
        let mut world = world(31);
        let by = |world: &World, hours| match with {
            true => wanted_in(world, hours),
            false => Schedule::default(),
        };
        let never = place(&mut world, 50, 1, Schedule::default());
        let late = by(&world, 10);
        let late = place(&mut world, 50, 2, late);
        let others = place(&mut world, 51, 3, Schedule::default());
        let soon = by(&world, 1);
        let soon = place(&mut world, 50, 4, soon);
        let order = all(&mut world);
        let place = |job| {
            let places = order.iter().enumerate().filter(move |(_, it)| **it == job);
            let places: Vec<usize> = places.map(|(at, _)| at).collect();
            (places[0], places[places.len() - 1])
        };
        [never, late, soon, others].map(place)
    };
    let [never, late, soon, others] = run(true);
    assert!(soon.1 < late.0 && late.1 < never.0, "{soon:?}, {late:?}, {never:?}");
    // In turn with the others' job, which had to wait for more of the artist's before.
    let [_, _, _, before] = run(false);
    assert!(others.0 <= before.0 && others.1 <= before.1, "{others:?}, before {before:?}");
}

#[test]
fn priority_comes_before_any_time() {
    let mut world = world(32);
    let soon = wanted_in(&world, 1);
    let soon = place(&mut world, 50, 1, soon);
    let priority = Priority::try_from(51).expect("1 to 100");
    let dear = place(&mut world, 50, 2, Schedule { priority, ..Schedule::default() });
    let order = all(&mut world);
    let half = order.len() / 2;
    assert!(order[..half].iter().all(|job| *job == dear), "{order:?}");
    assert!(order[half..].iter().all(|job| *job == soon), "{order:?}");
}

#[test]
fn when_a_job_is_done_is_told_by_its_pace_and_not_before_it_has_one() {
    let mut world = world(33);
    let schedule = wanted_in(&world, 1);
    let wanted_by_ms = schedule.wanted_by_ms;
    let job = place(&mut world, 50, 1, schedule);
    let row = |world: &World| view::row(&world.state, &world.state.book.jobs[&job], world.now_ms);
    let next = |world: &mut World| {
        world.now_ms += 1_000;
        assert_eq!(world.work_one(0), Some(job));
        world.settle_all();
    };
    for _ in 0..3 {
        next(&mut world);
        assert_eq!(row(&world).done_ms, None, "too few films to tell");
    }
    next(&mut world);
    let left = |world: &World| u64::from(row(world).units - row(world).units_accepted);
    let told = row(&world);
    assert_eq!(told.wanted_by_ms, wanted_by_ms);
    assert_eq!(told.done_ms, Some(world.now_ms + left(&world) * 1_000), "one a second");
    // Half as fast: the last three took three seconds, and three more have passed.
    world.now_ms += 3_000;
    assert_eq!(row(&world).done_ms, Some(world.now_ms + left(&world) * 2_000));

    let steer = |world: &mut World, steering| {
        world.apply(Event::Steered { job, steering, now_ms: world.now_ms });
    };
    steer(&mut world, Steering::Pause);
    assert_eq!(row(&world).done_ms, None, "nobody knows when it goes on");
    world.now_ms += HOUR_MS;
    steer(&mut world, Steering::Resume);
    assert_eq!(row(&world).done_ms, None, "it begins anew");
    (0..4).for_each(|_| next(&mut world));
    assert_eq!(row(&world).done_ms, Some(world.now_ms + left(&world) * 1_000));
    all(&mut world);
    assert_eq!(row(&world).done_ms, None, "it is over");
    assert_eq!(world.replayed().book, world.state.book);
}
