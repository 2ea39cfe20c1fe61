//! `tessera doctor`: what this machine can render with.

use clap::Args;
use gpu::{AdapterKind, AdapterSummary};
use renderer::Backend as _;
use transport::identity;

use crate::cli;
use crate::exit::Exit;
use crate::json;
use crate::text;

/// Options of `tessera doctor`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera doctor
  tessera doctor --json

")]
pub struct DoctorArgs {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Shows versions, the CPU's vector units, graphics adapters and the key file.
///
/// # Errors
/// Standard output is gone.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let cpu = renderer::CpuBackend::new(None).description();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let adapters = gpu::adapters();
    let key = identity::default_path(|name| std::env::var_os(name));
    if args.json {
        text::print(serde_json::json!({
            "v": json::VERSION,
            "version": cli::version(),
            "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "cores": cores,
            "cpu": cpu,
            "adapters": adapters.iter().map(adapter).collect::<Vec<_>>(),
            "key": key.as_ref().map(|path| path.display().to_string()),
            "key_made": key.as_ref().is_some_and(|path| path.exists()),
        }))?;
        return Ok(Exit::Done);
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
    for adapter in &adapters {
        line("gpu", &describe(adapter))?;
    }
    match key {
        Some(path) if path.exists() => line("key", &path.display().to_string())?,
        Some(path) => line("key", &format!("{} (made on first use)", path.display()))?,
        None => line("key", "no place for it; set HOME or TESSERA_HOME")?,
    }
    Ok(Exit::Done)
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

fn adapter(adapter: &AdapterSummary) -> serde_json::Value {
    serde_json::json!({
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
