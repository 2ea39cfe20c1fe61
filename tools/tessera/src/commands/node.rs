//! `tessera node`: renders for a farm and earns tokens.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use farm_node::{BackendChoice, Cheat, Config, NodeEvent};
use protocol::{Tokens, Unit, VerdictKind};
use serde_json::{Value, json};

use crate::backend::{BackendArgs, BackendName};
use crate::client;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::text;
use crate::values;

/// Options of `tessera node`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera node --farm @ticket --data node
  tessera node --farm @ticket --data node --name attic --threads 8
  tessera node --farm @ticket --data node --owner owner.key --backend gpu
  tessera node --farm @ticket --data node --ask 8.5

")]
pub struct NodeArgs {
    /// The scheduler's ticket, or @FILE that holds it
    #[arg(long, value_name = "TICKET|@FILE", env = "TESSERA_FARM")]
    farm: String,
    /// Folder of the node's key and scenes; made on first use
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// A name for people
    #[arg(long, value_name = "NAME", default_value = "node")]
    name: String,
    #[command(flatten)]
    backend: BackendArgs,
    /// Key file of the owner whose wallet is paid; without it the node owns itself
    #[arg(long, value_name = "KEYFILE", value_hint = ValueHint::FilePath)]
    owner: Option<PathBuf>,
    /// Least that the node works for, tokens per billion rays; without it, whatever the farm pays
    #[arg(long, value_name = "TOKENS", default_value = "0", value_parser = values::ask)]
    ask: Tokens,
    /// Render no pixels of others' films for the farm to compare, and earn nothing by it
    #[arg(long)]
    no_verify: bool,
    /// Read and render scenes in the process that has the keys and the network, instead of one that
    /// is locked in: a scene that breaks the renderer then has this account's files
    #[arg(long)]
    no_sandbox: bool,
    /// Most memory that reading and rendering may take, gigabytes; three quarters of the machine's
    /// without it
    #[arg(long, value_name = "GB", conflicts_with = "no_sandbox")]
    memory: Option<NonZeroU32>,
    /// Disk space for scenes, gigabytes
    #[arg(long, value_name = "GB", default_value_t = 20)]
    cache: u32,
    /// Defraud the farm: for demonstrations and tests of its defences
    #[arg(long, value_name = "WAY", value_parser = cheat_names())]
    cheat: Option<String>,
    /// Print what happens as JSON objects
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends: for a parent process
    #[arg(long, hide = true)]
    stop_on_stdin_eof: bool,
}

/// Is the process that renders for a node.
pub fn work() -> Exit {
    if farm_node::worker::run() == ExitCode::SUCCESS { Exit::Done } else { Exit::Failed }
}

/// Ways to cheat, as typed.
fn cheat_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Cheat::NAMED.map(|(name, _)| name))
}

/// Renders until a stop.
///
/// # Errors
/// Usage: a bad ticket. Auth: an unusable key. Else the node's.
pub fn run(args: NodeArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let config = config(&args)?;
    if args.stop_on_stdin_eof {
        interrupt.stop_on_stdin_eof();
    }
    let started = Instant::now();
    let events = move |event: NodeEvent| show(&event, args.json, started);
    client::block_on(async { Ok(farm_node::run(config, events, interrupt.wait()).await?) })?;
    Ok(Exit::Done)
}

fn config(args: &NodeArgs) -> anyhow::Result<Config> {
    let mut config = Config::new(&args.data, client::ticket(&args.farm)?);
    config.name.clone_from(&args.name);
    config.backend = match args.backend.backend {
        BackendName::Auto => BackendChoice::Auto,
        BackendName::Cpu => BackendChoice::Cpu,
        BackendName::Gpu => BackendChoice::Gpu,
    };
    config.software_gpu = args.backend.software_gpu;
    config.threads = args.backend.threads;
    config.owner_key.clone_from(&args.owner);
    config.ask = args.ask;
    config.verify = !args.no_verify;
    if !args.no_sandbox {
        config.worker = Some(std::env::current_exe().context("our own program is not found")?);
    }
    if let Some(gigabytes) = args.memory {
        let bytes = u64::from(gigabytes.get()) << 30;
        config.worker_bytes = Some(bytes);
        // Room for a scene that is being unpacked and prepared, beside those that are.
        config.memory_bytes = Some(bytes / 3 * 2);
    }
    config.cache_bytes = u64::from(args.cache) << 30;
    config.cheat = args.cheat.as_deref().and_then(Cheat::named);
    Ok(config)
}

