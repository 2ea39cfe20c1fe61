//! Times, as they are kept and as they are told.

/// A time, RFC 3339 in UTC.
#[must_use]
pub fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    let time = time.unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Milliseconds since 1970 of an RFC 3339 time.
#[must_use]
pub fn time_ms(text: &str) -> Option<u64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp_millis()).ok()
}

/// Milliseconds since 1970, now.
#[must_use]
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds_and_read_back() {
        assert_eq!(time(1_796_112_000_123), "2026-12-01T08:00:00.123Z");
        assert_eq!(time_ms("2026-12-01T09:00:00.123+01:00"), Some(1_796_112_000_123));
        assert_eq!(time_ms("2026-12-01"), None);
        assert!(time(u64::MAX).ends_with('Z'));
    }
}
