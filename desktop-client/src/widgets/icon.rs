//! Icons as strokes, so that no glyph of a font leaks into an accessible name.

use std::f32::consts::TAU;

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Ui, Vec2, pos2};
use protocol::view::JobStatus;

use crate::state::{Door, TileLook};
use crate::theme::Palette;

/// What an icon says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A scene, a render.
    Cube,
    /// A node.
    Chip,
    /// A list.
    List,
    /// Money.
    Coin,
    /// Settings.
    Sliders,
    /// Waiting.
    Clock,
    /// Some of it is there.
    Half,
    /// Rendering.
    Ring,
    /// Paused.
    Pause,
    /// Received.
    Download,
    /// Accepted, done, connected.
    Check,
    /// Retrying.
    Arrows,
    /// Failed, not connected.
    Warning,
    /// Cancelled.
    Cross,
    /// Notices.
    Bell,
    /// A camera.
    Camera,
    /// Light.
    Sun,
}

/// The icon of a tile's look.
#[must_use]
pub const fn of_tile(look: TileLook) -> Icon {
    match look {
        TileLook::Waiting => Icon::Clock,
        TileLook::Partial => Icon::Half,
        TileLook::Rendering => Icon::Ring,
        TileLook::Retrying => Icon::Arrows,
        TileLook::Received => Icon::Download,
        TileLook::Accepted => Icon::Check,
    }
}

/// The colour of a tile's look, never without its icon.
#[must_use]
pub const fn tile_colour(look: TileLook, colours: &Palette) -> Color32 {
    match look {
        TileLook::Waiting => colours.text_dim,
        TileLook::Rendering => colours.running,
        TileLook::Retrying | TileLook::Received => colours.warn,
        TileLook::Partial | TileLook::Accepted => colours.ok,
    }
}

/// The same upon a picture, where the plate under it is dark in both themes.
#[must_use]
pub const fn tile_colour_on_picture(look: TileLook, colours: &Palette) -> Color32 {
    match look {
        TileLook::Waiting => colours.on_picture,
        _other => tile_colour(look, &crate::theme::tokens::DARK),
    }
}

/// The icon of a job's status.
#[must_use]
pub const fn of_job(status: JobStatus) -> Icon {
    match status {
        JobStatus::Waiting => Icon::Clock,
        JobStatus::Rendering => Icon::Ring,
        JobStatus::Paused => Icon::Pause,
        JobStatus::Done | JobStatus::Stopped => Icon::Check,
        JobStatus::Failed => Icon::Warning,
        JobStatus::Cancelled => Icon::Cross,
    }
}

/// The colour of a job's status, never without its icon.
#[must_use]
pub const fn job_colour(status: JobStatus, colours: &Palette) -> Color32 {
    match status {
        JobStatus::Waiting | JobStatus::Paused | JobStatus::Cancelled => colours.text_dim,
        JobStatus::Rendering => colours.running,
        JobStatus::Done | JobStatus::Stopped => colours.ok,
        JobStatus::Failed => colours.error,
    }
}

/// The icon of a door.
#[must_use]
pub const fn of_door(door: Door) -> Icon {
    match door {
        Door::Render => Icon::Cube,
        Door::MyNode => Icon::Chip,
        Door::Jobs => Icon::List,
        Door::Wallet => Icon::Coin,
        Door::Settings => Icon::Sliders,
    }
}

/// Takes `side` points of space and draws the icon there. It has no accessible name: a word
/// beside it says the same.
pub fn show(ui: &mut Ui, icon: Icon, side: f32, colour: Color32) {
    let (rect, _response) = ui.allocate_exact_size(Vec2::splat(side), egui::Sense::empty());
    paint(ui.painter(), rect, icon, colour);
}

