//! Frames and tiles of a job, its pictures, what proves them, and its log.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::pictures::view_named;
use protocol::view::TileStatus;
use protocol::{JobSpec, Shot, ShotIndex, TileIndex, VerdictKind, ViewIndex};
use serde::Deserialize;
use tower_http::services::ServeFile;

use super::auth::Caller;
use super::extract::{Params, Segments};
use super::jobs::seen;
use super::paging::{Part, cursor, number, page, rows};
use crate::book::EventKind;
use crate::door::Door;
use crate::films::{Format, Ready};
use crate::gather::Known;
use crate::news::event_view;
use crate::problem::{Kind, Problem};
use crate::views::{Frame, LogLine, Page, Tile, TileCounts, camera_name, tile_word, time};

/// Where every tile of a job stands now.
async fn tiles(door: &Door, known: &Known) -> Result<Vec<TileStatus>, Problem> {
    // Nothing is accepted after all versions: only the tiles are wanted.
    let update = door.farm.watch(known.summary.job, u64::MAX, Duration::ZERO).await?;
    Ok(update.tiles)
}

/// Frames of a job, cameras of a frame beside each other
#[utoipa::path(
    get, path = "/v1/jobs/{job}/frames", tag = "pictures",
    params(("job" = String, Path, description = "Its id, job_…"), Part),
    responses((status = 200, description = "Its frames", body = Page<Frame>))
)]
pub async fn list_frames(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(part): Params<Part>,
) -> Result<Json<Page<Frame>>, Problem> {
    let known = seen(&door, &caller, &job)?;
    let (from, limit) = (number(part.cursor.as_deref())?, rows(part.limit)?);
    let (spec, tiles) = (&known.summary.spec, tiles(&door, &known).await?);
    let per_shot = spec.grid().tile_count() as usize;
    let shots = spec.shots().skip(usize::try_from(from).unwrap_or(usize::MAX)).take(limit);
    let items: Vec<Frame> = shots
        .filter_map(|index| {
            let (Shot { frame, view }, first) = (spec.shot(index)?, index.0 as usize * per_shot);
            let of_shot = tiles.get(first..first + per_shot).unwrap_or_default();
            let counts = TileCounts::of(of_shot);
            let complete = counts.accepted as usize == per_shot;
            let camera_name = camera_name(spec, view);
            Some(Frame { frame, camera: view.0, camera_name, tiles: counts, complete })
        })
        .collect();
    let end = from + items.len() as u64;
    let next_cursor = (end < u64::from(spec.shot_count())).then(|| cursor(&end.to_string()));
    Ok(Json(Page { items, next_cursor }))
}

/// Which camera.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Camera {
    /// The camera's place in the job's list; its first without it.
    camera: Option<u32>,
}

fn shot_index(spec: &JobSpec, frame: u32, camera: u32) -> Result<ShotIndex, Problem> {
    let index = spec.shot_index(Shot { frame, view: ViewIndex(camera) });
    index.ok_or_else(|| Problem::not_found(format!("frame {frame} of camera {camera} in the job")))
}

fn frame_number(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_none| Problem::not_found(format!("frame {text:?}")))
}

/// Tiles of a frame
#[utoipa::path(
    get, path = "/v1/jobs/{job}/frames/{frame}/tiles", tag = "pictures",
    params(
        ("job" = String, Path, description = "Its id, job_…"),
        ("frame" = u32, Path, description = "The frame's number"),
        Camera,
    ),
    responses((status = 200, description = "Its tiles, row by row", body = Vec<Tile>))
)]
pub async fn list_tiles(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments((job, frame)): Segments<(String, String)>,
    Params(camera): Params<Camera>,
) -> Result<Json<Vec<Tile>>, Problem> {
    let known = seen(&door, &caller, &job)?;
    let spec = &known.summary.spec;
    let index = shot_index(spec, frame_number(&frame)?, camera.camera.unwrap_or(0))?;
    let (tiles, grid) = (tiles(&door, &known).await?, spec.grid());
    let (count, columns) = (grid.tile_count(), grid.columns());
    let (overscan, first) = (i64::from(spec.settings.overscan), index.0 as usize * count as usize);
    let of_shot = tiles.get(first..first + count as usize).unwrap_or_default();
    let rows = (0..count).zip(of_shot).filter_map(|(tile, status)| {
        let rect = grid.rect(TileIndex(tile))?;
        Some(Tile {
            tile,
            column: tile % columns,
            row: tile / columns,
            x: i64::from(rect.x0) - overscan,
            y: i64::from(rect.y0) - overscan,
            width: rect.size().width,
            height: rect.size().height,
            status: tile_word(*status).to_owned(),
        })
    });
    Ok(Json(rows.collect()))
}

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
    known: &Known,
    frame: u32,
    (seen, ending): (&Seen, &str),
    request: Request,
) -> Result<Response, Problem> {
    let format = seen.format(ending)?;
    let shot = shot_index(&known.summary.spec, frame, seen.camera.unwrap_or(0))?;
    let ready = door.films.picture(known, shot, format, seen.partial).await?;
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
    picture(&door, &known, frame_number(&frame)?, (&params, "exr"), request).await
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
    picture(&door, &known, frame_number(&frame)?, (&params, "png"), request).await
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
    picture(&door, &known, only_frame(&known)?, (&params, "exr"), request).await
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
    picture(&door, &known, only_frame(&known)?, (&params, "png"), request).await
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
    let receipt = door.farm.receipt(known.summary.job, shot).await?;
    Ok(Json(serde_json::json!({
        "v": 1,
        "kind": "receipt",
        "farm": door.farm.scheduler().to_string(),
        "about": { "job": job, "frame": frame, "camera": camera.camera.unwrap_or(0) },
        "signed": STANDARD.encode(protocol::encode(&receipt)),
    })))
}

