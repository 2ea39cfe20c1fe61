use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use farm_tests::{Clock, Farm, skip};

use crate::{IMPATIENT, submit};

const DAY_S: i64 = 86_400;

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
