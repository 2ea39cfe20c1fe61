//! The whole farm: real processes, real sockets, real kills.

/// A calendar that lies.
mod clock;
/// The desktop app.
mod desktop;
/// Disks without space.
mod disk;
/// Several schedulers of one farm, of which one leads.
mod failover;
/// A node, or the scheduler, dies or goes silent in the middle of a job.
mod faults;
/// Full screens and sleep.
#[cfg(target_os = "linux")]
mod guest;
/// Strangers who send what they like, as often as they like.
mod hostile;
/// What is paid, refused and refunded.
mod money;
/// Lines that part, lose, delay, translate and are narrow.
mod network;
/// The status page in a browser.
mod page_in_browser;
/// Several cameras and frames, and which file is whose.
mod shots;
/// Buckets that hold what a farm must not lose.
mod storage;
mod stranger;
/// A studio's door, and scripts that speak HTTP with it.
mod studio;
/// Results that are handed in more than once.
mod twice;
/// A scheduler drains, and another goes on.
mod upgrade;
/// An owner who steers his node while it works.
mod wishes;
/// Farms that show two histories, or an older one.
mod witnesses;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, PATIENCE, Process};
use serde_json::Value;

/// Options of a picture of 24 tiles with two batches each at most: enough to be in the middle of.
const PICTURE: [&str; 4] = ["--size", "192x128", "--spp", "32"];

/// How the jobs of these tests are cut.
const TILES: [&str; 2] = ["--tile", "32"];

/// Settings that make a farm notice a dead node within a test's patience.
const IMPATIENT: &str = "[policy]\nlease_ms = 3000\ngone_ms = 500\ntwin_wait_ms = 3000\n";

fn scene() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/spheres.glb")
}

/// A job under way.
struct Job {
    id: String,
    process: Process,
}

fn submit(farm: &Farm) -> Result<Job> {
    let process = farm.submit(&scene(), &[&PICTURE[..], &TILES[..]].concat(), "farm.exr")?;
    let line = process.wait_for_line(|line| line.starts_with('{'))?;
    let order: Value = serde_json::from_str(&line)?;
    let id = order["job"].as_str().context("the order names no job")?.to_owned();
    Ok(Job { id, process })
}

impl Job {
    /// Waits until at least `units` units are accepted, and some are not.
    fn wait_for_units(&self, farm: &Farm, units: u64) -> Result<()> {
        let counts = |line: &str| -> Option<(u64, u64)> {
            let job: Value = serde_json::from_str(line).ok()?;
            Some((job["units_accepted"].as_u64()?, job["units"].as_u64()?))
        };
        let watch = farm.watch(&self.id)?;
        let line =
            watch.wait_for_line(|line| counts(line).is_some_and(|(done, _)| done >= units))?;
        let (accepted, of) = counts(&line).context("no counts")?;
        ensure!(accepted < of, "the job was over too soon: {line}");
        Ok(())
    }

    /// Waits for the picture and compares it with the same one rendered here: equal to the bit.
    /// Returns how many units the job has.
    fn finish(self, farm: &Farm) -> Result<usize> {
        let outcome = self.process.wait(PATIENCE)?;
        ensure!(outcome.code == Some(0), "the job failed:\n{outcome}");
        let ours = farm.render_here(&scene(), &PICTURE, "here.exr")?;
        let theirs = farm_tests::read_picture(&farm.path("farm.exr"))?;
        let share = film::compare::bit_equal_share(&ours, &theirs)?;
        ensure!(share >= 1.0, "only {share} of the pixels are those of a local render");
        let job = &farm.ask(&["jobs", "show", &self.id])?[0];
        ensure!(job["status"] == "done", "the job is not done: {job}");
        Ok(usize::try_from(job["units"].as_u64().context("no count")?)?)
    }
}