/// Draws the icon into a square.
pub fn paint(painter: &Painter, rect: Rect, icon: Icon, colour: Color32) {
    let pen = Pen { painter, rect, stroke: Stroke::new(rect.width() / 11.0, colour) };
    match icon {
        Icon::Cube => pen.cube(),
        Icon::Chip => pen.chip(),
        Icon::List => {
            for y in [0.25, 0.5, 0.75] {
                pen.line(&[(0.12, y), (0.2, y)]);
                pen.line(&[(0.34, y), (0.88, y)]);
            }
        }
        Icon::Coin => {
            pen.circle(0.4);
            pen.line(&[(0.36, 0.38), (0.64, 0.38)]);
            pen.line(&[(0.5, 0.38), (0.5, 0.68)]);
        }
        Icon::Sliders => {
            for (y, knob) in [(0.3, 0.66), (0.7, 0.34)] {
                pen.line(&[(0.1, y), (0.9, y)]);
                painter.circle_filled(pen.at(knob, y), rect.width() * 0.12, colour);
            }
        }
        Icon::Clock => {
            pen.circle(0.4);
            pen.line(&[(0.5, 0.26), (0.5, 0.52), (0.68, 0.62)]);
        }
        Icon::Half => {
            pen.circle(0.4);
            pen.line(&[(0.5, 0.3), (0.5, 0.52), (0.7, 0.52)]);
            pen.arc(0.2, 0.0, 0.25);
        }
        Icon::Ring => pen.arc(0.38, 0.0, 0.75),
        Icon::Pause => {
            pen.circle(0.4);
            pen.line(&[(0.4, 0.34), (0.4, 0.66)]);
            pen.line(&[(0.6, 0.34), (0.6, 0.66)]);
        }
        Icon::Download => {
            pen.line(&[(0.5, 0.12), (0.5, 0.62)]);
            pen.line(&[(0.3, 0.44), (0.5, 0.64), (0.7, 0.44)]);
            pen.line(&[(0.16, 0.86), (0.84, 0.86)]);
        }
        Icon::Check => {
            pen.circle(0.4);
            pen.line(&[(0.31, 0.52), (0.45, 0.65), (0.7, 0.37)]);
        }
        Icon::Arrows => {
            for turn in [0.05, 0.55] {
                pen.arc(0.36, turn, turn + 0.36);
                pen.arrow_head(0.36, turn + 0.38);
            }
        }
        Icon::Warning => {
            pen.line(&[(0.5, 0.12), (0.92, 0.86), (0.08, 0.86), (0.5, 0.12)]);
            pen.line(&[(0.5, 0.4), (0.5, 0.6)]);
            painter.circle_filled(pen.at(0.5, 0.73), rect.width() * 0.05, colour);
        }
        Icon::Bell => {
            pen.line(&[(0.16, 0.72), (0.26, 0.6), (0.26, 0.42)]);
            pen.arc(0.24, 0.75, 1.25);
            pen.line(&[(0.74, 0.42), (0.74, 0.6), (0.84, 0.72), (0.16, 0.72)]);
            pen.line(&[(0.42, 0.86), (0.58, 0.86)]);
        }
        Icon::Camera => {
            pen.line(&[(0.1, 0.28), (0.64, 0.28), (0.64, 0.72), (0.1, 0.72), (0.1, 0.28)]);
            pen.line(&[(0.64, 0.44), (0.9, 0.3), (0.9, 0.7), (0.64, 0.56)]);
        }
        Icon::Sun => {
            pen.circle(0.2);
            for turn in 0..8 {
                let (sin, cos) = (turn as f32 / 8.0 * TAU).sin_cos();
                pen.line(&[
                    (0.5 + 0.32 * cos, 0.5 + 0.32 * sin),
                    (0.5 + 0.44 * cos, 0.5 + 0.44 * sin),
                ]);
            }
        }
        Icon::Cross => {
            pen.circle(0.4);
            pen.line(&[(0.36, 0.36), (0.64, 0.64)]);
            pen.line(&[(0.64, 0.36), (0.36, 0.64)]);
        }
    }
}

struct Pen<'a> {
    painter: &'a Painter,
    rect: Rect,
    stroke: Stroke,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> Pos2 {
        self.rect.min + self.rect.size() * Vec2::new(x, y)
    }

    fn line(&self, points: &[(f32, f32)]) {
        let points = points.iter().map(|&(x, y)| self.at(x, y)).collect();
        self.painter.add(Shape::line(points, self.stroke));
    }

    fn circle(&self, radius: f32) {
        let radius = self.rect.width() * radius;
        self.painter.circle_stroke(self.rect.center(), radius, self.stroke);
    }

    /// From turn to turn, clockwise from the top.
    fn arc(&self, radius: f32, from: f32, to: f32) {
        let point = |step: u32| {
            let angle = (from + (to - from) * step as f32 / 24.0 - 0.25) * TAU;
            (0.5 + radius * angle.cos(), 0.5 + radius * angle.sin())
        };
        self.line(&(0..=24).map(point).collect::<Vec<_>>());
    }

    fn arrow_head(&self, radius: f32, turn: f32) {
        let angle = (turn - 0.25) * TAU;
        let tip = pos2(0.5 + radius * angle.cos(), 0.5 + radius * angle.sin());
        let ahead = Vec2::new(-angle.sin(), angle.cos());
        let across = Vec2::new(angle.cos(), angle.sin());
        let [a, b] = [1.0, -1.0].map(|side| tip - ahead * 0.16 + across * (0.16 * side));
        self.line(&[(a.x, a.y), (tip.x, tip.y), (b.x, b.y)]);
    }

    fn cube(&self) {
        self.line(&[
            (0.5, 0.06),
            (0.88, 0.28),
            (0.88, 0.72),
            (0.5, 0.94),
            (0.12, 0.72),
            (0.12, 0.28),
            (0.5, 0.06),
        ]);
        self.line(&[(0.12, 0.28), (0.5, 0.5), (0.88, 0.28)]);
        self.line(&[(0.5, 0.5), (0.5, 0.94)]);
    }

    fn chip(&self) {
        let body = Rect::from_min_max(self.at(0.22, 0.22), self.at(0.78, 0.78));
        let radius = self.rect.width() * 0.08;
        self.painter.rect_stroke(body, radius, self.stroke, StrokeKind::Middle);
        for place in [0.38, 0.62] {
            self.line(&[(place, 0.06), (place, 0.22)]);
            self.line(&[(place, 0.78), (place, 0.94)]);
            self.line(&[(0.06, place), (0.22, place)]);
            self.line(&[(0.78, place), (0.94, place)]);
        }
    }
}
