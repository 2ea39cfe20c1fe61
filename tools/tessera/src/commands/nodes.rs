//! `tessera nodes`: a farm's nodes.

use clap::{Args, Subcommand};
use client::Farm;
use protocol::view::NodeView;
use protocol::{NodeId, Pool, PublicKey};

use crate::commands::farm::{node_table, speed, standing};
use crate::door;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::needs::KindName;
use crate::options::FarmArgs;
use crate::text;

/// What to do with nodes.
#[derive(Debug, Subcommand)]
pub enum NodesCommand {
    /// List nodes that were heard of lately, the best reputation first
    List(ListArgs),
    /// Show a node
    Show(ShowArgs),
}

/// Options of `tessera nodes list`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera nodes list --farm @ticket
  tessera nodes list --farm @ticket --mine --json
  tessera nodes list --farm @ticket --pool studio --backend gpu

")]
pub struct ListArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Only your own: those whose --owner is your key file
    #[arg(long)]
    mine: bool,
    /// Only nodes that say they are in this pool
    #[arg(long, value_name = "NAME")]
    pool: Option<Pool>,
    /// Only nodes that say they render on this
    #[arg(long, value_enum)]
    backend: Option<KindName>,
    /// Print a JSON object a node
    #[arg(long)]
    json: bool,
}

/// Options of `tessera nodes show`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera nodes show nod_3f… --farm @ticket
  tessera nodes show ada --farm @ticket --json

")]
pub struct ShowArgs {
    /// The node: its id, the first digits of it, or its name
    #[arg(value_name = "NODE")]
    node: String,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Shows them.
///
/// # Errors
/// The farm; no such node.
pub fn run(command: &NodesCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let farm_args = match command {
        NodesCommand::List(args) => &args.farm,
        NodesCommand::Show(args) => &args.farm,
    };
    door::block_on(async {
        let farm = door::connect(farm_args, interrupt).await?;
        let exit = match command {
            NodesCommand::List(args) => list(args, &farm).await,
            NodesCommand::Show(args) => show(args, &farm).await,
        };
        farm.close().await;
        exit
    })
}

impl ListArgs {
    fn holds(&self, node: &NodeView, me: PublicKey) -> bool {
        (!self.mine || node.owner == me)
            && self.pool.as_ref().is_none_or(|pool| node.equipment.pools.contains(pool))
            && self.backend.is_none_or(|kind| kind.kind() == node.equipment.backend)
    }
}

async fn list(args: &ListArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let me = farm.id();
    let mut nodes = farm.farm().await?.nodes;
    nodes.retain(|node| args.holds(node, me));
    if args.json {
        nodes.iter().try_for_each(|node| text::print(json::node(node)))?;
    } else if nodes.is_empty() {
        note!("  no such nodes");
    } else {
        text::print(node_table(&nodes))?;
    }
    Ok(Exit::Done)
}

async fn show(args: &ShowArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let nodes = farm.farm().await?.nodes;
    let node = find(&nodes, &args.node)?;
    if args.json {
        text::print(json::node(node))?;
        return Ok(Exit::Done);
    }
    for (name, value) in rows(node, farm.id()).iter().filter(|(_, value)| !value.is_empty()) {
        text::print(format_args!("{name:<13}{value}"))?;
    }
    Ok(Exit::Done)
}

/// The one node that is meant.
fn find<'a>(nodes: &'a [NodeView], wanted: &str) -> anyhow::Result<&'a NodeView> {
    let id = wanted.parse::<NodeId>().ok();
    let is_meant = |node: &&NodeView| match id {
        Some(id) => node.node == id,
        None => node.name == wanted || begins(&node.node.to_string(), wanted),
    };
    let meant: Vec<&NodeView> = nodes.iter().filter(is_meant).collect();
    match meant.as_slice() {
        [node] => Ok(node),
        [] => {
            let message = format!(
                "no node of that id or name was heard of lately; see them with: tessera nodes list: {wanted}"
            );
            Err(fail(Exit::NotFound, message))
        }
        several => {
            let ids: Vec<String> = several.iter().map(|node| node.node.to_string()).collect();
            let message = format!("several nodes are {wanted}; choose one: {}", ids.join(", "));
            Err(fail(Exit::Usage, message))
        }
    }
}

