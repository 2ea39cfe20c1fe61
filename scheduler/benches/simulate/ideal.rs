//! The best that could be: all work that is ordered, done by all speed that is present, as if both were
//! fluid.

/// Work that an ideal farm has not done yet.
#[derive(Default)]
pub struct Ideal {
    /// Rays that are left.
    left: f64,
    /// Rays a millisecond of all nodes that are here.
    speed: f64,
    at_ms: f64,
    /// When it had nothing left, last.
    done_ms: f64,
    /// What it could have done while it had nothing to do, up to then: rays.
    idle: f64,
    idle_since: f64,
}

impl Ideal {
    fn advance(&mut self, now_ms: u64) {
        let now_ms = now_ms as f64;
        if self.left > 0.0 && self.speed > 0.0 {
            let needed_ms = self.left / self.speed;
            if needed_ms <= now_ms - self.at_ms {
                self.done_ms = self.at_ms + needed_ms;
                self.left = 0.0;
            } else {
                self.left -= self.speed * (now_ms - self.at_ms);
            }
        }
        self.idle_since +=
            self.speed * (now_ms - self.at_ms.max(self.done_ms)) * f64::from(self.left <= 0.0);
        self.at_ms = now_ms;
    }

    pub fn order(&mut self, now_ms: u64, rays: f64) {
        self.advance(now_ms);
        self.idle += std::mem::take(&mut self.idle_since);
        self.left += rays;
    }

    /// A node comes, or goes with a negative speed.
    pub fn speed(&mut self, now_ms: u64, change: f64) {
        self.advance(now_ms);
        self.speed = (self.speed + change).max(0.0);
    }

    /// What it could have done between two orders when it had nothing to do: rays.
    pub const fn idle(&self) -> f64 {
        self.idle
    }

    /// When the last work would have been done, milliseconds.
    pub fn done_ms(&mut self, now_ms: u64) -> f64 {
        self.advance(now_ms);
        self.done_ms
    }
}

/// Speed that lies idle.
#[derive(Default)]
pub struct Idleness {
    /// Rays a millisecond.
    speed: f64,
    at_ms: f64,
    /// Rays in all.
    rays: f64,
    /// Rays until the last lease that was no race.
    pub while_work: f64,
}

impl Idleness {
    pub fn change(&mut self, now_ms: u64, change: f64) {
        let now_ms = now_ms as f64;
        self.rays += self.speed * (now_ms - self.at_ms);
        self.at_ms = now_ms;
        self.speed = (self.speed + change).max(0.0);
    }

    /// There is still work that nobody has begun.
    pub fn begun(&mut self, now_ms: u64) {
        self.change(now_ms, 0.0);
        self.while_work = self.rays;
    }

    /// Rays since the last such lease.
    pub fn since(&mut self, now_ms: u64) -> f64 {
        self.change(now_ms, 0.0);
        self.rays - self.while_work
    }
}
