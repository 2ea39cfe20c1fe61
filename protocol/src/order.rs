//! From a price to a job: quotes, orders, and when a job is rendered.

use serde::{Deserialize, Serialize};

use crate::footprint::Footprint;
use crate::id::{Digest, JobId, PublicKey, QuoteId};
use crate::job::{JobSpec, RayCount, Shot, TileIndex, Unit, ViewIndex};
use crate::limits;
use crate::needs::Reach;
use crate::offer::Offer;
use crate::sign::Signable;
use crate::tokens::Tokens;

/// The firm price of a job. The artist never pays more than `price`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// Id, to order by.
    pub id: QuoteId,
    /// What was quoted: [`JobSpec::digest`](crate::JobSpec::digest).
    pub spec: Digest,
    /// The whole price, all fees included: what is escrowed.
    pub price: Tokens,
    /// The part of `price` that pays for rays and set-up.
    pub work: Tokens,
    /// The part of `work` that pays for making scenes ready.
    pub setup: Tokens,
    /// The part of `price` that goes to the farm's fee.
    pub fee: Tokens,
    /// The part of `price` that goes to the verification reserve.
    pub reserve: Tokens,
    /// The part of `reserve` that pays for challenged pixels: it falls with the assurance.
    pub checking: Tokens,
    /// The terms it was asked for on.
    pub offer: Offer,
    /// The farm's base price of the moment, tokens per billion metered rays.
    pub base_per_gray: Tokens,
    /// What the job pays at weight 100, tokens per billion metered rays: the bid, or else the base
    /// price. Nodes that ask more are not offered it.
    pub price_per_gray: Tokens,
    /// How long a metered ray of this scene takes, in percent of one of the reference scene.
    pub weight_percent: u32,
    /// Samples of pixels that are rendered, over all pictures: those of the job's base are not.
    pub samples: u64,
    /// Rays of all of them at most: what the probe counted, with its margin.
    pub rays: RayCount,
    /// Where `rays` comes from.
    pub probed: Probed,
    /// Memory that its scene takes.
    pub memory: Footprint,
    /// How many nodes may render it.
    pub reach: Reach,
    /// Last moment the quote can be ordered, milliseconds since 1970.
    pub valid_until_ms: u64,
}

/// What a quote was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Probed {
    /// Shots that were looked at.
    pub shots: u32,
    /// Pixels rendered of each.
    pub pixels: u32,
    /// Rays expected of the job, without a margin.
    pub expected: RayCount,
}

impl Quote {
    /// What a billion metered rays of this job pay: the price, times the scene's weight; rounded
    /// down.
    #[must_use]
    pub const fn pay_per_gray(&self) -> Tokens {
        match self.price_per_gray.checked_mul_div(self.weight_percent as u128, 100) {
            Some(pay) => pay,
            // Only prices beyond the limits; they are refused before.
            None => self.price_per_gray,
        }
    }
}

impl Signable for Quote {
    const DOMAIN: &'static str = "tessera 2026 quote v4";
}

/// The artist's word that a quote is taken: moves the price into escrow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The quote.
    pub quote: QuoteId,
    /// What was quoted: [`JobSpec::digest`](crate::JobSpec::digest).
    pub spec: Digest,
    /// The price agreed to.
    pub price: Tokens,
    /// Whose wallet pays.
    pub artist: PublicKey,
    /// When it is rendered.
    pub schedule: Schedule,
}

impl Signable for Order {
    const DOMAIN: &'static str = "tessera 2026 order v3";
}

/// When a job is rendered, as far as its artist says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// Which of the artist's jobs comes first. Against jobs of others only the price counts.
    pub priority: Priority,
    /// Jobs of the artist that must be done before it begins.
    pub after: Vec<JobId>,
    /// Whether it waits until the artist lets it begin.
    pub paused: bool,
    /// Whether all of a picture is there soon, with few samples, and gets more from there; that costs
    /// nodes and the farm some more films.
    pub progressive: bool,
    /// How long after the order it ends with the samples that it has, milliseconds; without it, it
    /// goes on until it is done.
    pub stop_after_ms: Option<u64>,
    /// By when the artist wants it, milliseconds since 1970. Of his jobs of the same priority the one
    /// that is wanted first comes first, and those that are wanted at no time come last.
    pub wanted_by_ms: Option<u64>,
}

/// A schedule that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Too many jobs to wait for.
    #[error("a job can wait for {max} others, not for {0}; chain them, or order it when some are done", max = limits::AFTER_MAX)]
    After(usize),
    /// A job that ends before it begins.
    #[error("a job cannot be stopped {0} ms after its order; give it a second at least")]
    StopAfter(u64),
}

impl Schedule {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), ScheduleError> {
        if self.after.len() > limits::AFTER_MAX {
            return Err(ScheduleError::After(self.after.len()));
        }
        match self.stop_after_ms {
            Some(ms) if ms < 1_000 => Err(ScheduleError::StopAfter(ms)),
            _ => Ok(()),
        }
    }
}

/// Which of an artist's jobs comes first: 1..=100, the highest first; 50 unless chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

/// A priority that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no priority; choose 1 to 100, the highest comes first")]
pub struct PriorityError(u8);

