//! What the journal tells of people's deeds, and of every lease.

use std::collections::{BTreeMap, BTreeSet};

use ledger::account;
use ledger::journal::Fold as _;
use protocol::{Class, Tokens, VerdictKind};
use scheduler::core::history::{Actor, History, LeaseEnd, Told};
use scheduler::core::{Event, Secret, State, event_of};

use crate::simulator::{HONEST, policy, run};
use crate::world::{Character, World, public};

#[test]
fn every_lease_is_told_once_as_it_ended_and_every_deed_by_whom() {
    let mut ends = BTreeMap::new();
    for seed in 0..4 {
        let other = Character { class: Class::Tolerant, ..HONEST };
        let sleeper = Character { sleeps_percent: 60, ..HONEST };
        let farm = [(1, HONEST), (2, HONEST), (3, other), (4, sleeper)];
        let mut world = World::new(seed, &farm, policy());
        world.issue(account::wallet(public(10)), Tokens::from_whole(1_000), 1);
        let orders = [world.order(10, 1, 140), world.order(10, 2, 140)];
        run(&mut world, 400);

        let (mut deeds, mut spans, mut granted) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let mut history = History::new(State::begin(&Secret::new([9; 32])));
        for (seq, entry) in (0..).zip(&world.journal) {
            let event = event_of(entry).expect("our own bytes");
            if let Event::Granted { lease, .. } = event {
                granted.insert(lease);
            }
            history.take_in(seq, event, &mut |told| match told {
                Told::Deed(deed) => deeds.push(deed),
                Told::Lease(span) => assert!(spans.insert(span.lease, span).is_none(), "{span:?}"),
            });
        }
        let book = &world.state.book;
        assert_eq!(history.state().book, *book);
        let open: BTreeSet<_> = book.leases.keys().copied().collect();
        let told: BTreeSet<_> = spans.keys().copied().chain(open).collect();
        assert_eq!(told, granted, "seed {seed}");
        for span in spans.values() {
            *ends.entry(format!("{:?}", span.end)).or_insert(0) += 1;
            assert!(span.granted_ms <= span.film_ms.unwrap_or(span.ended_ms), "{span:?}");
            assert!(span.film_ms.unwrap_or(0) <= span.ended_ms, "{span:?}");
            let refused = book.nodes[&span.node].verdicts.iter().any(|verdict| {
                verdict.lease == span.lease && matches!(verdict.kind, VerdictKind::Refused(_))
            });
            assert_eq!(refused, span.end == LeaseEnd::Refused, "{span:?}");
            let has_film = !matches!(span.end, LeaseEnd::Lapsed | LeaseEnd::Released);
            assert!(has_film || span.film_ms.is_none(), "{span:?}");
        }
        for job in orders {
            let accepted = book.jobs[&job].units.iter().filter_map(|unit| unit.accepted.as_ref());
            let leases: BTreeSet<_> = accepted.map(|accepted| accepted.film.lease).collect();
            let of_job = spans.values().filter(|span| span.job == job);
            let in_use = of_job.filter(|span| span.end == LeaseEnd::Accepted);
            assert_eq!(in_use.map(|span| span.lease).collect::<BTreeSet<_>>(), leases);
            let of_job: Vec<_> = deeds.iter().filter(|deed| deed.job == Some(job)).collect();
            let by_artist = of_job.iter().filter(|deed| deed.act == "job_ordered");
            let by_artist: Vec<_> = by_artist.map(|deed| deed.actor).collect();
            assert_eq!(by_artist, [Actor::Artist(public(10))]);
            assert_eq!(of_job.iter().filter(|deed| deed.act == "job_ended").count(), 1);
        }
        let starts = deeds.iter().filter(|deed| deed.act == "started").count();
        assert_eq!(starts as u32, 1 + world.crashes);
    }
    for end in ["Accepted", "Passed", "Lapsed"] {
        assert!(ends.contains_key(end), "{end} is not among {ends:?}");
    }
}

/// Who is convicted is named, and loses its other leases then and there.
#[test]
fn a_conviction_is_told_with_whom_it_bars() {
    let mut barred_in_all = 0;
    for seed in 40..44 {
        let cheat = Character { forges_percent: 30, ..HONEST };
        let farm = [(1, HONEST), (2, HONEST), (5, cheat)];
        let mut world = World::new(seed, &farm, policy());
        world.issue(account::wallet(public(10)), Tokens::from_whole(1_000), 1);
        world.order(10, 1, 140);
        run(&mut world, 400);
        let (mut told, mut refused) = (BTreeSet::new(), 0);
        let mut history = History::new(State::begin(&Secret::new([9; 32])));
        for (seq, entry) in (0..).zip(&world.journal) {
            let event = event_of(entry).expect("our own bytes");
            history.take_in(seq, event, &mut |it| match it {
                Told::Deed(deed) if deed.act == "node_barred" => told.extend(deed.node),
                Told::Lease(span) if span.end == LeaseEnd::Refused => refused += 1,
                _ => {}
            });
        }
        let nodes = world.state.book.nodes.values();
        let barred: BTreeSet<_> = nodes.filter(|node| node.barred).map(|node| node.id).collect();
        assert_eq!(told, barred, "seed {seed}");
        assert!(refused >= barred.len());
        barred_in_all += barred.len();
    }
    assert!(barred_in_all > 0, "nobody was caught, which proves little");
}
