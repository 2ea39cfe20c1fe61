//! LDR-FLIP: how different two pictures look to a person who alternates between them.
//!
//! # Source
//! P. Andersson, J. Nilsson, T. Akenine-Möller, M. Oskarsson, K. Åström, M. Fairchild, "FLIP: A
//! Difference Evaluator for Alternating Images", HPG 2020; sections below are of that paper.

use std::f32::consts::PI;

use protocol::Size;
use rayon::prelude::*;

/// Pixels per degree of a 0.7 m wide 3840-pixel display seen from 0.7 m: the paper's default.
pub const PIXELS_PER_DEGREE: f32 = 67.020_64;

/// A FLIP map with its mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// Mean over all pixels, 0..=1.
    pub mean: f64,
    /// Difference of each pixel, 0..=1, rows from the upper left.
    pub map: Vec<f32>,
}

/// FLIP between two sRGB-encoded pictures, values 0..=1, rows from the upper left.
///
/// # Panics
/// When a slice has another length than the size has pixels.
#[must_use]
pub fn flip_srgb(
    size: Size,
    reference: &[[f32; 3]],
    test: &[[f32; 3]],
    pixels_per_degree: f32,
) -> Flip {
    let count = size.pixel_count() as usize;
    assert!(reference.len() == count && test.len() == count, "one colour for every pixel");
    if count == 0 {
        return Flip { mean: 0.0, map: Vec::new() };
    }
    let reference = Seen::new(size, reference, pixels_per_degree);
    let test = Seen::new(size, test, pixels_per_degree);
    let limit = largest_colour_difference();
    let map: Vec<f32> = (0..count)
        .into_par_iter()
        .with_min_len(1024)
        .map(|i| {
            let colour = hyab(reference.colour[i], test.colour[i]).powf(COLOUR_EXPONENT);
            let colour = redistribute(colour, limit);
            let edge = (reference.edges[i] - test.edges[i]).abs();
            let point = (reference.points[i] - test.points[i]).abs();
            let feature = (edge.max(point) / std::f32::consts::SQRT_2).powf(FEATURE_EXPONENT);
            colour.powf(1.0 - feature.min(1.0))
        })
        .collect();
    let mean = map.iter().copied().map(f64::from).sum::<f64>() / count as f64;
    Flip { mean, map }
}

/// Exponent of the colour difference (section 4.1.4).
const COLOUR_EXPONENT: f32 = 0.7;
/// Differences up to this share of the largest take this share of the scale (section 4.1.4).
const KNEE: (f32, f32) = (0.4, 0.95);
/// Exponent of the feature difference (section 4.2.2).
const FEATURE_EXPONENT: f32 = 0.5;
/// Width of the detected features, degrees (section 4.2.1).
const FEATURE_DEGREES: f32 = 0.082;

/// Contrast sensitivity of A, RG and BY as sums of Gaussians (a, b) (section 4.1.1, table 1).
const SENSITIVITY: [&[(f32, f32)]; 3] =
    [&[(1.0, 0.0047)], &[(1.0, 0.0053)], &[(34.1, 0.04), (13.5, 0.025)]];
/// The widest b of [`SENSITIVITY`].
const WIDEST: f32 = 0.04;

/// Linear sRGB to XYZ, D65.
const RGB_TO_XYZ: [[f32; 3]; 3] = [
    [0.412_386_57, 0.357_591_5, 0.180_450_5],
    [0.212_636_81, 0.715_183, 0.072_180_2],
    [0.019_330_62, 0.119_197_16, 0.950_372_6],
];
/// The inverse of [`RGB_TO_XYZ`].
const XYZ_TO_RGB: [[f32; 3]; 3] = [
    [3.241_003_3, -1.537_399, -0.498_615_9],
    [-0.969_224_3, 1.875_93, 0.041_554_2],
    [0.055_639_4, -0.204_011_2, 1.057_149],
];

