//! Lists in parts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::JobId;
use serde::Deserialize;

use crate::gather::Place;
use crate::problem::{Kind, Problem};
use crate::views::Page;

/// Rows of a part without a wish.
const USUAL: u32 = 100;
/// Rows of a part at most.
const MOST: u32 = 1000;

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Where it begins: the `next_cursor` of the part before; at the list's beginning without it.
    pub cursor: Option<String>,
    /// Rows, at most.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// Rows wanted.
///
/// # Errors
/// Out of range.
pub fn rows(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit as usize),
        limit => {
            let detail = format!("limit: {limit} rows cannot be asked for; choose 1 to {MOST}");
            Err(Problem::new(Kind::BadRequest, detail))
        }
    }
}

/// A place in words.
#[must_use]
pub fn cursor(words: &str) -> String {
    URL_SAFE_NO_PAD.encode(words)
}

/// The words of a place.
///
/// # Errors
/// No cursor of ours.
pub fn words(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(unknown)
}

/// The cursor after a job.
#[must_use]
pub fn after_job((ordered_ms, job): Place) -> String {
    cursor(&format!("{ordered_ms} {job}"))
}

/// The job of a cursor.
///
/// # Errors
/// No cursor of ours.
pub fn job_place(cursor: &str) -> Result<Place, Problem> {
    let words = words(cursor)?;
    let (ordered_ms, job) = words.split_once(' ').ok_or_else(unknown)?;
    let place = ordered_ms.parse::<u64>().ok().zip(job.parse::<JobId>().ok());
    place.ok_or_else(unknown)
}

/// The number of a cursor; 0 without one.
///
/// # Errors
/// No cursor of ours.
pub fn number(cursor: Option<&str>) -> Result<u64, Problem> {
    cursor.map_or(Ok(0), |cursor| words(cursor)?.parse().map_err(|_other| unknown()))
}

fn unknown() -> Problem {
    let detail = "cursor: it is none of this list; leave it out to begin again";
    Problem::new(Kind::BadRequest, detail)
}

/// A part of rows that are all at hand.
///
/// # Errors
/// The cursor, the limit.
pub fn page<T>(all: Vec<T>, part: &Part) -> Result<Page<T>, Problem> {
    let (from, limit) = (number(part.cursor.as_deref())?, rows(part.limit)?);
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let count = all.len();
    let items: Vec<T> = all.into_iter().skip(from).take(limit).collect();
    let end = from.saturating_add(items.len());
    let next_cursor = (end < count).then(|| cursor(&end.to_string()));
    Ok(Page { items, next_cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_end() {
        let part = |cursor, limit| page((0..5).collect(), &Part { cursor, limit });
        let first = part(None, Some(3)).expect("a part");
        assert_eq!(first.items, [0, 1, 2]);
        let second = part(first.next_cursor, Some(3)).expect("a part");
        assert_eq!((second.items, second.next_cursor), (vec![3, 4], None));
        assert_eq!(part(None, Some(5)).expect("a part").next_cursor, None);
        assert!(part(None, Some(0)).is_err() && part(None, Some(1001)).is_err());
        for bad in ["", "é", "AAAA", "MTIgMw"] {
            assert_eq!(part(Some(bad.to_owned()), None).expect_err(bad).status, 400, "{bad}");
        }
    }

    #[test]
    fn a_job_is_its_own_place() {
        let place = (1_796_112_000_123, JobId([7; 16]));
        assert_eq!(job_place(&after_job(place)).expect("a place"), place);
        assert!(job_place(&cursor("12 job_x")).is_err());
    }
}
