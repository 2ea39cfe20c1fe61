//! HTTP: what is asked, by whom, and what is answered. `api` writes the description of all of it.

mod about;
mod auth;
mod blocks;
mod events;
mod extract;
mod files;
mod frames;
mod jobs;
mod lines;
mod log;
mod money;
mod paging;
mod pictures;
mod scenes;
mod steering;
mod teams;
mod tokens;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Content, OpenApi, Ref, RefOr, ResponseBuilder, Schema, SecurityRequirement,
    path::{HttpMethod, Operation, ParameterIn},
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use lines::{Bounds, Caller as LineOf, Lobby};
pub use teams::keep_to_budgets;

use crate::door::Door;
use crate::problem::{Kind, Problem};

/// Bytes of a body that is no file: as many as a scene of very many files needs.
const BODY_BYTES_MAX: usize = 16 << 20;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tessera",
        description = "A studio's own door to a Tessera farm: scenes, prices, jobs, pictures, events. docs/api.md tells what holds everywhere.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem)),
    security(("token" = []))
)]
struct Description;

fn routes() -> OpenApiRouter<Arc<Door>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(about::get_about))
        .routes(routes!(about::get_health))
        .routes(routes!(files::get_file, files::put_file))
        .routes(routes!(scenes::list_scenes, scenes::make_scene))
        .routes(routes!(scenes::get_scene, scenes::forget_scene))
        .routes(routes!(jobs::make_quote))
        .routes(routes!(jobs::list_jobs, jobs::order_job))
        .routes(routes!(jobs::get_job))
        .routes(routes!(steering::pause_job))
        .routes(routes!(steering::resume_job))
        .routes(routes!(steering::stop_job))
        .routes(routes!(steering::cancel_job))
        .routes(routes!(steering::retry_job))
        .routes(routes!(steering::first_of_job))
        .routes(routes!(steering::prefer_job))
        .routes(routes!(frames::list_frames))
        .routes(routes!(frames::list_tiles))
        .routes(routes!(pictures::frame_exr))
        .routes(routes!(pictures::frame_png))
        .routes(routes!(pictures::frame_receipt))
        .routes(routes!(pictures::job_exr))
        .routes(routes!(pictures::job_png))
        .routes(routes!(log::job_log))
        .routes(routes!(events::all_events))
        .routes(routes!(events::job_events))
        .routes(routes!(money::get_wallet))
        .routes(routes!(money::get_statement))
        .routes(routes!(money::get_farm))
        .routes(routes!(money::list_nodes))
        .routes(routes!(blocks::list_blocks))
        .routes(routes!(blocks::block_node, blocks::unblock_node))
        .routes(routes!(tokens::who_am_i))
        .routes(routes!(tokens::list_tokens, tokens::make_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(teams::list_teams))
        .routes(routes!(teams::get_team, teams::put_team, teams::remove_team))
        .routes(routes!(webhooks::list_webhooks, webhooks::add_webhook))
        .routes(routes!(webhooks::get_webhook, webhooks::remove_webhook))
        .routes(routes!(webhooks::list_deliveries))
        .routes(routes!(webhooks::test_webhook))
}

/// The description of all that is spoken here, OpenAPI 3.1.
#[must_use]
pub fn api() -> OpenApi {
    let (_, mut api) = routes().split_for_parts();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    for (path, item) in &mut api.paths.paths {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                add_problems(path, &method, operation);
            }
        }
    }
    api
}

/// What is read of the farm, which may refuse.
const OF_FARM: [&str; 5] =
    ["/v1/farm", "/v1/nodes", "/v1/blocks", "/v1/wallet", "/v1/wallet/statement"];

/// Problems that an operation may answer with.
fn add_problems(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let open: Vec<SecurityRequirement> = vec![SecurityRequirement::default()];
    let is_open = operation.security.as_ref() == Some(&open);
    // A door of one machine forbids requests in any other's name, also where no token is needed.
    let mut kinds =
        vec![Kind::BadRequest, Kind::Forbidden, Kind::Internal, Kind::FarmAway, Kind::DoorFull];
    if !is_open {
        kinds.extend([Kind::Unauthorized, Kind::TooManyRequests]);
    }
    if path.contains('{') || ["/v1/jobs", "/v1/quotes", "/v1/events"].contains(&path) {
        kinds.push(Kind::NotFound);
    }
    if matches!(method, HttpMethod::Get) && OF_FARM.contains(&path) {
        kinds.push(Kind::FarmRefused);
    }
    if path.ends_with("/events") {
        kinds.push(Kind::TooManyStreams);
    }
    if path.contains("/image.") {
        kinds.push(Kind::RangeNotSatisfiable);
    }
    if path.contains("/image.") || !matches!(method, HttpMethod::Get) {
        kinds.push(Kind::Conflict);
    }
    if operation.request_body.is_some() {
        kinds.extend([Kind::TooLarge, Kind::UnsupportedMediaType]);
    }
    if path.contains('{') || !matches!(method, HttpMethod::Get) {
        kinds.push(Kind::Invalid);
    }
    if path == "/v1/jobs" && matches!(method, HttpMethod::Post) {
        kinds.push(Kind::NotEnoughTokens);
    }
    for kind in kinds {
        let Problem { title, status, .. } = Problem::new(kind, "");
        let responses = &mut operation.responses.responses;
        // Several have the same status.
        let title = match responses.get(&status.to_string()) {
            Some(RefOr::T(before)) => format!("{}, or: {title}", before.description),
            _none => title,
        };
        let schema: RefOr<Schema> = RefOr::Ref(Ref::from_schema_name("Problem"));
        let response = ResponseBuilder::new()
            .description(title)
            .content("application/problem+json", Content::new(Some(schema)))
            .build();
        responses.insert(status.to_string(), RefOr::T(response));
    }
}

