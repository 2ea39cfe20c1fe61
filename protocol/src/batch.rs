//! Chunks and batches: how the samples of a tile are cut.

use serde::{Deserialize, Serialize};

use crate::settings::CHUNK_SAMPLES;

/// An aligned power-of-two run of chunks: what is leased, rendered, checked and paid.
///
/// Aligned runs make any way of splitting the work give the same bits: two neighbours merge into
/// the run above them, in one fixed binary tree (see [`Batch::parent`]). Bytes that hold any other
/// run do not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "AnyRun")]
pub struct Batch {
    first_chunk: u32,
    chunk_count: u32,
}

/// A run of chunks as it came, aligned or not.
#[derive(Deserialize)]
struct AnyRun {
    first_chunk: u32,
    chunk_count: u32,
}

impl TryFrom<AnyRun> for Batch {
    type Error = &'static str;

    fn try_from(run: AnyRun) -> Result<Self, Self::Error> {
        Self::new(run.first_chunk, run.chunk_count).ok_or("a batch is an aligned power of two")
    }
}

impl Batch {
    /// The run `first_chunk .. first_chunk + chunk_count`, or `None` when it is not an aligned
    /// power of two.
    #[must_use]
    pub const fn new(first_chunk: u32, chunk_count: u32) -> Option<Self> {
        let aligned = chunk_count.is_power_of_two() && first_chunk.is_multiple_of(chunk_count);
        match first_chunk.checked_add(chunk_count) {
            Some(_) if aligned => Some(Self { first_chunk, chunk_count }),
            _ => None,
        }
    }

    /// Index of the first chunk.
    #[must_use]
    pub const fn first_chunk(self) -> u32 {
        self.first_chunk
    }

    /// Number of chunks, a power of two.
    #[must_use]
    pub const fn chunk_count(self) -> u32 {
        self.chunk_count
    }

    /// Index of the chunk after the last.
    #[must_use]
    pub const fn end_chunk(self) -> u32 {
        self.first_chunk + self.chunk_count
    }

    /// Whether the run is aligned and a power of two: every batch is.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        Self::new(self.first_chunk, self.chunk_count).is_some()
    }

    /// The run twice as long that holds this one.
    #[must_use]
    pub const fn parent(self) -> Self {
        let chunk_count = self.chunk_count * 2;
        Self { first_chunk: self.first_chunk / chunk_count * chunk_count, chunk_count }
    }

    /// The other half of [`Batch::parent`].
    #[must_use]
    pub const fn sibling(self) -> Self {
        Self { first_chunk: self.first_chunk ^ self.chunk_count, chunk_count: self.chunk_count }
    }

    /// Sample indices of the run when the frame has `samples` samples per pixel: the last chunk
    /// may be short.
    #[must_use]
    pub fn samples(self, samples: u32) -> std::ops::Range<u32> {
        let first = self.first_chunk.saturating_mul(CHUNK_SAMPLES);
        first.min(samples)..self.end_chunk().saturating_mul(CHUNK_SAMPLES).min(samples)
    }

    /// The longest aligned runs, none above `chunks_max`, that cover chunks `0..chunk_count`.
    ///
    /// # Panics
    /// When `chunks_max` is 0.
    pub fn cover(chunk_count: u32, chunks_max: u32) -> impl Iterator<Item = Self> {
        BatchLengths { chunks_max, growing: false }.cover(chunk_count)
    }
}

/// How long the batches of a tile are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLengths {
    /// Chunks of the longest, at least 1.
    pub chunks_max: u32,
    /// Whether they begin with one chunk and double from there, so that all of a picture is there soon.
    pub growing: bool,
}

impl BatchLengths {
    /// The longest aligned runs of these lengths that cover chunks `0..chunk_count`.
    ///
    /// # Panics
    /// When `chunks_max` is 0.
    pub fn cover(self, chunk_count: u32) -> impl Iterator<Item = Batch> {
        let Self { chunks_max, growing } = self;
        assert!(chunks_max > 0, "a batch has at least one chunk");
        let longest = 1 << chunks_max.ilog2();
        let mut next = 0;
        std::iter::from_fn(move || {
            let left = chunk_count.checked_sub(next).filter(|&left| left > 0)?;
            let aligned = match next {
                0 if growing => 1,
                0 => longest,
                _ => 1 << next.trailing_zeros(),
            };
            let length: u32 = longest.min(aligned).min(1 << left.ilog2());
            let batch = Batch { first_chunk: next, chunk_count: length };
            next += length;
            Some(batch)
        })
    }
}

impl std::fmt::Display for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.first_chunk, self.chunk_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cover_every_chunk_once_whatever_the_length() {
        for chunk_count in 0..70 {
            for (chunks_max, growing) in (1..20).flat_map(|max| [(max, false), (max, true)]) {
                let mut next = 0;
                for batch in (BatchLengths { chunks_max, growing }).cover(chunk_count) {
                    assert!(batch.is_valid() && batch.chunk_count() <= chunks_max);
                    assert_eq!(batch.first_chunk(), next);
                    next = batch.end_chunk();
                }
                assert_eq!(next, chunk_count);
            }
        }
    }

    #[test]
    fn growing_batches_double_up_to_the_longest() {
        let lengths = |chunk_count, chunks_max, growing| -> Vec<u32> {
            let batches = BatchLengths { chunks_max, growing }.cover(chunk_count);
            batches.map(Batch::chunk_count).collect()
        };
        assert_eq!(lengths(32, 8, true), [1, 1, 2, 4, 8, 8, 8]);
        assert_eq!(lengths(32, 8, false), [8; 4]);
        assert_eq!(lengths(7, 64, true), [1, 1, 2, 2, 1]);
        assert_eq!(lengths(1, 64, true), [1]);
    }

    #[test]
    fn only_aligned_powers_of_two_are_batches() {
        assert!(Batch::new(4, 4).is_some());
        for (first, count) in [(2, 4), (0, 3), (0, 0), (u32::MAX, 1)] {
            assert_eq!(Batch::new(first, count), None);
        }
    }

    #[test]
    fn siblings_share_a_parent() {
        let batch = Batch::new(6, 2).expect("aligned");
        assert_eq!(batch.sibling(), Batch::new(4, 2).expect("aligned"));
        assert_eq!(batch.parent(), Batch::new(4, 4).expect("aligned"));
        assert_eq!(batch.parent(), batch.sibling().parent());
    }

    #[test]
    fn the_last_chunk_may_be_short() {
        assert_eq!(Batch::new(1, 1).expect("aligned").samples(24), 16..24);
        assert_eq!(Batch::new(4, 2).expect("aligned").samples(24), 24..24);
    }
}
