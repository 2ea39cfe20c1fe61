//! `EXT_meshopt_compression` and `KHR_meshopt_compression`: buffer views that are decoded before
//! anything reads them.
//!
//! Written from the extensions' appendices A (the three bitstreams) and B (the filters): some 400
//! lines that cannot leave their slices, where the reference library is C++ with many times
//! that. A stream that ends early, leaves bytes over or names what was not there yet is refused.

mod attributes;
mod filters;
mod indices;

use super::json::Meshopt;

/// Why a compressed buffer view cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshoptProblem {
    /// A property that the extension requires is missing.
    #[error("its compression has no {what}")]
    Missing {
        /// Which property.
        what: &'static str,
    },
    /// A mode or filter that the extension does not know.
    #[error("its compression has the {what} {value:?}, which the extension does not know")]
    Word {
        /// Mode or filter.
        what: &'static str,
        /// The word.
        value: String,
    },
    /// Mode, filter and stride do not go together.
    #[error("its elements of {stride} bytes do not suit {what}, which needs {needed}")]
    Stride {
        /// Bytes of an element.
        stride: u64,
        /// The mode or filter.
        what: &'static str,
        /// What it needs.
        needed: &'static str,
    },
    /// The elements do not fill the view.
    #[error("its {count} elements of {stride} bytes do not make its {bytes} bytes")]
    Length {
        /// Elements.
        count: u64,
        /// Bytes of an element.
        stride: u64,
        /// Bytes of the view.
        bytes: u64,
    },
    /// The stream is not of its mode.
    #[error("its compressed data begins with byte {found:#04x}, which is not one of {mode}")]
    Header {
        /// The byte.
        found: u8,
        /// The mode.
        mode: &'static str,
    },
    /// The stream ends early.
    #[error("its compressed data ends early")]
    Truncated,
    /// Bytes are left over.
    #[error("its compressed data has {bytes} bytes too many")]
    Leftover {
        /// How many.
        bytes: usize,
    },
    /// The stream says what its mode does not allow.
    #[error("its compressed data is damaged: {what}")]
    Damaged {
        /// What it says.
        what: &'static str,
    },
}

use MeshoptProblem as Problem;

/// What the stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Attributes,
    Triangles,
    Indices,
}

/// What is done to elements once they are decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filter {
    None,
    Octahedral,
    Quaternion,
    Exponential,
    Color,
}

/// A compressed view, its properties checked against each other.
pub struct Layout {
    mode: Mode,
    filter: Filter,
    stride: usize,
    count: usize,
}

impl Layout {
    /// Checks the properties of a compressed view of `bytes` bytes once decoded.
    pub fn parse(source: &Meshopt, bytes: u64) -> Result<Self, Problem> {
        let word =
            |what, value: &str| Problem::Word { what, value: value.chars().take(40).collect() };
        let stride = source.byte_stride.ok_or(Problem::Missing { what: "byteStride" })?;
        let count = source.count.ok_or(Problem::Missing { what: "count" })?;
        let mode = match source.mode.as_deref() {
            Some("ATTRIBUTES") => Mode::Attributes,
            Some("TRIANGLES") => Mode::Triangles,
            Some("INDICES") => Mode::Indices,
            Some(value) => return Err(word("mode", value)),
            None => return Err(Problem::Missing { what: "mode" }),
        };
        let filter = match source.filter.as_deref() {
            None | Some("NONE") => Filter::None,
            Some("OCTAHEDRAL") => Filter::Octahedral,
            Some("QUATERNION") => Filter::Quaternion,
            Some("EXPONENTIAL") => Filter::Exponential,
            Some("COLOR") => Filter::Color,
            Some(value) => return Err(word("filter", value)),
        };
        let suits = |what, needed, holds: bool| match holds {
            true => Ok(()),
            false => Err(Problem::Stride { stride, what, needed }),
        };
        if mode == Mode::Attributes {
            let holds = (4..=256).contains(&stride) && stride.is_multiple_of(4);
            suits("the mode ATTRIBUTES", "4, 8, 12 and so on to 256", holds)?;
        } else {
            suits("a mode of indices", "2 or 4, and no filter", matches!(stride, 2 | 4))?;
            suits("a mode of indices", "2 or 4, and no filter", filter == Filter::None)?;
        }
        match filter {
            Filter::Octahedral | Filter::Color => {
                suits("the filter OCTAHEDRAL or COLOR", "4 or 8", matches!(stride, 4 | 8))?;
            }
            Filter::Quaternion => suits("the filter QUATERNION", "8", stride == 8)?,
            Filter::Exponential | Filter::None => {}
        }
        if mode == Mode::Triangles && !count.is_multiple_of(3) {
            return Err(Problem::Damaged { what: "its indices fill no last triangle" });
        }
        let length = Problem::Length { count, stride, bytes };
        if count.checked_mul(stride) != Some(bytes) {
            return Err(length);
        }
        let narrow = |value| usize::try_from(value).map_err(|_too_many| length.clone());
        Ok(Self { mode, filter, stride: narrow(stride)?, count: narrow(count)? })
    }

    /// Decodes a stream to exactly the view's bytes, which the caller has budgeted.
    pub fn decode(&self, stream: &[u8]) -> Result<Vec<u8>, Problem> {
        let &Self { mode, filter, stride, count } = self;
        match mode {
            Mode::Attributes => {
                let mut bytes = attributes::decode(stream, stride, count)?;
                filters::apply(filter, stride, &mut bytes);
                Ok(bytes)
            }
            Mode::Triangles => indices::triangles(stream, stride, count / 3),
            Mode::Indices => indices::sequence(stream, stride, count),
        }
    }
}

/// Reads a stream from its front.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Problem::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, Problem> {
        let (&byte, tail) = self.bytes.split_first().ok_or(Problem::Truncated)?;
        self.bytes = tail;
        Ok(byte)
    }

    /// The stream's first byte, which has to be one of `known`.
    fn header(&mut self, known: &[u8], mode: &'static str) -> Result<u8, Problem> {
        let found = self.byte()?;
        if known.contains(&found) { Ok(found) } else { Err(Problem::Header { found, mode }) }
    }

    /// Cuts the tail off, which stands at the end of every stream.
    fn tail(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let start = self.bytes.len().checked_sub(count).ok_or(Problem::Truncated)?;
        let (head, tail) = self.bytes.split_at(start);
        self.bytes = head;
        Ok(tail)
    }

    /// Nothing may be left.
    fn end(&self) -> Result<(), Problem> {
        match self.bytes.len() {
            0 => Ok(()),
            bytes => Err(Problem::Leftover { bytes }),
        }
    }
}
