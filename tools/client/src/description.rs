//! A job as scripts describe it: one object, the same in a job file, over HTTP and in what is read
//! of other farms' templates. docs/api.md shows all of it.

mod import;
mod parts;

use protocol::{
    Assurance, CameraChoice, FrameRange, JobId, JobSpec, Lighting, Offer, Priority, PublicKey,
    RenderSettings, SceneId, Schedule, Shutter, Tokens, limits,
};
use serde::{Deserialize, Serialize};

pub use import::{
    EnvironmentFile, ImportError, LampsName, MissingName, SceneImport, SkyBySun, Without,
    camera_names,
};
pub use parts::{
    BackendName, CropBox, FilterName, FrameNumbers, LensWords, LookAt, NeedsWords, NoiseWords,
    ShutterName, SunWords,
};

/// More tiles than this in one job, and they are made larger; a scheduler takes 262 144 at most.
const TILES_MANY: u64 = 65_536;

/// What a scene's file asks of its pictures: what a description leaves open is as it asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SceneAsks {
    /// Frame width and height, pixels.
    pub size: Option<[u32; 2]>,
    /// Samples per pixel.
    pub samples: Option<u32>,
    /// How long its first camera's shutter is open, a fraction of a frame.
    pub shutter: Option<f32>,
    /// Name of the view transform.
    pub view: Option<String>,
    /// Exposure, stops.
    pub exposure: Option<f32>,
}

/// A job. Only `scene` is needed; what is left out is as the scene asks, or usual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Description {
    /// Over HTTP a scene's id, `scn_…`; in a job file that, or a path beside the file.
    pub scene: String,
    /// The job's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The scene's cameras of these names, a picture of each; without any, its first one looks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<String>,
    /// A camera set by hand, instead of the scene's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_at: Option<LookAt>,
    /// Frame width and height, pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// Samples per pixel; with `noise`, at most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// How little noise is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseWords>,
    /// Which frames of the animation; a still without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<FrameNumbers>,
    /// Frames a second; 24 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f32>,
    /// Scattering events after the camera ray; 8 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounces: Option<u32>,
    /// Seed of every random number; 0 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// The part of the frame that is rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<CropBox>,
    /// Pixels beyond each edge of the frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overscan: Option<u32>,
    /// How long the shutter is open, a fraction of a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutter: Option<f32>,
    /// Where the frame's time lies while the shutter is open; its middle without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutter_position: Option<ShutterName>,
    /// All directions around the camera, equirectangular.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panorama: Option<bool>,
    /// What is sharp; everything without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lens: Option<LensWords>,
    /// How samples spread over their pixel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterName>,
    /// Whether dim paths are ended at random; they are without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roulette: Option<bool>,
    /// Whether films carry light passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<bool>,
    /// Side of the square tiles, pixels; without it 128, or more in jobs of very many tiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tile: Option<u32>,
    /// A sun beside the scene's own lights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sun: Option<SunWords>,
    /// Radiance of a sky all around, instead of the scene's own: red, green, blue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sky: Option<[f32; 3]>,
    /// Which nodes may render it; any without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<NeedsWords>,
    /// What it pays per billion rays instead of the farm's base price, tokens: `"15.00"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bid: Option<String>,
    /// How surely a forgery of 5 % of a tile is caught, per cent: `"95"`, `"99"`, `"99.9"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assurance: Option<String>,
    /// The most that it may cost, tokens: `"5.00"`. Every order over HTTP must give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<String>,
    /// Which of the jobs under one key comes first, 1 to 100, the highest first; 50 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Jobs that must be done before it begins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Whether it waits until it is resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// All of a picture soon, with few samples, and more of them from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progressive: Option<bool>,
    /// Ends so many seconds after its order, with the samples that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after_s: Option<u64>,
    /// By when it is wanted: RFC 3339, `2026-12-01T08:00:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted_by: Option<String>,
}

