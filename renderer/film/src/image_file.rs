//! Pictures as image files that any program shows: PNG and JPEG, tagged as sRGB.

use std::io;
use std::path::{Path, PathBuf};

use image::ImageEncoder as _;
use image::codecs::jpeg::JpegEncoder;
use protocol::Size;

use crate::atomic::write_whole;
use crate::picture::Picture;
use crate::view::{Look, View, view_rgba8, view_rgba16};

/// Bits a channel of a PNG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PngDepth {
    /// 8 bits: what screens show.
    #[default]
    Eight,
    /// 16 bits: for grading, and for gradients without steps.
    Sixteen,
}

/// Quality of a JPEG, 1..=100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JpegQuality(u8);

impl JpegQuality {
    /// A quality; values out of range become the nearest in it.
    #[must_use]
    pub fn new(quality: u8) -> Self {
        Self(quality.clamp(1, 100))
    }
}

impl Default for JpegQuality {
    /// 92: blocks are hard to find, and the file is a third of the PNG's or less.
    fn default() -> Self {
        Self(92)
    }
}

/// A picture that could not be written as PNG or JPEG.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageFileError {
    /// The PNG encoder failed, most often because the disk did.
    #[error("the PNG could not be written; check the folder and its free space: {path}")]
    Png {
        /// Where it should have gone.
        path: PathBuf,
        /// Why.
        #[source]
        source: png::EncodingError,
    },
    /// The JPEG encoder failed, most often because the disk did.
    #[error("the JPEG could not be written; check the folder and its free space: {path}")]
    Jpeg {
        /// Where it should have gone.
        path: PathBuf,
        /// Why.
        #[source]
        source: image::ImageError,
    },
    /// More than a JPEG's header can say.
    #[error(
        "a JPEG has at most 65535 pixels a side and the picture has {size}; write a PNG: {path}"
    )]
    TooLarge {
        /// The picture's size.
        size: Size,
        /// Where it should have gone.
        path: PathBuf,
    },
}

