//! Whether rendered pixels agree: to the bit within a class, within a tolerance across.

use film::{Pixel, Sums};
use protocol::{Class, Refusal};

/// What films of another class may differ by, on pixels of the same seed.
///
/// The figures are those measured on a prototype (section 6.4 of the design): single paths that
/// take another branch differ without bound but are rare, so a share of outliers is allowed and
/// a maximum never looked at; the rest must be as close as rounding leaves it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Relative difference from which a pixel is an outlier.
    pub outlier: f64,
    /// Largest share of outliers.
    pub outlier_share: f64,
    /// Standard errors that an unexplained bias may reach, beside `bias`.
    pub bias_errors: f64,
    /// Relative difference of the means that is always forgiven.
    pub bias: f64,
    /// Root mean square of the differences, as a share of the pixels' own noise, with the
    /// largest outliers that are allowed left out.
    pub rmse: f64,
    /// Relative difference of the ray counts.
    pub rays: f64,
}

impl Tolerance {
    /// What class Tolerant is held to.
    pub const ACROSS_CLASSES: Self = Self {
        outlier: 1e-3,
        outlier_share: 0.01,
        bias_errors: 4.0,
        bias: 1e-3,
        rmse: 5e-3,
        rays: 0.01,
    };
}

/// Judges challenged pixels: `got` from the film, `trusted` rendered again, in the order of
/// `places`. Light passes and what the camera saw first are judged as the beauty is.
///
/// # Errors
/// [`Refusal::Pixels`] with the first pixel that differs.
///
/// # Panics
/// When the lists differ in length, or in whether they have light passes: the caller asked for the
/// same pixels twice.
pub fn judge(
    class: Class,
    places: &[(u32, u32)],
    got: &Sums,
    trusted: &Sums,
) -> Result<(), Refusal> {
    assert!(places.len() == got.len() && got.len() == trusted.len(), "one pixel a place");
    assert_eq!(got.passes().is_some(), trusted.passes().is_some(), "light passes in both or none");
    let differing = differing(class, got, trusted);
    let agrees = match class {
        Class::Exact => differing.is_empty(),
        Class::Tolerant => within(got, trusted, &Tolerance::ACROSS_CLASSES),
    };
    if agrees {
        return Ok(());
    }
    // A bias or a noise that no single pixel shows is laid to all of them.
    let first = differing.first().copied().unwrap_or(0);
    let count = if differing.is_empty() { places.len() } else { differing.len() };
    let (x, y) = places.get(first).copied().unwrap_or_default();
    Err(Refusal::Pixels { differing: count as u32, checked: places.len() as u32, x, y })
}

/// Indices of the pixels that differ by themselves: in a bit, or beyond the tolerance, which allows
/// a few such.
///
/// # Panics
/// When the lists differ in length.
#[must_use]
pub fn differing(class: Class, got: &Sums, trusted: &Sums) -> Vec<usize> {
    assert_eq!(got.len(), trusted.len(), "the same pixels");
    let differs = |at: &usize| match class {
        Class::Exact => !got.is_same(trusted, *at),
        Class::Tolerant => is_outlier(got, trusted, *at, &Tolerance::ACROSS_CLASSES),
    };
    (0..got.len()).filter(differs).collect()
}

/// How many pixels of a whole film differ from the trusted one beyond what the class allows;
/// 0 when the film holds.
///
/// # Panics
/// As [`judge`].
#[must_use]
pub fn differing_pixels(class: Class, got: &Sums, trusted: &Sums) -> u32 {
    let places = vec![(0, 0); got.len()];
    match judge(class, &places, got, trusted) {
        Err(Refusal::Pixels { differing, .. }) => differing.max(1),
        _ => 0,
    }
}

/// Share of outliers that a device's rounding may explain where a scene sends many paths near an
/// edge, beside four deviations of such a count.
const DOUBTFUL_SHARE: f64 = 0.015;

