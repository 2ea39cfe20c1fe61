//! An allowance that fills while it rests.

use std::time::Instant;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) most: f64,
}

/// What is left; below zero where some wait for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    left: f64,
    since: Instant,
}

impl Bucket {
    pub(super) const fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.most, since: now }
    }

    /// Takes so much, and says for how many seconds whoever takes it has to wait; or, where those are
    /// more than `wait_s_max`, takes nothing and says in how many seconds to ask again. What is dearer
    /// than the bucket is large takes all of it.
    pub(super) fn take(
        &mut self,
        rate: Rate,
        cost: f64,
        now: Instant,
        wait_s_max: f64,
    ) -> Result<f64, u64> {
        let wait_s = self.wait_s(rate, cost, now);
        if wait_s > wait_s_max {
            return Err((wait_s - wait_s_max).ceil() as u64);
        }
        self.left = self.without(rate, cost, now);
        self.since = self.since.max(now);
        Ok(wait_s)
    }

    /// For how many seconds whoever takes so much now has to wait.
    pub(super) fn wait_s(&self, rate: Rate, cost: f64, now: Instant) -> f64 {
        (-self.without(rate, cost, now) / rate.per_second).max(0.0)
    }

    /// What is left once so much is taken.
    fn without(&self, rate: Rate, cost: f64, now: Instant) -> f64 {
        let rest_s = now.saturating_duration_since(self.since).as_secs_f64();
        (self.left + rest_s * rate.per_second).min(rate.most) - cost.min(rate.most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_is_taken_from_waited_for_and_fills_again() {
        let (rate, start) = (Rate { per_second: 10.0, most: 40.0 }, Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut bucket = Bucket::full(rate, start);
        let mut take = |cost, at, wait_s_max| bucket.take(rate, cost, at, wait_s_max);
        assert_eq!(take(30.0, start, 0.0), Ok(0.0));
        assert_eq!(take(30.0, start, 1.0), Err(1), "two seconds are too long");
        assert_eq!(take(30.0, start, 2.0), Ok(2.0));
        assert_eq!(take(10.0, after(1), 2.0), Ok(2.0), "behind who waits already");
        assert_eq!(take(1e9, after(60), 0.0), Ok(0.0), "the dearest takes all there is");
        assert_eq!(take(1.0, after(60), 1.0), Ok(0.1));
    }
}
