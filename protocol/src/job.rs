//! Jobs and how they are cut: frames, tiles, chunks, batches; quotes and orders; the meter.

use serde::{Deserialize, Serialize};

use crate::geometry::TileGrid;
use crate::id::{Digest, JobId, PublicKey, QuoteId, SceneId};
use crate::limits;
use crate::settings::{CHUNK_SAMPLES, RenderSettings, SettingsError};
use crate::sign::Signable;
use crate::tokens::Tokens;
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
    /// Size, samples, camera, light.
    pub settings: RenderSettings,
    /// Which frames.
    pub frames: FrameRange,
    /// Side of the square tiles, pixels; fixed for the job's life.
    pub tile_side_px: u32,
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
    /// The name is empty or too long.
    #[error("a job's name must have 1..={max} characters, this has {0}", max = limits::NAME_CHARS_MAX)]
    Name(usize),
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
        let FrameRange { first, last, step, fps } = self.frames;
        let rate = fps > 0.0 && fps <= 1000.0;
        if last < first || step == 0 || !rate || self.frames.count() > limits::FRAMES_MAX {
            return Err(SpecError::Frames { first, last, step, fps });
        }
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
        Ok(())
    }

    /// The tile grid of every frame.
    #[must_use]
    pub const fn grid(&self) -> TileGrid {
        TileGrid::new(self.settings.size, self.tile_side_px)
    }

    /// BLAKE3 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of("tessera 2026 job spec v1", &[&wire::encode(self)])
    }
}

/// Number of a tile in its frame, in rows from the upper left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TileIndex(pub u32);

/// An aligned power-of-two run of chunks: what is leased, rendered, checked and paid.
///
/// Aligned runs make any way of splitting the work give the same bits: two neighbours merge into
/// the run above them, in one fixed binary tree (see [`Batch::parent`]). Bytes that hold any other
/// run do not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "AnyRun")]
pub struct Batch {
    first_chunk: u32,
    chunk_count: u32,
}

/// A run of chunks as it came, aligned or not.
#[derive(Deserialize)]
struct AnyRun {
    first_chunk: u32,
    chunk_count: u32,
}

impl TryFrom<AnyRun> for Batch {
    type Error = &'static str;

    fn try_from(run: AnyRun) -> Result<Self, Self::Error> {
        Self::new(run.first_chunk, run.chunk_count).ok_or("a batch is an aligned power of two")
    }
}

impl Batch {
    /// The run `first_chunk .. first_chunk + chunk_count`, or `None` when it is not an aligned
    /// power of two.
    #[must_use]
    pub const fn new(first_chunk: u32, chunk_count: u32) -> Option<Self> {
        let aligned = chunk_count.is_power_of_two() && first_chunk.is_multiple_of(chunk_count);
        match first_chunk.checked_add(chunk_count) {
            Some(_) if aligned => Some(Self { first_chunk, chunk_count }),
            _ => None,
        }
    }

    /// Index of the first chunk.
    #[must_use]
    pub const fn first_chunk(self) -> u32 {
        self.first_chunk
    }

    /// Number of chunks, a power of two.
    #[must_use]
    pub const fn chunk_count(self) -> u32 {
        self.chunk_count
    }

    /// Index of the chunk after the last.
    #[must_use]
    pub const fn end_chunk(self) -> u32 {
        self.first_chunk + self.chunk_count
    }

