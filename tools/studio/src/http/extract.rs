//! What is read of requests; what cannot be read is a problem.

use axum::Json;
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
            JsonRejection::JsonDataError(error) => Problem::new(Kind::Invalid, error.body_text()),
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
