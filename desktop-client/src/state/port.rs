//! Where a picture lies on the screen, and how one moves it.

use egui::{Pos2, Rect, Vec2};
use protocol::{Size, TileIndex};

use super::State;

/// Least points to a pixel, and most.
const SCALE: std::ops::RangeInclusive<f32> = 0.02..=32.0;
/// Most points to a pixel where the picture is fitted: a small one is not blown up to nothing.
const FIT_SCALE_MAX: f32 = 4.0;
/// Room around a fitted picture, points.
const MARGIN: f32 = 12.0;

/// How a picture is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Port {
    /// All of it.
    #[default]
    Fit,
    /// Its middle, a pixel of it to a pixel of the screen.
    Actual,
    /// As a person has moved it.
    Free {
        /// Points to a pixel.
        scale: f32,
        /// The pixel in the middle of the canvas.
        middle: Pos2,
    },
}

/// A canvas, and what is to be shown in it.
#[derive(Debug, Clone, Copy)]
pub struct Canvas {
    /// Where it lies, points.
    pub rect: Rect,
    /// The picture's size, pixels.
    pub size: Size,
    /// Pixels of the screen to a point.
    pub pixels_per_point: f32,
}

/// What a person does to a picture in one frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Motion {
    /// How far it is dragged, points.
    pub drag: Vec2,
    /// By how much it is magnified; 1 by nothing.
    pub factor: f32,
    /// Where the pointer is, points.
    pub pointer: Pos2,
}

impl Canvas {
    fn pixels(&self) -> Vec2 {
        Vec2::new(self.size.width.max(1) as f32, self.size.height.max(1) as f32)
    }
}

impl Port {
    /// Points to a pixel, and the pixel in the middle of the canvas.
    fn scale_and_middle(&self, canvas: &Canvas) -> (f32, Pos2) {
        let pixels = canvas.pixels();
        let centre = (pixels / 2.0).to_pos2();
        match *self {
            Self::Fit => {
                let room = canvas.rect.shrink(MARGIN).size().max(Vec2::splat(1.0));
                ((room / pixels).min_elem().clamp(*SCALE.start(), FIT_SCALE_MAX), centre)
            }
            Self::Actual => (1.0 / canvas.pixels_per_point.max(0.1), centre),
            Self::Free { scale, middle } => (scale, middle),
        }
    }

    /// The pixel of a picture in the middle of the canvas.
    fn middle(&self, size: Size) -> Pos2 {
        match *self {
            Self::Fit | Self::Actual => {
                Pos2::new(size.width as f32 / 2.0, size.height as f32 / 2.0)
            }
            Self::Free { middle, .. } => middle,
        }
    }

    /// Where the picture's corners lie, points.
    #[must_use]
    pub fn place(&self, canvas: &Canvas) -> Rect {
        let (scale, middle) = self.scale_and_middle(canvas);
        let corner = canvas.rect.center() - middle.to_vec2() * scale;
        Rect::from_min_size(corner, canvas.pixels() * scale)
    }

    /// What becomes of it by dragging and magnifying.
    #[must_use]
    pub fn moved(&self, canvas: &Canvas, motion: Motion) -> Self {
        let (before, mut middle) = self.scale_and_middle(canvas);
        let is_magnified = (motion.factor - 1.0).abs() > 1e-4;
        if !is_magnified && motion.drag == Vec2::ZERO {
            return *self;
        }
        let mut scale = before;
        if is_magnified {
            scale = (before * motion.factor).clamp(*SCALE.start(), *SCALE.end());
            // What lies under the pointer stays there.
            let arm = motion.pointer - canvas.rect.center();
            middle += arm / before - arm / scale;
        }
        middle -= motion.drag / scale;
        let pixels = canvas.pixels();
        let middle = Pos2::new(middle.x.clamp(0.0, pixels.x), middle.y.clamp(0.0, pixels.y));
        Self::Free { scale, middle }
    }
}

impl State {
    /// The tile of the watched picture in the middle of what one sees of it.
    #[must_use]
    pub fn tile_in_middle(&self) -> Option<TileIndex> {
        let live = self.live.as_ref()?;
        let spec = &self.book.job(live.job)?.spec;
        let (grid, window, size) = (spec.grid(), spec.settings.window(), live.picture.size);
        let middle = self.port.middle(size);
        // The right and the lower edge are of the last pixels.
        let x = (middle.x.max(0.0) as u32).min(size.width.saturating_sub(1));
        let y = (middle.y.max(0.0) as u32).min(size.height.saturating_sub(1));
        let holds = |tile: &TileIndex| {
            let rect = grid.rect(*tile).map(|rect| rect.inside(&window));
            rect.is_some_and(|it| (it.x0..it.x1).contains(&x) && (it.y0..it.y1).contains(&y))
        };
        (0..grid.tile_count()).map(TileIndex).find(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(width: u32, height: u32) -> Canvas {
        let rect = Rect { min: Pos2::new(100.0, 50.0), max: Pos2::new(524.0, 374.0) };
        Canvas { rect, size: Size::new(width, height), pixels_per_point: 2.0 }
    }

    #[test]
    fn a_picture_is_fitted_into_the_middle() {
        let canvas = canvas(800, 300);
        let place = Port::Fit.place(&canvas);
        assert_eq!(place.center(), canvas.rect.center());
        assert_eq!((place.width(), place.height()), (400.0, 150.0));
        let small = Port::Fit.place(&Canvas { size: Size::new(10, 10), ..canvas });
        assert!((small.width() - 40.0).abs() < 1e-3, "four points to a pixel are enough");
    }

    #[test]
    fn its_own_size_is_a_pixel_to_a_pixel() {
        let canvas = canvas(4000, 3000);
        let place = Port::Actual.place(&canvas);
        assert_eq!((place.center(), place.width()), (canvas.rect.center(), 2000.0));
    }

    #[test]
    fn what_lies_under_the_pointer_stays_there() {
        let canvas = canvas(800, 600);
        let pointer = Pos2::new(200.0, 120.0);
        let under = |port: Port| {
            let place = port.place(&canvas);
            (pointer - place.min) / place.size()
        };
        let motion = Motion { factor: 3.0, pointer, ..Motion::default() };
        let moved = Port::Fit.moved(&canvas, motion);
        assert!((under(moved) - under(Port::Fit)).length() < 1e-4);
        let dragged = Motion { factor: 1.0, drag: Vec2::new(10.0, 0.0), pointer };
        let shift = moved.moved(&canvas, dragged).place(&canvas).min - moved.place(&canvas).min;
        assert!((shift - dragged.drag).length() < 1e-3, "{shift:?}");
        assert_eq!(Port::Fit.moved(&canvas, Motion { factor: 1.0, ..dragged_by(0.0) }), Port::Fit);
    }

    fn dragged_by(x: f32) -> Motion {
        Motion { drag: Vec2::new(x, 0.0), factor: 1.0, pointer: Pos2::ZERO }
    }
}
