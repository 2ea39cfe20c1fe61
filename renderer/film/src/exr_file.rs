//! Pictures as OpenEXR files: one part, layers by channel names, ZIP, so that every bit survives.
//!
//! | channels | type | what |
//! | --- | --- | --- |
//! | `R`, `G`, `B`, `A` | float or half | beauty and alpha |
//! | `albedo.R`, `albedo.G`, `albedo.B` | float | albedo |
//! | `normal.X`, `normal.Y`, `normal.Z` | float | world-space normal |
//! | `depth.Z` | float | metres; infinite where nothing was hit |
//! | `variance.Y` | float | variance of the mean luminance |
//! | `samples` | uint | samples |

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use exr::prelude::{
    AnyChannel, AnyChannels, AttributeValue, Encoding, FlatSamples, Image, ImageAttributes, Layer,
    LayerAttributes, ReadChannels as _, ReadLayers as _, Text, Vec2, WritableImage as _, f16,
};
use protocol::{Engine, JobId, SceneId, Size, limits};

use crate::atomic::write_whole;
use crate::picture::Picture;

/// What the file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Program and version: `Tessera 0.1.0`.
    pub software: String,
    /// The job it was rendered for.
    pub job: Option<JobId>,
    /// The scene package.
    pub scene: Option<SceneId>,
    /// What decided the bits.
    pub engine: Option<Engine>,
    /// Samples per pixel asked for.
    pub samples: Option<u32>,
    /// Frame number.
    pub frame: Option<u32>,
    /// How the beauty is stored.
    pub precision: Precision,
}

/// How the beauty is stored. All other channels are 32-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits: every bit of the film survives.
    #[default]
    Float,
    /// 16 bits: half the size; cut at 65 504.
    Half,
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

/// A file that is not a picture we can read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("the EXR cannot be opened: {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not an OpenEXR file, a damaged one, or one of a kind that is not supported.
    #[error("this is not an EXR file that can be read; it may be damaged: {path}")]
    Decode {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: exr::error::Error,
    },
    /// The header claims more than a frame may have, or than the file can hold.
    #[error(
        "the EXR claims {claimed_bytes} bytes of pixels in a file of {file_bytes} bytes: {path}"
    )]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Bytes that the header claims.
        claimed_bytes: u64,
        /// Bytes of the file.
        file_bytes: u64,
    },
    /// No part has R, G and B.
    #[error("the EXR has no R, G and B channels of one size; it has {channels}: {path}")]
    NoColour {
        /// Which.
        path: PathBuf,
        /// Names of the channels it has.
        channels: String,
    },
}

/// Writes the picture with all its layers.
///
/// The file appears under its name only once it is whole. With [`Precision::Float`] every bit of
/// the picture comes back from [`read_exr`].
///
/// # Errors
/// [`WriteError::Write`].
pub fn write_exr(picture: &Picture, path: &Path, metadata: &Metadata) -> Result<(), WriteError> {
    let size = Vec2(picture.size.width as usize, picture.size.height as usize);
    let mut image = ImageAttributes::with_size(size);
    image.chromaticities = Some(rec709());
    let software_name = Some(text(&metadata.software));
    let mut layer = LayerAttributes { software_name, ..LayerAttributes::default() };
    layer.other.insert(text("tessera"), AttributeValue::Text(text(&describe(metadata))));
    let encoding = Encoding::SMALL_LOSSLESS;
    let layer = Layer::new(size, layer, encoding, channels(picture, metadata.precision));
    let image = Image::new(image, layer);
    write_whole::<exr::error::Error>(path, |file| image.write().to_buffered(file))
        .map_err(|source| WriteError::Write { path: path.to_owned(), source })
}

/// Reads a picture: ours with every layer, anybody's by its colour.
///
/// Colour is looked for as `R`, then as `Combined.R` with any prefix (Blender's multilayer
/// files). Where a file lacks a layer, alpha counts as 1, samples as 1 and all else as 0.
///
/// # Errors
/// See [`ReadError`].
pub fn read_exr(path: &Path) -> Result<Picture, ReadError> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (file_bytes, file) =
        opened.map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    read_from(BufReader::new(file), file_bytes, path)
}

