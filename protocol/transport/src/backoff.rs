//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double, each shortened by up to a half so that peers do not return all at once.
#[derive(Debug, Clone)]
pub struct Backoff {
    seed: u64,
    attempts: u32,
}

impl Backoff {
    /// The first wait is at most this.
    pub const FIRST: Duration = Duration::from_millis(500);
    /// No wait is above this.
    pub const LONGEST: Duration = Duration::from_secs(30);

    /// Peers with different seeds wait differently.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, attempts: 0 }
    }

    /// The wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let doubled = Self::FIRST.saturating_mul(1 << self.attempts.min(10));
        let whole = doubled.min(Self::LONGEST);
        // One round of splitmix64: any mixing of seed and attempt will do.
        let mut bits = self.seed.wrapping_add(u64::from(self.attempts) << 32);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.attempts = self.attempts.saturating_add(1);
        whole - whole.mul_f64((bits >> 40) as f64 / f64::from(1 << 25))
    }

    /// An attempt succeeded: begin anew.
    pub const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew() {
        let mut backoff = Backoff::new(9);
        for attempt in 0..20 {
            let whole = Backoff::FIRST.saturating_mul(1 << attempt.min(10)).min(Backoff::LONGEST);
            let wait = backoff.next_wait();
            assert!(wait <= whole && wait >= whole / 2, "{attempt}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Backoff::FIRST);
        assert_ne!(Backoff::new(1).next_wait(), Backoff::new(2).next_wait());
    }
}
