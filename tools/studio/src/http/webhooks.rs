//! Where events are posted.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::auth::{Caller, Owner};
use super::extract::{Body, Params, Segments};
use super::paging::{Part, cursor, number, page, rows};
use crate::book::{Book, EventKind, Role};
use crate::door::Door;
use crate::gates::Toll;
use crate::hooks::{self, AddWebhookError, DeliveryState, NewWebhook};
use crate::problem::{Kind, Problem};
use crate::views::{Page, now_ms, time};

/// Where events are posted.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Webhook {
    /// Its id.
    id: String,
    /// Where to.
    url: String,
    /// Types of events; all but `job.progress` where it is empty.
    events: Vec<String>,
    /// The only team whose events are posted.
    team: Option<String>,
    /// When it was made.
    created: String,
    /// Since when nothing is posted, because its receiver answered 410 Gone.
    disabled: Option<String>,
}

impl From<&hooks::Webhook> for Webhook {
    fn from(webhook: &hooks::Webhook) -> Self {
        Self {
            id: webhook.id.clone(),
            url: webhook.url.clone(),
            events: webhook.events.iter().map(ToString::to_string).collect(),
            team: webhook.team.clone(),
            created: time(webhook.created_ms),
            disabled: webhook.disabled_ms.map(time),
        }
    }
}

/// A webhook to be made.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedWebhook {
    /// `http` or `https`, with a host, without user and password.
    url: String,
    /// Types of events, as `job.done`; all but `job.progress` without any.
    #[serde(default)]
    events: Vec<String>,
    /// The only team whose events are posted.
    #[serde(default)]
    team: Option<String>,
}

/// A new webhook.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MadeWebhook {
    #[serde(flatten)]
    webhook: Webhook,
    /// What posts are signed with: shown here, and never again.
    secret: String,
}

/// Webhooks, oldest first
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "events", params(Part),
    responses((status = 200, description = "Webhooks", body = Page<Webhook>))
)]
pub async fn list_webhooks(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<Json<Page<Webhook>>, Problem> {
    caller.at_least(Role::Owner)?;
    let _turn = caller.pays(&door, Toll::List).await?;
    let webhooks =
        door.book.with(Book::webhooks).await.map_err(|error| Problem::internal(&error))?;
    let rows = webhooks.iter().map(|it| ((it.created_ms, it.id.clone()), Webhook::from(it)));
    page(rows.collect(), &part).map(Json)
}

/// Have events posted
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "events", request_body = WantedWebhook,
    responses((status = 201, description = "The webhook and its secret", body = MadeWebhook))
)]
pub async fn add_webhook(
    State(door): State<Arc<Door>>,
    _owner: Owner,
    Body(wanted): Body<WantedWebhook>,
) -> Result<(StatusCode, Json<MadeWebhook>), Problem> {
    let events = wanted.events.iter().map(|kind| kind.parse::<EventKind>());
    let events: BTreeSet<EventKind> = events.collect::<Result<_, _>>().map_err(|error| {
        Problem::new(Kind::Invalid, format!("events: {error}")).with("field", "events")
    })?;
    let new = NewWebhook { url: wanted.url, events, team: wanted.team };
    let made = door.book.with(move |book| book.add_webhook(new, now_ms()));
    let (webhook, secret) = made.await.map_err(|error| match error {
        AddWebhookError::Book(error) => Problem::internal(&error),
        error @ AddWebhookError::TooMany => Problem::new(Kind::Conflict, error),
        refused => Problem::new(Kind::Invalid, refused),
    })?;
    let made = MadeWebhook { webhook: Webhook::from(&webhook), secret: secret.to_string() };
    Ok((StatusCode::CREATED, Json(made)))
}

async fn found(door: &Door, id: String) -> Result<hooks::Webhook, Problem> {
    let unknown = Problem::not_found(format!("webhook {id:?}"));
    let webhook = door.book.with(move |book| book.webhook(&id)).await;
    webhook.map_err(|error| Problem::internal(&error))?.ok_or(unknown)
}