/// Indices of the outliers of a whole film of class Tolerant that is within the tolerance but for their
/// number, where that is not so large that no rounding explains it: they are examined once more, see
/// [`welch`](crate::verify::welch). `None` where the film holds, where it is wrong, and of class Exact.
///
/// # Panics
/// When the films differ in length.
#[must_use]
pub fn doubtful(class: Class, got: &Sums, trusted: &Sums) -> Option<Vec<usize>> {
    if class == Class::Exact {
        return None;
    }
    let tolerance = Tolerance::ACROSS_CLASSES;
    let outliers = differing(Class::Tolerant, got, trusted);
    let (count, all) = (outliers.len() as f64, got.len() as f64);
    let expected = DOUBTFUL_SHARE * all;
    let most = expected + 4.0 * expected.sqrt();
    let is_doubtful = count > (tolerance.outlier_share * all).ceil() && count <= most;
    let tolerance = Tolerance { outlier_share: most / all.max(1.0), ..tolerance };
    (is_doubtful && within(got, trusted, &tolerance)).then_some(outliers)
}

/// A pass may be dark beside the beauty, and what a difference of two bright lights leaves of it is
/// rounding: differences are held against no less than this share of the beauty.
const PASS_SHARE_MIN: f64 = 1e-3;

/// Relative difference of a pixel's light: the largest over the channels of the beauty and of all
/// passes, against the larger value.
fn relative_difference(got: &Sums, trusted: &Sums, at: usize) -> f64 {
    let (a, b) = (&got.pixels()[at], &trusted.pixels()[at]);
    let samples = f64::from(a.samples.max(1));
    // Below a thousandth a difference is not seen: the prototype's measure.
    let floor = 1e-3 * samples;
    let largest = |a: [f32; 3], b: [f32; 3], floors: [f64; 3]| {
        let channels = a.into_iter().zip(b).zip(floors);
        channels.map(|((a, b), floor)| relative(a, b, floor)).fold(0.0, f64::max)
    };
    let beauty = largest(a.beauty, b.beauty, [floor; 3]);
    let floors = b.beauty.map(|beauty| floor.max(PASS_SHARE_MIN * f64::from(beauty)));
    let (Some(a), Some(b)) = (got.passes_of(at), trusted.passes_of(at)) else { return beauty };
    let pairs = a.named().into_iter().zip(b.named());
    pairs.map(|((_, a), (_, b))| largest(a, b, floors)).fold(beauty, f64::max)
}

/// Difference of what the camera saw first: of coverage, albedo and normal, whose whole range is
/// about one, and of depth and squared luminance relative to the larger value.
fn first_hit_difference(a: &Pixel, b: &Pixel) -> f64 {
    let samples = f64::from(b.samples.max(1));
    let pairs = std::iter::once((a.alpha, b.alpha))
        .chain(a.albedo.into_iter().zip(b.albedo))
        .chain(a.normal.into_iter().zip(b.normal));
    let flat = pairs.map(|(a, b)| (f64::from(a) - f64::from(b)).abs() / samples);
    let scaled = [(a.depth, b.depth), (a.luminance_squared, b.luminance_squared)]
        .map(|(a, b)| relative(a, b, 1e-3 * samples));
    flat.chain(scaled).fold(0.0, f64::max)
}

/// Difference over the larger value, or over the floor where both are below it.
fn relative(a: f32, b: f32, floor: f64) -> f64 {
    let (a, b) = (f64::from(a), f64::from(b));
    (a - b).abs() / a.abs().max(b.abs()).max(floor)
}

fn is_outlier(got: &Sums, trusted: &Sums, at: usize, tolerance: &Tolerance) -> bool {
    let (a, b) = (&got.pixels()[at], &trusted.pixels()[at]);
    a.samples != b.samples
        || relative_difference(got, trusted, at).max(first_hit_difference(a, b)) > tolerance.outlier
}

