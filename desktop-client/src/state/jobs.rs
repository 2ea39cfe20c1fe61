//! The list of jobs as one looks at it: which, in which order, and what is chosen of it.
//!
//! Which rows stand where is worked out when jobs, filter or order change, never while drawing.

mod column;
mod filter;
pub mod script;

use std::collections::BTreeSet;

use protocol::view::{JobStatus, JobSummary};
use protocol::{JobId, Priority, Selection, Steering, Tokens};

use super::sheet::Sheet;
use super::{Door, Link, State};
use crate::command::Command;
use crate::desk::Ask;

pub use column::{Column, Listing, Sort};
pub use filter::{Filter, FilterError, KEYS};

/// What a person does to the list, or to what is chosen of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// List what this filter holds.
    Filter(String),
    /// Type into the filter.
    FocusFilter,
    /// The filter has the keyboard.
    FilterFocused,
    /// Order by this column, or turn its order round.
    SortBy(Column),
    /// Show a column, or do not.
    Show(Column, bool),
    /// Choose this job alone.
    Choose(JobId),
    /// Choose this job too, or not any more.
    Toggle(JobId),
    /// Choose all from the one chosen last to this.
    ChooseThrough(JobId),
    /// Go so many rows down, and choose the one there.
    Step {
        /// Rows; up where negative.
        by: isize,
        /// Whether those on the way are chosen, too.
        extends: bool,
    },
    /// Choose the row that one is at too, or not any more.
    ToggleHere,
    /// Choose every job of the list.
    ChooseAll,
    /// Choose none.
    ChooseNone,
    /// Do this to what is chosen, or ask first.
    Do(Deed),
    /// Do this to these.
    Steer {
        /// Which.
        jobs: Vec<JobId>,
        /// What.
        steering: Steering,
    },
}

/// What can be done to all that is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Let nodes that failed try again.
    Retry,
    /// Begin nothing new.
    Pause,
    /// Go on.
    Resume,
    /// Choose which comes first.
    Prefer,
    /// End with what is there.
    Stop,
    /// End at once.
    Cancel,
}

impl Deed {
    /// All of them, in the order of their buttons.
    pub const ALL: [Self; 6] =
        [Self::Retry, Self::Pause, Self::Resume, Self::Prefer, Self::Stop, Self::Cancel];

    /// Whether it can be done to a job.
    #[must_use]
    pub const fn suits(self, job: &JobSummary) -> bool {
        match self {
            Self::Pause => matches!(job.status, JobStatus::Waiting | JobStatus::Rendering),
            Self::Resume => matches!(job.status, JobStatus::Paused),
            _any_time => !job.status.is_over(),
        }
    }

    /// What it asks of the farm; a priority is asked for first.
    #[must_use]
    pub fn steering(self) -> Steering {
        match self {
            Self::Retry => Steering::Retry(Selection::default()),
            Self::Pause => Steering::Pause,
            Self::Resume => Steering::Resume,
            Self::Prefer => Steering::Priority(Priority::default()),
            Self::Stop => Steering::Stop,
            Self::Cancel => Steering::Cancel,
        }
    }
}

/// What some jobs come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub jobs: usize,
    /// How many are not over.
    pub running: usize,
    /// How many of those are paused.
    pub paused: usize,
    /// Units of all.
    pub units: u64,
    /// Units accepted.
    pub units_accepted: u64,
    /// What they cost, all of it.
    pub price: Tokens,
    /// What returns at most if those that are not over end now.
    pub returns: Tokens,
}

impl Tally {
    /// Sums jobs up.
    #[must_use]
    pub fn of<'j>(jobs: impl Iterator<Item = &'j JobSummary>) -> Self {
        let mut tally = Self::default();
        let plus = |a: Tokens, b: Tokens| a.checked_add(b).unwrap_or(a);
        for job in jobs {
            tally.jobs += 1;
            tally.units += u64::from(job.units);
            tally.units_accepted += u64::from(job.units_accepted);
            tally.price = plus(tally.price, job.price);
            if !job.status.is_over() {
                tally.running += 1;
                tally.paused += usize::from(job.status == JobStatus::Paused);
                let rest = job.price.checked_sub(job.spent).unwrap_or(Tokens::ZERO);
                tally.returns = plus(tally.returns, rest);
            }
        }
        tally
    }

    /// To how many of them something can be done.
    #[must_use]
    pub const fn suited(&self, deed: Deed) -> usize {
        match deed {
            Deed::Pause => self.running - self.paused,
            Deed::Resume => self.paused,
            _any_time => self.running,
        }
    }
}

