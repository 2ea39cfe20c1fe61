//! What sharing a farm between schedulers costs, and how long it stands still when the leader dies:
//! real processes over loopback, a PostgreSQL server on the same disk.
//!
//!     cargo bench --profile release -p farm-tests --bench failover -- [TIMES]
//!
//! The same job of many small units, with the journals on the scheduler's own disk only and shared, in
//! turn: seconds from the order to the whole picture, and CPU-seconds of the scheduler. Then the
//! leader is killed in the middle of a job: seconds until another unit is accepted.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, Postgres, Process};
use serde_json::Value;

const HOUR: Duration = Duration::from_secs(3600);
/// Nine hundred tiles.
const PICTURE: [&str; 6] = ["--size", "480x480", "--spp", "4", "--tile", "16"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let times: usize = arguments.next().map_or(Ok(3), |word| word.parse())?;
    let scene = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/spheres.glb");
    farm_tests::tessera();
    let postgres = Postgres::start()?;

    println!("{:<44}{:>10}{:>10}", "", "own disk", "shared");
    let (mut seconds, mut cpu) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..times {
        for (at, is_shared) in [false, true].into_iter().enumerate() {
            let farm = farm(is_shared.then_some(&postgres))?;
            let (job_s, cpu_s) = job(&farm, &scene)?;
            seconds[at].push(job_s);
            cpu[at].push(cpu_s);
        }
    }
    tell("seconds of a job of 900 units", &mut seconds);
    tell("CPU-seconds of the scheduler", &mut cpu);
    let mut stood_still: Vec<f64> =
        (0..times).map(|_| fail_over(&postgres, &scene)).collect::<Result<_>>()?;
    stood_still.sort_by(f64::total_cmp);
    let (least, most) = (stood_still[0], stood_still[times - 1]);
    println!("seconds from the leader's kill to the next accepted unit: {least:.1} to {most:.1}");
    Ok(())
}

/// Medians, and their ratio.
fn tell(what: &str, sides: &mut [Vec<f64>; 2]) {
    let [own, shared] = sides.each_mut().map(|side| {
        side.sort_by(f64::total_cmp);
        side[side.len() / 2]
    });
    println!("{what:<44}{own:>10.2}{shared:>10.2}   x {:.2}", shared / own);
}

fn farm(postgres: Option<&Postgres>) -> Result<Farm> {
    let mut farm = Farm::new(Ipv4Addr::LOCALHOST.into(), "")?;
    if let Some(postgres) = postgres {
        let (database, depot) = (postgres.url(), farm.path("depot").display().to_string());
        let settings = format!("database = '{database}'\nobjects = 'file://{depot}'\n");
        std::fs::write(farm.path("farm.toml"), settings)?;
    }
    farm.start_scheduler()?;
    Ok(farm)
}

fn nodes(farm: &Farm) -> Result<Vec<Process>> {
    let nodes = ["one", "two"].map(|name| farm.start_node(name, &[]));
    let nodes = nodes.into_iter().collect::<Result<_>>()?;
    farm.wait_for_nodes(2)?;
    Ok(nodes)
}

/// Seconds of a job after a first one, and what it costs the scheduler.
fn job(farm: &Farm, scene: &Path) -> Result<(f64, f64)> {
    let _nodes = nodes(farm)?;
    let render = |seed: &str| -> Result<()> {
        let picture = [&PICTURE[..], &["--seed", seed]].concat();
        let outcome = farm.submit(scene, &picture, "picture.exr")?.wait(HOUR)?;
        ensure!(outcome.code == Some(0), "the job failed:\n{outcome}");
        Ok(())
    };
    render("1")?;
    let cpu_s = || farm.scheduler_cpu_s().context("the system does not tell CPU time");
    let (begun, before) = (Instant::now(), cpu_s()?);
    render("2")?;
    Ok((begun.elapsed().as_secs_f64(), cpu_s()? - before))
}

fn fail_over(postgres: &Postgres, scene: &Path) -> Result<f64> {
    let mut farm = farm(Some(postgres))?;
    let second = farm.start_standby("second")?;
    let _nodes = nodes(&farm)?;
    let picture = ["--size", "960x960", "--spp", "64", "--tile", "64"];
    let submit = farm.submit(scene, &picture, "picture.exr")?;
    let order: Value = serde_json::from_str(&submit.wait_for_line(|line| line.starts_with('{'))?)?;
    let id = order["job"].as_str().context("the order names no job")?.to_owned();
    let watch = farm.watch(&id)?;
    let accepted = |line: &str| -> Option<u64> {
        serde_json::from_str::<Value>(line).ok()?["units_accepted"].as_u64()
    };
    let before = watch.wait_for_line(|line| accepted(line).is_some_and(|units| units >= 4))?;
    let before = accepted(&before).context("no count")?;
    let killed = Instant::now();
    farm.kill_scheduler()?;
    farm.follow(second)?;
    // What was told before the kill counts little: a unit or two.
    watch.wait_for_line(|line| accepted(line).is_some_and(|units| units > before + 2))?;
    Ok(killed.elapsed().as_secs_f64())
}
