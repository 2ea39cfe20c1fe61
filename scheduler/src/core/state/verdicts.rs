//! What was said of a node's films.

use std::collections::VecDeque;

use protocol::Verdict;
use serde::{Deserialize, Serialize};

/// Verdicts on a node in their order, numbered from 1. The oldest go when nothing is known of their jobs'
/// units any more.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Verdicts {
    /// How many have gone.
    gone: u64,
    kept: VecDeque<Verdict>,
}

impl Verdicts {
    /// Those that are kept, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Verdict> {
        self.kept.iter()
    }

    /// The verdict of a number, while it is kept.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Verdict> {
        let index = number.checked_sub(self.gone)?.checked_sub(1)?;
        self.kept.get(usize::try_from(index).ok()?)
    }

    /// Those after a number, with theirs.
    pub fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Verdict)> {
        let first = number.saturating_sub(self.gone);
        let index = usize::try_from(first).unwrap_or(usize::MAX);
        (self.gone.saturating_add(first).saturating_add(1)..).zip(self.kept.iter().skip(index))
    }

    /// Adds one, and returns its number.
    pub(in crate::core) fn push(&mut self, verdict: Verdict) -> u64 {
        self.kept.push_back(verdict);
        self.gone + self.kept.len() as u64
    }

    /// Lets the oldest go, up to the first that is still wanted.
    pub(in crate::core) fn forget(&mut self, is_wanted: impl Fn(&Verdict) -> bool) {
        while self.kept.front().is_some_and(|verdict| !is_wanted(verdict)) {
            self.kept.pop_front();
            self.gone += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{
        Batch, Digest, JobId, LeaseId, NodeId, ShotIndex, TileIndex, Unit, VerdictKind,
    };

    use super::*;

    #[test]
    fn numbers_stay_when_the_oldest_go() {
        let batch = Batch::new(0, 1).expect("a batch");
        let unit = Unit { job: JobId([1; 16]), shot: ShotIndex(0), tile: TileIndex(0), batch };
        let verdict = |lease: u8| Verdict {
            lease: LeaseId([lease; 16]),
            unit,
            node: NodeId([2; 32]),
            root: Digest([3; 32]),
            kind: VerdictKind::Disputed { other_root: Digest([4; 32]) },
            evidence: None,
        };
        let mut verdicts = Verdicts::default();
        for lease in 1..=5 {
            assert_eq!(verdicts.push(verdict(lease)), u64::from(lease));
        }
        // The third is wanted: what comes after it stays, whatever it is.
        verdicts.forget(|it| it.lease.0[0] == 3);
        let all = |after| verdicts.after(after).map(|(number, it)| (number, it.lease.0[0]));
        assert_eq!(all(0).collect::<Vec<_>>(), [(3, 3), (4, 4), (5, 5)]);
        assert_eq!(all(3).collect::<Vec<_>>(), [(4, 4), (5, 5)]);
        assert_eq!(all(5).count() + all(u64::MAX).count(), 0);
        let known = |number| verdicts.get(number).map(|it| it.lease.0[0]);
        assert_eq!([0, 2, 3, 5, 6].map(known), [None, None, Some(3), Some(5), None]);
        assert_eq!(verdicts.push(verdict(6)), 6);
    }
}
