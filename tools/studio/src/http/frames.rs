//! Frames and tiles of a job.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use protocol::view::TileStatus;
use protocol::{JobSpec, Shot, ShotIndex, TileIndex, ViewIndex};
use serde::Deserialize;

use super::auth::Caller;
use super::extract::{Params, Segments};
use super::jobs::seen;
use super::paging::{Part, cursor, number, rows};
use crate::door::Door;
use crate::gates::Toll;
use crate::gather::Known;
use crate::problem::Problem;
use crate::views::{Frame, Page, Tile, TileCounts, camera_name};

/// Where every tile of a job stands now.
async fn tiles(door: &Door, caller: &Caller, known: &Known) -> Result<Vec<TileStatus>, Problem> {
    let _turn = caller.pays(door, Toll::Look).await?;
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
    let (spec, tiles) = (&known.summary.spec, tiles(&door, &caller, &known).await?);
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
    pub(super) camera: Option<u32>,
}

pub(super) fn shot_index(spec: &JobSpec, frame: u32, camera: u32) -> Result<ShotIndex, Problem> {
    let index = spec.shot_index(Shot { frame, view: ViewIndex(camera) });
    index.ok_or_else(|| Problem::not_found(format!("frame {frame} of camera {camera} in the job")))
}

pub(super) fn frame_number(text: &str) -> Result<u32, Problem> {
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
    let (tiles, grid) = (tiles(&door, &caller, &known).await?, spec.grid());
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
            status: status.word().to_owned(),
        })
    });
    Ok(Json(rows.collect()))
}
