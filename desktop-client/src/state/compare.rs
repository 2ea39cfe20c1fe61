//! Two pictures that are kept to be looked at beside each other. What one keeps is as it was; what one
//! sees of it changes nothing of it.

use egui::{Pos2, Rect, Vec2};
use protocol::Size;

use super::picture::Picture;
use super::{Live, State};

/// Where a picture is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The first.
    A,
    /// The other.
    B,
}

/// What one sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Showing {
    /// The picture that is being made.
    #[default]
    Live,
    /// What is kept in a slot.
    Kept(Slot),
    /// A to the left of a line, B to the right of it.
    Wipe,
    /// How far they are apart.
    Difference,
}

/// A picture that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What it is, for people.
    pub name: String,
    /// It.
    pub picture: Picture,
    /// Size of its frame with overscan, pixels.
    pub canvas: Size,
    /// What of that it shows.
    pub window: protocol::Rect,
}

/// What is kept, and how it is looked at.
#[derive(Debug, Clone)]
pub struct Compare {
    /// In A and B.
    pub slots: [Option<Kept>; 2],
    /// What one sees.
    pub showing: Showing,
    /// Where the line of the wipe stands, 0..=1 over the frame.
    pub wipe: f32,
    /// By how many stops a difference is magnified.
    pub boost_ev: f32,
}

/// Most stops by which a difference is magnified.
pub const BOOST_EV_MAX: f32 = 10.0;

impl Default for Compare {
    fn default() -> Self {
        Self { slots: [None, None], showing: Showing::Live, wipe: 0.5, boost_ev: 2.0 }
    }
}

/// What a person wants of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wish {
    /// Keep what one sees in a slot.
    Keep(Slot),
    /// Look at a slot; keep what one sees where it is empty; look away where one looks at it.
    Look(Slot),
    /// See that; or what is being made where one sees it already.
    Toggle(Showing),
    /// See that.
    Show(Showing),
    /// The wipe's line stands there.
    Wipe(f32),
    /// Magnify the difference so.
    Boost(f32),
    /// Forget what is kept.
    Forget,
}

impl Slot {
    /// Its letter.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

impl Kept {
    /// Where its pixels lie where its frame lies at `frame`.
    #[must_use]
    pub fn place(&self, frame: Rect) -> Rect {
        let shares = |x: u32, y: u32| {
            let share = |at: u32, of: u32| at as f32 / of.max(1) as f32;
            Vec2::new(share(x, self.canvas.width), share(y, self.canvas.height))
        };
        let protocol::Rect { x0, y0, x1, y1 } = self.window;
        let corner = |shares: Vec2| frame.min + shares * frame.size();
        Rect::from_min_max(corner(shares(x0, y0)), corner(shares(x1, y1)))
    }

    /// Where its frame lies beside another's of other proportions: in its middle, as large as it can.
    #[must_use]
    pub fn frame_within(&self, other: Rect) -> Rect {
        let own = Vec2::new(self.canvas.width.max(1) as f32, self.canvas.height.max(1) as f32);
        let scale = (other.size() / own).min_elem();
        Rect::from_center_size(other.center(), own * scale)
    }

    /// The light that it has at a place of the screen.
    #[must_use]
    pub fn light_at(&self, place: Rect, at: Pos2) -> Option<[f32; 3]> {
        let share = (at - place.min) / place.size();
        let Size { width, height } = self.picture.size;
        let (x, y) = (share.x * width as f32, share.y * height as f32);
        if x < 0.0 || y < 0.0 {
            return None;
        }
        self.picture.light(x as u32, y as u32)
    }
}

impl Compare {
    /// What is kept in a slot.
    #[must_use]
    pub const fn kept(&self, slot: Slot) -> Option<&Kept> {
        self.slots[slot.place()].as_ref()
    }

    /// Both, where both are kept.
    #[must_use]
    pub fn both(&self) -> Option<(&Kept, &Kept)> {
        Some((self.kept(Slot::A)?, self.kept(Slot::B)?))
    }