/// One picture as the eye takes it in.
struct Seen {
    /// L*a*b* with Hunt's adjustment, after spatial filtering.
    colour: Vec<[f32; 3]>,
    /// Strength of edges in the luminance.
    edges: Vec<f32>,
    /// Strength of points in the luminance.
    points: Vec<f32>,
}

impl Seen {
    fn new(size: Size, srgb: &[[f32; 3]], pixels_per_degree: f32) -> Self {
        let opponent: Vec<[f32; 3]> =
            srgb.par_iter().map(|&rgb| to_ycxcz(rgb.map(decode_srgb))).collect();
        let planes =
            [0, 1, 2].map(|channel| opponent.iter().map(|v| v[channel]).collect::<Vec<f32>>());

        // Find features in the unfiltered luminance, scaled to 0..=1.
        let luminance: Vec<f32> = planes[0].iter().map(|y| (y + 16.0) / 116.0).collect();
        let kernels = FeatureKernels::new(pixels_per_degree);
        let strength = |kernel: &[f32]| -> Vec<f32> {
            let across = convolve(size, &luminance, kernel, &kernels.smooth);
            let down = convolve(size, &luminance, &kernels.smooth, kernel);
            across.iter().zip(down).map(|(x, y)| x.hypot(y)).collect()
        };
        let (edges, points) = (strength(&kernels.edge), strength(&kernels.point));

        // Blur away what the eye cannot resolve, then go to a perceptually uniform space.
        let radius = (3.0 * (WIDEST / (2.0 * PI * PI)).sqrt() * pixels_per_degree).ceil() as i32;
        let filtered = [0, 1, 2].map(|channel| {
            let gaussians = SENSITIVITY[channel];
            sensitivity_filter(size, &planes[channel], gaussians, radius, pixels_per_degree)
        });
        let colour = (0..srgb.len())
            .into_par_iter()
            .with_min_len(1024)
            .map(|i| {
                let ycxcz = [filtered[0][i], filtered[1][i], filtered[2][i]];
                let rgb = transform(&XYZ_TO_RGB, ycxcz_to_xyz(ycxcz));
                hunt(xyz_to_lab(transform(&RGB_TO_XYZ, rgb.map(|value| value.clamp(0.0, 1.0)))))
            })
            .collect();
        Self { colour, edges, points }
    }
}

/// A sum of Gaussians a·√(π/b)·exp(−π²x²/b) over degrees, normalised as a whole (section 4.1.1).
fn sensitivity_filter(
    size: Size,
    plane: &[f32],
    gaussians: &[(f32, f32)],
    radius: i32,
    pixels_per_degree: f32,
) -> Vec<f32> {
    let mut sum = vec![0.0; plane.len()];
    let mut total = 0.0;
    for &(a, b) in gaussians {
        let kernel: Vec<f32> = (-radius..=radius)
            .map(|x| x as f32 / pixels_per_degree)
            .map(|x| (-PI * PI * x * x / b).exp())
            .collect();
        let weight = a * (PI / b).sqrt();
        let one_dimensional: f32 = kernel.iter().sum();
        total += weight * one_dimensional * one_dimensional;
        let part = convolve(size, plane, &kernel, &kernel);
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum += weight * part;
        }
    }
    sum.iter_mut().for_each(|value| *value /= total);
    sum
}

/// A Gaussian with its first and second derivative (section 4.2.1).
struct FeatureKernels {
    smooth: Vec<f32>,
    edge: Vec<f32>,
    point: Vec<f32>,
}

impl FeatureKernels {
    fn new(pixels_per_degree: f32) -> Self {
        let deviation = 0.5 * FEATURE_DEGREES * pixels_per_degree;
        let radius = (3.0 * deviation).ceil() as i32;
        let offsets = || (-radius..=radius).map(|x| x as f32);
        let gauss = |x: f32| (-x * x / (2.0 * deviation * deviation)).exp();
        let mut smooth: Vec<f32> = offsets().map(gauss).collect();
        let total: f32 = smooth.iter().sum();
        smooth.iter_mut().for_each(|weight| *weight /= total);
        let edge = offsets().map(|x| -x * gauss(x)).collect();
        let curvature = |x: f32| (x * x / (deviation * deviation) - 1.0) * gauss(x);
        let point = offsets().map(curvature).collect();
        Self { smooth, edge: balance(edge), point: balance(point) }
    }
}