/// What of a description is not usable, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct DescriptionError {
    /// Which of its fields, as `lens.focus`; `job` where it is about several.
    pub field: &'static str,
    /// What is wrong with it, with its value, and what to do.
    pub problem: String,
}

impl DescriptionError {
    fn new(field: &'static str, problem: impl ToString) -> Self {
        Self { field, problem: problem.to_string() }
    }

    fn of<E: ToString>(field: &'static str) -> impl FnOnce(E) -> Self {
        move |problem| Self::new(field, problem)
    }
}

impl Description {
    /// The job that is described, of a scene that asks for this, ordered by whoever has this key.
    ///
    /// # Errors
    /// The first field that is not usable.
    pub fn spec(
        &self,
        scene: SceneId,
        asks: &SceneAsks,
        me: PublicKey,
    ) -> Result<JobSpec, DescriptionError> {
        let mut cameras = self.camera_choices()?;
        let frames = self.frame_range();
        let mut spec = JobSpec {
            name: self.name.clone().unwrap_or_else(|| scene.short()),
            scene,
            settings: self.settings(cameras.remove(0), asks, frames.fps)?,
            more_cameras: cameras,
            frames,
            tile_side_px: JobSpec::TILE_SIDE_PX,
            base: None,
            noise: self.noise.map(|noise| noise.target()).transpose()?,
            needs: self
                .needs
                .as_ref()
                .map(|needs| needs.needs(me))
                .transpose()?
                .unwrap_or_default(),
        };
        spec.tile_side_px = self.tile.unwrap_or(spec.tile_side_px);
        spec.validate().map_err(DescriptionError::of("job"))?;
        if self.tile.is_none() {
            spec.tile_side_px = tile_side_px(&spec);
        }
        Ok(spec)
    }

    /// On which terms.
    ///
    /// # Errors
    /// A bid or an assurance that is none.
    pub fn offer(&self) -> Result<Offer, DescriptionError> {
        let bid = self.bid.as_deref().map(|text| tokens("bid", text)).transpose()?;
        let assurance = self.assurance.as_deref().map(str::parse::<Assurance>).transpose();
        let assurance = assurance.map_err(DescriptionError::of("assurance"))?.unwrap_or_default();
        let offer = Offer { bid, assurance };
        offer.validate().map_err(DescriptionError::of("bid"))?;
        Ok(offer)
    }

    /// The most that it may cost, where it says so.
    ///
    /// # Errors
    /// It is no amount.
    pub fn max_cost(&self) -> Result<Option<Tokens>, DescriptionError> {
        self.max_cost.as_deref().map(|text| tokens("max_cost", text)).transpose()
    }

    /// When it is rendered.
    ///
    /// # Errors
    /// A time, a job or a priority that is none.
    pub fn schedule(&self) -> Result<Schedule, DescriptionError> {
        let after = self.after.iter().map(|text| text.parse::<JobId>());
        let after: Vec<JobId> =
            after.collect::<Result<_, _>>().map_err(DescriptionError::of("after"))?;
        let priority = self.priority.map(Priority::try_from).transpose();
        let wanted_by = self.wanted_by.as_deref().map(parts::time_ms).transpose()?;
        let stop_after_ms = self.stop_after_s.map(|seconds| seconds.saturating_mul(1000));
        let schedule = Schedule {
            priority: priority.map_err(DescriptionError::of("priority"))?.unwrap_or_default(),
            after,
            paused: self.paused.unwrap_or(false),
            progressive: self.progressive.unwrap_or(false) || stop_after_ms.is_some(),
            stop_after_ms,
            wanted_by_ms: wanted_by,
        };
        schedule.validate().map_err(DescriptionError::of("job"))?;
        Ok(schedule)
    }

