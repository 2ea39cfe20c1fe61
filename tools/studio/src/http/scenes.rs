//! Scenes.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::SceneId;

use super::auth::{Caller, Submitter};
use super::extract::{Body, Params, Segments};
use super::paging::{Part, page};
use crate::book::Role;
use crate::door::Door;
use crate::gates::Toll;
use crate::problem::Problem;
use crate::views::{NewScene, Page, Scene};

fn scene_id(text: &str) -> Result<SceneId, Problem> {
    text.parse().map_err(|_none| Problem::not_found(format!("scene {text:?}")))
}

/// Make a scene of files that are here
#[utoipa::path(
    post, path = "/v1/scenes", tag = "scenes",
    request_body = NewScene,
    responses((status = 201, description = "The scene, on its way to the farm", body = Scene))
)]
pub async fn make_scene(
    State(door): State<Arc<Door>>,
    Submitter(caller): Submitter,
    Body(new): Body<NewScene>,
) -> Result<Response, Problem> {
    let _turn = caller.pays(&door, Toll::Scene).await?;
    let scene = door.scenes.make(new, caller.token.team.clone()).await?;
    let location = format!("/v1/scenes/{}", scene.scene);
    let mut response = (StatusCode::CREATED, Json(scene)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Scenes that were made here, newest first
#[utoipa::path(
    get, path = "/v1/scenes", tag = "scenes", params(Part),
    responses((status = 200, description = "Scenes", body = Page<Scene>))
)]
pub async fn list_scenes(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<Json<Page<Scene>>, Problem> {
    let _turn = caller.pays(&door, Toll::List).await?;
    let scenes = door.scenes.list(caller.token.team.as_deref()).into_iter();
    // Times as they are told are in the order of time.
    let key = |scene: &Scene| (Reverse(scene.created.clone()), scene.scene.clone());
    page(scenes.map(|scene| (key(&scene), scene)).collect(), &part).map(Json)
}

/// A scene, and how far it has come to the farm
#[utoipa::path(
    get, path = "/v1/scenes/{scene}", tag = "scenes",
    params(("scene" = String, Path, description = "Its id, scn_…")),
    responses((status = 200, description = "The scene", body = Scene))
)]
pub async fn get_scene(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(scene): Segments<String>,
) -> Result<Json<Scene>, Problem> {
    let id = scene_id(&scene)?;
    let is_seen = door.scenes.is_seen_by(id, caller.token.team.as_deref());
    let found = door.scenes.get(id).filter(|_| is_seen);
    found.map(Json).ok_or_else(|| Problem::not_found(format!("scene {scene}")))
}

/// Forget a scene; jobs and other teams keep theirs
///
/// With the last team's, the farm is told that jobs that are over need it no longer.
#[utoipa::path(
    delete, path = "/v1/scenes/{scene}", tag = "scenes",
    params(("scene" = String, Path, description = "Its id, scn_…")),
    responses((status = 204, description = "It is forgotten"))
)]
pub async fn forget_scene(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(scene): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.at_least(Role::Submitter)?;
    let (id, team) = (scene_id(&scene)?, caller.token.team.clone());
    if !door.scenes.is_seen_by(id, team.as_deref()) {
        return Err(Problem::not_found(format!("scene {scene}")));
    }
    // Before anything goes: who is turned away has lost nothing.
    let turn = caller.pays(&door, Toll::Steering).await?;
    // What is begun is finished, also when whoever asked has hung up.
    let done = tokio::spawn(async move {
        let _turn = turn;
        forget(&door, id, team).await
    });
    match done.await.map_err(|error| Problem::internal(&error))?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(format!("scene {scene}"))),
    }
}

/// Forgets a scene for a team, and tells the farm where nobody here has it any more; whether it was
/// here.
async fn forget(door: &Door, id: SceneId, team: Option<String>) -> Result<bool, Problem> {
    let scenes = door.scenes.clone();
    let removing = tokio::task::spawn_blocking(move || scenes.remove(id, team.as_deref()));
    let removed = removing.await.map_err(|error| Problem::internal(&error))?;
    let removed = removed.map_err(|error| Problem::internal(&error))?;
    // Others may have it still, or have made it anew.
    if removed
        && door.scenes.get(id).is_none()
        && let Err(error) = door.farm.drop_scene(id).await
    {
        // No job was of it, or one still is: it goes when the farm's time for it is up.
        tracing::debug!(scene = %id, "the farm goes on keeping it: {}", error.words());
    }
    Ok(removed)
}
