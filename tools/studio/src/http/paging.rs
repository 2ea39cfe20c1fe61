//! Lists in parts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::JobId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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

/// A part of rows that are all at hand, in the order of their keys. It goes on after the last row's key,
/// so that rows which come or go meanwhile move no others.
///
/// # Errors
/// The cursor, the limit.
pub fn page<K, T>(mut all: Vec<(K, T)>, part: &Part) -> Result<Page<T>, Problem>
where
    K: Ord + Serialize + DeserializeOwned,
{
    let limit = rows(part.limit)?;
    let after = part.cursor.as_deref().map(key::<K>).transpose()?;
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let from = all.partition_point(|(key, _)| after.as_ref().is_some_and(|after| key <= after));
    let has_more = all.len() - from > limit;
    let of_part = all.into_iter().skip(from).take(limit);
    let (keys, items): (Vec<K>, Vec<T>) = of_part.unzip();
    let last = keys.last().filter(|_| has_more);
    Ok(Page { items, next_cursor: last.map(after_key) })
}

/// The cursor after a key.
fn after_key<K: Serialize>(key: &K) -> String {
    cursor(&serde_json::to_string(key).expect("invariant: keys are numbers and text"))
}

/// The key of a cursor.
fn key<K: DeserializeOwned>(cursor: &str) -> Result<K, Problem> {
    serde_json::from_str(&words(cursor)?).map_err(|_other| unknown())
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;

    #[test]
    fn parts_follow_each_other_and_end() {
        let all = || (0..5).map(|row| ((row, "key".to_owned()), row)).rev().collect();
        let part = |cursor, limit| page(all(), &Part { cursor, limit });
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

    /// The newest first, as scenes are: between two parts one comes, and two go, one of which was the
    /// last that was seen.
    #[test]
    fn rows_that_come_and_go_move_no_others() {
        let part = |rows: &[u64], cursor| {
            let rows = rows.iter().map(|&row| (Reverse(row), row)).collect();
            page(rows, &Part { cursor, limit: Some(2) }).expect("a part")
        };
        let first = part(&[50, 40, 30, 20, 10], None);
        assert_eq!(first.items, [50, 40]);
        let second = part(&[60, 50, 30, 20, 10], first.next_cursor);
        assert_eq!(second.items, [30, 20]);
        let last = part(&[60, 50, 30, 10], second.next_cursor);
        assert_eq!((last.items, last.next_cursor), (vec![10], None));
    }

    #[test]
    fn a_job_is_its_own_place() {
        let place = (1_796_112_000_123, JobId([7; 16]));
        assert_eq!(job_place(&after_job(place)).expect("a place"), place);
        assert!(job_place(&cursor("12 job_x")).is_err());
    }
}
