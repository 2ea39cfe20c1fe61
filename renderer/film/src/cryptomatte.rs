//! Cryptomatte: mattes of every object, ids and coverage ranked in each pixel.
//!
//! Pure functions from counts to layers and manifests. Nothing fills them yet: a film has no ids.
//! A film that has will bring, for each pixel, how many samples met which id.
//!
//! ```
//! use film::cryptomatte::{self, Coverage, Manifest};
//! use protocol::Size;
//!
//! let mut pixels = vec![vec![Coverage { id: cryptomatte::id("bunny"), samples: 12 }]];
//! cryptomatte::rank(&mut pixels[0]);
//! let mut picture = film::Picture::bare(Size::new(1, 1));
//! for layer in cryptomatte::layers("CryptoObject", &pixels, &[16])? {
//!     picture.add(layer)?;
//! }
//! let manifest = Manifest::new("CryptoObject", ["bunny"]);
//! assert_eq!(manifest.json(), r#"{"bunny":"13851a76"}"#);
//! # Ok::<(), film::LayerError>(())
//! ```
//!
//! # Source
//! - J. Friedman and A. Jones, "Fully Automatic ID Mattes with Support for Motion Blur and
//!   Transparency" (2015), and the Cryptomatte specification 1.2 (Psyop).
//! - A. Appleby, MurmurHash3 (2011), `MurmurHash3_x86_32` with seed 0.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::layer::{Layer, LayerError, LayerKind, LayerValues};

/// Ranks a pixel keeps; the specification's default. Two lie in each layer.
pub const RANKS: usize = 6;

/// How much of a pixel an id has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// The id's bits; 0 for nothing.
    pub id: u32,
    /// Samples that met it.
    pub samples: u32,
}

/// The bits of the real number that stands for a name.
///
/// The name's hash, with the exponent kept away from denormals, infinities and NaN.
#[must_use]
pub fn id(name: &str) -> u32 {
    const EXPONENT_LOWEST_BIT: u32 = 1 << 23;
    let hash = murmur3(name.as_bytes());
    match (hash >> 23) & 0xff {
        0 | 0xff => hash ^ EXPONENT_LOWEST_BIT,
        _ => hash,
    }
}

