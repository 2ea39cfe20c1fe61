use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, Postgres, Standby, skip};

use crate::{IMPATIENT, submit};

/// A leader that is silent for so long is taken for gone.
const LEAD_MS: u64 = 1_500;
/// The same where nobody should have to wait for it. Who stands by looks every six seconds, and who leads
/// was heard as long ago at most.
const LONG_LEAD_MS: u64 = 36_000;
/// More than one such look and what opening takes, and less than the silence.
const HANDED_OVER: Duration = Duration::from_secs(24);

/// A farm whose schedulers share a database, and the settings that say so.
fn shared(postgres: &Postgres, lead_ms: u64) -> Result<Farm> {
    let mut farm = Farm::new(std::net::Ipv4Addr::LOCALHOST.into(), "")?;
    let depot = farm.path("depot").display().to_string();
    let settings = format!(
        "database = '{}'\nobjects = 'file://{depot}'\nlead_ms = {lead_ms}\n{IMPATIENT}",
        postgres.url(),
    );
    farm.set(&settings)?;
    farm.start_scheduler()?;
    Ok(farm)
}

/// A server, or a word about its absence.
fn server(test: &str) -> Result<Option<Postgres>> {
    match Postgres::start() {
        Ok(postgres) => Ok(Some(postgres)),
        Err(why) => skip(test, &why).map(|()| None),
    }
}

#[test]
fn another_scheduler_goes_on_where_a_killed_one_was_and_the_first_after_it() -> Result<()> {
    let Some(postgres) = server("failover")? else { return Ok(()) };
    let mut farm = shared(&postgres, LEAD_MS)?;
    let second = farm.start_standby("second")?;
    let _one = farm.start_node("one", &[])?;
    let _two = farm.start_node("two", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 4)?;
    farm.kill_scheduler()?;
    ensure!(farm.follow(second)?.is_none());
    job.wait_for_units(&farm, 12)?;
    // The first comes back under another address, with what it had.
    let first = farm.start_standby("scheduler")?;
    farm.kill_scheduler()?;
    farm.follow(first)?;
    farm.opened_from_snapshots()?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[cfg(target_os = "linux")]
#[test]
fn a_leader_that_was_frozen_stands_by_when_it_wakes() -> Result<()> {
    let Some(postgres) = server("a frozen leader")? else { return Ok(()) };
    let mut farm = shared(&postgres, LEAD_MS)?;
    farm.stranger_is_refused()?;
    let second = farm.start_standby("second")?;
    let _one = farm.start_node("one", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 4)?;
    farm.freeze_scheduler(true)?;
    let frozen = farm.follow(second)?.context("it runs")?;
    job.wait_for_units(&farm, 12)?;
    frozen.freeze(false)?;
    frozen.wait_for_log(|line| line.contains("standing by:"))?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A rolling change of both: each is stopped in order while the other stands by, which leads without waiting
/// for the silence of the first.
#[test]
fn leaders_that_are_stopped_in_order_hand_the_lead_over() -> Result<()> {
    let Some(postgres) = server("a lead that is handed over")? else { return Ok(()) };
    let mut farm = shared(&postgres, LONG_LEAD_MS)?;
    let second = farm.start_standby("second")?;
    let mut node = farm.start_steered_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 4)?;
    hand_over(&mut farm, second)?;
    job.wait_for_units(&farm, 8)?;
    // The job is not to end before the first is found again.
    node.tell(r#"{"hold":"after-this-tile"}"#)?;
    node.wait_for_line(|line| line.contains(r#""event":"paused""#))?;
    let first = farm.start_standby("scheduler")?;
    node.tell("{}")?;
    job.wait_for_units(&farm, 12)?;
    hand_over(&mut farm, first)?;
    farm.opened_from_snapshots()?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Stops who leads, and waits until the other does.
fn hand_over(farm: &mut Farm, to: Standby) -> Result<()> {
    let stopped = farm.stop_scheduler()?;
    let begun = Instant::now();
    let logged = |words: &str| stopped.stderr.iter().any(|line| line.contains(words));
    ensure!(logged("stopping: asked to") && !logged("was not handed over"), "{stopped}");
    ensure!(farm.follow(to)?.is_none(), "two lead");
    let took = begun.elapsed();
    ensure!(took < HANDED_OVER, "it waited for the silence: {took:?}");
    farm.wait_for_log(|line| line.contains("this scheduler leads the farm"))?;
    Ok(())
}

#[test]
fn a_farm_of_one_scheduler_comes_to_have_two_and_outlives_its_database() -> Result<()> {
    let Some(mut postgres) = server("a database that crashes")? else { return Ok(()) };
    // It begins alone, with a journal of its own.
    let mut farm = Farm::start(IMPATIENT)?;
    let _one = farm.start_node("one", &[])?;
    let before = submit(&farm)?.finish(&farm)?;
    farm.kill_scheduler()?;
    let settings = format!(
        "database = '{}'\nobjects = 'file://{}'\nlead_ms = {LEAD_MS}\n{IMPATIENT}",
        postgres.url(),
        farm.path("depot").display(),
    );
    farm.set(&settings)?;
    farm.start_scheduler()?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 4)?;
    postgres.crash()?;
    // What is not durable is told to nobody: it waits.
    farm.wait_for_log(|line| line.contains("standing by failed"))?;
    postgres.restart()?;
    farm.wait_for_answer()?;
    let under_way = job.finish(&farm)?;
    let second = farm.start_standby("second")?;
    farm.kill_scheduler()?;
    farm.follow(second)?;
    let after = submit(&farm)?.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(before + under_way + after)
}

/// Who stands between a scheduler and its database gets to know nothing, and may tell it nothing.
#[test]
fn a_database_that_cannot_prove_who_it_is_is_told_nothing() -> Result<()> {
    let Some(postgres) = server("a database that is another")? else { return Ok(()) };
    let Some(other) = server("another database")? else { return Ok(()) };
    let farm = Farm::new(std::net::Ipv4Addr::LOCALHOST.into(), "")?;
    let depot = farm.path("depot").display().to_string();
    let refused = |url: &str, why: &str| {
        farm.set(&format!("database = '{url}'\nobjects = 'file://{depot}'"))?;
        let said = |line: &str| line.contains("standing by failed") && line.contains(why);
        farm.scheduler_says(said)
    };
    refused(&postgres.url_vouched_for_by(&other.authority()), "invalid peer certificate")?;
    refused(&postgres.url_vouched_for_by(&farm.path("none.pem")), "sslrootcert cannot be used")?;
    refused(&postgres.url().replace("127.0.0.1", "localhost"), "invalid peer certificate")?;
    refused(&postgres.plain_url(), "no encryption")?;
    Ok(())
}
