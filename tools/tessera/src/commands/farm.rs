//! `tessera farm`: who renders here.

use clap::Args;
use protocol::view::NodeView;

use crate::client::{self, Farm};
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
    client::block_on(async {
        let farm = Farm::connect(&args.farm, interrupt).await?;
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
        eprintln!(
            "  {}, {} under way, {} tokens per billion rays",
            text::plural(view.nodes.len() as u64, "node", "nodes"),
            text::plural(u64::from(view.jobs_active), "job", "jobs"),
            view.price_per_gray
        );
        Ok(Exit::Done)
    })
}

fn node_table(nodes: &[NodeView]) -> comfy_table::Table {
    let now_ms = text::now_ms();
    let rows = nodes.iter().map(|node| {
        vec![
            node.name.clone(),
            node.node.short(),
            node.backend.clone(),
            standing(node).to_owned(),
            text::percent(node.reputation.mean_ppm),
            text::count(node.reputation.accepted),
            text::count(node.reputation.refused),
            text::rays(node.rays),
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
        "rays",
        "earned",
        "seen",
    ];
    text::table(&header, &[4, 5, 6, 7, 8], rows.collect())
}

/// A node's class, or why it has none.
pub fn standing(node: &NodeView) -> &'static str {
    match (node.barred, node.class) {
        (true, _) => "barred",
        (false, Some(class)) => json::class(class),
        (false, None) => "not qualified",
    }
}
