//! Means in half precision: what a preview sends to a screen.

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::film::{Film, Pixel};

/// Pixels that are divided at a time, so that they are still near when they are rounded.
const BLOCK: usize = 1024;

/// Means of a film as 16-bit floats (IEEE 754 binary16, their bits): 8 bytes a pixel, as textures
/// of the format `Rgba16Float` have them.
///
/// # Shapes and units
/// Rows from the upper left; scene-linear Rec.709 radiance in W·sr⁻¹·m⁻², what the environment
/// shines through included, and the share of the samples whose camera ray hit something, not
/// multiplied into it. They are those of [`crate::Picture`], rounded to the nearest; what is beyond
/// ±65 504 is held there. A pixel without samples is 0, its alpha too.
#[must_use]
pub fn half_means(film: &Film) -> Vec<[u16; 4]> {
    let mut halves = vec![f16::ZERO; film.pixels().len() * 4];
    let mut means = Vec::with_capacity(BLOCK * 4);
    for (halves, pixels) in halves.chunks_mut(BLOCK * 4).zip(film.pixels().chunks(BLOCK)) {
        means.clear();
        means.extend(pixels.iter().flat_map(mean));
        halves.convert_from_f32_slice(&means);
    }
    halves.reinterpret_cast().as_chunks::<4>().0.to_vec()
}

fn mean(pixel: &Pixel) -> [f32; 4] {
    let ([red, green, blue], alpha) = (pixel.beauty, pixel.alpha);
    if pixel.samples == 0 {
        return [0.0; 4];
    }
    let count = pixel.samples as f32;
    let largest = f16::MAX.to_f32();
    [red, green, blue, alpha].map(|sum| (sum / count).clamp(-largest, largest))
}

#[cfg(test)]
mod tests {
    use protocol::{Batch, Rect};

    use super::*;

    #[test]
    fn means_are_rounded_and_held() {
        // More than a block, the last one short.
        let rect = Rect { x0: 0, y0: 0, x1: BLOCK as u32 + 3, y1: 1 };
        let mut film = Film::zeroed(rect, Batch::new(0, 1).expect("aligned"));
        let pixel =
            Pixel { beauty: [3.0, 1e9, 2.0 + 1e-4], alpha: 1.0, samples: 2, ..Pixel::default() };
        film.pixels_mut()[BLOCK + 1] = pixel;
        let halves = half_means(&film);
        assert_eq!(halves.len(), BLOCK + 3);
        let floats = halves[BLOCK + 1].map(|bits| f16::from_bits(bits).to_f32());
        assert_eq!(floats.map(f32::to_bits), [1.5, 65_504.0, 1.0, 0.5].map(f32::to_bits));
        assert_eq!((halves[0], halves[BLOCK + 2]), ([0; 4], [0; 4]), "without samples");
    }
}
