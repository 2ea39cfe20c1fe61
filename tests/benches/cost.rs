//! What checking costs: CPU-seconds of a scheduler beside those of two honest nodes of two owners,
//! one core each, for one frame, after jobs that have made them a name and shown their speed.
//!
//!     cargo xtask cost [TILE[:UNIT_MS]…]
//!
//! `TESSERA_COST` says which scene, size and samples: `assets/spheres.glb 1280x720 128` unless set.
//! Everything counts that the scheduler's process does from before the order to after the end: the
//! probe, `prepare`, pixels rendered again, films received, hashed and stored, the ledger. Twins are
//! work of the nodes, counted apart. Reading CPU time needs Linux.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, Process};

const HOUR: Duration = Duration::from_secs(3600);

/// 300 tiles of 16 × 16 pixels: beyond the first units of a newcomer, which always want a twin.
const FIRST: [&str; 6] = ["--size", "320x240", "--spp", "16", "--tile", "16"];
/// Units of a usual length, which show how fast the nodes are: such small ones do not.
const SECOND: [&str; 6] = ["--size", "640x360", "--spp", "128", "--tile", "128"];

/// Rows when none are named: side of a tile in pixels, and the length of units, milliseconds; without
/// it, as the scheduler chooses.
const ROWS: [(u32, Option<u64>); 3] = [(128, None), (256, None), (128, Some(4_000))];

struct Row {
    units: u64,
    twins: u64,
    nodes_s: f64,
    scheduler_s: f64,
    threads: Vec<(String, f64)>,
}

fn main() -> Result<()> {
    let wanted = std::env::args().skip(1).filter(|word| word != "--bench");
    let mut rows: Vec<(u32, Option<u64>)> = wanted.map(|word| row(&word)).collect::<Result<_>>()?;
    if rows.is_empty() {
        rows.extend(ROWS);
    }
    let what = std::env::var("TESSERA_COST")
        .unwrap_or_else(|_unset| "assets/spheres.glb 1280x720 128".to_owned());
    let words: Vec<&str> = what.split_whitespace().collect();
    let [scene, size, spp] = words[..] else {
        anyhow::bail!("TESSERA_COST is {what:?}; give a scene, a size and samples a pixel");
    };
    let scene = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(scene);
    // Whatever must be built is built before a clock runs.
    farm_tests::tessera();
    println!("{what}; CPU-seconds");
    println!(
        "{:>6}{:>9}{:>7}{:>7}{:>10}{:>11}{:>9}{:>9}",
        "tile", "unit_ms", "units", "twins", "nodes", "scheduler", "percent", "twins %"
    );
    for (tile, unit_ms) in rows {
        let Row { units, twins, nodes_s, scheduler_s, threads } =
            measured(&scene, &["--size", size, "--spp", spp], tile, unit_ms)?;
        // What the nodes did for the picture itself: a twin costs what its unit costs.
        let own_s = nodes_s * units as f64 / (units + twins) as f64;
        println!(
            "{tile:>6}{:>9}{units:>7}{twins:>7}{nodes_s:>10.2}{scheduler_s:>11.2}{:>9.2}{:>9.2}",
            unit_ms.map_or_else(|| "-".to_owned(), |unit_ms| unit_ms.to_string()),
            100.0 * scheduler_s / own_s,
            100.0 * twins as f64 / units as f64,
        );
        let threads: Vec<String> =
            threads.iter().map(|(name, cpu_s)| format!("{name} {cpu_s:.2}")).collect();
        println!("       {}", threads.join(", "));
    }
    Ok(())
}

fn row(word: &str) -> Result<(u32, Option<u64>)> {
    let parsed = match word.split_once(':') {
        None => word.parse().map(|tile| (tile, None)),
        Some((tile, unit_ms)) => {
            tile.parse().and_then(|tile| unit_ms.parse().map(|unit_ms| (tile, Some(unit_ms))))
        }
    };
    parsed.with_context(|| format!("{word:?} is no row; give a tile's side, or 128:4000"))
}

fn measured(
    scene: &std::path::Path,
    picture: &[&str],
    tile: u32,
    unit_ms: Option<u64>,
) -> Result<Row> {
    let lengths = unit_ms.map(|ms| format!("unit_ms = {ms}\nunit_ms_max = {ms}\n"));
    let farm = Farm::start(&lengths.unwrap_or_default())?;
    let names = ["one", "two"];
    let nodes = names.map(|name| farm.start_node(name, &[]));
    let nodes: Vec<Process> = nodes.into_iter().collect::<Result<_>>()?;
    farm.wait_for_nodes(nodes.len())?;
    let submit = |picture: &[&str], out: &str| -> Result<()> {
        let outcome = farm.submit(scene, picture, out)?.wait(HOUR)?;
        ensure!(outcome.code == Some(0), "{outcome}");
        Ok(())
    };
    submit(&FIRST, "first.exr")?;
    submit(&SECOND, "second.exr")?;
    let used = || -> Result<f64> {
        let of_nodes: Option<f64> = nodes.iter().map(Process::cpu_s).sum();
        of_nodes.context("no CPU time")
    };
    let films = || -> Result<u64> {
        let accepted =
            names.iter().map(|name| farm.node(name)?["accepted"].as_u64().context("no count"));
        accepted.sum()
    };
    let before = (used()?, farm.scheduler_cpu_s().context("no CPU time")?, films()?);
    let threads_before = farm.scheduler_threads_cpu_s();
    let tile = tile.to_string();
    submit(&[picture, &["--tile", &tile]].concat(), "measured.exr")?;
    let scheduler_s = farm.scheduler_cpu_s().context("no CPU time")? - before.1;
    let mut threads = farm.scheduler_threads_cpu_s();
    for (name, cpu_s) in &mut threads {
        let earlier = threads_before.iter().find(|(other, _)| other == name);
        *cpu_s -= earlier.map_or(0.0, |(_, cpu_s)| *cpu_s);
    }
    threads.retain(|(_, cpu_s)| *cpu_s >= 0.005);
    let nodes_s = used()? - before.0;
    let films = films()? - before.2;
    let jobs = farm.ask(&["jobs", "list"])?;
    let units = jobs.first().and_then(|job| job["units"].as_u64()).context("no job")?;
    Ok(Row { units, twins: films.saturating_sub(units), nodes_s, scheduler_s, threads })
}
