//! The treasury: what flows into it, and jobs whose price does not reach.

use ledger::account;
use protocol::view::JobStatus;
use protocol::{JobId, Tokens};
use scheduler::core::{Policy, view};
use scheduler::money;

use crate::simulator::{HONEST, policy, run};
use crate::world::{World, public};

/// Hundredths that reach for all but a few units.
const PERCENT: u64 = 86;

/// A farm whose treasury is full of the fees of one job, and another job for so many hundredths of what
/// it takes.
fn short_of(percent: u64, overrun_ppm: u32) -> (World, JobId, Tokens) {
    let policy = Policy { overrun_ppm, treasury_ppm: 1_000_000, ..policy() };
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

#[test]
fn a_farm_may_bear_nothing() {
    let (world, job, _before) = short_of(PERCENT, 0);
    let job = &world.state.book.jobs[&job];
    assert_eq!((job.cover, view::summary(job).status), (None, JobStatus::Failed));
}