/// The list as it is looked at.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    /// Why what is typed is no filter; the last one that was stays.
    pub trouble: Option<FilterError>,
    /// Whether the filter is to have the keyboard.
    pub wants_filter: bool,
    filter: Filter,
    /// Places in the book's list, from top to bottom.
    rows: Vec<u32>,
    chosen: BTreeSet<JobId>,
    /// What is chosen comes to.
    tally: Tally,
    /// The row that one is at.
    cursor: Option<JobId>,
    /// Where choosing several begins.
    anchor: Option<JobId>,
    arrangements: u64,
    /// The list's revision that the rows are of.
    revision: u64,
}

impl Jobs {
    /// A list that is looked at as is remembered.
    #[must_use]
    pub fn new(listing: &Listing) -> Self {
        let mut jobs = Self::default();
        jobs.refilter(&listing.filter);
        jobs
    }

    /// Places in the book's list, from top to bottom.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Which jobs are listed.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Which jobs are chosen; none that is not listed.
    #[must_use]
    pub const fn chosen(&self) -> &BTreeSet<JobId> {
        &self.chosen
    }

    /// What is chosen comes to.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The row that one is at.
    #[must_use]
    pub const fn cursor(&self) -> Option<JobId> {
        self.cursor
    }

    /// How often rows have been put in order.
    #[must_use]
    pub const fn arrangements(&self) -> u64 {
        self.arrangements
    }

