//! Reading pictures: ours with every layer, anybody's by its names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use exr::prelude::{
    AnyChannels, FlatSamples, IntegerBounds, Layer as Part, ReadChannels as _, ReadLayers as _,
    Vec2,
};
use protocol::{Size, limits};

use super::attributes::{Metadata, kind_of, metadata_of};
use super::names;
use crate::layer::{self, Layer, LayerKind, LayerValues};
use crate::picture::{Picture, Place};

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

/// Reads a picture with every layer that a name can be made of.
///
/// Colour is looked for as `R`, then as `Combined.R` with any prefix (Blender's multilayer
/// files); Blender's passes come in under our names. Parts of another size than the one with the
/// colour are left out. Where a file has none, alpha counts as 1 and samples as 1.
///
/// # Errors
/// See [`ReadError`].
pub fn read_exr(path: &Path) -> Result<Picture, ReadError> {
    let (file_bytes, file) = open(path)?;
    read_from(file, file_bytes, path)
}

/// [`read_exr`] from memory; errors name the path `memory`.
///
/// # Errors
/// See [`ReadError`].
pub fn read_exr_bytes(bytes: &[u8]) -> Result<Picture, ReadError> {
    read_from(Cursor::new(bytes), bytes.len() as u64, Path::new("memory"))
}

/// What a file of ours says of itself; empty where it says nothing.
///
/// # Errors
/// [`ReadError::Open`], [`ReadError::Decode`], [`ReadError::TooLarge`].
pub fn read_exr_metadata(path: &Path) -> Result<Metadata, ReadError> {
    let (file_bytes, file) = open(path)?;
    let chunks = checked(file, file_bytes, path)?;
    Ok(chunks.headers().first().map(metadata_of).unwrap_or_default())
}

/// Most that pixels can be larger than their file: above what deflate can pack (1032 to 1), with
/// room for the run lengths of other codecs.
const UNPACK_RATIO_MAX: u64 = 1 << 14;

type Chunks<R> = exr::block::reader::Reader<R>;
type AnyPart = Part<AnyChannels<FlatSamples>>;

fn open(path: &Path) -> Result<(u64, BufReader<File>), ReadError> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (file_bytes, file) =
        opened.map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    Ok((file_bytes, BufReader::new(file)))
}

/// Reads the headers and holds them against the file's size.
fn checked<R: Read + Seek>(from: R, file_bytes: u64, path: &Path) -> Result<Chunks<R>, ReadError> {
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
    Ok(chunks)
}

fn read_from(from: impl Read + Seek, file_bytes: u64, path: &Path) -> Result<Picture, ReadError> {
    let chunks = checked(from, file_bytes, path)?;
    let image = exr::prelude::read()
        .no_deep_data()
        .largest_resolution_level()
        .all_channels()
        .all_layers()
        .all_attributes()
        .from_chunks(chunks)
        .map_err(|source| ReadError::Decode { path: path.to_owned(), source })?;
    let display = image.attributes.display_window;
    picture_of(&image.layer_data, display).ok_or_else(|| {
        let mut channels = image
            .layer_data
            .iter()
            .flat_map(|part| part.channel_data.list.iter().map(|c| c.name.to_string()))
            .collect::<Vec<_>>()
            .join(", ");
        if channels.is_empty() {
            channels.push_str("none");
        }
        ReadError::NoColour { path: path.to_owned(), channels }
    })
}

/// The picture in these parts, or `None` when none has colour.
fn picture_of(parts: &[AnyPart], display: IntegerBounds) -> Option<Picture> {
    parts.iter().find_map(|main| {
        let Vec2(width, height) = main.size;
        let size = Size::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        let count = width * height;
        let mut layers = by_layer(parts, main, count);
        let colour = colour_name(&layers)?;
        let mut beauty = layers.remove(&colour)?;
        let mut next = |name| beauty.remove(name).map(to_floats);
        let (red, green, blue) = (next("R")?, next("G")?, next("B")?);
        let alpha = next("A").unwrap_or_else(|| vec![1.0; count]);
        let counts = beauty.remove(names::SAMPLES);
        let rgb = red.into_iter().zip(green).zip(blue).map(|((r, g), b)| [r, g, b]);
        let mut picture = Picture { beauty: rgb.collect(), alpha, ..Picture::bare(size) };
        picture.place = place_of(main, display)?;

        // Blender's names mean what they say only beside Blender's name of the beauty.
        let blender = colour.strip_suffix(names::COMBINED);
        let prefix = blender.unwrap_or_default();
        let own = |name: &str| match blender {
            Some(prefix) => names::ours(name.strip_prefix(prefix).unwrap_or(name)).to_owned(),
            None => name.to_owned(),
        };
        let counts = counts.or_else(|| blender_samples(&mut layers, prefix));
        picture.samples = counts.and_then(to_counts).unwrap_or_else(|| vec![1; count]);
        for (name, channels) in layers {
            let kind = kind_of(&main.attributes, &own(&name));
            // A name that no layer can have, or a second pass of one name, is left out.
            let _added = layer_of(&own(&name), channels, kind).map(|layer| picture.add(layer));
        }
        Some(picture)
    })
}

