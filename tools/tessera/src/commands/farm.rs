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
            "  {} heard of lately, {} under way, {} tokens per billion rays",
            text::plural(view.nodes.len() as u64, "node", "nodes"),
            text::plural(u64::from(view.jobs_active), "job", "jobs"),
            view.price_per_gray
        );
        note!("  {}", market_line(&view.market, view.jobs_active));
        Ok(Exit::Done)
    })
}

/// The line, who works for the base price, and where that goes.
fn market_line(market: &MarketView, jobs: u32) -> String {
    let goes = format!(
        "{} ({} to {})",
        text::tokens(market.heading),
        text::tokens(market.floor),
        text::tokens(market.ceiling)
    );
    if market.nodes_able == 0 {
        return format!("no node that may work is here now; the base price goes to {goes}");
    }
    let line = match market.line_ms {
        // Work that they may not do, or not for what it pays, is no line.
        Some(0) if jobs > 0 => "no line for the nodes that are here".to_owned(),
        Some(0) => "no line".to_owned(),
        Some(u64::MAX) => "nobody works for that".to_owned(),
        Some(ms) => format!("a line of {}", text::span(Duration::from_millis(ms))),
        None => "a line that no node has shown the speed for".to_owned(),
    };
    let able = ["node that is here now and may work", "nodes that are here now and may work"];
    let able = text::plural(market.nodes_able.into(), able[0], able[1]);
    let willing = match market.nodes_willing {
        0 => "none works".to_owned(),
        willing => text::plural(willing.into(), "works", "work"),
    };
    format!("{line}; of {able}, {willing} for the base price, which goes to {goes}")
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
            node.held.to_string(),
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
        "held",
        "seen",
    ];
    text::table(&header, &[4, 5, 6, 7, 8, 9, 10], rows.collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn who_may_work_is_told_from_who_does() {
        let line = |nodes_able, nodes_willing, line_ms, jobs| {
            market_line(
                &MarketView { nodes_able, nodes_willing, line_ms, ..examples::farm().market },
                jobs,
            )
        };
        let nobody = line(0, 0, Some(0), 2);
        assert!(nobody.starts_with("no node that may work is here now; the base price goes"));
        let one = line(1, 1, Some(0), 0);
        let of_one =
            "no line; of 1 node that is here now and may work, 1 works for the base price,";
        assert!(one.starts_with(of_one), "{one}");
        let several = line(3, 2, Some(61_000), 1);
        let of_three =
            "a line of 1 min 01 s; of 3 nodes that are here now and may work, 2 work for the base";
        assert!(several.starts_with(of_three), "{several}");
        let dear = line(2, 0, Some(u64::MAX), 1);
        assert!(dear.contains("none works for the base price"), "{dear}");
        assert!(line(1, 1, Some(0), 1).starts_with("no line for the nodes that are here; of 1"));
    }

    #[test]
    fn what_a_node_has_earned_and_what_is_held_stand_apart() {
        let table = node_table([&examples::node()]).to_string();
        let header = table.lines().next().expect("a header");
        let place = |word: &str| header.find(word).expect("a column");
        assert!(place("earned") < place("held") && place("held") < place("seen"), "{table}");
    }
}