    fn refilter(&mut self, text: &str) {
        match Filter::parse(text) {
            Ok(filter) => (self.filter, self.trouble) = (filter, None),
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    /// Works out which rows stand where. What is not listed any more is not chosen any more.
    pub(crate) fn arrange(&mut self, list: &[JobSummary], sort: Sort) {
        self.arrangements += 1;
        self.rows.clear();
        let held = (0_u32..).zip(list).filter(|(_, job)| self.filter.holds(job));
        self.rows.extend(held.map(|(row, _)| row));
        sort.order(&mut self.rows, list);
        if !self.chosen.is_empty() {
            let listed = self.rows.iter().map(|row| list[*row as usize].job);
            self.chosen = listed.filter(|job| self.chosen.contains(job)).collect();
        }
        self.sum_up(list);
    }

    fn sum_up(&mut self, list: &[JobSummary]) {
        let listed = self.rows.iter().map(|row| &list[*row as usize]);
        self.tally = Tally::of(listed.filter(|job| self.chosen.contains(&job.job)));
    }

    fn place_of(&self, job: Option<JobId>, list: &[JobSummary]) -> Option<usize> {
        let job = job?;
        self.rows.iter().position(|row| list[*row as usize].job == job)
    }

    fn choose(&mut self, job: JobId) {
        self.chosen = [job].into();
        (self.cursor, self.anchor) = (Some(job), Some(job));
    }

    fn toggle(&mut self, job: JobId) {
        if !self.chosen.remove(&job) {
            self.chosen.insert(job);
        }
        (self.cursor, self.anchor) = (Some(job), Some(job));
    }

    /// Chooses all from the anchor to a job.
    fn choose_through(&mut self, job: JobId, list: &[JobSummary]) {
        let Some(there) = self.place_of(Some(job), list) else { return };
        let here = self.place_of(self.anchor, list).unwrap_or(there);
        let span = &self.rows[here.min(there)..=here.max(there)];
        self.chosen = span.iter().map(|row| list[*row as usize].job).collect();
        self.anchor = Some(list[self.rows[here] as usize].job);
        self.cursor = Some(job);
    }

    fn step(&mut self, by: isize, extends: bool, list: &[JobSummary]) {
        let Some(last) = self.rows.len().checked_sub(1) else { return };
        let here = self.place_of(self.cursor, list);
        // From nowhere, one row down is the first.
        let (here, by) = here.map_or((0, by.saturating_sub(1)), |here| (here, by));
        let there = here.saturating_add_signed(by).min(last);
        let job = list[self.rows[there] as usize].job;
        if extends { self.choose_through(job, list) } else { self.choose(job) }
    }
}

impl State {
    /// To how many of the chosen jobs something can be done now, or why to none.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn can_do(&self, deed: Deed) -> Result<usize, &'static str> {
        let tally = self.jobs.tally();
        if tally.jobs == 0 {
            return Err("Select jobs first");
        }
        if self.link != Link::Connected {
            return Err("The farm cannot be reached now");
        }
        match (tally.suited(deed), deed) {
            (0, _) if tally.running == 0 && deed == Deed::Retry => {
                Err("What is over cannot be tried again: its rest has returned. Order it again")
            }
            (0, _) if tally.running == 0 => Err("What is selected is over"),
            (0, Deed::Pause) => Err("What is selected is paused already"),
            (0, _) => Err("Nothing that is selected is paused"),
            (count, _) => Ok(count),
        }
    }

    /// The chosen jobs to which something can be done, from top to bottom.
    #[must_use]
    pub fn suited(&self, deed: Deed) -> Vec<JobId> {
        let list = self.book.job_list();
        let listed = self.jobs.rows.iter().map(|row| &list[*row as usize]);
        let chosen = listed.filter(|job| self.jobs.chosen.contains(&job.job) && deed.suits(job));
        chosen.map(|job| job.job).collect()
    }

    /// Ids of the chosen jobs, a line each, from top to bottom.
    #[must_use]
    pub fn chosen_ids(&self) -> String {
        let list = self.book.job_list();
        let listed = self.jobs.rows.iter().map(|row| list[*row as usize].job);
        let ids = listed.filter(|job| self.jobs.chosen.contains(job)).map(|job| job.to_string());
        ids.collect::<Vec<_>>().join("\n")
    }

    /// Puts the list in order again, where its jobs have changed.
    pub(super) fn arrange_jobs(&mut self) {
        if self.jobs.revision != self.book.revision() {
            self.jobs.revision = self.book.revision();
            self.jobs.arrange(self.book.job_list(), self.settings.jobs.sort);
        }
    }

    /// Wishes about the list.
    pub(super) fn wish(&mut self, wish: Wish, asks: &mut Vec<Ask>) {
        let list = self.book.job_list();
        match wish {
            Wish::Filter(text) => {
                self.jobs.refilter(&text);
                self.settings.jobs.filter = text;
                self.relist(asks);
            }
            Wish::FocusFilter => {
                asks.extend(self.act(Command::Open(Door::Jobs)));
                self.jobs.wants_filter = true;
            }
            Wish::FilterFocused => self.jobs.wants_filter = false,
            Wish::SortBy(column) => {
                self.settings.jobs.sort = self.settings.jobs.sort.pressed(column);
                self.relist(asks);
            }
            Wish::Show(column, is_shown) => {
                match is_shown {
                    true => self.settings.jobs.hidden.remove(&column),
                    false => self.settings.jobs.hidden.insert(column),
                };
                self.remember(asks);
            }
            Wish::Choose(job) => self.jobs.choose(job),
            Wish::Toggle(job) => self.jobs.toggle(job),
            Wish::ChooseThrough(job) => self.jobs.choose_through(job, list),
            Wish::Step { by, extends } => self.jobs.step(by, extends, list),
            Wish::ToggleHere => {
                if let Some(job) = self.jobs.cursor {
                    self.jobs.toggle(job);
                }
            }
            Wish::ChooseAll => {
                let all = self.jobs.rows.iter().map(|row| list[*row as usize].job);
                self.jobs.chosen = all.collect();
            }
            Wish::ChooseNone => self.jobs.chosen.clear(),
            Wish::Do(deed) => self.begin(deed, asks),
            Wish::Steer { jobs, steering } => {
                self.sheet = None;
                for job in jobs {
                    asks.extend(self.act(Command::Steer { job, steering }));
                }
            }
        }
        self.jobs.sum_up(self.book.job_list());
    }

    /// The filter or the order is another.
    fn relist(&mut self, asks: &mut Vec<Ask>) {
        self.jobs.arrange(self.book.job_list(), self.settings.jobs.sort);
        self.remember(asks);
    }

    /// Does it, or asks first where it cannot be undone or needs a number.
    fn begin(&mut self, deed: Deed, asks: &mut Vec<Ask>) {
        if self.can_do(deed).is_err() {
            return;
        }
        let jobs = self.suited(deed);
        match deed {
            Deed::Retry | Deed::Pause | Deed::Resume => {
                self.wish(Wish::Steer { jobs, steering: deed.steering() }, asks);
            }
            Deed::Prefer => {
                let first = jobs.first().and_then(|job| self.book.job(*job));
                let priority = first.map_or_else(Priority::default, |job| job.priority);
                self.sheet = Some(Sheet::Prefer { jobs, priority: priority.into() });
            }
            Deed::Stop | Deed::Cancel => {
                self.sheet = Some(Sheet::EndMany { jobs, steering: deed.steering() });
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
