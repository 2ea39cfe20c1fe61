//! The command line: what can be asked, with examples before the options.

use std::sync::LazyLock;

use clap::{Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::Config;
use crate::{commands, demo};

/// Examples stand before the options: most people read no further.
const TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The commit that this was built from, where whoever built it says so.
const COMMIT: Option<&str> = option_env!("TESSERA_COMMIT");
/// The hidden command of a node's child.
const WORKER: &str = "worker";

/// Renders 3D scenes on a farm of strangers' machines, checks their work and pays for it
#[derive(Debug, Parser)]
#[command(
    name = "tessera",
    version,
    disable_help_subcommand = true,
    before_help = "\
Examples:
  tessera demo                                        a whole farm on this machine, in a minute
  tessera render scene.glb -o frame.exr -o frame.png  render here, pay nothing
  tessera jobs submit scene.glb --farm @ticket --follow -o frame.exr

",
    after_help = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 auth, 5 not enough tokens,
6 network or scheduler away, 7 partial, 8 not ended in time, 130 interrupted"
)]
pub struct Cli {
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on standard error but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Never ask: what needs an answer is an error, as where standard input is no terminal
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Use no colours; as with NO_COLOR in the environment
    #[arg(long, global = true)]
    pub no_color: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Commands,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Commands {
    /// Run a whole farm on this machine: three nodes, one of them a cheat, and a picture
    Demo(demo::DemoArgs),
    /// Render a scene on this machine
    Render(commands::render::RenderArgs),
    /// Make a video of frames, through ffmpeg
    Video(commands::video::VideoArgs),
    /// Compare two EXR pictures
    Compare(commands::compare::CompareArgs),
    /// Send jobs to a farm, watch them, fetch their pictures
    #[command(subcommand)]
    Jobs(commands::jobs::JobsCommand),
    /// Ask a farm for the firm price of a job
    Quote(commands::quote::QuoteArgs),
    /// Send scenes to a farm ahead of their jobs, list those of your jobs, have some dropped
    #[command(subcommand)]
    Scenes(commands::scenes::ScenesCommand),
    /// Show your tokens
    #[command(subcommand)]
    Wallet(commands::wallet::WalletCommand),
    /// Show a farm: its nodes, its line, its price
    Farm(commands::farm::FarmCommandArgs),
    /// List and show a farm's nodes, keep some off your jobs
    #[command(subcommand)]
    Nodes(commands::nodes::NodesCommand),
    /// Render for a farm and earn tokens
    Node(commands::node::NodeArgs),
    /// Render what a node asks over standard input, locked in
    #[command(hide = true, before_help = "Started by `tessera node`; nothing to type.\n\n")]
    Worker,
    /// Run a farm's scheduler
    Scheduler(commands::scheduler::SchedulerArgs),
    /// Read Open Job Description templates as jobs, and write jobs as templates
    #[command(subcommand)]
    Openjd(commands::openjd::OpenjdCommand),
    /// Open a studio's door: HTTP for scripts, tokens, teams, budgets
    #[command(subcommand)]
    Studio(commands::studio::StudioCommand),
    /// Check and read a ledger on this disk
    #[command(subcommand)]
    Ledger(commands::ledger::LedgerCommand),
    /// Show why films were refused, and appeal
    #[command(subcommand)]
    Verdicts(commands::verdicts::VerdictsCommand),
    /// Check a receipt or evidence without believing the farm
    Verify(commands::verify::VerifyArgs),
    /// Check what this machine can render with, and whether a node is well here
    Doctor(commands::doctor::DoctorArgs),
    /// Show settings of files and environment, and where each comes from
    Config(commands::config::ConfigArgs),
    /// Print completions for a shell
    Completions(commands::completions::CompletionsArgs),
    /// Write manual pages into a folder
    Man(commands::man::ManArgs),
}

/// Reads the command line, with what configuration files say where it says nothing; ends the
/// process on `--help`, `--version` and usage errors.
///
/// # Errors
/// Usage: a configuration file that cannot be.
pub fn parse() -> anyhow::Result<Cli> {
    // A worker is nobody's program: it takes its orders from its node alone.
    let is_worker = std::env::args_os().nth(1).is_some_and(|word| word == WORKER);
    let command = match is_worker {
        true => command(),
        false => Config::load()?.set_defaults(command()),
    };
    let matches = command.get_matches();
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// The whole command line.
pub fn command() -> Command {
    with_template(Cli::command()).version(version())
}

/// Versions that decide whom this program can talk to and which bits it renders.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let (engine, protocol) = (renderer::ENGINE, protocol::PROTOCOL_VERSION);
        let commit = COMMIT.map_or_else(String::new, |commit| format!(", commit {commit}"));
        format!("{} ({engine}, protocol {protocol}{commit})", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

fn with_template(command: Command) -> Command {
    command.help_template(TEMPLATE).mut_subcommands(with_template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_and_says_what_it_does() {
        fn check(command: &Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} says what it does");
            let leaf = command.get_subcommands().next().is_none();
            assert!(!leaf || command.get_before_help().is_some(), "{name} shows examples");
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }

    #[test]
    fn every_command_has_its_line_in_the_document() {
        fn leaves(command: &Command, name: &str, all: &mut Vec<String>) {
            if command.get_subcommands().next().is_none() && !command.is_hide_set() {
                all.push(name.to_owned());
            }
            for inner in command.get_subcommands() {
                leaves(inner, &format!("{name} {}", inner.get_name()), all);
            }
        }
        let document = include_str!("../../../docs/cli.md");
        let mut all = Vec::new();
        leaves(&command(), "tessera", &mut all);
        let has = |name: &String| document.contains(&format!("| `{name}` |"));
        let missing: Vec<&String> = all.iter().filter(|name| !has(name)).collect();
        assert!(missing.is_empty(), "docs/cli.md lacks {missing:?}");
    }
}
