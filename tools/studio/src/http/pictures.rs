//! Pictures of a job, and what proves them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::pictures::view_named;
use serde::Deserialize;
use tower_http::services::ServeFile;

use super::auth::Caller;
use super::extract::{Params, Segments};
use super::frames::{Camera, frame_number, shot_index};
use super::jobs::seen;
use crate::door::Door;
use crate::films::{Format, Ready};
use crate::gates::Toll;
use crate::gather::Known;
use crate::problem::{Kind, Problem};

/// How a picture is wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Seen {
    /// The camera's place in the job's list; its first without it.
    camera: Option<u32>,
    /// Whether a picture of which something is missing will do; it is transparent there.
    #[serde(default)]
    partial: bool,
    /// Of a PNG: `agx`, `agx-punchy`, `neutral`, `aces`, `srgb` or `raw`; `agx` without it.
    view: Option<String>,
    /// Of a PNG: stops brighter.
    #[param(minimum = -32, maximum = 32)]
    exposure: Option<f32>,
}

impl Seen {
    fn format(&self, ending: &str) -> Result<Format, Problem> {
        match ending {
            "exr" if self.view.is_some() || self.exposure.is_some() => {
                let detail = "an EXR holds light as rendered; view and exposure are a PNG's";
                Err(Problem::new(Kind::BadRequest, detail))
            }
            "exr" => Ok(Format::Exr),
            _png => {
                let name = self.view.as_deref().unwrap_or("agx");
                let view = view_named(name).ok_or_else(|| {
                    let detail = format!("view: there is none of the name {name:?}");
                    Problem::new(Kind::BadRequest, detail)
                })?;
                let exposure_ev = self.exposure.unwrap_or(0.0);
                if !(-32.0..=32.0).contains(&exposure_ev) {
                    let detail = format!("exposure: {exposure_ev} stops are beyond -32 to 32");
                    return Err(Problem::new(Kind::BadRequest, detail));
                }
                Ok(Format::Png { view, exposure_ev })
            }
        }
    }
}

async fn picture(
    door: &Door,
    (caller, known): (&Caller, &Known),
    frame: u32,
    (seen, ending): (&Seen, &str),
    request: Request,
) -> Result<Response, Problem> {
    let format = seen.format(ending)?;
    let shot = shot_index(&known.summary.spec, frame, seen.camera.unwrap_or(0))?;
    let turn = caller.pays(door, Toll::Picture).await?;
    let ready = door.films.picture(known, shot, (format, seen.partial), &turn).await?;
    // Its bytes are here, and are the farm's concern no more.
    drop(turn);
    serve(&ready, format.media_type(), request).await
}

/// The file with its ranges; whoever has it already, or another one, is told so by its tag.
async fn serve(ready: &Ready, media_type: &str, mut request: Request) -> Result<Response, Problem> {
    let tag = format!("\"{}\"", ready.tag);
    let is = |headers: &HeaderMap, name: header::HeaderName| {
        headers.get(name).is_some_and(|value| value.as_bytes() == tag.as_bytes())
    };
    let is_known = is(request.headers(), header::IF_NONE_MATCH);
    let other = request.headers().contains_key(header::IF_RANGE)
        && !is(request.headers(), header::IF_RANGE);
    for name in [header::IF_RANGE, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE] {
        request.headers_mut().remove(name);
    }
    if other {
        request.headers_mut().remove(header::RANGE);
    }
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let served = ServeFile::new(&ready.path).try_call(request).await;
            served.map_err(|error| Problem::internal(&error))?.into_response()
        }
    };
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        let detail = "the bytes asked for are beyond the picture's end";
        let mut problem = Problem::new(Kind::RangeNotSatisfiable, detail).into_response();
        // It says how long the picture is.
        if let Some(range) = response.headers_mut().remove(header::CONTENT_RANGE) {
            problem.headers_mut().insert(header::CONTENT_RANGE, range);
        }
        return Ok(problem);
    }
    let name = disposition(&ready.name);
    let headers = response.headers_mut();
    headers.remove(header::LAST_MODIFIED);
    for (header, value) in [
        (header::ETAG, tag),
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header, value);
        }
    }
    Ok(response)
}

/// What to call a file (RFC 6266): with a plain name for programs that know no other.
fn disposition(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let escaped = name.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            text + &(byte as char).to_string()
        }
        other => text + &format!("%{other:02X}"),
    });
    format!("inline; filename=\"{plain}\"; filename*=UTF-8\'\'{escaped}")
}

