//! Jobs and how they are cut: shots, tiles, units; the meter.

use serde::{Deserialize, Serialize};

use crate::batch::{Batch, BatchLengths};
use crate::geometry::TileGrid;
use crate::id::{Digest, JobId, SceneId};
use crate::limits;
use crate::needs::{Needs, NeedsError};
use crate::noise::NoiseTarget;
use crate::settings::{CameraChoice, RenderSettings, SettingsError};
use crate::wire;

/// The frames of a job: `first..=last`, every `step`th, at `fps` frames a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrameRange {
    /// First frame.
    pub first: u32,
    /// Last frame, inside.
    pub last: u32,
    /// Distance between frames, at least 1.
    pub step: u32,
    /// Frames a second, for the animation's time.
    pub fps: f32,
}

impl FrameRange {
    /// One still frame.
    pub const STILL: Self = Self { first: 0, last: 0, step: 1, fps: 24.0 };

    /// Number of frames.
    #[must_use]
    pub const fn count(&self) -> u32 {
        ((self.last - self.first) / self.step).saturating_add(1)
    }

    /// The frame number at a place in their order, or `None` past the last.
    #[must_use]
    pub fn nth(&self, place: u32) -> Option<u32> {
        let frame = self.first.checked_add(place.checked_mul(self.step)?)?;
        (frame <= self.last).then_some(frame)
    }

    /// The place of a frame number in their order, or `None` where it is none of them.
    #[must_use]
    pub fn place(&self, frame: u32) -> Option<u32> {
        let after = frame.checked_sub(self.first).filter(|_| frame <= self.last)?;
        after.is_multiple_of(self.step).then(|| after / self.step)
    }

    /// Time of a frame, seconds.
    #[must_use]
    pub fn time_s(&self, frame: u32) -> f32 {
        (f64::from(frame) / f64::from(self.fps)) as f32
    }

    /// The frame numbers in order.
    pub fn frames(&self) -> impl Iterator<Item = u32> + use<> {
        (self.first..=self.last).step_by(self.step as usize)
    }
}

/// What an artist wants rendered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// A name for people.
    pub name: String,
    /// The scene package.
    pub scene: SceneId,
    /// Size, samples, light, and the camera of view 0.
    pub settings: RenderSettings,
    /// Cameras that look at every frame as well: views 1 and on.
    pub more_cameras: Vec<CameraChoice>,
    /// Which frames.
    pub frames: FrameRange,
    /// Side of the square tiles, pixels; fixed for the job's life.
    pub tile_side_px: u32,
    /// An earlier job of the same pictures, whose samples stay: only what is missing is rendered,
    /// see [`JobSpec::continues`].
    pub base: Option<JobId>,
    /// Noise that is enough: tiles that have no more end before they have all samples.
    pub noise: Option<NoiseTarget>,
    /// Which nodes may render it.
    pub needs: Needs,
}

/// A job that cannot be rendered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A setting is out of range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The frame range is empty, too long, or has no rate.
    #[error("frames {first}-{last} step {step} at {fps} fps is not a usable range; give first <= last, step >= 1, fps above 0 and at most {max} frames", max = limits::FRAMES_MAX)]
    Frames {
        /// First frame asked for.
        first: u32,
        /// Last frame asked for.
        last: u32,
        /// Step asked for.
        step: u32,
        /// Rate asked for.
        fps: f32,
    },
    /// The tile side is out of range.
    #[error("a tile side of {side} px is out of range; choose {min}..={max}, {with_passes} at most with light passes", min = limits::TILE_SIDE_PX_MIN, max = limits::TILE_SIDE_PX_MAX, with_passes = limits::TILE_SIDE_PX_MAX_WITH_PASSES)]
    TileSide {
        /// The side asked for.
        side: u32,
    },
    /// Too many cameras.
    #[error("{0} cameras are too many for one job; at most {max}, order the rest as another", max = limits::VIEWS_MAX)]
    Views(usize),
    /// A camera twice: its pictures would be rendered, and paid, twice.
    #[error("the job has the same camera twice ({0}); name it once")]
    SameCamera(String),
    /// The name is empty or too long.
    #[error("a job's name must have 1 to {max} characters, this has {0}", max = limits::NAME_CHARS_MAX)]
    Name(usize),
    /// The name would write to the terminals and logs of others.
    #[error("a job's name must be one line of text, without control characters: {0:?}")]
    NameControl(String),
    /// What it needs of nodes cannot be.
    #[error(transparent)]
    Needs(#[from] NeedsError),
}

