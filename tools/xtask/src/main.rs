//! The project's own commands: `cargo xtask ci | test | python | attacks | cost | simulate | bench | tidy | setup
//! | assets | icon | dist | journey | screenshots`.

mod assets;
mod bench;
mod dist;
mod icon;
mod journey;
mod python;
mod run;
mod screenshots;
mod setup;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Checks, tests and generates what the repository holds")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that continuous integration runs: format, tidy, lints, tests, docs, demo
    Ci,
    /// All tests, after `setup`
    Test {
        /// Passed on to `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Tests what is written in Python against farms of the program as it was built last
    Python,
    /// Attacks farms of real processes in every way that is known, and says what it gained
    Attacks {
        /// `--times N` for N tries of each, then only those whose name or `--cheat` this is
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Measures what checking costs, in CPU-seconds of a scheduler and two nodes
    Cost {
        /// Rows to measure, such as 128:4000: side of a tile in pixels, `unit_ms`
        rows: Vec<String>,
    },
    /// Runs a farm of up to a hundred thousand simulated nodes around the scheduler's core
    Simulate {
        /// Passed on: `--nodes 100000 --jobs 1000 --seed 1`, …
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures Tessera beside other renderers
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Checks the architecture's invariants and the sources' form
    Tidy,
    /// Installs what the tests need, or says what to install
    Setup,
    /// Makes the scenes of `assets/` anew
    Assets,
    /// Makes the icon's pixels anew from its drawing
    Icon,
    /// Builds what is handed to people: a tarball and, on Linux, a Debian package
    Dist(dist::DistArgs),
    /// Walks through the window as an artist does, by keys, on a farm of real processes, and
    /// compares what was saved with a render here
    Journey(journey::JourneyArgs),
    /// Makes the pictures of the window that the README shows
    Screenshots,
}

#[derive(Subcommand)]
enum Bench {
    /// Cycles, Mitsuba, LuxCore and Embree on the same scenes, by `tools/peers`
    Render {
        /// Passed on to the tool: `run`, `speed`, `rays`, `agree`, `equal-time`, `check`, …
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    let root = root();
    match command {
        Command::Ci => run::ci(&root),
        Command::Test { arguments } => {
            setup::postgres();
            let vulkan = setup::vulkan()?;
            run::test(&root, vulkan, &arguments)
        }
        Command::Python => python::test(&root),
        Command::Attacks { words } => run::farm_bench(&root, "attacks", &words),
        Command::Cost { rows } => run::farm_bench(&root, "cost", &rows),
        Command::Simulate { arguments } => run::simulate(&root, &arguments),
        Command::Bench { what: Bench::Render { arguments } } => bench::render(&root, &arguments),
        Command::Tidy => tidy::tidy(&root),
        Command::Setup => {
            setup::postgres();
            setup::screen();
            setup::vulkan().map(|_found| ())
        }
        Command::Assets => assets::generate(&root.join("assets")),
        Command::Icon => icon::draw(&root),
        Command::Dist(args) => dist::dist(&root, &args),
        Command::Journey(args) => journey::journey(&root, &args),
        Command::Screenshots => screenshots::screenshots(&root),
    }
}

/// The workspace's folder: two above this crate's.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map_or_else(PathBuf::new, Into::into)
}