/// How far the pixels of a film are from those of another of the same seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Distance {
    /// Pixels compared.
    pub pixels: usize,
    /// Those beyond [`Tolerance::outlier`].
    pub outliers: usize,
    /// Whether all have as many samples.
    pub same_samples: bool,
    /// Of the beauty, then of each light pass.
    pub drifts: Vec<Drift>,
    /// Relative difference of the ray counts.
    pub rays: f64,
}

/// Differences of one kind of light, the largest of them left out, one for each outlier; of luminances
/// of pixels' means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Their mean.
    pub bias: f64,
    /// Its standard error.
    pub bias_error: f64,
    /// The root of the mean of their squares.
    pub rms: f64,
    /// The picture's mean luminance.
    pub level: f64,
    /// The root of the mean of its pixels' own variances.
    pub noise: f64,
}

impl Distance {
    /// Between the same pixels of two films.
    ///
    /// # Panics
    /// When the lists differ in length.
    #[must_use]
    pub fn between(got: &Sums, trusted: &Sums, tolerance: &Tolerance) -> Self {
        let count = got.len();
        assert_eq!(count, trusted.len(), "the same pixels");
        let pairs = || got.pixels().iter().zip(trusted.pixels());
        let outliers = (0..count).filter(|&at| is_outlier(got, trusted, at, tolerance)).count();
        let kept = count - outliers.min(count.saturating_sub(1));
        // A pass has no noise of its own in the film, but none is brighter than the beauty or noisier.
        let mean = |light: [f32; 3], pixel: &Pixel| {
            f64::from(film::luminance(light)) / f64::from(pixel.samples.max(1))
        };
        let beauty = |pixel: &Pixel| mean(pixel.beauty, pixel);
        let all = count.max(1) as f64;
        let level = trusted.pixels().iter().map(beauty).sum::<f64>() / all;
        let noise = (trusted.pixels().iter().map(variance_of_mean).sum::<f64>() / all).sqrt();
        let drift = |differences: Vec<f64>| Drift::of(differences, kept, level, noise);
        let mut drifts = vec![drift(pairs().map(|(a, b)| beauty(a) - beauty(b)).collect())];
        if let (Some(a), Some(b)) = (got.passes(), trusted.passes()) {
            for pass in 0..a.first().map_or(0, |passes| passes.named().len()) {
                let differences = pairs().zip(a.iter().zip(b)).map(|((got, trusted), (a, b))| {
                    mean(a.named()[pass].1, got) - mean(b.named()[pass].1, trusted)
                });
                drifts.push(drift(differences.collect()));
            }
        }
        let rays = |sums: &Sums| {
            let of = |pixel: &Pixel| f64::from(pixel.closest_rays) + f64::from(pixel.shadow_rays);
            sums.pixels().iter().map(of).sum::<f64>()
        };
        let (claimed, counted) = (rays(got), rays(trusted));
        Self {
            pixels: count,
            outliers,
            same_samples: pairs().all(|(a, b)| a.samples == b.samples),
            drifts,
            rays: (claimed - counted).abs() / counted.max(1.0),
        }
    }

    /// Few outliers, no bias, rounding's noise, the same work.
    #[must_use]
    pub fn is_within(&self, tolerance: &Tolerance) -> bool {
        let outliers_max = (tolerance.outlier_share * self.pixels as f64).ceil() as usize;
        self.outliers <= outliers_max
            && self.same_samples
            && self.drifts.iter().all(|drift| drift.is_rounding(tolerance))
            && self.rays <= tolerance.rays
    }
}

impl Drift {
    fn of(mut differences: Vec<f64>, kept: usize, level: f64, noise: f64) -> Self {
        differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        differences.truncate(kept);
        let count = differences.len().max(1) as f64;
        let bias = differences.iter().sum::<f64>() / count;
        let square = differences.iter().map(|it| it * it).sum::<f64>() / count;
        let bias_error = ((square - bias * bias).max(0.0) / count).sqrt();
        Self { bias, bias_error, rms: square.sqrt(), level, noise }
    }

