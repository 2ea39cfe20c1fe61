//! `tessera doctor`: what this machine can render with, and whether a node is well here.

mod checks;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gpu::{AdapterKind, AdapterSummary};
use renderer::Backend as _;
use sandbox::{BackendChoice, Setup};
use transport::identity;

use self::checks::{Check, State};
use crate::backend::BackendArgs;
use crate::cli;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::text;

/// Options of `tessera doctor`.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  tessera doctor
  tessera doctor --farm @ticket --backend gpu
  tessera doctor --json

",
    after_help = "\
Exit codes: 0 a node is well here, 1 a check is bad, 2 usage"
)]
pub struct DoctorArgs {
    /// Also ask whether this farm answers: its ticket, or @FILE that holds it
    #[arg(long, value_name = "TICKET|@FILE")]
    farm: Option<String>,
    /// The folder of the node, whose disk is looked at
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    #[command(flatten)]
    backend: BackendArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Shows versions, the CPU's vector units, graphics adapters and the key file; then checks what a
/// node needs, line by line: what was looked at, what was found, what to do.
///
/// # Errors
/// Usage: a bad ticket. Standard output is gone.
pub fn run(args: &DoctorArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let mut checks = checks::machine(&setup(args)?, &args.data);
    if let Some(ticket) = &args.farm {
        checks.push(checks::farm(ticket, interrupt)?);
    }
    let is_bad = checks.iter().any(|check| check.state == State::Bad);
    let exit = if is_bad { Exit::Failed } else { Exit::Done };
    let cpu = renderer::CpuBackend::new(None).description();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let adapters = gpu::adapters();
    let renders_on_gpu = args.backend.choice()? != BackendChoice::Cpu;
    let taken = gpu::chosen(&args.backend.options()).ok().filter(|_number| renders_on_gpu);
    let key = identity::default_path(|name| std::env::var_os(name));
    if args.json {
        text::print(serde_json::json!({
            "v": json::VERSION,
            "version": cli::version(),
            "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "cores": cores,
            "cpu": cpu,
            "adapters": adapters.iter().enumerate().map(|it| adapter(it, taken)).collect::<Vec<_>>(),
            "key": key.as_ref().map(|path| path.display().to_string()),
            "key_made": key.as_ref().is_some_and(|path| path.exists()),
            "checks": checks.iter().map(Check::json).collect::<Vec<_>>(),
        }))?;
        return Ok(exit);
    }
    let line = |name: &str, value: &str| text::print(format_args!("{name:<10}{value}"));
    line("tessera", cli::version())?;
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    line(
        "system",
        &format!("{system} {machine}, {}", text::plural(cores as u64, "core", "cores")),
    )?;
    line("cpu", &cpu)?;
    if adapters.is_empty() {
        line("gpu", "none; the CPU renders")?;
    }
    for (index, adapter) in adapters.iter().enumerate() {
        let takes = if taken == Some(index) { "; a node takes it" } else { "" };
        line("gpu", &format!("{index}: {}{takes}", describe(adapter)))?;
    }
    match key {
        Some(path) if path.exists() => line("key", &path.display().to_string())?,
        Some(path) => line("key", &format!("{} (made on first use)", path.display()))?,
        None => line("key", "no place for it; set HOME or TESSERA_HOME")?,
    }
    text::print("")?;
    for Check { name, state, found, advice } in &checks {
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        text::print(format_args!("{:<6}{name:<20}{found}{advice}", state.word()))?;
    }
    Ok(exit)
}

/// A worker as a node with these options would start it.
fn setup(args: &DoctorArgs) -> anyhow::Result<Setup> {
    let (backend, gpu) = (args.backend.choice()?, args.backend.gpu.clone());
    let (software_gpu, threads) = (args.backend.software_gpu, args.backend.threads);
    let threads = threads.or_else(|| std::thread::available_parallelism().ok());
    let (memory_bytes, limit_bytes) = sandbox::default_memory_bytes();
    Ok(Setup { backend, software_gpu, gpu, threads, memory_bytes, limit_bytes, plain: false })
}

fn describe(adapter: &AdapterSummary) -> String {
    let films = if adapter.exact { "exact films" } else { "tolerant films" };
    let use_it = match adapter.kind {
        AdapterKind::Software => "; used only with --software-gpu",
        _ => "",
    };
    let AdapterSummary { name, api, driver, kind, .. } = adapter;
    format!("{name} ({}, {api}, {driver}, {films}){use_it}", kind_word(*kind))
}

fn adapter((index, adapter): (usize, &AdapterSummary), taken: Option<usize>) -> serde_json::Value {
    serde_json::json!({
        "index": index,
        "taken": taken == Some(index),
        "name": adapter.name,
        "api": adapter.api,
        "driver": adapter.driver,
        "kind": kind_word(adapter.kind),
        "exact": adapter.exact,
        "binding_bytes_max": adapter.binding_bytes_max,
    })
}

fn kind_word(kind: AdapterKind) -> &'static str {
    match kind {
        AdapterKind::Discrete => "discrete",
        AdapterKind::Integrated => "integrated",
        AdapterKind::Virtual => "virtual",
        AdapterKind::Unknown => "unknown kind",
        AdapterKind::Software => "software",
    }
}
