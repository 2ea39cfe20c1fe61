//! Ends of jobs: who gets what was begun, and when one more node gets a unit.

use ledger::account;
use protocol::{Class, JobId, LeaseId, Offer, Tokens};
use scheduler::core::{Event, JobPhase, Policy, plan};
use scheduler::market::Rules;

use crate::simulator::{HONEST, policy};
use crate::world::{Character, World, public};

fn whole(tokens: u64) -> Tokens {
    Tokens::from_whole(tokens)
}

/// A farm of so many nodes, and a job of 120 units that are all fresh. Films have no twins.
fn farm(nodes: u8) -> (World, JobId) {
    let owners: Vec<_> = (1..=nodes).map(|owner| (owner, HONEST)).collect();
    let market = Rules { per_gray: whole(1_000), floor: whole(500), ..Rules::default() };
    let market = Rules { ceiling: whole(4_000), ..market };
    let policy =
        Policy { twin_floor_ppm: 0, newcomer_units: 0, verifier_units: 0, market, ..policy() };
    let mut world = World::new(41, &owners, policy);
    world.issue(account::wallet(public(50)), whole(1_000_000), 1);
    let job = world.order(50, 1, 140);
    world.settle_all();
    assert_eq!(world.state.book.jobs[&job].waiting.len(), 120);
    (world, job)
}

/// Nodes have shown that they need so long for a unit of a job, milliseconds.
fn show(world: &mut World, job: JobId, needs_ms: &[u64]) {
    let work = world.state.book.jobs[&job].unit_work();
    for (node, &needs_ms) in world.nodes.iter().zip(needs_ms) {
        let record = world.state.book.nodes.get_mut(&node.id).expect("it was met");
        record.pace = Default::default();
        let took_ms = 10 * needs_ms;
        record.pace.observe(10 * work, 1_000_000_000, 1_000_000_000 + took_ms);
    }
    world.state.index = world.state.indexed_anew();
}

/// Gives a unit to a node, whether it is for it or not.
pub fn give(world: &mut World, index: usize, of: (JobId, u32), films_wanted: u8) -> LeaseId {
    let book = &world.state.book;
    let lease = book.secret.lease_id(book.boot, book.leases_granted + 1);
    let (node, now_ms, (job, unit_index)) = (world.nodes[index].id, world.now_ms, of);
    let boosted = false;
    world.apply(Event::Granted { lease, node, job, unit_index, films_wanted, boosted, now_ms });
    lease
}

/// The first node does all units but so many, each in so long, milliseconds; those that are left.
fn done_but(world: &mut World, job: JobId, left: usize, film_ms: u64) -> Vec<u32> {
    let waiting = &world.state.book.jobs[&job].waiting;
    let fresh: Vec<u32> = waiting.iter().map(|&(_, _, unit_index)| unit_index).collect();
    let (done, left) = fresh.split_at(fresh.len() - left);
    for &unit_index in done {
        let lease = give(world, 0, (job, unit_index), 1);
        world.now_ms += film_ms;
        world.commit(0, lease, job, unit_index);
        world.settle_all();
    }
    left.to_vec()
}

/// What a node is offered now.
fn offer(world: &World, index: usize) -> Option<(JobId, u32)> {
    let event = plan::next_grant(&world.state, world.nodes[index].id, world.now_ms)?;
    let Event::Granted { job, unit_index, .. } = event else { panic!("a plan is a grant") };
    Some((job, unit_index))
}

const SECOND_MS: u64 = 1_000;

/// Twelve slow nodes, and a quick one at the front, four times as fast. All films took ten seconds.
fn slow_ones(needs_s: u64) -> (World, JobId, Vec<u32>, Vec<LeaseId>) {
    let (mut world, job) = farm(14);
    let units = done_but(&mut world, job, 12, 10 * SECOND_MS);
    let mut needs_ms = vec![needs_s * SECOND_MS; 14];
    needs_ms[0] = 2 * SECOND_MS;
    show(&mut world, job, &needs_ms);
    let nodes = 2..14;
    let leases = nodes.zip(&units).map(|(index, &unit)| give(&mut world, index, (job, unit), 1));
    let leases = leases.collect();
    (world, job, units, leases)
}

