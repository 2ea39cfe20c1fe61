//! Whether pixels that are not the trusted ones are honest all the same: Welch's test.
//!
//! A device that rounds otherwise sends a path another way now and then; such a pixel is of other
//! random numbers, and as good as the trusted one. Which film is whose cannot be told from them: for
//! the honest, the film's pixel and the trusted one of the same seed have the same distribution,
//! whatever picked the pixel out. So both are held against films of independent seeds, and the two
//! sets of residuals against each other: their means, which a film that is too bright or too dark
//! does not share, and their sizes, which fewer samples make larger and a blur makes smaller.

use film::Sums;
use puruspe::betai;

/// Largest probability that an honest film is refused.
pub const FALSE_REFUSALS: f64 = 1e-6;
/// Independent seeds that pixels in doubt are rendered with: what all pixels of a seed share is measured on as many films.
pub const SEEDS: u32 = 32;
/// Residuals beyond so many deviations count as this: one bright path must not decide.
const CLIP: f64 = 8.0;
/// Deviations below this share of a value are rounding.
const ROUNDING: f64 = 1e-3;

/// The probability that honest pixels are as unlike the trusted ones as these, or more: below
/// [`FALSE_REFUSALS`] they are refused.
///
/// `film` and `same_seed` are the pixels in doubt, as claimed and rendered again; `others` the same
/// rendered with independent seeds, each with as many samples, at least three films.
///
/// Of every value of a pixel (beauty, what the camera saw first, rays, light passes; *v*), with the
/// mean *m* and the deviation *s* over `others`, the residual is *z* = (*v* − *m*) / *s*, clipped
/// at ±8. Residuals *a* of the film and *b* of the trusted pixels are compared by
///
/// *t* = (mean *a* − mean *b*) / √(var *a* / *k* + var *b* / *k*) over the *k* pixels,
///
/// once as they are and once by size, two-sided, with the degrees of freedom of Welch and
/// Satterthwaite. Pixels of one seed are not independent of each other (they share a pattern of
/// samples), which this does not know; so the same difference is held against that of whole films as
/// well: *t* = (mean *a* − mean *b*) / √(2 var *m*) over the means *m* of each of `others` against the
/// rest, with one degree fewer than there are. The larger of the two probabilities counts. The
/// smallest over all values is multiplied by the number of tests (Bonferroni). Paths that both share
/// make *a* and *b* alike, which makes the test milder than it says, never harsher.
///
/// # Panics
/// When the lists differ in length, or `others` are fewer than three.
///
/// # Source
/// B. L. Welch, "The generalization of 'Student's' problem when several different population
/// variances are involved", Biometrika 34 (1947).
#[must_use]
pub fn p_value(film: &Sums, same_seed: &Sums, others: &[Sums]) -> f64 {
    assert!(others.len() >= 3, "a deviation among the rest needs two films");
    let same_length = |sums: &Sums| sums.len() == film.len();
    assert!(same_length(same_seed) && others.iter().all(same_length), "the same pixels");
    let mut tests: Vec<Residuals> = Vec::new();
    for at in 0..film.len() {
        let others: Vec<Vec<f64>> = others.iter().map(|sums| values(sums, at)).collect();
        let pair = values(film, at).into_iter().zip(values(same_seed, at));
        for (which, (claimed, trusted)) in pair.enumerate() {
            if tests.len() == which {
                tests.push(Residuals {
                    others: vec![Vec::new(); others.len()],
                    ..Default::default()
                });
            }
            let others: Vec<f64> = others.iter().map(|values| values[which]).collect();
            tests[which].push(claimed, trusted, &others);
        }
    }
    let least = tests.iter().flat_map(|test| [test.p(|z| z), test.p(f64::abs)]).fold(1.0, f64::min);
    (least * 2.0 * tests.len() as f64).min(1.0)
}

/// Residuals of one value, by pixel.
#[derive(Default)]
struct Residuals {
    film: Vec<f64>,
    same_seed: Vec<f64>,
    /// Of each film of another seed, against the rest of them.
    others: Vec<Vec<f64>>,
}

