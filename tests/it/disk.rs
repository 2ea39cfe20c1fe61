use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use farm_tests::{Disk, Farm, PATIENCE, skip};

use crate::{IMPATIENT, submit};

/// Large enough for a farm's files and a job of these tests.
const DISK_MB: u32 = 64;

/// A scheduler whose disk is full takes nothing that it cannot keep: it says so and ends. With space
/// again it goes on where it was.
#[test]
fn a_full_disk_stops_the_scheduler_with_a_word_and_loses_nothing() -> Result<()> {
    let mut farm = Farm::new(Ipv4Addr::LOCALHOST.into(), IMPATIENT)?;
    let disk = match Disk::over(&farm.path("scheduler"), DISK_MB) {
        Ok(disk) => disk,
        Err(why) => return skip("a full disk under the scheduler", &why),
    };
    farm.move_home(disk.place());
    farm.start_scheduler()?;
    let _one = farm.start_node("one", &[])?;
    let _two = farm.start_node("two", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 2)?;
    disk.fill()?;
    let outcome = farm.scheduler_ends()?;
    let said = outcome.stderr.join("\n");
    ensure!(outcome.code == Some(1), "it should end with an error:\n{outcome}");
    ensure!(said.to_lowercase().contains("no space left"), "no clear word:\n{said}");
    ensure!(!said.contains("panicked"), "{said}");
    // A start on a full disk does no harm either, whatever comes of it.
    if farm.start_scheduler().is_ok() {
        farm.kill_scheduler()?;
    }
    disk.clear()?;
    farm.start_scheduler()?;
    let units = job.finish(&farm)?;
    farm.kill_scheduler()?;
    disk.keep()?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A node that was told not to mind, and has no space at all: it ends with a word instead of taking
/// leases only to drop them, others do the work, and with space it works again.
#[test]
fn a_full_disk_under_a_node_is_said_and_costs_the_job_nothing() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let disk = match Disk::over(&farm.path("full"), DISK_MB) {
        Ok(disk) => disk,
        Err(why) => return skip("a full disk under a node", &why),
    };
    let careless = ["--disk-min", "0", "-v"];
    let full = farm.start_node_at(&disk.place(), "full", &careless)?;
    farm.wait_for_nodes(1)?;
    disk.fill()?;
    let job = submit(&farm)?;
    let outcome = full.wait(PATIENCE)?;
    let said = outcome.stderr.join("\n");
    ensure!(outcome.code == Some(1), "it should end with an error:\n{outcome}");
    ensure!(said.contains("keep no scenes") && said.contains("free some space"), "{said}");
    ensure!(!said.contains("panicked"), "{said}");
    let dropped = said.matches("dropped").count();
    ensure!(dropped < 20, "{dropped} leases were taken to be dropped");
    let other = farm.start_node("other", &[])?;
    let first = job.finish(&farm)?;
    other.kill()?;
    disk.clear()?;
    let _again = farm.start_node_at(&disk.place(), "full", &careless)?;
    let second = submit(&farm)?.finish(&farm)?;
    let node = farm.node("full")?;
    ensure!(node["barred"] == false && node["refused"] == 0, "{node}");
    ensure!(node["accepted"].as_u64() >= Some(second as u64), "{node}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(first + second)
}
