//! The probe: how much work a frame is, counted on a sample of its pixels.

use film::Pixel;
use protocol::{Batch, RayCount};

use crate::RenderScene;
use crate::backend::{Backend, Cancel, RenderError};
use crate::sampler::hash_with;

/// Pixels that are probed, or all of a smaller frame.
pub const PROBE_PIXELS: u64 = 1024;

/// Work counted on some pixels of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Pixels probed.
    pub pixels: u32,
    /// Samples taken of all of them.
    pub samples: u64,
    /// Rays counted.
    pub rays: RayCount,
    /// Closest-hit rays of one sample of one pixel, mean over the probed pixels.
    pub closest_mean: f64,
    /// Shadow rays of one sample of one pixel, mean over the probed pixels.
    pub shadow_mean: f64,
    /// The mean over the whole frame's closest-hit rays a sample lies below this with a
    /// probability above 99.9 % (mean and 3.1 standard errors).
    pub closest_bound: f64,
    /// The same for shadow rays.
    pub shadow_bound: f64,
}

/// Renders the first chunk of a deterministic choice of pixels and counts.
///
/// What is rendered of the frame is cut into cells of equal size, and one pixel of each is drawn by hashing
/// `draw`: of who does not know it, nobody can make just these pixels cheap.
///
/// # Errors
/// See [`RenderError`].
pub fn probe(
    backend: &mut dyn Backend,
    scene: &RenderScene,
    draw: u32,
    cancel: &Cancel,
) -> Result<Probe, RenderError> {
    let chosen = chosen_pixels(scene, draw);
    let first = Batch::new(0, 1).expect("invariant: one chunk is a batch");
    let sums = backend.render_pixels(scene, &chosen, first, cancel)?;
    let pixels = sums.pixels();
    let mut rays = RayCount::default();
    let mut samples = 0;
    for pixel in pixels {
        samples += u64::from(pixel.samples);
        rays += RayCount {
            closest: u64::from(pixel.closest_rays),
            shadow: u64::from(pixel.shadow_rays),
        };
    }
    let (closest_mean, closest_bound) = mean_and_bound(pixels, |pixel| pixel.closest_rays);
    let (shadow_mean, shadow_bound) = mean_and_bound(pixels, |pixel| pixel.shadow_rays);
    Ok(Probe {
        pixels: pixels.len() as u32,
        samples,
        rays,
        closest_mean,
        shadow_mean,
        closest_bound,
        shadow_bound,
    })
}

/// One pixel of each cell of a grid of the shape of what is rendered.
fn chosen_pixels(scene: &RenderScene, draw: u32) -> Vec<(u32, u32)> {
    let window = scene.settings().window();
    let (width, height) = (u64::from(window.width()), u64::from(window.height()));
    // Cells of about the picture's shape; never more than pixels.
    let mut columns = 1;
    while (columns + 1) * (columns + 1) * height <= PROBE_PIXELS * width && columns < width {
        columns += 1;
    }
    let rows = (PROBE_PIXELS / columns).clamp(1, height);
    let mut chosen = Vec::with_capacity((columns * rows) as usize);
    for row in 0..rows {
        for column in 0..columns {
            let within = |cell: u64, cells: u64, length: u64, salt: u32| {
                let (low, high) = (cell * length / cells, (cell + 1) * length / cells);
                let key = hash_with(hash_with(draw, salt), (row * columns) as u32);
                low + u64::from(hash_with(key, column as u32)) % (high - low)
            };
            let x = within(column, columns, width, 0x7072_6f62);
            let y = within(row, rows, height, 0x0065_2d79);
            chosen.push((window.x0 + x as u32, window.y0 + y as u32));
        }
    }
    chosen
}

fn mean_and_bound(pixels: &[Pixel], rays: impl Fn(&Pixel) -> u32) -> (f64, f64) {
    let per_sample = |pixel: &Pixel| f64::from(rays(pixel)) / f64::from(pixel.samples.max(1));
    let count = pixels.len().max(1) as f64;
    let mean = pixels.iter().map(per_sample).sum::<f64>() / count;
    let squares: f64 = pixels.iter().map(|pixel| (per_sample(pixel) - mean).powi(2)).sum();
    let error = (squares / count / count).sqrt();
    (mean, mean + 3.1 * error)
}
