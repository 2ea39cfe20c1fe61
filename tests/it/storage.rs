use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Bucket, Farm, Postgres, skip};

use crate::{IMPATIENT, submit};

/// Films wait at their nodes while nobody keeps them, and none is told to be in that is not.
#[test]
fn a_bucket_that_is_gone_for_a_while_costs_only_time() -> Result<()> {
    let mut bucket = Bucket::start()?;
    let mut farm = Farm::new(Ipv4Addr::LOCALHOST.into(), "")?;
    farm.set(&format!("objects = '{}'\n{IMPATIENT}", bucket.url()))?;
    farm.move_home(bucket.place_with_a_wrong_key());
    farm.scheduler_says(|line| line.contains("object storage") && line.contains("Signature"))?;
    farm.move_home(bucket.place());
    farm.start_scheduler()?;
    let _one = farm.start_node("one", &[])?;
    let _two = farm.start_node("two", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 4)?;
    bucket.close();
    farm.wait_for_log(|line| line.contains("failed in object storage"))?;
    let accepted = || -> Result<u64> {
        let job = farm.ask(&["jobs", "list"])?.into_iter().next().context("no job")?;
        job["units_accepted"].as_u64().context("no count")
    };
    let before = accepted()?;
    std::thread::sleep(Duration::from_secs(2));
    ensure!(accepted()? == before, "a film was taken that nobody keeps");
    bucket.open()?;
    let units = job.finish(&farm)?;
    ensure!(bucket.files()? > units, "{units} films and a scene are more than what lies there");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// What the first has taken in is handed out by the second, which has never seen a node.
#[test]
fn another_scheduler_finds_films_and_scenes_in_the_bucket() -> Result<()> {
    let bucket = Bucket::start()?;
    let postgres = match Postgres::start() {
        Ok(postgres) => postgres,
        Err(why) => return skip("a bucket for several schedulers", &why),
    };
    let mut farm = Farm::new(Ipv4Addr::LOCALHOST.into(), "")?;
    farm.move_home(bucket.place());
    farm.set(&format!(
        "database = '{}'\nobjects = '{}'\nlead_ms = 1500\n{IMPATIENT}",
        postgres.url(),
        bucket.url(),
    ))?;
    farm.start_scheduler()?;
    let second = farm.start_standby("second")?;
    let _one = farm.start_node("one", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 8)?;
    farm.kill_scheduler()?;
    farm.follow(second)?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}
