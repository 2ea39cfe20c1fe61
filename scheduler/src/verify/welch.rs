//! Whether pixels that are not the trusted ones are honest all the same: Welch's test.
//!
//! A device that rounds otherwise sends a path another way now and then; such a pixel is of other
//! random numbers, and as good as the trusted one. Which film is whose cannot be told from them: for
//! the honest, the film's pixel and the trusted one of the same seed have the same distribution,
//! whatever picked the pixel out. So both are held against films of independent seeds, and the two
//! sets of residuals against each other: their means, which a film that is too bright or too dark
//! does not share, and their sizes, which fewer samples make larger and a blur makes smaller.

use film::Sums;

/// Largest probability that an honest film is refused.
pub const FALSE_REFUSALS: f64 = 1e-6;
/// Fewest samples of a pixel over the independent seeds together.
const SAMPLES_MIN: u32 = 128;
/// Fewest independent seeds: their mean adds at most an eighth to the variance of a residual.
const SEEDS_MIN: u32 = 8;
/// Residuals beyond so many deviations count as this: one bright path must not decide.
const CLIP: f64 = 8.0;
/// Deviations below this share of a value are rounding.
const ROUNDING: f64 = 1e-3;

/// How many independent seeds it takes for films of so many samples.
#[must_use]
pub const fn seeds(samples: u32) -> u32 {
    let wanted = SAMPLES_MIN.div_ceil(if samples == 0 { 1 } else { samples });
    if wanted > SEEDS_MIN { wanted } else { SEEDS_MIN }
}

/// The probability that honest pixels are as unlike the trusted ones as these, or more: below
/// [`FALSE_REFUSALS`] they are refused.
///
/// `film` and `same_seed` are the pixels in doubt, as claimed and rendered again; `others` the same
/// rendered with independent seeds, each with as many samples, at least two films.
///
/// Of every value of a pixel (beauty, what the camera saw first, rays, light passes; *v*), with the
/// mean *m* and the deviation *s* over `others`, the residual is *z* = (*v* − *m*) / *s*, clipped
/// at ±8. Residuals *a* of the film and *b* of the trusted pixels are compared by
///
/// *t* = (mean *a* − mean *b*) / √(var *a* / *k* + var *b* / *k*) over the *k* pixels,
///
/// once as they are and once by size, two-sided, with the degrees of freedom of Welch and
/// Satterthwaite; the smallest probability is multiplied by the number of tests (Bonferroni). Paths
/// that both share make *a* and *b* alike, which makes the test milder than it says, never harsher.
///
/// # Panics
/// When the lists differ in length, or `others` are fewer than two.
///
/// # Source
/// B. L. Welch, "The generalization of 'Student's' problem when several different population
/// variances are involved", Biometrika 34 (1947).
#[must_use]
pub fn p_value(film: &Sums, same_seed: &Sums, others: &[Sums]) -> f64 {
    assert!(others.len() >= 2, "a deviation needs two films");
    let same_length = |sums: &Sums| sums.len() == film.len();
    assert!(same_length(same_seed) && others.iter().all(same_length), "the same pixels");
    // By value: residuals of all pixels, the film's and the trusted ones'.
    let mut residuals: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for at in 0..film.len() {
        let others: Vec<Vec<f64>> = others.iter().map(|sums| values(sums, at)).collect();
        let pair = values(film, at).into_iter().zip(values(same_seed, at));
        for (which, (claimed, trusted)) in pair.enumerate() {
            let (mean, deviation) = spread(others.iter().map(|values| values[which]));
            let scale = deviation.hypot(ROUNDING * mean.abs().max(ROUNDING));
            let residual = |value: f64| ((value - mean) / scale).clamp(-CLIP, CLIP);
            if residuals.len() == which {
                residuals.push(Default::default());
            }
            residuals[which].0.push(residual(claimed));
            residuals[which].1.push(residual(trusted));
        }
    }
    let sizes = |list: &[f64]| list.iter().map(|z| z.abs()).collect::<Vec<f64>>();
    let tests = residuals.iter().flat_map(|(a, b)| [welch(a, b), welch(&sizes(a), &sizes(b))]);
    let least = tests.fold(1.0, f64::min);
    (least * 2.0 * residuals.len() as f64).min(1.0)
}