/// A frame as rendered
#[utoipa::path(
    get, path = "/v1/jobs/{job}/frames/{frame}/image.exr", tag = "pictures",
    params(
        ("job" = String, Path, description = "Its id, job_…"),
        ("frame" = u32, Path, description = "The frame's number"),
        Seen,
    ),
    responses(
        (status = 200, description = "The picture", content_type = "image/x-exr", body = Vec<u8>),
        (status = 206, description = "A range of it", content_type = "image/x-exr", body = Vec<u8>),
        (status = 304, description = "It is the one of If-None-Match"),
    )
)]
pub async fn frame_exr(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments((job, frame)): Segments<(String, String)>,
    Params(params): Params<Seen>,
    request: Request,
) -> Result<Response, Problem> {
    let known = seen(&door, &caller, &job)?;
    picture(&door, (&caller, &known), frame_number(&frame)?, (&params, "exr"), request).await
}

/// A frame as people see it
#[utoipa::path(
    get, path = "/v1/jobs/{job}/frames/{frame}/image.png", tag = "pictures",
    params(
        ("job" = String, Path, description = "Its id, job_…"),
        ("frame" = u32, Path, description = "The frame's number"),
        Seen,
    ),
    responses(
        (status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>),
        (status = 206, description = "A range of it", content_type = "image/png", body = Vec<u8>),
        (status = 304, description = "It is the one of If-None-Match"),
    )
)]
pub async fn frame_png(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments((job, frame)): Segments<(String, String)>,
    Params(params): Params<Seen>,
    request: Request,
) -> Result<Response, Problem> {
    let known = seen(&door, &caller, &job)?;
    picture(&door, (&caller, &known), frame_number(&frame)?, (&params, "png"), request).await
}

/// The only frame of a job.
fn only_frame(known: &Known) -> Result<u32, Problem> {
    let frames = &known.summary.spec.frames;
    match frames.count() {
        1 => Ok(frames.first),
        count => {
            let job = known.summary.job;
            let detail = format!(
                "the job has {count} frames; ask for one, as /v1/jobs/{job}/frames/{}/image.exr",
                frames.first
            );
            Err(Problem::new(Kind::BadRequest, detail))
        }
    }
}

/// The picture of a job of one frame, as rendered
#[utoipa::path(
    get, path = "/v1/jobs/{job}/image.exr", tag = "pictures",
    params(("job" = String, Path, description = "Its id, job_…"), Seen),
    responses(
        (status = 200, description = "The picture", content_type = "image/x-exr", body = Vec<u8>),
        (status = 206, description = "A range of it", content_type = "image/x-exr", body = Vec<u8>),
        (status = 304, description = "It is the one of If-None-Match"),
    )
)]
pub async fn job_exr(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(params): Params<Seen>,
    request: Request,
) -> Result<Response, Problem> {
    let known = seen(&door, &caller, &job)?;
    picture(&door, (&caller, &known), only_frame(&known)?, (&params, "exr"), request).await
}

/// The picture of a job of one frame, as people see it
#[utoipa::path(
    get, path = "/v1/jobs/{job}/image.png", tag = "pictures",
    params(("job" = String, Path, description = "Its id, job_…"), Seen),
    responses(
        (status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>),
        (status = 206, description = "A range of it", content_type = "image/png", body = Vec<u8>),
        (status = 304, description = "It is the one of If-None-Match"),
    )
)]
pub async fn job_png(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(params): Params<Seen>,
    request: Request,
) -> Result<Response, Problem> {
    let known = seen(&door, &caller, &job)?;
    picture(&door, (&caller, &known), only_frame(&known)?, (&params, "png"), request).await
}

/// What proves who rendered a frame
#[utoipa::path(
    get, path = "/v1/jobs/{job}/frames/{frame}/receipt", tag = "pictures",
    params(
        ("job" = String, Path, description = "Its id, job_…"),
        ("frame" = u32, Path, description = "The frame's number"),
        Camera,
    ),
    responses((status = 200, description = "A file for `tessera verify`", body = serde_json::Value))
)]
pub async fn frame_receipt(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments((job, frame)): Segments<(String, String)>,
    Params(camera): Params<Camera>,
) -> Result<Json<serde_json::Value>, Problem> {
    let (known, frame) = (seen(&door, &caller, &job)?, frame_number(&frame)?);
    let shot = shot_index(&known.summary.spec, frame, camera.camera.unwrap_or(0))?;
    let _turn = caller.pays(&door, Toll::Receipt).await?;
    let receipt = door.farm.receipt(known.summary.job, shot).await?;
    Ok(Json(serde_json::json!({
        "v": 1,
        "kind": "receipt",
        "farm": door.farm.scheduler().to_string(),
        "about": { "job": job, "frame": frame, "camera": camera.camera.unwrap_or(0) },
        "signed": STANDARD.encode(protocol::encode(&receipt)),
    })))
}
