//! Sending a scene to a farm, with a bar and the time that is left.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use protocol::view::SceneArrival;
use scene::Package;

use crate::client::Farm;
use crate::progress::Progress;
use crate::text;

/// The pace is that of so much time: a line that has become slow shows it.
const PACE_SPAN: Duration = Duration::from_secs(15);

/// Sends a scene unless the farm has it, and says what was sent.
///
/// # Errors
/// The farm did not take it.
pub async fn send(farm: &Farm, package: Package) -> anyhow::Result<()> {
    let (size, scene) = (text::bytes(package.size_bytes()), package.id().short());
    let begun = Instant::now();
    let (mut pace, mut bar) = (Pace::default(), None::<Progress>);
    let sent = farm.offer_scene(package, |arrival| {
        let SceneArrival { found_bytes, received_bytes, size_bytes, .. } = arrival;
        let to_send = size_bytes - found_bytes.min(size_bytes);
        let come = received_bytes.saturating_sub(found_bytes).min(to_send);
        let word = pace.word(begun.elapsed(), come, to_send);
        let bar = bar.get_or_insert_with(|| Progress::start("sending", "kB"));
        bar.show(come / 1000, to_send.div_ceil(1000), &word);
    });
    let arrival = sent.await.context("the farm did not take the scene")?;
    drop(bar);
    eprintln!("  scene       {size}, {scene}, {}", sent_word(&arrival, begun.elapsed()));
    Ok(())
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

/// How fast it goes, over the last while.
#[derive(Debug, Default)]
struct Pace {
    /// When how many bytes had come, the oldest first.
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// Notes what has come, and says how fast it goes and how long it will take.
    fn word(&mut self, now: Duration, come: u64, to_send: u64) -> String {
        match self.note(now, come, to_send) {
            None => String::new(),
            Some((rate, left)) => {
                format!("{}/s, {} left", text::bytes(rate as u64), text::span(left))
            }
        }
    }

    /// Bytes a second, and the time that is left; nothing before there is a pace.
    fn note(&mut self, now: Duration, come: u64, to_send: u64) -> Option<(f64, Duration)> {
        // An attempt that begins anew begins a new pace.
        if self.seen.back().is_some_and(|&(_at, before)| before > come) {
            self.seen.clear();
        }
        while self.seen.len() > 1 && self.seen.front().is_some_and(|(at, _)| *at + PACE_SPAN < now)
        {
            self.seen.pop_front();
        }
        self.seen.push_back((now, come));
        let &(since, before) = self.seen.front()?;
        let rate = (come - before) as f64 / (now - since).as_secs_f64();
        if !rate.is_finite() || rate <= 0.0 {
            return None;
        }
        let left = (to_send.saturating_sub(come) as f64 / rate).min(1e9);
        Some((rate, Duration::from_secs_f64(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn note(pace: &mut Pace, second: u64, come_mb: u64) -> Option<(u64, u64)> {
        let noted = pace.note(Duration::from_secs(second), come_mb * MB, 100 * MB);
        noted.map(|(rate, left)| (rate as u64 / MB, left.as_secs()))
    }

    #[test]
    fn the_pace_is_that_of_the_last_while() {
        let mut pace = Pace::default();
        assert_eq!(note(&mut pace, 1, 0), None, "one look is no pace");
        assert_eq!(note(&mut pace, 2, 10), Some((10, 9)));
        assert_eq!(note(&mut pace, 3, 20), Some((10, 8)));
        // It becomes slow: at first it is the mean, later the slow pace alone.
        assert_eq!(note(&mut pace, 13, 30), Some((2, 28)));
        assert_eq!(note(&mut pace, 24, 41), Some((1, 59)));
        // And stands still.
        for second in 25..40 {
            note(&mut pace, second, 41);
        }
        assert_eq!(note(&mut pace, 41, 41), None);
        // The connection was lost, and what was not on disk comes again.
        assert_eq!(note(&mut pace, 42, 30), None);
        assert_eq!(note(&mut pace, 43, 35), Some((5, 13)));
    }

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
