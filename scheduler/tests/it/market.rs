//! The market in the simulator and over sockets: asks, turns, the base price, assurance.

use std::collections::BTreeMap;

use ledger::account;
use protocol::message::RefusedCode;
use protocol::view::JobStatus;
use protocol::{
    Assurance, JobId, Offer, PROTOCOL_VERSION, Reply, Request, Role, Steering, Tokens, VerdictKind,
};
use scheduler::core::{CheckKind, Effect, Event, JobPhase, Policy, gauge, outstanding, plan};
use scheduler::market::Rules;

use crate::callers::{
    Caller, Farm, assert_ledger, client, frame, honest, leases, node, node_hello, order, runtime,
    soon_paid, spec, wait_for, work,
};
use crate::simulator::{HONEST, paired, policy, run};
use crate::world::{World, public};

fn whole(tokens: u64) -> Tokens {
    Tokens::from_whole(tokens)
}

/// Rules of a farm whose fair price is that of the world's jobs.
fn rules() -> Rules {
    Rules { per_gray: whole(1_000), floor: whole(500), ceiling: whole(4_000), ..Rules::default() }
}

fn world(seed: u64, nodes: u8, rules: Rules) -> World {
    world_by(seed, nodes, Policy { market: rules, ..policy() })
}

fn world_by(seed: u64, nodes: u8, policy: Policy) -> World {
    let farm: Vec<_> = (1..=nodes).map(|owner| (owner, HONEST)).collect();
    let mut world = World::new(seed, &farm, policy);
    world.issue(account::wallet(public(50)), whole(1_000_000), 1);
    world
}

#[test]
fn a_node_is_never_offered_less_than_it_asks() {
    let mut world = world(1, 3, rules());
    world.ask(1, whole(1_000));
    world.ask(2, Tokens::from_micro(1_000_000_001));
    let job = world.order(50, 1, 140);
    run(&mut world, 400);
    let granted = |index: usize| world.state.book.nodes[&world.nodes[index].id].granted;
    assert_eq!(world.state.book.jobs[&job].phase, JobPhase::Done);
    assert!(granted(0) > 0 && granted(1) > 0, "those who work for it");
    assert_eq!(granted(2), 0);
}

/// Whoever asks too much for a job is no rival on it: nobody waits for him to render a twin.
#[test]
fn who_asks_more_is_no_twin() {
    let mut world = world_by(2, 2, Policy { market: rules(), ..paired() });
    world.ask(1, whole(1_001));
    world.order(50, 1, 140);
    world.settle_all();
    let node = world.nodes[0].id;
    let planned = plan::next_grant(&world.state, node, world.now_ms).expect("work");
    let Event::Granted { films_wanted, boosted, .. } = planned else { panic!("a grant") };
    assert_eq!((films_wanted, boosted), (1, true), "who is alone is checked on more pixels");
    world.ask(1, whole(1_000));
    let planned = plan::next_grant(&world.state, node, world.now_ms).expect("work");
    assert!(matches!(planned, Event::Granted { films_wanted: 2, boosted: false, .. }));
}

/// How many films each of some jobs gets of the next so many.
fn shares(world: &mut World, films: u32) -> BTreeMap<JobId, u32> {
    let mut shares = BTreeMap::new();
    for film in 0..films {
        let index = film as usize % world.nodes.len();
        let job = world.work_one(index).expect("work");
        world.settle_all();
        *shares.entry(job).or_default() += 1;
    }
    shares
}

/// Without newcomers' twins, which would blur who comes first.
fn named(seed: u64, rules: Rules) -> World {
    let farm = [(1, HONEST), (1, HONEST)];
    let policy = Policy { market: rules, twin_floor_ppm: 0, newcomer_units: 0, ..policy() };
    let mut world = World::new(seed, &farm, policy);
    world.issue(account::wallet(public(50)), whole(1_000_000), 1);
    world
}