    /// Whether rounding leaves such differences: no bias, little noise.
    #[must_use]
    pub fn is_rounding(&self, tolerance: &Tolerance) -> bool {
        let level = self.level.abs().max(1e-3);
        let is_biased = self.bias.abs() > tolerance.bias * level
            && self.bias.abs() > tolerance.bias_errors * self.bias_error;
        // The pixels' own noise: the standard error of their means.
        let rms_max = tolerance.rmse * self.noise + tolerance.outlier * level;
        !is_biased && self.rms <= rms_max
    }
}

fn within(got: &Sums, trusted: &Sums, tolerance: &Tolerance) -> bool {
    Distance::between(got, trusted, tolerance).is_within(tolerance)
}

/// Variance of a pixel's mean luminance, from its sums.
fn variance_of_mean(pixel: &Pixel) -> f64 {
    let samples = f64::from(pixel.samples.max(1));
    let mean = f64::from(film::luminance(pixel.beauty)) / samples;
    let square = f64::from(pixel.luminance_squared) / samples;
    (square - mean * mean).max(0.0) / (samples - 1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use film::{Passes, Scattered};

    use super::*;

    /// Pixels of 64 samples with noise, from a seeded hash.
    fn pixels(count: u32, samples: u32, seed: u32) -> Vec<Pixel> {
        let uniform = |pixel: u32, sample: u32| {
            let hash = blake3::hash(&[pixel, sample, seed].map(u32::to_le_bytes).concat());
            let bytes: [u8; 4] = hash.as_bytes()[..4].try_into().expect("four bytes");
            (u32::from_le_bytes(bytes) >> 8) as f32 / (1 << 24) as f32
        };
        (0..count)
            .map(|index| {
                let mut pixel = Pixel { samples, closest_rays: 5 * samples, ..Pixel::default() };
                for sample in 0..samples {
                    let value = 2.0 * uniform(index, sample);
                    pixel.beauty.iter_mut().for_each(|channel| *channel += value);
                    pixel.luminance_squared += value * value;
                }
                pixel
            })
            .collect()
    }

    fn check(class: Class, change: impl Fn(usize, &mut Pixel), holds: bool) {
        let trusted = pixels(384, 64, 1);
        let mut got = trusted.clone();
        got.iter_mut().enumerate().for_each(|(index, pixel)| change(index, pixel));
        verdict(class, got.into(), trusted.into(), holds);
    }

    fn verdict(class: Class, got: Sums, trusted: Sums, holds: bool) {
        let places: Vec<(u32, u32)> = (0..384).map(|index| (index, 7)).collect();
        let verdict = judge(class, &places, &got, &trusted);
        assert_eq!(verdict.is_ok(), holds, "{verdict:?}");
    }

    /// The same with light passes, which share the beauty: half is direct and diffuse, a quarter
    /// emission and a quarter indirect and glossy.
    fn check_passes(class: Class, change: impl Fn(usize, &mut Passes), holds: bool) {
        let pixels = pixels(384, 64, 1);
        let share = |pixel: &Pixel, share: f32| pixel.beauty.map(|channel| channel * share);
        let of = |pixel: &Pixel| Passes {
            direct: Scattered { diffuse: share(pixel, 0.5), ..Scattered::default() },
            emission: share(pixel, 0.25),
            indirect: Scattered { glossy: share(pixel, 0.25), ..Scattered::default() },
            ..Passes::default()
        };
        let trusted: Vec<Passes> = pixels.iter().map(of).collect();
        let mut got = trusted.clone();
        got.iter_mut().enumerate().for_each(|(index, passes)| change(index, passes));
        let got = Sums::with_passes(pixels.clone(), got);
        verdict(class, got, Sums::with_passes(pixels, trusted), holds);
    }

    #[test]
    fn passes_are_judged_to_the_bit() {
        check_passes(Class::Exact, |_, _| (), true);
        let one_bit = |i: usize, p: &mut Passes| p.emission[1] = flip(p.emission[1], i == 200);
        check_passes(Class::Exact, one_bit, false);
        // Light moved from one pass to another leaves the beauty as it is.
        let moved = |i: usize, p: &mut Passes| {
            if i == 383 {
                std::mem::swap(&mut p.direct.diffuse, &mut p.direct.glossy);
            }
        };
        check_passes(Class::Exact, moved, false);
        check_passes(Class::Exact, |i, p| p.environment[0] = if i == 3 { 0.1 } else { 0.0 }, false);
    }

    #[test]
    fn tolerance_of_passes_forgives_rounding_and_sees_forgeries() {
        let rounding = |i: usize, p: &mut Passes| {
            let factor = if i.is_multiple_of(2) { 1.000_02 } else { 0.999_98 };
            p.direct.diffuse.iter_mut().for_each(|channel| *channel *= factor);
            p.direct.glossy[0] = 1e-6 * p.emission[0];
        };
        check_passes(Class::Tolerant, rounding, true);
        let another_path = |i: usize, p: &mut Passes| {
            p.indirect.glossy[0] *= if i.is_multiple_of(192) { 1.3 } else { 1.0 };
        };
        check_passes(Class::Tolerant, another_path, true);
        let moved = |i: usize, p: &mut Passes| {
            if i.is_multiple_of(20) {
                std::mem::swap(&mut p.indirect.glossy, &mut p.indirect.diffuse);
            }
        };
        check_passes(Class::Tolerant, moved, false);
        // No pixel of it is an outlier.
        let bright = |_: usize, p: &mut Passes| {
            p.emission.iter_mut().for_each(|channel| *channel *= 1.000_9);
        };
        let dim = |_: usize, p: &mut Passes| {
            p.direct.diffuse.iter_mut().for_each(|channel| *channel *= 0.997);
        };
        check_passes(Class::Tolerant, bright, true);
        check_passes(Class::Tolerant, dim, false);
    }

    #[test]
    fn exact_means_every_bit_of_every_word() {
        check(Class::Exact, |_, _| (), true);
        check(Class::Exact, |i, p| p.beauty[2] = flip(p.beauty[2], i == 383), false);
        check(Class::Exact, |i, p| p.closest_rays += u32::from(i == 5), false);
        check(Class::Exact, |i, p| p.normal[0] = if i == 9 { -0.0 } else { 0.0 }, false);
    }

    fn flip(value: f32, wanted: bool) -> f32 {
        f32::from_bits(value.to_bits() ^ u32::from(wanted))
    }

    #[test]
    fn a_film_is_in_doubt_by_the_number_of_its_outliers_alone() {
        let trusted = pixels(4_096, 16, 1);
        let outliers =
            |got: Vec<Pixel>| doubtful(Class::Tolerant, &got.into(), &trusted.clone().into());
        // Every n-th pixel is as bright as another one.
        let swapped = |nth: usize| {
            let mut got = trusted.clone();
            (nth..got.len()).step_by(nth).for_each(|at| got[at] = trusted[at - 1]);
            got
        };
        assert_eq!(outliers(swapped(110)), None, "within the tolerance");
        let found = outliers(swapped(60)).expect("in doubt");
        assert_eq!(found.len(), 68);
        assert!(found.iter().all(|at| at.is_multiple_of(60)));
        assert_eq!(outliers(swapped(40)), None, "too many");
        let with = |change: fn(&mut Pixel)| {
            let mut got = swapped(60);
            got.iter_mut().for_each(change);
            outliers(got)
        };
        assert_eq!(with(|pixel| pixel.closest_rays += 2), None, "more rays");
        let fewer = |pixel: &mut Pixel| pixel.samples -= u32::from(pixel.samples > 15);
        assert_eq!(with(fewer), None, "fewer samples");
    }

    #[test]
    fn the_refusal_names_the_first_pixel_and_counts_them() {
        let trusted = pixels(10, 4, 1);
        let mut got = trusted.clone();
        got[3].alpha = 1.0;
        got[8].depth = 1.0;
        let places: Vec<(u32, u32)> = (0..10).map(|index| (index, index * 2)).collect();
        let wanted = Refusal::Pixels { differing: 2, checked: 10, x: 3, y: 6 };
        let (got, trusted) = (Sums::from(got), Sums::from(trusted));
        assert_eq!(judge(Class::Exact, &places, &got, &trusted), Err(wanted));
        assert_eq!(differing_pixels(Class::Exact, &got, &trusted), 2);
        assert_eq!(differing_pixels(Class::Exact, &trusted, &trusted), 0);
    }

    #[test]
    fn tolerance_forgives_rounding_and_a_few_other_paths() {
        let rounding = |i: usize, p: &mut Pixel| {
            p.beauty
                .iter_mut()
                .for_each(|c| *c *= if i.is_multiple_of(2) { 1.000_02 } else { 0.999_98 });
        };
        check(Class::Tolerant, rounding, true);
        check(
            Class::Tolerant,
            |i, p| p.beauty[0] *= if i.is_multiple_of(192) { 1.3 } else { 1.0 },
            true,
        );
    }

    #[test]
    fn tolerance_sees_bias_forged_regions_and_claimed_rays() {
        // Each pixel within 1e-3, all to one side, ten times rounding's size.
        let bright = |_: usize, p: &mut Pixel| {
            p.beauty.iter_mut().for_each(|c| *c *= 1.002);
        };
        check(Class::Tolerant, bright, false);
        let region = |i: usize, p: &mut Pixel| {
            if i.is_multiple_of(20) {
                p.beauty = [32.0; 3];
            }
        };
        check(Class::Tolerant, region, false);
        check(Class::Tolerant, |_, p| p.closest_rays += p.closest_rays / 20, false);
        check(Class::Tolerant, |_, p| p.samples /= 2, false);
    }

    #[test]
    fn tolerance_sees_what_a_denoiser_would_be_misled_by() {
        let rounding = |i: usize, p: &mut Pixel| {
            let factor = if i.is_multiple_of(2) { 1.000_02 } else { 0.999_98 };
            p.luminance_squared *= factor;
            p.normal[2] += 1e-3;
        };
        check(Class::Tolerant, rounding, true);
        let some = |i: usize| i.is_multiple_of(20);
        check(Class::Tolerant, |i, p| p.alpha += if some(i) { 64.0 } else { 0.0 }, false);
        check(Class::Tolerant, |i, p| p.albedo[1] += if some(i) { 1.0 } else { 0.0 }, false);
        check(Class::Tolerant, |i, p| p.normal[0] -= if some(i) { 6.0 } else { 0.0 }, false);
        check(Class::Tolerant, |i, p| p.depth += if some(i) { 64.0 } else { 0.0 }, false);
        // A film that says its pixels are without noise.
        check(Class::Tolerant, |_, p| p.luminance_squared *= 0.8, false);
    }

    #[test]
    fn tolerance_sees_a_quarter_of_the_samples_scaled_up() {
        let trusted = pixels(384, 64, 1);
        let quarter = pixels(384, 16, 1);
        let forged: Vec<Pixel> = quarter
            .iter()
            .map(|pixel| Pixel {
                beauty: pixel.beauty.map(|channel| 4.0 * channel),
                luminance_squared: 4.0 * pixel.luminance_squared,
                samples: 64,
                closest_rays: 4 * pixel.closest_rays,
                ..*pixel
            })
            .collect();
        let (forged, trusted) = (Sums::from(forged), Sums::from(trusted));
        assert!(differing_pixels(Class::Tolerant, &forged, &trusted) > 0);
        assert!(differing_pixels(Class::Exact, &forged, &trusted) == 384);
    }
}
