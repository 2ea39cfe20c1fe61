//! A pace for bytes: how fast they may come or go, whoever they are for.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::limits;
use tokio::time::{Instant, sleep_until};

/// Most that a peer takes of its line, bytes a second each way; without a number, all there is.
///
/// Short messages wait for nobody: a peer that is slow is still heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerPace {
    /// Scenes that are fetched, from whomever.
    pub down_bytes_per_second: Option<NonZeroU64>,
    /// What calls carry, such as films, and scenes that others fetch.
    pub up_bytes_per_second: Option<NonZeroU64>,
}

/// What a peer has carried since it was bound, bytes; short messages and what secures the line are
/// not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried {
    /// Of scenes, fetched from whomever.
    pub down_bytes: u64,
    /// Of what calls carry, such as films, and of scenes that others fetch.
    pub up_bytes: u64,
}

/// So many bytes a second, over all who wait for their turn, and how many have gone.
#[derive(Debug)]
pub(crate) struct Pace {
    line: Mutex<Line>,
    carried_bytes: AtomicU64,
}

#[derive(Debug)]
struct Line {
    /// As fast as it goes without it.
    bytes_per_second: Option<NonZeroU64>,
    /// When the line is free again.
    free_at: Instant,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        let line = Line { bytes_per_second, free_at: Instant::now() };
        Self { line: Mutex::new(line), carried_bytes: AtomicU64::new(0) }
    }

    /// Goes on at another pace; who waits for a turn of the old one keeps that.
    pub(crate) fn set(&self, bytes_per_second: Option<NonZeroU64>) {
        let mut line = self.line();
        if line.bytes_per_second != bytes_per_second {
            *line = Line { bytes_per_second, free_at: Instant::now() };
        }
    }

    /// Waits for its turn with so many bytes.
    pub(crate) async fn wait(&self, bytes: u64) {
        let turn = self.line().turn(Instant::now(), bytes);
        if let Some(turn) = turn {
            sleep_until(turn).await;
        }
    }

    /// Notes bytes that have gone, or come.
    pub(crate) fn note(&self, bytes: u64) {
        self.carried_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// All that were noted.
    pub(crate) fn carried_bytes(&self) -> u64 {
        self.carried_bytes.load(Ordering::Relaxed)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // A pace and a time are whole after any panic.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// When so many bytes may go, and the line is taken until they have gone; none at once.
    fn turn(&mut self, now: Instant, bytes: u64) -> Option<Instant> {
        let bytes_per_second = self.bytes_per_second?.get() as f64;
        // What was not used is not saved up.
        let turn = now.max(self.free_at);
        let takes = Duration::try_from_secs_f64(bytes as f64 / bytes_per_second);
        self.free_at = turn + takes.unwrap_or(limits::STALL_TIMEOUT).min(limits::STALL_TIMEOUT);
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_its_turn_keeps_to_the_pace() {
        let pace = Pace::new(NonZeroU64::new(1_000_000));
        let begun = Instant::now();
        let mut line = pace.line();
        line.free_at = begun;
        // Two ask in turn, as fast as they can.
        let last = (0..200).map(|_| line.turn(begun, 10_000)).last();
        let took = last.flatten().expect("a turn") - begun;
        assert!(took.abs_diff(Duration::from_millis(1_990)) < Duration::from_millis(1), "{took:?}");
        // After a rest it goes on at the same pace.
        let later = begun + Duration::from_secs(60);
        let turns: Vec<_> = (0..3).map(|_| line.turn(later, 500_000).expect("a turn")).collect();
        let half = Duration::from_millis(500);
        assert_eq!(turns, [later, later + half, later + 2 * half]);
    }

    #[test]
    fn a_pace_can_change_and_end() {
        let pace = Pace::new(NonZeroU64::new(1_000));
        let begun = Instant::now();
        assert!(pace.line().turn(begun, 60_000).is_some());
        assert!(pace.line().free_at > begun + Duration::from_secs(10), "the line is taken");
        pace.set(NonZeroU64::new(2_000));
        let free_at = pace.line().free_at;
        assert!(free_at < begun + Duration::from_secs(10), "what was planned is forgotten");
        pace.set(NonZeroU64::new(2_000));
        assert_eq!(pace.line().free_at, free_at, "the same pace goes on");
        pace.set(None);
        assert_eq!(pace.line().turn(begun, u64::MAX), None);
        pace.note(7);
        pace.note(8);
        assert_eq!(pace.carried_bytes(), 15);
    }
}