#[test]
fn the_oldest_comes_first_at_equal_price_and_the_dearer_within_its_time() {
    let mut world = named(3, Rules { rotate_every: 1_000_000, ..rules() });
    let old = world.order(50, 1, 140);
    world.now_ms += 3_000_000;
    let young = world.order(50, 2, 140);
    let dear = world.order_at(50, 3, 140, whole(2_000), Offer::default());
    world.settle_all();
    // Twice the price is an hour: the dear one passes what was ordered 50 minutes before.
    assert_eq!(shares(&mut world, 20), BTreeMap::from([(dear, 20)]));
    world.apply(Event::Steered { job: dear, steering: Steering::Cancel, now_ms: world.now_ms });
    assert_eq!(shares(&mut world, 20), BTreeMap::from([(old, 20)]));
    // But not what was ordered more than an hour before.
    world.now_ms += 700_000;
    let late = world.order_at(50, 4, 140, whole(2_000), Offer::default());
    world.settle_all();
    assert_eq!(shares(&mut world, 20), BTreeMap::from([(old, 20)]));
    world.apply(Event::Steered { job: old, steering: Steering::Cancel, now_ms: world.now_ms });
    assert_eq!(shares(&mut world, 20), BTreeMap::from([(late, 20)]));
    world.apply(Event::Steered { job: late, steering: Steering::Cancel, now_ms: world.now_ms });
    assert_eq!(shares(&mut world, 20), BTreeMap::from([(young, 20)]));
}

#[test]
fn one_lease_in_four_goes_round() {
    let mut world = named(4, rules());
    let dear = world.order_at(50, 1, 140, whole(3_000), Offer::default());
    let (one, two) = (world.order(50, 2, 140), world.order(50, 3, 140));
    world.settle_all();
    let shares = shares(&mut world, 80);
    assert_eq!(shares, BTreeMap::from([(dear, 60 + 7), (one, 7), (two, 6)]));
}

/// However many others bid more, and whenever they come, who was there is done in time.
#[test]
fn nobody_starves_behind_a_stream_of_higher_bids() {
    let mut world = named(5, rules());
    let poor = world.order_at(50, 1, 140, whole(500), Offer::default());
    let units = world.state.book.jobs[&poor].units.len() as u32;
    let mut number = 1;
    let mut films = 0;
    while world.state.book.jobs[&poor].phase != JobPhase::Done {
        let rich = world.state.book.active.len() - 1;
        if rich < 3 {
            number += 1;
            world.order_at(50, number, 140, whole(4_000), Offer::default());
        }
        world.settle_all();
        world.now_ms += 1_000;
        world.work_one(films as usize % 2).expect("work");
        world.settle_all();
        films += 1;
        // Four jobs at most at a time, a turn in sixteen.
        assert!(films <= 16 * units, "{films} films, and the poor one is not done");
    }
    assert!(number > 4, "{number} others prove little");
    assert!(films > 2 * units, "{films}: the others came first");
}

/// Capacity is who works, and who would if anything waited; never who lets it wait.
#[test]
fn nodes_that_let_work_wait_do_not_count() {
    let mut world = named(6, rules());
    let job = world.order(50, 1, 140);
    world.settle_all();
    for film in 0..8 {
        world.now_ms += 1_000;
        world.work_one(film % 2).expect("work");
        world.settle_all();
    }
    world.apply(Event::Steered { job, steering: Steering::Cancel, now_ms: world.now_ms });
    world.settle_all();
    world.now_ms += 100 * rules().epoch_ms;
    let pace = |world: &World, index: usize| {
        let node = &world.state.book.nodes[&world.nodes[index].id];
        node.pace.per_second().expect("it has shown it")
    };
    let signal = |world: &World| gauge::signal(&world.state, world.now_ms);
    let idle = signal(&world);
    assert_eq!((idle.work, idle.able, idle.willing), (0, 2, 2));
    assert_eq!(idle.per_second, pace(&world, 0) + pace(&world, 1), "nothing waits for them");
    assert_eq!((idle.line_ms(), idle.refused), (Some(0), false));

    world.order(50, 2, 140);
    world.settle_all();
    let refused = signal(&world);
    assert_eq!((refused.per_second, refused.refused), (0, true), "work waits and nobody takes it");
    let node = world.nodes[1].id;
    let granted = plan::next_grant(&world.state, node, world.now_ms).expect("work");
    world.apply(granted);
    let worked = signal(&world);
    assert_eq!((worked.per_second, worked.refused), (pace(&world, 1), false), "one works");
    assert!(worked.work > 0 && worked.line_ms().is_some());
}