/// A webhook
#[utoipa::path(
    get, path = "/v1/webhooks/{id}", tag = "events",
    params(("id" = String, Path, description = "Its id, whk_…")),
    responses((status = 200, description = "The webhook", body = Webhook))
)]
pub async fn get_webhook(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Json<Webhook>, Problem> {
    caller.at_least(Role::Owner)?;
    found(&door, id).await.map(|webhook| Json(Webhook::from(&webhook)))
}

/// Post nothing there any more
#[utoipa::path(
    delete, path = "/v1/webhooks/{id}", tag = "events",
    params(("id" = String, Path, description = "Its id, whk_…")),
    responses((status = 204, description = "It is gone, with its deliveries"))
)]
pub async fn remove_webhook(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.at_least(Role::Owner)?;
    let unknown = Problem::not_found(format!("webhook {id:?}"));
    match door.book.with(move |book| book.remove_webhook(&id)).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(unknown),
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// One try to post an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Attempt {
    /// When it began.
    time: String,
    /// What the receiver answered; none where it did not.
    status: Option<u16>,
    /// What was wrong; none of a success.
    error: Option<String>,
    /// How long it took, milliseconds.
    took_ms: u64,
}

impl From<&hooks::Attempt> for Attempt {
    fn from(attempt: &hooks::Attempt) -> Self {
        let hooks::Attempt { time_ms, status, error, took_ms } = attempt;
        Self { time: time(*time_ms), status: *status, error: error.clone(), took_ms: *took_ms }
    }
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// The header `webhook-id`, the same in every try.
    id: String,
    /// Which event.
    event: u64,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// `waiting`, `delivered` or `given_up`.
    state: String,
    /// When it is tried next.
    next: Option<String>,
    /// What was tried, oldest first.
    attempts: Vec<Attempt>,
}

impl From<&hooks::Delivery> for Delivery {
    fn from(delivery: &hooks::Delivery) -> Self {
        let (state, next) = match delivery.state {
            DeliveryState::Waiting { next_ms } => ("waiting", Some(time(next_ms))),
            DeliveryState::Delivered => ("delivered", None),
            DeliveryState::GivenUp => ("given_up", None),
        };
        Self {
            id: delivery.id.clone(),
            event: delivery.event_id,
            kind: delivery.kind.to_string(),
            state: state.to_owned(),
            next,
            attempts: delivery.attempts.iter().map(Attempt::from).collect(),
        }
    }
}

/// What was posted there, tried and given up, newest event first
#[utoipa::path(
    get, path = "/v1/webhooks/{id}/deliveries", tag = "events",
    params(("id" = String, Path, description = "Its id, whk_…"), Part),
    responses((status = 200, description = "Deliveries", body = Page<Delivery>))
)]
pub async fn list_deliveries(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(part): Params<Part>,
) -> Result<Json<Page<Delivery>>, Problem> {
    caller.at_least(Role::Owner)?;
    found(&door, id.clone()).await?;
    let limit = rows(part.limit)?;
    let before = part.cursor.as_deref().map(|it| number(Some(it))).transpose()?;
    let _turn = caller.pays(&door, Toll::List).await?;
    let all = door.book.with(move |book| book.deliveries(&id, before, limit + 1));
    let mut all = all.await.map_err(|error| Problem::internal(&error))?;
    let has_more = all.len() > limit;
    all.truncate(limit);
    let last = all.last().filter(|_| has_more).map(|it| cursor(&it.event_id.to_string()));
    Ok(Json(Page { items: all.iter().map(Delivery::from).collect(), next_cursor: last }))
}

/// Post a `ping` there now
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "events",
    params(("id" = String, Path, description = "Its id, whk_…")),
    responses((status = 200, description = "What came of it", body = Attempt))
)]
pub async fn test_webhook(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Json<Attempt>, Problem> {
    caller.at_least(Role::Owner)?;
    let attempt = door.courier.test(&id).await.map_err(|error| Problem::internal(&error))?;
    let attempt = attempt.ok_or_else(|| Problem::not_found(format!("webhook {id:?}")))?;
    Ok(Json(Attempt::from(&attempt)))
}