    /// Which cameras look, at least one.
    ///
    /// # Errors
    /// One twice, or both kinds.
    pub fn camera_choices(&self) -> Result<Vec<CameraChoice>, DescriptionError> {
        if let Some(look_at) = &self.look_at {
            if !self.cameras.is_empty() {
                let problem = "a job has `cameras` or `look_at`, not both; leave one out";
                return Err(DescriptionError::new("look_at", problem));
            }
            return Ok(vec![look_at.camera()]);
        }
        if self.cameras.len() > limits::VIEWS_MAX as usize {
            let (count, max) = (self.cameras.len(), limits::VIEWS_MAX);
            let problem = format!("{count} are too many for one job; at most {max}");
            return Err(DescriptionError::new("cameras", problem));
        }
        for (at, camera) in self.cameras.iter().enumerate() {
            if self.cameras[..at].contains(camera) {
                let problem = format!("{camera:?} stands there twice; leave one out");
                return Err(DescriptionError::new("cameras", problem));
            }
        }
        Ok(match self.cameras.as_slice() {
            [] => vec![CameraChoice::Default],
            names => names.iter().cloned().map(CameraChoice::Named).collect(),
        })
    }

    fn frame_range(&self) -> FrameRange {
        let fps = self.fps.unwrap_or(FrameRange::STILL.fps);
        match self.frames {
            Some(FrameNumbers { first, last, step }) => FrameRange { first, last, step, fps },
            None => FrameRange { fps, ..FrameRange::STILL },
        }
    }

    fn settings(
        &self,
        camera: CameraChoice,
        asks: &SceneAsks,
        fps: f32,
    ) -> Result<RenderSettings, DescriptionError> {
        let usual = RenderSettings::default();
        // A camera set by hand has no shutter of the scene's.
        let asked = asks.shutter.filter(|_| self.look_at.is_none());
        let share = self.shutter.or(asked).unwrap_or(0.0);
        if !(0.0..=100.0).contains(&share) {
            let problem = format!("{share} is no fraction of a frame; choose 0 to 100");
            return Err(DescriptionError::new("shutter", problem));
        }
        let position = self.shutter_position.unwrap_or_default().position();
        let shutter = (share > 0.0).then(|| Shutter { open_s: share / fps, position });
        let size = self.size.or(asks.size);
        Ok(RenderSettings {
            size: size.map_or(usual.size, |[width, height]| protocol::Size::new(width, height)),
            crop: self.crop.map(CropBox::crop),
            overscan: self.overscan.unwrap_or(0),
            samples: self.samples.or(asks.samples).unwrap_or(usual.samples),
            bounces: self.bounces.unwrap_or(usual.bounces),
            seed: self.seed.unwrap_or(usual.seed),
            camera,
            lighting: Lighting { sun: self.sun.map(SunWords::sun), sky: self.sky },
            lens: self.lens.map(LensWords::lens).transpose()?,
            panorama: self.panorama.unwrap_or(false),
            filter: self.filter.map(FilterName::filter).unwrap_or_default(),
            roulette: self.roulette.unwrap_or(true),
            shutter,
            passes: self.passes.unwrap_or(false),
        })
    }
}

/// The smallest usual tile that leaves a job few enough of them; long animations have large ones.
fn tile_side_px(spec: &JobSpec) -> u32 {
    let with = |tile_side_px| JobSpec { tile_side_px, ..spec.clone() };
    let is_few = |job: &JobSpec| {
        job.validate().is_ok()
            && u64::from(job.grid().tile_count()) * u64::from(job.shot_count()) <= TILES_MANY
    };
    let usual = [JobSpec::TILE_SIDE_PX, 2 * JobSpec::TILE_SIDE_PX];
    let small = usual.into_iter().find(|&side| is_few(&with(side)));
    let largest = match spec.settings.passes {
        true => limits::TILE_SIDE_PX_MAX_WITH_PASSES,
        false => limits::TILE_SIDE_PX_MAX,
    };
    small.unwrap_or(largest)
}

/// An amount of tokens.
fn tokens(field: &'static str, text: &str) -> Result<Tokens, DescriptionError> {
    text.parse().map_err(DescriptionError::of(field))
}

#[cfg(test)]
mod tests;
