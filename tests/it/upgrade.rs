use std::fs;

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, PATIENCE, Process};
use serde_json::Value;

use crate::{IMPATIENT, PICTURE, scene, submit};

/// Runs `tessera scheduler WORDS --data …`.
fn scheduler(farm: &Farm, words: &[&str]) -> Result<farm_tests::Outcome> {
    let data = farm.path("scheduler").display().to_string();
    let all = [&["scheduler"], words, &["--data", &data]].concat();
    let all: Vec<String> = all.iter().map(|&word| word.to_owned()).collect();
    Process::start("scheduler's", &farm.path("."), &all)?.wait(PATIENCE)
}

/// Life and end of a job's leases, as events of a Chrome trace.
///
/// # Errors
/// There is no trace.
pub fn trace(farm: &Farm, job: &str) -> Result<Vec<Value>> {
    let file = farm.path("trace.json").display().to_string();
    let traced = scheduler(farm, &["log", "--job", job, "--trace", &file])?;
    ensure!(traced.code == Some(0), "{traced}");
    let trace: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    trace["traceEvents"].as_array().cloned().context("no events")
}

/// A scheduler that drains ends the job in hand, refuses another with a word, and stops by itself. The
/// next one knows the job, and who did what is in its log.
#[test]
fn a_scheduler_that_drains_ends_its_jobs_and_takes_no_new_ones() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let job = submit(&farm)?;
    let asked = scheduler(&farm, &["drain"])?;
    ensure!(asked.code == Some(0), "{asked}");
    farm.wait_for_log(|line| line.contains("takes no new jobs; 1 job goes on"))?;
    let another = farm.submit(&scene(), &PICTURE, "another.exr")?.wait(PATIENCE)?;
    ensure!(another.code == Some(6), "{another}");
    ensure!(another.stderr.iter().any(|line| line.contains("takes no new ones")), "{another}");

    let _node = farm.start_node("node", &[])?;
    let id = job.id.clone();
    let units = job.finish(&farm)?;
    let ended = farm.scheduler_ends()?;
    ensure!(ended.code == Some(0), "{ended}");
    ensure!(ended.stderr.iter().any(|line| line.contains("it has drained")), "{ended}");

    // Open to all again.
    farm.start_scheduler()?;
    farm.opened_from_snapshots()?;
    let shown = &farm.ask(&["jobs", "show", &id])?[0];
    ensure!(shown["status"] == "done", "{shown}");
    submit(&farm)?.finish(&farm)?;

    // While it runs.
    let log = scheduler(&farm, &["log", "--job", &id, "--json"])?.objects()?;
    let acts: Vec<_> = log.iter().filter_map(|deed| deed["act"].as_str()).collect();
    assert_eq!(acts, ["job_ordered", "job_ended"]);
    let events = trace(&farm, &id)?;
    let accepted = events.iter().filter(|event| {
        event["ph"] == "b" && event["name"] != "judged" && event["args"]["end"] == "accepted"
    });
    assert_eq!(accepted.count(), units);
    farm.check_ledger()?;
    Ok(())
}
