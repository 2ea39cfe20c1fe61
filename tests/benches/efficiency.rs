//! What the farm costs: one frame rendered by this machine alone, by three nodes on the same
//! cores with checking off, and with checking on. CPU-seconds of all processes, and their ratio
//! to the local render, which is the baseline.
//!
//!     cargo bench --profile release -p farm-tests --bench efficiency -- [scene.glb] [WxH] [spp]
//!
//! A node's start (benchmark, qualification) is not counted: it is paid once in a node's life.
//! Reading CPU time needs Linux.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, Process};

const HOUR: Duration = Duration::from_secs(3600);

/// Nothing is checked and nothing is rendered twice.
const UNCHECKED: &str = "dangerously_accept_unchecked_films = true\n\
    [policy]\ncheck = false\nnewcomer_units = 0\ntwin_floor_ppm = 0\n";

/// Every film is challenged, and one in 400 has a twin, as with nodes of good name.
const CHALLENGED: &str = "[policy]\nnewcomer_units = 0\n";

/// As a farm of strangers begins: their first films are rendered twice besides.
const NEWCOMERS: &str = "";

struct Case {
    name: &'static str,
    cpu_s: f64,
    wall_s: f64,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let assets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets");
    let scene = arguments.next().map_or_else(|| assets.join("mosaic.glb"), PathBuf::from);
    let size = arguments.next().unwrap_or_else(|| "640x360".to_owned());
    let spp = arguments.next().unwrap_or_else(|| "64".to_owned());
    let picture = ["--size", &size, "--spp", &spp];
    // Whatever must be built is built before the clock runs.
    farm_tests::tessera();

    let cases = [
        local(&scene, &picture)?,
        farm("three nodes, unchecked", UNCHECKED, &scene, &picture)?,
        farm("three nodes, challenged", CHALLENGED, &scene, &picture)?,
        farm("three newcomers", NEWCOMERS, &scene, &picture)?,
    ];
    println!("{} {size}, {spp} spp", scene.display());
    println!("{:<26}{:>10}{:>10}{:>10}", "", "CPU s", "ratio", "wall s");
    let baseline = cases[0].cpu_s;
    for Case { name, cpu_s, wall_s } in cases {
        println!("{name:<26}{cpu_s:>10.2}{:>10.3}{wall_s:>10.2}", cpu_s / baseline);
    }
    Ok(())
}

fn local(scene: &std::path::Path, picture: &[&str]) -> Result<Case> {
    let dir = tempfile::tempdir()?;
    let out = dir.path().join("here.exr").display().to_string();
    let mut arguments = vec!["render".to_owned(), scene.display().to_string()];
    arguments.extend(picture.iter().map(|&argument| argument.to_owned()));
    arguments.extend(["--backend", "cpu", "-o", &out].map(ToOwned::to_owned));
    let start = Instant::now();
    let outcome = Process::start("render", dir.path(), &arguments)?.wait(HOUR)?;
    ensure!(outcome.code == Some(0), "{outcome}");
    Ok(Case {
        name: "one machine alone",
        cpu_s: outcome.cpu_s.context("no CPU time")?,
        wall_s: start.elapsed().as_secs_f64(),
    })
}

fn farm(
    name: &'static str,
    settings: &str,
    scene: &std::path::Path,
    picture: &[&str],
) -> Result<Case> {
    let farm = Farm::start(settings)?;
    let nodes = ["one", "two", "three"].map(|node| farm.start_node(node, &[]));
    let nodes: Vec<Process> = nodes.into_iter().collect::<Result<_>>()?;
    farm.wait_for_nodes(nodes.len())?;
    let used = || -> Result<f64> {
        let of_nodes: Option<f64> = nodes.iter().map(Process::cpu_s).sum();
        Ok(of_nodes.context("no CPU time")? + farm.scheduler_cpu_s().context("no CPU time")?)
    };
    let (before, start) = (used()?, Instant::now());
    let outcome = farm.submit(scene, picture, "farm.exr")?.wait(HOUR)?;
    ensure!(outcome.code == Some(0), "{outcome}");
    Ok(Case { name, cpu_s: used()? - before, wall_s: start.elapsed().as_secs_f64() })
}
