//! Errors as RFC 9457 problems.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use client::DescriptionError;
use protocol::Tokens;
use protocol::chain;
use protocol::message::RefusedCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::views::Money;

/// What went wrong, as a program can tell and a person can read it (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Which problem it is: a URN that stays the same.
    #[serde(rename = "type")]
    #[schema(example = "urn:tessera:problem:not-found")]
    pub kind: String,
    /// The same for every problem of the type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened, with which value, and what to do.
    pub detail: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Seconds after which it may be asked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// What the type promises beside.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: Map<String, Value>,
}

/// The types, with their status and title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body or a parameter is not what it should be.
    BadRequest,
    /// There is no token, or it is none.
    Unauthorized,
    /// The token may not do this.
    Forbidden,
    /// There is no such thing here.
    NotFound,
    /// The address knows no such method.
    MethodNotAllowed,
    /// It stands in the way of what is there.
    Conflict,
    /// The file does not end where the bytes should go on.
    UploadOffset,
    /// Not all of a picture is accepted.
    NotComplete,
    /// A request with the same key is under way.
    UnderWay,
    /// The same key came with another body.
    KeyReused,
    /// The body is too long.
    TooLarge,
    /// The body is of another kind.
    UnsupportedMediaType,
    /// What is described cannot be.
    Invalid,
    /// A scene names files that are not here.
    MissingFiles,
    /// A scene was not imported.
    SceneRefused,
    /// The price is above the limit.
    MaxCostExceeded,
    /// The wallet holds less than the price.
    NotEnoughTokens,
    /// The team's budget is less than the price.
    BudgetExhausted,
    /// The token has its number of jobs.
    QuotaExhausted,
    /// The bytes asked for are not in the file.
    RangeNotSatisfiable,
    /// Too many requests.
    TooManyRequests,
    /// The token listens to too many streams.
    TooManyStreams,
    /// There are too many connections, or streams.
    DoorFull,
    /// The farm refused.
    FarmRefused,
    /// The farm is away, or takes no work.
    FarmAway,
    /// Our own fault.
    Internal,
}

impl Kind {
    const fn about(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::BadRequest => ("bad-request", StatusCode::BAD_REQUEST, "Not understood"),
            Self::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED, "A token is needed"),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "Not for this token"),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "Not here"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "No such method")
            }
            Self::Conflict => ("conflict", StatusCode::CONFLICT, "In the way"),
            Self::UploadOffset => ("upload-offset", StatusCode::CONFLICT, "Another offset"),
            Self::NotComplete => ("not-complete", StatusCode::CONFLICT, "Not complete yet"),
            Self::UnderWay => ("request-under-way", StatusCode::CONFLICT, "Under way"),
            Self::KeyReused => (
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The key belongs to another request",
            ),
            Self::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "Too large"),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Another kind of body is wanted",
            ),
            Self::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "Not usable"),
            Self::MissingFiles => {
                ("missing-files", StatusCode::UNPROCESSABLE_ENTITY, "Files are missing")
            }
            Self::SceneRefused => {
                ("scene-refused", StatusCode::UNPROCESSABLE_ENTITY, "The scene was not imported")
            }
            Self::MaxCostExceeded => (
                "max-cost-exceeded",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The price is above the limit",
            ),
            Self::NotEnoughTokens => {
                ("not-enough-tokens", StatusCode::PAYMENT_REQUIRED, "Not enough tokens")
            }
            Self::BudgetExhausted => {
                ("budget-exhausted", StatusCode::FORBIDDEN, "The team's budget is used up")
            }
            Self::QuotaExhausted => {
                ("quota-exhausted", StatusCode::FORBIDDEN, "The token has all its jobs")
            }
            Self::RangeNotSatisfiable => {
                ("range-not-satisfiable", StatusCode::RANGE_NOT_SATISFIABLE, "No such bytes")
            }
            Self::TooManyRequests => {
                ("too-many-requests", StatusCode::TOO_MANY_REQUESTS, "Too many requests")
            }
            Self::TooManyStreams => {
                ("too-many-streams", StatusCode::TOO_MANY_REQUESTS, "Too many streams")
            }
            Self::DoorFull => ("door-full", StatusCode::SERVICE_UNAVAILABLE, "The door is full"),
            Self::FarmRefused => {
                ("farm-refused", StatusCode::UNPROCESSABLE_ENTITY, "The farm refused")
            }
            Self::FarmAway => ("farm-away", StatusCode::SERVICE_UNAVAILABLE, "The farm is away"),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "The door failed"),
        }
    }

    const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::UnderWay
                | Self::NotComplete
                | Self::TooManyRequests
                | Self::TooManyStreams
                | Self::DoorFull
                | Self::FarmAway
        )
    }
}

