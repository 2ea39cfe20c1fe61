//! Binary glTF's container (glTF 2.0, section 4): a header and chunks.

use super::error::ImportError;
use super::foreign::Foreign;
use super::report::{ImportWarning, Warnings};
use crate::limits::JSON_BYTES_MAX;

const JSON: u32 = u32::from_le_bytes(*b"JSON");
const BIN: u32 = u32::from_le_bytes(*b"BIN\0");

/// The parts of a file.
pub struct Parts<'a> {
    pub json: &'a [u8],
    /// Binary glTF's own buffer.
    pub blob: Option<&'a [u8]>,
}

/// Tells binary glTF from JSON and finds the parts.
pub fn split<'a>(bytes: &'a [u8], warnings: &mut Warnings) -> Result<Parts<'a>, ImportError> {
    let parts = if bytes.starts_with(b"glTF") {
        split_glb(bytes, warnings)?
    } else {
        // A byte order mark is not JSON, but some exporters write one.
        let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(Foreign::of(bytes).map_or(ImportError::NotGltf, |of| {
                ImportError::Foreign { name: of.name, advice: of.advice }
            }));
        }
        Parts { json, blob: None }
    };
    if parts.json.len() as u64 > JSON_BYTES_MAX {
        return Err(ImportError::JsonTooLarge { bytes: parts.json.len() as u64 });
    }
    Ok(parts)
}

fn split_glb<'a>(bytes: &'a [u8], warnings: &mut Warnings) -> Result<Parts<'a>, ImportError> {
    let header = words::<3>("the header", bytes)?;
    let [_magic, version, length] = header;
    if version != 2 {
        return Err(ImportError::GlbVersion { version });
    }
    let body = part("the file", bytes, 0, length)?;
    let mut extra = (bytes.len() - body.len()) as u64;
    let mut rest = body.get(12..).unwrap_or_default();

    let [json_length, kind] = words::<2>("the first chunk's header", rest)?;
    if kind != JSON {
        return Err(ImportError::NoJson);
    }
    let json = part("the JSON chunk", rest, 8, json_length)?;
    rest = &rest[8 + json.len()..];

    let mut blob = None;
    while !rest.is_empty() {
        let [length, kind] = words::<2>("a chunk's header", rest)?;
        let data = part("a chunk", rest, 8, length)?;
        rest = &rest[8 + data.len()..];
        if kind == BIN && blob.is_none() {
            blob = Some(data);
        } else {
            extra += data.len() as u64;
        }
    }
    if extra > 0 {
        warnings.push(ImportWarning::ExtraBytes { count: extra });
    }
    Ok(Parts { json, blob })
}

fn words<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u32; N], ImportError> {
    let words = bytes.as_chunks::<4>().0.first_chunk::<N>();
    let error =
        ImportError::Truncated { what, needed: 4 * N as u64, available: bytes.len() as u64 };
    words.map(|words| words.map(u32::from_le_bytes)).ok_or(error)
}

fn part<'a>(
    what: &'static str,
    bytes: &'a [u8],
    start: usize,
    length: u32,
) -> Result<&'a [u8], ImportError> {
    let available = bytes.get(start..).unwrap_or_default();
    available.get(..length as usize).ok_or(ImportError::Truncated {
        what,
        needed: u64::from(length),
        available: available.len() as u64,
    })
}
