//! Tripwires: what no honest film can be, found without rendering anything.
//!
//! They cost one pass over the film and come before the challenge, which renders pixels again.

use protocol::Batch;

use crate::film::{Film, Pixel};
use crate::passes::Passes;

/// Most rays that a sample can cost, from the settings and the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RayBounds {
    /// Closest-hit rays of one sample, its camera ray included.
    pub closest_per_sample_max: u32,
    /// Shadow rays of one sample.
    pub shadow_per_sample_max: u32,
}

/// What a film tripped over. Pixels are in frame coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trip {
    /// A pixel has another number of samples than the batch.
    #[error("pixel {x},{y} has {got} samples, its batch {batch} has {wanted}")]
    Samples {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
        /// The film's batch.
        batch: Batch,
        /// Samples found.
        got: u32,
        /// Samples of the batch.
        wanted: u32,
    },
    /// A value is infinite or no number.
    #[error("pixel {x},{y} holds a value that is not finite")]
    NotFinite {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
    },
    /// A value that cannot be negative is.
    #[error("pixel {x},{y} holds a negative {value}")]
    Negative {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
        /// Its name.
        value: &'static str,
    },
    /// A sum is larger than its samples allow.
    #[error("pixel {x},{y} holds a {value} that its samples cannot add up to")]
    TooLarge {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
        /// Its name.
        value: &'static str,
    },
    /// A ray count is impossible.
    #[error("pixel {x},{y} claims {got} {kind} rays, {samples} samples take {min} to {max}")]
    Rays {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
        /// Closest-hit or shadow.
        kind: &'static str,
        /// Rays claimed.
        got: u32,
        /// Samples of the pixel.
        samples: u32,
        /// Fewest rays possible.
        min: u64,
        /// Most rays possible.
        max: u64,
    },
    /// The squares add up to less than any samples with this mean could give.
    #[error("pixel {x},{y} claims less than no variance: its squares do not fit its sum")]
    Variance {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
    },
    /// The reserved word is in use.
    #[error("pixel {x},{y} uses the reserved word")]
    Reserved {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
    },
}

impl Trip {
    /// The pixel, in frame coordinates.
    #[must_use]
    pub const fn place(&self) -> (u32, u32) {
        match *self {
            Self::Samples { x, y, .. }
            | Self::NotFinite { x, y }
            | Self::Negative { x, y, .. }
            | Self::TooLarge { x, y, .. }
            | Self::Rays { x, y, .. }
            | Self::Variance { x, y }
            | Self::Reserved { x, y } => (x, y),
        }
    }
}

/// Rounding that sums of a batch may have gathered, relative: 65 536 additions at 2⁻²⁴ stay
/// under 0.4 %.
const ROUNDING: f32 = 0.01;

/// Checks a film against the samples it should have.
///
/// `frame_samples` are the samples per pixel of the whole frame: the last chunk may be short.
///
/// # Errors
/// The first [`Trip`], in rows from the upper left.
pub fn check(film: &Film, frame_samples: u32, bounds: &RayBounds) -> Result<(), Trip> {
    let range = film.batch().samples(frame_samples);
    let wanted = range.end - range.start;
    for (at, ((x, y), pixel)) in film.rect().pixels().zip(film.pixels()).enumerate() {
        if pixel.samples != wanted {
            let (batch, got) = (film.batch(), pixel.samples);
            return Err(Trip::Samples { x, y, batch, got, wanted });
        }
        if pixel.reserved != 0 {
            return Err(Trip::Reserved { x, y });
        }
        check_values(x, y, pixel)?;
        if let Some(passes) = film.sums().passes_of(at) {
            check_passes(x, y, passes)?;
        }
        check_rays(x, y, pixel, bounds)?;
    }
    Ok(())
}

fn check_passes(x: u32, y: u32, passes: &Passes) -> Result<(), Trip> {
    if !passes.values().iter().all(|sum| sum.is_finite()) {
        return Err(Trip::NotFinite { x, y });
    }
    let negative = passes.named().into_iter().find(|(_, sums)| sums.iter().any(|&sum| sum < 0.0));
    negative.map_or(Ok(()), |(value, _)| Err(Trip::Negative { x, y, value }))
}