impl Problem {
    /// A problem of this type, about this.
    pub fn new(kind: Kind, detail: impl ToString) -> Self {
        let (name, status, title) = kind.about();
        Self {
            kind: format!("urn:tessera:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
            retryable: kind.is_retryable(),
            retry_after_s: None,
            more: Map::new(),
        }
    }

    /// There is no such thing here, or not for this token.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} here that this token may see"))
    }

    /// The same with one thing more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The same, to be asked again after so many seconds.
    #[must_use]
    pub const fn after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The price is above what was allowed.
    pub fn too_dear(price: Tokens, max_cost: Tokens) -> Self {
        let detail = format!(
            "the price of {price} tokens is above max_cost, {max_cost}; nothing was ordered"
        );
        let price = serde_json::to_value(Money::from(price)).unwrap_or_default();
        Self::new(Kind::MaxCostExceeded, detail).with("price", price)
    }

    /// Our own fault; what happened goes to the log.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!("the door failed: {}", chain(error));
        Self::new(
            Kind::Internal,
            "this door failed, its log says how; it is no fault of the request",
        )
    }
}

impl From<client::Error> for Problem {
    fn from(error: client::Error) -> Self {
        if let Some(refused) = error.refusal() {
            let kind = match refused.code {
                RefusedCode::NotFound => Kind::NotFound,
                RefusedCode::NotEnoughTokens => Kind::NotEnoughTokens,
                RefusedCode::Busy | RefusedCode::Draining => Kind::FarmAway,
                RefusedCode::BadRequest | RefusedCode::BadScene => Kind::Invalid,
                _other => Kind::FarmRefused,
            };
            return Self::new(kind, &refused.message);
        }
        let has_no_answer = matches!(error, client::Error::Stopped | client::Error::Gone(_));
        if error.is_of_network() || has_no_answer {
            tracing::warn!("the farm is away: {}", error.words());
            let detail = "the farm's scheduler does not answer; ask again later";
            return Self::new(Kind::FarmAway, detail).after(5);
        }
        match error {
            client::Error::Film(fault) => Self::new(Kind::FarmRefused, chain(&fault)),
            other => Self::internal(&other),
        }
    }
}

impl From<DescriptionError> for Problem {
    fn from(error: DescriptionError) -> Self {
        Self::new(Kind::Invalid, &error).with("field", error.field)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use protocol::message::Refused;
    use transport::CallError;

    use super::*;

    #[test]
    fn a_problem_is_one_flat_object() {
        let problem = Problem::too_dear(Tokens::from_whole(6), Tokens::from_whole(5));
        let json = serde_json::to_value(&problem).expect("writes");
        assert_eq!(json["type"], "urn:tessera:problem:max-cost-exceeded");
        assert_eq!(json["status"], 422);
        assert_eq!(json["price"]["tokens"], "6.000000");
        assert_eq!(json["retryable"], false);
        assert!(json.get("retry_after_s").is_none() && json.get("more").is_none(), "{json}");
    }

    #[test]
    fn what_the_farm_refuses_keeps_its_words() {
        let refused = |code| {
            let message = "so it is".to_owned();
            Problem::from(client::Error::Call(CallError::Refused(Refused { code, message })))
        };
        let check = |code, status, retryable| {
            let problem = refused(code);
            assert_eq!((problem.status, problem.retryable), (status, retryable), "{code:?}");
            assert_eq!(problem.detail, "so it is");
        };
        check(RefusedCode::NotFound, 404, false);
        check(RefusedCode::NotEnoughTokens, 402, false);
        check(RefusedCode::BadScene, 422, false);
        check(RefusedCode::QuoteLapsed, 422, false);
        check(RefusedCode::Busy, 503, true);
        check(RefusedCode::Draining, 503, true);
        let (code, message) = (RefusedCode::Busy, "so it is".to_owned());
        let gone = client::Error::Gone(CallError::Refused(Refused { code, message }));
        let problem = Problem::from(gone);
        assert_eq!((problem.status, problem.retryable), (503, true), "busy all the time");
    }
}
