//! `tessera node`: renders for a farm and earns tokens.

mod said;
mod steering;
mod unit;

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use farm_node::manners::{Manners, Span, can_observe};
use farm_node::{Cheat, Config, NodeEvent, Wishes};
use protocol::{Pool, Tokens};

use crate::backend::BackendArgs;
use crate::door;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::needs::GIGABYTE;
use crate::text;
use crate::values;
use unit::UnitKind;

/// Options of `tessera node`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera node --farm @ticket --data node
  tessera node --farm @ticket --data node --name attic --threads 8
  tessera node --farm @ticket --data node --owner owner.key --backend gpu
  tessera node --farm @ticket --data node --ask 8.5
  tessera node --farm @ticket --data node --pool studio --pool night --gpu-memory 12
  tessera node --farm @ticket --data node --away 5 --when 'mon-fri 22:00-07:00' --when 'sat,sun 00:00-24:00'
  tessera node --farm @ticket --data node --print-unit

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
    /// A pool that the node says it is in, for jobs that ask for one; may be given again
    #[arg(long, value_name = "NAME")]
    pool: Vec<Pool>,
    /// Render no pixels of others' films for the farm to compare, and earn nothing by it
    #[arg(long)]
    no_verify: bool,
    /// Read and render scenes in the process that has the keys and the network, instead of one that
    /// is locked in: a scene that breaks the renderer then has this account's files
    #[arg(long)]
    no_sandbox: bool,
    /// Most memory that reading and rendering may take, gigabytes; three quarters of the machine's
    /// without it
    #[arg(long, value_name = "GB", value_parser = values::gigabytes, conflicts_with = "no_sandbox")]
    memory: Option<NonZeroU32>,
    /// Memory of the graphics device that renders, gigabytes, for jobs that ask for so much; without it,
    /// what its driver tells, if it does
    #[arg(long, value_name = "GB", value_parser = values::gigabytes)]
    gpu_memory: Option<NonZeroU32>,
    /// Disk space for scenes, gigabytes
    #[arg(long, value_name = "GB", default_value_t = 20, value_parser = values::gigabytes_or_none)]
    cache: u32,
    /// Give scenes to other nodes of the farm, at most so many megabytes a second; nothing without
    /// it. They learn this machine's address by it
    #[arg(long, value_name = "MB", value_parser = values::whole(1_u32..=100_000))]
    give: Option<u32>,
    /// Fetch scenes at most so many megabytes a second; as fast as they come without it
    #[arg(long, value_name = "MB", value_parser = values::whole(1_u32..=100_000))]
    down: Option<u32>,
    /// Hand in films and give scenes at most so many megabytes a second together; as fast as they
    /// go without it
    #[arg(long, value_name = "MB", value_parser = values::whole(1_u32..=100_000))]
    up: Option<u32>,
    #[command(flatten)]
    manners: MannersArgs,
    /// Print a systemd user unit that runs this command line, and do nothing else; with `each-gpu`, a
    /// template of which an instance for each GPU is started, with a folder of its own
    #[arg(long, value_name = "WHICH", value_enum, num_args = 0..=1, default_missing_value = "one")]
    print_unit: Option<UnitKind>,
    /// Defraud the farm: for demonstrations and tests of its defences
    #[arg(long, value_name = "WAY", value_parser = cheat_names())]
    cheat: Option<String>,
    /// Print what happens as JSON objects
    #[arg(long)]
    json: bool,
    /// Heed the owner's wishes from standard input: a JSON object a line, each the whole of them, the
    /// latest wins. For a parent process; `docs/node.md` lists what may be wished
    #[arg(long)]
    wishes_on_stdin: bool,
    /// Stop when standard input ends: for a parent process
    #[arg(long)]
    stop_on_stdin_eof: bool,
}

/// When the node leaves the machine to the person before it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Manners")]
struct MannersArgs {
    /// Render only when nobody has used keyboard or mouse for so long, minutes
    #[arg(long, value_name = "MINUTES", value_parser = values::whole(1_u32..=1440))]
    away: Option<u32>,
    /// Render only in this span of the week, local time; may be given again
    #[arg(long, value_name = "[DAYS] HH:MM-HH:MM")]
    when: Vec<Span>,
    /// Pause while a program of this name runs; may be given again
    #[arg(long, value_name = "PROGRAM")]
    pause_for: Vec<String>,
    /// Render while a program fills the screen, too
    #[arg(long)]
    through_full_screen: bool,
    /// Render on battery, too
    #[arg(long)]
    on_battery: bool,
    /// Pause above this temperature of the hottest sensor, °C
    #[arg(long, value_name = "CELSIUS", value_parser = values::whole(30_u8..=110))]
    temperature_max: Option<u8>,
    /// Pause with less free disk space, gigabytes
    #[arg(long, value_name = "GB", default_value_t = 1, value_parser = values::gigabytes_or_none)]
    disk_min: u32,
}

