//! The part of a frame that is rendered, as one draws and types it. Always whole and inside.

use egui::{Pos2, Rect, Vec2};
use protocol::{Crop, Size};

use super::draft::Draft;

/// Pixels of a drawn rectangle, on each side, below which it was no more than a press.
const DRAWN_MIN: f32 = 2.0;

/// A crop of numbers as they may be: cut to what lies in the frame, at least one pixel.
#[must_use]
pub fn inside(crop: Crop, frame: Size) -> Crop {
    let (width, height) = (frame.width.max(1), frame.height.max(1));
    let x = crop.x.clamp(0, i32::try_from(width - 1).unwrap_or(i32::MAX));
    let y = crop.y.clamp(0, i32::try_from(height - 1).unwrap_or(i32::MAX));
    let size = Size::new(
        crop.size.width.clamp(1, width - x as u32),
        crop.size.height.clamp(1, height - y as u32),
    );
    Crop { x, y, size }
}

/// The middle of a frame, half as wide and high.
#[must_use]
pub fn middle(frame: Size) -> Crop {
    let (width, height) = ((frame.width / 2).max(1), (frame.height / 2).max(1));
    let (x, y) = ((frame.width - width) / 2, (frame.height - height) / 2);
    inside(Crop { x: x as i32, y: y as i32, size: Size::new(width, height) }, frame)
}

/// The same part of a frame of another size.
#[must_use]
pub fn resized(crop: Crop, from: Size, to: Size) -> Crop {
    let scaled = |value: u32, from: u32, to: u32| {
        let (value, from, to) = (u64::from(value), u64::from(from.max(1)), u64::from(to));
        ((value * to + from / 2) / from) as u32
    };
    let x = scaled(crop.x.max(0) as u32, from.width, to.width);
    let y = scaled(crop.y.max(0) as u32, from.height, to.height);
    let size = Size::new(
        scaled(crop.size.width, from.width, to.width),
        scaled(crop.size.height, from.height, to.height),
    );
    inside(Crop { x: x as i32, y: y as i32, size }, to)
}

/// A crop as it was drawn or typed last, with the frame that it is of. Sizes that come after are of
/// it: from size to size, what is rounded would add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Origin(Option<(Crop, Size)>);

impl Origin {
    /// Scales the crop of a draft that has another size than before; takes note of one that has
    /// another crop.
    pub(super) fn follow(&mut self, before: (Option<Crop>, Size), draft: &mut Draft) {
        let (crop, size) = before;
        if draft.crop != crop {
            // It was drawn or typed over the frame that one saw.
            self.0 = draft.crop.map(|crop| (crop, size));
        }
        let Some(kept) = draft.crop.filter(|_| draft.size != size) else { return };
        let (crop, of) = *self.0.get_or_insert((kept, size));
        draft.crop = Some(resized(crop, of, draft.size));
    }
}

/// What one has drawn over a frame that lies at `place`: every pixel that the rectangle touches, as
/// far as it is in the frame. Nothing where it was no more than a press, or beside the frame.
#[must_use]
pub fn drawn(from: Pos2, to: Pos2, place: Rect, frame: Size) -> Option<Crop> {
    let drawn = Rect::from_two_pos(from, to).intersect(place);
    if !drawn.is_positive() || Rect::from_two_pos(from, to).size().min_elem() < DRAWN_MIN {
        return None;
    }
    let pixels = Vec2::new(frame.width as f32, frame.height as f32);
    let at = |point: Pos2| (point - place.min) / place.size() * pixels;
    let (min, max) = (at(drawn.min).floor(), at(drawn.max).ceil());
    let size = Size::new((max.x - min.x).max(1.0) as u32, (max.y - min.y).max(1.0) as u32);
    Some(inside(Crop { x: min.x as i32, y: min.y as i32, size }, frame))
}

/// Where a crop lies over a frame that lies at `place`.
#[must_use]
pub fn place(crop: Crop, place: Rect, frame: Size) -> Rect {
    let scale = place.size() / Vec2::new(frame.width.max(1) as f32, frame.height.max(1) as f32);
    let min = place.min + Vec2::new(crop.x as f32, crop.y as f32) * scale;
    let size = Vec2::new(crop.size.width as f32, crop.size.height as f32) * scale;
    Rect::from_min_size(min, size)
}