impl Default for Priority {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u8> for Priority {
    type Error = PriorityError;

    fn try_from(number: u8) -> Result<Self, PriorityError> {
        if (1..=100).contains(&number) { Ok(Self(number)) } else { Err(PriorityError(number)) }
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What an artist has done with a job of his that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steering {
    /// Nothing new is begun; what nodes have begun comes in.
    Pause,
    /// It goes on.
    Resume,
    /// Which of the artist's jobs comes first.
    Priority(Priority),
    /// What nodes have failed at is forgotten for these units, so that they may try again.
    Retry(Selection),
    /// It ends with the samples that it has: what nodes have begun comes in, and the rest of the
    /// price returns.
    Stop,
    /// It ends at once: what nodes have begun is dropped, films that are here are still judged and
    /// paid, and the rest of the price returns.
    Cancel,
    /// Which of its units come first, of those that nobody has begun; all others of the same picture
    /// follow ring by ring around them. Said again, the last word counts.
    First(Selection),
}

/// Some of a job's units; the default is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Of this frame only.
    pub frame: Option<u32>,
    /// Of this camera only.
    pub view: Option<ViewIndex>,
    /// Of this tile only.
    pub tile: Option<TileIndex>,
}

impl Selection {
    /// Whether a unit of a job of this kind is one of them.
    #[must_use]
    pub fn holds(&self, spec: &JobSpec, unit: &Unit) -> bool {
        let is_of = |shot: Shot| {
            self.frame.is_none_or(|frame| frame == shot.frame)
                && self.view.is_none_or(|view| view == shot.view)
        };
        self.tile.is_none_or(|tile| tile == unit.tile) && spec.shot(unit.shot).is_some_and(is_of)
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let frame = self.frame.map(|frame| format!("frame {frame}"));
        let view = self.view.map(|view| format!("camera {}", view.0));
        let tile = self.tile.map(|tile| format!("tile {}", tile.0));
        let words: Vec<String> = [frame, view, tile].into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "all" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::id::SceneId;
    use crate::job::FrameRange;
    use crate::needs::Needs;
    use crate::settings::{CameraChoice, RenderSettings};
    use crate::wire;

    #[test]
    fn priorities_are_one_to_a_hundred() {
        let read = |number: u8| wire::decode::<Priority>(&wire::encode(&number), 8);
        assert_eq!(read(100).ok().map(u8::from), Some(100));
        assert!(read(0).is_err() && read(101).is_err());
        assert!(Priority::try_from(1).expect("the least") < Priority::default());
        let error = Priority::try_from(101).expect_err("too high");
        assert!(error.to_string().starts_with("101 is no priority"), "{error}");
    }

    #[test]
    fn a_selection_is_of_frames_cameras_and_tiles() {
        let spec = JobSpec {
            name: "two cameras".to_owned(),
            scene: SceneId([0; 32]),
            settings: RenderSettings::default(),
            more_cameras: vec![CameraChoice::Named("left".to_owned())],
            frames: FrameRange { first: 3, last: 5, step: 2, fps: 24.0 },
            tile_side_px: 64,
            base: None,
            noise: None,
            needs: Needs::default(),
        };
        let units: Vec<Unit> = spec
            .shots()
            .flat_map(|shot| [0, 1].map(|tile| (shot, TileIndex(tile))))
            .map(|(shot, tile)| {
                let batch = Batch::new(0, 1).expect("aligned");
                Unit { job: JobId([0; 16]), shot, tile, batch }
            })
            .collect();
        let held = |frame, view: Option<u32>, tile: Option<u32>| {
            let (view, tile) = (view.map(ViewIndex), tile.map(TileIndex));
            let selection = Selection { frame, view, tile };
            units.iter().filter(|unit| selection.holds(&spec, unit)).count()
        };
        assert_eq!((units.len(), held(None, None, None)), (8, 8));
        assert_eq!((held(Some(5), None, None), held(Some(4), None, None)), (4, 0));
        assert_eq!((held(None, Some(1), None), held(None, Some(2), None)), (4, 0));
        assert_eq!((held(None, None, Some(1)), held(None, None, Some(2))), (4, 0));
        assert_eq!(held(Some(3), Some(1), Some(0)), 1);
        let selection = Selection { frame: Some(3), tile: Some(TileIndex(7)), view: None };
        assert_eq!(selection.to_string(), "frame 3, tile 7");
        assert_eq!(Selection::default().to_string(), "all");
    }

    #[test]
    fn schedules_that_cannot_be_are_refused_by_number() {
        let schedule = |stop_after_ms, jobs| {
            let after = vec![JobId([0; 16]); jobs];
            Schedule { stop_after_ms, after, ..Schedule::default() }.validate()
        };
        assert_eq!(schedule(None, 0), Ok(()));
        assert_eq!(schedule(Some(1_000), limits::AFTER_MAX), Ok(()));
        assert_eq!(schedule(Some(999), 0), Err(ScheduleError::StopAfter(999)));
        let many = limits::AFTER_MAX + 1;
        assert_eq!(schedule(None, many), Err(ScheduleError::After(many)));
    }
}
