//! The farm, its nodes, and the studio's money there.

use protocol::view;
use serde::Serialize;

use super::{Money, time};

/// The farm at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct FarmView {
    /// The scheduler's key.
    pub scheduler: String,
    /// Jobs under way, of everybody.
    pub jobs_active: u32,
    /// Nodes heard of lately.
    pub nodes: u32,
    /// Base price per billion rays.
    pub base_per_gray: Money,
    /// What moves it.
    pub market: Market,
}

/// What moves the base price.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Market {
    /// Lowest that it may be.
    pub floor: Money,
    /// Where it stands with a line of the usual length.
    pub per_gray: Money,
    /// Highest that it may be.
    pub ceiling: Money,
    /// Where it goes if everything stays as it is.
    pub heading: Money,
    /// How long the line of work is, seconds; none while no node has shown its speed.
    pub line_s: Option<u64>,
    /// Nodes that are here and may work.
    pub nodes_able: u32,
    /// Of these, those that work for the base price.
    pub nodes_willing: u32,
}

impl FarmView {
    /// A farm by its own word.
    #[must_use]
    pub fn of(scheduler: String, farm: &view::FarmView) -> Self {
        let market = &farm.market;
        Self {
            scheduler,
            jobs_active: farm.jobs_active,
            nodes: farm.nodes.len() as u32,
            base_per_gray: farm.price_per_gray.into(),
            market: Market {
                floor: market.floor.into(),
                per_gray: market.per_gray.into(),
                ceiling: market.ceiling.into(),
                heading: market.heading.into(),
                line_s: market.line_ms.map(|ms| ms / 1000),
                nodes_able: market.nodes_able,
                nodes_willing: market.nodes_willing,
            },
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct NodeRow {
    /// Its id.
    pub node: String,
    /// Its own name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Its own word on what it renders with.
    pub backend: String,
    /// `cpu` or `gpu`.
    pub backend_kind: String,
    /// Memory for a scene, bytes; none where it does not know.
    pub memory_bytes: Option<u64>,
    /// Pools that it says it is in.
    pub pools: Vec<String>,
    /// Least that it works for, per billion rays.
    pub ask_per_gray: Money,
    /// Whether it was convicted and gets no more work.
    pub barred: bool,
    /// Expected share of good results, in millionths.
    pub reputation_ppm: u32,
    /// Units accepted.
    pub accepted: u64,
    /// Units refused.
    pub refused: u64,
    /// Leases that lapsed or were given back.
    pub dropped: u64,
    /// Leases it holds now.
    pub leases: u32,
    /// Its shown speed, rays a second; none before its first film.
    pub rays_per_second: Option<u64>,
    /// When it was last heard of.
    pub seen: String,
}

impl From<&view::NodeView> for NodeRow {
    fn from(node: &view::NodeView) -> Self {
        Self {
            node: node.node.to_string(),
            name: node.name.clone(),
            owner: node.owner.to_string(),
            backend: node.backend.clone(),
            backend_kind: node.equipment.backend.word().to_owned(),
            memory_bytes: node.equipment.memory_bytes,
            pools: node.equipment.pools.iter().map(ToString::to_string).collect(),
            ask_per_gray: node.ask_per_gray.into(),
            barred: node.barred,
            reputation_ppm: node.reputation.mean_ppm,
            accepted: node.reputation.accepted,
            refused: node.reputation.refused,
            dropped: node.reputation.dropped,
            leases: node.leases,
            rays_per_second: node.shown_rays_per_second,
            seen: time(node.seen_ms),
        }
    }
}

/// Somebody whom the studio keeps off its jobs.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Block {
    /// A node's id, `nod_…`, or an owner's key, `key_…`.
    pub blocked: String,
    /// Whether it is one node, and not all of an owner's.
    pub is_node: bool,
    /// Names of the nodes that it means.
    pub nodes: Vec<String>,
    /// Since when.
    pub since: String,
}

impl From<&view::BlockView> for Block {
    fn from(block: &view::BlockView) -> Self {
        Self {
            blocked: block.id(),
            is_node: block.is_node,
            nodes: block.nodes.clone(),
            since: time(block.since_ms),
        }
    }
}

/// The studio's balances.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Wallet {
    /// The wallet.
    pub account: String,
    /// Free to spend.
    pub balance: Money,
    /// In escrow for jobs.
    pub escrowed: Money,
    /// Pay of its nodes, held back for a while.
    pub held: Money,
    /// At risk for the good work of its nodes.
    pub at_risk: Money,
}

impl From<&view::WalletView> for Wallet {
    fn from(wallet: &view::WalletView) -> Self {
        Self {
            account: wallet.account.to_string(),
            balance: wallet.balance.into(),
            escrowed: wallet.escrowed.into(),
            held: wallet.held.into(),
            at_risk: wallet.staked.into(),
        }
    }
}

/// An entry of the wallet.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct StatementRow {
    /// The transfer.
    pub transfer: String,
    /// `in` or `out`.
    pub direction: String,
    /// The other account.
    pub other: String,
    /// What that account is, in words: `escrow of job_…`.
    pub other_is: String,
    /// The job that caused it.
    pub job: Option<String>,
    /// How much.
    pub amount: Money,
    /// Why, in a word of the ledger.
    pub code: String,
    /// Balance after it.
    pub balance: Money,
    /// When.
    pub time: String,
}

impl From<&view::StatementRow> for StatementRow {
    fn from(row: &view::StatementRow) -> Self {
        Self {
            transfer: row.transfer.to_string(),
            direction: if row.credit { "in" } else { "out" }.to_owned(),
            other: row.other.to_string(),
            other_is: row.other_is.clone(),
            job: row.job.map(|job| job.to_string()),
            amount: row.amount.into(),
            code: row.code.clone(),
            balance: row.balance.into(),
            time: time(row.time_ms),
        }
    }
}