/// Whether digits are the first of an id: as tables show them, or more.
fn begins(id: &str, wanted: &str) -> bool {
    wanted.len() > NodeId::PREFIX.len() + 1 && id.starts_with(wanted)
}

fn rows(node: &NodeView, me: PublicKey) -> Vec<(&'static str, String)> {
    let pools: Vec<&str> = node.equipment.pools.iter().map(Pool::as_str).collect();
    let reputation = &node.reputation;
    let mine = if node.owner == me { ", you" } else { "" };
    let films = format!(
        "{} accepted, {} refused, {} dropped",
        text::count(reputation.accepted),
        text::count(reputation.refused),
        text::count(reputation.dropped)
    );
    vec![
        ("node", node.node.to_string()),
        ("name", node.name.clone()),
        ("owner", format!("{}{mine}", node.owner)),
        ("backend", node.backend.clone()),
        ("memory", node.equipment.memory_bytes.map(text::bytes).unwrap_or_default()),
        ("pools", pools.join(", ")),
        ("class", standing(node).to_owned()),
        ("reputation", text::percent(reputation.mean_ppm)),
        ("films", films),
        ("rays", text::rays(node.rays)),
        ("rays/s", speed(node)),
        ("asks", format!("{} per billion rays", text::tokens(node.ask_per_gray))),
        ("earned", node.earned.to_string()),
        ("held", node.held.to_string()),
        ("at risk", node.stake.to_string()),
        ("verified", text::count(node.verified)),
        ("leases", node.leases.to_string()),
        ("seen", text::ago(node.seen_ms, text::now_ms())),
    ]
}

#[cfg(test)]
mod tests {
    use protocol::BackendKind;

    use super::*;
    use crate::examples;

    #[test]
    fn a_node_is_found_by_its_id_its_first_digits_or_its_name() {
        let named = |id: u8, name: &str| NodeView {
            node: NodeId([id; 32]),
            name: name.to_owned(),
            ..examples::node()
        };
        let nodes = [named(0x3f, "ada"), named(0x3e, "alan"), named(0x11, "ada")];
        let found = |wanted: &str| find(&nodes, wanted).map(|node| node.node.0[0]);
        assert_eq!(found("alan").expect("one"), 0x3e);
        assert_eq!(found("nod_3f").expect("one"), 0x3f);
        assert_eq!(found(&nodes[2].node.to_string()).expect("one"), 0x11);
        for (wanted, exit) in [
            ("ada", Exit::Usage),
            ("nod_3", Exit::Usage),
            ("nod_", Exit::NotFound),
            ("grace", Exit::NotFound),
        ] {
            let error = found(wanted).expect_err(wanted);
            assert_eq!(crate::exit::classify(&error), exit, "{error}");
        }
    }

    #[test]
    fn nodes_are_filtered_by_owner_pool_and_backend() {
        let node = examples::node();
        let args = |mine, pool: Option<&str>, backend| ListArgs {
            farm: FarmArgs { farm: String::new(), key: None },
            mine,
            pool: pool.and_then(|pool| pool.parse().ok()),
            backend,
            json: false,
        };
        let (me, other) = (node.owner, PublicKey([9; 32]));
        assert_eq!(node.equipment.backend, BackendKind::Gpu);
        assert!(args(true, Some("night"), Some(KindName::Gpu)).holds(&node, me));
        assert!(!args(true, None, None).holds(&node, other));
        assert!(!args(false, Some("day"), None).holds(&node, me));
        assert!(!args(false, None, Some(KindName::Cpu)).holds(&node, me));
        assert!(args(false, None, None).holds(&node, other));
    }
}
