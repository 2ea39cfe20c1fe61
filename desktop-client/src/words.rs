//! Numbers and states in words.

use protocol::view::{BlockView, JobStatus, NodeView};
use protocol::{NodeId, Size, Tokens};

use crate::state::live::TileLook;

/// Why what needs the farm cannot be done.
pub const FARM_AWAY: &str = "The farm cannot be reached now";

/// `3.60 TES`; amounts under a cent show all six decimals rather than nothing.
#[must_use]
pub fn tokens(amount: Tokens) -> String {
    format!("{} TES", bare_tokens(amount))
}

/// The amount without its unit, for columns that name it.
#[must_use]
pub fn bare_tokens(amount: Tokens) -> String {
    if !amount.is_zero() && amount.micro() < Tokens::MICRO / 100 {
        return amount.to_string();
    }
    format!("{amount:.2}")
}

/// `1.2 M`, `840`: three digits at most before the letter.
#[must_use]
pub fn count(value: u64) -> String {
    let scales = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    for (scale, letter) in scales {
        if value as f64 >= scale {
            return format!("{:.1} {letter}", value as f64 / scale);
        }
    }
    value.to_string()
}

/// `1 node`, `42 nodes`.
#[must_use]
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `1 of 60 units`, `0 of 1 unit`.
#[must_use]
pub fn units(accepted: u64, of: u64) -> String {
    format!("{accepted} of {}", plural(of, "unit", "units"))
}

/// `812 MB`, `4.2 kB`: decimal, as disks are sold.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let scales = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    for (scale, unit) in scales {
        let value = bytes as f64 / scale;
        if value >= 100.0 {
            return format!("{value:.0} {unit}");
        }
        if value >= 1.0 {
            return format!("{value:.1} {unit}");
        }
    }
    format!("{bytes} B")
}

/// How long: `40 s`, `6 min`, `2 h 5 min`, `3 days`.
#[must_use]
pub fn span(span: std::time::Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..100 => format!("{} s", seconds.max(1)),
        100..5_400 => format!("{} min", seconds.div_ceil(60)),
        5_400..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The same with a capital at its beginning.
#[must_use]
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `640 × 360 px`.
#[must_use]
pub fn size(size: Size) -> String {
    format!("{} × {} px", size.width, size.height)
}

/// `52 %`, never 100 % before all is there.
#[must_use]
pub fn percent(part: u32, whole: u32) -> String {
    format!("{} %", u64::from(part) * 100 / u64::from(whole.max(1)))
}

/// How long ago: `just now`, `4 min ago`, `3 h ago`, then the date.
#[must_use]
pub fn ago(then_ms: u64, now_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => date(then_ms),
    }
}

/// `2026-11-23 10:31 UTC`.
#[must_use]
pub fn date_time(ms: u64) -> String {
    let minutes = ms / 60_000;
    format!("{} {:02}:{:02} UTC", date(ms), minutes / 60 % 24, minutes % 60)
}

/// `11-23`, by UTC: a day of this year.
#[must_use]
pub fn day(ms: u64) -> String {
    date(ms).split_off(5)
}

