//! Prices, orders, and the list of jobs.

use std::sync::Arc;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use client::Description;
use protocol::JobId;
use protocol::view::JobStatus;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::auth::{Caller, Submitter};
use super::extract::{BODY_WITHIN, Body, Params, Segments, within};
use super::paging::{after_job, job_place, rows};
use crate::book::{Answer, Begun, Book, BookError, Desk};
use crate::door::Door;
use crate::gates::Toll;
use crate::gather::Known;
use crate::orders::Failure;
use crate::problem::{Kind, Problem};
use crate::views::{Job, Page, Quote, now_ms, time_ms};

/// Bytes of an order, at most.
const ORDER_BYTES_MAX: usize = 1 << 20;

/// A job that the caller may see.
///
/// # Errors
/// Not found.
pub fn seen(door: &Door, caller: &Caller, job: &str) -> Result<Known, Problem> {
    let known = job.parse::<JobId>().ok().and_then(|id| door.gather.get(id));
    known.filter(|it| caller.sees(it)).ok_or_else(|| Problem::not_found(format!("job {job:?}")))
}

/// What a job costs at most
#[utoipa::path(
    post, path = "/v1/quotes", tag = "jobs",
    request_body = Description,
    responses((status = 201, description = "A firm price; what is not used of it returns", body = Quote))
)]
pub async fn make_quote(
    State(door): State<Arc<Door>>,
    Submitter(caller): Submitter,
    Body(job): Body<Description>,
) -> Result<(StatusCode, Json<Quote>), Problem> {
    let _turn = caller.pays(&door, Toll::Quote).await?;
    let (_, quote) = door.orders.quote(&job).await?;
    Ok((StatusCode::CREATED, Json(Quote::from(&quote))))
}

/// Order a job within its `max_cost`
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs",
    params(("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters: the same key with the same body is the same order, for 24 hours")),
    request_body = Description,
    responses((status = 201, description = "The job", body = Job))
)]
pub async fn order_job(
    State(door): State<Arc<Door>>,
    Submitter(caller): Submitter,
    request: Request,
) -> Result<Response, Problem> {
    let key = idempotency_key(&request)?;
    let (parts, body) = request.into_parts();
    let read = within(BODY_WITHIN, to_bytes(body, ORDER_BYTES_MAX)).await?;
    let bytes = read.map_err(|_long| {
        Problem::new(Kind::TooLarge, format!("an order has at most {ORDER_BYTES_MAX} bytes"))
    })?;
    let fingerprint = *blake3::hash(&bytes).as_bytes();
    let again = Request::from_parts(parts, axum::body::Body::from(bytes));
    let Body(job) =
        <Body<Description> as axum::extract::FromRequest<()>>::from_request(again, &()).await?;
    // What was answered before asks the farm nothing, and costs no more than any request.
    let name = (caller.token.id.clone(), key.clone());
    let look = move |book: &Book| book.look(&name.0, &name.1, fingerprint, now_ms());
    let before = door.book.with(look).await.map_err(|error| Problem::internal(&error))?;
    if let Some(answer) = without_order(&before) {
        return answer;
    }
    // Before anything is noted: who is turned away has begun nothing.
    let turn = caller.pays(&door, Toll::Quote).await?;
    // What is begun is finished, also when whoever asked has hung up.
    let done = tokio::spawn(async move {
        let _turn = turn;
        order_once(&door, &caller, &key, fingerprint, &job).await
    });
    done.await.map_err(|error| Problem::internal(&error))?
}

