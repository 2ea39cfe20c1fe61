//! Nodes that look at others' films in the trusted renderer's place: who is honest is paid and never
//! harmed, who is not is found out, and friends of cheats gain nothing.

use ledger::account;
use protocol::{Class, Tokens, VerdictKind};
use scheduler::core::{Audit, Event, Node, Policy, keep};

use crate::convictions;
use crate::simulator::{HONEST, run};
use crate::world::people::shows_forgery;
use crate::world::{Character, Says, World, public, truth};

const OTHER_CLASS: Character = Character { class: Class::Tolerant, ..HONEST };
const CHEAT: Character = Character { forges_percent: 10, ..HONEST };
const LIAR: Character = Character { says: Says::Lies, ..HONEST };
/// Works well until somebody may vouch for it.
const FRIEND: Character =
    Character { says: Says::Good, forges_percent: 30, good_units: 10, ..HONEST };

fn policy() -> Policy {
    Policy {
        hold_ms: 600_000,
        hold_units: 24,
        appeal_ms: 40_000,
        verifier_units: 4,
        // Four times a film's pay is held for every verifier who may vouch for it.
        audit_ppm: 250_000,
        ..Policy::default()
    }
}

fn world(seed: u64, farm: &[(u8, Character)], jobs: u8) -> World {
    let mut world = World::new(seed, farm, policy());
    world.entrusts_percent = 90;
    world.issue(account::wallet(public(50)), Tokens::from_whole(1_000), 1);
    for number in 1..=jobs {
        world.order(50, number, 140);
    }
    world
}

fn was_wrong(node: &Node) -> bool {
    node.verdicts.iter().any(|it| matches!(it.kind, VerdictKind::WrongFinding { .. }))
}

/// What a node has been paid, and what is held for it.
fn kept(world: &World, index: usize) -> u128 {
    let node = &world.state.book.nodes[&world.nodes[index].id];
    node.earned.micro() + node.held().micro()
}

#[test]
fn honest_verifiers_are_paid_and_liars_found_out_through_crashes() {
    let farm = [(1, HONEST), (2, HONEST), (3, HONEST), (4, OTHER_CLASS), (5, CHEAT), (6, LIAR)];
    let (mut found, mut liars, mut cheats, mut crashes) = (0, 0, 0, 0);
    for seed in 0..12 {
        let mut world = world(seed, &farm, 2);
        run(&mut world, 400);
        found += world.found;
        crashes += world.crashes;
        let node = |index: usize| &world.state.book.nodes[&world.nodes[index].id];
        for honest in (0..4).map(node) {
            assert!(!was_wrong(honest) && !honest.barred && honest.refused == 0, "seed {seed}");
        }
        assert_eq!(node(3).verified, 0, "another class looks at nothing");
        assert!((0..3).map(node).any(|honest| honest.verified > 0), "seed {seed}");
        liars += u32::from(was_wrong(node(5)) && node(5).barred);
        cheats += u32::from(node(4).barred);
    }
    assert!(found > 300 && crashes > 15, "{found} films, {crashes} crashes: too few");
    assert!(liars >= 10 && cheats >= 10, "{liars} liars and {cheats} cheats of 12 were found out");
}

/// What the first `friends` nodes of a farm keep over some seeds, how many of them were convicted as
/// verifiers, and how many films were looked at again for it.
fn kept_by(farm: &[(u8, Character)], friends: usize) -> (u128, usize, u32) {
    let (mut sum, mut wrong, mut doubted) = (0, 0, 0);
    for seed in 0..30 {
        let mut world = world(seed, farm, 2);
        convictions::run(&mut world);
        sum += (0..friends).map(|index| kept(&world, index)).sum::<u128>();
        wrong += world.state.book.nodes.values().filter(|node| was_wrong(node)).count();
        doubted += world.doubted;
    }
    (sum, wrong, doubted)
}

/// Whoever is asked about a cheat's film is a friend, and still it does not pay.
#[test]
fn who_vouches_for_friends_bad_films_loses_more_than_they_gain() {
    let farm = |one| [(1, one), (2, one), (3, one), (4, OTHER_CLASS), (5, OTHER_CLASS)];
    let (honest, ..) = kept_by(&farm(HONEST), 3);
    let (friends, wrong, _) = kept_by(&farm(FRIEND), 3);
    assert!(friends * 2 < honest, "friends kept {friends}, honest work brings {honest}");
    assert!(wrong >= 4, "{wrong} friends were found out");
}

/// An honest node's films that a convict has vouched for are looked at again; nobody is harmed.
#[test]
fn what_a_wrong_verifier_has_vouched_for_is_looked_at_again() {
    let vouching = Character { says: Says::Good, ..HONEST };
    let farm = [(1, FRIEND), (2, vouching), (3, HONEST), (4, OTHER_CLASS)];
    let (_, wrong, doubted) = kept_by(&farm, 2);
    assert!(wrong > 0 && doubted > 0, "{wrong} were wrong, {doubted} films looked at again");
}

