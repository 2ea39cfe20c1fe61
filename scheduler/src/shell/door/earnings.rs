//! What the caller's nodes have earned, by the ledger.

use ledger::{StatementError, account};
use protocol::message::Refused;
use protocol::view::{EarningsBy, EarningsView};
use protocol::{NodeId, PublicKey, Reply};

use super::{Door, blocking, internal};
use crate::core::view;
use crate::earnings::Earnings;

/// Entries of one node that are read: a busy month.
const ENTRIES_PER_NODE_MAX: usize = 100_000;
/// Rows of one reply.
const ROWS_MAX: usize = 5_000;

impl Door {
    pub(super) async fn earnings(
        &self,
        caller: PublicKey,
        by: EarningsBy,
        from_ms: u64,
    ) -> Result<Reply, Refused> {
        let (nodes, mut held) = self
            .desk
            .ask(move |desk| {
                let book = &desk.state().book;
                let own = book.nodes.values().filter(|node| node.facts.owner == caller);
                (own.map(|node| node.id).collect::<Vec<NodeId>>(), view::held(book, caller))
            })
            .await?;
        let reader = self.till.ask(|ledger| ledger.reader()).await?;
        let _turn = self.statements.acquire().await;
        let added_up = blocking(move || {
            let (mut earnings, mut complete) = (Earnings::new(by), true);
            for node in nodes {
                let (entries, all) =
                    reader.since(account::held(node), from_ms, ENTRIES_PER_NODE_MAX)?;
                entries.iter().for_each(|entry| earnings.add(node, entry));
                complete &= all;
            }
            Ok::<_, StatementError>((earnings.rows(), complete))
        });
        let added_up = added_up.await?;
        let (mut rows, complete) =
            added_up.map_err(|error| internal("the earnings were not added up", error))?;
        let complete = complete && rows.len() <= ROWS_MAX && held.len() <= ROWS_MAX;
        rows.truncate(ROWS_MAX);
        held.truncate(ROWS_MAX);
        Ok(Reply::Earnings(EarningsView { rows, held, complete }))
    }
}
