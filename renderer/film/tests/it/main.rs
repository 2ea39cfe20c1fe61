//! The crate from outside: frames by any split, light passes, files, hostile bytes.

mod exr_file;
mod frame;
mod hostile;
mod passes;

use film::{Film, Pixel};
use protocol::{Batch, Rect};

/// A pixel of made-up sums, a pure function of place and chunk, rough enough that the order of
/// additions shows in the last bits.
pub fn chunk_pixel(x: u32, y: u32, chunk: u32, samples: u32) -> Pixel {
    let mut state = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b) ^ chunk << 7;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state ^= state >> 15;
        (state >> 8) as f32 / 16_777_216.0 * samples as f32
    };
    Pixel {
        beauty: [next() * 3.0, next(), next() * 0.01],
        alpha: samples as f32,
        albedo: [next(), next(), next()],
        normal: [next(), next(), next()],
        depth: next() * 100.0,
        luminance_squared: next() * 9.0,
        samples,
        closest_rays: samples * 3,
        shadow_rays: samples * 2,
        reserved: 0,
    }
}

/// The film of a batch, made as a renderer makes it: chunk by chunk, merged by the tree.
pub fn film_of(rect: Rect, batch: Batch, frame_samples: u32) -> Film {
    let [low, high] = match batch.chunk_count() {
        1 => {
            let samples = batch.samples(frame_samples).len() as u32;
            let pixel = |(x, y)| chunk_pixel(x, y, batch.first_chunk(), samples);
            let pixels = rect.pixels().map(pixel).collect();
            return Film::from_pixels(rect, batch, pixels).expect("one pixel each");
        }
        count => [0, count / 2].map(|offset| {
            Batch::new(batch.first_chunk() + offset, count / 2).expect("half of a batch")
        }),
    };
    let [low, high] = [low, high].map(|half| film_of(rect, half, frame_samples));
    low.merge(&high).expect("halves")
}