/// All of it, for requests to this address.
pub fn router(door: Arc<Door>, at: SocketAddr) -> Router {
    let (router, _) = routes().split_for_parts();
    let description = serde_json::to_string_pretty(&api()).unwrap_or_default();
    let described =
        move || async move { ([(header::CONTENT_TYPE, "application/json")], description) };
    let router = router
        .route("/v1/openapi.json", get(described))
        .fallback(|| async { Problem::not_found("such page") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Kind::MethodNotAllowed, "this address knows no such method")
        })
        .layer(from_fn_with_state(known_parameters(), only_known_parameters))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(plain))
        .with_state(door);
    let router = match at.ip().is_loopback() {
        true => router.layer(from_fn(only_by_its_own_name)),
        false => router,
    };
    router.layer(from_fn(lines::only_seated))
}

/// Names of parameters, by method and path.
type Known = Arc<BTreeMap<(String, String), BTreeSet<String>>>;

/// The parameters that the description names.
fn known_parameters() -> Known {
    let mut known = BTreeMap::new();
    for (path, item) in api().paths.paths {
        let operations =
            [("GET", item.get), ("PUT", item.put), ("POST", item.post), ("DELETE", item.delete)];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let parameters = operation.parameters.unwrap_or_default().into_iter();
            let names = parameters.filter_map(|it| match it {
                RefOr::T(it) if matches!(it.parameter_in, ParameterIn::Query) => Some(it.name),
                _other => None,
            });
            known.insert((method.to_owned(), path.clone()), names.collect());
        }
    }
    Arc::new(known)
}

/// What is misspelt is refused, and not left out: an order that was meant to be dry would be paid.
async fn only_known_parameters(
    State(known): State<Known>,
    request: Request,
    next: Next,
) -> Response {
    let method = match request.method().as_str() {
        "HEAD" => "GET",
        method => method,
    };
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let names = path.and_then(|path| known.get(&(method.to_owned(), path)));
    let unknown = names.and_then(|names| {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        let asked = pairs.filter_map(|pair| pair.split('=').next()).filter(|it| !it.is_empty());
        asked.map(str::to_owned).find(|name| !names.contains(name))
    });
    match unknown {
        Some(name) => {
            let detail = format!("there is no parameter {name:?} here; leave it out");
            Problem::new(Kind::BadRequest, detail).into_response()
        }
        None => next.run(request).await,
    }
}

/// Nothing here is for a browser to guess about, or to keep.
async fn plain(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

/// A door of this machine alone is not for other sites' scripts, whose names may be made to mean this
/// machine (DNS rebinding): the name in the request must be this machine's.
async fn only_by_its_own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host {
        Some(host) if is_this_machine(host) => next.run(request).await,
        _ => {
            let detail = "this door serves this machine alone; ask it as localhost";
            Problem::new(Kind::Forbidden, detail).into_response()
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<SocketAddr>().map(|address| address.ip());
    let address = address.or_else(|_no_port| host.trim_matches(['[', ']']).parse::<IpAddr>());
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_OPENAPI=1` writes it anew.
    #[test]
    fn the_description_in_the_repository_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let is = serde_json::to_string_pretty(&api()).expect("writes") + "\n";
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &is).expect("the repository is writable");
        }
        let was = std::fs::read_to_string(path).unwrap_or_default();
        assert!(is == was, "openapi.json is old; write it anew with UPDATE_OPENAPI=1");
    }

    #[test]
    fn every_operation_says_what_it_does_and_which_problems_it_has() {
        let api = api();
        let mut count = 0;
        for (path, item) in &api.paths.paths {
            for operation in [&item.get, &item.put, &item.post, &item.delete].into_iter().flatten()
            {
                count += 1;
                assert!(operation.summary.is_some(), "{path} says what it does");
                let has = |status: &str| operation.responses.responses.contains_key(status);
                assert!(["400", "403", "500", "503"].into_iter().all(has), "{path}");
                assert!(["200", "201", "204"].into_iter().any(has), "{path}");
                let says = |status: &str, title: &str| {
                    matches!(&operation.responses.responses[status],
                        RefOr::T(it) if it.description.contains(title))
                };
                assert!(
                    says("503", "The farm is away") && says("503", "The door is full"),
                    "{path}"
                );
                assert!(!path.ends_with("/events") || says("429", "Too many streams"), "{path}");
                assert!(!path.ends_with("/events") || has("404"), "{path}: of a job");
                assert!(!OF_FARM.contains(&path.as_str()) || says("422", "refused"), "{path}");
            }
        }
        assert_eq!(count, 50);
    }
}