impl JobSpec {
    /// Tile side when nothing else is asked for, pixels.
    pub const TILE_SIDE_PX: u32 = 128;

    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), SpecError> {
        self.settings.validate()?;
        self.needs.validate()?;
        let FrameRange { first, last, step, fps } = self.frames;
        let rate = fps > 0.0 && fps <= 1000.0;
        if last < first || step == 0 || !rate || self.frames.count() > limits::FRAMES_MAX {
            return Err(SpecError::Frames { first, last, step, fps });
        }
        self.validate_cameras()?;
        let max = match self.settings.passes {
            true => limits::TILE_SIDE_PX_MAX_WITH_PASSES,
            false => limits::TILE_SIDE_PX_MAX,
        };
        if !(limits::TILE_SIDE_PX_MIN..=max).contains(&self.tile_side_px) {
            return Err(SpecError::TileSide { side: self.tile_side_px });
        }
        let chars = self.name.chars().count();
        if chars == 0 || chars > limits::NAME_CHARS_MAX {
            return Err(SpecError::Name(chars));
        }
        if self.name.contains(char::is_control) {
            return Err(SpecError::NameControl(self.name.clone()));
        }
        Ok(())
    }

    fn validate_cameras(&self) -> Result<(), SpecError> {
        if self.more_cameras.len() >= limits::VIEWS_MAX as usize {
            return Err(SpecError::Views(self.more_cameras.len() + 1));
        }
        let mut before = vec![&self.settings.camera];
        for camera in &self.more_cameras {
            camera.validate()?;
            if before.contains(&camera) {
                return Err(SpecError::SameCamera(camera.to_string()));
            }
            before.push(camera);
        }
        Ok(())
    }

    /// Number of cameras that look at each frame, at least 1.
    #[must_use]
    pub fn view_count(&self) -> u32 {
        self.more_cameras.len() as u32 + 1
    }

    /// The camera of a view, or `None` past the last.
    #[must_use]
    pub fn camera(&self, view: ViewIndex) -> Option<&CameraChoice> {
        match view.0 {
            0 => Some(&self.settings.camera),
            more => self.more_cameras.get(more as usize - 1),
        }
    }

    /// The settings of a view: all but the camera is alike; `None` past the last.
    #[must_use]
    pub fn settings_of(&self, view: ViewIndex) -> Option<RenderSettings> {
        let camera = self.camera(view)?.clone();
        Some(RenderSettings { camera, ..self.settings.clone() })
    }

    /// Number of shots: what a job yields are as many pictures.
    #[must_use]
    pub fn shot_count(&self) -> u32 {
        self.frames.count().saturating_mul(self.view_count())
    }

    /// The frame and the view of a shot, or `None` past the last: the frames in order, of each
    /// all views.
    #[must_use]
    pub fn shot(&self, shot: ShotIndex) -> Option<Shot> {
        let views = self.view_count();
        let frame = self.frames.nth(shot.0 / views)?;
        Some(Shot { frame, view: ViewIndex(shot.0 % views) })
    }

    /// What a shot is rendered with: settings and time, seconds; `None` past the last.
    #[must_use]
    pub fn shot_settings(&self, shot: ShotIndex) -> Option<(RenderSettings, f32)> {
        let Shot { frame, view } = self.shot(shot)?;
        Some((self.settings_of(view)?, self.frames.time_s(frame)))
    }

    /// The index of a shot of this job, or `None` where it has no such frame or view.
    #[must_use]
    pub fn shot_index(&self, shot: Shot) -> Option<ShotIndex> {
        let (views, place) = (self.view_count(), self.frames.place(shot.frame)?);
        (shot.view.0 < views).then(|| ShotIndex(place * views + shot.view.0))
    }

    /// All shots, in order.
    pub fn shots(&self) -> impl Iterator<Item = ShotIndex> + use<> {
        (0..self.shot_count()).map(ShotIndex)
    }

    /// The tile grid of every shot.
    #[must_use]
    pub fn grid(&self) -> TileGrid {
        TileGrid::new(self.settings.window(), self.tile_side_px)
    }

    /// The batches of each tile, of these lengths; where noise ends tiles, cut wherever it is decided.
    #[must_use]
    pub fn batches(&self, lengths: BatchLengths) -> Vec<Batch> {
        let chunk_count = self.settings.chunk_count();
        match self.noise {
            // Growing ones end at every power of two.
            Some(target) if !lengths.growing => {
                target.cover(chunk_count, lengths.chunks_max).collect()
            }
            _ => lengths.cover(chunk_count).collect(),
        }
    }

    /// Whether samples of another job may stay in this one's pictures: it has as many or fewer, and
    /// differs in nothing else but its name, its own base, what noise is enough, and which nodes may
    /// render it.
    #[must_use]
    pub fn continues(&self, base: &Self) -> bool {
        let samples = base.settings.samples;
        let settings = RenderSettings { samples, ..self.settings.clone() };
        let (name, base_of, noise) = (base.name.clone(), base.base, base.noise);
        let needs = base.needs.clone();
        samples <= self.settings.samples
            && *base == Self { name, settings, base: base_of, noise, needs, ..self.clone() }
    }

    /// Whether a batch of an earlier job holds the samples that it would hold in this one. Only the
    /// last chunk of a frame can be short, and then it is of no use for a longer one.
    #[must_use]
    pub fn keeps(&self, base: &Self, batch: Batch) -> bool {
        batch.samples(base.settings.samples) == batch.samples(self.settings.samples)
    }

    /// BLAKE3 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of("tessera 2026 job spec v1", &[&wire::encode(self)])
    }
}