/// A maker that has itself barred before the audit of its film saves nobody: the audit goes on without
/// its lease.
#[test]
fn a_friend_is_convicted_though_the_maker_is_gone() {
    let farm = [(1, FRIEND), (2, FRIEND), (3, FRIEND), (4, OTHER_CLASS), (5, OTHER_CLASS)];
    let mut proven = 0;
    for seed in 0..12 {
        // Work enough that the maker is still at some.
        let mut world = world(seed, &farm, 4);
        // A bad film that a friend has vouched for is being looked at, and shows it.
        let caught = |world: &World| {
            let audits = world.state.book.audits.values();
            let shows = |audit: &&Audit| {
                let unit = world.state.book.jobs[&audit.job].units[audit.unit_index as usize].unit;
                audit.finding.agrees
                    && audit.film.root != truth(&unit, Class::Exact)
                    && shows_forgery(&audit.film, audit.challenge.round)
            };
            audits.copied().find(|audit| shows(&audit))
        };
        let mut turns = 0;
        while caught(&world).is_none() && turns < 20_000 {
            world.turn();
            turns += 1;
        }
        let Some(audit) = caught(&world) else { continue };
        let (maker, verifier) = (audit.film.node, audit.finding.verifier);
        world.burn(maker);
        assert!(world.state.book.nodes[&maker].barred, "seed {seed}");
        assert!(!world.state.book.leases.contains_key(&audit.film.lease), "seed {seed}");
        while !world.state.book.audits.is_empty() {
            world.verifier_works();
        }
        let verifier = &world.state.book.nodes[&verifier];
        assert!(was_wrong(verifier) && verifier.barred, "seed {seed}");
        proven += 1;
    }
    assert!(proven >= 1, "no audit was under way when its maker went");
}

/// A trusted renderer that is sick refuses good films that verifiers have found good: both the maker and
/// the verifier appeal, and both get everything back.
#[test]
fn a_verifier_that_was_right_wins_its_appeal() {
    let farm = [(1, HONEST), (2, HONEST), (3, HONEST)];
    let (mut convicted, mut overturned) = (0, 0);
    for seed in 0..12 {
        let mut world = world(seed, &farm, 2);
        world.faults_percent = 3;
        world.owners_act = true;
        convictions::run(&mut world);
        let evidence = keep::evidence(&world.state.book);
        for node in world.state.book.nodes.values().filter(|node| was_wrong(node)) {
            convicted += 1;
            let mut proofs = node.verdicts.iter().filter_map(|verdict| verdict.evidence);
            assert!(proofs.all(|proof| evidence.contains(&proof)), "it would be swept away");
            let won = |it: &protocol::Verdict| matches!(it.kind, VerdictKind::Overturned { .. });
            overturned += u32::from(node.verdicts.iter().any(won));
        }
    }
    assert!(convicted >= 3, "{convicted} wrong convictions prove little");
    assert!(overturned > 0, "none of {convicted} was overturned");
}

/// An artist has a bad film rendered once more that was accepted on a friend's word alone: the very pixels
/// that the friend has vouched for are looked at, and it answers for those, not for the film.
#[test]
fn who_was_believed_about_a_bad_film_is_looked_at_when_that_shows() {
    let farm = [(1, FRIEND), (2, FRIEND), (3, FRIEND), (4, OTHER_CLASS), (5, OTHER_CLASS)];
    let (mut convicted, mut cleared) = (0, 0);
    for seed in 0..40 {
        let mut world = world(seed, &farm, 2);
        let believed = |world: &World| {
            let book = &world.state.book;
            let units = book.jobs.values().flat_map(|job| &job.units);
            let words = units.filter_map(|unit| Some((unit.unit, unit.accepted.as_ref()?)));
            let bad = words.filter(|(unit, it)| it.film.root != truth(unit, Class::Exact));
            let open = bad.filter(|(_, it)| !it.disputed && !book.nodes[&it.film.node].barred);
            let mut vouched = open.filter_map(|(_, it)| it.vouched.as_deref().copied());
            vouched.find(|it| !book.nodes[&it.finding.verifier].barred)
        };
        let mut turns = 0;
        while believed(&world).is_none() && turns < 20_000 {
            world.turn();
            turns += 1;
        }
        let Some(audit) = believed(&world) else { continue };
        let (film, verifier) = (audit.film, audit.finding.verifier);
        world.apply(Event::Disputed { job: audit.job, unit_index: audit.unit_index });
        let is_looked_at = |world: &World| {
            let book = &world.state.book;
            book.disputes.contains_key(&film.lease)
                || book.audits.contains_key(&(film.lease, audit.challenge.round))
        };
        while is_looked_at(&world) {
            world.sync();
            world.bank_works();
            world.verifier_works();
        }
        world.assert_invariants();
        assert!(world.state.book.nodes[&film.node].barred, "seed {seed}: its maker");
        let shown = shows_forgery(&film, audit.challenge.round);
        let verifier = &world.state.book.nodes[&verifier];
        let by_this = |it: &protocol::Verdict| {
            it.lease == audit.finding.lease && matches!(it.kind, VerdictKind::WrongFinding { .. })
        };
        // Another film may have been its end meanwhile.
        let wrong = verifier.verdicts.iter().any(by_this);
        assert!(shown || !wrong, "seed {seed}: it was right about these pixels");
        assert!(!shown || wrong || verifier.barred, "seed {seed}: it got away");
        convicted += u32::from(wrong);
        cleared += u32::from(!shown && !verifier.barred);
    }
    assert!(convicted >= 3 && cleared >= 3, "{convicted} convicted, {cleared} cleared");
}