fn check_values(x: u32, y: u32, pixel: &Pixel) -> Result<(), Trip> {
    if !pixel.is_finite() {
        return Err(Trip::NotFinite { x, y });
    }
    let sums: [(&'static str, &[f32]); 5] = [
        ("beauty", &pixel.beauty),
        ("alpha", &[pixel.alpha]),
        ("albedo", &pixel.albedo),
        ("depth", &[pixel.depth]),
        ("squared luminance", &[pixel.luminance_squared]),
    ];
    for (value, sums) in sums {
        if sums.iter().any(|&sum| sum < 0.0) {
            return Err(Trip::Negative { x, y, value });
        }
    }
    let count = pixel.samples as f32;
    if pixel.alpha > count {
        return Err(Trip::TooLarge { x, y, value: "alpha" });
    }
    let length_squared: f32 = pixel.normal.iter().map(|n| (n / count) * (n / count)).sum();
    if length_squared > 1.0 + 2.0 * ROUNDING {
        return Err(Trip::TooLarge { x, y, value: "normal" });
    }
    // Cauchy and Schwarz: the squares of n samples add up to the squared sum over n, or more.
    let sum = f64::from(crate::luminance(pixel.beauty));
    let least = sum * sum / f64::from(count) * f64::from(1.0 - ROUNDING);
    if f64::from(pixel.luminance_squared) < least - f64::from(f32::MIN_POSITIVE) {
        return Err(Trip::Variance { x, y });
    }
    Ok(())
}

fn check_rays(x: u32, y: u32, pixel: &Pixel, bounds: &RayBounds) -> Result<(), Trip> {
    let samples = pixel.samples;
    let most = |per_sample: u32| u64::from(samples) * u64::from(per_sample);
    let kinds = [
        // Every sample begins with a camera ray.
        ("closest-hit", pixel.closest_rays, u64::from(samples), bounds.closest_per_sample_max),
        ("shadow", pixel.shadow_rays, 0, bounds.shadow_per_sample_max),
    ];
    for (kind, got, min, per_sample) in kinds {
        let max = most(per_sample);
        if u64::from(got) < min || u64::from(got) > max {
            return Err(Trip::Rays { x, y, kind, got, samples, min, max });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Rect;

    const BOUNDS: RayBounds = RayBounds { closest_per_sample_max: 9, shadow_per_sample_max: 8 };

    fn honest() -> Film {
        let rect = Rect { x0: 8, y0: 4, x1: 11, y1: 6 };
        let pixel = Pixel {
            beauty: [16.0, 8.0, 4.0],
            alpha: 16.0,
            albedo: [8.0; 3],
            normal: [0.0, 16.0, 0.0],
            depth: 32.0,
            luminance_squared: 7.0,
            samples: 16,
            closest_rays: 40,
            shadow_rays: 30,
            reserved: 0,
        };
        Film::from_pixels(rect, Batch::new(0, 1).expect("aligned"), vec![pixel; 6]).expect("fits")
    }

    fn trip(change: impl FnOnce(&mut Pixel)) -> Option<Trip> {
        let mut film = honest();
        change(&mut film.pixels_mut()[4]);
        check(&film, 16, &BOUNDS).err()
    }

    #[test]
    fn an_honest_film_passes_and_each_lie_trips() {
        assert_eq!(trip(|_| ()), None);
        let (x, y) = (9, 5);
        let batch = Batch::new(0, 1).expect("aligned");
        let samples = Trip::Samples { x, y, batch, got: 4, wanted: 16 };
        assert_eq!(trip(|p| p.samples = 4), Some(samples));
        assert_eq!(trip(|p| p.beauty[1] = f32::NAN), Some(Trip::NotFinite { x, y }));
        assert_eq!(trip(|p| p.depth = f32::INFINITY), Some(Trip::NotFinite { x, y }));
        let negative = Trip::Negative { x, y, value: "beauty" };
        assert_eq!(trip(|p| p.beauty[2] = -0.1), Some(negative));
        let alpha = Trip::TooLarge { x, y, value: "alpha" };
        assert_eq!(trip(|p| p.alpha = 17.0), Some(alpha));
        let normal = Trip::TooLarge { x, y, value: "normal" };
        assert_eq!(trip(|p| p.normal = [0.0, 20.0, 0.0]), Some(normal));
        assert_eq!(trip(|p| p.luminance_squared = 1.0), Some(Trip::Variance { x, y }));
        assert_eq!(trip(|p| p.reserved = 1), Some(Trip::Reserved { x, y }));
        assert!(matches!(trip(|p| p.closest_rays = 15), Some(Trip::Rays { min: 16, .. })));
        assert!(matches!(trip(|p| p.closest_rays = 145), Some(Trip::Rays { max: 144, .. })));
        assert!(matches!(trip(|p| p.shadow_rays = 129), Some(Trip::Rays { kind: "shadow", .. })));
    }

    #[test]
    fn a_short_last_chunk_is_asked_for_what_it_has() {
        let film = honest();
        assert_eq!(check(&film, 40, &BOUNDS), Ok(()));
        assert!(matches!(check(&film, 8, &BOUNDS), Err(Trip::Samples { wanted: 8, .. })));
    }
}