/// [`read_exr`] from memory; errors name the path `memory`.
///
/// # Errors
/// See [`ReadError`].
pub fn read_exr_bytes(bytes: &[u8]) -> Result<Picture, ReadError> {
    read_from(Cursor::new(bytes), bytes.len() as u64, Path::new("memory"))
}

/// Most that pixels can be larger than their file: above what deflate can pack (1032 to 1), with
/// room for the run lengths of other codecs.
const UNPACK_RATIO_MAX: u64 = 1 << 14;

fn read_from(from: impl Read + Seek, file_bytes: u64, path: &Path) -> Result<Picture, ReadError> {
    let decode = |source| ReadError::Decode { path: path.to_owned(), source };
    let chunks = exr::block::read(from, false).map_err(decode)?;
    let mut claimed_bytes = 0_u64;
    for header in chunks.headers() {
        let Vec2(width, height) = header.layer_size;
        let pixels = (width as u64).saturating_mul(height as u64);
        let pixel_bytes = pixels.saturating_mul(header.channels.bytes_per_pixel as u64);
        claimed_bytes = claimed_bytes.saturating_add(pixel_bytes);
        let chunk_count = header.chunk_count as u64;
        if pixels > limits::FRAME_PIXELS_MAX
            || claimed_bytes > file_bytes.saturating_mul(UNPACK_RATIO_MAX)
            || chunk_count > file_bytes
        {
            return Err(ReadError::TooLarge { path: path.to_owned(), claimed_bytes, file_bytes });
        }
    }
    let image = exr::prelude::read()
        .no_deep_data()
        .largest_resolution_level()
        .all_channels()
        .all_layers()
        .all_attributes()
        .from_chunks(chunks)
        .map_err(decode)?;
    image.layer_data.iter().find_map(picture_of).ok_or_else(|| {
        let list = |layer: &Layer<AnyChannels<FlatSamples>>| {
            layer.channel_data.list.iter().map(|c| c.name.to_string()).collect::<Vec<_>>()
        };
        let mut channels = image.layer_data.iter().flat_map(list).collect::<Vec<_>>().join(", ");
        if channels.is_empty() {
            channels.push_str("none");
        }
        ReadError::NoColour { path: path.to_owned(), channels }
    })
}

/// The picture in one part, or `None` when it has no colour.
fn picture_of(layer: &Layer<AnyChannels<FlatSamples>>) -> Option<Picture> {
    let Vec2(width, height) = layer.size;
    let size = Size::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let count = width * height;
    let find = |name: &str| {
        let whole = |channel: &&AnyChannel<FlatSamples>| {
            channel.name.eq(name) && channel.sample_data.len() == count
        };
        layer.channel_data.list.iter().find(whole).map(|channel| &channel.sample_data)
    };
    let floats = |name: &str| find(name).map(to_floats);
    let three = |names: [String; 3]| {
        let [a, b, c] = names.map(|name| floats(&name));
        let (a, b, c) = (a?, b?, c?);
        Some(a.into_iter().zip(b).zip(c).map(|((a, b), c)| [a, b, c]).collect::<Vec<_>>())
    };
    let layered = |layer: &str, names: [&str; 3]| three(names.map(|n| format!("{layer}.{n}")));

    let prefix = colour_prefix(layer)?;
    let beauty = three(["R", "G", "B"].map(|name| format!("{prefix}{name}")))?;
    let samples = match find("samples") {
        Some(FlatSamples::U32(samples)) => samples.clone(),
        _ => vec![1; count],
    };
    Some(Picture {
        size,
        beauty,
        alpha: floats(&format!("{prefix}A")).unwrap_or_else(|| vec![1.0; count]),
        albedo: layered("albedo", ["R", "G", "B"]).unwrap_or_else(|| vec![[0.0; 3]; count]),
        normal: layered("normal", ["X", "Y", "Z"]).unwrap_or_else(|| vec![[0.0; 3]; count]),
        depth: floats("depth.Z").unwrap_or_else(|| vec![0.0; count]),
        variance: floats("variance.Y").unwrap_or_else(|| vec![0.0; count]),
        samples,
    })
}