/// What happened to a job, and films of it that were refused, oldest first
#[utoipa::path(
    get, path = "/v1/jobs/{job}/log", tag = "jobs",
    params(("job" = String, Path, description = "Its id, job_…"), Part),
    responses((status = 200, description = "Lines of its log", body = Page<LogLine>))
)]
pub async fn job_log(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(part): Params<Part>,
) -> Result<Json<Page<LogLine>>, Problem> {
    let known = seen(&door, &caller, &job)?;
    let events = door.book.events_of(&job, 0, usize::MAX);
    let events = events.map_err(|error| Problem::internal(&error))?;
    let told = events.iter().filter(|event| event.kind != EventKind::JobProgress);
    let mut lines: Vec<LogLine> = told
        .map(|event| {
            let view = event_view(event);
            let level = if event.kind == EventKind::JobFailed { "error" } else { "info" };
            let reason = view.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            LogLine {
                id: Some(event.id),
                time: Some(view.time),
                level: level.to_owned(),
                message: format!("{}{reason}", in_words(event.kind)),
                node: None,
                frame: None,
                tile: None,
            }
        })
        .collect();
    lines.extend(refusals(&door, &known).await?);
    page(lines, &part).map(Json)
}

/// What happened, in words.
const fn in_words(kind: EventKind) -> &'static str {
    match kind {
        EventKind::JobOrdered => "it was ordered",
        EventKind::JobProgress => "more of it is accepted",
        EventKind::JobPaused => "it was paused",
        EventKind::JobResumed => "it goes on",
        EventKind::JobDone => "it is done",
        EventKind::JobStopped => "it was stopped with the samples that it had",
        EventKind::JobFailed => "it failed",
        EventKind::JobCancelled => "it was cancelled",
        EventKind::BudgetWarning => "its team's budget is nearly used up",
        EventKind::BudgetExhausted => "its team's budget is used up",
        EventKind::FarmLost => "the farm did not answer",
        EventKind::FarmFound => "the farm answers again",
    }
}

/// Films of a job that were refused; the farm tells their order, not their times.
async fn refusals(door: &Door, known: &Known) -> Result<Vec<LogLine>, Problem> {
    let spec = &known.summary.spec;
    let verdicts = door.farm.verdicts(Some(known.summary.job)).await?;
    let line = |verdict: protocol::Verdict| {
        let message = match &verdict.kind {
            VerdictKind::Refused(refusal) => format!("a film was refused: {refusal}"),
            VerdictKind::Disputed { .. } => {
                "two films of a tile differ; a third decides".to_owned()
            }
            VerdictKind::Accepted { .. } => return None,
            VerdictKind::WrongFinding { .. } => "a verifier was wrong about a film".to_owned(),
            VerdictKind::Overturned { .. } => "a refusal was overturned".to_owned(),
        };
        Some(LogLine {
            id: None,
            time: None,
            level: "warning".to_owned(),
            message,
            node: Some(verdict.node.to_string()),
            frame: spec.shot(verdict.unit.shot).map(|shot| shot.frame),
            tile: Some(verdict.unit.tile.0),
        })
    };
    Ok(verdicts.into_iter().filter_map(|(_, verdict)| line(verdict)).collect())
}

/// The time of an event that nobody kept.
#[must_use]
pub fn ended(known: &Known) -> String {
    time(known.summary.ended_ms.unwrap_or(known.summary.ordered_ms))
}
