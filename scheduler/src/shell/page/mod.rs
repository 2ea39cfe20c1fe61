//! What the operator sees in a browser: the farm, its jobs with their pictures as they grow, and the
//! metrics for machines. It only shows; nothing can be changed here.
//!
//! Pages are whole without scripts; a short one replaces what has changed every other second.

mod farm;
mod job;
mod layout;
mod metrics;
mod mosaic;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::Markup;
use protocol::{JobId, ShotIndex};
use tokio::net::TcpListener;

use super::by_hash::ByHash;
use super::desk::{DeskHandle, Stopped};
use super::queue::Queue;
use super::verifier::Meter;
use crate::core::{Check, State};

/// What the pages read.
pub(super) struct Page {
    desk: DeskHandle,
    films: Arc<ByHash>,
    checks: Arc<Queue<Check>>,
    meter: Arc<Meter>,
    mosaics: Mutex<mosaic::Mosaics>,
}

impl Page {
    pub(super) fn new(
        desk: DeskHandle,
        films: Arc<ByHash>,
        checks: Arc<Queue<Check>>,
        meter: Arc<Meter>,
    ) -> Self {
        Self { desk, films, checks, meter, mosaics: Mutex::default() }
    }

    async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&State, u64) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        self.desk
            .ask(move |desk| {
                let now_ms = desk.now_ms();
                read(desk.state(), now_ms)
            })
            .await
    }
}

/// Takes the address of the page.
pub(super) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "whoever can connect to the status page sees every job and its picture");
    }
    TcpListener::bind(address).await.with_context(|| {
        format!("the status page cannot listen on {address}; choose another address")
    })
}

/// Serves the page for ever; waits for ever where there is none.
pub(super) async fn serve(listener: Option<TcpListener>, page: Arc<Page>) {
    let Some(listener) = listener else { return std::future::pending().await };
    let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let mut router = router(page);
    if is_local {
        router = router.layer(from_fn(only_by_its_own_name));
    }
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the status page: {error}");
    }
}

fn router(page: Arc<Page>) -> Router {
    Router::new()
        .route("/", get(show_farm))
        .route("/jobs/{job}", get(show_job))
        .route("/jobs/{job}/{shot}", get(show_shot))
        .route("/jobs/{job}/{shot}/mosaic.png", get(show_mosaic))
        .route("/metrics", get(show_metrics))
        .route("/health", get(show_health))
        .route("/icon.svg", get(|| async { typed("image/svg+xml", include_str!("icon.svg")) }))
        .route(
            "/page.css",
            get(|| async { typed("text/css; charset=utf-8", include_str!("page.css")) }),
        )
        .route(
            "/page.js",
            get(|| async { typed("text/javascript; charset=utf-8", include_str!("page.js")) }),
        )
        .fallback(|| async { Problem::NotFound("there is no such page".to_owned()) })
        .layer(map_response(closed))
        .with_state(page)
}

/// What a browser may do with a page: show it, and ask the same server for more.
async fn closed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page of this machine alone is not for other sites' scripts, whose names may be made to mean this
/// machine (DNS rebinding): the name in the request must be this machine's.
async fn only_by_its_own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host {
        Some(host) if is_this_machine(host) => next.run(request).await,
        _ => Problem::Misdirected.into_response(),
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<SocketAddr>().map(|address| address.ip());
    let address = address.or_else(|_no_port| host.trim_matches(['[', ']']).parse::<IpAddr>());
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Why a page is not there.
enum Problem {
    NotFound(String),
    Misdirected,
    Stopping,
    Failed,
}

impl From<Stopped> for Problem {
    fn from(_stopped: Stopped) -> Self {
        Self::Stopping
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotFound(message) => (StatusCode::NOT_FOUND, message),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "ask for this page as localhost or by this machine's own address".to_owned(),
            ),
            Self::Stopping => {
                (StatusCode::SERVICE_UNAVAILABLE, "the scheduler is stopping".to_owned())
            }
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page was not made; the scheduler's log says why".to_owned(),
            ),
        };
        (status, message).into_response()
    }
}

async fn show_farm(Shared(page): Shared<Arc<Page>>) -> Result<Response, Problem> {
    let line = page.checks.line();
    Ok(html(page.read(move |state, now_ms| farm::page(state, line, now_ms)).await?))
}

async fn show_job(shared: Shared<Arc<Page>>, Path(job): Path<String>) -> Result<Response, Problem> {
    show_shot(shared, Path((job, 0))).await
}

async fn show_shot(
    Shared(page): Shared<Arc<Page>>,
    Path((job, shot)): Path<(String, u32)>,
) -> Result<Response, Problem> {
    let (id, shot) = (job_id(&job)?, ShotIndex(shot));
    let shown = page.read(move |state, now_ms| job::page(state, id, shot, now_ms)).await?;
    shown.map(html).ok_or_else(|| no_such_shot(id, shot))
}

async fn show_mosaic(
    Shared(page): Shared<Arc<Page>>,
    Path((job, shot)): Path<(String, u32)>,
) -> Result<Response, Problem> {
    let (id, shot) = (job_id(&job)?, ShotIndex(shot));
    let wanted = page.read(move |state, _| mosaic::wanted(&state.book, id, shot)).await?;
    let wanted = wanted.ok_or_else(|| no_such_shot(id, shot))?;
    let drawn = tokio::task::spawn_blocking(move || {
        let mut mosaics = page.mosaics.lock().unwrap_or_else(PoisonError::into_inner);
        mosaics.png(&wanted, |root| page.films.read(root))
    });
    let png = drawn.await.map_err(|error| failed("a mosaic was not drawn", &error))?;
    let png = png.map_err(|error| failed("a mosaic was not drawn", &*error))?;
    Ok(typed("image/png", png))
}

async fn show_metrics(Shared(page): Shared<Arc<Page>>) -> Result<Response, Problem> {
    let gathered = page.read(|state, _| metrics::gather(state)).await?;
    let text = metrics::text(&gathered, page.checks.line(), &page.meter);
    let text = text.map_err(|error| failed("the metrics were not written", &error))?;
    Ok(typed("application/openmetrics-text; version=1.0.0; charset=utf-8", text))
}

async fn show_health(Shared(page): Shared<Arc<Page>>) -> Result<&'static str, Problem> {
    page.read(|_, _| "the scheduler answers\n").await.map_err(Problem::from)
}

fn failed(what: &str, error: &dyn std::error::Error) -> Problem {
    tracing::error!("{what}: {}", super::door::chain(error));
    Problem::Failed
}

fn job_id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|error| Problem::NotFound(format!("{text:?} is no job: {error}")))
}

fn no_such_shot(job: JobId, shot: ShotIndex) -> Problem {
    Problem::NotFound(format!("there is no shot {} of {job} here", shot.0))
}

fn html(markup: Markup) -> Response {
    typed("text/html; charset=utf-8", markup.into_string())
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let mut response = body.into_response();
    response.headers_mut().extend(headers);
    response
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1:7780", "[::1]:7780", "::1", "127.8.9.1"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "farm.example", "farm.example:7780", "10.0.0.1", "127.0.0.1.example:80"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
