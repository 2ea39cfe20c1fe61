use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
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
    farm.opened_from_snapshots()?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Longer than a connection lives without a sign of its peer.
#[cfg(target_os = "linux")]
const FROZEN: Duration = Duration::from_secs(18);

#[cfg(target_os = "linux")]
#[test]
fn a_frozen_node_is_passed_over_and_works_again_when_it_wakes() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let frozen = farm.start_node("frozen", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    frozen.freeze(true)?;
    let heir = farm.start_node("heir", &[])?;
    let units = job.finish(&farm)?;
    std::thread::sleep(FROZEN);
    heir.kill()?;
    frozen.freeze(false)?;
    // Nobody else is here: what is rendered now, it renders.
    let before = farm.node("frozen")?["accepted"].as_u64().context("a count")?;
    let again = submit(&farm)?.finish(&farm)?;
    let node = farm.node("frozen")?;
    let accepted = node["accepted"].as_u64().context("a count")?;
    assert_eq!((accepted - before, &node["barred"]), (again as u64, &false.into()), "{node}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units + again)
}

#[cfg(target_os = "linux")]
#[test]
fn a_frozen_scheduler_goes_on_where_it_was() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _one = farm.start_node("one", &[])?;
    let _two = farm.start_node("two", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 4)?;
    farm.freeze_scheduler(true)?;
    std::thread::sleep(FROZEN);
    farm.freeze_scheduler(false)?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn a_scheduler_that_has_moved_is_found_by_its_new_ticket() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _node = farm.start_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 2)?;
    farm.kill_scheduler()?;
    farm.move_scheduler()?;
    farm.start_scheduler()?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// One flipped bit in every film, another one gone: the farm makes them again, and the picture is right.
#[test]
fn films_that_the_disk_has_changed_are_made_again() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let _node = farm.start_node("node", &[])?;
    let id = submit(&farm)?;
    let job = id.id.clone();
    id.finish(&farm)?;
    let films = films(&farm.path("scheduler").join("films"))?;
    ensure!(films.len() >= 24, "{} films", films.len());
    for film in &films {
        let mut bytes = std::fs::read(film)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(film, bytes)?;
    }
    std::fs::remove_file(&films[7])?;
    let out = farm.path("again.exr");
    farm.ask(&["jobs", "download", &job, "-o", &out.display().to_string()])?;
    let (whole, again) = (farm.path("farm.exr"), farm_tests::read_picture(&out)?);
    let share = film::compare::bit_equal_share(&farm_tests::read_picture(&whole)?, &again)?;
    ensure!(share >= 1.0, "only {share} of the pixels are those that were delivered before");
    farm.wait_for_log(|line| line.contains("the bytes have changed on disk"))?;
    farm.wait_for_log(|line| line.contains("the film is restored"))?;
    Ok(())
}

/// Files of films under a folder.
fn films(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(films(&path)?),
            false if path.extension().is_some_and(|ext| ext == "film") => found.push(path),
            false => {}
        }
    }
    found.sort();
    Ok(found)
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
