//! What becomes of what was taken: appeals, forfeits, stakes, through crashes and a judge that errs.

use ledger::account;
use protocol::{Class, Tokens, VerdictKind};
use scheduler::core::{Appeal, Policy, view};

use crate::simulator::HONEST;
use crate::world::{Character, World, public, truth};

const CHEAT: Character = Character { forges_percent: 30, ..HONEST };

fn policy() -> Policy {
    Policy {
        hold_ms: 60_000,
        hold_units: 12,
        appeal_ms: 40_000,
        stake_full: Tokens::from_whole(2),
        ..Policy::default()
    }
}

/// Runs until every job is over and every conviction settled.
pub fn run(world: &mut World) {
    for _ in 0..60_000 {
        world.turn();
        world.assert_invariants();
        if world.dice.below(300) == 0 {
            world.crash();
        }
        if world.all_over() && world.state.book.convictions.is_empty() {
            world.assert_settled();
            return;
        }
    }
    panic!("not over: {:?}", world.state.book.convictions);
}

#[test]
fn appeals_give_back_what_was_taken_wrongly_and_nothing_else() {
    let (mut overturned, mut upheld, mut forfeited, mut stakes_returned) = (0, 0, 0, 0);
    for seed in 300..330 {
        let farm = [(1, HONEST), (2, HONEST), (2, HONEST), (3, HONEST), (4, HONEST), (5, CHEAT)];
        let mut world = World::new(seed, &farm, policy());
        world.faults_percent = 2;
        world.owners_act = true;
        world.issue(account::wallet(public(10)), Tokens::from_whole(1_000), 1);
        for owner in 1..=5 {
            world.issue(account::wallet(public(owner)), Tokens::from_whole(3), 10 + owner);
        }
        world.order(10, 1, 140);
        run(&mut world);
        let book = &world.state.book;
        for (index, node) in book.nodes.values().enumerate() {
            let won = node.verdicts.iter().filter_map(|verdict| match &verdict.kind {
                VerdictKind::Overturned { stake, .. } => Some(*stake),
                _other => None,
            });
            let won: Vec<Tokens> = won.collect();
            overturned += won.len();
            stakes_returned += won.iter().filter(|stake| !stake.is_zero()).count();
            assert_eq!(node.barred, node.convictions > 0, "node {index}");
            upheld += usize::from(node.barred);
        }
        forfeited += usize::from(world.bank.posted(account::treasury()) > 0);
    }
    // The runs must have been through everything, or they prove little.
    let seen = [overturned, upheld, forfeited, stakes_returned];
    assert!(seen.iter().all(|&count| count >= 3), "{seen:?}");
}

#[test]
fn nobody_who_forged_gets_anything_back() {
    for seed in 400..408 {
        let farm = [(1, HONEST), (2, HONEST), (5, CHEAT)];
        let mut world = World::new(seed, &farm, policy());
        world.owners_act = true;
        world.issue(account::wallet(public(10)), Tokens::from_whole(1_000), 1);
        world.issue(account::wallet(public(5)), Tokens::from_whole(3), 2);
        world.order(10, 1, 140);
        run(&mut world);
        let book = &world.state.book;
        let cheats = book.nodes.values().filter(|node| node.facts.owner == public(5));
        for cheat in cheats.filter(|node| node.barred) {
            let returned =
                cheat.verdicts.iter().any(|it| matches!(it.kind, VerdictKind::Overturned { .. }));
            assert!(!returned, "seed {seed}");
            assert_eq!(world.bank.posted(account::stake(public(5))), {
                let stake = &book.stakes.get(&public(5)).cloned().unwrap_or_default();
                (stake.amount.micro() + stake.leaving.micro()) as i128
            });
        }
    }
}

/// Whoever doubts good work pays for looking; whoever doubts bad work gets it rendered anew, and the
/// node is convicted though its film had passed.
#[test]
fn disputes_cost_whoever_is_wrong() {
    let (mut disputes, mut won, mut kept) = (0, 0, 0);
    for seed in 500..590 {
        let sly = Character { forges_percent: 4, ..HONEST };
        let farm = [(1, HONEST), (2, HONEST), (3, HONEST), (5, sly), (5, sly), (5, sly)];
        // Where pay is held for long, what renders a film anew is always there.
        let held_long = seed % 2 == 0;
        let hold_ms = if held_long { 3_600_000 } else { 60_000 };
        let hold_units = if held_long { 1_000 } else { 12 };
        let mut world = World::new(seed, &farm, Policy { hold_ms, hold_units, ..policy() });
        world.owners_act = true;
        world.recheck_missed_percent = 100;
        world.issue(account::wallet(public(10)), Tokens::from_whole(1_000), 1);
        let job = world.order(10, 1, 140);
        run(&mut world);
        let book = &world.state.book;
        for unit in &book.jobs[&job].units {
            let accepted = unit.accepted.as_ref().expect("done");
            let is_right = accepted.film.root == truth(&unit.unit, Class::Exact);
            if !is_right && accepted.disputed {
                // Nothing of its node's was left to render it anew; the artist has the verdict.
                let lease = accepted.film.lease;
                let refused = view::refusals(book, job).any(|verdict| verdict.lease == lease);
                assert!(refused, "seed {seed}: a bad film that was doubted was not refused");
                // Unless it was taken already, for another film of the node's, and is forfeited.
                let before = book.nodes[&accepted.film.node].convictions > 1;
                assert!(!held_long || before, "seed {seed}: it stays though its pay was held");
                kept += 1;
            }
        }
        for node in book.nodes.values().filter(|node| node.facts.owner != public(5)) {
            assert!(!node.barred, "seed {seed}: an honest node was convicted");
        }
        disputes += world.disputes;
        won += world.disputes_won;
    }
    assert!(won >= kept + 3 && disputes >= won + 20, "{won} of {disputes}, {kept} kept");
}

#[test]
fn an_appeal_is_possible_once_and_only_in_time() {
    let farm = [(1, HONEST), (2, HONEST), (5, CHEAT)];
    let mut world = World::new(7, &farm, policy());
    world.issue(account::wallet(public(10)), Tokens::from_whole(1_000), 1);
    world.order(10, 1, 140);
    let mut turns = 0;
    let lease = loop {
        world.turn();
        turns += 1;
        assert!(turns < 20_000, "the cheat was never convicted");
        if let Some((lease, _)) = world.state.book.convictions.first_key_value() {
            break *lease;
        }
    };
    use scheduler::core::{AppealError, Event, may_appeal};
    let book = &world.state.book;
    assert_eq!(may_appeal(book, public(1), lease), Err(AppealError::Unknown), "another's");
    let nameless = book.nodes[&book.convictions[&lease].node].accepted_for_others == 0;
    if !nameless {
        assert_eq!(may_appeal(book, public(5), lease), Ok(()));
    }
    world.apply(Event::Appealed { lease });
    assert_eq!(world.state.book.convictions[&lease].appeal, Appeal::Asked);
    let asked = may_appeal(&world.state.book, public(5), lease);
    assert_eq!(asked, Err(AppealError::Asked));
    run(&mut world);
    assert_eq!(may_appeal(&world.state.book, public(5), lease), Err(AppealError::Unknown));
}
