//! The icon: drawn by hand in `assets/icon/tessera.svg`.
//!
//! The window carries it as pixels, so that one PNG of it is kept beside the drawing; smaller ones
//! are made from that one, here, and so are the same wherever a package is made.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgba32FImage, RgbaImage};

use crate::{run, setup};

/// Side of the PNG that is kept, pixels.
pub const SIDE: u32 = 256;
/// Sides that packages bring, pixels; desktops that draw SVG take none of them.
pub const SIDES: [u32; 7] = [16, 24, 32, 48, 64, 128, SIDE];

/// Makes the PNG anew from the drawing.
pub fn draw(root: &Path) -> Result<()> {
    setup::draw();
    let folder = root.join("assets/icon");
    let side = SIDE.to_string();
    let mut draws = Command::new("rsvg-convert");
    draws.args(["--width", &side, "--height", &side, "--output"]);
    run::run(draws.arg(folder.join("tessera.png")).arg(folder.join("tessera.svg")))
        .context("the icon is drawn by rsvg-convert (Debian: librsvg2-bin)")
}

/// The icon as a PNG of this side.
///
/// # Errors
/// `png` is no PNG of [`SIDE`].
pub fn sized(png: &[u8], side: u32) -> Result<Vec<u8>> {
    let icon = image::load_from_memory_with_format(png, ImageFormat::Png)?.into_rgba8();
    ensure!(icon.dimensions() == (SIDE, SIDE), "the icon is {:?}", icon.dimensions());
    if side == SIDE {
        return Ok(png.to_vec());
    }
    let mut bytes = Cursor::new(Vec::new());
    smaller(&icon, side).write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// Averages with colours weighted by how much they cover: what is transparent has none.
fn smaller(icon: &RgbaImage, side: u32) -> RgbaImage {
    let covered = Rgba32FImage::from_fn(icon.width(), icon.height(), |x, y| {
        let [red, green, blue, alpha] = icon[(x, y)].0.map(|byte| f32::from(byte) / 255.0);
        image::Rgba([red * alpha, green * alpha, blue * alpha, alpha])
    });
    let small = imageops::resize(&covered, side, side, FilterType::CatmullRom);
    RgbaImage::from_fn(side, side, |x, y| {
        let [red, green, blue, alpha] = small[(x, y)].0;
        let byte = |value: f32| (value * 255.0).round().clamp(0.0, 255.0) as u8;
        let whole = alpha.max(1e-3);
        image::Rgba([byte(red / whole), byte(green / whole), byte(blue / whole), byte(alpha)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_clear_corners_and_the_lit_tile() -> Result<()> {
        let png = std::fs::read(crate::root().join("assets/icon/tessera.png"))?;
        for side in SIDES {
            let icon = image::load_from_memory(&sized(&png, side)?)?.into_rgba8();
            assert_eq!(icon.dimensions(), (side, side));
            assert_eq!(icon[(0, 0)].0[3], 0, "a corner of {side} px");
            let [red, green, blue, alpha] = icon[(side * 11 / 16, side * 5 / 16)].0;
            assert!(alpha == 255 && red > 240 && green > blue + 60, "the lit tile of {side} px");
        }
        Ok(())
    }
}
