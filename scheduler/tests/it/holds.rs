//! How long pay is held.

use ledger::account;
use protocol::Tokens;
use scheduler::core::{Event, Policy, plan};

use crate::simulator::{HONEST, policy};
use crate::world::{World, public};

const HOUR_MS: u64 = 3_600_000;

/// Films of the first node whose pay comes free now.
fn ripe(world: &World) -> usize {
    let ripe = plan::due(&world.state, world.now_ms).into_iter().filter_map(|event| match event {
        Event::Aged { node, leases } if node == world.nodes[0].id => Some(leases.len()),
        _ => None,
    });
    ripe.sum()
}

/// A farm whose first node has so many good films of others' jobs.
fn after(films: u32) -> World {
    let policy = Policy { hold_ms: HOUR_MS, hold_units: 6, newcomer_hold: 24, ..policy() };
    let policy = Policy { twin_floor_ppm: 0, ..policy };
    let mut world = World::new(73, &[(1, HONEST), (2, HONEST)], policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    world.order(50, 1, 140);
    world.settle_all();
    for _film in 0..films {
        world.work_one(0).expect("work");
        world.settle_all();
    }
    let node = &world.state.book.nodes[&world.nodes[0].id];
    assert_eq!(node.accepted_for_others, u64::from(films));
    world
}

/// Who came today has less to lose: a day, or the films after which nobody is new.
#[test]
fn pay_of_who_is_new_is_held_for_a_day_and_of_others_for_an_hour() {
    let mut world = after(5);
    world.now_ms += 24 * HOUR_MS - 1;
    assert_eq!(ripe(&world), 0);
    world.now_ms += 1;
    assert_eq!(ripe(&world), 5);

    let mut world = after(6);
    world.now_ms += HOUR_MS - 1;
    assert_eq!(ripe(&world), 0);
    world.now_ms += 1;
    assert_eq!(ripe(&world), 6);

    // By work instead of time: each film when six newer ones are good.
    assert_eq!(ripe(&after(8)), 2);
}