/// Writes the picture as a PNG, without its overscan; with alpha when pixels are missing.
///
/// The file says that its values are sRGB (chunks sRGB, gAMA and cHRM); under [`View::Raw`] it
/// says nothing. It appears under its name only once it is whole.
///
/// # Errors
/// [`ImageFileError::Png`].
pub fn write_png(
    picture: &Picture,
    path: &Path,
    look: &Look,
    depth: PngDepth,
) -> Result<(), ImageFileError> {
    let picture = &*picture.without_overscan();
    let (bytes, bit_depth, value_bytes) = match depth {
        PngDepth::Eight => (view_rgba8(picture, look), png::BitDepth::Eight, 1),
        PngDepth::Sixteen => {
            let values = view_rgba16(picture, look).into_iter().flat_map(u16::to_be_bytes);
            (values.collect(), png::BitDepth::Sixteen, 2)
        }
    };
    let (bytes, colour) = match picture.is_opaque() {
        true => (without_alpha(&bytes, value_bytes), png::ColorType::Rgb),
        false => (bytes, png::ColorType::Rgba),
    };
    write_whole::<png::EncodingError>(path, |file| {
        let mut encoder = png::Encoder::new(file, picture.size.width, picture.size.height);
        encoder.set_color(colour);
        encoder.set_depth(bit_depth);
        if look.view != View::Raw {
            encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
            encoder.set_source_gamma(png::ScaledFloat::from_scaled(SRGB_GAMMA));
            encoder.set_source_chromaticities(srgb_chromaticities());
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        writer.finish()
    })
    .map_err(|source| ImageFileError::Png { path: path.to_owned(), source })
}

/// Writes the picture as an 8-bit JPEG, without its overscan; missing pixels are black.
///
/// The file says that its values are sRGB (Exif's ColorSpace); under [`View::Raw`] it says that
/// nobody knows. It appears under its name only once it is whole.
///
/// # Errors
/// [`ImageFileError::TooLarge`] above 65 535 pixels a side; [`ImageFileError::Jpeg`].
pub fn write_jpeg(
    picture: &Picture,
    path: &Path,
    look: &Look,
    quality: JpegQuality,
) -> Result<(), ImageFileError> {
    let picture = &*picture.without_overscan();
    let Size { width, height } = picture.size;
    if width.max(height) > u32::from(u16::MAX) {
        return Err(ImageFileError::TooLarge { size: picture.size, path: path.to_owned() });
    }
    let bytes = without_alpha(&view_rgba8(picture, look), 1);
    write_whole::<JpegFailure>(path, |file| {
        let mut encoder = JpegEncoder::new_with_quality(file, quality.0);
        // The encoder takes any Exif block; a picture without one would still be a picture.
        let _taken = encoder.set_exif_metadata(exif_colour_space(look.view).to_vec());
        encoder.write_image(&bytes, width, height, image::ExtendedColorType::Rgb8)?;
        Ok(())
    })
    .map_err(|JpegFailure(source)| ImageFileError::Jpeg { path: path.to_owned(), source })
}

struct JpegFailure(image::ImageError);

impl From<image::ImageError> for JpegFailure {
    fn from(error: image::ImageError) -> Self {
        Self(error)
    }
}

impl From<io::Error> for JpegFailure {
    fn from(error: io::Error) -> Self {
        Self(image::ImageError::IoError(error))
    }
}

/// Drops every fourth value of `value_bytes` bytes.
fn without_alpha(rgba: &[u8], value_bytes: usize) -> Vec<u8> {
    rgba.chunks_exact(4 * value_bytes).flat_map(|rgba| &rgba[..3 * value_bytes]).copied().collect()
}

/// What the PNG specification asks to stand beside an sRGB chunk: 1/2.2, times 100 000.
const SRGB_GAMMA: u32 = 45_455;

/// Rec.709 primaries and D65, times 100 000, as the PNG specification asks for beside sRGB.
fn srgb_chromaticities() -> png::SourceChromaticities {
    let scaled = |x, y| (png::ScaledFloat::from_scaled(x), png::ScaledFloat::from_scaled(y));
    png::SourceChromaticities {
        white: scaled(31_270, 32_900),
        red: scaled(64_000, 33_000),
        green: scaled(30_000, 60_000),
        blue: scaled(15_000, 6_000),
    }
}

/// An Exif block that holds ColorSpace alone: 1 is sRGB, 0xffff uncalibrated (Exif 2.3, 4.6.5).
fn exif_colour_space(view: View) -> [u8; 44] {
    let value: u16 = if view == View::Raw { 0xffff } else { 1 };
    let [low, high] = value.to_le_bytes();
    #[rustfmt::skip]
    let block = [
        // Little-endian TIFF; its first directory is at byte 8.
        b'I', b'I', 42, 0, 8, 0, 0, 0,
        // One entry: the Exif directory (0x8769, one long) is at byte 26; no directory after it.
        1, 0, 0x69, 0x87, 4, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0, 0, 0, 0,
        // One entry: ColorSpace (0xa001, one short); no directory after it.
        1, 0, 0x01, 0xa0, 3, 0, 1, 0, 0, 0, low, high, 0, 0, 0, 0, 0, 0,
    ];
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageDecoder as _;

    fn picture(beauty: Vec<[f32; 3]>) -> Picture {
        let size = Size::new(beauty.len() as u32, 1);
        let samples = vec![16; beauty.len()];
        Picture { beauty, samples, ..Picture::transparent(size) }
    }

    #[test]
    fn a_png_reads_back_as_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("picture.png");
        let mut half = picture(vec![[0.18; 3], [0.5, 0.2, 0.1]]);
        let look = Look { exposure_ev: 0.5, ..Look::default() };
        for transparent in [false, true] {
            half.samples[1] = u32::from(!transparent);
            write_png(&half, &path, &look, PngDepth::Eight).expect("writes");
            let read = image::open(&path).expect("reads");
            assert_eq!(read.color().has_alpha(), transparent);
            assert_eq!(read.to_rgba8().into_raw(), view_rgba8(&half, &look));

            write_png(&half, &path, &look, PngDepth::Sixteen).expect("writes");
            let read = image::open(&path).expect("reads");
            assert_eq!(read.color().bits_per_pixel(), if transparent { 64 } else { 48 });
            assert_eq!(read.to_rgba16().into_raw(), view_rgba16(&half, &look));
        }
    }

    #[test]
    fn a_png_says_what_its_values_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("picture.png");
        let chunk = |name: &[u8], bytes: &[u8]| bytes.windows(4).any(|window| window == name);
        for view in [View::Agx, View::Raw] {
            write_png(&picture(vec![[0.5; 3]]), &path, &Look::of(view), PngDepth::Sixteen)
                .expect("writes");
            let bytes = std::fs::read(&path).expect("reads");
            for name in [b"sRGB", b"gAMA", b"cHRM"] {
                assert_eq!(chunk(name, &bytes), view != View::Raw, "{view:?}");
            }
        }
    }

    #[test]
    fn a_jpeg_is_near_what_is_shown_and_says_srgb() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("picture.jpg");
        let flat = picture(vec![[0.5, 0.3, 0.2]; 64]);
        let look = Look::of(View::Neutral);
        write_jpeg(&flat, &path, &look, JpegQuality::default()).expect("writes");
        let shown = view_rgba8(&flat, &look);
        let read = image::open(&path).expect("reads").to_rgba8().into_raw();
        assert!(shown.iter().zip(&read).all(|(a, b)| a.abs_diff(*b) <= 3), "{:?}", &read[..4]);
        let file = std::io::BufReader::new(std::fs::File::open(&path).expect("opens"));
        let mut decoder = image::codecs::jpeg::JpegDecoder::new(file).expect("a JPEG");
        let exif = decoder.exif_metadata().expect("readable").expect("there");
        assert_eq!(exif, exif_colour_space(View::Neutral));

        write_jpeg(&flat, &path, &look, JpegQuality::new(0)).expect("writes");
        let rough = std::fs::metadata(&path).expect("there").len();
        write_jpeg(&flat, &path, &look, JpegQuality::new(100)).expect("writes");
        assert!(std::fs::metadata(&path).expect("there").len() > rough);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_with_the_path() {
        let (one, look) = (picture(vec![[1.0; 3]]), Look::default());
        let error = write_png(&one, Path::new("/none/p.png"), &look, PngDepth::Eight);
        assert!(error.expect_err("no such folder").to_string().ends_with("/none/p.png"));
        let error = write_jpeg(&one, Path::new("/none/p.jpg"), &look, JpegQuality::default());
        assert!(error.expect_err("no such folder").to_string().ends_with("/none/p.jpg"));
        let wide = picture(vec![[1.0; 3]; 65_536]);
        let error = write_jpeg(&wide, Path::new("p.jpg"), &look, JpegQuality::default());
        assert!(error.expect_err("too wide").to_string().contains("65536x1"));
    }
}
