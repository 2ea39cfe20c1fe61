//! Pictures as OpenEXR files: one part, layers by channel names.
//!
//! | channels | Blender's names | type | what |
//! | --- | --- | --- | --- |
//! | `R`, `G`, `B`, `A` | `Combined` | float or half | beauty and alpha |
//! | `albedo.R`, `albedo.G`, `albedo.B` | `Denoising Albedo` | float or half | albedo |
//! | `normal.X`, `normal.Y`, `normal.Z` | `Normal` | float | world-space normal |
//! | `depth.Z` | `Depth` | float | metres; infinite where nothing was hit |
//! | `variance.Y` | `variance` | float | variance of the mean luminance |
//! | `samples` | `Debug Sample Count.X` | uint | samples |
//!
//! Any other layer is written as `NAME.CHANNEL`, as its kind asks for.

mod attributes;
mod names;
mod read;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use exr::image::{Blocks, Encoding};
use exr::prelude::{
    AnyChannel, AnyChannels, Compression, FlatSamples, Image, Layer as Part, LineOrder, Text, Vec2,
    WritableImage as _, f16,
};

use crate::atomic::write_whole;
use crate::layer::{Layer, LayerKind, LayerValues};
use crate::picture::Picture;

pub use attributes::{FrameRate, Metadata};
pub use names::ChannelNames;
pub use read::{ReadError, read_exr, read_exr_bytes, read_exr_metadata};

/// How an EXR is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExrOptions {
    /// How colour is stored.
    pub precision: Precision,
    /// How the pixels are packed.
    pub compression: ExrCompression,
    /// How channels are called.
    pub names: ChannelNames,
}

/// How colour is stored. Other layers are always 32-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits: every bit of the film survives.
    #[default]
    Float,
    /// 16 bits: half the size; cut at 65 504.
    Half,
}

/// How an EXR's pixels are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExrCompression {
    /// Deflate over 16 lines: small, every program reads it.
    #[default]
    Zip,
    /// Deflate over one line: a compositor reads single lines faster.
    Zips,
    /// Wavelets: smaller where the picture is noisy.
    Piz,
    /// Run lengths: fast, small only where the picture is flat.
    Rle,
    /// None.
    None,
    /// Cosine transform, 32 lines: several times smaller, and lossy in channels called R, G, B
    /// or Y, those of normals and variance included.
    Dwaa,
}

impl From<ExrCompression> for Compression {
    fn from(compression: ExrCompression) -> Self {
        match compression {
            ExrCompression::Zip => Self::ZIP16,
            ExrCompression::Zips => Self::ZIP1,
            ExrCompression::Piz => Self::PIZ,
            ExrCompression::Rle => Self::RLE,
            ExrCompression::None => Self::Uncompressed,
            ExrCompression::Dwaa => Self::DWAA(None),
        }
    }
}

/// A picture that could not be written as EXR.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The encoder failed, most often because the disk did.
    #[error("the EXR could not be written; check the folder and its free space: {path}")]
    Write {
        /// Where it should have gone.
        path: PathBuf,
        /// Why.
        #[source]
        source: exr::error::Error,
    },
}

/// Writes the picture with all its layers.
///
/// The file appears under its name only once it is whole. Equal pictures are equal files. With
/// [`Precision::Float`] and any compression but [`ExrCompression::Dwaa`] every bit of the picture
/// comes back from [`read_exr`].
///
/// # Errors
/// [`WriteError::Write`].
pub fn write_exr(
    picture: &Picture,
    path: &Path,
    metadata: &Metadata,
    options: &ExrOptions,
) -> Result<(), WriteError> {
    let size = Vec2(picture.size.width as usize, picture.size.height as usize);
    let (image, part) = attributes::headers(picture, metadata, options.names);
    let encoding = Encoding {
        compression: options.compression.into(),
        blocks: Blocks::ScanLines,
        line_order: LineOrder::Increasing,
    };
    let part = Part::new(size, part, encoding, channels(picture, options));
    let image = Image::new(image, part);
    write_whole::<exr::error::Error>(path, |file: &mut BufWriter<File>| {
        image.write().to_buffered(&mut *file)?;
        file.flush()?;
        attributes::sort(file.get_mut())?;
        Ok(())
    })
    .map_err(|source| WriteError::Write { path: path.to_owned(), source })
}

fn channels(picture: &Picture, options: &ExrOptions) -> AnyChannels<FlatSamples> {
    let names = options.names;
    let colour = |values: Vec<f32>| match options.precision {
        Precision::Float => FlatSamples::F32(values),
        Precision::Half => FlatSamples::F16(values.into_iter().map(to_half).collect()),
    };
    let channel = |name: String, samples| AnyChannel::new(text(&name), samples);
    let mut list = vec![
        channel(names.beauty("A"), colour(picture.alpha.clone())),
        channel(names.samples(), FlatSamples::U32(picture.samples.clone())),
    ];
    for (index, name) in ["R", "G", "B"].into_iter().enumerate() {
        let values = picture.beauty.iter().map(|rgb| rgb[index]).collect();
        list.push(channel(names.beauty(name), colour(values)));
    }
    for layer in picture.layers() {
        for (index, name) in layer.channels().iter().enumerate() {
            let samples = match (layer.kind(), layer.values()) {
                (LayerKind::Color, LayerValues::Float(values)) => {
                    colour(every(values, index, layer))
                }
                (_, LayerValues::Float(values)) => FlatSamples::F32(every(values, index, layer)),
                (_, LayerValues::Uint(values)) => FlatSamples::U32(every(values, index, layer)),
            };
            list.push(channel(names.channel(layer.name(), name), samples));
        }
    }
    AnyChannels::sort(list.into_iter().collect())
}

/// One channel's values out of a layer's.
fn every<T: Copy>(values: &[T], index: usize, layer: &Layer) -> Vec<T> {
    values.iter().skip(index).step_by(layer.channels().len()).copied().collect()
}

/// Nearest half, cut at the largest finite one: infinity in a picture spoils every filter.
fn to_half(value: f32) -> f16 {
    f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// Text of a file: UTF-8, as OpenEXR 3 has it.
fn text(value: &str) -> Text {
    Text::from_slice_unchecked(value.as_bytes())
}

/// A file's text: UTF-8, or Latin-1 where it is none.
fn words(text: &Text) -> String {
    String::from_utf8(text.as_slice().to_vec()).unwrap_or_else(|_latin_1| text.to_string())
}

/// An error of this module's own, as the encoder's.
fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
