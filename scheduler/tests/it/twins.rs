//! Who renders a unit that somebody renders as well.

use ledger::account;
use protocol::Tokens;
use scheduler::core::{Event, Policy, plan};

use crate::simulator::{HONEST, policy, run};
use crate::tails::give;
use crate::world::{World, public};

/// What a node would get next: unit, films wanted, whether more of its pixels are looked at.
fn offer(world: &World, node: usize) -> (u32, u8, bool) {
    match plan::next_grant(&world.state, world.nodes[node].id, world.now_ms) {
        Some(Event::Granted { unit_index, films_wanted, boosted, .. }) => {
            (unit_index, films_wanted, boosted)
        }
        other => panic!("no lease: {other:?}"),
    }
}

fn grant(world: &mut World, node: usize) {
    let event = plan::next_grant(&world.state, world.nodes[node].id, world.now_ms);
    world.apply(event.expect("a lease"));
}

/// Many keys may be one person, who renders once and hands in twice.
#[test]
fn newcomers_are_no_twins_of_newcomers() {
    let policy = Policy { newcomer_units: 2, twin_floor_ppm: 0, ..policy() };
    let farm = [(1, HONEST), (2, HONEST), (3, HONEST), (4, HONEST)];
    let mut world = World::new(51, &farm, policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    world.order(50, 1, 140);
    world.settle_all();
    let (_, films_wanted, boosted) = offer(&world, 0);
    assert_eq!((films_wanted, boosted), (1, true), "nobody here is a veteran");
    // The first becomes a veteran.
    for _unit in 0..8 {
        world.work_one(0).expect("work");
        world.settle_all();
    }
    // From now on a newcomer's films are compared with a veteran's.
    let (begun, films_wanted, boosted) = offer(&world, 1);
    assert_eq!((films_wanted, boosted), (2, false));
    grant(&mut world, 1);
    let other = offer(&world, 2);
    assert_ne!(other.0, begun, "another newcomer is not the twin");
    assert_eq!((other.1, other.2), (2, false), "and has one of its own");
    assert_eq!(offer(&world, 0).0, begun, "the veteran is");
    run(&mut world, 2_000);
}

/// A name is made within seconds: it makes nobody another person.
#[test]
fn one_of_each_pair_is_a_veteran() {
    let policy = Policy { newcomer_units: 2, twin_floor_ppm: 1_000_000, ..policy() };
    let mut world = World::new(56, &[(1, HONEST), (2, HONEST), (3, HONEST)], policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    world.order(50, 1, 140);
    world.settle_all();
    let work = |world: &mut World, node: usize, units: u32| {
        for _unit in 0..units {
            world.work_one(node).expect("work");
            world.settle_all();
        }
    };
    [0, 1, 2].into_iter().for_each(|node| work(&mut world, node, 2));
    let (_, films_wanted, boosted) = offer(&world, 1);
    assert_eq!((films_wanted, boosted), (1, true), "all have names, and nobody is a veteran");
    work(&mut world, 0, 6);
    let (begun, films_wanted, boosted) = offer(&world, 1);
    assert_eq!((films_wanted, boosted), (2, false));
    grant(&mut world, 1);
    assert_ne!(offer(&world, 2).0, begun, "who has no more than a name is not the twin");
    assert_eq!(offer(&world, 0).0, begun, "the veteran is");
    // And whoever is here is a veteran's.
    grant(&mut world, 0);
    let (begun, films_wanted, _) = offer(&world, 0);
    assert_eq!(films_wanted, 2);
    grant(&mut world, 0);
    assert_eq!(offer(&world, 2).0, begun);
    run(&mut world, 2_000);
}

/// Two newcomers whose units want twins of the first node, a veteran.
fn a_veteran_and_two_newcomers(seed: u64) -> World {
    let policy = Policy { newcomer_units: 2, twin_floor_ppm: 0, ..policy() };
    let farm = [(1, HONEST), (2, HONEST), (3, HONEST)];
    let mut world = World::new(seed, &farm, policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    world.order(50, 1, 140);
    world.settle_all();
    for _unit in 0..8 {
        world.work_one(0).expect("work");
        world.settle_all();
    }
    world
}

#[test]
fn a_veteran_that_is_slow_lets_no_second_newcomer_in() {
    let mut world = a_veteran_and_two_newcomers(52);
    let (begun, ..) = offer(&world, 1);
    grant(&mut world, 1);
    assert_eq!(offer(&world, 0).0, begun);
    grant(&mut world, 0);
    // Both are at it, and neither says a word.
    world.now_ms += 20_000;
    while let Some(event) = plan::next_grant(&world.state, world.nodes[2].id, world.now_ms) {
        let Event::Granted { unit_index, .. } = event else { panic!("{event:?}") };
        assert_ne!(unit_index, begun);
        world.apply(event);
    }
}

#[test]
fn a_newcomer_whose_pair_has_left_keeps_nobody_waiting() {
    let mut world = a_veteran_and_two_newcomers(53);
    let (begun, films_wanted, _) = offer(&world, 1);
    assert_eq!(films_wanted, 2);
    grant(&mut world, 1);
    let gone = Event::Gone { node: world.nodes[0].id, now_ms: world.now_ms };
    world.apply(gone);
    assert_ne!(offer(&world, 2).0, begun, "it may come yet");
    world.now_ms += 20_000;
    assert_eq!(offer(&world, 2), (begun, 1, true), "late: without a twin, and looked at closely");
}

/// A unit begun by a newcomer wants a veteran even after its node has become one: where none is here,
/// whoever has a name is none to wait for.
#[test]
fn a_unit_begun_by_a_newcomer_whose_pair_has_left_keeps_nobody_waiting() {
    let policy = Policy { newcomer_units: 2, twin_floor_ppm: 0, ..policy() };
    let mut world = World::new(54, &[(1, HONEST), (2, HONEST), (3, HONEST)], policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    world.order(50, 1, 140);
    world.settle_all();
    for _unit in 0..8 {
        world.work_one(0).expect("work");
        world.settle_all();
    }
    let (begun, films_wanted, _) = offer(&world, 1);
    assert_eq!(films_wanted, 2);
    grant(&mut world, 1);
    let gone = Event::Gone { node: world.nodes[0].id, now_ms: world.now_ms };
    world.apply(gone);
    // Without a veteran the others work alone, and make names.
    for _unit in 0..2 {
        for node in [1, 2] {
            let (unit, films_wanted, boosted) = offer(&world, node);
            assert_ne!(unit, begun);
            assert_eq!((films_wanted, boosted), (1, true));
            world.work_one(node).expect("work");
            world.settle_all();
        }
    }
    for node in [1, 2] {
        assert!(world.state.book.has_name(&world.state.book.nodes[&world.nodes[node].id]));
    }
    assert_ne!(offer(&world, 2).0, begun, "no veteran");
    world.now_ms += 20_000;
    assert_eq!(offer(&world, 2), (begun, 1, true), "late: without a twin, and looked at closely");
}

/// A newcomer that hands in more than the policy's two while these wait goes on without twins, or
/// veterans would render nothing else.
#[test]
fn two_films_of_a_newcomer_wait_at_a_time() {
    let mut world = a_veteran_and_two_newcomers(55);
    let newcomer = world.nodes[1].id;
    for expected in [(2, false), (2, false), (1, true)] {
        let (_, films_wanted, boosted) = offer(&world, 1);
        assert_eq!((films_wanted, boosted), expected);
        world.work_one(1).expect("work");
        world.settle_all();
    }
    let book = &world.state.book;
    assert_eq!(book.nodes[&newcomer].accepted_for_others, 1, "the one that was looked at closely");
    let waiting = book.nodes[&newcomer].leases.iter().map(|lease| &book.leases[lease]);
    assert!(waiting.clone().all(|lease| !lease.of_veteran && lease.has_passed()));
    assert_eq!(waiting.count(), 2);
}

/// Films of one unit for which somebody was paid, when these nodes hand theirs in at the same time.
fn paid_at_once(world: &mut World, nodes: [usize; 2], unit: u32) -> usize {
    for node in nodes {
        let leases = &world.state.book.leases;
        let mut own = leases.values().filter(|it| it.node == world.nodes[node].id);
        let lease = own.find(|it| it.unit_index == unit).expect("a lease");
        let (id, job) = (lease.id, lease.job);
        world.commit(node, id, job, unit);
    }
    world.settle_all();
    let nodes = nodes.map(|node| &world.state.book.nodes[&world.nodes[node].id]);
    let paid = nodes.iter().flat_map(|node| node.holds.values());
    paid.filter(|hold| hold.unit_index == unit && !hold.amount.is_zero()).count()
}

/// One person's two newcomers hand one film in at the same moment, in a race that no veteran is in.
#[test]
fn of_two_newcomers_that_race_one_is_paid() {
    let mut world = a_veteran_and_two_newcomers(56);
    let (begun, ..) = offer(&world, 1);
    grant(&mut world, 1);
    let gone = Event::Gone { node: world.nodes[0].id, now_ms: world.now_ms };
    world.apply(gone);
    world.now_ms += 20_000;
    assert_eq!(offer(&world, 2).0, begun);
    grant(&mut world, 2);
    assert_eq!(paid_at_once(&mut world, [1, 2], begun), 1);
    let nodes = [1, 2].map(|node| &world.state.book.nodes[&world.nodes[node].id]);
    assert_eq!(nodes.map(|node| node.accepted).iter().sum::<u64>(), 1, "nor makes a name");
    assert!(nodes.iter().all(|node| node.leases.is_empty() && node.dropped == 0));
    run(&mut world, 2_000);
}

#[test]
fn who_races_a_veteran_is_paid_beside_it() {
    let mut world = a_veteran_and_two_newcomers(57);
    let (begun, films_wanted, _) = offer(&world, 0);
    assert_eq!(films_wanted, 1);
    grant(&mut world, 0);
    let job = *world.state.book.jobs.keys().next().expect("a job");
    give(&mut world, 1, (job, begun), films_wanted);
    assert_eq!(paid_at_once(&mut world, [0, 1], begun), 2);
    run(&mut world, 2_000);
}
