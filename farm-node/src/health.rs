//! Whether this machine renders what it must: a film of the built-in scene whose bits are known.

use film::Film;
use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend as _, Cancel, CpuBackend, Work};

/// [`Film::root`] of the golden film of this engine; `renderer`'s golden test has the same.
const GOLDEN: &str = "b3_92f8ae27a8820eea9ffae0b42fea5f09953e827622b673b7250d8e89918f56cd";
/// A value that is off by more than this share of the right one differs.
const TOLERANCE: f32 = 1e-3;
/// Pixels that may differ on a device that is not exact, one in so many.
const DIFFERING_MAX: usize = 100;

/// What a machine renders, against what it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The right bits.
    Exact,
    /// Other bits, of the right picture: a graphics device that rounds in its own way.
    Tolerant {
        /// Pixels beyond the tolerance.
        differing: usize,
    },
    /// Another picture.
    Sick {
        /// Pixels beyond the tolerance.
        differing: usize,
    },
}

/// How the golden film is rendered.
#[must_use]
pub fn golden_settings() -> RenderSettings {
    RenderSettings { size: Size::new(48, 32), samples: 16, ..RenderSettings::default() }
}

/// Its samples.
#[must_use]
pub fn golden_batch() -> Batch {
    Batch::new(0, 1).expect("invariant: one chunk is a batch")
}

/// Judges the golden film that a backend rendered. On the CPU every bit counts; a graphics device
/// is held against this machine's CPU, which must itself be right.
#[must_use]
pub fn judge(film: &Film, on_cpu: bool) -> Health {
    if film.root().to_string() == GOLDEN {
        return Health::Exact;
    }
    let settings = golden_settings();
    let Ok(scene) = renderer::prepare(&scene::golden(), &settings, 0.0) else {
        return Health::Sick { differing: film.pixels().len() };
    };
    let work = Work { rect: Rect::of_size(settings.size), batch: golden_batch() };
    let right = CpuBackend::new(None).render(&scene, work, &Cancel::default());
    let right = right.ok().filter(|right| right.root().to_string() == GOLDEN);
    let Some(right) = right.filter(|right| right.pixels().len() == film.pixels().len()) else {
        return Health::Sick { differing: film.pixels().len() };
    };
    let differing = count_differing(film, &right);
    if on_cpu || differing * DIFFERING_MAX > film.pixels().len() {
        Health::Sick { differing }
    } else {
        Health::Tolerant { differing }
    }
}

fn count_differing(film: &Film, right: &Film) -> usize {
    // Written so that no number differs from every number.
    let close = |a: f32, b: f32| (a - b).abs() <= TOLERANCE * b.abs().max(TOLERANCE);
    let pairs = film.pixels().iter().zip(right.pixels());
    pairs.filter(|(a, b)| !a.beauty.iter().zip(&b.beauty).all(|(&a, &b)| close(a, b))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Film {
        let settings = golden_settings();
        let scene = renderer::prepare(&scene::golden(), &settings, 0.0).expect("prepared");
        let work = Work { rect: Rect::of_size(settings.size), batch: golden_batch() };
        CpuBackend::new(None).render(&scene, work, &Cancel::default()).expect("rendered")
    }

    #[test]
    fn this_machine_renders_what_it_must() {
        let film = golden();
        assert_eq!(film.root().to_string(), GOLDEN, "the engine changed: renew the hash here too");
        assert_eq!(judge(&film, true), Health::Exact);
    }

    #[test]
    fn a_wrong_bit_is_sickness_on_a_cpu_and_rounding_on_a_graphics_device() {
        let mut film = golden();
        let value = &mut film.pixels_mut()[700].beauty[0];
        *value = f32::from_bits(value.to_bits() ^ 1);
        assert_eq!(judge(&film, true), Health::Sick { differing: 0 });
        assert_eq!(judge(&film, false), Health::Tolerant { differing: 0 });
        film.pixels_mut()[3].beauty[1] = f32::NAN;
        assert_eq!(judge(&film, false), Health::Tolerant { differing: 1 });
        film.pixels_mut().iter_mut().step_by(50).for_each(|pixel| pixel.beauty[2] += 1.0);
        let sick = judge(&film, false);
        assert!(matches!(sick, Health::Sick { differing } if differing > 15), "{sick:?}");
    }
}
