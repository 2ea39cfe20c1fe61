//! `tessera`: the command line of all roles: artist, gamer, studio, operator.

#[macro_use]
mod manners;

mod backend;
mod cli;
mod commands;
mod config;
mod deadline;
mod demo;
mod described;
mod door;
mod download;
#[cfg(test)]
mod examples;
mod exit;
mod explain;
mod follow;
mod interrupt;
mod job_file;
mod json;
mod layers;
mod local;
mod needs;
mod options;
mod output;
mod papers;
mod progress;
#[cfg(test)]
mod snapshot;
mod text;
mod toml_text;
mod upload;
mod values;
mod video;
mod wishes;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Commands};
use crate::exit::Exit;
use crate::interrupt::Interrupt;

fn main() -> ExitCode {
    prepare_environment();
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(error) => {
            eprintln!("error: {error:#}");
            return exit::classify(&error).into();
        }
    };
    manners::set(cli.quiet, !cli.no_input);
    let exit = start_log(&cli).and_then(|()| run(cli)).unwrap_or_else(|error| {
        let exit = exit::classify(&error);
        if exit != Exit::Done {
            eprintln!("error: {error:#}");
        }
        exit
    });
    exit.into()
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    if matches!(cli.command, Commands::Worker) {
        // Before the first thread: it locks itself in.
        return Ok(commands::node::work());
    }
    let interrupt = Interrupt::install()?;
    match cli.command {
        Commands::Demo(args) => demo::run(&args, &interrupt),
        Commands::Render(args) => commands::render::run(&args, &interrupt),
        Commands::Video(args) => commands::video::run(&args, &interrupt),
        Commands::Compare(args) => commands::compare::run(&args),
        Commands::Jobs(command) => commands::jobs::run(&command, &interrupt),
        Commands::Quote(args) => commands::quote::run(&args, &interrupt),
        Commands::Scenes(command) => commands::scenes::run(&command, &interrupt),
        Commands::Wallet(command) => commands::wallet::run(&command, &interrupt),
        Commands::Farm(args) => commands::farm::run(&args, &interrupt),
        Commands::Nodes(command) => commands::nodes::run(&command, &interrupt),
        Commands::Node(args) => commands::node::run(args, &interrupt),
        Commands::Scheduler(args) => commands::scheduler::run(args, &interrupt),
        Commands::Openjd(command) => commands::openjd::run(&command, &interrupt),
        Commands::Studio(command) => commands::studio::run(&command, &interrupt),
        Commands::Ledger(command) => commands::ledger::run(&command, &interrupt),
        Commands::Verdicts(command) => commands::verdicts::run(&command, &interrupt),
        Commands::Verify(args) => commands::verify::run(&args, &interrupt),
        Commands::Doctor(args) => commands::doctor::run(&args, &interrupt),
        Commands::Worker => Ok(Exit::Usage),
        Commands::Config(args) => commands::config::run(&args),
        Commands::Completions(args) => commands::completions::run(&args),
        Commands::Man(args) => commands::man::run(&args),
    }
}

/// What other libraries look for in the environment, set before there is a second thread.
///
/// Keeps Mesa's device selection layer from looking for a desktop where there is none: it would
/// print errors of its own among ours. It only reorders GPUs, which we order ourselves. And
/// `--no-color` is what `NO_COLOR` is, for help, logs and bars alike.
fn prepare_environment() {
    let mut set = Vec::new();
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        set.push("NODEVICE_SELECT");
    }
    if std::env::args_os().any(|word| word == "--no-color") {
        set.push("NO_COLOR");
    }
    for name in set {
        #[expect(unsafe_code, reason = "the first line of main: no other thread reads it yet")]
        // SAFETY: the process has one thread.
        unsafe {
            std::env::set_var(name, "1");
        }
    }
}

/// Logs go to standard error; `TESSERA_LOG` chooses finer than `-v`, and with `TESSERA_LOG_FORMAT=json`
/// each line is an object, for what collects logs.
fn start_log(cli: &Cli) -> anyhow::Result<()> {
    let level = match cli.verbose {
        _ if cli.quiet => "error",
        0 => "warn",
        1 => {
            "warn,tessera=info,studio=info,scheduler=info,farm_node=info,transport=info,ledger=info"
        }
        _ => {
            "info,tessera=debug,studio=debug,scheduler=debug,farm_node=debug,transport=debug,ledger=debug"
        }
    };
    let filter = EnvFilter::try_from_env("TESSERA_LOG").unwrap_or_else(|_unset| level.into());
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false);
    match std::env::var("TESSERA_LOG_FORMAT").as_deref() {
        Err(_) | Ok("" | "text") => lines.init(),
        Ok("json") => lines.json().flatten_event(true).init(),
        Ok(other) => anyhow::bail!("TESSERA_LOG_FORMAT is {other:?}; say text or json"),
    }
    Ok(())
}
