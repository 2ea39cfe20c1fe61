//! What is read of requests; what cannot be read is a problem.

use axum::Json;
use axum::body::HttpBody as _;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Json::from_request(request, state).await;
        let Json(body) = read.map_err(|rejection: JsonRejection| match rejection {
            JsonRejection::JsonDataError(error) => misfit(&error.body_text()),
            JsonRejection::MissingJsonContentType(_) => {
                let detail = "the body must be JSON; send it as Content-Type: application/json";
                Problem::new(Kind::UnsupportedMediaType, detail)
            }
            JsonRejection::BytesRejection(error) if error.status().as_u16() == 413 => {
                Problem::new(Kind::TooLarge, error.body_text())
            }
            other => Problem::new(Kind::BadRequest, other.body_text()),
        })?;
        Ok(Self(body))
    }
}

/// A JSON body that may be left out.
pub struct MaybeBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Body::from_request(request, state).await.map(|Body(body)| Self(body))
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
