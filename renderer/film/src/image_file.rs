//! Pictures as image files that any program shows: PNG.

use std::io;
use std::path::{Path, PathBuf};

use image::ImageEncoder as _;
use image::codecs::png::PngEncoder;

use crate::atomic::write_whole;
use crate::picture::Picture;
use crate::view::{Look, view_rgba8};

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

/// Writes the picture as an 8-bit sRGB PNG; with alpha when pixels are missing.
///
/// The file appears under its name only once it is whole.
///
/// # Errors
/// [`ViewError::Write`].
pub fn write_png(picture: &Picture, path: &Path, look: &Look) -> Result<(), ViewError> {
    let mut bytes = view_rgba8(picture, look);
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
    fn a_png_reads_back_as_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut half = picture(vec![[0.18; 3], [0.5, 0.2, 0.1]]);
        let look = Look { exposure_ev: 0.5, ..Look::default() };
        for transparent in [false, true] {
            half.samples[1] = u32::from(!transparent);
            let path = dir.path().join("picture.png");
            write_png(&half, &path, &look).expect("writes");
            let read = image::open(&path).expect("reads");
            assert_eq!(read.color().has_alpha(), transparent);
            assert_eq!(read.to_rgba8().into_raw(), view_rgba8(&half, &look));
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_with_the_path() {
        let error = write_png(&picture(vec![[1.0; 3]]), Path::new("/none/p.png"), &Look::default());
        assert!(error.expect_err("no such folder").to_string().ends_with("/none/p.png"));
    }
}