/// Makes positive weights add up to 1 and negative ones to −1.
fn balance(mut kernel: Vec<f32>) -> Vec<f32> {
    let positive: f32 = kernel.iter().filter(|&&weight| weight > 0.0).sum();
    let negative: f32 = -kernel.iter().filter(|&&weight| weight < 0.0).sum::<f32>();
    for weight in &mut kernel {
        *weight /= if *weight > 0.0 { positive } else { negative };
    }
    kernel
}

/// Filters with one kernel along rows and one along columns; the border's values go on outside.
fn convolve(size: Size, plane: &[f32], across: &[f32], down: &[f32]) -> Vec<f32> {
    let (width, height) = (size.width as usize, size.height as usize);
    let at = |i: usize, tap: usize, taps: usize, length: usize| {
        (i + tap).saturating_sub(taps / 2).min(length - 1)
    };
    let mut rows = vec![0.0; plane.len()];
    rows.par_chunks_exact_mut(width).zip(plane.par_chunks_exact(width)).for_each(|(out, row)| {
        for (x, out) in out.iter_mut().enumerate() {
            let taps = across.iter().enumerate();
            *out = taps.map(|(tap, weight)| weight * row[at(x, tap, across.len(), width)]).sum();
        }
    });
    let mut filtered = vec![0.0; plane.len()];
    filtered.par_chunks_exact_mut(width).enumerate().for_each(|(y, out)| {
        for (tap, weight) in down.iter().enumerate() {
            let start = at(y, tap, down.len(), height) * width;
            for (out, value) in out.iter_mut().zip(&rows[start..start + width]) {
                *out += weight * value;
            }
        }
    });
    filtered
}

fn decode_srgb(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn transform(matrix: &[[f32; 3]; 3], values: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * values[0] + row[1] * values[1] + row[2] * values[2])
}

/// XYZ of white.
fn white() -> [f32; 3] {
    transform(&RGB_TO_XYZ, [1.0; 3])
}