impl MannersArgs {
    fn manners(&self) -> Manners {
        Manners {
            away_minutes: self.away,
            schedule: self.when.clone(),
            exclusive: self.pause_for.clone(),
            through_full_screen: self.through_full_screen,
            on_battery: self.on_battery,
            temperature_c_max: self.temperature_max.map(f32::from),
            disk_free_bytes_min: u64::from(self.disk_min) * 1_000_000_000,
        }
    }
}

/// Is the process that renders for a node.
pub fn work() -> Exit {
    if farm_node::worker() == ExitCode::SUCCESS { Exit::Done } else { Exit::Failed }
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
    if let Some(kind) = args.print_unit {
        return print_unit(kind, &args);
    }
    let config = config(&args)?;
    warn_of_blindness(&config);
    let wishes = match (args.wishes_on_stdin, args.stop_on_stdin_eof) {
        (true, stops) => steering::wishes_on_stdin(interrupt.clone(), stops, args.json),
        (false, true) => {
            interrupt.stop_on_stdin_eof();
            Wishes::default().for_good()
        }
        (false, false) => Wishes::default().for_good(),
    };
    let started = Instant::now();
    let events = move |event: NodeEvent| show(&event, args.json, started);
    door::block_on(async { Ok(farm_node::run(config, wishes, events, interrupt.wait()).await?) })?;
    Ok(Exit::Done)
}

/// The command line as a unit, from the folder that its paths are told from.
fn print_unit(kind: UnitKind, args: &NodeArgs) -> anyhow::Result<Exit> {
    if kind == UnitKind::EachGpu && args.memory.is_none() {
        let message = "several nodes share the machine's memory; say with --memory how many gigabytes each of them may take";
        return Err(fail(Exit::Usage, message));
    }
    let program = std::env::current_exe().context("our own program is not found")?;
    let folder = std::env::current_dir().context("this folder is not found")?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    text::print(unit::unit(kind, &program, &arguments, &folder).trim_end())?;
    Ok(Exit::Done)
}

/// Says which rules have no effect here, before anyone relies on them.
fn warn_of_blindness(config: &Config) {
    let manners = &config.manners;
    let wanted = |name: &str| match name {
        "keyboard and mouse" => manners.away_minutes.is_some(),
        "programs" => !manners.exclusive.is_empty(),
        "temperature" => manners.temperature_c_max.is_some(),
        "schedule" => !manners.schedule.is_empty(),
        _other => false,
    };
    for (name, seen) in can_observe(config.data_dir.clone()) {
        if let (true, Err(why)) = (wanted(name), seen) {
            note!("warning: a rule about {name} has no effect here: {why}");
        }
    }
}

fn config(args: &NodeArgs) -> anyhow::Result<Config> {
    let mut config = Config::new(&args.data, door::ticket(&args.farm)?);
    config.farm_file = door::ticket_file(&args.farm);
    config.name.clone_from(&args.name);
    config.backend = args.backend.choice()?;
    config.gpu.clone_from(&args.backend.gpu);
    config.software_gpu = args.backend.software_gpu;
    config.threads = args.backend.threads;
    config.owner_key.clone_from(&args.owner);
    config.ask = args.ask;
    config.pools = args.pool.iter().cloned().collect();
    config.gpu_memory_bytes = args.gpu_memory.map(|count| u64::from(count.get()) * GIGABYTE);
    config.verify = !args.no_verify;
    if !args.no_sandbox {
        config.worker = Some(sandbox::own_program().context("our own program is not found")?);
    }
    if let Some(gigabytes) = args.memory {
        let bytes = u64::from(gigabytes.get()) << 30;
        config.worker_bytes = Some(bytes);
        // Room for a scene that is being unpacked and prepared, beside those that are.
        config.memory_bytes = Some(bytes / 3 * 2);
    }
    config.manners = args.manners.manners();
    config.cache_bytes = u64::from(args.cache) << 30;
    let bytes = |megabytes: u32| NonZeroU64::new(u64::from(megabytes) * 1_000_000);
    config.give_bytes_per_second = args.give.and_then(bytes);
    config.down_bytes_per_second = args.down.and_then(bytes);
    config.up_bytes_per_second = args.up.and_then(bytes);
    config.cheat = args.cheat.as_deref().and_then(Cheat::named);
    Ok(config)
}

/// Whoever listens may go away: the node works on.
fn show(event: &NodeEvent, json: bool, started: Instant) {
    if json {
        let object = match event {
            NodeEvent::Stopped => json::stopped(started.elapsed()),
            event => said::object(event),
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
        event => note!("  {event}"),
    }
}
