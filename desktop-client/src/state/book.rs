//! What the farm's books say: jobs, nodes, tokens.

use std::collections::{HashMap, HashSet};

use protocol::view::{
    BlockView, EarningsView, FarmView, JobSummary, NodeView, StatementPage, WalletView,
};
use protocol::{JobId, NodeId, PublicKey};

use super::fetched::Fetched;

/// Rows of the wallet that are asked for at first.
pub const STATEMENT_ROWS: u64 = 100;
/// Days back that earnings are asked for.
pub const EARNINGS_DAYS: u64 = 14;

/// Jobs, nodes, tokens, as far as they have been asked for.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// Balances.
    pub wallet: Fetched<WalletView>,
    /// The caller's wallet, newest first.
    pub statement: Fetched<StatementPage>,
    /// The caller's jobs, newest first.
    pub jobs: Fetched<Vec<JobSummary>>,
    /// The farm at a glance.
    pub farm: Fetched<FarmView>,
    /// What the caller's nodes have earned a day, lately.
    pub earnings: Fetched<EarningsView>,
    /// Whom the caller keeps off his jobs.
    pub blocks: Fetched<Vec<BlockView>>,
    /// Where in the list each job stands.
    places: HashMap<JobId, usize>,
    /// Another one after each change of the list.
    revision: u64,
}

/// An answer of the farm's books, or why there is none.
#[derive(Debug, Clone)]
pub enum Event {
    /// Balances.
    Wallet(Result<WalletView, String>),
    /// A page of the wallet.
    Statement(Result<StatementPage, String>),
    /// The caller's jobs, all of them, newest first.
    Jobs(Result<Vec<JobSummary>, String>),
    /// The farm.
    Farm(Result<FarmView, String>),
    /// Earnings a day.
    Earnings(Result<EarningsView, String>),
    /// Whom the caller keeps off his jobs.
    Blocks(Result<Vec<BlockView>, String>),
    /// The newest of the caller's jobs, none left out between them.
    NewestJobs(Vec<JobSummary>),
    /// Some of the caller's jobs.
    SomeJobs(Vec<JobSummary>),
}

impl Event {
    /// The jobs that it tells of.
    #[must_use]
    pub fn jobs(&self) -> &[JobSummary] {
        match self {
            Self::Jobs(Ok(rows)) | Self::NewestJobs(rows) | Self::SomeJobs(rows) => rows,
            _other => &[],
        }
    }
}