/// Until so many are left, the slow nodes hand in their films at once.
fn done_to(world: &mut World, job: JobId, left: usize, units: &[u32], leases: &[LeaseId]) {
    let paces: Vec<_> = world.nodes.iter().map(|it| world.state.book.nodes[&it.id].pace).collect();
    for index in left..units.len() {
        world.commit(index + 2, leases[index], job, units[index]);
    }
    world.settle_all();
    for (node, pace) in world.nodes.iter().zip(paces) {
        world.state.book.nodes.get_mut(&node.id).expect("it was met").pace = pace;
    }
    world.state.index = world.state.indexed_anew();
}

#[test]
fn a_jobs_last_units_are_raced_by_who_is_done_in_a_third_of_the_time() {
    let (mut world, job, units, leases) = slow_ones(8);
    assert_eq!(offer(&world, 0), None, "one unit in ten is left: eight seconds are not far");
    done_to(&mut world, job, 4, &units, &leases);
    assert_eq!(offer(&world, 0), None, "four are not yet the last");
    done_to(&mut world, job, 3, &units[..4], &leases[..4]);
    let (_, unit) = offer(&world, 0).expect("twelve seconds at most are more than three times two");
    assert!(units[..3].contains(&unit));
    // Whose unit it would be in seven seconds is no sooner done.
    world.now_ms += 6 * SECOND_MS;
    assert_eq!(offer(&world, 0), None);
    world.now_ms += 6 * SECOND_MS;
    assert!(offer(&world, 0).is_some(), "late");
}

#[test]
fn the_last_films_are_late_after_half_as_long_again_however_short_they_are() {
    let (mut world, job, units, leases) = slow_ones(3);
    done_to(&mut world, job, 3, &units, &leases);
    world.now_ms += 4 * SECOND_MS;
    assert_eq!(offer(&world, 0), None, "not late yet");
    world.now_ms += SECOND_MS;
    assert!(offer(&world, 0).is_some());
    // A slow one is no help while quicker ones are here, but better than nobody.
    assert_eq!(offer(&world, 1), None);
    world.now_ms += 3 * SECOND_MS;
    assert!(offer(&world, 1).is_some());
}

#[test]
fn of_the_last_units_late_ones_come_before_fresh_ones() {
    let (mut world, job) = farm(3);
    let units = done_but(&mut world, job, 3, 10 * SECOND_MS);
    show(&mut world, job, &[2_000, 8_000, 8_000]);
    give(&mut world, 1, (job, units[0]), 1);
    assert_eq!(offer(&world, 0), Some((job, units[1])), "what is not late waits for what is fresh");
    world.now_ms += 13 * SECOND_MS;
    assert_eq!(offer(&world, 0), Some((job, units[0])));
}

#[test]
fn a_unit_with_enough_films_is_not_raced_while_they_are_looked_at() {
    let (mut world, job, units, leases) = slow_ones(8);
    done_to(&mut world, job, 1, &units, &leases);
    give(&mut world, 1, (job, units[0]), 1);
    assert!(offer(&world, 0).is_some());
    world.commit(2, leases[0], job, units[0]);
    world.now_ms += 60 * SECOND_MS;
    assert_eq!(offer(&world, 0), None, "a film is here");
    world.settle_all();
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
}

#[test]
fn a_unit_is_as_late_as_the_last_film_that_it_wants() {
    let (mut world, job, units, leases) = slow_ones(8);
    done_to(&mut world, job, 1, &units, &leases);
    let mut needs_ms = [8 * SECOND_MS; 14];
    (needs_ms[0], needs_ms[1]) = (2 * SECOND_MS, 3 * SECOND_MS);
    show(&mut world, job, &needs_ms);
    let of = (job, units[0]);
    give(&mut world, 1, of, 2);
    assert_eq!(offer(&world, 0), Some(of), "one of two comes soon");
}

