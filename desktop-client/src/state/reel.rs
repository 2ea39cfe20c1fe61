//! Frames of an animation that are at hand, small enough to be played. What they hold is bounded;
//! the frame that one stops at is fetched whole again.

use std::collections::BTreeMap;

use protocol::{JobId, JobSpec, Shot, ShotIndex, Size, ViewIndex};

use super::State;
use super::compare::Showing;
use super::live::TileLook;
use super::picture::{Picture, Texel, texel};
use crate::desk::{Ask, ReelAsk};

/// Most pixels of a frame that is kept for playing: 960 × 540 of Full HD.
pub const STILL_PIXELS_MAX: u64 = 1 << 19;
/// Most bytes of all of them.
pub const REEL_BYTES_MAX: u64 = 1 << 30;

/// The frames of one job.
#[derive(Debug, Clone, Default)]
pub struct Reel {
    /// Of which job.
    pub job: Option<JobId>,
    /// Fetching them, where somebody has asked for it.
    pub fetching: Fetching,
    /// How they are played.
    pub play: Option<Play>,
    /// Name of their textures.
    picture_id: u64,
    stills: BTreeMap<ShotIndex, Picture>,
    bytes: u64,
    /// Counts the frames that came.
    count: u64,
    /// Counts what was asked for.
    serial: u64,
}

/// Whether frames are being fetched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fetching {
    /// Nobody has asked.
    #[default]
    Idle,
    /// They are on their way.
    UnderWay,
    /// Not all came, and why.
    Failed(String),
}

/// How frames are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Play {
    /// The frame on the screen.
    pub shot: ShotIndex,
    /// The one that it began with.
    began: ShotIndex,
    /// When, milliseconds since 1970.
    began_ms: u64,
}

/// News of frames.
#[derive(Debug, Clone)]
pub enum Event {
    /// A frame is at hand.
    Still {
        /// Its job.
        job: JobId,
        /// Which.
        shot: ShotIndex,
        /// Its size, pixels; smaller than the picture where that is large.
        size: Size,
        /// Rows from the upper left.
        texels: Vec<Texel>,
    },
    /// All came that were asked for, or why they did not.
    Ended {
        /// Which question.
        serial: u64,
        /// Why not.
        trouble: Option<String>,
    },
}

/// A picture small enough to be played: means over squares of pixels.
#[must_use]
pub fn still(size: Size, beauty: &[[f32; 3]]) -> (Size, Vec<Texel>) {
    let side = side_of(size);
    let small = Size::new(size.width.div_ceil(side), size.height.div_ceil(side));
    let mut texels = Vec::with_capacity(small.pixel_count() as usize);
    for y in 0..small.height {
        for x in 0..small.width {
            let (mut sum, mut count) = ([0.0; 3], 0.0);
            for row in y * side..(y * side + side).min(size.height) {
                for column in x * side..(x * side + side).min(size.width) {
                    let at = row as usize * size.width as usize + column as usize;
                    let Some(rgb) = beauty.get(at) else { continue };
                    sum = std::array::from_fn(|channel| sum[channel] + rgb[channel]);
                    count += 1.0;
                }
            }
            texels.push(texel(sum.map(|sum: f32| sum / f32::max(count, 1.0))));
        }
    }
    (small, texels)
}

/// Pixels of a picture to one of its still, on each side.
fn side_of(size: Size) -> u32 {
    let pixels_of =
        |side: u32| u64::from(size.width.div_ceil(side)) * u64::from(size.height.div_ceil(side));
    (1..).find(|&side| pixels_of(side) <= STILL_PIXELS_MAX).unwrap_or(1)
}

/// How many frames of that size may be at hand.
#[must_use]
pub fn room(size: Size) -> usize {
    let side = side_of(size);
    let pixels = u64::from(size.width.div_ceil(side)) * u64::from(size.height.div_ceil(side));
    (REEL_BYTES_MAX / (pixels * size_of::<Texel>() as u64).max(1)) as usize
}

impl Reel {
    /// A frame, where it is at hand.
    #[must_use]
    pub fn still(&self, job: JobId, shot: ShotIndex) -> Option<&Picture> {
        self.stills.get(&shot).filter(|_| self.job == Some(job))
    }

    /// The frames of a view that are at hand, in order.
    #[must_use]
    pub fn here(&self, spec: &JobSpec, view: ViewIndex) -> Vec<ShotIndex> {
        let of_view = |shot: &&ShotIndex| spec.shot(**shot).is_some_and(|shot| shot.view == view);
        self.stills.keys().filter(of_view).copied().collect()
    }

    /// How many are at hand, of all views.
    #[must_use]
    pub fn count(&self) -> usize {
        self.stills.len()
    }

    /// Begins anew for another job; the frames of the last are let go of.
    fn turn_to(&mut self, job: JobId, picture_id: u64) {
        if self.job != Some(job) {
            let serial = self.serial + 1;
            *self = Self { job: Some(job), picture_id, serial, ..Self::default() };
        }
    }