/// Means of all that a pixel holds.
fn values(sums: &Sums, at: usize) -> Vec<f64> {
    let pixel = &sums.pixels()[at];
    let samples = f64::from(pixel.samples.max(1));
    let first = [pixel.alpha, pixel.depth, pixel.luminance_squared];
    let rays = [pixel.closest_rays, pixel.shadow_rays].map(f64::from);
    let passes = sums.passes_of(at).map(|passes| passes.named());
    let light = passes.iter().flatten().flat_map(|(_, light)| *light);
    let floats = pixel.beauty.into_iter().chain(pixel.albedo).chain(pixel.normal).chain(first);
    let all = floats.chain(light).map(f64::from).chain(rays);
    all.map(|sum| sum / samples).collect()
}

/// Mean and deviation of at least two values.
fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let square = values.map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, (square / (count - 1.0)).sqrt())
}

/// The two-sided probability that samples of one mean differ as these do.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len() as f64;
    if a.len() < 2 {
        return 1.0;
    }
    let ((mean_a, deviation_a), (mean_b, deviation_b)) =
        (spread(a.iter().copied()), spread(b.iter().copied()));
    let (error_a, error_b) = (deviation_a.powi(2) / count, deviation_b.powi(2) / count);
    let (error, difference) = (error_a + error_b, mean_a - mean_b);
    if error <= 0.0 {
        return if difference.abs() > 0.0 { 0.0 } else { 1.0 };
    }
    let freedom = error * error / ((error_a * error_a + error_b * error_b) / (count - 1.0));
    student(difference / error.sqrt(), freedom)
}

/// The probability of a Student's t beyond ±`t`: the regularized incomplete beta function
/// *I*ₓ(ν/2, 1/2) at *x* = ν / (ν + t²).
fn student(t: f64, freedom: f64) -> f64 {
    let x = freedom / (freedom + t * t);
    incomplete_beta(x, 0.5 * freedom, 0.5)
}

/// The regularized incomplete beta function by its continued fraction: W. H. Press et al., "Numerical
/// Recipes", 3rd edition (2007), section 6.4.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction by Lentz's method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TERMS_MAX: u32 = 1_000;
    const TINY: f64 = 1e-300;
    let held = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / held(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for term in 1..=TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for step in [even, odd] {
            d = 1.0 / held(1.0 + step * d);
            c = held(1.0 + step / c);
            fraction *= d * c;
        }
        if (fraction - before).abs() <= 1e-14 * fraction.abs() {
            break;
        }
    }
    fraction
}

