//! `tessera nodes`: a farm's nodes.

use clap::{Args, Subcommand};
use client::Farm;
use protocol::view::{BlockView, NodeView};
use protocol::{NodeId, Pool, PublicKey};
use serde_json::{Value, json};

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
    /// Keep a node, or all nodes of an owner, off your jobs
    Block(BlockArgs),
    /// Let a node, or an owner's nodes, back to your jobs
    Unblock(UnblockArgs),
    /// List whom you keep off your jobs
    Blocked(BlockedArgs),
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

/// Options of `tessera nodes block`.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  tessera nodes block nod_3f… --farm @ticket
  tessera nodes block ada --owner --farm @ticket

",
    after_help = "\
It gets nothing of your jobs from now on, neither to render nor to check; what it works on goes on and is
paid. Who blocks nodes chooses who renders, as with --owners: films of your jobs get no twins then but
more checked pixels, and build no reputation.
"
)]
pub struct BlockArgs {
    /// The node: its id, the first digits of it, or its name; or an owner's key
    #[arg(value_name = "NODE")]
    who: String,
    /// All nodes of its owner
    #[arg(long)]
    owner: bool,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object for each that is blocked now
    #[arg(long)]
    json: bool,
}

/// Options of `tessera nodes unblock`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera nodes unblock nod_3f… --farm @ticket
  tessera nodes unblock --all --farm @ticket

")]
pub struct UnblockArgs {
    /// The node or owner: as tessera nodes blocked shows it, or the node's name
    #[arg(value_name = "NODE", required_unless_present = "all")]
    who: Option<String>,
    /// All of them
    #[arg(long, conflicts_with = "who")]
    all: bool,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object for each that is still blocked
    #[arg(long)]
    json: bool,
}

/// Options of `tessera nodes blocked`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera nodes blocked --farm @ticket
  tessera nodes blocked --farm @ticket --json

")]
pub struct BlockedArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object for each
    #[arg(long)]
    json: bool,
}

/// Shows them, or keeps some off the caller's jobs.
///
/// # Errors
/// The farm; no such node.
pub fn run(command: &NodesCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let farm_args = match command {
        NodesCommand::List(args) => &args.farm,
        NodesCommand::Show(args) => &args.farm,
        NodesCommand::Block(args) => &args.farm,
        NodesCommand::Unblock(args) => &args.farm,
        NodesCommand::Blocked(args) => &args.farm,
    };
    door::block_on(async {
        let farm = door::connect(farm_args, interrupt).await?;
        let exit = match command {
            NodesCommand::List(args) => list(args, &farm).await,
            NodesCommand::Show(args) => show(args, &farm).await,
            NodesCommand::Block(args) => block(args, &farm).await,
            NodesCommand::Unblock(args) => unblock(args, &farm).await,
            NodesCommand::Blocked(args) => say_blocked(&farm.blocks().await?, args.json),
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

async fn block(args: &BlockArgs, farm: &Farm) -> anyhow::Result<Exit> {
    // Who is named by his whole key need not have been heard of lately.
    let who = match (args.who.parse::<PublicKey>(), args.who.parse::<NodeId>()) {
        (Ok(owner), _) => owner,
        (_, Ok(node)) if !args.owner => PublicKey(node.0),
        _ => {
            let nodes = farm.farm().await?.nodes;
            let node = find(&nodes, &args.who)?;
            if args.owner { node.owner } else { PublicKey(node.node.0) }
        }
    };
    farm.block(who, true).await?;
    say_blocked(&farm.blocks().await?, args.json)
}

async fn unblock(args: &UnblockArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let blocks = farm.blocks().await?;
    let back = match &args.who {
        Some(wanted) => vec![find_blocked(&blocks, wanted)?],
        None => blocks.iter().map(|block| block.who).collect(),
    };
    for who in back {
        farm.block(who, false).await?;
    }
    say_blocked(&farm.blocks().await?, args.json)
}

/// The one block that is meant.
fn find_blocked(blocks: &[BlockView], wanted: &str) -> anyhow::Result<PublicKey> {
    let key = wanted.parse::<PublicKey>().ok();
    let key = key.or_else(|| wanted.parse::<NodeId>().ok().map(|node| PublicKey(node.0)));
    let is_meant = |block: &&BlockView| match key {
        Some(key) => block.who == key,
        None => block.nodes.iter().any(|name| name == wanted) || begins(&block.id(), wanted),
    };
    let meant: Vec<&BlockView> = blocks.iter().filter(is_meant).collect();
    match meant.as_slice() {
        [block] => Ok(block.who),
        [] => {
            let message = format!(
                "nobody of that key or name is blocked; see them with: tessera nodes blocked: {wanted}"
            );
            Err(fail(Exit::NotFound, message))
        }
        several => {
            let ids: Vec<String> = several.iter().map(|block| block.id()).collect();
            let message =
                format!("several that are blocked are {wanted}; choose one: {}", ids.join(", "));
            Err(fail(Exit::Usage, message))
        }
    }
}

fn say_blocked(blocks: &[BlockView], is_json: bool) -> anyhow::Result<Exit> {
    if is_json {
        blocks.iter().try_for_each(|block| text::print(blocked(block)))?;
    } else if blocks.is_empty() {
        note!("  nobody is blocked");
    } else {
        let now_ms = text::now_ms();
        let rows = blocks.iter().map(|block| {
            let kind = if block.is_node { "node" } else { "owner" };
            let names = block.nodes.join(", ");
            vec![block.id(), kind.to_owned(), names, text::ago(block.since_ms, now_ms)]
        });
        let header = ["blocked", "what", "nodes", "since"];
        text::print(text::table(&header, &[], rows.collect()))?;
    }
    Ok(Exit::Done)
}

/// Somebody who is blocked.
pub fn blocked(block: &BlockView) -> Value {
    json!({
        "v": json::VERSION,
        "blocked": block.id(),
        "key": block.who.to_string(),
        "is_node": block.is_node,
        "nodes": block.nodes,
        "since_ms": block.since_ms,
    })
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
    fn a_block_is_found_by_its_key_in_either_form_or_by_its_nodes_name() {
        let block = |who: u8, is_node, name: &str| BlockView {
            who: PublicKey([who; 32]),
            is_node,
            nodes: vec![name.to_owned()],
            since_ms: 0,
        };
        let blocks =
            [block(0x3f, true, "ada"), block(0x11, false, "alan"), block(0x12, true, "ada")];
        let found = |wanted: &str| find_blocked(&blocks, wanted).map(|who| who.0[0]);
        assert_eq!(found("alan").expect("one"), 0x11);
        assert_eq!(found("nod_3f").expect("one"), 0x3f);
        assert_eq!(found(&PublicKey([0x12; 32]).to_string()).expect("one"), 0x12);
        assert_eq!(found(&NodeId([0x11; 32]).to_string()).expect("one"), 0x11);
        for (wanted, exit) in [("ada", Exit::Usage), ("grace", Exit::NotFound)] {
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
