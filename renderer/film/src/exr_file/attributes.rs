//! What a file says of itself.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};

use exr::meta::header::Header;
use exr::prelude::{AttributeValue, ImageAttributes, IntegerBounds, LayerAttributes, Vec2};
use protocol::{Engine, JobId, SceneId};

use super::{ChannelNames, invalid, text, words};
use crate::cryptomatte::Manifest;
use crate::layer::LayerKind;
use crate::picture::{Picture, Place};

/// What the file says of itself.
///
/// Nothing that two renders of the same picture would differ in: no date, no duration, no host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Program and version: `Tessera 0.1.0`; the attribute `software`.
    pub software: String,
    /// The job it was rendered for; the attribute `tessera/job`, and so on for what follows.
    pub job: Option<JobId>,
    /// The scene package.
    pub scene: Option<SceneId>,
    /// What decided the bits.
    pub engine: Option<Engine>,
    /// Samples per pixel asked for.
    pub samples: Option<u32>,
    /// Frame number.
    pub frame: Option<u32>,
    /// The scene's camera of this name.
    pub camera: Option<String>,
    /// What denoised the picture.
    pub denoiser: Option<String>,
    /// Frames a second; the attribute `framesPerSecond`.
    pub frame_rate: Option<FrameRate>,
    /// What Cryptomatte's layers hold; [`super::read_exr_metadata`] leaves it empty.
    pub manifests: Vec<Manifest>,
}

/// Frames a second, as a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    /// Frames.
    pub frames: u32,
    /// In as many seconds, 1 or more.
    pub seconds: u32,
}

impl FrameRate {
    /// The ratio nearest to a rate: whole, of NTSC's family (24 000/1001), or in thousandths.
    ///
    /// `None` unless the rate lies above 0 and at most at a million.
    #[must_use]
    pub fn nearest(rate: f32) -> Option<Self> {
        let rate = f64::from(rate);
        if !(rate > 0.0 && rate <= 1e6) {
            return None;
        }
        let whole = rate.round();
        let ntsc = (rate * 1.001).round() * 1000.0;
        let near = |ratio: f64| (ratio - rate).abs() < rate * 1e-5;
        let (frames, seconds) = if near(whole) {
            (whole, 1)
        } else if near(ntsc / 1001.0) {
            (ntsc, 1001)
        } else {
            ((rate * 1000.0).round(), 1000)
        };
        (frames >= 1.0).then_some(Self { frames: frames as u32, seconds })
    }
}

/// Both headers' attributes for a picture.
pub(super) fn headers(
    picture: &Picture,
    metadata: &Metadata,
    names: ChannelNames,
) -> (ImageAttributes, LayerAttributes) {
    let Place { frame, x, y } = picture.place;
    let size = Vec2(frame.width as usize, frame.height as usize);
    let mut image = ImageAttributes::new(IntegerBounds::from_dimensions(size));
    image.chromaticities = Some(rec709());
    let rate = metadata.frame_rate;
    let mut part = LayerAttributes {
        layer_position: Vec2(x, y),
        software_name: Some(text(&metadata.software)),
        frames_per_second: rate.map(|rate| (rate.frames.cast_signed(), rate.seconds)),
        ..LayerAttributes::default()
    };
    let mut add = |name: &str, value: &str| {
        part.other.insert(text(name), AttributeValue::Text(text(value)));
    };
    for (name, value) in facts(metadata) {
        add(&format!("{PREFIX}{name}"), &value);
    }
    for manifest in &metadata.manifests {
        for (name, value) in manifest.attributes(&names.layer(manifest.name())) {
            add(&name, &value);
        }
    }
    for layer in picture.layers() {
        let channels: Vec<&str> = layer.channels().iter().map(String::as_str).collect();
        if LayerKind::guess(&channels, layer.values()) != layer.kind() {
            add(&format!("{KIND_PREFIX}{}", layer.name()), kind_word(layer.kind()));
        }
    }
    if names == ChannelNames::Blender {
        // By this Blender tells that passes hide in the channels' names.
        add("BlenderMultiChannel", "Blender V2.55.1 and newer");
    }
    (image, part)
}

/// What stands before the name of a fact.
const PREFIX: &str = "tessera/";
/// What stands before the name of a layer whose kind its channels do not tell.
const KIND_PREFIX: &str = "tessera/kind/";
/// Where all facts stood, a line each, before each had an attribute.
const OLD_FACTS: &str = "tessera";

