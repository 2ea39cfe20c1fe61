//! What the market does under shocks: the real core, its pricing and its planning, with thousands of
//! simulated nodes and artists.
//!
//! ```text
//! market [--nodes 2000] [--seed 1] [scenario ...]
//! ```
//!
//! Nodes differ 16-fold in speed and have costs of their own, which they ask; films take the time
//! that their rays need. Artists come at random, each with a most that he pays; who finds the price
//! too high comes again later, and in the end goes elsewhere. Everything between is the scheduler's:
//! quotes, the journal's events, leases, twins, the base price.

#[path = "market/farm.rs"]
mod farm;
#[path = "market/report.rs"]
mod report;

use farm::{Farm, HOUR_MS};
use report::Phase;

/// What happens to a farm, from one hour to another.
struct Scenario {
    name: &'static str,
    what: &'static str,
    hours: u64,
    /// Times between which figures are given, hours.
    phases: &'static [(u64, u64)],
    happens: fn(&mut Farm, u64),
}

/// All begin with a day of the usual demand.
const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "demand",
        what: "four times the demand for a day, then an eighth of that, then the usual",
        hours: 96,
        phases: &[(12, 24), (24, 48), (48, 72), (72, 96)],
        happens: |farm, hour| {
            farm.demand = match hour {
                24..48 => 4.0,
                48..72 => 0.5,
                _ => 1.0,
            };
        },
    },
    Scenario {
        name: "flash",
        what: "a flash crowd: twenty times the demand for an hour",
        hours: 60,
        phases: &[(12, 24), (24, 25), (25, 36), (36, 60)],
        happens: |farm, hour| farm.demand = if hour == 24 { 20.0 } else { 1.0 },
    },
    Scenario {
        name: "withheld",
        what: "one owner has half of the nodes, and withholds them for a day",
        hours: 72,
        phases: &[(12, 24), (24, 48), (48, 72)],
        happens: |farm, hour| match hour {
            24 => farm.withhold(),
            48 => farm.give_back(),
            _ => {}
        },
    },
    Scenario {
        name: "ceiling",
        what: "one owner has half of the nodes, and asks the ceiling for a day",
        hours: 72,
        phases: &[(12, 24), (24, 48), (48, 72)],
        happens: |farm, hour| match hour {
            24 => farm.ask_the_ceiling(),
            48 => farm.ask_costs(),
            _ => {}
        },
    },
    Scenario {
        name: "idle",
        what: "a tenth of the usual demand for two days",
        hours: 72,
        phases: &[(12, 24), (24, 72)],
        happens: |farm, hour| farm.demand = if hour >= 24 { 0.1 } else { 1.0 },
    },
];

struct Options {
    nodes: u32,
    seed: u64,
    names: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { nodes: 2_000, seed: 1, names: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            let text = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            text.parse::<u64>().map_err(|error| format!("{word} {text}: {error}"))
        };
        match word.as_str() {
            "--bench" => {}
            "--nodes" => options.nodes = value()?.clamp(20, 100_000) as u32,
            "--seed" => options.seed = value()?,
            name if SCENARIOS.iter().any(|scenario| scenario.name == name) => {
                options.names.push(word);
            }
            _ => return Err(format!("there is no {word}; see the top of benches/market.rs")),
        }
    }
    Ok(options)
}

fn main() -> Result<(), String> {
    let options = options()?;
    println!("{} nodes, seed {}\n", options.nodes, options.seed);
    for scenario in &SCENARIOS {
        let wanted = options.names.iter().any(|name| name == scenario.name);
        if !options.names.is_empty() && !wanted {
            continue;
        }
        let begun = std::time::Instant::now();
        let mut farm = Farm::new(options.nodes, options.seed);
        for hour in 0..scenario.hours {
            (scenario.happens)(&mut farm, hour);
            farm.run_until((hour + 1) * HOUR_MS);
        }
        println!("{}: {}", scenario.name, scenario.what);
        report::head();
        for &(from, to) in scenario.phases {
            Phase::of(&farm, from, to).print();
        }
        report::small_and_large(&farm);
        println!(
            "{} films, {} orders, {} gone elsewhere ({:.0} s)\n",
            farm.films,
            farm.orders.len(),
            farm.gone_elsewhere,
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
