//! Files of scenes.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::auth::Caller;
use super::extract::Segments;
use crate::book::Role;
use crate::door::Door;
use crate::files::{FileHash, PutError};
use crate::problem::{Kind, Problem};
use crate::views::FileState;

fn hash(text: &str) -> Result<FileHash, Problem> {
    text.parse().map_err(|error| Problem::new(Kind::Invalid, error))
}

/// How far a file has come
#[utoipa::path(
    get, path = "/v1/files/{sha256}", tag = "scenes",
    params(("sha256" = String, Path, description = "SHA-256 of the file's bytes, 64 hexadecimal digits")),
    responses((status = 200, description = "How far it has come", body = FileState))
)]
pub async fn get_file(
    State(door): State<Arc<Door>>,
    _caller: Caller,
    Segments(sha256): Segments<String>,
) -> Result<Json<FileState>, Problem> {
    let state = door.files.state(hash(&sha256)?);
    state.map(Json).ok_or_else(|| Problem::not_found("byte of such a file"))
}

/// Send a file, or go on sending it
#[utoipa::path(
    put, path = "/v1/files/{sha256}", tag = "scenes",
    params(
        ("sha256" = String, Path, description = "SHA-256 of the file's bytes, 64 hexadecimal digits"),
        ("Upload-Offset" = Option<u64>, Header, description = "Where in the file the body begins, bytes; 0 without it"),
        ("Upload-Length" = Option<u64>, Header, description = "The whole file's size, bytes; the body's end without it"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "Bytes of the file"),
    responses(
        (status = 200, description = "It was here already", body = FileState),
        (status = 201, description = "It is whole, and its hash is right", body = FileState),
        (status = 202, description = "More is wanted", body = FileState),
    )
)]
pub async fn put_file(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(sha256): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<FileState>), Problem> {
    caller.at_least(Role::Submitter)?;
    let hash = hash(&sha256)?;
    let offset = number(&headers, "upload-offset")?.unwrap_or(0);
    let content = number(&headers, "content-length")?;
    let size = number(&headers, "upload-length")?;
    let size = size.or_else(|| offset.checked_add(content?)).ok_or_else(|| {
        let detail = "the file's size is not known; give Upload-Length, or Content-Length";
        Problem::new(Kind::BadRequest, detail)
    })?;
    if door.files.has(hash) {
        let state = door.files.state(hash).ok_or_else(|| Problem::not_found("such file"))?;
        return Ok((StatusCode::OK, Json(state)));
    }
    let state = door.files.put(hash, offset, size, body).await?;
    let status = if state.complete { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    Ok((status, Json(state)))
}

fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| {
        Problem::new(Kind::BadRequest, format!("{name}: it must be a number of bytes"))
    })
}

impl From<PutError> for Problem {
    fn from(error: PutError) -> Self {
        match &error {
            PutError::Offset { received_bytes } | PutError::Lost { received_bytes } => {
                Self::new(Kind::UploadOffset, &error).with("received_bytes", *received_bytes)
            }
            PutError::TooLarge(_) => Self::new(Kind::TooLarge, &error),
            PutError::UnderWay => Self::new(Kind::UnderWay, &error).after(1),
            PutError::OtherSize { .. } => Self::new(Kind::Conflict, &error),
            PutError::TooMany(_) | PutError::Hash { .. } | PutError::Beyond { .. } => {
                Self::new(Kind::Invalid, &error)
            }
            PutError::Disk(_) => Self::internal(&error),
        }
    }
}
