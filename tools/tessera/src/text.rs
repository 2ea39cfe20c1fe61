//! Numbers, times and tables as people read them; standard output, which may go away.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

use chrono::{Local, TimeZone as _};
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use protocol::view::JobSummary;
use protocol::{RayCount, RenderSettings, Tokens};

/// Prints a line of data on standard output.
///
/// # Errors
/// The reader has gone ([`io::ErrorKind::BrokenPipe`]), or the disk is full.
pub fn print(line: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A count with a space every three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A count in thousands, millions or billions.
pub fn short_count(number: u64) -> String {
    scaled(number as f64, 1000.0, &["", " k", " M", " G", " T"])
}

/// Bytes in kB, MB or GB.
pub fn bytes(number: u64) -> String {
    scaled(number as f64, 1000.0, &[" B", " kB", " MB", " GB", " TB"])
}

/// Rays of both kinds.
pub fn rays(rays: RayCount) -> String {
    short_count(rays.total())
}

/// What is rendered of which frame: `1920x1080 px`, `320x200 px at 800,300 of 1920x1080 px`.
pub fn frame(settings: &RenderSettings) -> String {
    let size = settings.size;
    match (&settings.crop, settings.overscan) {
        (Some(crop), _) => format!("{} px at {},{} of {size} px", crop.size, crop.x, crop.y),
        (None, 0) => format!("{size} px"),
        (None, overscan) => format!("{size} px and {overscan} px around"),
    }
}

fn scaled(mut number: f64, base: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= base * 0.9995 && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let decimals = if unit == 0 || number >= 99.95 { 0 } else { 1 };
    format!("{number:.decimals$}{}", units[unit])
}

/// A span of time: `0.4 s`, `41 s`, `2 min 05 s`, `3 h 07 min`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How long ago a time was, both in milliseconds since 1970.
pub fn ago(then_ms: u64, now_ms: u64) -> String {
    format!("{} ago", span(Duration::from_secs(now_ms.saturating_sub(then_ms) / 1000)))
}

/// A time by the local clock: `2026-12-01 08:00:00`.
pub fn clock(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok();
    let time = time.and_then(|ms| Local.timestamp_millis_opt(ms).earliest());
    time.map_or_else(|| "?".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// An amount as the screens show it: two decimals, or all six when two would show nothing.
pub fn tokens(amount: Tokens) -> String {
    if amount.is_zero() || amount.micro() >= Tokens::MICRO / 100 {
        format!("{amount:.2}")
    } else {
        amount.to_string()
    }
}

/// Micro-tokens that may be below zero, in tokens with all six decimals.
pub fn signed_tokens(micro: i128) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    format!("{sign}{}", Tokens::from_micro(micro.unsigned_abs()))
}

/// A share in millionths as a percentage.
pub fn percent(ppm: u32) -> String {
    format!("{:.1} %", f64::from(ppm) / 10_000.0)
}

/// `1 tile`, `2 tiles`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// So many of so many: `0 of 1 unit`, `7 of 12 units`.
pub fn share(some: u64, all: u64, [one, many]: [&str; 2]) -> String {
    format!("{} of {}", count(some), plural(all, one, many))
}

/// How a job stands, and why where there is more to say: `paused: by you`.
pub fn standing(job: &JobSummary) -> String {
    let status = job.status.word();
    job.reason.as_ref().map_or_else(|| status.to_owned(), |reason| format!("{status}: {reason}"))
}

/// A plain table. Columns named in `right` hold numbers.
pub fn table(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_style(TableComponent::HeaderLines, '─');
    table.set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for &index in right {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use protocol::view::JobStatus;

    use super::*;

    #[test]
    fn counts() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(14_745_600), "14 745 600");
        assert_eq!(short_count(999), "999");
        assert_eq!(short_count(14_745_600), "14.7 M");
        assert_eq!(short_count(999_999), "1.0 M");
        assert_eq!(bytes(123_456_789), "123 MB");
    }

    #[test]
    fn spans() {
        let check = |ms, text| assert_eq!(span(Duration::from_millis(ms)), text);
        check(412, "0.4 s");
        check(41_900, "41 s");
        check(125_000, "2 min 05 s");
        check(11_220_000, "3 h 07 min");
    }

    #[test]
    fn small_amounts_are_not_shown_as_nothing() {
        assert_eq!(tokens(Tokens::ZERO), "0.00");
        assert_eq!(tokens(Tokens::from_micro(1_234_567)), "1.23");
        assert_eq!(tokens(Tokens::from_micro(9_999)), "0.009999");
        assert_eq!(signed_tokens(-1_500_000), "-1.500000");
    }

    #[test]
    fn what_there_is_one_of_is_said_as_one() {
        let units = |some, all| share(some, all, ["unit", "units"]);
        assert_eq!((units(0, 1).as_str(), units(1, 1).as_str()), ("0 of 1 unit", "1 of 1 unit"));
        assert_eq!(units(960, 1920), "960 of 1 920 units");
        assert_eq!(units(0, 0), "0 of 0 units");
    }

    #[test]
    fn a_job_stands_for_a_reason() {
        let job = |status, reason: Option<&str>| JobSummary {
            status,
            reason: reason.map(ToOwned::to_owned),
            ..crate::examples::job()
        };
        assert_eq!(standing(&job(JobStatus::Paused, Some("by you"))), "paused: by you");
        assert_eq!(standing(&job(JobStatus::Done, None)), "done");
    }

    #[test]
    fn a_table_has_a_row_for_each_row() {
        let table = table(&["node", "tiles"], &[1], vec![vec!["ada".into(), "7".into()]]);
        let text = table.to_string();
        assert!(text.contains("ada") && text.contains("tiles"), "{text}");
    }
}
