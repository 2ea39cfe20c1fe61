//! A fraud worth catching: a quarter of the samples, dressed up as all of them.

use film::{Film, Passes, Pixel, Scattered, Sums};
use protocol::Batch;
use protocol::settings::CHUNK_SAMPLES;
use renderer::Work;

use crate::easel::Order;

/// The order of the first quarter of the samples.
pub(crate) fn quarter(order: &Order) -> Order {
    let samples = order.work.batch.samples(order.settings.samples);
    let kept = kept(order);
    let chunks = kept.div_ceil(CHUNK_SAMPLES).next_power_of_two();
    let batch = Batch::new(order.work.batch.first_chunk(), chunks)
        .expect("invariant: a shorter run at the same start is aligned");
    let mut settings = order.settings.clone();
    // Where whole chunks are kept, the frame stays as it was prepared.
    if kept != chunks * CHUNK_SAMPLES {
        settings.samples = samples.start + kept;
    }
    Order { settings, work: Work { rect: order.work.rect, batch }, ..order.clone() }
}

/// Scales the sums and counts of a quarter up to what `order` asked for.
pub(crate) fn inflate(film: &Film, order: &Order, shown: &Order) -> Film {
    let samples = order.work.batch.samples(order.settings.samples).len() as u32;
    let kept = shown.work.batch.samples(shown.settings.samples).len().max(1) as u32;
    let factor = samples as f32 / kept as f32;
    let scaled = |values: [f32; 3]| values.map(|value| value * factor);
    let counted = |rays: u32| (u64::from(rays) * u64::from(samples) / u64::from(kept)) as u32;
    let pixel = |pixel: &Pixel| Pixel {
        beauty: scaled(pixel.beauty),
        alpha: pixel.alpha * factor,
        albedo: scaled(pixel.albedo),
        normal: scaled(pixel.normal),
        depth: pixel.depth * factor,
        luminance_squared: pixel.luminance_squared * factor,
        samples,
        closest_rays: counted(pixel.closest_rays),
        shadow_rays: counted(pixel.shadow_rays),
        reserved: 0,
    };
    let pixels: Vec<Pixel> = film.pixels().iter().map(pixel).collect();
    let light = |of: &Scattered| Scattered {
        diffuse: scaled(of.diffuse),
        glossy: scaled(of.glossy),
        transmission: scaled(of.transmission),
    };
    let passes = |of: &Passes| Passes {
        direct: light(&of.direct),
        emission: scaled(of.emission),
        indirect: light(&of.indirect),
        environment: scaled(of.environment),
    };
    let sums = match film.passes() {
        Some(all) => Sums::with_passes(pixels, all.iter().map(passes).collect()),
        None => Sums::from(pixels),
    };
    Film::new(order.work.rect, order.work.batch, sums)
        .expect("invariant: both films cover the same tile")
}

fn kept(order: &Order) -> u32 {
    (order.work.batch.samples(order.settings.samples).len() as u32 / 4).max(1)
}

#[cfg(test)]
mod tests {
    use protocol::{Rect, RenderSettings, SceneId, Size};

    use super::*;

    fn order(samples: u32, first_chunk: u32, chunk_count: u32) -> Order {
        Order {
            scene: SceneId([1; 32]),
            settings: RenderSettings { size: Size::new(8, 8), samples, ..Default::default() },
            time_s: 0.0,
            work: Work {
                rect: Rect { x0: 2, y0: 0, x1: 4, y1: 1 },
                batch: Batch::new(first_chunk, chunk_count).expect("aligned"),
            },
        }
    }

    fn check(samples: u32, first_chunk: u32, chunk_count: u32, kept: std::ops::Range<u32>) {
        let order = order(samples, first_chunk, chunk_count);
        let shown = quarter(&order);
        assert_eq!(shown.work.batch.samples(shown.settings.samples), kept);
        assert!(shown.work.batch.end_chunk() <= shown.settings.chunk_count());
        assert_eq!(shown.work.rect, order.work.rect);
    }

    #[test]
    fn a_quarter_of_any_batch_is_its_first_samples() {
        check(64, 0, 4, 0..16);
        check(256, 8, 8, 128..160);
        check(64, 2, 2, 32..40);
        check(64, 3, 1, 48..52);
        check(40, 2, 1, 32..34);
        check(33, 2, 1, 32..33);
    }

    #[test]
    fn whole_chunks_need_no_other_preparation() {
        let order = order(64, 0, 4);
        assert_eq!(quarter(&order).settings, order.settings);
    }

    #[test]
    fn the_film_looks_like_all_samples() {
        let order = order(64, 0, 4);
        let shown = quarter(&order);
        let honest = Pixel {
            beauty: [1.0, 2.0, 3.0],
            alpha: 16.0,
            albedo: [8.0; 3],
            normal: [0.0, 16.0, 0.0],
            depth: 32.0,
            luminance_squared: 5.0,
            samples: 16,
            closest_rays: 50,
            shadow_rays: 21,
            reserved: 0,
        };
        let film = Film::from_pixels(shown.work.rect, shown.work.batch, vec![honest; 2]);
        let forged = inflate(&film.expect("two pixels"), &order, &shown);
        assert_eq!((forged.rect(), forged.batch()), (order.work.rect, order.work.batch));
        let pixel = forged.pixels()[0];
        let floats = [pixel.beauty[2], pixel.alpha, pixel.normal[1], pixel.luminance_squared];
        assert_eq!(floats.map(f32::to_bits), [12.0_f32, 64.0, 64.0, 20.0].map(f32::to_bits));
        assert_eq!((pixel.samples, pixel.closest_rays, pixel.shadow_rays), (64, 200, 84));
    }
}
