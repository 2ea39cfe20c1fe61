use anyhow::Result;
use farm_tests::Farm;

use crate::{IMPATIENT, submit};

#[test]
fn a_node_killed_in_the_middle_of_a_tile_costs_nothing_but_time() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let doomed = farm.start_node("doomed", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    doomed.kill()?;
    let _heir = farm.start_node("heir", &[])?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn a_node_that_never_answers_holds_nothing_up_for_good() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _silent = farm.start_node("silent", &["--cheat", "silent"])?;
    let job = submit(&farm)?;
    let _worker = farm.start_node("worker", &[])?;
    let units = job.finish(&farm)?;
    let silent = farm.node("silent")?;
    assert_eq!(silent["accepted"], 0, "{silent}");
    assert_eq!(silent["earned"], "0.000000", "{silent}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn a_scheduler_killed_in_the_middle_of_a_job_goes_on_where_it_was() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _one = farm.start_node("one", &[])?;
    let _two = farm.start_node("two", &[])?;
    let job = submit(&farm)?;
    for units in [1, 8, 16] {
        job.wait_for_units(&farm, units)?;
        farm.kill_scheduler()?;
        farm.start_scheduler()?;
    }
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_process_killed_in_the_middle_of_a_lease_costs_nothing_but_time() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let node = farm.start_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    let killed = node.children();
    assert_eq!(killed.len(), 1, "a node has one worker");
    // Once only: a scene that ends two is feared, and nobody else is here.
    kill(killed[0])?;
    let units = job.finish(&farm)?;
    let now = node.children();
    assert!(now.len() == 1 && now != killed, "another worker took its place: {now:?}");
    // The worker does not outlive its node, however that ends.
    node.kill()?;
    let gone = || !std::path::Path::new("/proc").join(now[0].to_string()).join("exe").exists();
    for _ in 0..200 {
        if gone() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(gone(), "the worker outlives its node");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[cfg(target_os = "linux")]
fn kill(process: u32) -> Result<()> {
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status()?;
    anyhow::ensure!(killed.success(), "{process} cannot be killed");
    Ok(())
}
