//! The studio's wallet, and the farm.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::limits::PAGE_ROWS_MAX;

use super::auth::Caller;
use super::extract::Params;
use super::paging::{Part, cursor, number, page, rows};
use crate::book::Role;
use crate::door::Door;
use crate::gates::Toll;
use crate::problem::Problem;
use crate::views::{FarmView, NodeRow, Page, StatementRow, Wallet};

/// The studio's balances
#[utoipa::path(
    get, path = "/v1/wallet", tag = "money",
    responses((status = 200, description = "Its balances", body = Wallet))
)]
pub async fn get_wallet(
    State(door): State<Arc<Door>>,
    caller: Caller,
) -> Result<Json<Wallet>, Problem> {
    caller.at_least(Role::Owner)?;
    let _turn = caller.pays(&door, Toll::Look).await?;
    let wallet = door.farm.wallet().await?;
    Ok(Json(Wallet::from(&wallet)))
}

/// Entries of the studio's wallet, newest first
#[utoipa::path(
    get, path = "/v1/wallet/statement", tag = "money", params(Part),
    responses((status = 200, description = "Entries", body = Page<StatementRow>))
)]
pub async fn get_statement(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<Json<Page<StatementRow>>, Problem> {
    caller.at_least(Role::Owner)?;
    let wanted = rows(part.limit)?;
    // Counted from the oldest, so that new entries move nothing.
    let before = part.cursor.as_deref().map(|it| number(Some(it))).transpose()?;
    let _turn = caller.pays(&door, Toll::Look).await?;
    let account = door.farm.wallet().await?.account;
    let mut newest = door.farm.statement(account, 0, 1).await?.total;
    let before = before.unwrap_or(newest).min(newest);
    let mut items = Vec::new();
    while items.len() < wanted.min(usize::try_from(before).unwrap_or(usize::MAX)) {
        let offset = newest - before + items.len() as u64;
        let Ok(offset) = u32::try_from(offset) else { break };
        let limit = (wanted - items.len()).min(PAGE_ROWS_MAX as usize) as u32;
        let page = door.farm.statement(account, offset, limit).await?;
        // Entries that came meanwhile have moved all others.
        let moved = usize::try_from(page.total.saturating_sub(newest)).unwrap_or(usize::MAX);
        newest = page.total;
        if page.rows.is_empty() {
            break;
        }
        items.extend(page.rows.iter().skip(moved).map(StatementRow::from));
    }
    let left = before.saturating_sub(items.len() as u64);
    let next_cursor = (left > 0 && !items.is_empty()).then(|| cursor(&left.to_string()));
    Ok(Json(Page { items, next_cursor }))
}

/// The farm at a glance
#[utoipa::path(
    get, path = "/v1/farm", tag = "farm",
    responses((status = 200, description = "The farm", body = FarmView))
)]
pub async fn get_farm(
    State(door): State<Arc<Door>>,
    caller: Caller,
) -> Result<Json<FarmView>, Problem> {
    let _turn = caller.pays(&door, Toll::Look).await?;
    let farm = door.farm.farm().await?;
    Ok(Json(FarmView::of(door.farm.scheduler().to_string(), &farm)))
}

/// The farm's nodes, best reputation first
#[utoipa::path(
    get, path = "/v1/nodes", tag = "farm", params(Part),
    responses((status = 200, description = "Nodes heard of lately", body = Page<NodeRow>))
)]
pub async fn list_nodes(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<Json<Page<NodeRow>>, Problem> {
    let _turn = caller.pays(&door, Toll::Look).await?;
    let farm = door.farm.farm().await?;
    let rows = farm.nodes.iter().map(NodeRow::from);
    let key = |node: &NodeRow| (Reverse(node.reputation_ppm), node.node.clone());
    page(rows.map(|node| (key(&node), node)).collect(), &part).map(Json)
}
