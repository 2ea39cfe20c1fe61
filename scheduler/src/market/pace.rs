//! What a node has shown that it can do: never its own word.

use protocol::RayCount;
use serde::{Deserialize, Serialize};

/// Time after which older work counts half, milliseconds.
const HALF_MS: u64 = 20 * 60_000;

/// Work that came from a node, and how long it was at it; older work counts less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pace {
    /// Weighted rays, in hundredths.
    centirays: u128,
    /// Time, milliseconds.
    busy_ms: u64,
    /// When its last film came.
    last_ms: u64,
}

impl Pace {
    /// A film came, of a lease granted at `granted_ms`.
    ///
    /// A node that holds several leases works on one after the other: its time on this one begins
    /// with the grant or with the film before, whichever was later.
    pub fn observe(&mut self, centirays: u128, granted_ms: u64, now_ms: u64) {
        self.centirays = self.centirays.saturating_add(centirays);
        self.busy_ms += now_ms.saturating_sub(granted_ms.max(self.last_ms));
        self.last_ms = self.last_ms.max(now_ms);
        if self.busy_ms >= 2 * HALF_MS {
            self.busy_ms /= 2;
            self.centirays /= 2;
        }
    }

    /// When its last film came, milliseconds; none before the first.
    #[must_use]
    pub fn last_ms(&self) -> Option<u64> {
        (self.last_ms > 0).then_some(self.last_ms)
    }

    /// Weighted centirays a second; none before it has shown anything.
    #[must_use]
    pub fn per_second(&self) -> Option<u128> {
        // The shortest time that a clock of milliseconds can tell.
        (self.centirays > 0).then(|| self.centirays * 1_000 / u128::from(self.busy_ms.max(1)))
    }

    /// The same in rays.
    #[must_use]
    pub fn rays_per_second(&self) -> Option<u64> {
        self.per_second().map(|centirays| u64::try_from(centirays / 100).unwrap_or(u64::MAX))
    }

    /// The same as if it had taken a second at least: one film that comes at once says little of how
    /// fast the next ones come.
    #[must_use]
    pub fn steadily(&self) -> Option<u128> {
        let busy_ms = u128::from(self.busy_ms.max(1_000));
        (self.centirays > 0).then(|| self.centirays * 1_000 / busy_ms)
    }
}

/// Metered centirays of a scene of this weight, as if they were the reference scene's: what takes
/// twice as long counts twice.
#[must_use]
pub fn weighted(rays: RayCount, weight_percent: u32) -> u128 {
    rays.metered_centirays() * u128::from(weight_percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefetched_leases_do_not_count_twice() {
        let mut pace = Pace::default();
        assert_eq!(pace.per_second(), None);
        // Two leases granted at once; a film each second.
        pace.observe(500, 10_000, 11_000);
        pace.observe(500, 10_000, 12_000);
        assert_eq!(pace.per_second(), Some(500));
        // An hour without work is no slowness.
        pace.observe(500, 3_612_000, 3_613_000);
        assert_eq!(pace.per_second(), Some(500));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut pace = Pace::default();
        for minute in 0..120 {
            pace.observe(60_000, minute * 60_000, (minute + 1) * 60_000);
        }
        assert_eq!(pace.per_second(), Some(1_000));
        for minute in 120..240 {
            pace.observe(6_000, minute * 60_000, (minute + 1) * 60_000);
        }
        let now = pace.per_second().expect("shown");
        assert!((100..150).contains(&now), "{now}");
    }

    #[test]
    fn a_heavy_scenes_rays_count_more() {
        let rays = RayCount { closest: 100, shadow: 0 };
        assert_eq!(weighted(rays, 100), 10_000);
        assert_eq!(weighted(rays, 200), 20_000);
    }
}
