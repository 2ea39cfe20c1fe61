//! The demo's farm: a scheduler and three nodes over loopback, in a folder of its own.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum as _;
use protocol::view::LedgerCheck;
use tempfile::TempDir;
use transport::Ticket;

use crate::backend::BackendName;

use super::member::Member;

/// Nodes of the farm.
pub const NODES: usize = 3;
/// The node that returns tiles at a quarter of the samples.
pub const CHEAT: &str = "mallory";
/// Names of nodes that are all honest.
const HONEST: [&str; NODES] = ["ada", "alan", "grace"];
/// Names of nodes one of which is not.
const MIXED: [&str; NODES] = ["ada", "grace", CHEAT];
/// The scheduler's name and folder.
const SCHEDULER: &str = "scheduler";
/// How long the scheduler may take to open the farm.
const READY_MAX: Duration = Duration::from_secs(60);

/// How the farm is set up.
pub struct Options {
    /// CPU threads of each node.
    pub threads: Option<NonZeroUsize>,
    /// Whether the last node cheats.
    pub cheat: bool,
    /// What the nodes render with.
    pub backend: BackendName,
    /// Whether software adapters may be taken.
    pub software_gpu: bool,
    /// Whether the folder stays.
    pub keep: bool,
}

/// The running farm. Dropping it stops every process and removes the folder.
pub struct LocalFarm {
    // Before the folder: processes stop before their files go.
    nodes: Vec<Member>,
    scheduler: Member,
    ticket: Option<Ticket>,
    keep: bool,
    folder: TempDir,
}

impl LocalFarm {
    /// Starts the scheduler, and the nodes as soon as there is a ticket.
    ///
    /// # Errors
    /// A process does not start, or the scheduler does not open the farm in time.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tessera-demo-")
            .tempdir()
            .context("no folder for the farm can be made")?;
        let scheduler = start_scheduler(folder.path())?;
        let mut farm =
            Self { nodes: Vec::new(), scheduler, ticket: None, keep: options.keep, folder };
        let ticket = farm.wait_for_ticket()?;
        for name in if options.cheat { MIXED } else { HONEST } {
            let arguments = node_arguments(name, &ticket, farm.folder(), options);
            let node = Member::start(name, &arguments, farm.folder.path())?;
            farm.nodes.push(node);
        }
        Ok(farm)
    }

    /// The farm's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The scheduler's ticket, its first line.
    ///
    /// # Errors
    /// The scheduler ends or says nothing in time.
    pub fn wait_for_ticket(&mut self) -> anyhow::Result<Ticket> {
        if let Some(ticket) = &self.ticket {
            return Ok(ticket.clone());
        }
        let line = self.scheduler.line_until(Instant::now() + READY_MAX)?;
        let ticket: Ticket = line.trim().parse().context("the scheduler's first line")?;
        self.ticket = Some(ticket.clone());
        Ok(ticket)
    }

    /// Whether every process still runs.
    ///
    /// # Errors
    /// One has ended; its last words are in the error.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.scheduler.check()?;
        self.nodes.iter_mut().try_for_each(Member::check)
    }

    /// What the nodes have said since the last look.
    pub fn node_lines(&self) -> Vec<String> {
        self.nodes.iter().flat_map(Member::lines).collect()
    }

    /// Stops all processes, nodes first. Returns the CPU-seconds they used, as they say.
    pub fn stop(&mut self) -> f64 {
        // All at once, then one after the other.
        self.nodes.iter_mut().for_each(Member::ask_to_stop);
        let mut lines: Vec<String> = self.nodes.iter_mut().flat_map(Member::stop).collect();
        lines.extend(self.scheduler.stop());
        lines.iter().filter_map(|line| cpu_seconds(line)).sum()
    }

    /// The ledger of the stopped farm, verified from its files alone.
    pub fn check_ledger(&self) -> Option<LedgerCheck> {
        let dir = self.folder().join(SCHEDULER).join("ledger");
        let key = self.ticket.as_ref()?.key();
        Some(ledger::offline::check(&dir, key, &[]))
    }

    /// Keeps the folder when that was asked for, and says where it is.
    pub fn keep(mut self) -> Option<PathBuf> {
        self.stop();
        self.keep.then(|| {
            self.folder.disable_cleanup(true);
            self.folder.path().to_owned()
        })
    }
}

/// CPU-seconds that a member reports when it stops.
fn cpu_seconds(line: &str) -> Option<f64> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    event.get("cpu_seconds")?.as_f64()
}

fn start_scheduler(folder: &Path) -> anyhow::Result<Member> {
    let data = folder.join(SCHEDULER);
    let config = folder.join("farm.toml");
    std::fs::write(&config, CONFIG)
        .with_context(|| format!("the settings cannot be written: {}", config.display()))?;
    let arguments = [
        "scheduler".to_owned(),
        format!("--data={}", data.display()),
        "--bind=127.0.0.1:0".to_owned(),
        format!("--config={}", config.display()),
        "--json".to_owned(),
    ];
    Member::start(SCHEDULER, &arguments, folder)
}

/// Pay is held back only for a moment, so that the table can show it paid.
const CONFIG: &str = "\
[policy]
hold_ms = 500
";

fn node_arguments(name: &str, ticket: &Ticket, folder: &Path, options: &Options) -> Vec<String> {
    let threads = options.threads.unwrap_or_else(threads_each);
    let backend = options.backend.to_possible_value();
    let mut arguments = vec![
        "node".to_owned(),
        format!("--farm={ticket}"),
        format!("--data={}", folder.join(name).display()),
        format!("--name={name}"),
        format!("--threads={threads}"),
        format!("--backend={}", backend.as_ref().map_or("auto", |value| value.get_name())),
        "--json".to_owned(),
    ];
    if options.software_gpu {
        arguments.push("--software-gpu".to_owned());
    }
    if name == CHEAT {
        arguments.push("--cheat=quarter".to_owned());
    }
    arguments
}

/// A third of the cores for each of the three nodes.
fn threads_each() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores / NODES).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_of_a_member_counts_cpu_time() {
        assert_eq!(cpu_seconds(r#"{"v":1,"event":"stopped","cpu_seconds":1.5}"#), Some(1.5));
        assert_eq!(cpu_seconds(r#"{"v":1,"event":"rendered"}"#), None);
        assert_eq!(cpu_seconds("farmabc"), None);
    }
}