    /// Whether that can be seen.
    #[must_use]
    pub fn can_show(&self, showing: Showing) -> bool {
        match showing {
            Showing::Live => true,
            Showing::Kept(slot) => self.kept(slot).is_some(),
            Showing::Wipe | Showing::Difference => self.both().is_some(),
        }
    }
}

impl State {
    /// The picture that is being made, as it would be kept.
    #[must_use]
    pub fn picture_to_keep(&self) -> Option<Kept> {
        if self.sees_stage() {
            let scene = self.stage.scene.as_ref()?;
            let canvas = self.draft.size;
            let name = match scene.preview.samples {
                0 => "Preview".to_owned(),
                samples => format!("Preview, {samples} spp"),
            };
            let window = protocol::Rect::of_size(canvas);
            let picture = scene.preview.picture.clone();
            return (picture.changes() > 0).then_some(Kept { name, picture, canvas, window });
        }
        // What is played is smaller than the picture.
        let is_seen = self.sees_job() && self.reel.play.is_none();
        let live = self.live.as_ref().filter(|live| is_seen && live.picture.changes() > 0)?;
        let settings = &self.book.job(live.job)?.spec.settings;
        let (canvas, window) = (settings.canvas(), settings.window());
        Some(Kept { name: self.words_of(live), picture: live.picture.clone(), canvas, window })
    }

    /// `lighthouse_v12`, or `lighthouse_v12, frame 12` of several.
    #[must_use]
    pub fn words_of(&self, live: &Live) -> String {
        let name = self.name_of(live.job);
        let spec = self.book.job(live.job).map(|row| &row.spec);
        let spec = spec.filter(|spec| spec.shot_count() > 1);
        match spec.and_then(|spec| spec.shot(live.shot)) {
            Some(shot) => format!("{name}, frame {}", shot.frame),
            None => name,
        }
    }

    /// Whether two pictures are looked at, or a kept one, instead of what is being made.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.compare.showing != Showing::Live && (self.sees_stage() || self.sees_job())
    }

    pub(super) fn compare(&mut self, wish: Wish) {
        match wish {
            Wish::Keep(slot) => self.keep(slot),
            Wish::Look(slot) if self.compare.kept(slot).is_none() => self.keep(slot),
            Wish::Look(slot) => self.compare(Wish::Toggle(Showing::Kept(slot))),
            Wish::Toggle(showing) => {
                let is_seen = self.compare.showing == showing;
                self.compare(Wish::Show(if is_seen { Showing::Live } else { showing }));
            }
            Wish::Show(showing) if self.compare.can_show(showing) => {
                self.compare.showing = showing;
            }
            Wish::Show(_missing) => {}
            Wish::Wipe(at) => self.compare.wipe = at.clamp(0.0, 1.0),
            Wish::Boost(ev) => self.compare.boost_ev = ev.clamp(0.0, BOOST_EV_MAX),
            Wish::Forget => {
                self.compare.slots = [None, None];
                self.compare.showing = Showing::Live;
            }
        }
    }

    fn keep(&mut self, slot: Slot) {
        let Some(mut kept) = self.picture_to_keep() else { return };
        // The one that is being made goes on under its own name.
        self.picture_ids += 1;
        kept.picture.id = self.picture_ids;
        self.compare.slots[slot.place()] = Some(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(canvas: Size, window: protocol::Rect) -> Kept {
        let picture = Picture::new(1, window.size());
        Kept { name: "a".to_owned(), picture, canvas, window }
    }

    #[test]
    fn a_crop_lies_where_it_is_in_its_frame() {
        let window = protocol::Rect { x0: 50, y0: 0, x1: 100, y1: 50 };
        let kept = kept(Size::new(100, 50), window);
        let frame = Rect::from_min_size(Pos2::new(10.0, 20.0), Vec2::new(200.0, 100.0));
        let place = kept.place(frame);
        assert_eq!((place.min, place.max), (Pos2::new(110.0, 20.0), Pos2::new(210.0, 120.0)));
    }

    #[test]
    fn another_shape_is_fitted_into_the_middle() {
        let high = Size::new(50, 100);
        let kept = kept(high, protocol::Rect::of_size(high));
        let other = Rect::from_min_size(Pos2::ZERO, Vec2::new(200.0, 100.0));
        let frame = kept.frame_within(other);
        assert_eq!((frame.center(), frame.size()), (other.center(), Vec2::new(50.0, 100.0)));
    }
}
