//! What is told of a job in the list, and in which order jobs stand.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use protocol::view::{JobStatus, JobSummary};
use serde::{Deserialize, Serialize};

/// A column of the list.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// Its name; always there.
    Name,
    /// Where it stands.
    Status,
    /// Units accepted, of all.
    Progress,
    /// The quote's price.
    Price,
    /// Spent so far.
    Spent,
    /// Returned.
    Refunded,
    /// Which of one's jobs comes first.
    Priority,
    /// When it is there, or by how much it is late.
    Ready,
    /// When it was ordered.
    #[default]
    Ordered,
}

impl Column {
    /// All of them, from left to right.
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::Status,
        Self::Progress,
        Self::Price,
        Self::Spent,
        Self::Refunded,
        Self::Priority,
        Self::Ready,
        Self::Ordered,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Status => "Status",
            Self::Progress => "Units",
            Self::Price => "Price, TES",
            Self::Spent => "Spent",
            Self::Refunded => "Refunded",
            Self::Priority => "Priority",
            Self::Ready => "Ready",
            Self::Ordered => "Ordered",
        }
    }

    /// Whether it is a figure, which stands to the right.
    #[must_use]
    pub const fn is_figure(self) -> bool {
        matches!(self, Self::Price | Self::Spent | Self::Refunded | Self::Priority)
    }

    /// Whether one asks for the last, most or greatest of it first.
    const fn begins_descending(self) -> bool {
        self.is_figure() || matches!(self, Self::Progress | Self::Ordered)
    }

    fn key(self, job: &JobSummary) -> Key {
        let micro_units = || u128::from(job.units_accepted) * 1_000_000;
        match self {
            Self::Name => Key::Words(job.spec.name.to_lowercase()),
            Self::Status => Key::Number(place_of(job.status)),
            Self::Progress => Key::Number(micro_units() / u128::from(job.units.max(1))),
            Self::Price => Key::Number(job.price.micro()),
            Self::Spent => Key::Number(job.spent.micro()),
            Self::Refunded => Key::Number(job.refunded.micro()),
            Self::Priority => Key::Number(u8::from(job.priority).into()),
            Self::Ready if job.status.is_over() => Key::Unknown,
            Self::Ready => match job.done_ms.or(job.wanted_by_ms) {
                Some(ms) => Key::Number(ms.into()),
                None => Key::Unknown,
            },
            Self::Ordered => Key::Number(job.ordered_ms.into()),
        }
    }
}

/// In the order of a job's life.
fn place_of(status: JobStatus) -> u128 {
    JobStatus::ALL.iter().position(|it| *it == status).unwrap_or(0) as u128
}

/// What jobs are ordered by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Words(String),
    Number(u128),
    Unknown,
}

/// In which order jobs stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sort {
    /// By what.
    pub column: Column,
    /// Whether the last, most or greatest comes first.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { column: Column::Ordered, descending: true }
    }
}

impl Sort {
    /// What a press on a column's name makes of it.
    #[must_use]
    pub const fn pressed(self, column: Column) -> Self {
        let is_same = self.column as u8 == column as u8;
        let descending = if is_same { !self.descending } else { column.begins_descending() };
        Self { column, descending }
    }

    /// Puts places in the list into this order. Equal ones keep theirs; what is not known comes last.
    pub(super) fn order(self, rows: &mut Vec<u32>, list: &[JobSummary]) {
        let keyed = rows.iter().map(|&row| (self.column.key(&list[row as usize]), row));
        let mut keyed: Vec<(Key, u32)> = keyed.collect();
        keyed.sort_by(|(a, _), (b, _)| match (a, b) {
            (Key::Unknown, Key::Unknown) => Ordering::Equal,
            (Key::Unknown, _) => Ordering::Greater,
            (_, Key::Unknown) => Ordering::Less,
            (a, b) if self.descending => b.cmp(a),
            (a, b) => a.cmp(b),
        });
        rows.clear();
        rows.extend(keyed.into_iter().map(|(_, row)| row));
    }
}

/// How the list is looked at; remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// Which jobs, as typed.
    pub filter: String,
    /// In which order.
    pub sort: Sort,
    /// Columns that are not shown.
    pub hidden: BTreeSet<Column>,
}

impl Listing {
    /// Columns that are shown, from left to right.
    pub fn shown(&self) -> impl Iterator<Item = Column> {
        Column::ALL.into_iter().filter(|it| *it == Column::Name || !self.hidden.contains(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::jobs::tests::job;

    #[test]
    fn jobs_stand_in_the_order_of_each_column() {
        let mut list = vec![
            job(1, "b", JobStatus::Done),
            job(2, "C", JobStatus::Waiting),
            job(3, "a", JobStatus::Rendering),
        ];
        list[2].done_ms = Some(9);
        list[2].units_accepted = 40;
        list[1].wanted_by_ms = Some(5);
        list[1].price = protocol::Tokens::from_micro(9_000_000);
        list[1].priority = protocol::Priority::try_from(70).expect("one");
        let check = |column, descending, expected: [&str; 3]| {
            let mut rows = vec![0, 1, 2];
            Sort { column, descending }.order(&mut rows, &list);
            let names = rows.iter().map(|row| list[*row as usize].spec.name.as_str());
            assert_eq!(names.collect::<Vec<_>>(), expected, "{column:?} {descending}");
        };
        check(Column::Name, false, ["a", "b", "C"]);
        check(Column::Name, true, ["C", "b", "a"]);
        check(Column::Status, false, ["C", "a", "b"]);
        check(Column::Progress, true, ["a", "b", "C"]);
        check(Column::Price, true, ["C", "b", "a"]);
        check(Column::Spent, true, ["b", "C", "a"]);
        check(Column::Priority, true, ["C", "b", "a"]);
        check(Column::Ready, false, ["C", "a", "b"]);
        check(Column::Ready, true, ["a", "C", "b"]);
        check(Column::Ordered, true, ["b", "C", "a"]);
        check(Column::Ordered, false, ["a", "C", "b"]);
    }

    #[test]
    fn a_second_press_turns_the_order_round() {
        let by_name = Sort::default().pressed(Column::Name);
        assert_eq!(by_name, Sort { column: Column::Name, descending: false });
        assert_eq!(by_name.pressed(Column::Name), Sort { column: Column::Name, descending: true });
        let by_price = by_name.pressed(Column::Price);
        assert_eq!(by_price, Sort { column: Column::Price, descending: true });
    }

    #[test]
    fn a_name_is_always_shown() {
        let hidden = [Column::Name, Column::Spent].into();
        let listing = Listing { hidden, ..Listing::default() };
        let shown: Vec<Column> = listing.shown().collect();
        assert!(shown.contains(&Column::Name) && !shown.contains(&Column::Spent), "{shown:?}");
        assert_eq!(shown.len(), 8);
    }
}