    fn insert(&mut self, shot: ShotIndex, size: Size, texels: Vec<Texel>) {
        let bytes = size.pixel_count() * size_of::<Texel>() as u64;
        let is_known = self.stills.contains_key(&shot);
        if is_known || size.pixel_count() != texels.len() as u64 {
            return;
        }
        // What does not fit stays out; nothing that one has is taken away.
        if self.bytes + bytes > REEL_BYTES_MAX {
            return;
        }
        self.count += 1;
        self.bytes += bytes;
        self.stills.insert(shot, Picture::whole(self.picture_id, size, self.count, texels));
    }
}

/// The frame that is on the screen so long after the first one was.
///
/// `here` are those at hand, in order, `began` is one of them.
#[must_use]
pub fn shown_at(
    here: &[ShotIndex],
    began: ShotIndex,
    since_ms: u64,
    frames_per_s: f32,
) -> ShotIndex {
    let first = here.iter().position(|shot| *shot == began).unwrap_or(0);
    let steps = (since_ms as f64 / 1e3 * f64::from(frames_per_s.max(0.01))) as u64;
    let at = (first as u64 + steps) % (here.len().max(1) as u64);
    here.get(at as usize).copied().unwrap_or(began)
}

impl State {
    /// The watched shot with its job's specification, where that has several frames.
    fn animation(&self) -> Option<(JobId, &JobSpec, Shot)> {
        let live = self.live.as_ref()?;
        let spec = &self.book.job(live.job)?.spec;
        let shot = spec.shot(live.shot)?;
        (spec.frames.count() > 1).then_some((live.job, spec, shot))
    }

