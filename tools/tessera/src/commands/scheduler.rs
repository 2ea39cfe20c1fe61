//! `tessera scheduler`: the farm's centre.

mod drain;
mod log;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueHint};
use scheduler::{Config, ConfigError, Database, News, Ready};

use crate::door;
use crate::exit::{Exit, WithExit as _};
use crate::interrupt::Interrupt;
use crate::json;
use crate::text;

/// Options of `tessera scheduler`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera scheduler --data farm
  tessera scheduler --data farm --bind 0.0.0.0:7700 --config farm.toml
  tessera scheduler --data farm --status 127.0.0.1:7780
  tessera scheduler --data farm --bind 10.0.0.1:7700 --database @db --objects s3://bucket/farm
  tessera scheduler --data farm --config farm.toml --print-config
  tessera scheduler drain --data farm
  tessera scheduler log --data farm

")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SchedulerArgs {
    /// What to do with one that runs, or ran
    #[command(subcommand)]
    command: Option<SchedulerCommand>,
    #[command(flatten)]
    run: RunArgs,
}

/// What to do with a scheduler.
#[derive(Debug, Subcommand)]
enum SchedulerCommand {
    /// Take no new jobs, end those that go on, and stop: before an upgrade
    Drain(drain::DrainArgs),
    /// Show who did what, from the signed journal, or write a trace of all leases
    Log(log::LogArgs),
}

/// Options of a scheduler that is to run.
#[derive(Debug, Args)]
struct RunArgs {
    /// Folder of its journal, ledger, films and keys; made on first use
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, required = true)]
    data: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "TESSERA_BIND")]
    bind: Option<SocketAddr>,
    /// Address of a status page for a browser, and of metrics; whoever can connect sees all jobs
    #[arg(long, value_name = "ADDRESS", env = "TESSERA_STATUS")]
    status: Option<SocketAddr>,
    /// A farm of one's own: only who has its ticket gets in, and nothing costs anything
    #[arg(long)]
    private: bool,
    /// PostgreSQL database that this farm's schedulers share, one of which leads; @FILE reads it from
    /// a file
    #[arg(long, value_name = "URL", env = "TESSERA_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Where films and scenes are kept for all of them: file:///folder or s3://bucket/folder
    #[arg(long, value_name = "URL", env = "TESSERA_OBJECTS")]
    objects: Option<String>,
    /// Settings, TOML
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Read and render scenes in the process that has the farm's keys and its ledger, instead of ones
    /// that are locked in: a scene that breaks the renderer then has them
    #[arg(long)]
    no_sandbox: bool,
    /// Print the settings as they would be used, and stop
    #[arg(long)]
    print_config: bool,
    /// Print a JSON object when it stops
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends: for a parent process
    #[arg(long, hide = true)]
    stop_on_stdin_eof: bool,
}

/// Runs a scheduler, or does something with one.
///
/// # Errors
/// Usage: bad settings. Else the scheduler's.
pub fn run(args: SchedulerArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    match args.command {
        Some(SchedulerCommand::Drain(args)) => drain::run(&args),
        Some(SchedulerCommand::Log(args)) => log::run(&args),
        None => serve(args.run, interrupt),
    }
}

/// Runs until a stop; prints the ticket first.
fn serve(args: RunArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let config = config(&args)?;
    if args.print_config {
        text::print(toml::to_string_pretty(&config)?)?;
        return Ok(Exit::Done);
    }
    if args.stop_on_stdin_eof {
        interrupt.stop_on_stdin_eof();
    }
    let ticket_file = config.data_dir.join("ticket");
    let is_private = config.private;
    let tell = move |news| match news {
        News::Open(ready) => {
            tell_ticket(&ready, &ticket_file, is_private);
            tell_open(&ready, &ticket_file, is_private);
        }
        News::Moved(ready) => {
            tell_ticket(&ready, &ticket_file, is_private);
            note!("  the ticket has changed: it leads to another scheduler of the farm, too");
        }
        News::StandingBy(leader) => note!("  standing by: {leader} leads the farm"),
        News::Draining(left) => tell_draining(left),
    };
    door::block_on_half(async { scheduler::run(config, tell, interrupt.wait()).await })?;
    if args.json {
        text::print(json::stopped(started.elapsed()))?;
    }
    Ok(Exit::Done)
}

/// Writes and prints the ticket.
fn tell_ticket(ready: &Ready, ticket_file: &Path, is_private: bool) {
    let ticket = ready.ticket.to_string();
    if let Err(error) = write_whole(ticket_file, &ticket, is_private) {
        note!("warning: the ticket file was not written ({error}): {}", ticket_file.display());
    }
    // Whoever started us may not read: the farm runs all the same.
    if let Err(error) = text::print(&ticket) {
        note!("warning: the ticket was not printed: {error}");
    }
}

fn tell_draining(left: Option<usize>) {
    match left {
        None => note!("  it takes new jobs again"),
        Some(0) => note!(
            "  it has drained: no job is left that goes on; it stops in a quarter of a minute, later while somebody fetches"
        ),
        Some(jobs) => {
            let jobs = text::plural(jobs as u64, "job goes on", "jobs go on");
            note!("  it takes no new jobs; {jobs}, and then it stops");
        }
    }
}

fn tell_open(ready: &Ready, ticket_file: &Path, is_private: bool) {
    if let Some(address) = ready.status {
        note!("  its status: http://{address}/");
    }
    note!(
        "  the farm is open; nodes join with: tessera node --data node --farm @{}",
        ticket_file.display()
    );
    if is_private {
        note!("  it is private: whoever has the ticket gets in, and nobody else");
    }
}

/// A reader finds the old ticket or the new one, never half of one; a secret one is for its owner only.
fn write_whole(path: &Path, ticket: &str, is_secret: bool) -> std::io::Result<()> {
    use std::io::Write as _;
    let draft = path.with_extension("new");
    // What a crash has left may be readable for all.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _removed_or_none => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _the_folder_protects_it = is_secret;
    writeln!(options.open(&draft)?, "{ticket}")?;
    std::fs::rename(draft, path)
}

fn config(args: &RunArgs) -> anyhow::Result<Config> {
    let mut config = match &args.config {
        Some(path) => match Config::read(path) {
            Err(error @ ConfigError::Read { .. }) => Err(error).exit(Exit::NotFound)?,
            other => other.exit(Exit::Usage)?,
        },
        None => Config::default(),
    };
    config.data_dir = args.data.clone().expect("invariant: it is required without a subcommand");
    if !args.no_sandbox {
        config.worker = Some(sandbox::own_program().context("our own program is not found")?);
    }
    if let Some(bind) = args.bind {
        config.bind = bind;
    }
    config.status = args.status.or(config.status);
    if let Some(database) = &args.database {
        config.database = Some(Database::new(door::word("the database's", database)?));
    }
    config.objects = args.objects.clone().or(config.objects);
    if args.private {
        (config.private, config.free) = (true, true);
    }
    config.validate().exit(Exit::Usage)?;
    Ok(config)
}
