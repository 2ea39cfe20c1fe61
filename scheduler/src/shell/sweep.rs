//! Jobs that ended long ago expire, and films that nobody needs any more leave the disk.

use std::sync::Arc;
use std::time::Duration;

use super::by_hash::ByHash;
use super::desk::DeskHandle;
use crate::core::keep;

/// Sweeps again and again; ends when the desk has.
pub(super) async fn tend(desk: &DeskHandle, films: &Arc<ByHash>, every: Duration) {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let needed = desk.ask(|desk| {
            let now_ms = desk.now_ms();
            let expired = keep::expired(desk.state(), now_ms);
            if !expired.is_empty() {
                tracing::info!(jobs = expired.len(), "jobs of long ago expire");
            }
            expired.into_iter().for_each(|event| desk.apply(event));
            keep::films(&desk.state().book)
        });
        let Ok(needed) = needed.await else { return };
        let films = films.clone();
        // What a node is sending now is named by no event yet, but is younger than this.
        let swept = tokio::task::spawn_blocking(move || films.sweep(&needed, every)).await;
        match swept {
            Ok(Ok((0, _))) => {}
            Ok(Ok((files, bytes))) => {
                tracing::info!(files, bytes, "films that nobody needs are gone")
            }
            Ok(Err(error)) => {
                tracing::warn!("the films were not swept: {}", super::door::chain(&error))
            }
            Err(error) => tracing::warn!("the films were not swept: {error}"),
        }
    }
}