impl Residuals {
    fn push(&mut self, claimed: f64, trusted: f64, others: &[f64]) {
        let count = others.len() as f64;
        let (mean, deviation) = spread(others.iter().copied());
        self.film.push(residual(claimed, mean, deviation));
        self.same_seed.push(residual(trusted, mean, deviation));
        // Mean and deviation without one of them.
        let square = deviation * deviation * (count - 1.0);
        for (list, &value) in self.others.iter_mut().zip(others) {
            let off = value - mean;
            let rest = square - off * off * count / (count - 1.0);
            let deviation = (rest.max(0.0) / (count - 2.0)).sqrt();
            list.push(residual(value, mean - off / (count - 1.0), deviation));
        }
    }

    /// How likely the film's residuals are, as this measure has them.
    fn p(&self, measure: impl Fn(f64) -> f64 + Copy) -> f64 {
        let measured = |list: &[f64]| list.iter().map(|&z| measure(z)).collect::<Vec<f64>>();
        let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
        let (film, same_seed) = (measured(&self.film), measured(&self.same_seed));
        let (_mean, deviation) = spread(self.others.iter().map(|list| mean(&measured(list))));
        let error = 2.0 * deviation * deviation;
        let by_seed = tail(mean(&film) - mean(&same_seed), error, self.others.len() as f64 - 1.0);
        welch(&film, &same_seed).max(by_seed)
    }
}

/// A residual in deviations, clipped.
fn residual(value: f64, mean: f64, deviation: f64) -> f64 {
    let scale = deviation.hypot(ROUNDING * mean.abs().max(ROUNDING));
    ((value - mean) / scale).clamp(-CLIP, CLIP)
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
    let error = error_a + error_b;
    let freedom = error * error / ((error_a * error_a + error_b * error_b) / (count - 1.0));
    tail(mean_a - mean_b, error, freedom)
}

/// The two-sided probability of a difference with this squared error or more.
fn tail(difference: f64, error: f64, freedom: f64) -> f64 {
    if error > 0.0 {
        student(difference / error.sqrt(), freedom)
    } else if difference.abs() > 0.0 {
        0.0
    } else {
        1.0
    }
}

/// The probability of a Student's t beyond ±`t`: the regularized incomplete beta function
/// *I*ₓ(ν/2, 1/2) at *x* = ν / (ν + t²).
fn student(t: f64, freedom: f64) -> f64 {
    // Never under one; not a number where all residuals are next to equal.
    let freedom = freedom.max(1.0);
    let x = freedom / (freedom + t * t);
    betai(0.5 * freedom, 0.5, x)
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
        let others: Vec<Sums> = (10..42).map(|seed| pixels(COUNT, seed, 16).into()).collect();
        p_value(&film.into(), &pixels(COUNT, 2, 16).into(), &others)
    }

    #[test]
    fn other_random_numbers_are_honest_and_the_pixels_may_be_few() {
        assert!(check(|_, _| ()) > 0.01);
        for count in [1, 2, 3, 10] {
            let others: Vec<Sums> = (10..42).map(|seed| pixels(count, seed, 16).into()).collect();
            let p = p_value(&pixels(count, 1, 16).into(), &pixels(count, 2, 16).into(), &others);
            assert!(p > FALSE_REFUSALS, "{count}: {p}");
        }
    }

    #[test]
    fn honest_films_are_refused_no_more_often_than_stated() {
        // 200 films: their probabilities, each of the least of all its tests, are no smaller than
        // uniform ones, five deviations allowed.
        let films = 200;
        let below = |level: f64| {
            let others: Vec<Sums> = (10..42).map(|seed| pixels(60, seed, 4).into()).collect();
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
    fn what_all_pixels_of_a_seed_share_convicts_nobody() {
        // All depths of a film are a little off by the same, as where a seed's samples lie a little
        // to one side: pixel by pixel no chance would do that.
        let shifted = |seed: u32| -> Sums {
            let mut pixels = pixels(COUNT, seed, 16);
            let shift = (seed * 7 % 11) as f32 * 0.01;
            pixels.iter_mut().for_each(|pixel| pixel.depth = 16.0 * (1.0 + shift));
            pixels.into()
        };
        let others: Vec<Sums> = (10..42).map(shifted).collect();
        let ps = (100..140).map(|seed| p_value(&shifted(seed), &shifted(seed + 3), &others));
        assert!(ps.fold(1.0, f64::min) > 1e-3);
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
