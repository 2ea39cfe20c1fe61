//! How far two pictures are apart.

mod flip;

use protocol::Size;

use crate::layer::Layer;
use crate::picture::Picture;
use crate::view::Look;

pub use flip::{Flip, PIXELS_PER_DEGREE, flip_srgb};

/// Pictures that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// They differ in size.
    #[error("the reference is {reference} and the picture {test}; both must have one size")]
    Size {
        /// Size of the reference.
        reference: Size,
        /// Size of the other.
        test: Size,
    },
}

/// Every figure at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// [`rel_mse`].
    pub rel_mse: f64,
    /// Mean of [`flip()`] as AgX shows both at 0 EV.
    pub flip_mean: f64,
    /// [`bias`].
    pub bias: f64,
    /// [`share_beyond`] 0.001.
    pub share_beyond_thousandth: f64,
    /// [`share_beyond`] 0.05.
    pub share_beyond_twentieth: f64,
    /// [`bit_equal_share`].
    pub bit_equal_share: f64,
}

/// All figures of this module for one pair.
///
/// # Errors
/// [`CompareError::Size`].
pub fn compare(reference: &Picture, test: &Picture) -> Result<Comparison, CompareError> {
    Ok(Comparison {
        rel_mse: rel_mse(reference, test)?,
        flip_mean: flip(reference, test, &Look::default())?.mean,
        bias: bias(reference, test)?,
        share_beyond_thousandth: share_beyond(reference, test, 1e-3)?,
        share_beyond_twentieth: share_beyond(reference, test, 0.05)?,
        bit_equal_share: bit_equal_share(reference, test)?,
    })
}

/// Relative mean squared error of the beauty: the mean over pixels and channels of
/// `(x − ref)² / (ref² + 0.01)`.
///
/// # Errors
/// [`CompareError::Size`].
pub fn rel_mse(reference: &Picture, test: &Picture) -> Result<f64, CompareError> {
    let error = |(wanted, got): (f64, f64)| (got - wanted).powi(2) / (wanted * wanted + 0.01);
    let values = beauty_values(reference, test)?;
    Ok(mean(values.map(error)))
}

/// Signed bias of the beauty: the difference of the means over the mean of the reference.
///
/// Positive when the picture is brighter. 0 when both are black.
///
/// # Errors
/// [`CompareError::Size`].
pub fn bias(reference: &Picture, test: &Picture) -> Result<f64, CompareError> {
    let (mut wanted, mut difference) = (0.0, 0.0);
    for (reference, test) in beauty_values(reference, test)? {
        wanted += reference;
        difference += test - reference;
    }
    let nothing = difference.abs() < f64::MIN_POSITIVE;
    Ok(if nothing { 0.0 } else { difference / wanted })
}

/// Share of the pixels, 0..=1, where the largest difference between channels exceeds `relative`
/// of the larger picture's largest channel. Pixels that are not finite count unless bit-equal.
///
/// # Errors
/// [`CompareError::Size`].
pub fn share_beyond(
    reference: &Picture,
    test: &Picture,
    relative: f32,
) -> Result<f64, CompareError> {
    let within = |a: &[f32; 3], b: &[f32; 3]| {
        let largest = a.iter().chain(b).fold(0.0_f32, |max, value| max.max(value.abs()));
        let close = |(a, b): (&f32, &f32)| {
            a.to_bits() == b.to_bits() || (a - b).abs() <= relative * largest
        };
        largest.is_finite() && a.iter().zip(b).all(close)
            || a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
    };
    share(reference, test, |i| !within(&reference.beauty[i], &test.beauty[i]))
}

/// Share of the pixels, 0..=1, whose beauty, alpha, sample count and layers are equal to the bit;
/// none where one picture lacks a layer that the other has.
///
/// # Errors
/// [`CompareError::Size`].
pub fn bit_equal_share(reference: &Picture, test: &Picture) -> Result<f64, CompareError> {
    let core = |picture: &Picture, i: usize| {
        (picture.beauty[i].map(f32::to_bits), picture.alpha[i].to_bits(), picture.samples[i])
    };
    let same_layers = reference.layers().len() == test.layers().len();
    let layers: Vec<_> = reference.layers().iter().zip(test.layers()).collect();
    let same_layers = same_layers
        && layers.iter().all(|(a, b)| a.name() == b.name() && a.channels() == b.channels());
    let equal_at = |i: usize, (a, b): &(&Layer, &Layer)| {
        let width = a.channels().len();
        (i * width..(i + 1) * width).all(|at| a.values().bits(at) == b.values().bits(at))
    };
    share(reference, test, |i| {
        same_layers
            && core(reference, i) == core(test, i)
            && layers.iter().all(|pair| equal_at(i, pair))
    })
}

