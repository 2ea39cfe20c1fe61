//! Images of a file, decoded under limits.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::accessor::Budget;
use super::error::ImageProblem;
use super::ktx;
use crate::limits::{IMAGE_SIDE_PX_MAX, LIGHT_MAX};
use crate::model::Pixels;

/// A decoded image.
pub struct Decoded {
    pub width: u32,
    pub height: u32,
    pub pixels: Pixels,
    /// Whether it had more than 8 bits a channel.
    pub deep: bool,
}

/// Decodes PNG, JPEG, WebP or KTX 2 to four bytes a pixel.
pub fn decode_texture(bytes: &[u8], budget: &mut Budget) -> Result<Decoded, ImageProblem> {
    use ImageFormat::{Jpeg, Png, WebP};
    if ktx::is_ktx(bytes) {
        return ktx::decode(bytes, budget);
    }
    let formats = &[Png, Jpeg, WebP];
    let image = decode(bytes, formats, "PNG, JPEG, WebP and KTX 2", 4, budget)?;
    let (width, height) = (image.width(), image.height());
    let deep = image.color().bytes_per_pixel() > image.color().channel_count();
    let pixels = Pixels::Rgba8(image.into_rgba8().into_raw());
    Ok(Decoded { width, height, pixels, deep })
}

/// What stands in for a texture that is not there: a pixel that no one overlooks.
pub fn magenta() -> Decoded {
    let pixels = Pixels::Rgba8(vec![255, 0, 255, 255]);
    Decoded { width: 1, height: 1, pixels, deep: false }
}

/// Decodes a Radiance HDR environment to three floats a pixel.
pub fn decode_environment(bytes: &[u8], budget: &mut Budget) -> Result<Decoded, ImageProblem> {
    let image = decode(bytes, &[ImageFormat::Hdr], "Radiance HDR (.hdr)", 12, budget)?;
    let (width, height) = (image.width(), image.height());
    let floats = image.into_rgb32f().into_raw();
    let pixels = floats.as_chunks::<3>().0.to_vec();
    match pixels.as_flattened().iter().find(|value| !(0.0..=LIGHT_MAX).contains(*value)) {
        Some(&value) => Err(ImageProblem::Pixel { value }),
        None => Ok(Decoded { width, height, pixels: Pixels::Rgb32F(pixels), deep: false }),
    }
}

fn decode(
    bytes: &[u8],
    formats: &[ImageFormat],
    expected: &'static str,
    pixel_bytes: u64,
    budget: &mut Budget,
) -> Result<DynamicImage, ImageProblem> {
    // The content decides: media types and names in files are often wrong.
    let format = image::guess_format(bytes).ok().filter(|format| formats.contains(format));
    let format = format.ok_or(ImageProblem::Format { expected })?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    // The sides are ours to check, with a message of their own.
    limits.max_alloc = Some(budget.left);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(ImageProblem::Decode)?;

    // Check the size from the header before anything is decoded.
    let (width, height) = decoder.dimensions();
    let side = 1..=IMAGE_SIDE_PX_MAX;
    if !side.contains(&width) || !side.contains(&height) {
        return Err(ImageProblem::Size { width, height });
    }
    let needed = u64::from(width) * u64::from(height) * pixel_bytes;
    budget.take(needed).map_err(|left| ImageProblem::TooLarge { needed, left })?;
    DynamicImage::from_decoder(decoder).map_err(ImageProblem::Decode)
}