fn facts(metadata: &Metadata) -> impl Iterator<Item = (&'static str, String)> {
    let facts = [
        ("job", metadata.job.map(|job| job.to_string())),
        ("scene", metadata.scene.map(|scene| scene.to_string())),
        ("engine", metadata.engine.map(|engine| engine.0.to_string())),
        ("samples", metadata.samples.map(|samples| samples.to_string())),
        ("frame", metadata.frame.map(|frame| frame.to_string())),
        ("camera", metadata.camera.clone()),
        ("denoiser", metadata.denoiser.clone()),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// What a header says, as far as we understand it.
pub(super) fn metadata_of(header: &Header) -> Metadata {
    let own = &header.own_attributes;
    let attribute = |name: &str| match own.other.get(&text(name)) {
        Some(AttributeValue::Text(value)) => Some(words(value)),
        _ => None,
    };
    let old_facts = attribute(OLD_FACTS).unwrap_or_default();
    let fact = |name: &str| {
        let old = || {
            let mut lines = old_facts.lines().filter_map(|line| line.split_once(" = "));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        attribute(&format!("{PREFIX}{name}")).or_else(old)
    };
    let number = |name: &str| fact(name)?.parse().ok();
    let rate = own.frames_per_second.map(|(frames, seconds)| (u32::try_from(frames), seconds));
    Metadata {
        software: own.software_name.as_ref().map(words).unwrap_or_default(),
        job: fact("job").and_then(|job| job.parse().ok()),
        scene: fact("scene").and_then(|scene| scene.parse().ok()),
        engine: number("engine").map(Engine),
        samples: number("samples"),
        frame: number("frame"),
        camera: fact("camera"),
        denoiser: fact("denoiser"),
        frame_rate: match rate {
            Some((Ok(frames), seconds)) if seconds > 0 => Some(FrameRate { frames, seconds }),
            _ => None,
        },
        manifests: Vec::new(),
    }
}

/// The kind that an attribute of the file gives a layer.
pub(super) fn kind_of(part: &LayerAttributes, layer: &str) -> Option<LayerKind> {
    match part.other.get(&text(&format!("{KIND_PREFIX}{layer}"))) {
        Some(AttributeValue::Text(word)) => {
            let kinds = [LayerKind::Color, LayerKind::Data, LayerKind::Id];
            kinds.into_iter().find(|&kind| word.eq(kind_word(kind)))
        }
        _ => None,
    }
}

const fn kind_word(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Color => "color",
        LayerKind::Data => "data",
        LayerKind::Id => "id",
    }
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

/// Where the first attribute begins: after the magic number and the version.
const HEADER_START: u64 = 8;

/// Puts the attributes of a file of one part in order of their names.
///
/// The encoder keeps them in a hash map, so that equal pictures would be unequal files. The order
/// moves no other byte.
pub(super) fn sort(file: &mut File) -> io::Result<()> {
    file.seek(SeekFrom::Start(HEADER_START))?;
    let mut reader = BufReader::new(&*file);
    let mut attributes: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    loop {
        let name = read_name(&mut reader)?;
        if name.is_empty() {
            break;
        }
        let mut bytes = name.clone();
        bytes.push(0);
        bytes.extend(read_name(&mut reader)?);
        bytes.push(0);
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        bytes.extend(length);
        let value_start = bytes.len();
        reader.by_ref().take(u64::from(u32::from_le_bytes(length))).read_to_end(&mut bytes)?;
        if bytes.len() - value_start != u32::from_le_bytes(length) as usize {
            return Err(invalid("the header that was written ends too early"));
        }
        attributes.push((name, bytes));
    }
    drop(reader);
    attributes.sort();
    let bytes: Vec<u8> = attributes.into_iter().flat_map(|(_name, bytes)| bytes).collect();
    file.seek(SeekFrom::Start(HEADER_START))?;
    file.write_all(&bytes)
}

/// Text up to a zero byte.
fn read_name(reader: &mut impl io::BufRead) -> io::Result<Vec<u8>> {
    let mut name = Vec::new();
    reader.read_until(0, &mut name)?;
    match name.pop() {
        Some(0) => Ok(name),
        _ => Err(invalid("the header that was written has no end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_ratios() {
        let ratio = |rate| FrameRate::nearest(rate).map(|rate| (rate.frames, rate.seconds));
        assert_eq!(ratio(24.0), Some((24, 1)));
        assert_eq!(ratio(23.976), Some((24_000, 1001)));
        assert_eq!(ratio(29.97), Some((30_000, 1001)));
        assert_eq!(ratio(12.5), Some((12_500, 1000)));
        for rate in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(ratio(rate), None, "{rate}");
        }
    }
}