/// `2026-11-23`, by UTC. Days to a date after H. Hinnant's `civil_from_days`.
#[must_use]
pub fn date(ms: u64) -> String {
    let days = ms / 86_400_000 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Reputation between 0 and 1: `0.94`.
#[must_use]
pub fn reputation(node: &NodeView) -> String {
    format!("{:.2}", f64::from(node.reputation.mean_ppm) / 1e6)
}

/// What a reputation rests on.
#[must_use]
pub fn reputation_reason(node: &NodeView) -> String {
    let reputation = node.reputation;
    if reputation.accepted + reputation.refused + reputation.dropped == 0 {
        return "no work judged yet".to_owned();
    }
    let mut reasons = vec![format!("{} accepted", reputation.accepted)];
    if reputation.refused > 0 {
        reasons.push(format!("{} refused", reputation.refused));
    }
    if reputation.dropped > 0 {
        reasons.push(format!("{} dropped", reputation.dropped));
    }
    reasons.join(", ")
}

/// Whom an artist keeps off: `attic (nod_3f3f3f3f)`, `All nodes of key_3f3f3f3f: attic, cellar`.
#[must_use]
pub fn blocked(block: &BlockView) -> String {
    let names = block.nodes.join(", ");
    let (node, owner) = (NodeId(block.who.0).short(), block.who.short());
    match (block.is_node, names.is_empty()) {
        (true, true) => node,
        (true, false) => format!("{names} ({node})"),
        (false, true) => format!("All nodes of {owner}"),
        (false, false) => format!("All nodes of {owner}: {names}"),
    }
}

/// A job's status.
#[must_use]
pub const fn job_status(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Waiting => "Waiting",
        JobStatus::Rendering => "Rendering",
        JobStatus::Paused => "Paused",
        JobStatus::Done => "Done",
        JobStatus::Stopped => "Stopped",
        JobStatus::Failed => "Failed",
        JobStatus::Cancelled => "Cancelled",
    }
}

/// How a tile stands.
#[must_use]
pub const fn tile_look(look: TileLook) -> &'static str {
    match look {
        TileLook::Waiting => "Waiting",
        TileLook::Partial => "In part",
        TileLook::Rendering => "Rendering",
        TileLook::Retrying => "Retrying",
        TileLook::Received => "Received",
        TileLook::Accepted => "Accepted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_amounts_do_not_vanish() {
        assert_eq!(tokens(Tokens::from_micro(3_600_000)), "3.60 TES");
        assert_eq!(tokens(Tokens::from_micro(4_321)), "0.004321 TES");
        assert_eq!(tokens(Tokens::ZERO), "0.00 TES");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = 1_795_429_860_000;
        assert_eq!(date_time(now), "2026-11-23 10:31 UTC");
        assert_eq!(ago(now - 59_000, now), "just now");
        assert_eq!(ago(now - 61_000, now), "1 min ago");
        assert_eq!(ago(now - 7_300_000, now), "2 h ago");
        assert_eq!(ago(now - 86_400_000, now), "2026-11-22");
        assert_eq!(ago(now + 5_000, now), "just now", "clocks differ a little");
        assert_eq!(date_time(951_782_400_000), "2000-02-29 00:00 UTC");
    }

    #[test]
    fn bytes_and_spans_are_short() {
        let said = [999, 4_200, 812_400_000, 4_000_000_000].map(bytes);
        assert_eq!(said, ["999 B", "4.2 kB", "812 MB", "4.0 GB"]);
        let span = |seconds| span(std::time::Duration::from_secs(seconds));
        assert_eq!(
            [0, 40, 330, 7_500, 260_000].map(span),
            ["1 s", "40 s", "6 min", "2 h 5 min", "3 days"]
        );
    }

    #[test]
    fn who_is_blocked_is_a_node_or_all_of_an_owners() {
        let said = |is_node, nodes: &[&str]| {
            let nodes = nodes.iter().map(|name| (*name).to_owned()).collect();
            let who = protocol::PublicKey([0x3f; 32]);
            blocked(&BlockView { who, is_node, nodes, since_ms: 0 })
        };
        assert_eq!(said(true, &["attic"]), "attic (nod_3f3f3f3f)");
        assert_eq!(said(true, &[]), "nod_3f3f3f3f");
        assert_eq!(said(false, &["attic", "cellar"]), "All nodes of key_3f3f3f3f: attic, cellar");
        assert_eq!(said(false, &[]), "All nodes of key_3f3f3f3f");
    }

    #[test]
    fn counts_are_short() {
        assert_eq!([count(840), count(1_234_567)], ["840", "1.2 M"]);
        assert_eq!(plural(1, "node", "nodes"), "1 node");
    }
}
