//! Nodes that the studio keeps off its jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{NodeId, PublicKey};

use super::auth::Caller;
use super::extract::{Params, Segments};
use super::paging::{Part, page};
use crate::book::Role;
use crate::door::Door;
use crate::gates::Toll;
use crate::problem::{Kind, Problem};
use crate::views::{Block, Page};

/// A node's id or an owner's key.
fn key(text: &str) -> Result<PublicKey, Problem> {
    let node = || text.parse().map(|node: NodeId| PublicKey(node.0));
    text.parse().or_else(|_no_key| node()).map_err(|_none| {
        let detail = format!("{text:?} is no node's id and no owner's key; send nod_… or key_…");
        Problem::new(Kind::NotFound, detail)
    })
}

/// Nodes and owners of nodes that get nothing of the studio's jobs
#[utoipa::path(
    get, path = "/v1/blocks", tag = "farm", params(Part),
    responses((status = 200, description = "Whom the studio keeps off its jobs", body = Page<Block>))
)]
pub async fn list_blocks(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<Json<Page<Block>>, Problem> {
    let _turn = caller.pays(&door, Toll::Look).await?;
    let blocks = door.farm.blocks().await?;
    let rows = blocks.iter().map(|block| (block.who.to_string(), Block::from(block)));
    page(rows.collect(), &part).map(Json)
}

/// Keep a node, or all nodes of an owner, off all of the studio's jobs; what it works on goes on
#[utoipa::path(
    put, path = "/v1/blocks/{who}", tag = "farm",
    params(("who" = String, Path, description = "A node's id, nod_…, or an owner's key, key_…")),
    responses((status = 204, description = "It gets no more of them"))
)]
pub async fn block_node(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(who): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.at_least(Role::Owner)?;
    let who = key(&who)?;
    let _turn = caller.pays(&door, Toll::Steering).await?;
    door.farm.block(who, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a node, or an owner's nodes, back to the studio's jobs
#[utoipa::path(
    delete, path = "/v1/blocks/{who}", tag = "farm",
    params(("who" = String, Path, description = "A node's id, nod_…, or an owner's key, key_…")),
    responses((status = 204, description = "It is kept off no longer"))
)]
pub async fn unblock_node(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(who): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.at_least(Role::Owner)?;
    let who = key(&who)?;
    let _turn = caller.pays(&door, Toll::Steering).await?;
    door.farm.block(who, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