impl Book {
    /// Takes an answer in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Wallet(answer) => self.wallet.take(answer),
            Event::Statement(answer) => self.statement.take(answer),
            Event::Jobs(answer) => {
                self.jobs.take(answer);
                self.index();
            }
            Event::Farm(answer) => self.farm.take(answer),
            Event::Earnings(answer) => self.earnings.take(answer),
            Event::Blocks(answer) => self.blocks.take(answer),
            Event::NewestJobs(rows) => {
                // One whose order came to nothing is not there any more; of those that are older
                // than the page, the page says nothing.
                if let (Some(last), Some(known)) = (rows.last(), &mut self.jobs.value) {
                    let since_ms = last.ordered_ms;
                    let told: HashSet<JobId> = rows.iter().map(|row| row.job).collect();
                    let before = known.len();
                    known.retain(|row| row.ordered_ms <= since_ms || told.contains(&row.job));
                    if known.len() < before {
                        self.index();
                    }
                }
                self.merge(rows);
            }
            Event::SomeJobs(rows) => self.merge(rows),
        }
    }

    /// Puts rows up to date, and new ones where they belong; the others stay as they are.
    ///
    /// What is over stays over: an answer that was on its way when news came does not undo it.
    fn merge(&mut self, rows: Vec<JobSummary>) {
        let known = self.jobs.value.get_or_insert_default();
        let mut is_sorted = true;
        for row in rows {
            match self.places.get(&row.job).and_then(|place| known.get_mut(*place)) {
                Some(before) if before.status.is_over() && !row.status.is_over() => {}
                Some(before) if *before == row => {}
                Some(before) => {
                    *before = row;
                    self.revision += 1;
                }
                None => {
                    self.revision += 1;
                    is_sorted &= known.last().is_none_or(|last| last.ordered_ms >= row.ordered_ms);
                    self.places.insert(row.job, known.len());
                    known.push(row);
                }
            }
        }
        self.jobs.trouble = None;
        if !is_sorted {
            known.sort_by_key(|row| std::cmp::Reverse(row.ordered_ms));
            self.index();
        }
    }

    fn index(&mut self) {
        self.revision += 1;
        let list = self.jobs.get().map_or(&[][..], Vec::as_slice);
        self.places = list.iter().enumerate().map(|(place, row)| (row.job, place)).collect();
    }

    /// The caller's jobs, newest first; none before they are known.
    #[must_use]
    pub fn job_list(&self) -> &[JobSummary] {
        self.jobs.get().map_or(&[], Vec::as_slice)
    }

    /// Another one after each change of the list of jobs.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// A job of the caller's.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<&JobSummary> {
        self.job_list().get(*self.places.get(&job)?)
    }

    /// Puts a job's row up to date, whether or not it is listed yet; before any list is here, the
    /// list will tell.
    pub fn renew(&mut self, summary: JobSummary) {
        if self.jobs.value.is_some() {
            self.merge(vec![summary]);
        }
    }

    /// Nodes that pay `owner`, or are it.
    #[must_use]
    pub fn nodes_of(&self, owner: PublicKey) -> Vec<&NodeView> {
        let nodes = self.farm.get().map_or(&[][..], |farm| farm.nodes.as_slice());
        let is_own = |node: &&NodeView| node.owner == owner || PublicKey::from(node.node) == owner;
        nodes.iter().filter(is_own).collect()
    }

    /// A node's name with its number's first digits; these alone where it was not heard of lately.
    #[must_use]
    pub fn words_of_node(&self, node: NodeId) -> String {
        let nodes = self.farm.get().map_or(&[][..], |farm| farm.nodes.as_slice());
        match nodes.iter().find(|it| it.node == node) {
            Some(it) => format!("{} ({})", it.name, node.short()),
            None => node.short(),
        }
    }

    /// Whether nobody pays anything on this farm.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.farm
            .get()
            .is_some_and(|farm| farm.price_per_gray.is_zero() && farm.market.ceiling.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use protocol::view::JobStatus;

    use super::*;
    use crate::state::jobs::tests::job;

    fn rows(seeds: &[u8], status: JobStatus) -> Vec<JobSummary> {
        seeds.iter().map(|seed| job(*seed, "shot", status)).collect()
    }

    fn book(events: Vec<Event>) -> Book {
        let mut book = Book::default();
        events.into_iter().for_each(|event| book.apply(event));
        book
    }

    /// Each job's number and status, in the list's order; each is also found by its id.
    fn told(book: &Book) -> Vec<(u8, JobStatus)> {
        for row in book.job_list() {
            assert_eq!(book.job(row.job), Some(row), "it is found where it stands");
        }
        book.job_list().iter().map(|row| (row.job.0[0], row.status)).collect()
    }

    use JobStatus::{Done, Rendering, Waiting};

    #[test]
    fn pages_become_one_list() {
        let book = book(vec![
            Event::NewestJobs(rows(&[2, 3], Waiting)),
            Event::SomeJobs(rows(&[4, 5], Waiting)),
            // Another was ordered meanwhile, so that the next page begins with what is known.
            Event::SomeJobs(rows(&[5, 6], Waiting)),
            Event::NewestJobs(rows(&[1, 2], Rendering)),
        ]);
        let expected = [
            (1, Rendering),
            (2, Rendering),
            (3, Waiting),
            (4, Waiting),
            (5, Waiting),
            (6, Waiting),
        ];
        assert_eq!(told(&book), expected);
    }

    #[test]
    fn news_of_a_job_beyond_the_first_page_is_kept() {
        let mut book = book(vec![
            Event::NewestJobs(rows(&[1, 2], Waiting)),
            Event::SomeJobs(rows(&[3, 4], Waiting)),
        ]);
        book.renew(job(4, "shot", Rendering));
        book.apply(Event::NewestJobs(rows(&[1, 2], Waiting)));
        assert_eq!(told(&book)[3], (4, Rendering));
        // Nor is one lost that no page has shown yet.
        book.renew(job(9, "shot", Rendering));
        book.apply(Event::NewestJobs(rows(&[1, 2], Waiting)));
        assert_eq!(told(&book)[4], (9, Rendering));
    }

    #[test]
    fn what_is_over_stays_over() {
        let mut book = book(vec![Event::NewestJobs(rows(&[1, 2], Rendering))]);
        book.renew(job(2, "shot", Done));
        book.apply(Event::SomeJobs(rows(&[2], Rendering)));
        assert_eq!(told(&book), [(1, Rendering), (2, Done)]);
    }

    #[test]
    fn an_order_that_came_to_nothing_leaves_the_list() {
        let book = book(vec![
            Event::Jobs(Ok(rows(&[1, 2, 3, 4], Waiting))),
            Event::NewestJobs(rows(&[2, 3], Waiting)),
        ]);
        assert_eq!(told(&book), [(2, Waiting), (3, Waiting), (4, Waiting)]);
    }

    #[test]
    fn all_jobs_replace_what_was_known_and_a_refusal_does_not() {
        let mut book = book(vec![
            Event::Jobs(Ok(rows(&[1, 2, 3], Waiting))),
            Event::Jobs(Ok(rows(&[2], Waiting))),
            Event::Jobs(Err("no".to_owned())),
        ]);
        assert_eq!(told(&book), [(2, Waiting)]);
        assert_eq!(book.job(job(3, "", Waiting).job), None);
        book.apply(Event::SomeJobs(rows(&[3], Waiting)));
        assert_eq!((book.job_list().len(), &book.jobs.trouble), (2, &None));
    }
}
