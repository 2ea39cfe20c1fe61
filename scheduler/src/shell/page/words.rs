//! Numbers and states in words.

use std::time::Duration;

use protocol::Tokens;
use protocol::view::{JobStatus, NodeView, TileStatus};

/// How many, with the noun: `1 node`, `2 nodes`.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A count in thousands, millions or billions.
pub(super) fn large(number: u64) -> String {
    let steps = [(1_000_000_000_u64, "G"), (1_000_000, "M"), (1_000, "k")];
    steps.iter().find(|(size, _)| number >= *size).map_or_else(
        || number.to_string(),
        |(size, letter)| format!("{:.1} {letter}", number as f64 / *size as f64),
    )
}

/// An amount without the zeros at its end.
pub(super) fn tokens(amount: Tokens) -> String {
    let text = amount.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A span of time, in its two largest units.
pub(super) fn span(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

pub(super) const fn status(status: JobStatus) -> (&'static str, &'static str) {
    match status {
        JobStatus::Waiting => ("waiting", "Waiting"),
        JobStatus::Rendering => ("running", "Rendering"),
        JobStatus::Paused => ("waiting", "Paused"),
        JobStatus::Done => ("ok", "Done"),
        JobStatus::Stopped => ("ok", "Stopped"),
        JobStatus::Failed => ("error", "Failed"),
        JobStatus::Cancelled => ("waiting", "Cancelled"),
    }
}

pub(super) const fn tile(status: TileStatus) -> (&'static str, &'static str) {
    match status {
        TileStatus::Waiting => ("waiting", "waiting"),
        TileStatus::Rendering => ("running", "rendering"),
        TileStatus::Retrying => ("error", "going elsewhere"),
        TileStatus::Received => ("warn", "being checked"),
        TileStatus::Accepted => ("ok", "accepted"),
    }
}

/// A node's standing: its tone, and a word.
pub(super) fn standing(node: &NodeView, is_here: bool) -> (&'static str, &'static str) {
    match (node.barred, is_here, node.class) {
        (true, ..) => ("error", "barred"),
        (false, false, _) => ("waiting", "away"),
        (false, true, None) => ("warn", "not qualified"),
        (false, true, Some(_)) if node.leases > 0 => ("running", "rendering"),
        (false, true, Some(_)) => ("ok", "ready"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(large(999), "999");
        assert_eq!(large(1_250_000), "1.2 M");
        assert_eq!(span(59_999), "59 s");
        assert_eq!(span(61_000), "1 min 1 s");
        assert_eq!(span(26 * 3_600_000), "1 d 2 h");
        assert_eq!(tokens(Tokens::from_whole(10)), "10");
        assert_eq!(tokens(Tokens::from_micro(1_250_000)), "1.25");
        assert_eq!(plural(1, "node", "nodes"), "1 node");
    }
}