/// Where a part lies in the file's display window.
fn place_of(part: &AnyPart, display: IntegerBounds) -> Option<Place> {
    let Vec2(width, height) = display.size;
    let frame = Size::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let Vec2(x, y) = part.attributes.layer_position;
    let x = x.checked_sub(display.position.x())?;
    Some(Place { frame, x, y: y.checked_sub(display.position.y())? })
}

type Channels<'a> = BTreeMap<String, &'a FlatSamples>;

/// Whole channels of the main part's size, by layer and channel name.
fn by_layer<'a>(
    parts: &'a [AnyPart],
    main: &AnyPart,
    count: usize,
) -> BTreeMap<String, Channels<'a>> {
    let mut layers: BTreeMap<String, Channels<'a>> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.size == main.size) {
        for channel in &part.channel_data.list {
            let name = channel.name.to_string();
            let (layer, channel_name) = match name.rsplit_once('.') {
                Some((layer, channel)) => (layer.to_owned(), channel),
                // In a part of its own, a layer may stand in the part's name alone.
                None if !std::ptr::eq(part, main) => {
                    let layer = part.attributes.layer_name.as_ref().map(ToString::to_string);
                    (layer.unwrap_or_default(), name.as_str())
                }
                None if name == "Z" => (layer::DEPTH.to_owned(), "Z"),
                None => (String::new(), name.as_str()),
            };
            if channel.sample_data.len() == count {
                let layer = layers.entry(layer).or_default();
                layer.entry(channel_name.to_owned()).or_insert(&channel.sample_data);
            }
        }
    }
    layers
}

/// The layer that holds the beauty.
fn colour_name(layers: &BTreeMap<String, Channels<'_>>) -> Option<String> {
    let has_red = |name: &str| layers.get(name).is_some_and(|layer| layer.contains_key("R"));
    if has_red("") {
        return Some(String::new());
    }
    let combined = |name: &str| name.rsplit('.').next() == Some(names::COMBINED);
    layers.keys().find(|name| combined(name) && has_red(name)).cloned()
}

/// Blender's sample counts, taken out of the layers.
fn blender_samples<'a>(
    layers: &mut BTreeMap<String, Channels<'a>>,
    prefix: &str,
) -> Option<&'a FlatSamples> {
    layers.remove(&format!("{prefix}{}", names::BLENDER_SAMPLES))?.remove("X")
}

fn to_counts(samples: &FlatSamples) -> Option<Vec<u32>> {
    match samples {
        FlatSamples::U32(counts) => Some(counts.clone()),
        FlatSamples::F32(counts) => Some(counts.iter().map(|&count| count as u32).collect()),
        FlatSamples::F16(_) => None,
    }
}

/// A layer of these channels, or `None` where none can be made of them.
fn layer_of(name: &str, channels: Channels<'_>, kind: Option<LayerKind>) -> Option<Layer> {
    let mut channels: Vec<(String, &FlatSamples)> = channels.into_iter().collect();
    channels.sort_by(|(a, _), (b, _)| layer::rank(a).cmp(&layer::rank(b)));
    let names: Vec<&str> = channels.iter().map(|(name, _)| name.as_str()).collect();
    let whole: Option<Vec<&[u32]>> = channels
        .iter()
        .map(|(_, samples)| match samples {
            FlatSamples::U32(values) => Some(values.as_slice()),
            _ => None,
        })
        .collect();
    let values = match whole {
        Some(planes) => LayerValues::Uint(interleaved(&planes)),
        None => {
            let planes: Vec<Vec<f32>> =
                channels.iter().map(|(_, samples)| to_floats(samples)).collect();
            let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
            LayerValues::Float(interleaved(&planes))
        }
    };
    let kind = kind.unwrap_or_else(|| LayerKind::guess(&names, &values));
    Layer::try_new(name, &names, kind, values).ok()
}

/// All channels of a pixel beside each other.
fn interleaved<T: Copy>(planes: &[&[T]]) -> Vec<T> {
    let count = planes.first().map_or(0, |plane| plane.len());
    (0..count).flat_map(|pixel| planes.iter().map(move |plane| plane[pixel])).collect()
}

fn to_floats(samples: &FlatSamples) -> Vec<f32> {
    match samples {
        FlatSamples::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
        FlatSamples::F32(values) => values.clone(),
        FlatSamples::U32(values) => values.iter().map(|&value| value as f32).collect(),
    }
}