/// FLIP between both pictures as a look shows them.
///
/// # Errors
/// [`CompareError::Size`].
pub fn flip(reference: &Picture, test: &Picture, look: &Look) -> Result<Flip, CompareError> {
    check_size(reference, test)?;
    let develop = look.develop();
    let shown = |picture: &Picture| -> Vec<[f32; 3]> {
        picture.beauty.iter().map(|&rgb| develop(rgb)).collect()
    };
    Ok(flip_srgb(reference.size, &shown(reference), &shown(test), PIXELS_PER_DEGREE))
}

fn check_size(reference: &Picture, test: &Picture) -> Result<(), CompareError> {
    if reference.size == test.size {
        Ok(())
    } else {
        Err(CompareError::Size { reference: reference.size, test: test.size })
    }
}

/// Pairs of channel values, reference first.
fn beauty_values<'a>(
    reference: &'a Picture,
    test: &'a Picture,
) -> Result<impl Iterator<Item = (f64, f64)> + 'a, CompareError> {
    check_size(reference, test)?;
    let wide = |picture: &'a Picture| picture.beauty.as_flattened().iter().copied().map(f64::from);
    Ok(wide(reference).zip(wide(test)))
}

fn share(
    reference: &Picture,
    test: &Picture,
    counts: impl Fn(usize) -> bool,
) -> Result<f64, CompareError> {
    check_size(reference, test)?;
    let pixels = 0..reference.pixel_count();
    Ok(mean(pixels.map(|i| if counts(i) { 1.0 } else { 0.0 })))
}

/// The mean; 0 of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(beauty: &[[f32; 3]]) -> Picture {
        let size = Size::new(beauty.len() as u32, 1);
        Picture { beauty: beauty.to_vec(), ..Picture::transparent(size) }
    }

    fn close(got: Result<f64, CompareError>, wanted: f64) {
        let got = got.expect("one size");
        assert!((got - wanted).abs() < 1e-6, "{got}, want {wanted}");
    }

    #[test]
    fn figures_of_a_small_pair() {
        let reference = picture(&[[1.0; 3], [0.0; 3]]);
        let test = picture(&[[1.1, 1.0, 1.0], [0.0, 0.1, 0.0]]);
        close(rel_mse(&reference, &test), (0.01 / 1.01 + 0.01 / 0.01) / 6.0);
        close(bias(&reference, &test), 0.2 / 3.0);
        close(share_beyond(&reference, &test, 0.05), 1.0);
        close(share_beyond(&reference, &test, 0.2), 0.5);
        close(bit_equal_share(&reference, &test), 0.0);
    }

    #[test]
    fn a_picture_equals_itself_whatever_it_holds() {
        let odd = picture(&[[f32::NAN; 3], [f32::INFINITY, 0.0, -1.0], [0.0; 3], [0.5; 3]]);
        close(share_beyond(&odd, &odd, 0.0), 0.0);
        close(bit_equal_share(&odd, &odd), 1.0);
        close(flip(&odd, &odd, &Look::default()).map(|flip| flip.mean), 0.0);
        let calm = picture(&[[0.5; 3]]);
        close(rel_mse(&calm, &calm), 0.0);
        close(bias(&calm, &calm), 0.0);
    }

    #[test]
    fn nonsense_in_one_picture_counts_as_different() {
        let calm = picture(&[[0.5; 3], [0.5; 3]]);
        let odd = picture(&[[f32::NAN, 0.5, 0.5], [f32::INFINITY; 3]]);
        close(share_beyond(&calm, &odd, 0.5), 1.0);
    }

    #[test]
    fn other_sizes_are_refused() {
        let error = compare(&picture(&[[0.0; 3]]), &picture(&[[0.0; 3]; 2])).expect_err("sizes");
        assert_eq!(
            error.to_string(),
            "the reference is 1x1 and the picture 2x1; both must have one size"
        );
    }
}
