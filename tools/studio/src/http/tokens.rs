//! Tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::auth::{Caller, Owner};
use super::extract::{Body, Params, Segments};
use super::paging::{Part, page};
use crate::book::{self, AddTokenError, Book, NewToken, Role};
use crate::door::Door;
use crate::gates::Toll;
use crate::problem::{Kind, Problem};
use crate::views::{Page, now_ms, time, time_ms};

/// A token, without what proves that one holds it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Token {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// `viewer`, `submitter` or `owner`.
    role: String,
    /// The team whose jobs it sees; all jobs without one.
    team: Option<String>,
    /// When it was made.
    created: String,
    /// From when on it is refused.
    expires: Option<String>,
    /// Unfinished jobs that it may have.
    jobs_max: Option<u32>,
}

impl From<&book::Token> for Token {
    fn from(token: &book::Token) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            role: token.role.to_string(),
            team: token.team.clone(),
            created: time(token.created_ms),
            expires: token.expires_ms.map(time),
            jobs_max: token.jobs_max,
        }
    }
}

/// A token to be made.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedToken {
    /// 1 to 64 characters.
    name: String,
    /// `viewer`, `submitter` or `owner`.
    role: String,
    /// A team that exists.
    #[serde(default)]
    team: Option<String>,
    /// From when on it is refused, RFC 3339.
    #[serde(default)]
    expires: Option<String>,
    /// Unfinished jobs that it may have.
    #[serde(default)]
    jobs_max: Option<u32>,
}

/// A new token.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MadeToken {
    #[serde(flatten)]
    token: Token,
    /// What proves that one holds it: shown here, and never again.
    secret: String,
}

/// The token that asks
#[utoipa::path(
    get, path = "/v1/whoami", tag = "people",
    responses((status = 200, description = "The token", body = Token))
)]
pub async fn who_am_i(caller: Caller) -> Json<Token> {
    Json(Token::from(&caller.token))
}

/// Tokens, oldest first
#[utoipa::path(
    get, path = "/v1/tokens", tag = "people", params(Part),
    responses((status = 200, description = "Tokens", body = Page<Token>))
)]
pub async fn list_tokens(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<Json<Page<Token>>, Problem> {
    caller.at_least(Role::Owner)?;
    let _turn = caller.pays(&door, Toll::List).await?;
    let tokens = door.book.with(Book::tokens).await.map_err(|error| Problem::internal(&error))?;
    let rows = tokens.iter().map(|it| ((it.created_ms, it.id.clone()), Token::from(it)));
    page(rows.collect(), &part).map(Json)
}

/// Make a token
#[utoipa::path(
    post, path = "/v1/tokens", tag = "people", request_body = WantedToken,
    responses((status = 201, description = "The token and its secret", body = MadeToken))
)]
pub async fn make_token(
    State(door): State<Arc<Door>>,
    _owner: Owner,
    Body(wanted): Body<WantedToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let invalid = |field: &str, error: String| {
        Problem::new(Kind::Invalid, format!("{field}: {error}")).with("field", field)
    };
    let role = wanted.role.parse::<Role>();
    let role = role.map_err(|error| invalid("role", error.to_string()))?;
    let expires_ms = match wanted.expires.as_deref() {
        None => None,
        Some(text) => Some(time_ms(text).ok_or_else(|| {
            invalid("expires", format!("{text:?} is no time; write it as 2026-12-01T08:00:00Z"))
        })?),
    };
    let (name, team, jobs_max) = (wanted.name, wanted.team, wanted.jobs_max);
    let new = NewToken { name, role, team, expires_ms, jobs_max };
    let made = door.book.with(move |book| book.add_token(new, now_ms()));
    let (token, secret) = made.await.map_err(|error| match error {
        AddTokenError::Book(error) => Problem::internal(&error),
        refused => Problem::new(Kind::Invalid, refused),
    })?;
    let (token, secret) = (Token::from(&token), secret.as_str().to_owned());
    Ok((StatusCode::CREATED, Json(MadeToken { token, secret })))
}

/// Take a token back
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", tag = "people",
    params(("id" = String, Path, description = "Its id, tok_…")),
    responses((status = 204, description = "It opens nothing any more"))
)]
pub async fn revoke_token(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.at_least(Role::Owner)?;
    let unknown = Problem::not_found(format!("token {id:?}"));
    let revoked = door.book.with(move |book| book.revoke(&id)).await;
    let revoked = revoked.map_err(|error| Problem::internal(&error))?;
    revoked.map(|_token| StatusCode::NO_CONTENT).ok_or(unknown)
}
