//! What is read of requests; what cannot be read is a problem.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// A body that is no file comes within this time.
pub const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Reads a body, which may not take longer than this: a line is kept open for it.
///
/// # Errors
/// It did not come.
pub async fn within<T>(limit: Duration, reading: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::time::timeout(limit, reading).await.map_err(|_elapsed| {
        let detail = format!("the body did not come within {} s", limit.as_secs());
        Problem::new(Kind::BadRequest, detail)
    })
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let reading = <Json<T> as FromRequest<S>>::from_request(request, state);
        let read = within(BODY_WITHIN, reading).await?;
        let Json(body) = read.map_err(|rejection: JsonRejection| match rejection {
            JsonRejection::JsonDataError(error) => misfit(&error.body_text()),
            JsonRejection::MissingJsonContentType(_) => {
                let detail = "the body must be JSON; send it as Content-Type: application/json";
                Problem::new(Kind::UnsupportedMediaType, detail)
            }
            JsonRejection::BytesRejection(error) => unread(&error),
            other => Problem::new(Kind::BadRequest, other.body_text()),
        })?;
        Ok(Self(body))
    }
}

/// A body whose bytes cannot be had.
fn unread(rejection: &BytesRejection) -> Problem {
    let is_long = rejection.status().as_u16() == 413;
    let kind = if is_long { Kind::TooLarge } else { Kind::BadRequest };
    Problem::new(kind, rejection.body_text())
}

/// A JSON body that may be left out, or be empty or null.
pub struct MaybeBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bare = Request::from_parts(parts.clone(), body);
        let reading = <Bytes as FromRequest<S>>::from_request(bare, state);
        let read = within(BODY_WITHIN, reading).await?;
        let bytes = read.map_err(|rejection: BytesRejection| unread(&rejection))?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self(T::default()));
        }
        let again = Request::from_parts(parts, axum::body::Body::from(bytes));
        let Body(body) = <Body<T> as FromRequest<S>>::from_request(again, state).await?;
        Ok(Self(body))
    }
}

/// JSON that is none of what is meant; the field at fault, where one is.
fn misfit(words: &str) -> Problem {
    const BEFORE: &str = "Failed to deserialize the JSON body into the target type: ";
    let words = words.strip_prefix(BEFORE).unwrap_or(words);
    // Where in the text it stands is of no use to whoever has written it by program.
    let words = words.rsplit_once(" at line ").map_or(words, |(words, _place)| words);
    let field = words.split_once(": ").map(|(field, _)| field);
    let is_path = |field: &&str| !field.contains([' ', '`', '"']) && *field != ".";
    let problem = Problem::new(Kind::Invalid, words);
    match field.filter(is_path) {
        Some(field) => problem.with("field", field),
        None => problem,
    }
}

/// Parameters behind the question mark.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::from_request_parts(parts, state).await;
        let Query(params) = read.map_err(|rejection: QueryRejection| {
            Problem::new(Kind::BadRequest, rejection.body_text())
        })?;
        Ok(Self(params))
    }
}

/// Parts of the path.
pub struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::from_request_parts(parts, state).await;
        let Path(segments) = read.map_err(|rejection: PathRejection| {
            Problem::new(Kind::NotFound, rejection.body_text())
        })?;
        Ok(Self(segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_may_be_left_out_is_so_in_every_way() {
        async fn read(body: axum::body::Body) -> Result<Vec<u32>, Problem> {
            let head = axum::http::Request::builder().header("content-type", "application/json");
            let request = head.body(body).expect("a request");
            let read = <MaybeBody<Vec<u32>> as FromRequest<()>>::from_request(request, &()).await;
            read.map(|MaybeBody(body)| body)
        }
        let chunks = n0_future::stream::empty::<Result<Bytes, std::convert::Infallible>>();
        assert_eq!(read(axum::body::Body::from_stream(chunks)).await, Ok(Vec::new()));
        for left_out in ["", "null", " null\n"] {
            assert_eq!(read(left_out.into()).await, Ok(Vec::new()), "{left_out:?}");
        }
        assert_eq!(read("[1]".into()).await, Ok(vec![1]));
        assert_eq!(read("{}".into()).await.map_err(|problem| problem.status), Err(422));
        assert_eq!(read("[".into()).await.map_err(|problem| problem.status), Err(400));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = std::future::pending::<()>();
        let refused = within(Duration::from_millis(1), never).await.expect_err("it never comes");
        assert_eq!(refused.status, 400);
        assert_eq!(within(Duration::from_secs(60), async { 1 }).await, Ok(1));
    }

    #[test]
    fn a_body_that_does_not_fit_is_refused_with_its_field() {
        let check = |words: &str, detail: &str, field: Option<&str>| {
            let before = "Failed to deserialize the JSON body into the target type: ";
            let problem = misfit(&format!("{before}{words}"));
            assert_eq!(problem.detail, detail);
            assert_eq!(problem.more.get("field").and_then(|it| it.as_str()), field);
        };
        check(
            "sizes: unknown field `sizes`, expected `size` at line 1 column 99",
            "sizes: unknown field `sizes`, expected `size`",
            Some("sizes"),
        );
        check(
            "frames.first: invalid type: string \"a\", expected u32 at line 2 column 3",
            "frames.first: invalid type: string \"a\", expected u32",
            Some("frames.first"),
        );
        check("missing field `scene` at line 1 column 2", "missing field `scene`", None);
    }
}