/// Whoever listens may go away: the node works on.
fn show(event: &NodeEvent, json: bool, started: Instant) {
    if json {
        let object = match event {
            NodeEvent::Stopped => json::stopped(started.elapsed()),
            event => object(event),
        };
        if let Err(error) = text::print(object) {
            tracing::debug!("nobody reads the events: {error}");
        }
        return;
    }
    match event {
        NodeEvent::Witnessed { .. } => tracing::info!("{event}"),
        // Whole walls are nothing to speak of.
        NodeEvent::Confined { confinement: Some(walls) } if walls.gaps().next().is_none() => {
            tracing::info!("{event}");
        }
        // Each is followed by a line that says more.
        NodeEvent::Rendering { .. } | NodeEvent::Submitted { .. } => {
            tracing::info!("{event}");
        }
        NodeEvent::Fetching { received_bytes, size_bytes, .. } if received_bytes < size_bytes => {
            tracing::info!("{event}");
        }
        event => eprintln!("  {event}"),
    }
}

fn object(event: &NodeEvent) -> Value {
    let mut object = match event {
        NodeEvent::Started { node, backend } => {
            json!({ "event": "started", "node": node.to_string(), "backend": backend })
        }
        NodeEvent::Confined { confinement } => {
            json!({ "event": "confined", "walls": confinement.as_ref().map(json::walls) })
        }
        NodeEvent::Benchmarked { rays_per_second } => {
            json!({ "event": "benchmarked", "rays_per_second": rays_per_second })
        }
        NodeEvent::Connected { scheduler } => {
            json!({ "event": "connected", "scheduler": scheduler.to_string() })
        }
        NodeEvent::Witnessed { entries, others } => {
            json!({ "event": "witnessed", "entries": entries, "others": others })
        }
        NodeEvent::Qualified { class } => {
            json!({ "event": "qualified", "class": json::class(*class) })
        }
        NodeEvent::Fetching { scene, received_bytes, size_bytes } => json!({
            "event": "fetching",
            "scene": scene.to_string(),
            "received_bytes": received_bytes,
            "size_bytes": size_bytes,
        }),
        NodeEvent::Rendering { lease, unit } => {
            json!({ "event": "rendering", "lease": lease.to_string(), "unit": of_unit(unit) })
        }
        NodeEvent::Rendered { lease, unit, rays, took } => json!({
            "event": "rendered",
            "lease": lease.to_string(),
            "unit": of_unit(unit),
            "rays": { "closest": rays.closest, "shadow": rays.shadow },
            "seconds": took.as_secs_f64(),
        }),
        NodeEvent::Submitted { lease, unit } => {
            json!({ "event": "submitted", "lease": lease.to_string(), "unit": of_unit(unit) })
        }
        NodeEvent::Dropped { lease, reason } => {
            json!({ "event": "dropped", "lease": lease.to_string(), "reason": reason })
        }
        NodeEvent::Verdict { verdict, .. } => of_verdict(&verdict.kind, &verdict.unit),
        NodeEvent::Verified { films, pixels, took } => json!({
            "event": "verified",
            "films": films,
            "pixels": pixels,
            "seconds": took.as_secs_f64(),
        }),
        NodeEvent::Standing(view) => json!({ "event": "standing", "standing": json::node(view) }),
        NodeEvent::Paused { reason } => json!({ "event": "paused", "reason": reason }),
        NodeEvent::Error { message, retry_in } => json!({
            "event": "error",
            "message": message,
            "retry_seconds": retry_in.map(|wait| wait.as_secs_f64()),
        }),
        other => json!({ "event": "other", "words": other.to_string() }),
    };
    object["v"] = json::VERSION.into();
    object
}

fn of_verdict(kind: &VerdictKind, unit: &Unit) -> Value {
    let unit = of_unit(unit);
    match kind {
        VerdictKind::Accepted { pixels_checked, pay, .. } => json!({
            "event": "accepted",
            "unit": unit,
            "pixels_checked": pixels_checked,
            "pay": pay.to_string(),
        }),
        VerdictKind::Refused(refusal) => {
            json!({ "event": "refused", "unit": unit, "reason": refusal.to_string() })
        }
        VerdictKind::WrongFinding { agreed } => {
            json!({ "event": "wrong-finding", "unit": unit, "agreed": agreed })
        }
        VerdictKind::Disputed { .. } => json!({ "event": "disputed", "unit": unit }),
        VerdictKind::Overturned { returned, stake, pay } => json!({
            "event": "overturned",
            "unit": unit,
            "returned": returned.to_string(),
            "stake": stake.to_string(),
            "pay": pay.to_string(),
        }),
    }
}

fn of_unit(unit: &Unit) -> Value {
    json!({
        "job": unit.job.to_string(),
        "shot": unit.shot.0,
        "tile": unit.tile.0,
        "batch": unit.batch.to_string(),
    })
}
