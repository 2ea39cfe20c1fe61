use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use farm_tests::{Clock, Farm, skip};

use crate::{IMPATIENT, submit};

const DAY_S: i64 = 86_400;
const YEAR_S: i64 = 365 * DAY_S;

/// The scheduler's calendar goes a day ahead in the middle of a job, then back to the truth while a
/// lease is out whose node is dead, then a day behind over a restart: leases still lapse, jobs end, and
/// nothing is paid twice.
#[test]
fn a_calendar_that_jumps_costs_only_time() -> Result<()> {
    let mut farm = Farm::new(Ipv4Addr::LOCALHOST.into(), IMPATIENT)?;
    let clock = match Clock::new(&farm.path("")) {
        Ok(clock) => clock,
        Err(why) => return skip("a calendar that jumps", &why),
    };
    farm.move_home(clock.place());
    farm.start_scheduler()?;
    let doomed = farm.start_node("doomed", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 2)?;
    clock.set(DAY_S)?;
    job.wait_for_units(&farm, 4)?;
    clock.set(0)?;
    job.wait_for_units(&farm, 5)?;
    doomed.kill()?;
    let _heir = farm.start_node("heir", &[])?;
    let first = job.finish(&farm)?;
    farm.kill_scheduler()?;
    clock.set(-DAY_S)?;
    farm.start_scheduler()?;
    let second = submit(&farm)?.finish(&farm)?;
    let heir = farm.node("heir")?;
    ensure!(heir["barred"] == false && heir["refused"] == 0, "{heir}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(first + second)
}

/// A node whose calendar is a year ahead and one whose is a year behind: both work and are paid.
#[test]
fn nodes_whose_calendars_are_a_year_wrong_work_like_any_other() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let wrong = [("ahead", YEAR_S), ("behind", -YEAR_S)];
    let mut nodes = Vec::new();
    for (name, ahead_s) in wrong {
        let clock = match clock_of(&farm, name, ahead_s) {
            Ok(clock) => clock,
            Err(why) => return skip("nodes whose calendars are wrong", &why),
        };
        let node = farm.start_node_at(&clock.place(), name, &["-v"])?;
        // It believes what it is told: each line of its log says when.
        let month = clock.place().run("date -u +%Y-%m")?;
        node.wait_for_log(|line| line.starts_with(month.trim()))?;
        nodes.push(node);
    }
    farm.wait_for_nodes(nodes.len())?;
    let units = submit(&farm)?.finish(&farm)?;
    for (name, _ahead_s) in wrong {
        let node = farm.node(name)?;
        ensure!(node["barred"] == false && node["refused"] == 0, "{node}");
        ensure!(node["accepted"] != 0 && node["held"] != "0.000000", "{node}");
    }
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A calendar of one node's own, ahead by so many seconds.
fn clock_of(farm: &Farm, node: &str, ahead_s: i64) -> Result<Clock> {
    let folder = farm.path(&format!("clock-{node}"));
    fs::create_dir(&folder)?;
    let clock = Clock::new(&folder)?;
    clock.set(ahead_s)?;
    Ok(clock)
}
