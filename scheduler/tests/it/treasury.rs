//! The treasury: what flows into it, and jobs whose price does not reach.

use ledger::account;
use protocol::view::JobStatus;
use protocol::{JobId, Offer, Tokens};
use scheduler::core::{Event, Policy, view};
use scheduler::market::Rules;
use scheduler::money;

use crate::simulator::{HONEST, policy, run};
use crate::world::{World, public};

const fn whole(tokens: u64) -> Tokens {
    Tokens::from_whole(tokens)
}

/// Hundredths that reach for all but a few units.
const PERCENT: u64 = 86;

/// A farm whose treasury is full of the fees of one job, and another job for so many hundredths of what
/// it takes.
fn short_of(percent: u64, overrun_ppm: u32) -> (World, JobId, Tokens) {
    // The fair price is that of the world's jobs.
    let (per_gray, floor, ceiling) = (whole(1_000), whole(500), whole(4_000));
    let market = Rules { per_gray, floor, ceiling, ..Rules::default() };
    let policy = Policy { overrun_ppm, treasury_ppm: 1_000_000, market, ..policy() };
    let mut world = World::new(61, &[(1, HONEST), (2, HONEST)], policy);
    world.issue(account::wallet(public(50)), Tokens::from_whole(100_000), 1);
    let first = world.order(50, 1, 140);
    run(&mut world, 2_000);
    let first = &world.state.book.jobs[&first];
    let fees = money::share(first.spent, 1, 100);
    let before = world.state.book.treasury;
    assert!(before > fees, "all fees are the treasury's here: {before} of {}", first.spent);
    let job = world.order(50, 2, percent);
    run(&mut world, 2_000);
    (world, job, before)
}

#[test]
fn a_job_whose_price_nearly_reaches_is_done_and_the_treasury_bears_the_rest() {
    let (world, job, before) = short_of(PERCENT, 100_000);
    let book = &world.state.book;
    let job = &book.jobs[&job];
    let borne = job.cover.expect("the price did not reach");
    let summary = view::summary(job);
    assert_eq!((summary.status, summary.reason), (JobStatus::Done, None));
    assert!(!borne.is_zero());
    assert_eq!(job.spent, money::plus(job.quote.price, borne));
    // The artist pays the price and no more.
    assert_eq!((summary.spent, summary.refunded), (summary.price, Tokens::ZERO));
    // Fees of the job itself came in meanwhile; what was not used came back.
    let bound = money::share(job.quote.price, 1, 10);
    assert!(borne < bound && book.treasury > money::minus(before, borne));
}

#[test]
fn the_treasury_bears_no_more_than_its_share_of_a_price() {
    let (world, job, before) = short_of(60, 20_000);
    let job = &world.state.book.jobs[&job];
    assert_eq!(job.cover, Some(money::share(job.quote.price, 2, 100)));
    let summary = view::summary(job);
    assert_eq!((summary.status, summary.spent), (JobStatus::Failed, summary.price));
    assert!(summary.reason.expect("a reason").contains("price"));
    assert!(world.state.book.treasury < money::plus(before, job.quote.price));
}

/// Whoever picks the nodes could have the treasury pay his own.
#[test]
fn nothing_is_borne_for_nodes_that_an_artist_has_picked() {
    let (mut world, _job, _before) = short_of(PERCENT, 100_000);
    let held = world.state.book.treasury;
    world.apply(Event::Blocked {
        artist: public(50),
        who: public(2),
        is_blocked: true,
        now_ms: world.now_ms,
    });
    let job = world.order(50, 3, PERCENT);
    run(&mut world, 2_000);
    let book = &world.state.book;
    assert_eq!(
        (book.jobs[&job].cover, view::summary(&book.jobs[&job]).status),
        (None, JobStatus::Failed)
    );
    assert!(book.treasury >= held);
}

/// A bid is the artist's own affair.
#[test]
fn no_more_is_borne_of_a_higher_price() {
    let (mut world, job, _before) = short_of(PERCENT, 100_000);
    let usual = world.state.book.cover(&world.state.book.jobs[&job]);
    let dear = world.order_at(50, 3, PERCENT, Tokens::from_whole(8_000), Offer::default());
    world.settle_all();
    let book = &mut world.state.book;
    book.treasury = Tokens::from_whole(1_000);
    let (dear, cheap) = (book.cover(&book.jobs[&dear]), book.cover(&book.jobs[&job]));
    assert!(dear <= cheap && usual <= cheap, "{dear} of eight times the price, {cheap}");
}

#[test]
fn a_farm_may_bear_nothing() {
    let (world, job, _before) = short_of(PERCENT, 0);
    let job = &world.state.book.jobs[&job];
    assert_eq!((job.cover, view::summary(job).status), (None, JobStatus::Failed));
}
