//! What nodes have earned, added up from the entries of their accounts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ledger::{Code, Phase, Row};
use protocol::view::{EarningsBy, EarningsOf, EarningsRow};
use protocol::{NodeId, Tokens};

use crate::money;

const DAY_MS: u64 = 86_400_000;

/// Sums of earnings.
#[derive(Debug)]
pub(crate) struct Earnings {
    by: EarningsBy,
    rows: BTreeMap<EarningsOf, EarningsRow>,
}

impl Earnings {
    /// Nothing yet.
    #[must_use]
    pub(crate) const fn new(by: EarningsBy) -> Self {
        Self { by, rows: BTreeMap::new() }
    }

    /// Adds an entry of the account of a node's held pay. What is set aside only, or comes free, is no
    /// earning.
    pub(crate) fn add(&mut self, node: NodeId, entry: &Row) {
        if !matches!(entry.phase, Phase::Posted | Phase::PostedPending) {
            return;
        }
        let of = match self.by {
            EarningsBy::Day => EarningsOf::Day(entry.time_ms / DAY_MS * DAY_MS),
            EarningsBy::Job => EarningsOf::Job(entry.link.job),
            EarningsBy::Node => EarningsOf::Node(node),
        };
        let empty = EarningsRow {
            of,
            payments: 0,
            pay: Tokens::ZERO,
            checks: 0,
            checking: Tokens::ZERO,
            taken: Tokens::ZERO,
        };
        let mut row = self.rows.get(&of).copied().unwrap_or(empty);
        match (entry.credit, entry.code) {
            (true, Code::Verification) => {
                row.checks += 1;
                row.checking = money::plus(row.checking, entry.amount);
            }
            (true, _pay) => {
                row.payments += 1;
                row.pay = money::plus(row.pay, entry.amount);
            }
            (false, Code::Slash) => row.taken = money::plus(row.taken, entry.amount),
            (false, _released) => return,
        }
        self.rows.insert(of, row);
    }

    /// The sums: days newest first, jobs and nodes by what they brought.
    #[must_use]
    pub(crate) fn rows(self) -> Vec<EarningsRow> {
        let mut rows: Vec<EarningsRow> = self.rows.into_values().collect();
        match self.by {
            EarningsBy::Day => rows.reverse(),
            EarningsBy::Job | EarningsBy::Node => {
                rows.sort_by_key(|row| Reverse(money::plus(row.pay, row.checking)));
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Link, account};
    use protocol::{JobId, TransferId};

    use super::*;

    const NODE: NodeId = NodeId([1; 32]);

    fn entry(day: u64, job: u8, (credit, code, phase): (bool, Code, Phase), micro: u128) -> Row {
        Row {
            seq: 0,
            time_ms: day * DAY_MS + 5,
            transfer: TransferId([0; 16]),
            phase,
            credit,
            other: account::reserve(),
            amount: Tokens::from_micro(micro),
            code,
            link: Link::job(JobId([job; 16])),
            balance: 0,
        }
    }

    fn sums(by: EarningsBy) -> Vec<(EarningsOf, u64, u128, u64, u128, u128)> {
        let mut earnings = Earnings::new(by);
        let (pay, twin) = ((true, Code::Pay), (true, Code::Verification));
        let (posted, settled) = (Phase::Posted, Phase::PostedPending);
        for (day, job, (credit, code), phase, micro) in [
            (3, 1, pay, Phase::SetAside, 100),
            (3, 1, pay, settled, 10),
            (3, 2, twin, posted, 4),
            (4, 2, pay, settled, 20),
            (4, 2, (false, Code::Release), posted, 30),
            (4, 2, (false, Code::Slash), posted, 5),
            (4, 2, pay, Phase::Voided, 100),
        ] {
            earnings.add(NODE, &entry(day, job, (credit, code, phase), micro));
        }
        earnings.add(NodeId([2; 32]), &entry(4, 1, (true, Code::Pay, settled), 50));
        let rows = earnings.rows().into_iter();
        rows.map(|row| {
            let [pay, checking, taken] = [row.pay, row.checking, row.taken].map(Tokens::micro);
            (row.of, row.payments, pay, row.checks, checking, taken)
        })
        .collect()
    }

    #[test]
    fn what_was_paid_and_taken_is_added_up_and_nothing_else() {
        let day = |day| EarningsOf::Day(day * DAY_MS);
        assert_eq!(sums(EarningsBy::Day), [(day(4), 2, 70, 0, 0, 5), (day(3), 1, 10, 1, 4, 0)]);
        let job = |job| EarningsOf::Job(Some(JobId([job; 16])));
        assert_eq!(sums(EarningsBy::Job), [(job(1), 2, 60, 0, 0, 0), (job(2), 1, 20, 1, 4, 5)]);
        let node = |node| EarningsOf::Node(NodeId([node; 32]));
        assert_eq!(sums(EarningsBy::Node), [(node(2), 1, 50, 0, 0, 0), (node(1), 2, 30, 1, 4, 5)]);
    }
}
