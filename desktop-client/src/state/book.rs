//! What the farm's books say: jobs, nodes, tokens.

use protocol::view::{EarningsView, FarmView, JobSummary, NodeView, StatementPage, WalletView};
use protocol::{JobId, PublicKey};

use super::fetched::Fetched;

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
}

/// An answer of the farm's books, or why there is none.
#[derive(Debug, Clone)]
pub enum Event {
    /// Balances.
    Wallet(Result<WalletView, String>),
    /// A page of the wallet.
    Statement(Result<StatementPage, String>),
    /// The caller's jobs.
    Jobs(Result<Vec<JobSummary>, String>),
    /// The farm.
    Farm(Result<FarmView, String>),
    /// Earnings a day.
    Earnings(Result<EarningsView, String>),
}

impl Book {
    /// Takes an answer in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Wallet(answer) => self.wallet.take(answer),
            Event::Statement(answer) => self.statement.take(answer),
            Event::Jobs(answer) => self.jobs.take(answer),
            Event::Farm(answer) => self.farm.take(answer),
            Event::Earnings(answer) => self.earnings.take(answer),
        }
    }

    /// The caller's jobs, newest first; none before they are known.
    #[must_use]
    pub fn job_list(&self) -> &[JobSummary] {
        self.jobs.get().map_or(&[], Vec::as_slice)
    }

    /// A job of the caller's.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<&JobSummary> {
        self.job_list().iter().find(|row| row.job == job)
    }

    /// Puts a job's row up to date, where it is known.
    pub fn renew(&mut self, summary: JobSummary) {
        let rows = self.jobs.value.as_mut();
        if let Some(row) = rows.and_then(|rows| rows.iter_mut().find(|row| row.job == summary.job))
        {
            *row = summary;
        }
    }

    /// Nodes that pay `owner`, or are it.
    #[must_use]
    pub fn nodes_of(&self, owner: PublicKey) -> Vec<&NodeView> {
        let nodes = self.farm.get().map_or(&[][..], |farm| farm.nodes.as_slice());
        let is_own = |node: &&NodeView| node.owner == owner || PublicKey::from(node.node) == owner;
        nodes.iter().filter(is_own).collect()
    }

    /// Whether nobody pays anything on this farm.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.farm
            .get()
            .is_some_and(|farm| farm.price_per_gray.is_zero() && farm.market.ceiling.is_zero())
    }
}