/// How much of a frame it is, 0..=1.
#[must_use]
pub fn share(crop: Crop, frame: Size) -> f32 {
    crop.size.pixel_count() as f32 / frame.pixel_count().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Size = Size::new(1920, 1080);
    /// A third of the frame's size.
    const PLACE: Rect = Rect { min: Pos2::new(10.0, 20.0), max: Pos2::new(650.0, 380.0) };

    fn crop(x: i32, y: i32, width: u32, height: u32) -> Crop {
        Crop { x, y, size: Size::new(width, height) }
    }

    fn is_sound(crop: Crop, frame: Size) -> bool {
        let settings = protocol::RenderSettings {
            size: frame,
            crop: Some(crop),
            ..protocol::RenderSettings::default()
        };
        settings.validate().is_ok()
    }

    #[test]
    fn every_pixel_that_the_rectangle_touches_is_of_it() {
        let corner = |x: f32, y: f32| PLACE.min + Vec2::new(x, y);
        let one = drawn(corner(100.0, 50.0), corner(200.1, 90.0), PLACE, FRAME);
        assert_eq!(one, Some(crop(300, 150, 301, 120)));
        // From whichever corner.
        let other = drawn(corner(200.1, 90.0), corner(100.0, 50.0), PLACE, FRAME);
        assert_eq!(one, other);
        // What lies beside the frame is left out.
        let cut = drawn(corner(-50.0, -50.0), corner(10.0, 10.0), PLACE, FRAME);
        assert_eq!(cut, Some(crop(0, 0, 30, 30)));
        let whole = drawn(corner(-50.0, -50.0), corner(900.0, 900.0), PLACE, FRAME);
        assert_eq!(whole, Some(crop(0, 0, 1920, 1080)));
        assert_eq!(drawn(corner(-50.0, 0.0), corner(-10.0, 50.0), PLACE, FRAME), None);
        assert_eq!(drawn(corner(5.0, 5.0), corner(5.5, 30.0), PLACE, FRAME), None, "a press");
    }

    #[test]
    fn it_lies_where_it_was_drawn() {
        let crop = crop(300, 150, 300, 120);
        let shown = place(crop, PLACE, FRAME);
        assert!((shown.min - Pos2::new(110.0, 70.0)).length() < 1e-3);
        assert!((shown.size() - Vec2::new(100.0, 40.0)).length() < 1e-3);
        assert!((share(middle(FRAME), FRAME) - 0.25).abs() < 1e-3);
    }

    #[test]
    fn a_size_that_changes_pixel_by_pixel_comes_to_what_one_step_comes_to() {
        let mut draft = Draft { size: FRAME, ..Draft::default() };
        let mut origin = Origin::default();
        let drawn = crop(300, 150, 301, 120);
        let mut change = |change: &dyn Fn(&mut Draft)| {
            let before = (draft.crop, draft.size);
            change(&mut draft);
            origin.follow(before, &mut draft);
            draft.crop
        };
        assert_eq!(change(&|draft: &mut Draft| draft.crop = Some(drawn)), Some(drawn));
        for width in (960..1920).rev() {
            change(&|draft: &mut Draft| draft.size.width = width);
        }
        let half = Size::new(960, 1080);
        assert_eq!(change(&|_same: &mut Draft| ()), Some(resized(drawn, FRAME, half)));
        assert_eq!(change(&|draft: &mut Draft| draft.size = FRAME), Some(drawn), "and back");
        // What is typed by then is what counts from then on.
        let typed = crop(0, 0, 100, 100);
        change(&|draft: &mut Draft| draft.size = half);
        change(&|draft: &mut Draft| draft.crop = Some(typed));
        let again = change(&|draft: &mut Draft| draft.size = FRAME);
        assert_eq!(again, Some(resized(typed, half, FRAME)));
        assert_eq!(change(&|draft: &mut Draft| draft.crop = None), None);
    }

    #[test]
    fn whatever_is_typed_the_order_can_have_it() {
        for wild in [crop(-5, 3000, 0, 9999), crop(1919, 1079, 50, 50), crop(7, 7, 1, 1)] {
            let tame = inside(wild, FRAME);
            assert!(is_sound(tame, FRAME), "{tame:?}");
        }
        for frame in [Size::new(1, 1), Size::new(3, 2), FRAME] {
            assert!(is_sound(middle(frame), frame), "{frame:?}");
            let again = resized(crop(960, 540, 960, 540), FRAME, frame);
            assert!(is_sound(again, frame), "{again:?}");
        }
        let half = resized(crop(300, 150, 301, 120), FRAME, Size::new(960, 540));
        assert_eq!(half, crop(150, 75, 151, 60));
    }
}
