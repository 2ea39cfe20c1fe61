//! How heavy a scene is: the time of one of its metered rays, beside the reference scene's.

use std::time::Duration;

use protocol::RayCount;

/// Weight of the reference scene, percent.
pub const REFERENCE_PERCENT: u32 = 100;
/// Lightest that a scene may count, percent.
pub const WEIGHT_PERCENT_MIN: u32 = 50;
/// Heaviest that a scene may count, percent.
pub const WEIGHT_PERCENT_MAX: u32 = 400;

/// The weights there are: half an octave apart, farther than measurements of one scene lie.
const WEIGHTS: [u32; 7] =
    [WEIGHT_PERCENT_MIN, 71, REFERENCE_PERCENT, 141, 200, 283, WEIGHT_PERCENT_MAX];

/// Rays that were traced in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timed {
    /// Rays.
    pub rays: RayCount,
    /// How long they took.
    pub took: Duration,
}

impl Timed {
    /// Nanoseconds of a metered ray; none of no rays.
    fn ns_per_ray(&self) -> Option<f64> {
        let rays = self.rays.metered_centirays() as f64 / 100.0;
        (rays > 0.0).then(|| self.took.as_nanos() as f64 / rays)
    }
}

/// The weight of a scene, in percent: one of seven steps between 50 and 400.
///
/// The reference's where there is nothing to compare.
#[must_use]
pub fn weight_percent(scene: Timed, reference: Timed) -> u32 {
    let ratio = scene.ns_per_ray().zip(reference.ns_per_ray());
    let ratio = ratio.filter(|(_, reference)| *reference > 0.0).map(|(scene, of)| scene / of);
    let Some(ratio) = ratio.filter(|ratio| ratio.is_finite()) else { return REFERENCE_PERCENT };
    // Half octaves from the lightest on, to the nearest.
    let lightest = f64::from(WEIGHT_PERCENT_MIN) / 100.0;
    let step = ((ratio.max(lightest) / lightest).log2() * 2.0).round();
    WEIGHTS[(step as usize).min(WEIGHTS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(closest: u64, shadow: u64, ms: u64) -> Timed {
        Timed { rays: RayCount { closest, shadow }, took: Duration::from_millis(ms) }
    }

    #[track_caller]
    fn check(percent: u64, expected: u32) {
        let scene = timed(1_000_000, 0, percent);
        assert_eq!(weight_percent(scene, timed(1_000_000, 0, 100)), expected, "{percent} %");
    }

    #[test]
    fn weights_are_coarse_and_bounded() {
        for (percent, expected) in
            [(1, 50), (59, 50), (60, 71), (85, 100), (100, 100), (118, 100), (120, 141)]
        {
            check(percent, expected);
        }
        for (percent, expected) in [(160, 141), (200, 200), (290, 283), (340, 400), (9_999, 400)] {
            check(percent, expected);
        }
    }

    #[test]
    fn rays_are_metered_before_they_are_compared() {
        // Half the work in half the time.
        assert_eq!(weight_percent(timed(100, 100, 80), timed(320, 0, 160)), 100);
        assert_eq!(weight_percent(timed(0, 0, 80), timed(320, 0, 160)), 100);
        assert_eq!(weight_percent(timed(320, 0, 80), timed(0, 0, 0)), 100);
        assert_eq!(weight_percent(timed(320, 0, 80), timed(320, 0, 0)), 100);
    }
}
