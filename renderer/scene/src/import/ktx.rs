//! `KHR_texture_basisu`: KTX 2 images of Basis Universal, ETC1S and UASTC, as four bytes a pixel.
//!
//! The transcoder is `basisu`, a port of the reference one to Rust. It trusts a container's
//! offsets, so they are checked here first, and only what the extension allows gets that far. What
//! it makes of a damaged payload is its own affair: should it panic, the image is damaged.

use std::panic::{AssertUnwindSafe, catch_unwind};

use basisu::{DecodeFlags, SourceFormat, TargetFormat, Transcoder};

use super::accessor::Budget;
use super::error::ImageProblem;
use super::picture::Decoded;
use crate::limits::IMAGE_SIDE_PX_MAX;
use crate::model::Pixels;

const MAGIC: [u8; 12] = *b"\xabKTX 20\xbb\r\n\x1a\n";
/// Schemes of supercompression: none, `BasisLZ`, Zstandard.
const SCHEMES: [u32; 3] = [0, 1, 2];
/// A side of 2¹⁴ has this many halvings at most.
const LEVELS_MAX: u32 = 16;

/// Whether bytes begin as KTX 2 does.
pub fn is_ktx(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Decodes the largest level to four bytes a pixel.
pub fn decode(bytes: &[u8], budget: &mut Budget) -> Result<Decoded, ImageProblem> {
    let (width, height) = check(bytes)?;
    let needed = u64::from(width) * u64::from(height) * 4;
    budget.take(needed).map_err(|left| ImageProblem::TooLarge { needed, left })?;
    let transcode = || {
        let damaged = |what: basisu::Error| ImageProblem::Ktx { what: format!("{what:?}") };
        let texture = Transcoder::new(bytes).map_err(damaged)?;
        if !matches!(texture.source_format(), SourceFormat::Etc1s | SourceFormat::UastcLdr) {
            return Err(ktx("it is neither ETC1S nor UASTC"));
        }
        texture.transcode(0, TargetFormat::Rgba32, DecodeFlags::NONE).map_err(damaged)
    };
    let pixels = catch_unwind(AssertUnwindSafe(transcode))
        .unwrap_or_else(|_panic| Err(ktx("its payload is damaged")))?;
    if pixels.len() as u64 != needed {
        return Err(ktx("its payload does not fill it"));
    }
    Ok(Decoded { width, height, pixels: Pixels::Rgba8(pixels), deep: false })
}

fn ktx(what: &str) -> ImageProblem {
    ImageProblem::Ktx { what: what.to_owned() }
}

/// Checks the header (KTX 2.0, section 3) and every range that it names; gives the size.
fn check(bytes: &[u8]) -> Result<(u32, u32), ImageProblem> {
    let short = || ktx("it ends early");
    let header = bytes.get(..80).ok_or_else(short)?;
    let word = |at: usize| {
        let word = header[at..].first_chunk::<4>();
        word.map_or(0, |word| u32::from_le_bytes(*word))
    };
    let [format, _, width, height, depth, layers, faces, levels, scheme] =
        std::array::from_fn(|index| word(12 + 4 * index));
    let side = 1..=IMAGE_SIDE_PX_MAX;
    if !side.contains(&width) || !side.contains(&height) {
        return Err(ImageProblem::Size { width, height });
    }
    if depth > 0 || layers > 1 || faces != 1 {
        return Err(ktx("it is no plain picture: it has depth, layers or faces"));
    }
    if format != 0 || !SCHEMES.contains(&scheme) || !(1..=LEVELS_MAX).contains(&levels) {
        return Err(ktx("it is not one of Basis Universal's; KHR_texture_basisu allows no other"));
    }
    let lies_inside = |start: u64, length: u64| {
        start.checked_add(length).is_some_and(|end| end <= bytes.len() as u64)
    };
    let long = |bytes: &[u8], at: usize| {
        let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<8>());
        word.map(|word| u64::from_le_bytes(*word)).ok_or_else(short)
    };
    // The data format descriptor, keys and values, and what BasisLZ shares.
    let ranges = [
        (u64::from(word(48)), u64::from(word(52))),
        (u64::from(word(56)), u64::from(word(60))),
        (long(header, 64)?, long(header, 72)?),
    ];
    if !ranges.into_iter().all(|(start, length)| lies_inside(start, length)) {
        return Err(short());
    }
    let blocks = u64::from(width.div_ceil(4)) * u64::from(height.div_ceil(4));
    for level in 0..levels as usize {
        let at = 80 + 24 * level;
        let [start, length, unpacked] =
            [long(bytes, at)?, long(bytes, at + 8)?, long(bytes, at + 16)?];
        // A Zstandard level is unpacked to what it claims: no more than its blocks need.
        if !lies_inside(start, length) || unpacked > 16 * blocks {
            return Err(short());
        }
    }
    Ok((width, height))
}
