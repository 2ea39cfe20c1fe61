//! How little noise is enough, and when it is looked at.
//!
//! Decisions are made at powers of two of chunks, where the film is one node of the merging tree, so
//! that what follows is aligned whichever way they go. What noise is, `film::noise` says.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::settings::CHUNK_SAMPLES;

/// How little noise is enough: a tile that has no more ends before it has all samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct NoiseTarget {
    threshold: f32,
    samples_min: u32,
}

/// A target as it came.
#[derive(Deserialize)]
struct Unchecked {
    threshold: f32,
    samples_min: u32,
}

/// A target that no tile can be held to.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a noise of {0} cannot be a target; choose more than 0 and at most 1, such as 0.01")]
pub struct NoiseError(f32);

impl TryFrom<Unchecked> for NoiseTarget {
    type Error = NoiseError;

    fn try_from(it: Unchecked) -> Result<Self, NoiseError> {
        Self::try_new(it.threshold, it.samples_min)
    }
}

impl NoiseTarget {
    /// At most `threshold` of `film::noise::tile_noise`, in 0..=1 without 0, after at least
    /// `samples_min` samples.
    ///
    /// # Errors
    /// [`NoiseError`] for any other threshold.
    pub fn try_new(threshold: f32, samples_min: u32) -> Result<Self, NoiseError> {
        if threshold > 0.0 && threshold <= 1.0 {
            Ok(Self { threshold, samples_min })
        } else {
            Err(NoiseError(threshold))
        }
    }

    /// Noise that is enough: a standard error, relative to what eyes see.
    #[must_use]
    pub const fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Samples that each pixel gets at least.
    #[must_use]
    pub const fn samples_min(&self) -> u32 {
        self.samples_min
    }

    /// Whether it is decided after so many chunks: at powers of two from the least samples on.
    #[must_use]
    pub const fn decides_after(&self, chunks: u32) -> bool {
        chunks.is_power_of_two() && chunks.saturating_mul(CHUNK_SAMPLES) >= self.samples_min
    }

    /// After how many chunks it is decided first when so many are there, or the end at `chunk_count`,
    /// where nothing is left to decide.
    #[must_use]
    pub const fn next_decision(&self, chunks: u32, chunk_count: u32) -> u32 {
        let mut end = 1_u32;
        while end < chunk_count && (end <= chunks || !self.decides_after(end)) {
            end = end.saturating_mul(2);
        }
        if end < chunk_count { end } else { chunk_count }
    }

    /// The batch to render after `chunks` chunks of `chunk_count`, none longer than `chunks_max`:
    /// it ends where it is decided next at the latest.
    ///
    /// # Panics
    /// When `chunks_max` is 0.
    #[must_use]
    pub fn next_batch(&self, chunks: u32, chunk_count: u32, chunks_max: u32) -> Option<Batch> {
        assert!(chunks_max > 0, "a batch has at least one chunk");
        let end = self.next_decision(chunks, chunk_count);
        let left = end.checked_sub(chunks).filter(|&left| left > 0)?;
        let aligned = if chunks == 0 { left } else { 1 << chunks.trailing_zeros() };
        Batch::new(chunks, 1 << left.min(aligned).min(chunks_max).ilog2())
    }

    /// The batches of all `chunk_count` chunks, none longer than `chunks_max`, cut wherever it is
    /// decided.
    pub fn cover(self, chunk_count: u32, chunks_max: u32) -> impl Iterator<Item = Batch> {
        let next = move |chunks| self.next_batch(chunks, chunk_count, chunks_max);
        std::iter::successors(next(0), move |batch| next(batch.end_chunk()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    #[test]
    fn only_thresholds_above_none_and_up_to_all_are_targets() {
        for threshold in [0.0, -0.1, 1.01, f32::NAN, f32::INFINITY] {
            let error = NoiseTarget::try_new(threshold, 32).expect_err("out of range");
            assert!(error.to_string().contains("more than 0 and at most 1"), "{error}");
            assert!(wire::decode::<NoiseTarget>(&wire::encode(&(threshold, 32_u32)), 16).is_err());
        }
        let target = NoiseTarget::try_new(0.1, 32).expect("in range");
        assert_eq!(wire::decode::<NoiseTarget>(&wire::encode(&target), 16).ok(), Some(target));
    }

    #[test]
    fn batches_end_where_it_is_decided_and_cover_all() {
        for samples_min in [0, 16, 17, 48, 1_000] {
            let target = NoiseTarget::try_new(0.1, samples_min).expect("in range");
            for (chunk_count, chunks_max) in [(1, 1), (5, 4), (13, 2), (64, 16), (63, 64)] {
                let mut chunks = 0;
                for batch in target.cover(chunk_count, chunks_max) {
                    assert_eq!(batch.first_chunk(), chunks);
                    assert!(batch.chunk_count() <= chunks_max);
                    let straddled = chunks + 1..batch.end_chunk();
                    assert!(straddled.into_iter().all(|at| !target.decides_after(at)), "{batch}");
                    chunks = batch.end_chunk();
                    let next = target.next_decision(chunks, chunk_count);
                    assert!(next > chunks || chunks == chunk_count);
                }
                assert_eq!(chunks, chunk_count);
            }
        }
    }

    #[test]
    fn it_is_decided_at_powers_of_two_from_the_least_samples_on() {
        let target = NoiseTarget::try_new(0.1, 48).expect("in range");
        let decided: Vec<u32> = (1..=20).filter(|&chunks| target.decides_after(chunks)).collect();
        assert_eq!(decided, [4, 8, 16]);
        assert_eq!(
            [0, 3, 4, 8, 15].map(|chunks| target.next_decision(chunks, 12)),
            [4, 4, 8, 12, 12]
        );
    }

    #[test]
    fn batches_end_where_it_is_decided() {
        let run = |samples_min, chunk_count, chunks_max| {
            let target = NoiseTarget::try_new(0.1, samples_min).expect("in range");
            let (mut chunks, mut batches) = (0, Vec::new());
            while let Some(batch) = target.next_batch(chunks, chunk_count, chunks_max) {
                assert_eq!(batch.first_chunk(), chunks, "no gaps");
                chunks = batch.end_chunk();
                batches.push(batch.to_string());
            }
            assert_eq!(chunks, chunk_count);
            batches.join(" ")
        };
        assert_eq!(run(32, 16, 4), "0+2 2+2 4+4 8+4 12+4");
        assert_eq!(run(32, 16, 64), "0+2 2+2 4+4 8+8");
        assert_eq!(run(1, 7, 4), "0+1 1+1 2+2 4+2 6+1");
        assert_eq!(run(100, 5, 64), "0+4 4+1");
        assert_eq!(run(500, 5, 4), "0+4 4+1");
        assert_eq!(run(32, 1, 4), "0+1");
    }
}