fn idempotency_key(request: &Request) -> Result<String, Problem> {
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok());
    let is_fit = |key: &&str| {
        (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    key.filter(is_fit).map(str::to_owned).ok_or_else(|| {
        let detail = "an order needs Idempotency-Key, 1 to 255 visible ASCII characters; send the same one again if no answer comes";
        Problem::new(Kind::BadRequest, detail)
    })
}

async fn order_once(
    door: &Door,
    caller: &Caller,
    key: &str,
    fingerprint: [u8; 32],
    job: &Description,
) -> Result<Response, Problem> {
    let token = &caller.token;
    let name = (token.id.clone(), key.to_owned());
    let begun = {
        let (token, key) = name.clone();
        door.book.with(move |book| book.begin(&token, &key, fingerprint, now_ms())).await
    };
    let begun = begun.map_err(|error| Problem::internal(&error))?;
    if let Some(answer) = without_order(&begun) {
        return answer;
    }
    let note = match begun {
        Begun::Interrupted { note } => note,
        _fresh => None,
    };
    let under_way = UnderWay { book: door.book.clone(), name: Some(name) };
    let again = match note {
        Some(note) => door.orders.give_again(&note, token).await,
        None => Ok(None),
    };
    let known = match again {
        Ok(None) => door.orders.order(job, token, key).await,
        Ok(Some(known)) => Ok(known),
        Err(failure) => Err(failure),
    };
    match known {
        Ok(known) => {
            let view = known.view();
            let answer = Answer {
                status: StatusCode::CREATED.as_u16(),
                body: serde_json::to_vec(&view).map_err(|error| Problem::internal(&error))?,
                location: Some(format!("/v1/jobs/{}", view.job)),
            };
            let kept = answer.clone();
            under_way.end(move |book, token, key| book.finish(token, key, &kept)).await?;
            Ok(respond(answer))
        }
        Err(Failure { problem, may_be_taken, .. }) => {
            let end = move |book: &Book, token: &str, key: &str| {
                if !may_be_taken {
                    return book.forget(token, key);
                }
                // What was noted stays: the same request goes on with it.
                book.let_go(token, key);
                Ok(())
            };
            under_way.end(end).await?;
            Err(*problem)
        }
    }
}

/// What is answered where nothing is to be ordered; nothing where it is.
fn without_order(begun: &Begun) -> Option<Result<Response, Problem>> {
    match begun {
        Begun::Again(answer) => Some(Ok(replay(answer.clone()))),
        Begun::OtherBody => {
            let detail = "this Idempotency-Key came with another body before; use a new one";
            Some(Err(Problem::new(Kind::KeyReused, detail)))
        }
        Begun::UnderWay => {
            let detail = "the order of this Idempotency-Key is under way; ask again with it";
            Some(Err(Problem::new(Kind::UnderWay, detail).after(1)))
        }
        Begun::Interrupted { .. } | Begun::Fresh => None,
    }
}

/// A token and its key whose order is under way; where this is dropped before its end, as by a panic,
/// it may be sent again.
struct UnderWay {
    book: Desk,
    name: Option<(String, String)>,
}

impl UnderWay {
    async fn end(
        mut self,
        end: impl FnOnce(&Book, &str, &str) -> Result<(), BookError> + Send + 'static,
    ) -> Result<(), Problem> {
        if let Some((token, key)) = self.name.clone() {
            let ended = self.book.with(move |book| end(book, &token, &key)).await;
            ended.map_err(|error| Problem::internal(&error))?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Without a runtime the process ends, and with it what it has under way.
        if let (Some((token, key)), Ok(runtime)) = (self.name.take(), Handle::try_current()) {
            let book = self.book.clone();
            runtime.spawn(async move { book.with(move |book| book.let_go(&token, &key)).await });
        }
    }
}

fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) = answer.location.and_then(|at| HeaderValue::from_str(&at).ok()) {
        headers.insert(header::LOCATION, location);
    }
    response
}

fn replay(answer: Answer) -> Response {
    let mut response = respond(answer);
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

/// Which jobs.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Jobs that stand so; several with commas: `waiting`, `rendering`, `paused`, `done`, `stopped`,
    /// `failed`, `cancelled`.
    status: Option<String>,
    /// Jobs whose name holds this text, in any case.
    name: Option<String>,
    /// Jobs of this team.
    team: Option<String>,
    /// Jobs ordered at this time or later, RFC 3339.
    since: Option<String>,
    /// Jobs ordered before this time, RFC 3339.
    until: Option<String>,
    /// Where it begins: the `next_cursor` of the part before.
    cursor: Option<String>,
    /// Rows, at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Jobs, newest first
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", params(Wanted),
    responses((status = 200, description = "Jobs", body = Page<Job>))
)]
pub async fn list_jobs(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Page<Job>>, Problem> {
    let statuses = wanted.status.as_deref().map(statuses).transpose()?;
    let name = wanted.name.map(|name| name.to_lowercase());
    let since = wanted.since.as_deref().map(|text| moment("since", text)).transpose()?;
    let until = wanted.until.as_deref().map(|text| moment("until", text)).transpose()?;
    let after = wanted.cursor.as_deref().map(job_place).transpose()?;
    let is_wanted = |known: &Known| {
        let job = &known.summary;
        caller.sees(known)
            && statuses.as_ref().is_none_or(|all| all.contains(&job.status))
            && name.as_ref().is_none_or(|name| job.spec.name.to_lowercase().contains(name))
            && wanted.team.as_ref().is_none_or(|team| known.team.as_ref() == Some(team))
            && since.is_none_or(|since| job.ordered_ms >= since)
            && until.is_none_or(|until| job.ordered_ms < until)
    };
    let limit = rows(wanted.limit)?;
    let _turn = caller.pays(&door, Toll::List).await?;
    let (jobs, next) = door.gather.list(after, limit, is_wanted);
    let items = jobs.iter().map(Known::view).collect();
    Ok(Json(Page { items, next_cursor: next.map(after_job) }))
}

fn statuses(words: &str) -> Result<Vec<JobStatus>, Problem> {
    let status = |word: &str| {
        JobStatus::ALL.into_iter().find(|status| status.word() == word.trim()).ok_or_else(|| {
            let all = JobStatus::ALL.map(JobStatus::word).join(", ");
            Problem::new(Kind::BadRequest, format!("status: {word:?} is none of {all}"))
        })
    };
    words.split(',').map(status).collect()
}

fn moment(name: &str, text: &str) -> Result<u64, Problem> {
    time_ms(text).ok_or_else(|| {
        let detail = format!("{name}: {text:?} is no time; write it as 2026-12-01T08:00:00Z");
        Problem::new(Kind::BadRequest, detail)
    })
}

/// A job
#[utoipa::path(
    get, path = "/v1/jobs/{job}", tag = "jobs",
    params(("job" = String, Path, description = "Its id, job_…")),
    responses((status = 200, description = "The job", body = Job))
)]
pub async fn get_job(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
) -> Result<Json<Job>, Problem> {
    seen(&door, &caller, &job).map(|known| Json(known.view()))
}
