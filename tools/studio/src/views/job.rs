//! Jobs, their frames and tiles, and what happens to them.

use protocol::view::{JobStatus, JobSummary, TileStatus};
use protocol::{CameraChoice, JobSpec, ViewIndex};
use serde::{Deserialize, Serialize};

use super::{Money, time};

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Job {
    /// Its id, `job_…`.
    pub job: String,
    /// Its name.
    pub name: String,
    /// `waiting`, `rendering`, `paused`, `done`, `stopped`, `failed` or `cancelled`.
    pub status: String,
    /// Why it waits, is paused or failed, where there is more to say.
    pub reason: Option<String>,
    /// What is rendered.
    pub scene: String,
    /// Whose budget it is on.
    pub team: Option<String>,
    /// Name of the token that ordered it; none where it was not ordered here.
    pub submitted_by: Option<String>,
    /// Frame width and height, pixels.
    pub size: [u32; 2],
    /// Samples per pixel, at most.
    pub samples: u32,
    /// Its cameras' names; none for the scene's first and for one set by hand.
    pub cameras: Vec<Option<String>>,
    /// Which frames.
    pub frames: Frames,
    /// Frames of all cameras.
    pub frame_count: u32,
    /// Tiles of all frames.
    pub tile_count: u64,
    /// Tiles with all their samples, as last counted.
    pub tiles_accepted: u64,
    /// Units of work.
    pub units: u32,
    /// Units accepted and paid.
    pub units_accepted: u32,
    /// Share of the units accepted, 0 to 1.
    pub progress: f64,
    /// The most that it costs.
    pub price: Money,
    /// What it has cost.
    pub spent: Money,
    /// What came back.
    pub refunded: Money,
    /// Which of the jobs under one key comes first.
    pub priority: u8,
    /// How surely a forgery of 5 % of a tile is caught.
    pub assurance: String,
    /// When it was ordered.
    pub ordered: String,
    /// When it ended.
    pub ended: Option<String>,
    /// When it ends with the samples that it has.
    pub stops: Option<String>,
    /// By when it is wanted.
    pub wanted_by: Option<String>,
    /// When it is done if it goes on as it does.
    pub expected_end: Option<String>,
    /// Whether the farm keeps its films no longer.
    pub expired: bool,
}

/// Which frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Frames {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
    /// Every how many.
    pub step: u32,
}

/// Tiles of all shots.
#[must_use]
pub fn tile_count(spec: &JobSpec) -> u64 {
    u64::from(spec.grid().tile_count()) * u64::from(spec.shot_count())
}

/// The name of a view's camera.
pub fn camera_name(spec: &JobSpec, view: ViewIndex) -> Option<String> {
    match spec.camera(view)? {
        CameraChoice::Named(name) => Some(name.clone()),
        CameraChoice::Default | CameraChoice::LookAt { .. } => None,
    }
}

impl Job {
    /// A job as its farm shows it, of this team, ordered by this token.
    #[must_use]
    pub fn of(
        job: &JobSummary,
        team: Option<String>,
        submitted_by: Option<String>,
        tiles_accepted: u64,
    ) -> Self {
        let (spec, settings) = (&job.spec, &job.spec.settings);
        let tile_count = tile_count(spec);
        let all = |status| matches!(status, JobStatus::Done);
        Self {
            job: job.job.to_string(),
            name: spec.name.clone(),
            status: job.status.word().to_owned(),
            reason: job.reason.clone(),
            scene: spec.scene.to_string(),
            team,
            submitted_by,
            size: [settings.size.width, settings.size.height],
            samples: settings.samples,
            cameras: (0..spec.view_count()).map(|it| camera_name(spec, ViewIndex(it))).collect(),
            frames: Frames {
                first: spec.frames.first,
                last: spec.frames.last,
                step: spec.frames.step,
            },
            frame_count: spec.shot_count(),
            tile_count,
            tiles_accepted: if all(job.status) { tile_count } else { tiles_accepted },
            units: job.units,
            units_accepted: job.units_accepted,
            progress: f64::from(job.units_accepted) / f64::from(job.units.max(1)),
            price: job.price.into(),
            spent: job.spent.into(),
            refunded: job.refunded.into(),
            priority: job.priority.into(),
            assurance: job.assurance.to_string().trim_end_matches(" %").to_owned(),
            ordered: time(job.ordered_ms),
            ended: job.ended_ms.map(time),
            stops: job.stops_ms.map(time),
            wanted_by: job.wanted_by_ms.map(time),
            expected_end: job.done_ms.map(time),
            expired: job.expired,
        }
    }
}

/// How many of a frame's tiles stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct TileCounts {
    /// No node has them.
    pub waiting: u32,
    /// Leased.
    pub rendering: u32,
    /// A film was refused; they go elsewhere.
    pub retrying: u32,
    /// A film is here and is being checked.
    pub received: u32,
    /// Accepted.
    pub accepted: u32,
}

impl TileCounts {
    /// Counts.
    #[must_use]
    pub fn of(tiles: &[TileStatus]) -> Self {
        let mut counts = Self::default();
        for tile in tiles {
            *match tile {
                TileStatus::Waiting => &mut counts.waiting,
                TileStatus::Rendering => &mut counts.rendering,
                TileStatus::Retrying => &mut counts.retrying,
                TileStatus::Received => &mut counts.received,
                TileStatus::Accepted => &mut counts.accepted,
            } += 1;
        }
        counts
    }
}

/// A frame of one camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Frame {
    /// The frame's number.
    pub frame: u32,
    /// The camera's place in the job's list.
    pub camera: u32,
    /// The camera's name, where it has one.
    pub camera_name: Option<String>,
    /// Where its tiles stand.
    pub tiles: TileCounts,
    /// Whether all of them are accepted.
    pub complete: bool,
}

/// A tile of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Tile {
    /// Its index, row by row.
    pub tile: u32,
    /// Its column.
    pub column: u32,
    /// Its row.
    pub row: u32,
    /// Its left edge in the frame, pixels.
    pub x: i64,
    /// Its upper edge in the frame, pixels.
    pub y: i64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `waiting`, `rendering`, `retrying`, `received` or `accepted`.
    pub status: String,
}

/// What ending a job would return, or has returned.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Returned {
    /// The job, as it is now.
    #[serde(flatten)]
    pub job: Job,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// What of the price is not spent and would come back at most.
    pub would_return: Money,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// Its number; later ones are larger.
    pub id: u64,
    /// What happened, as `job.done`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub time: String,
    /// Which job.
    pub job: Option<String>,
    /// Whose budget.
    pub team: Option<String>,
    /// The job's name.
    pub name: Option<String>,
    /// Where the job stands.
    pub status: Option<String>,
    /// Tiles with all their samples.
    pub tiles_accepted: Option<u64>,
    /// Tiles of all frames.
    pub tile_count: Option<u64>,
    /// Share of its units accepted, 0 to 1.
    pub progress: Option<f64>,
    /// What it has cost.
    pub spent: Option<Money>,
    /// Why.
    pub reason: Option<String>,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LogLine {
    /// Which event it is; none for refusals of films.
    pub id: Option<u64>,
    /// When; none for refusals of films, which the farm tells in order without times.
    pub time: Option<String>,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// What happened.
    pub message: String,
    /// The film's node, of a refusal.
    pub node: Option<String>,
    /// The film's frame, of a refusal.
    pub frame: Option<u32>,
    /// The film's tile, of a refusal.
    pub tile: Option<u32>,
}
