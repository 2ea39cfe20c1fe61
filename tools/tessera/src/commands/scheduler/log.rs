//! `tessera scheduler log`: who did what, from the scheduler's signed journal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueHint};
use protocol::{JobId, NodeId};
use scheduler::core::history::{Actor, Deed, LeaseEnd, Span, Told};
use serde_json::{Value, json};

use crate::exit::{Exit, WithExit as _, fail};
use crate::json;
use crate::text;

/// Options of `tessera scheduler log`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera scheduler log --data farm
  tessera scheduler log --data farm --job job_3f… --json
  tessera scheduler log --data farm --trace trace.json    # open it at ui.perfetto.dev

")]
pub struct LogArgs {
    /// Folder of the scheduler, which may be running
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// Only what is about this job
    #[arg(long, value_name = "JOB")]
    job: Option<JobId>,
    /// Only what is about this node
    #[arg(long, value_name = "NODE")]
    node: Option<NodeId>,
    /// Write every lease as a span of a Chrome trace, in place of the log
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    trace: Option<PathBuf>,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

impl LogArgs {
    fn wants(&self, job: Option<JobId>, node: Option<NodeId>) -> bool {
        self.job.is_none_or(|wanted| job == Some(wanted))
            && self.node.is_none_or(|wanted| node == Some(wanted))
    }
}

/// Prints what was done, oldest first, or writes a trace.
///
/// # Errors
/// Not found: no scheduler has been there. Else its journal, which does not hold.
pub fn run(args: &LogArgs) -> anyhow::Result<Exit> {
    if !args.data.join("journal").is_dir() {
        let shown = args.data.display();
        let message = format!("no scheduler has been here; give the folder of one: {shown}");
        return Err(fail(Exit::NotFound, message));
    }
    match &args.trace {
        None => log(args),
        Some(path) => trace(args, path),
    }
}

fn log(args: &LogArgs) -> anyhow::Result<Exit> {
    let (mut told, mut printed) = (0_u64, Ok(()));
    let entries = scheduler::history(&args.data, &mut |what| {
        if let Told::Deed(deed) = what
            && args.wants(deed.job, deed.node)
            && printed.is_ok()
        {
            told += 1;
            printed =
                if args.json { text::print(as_json(&deed)) } else { text::print(line(&deed)) };
        }
    })?;
    printed?;
    note!(
        "  {} of {}, all verified",
        text::plural(told, "deed", "deeds"),
        text::plural(entries, "entry", "entries")
    );
    Ok(Exit::Done)
}

/// A line for people.
fn line(deed: &Deed) -> String {
    let actor = match deed.actor {
        Actor::Operator => "operator".to_owned(),
        Actor::Farm => "farm".to_owned(),
        Actor::Artist(key) => format!("artist {}", key.short()),
        Actor::Owner(key) => format!("owner {}", key.short()),
        Actor::Node(node) => format!("node {}", node.short()),
    };
    let about = deed.job.map(|job| job.short());
    let about = about.or_else(|| deed.node.map(|node| node.short())).unwrap_or_default();
    let line = format!(
        "{}  {actor:<20}  {:<15}  {about:<13}  {}",
        moment(deed.at_ms),
        deed.act.replace('_', " "),
        deed.words
    );
    line.trim_end().to_owned()
}

fn as_json(deed: &Deed) -> Value {
    let (actor, key) = match deed.actor {
        Actor::Operator => ("operator", None),
        Actor::Farm => ("farm", None),
        Actor::Artist(key) => ("artist", Some(key.to_string())),
        Actor::Owner(key) => ("owner", Some(key.to_string())),
        Actor::Node(node) => ("node", Some(node.to_string())),
    };
    json!({
        "v": json::VERSION,
        "entry": deed.seq,
        "at_ms": deed.at_ms,
        "actor": actor,
        "by": key,
        "act": deed.act,
        "job": deed.job.map(|job| job.to_string()),
        "node": deed.node.map(|node| node.to_string()),
        "words": deed.words,
    })
}

/// A time in the universal calendar, to the second.
fn moment(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    time.map_or_else(|| ms.to_string(), |time| time.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// Writes the leases in Chrome's trace format: a process a node, a span a lease, and a span in it from
/// the film's coming to its verdict.
fn trace(args: &LogArgs, path: &Path) -> anyhow::Result<Exit> {
    let mut spans = Vec::new();
    scheduler::history(&args.data, &mut |what| {
        if let Told::Lease(span) = what
            && args.wants(Some(span.job), Some(span.node))
        {
            spans.push(span);
        }
    })?;
    let failed = || format!("the trace was not written: {}", path.display());
    let file = File::create(path).with_context(failed).exit(Exit::Failed)?;
    let mut to = BufWriter::new(file);
    serde_json::to_writer(&mut to, &json!({ "traceEvents": events(&spans) }))
        .map_err(std::io::Error::from)
        .and_then(|()| to.flush())
        .with_context(failed)?;
    let leases = text::plural(spans.len() as u64, "lease", "leases");
    note!("  {leases} as a trace: {}", path.display());
    Ok(Exit::Done)
}

fn events(spans: &[Span]) -> Vec<Value> {
    let mut nodes = BTreeMap::new();
    let mut events = Vec::new();
    for span in spans {
        let count = nodes.len() + 1;
        let process = *nodes.entry(span.node).or_insert(count);
        let end = match span.end {
            LeaseEnd::Accepted => "accepted",
            LeaseEnd::Passed => "passed",
            LeaseEnd::Refused => "refused",
            LeaseEnd::Released => "given back",
            LeaseEnd::Lapsed => "lapsed",
            LeaseEnd::Dropped => "dropped",
        };
        let name = format!("{} unit {}", span.job.short(), span.unit_index);
        let mut part = |name: &str, from_ms: u64, to_ms: u64| {
            for (phase, at_ms) in [("b", from_ms), ("e", to_ms)] {
                events.push(json!({
                    "ph": phase,
                    "cat": "lease",
                    "id": span.lease.to_string(),
                    "name": name,
                    "pid": process,
                    "tid": 0,
                    "ts": at_ms * 1000,
                    "args": { "end": end, "job": span.job.to_string() },
                }));
            }
        };
        part(&name, span.granted_ms, span.ended_ms);
        if let Some(film_ms) = span.film_ms {
            part("judged", film_ms, span.ended_ms);
        }
    }
    events.extend(nodes.into_iter().map(|(node, process)| {
        let name = node.short();
        json!({ "ph": "M", "name": "process_name", "pid": process, "args": { "name": name } })
    }));
    events
}
