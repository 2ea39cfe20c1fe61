//! Times by which artists want their jobs: as typed, and whether they are kept.

use std::time::Duration;

use chrono::{Datelike as _, Local, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use protocol::view::JobSummary;

use crate::text;

/// A date and a time of day, as people write them.
const FORMATS: [&str; 2] = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];

/// A time to come, milliseconds since 1970: `2026-12-01 08:00` by the local clock, or `3h` from now.
///
/// # Errors
/// It is neither, is no time of that day, or is past.
pub fn parse(text: &str) -> Result<u64, String> {
    parse_at(text, text::now_ms(), &Local)
}

fn parse_at(text: &str, now_ms: u64, zone: &impl TimeZone) -> Result<u64, String> {
    let text = text.trim();
    let date = FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let Some(date) = date else {
        let span = humantime::parse_duration(text).map_err(|_no_span| {
            "expected a local time, as \"2026-12-01 08:00\", or a span from now, as 3h or \"2days 4h\""
                .to_owned()
        })?;
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let at_ms = now_ms.saturating_add(span_ms);
        return match rfc3339(at_ms) {
            Some(_time) => Ok(at_ms),
            None => Err(format!("{text} is later than calendars go; give a nearer time")),
        };
    };
    // Where the clock is set back a time is there twice.
    let local = zone.from_local_datetime(&date).earliest();
    let local = local.ok_or("there is no such time on that day: the clock is set ahead over it")?;
    match u64::try_from(local.timestamp_millis()) {
        Ok(at_ms) if at_ms > now_ms => Ok(at_ms),
        _ => Err(format!("{text} is past; give a time to come")),
    }
}

/// A time as descriptions of jobs have it; none where no calendar does.
pub fn rfc3339(at_ms: u64) -> Option<String> {
    let time = Utc.timestamp_millis_opt(i64::try_from(at_ms).ok()?).single()?;
    (time.year() < 10_000).then(|| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Whether a job is there when it is wanted, in words; nothing where it is wanted at no time.
pub fn outlook(job: &JobSummary, now_ms: u64) -> Option<String> {
    let by_ms = job.wanted_by_ms?;
    let span = |a: u64, b: u64| text::span(Duration::from_millis(a.saturating_sub(b)));
    Some(match (job.ended_ms, job.done_ms) {
        (Some(ended_ms), _) if ended_ms > by_ms => format!("late by {}", span(ended_ms, by_ms)),
        (Some(_), _) => "in time".to_owned(),
        (None, Some(done_ms)) if done_ms > by_ms => {
            format!("will be late by {}", span(done_ms, by_ms))
        }
        (None, Some(done_ms)) => format!("will be done {} before", span(by_ms, done_ms)),
        (None, None) if now_ms > by_ms => format!("is late by {}", span(now_ms, by_ms)),
        (None, None) => "whether it will be in time is not known yet".to_owned(),
    })
}

/// Whether a job is, or will be, too late.
pub fn is_late(job: &JobSummary, now_ms: u64) -> bool {
    let at_ms = job.ended_ms.or(job.done_ms).unwrap_or(now_ms);
    job.wanted_by_ms.is_some_and(|by_ms| at_ms > by_ms)
}

/// When a job is wanted, and whether it is there then.
pub fn line(job: &JobSummary, now_ms: u64) -> Option<String> {
    let by_ms = job.wanted_by_ms?;
    let at = Local.timestamp_millis_opt(i64::try_from(by_ms).ok()?).earliest()?;
    Some(format!("by {}; {}", at.format("%Y-%m-%d %H:%M"), outlook(job, now_ms)?))
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;
    use protocol::view::JobStatus;
    use protocol::{
        Assurance, FrameRange, JobId, JobSpec, Needs, Priority, PublicKey, RenderSettings, SceneId,
        Tokens,
    };

    use super::*;

    const MINUTE_MS: u64 = 60_000;
    /// 2026-11-29 20:00 in a zone an hour east.
    const NOW_MS: u64 = 1_795_978_800_000;

    #[test]
    fn times_are_local_dates_or_spans_from_now_and_never_past() {
        let east = FixedOffset::east_opt(3_600).expect("a zone");
        let check = |text: &str| parse_at(text, NOW_MS, &east);
        assert_eq!(check("3h"), Ok(NOW_MS + 180 * MINUTE_MS));
        assert_eq!(check(" 1day 2m "), Ok(NOW_MS + 1_442 * MINUTE_MS));
        assert_eq!(check("2026-11-29 20:01"), Ok(NOW_MS + MINUTE_MS));
        assert_eq!(check("2026-12-01T08:00"), Ok(NOW_MS + 36 * 60 * MINUTE_MS));
        for text in ["2026-11-29 20:00", "1960-01-01 00:00"] {
            let error = check(text).expect_err("past");
            assert!(error.contains(text) && error.contains("is past"), "{error}");
        }
        assert!(check("90000 years").expect_err("beyond").contains("nearer"));
        assert_eq!(rfc3339(NOW_MS).as_deref(), Some("2026-11-29T19:00:00.000Z"));
        for text in ["", "tomorrow", "2026-12-01", "2026-13-01 08:00", "-3h", "3"] {
            let error = check(text).expect_err("no time");
            assert!(error.contains("2026-12-01 08:00"), "{text}: {error}");
        }
    }

    #[test]
    fn a_job_is_late_in_words_with_by_how_much() {
        let by_ms = NOW_MS + 60 * MINUTE_MS;
        let words = |ended_ms: Option<u64>, done_ms: Option<u64>, now_ms| {
            let job = JobSummary { ended_ms, done_ms, wanted_by_ms: Some(by_ms), ..job() };
            (outlook(&job, now_ms).expect("it is wanted"), is_late(&job, now_ms))
        };
        let at = |minutes: u64| Some(NOW_MS + minutes * MINUTE_MS);
        let check = |said: (String, bool), expected: &str, late| {
            assert_eq!((said.0.as_str(), said.1), (expected, late));
        };
        check(words(None, at(80), NOW_MS), "will be late by 20 min 00 s", true);
        check(words(None, at(30), NOW_MS), "will be done 30 min 00 s before", false);
        check(words(None, None, NOW_MS), "whether it will be in time is not known yet", false);
        check(words(None, None, by_ms + MINUTE_MS), "is late by 1 min 00 s", true);
        check(words(at(61), None, u64::MAX), "late by 1 min 00 s", true);
        check(words(at(60), None, u64::MAX), "in time", false);
        assert_eq!((outlook(&job(), NOW_MS), is_late(&job(), NOW_MS)), (None, false));
    }

    fn job() -> JobSummary {
        JobSummary {
            job: JobId([0; 16]),
            spec: JobSpec {
                name: "wanted".to_owned(),
                scene: SceneId([0; 32]),
                settings: RenderSettings::default(),
                more_cameras: Vec::new(),
                frames: FrameRange::STILL,
                tile_side_px: 64,
                base: None,
                noise: None,
                needs: Needs::default(),
            },
            artist: PublicKey([0; 32]),
            status: JobStatus::Rendering,
            reason: None,
            priority: Priority::default(),
            stops_ms: None,
            wanted_by_ms: None,
            done_ms: None,
            memory: protocol::Footprint::default(),
            nodes_here: None,
            units: 2,
            units_accepted: 1,
            price: Tokens::ZERO,
            price_per_gray: Tokens::ZERO,
            assurance: Assurance::default(),
            spent: Tokens::ZERO,
            refunded: Tokens::ZERO,
            ordered_ms: 0,
            ended_ms: None,
            expired: false,
            scene_dropped: false,
        }
    }
}