#[test]
fn a_unit_that_wants_a_twin_is_raced_for_both() {
    let (mut world, job, units, leases) = slow_ones(8);
    done_to(&mut world, job, 1, &units, &leases);
    let mut needs_ms = [8 * SECOND_MS; 14];
    (needs_ms[0], needs_ms[13]) = (2 * SECOND_MS, 2 * SECOND_MS);
    show(&mut world, job, &needs_ms);
    let of = (job, units[0]);
    give(&mut world, 1, of, 2);
    assert_eq!(offer(&world, 0), Some(of));
    let first = give(&mut world, 0, of, 2);
    world.commit(0, first, job, units[0]);
    assert_eq!(offer(&world, 13), Some(of), "one film is here, and two are slow with the other");
    let second = give(&mut world, 13, of, 2);
    world.commit(13, second, job, units[0]);
    let before_ms = world.now_ms;
    world.settle_all();
    let book = &world.state.book;
    assert_eq!((world.now_ms, &book.jobs[&job].phase), (before_ms, &JobPhase::Done));
    // Who was overtaken in good time has no failure, and whose film came is paid, each once.
    let record = |index: usize| &book.nodes[&world.nodes[index].id];
    assert_eq!((record(1).dropped, record(2).dropped), (0, 0));
    assert_eq!(record(13).holds.len(), 2, "with one from before");
    world.assert_settled();
}

#[test]
fn what_was_begun_waits_for_no_slow_node_however_long_the_line_is() {
    let (mut world, _first) = farm(3);
    world.issue(account::wallet(public(51)), whole(1_000_000), 2);
    // Twice the price is an hour: it comes behind.
    world.now_ms += 2 * 3_600 * SECOND_MS;
    let job = world.order_at(51, 2, 140, whole(2_000), Offer::default());
    world.settle_all();
    world.ask(2, whole(1_500));
    let unit_index = done_but(&mut world, job, 1, 10 * SECOND_MS)[0];
    let lease = give(&mut world, 1, (job, unit_index), 1);
    world.apply(Event::Lapsed { lease, now_ms: world.now_ms });
    show(&mut world, job, &[2_000, 2_000, 20_000]);
    assert_eq!(offer(&world, 2), None);
    assert_eq!(offer(&world, 0), Some((job, unit_index)), "a quick one comes to it first");
    // But it is never left alone for longer than the slow one needs.
    world.now_ms += 20 * SECOND_MS;
    assert_eq!(offer(&world, 2), Some((job, unit_index)));
}

#[test]
fn the_last_fresh_units_wait_for_no_node_that_would_be_at_them_alone() {
    let (mut world, job) = farm(2);
    let units = done_but(&mut world, job, 2, 100 * SECOND_MS);
    show(&mut world, job, &[20_000, 38_000]);
    give(&mut world, 0, (job, units[0]), 1);
    // Both together do a unit in 13 seconds, and half of what is usual on such a farm is as much.
    assert_eq!(offer(&world, 1), None);
    world.now_ms += 12 * SECOND_MS;
    assert_eq!(offer(&world, 1), Some((job, units[1])));
}

/// Twins of two classes are tried while a racer is out. Whether its film comes before the answer or after,
/// the unit is accepted, and nothing waits for a restart.
#[test]
fn a_trial_ends_although_a_racer_is_out() {
    for comes_before in [false, true] {
        let tolerant = Character { class: Class::Tolerant, ..HONEST };
        let mut world = World::new(7, &[(1, HONEST), (2, tolerant), (3, HONEST)], policy());
        world.issue(account::wallet(public(10)), Tokens::from_whole(1_000), 1);
        let job = world.order(10, 1, 140);
        world.settle_all();
        let leases = [0, 1, 2].map(|index| give(&mut world, index, (job, 0), 2));
        world.commit(0, leases[0], job, 0);
        world.settle_all();
        world.commit(1, leases[1], job, 0);
        while !world.state.book.jobs[&job].units[0].on_trial {
            world.verifier_works();
        }
        if comes_before {
            world.commit(2, leases[2], job, 0);
        }
        world.settle_all();
        let unit = &world.state.book.jobs[&job].units[0];
        assert!(unit.accepted.is_some() && !unit.on_trial, "comes before: {comes_before}");
        assert!(unit.leases.is_empty());
    }
}