/// Linear sRGB to YCxCz, a linear opponent space (section 4.1).
fn to_ycxcz(rgb: [f32; 3]) -> [f32; 3] {
    let [wx, wy, wz] = white();
    let [x, y, z] = transform(&RGB_TO_XYZ, rgb);
    let (x, y, z) = (x / wx, y / wy, z / wz);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn ycxcz_to_xyz([y, cx, cz]: [f32; 3]) -> [f32; 3] {
    let [wx, wy, wz] = white();
    let y = (y + 16.0) / 116.0;
    [wx * (y + cx / 500.0), wy * y, wz * (y - cz / 200.0)]
}

/// CIE L*a*b*.
fn xyz_to_lab(xyz: [f32; 3]) -> [f32; 3] {
    const DELTA: f32 = 6.0 / 29.0;
    let root = |value: f32| {
        if value > DELTA * DELTA * DELTA {
            value.cbrt()
        } else {
            value / (3.0 * DELTA * DELTA) + 4.0 / 29.0
        }
    };
    let [wx, wy, wz] = white();
    let [x, y, z] = [root(xyz[0] / wx), root(xyz[1] / wy), root(xyz[2] / wz)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Hunt's effect: colour fades in the dark (section 4.1.2).
fn hunt([l, a, b]: [f32; 3]) -> [f32; 3] {
    [l, 0.01 * l * a, 0.01 * l * b]
}

/// HyAB distance (section 4.1.3).
fn hyab(p: [f32; 3], q: [f32; 3]) -> f32 {
    (p[0] - q[0]).abs() + (p[1] - q[1]).hypot(p[2] - q[2])
}

/// Between pure green and pure blue: the largest there is in sRGB.
fn largest_colour_difference() -> f32 {
    let pure = |rgb| hunt(xyz_to_lab(transform(&RGB_TO_XYZ, rgb)));
    hyab(pure([0.0, 1.0, 0.0]), pure([0.0, 0.0, 1.0])).powf(COLOUR_EXPONENT)
}

/// Maps differences to 0..=1, large ones compressed (section 4.1.4).
fn redistribute(difference: f32, limit: f32) -> f32 {
    let (share, value) = KNEE;
    let knee = share * limit;
    if difference < knee {
        value * difference / knee
    } else {
        (value + (difference - knee) / (limit - knee) * (1.0 - value)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(64, 48);

    fn draw(colour: impl Fn(u32, u32) -> [f32; 3]) -> Vec<[f32; 3]> {
        let pixels = (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| (x, y)));
        pixels.map(|(x, y)| colour(x, y)).collect()
    }

    fn ramps(x: u32, y: u32) -> [f32; 3] {
        let board = ((x / 8 + y / 8) % 2) as f32;
        [x as f32 / 63.0, y as f32 / 47.0, board * 0.8 + 0.1]
    }

    fn specks(x: u32, y: u32) -> [f32; 3] {
        let speck = if (x * 7 + y * 13).is_multiple_of(11) { 0.2 } else { 0.0 };
        ramps(x, y).map(|value| (value + speck).clamp(0.0, 1.0))
    }

    /// Mean and the pixels (0, 0), (32, 24) and (63, 47), as `flip-evaluator` 1.7 of the paper's
    /// authors gives them.
    fn check(
        reference: &dyn Fn(u32, u32) -> [f32; 3],
        test: &dyn Fn(u32, u32) -> [f32; 3],
        pixels_per_degree: f32,
        wanted: [f64; 4],
    ) {
        let flip = flip_srgb(SIZE, &draw(reference), &draw(test), pixels_per_degree);
        let at = |x: usize, y: usize| f64::from(flip.map[y * 64 + x]);
        let got = [flip.mean, at(0, 0), at(32, 24), at(63, 47)];
        for (got_one, want) in got.iter().zip(wanted) {
            assert!((got_one - want).abs() < 2e-4, "{got:?}, want {wanted:?}");
        }
    }

    #[test]
    fn equals_the_authors_program() {
        let dark = |x, y| ramps(x, y).map(|value| value * 0.9);
        check(&ramps, &dark, PIXELS_PER_DEGREE, [0.337_045, 0.029_930, 0.286_731, 0.549_263]);
        check(&ramps, &specks, PIXELS_PER_DEGREE, [0.124_379, 0.426_248, 0.089_697, 0.069_995]);
        check(&ramps, &specks, 30.0, [0.123_813, 0.548_565, 0.040_565, 0.087_285]);
        let swapped = |x, y| {
            let [red, green, blue] = ramps(x, y);
            [blue, green, red]
        };
        check(&ramps, &swapped, PIXELS_PER_DEGREE, [0.649_824, 0.082_040, 0.496_836, 0.970_385]);
        let (black, white) = (|_x, _y| [0.0; 3], |_x, _y| [1.0; 3]);
        check(&black, &white, PIXELS_PER_DEGREE, [0.967_365, 0.967_388, 0.967_388, 0.967_388]);
    }

    #[test]
    fn the_smallest_pictures_have_a_flip() {
        let flip = |size: Size, colour: [f32; 3]| {
            let pixels = vec![colour; size.pixel_count() as usize];
            flip_srgb(size, &pixels, &pixels, PIXELS_PER_DEGREE).mean
        };
        assert!(flip(Size::new(1, 1), [0.5; 3]) < 1e-9);
        assert!(flip(Size::new(0, 0), [0.5; 3]) < 1e-9);
    }
}