/// What stands before R, G and B.
fn colour_prefix(layer: &Layer<AnyChannels<FlatSamples>>) -> Option<String> {
    let names: Vec<String> =
        layer.channel_data.list.iter().map(|channel| channel.name.to_string()).collect();
    if names.iter().any(|name| name == "R") {
        return Some(String::new());
    }
    let combined = |name: &&String| *name == "Combined.R" || name.ends_with(".Combined.R");
    names.iter().find(combined).and_then(|name| name.strip_suffix('R')).map(str::to_owned)
}

fn to_floats(samples: &FlatSamples) -> Vec<f32> {
    match samples {
        FlatSamples::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
        FlatSamples::F32(values) => values.clone(),
        FlatSamples::U32(values) => values.iter().map(|&value| value as f32).collect(),
    }
}

fn channels(picture: &Picture, precision: Precision) -> AnyChannels<FlatSamples> {
    let colour = |name: &str, values: Vec<f32>| {
        let samples = match precision {
            Precision::Float => FlatSamples::F32(values),
            Precision::Half => FlatSamples::F16(values.into_iter().map(to_half).collect()),
        };
        AnyChannel::new(text(name), samples)
    };
    let float =
        |name: &str, values: &[f32]| AnyChannel::new(text(name), FlatSamples::F32(values.to_vec()));
    let part = |values: &[[f32; 3]], index: usize| -> Vec<f32> {
        values.iter().map(|value| value[index]).collect()
    };
    let mut list = vec![
        colour("A", picture.alpha.clone()),
        float("depth.Z", &picture.depth),
        float("variance.Y", &picture.variance),
        AnyChannel::new(text("samples"), FlatSamples::U32(picture.samples.clone())),
    ];
    for (index, name) in ["R", "G", "B"].into_iter().enumerate() {
        list.push(colour(name, part(&picture.beauty, index)));
        list.push(float(&format!("albedo.{name}"), &part(&picture.albedo, index)));
    }
    for (index, name) in ["X", "Y", "Z"].into_iter().enumerate() {
        list.push(float(&format!("normal.{name}"), &part(&picture.normal, index)));
    }
    AnyChannels::sort(list.into_iter().collect())
}

/// Nearest half, cut at the largest finite one: infinity in a picture spoils every filter.
fn to_half(value: f32) -> f16 {
    f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// Rec.709 primaries and D65: ITU-R BT.709-6, section 1.
const fn rec709() -> exr::meta::attribute::Chromaticities {
    exr::meta::attribute::Chromaticities {
        red: Vec2(0.64, 0.33),
        green: Vec2(0.30, 0.60),
        blue: Vec2(0.15, 0.06),
        white: Vec2(0.3127, 0.3290),
    }
}

/// One line a fact, `name = value`: in one attribute, so that equal pictures are equal files.
fn describe(metadata: &Metadata) -> String {
    let facts = [
        ("job", metadata.job.map(|job| job.to_string())),
        ("scene", metadata.scene.map(|scene| scene.to_string())),
        ("engine", metadata.engine.map(|engine| engine.0.to_string())),
        ("samples", metadata.samples.map(|samples| samples.to_string())),
        ("frame", metadata.frame.map(|frame| frame.to_string())),
    ];
    let line = |(name, value): (&str, Option<String>)| Some(format!("{name} = {}\n", value?));
    facts.into_iter().filter_map(line).collect()
}

/// EXR's text is Latin-1 at most: what does not fit becomes `?`.
fn text(value: &str) -> Text {
    let fitting = |c: char| if u32::from(c) < 256 { c } else { '?' };
    let value: String = value.chars().map(fitting).collect();
    Text::from(value.as_str())
}