/// `MurmurHash3_x86_32` with seed 0.
#[must_use]
pub fn murmur3(bytes: &[u8]) -> u32 {
    let scramble =
        |word: u32| word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(0_u32, |hash, &word| {
        let mixed = hash ^ scramble(u32::from_le_bytes(word));
        mixed.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let tail = rest.iter().rev().fold(0_u32, |tail, &byte| tail << 8 | u32::from(byte));
    hash ^= scramble(tail);
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// Puts a pixel's ids in order: each once, most samples first, of equals the smaller id, nothing
/// left out.
pub fn rank(pixel: &mut Vec<Coverage>) {
    pixel.sort_unstable_by_key(|coverage| coverage.id);
    pixel.dedup_by(|next, kept| {
        let same = next.id == kept.id;
        if same {
            kept.samples = kept.samples.saturating_add(next.samples);
        }
        same
    });
    pixel.retain(|coverage| coverage.id != 0 && coverage.samples > 0);
    pixel.sort_by_key(|coverage| std::cmp::Reverse(coverage.samples));
}

/// The layers `NAME00`, `NAME01`, `NAME02` of ranked pixels in rows from the upper left.
///
/// Each has channels r, g, b, a: the id and the coverage of one rank, and of the next.
/// `samples` holds each pixel's samples, those that met nothing included. Ids past [`RANKS`] are
/// left out, as are pixels that only one of the lists has.
///
/// # Errors
/// [`LayerError::Name`].
pub fn layers<P: AsRef<[Coverage]>>(
    name: &str,
    pixels: &[P],
    samples: &[u32],
) -> Result<Vec<Layer>, LayerError> {
    let layer = |index: usize| {
        let mut values = Vec::with_capacity(pixels.len() * 4);
        for (pixel, &samples) in pixels.iter().zip(samples) {
            for rank in [2 * index, 2 * index + 1] {
                let found = pixel.as_ref().get(rank).filter(|_| samples > 0);
                let (id, share) = found.map_or((0, 0.0), |coverage| {
                    (coverage.id, f64::from(coverage.samples) / f64::from(samples))
                });
                values.extend([f32::from_bits(id), share.min(1.0) as f32]);
            }
        }
        let values = LayerValues::Float(values);
        Layer::try_new(&format!("{name}{index:02}"), &["r", "g", "b", "a"], LayerKind::Id, values)
    };
    (0..RANKS / 2).map(layer).collect()
}

/// Which names a set of layers holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    name: String,
    ids: BTreeMap<String, u32>,
}

impl Manifest {
    /// The manifest of layers called `name`, for these objects.
    #[must_use]
    pub fn new<'a>(name: &str, objects: impl IntoIterator<Item = &'a str>) -> Self {
        let ids = objects.into_iter().map(|object| (object.to_owned(), id(object))).collect();
        Self { name: name.to_owned(), ids }
    }

    /// What the layers are called, without their numbers.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names and their ids as a JSON object, in ASCII.
    #[must_use]
    pub fn json(&self) -> String {
        let mut json = String::from("{");
        for (object, id) in &self.ids {
            let comma = if json.len() > 1 { "," } else { "" };
            let _infallible = write!(json, "{comma}\"{}\":\"{id:08x}\"", escaped(object));
        }
        json.push('}');
        json
    }

    /// Attributes of a file in which the layers are called `file_name`.
    #[must_use]
    pub fn attributes(&self, file_name: &str) -> [(String, String); 4] {
        let key = format!("{:08x}", murmur3(file_name.as_bytes()));
        let attribute = |what: &str, value: &str| {
            (format!("cryptomatte/{}/{what}", &key[..7]), value.to_owned())
        };
        [
            attribute("name", file_name),
            attribute("hash", "MurmurHash3_32"),
            attribute("conversion", "uint32_to_float32"),
            attribute("manifest", &self.json()),
        ]
    }
}

/// Text inside JSON's quotation marks.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            ' '..='~' => escaped.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _infallible = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use protocol::Size;

    #[test]
    fn hashes_are_the_published_ones() {
        for (name, hash) in [
            ("", 0),
            ("a", 0x3c25_69b2),
            ("ab", 0x9bbf_d75f),
            ("abc", 0xb3dd_93fa),
            ("hello, world", 0x149b_bb7f),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
            // The specification's examples, and Blender's.
            ("bunny", 0x1385_1a76),
            ("default", 0x42c9_679f),
            ("bunny_porcelain_mat", 0xb24b_26d4),
            ("Cube", 0xa8fc_e865),
        ] {
            assert_eq!(murmur3(name.as_bytes()), hash, "{name}");
        }
    }

    #[test]
    fn ids_are_ordinary_numbers() {
        // Psyop's own test values.
        for (name, number) in [
            ("hello", 6.070_562_710_24e-17),
            ("равнина", -1.319_263_121_24e-25),
            ("mädchen", 6.236_129_821_16e25),
        ] {
            let found = f64::from(f32::from_bits(id(name)));
            assert!((found / number - 1.0).abs() < 1e-9, "{name}: {found}");
        }
        // The empty name hashes to 0, a denormal; among many names some have every bit set.
        assert_eq!(id(""), 0x0080_0000);
        let mut fixed = 0;
        for number in 0..4000 {
            let name = format!("object.{number:03}");
            assert!(f32::from_bits(id(&name)).is_normal(), "{name}");
            fixed += u32::from(id(&name) != murmur3(name.as_bytes()));
        }
        assert!((10..80).contains(&fixed), "{fixed} of 4000, 31 expected");
    }

    fn coverage(id: u32, samples: u32) -> Coverage {
        Coverage { id, samples }
    }

    #[test]
    fn ranks_do_not_depend_on_the_order_of_arrival() {
        let ranked = [coverage(5, 9), coverage(2, 3), coverage(7, 3)];
        let arrived = [(7, 3), (5, 4), (0, 20), (2, 3), (5, 5), (9, 0)];
        for turn in 0..arrived.len() {
            let mut pixel = arrived.map(|(id, samples)| coverage(id, samples)).to_vec();
            pixel.rotate_left(turn);
            rank(&mut pixel);
            assert_eq!(pixel, ranked);
        }
    }

    #[test]
    fn layers_hold_ids_by_their_bits_and_shares_of_the_samples() {
        let bunny = id("bunny");
        let crowd: Vec<Coverage> = (1..=8).map(|i| coverage(i << 24, 16 - i)).collect();
        let pixels = [vec![coverage(bunny, 12), coverage(1 << 24, 3)], Vec::new(), crowd];
        let layers = layers("CryptoObject", &pixels, &[16, 16, 64]).expect("a good name");
        let names: Vec<&str> = layers.iter().map(Layer::name).collect();
        assert_eq!(names, ["CryptoObject00", "CryptoObject01", "CryptoObject02"]);
        let bits = |layer: usize, at: usize| layers[layer].values().bits(at);
        let share = |value: f32| Some(value.to_bits());
        let first = [0, 1, 2, 3].map(|at| bits(0, at));
        assert_eq!(first, [Some(bunny), share(0.75), Some(1 << 24), share(0.1875)]);
        assert_eq!([4, 5, 6, 7].map(|at| bits(0, at)), [Some(0); 4]);
        // The sixth rank of the third pixel is the last that is kept.
        assert_eq!([bits(2, 10), bits(2, 11)], [Some(6 << 24), share(10.0 / 64.0)]);
        let mut picture = Picture::bare(Size::new(3, 1));
        for layer in layers {
            picture.add(layer).expect("fits");
        }
    }

    #[test]
    fn manifests_say_what_is_there() {
        let manifest = Manifest::new("CryptoObject", ["Cube", "Light", "Cube"]);
        let attributes = manifest.attributes("ViewLayer.CryptoObject");
        // As Blender 5.0 writes it for these objects.
        let wanted = [
            ("name", "ViewLayer.CryptoObject"),
            ("hash", "MurmurHash3_32"),
            ("conversion", "uint32_to_float32"),
            ("manifest", r#"{"Cube":"a8fce865","Light":"c77d43e5"}"#),
        ];
        for ((name, value), (what, text)) in attributes.iter().zip(wanted) {
            assert_eq!(*name, format!("cryptomatte/542cafa/{what}"));
            assert_eq!(value, text);
        }
        let odd = Manifest::new("x", ["a\"b\\c\n", "天空", "😀"]).json();
        assert!(odd.is_ascii() && odd.contains(r#""a\"b\\c\u000a":"#), "{odd}");
        assert!(odd.contains(r#""\u5929\u7a7a":"2d5e5a03""#), "{odd}");
        assert!(odd.contains(r#""\ud83d\ude00":"#), "{odd}");
    }
}
