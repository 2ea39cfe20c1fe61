//! What happens, as it happens: server-sent events that go on where they were cut.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use protocol::JobId;
use serde::Deserialize;
use tokio::sync::{broadcast, watch};

use super::auth::Caller;
use super::extract::{Params, Segments};
use super::jobs::seen;
use crate::book::Event;
use crate::door::Door;
use crate::gates::Listening;
use crate::gather::Known;
use crate::news::event_view;
use crate::problem::{Kind, Problem};
use crate::views::{self, now_ms, time};

/// Events read of the book at a time.
const PAGE: usize = 500;
/// How often a comment keeps the line open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which events.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Events after this one, as Last-Event-ID; what happens from now on without either.
    after: Option<u64>,
    /// Events of this job.
    job: Option<String>,
}

/// Which events of a job.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// Events after this one, as Last-Event-ID; from the newest on without either.
    after: Option<u64>,
}

/// What happens to all jobs that the token sees
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(Wanted, ("Last-Event-ID" = Option<u64>, Header, description = "The last event that was seen")),
    responses((status = 200, description = "Server-sent events; each one's data is an event", content_type = "text/event-stream", body = views::Event))
)]
pub async fn all_events(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = wanted.job.as_deref().map(|job| seen(&door, &caller, job)).transpose()?;
    let after = last_seen(&headers)?.or(wanted.after);
    let newest = door.book.last_event_id().map_err(|error| Problem::internal(&error))?;
    let job = known.map(|known| known.summary.job.to_string());
    let listening = door.gates.listen(&caller.token.id, Instant::now())?;
    let after = after.unwrap_or(newest);
    let wish = Wish { caller, job };
    Ok(Listener::new(&door, wish, listening, after, Ends::Never).respond())
}

/// What happens to a job, until it ends
#[utoipa::path(
    get, path = "/v1/jobs/{job}/events", tag = "events",
    params(
        ("job" = String, Path, description = "Its id, job_…"),
        After,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that was seen"),
    ),
    responses((status = 200, description = "Server-sent events; each one's data is an event", content_type = "text/event-stream", body = views::Event))
)]
pub async fn job_events(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(After { after }): Params<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = seen(&door, &caller, &job)?;
    let id = known.summary.job.to_string();
    let after = match last_seen(&headers)?.or(after) {
        Some(after) => after,
        // The newest tells where it stands.
        None => {
            let last = door.book.last_event_of(&id).map_err(|error| Problem::internal(&error))?;
            last.map_or(0, |event| event.id - 1)
        }
    };
    let ends = Ends::WithJob(known.summary.job);
    let listening = door.gates.listen(&caller.token.id, Instant::now())?;
    let wish = Wish { caller, job: Some(id) };
    Ok(Listener::new(&door, wish, listening, after, ends).respond())
}

fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| {
        Problem::new(Kind::BadRequest, "Last-Event-ID: it must be an event's number")
    })
}

/// When a stream ends by itself.
#[derive(Clone, Copy)]
enum Ends {
    Never,
    WithJob(JobId),
}

/// Somebody who listens.
struct Listener {
    door: Arc<Door>,
    wish: Wish,
    ends: Ends,
    last: u64,
    waiting: VecDeque<Event>,
    heard: broadcast::Receiver<Arc<Event>>,
    /// Whether the book may hold more than was read.
    behind: bool,
    done: bool,
    stop: watch::Receiver<bool>,
    _listening: Listening,
}

/// What somebody wants to hear, and may.
#[derive(Clone)]
struct Wish {
    caller: Caller,
    job: Option<String>,
}

impl Wish {
    fn wants(&self, event: &Event) -> bool {
        let is_of_job = self.job.as_ref().is_none_or(|job| event.job.as_ref() == Some(job));
        // What happens to the farm is everybody's.
        let is_of_farm = event.job.is_none() && event.team.is_none();
        is_of_job && (is_of_farm || self.caller.sees_team(event.team.as_deref()))
    }
}

