//! When a tile has samples enough: a pure function of its committed sums.
//!
//! Whoever holds the film of a tile's first chunks decides the same: the machine that rendered it,
//! a scheduler that was handed it, an artist who has fetched it. When it is decided,
//! [`protocol::NoiseTarget`] says.
//!
//! # Source
//! Dammertz et al. 2010, "A hierarchical automatic stopping condition for Monte Carlo global
//! illumination": the error of a block is the mean of its pixels' errors, each divided by the root
//! of its brightness, since eyes and screens see noise in the dark first. Their error of a pixel is
//! the difference between the mean of all its samples and that of half of them, which has the
//! standard error of the mean for its standard deviation; films carry squares, so the standard error
//! is told itself. Above a luminance of 1 it is divided by the luminance, as Cycles does.

use protocol::{NoiseTarget, Rect};

use crate::film::{Film, Pixel};
use crate::picture::{sum_luminance, variance_of_mean};

/// Side of the blocks whose errors are compared, pixels.
pub const BLOCK_SIDE_PX: u32 = 16;

/// Added to what an error is divided by, so that black is not noisy (as in Cycles).
const BLACK: f64 = 1e-4;

/// Whether a tile has samples enough, by the film of all its first chunks. A film of any other batch
/// decides nothing.
#[must_use]
pub fn is_quiet(film: &Film, target: NoiseTarget) -> bool {
    let batch = film.batch();
    batch.first_chunk() == 0
        && target.decides_after(batch.chunk_count())
        && tile_noise(film) <= f64::from(target.threshold())
}

/// The noise of a tile: that of its noisiest block of [`BLOCK_SIDE_PX`] squared, so that no part of
/// it hides behind the quiet rest, and neighbours that end at the same threshold look alike.
///
/// 0.01 is a standard error of 0.01 at a luminance of 1, 0.001 at 0.01, 0.1 at 10. What no sample
/// met yet is not in it.
#[must_use]
pub fn tile_noise(film: &Film) -> f64 {
    blocks(film.rect())
        .map(|block| {
            let pixels = block.pixels().filter_map(|(x, y)| film.pixel(x, y));
            let sum: f64 = pixels.map(pixel_noise).sum();
            sum / block.pixel_count().max(1) as f64
        })
        .fold(0.0, f64::max)
}

/// The standard error of a pixel's mean luminance, as eyes see it.
fn pixel_noise(pixel: &Pixel) -> f64 {
    if pixel.samples == 0 {
        return 0.0;
    }
    let mean = (sum_luminance(pixel) / f64::from(pixel.samples)).max(0.0);
    variance_of_mean(pixel).sqrt() / (BLACK + if mean < 1.0 { mean.sqrt() } else { mean })
}

/// Blocks of a tile from its upper left; those at its edges may be smaller.
fn blocks(tile: Rect) -> impl Iterator<Item = Rect> {
    let step = BLOCK_SIDE_PX as usize;
    (tile.y0..tile.y1).step_by(step).flat_map(move |y0| {
        (tile.x0..tile.x1).step_by(step).map(move |x0| Rect {
            x0,
            y0,
            x1: (x0 + BLOCK_SIDE_PX).min(tile.x1),
            y1: (y0 + BLOCK_SIDE_PX).min(tile.y1),
        })
    })
}

#[cfg(test)]
mod tests {
    use protocol::Batch;
    use protocol::settings::CHUNK_SAMPLES;

    use super::*;

    const TILE: Rect = Rect { x0: 32, y0: 16, x1: 72, y1: 36 };

    /// `chunks` chunks of a tile whose pixels' samples are half `low` and half `high`.
    fn film(chunks: u32, mut values: impl FnMut(u32, u32) -> (f32, f32)) -> Film {
        let mut film = Film::zeroed(TILE, Batch::new(0, chunks).expect("aligned"));
        let half = (chunks * CHUNK_SAMPLES / 2) as f32;
        for ((x, y), pixel) in TILE.pixels().zip(film.pixels_mut()) {
            let (low, high) = values(x, y);
            pixel.beauty = [(low + high) * half; 3];
            pixel.luminance_squared = (low * low + high * high) * half;
            pixel.samples = chunks * CHUNK_SAMPLES;
        }
        film
    }

    #[track_caller]
    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < wanted * 1e-3, "{found} is not {wanted}");
    }

    #[test]
    fn noise_is_the_standard_error_over_the_root_of_the_brightness() {
        // 32 samples, half 0 and half 0.5: s² = 32 · 0.25² / 31, so the error of the mean 0.25 is
        // 0.25 / √31 = 0.0449, over √0.25.
        near(tile_noise(&film(2, |_, _| (0.0, 0.5))), 0.25 / 31.0_f64.sqrt() / 0.5);
        // Of 1 and 3 the mean is 2 and the error 1 / √31: over 2, not √2.
        near(tile_noise(&film(2, |_, _| (1.0, 3.0))), 1.0 / 31.0_f64.sqrt() / 2.0);
        // Four times the samples have half the noise: 127 for 31.
        near(tile_noise(&film(8, |_, _| (1.0, 3.0))), 1.0 / 127.0_f64.sqrt() / 2.0);
        assert!(tile_noise(&film(2, |_, _| (0.0, 0.0))) < 1e-12, "black is quiet");
        assert!(tile_noise(&film(2, |_, _| (0.7, 0.7))) < 1e-3, "and so is any one colour");
    }

    #[test]
    fn the_noisiest_block_decides() {
        // One block of 16 x 16 in the corner; the tile is 40 x 20, so others are smaller.
        let corner = |x, y| if x < 48 && y < 32 { (1.0, 3.0) } else { (2.0, 2.0) };
        near(tile_noise(&film(2, corner)), 1.0 / 31.0_f64.sqrt() / 2.0);
        // A single pixel of it is one of 256, in the last block of 8 x 4 one of 32.
        let one = |x, y| if (x, y) == (33, 17) { (1.0, 3.0) } else { (2.0, 2.0) };
        near(tile_noise(&film(2, one)), 1.0 / 31.0_f64.sqrt() / 2.0 / 256.0);
        let last = |x, y| if (x, y) == (71, 35) { (1.0, 3.0) } else { (2.0, 2.0) };
        near(tile_noise(&film(2, last)), 1.0 / 31.0_f64.sqrt() / 2.0 / 32.0);
    }

    #[test]
    fn a_target_is_decided_at_powers_of_two_from_the_least_samples_on() {
        let target = NoiseTarget::try_new(0.1, 48).expect("in range");
        let quiet = |chunks| is_quiet(&film(chunks, |_, _| (1.0, 1.1)), target);
        assert_eq!([2, 4, 8].map(quiet), [false, true, true]);
        // Half 0 and half 4 has 1 / √(n - 1): 0.126 after 64 samples, 0.089 after 128.
        let loud = |chunks| is_quiet(&film(chunks, |_, _| (0.0, 4.0)), target);
        assert_eq!([4, 8].map(loud), [false, true]);
        // The upper half of a tile's samples decides nothing.
        let upper = Batch::new(4, 4).expect("aligned");
        assert!(!is_quiet(&Film::zeroed(TILE, upper), target));
    }
}