/// Number of one of a job's cameras; view 0 is that of its settings.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ViewIndex(pub u32);

/// Number of a shot in its job, see [`JobSpec::shot`].
///
/// A job of one camera whose frames are 0, 1, 2 and so on has a shot for each of the same number;
/// before protocol 3, which brought several cameras, units named the frame itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ShotIndex(pub u32);

/// One picture of a job: a frame as one of its cameras sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shot {
    /// Frame number.
    pub frame: u32,
    /// Which camera.
    pub view: ViewIndex,
}

/// Number of a tile in its frame, in rows from the upper left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TileIndex(pub u32);

/// One payable piece of a job: a batch of a tile of a shot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// The job.
    pub job: JobId,
    /// The shot.
    pub shot: ShotIndex,
    /// The tile.
    pub tile: TileIndex,
    /// The batch.
    pub batch: Batch,
}

/// Rays traced: the meter of all work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RayCount {
    /// Rays that looked for the closest hit.
    pub closest: u64,
    /// Rays that only asked whether something is in the way.
    pub shadow: u64,
}

impl RayCount {
    /// Weight of a shadow ray against a closest-hit ray, in percent. A constant of the engine.
    pub const SHADOW_PERCENT: u64 = 60;

    /// Weighted rays in hundredths: what is priced and paid.
    #[must_use]
    pub const fn metered_centirays(&self) -> u128 {
        self.closest as u128 * 100 + self.shadow as u128 * Self::SHADOW_PERCENT as u128
    }

    /// Rays of both kinds, unweighted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.closest.saturating_add(self.shadow)
    }
}