impl Listener {
    fn new(door: &Arc<Door>, wish: Wish, listening: Listening, last: u64, ends: Ends) -> Self {
        Self {
            door: Arc::clone(door),
            wish,
            ends,
            last,
            waiting: VecDeque::new(),
            // Listening begins before the book is read, so that nothing falls between.
            heard: door.news.listen(),
            behind: true,
            done: false,
            stop: door.stop.clone(),
            _listening: listening,
        }
    }

    fn respond(self) -> Response {
        let stream = n0_future::stream::unfold(self, |mut listener| async {
            let event = listener.next().await?;
            Some((Ok::<_, Infallible>(sent(&event)), listener))
        });
        Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
    }

    async fn next(&mut self) -> Option<views::Event> {
        if self.done || *self.stop.borrow() {
            return None;
        }
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.done = event.kind.is_end() && matches!(self.ends, Ends::WithJob(_));
                return Some(event_view(&event));
            }
            if self.behind {
                self.read().await.ok()?;
                continue;
            }
            if self.is_over().await? {
                self.done = true;
                return self.end_that_nobody_kept();
            }
            let heard = tokio::select! {
                heard = self.heard.recv() => heard,
                _ = self.stop.changed() => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    self.may_still_listen()?;
                    continue;
                }
            };
            self.may_still_listen()?;
            match heard {
                Ok(event) if event.id > self.last => {
                    self.last = event.id;
                    if self.wish.wants(&event) {
                        self.waiting.push_back(Event::clone(&event));
                    }
                }
                Ok(_read_before) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Reads the next events of the book.
    async fn read(&mut self) -> Result<(), ()> {
        let (wish, last) = (self.wish.clone(), self.last);
        let events = self.door.book.with(move |book| match &wish.job {
            Some(job) => book.events_of(job, last, PAGE),
            None => book.events_after(last, PAGE, |event| wish.wants(event)),
        });
        let events =
            events.await.map_err(|error| tracing::error!("a listener is left: {error}"))?;
        self.behind = events.len() == PAGE;
        self.last = events.last().map_or(self.last, |event| event.id);
        let wanted: Vec<Event> =
            events.into_iter().filter(|event| self.wish.wants(event)).collect();
        self.waiting.extend(wanted);
        Ok(())
    }

    /// Whether the job has ended whose end this ends with, and all that was told of it was read; none
    /// where the book cannot be read.
    async fn is_over(&mut self) -> Option<bool> {
        let Ends::WithJob(job) = self.ends else { return Some(false) };
        let is_over = self.door.gather.get(job).is_some_and(|it| it.summary.status.is_over());
        if !is_over {
            return Some(false);
        }
        // It is known a moment before it is told.
        self.door.gather.settled().await;
        let last = self.door.book.last_event_of(&job.to_string()).ok()?;
        self.behind = last.is_some_and(|last| last.id > self.last);
        Some(!self.behind)
    }

    /// None once the token was taken back, or has expired.
    fn may_still_listen(&self) -> Option<()> {
        let token = self.door.book.token(&self.wish.caller.token.id).ok()??;
        token.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms()).then_some(())
    }

    /// The end of a job that is over, where the last that the book tells of it is none.
    fn end_that_nobody_kept(&self) -> Option<views::Event> {
        let Ends::WithJob(job) = self.ends else { return None };
        let known = self.door.gather.get(job)?;
        let last = self.door.book.last_event_of(&job.to_string()).ok()?;
        let is_told = last.is_some_and(|last| last.kind.is_end());
        (!is_told).then(|| end_of(&known, self.last))
    }
}

/// The end of a job, made of what is known of it.
fn end_of(known: &Known, id: u64) -> views::Event {
    let job = known.view();
    views::Event {
        id,
        kind: format!("job.{}", job.status),
        time: time(known.summary.ended_ms.unwrap_or(known.summary.ordered_ms)),
        job: Some(job.job),
        team: job.team,
        name: Some(job.name),
        status: Some(job.status),
        tiles_accepted: Some(job.tiles_accepted),
        tile_count: Some(job.tile_count),
        progress: Some(job.progress),
        spent: Some(job.spent),
        reason: job.reason,
    }
}

fn sent(event: &views::Event) -> Sent {
    let data = serde_json::to_string(event).unwrap_or_default();
    Sent::default().id(event.id.to_string()).event(&event.kind).data(data)
}
