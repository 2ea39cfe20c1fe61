//! `tessera farm`: who renders here.

use std::time::Duration;

use clap::Args;
use protocol::view::{MarketView, NodeView};

use crate::door;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::text;

/// Options of `tessera farm`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera farm --farm @ticket
  tessera farm --farm @ticket --json

")]
pub struct FarmCommandArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object a node
    #[arg(long)]
    json: bool,
}

/// Shows the farm's nodes.
///
/// # Errors
/// The farm.
pub fn run(args: &FarmCommandArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    door::block_on(async {
        let farm = door::connect(&args.farm, interrupt).await?;
        let view = farm.farm().await;
        farm.close().await;
        let view = view?;
        if args.json {
            view.nodes.iter().try_for_each(|node| text::print(json::node(node)))?;
            return Ok(Exit::Done);
        }
        if !view.nodes.is_empty() {
            text::print(node_table(&view.nodes))?;
        }
        note!(
            "  {}, {} under way, {} tokens per billion rays",
            text::plural(view.nodes.len() as u64, "node", "nodes"),
            text::plural(u64::from(view.jobs_active), "job", "jobs"),
            view.price_per_gray
        );
        note!("  {}", market_line(&view.market));
        Ok(Exit::Done)
    })
}

/// The line, and where the base price goes.
fn market_line(market: &MarketView) -> String {
    let line = match market.line_ms {
        Some(0) => "no line".to_owned(),
        Some(u64::MAX) => "nobody works for that".to_owned(),
        Some(ms) => format!("a line of {}", text::span(Duration::from_millis(ms))),
        None => "a line that no node has shown the speed for".to_owned(),
    };
    format!(
        "{line}; {} of {} work for the base price, which goes to {} ({} to {})",
        market.nodes_willing,
        text::plural(u64::from(market.nodes_able), "node", "nodes"),
        text::tokens(market.heading),
        text::tokens(market.floor),
        text::tokens(market.ceiling)
    )
}

/// Nodes in a table.
pub fn node_table<'a>(nodes: impl IntoIterator<Item = &'a NodeView>) -> comfy_table::Table {
    let now_ms = text::now_ms();
    let rows = nodes.into_iter().map(|node| {
        vec![
            node.name.clone(),
            node.node.short(),
            node.backend.clone(),
            standing(node).to_owned(),
            text::percent(node.reputation.mean_ppm),
            text::count(node.reputation.accepted),
            text::count(node.reputation.refused),
            speed(node),
            text::tokens(node.ask_per_gray),
            node.earned.to_string(),
            text::ago(node.seen_ms, now_ms),
        ]
    });
    let header = [
        "node",
        "id",
        "backend",
        "class",
        "reputation",
        "accepted",
        "refused",
        "rays/s",
        "asks",
        "earned",
        "seen",
    ];
    text::table(&header, &[4, 5, 6, 7, 8, 9], rows.collect())
}

/// What a node has shown of its speed, with its own word where that is more than twice as much.
pub fn speed(node: &NodeView) -> String {
    let claimed = node.claimed_rays_per_second;
    match node.shown_rays_per_second {
        None => format!("says {}", text::short_count(claimed)),
        Some(shown) if claimed > shown.saturating_mul(2) => {
            format!("{}, says {}", text::short_count(shown), text::short_count(claimed))
        }
        Some(shown) => text::short_count(shown),
    }
}

/// A node's class, or why it has none.
pub fn standing(node: &NodeView) -> &'static str {
    match (node.barred, node.class) {
        (true, _) => "barred",
        (false, Some(class)) => json::class(class),
        (false, None) => "not qualified",
    }
}
