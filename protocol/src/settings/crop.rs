//! Which pixels of a frame are rendered: its crop and its overscan.

use serde::{Deserialize, Serialize};

use super::{RenderSettings, SettingsError};
use crate::geometry::{Rect, Size};
use crate::limits;

/// A part of a frame, in pixels of the frame from its upper left; with overscan it may begin
/// left of it or above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crop {
    /// Column of its first pixel.
    pub x: i32,
    /// Row of its first pixel.
    pub y: i32,
    /// Its width and height.
    pub size: Size,
}

impl std::fmt::Display for Crop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},{}", self.x, self.y, self.size)
    }
}

impl RenderSettings {
    /// The frame with its overscan, in whose pixels tiles and films are told: those of the frame
    /// begin at (`overscan`, `overscan`).
    #[must_use]
    pub const fn canvas(&self) -> Size {
        let both = self.overscan.saturating_mul(2);
        let Size { width, height } = self.size;
        Size::new(width.saturating_add(both), height.saturating_add(both))
    }

    /// The pixels of the canvas that are rendered: the crop, or all.
    #[must_use]
    pub fn window(&self) -> Rect {
        let canvas = self.canvas();
        let Some(Crop { x, y, size }) = self.crop else { return Rect::of_size(canvas) };
        let place = |at: i64, end: u32| {
            u32::try_from((at + i64::from(self.overscan)).max(0)).unwrap_or(end).min(end)
        };
        let (x, y) = (i64::from(x), i64::from(y));
        Rect {
            x0: place(x, canvas.width),
            y0: place(y, canvas.height),
            x1: place(x + i64::from(size.width), canvas.width),
            y1: place(y + i64::from(size.height), canvas.height),
        }
    }

    /// Checks the frame's size, its overscan and its crop.
    pub(super) fn validate_window(&self) -> Result<(), SettingsError> {
        if !is_frame(self.size) {
            return Err(SettingsError::Size(self.size));
        }
        if !is_frame(self.canvas()) {
            return Err(SettingsError::Overscan { overscan: self.overscan, size: self.size });
        }
        self.crop.as_ref().map_or(Ok(()), |crop| self.validate_crop(crop))
    }

    /// A crop is whole, or it is refused: one that was cut to the frame in silence would be
    /// another than what was asked for.
    fn validate_crop(&self, crop: &Crop) -> Result<(), SettingsError> {
        let window = self.window();
        if crop.size.pixel_count() == 0 {
            Err(SettingsError::CropEmpty(*crop))
        } else if Size::new(window.width(), window.height()) != crop.size {
            let (size, overscan) = (self.size, self.overscan);
            Err(SettingsError::CropOutside { crop: *crop, size, overscan })
        } else {
            Ok(())
        }
    }
}

/// Whether a size may be a frame's.
fn is_frame(size: Size) -> bool {
    let side = 1..=limits::FRAME_SIDE_PX_MAX;
    side.contains(&size.width)
        && side.contains(&size.height)
        && size.pixel_count() <= limits::FRAME_PIXELS_MAX
}

/// How an error speaks of overscan.
pub(super) fn and_overscan(overscan: u32) -> String {
    if overscan == 0 { String::new() } else { format!(" with {overscan} px of overscan") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cropped(x: i32, y: i32, width: u32, height: u32, overscan: u32) -> RenderSettings {
        let crop = Some(Crop { x, y, size: Size::new(width, height) });
        RenderSettings { size: Size::new(40, 30), crop, overscan, ..RenderSettings::default() }
    }

    #[test]
    fn windows_are_told_in_pixels_of_the_canvas() {
        let window = |settings: RenderSettings| {
            assert_eq!(settings.validate(), Ok(()));
            let Rect { x0, y0, x1, y1 } = settings.window();
            (x0, y0, x1, y1)
        };
        let whole = RenderSettings { crop: None, ..cropped(0, 0, 0, 0, 5) };
        assert_eq!((whole.canvas(), window(whole.clone())), (Size::new(50, 40), (0, 0, 50, 40)));
        assert_eq!(window(cropped(3, 4, 10, 20, 0)), (3, 4, 13, 24));
        assert_eq!(window(cropped(3, 4, 37, 26, 0)), (3, 4, 40, 30));
        assert_eq!(window(cropped(-5, -5, 50, 40, 5)), (0, 0, 50, 40));
        assert_eq!(window(cropped(-2, 4, 10, 20, 5)), (3, 9, 13, 29));
    }

    #[test]
    fn bad_crops_are_refused_by_value_and_frame() {
        let refused = |settings: RenderSettings| settings.validate().expect_err("bad").to_string();
        let outside = refused(cropped(35, 4, 10, 20, 0));
        assert!(outside.contains("35,4,10x20") && outside.contains("40x30"), "{outside}");
        assert!(outside.contains("0 to 39") && outside.contains("0 to 29"), "{outside}");
        let beyond = refused(cropped(-6, 0, 10, 20, 5));
        assert!(beyond.contains("-6,0,10x20") && beyond.contains("-5 to 44"), "{beyond}");
        assert!(refused(cropped(3, 4, 0, 20, 0)).contains("3,4,0x20 has no pixels"));
        for (x, y, width, height) in [
            (-1, 0, 10, 10),
            (0, -1, 10, 10),
            (40, 0, 1, 1),
            (0, 0, 41, 1),
            (0, 0, 1, 31),
            (i32::MIN, i32::MIN, u32::MAX, u32::MAX),
            (i32::MAX, i32::MAX, u32::MAX, u32::MAX),
        ] {
            let settings = cropped(x, y, width, height, 0);
            assert!(
                matches!(settings.validate(), Err(SettingsError::CropOutside { .. })),
                "{settings:?}"
            );
        }
        let wide = RenderSettings { overscan: 20_000, ..RenderSettings::default() };
        assert!(refused(wide).contains("20000 px of overscan around a frame of 1280x720"));
        let overflowing = RenderSettings { overscan: u32::MAX, ..RenderSettings::default() };
        assert!(overflowing.validate().is_err());
    }
}
