//! The door itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::door::Door;
use crate::problem::{Kind, Problem};

/// What answers here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct About {
    /// `tessera`.
    name: String,
    /// Its version.
    version: String,
    /// The farm's key.
    farm: String,
    /// The studio's key, which pays.
    studio: String,
    /// Version of the protocol that it speaks with the farm.
    protocol: u32,
    /// Where this interface is described.
    openapi: String,
}

/// What answers here
#[utoipa::path(
    get, path = "/v1", tag = "door", security(()),
    responses((status = 200, description = "The door", body = About))
)]
pub async fn get_about(State(door): State<Arc<Door>>) -> Json<About> {
    Json(About {
        name: "tessera".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        farm: door.farm.scheduler().to_string(),
        studio: door.farm.id().to_string(),
        protocol: protocol::PROTOCOL_VERSION,
        openapi: "/v1/openapi.json".to_owned(),
    })
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`.
    status: String,
}

/// Whether the door and its farm answer
#[utoipa::path(
    get, path = "/v1/health", tag = "door", security(()),
    responses((status = 200, description = "Both do", body = Health))
)]
pub async fn get_health(State(door): State<Arc<Door>>) -> Result<Json<Health>, Problem> {
    match door.farm.is_closed().await {
        false => Ok(Json(Health { status: "ok".to_owned() })),
        true => {
            let detail = "the farm's scheduler does not answer; jobs go on without this door";
            Err(Problem::new(Kind::FarmAway, detail).after(5))
        }
    }
}
