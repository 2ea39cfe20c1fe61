//! Sending a scene to a farm, with a bar and the time that is left.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use client::{Farm, Pace};
use protocol::view::SceneArrival;
use scene::Package;

use crate::progress::Progress;
use crate::text;

/// Sends a scene unless the farm has it, and says what was sent; returns what came of it.
///
/// # Errors
/// The farm did not take it.
pub async fn send(farm: &Farm, package: Package) -> anyhow::Result<SceneArrival> {
    let (size, scene) = (text::bytes(package.size_bytes()), package.id().short());
    let begun = Instant::now();
    let (mut pace, mut bar) = (Pace::default(), None::<Progress>);
    let sent = farm.offer_scene(package, |arrival| {
        let SceneArrival { found_bytes, received_bytes, size_bytes, .. } = arrival;
        let to_send = size_bytes - found_bytes.min(size_bytes);
        let come = received_bytes.saturating_sub(found_bytes).min(to_send);
        let word = pace_word(&mut pace, begun.elapsed(), come, to_send);
        let bar = bar.get_or_insert_with(|| Progress::start("sending", ["kB", "kB"]));
        bar.show(come / 1000, to_send.div_ceil(1000), &word);
    });
    let arrival = sent.await.context("the farm did not take the scene")?;
    drop(bar);
    note!("  scene       {size}, {scene}, {}", sent_word(&arrival, begun.elapsed()));
    Ok(arrival)
}

/// What had to be sent of a scene that has come.
fn sent_word(arrival: &SceneArrival, took: Duration) -> String {
    let SceneArrival { found_bytes, size_bytes, .. } = *arrival;
    match size_bytes.saturating_sub(found_bytes) {
        0 => "the farm had it".to_owned(),
        sent if found_bytes == 0 => format!("{} sent in {}", text::bytes(sent), text::span(took)),
        sent => {
            format!("{} sent in {}, the farm had the rest", text::bytes(sent), text::span(took))
        }
    }
}

/// How fast it goes and how long it will take.
fn pace_word(pace: &mut Pace, now: Duration, come: u64, to_send: u64) -> String {
    match pace.note(now, come, to_send) {
        None => String::new(),
        Some((rate, left)) => {
            format!("{}/s, {} left", text::bytes(rate as u64), text::span(left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    #[test]
    fn what_was_there_is_not_said_to_be_sent() {
        let check = |found_bytes, size_bytes, expected: &str| {
            let received_bytes = size_bytes;
            let arrival = SceneArrival { found_bytes, received_bytes, size_bytes, is_whole: true };
            assert_eq!(sent_word(&arrival, Duration::from_secs(3)), expected);
        };
        check(0, 12 * MB, "12.0 MB sent in 3.0 s");
        check(10 * MB, 12 * MB, "2.0 MB sent in 3.0 s, the farm had the rest");
        check(12 * MB, 12 * MB, "the farm had it");
    }
}