/// Repricing, asks, bids and crashes: the journal gives the same book, and no step is too long.
#[test]
fn the_base_price_moves_in_bounded_steps_that_a_replay_repeats() {
    let market = Rules { owners_min: 2, epoch_ms: 5_000, line_ms: 1_000, ..rules() };
    let (mut moves, mut fell, mut rose) = (0, 0, 0);
    for seed in 600..606 {
        let mut world = world(seed, 5, market.clone());
        world.ask(3, whole(900));
        world.ask(4, whole(1_500));
        world.order(50, 1, 140);
        world.order_at(50, 2, 140, whole(2_000), Offer::default());
        let book = |world: &World| (world.state.book.base_per_gray, world.state.book.base_since_ms);
        let mut before = book(&world);
        assert_eq!(before.0, whole(1_000));
        for _ in 0..4_000 {
            world.turn();
            world.assert_invariants();
            let now = book(&world);
            if now != before {
                moves += 1;
                let (low, high) = (before.0.min(now.0).micro(), before.0.max(now.0).micro());
                let step = before.0.micro() * u128::from(market.step_ppm) / 1_000_000;
                assert!(high - low <= step, "seed {seed}: {before:?} to {now:?}");
                assert!(now.1 >= before.1 + market.epoch_ms, "seed {seed}: within an epoch");
                assert!((market.floor..=market.ceiling).contains(&now.0));
                fell += u32::from(now.0 < before.0);
                rose += u32::from(now.0 > before.0);
            }
            before = now;
            if world.dice.below(200) == 0 {
                assert_eq!(world.replayed().book, world.state.book, "seed {seed}");
            }
            if world.dice.below(400) == 0 {
                world.crash();
                before = book(&world);
            }
        }
    }
    assert!(moves > 50 && fell > 5 && rose > 5, "{moves} moves, {fell} down, {rose} up: too few");
}

#[test]
fn a_new_fair_price_of_the_operators_counts_from_the_start() {
    let mut world = world(7, 1, rules());
    let start = |world: &mut World, market: Rules| {
        let policy = Policy { market, ..policy() };
        let engine = world.state.book.engine;
        world.apply(Event::Started { policy, engine, now_ms: world.now_ms });
        world.state.book.base_per_gray
    };
    world.apply(Event::Repriced { base_per_gray: whole(1_300), now_ms: world.now_ms });
    assert_eq!(start(&mut world, rules()), whole(1_300), "a restart changes nothing");
    assert_eq!(start(&mut world, Rules { ceiling: whole(1_200), ..rules() }), whole(1_200));
    assert_eq!(start(&mut world, Rules { per_gray: whole(700), ..rules() }), whole(700));
    assert_eq!(world.replayed().book, world.state.book);
}

/// Fewer pixels for less assurance, but never of a film of a node without a name.
#[test]
fn assurance_decides_the_challenged_pixels() {
    for (assurance, pixels) in Assurance::ALL.into_iter().zip([59, 91, 136]) {
        let farm = [(1, HONEST)];
        let policy = Policy { newcomer_units: 2, ..policy() };
        let mut world = World::new(8, &farm, policy);
        world.issue(account::wallet(public(50)), whole(1_000_000), 1);
        let offer = Offer { assurance, ..Offer::default() };
        world.order_at(50, 1, 140, whole(1_000), offer);
        world.settle_all();
        let mut asked = Vec::new();
        for _ in 0..12 {
            world.work_one(0).expect("work");
            let challenges = outstanding(&world.state.book).into_iter().filter_map(|effect| {
                let Effect::Check(check) = effect else { return None };
                let CheckKind::Challenge { challenge, .. } = check.kind else { return None };
                Some(challenge.pixels)
            });
            asked.extend(challenges);
            world.settle_all();
        }
        // It is alone: a film that should have a twin is challenged on three times as many pixels.
        assert_eq!(asked[..2], [3 * 136, 3 * 136], "{assurance}: a newcomer");
        let (named, boosted) = (pixels, assurance.pixels(3 * 136));
        assert!(asked[2..].iter().all(|&asked| asked == named || asked == boosted), "{asked:?}");
        assert!(asked[2..].contains(&named), "{asked:?}");
    }
}