/// The logarithm of the gamma function of a positive number, to 1e-10: Stirling's series after
/// shifting the argument beyond 10.
fn ln_gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series =
        inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    shift + (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

#[cfg(test)]
mod tests {
    use film::Pixel;

    use super::*;

    #[test]
    fn the_tails_of_students_t_are_those_of_its_closed_forms() {
        for t in [0.0, 0.3, 1.0, 4.0, 30.0, 1e4] {
            let one = 1.0 - std::f64::consts::FRAC_2_PI * f64::atan(t);
            assert!((student(t, 1.0) - one).abs() < 1e-9, "one degree, {t}");
            // 1 - t / sqrt(2 + t^2), without the loss of digits.
            let root = (2.0 + t * t).sqrt();
            let two = 2.0 / (root * (root + t));
            assert!((student(t, 2.0) / two - 1.0).abs() < 1e-8, "two degrees, {t}");
        }
        // With many degrees it is the normal distribution: 5.73e-7 beyond five deviations.
        assert!((student(5.0, 1e7) / 5.733e-7 - 1.0).abs() < 1e-3, "{}", student(5.0, 1e7));
    }

    /// A pixel of `samples` samples of exponential light around its own mean, from a seeded hash.
    fn pixel(index: u32, seed: u32, samples: u32) -> Pixel {
        let mut pixel = Pixel { samples, alpha: samples as f32, ..Pixel::default() };
        let level = 0.5 + 0.1 * (index % 7) as f32;
        for sample in 0..samples {
            let hash = blake3::hash(&[index, seed, sample].map(u32::to_le_bytes).concat());
            let bytes: [u8; 4] = hash.as_bytes()[..4].try_into().expect("four bytes");
            let uniform = (u32::from_le_bytes(bytes) >> 8) as f32 / (1 << 24) as f32;
            let value = -level * (1.0 - uniform).ln();
            pixel.beauty.iter_mut().for_each(|channel| *channel += value);
            pixel.luminance_squared += value * value;
            pixel.closest_rays += 2 + u32::from(uniform < 0.5);
        }
        pixel
    }

    fn pixels(count: u32, seed: u32, samples: u32) -> Vec<Pixel> {
        (0..count).map(|index| pixel(index, seed, samples)).collect()
    }

    const COUNT: u32 = 200;

    /// The probability of a film of another seed than the trusted one, changed.
    fn check(change: impl Fn(u32, &mut Pixel)) -> f64 {
        let mut film = pixels(COUNT, 1, 16);
        film.iter_mut().zip(0..).for_each(|(pixel, index)| change(index, pixel));
        let others: Vec<Sums> = (10..18).map(|seed| pixels(COUNT, seed, 16).into()).collect();
        p_value(&film.into(), &pixels(COUNT, 2, 16).into(), &others)
    }

    #[test]
    fn other_random_numbers_are_honest_and_the_pixels_may_be_few() {
        assert!(check(|_, _| ()) > 0.01);
        for count in [1, 2, 3, 10] {
            let others: Vec<Sums> = (10..18).map(|seed| pixels(count, seed, 16).into()).collect();
            let p = p_value(&pixels(count, 1, 16).into(), &pixels(count, 2, 16).into(), &others);
            assert!(p > FALSE_REFUSALS, "{count}: {p}");
        }
    }

    #[test]
    fn honest_films_are_refused_no_more_often_than_stated() {
        // 400 films: their probabilities, each of the least of all its tests, are no smaller than
        // uniform ones, five deviations allowed.
        let films = 400;
        let below = |level: f64| {
            let others: Vec<Sums> = (10..18).map(|seed| pixels(60, seed, 4).into()).collect();
            let ps = (0..films).map(|film| {
                let pair = [100 + 2 * film, 101 + 2 * film].map(|seed| pixels(60, seed, 4).into());
                p_value(&pair[0], &pair[1], &others)
            });
            ps.filter(|p| *p < level).count() as f64
        };
        let wanted = f64::from(films) * 0.05;
        assert!(below(0.05) <= wanted + 5.0 * wanted.sqrt());
    }

    #[test]
    fn wrong_pixels_are_not() {
        let refused = |what: &str, change: &dyn Fn(u32, &mut Pixel)| {
            let p = check(change);
            assert!(p < FALSE_REFUSALS, "{what}: {p}");
        };
        let scaled = |pixel: &mut Pixel, factor: f32| {
            pixel.beauty.iter_mut().for_each(|channel| *channel *= factor);
            pixel.luminance_squared *= factor * factor;
        };
        refused("black", &|_, pixel| scaled(pixel, 0.0));
        refused("twice as bright", &|_, pixel| scaled(pixel, 2.0));
        refused("one channel", &|_, pixel| pixel.beauty[1] *= 2.0);
        refused("another depth", &|_, pixel| pixel.depth = 16.0);
        refused("more rays", &|_, pixel| pixel.shadow_rays = 3 * pixel.samples);
        refused("a quarter of the samples", &|index, it| {
            let few = pixel(index, 5, 4);
            it.beauty = few.beauty.map(|channel| channel * 4.0);
            it.luminance_squared = few.luminance_squared * 4.0;
        });
        refused("no noise", &|index, it| {
            let many = pixel(index, 5, 1_024);
            it.beauty = many.beauty.map(|channel| channel / 64.0);
            it.luminance_squared = many.luminance_squared / 64.0;
        });
    }
}
