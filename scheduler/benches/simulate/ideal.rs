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
        self.at_ms = now_ms;
    }

    pub fn order(&mut self, now_ms: u64, rays: f64) {
        self.advance(now_ms);
        self.left += rays;
    }

    /// A node comes, or goes with a negative speed.
    pub fn speed(&mut self, now_ms: u64, change: f64) {
        self.advance(now_ms);
        self.speed = (self.speed + change).max(0.0);
    }

    /// When the last work would have been done, milliseconds.
    pub fn done_ms(&mut self, now_ms: u64) -> f64 {
        self.advance(now_ms);
        self.done_ms
    }
}
