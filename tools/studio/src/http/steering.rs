//! The course of a job.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{Priority, Request, Selection, Steering, TileIndex, Tokens, ViewIndex};
use serde::Deserialize;

use super::auth::{Caller, Submitter};
use super::extract::{Body, MaybeBody, Params, Segments};
use super::jobs::seen;
use crate::book::Role;
use crate::door::Door;
use crate::gates::Toll;
use crate::problem::{Kind, Problem};
use crate::views::{Job, Returned, now_ms};

/// Which part of a job; all of it without any.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Place {
    /// The frame of this number.
    frame: Option<u32>,
    /// The camera of this place in the job's list.
    camera: Option<u32>,
    /// The tile of this index.
    tile: Option<u32>,
}

/// Which of the jobs comes first.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPriority {
    /// 1 to 100, the highest first.
    #[schema(minimum = 1, maximum = 100)]
    priority: u8,
}

/// Whether anything is done.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Dry {
    /// Says what would come of it, and does nothing.
    #[serde(default)]
    dry_run: bool,
}

async fn steer(
    door: &Door,
    caller: &Caller,
    job: &str,
    steering: Steering,
) -> Result<Job, Problem> {
    caller.at_least(Role::Submitter)?;
    let id = seen(door, caller, job)?.summary.job;
    let _turn = caller.pays(door, Toll::Steering).await?;
    door.farm.ask(Request::Steer { job: id, steering }).await?;
    door.gather.look().await?;
    seen(door, caller, job).map(|known| known.view())
}

async fn end(
    door: &Door,
    caller: &Caller,
    job: &str,
    steering: Steering,
    Dry { dry_run }: Dry,
) -> Result<Json<Returned>, Problem> {
    caller.at_least(Role::Submitter)?;
    let before = seen(door, caller, job)?;
    let used = before.summary.spent.checked_add(before.summary.refunded);
    let left = used.and_then(|used| before.summary.price.checked_sub(used));
    let would_return = match before.summary.status.is_over() {
        true => Tokens::ZERO,
        false => left.unwrap_or(Tokens::ZERO),
    };
    let job = match dry_run {
        true => before.view(),
        false => steer(door, caller, job, steering).await?,
    };
    Ok(Json(Returned { job, dry_run, would_return: would_return.into() }))
}

/// Begin nothing new of a job until it is resumed
#[utoipa::path(
    post, path = "/v1/jobs/{job}/pause", tag = "steering",
    params(("job" = String, Path, description = "Its id, job_…")),
    responses((status = 200, description = "The job", body = Job))
)]
pub async fn pause_job(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
) -> Result<Json<Job>, Problem> {
    steer(&door, &caller, &job, Steering::Pause).await.map(Json)
}

/// Let a job go on
#[utoipa::path(
    post, path = "/v1/jobs/{job}/resume", tag = "steering",
    params(("job" = String, Path, description = "Its id, job_…")),
    responses((status = 200, description = "The job", body = Job))
)]
pub async fn resume_job(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
) -> Result<Json<Job>, Problem> {
    let over = door.book.with(|book| book.over_budget(now_ms())).await;
    let over = over.map_err(|error| Problem::internal(&error))?;
    let team = seen(&door, &caller, &job)?.team;
    if let Some(team) = team.filter(|team| over.contains(team)) {
        let detail = format!("the budget of {team} is exceeded; ask an owner for more first");
        return Err(Problem::new(Kind::BudgetExhausted, detail));
    }
    steer(&door, &caller, &job, Steering::Resume).await.map(Json)
}

/// End a job with the samples that it has
#[utoipa::path(
    post, path = "/v1/jobs/{job}/stop", tag = "steering",
    params(("job" = String, Path, description = "Its id, job_…"), Dry),
    responses((status = 200, description = "The job, and what returns", body = Returned))
)]
pub async fn stop_job(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(dry): Params<Dry>,
) -> Result<Json<Returned>, Problem> {
    end(&door, &caller, &job, Steering::Stop, dry).await
}

/// End a job that is not wanted any more
#[utoipa::path(
    post, path = "/v1/jobs/{job}/cancel", tag = "steering",
    params(("job" = String, Path, description = "Its id, job_…"), Dry),
    responses((status = 200, description = "The job, and what returns", body = Returned))
)]
pub async fn cancel_job(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(dry): Params<Dry>,
) -> Result<Json<Returned>, Problem> {
    end(&door, &caller, &job, Steering::Cancel, dry).await
}

/// Give what failed to nodes again that were passed over
#[utoipa::path(
    post, path = "/v1/jobs/{job}/retry", tag = "steering",
    params(("job" = String, Path, description = "Its id, job_…")),
    request_body = Option<Place>,
    responses((status = 200, description = "The job", body = Job))
)]
pub async fn retry_job(
    State(door): State<Arc<Door>>,
    Submitter(caller): Submitter,
    Segments(job): Segments<String>,
    MaybeBody(place): MaybeBody<Place>,
) -> Result<Json<Job>, Problem> {
    steer(&door, &caller, &job, Steering::Retry(place.selection())).await.map(Json)
}

/// Render a part of a job first
#[utoipa::path(
    post, path = "/v1/jobs/{job}/first", tag = "steering",
    params(("job" = String, Path, description = "Its id, job_…")),
    request_body = Option<Place>,
    responses((status = 200, description = "The job", body = Job))
)]
pub async fn first_of_job(
    State(door): State<Arc<Door>>,
    Submitter(caller): Submitter,
    Segments(job): Segments<String>,
    MaybeBody(place): MaybeBody<Place>,
) -> Result<Json<Job>, Problem> {
    steer(&door, &caller, &job, Steering::First(place.selection())).await.map(Json)
}

/// Say which of the jobs comes first
#[utoipa::path(
    post, path = "/v1/jobs/{job}/priority", tag = "steering",
    params(("job" = String, Path, description = "Its id, job_…")),
    request_body = NewPriority,
    responses((status = 200, description = "The job", body = Job))
)]
pub async fn prefer_job(
    State(door): State<Arc<Door>>,
    Submitter(caller): Submitter,
    Segments(job): Segments<String>,
    Body(NewPriority { priority }): Body<NewPriority>,
) -> Result<Json<Job>, Problem> {
    let priority = Priority::try_from(priority);
    let priority = priority.map_err(|error| Problem::new(Kind::Invalid, error))?;
    steer(&door, &caller, &job, Steering::Priority(priority)).await.map(Json)
}

impl Place {
    fn selection(self) -> Selection {
        let Self { frame, camera, tile } = self;
        Selection { frame, view: camera.map(ViewIndex), tile: tile.map(TileIndex) }
    }
}