async fn quote_on(client: &Caller, offer: Offer) -> protocol::Quote {
    let request = Request::Quote { spec: spec("market"), offer };
    let Reply::Quote(signed) = client.ask(request).await else { panic!("no quote") };
    signed.open().expect("signed")
}

fn bid(tokens: u64) -> Offer {
    Offer { bid: Some(whole(tokens)), ..Offer::default() }
}

#[test]
fn a_bid_is_firm_paid_and_bounded() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let plain = quote_on(&client, Offer::default()).await;
        let dear = quote_on(&client, bid(20)).await;
        assert_eq!(quote_on(&client, Offer::default()).await.price, plain.price, "kept");
        assert_eq!((plain.base_per_gray, plain.price_per_gray), (whole(10), whole(10)));
        assert_eq!((dear.base_per_gray, dear.price_per_gray), (whole(10), whole(20)));
        assert_eq!(dear.rays, plain.rays);
        let tracing = |quote: &protocol::Quote| quote.work.micro() - quote.setup.micro();
        assert!(tracing(&dear).abs_diff(2 * tracing(&plain)) <= 1, "rounded up once");

        let offer = |offer| Request::Quote { spec: spec("market"), offer };
        let refused = client.refusal(offer(bid(4))).await;
        assert_eq!(refused.code, RefusedCode::BadRequest);
        assert!(refused.message.contains("at least 5.000000"), "{refused}");
        assert_eq!(client.refusal(offer(bid(0))).await.code, RefusedCode::BadRequest);
        assert_eq!(client.refusal(offer(bid(1_000_001))).await.code, RefusedCode::BadRequest);

        // A node that asks more than the base price, and less than the bid.
        let picky = |ask_per_gray| {
            let Role::Node(hello) = node_hello("cpu") else { panic!("a node") };
            let role = Role::Node(protocol::NodeHello { ask_per_gray, ..hello });
            Request::Hello { protocol: PROTOCOL_VERSION, role, invitation: None }
        };
        let worker = node(1, ticket).await;
        let absurd = worker.refusal(picky(whole(1_000_001))).await;
        assert_eq!(absurd.code, RefusedCode::BadRequest);
        assert!(absurd.message.contains("ask") && absurd.message.contains("1000001"), "{absurd}");
        let asks = picky(whole(15));
        assert!(matches!(worker.ask(asks).await, Reply::Welcome { qualify: None, .. }));
        let Reply::Node(view) = worker.ask(Request::MyNode).await else { panic!("no view") };
        assert_eq!((view.ask_per_gray, view.base_per_gray), (whole(15), whole(10)));

        let cheap = client.ask(order(&client, &spec("market"), &plain)).await;
        assert!(matches!(cheap, Reply::Ordered { .. }), "{cheap:?}");
        assert!(leases(&worker, 1, 300).await.expect("an answer").is_empty(), "it pays too little");
        let Reply::Ordered { job } = client.ask(order(&client, &spec("market"), &dear)).await
        else {
            panic!("not ordered")
        };
        work(&worker, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_eq!(update.summary.price_per_gray, whole(20));
        let Reply::Verdicts(verdicts) = worker.ask(Request::MyVerdicts { after: 0 }).await else {
            panic!("no verdicts")
        };
        let setup = dear.setup.micro() / u128::from(update.summary.units);
        for (_, verdict) in verdicts {
            let VerdictKind::Accepted { rays, pay, .. } = verdict.open().expect("signed").kind
            else {
                panic!("not accepted")
            };
            let traced = scheduler::money::pay_for(rays, dear.pay_per_gray());
            assert_eq!(pay.micro(), traced.micro() + setup);
        }
        let Reply::Farm(view) = client.ask(Request::Farm).await else { panic!("no farm") };
        assert_eq!((view.market.nodes_able, view.market.nodes_willing), (1, 0));
        assert_eq!((view.price_per_gray, view.nodes[0].ask_per_gray), (whole(10), whole(15)));
        assert_ledger(&client).await;
        for caller in [client, worker] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
