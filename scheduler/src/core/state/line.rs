//! Jobs in line, by place, by turn, and by what of them may be raced.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{JobId, PublicKey, Tokens};

use super::{Times, Urgency};

/// Open jobs that the same nodes may render.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Those with units that want a film, by their places in line; none that is held back.
    pub by_place: BTreeMap<(i128, u64), InLine>,
    /// The same by their turns.
    pub by_turn: BTreeMap<(u64, u64), InLine>,
    /// Jobs by when their oldest lease that may be raced is slow; none before a film has come.
    pub races: Times<JobId>,
    /// Jobs by when the last film should come whose unit may be raced.
    pub expected: Times<JobId>,
    /// The same of jobs all of whose units were begun; for ever where one of them wants a film.
    pub ending: Times<JobId>,
    /// The same of jobs with few units left.
    pub tails: Times<JobId>,
    /// Jobs with units that want a film, of each artist, the most urgent first.
    by_artist: BTreeMap<PublicKey, BTreeSet<(Urgency, JobId)>>,
}

/// A job in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InLine {
    /// Which.
    pub job: JobId,
    /// Whose.
    pub artist: PublicKey,
    /// Which of the artist's jobs comes first.
    pub urgency: Urgency,
    /// What it pays, tokens per billion metered rays.
    pub price: Tokens,
    /// Work of one unit: weighted centirays, as the quote bounds them.
    pub unit_work: u128,
    /// Units that want a film.
    pub units: u32,
    /// Whether all of its units were begun.
    pub is_ending: bool,
    /// From a lease to its film on average, milliseconds; none before a film has come.
    pub usual_ms: Option<u64>,
    /// When it opened or last got a lease, milliseconds.
    pub served_ms: u64,
}

impl InLine {
    /// Work of the units that want a film.
    #[must_use]
    pub fn work(&self) -> u128 {
        self.unit_work.saturating_mul(u128::from(self.units))
    }
}

/// Where a job is in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineKeys {
    /// Its place and its number.
    pub(super) place: (i128, u64),
    /// Its turn and its number.
    pub(super) turn: (u64, u64),
    /// Whose it is, and which of the artist's jobs comes first.
    pub(super) artist: PublicKey,
    pub(super) urgency: Urgency,
}

impl Line {
    /// Whether somebody could get something of it: a unit wants a film, or may be raced.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.by_place.is_empty() || !self.expected.is_empty()
    }

    /// Whether another job in it of the same artist is to come first.
    pub(in crate::core) fn comes_later(&self, job: &InLine) -> bool {
        let jobs = self.by_artist.get(&job.artist);
        let first = jobs.and_then(|jobs| jobs.first());
        first.is_some_and(|(urgency, _)| *urgency < job.urgency)
    }

    /// Moves a job from where it was in line to where it is, if it is.
    pub(super) fn place(
        &mut self,
        id: JobId,
        was: Option<LineKeys>,
        is: Option<(LineKeys, InLine)>,
    ) {
        if let Some(was) = was.filter(|was| is.is_none_or(|(keys, _)| keys != *was)) {
            self.by_place.remove(&was.place);
            self.by_turn.remove(&was.turn);
            if let Some(jobs) = self.by_artist.get_mut(&was.artist) {
                jobs.remove(&(was.urgency, id));
                if jobs.is_empty() {
                    self.by_artist.remove(&was.artist);
                }
            }
        }
        if let Some((keys, in_line)) = is {
            self.by_place.insert(keys.place, in_line);
            self.by_turn.insert(keys.turn, in_line);
            let jobs = self.by_artist.entry(keys.artist).or_default();
            jobs.insert((keys.urgency, id));
        }
    }
}

/// Items of several iterators, each in order of a key, in order of that key; of equal ones those of
/// the first iterator come first. There are few, and mostly one.
pub(in crate::core) struct Merged<I: Iterator, K> {
    heads: Vec<std::iter::Peekable<I>>,
    key: fn(&I::Item) -> K,
}

impl<I: Iterator, K: Ord> Merged<I, K> {
    pub(in crate::core) fn new(of: impl Iterator<Item = I>, key: fn(&I::Item) -> K) -> Self {
        Self { heads: of.map(Iterator::peekable).collect(), key }
    }
}

impl<I: Iterator, K: Ord> Iterator for Merged<I, K> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if let [only] = self.heads.as_mut_slice() {
            return only.next();
        }
        let key = self.key;
        let keys = self.heads.iter_mut().map(|head| head.peek().map(key));
        let first = keys.enumerate().filter_map(|(at, key)| Some((key?, at))).min()?;
        self.heads[first.1].next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lines_are_one_in_order() {
        let merged = |lines: &[&[(u32, char)]]| -> String {
            let lines = lines.iter().map(|line| line.iter());
            Merged::new(lines, |(key, _)| *key).map(|(_, name)| *name).collect()
        };
        assert_eq!(merged(&[]), "");
        assert_eq!(merged(&[&[(3, 'a'), (1, 'b')]]), "ab", "one is as it is");
        let lines: [&[_]; 4] =
            [&[(1, 'a'), (5, 'e')], &[], &[(2, 'b'), (5, 'f'), (7, 'g')], &[(3, 'c'), (4, 'd')]];
        assert_eq!(merged(&lines), "abcdefg");
    }
}
