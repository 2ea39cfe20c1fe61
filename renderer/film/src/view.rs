//! Named view transforms: from scene-linear radiance to what a display shows.

mod agx;

use std::io;
use std::path::{Path, PathBuf};

use image::ImageEncoder as _;
use image::codecs::png::PngEncoder;
use rayon::prelude::*;

use crate::atomic::write_whole;
use crate::picture::Picture;

/// How scene-linear colour becomes sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// AgX as Blender 4 shows it: film-like, highlights lose their colour softly.
    #[default]
    Agx,
    /// The sRGB curve alone; what is brighter than 1 is cut.
    Srgb,
}

/// A picture that could not be written as PNG.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The encoder failed, most often because the disk did.
    #[error("the PNG could not be written; check the folder and its free space: {path}")]
    Write {
        /// Where it should have gone.
        path: PathBuf,
        /// Why.
        #[source]
        source: image::ImageError,
    },
}

/// One colour as the display shows it: sRGB-encoded, 0..=1.
///
/// Values that are not finite, or negative, show as black or white.
#[must_use]
pub fn display_rgb(view: View, exposure_ev: f32, rgb: [f32; 3]) -> [f32; 3] {
    let gain = exposure_ev.exp2();
    // A comparison that fails for NaN sends it to black.
    let scene = rgb.map(|value| if value > 0.0 { (value * gain).min(BRIGHTEST) } else { 0.0 });
    match view {
        View::Agx => agx::to_display_linear(scene).map(encode_srgb),
        View::Srgb => scene.map(encode_srgb),
    }
}

/// Above what any view tells from white; keeps the curves away from infinity.
const BRIGHTEST: f32 = 1e9;

/// The picture as the display shows it: 8-bit sRGB and alpha, rows from the upper left.
///
/// `exposure_ev` brightens by powers of two. Pixels without samples are transparent, all others
/// opaque, sky included.
#[must_use]
pub fn view_rgba8(picture: &Picture, view: View, exposure_ev: f32) -> Vec<u8> {
    let mut bytes = vec![0; picture.pixel_count() * 4];
    bytes
        .par_chunks_exact_mut(4)
        .zip(&picture.beauty)
        .zip(&picture.samples)
        .with_min_len(1024)
        .for_each(|((out, &rgb), &samples)| {
            if samples > 0 {
                let shown = display_rgb(view, exposure_ev, rgb);
                for (byte, value) in out.iter_mut().zip(shown) {
                    *byte = (value * 255.0).round() as u8;
                }
                out[3] = 255;
            }
        });
    bytes
}

/// Writes the picture as an 8-bit sRGB PNG; with alpha when pixels are missing.
///
/// The file appears under its name only once it is whole.
///
/// # Errors
/// [`ViewError::Write`].
pub fn write_png(
    picture: &Picture,
    path: &Path,
    view: View,
    exposure_ev: f32,
) -> Result<(), ViewError> {
    let mut bytes = view_rgba8(picture, view, exposure_ev);
    let mut colour = image::ExtendedColorType::Rgba8;
    if picture.is_opaque() {
        bytes = bytes.chunks_exact(4).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect();
        colour = image::ExtendedColorType::Rgb8;
    }
    write_whole::<EncodeError>(path, |file| {
        let (width, height) = (picture.size.width, picture.size.height);
        PngEncoder::new(file).write_image(&bytes, width, height, colour)?;
        Ok(())
    })
    .map_err(|EncodeError(source)| ViewError::Write { path: path.to_owned(), source })
}

struct EncodeError(image::ImageError);

impl From<image::ImageError> for EncodeError {
    fn from(error: image::ImageError) -> Self {
        Self(error)
    }
}

impl From<io::Error> for EncodeError {
    fn from(error: io::Error) -> Self {
        Self(image::ImageError::IoError(error))
    }
}

/// IEC 61966-2-1: linear to sRGB, cut to 0..=1.
fn encode_srgb(linear: f32) -> f32 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Size;

    fn picture(beauty: Vec<[f32; 3]>) -> Picture {
        let size = Size::new(beauty.len() as u32, 1);
        let samples = vec![16; beauty.len()];
        Picture { beauty, samples, ..Picture::transparent(size) }
    }

    #[test]
    fn srgb_has_its_known_codes() {
        let shown = view_rgba8(&picture(vec![[0.0, 0.215_861, 1.0], [9.0; 3]]), View::Srgb, 0.0);
        assert_eq!(shown, [0, 128, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn one_stop_doubles() {
        let bright = view_rgba8(&picture(vec![[0.4, 0.2, 0.1]]), View::Agx, 0.0);
        let pushed = view_rgba8(&picture(vec![[0.2, 0.1, 0.05]]), View::Agx, 1.0);
        assert_eq!(bright, pushed);
    }

    #[test]
    fn nonsense_is_shown_and_missing_pixels_are_transparent() {
        let mut nonsense = picture(vec![[f32::NAN; 3], [f32::INFINITY; 3], [-1.0; 3], [1.0; 3]]);
        nonsense.samples[3] = 0;
        for view in [View::Agx, View::Srgb] {
            let shown = view_rgba8(&nonsense, view, 0.0);
            assert_eq!(shown[..4], [0, 0, 0, 255], "{view:?}");
            assert_eq!(shown[4..8], [255; 4], "{view:?}");
            assert_eq!(shown[8..12], [0, 0, 0, 255], "{view:?}");
            assert_eq!(shown[12..], [0; 4], "{view:?}");
        }
    }

    #[test]
    fn a_png_reads_back_as_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut half = picture(vec![[0.18; 3], [0.5, 0.2, 0.1]]);
        for transparent in [false, true] {
            half.samples[1] = u32::from(!transparent);
            let path = dir.path().join("picture.png");
            write_png(&half, &path, View::Agx, 0.5).expect("writes");
            let read = image::open(&path).expect("reads");
            assert_eq!(read.color().has_alpha(), transparent);
            assert_eq!(read.to_rgba8().into_raw(), view_rgba8(&half, View::Agx, 0.5));
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_with_the_path() {
        let error = write_png(&picture(vec![[1.0; 3]]), Path::new("/none/p.png"), View::Agx, 0.0);
        assert!(error.expect_err("no such folder").to_string().ends_with("/none/p.png"));
    }
}