    /// Why the watched job cannot be played.
    ///
    /// # Errors
    /// What is missing, in a few words.
    pub fn can_play(&self) -> Result<(), &'static str> {
        if !self.sees_job() {
            return Err("Show the job first");
        }
        let Some((job, spec, shot)) = self.animation() else {
            return Err("It is one frame");
        };
        let is_of_it = self.reel.job == Some(job);
        match is_of_it && self.reel.here(spec, shot.view).len() > 1 {
            true => Ok(()),
            false => Err("Fewer than two frames are at hand. Fetch the finished ones"),
        }
    }

    /// Why finished frames cannot be fetched.
    ///
    /// # Errors
    /// What is missing, in a few words.
    pub fn can_fetch_frames(&self) -> Result<(), &'static str> {
        let Some((job, spec, shot)) = self.animation() else {
            return Err("It is one frame");
        };
        if !self.sees_job() {
            return Err("Show the job first");
        }
        if self.book.job(job).is_some_and(|row| row.expired) {
            return Err("Its films are gone: it ended long ago");
        }
        let live = self.live.as_ref();
        let is_missing = |at: ShotIndex| {
            let look = live.and_then(|live| live.shots.get(at.0 as usize));
            let is_of_view = spec.shot(at).is_some_and(|it| it.view == shot.view);
            look == Some(&TileLook::Accepted) && is_of_view && self.reel.still(job, at).is_none()
        };
        if !spec.shots().any(is_missing) {
            return Err("All that are finished are at hand");
        }
        let is_full =
            self.reel.job == Some(job) && self.reel.count() >= room(spec.settings.window().size());
        if is_full { Err("There is no room for more frames") } else { Ok(()) }
    }

    /// The picture on the screen while frames are played.
    #[must_use]
    pub fn played(&self) -> Option<(ShotIndex, &Picture)> {
        let play = self.reel.play.as_ref().filter(|_| self.sees_job())?;
        let job = self.live.as_ref()?.job;
        Some((play.shot, self.reel.still(job, play.shot)?))
    }

    /// Frames a second of what is played.
    #[must_use]
    pub fn rate(&self) -> f32 {
        let Some((_, spec, _)) = self.animation() else { return 1.0 };
        spec.frames.fps / spec.frames.step.max(1) as f32
    }

    /// Begins to play with the watched frame, or the next that is at hand; or stops at the one that
    /// is shown, which is watched from then on.
    pub(super) fn play_or_pause(&mut self, asks: &mut Vec<Ask>) {
        if let Some(play) = self.reel.play.take() {
            if let Some(job) = self.live.as_ref().map(|live| live.job) {
                self.watch(job, play.shot, asks);
            }
            return;
        }
        if self.can_play().is_err() {
            return;
        }
        let Some((_, spec, shown)) = self.animation() else { return };
        let here = self.reel.here(spec, shown.view);
        let watched = spec.shot_index(shown);
        let next = here.iter().find(|at| Some(**at) >= watched).or(here.first());
        let Some(&began) = next else { return };
        self.compare.showing = Showing::Live;
        self.reel.play = Some(Play { shot: began, began, began_ms: self.now_ms });
    }

    /// Time has passed.
    pub(super) fn play_on(&mut self) {
        let Some(play) = self.reel.play else { return };
        let rate = self.rate();
        let here = match self.animation() {
            Some((_, spec, shown)) if self.sees_job() => self.reel.here(spec, shown.view),
            _gone => Vec::new(),
        };
        if here.len() < 2 {
            self.reel.play = None;
            return;
        }
        let since_ms = self.now_ms.saturating_sub(play.began_ms);
        let shot = shown_at(&here, play.began, since_ms, rate);
        self.reel.play = Some(Play { shot, ..play });
    }

    /// Watches the frame so many further on, of the same camera.
    pub(super) fn step_frame(&mut self, by: i64, asks: &mut Vec<Ask>) {
        let playing = self.reel.play.take().map(|play| play.shot);
        let Some((job, spec, shown)) = self.animation() else { return };
        let from = playing.and_then(|shot| spec.shot(shot)).unwrap_or(shown);
        let Some(place) = spec.frames.place(from.frame) else { return };
        let last = i64::from(spec.frames.count()) - 1;
        let place = (i64::from(place) + by).clamp(0, last);
        let frame = spec.frames.nth(place as u32);
        let there = frame.and_then(|frame| spec.shot_index(Shot { frame, ..shown }));
        if let Some(there) = there {
            self.watch(job, there, asks);
        }
    }

    /// Fetches what is finished of the shown camera and not at hand.
    pub(super) fn fetch_frames(&mut self, asks: &mut Vec<Ask>) {
        if self.can_fetch_frames().is_err() {
            return;
        }
        let Some((job, spec, shown)) = self.animation() else { return };
        let room = room(spec.settings.window().size());
        self.picture_ids += 1;
        self.reel.turn_to(job, self.picture_ids);
        self.reel.serial += 1;
        self.reel.fetching = Fetching::UnderWay;
        let ask = ReelAsk {
            serial: self.reel.serial,
            job,
            view: shown.view,
            here: self.reel.stills.keys().copied().collect(),
            room: room.saturating_sub(self.reel.count()),
        };
        asks.push(Ask::FetchFrames(Box::new(ask)));
    }

    /// Fetches no more of them.
    pub(super) fn stop_fetching_frames(&mut self, asks: &mut Vec<Ask>) {
        self.reel.serial += 1;
        self.reel.fetching = Fetching::Idle;
        asks.push(Ask::StopFetchingFrames);
    }

    pub(super) fn hear_reel(&mut self, event: Event) {
        match event {
            Event::Still { job, shot, size, texels } => {
                // Frames of what nobody looks at any more are of no use.
                if self.live.as_ref().is_none_or(|live| live.job != job) {
                    return;
                }
                if self.reel.job != Some(job) {
                    self.picture_ids += 1;
                    self.reel.turn_to(job, self.picture_ids);
                }
                self.reel.insert(shot, size, texels);
            }
            Event::Ended { serial, trouble } if serial == self.reel.serial => {
                self.reel.fetching = trouble.map_or(Fetching::Idle, Fetching::Failed);
            }
            Event::Ended { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_is_the_mean_of_squares_and_never_too_large() {
        let (size, texels) = still(Size::new(4, 2), &[[1.0; 3]; 8]);
        assert_eq!((size, texels.len()), (Size::new(4, 2), 8), "small ones stay as they are");
        let large = Size::new(1920, 1080);
        assert_eq!(side_of(large), 2);
        let mut beauty = vec![[1.0; 3]; large.pixel_count() as usize];
        (beauty[0], beauty[1], beauty[1920]) = ([3.0; 3], [3.0; 3], [3.0; 3]);
        let (size, texels) = still(large, &beauty);
        assert_eq!(size, Size::new(960, 540));
        assert_eq!((texels[0], texels[1]), (texel([2.5; 3]), texel([1.0; 3])));
        let odd = still(Size::new(1921, 1091), &vec![[0.5; 3]; 1921 * 1091]);
        assert_eq!((odd.0, odd.1.last()), (Size::new(641, 364), Some(&texel([0.5; 3]))));
        assert_eq!(room(large), 258);
    }

    #[test]
    fn frames_are_played_at_their_rate_and_those_alone_that_are_here() {
        let here = [2, 3, 7, 8].map(ShotIndex);
        let shown = |since_ms| shown_at(&here, ShotIndex(3), since_ms, 24.0).0;
        let at: Vec<u32> = [0, 41, 42, 84, 126, 167].map(shown).to_vec();
        assert_eq!(at, [3, 3, 7, 8, 2, 3]);
        assert_eq!(shown_at(&[], ShotIndex(5), 100, 24.0), ShotIndex(5));
    }

    #[test]
    fn a_full_reel_takes_no_more_and_loses_nothing() {
        let mut reel = Reel::default();
        reel.turn_to(JobId([1; 16]), 7);
        let size = Size::new(960, 540);
        let texels = || vec![[0; 4]; size.pixel_count() as usize];
        reel.insert(ShotIndex(0), size, texels());
        reel.insert(ShotIndex(0), size, texels());
        assert_eq!(reel.count(), 1);
        reel.bytes = REEL_BYTES_MAX - 1;
        reel.insert(ShotIndex(1), size, texels());
        assert_eq!(reel.count(), 1);
        reel.turn_to(JobId([1; 16]), 8);
        assert_eq!(reel.count(), 1, "the same job");
        reel.turn_to(JobId([2; 16]), 9);
        assert_eq!((reel.count(), reel.bytes), (0, 0));
    }
}