    /// Whether the run is aligned and a power of two: every batch is.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        Self::new(self.first_chunk, self.chunk_count).is_some()
    }

    /// The run twice as long that holds this one.
    #[must_use]
    pub const fn parent(self) -> Self {
        let chunk_count = self.chunk_count * 2;
        Self { first_chunk: self.first_chunk / chunk_count * chunk_count, chunk_count }
    }

    /// The other half of [`Batch::parent`].
    #[must_use]
    pub const fn sibling(self) -> Self {
        Self { first_chunk: self.first_chunk ^ self.chunk_count, chunk_count: self.chunk_count }
    }

    /// Sample indices of the run when the frame has `samples` samples per pixel: the last chunk
    /// may be short.
    #[must_use]
    pub fn samples(self, samples: u32) -> std::ops::Range<u32> {
        let first = self.first_chunk.saturating_mul(CHUNK_SAMPLES);
        first.min(samples)..self.end_chunk().saturating_mul(CHUNK_SAMPLES).min(samples)
    }

    /// The longest aligned runs, none above `chunks_max`, that cover chunks `0..chunk_count`.
    ///
    /// # Panics
    /// When `chunks_max` is 0.
    pub fn cover(chunk_count: u32, chunks_max: u32) -> impl Iterator<Item = Self> {
        assert!(chunks_max > 0, "a batch has at least one chunk");
        let longest = 1 << chunks_max.ilog2();
        let mut next = 0;
        std::iter::from_fn(move || {
            let left = chunk_count.checked_sub(next).filter(|&left| left > 0)?;
            let aligned = if next == 0 { longest } else { 1 << next.trailing_zeros() };
            let length: u32 = longest.min(aligned).min(1 << left.ilog2());
            let batch = Self { first_chunk: next, chunk_count: length };
            next += length;
            Some(batch)
        })
    }
}

impl std::fmt::Display for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.first_chunk, self.chunk_count)
    }
}

/// One payable piece of a job: a batch of a tile of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// The job.
    pub job: JobId,
    /// Frame number.
    pub frame: u32,
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

/// The firm price of a job. The artist never pays more than `price`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// Id, to order by.
    pub id: QuoteId,
    /// What was quoted: [`JobSpec::digest`].
    pub spec: Digest,
    /// The whole price, all fees included: what is escrowed.
    pub price: Tokens,
    /// The part of `price` that pays for rays and set-up.
    pub work: Tokens,
    /// The part of `price` that goes to the farm's fee.
    pub fee: Tokens,
    /// The part of `price` that goes to the verification reserve.
    pub reserve: Tokens,
    /// Base price, micro-tokens per billion metered rays.
    pub price_per_gray: Tokens,
    /// Rays that the probe expects of the whole job, its margin included.
    pub rays: RayCount,
    /// Last moment the quote can be ordered, milliseconds since 1970.
    pub valid_until_ms: u64,
}

impl Signable for Quote {
    const DOMAIN: &'static str = "tessera 2026 quote v1";
}

/// The artist's word that a quote is taken: moves the price into escrow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The quote.
    pub quote: QuoteId,
    /// What was quoted: [`JobSpec::digest`].
    pub spec: Digest,
    /// The price agreed to.
    pub price: Tokens,
    /// Whose wallet pays.
    pub artist: PublicKey,
}

impl Signable for Order {
    const DOMAIN: &'static str = "tessera 2026 order v1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cover_every_chunk_once_whatever_the_length() {
        for chunk_count in 0..70 {
            for chunks_max in 1..20 {
                let mut next = 0;
                for batch in Batch::cover(chunk_count, chunks_max) {
                    assert!(batch.is_valid() && batch.chunk_count() <= chunks_max);
                    assert_eq!(batch.first_chunk(), next);
                    next = batch.end_chunk();
                }
                assert_eq!(next, chunk_count);
            }
        }
    }

    #[test]
    fn only_aligned_powers_of_two_are_batches() {
        assert!(Batch::new(4, 4).is_some());
        for (first, count) in [(2, 4), (0, 3), (0, 0), (u32::MAX, 1)] {
            assert_eq!(Batch::new(first, count), None);
        }
    }

    #[test]
    fn siblings_share_a_parent() {
        let batch = Batch::new(6, 2).expect("aligned");
        assert_eq!(batch.sibling(), Batch::new(4, 2).expect("aligned"));
        assert_eq!(batch.parent(), Batch::new(4, 4).expect("aligned"));
        assert_eq!(batch.parent(), batch.sibling().parent());
    }

    #[test]
    fn the_last_chunk_may_be_short() {
        assert_eq!(Batch::new(1, 1).expect("aligned").samples(24), 16..24);
        assert_eq!(Batch::new(4, 2).expect("aligned").samples(24), 24..24);
    }

    #[test]
    fn tiles_with_light_passes_fit_the_wire_too() {
        let side = |passes, tile_side_px| {
            let settings = RenderSettings { passes, ..RenderSettings::default() };
            let (name, frames) = ("tiles".to_owned(), FrameRange::STILL);
            let scene = SceneId([0; 32]);
            JobSpec { name, scene, settings, frames, tile_side_px }.validate()
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
    }
}
