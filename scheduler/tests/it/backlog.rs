//! Who renders faster than anybody can look.

use ledger::account;
use protocol::Tokens;
use scheduler::core::{Policy, plan};

use crate::simulator::{HONEST, policy, run};
use crate::world::{World, public};

#[test]
fn a_node_whose_films_nobody_has_judged_gets_no_more_until_somebody_has() {
    let policy = Policy { unjudged_max: 5, newcomer_units: 2, ..policy() };
    let mut world = World::new(72, &[(1, HONEST), (2, HONEST)], policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    world.order(50, 1, 140);
    world.settle_all();
    let offered = |world: &World, node: usize| {
        plan::next_grant(&world.state, world.nodes[node].id, world.now_ms).is_some()
    };
    // Four as a newcomer, five with a name.
    for most in [4, 5] {
        for _unit in 0..most {
            world.work_one(0).expect("work");
        }
        assert!(!offered(&world, 0) && offered(&world, 1));
        world.settle_all();
        assert!(offered(&world, 0));
    }
    run(&mut world, 2_000);
}
