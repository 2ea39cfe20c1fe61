//! A farm that goes over to another engine.

use ledger::account;
use protocol::view::JobStatus;
use protocol::{Engine, Tokens};
use scheduler::core::{Event, LeasePhase, plan, view};

use crate::simulator::{HONEST, policy};
use crate::world::{World, public};

/// Samples of two engines do not mix: what is judged is paid, the rest of the price returns, and nobody
/// works with the old engine on.
#[test]
fn jobs_of_the_old_engine_end_with_a_word_and_their_rest_returns() {
    let policy = policy();
    let mut world = World::new(71, &[(1, HONEST), (2, HONEST)], policy.clone());
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    let job = world.order(50, 1, 140);
    world.settle_all();
    for _unit in 0..3 {
        world.work_one(0).expect("work");
        world.settle_all();
    }
    // One film that nobody has looked at, one lease that is out.
    world.work_one(1).expect("work");
    let out = plan::next_grant(&world.state, world.nodes[0].id, world.now_ms).expect("work");
    world.apply(out);
    let phases = |world: &World| -> Vec<bool> {
        let leases = world.state.book.leases.values();
        leases.map(|lease| matches!(lease.phase, LeasePhase::Passed(_))).collect()
    };
    assert!(phases(&world).contains(&false));

    world.apply(Event::Started { policy, engine: Engine(2), now_ms: world.now_ms });
    world.settle_all();
    assert_eq!(phases(&world), [false; 0], "nobody holds anything on");
    let summary = view::summary(&world.state.book.jobs[&job]);
    assert_eq!(summary.status, JobStatus::Failed);
    let reason = summary.reason.expect("a word");
    assert!(reason.contains("from engine 1 to engine 2") && reason.contains("order it again"));
    assert!(summary.units_accepted > 0 && !summary.spent.is_zero() && !summary.refunded.is_zero());
    assert_eq!(world.bank.posted(account::escrow(job)), 0);
    for node in &world.nodes {
        assert_eq!(plan::next_grant(&world.state, node.id, world.now_ms), None);
    }
}
