//! Errors of neighbours cancel: at few samples the noise of a picture is blue.

use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, Work, prepare};

const SIZE: Size = Size::new(128, 96);
/// Pixels along a block's side.
const SIDE: usize = 4;

/// Luminances of the golden scene, row by row.
fn rendered(samples: u32, seed: u32) -> Vec<f64> {
    let settings = RenderSettings { size: SIZE, samples, seed, ..RenderSettings::default() };
    let scene = prepare(&scene::golden(), &settings, 0.0).expect("prepares");
    let batch = Batch::new(0, samples.div_ceil(16)).expect("aligned");
    let work = Work { rect: Rect::of_size(SIZE), batch };
    let film = CpuBackend::new(None).render(&scene, work, &Cancel::default()).expect("renders");
    film.sums().pixels().iter().map(|sums| f64::from(sums.beauty[1]) / f64::from(samples)).collect()
}

/// How much more of the error is left in blocks' means than white noise would leave: its mean
/// square there, times the block's pixels, over that in pixels.
fn left(samples: u32, truth: &[f64]) -> f64 {
    let (mut fine, mut coarse) = (0.0, 0.0);
    for seed in 0..4 {
        let width = SIZE.width as usize;
        let errors: Vec<f64> =
            rendered(samples, seed).iter().zip(truth).map(|(value, truth)| value - truth).collect();
        fine += errors.iter().map(|error| error * error).sum::<f64>();
        for top in (0..SIZE.height as usize).step_by(SIDE) {
            for left in (0..width).step_by(SIDE) {
                let rows = (top..top + SIDE).map(|y| &errors[y * width + left..][..SIDE]);
                let sum: f64 = rows.flatten().sum();
                coarse += sum * sum / (SIDE * SIDE) as f64;
            }
        }
    }
    coarse / fine
}

#[test]
fn errors_of_neighbours_cancel() {
    let truth = rendered(512, 99);
    for samples in [1, 4, 16] {
        let left = left(samples, &truth);
        // 0.05 when this was written; 1 with a sequence of each pixel's own.
        assert!(left < 0.2, "{samples} samples: {left} of what white noise leaves");
    }
}
