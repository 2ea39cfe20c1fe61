//! Times by key, and keys by time.

use std::collections::{BTreeMap, BTreeSet};

/// A time for each key, in milliseconds. What has come due is found without looking at the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times<K> {
    of: BTreeMap<K, u64>,
    order: BTreeSet<(u64, K)>,
}

impl<K> Default for Times<K> {
    fn default() -> Self {
        Self { of: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Times<K> {
    /// The time of a key, milliseconds.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<u64> {
        self.of.get(key).copied()
    }

    /// Keys whose time is at or before `now_ms`, the earliest first; equal times by key.
    pub fn due(&self, now_ms: u64) -> impl Iterator<Item = (u64, K)> {
        self.order.iter().copied().take_while(move |(at_ms, _)| *at_ms <= now_ms)
    }

    /// The earliest time, milliseconds.
    #[must_use]
    pub fn first_ms(&self) -> Option<u64> {
        self.order.first().map(|(at_ms, _)| *at_ms)
    }

    /// All keys, the latest time first.
    pub fn latest(&self) -> impl Iterator<Item = (u64, K)> {
        self.order.iter().rev().copied()
    }

    /// How many keys have a time.
    #[must_use]
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether no key has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Gives a key a time in place of the one it had, or none.
    pub(in crate::core) fn set(&mut self, key: K, at_ms: Option<u64>) {
        let old = match at_ms {
            Some(at_ms) => self.of.insert(key, at_ms),
            None => self.of.remove(&key),
        };
        if old == at_ms {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, key));
        }
        if let Some(at_ms) = at_ms {
            self.order.insert((at_ms, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_last_time_only() {
        let mut times = Times::default();
        times.set('a', Some(5));
        times.set('b', Some(3));
        times.set('a', Some(2));
        assert_eq!(times.due(3).collect::<Vec<_>>(), [(2, 'a'), (3, 'b')]);
        times.set('a', None);
        times.set('a', None);
        assert_eq!((times.get(&'a'), times.first_ms(), times.len()), (None, Some(3), 1));
        times.set('b', None);
        assert_eq!(times, Times::default());
    }
}