impl std::ops::AddAssign for RayCount {
    fn add_assign(&mut self, other: Self) {
        self.closest = self.closest.saturating_add(other.closest);
        self.shadow = self.shadow.saturating_add(other.shadow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_with_light_passes_fit_the_wire_too() {
        let side = |passes, tile_side_px| {
            let settings = RenderSettings { passes, ..RenderSettings::default() };
            let (name, frames) = ("tiles".to_owned(), FrameRange::STILL);
            let scene = SceneId([0; 32]);
            JobSpec { name, scene, settings, frames, tile_side_px, ..spec(&[]) }.validate()
        };
        assert_eq!((side(false, 512), side(true, 256)), (Ok(()), Ok(())));
        assert_eq!(side(false, 513), Err(SpecError::TileSide { side: 513 }));
        let error = side(true, 257).expect_err("three times as large");
        assert!(error.to_string().contains("257 px") && error.to_string().contains("256 at most"));
        let bytes = 3 * 64 * limits::TILE_SIDE_PX_MAX_WITH_PASSES.pow(2) as usize;
        assert!(bytes <= limits::FILM_BYTES_MAX);
    }

    #[test]
    fn frame_ranges_count() {
        let range = FrameRange { first: 1, last: 10, step: 4, fps: 24.0 };
        assert_eq!(range.frames().collect::<Vec<_>>(), [1, 5, 9]);
        assert_eq!(range.count(), 3);
        let places: Vec<_> = (0..4).map(|place| range.nth(place)).collect();
        assert_eq!(places, [Some(1), Some(5), Some(9), None]);
        let of = [0, 1, 4, 5, 9, 13].map(|frame| range.place(frame));
        assert_eq!(of, [None, Some(0), None, Some(1), Some(2), None]);
        let late = FrameRange { first: u32::MAX - 1, last: u32::MAX, step: 1, fps: 24.0 };
        assert_eq!((late.nth(1), late.nth(2), late.nth(u32::MAX)), (Some(u32::MAX), None, None));
    }

    fn spec(more: &[&str]) -> JobSpec {
        JobSpec {
            name: "views".to_owned(),
            scene: SceneId([0; 32]),
            settings: RenderSettings::default(),
            more_cameras: more.iter().map(|name| CameraChoice::Named((*name).to_owned())).collect(),
            frames: FrameRange { first: 3, last: 7, step: 2, fps: 24.0 },
            tile_side_px: 64,
            base: None,
            noise: None,
            needs: Needs::default(),
        }
    }

    #[test]
    fn shots_are_all_views_of_each_frame_in_turn() {
        let spec = spec(&["left", "right"]);
        let shots: Vec<(u32, u32)> = spec
            .shots()
            .map(|index| {
                let shot = spec.shot(index).expect("of the job");
                assert_eq!(spec.shot_index(shot), Some(index));
                (shot.frame, shot.view.0)
            })
            .collect();
        let wanted = [3, 5, 7].map(|frame| [0, 1, 2].map(|view| (frame, view)));
        assert_eq!((shots, spec.shot_count()), (wanted.as_flattened().to_vec(), 9));
        assert_eq!(spec.shot(ShotIndex(9)), None);
        let none = |frame, view| spec.shot_index(Shot { frame, view: ViewIndex(view) });
        assert_eq!((none(4, 0), none(3, 3)), (None, None));
        let camera = |view| spec.settings_of(ViewIndex(view)).map(|settings| settings.camera);
        assert_eq!(camera(0), Some(CameraChoice::Default));
        assert_eq!(camera(2), Some(CameraChoice::Named("right".to_owned())));
        assert_eq!(camera(3), None);
    }

    #[test]
    fn a_job_goes_on_with_the_samples_of_one_of_the_same_pictures() {
        let old = JobSpec { name: "first".to_owned(), ..spec(&["left"]) };
        let with = |samples| {
            let settings = RenderSettings { samples, ..old.settings.clone() };
            JobSpec { settings, base: Some(JobId([1; 16])), ..spec(&["left"]) }
        };
        assert!(with(64).continues(&old) && with(1_000).continues(&old));
        assert!(with(1_000).continues(&with(64)));
        assert!(!spec(&[]).continues(&old) && !with(63).continues(&old));
        let needs = Needs { memory_bytes: 1, ..Needs::default() };
        assert!(JobSpec { needs, ..with(64) }.continues(&old));
        let other_seed = RenderSettings { seed: 1, ..old.settings.clone() };
        assert!(!JobSpec { settings: other_seed, ..spec(&["left"]) }.continues(&old));
        // Of 40 samples the last chunk has 8.
        let old = with(40);
        let batch = |first, count| Batch::new(first, count).expect("aligned");
        assert!(with(64).keeps(&old, batch(0, 2)) && !with(64).keeps(&old, batch(2, 1)));
        assert!(with(40).keeps(&old, batch(2, 1)) && !with(64).keeps(&old, batch(0, 4)));
    }

    #[test]
    fn cameras_are_told_apart_and_few() {
        assert_eq!(spec(&["left", "right"]).validate(), Ok(()));
        let twice = spec(&["left", "left"]).validate().expect_err("twice");
        assert!(twice.to_string().contains("(left)"), "{twice}");
        let names: Vec<String> = (0..limits::VIEWS_MAX).map(|view| view.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(spec(&names).validate(), Err(SpecError::Views(names.len() + 1)));
        assert_eq!(spec(&names[1..]).validate(), Ok(()));
    }
}
