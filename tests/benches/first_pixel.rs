//! How long an artist waits for the first tile of a scene that the farm knows: a scheduler and two
//! nodes on this machine, real processes over loopback.
//!
//!     cargo bench --profile release -p farm-tests --bench first_pixel -- [scene.glb] [TIMES]
//!
//! From the start of `tessera jobs submit --scene` to its order, and from the order until
//! `tessera jobs watch`, another process, has been told of the first accepted unit: rendered, checked
//! and paid. Each job has a seed of its own, so that no film is there already. For comparison the same
//! until the whole picture is there.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, Process};
use serde_json::Value;

const HOUR: Duration = Duration::from_secs(3600);

/// One job's waits, seconds.
struct Waits {
    order: f64,
    first: f64,
    all: f64,
}

/// One of them.
type Wait = fn(&Waits) -> f64;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let assets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets");
    let scene = arguments.next().map_or_else(|| assets.join("spheres.glb"), PathBuf::from);
    let times: u32 = arguments.next().map_or(Ok(7), |word| word.parse())?;
    farm_tests::tessera();

    let farm = Farm::start("")?;
    let nodes = ["one", "two"].map(|name| farm.start_node(name, &[]));
    let _nodes: Vec<Process> = nodes.into_iter().collect::<Result<_>>()?;
    farm.wait_for_nodes(2)?;
    let picture = ["--size", "640x360", "--spp", "64", "--progressive"];
    // The scene comes to the farm and to its nodes, and the nodes show what they can do.
    let outcome = farm.submit(&scene, &picture, "cold.exr")?.wait(HOUR)?;
    ensure!(outcome.code == Some(0), "the first job failed:\n{outcome}");
    let jobs = farm.ask(&["jobs", "list"])?;
    let scene = jobs[0]["scene"].as_str().context("no scene")?.to_owned();

    let mut all = Vec::new();
    for seed in 1..=times {
        all.push(job(&farm, &scene, &picture, seed)?);
    }
    println!("{:<44}{:>8}{:>8}{:>8}", "seconds", "least", "median", "most");
    let waits: [(&str, Wait); 3] = [
        ("from submit's start to the order", |it| it.order),
        ("from the order to the first accepted unit", |it| it.first),
        ("from the order to the whole picture", |it| it.all),
    ];
    for (what, of) in waits {
        let mut sorted: Vec<f64> = all.iter().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
        println!("{what:<44}{least:>8.2}{:>8.2}{most:>8.2}", sorted[sorted.len() / 2]);
    }
    Ok(())
}

fn job(farm: &Farm, scene: &str, picture: &[&str], seed: u32) -> Result<Waits> {
    let seed = seed.to_string();
    let begun = Instant::now();
    let command = [&["jobs", "submit", "--scene", scene], picture, &["--seed", &seed]].concat();
    let order = farm.ask(&[&command[..], &["--yes", "--max-cost", "1000"]].concat())?;
    let ordered = Instant::now();
    let id = order[0]["job"].as_str().context("the order names no job")?.to_owned();
    let watch = farm.watch(&id)?;
    let accepted = |line: &str, wanted: fn(u64, u64) -> bool| {
        let Ok(job) = serde_json::from_str::<Value>(line) else { return false };
        let counts = job["units_accepted"].as_u64().zip(job["units"].as_u64());
        counts.is_some_and(|(done, of)| wanted(done, of))
    };
    watch.wait_for_line(|line| accepted(line, |done, _| done > 0))?;
    let first = ordered.elapsed().as_secs_f64();
    watch.wait_for_line(|line| accepted(line, |done, of| done == of))?;
    let all = ordered.elapsed().as_secs_f64();
    Ok(Waits { order: (ordered - begun).as_secs_f64(), first, all })
}
