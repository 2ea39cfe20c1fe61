//! Where a package is cut into the parts that travel.
//!
//! A part is what two scenes can share, so that cuts follow the content, never its place: the
//! outline is by itself, sections do not mix, and an image or a primitive of
//! [`ALONE_BYTES_MIN`] begins and ends a part. Smaller neighbours are grouped, and a group ends
//! after an item whose own hash says so: whatever changes before it, the next cuts are found again
//! (content-defined chunking after Muthitacharoen, Chen and Mazières, LBFS, 2001, with items in
//! the place of bytes). Longer items are cut every [`PART_BYTES_MAX`] bytes.

use protocol::SceneId;

use crate::limits::{ALONE_BYTES_MIN, GROUP_BYTES_MEAN, GROUP_BYTES_MIN, PART_BYTES_MAX};

/// Cuts a package's bytes, item by item.
pub(super) struct Cutter<'a> {
    bytes: &'a [u8],
    /// Where the part at hand begins.
    begin: usize,
    /// Where the next item begins.
    at: usize,
    ends: Vec<usize>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, begin: 0, at: 0, ends: Vec::new() }
    }

    /// The next `length` bytes belong together.
    pub(super) fn item(&mut self, length: usize) {
        if length >= ALONE_BYTES_MIN {
            self.alone(length);
            return;
        }
        let end = self.at + length;
        if end - self.begin > PART_BYTES_MAX {
            self.close();
        }
        let item = &self.bytes[self.at..end];
        self.at = end;
        if end - self.begin >= GROUP_BYTES_MIN && ends_a_group(item) {
            self.close();
        }
    }

    /// The next `length` bytes share no part with others.
    pub(super) fn alone(&mut self, length: usize) {
        self.close();
        let end = self.at + length;
        while self.at < end {
            self.at = end.min(self.at + PART_BYTES_MAX);
            self.close();
        }
    }

    /// Ends the part at hand, if it holds anything.
    pub(super) fn close(&mut self) {
        if self.at > self.begin {
            self.ends.push(self.at);
            self.begin = self.at;
        }
    }

    /// Where parts end.
    pub(super) fn finish(mut self) -> Vec<usize> {
        self.close();
        assert_eq!(self.at, self.bytes.len(), "items cover the package");
        self.ends
    }
}

/// Whether a group that is long enough ends after this item: once in [`GROUP_BYTES_MEAN`] bytes,
/// however long items are.
fn ends_a_group(item: &[u8]) -> bool {
    let hash = blake3::hash(item);
    let (head, _rest) = hash.as_bytes().split_first_chunk().expect("invariant: it has 32 bytes");
    let drawn = u128::from(u64::from_le_bytes(*head)) * GROUP_BYTES_MEAN as u128;
    drawn >> 64 < item.len() as u128
}

/// The parts' bytes.
pub(super) fn parts<'a>(bytes: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let begins = std::iter::once(0).chain(ends.iter().copied());
    begins.zip(ends).map(|(begin, &end)| &bytes[begin..end])
}

/// The scene's id: the hash of its parts' hashes, one after another.
pub(super) fn id(bytes: &[u8], ends: &[usize]) -> SceneId {
    let mut hasher = blake3::Hasher::new();
    for part in parts(bytes, ends) {
        hasher.update(blake3::hash(part).as_bytes());
    }
    SceneId(*hasher.finalize().as_bytes())
}
