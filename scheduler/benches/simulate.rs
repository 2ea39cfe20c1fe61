//! A farm of up to a hundred thousand simulated nodes around the real core.
//!
//! ```text
//! simulate [--nodes 2000] [--jobs 50] [--seed 1] [--units-per-node 40] [--unit-ms 10000]
//!          [--checks-per-second N] [--cheats-percent 1] [--newcomers-percent 1]
//!          [--needs-percent 0] [--verify] [--tails 0]
//! ```
//!
//! The same options give the same decisions, whose digest is the last line.

#[path = "simulate/mod.rs"]
mod simulate;

use simulate::{Farm, Report, Settings};

fn settings() -> Result<Settings, String> {
    let mut settings = Settings::default();
    let mut checks_per_second = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = |least: f64, most: f64| {
            let text = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let value = text.parse::<f64>().map_err(|error| format!("{word} {text}: {error}"))?;
            let fits = (least..=most).contains(&value);
            fits.then_some(value).ok_or_else(|| format!("{word} is {value}; {least} to {most}"))
        };
        match word.as_str() {
            "--bench" => {}
            "--nodes" => settings.nodes = value(10.0, 1e6)? as u32,
            "--jobs" => settings.jobs = value(1.0, 1e5)? as u32,
            "--seed" => settings.seed = value(0.0, 9e15)? as u64,
            "--units-per-node" => settings.units_per_node = value(1.0, 1e4)?,
            "--unit-ms" => settings.unit_ms = value(100.0, 1e7)?,
            "--checks-per-second" => checks_per_second = Some(value(0.1, 1e7)?),
            "--cheats-percent" => settings.cheats_percent = value(0.0, 100.0)?,
            "--newcomers-percent" => settings.newcomers_percent = value(0.0, 100.0)?,
            "--needs-percent" => settings.needs_percent = value(0.0, 100.0)?,
            "--tails" => settings.tails = value(0.0, 1e5)? as usize,
            "--verify" => settings.verify_every = Some(1_000),
            _ => return Err(format!("there is no {word}; see the top of benches/simulate.rs")),
        }
    }
    // Twice what films come, at the mean node's speed.
    let films_per_second = f64::from(settings.nodes) * 1.4e3 / settings.unit_ms;
    settings.checks_per_second = checks_per_second.unwrap_or(2.0 * films_per_second);
    Ok(settings)
}

fn main() -> Result<(), String> {
    let settings = settings()?;
    let begun = std::time::Instant::now();
    let mut farm = Farm::new(settings);
    farm.run();
    let all_done = farm.all_done();
    farm.tails.sort_by(|a, b| b.times.total_cmp(&a.times));
    farm.tails.iter().take(farm.settings.tails).for_each(|tail| println!("{tail}"));
    println!("{}", Report::of(&mut farm));
    println!("{:.0} s", begun.elapsed().as_secs_f64());
    if all_done { Ok(()) } else { Err("some jobs were not done".to_owned()) }
}
