//! A pace for bytes: how fast they may come or go, whoever they are for.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
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

impl PeerPace {
    /// Of what comes.
    pub(crate) fn down(&self) -> Option<Arc<Pace>> {
        self.down_bytes_per_second.map(|bytes| Arc::new(Pace::new(bytes)))
    }

    /// Of what goes.
    pub(crate) fn up(&self) -> Option<Arc<Pace>> {
        self.up_bytes_per_second.map(|bytes| Arc::new(Pace::new(bytes)))
    }
}

/// So many bytes a second, over all who wait for their turn.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: f64,
    /// When the line is free again.
    free_at: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: NonZeroU64) -> Self {
        let bytes_per_second = bytes_per_second.get() as f64;
        Self { bytes_per_second, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits for its turn with so many bytes.
    pub(crate) async fn wait(&self, bytes: u64) {
        let turn = {
            // A time is whole after any panic.
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            self.turn(&mut free_at, Instant::now(), bytes)
        };
        sleep_until(turn).await;
    }

    /// When so many bytes may go, and the line is taken until they have gone.
    fn turn(&self, free_at: &mut Instant, now: Instant, bytes: u64) -> Instant {
        // What was not used is not saved up.
        let turn = now.max(*free_at);
        let takes = Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_second);
        *free_at = turn + takes.unwrap_or(limits::STALL_TIMEOUT).min(limits::STALL_TIMEOUT);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_its_turn_keeps_to_the_pace() {
        let pace = Pace::new(NonZeroU64::new(1_000_000).expect("not zero"));
        let begun = Instant::now();
        let mut free_at = begun;
        // Two ask in turn, as fast as they can.
        let last = (0..200).map(|_| pace.turn(&mut free_at, begun, 10_000)).last();
        let took = last.expect("some") - begun;
        assert!(took.abs_diff(Duration::from_millis(1_990)) < Duration::from_millis(1), "{took:?}");
        // After a rest it goes on at the same pace.
        let later = begun + Duration::from_secs(60);
        let turns: Vec<_> = (0..3).map(|_| pace.turn(&mut free_at, later, 500_000)).collect();
        let half = Duration::from_millis(500);
        assert_eq!(turns, [later, later + half, later + 2 * half]);
    }
}
