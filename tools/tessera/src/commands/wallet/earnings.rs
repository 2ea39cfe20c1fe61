//! `tessera wallet earnings`: what one's nodes have earned, and when held pay comes free.

use clap::{Args, ValueEnum};
use client::Farm;
use protocol::view::{EarningsBy, EarningsOf, EarningsRow, EarningsView, HeldRow};
use serde_json::json;

use crate::exit::Exit;
use crate::json;
use crate::options::FarmArgs;
use crate::text;
use crate::values;

const DAY_MS: u64 = 86_400_000;

/// Options of `tessera wallet earnings`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera wallet earnings --farm @ticket --key owner.key
  tessera wallet earnings --by node --days 365 --farm @ticket --key owner.key --json

")]
pub struct EarningsArgs {
    /// What to add up by
    #[arg(long, value_enum, default_value_t = By::Day)]
    by: By,
    /// Days back from now, today included
    #[arg(long, value_name = "N", default_value_t = 30,
        value_parser = values::whole(1_u64..=36_500))]
    days: u64,
    #[command(flatten)]
    pub(super) farm: FarmArgs,
    /// Print a JSON object a line: sums, then what is held
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Day,
    Job,
    Node,
}

/// Shows it.
pub async fn show(args: &EarningsArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let by = match args.by {
        By::Day => EarningsBy::Day,
        By::Job => EarningsBy::Job,
        By::Node => EarningsBy::Node,
    };
    let now_ms = text::now_ms();
    let from_ms = (now_ms / DAY_MS + 1).saturating_sub(args.days) * DAY_MS;
    let EarningsView { rows, held, complete } = farm.earnings(by, from_ms).await?;
    if args.json {
        rows.iter().try_for_each(|row| text::print(sum_object(row)))?;
        held.iter().try_for_each(|row| text::print(held_object(row)))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        note!("  nodes of yours have earned nothing since {}", ledger::offline::date(from_ms));
    } else {
        text::print(sums(&rows))?;
    }
    // What was paid on a free farm is held, too, and is nothing.
    let held: Vec<HeldRow> = held.into_iter().filter(|row| !row.amount.is_zero()).collect();
    if !held.is_empty() {
        text::print("")?;
        text::print(schedule(&held, now_ms))?;
    }
    if !complete {
        note!("  older entries were not read; ask for fewer days");
    }
    Ok(Exit::Done)
}

fn sums(rows: &[EarningsRow]) -> comfy_table::Table {
    let cells = rows.iter().map(|row| {
        let of = match row.of {
            EarningsOf::Day(day_ms) => ledger::offline::date(day_ms),
            EarningsOf::Job(Some(job)) => job.to_string(),
            EarningsOf::Job(None) => "no job".to_owned(),
            EarningsOf::Node(node) => node.to_string(),
        };
        vec![
            of,
            row.pay.to_string(),
            text::count(row.payments),
            row.checking.to_string(),
            text::count(row.checks),
            row.taken.to_string(),
        ]
    });
    let header = ["", "pay", "payments", "checking", "checks", "taken"];
    text::table(&header, &[1, 2, 3, 4, 5], cells.collect())
}

fn schedule(held: &[HeldRow], now_ms: u64) -> comfy_table::Table {
    let cells = held.iter().map(|row| {
        let left = std::time::Duration::from_millis(row.until_ms.saturating_sub(now_ms));
        vec![
            format!("in {}", text::span(left)),
            row.amount.to_string(),
            row.films.to_string(),
            row.node.short(),
        ]
    });
    text::table(&["free", "held", "films", "node"], &[1, 2], cells.collect())
}

/// A sum for programs.
pub fn sum_object(row: &EarningsRow) -> serde_json::Value {
    let (name, of) = match row.of {
        EarningsOf::Day(day_ms) => ("day", Some(ledger::offline::date(day_ms))),
        EarningsOf::Job(job) => ("job", job.map(|job| job.to_string())),
        EarningsOf::Node(node) => ("node", Some(node.to_string())),
    };
    json!({
        "v": json::VERSION,
        name: of,
        "pay": row.pay.to_string(),
        "payments": row.payments,
        "checking": row.checking.to_string(),
        "checks": row.checks,
        "taken": row.taken.to_string(),
    })
}

/// What is held, for programs.
pub fn held_object(row: &HeldRow) -> serde_json::Value {
    json!({
        "v": json::VERSION,
        "held": row.amount.to_string(),
        "films": row.films,
        "node": row.node.to_string(),
        "until_ms": row.until_ms,
    })
}
