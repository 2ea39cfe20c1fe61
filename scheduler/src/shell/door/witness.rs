//! Checkpoints of the ledger for everybody to keep, and the co-signatures of those who do.
//!
//! All witnesses get the same checkpoint for a while, so that their co-signatures meet under one
//! note; a receipt rests on such a one when it covers what was paid.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ledger::ProverError;
use proof::{Checkpoint, Consistency, ledger_origin, witness};
use protocol::message::{Refused, RefusedCode};
use protocol::sign::public_key;
use protocol::{NodeId, PublicKey, Reply, limits};

use super::{Door, blocking, chain, internal, refused};

/// Published checkpoints that may still be co-signed and shown.
const PUBLISHED_MAX: usize = 3;
/// Co-signatures that are shown with a checkpoint: the newest, of distinct owners.
const COSIGNATURES_MAX: usize = 16;

/// What is published.
#[derive(Debug, Default)]
pub(in crate::shell) struct Witnesses(Mutex<Board>);

/// Checkpoints, the newest first.
#[derive(Debug, Default)]
struct Board {
    published: VecDeque<Published>,
}

#[derive(Debug)]
struct Published {
    note: String,
    size: u64,
    at: Instant,
    /// In the order in which they came, those of clients first.
    signers: Vec<Signer>,
}

/// Somebody who has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signer {
    /// Whose machine it is: one person counts once.
    owner: PublicKey,
    /// Nodes in good standing are not driven out by keys that anybody can make.
    is_node: bool,
    line: String,
}

impl Published {
    fn with_cosignatures(&self) -> String {
        self.signers.iter().fold(self.note.clone(), |note, signer| note + &signer.line)
    }

    fn add(&mut self, signer: Signer) {
        self.signers.retain(|other| other.owner != signer.owner);
        self.signers.push(signer);
        self.signers.sort_by_key(|signer| signer.is_node);
        if self.signers.len() > COSIGNATURES_MAX {
            self.signers.remove(0);
        }
    }
}

impl Board {
    /// Whether the newest was published long enough ago, or does not reach `since`.
    fn is_due(&self, since: u64, now: Instant, interval: Duration) -> bool {
        self.published.front().is_none_or(|newest| {
            newest.size < since || now.saturating_duration_since(newest.at) >= interval
        })
    }

    fn publish(&mut self, note: String, size: u64, now: Instant) {
        match self.published.front_mut() {
            // Nothing was written since: the same goes on gathering co-signatures.
            Some(newest) if newest.size >= size => newest.at = now,
            _ => {
                self.published.push_front(Published { note, size, at: now, signers: Vec::new() });
                self.published.truncate(PUBLISHED_MAX);
            }
        }
    }

    fn of_size(&mut self, size: u64) -> Option<&mut Published> {
        self.published.iter_mut().find(|published| published.size == size)
    }

    /// Of those that cover so many entries and have co-signatures the one with the most.
    fn best(&self, entries: u64) -> Option<&Published> {
        let covering = self.published.iter().filter(|published| published.size >= entries);
        // The last of equals: the oldest.
        covering.filter(|one| !one.signers.is_empty()).max_by_key(|one| one.signers.len())
    }
}

impl Witnesses {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A published checkpoint that covers the first `entries` and that somebody has co-signed.
    pub(super) fn cosigned(&self, entries: u64) -> Option<String> {
        self.lock().best(entries).map(Published::with_cosignatures)
    }
}

impl Door {
    /// The newest published checkpoint, and that it goes on from one of `since` entries.
    pub(super) async fn checkpoint(&self, since: u64) -> Result<Reply, Refused> {
        let interval = Duration::from_millis(self.config.publish_ms);
        if self.witnesses.lock().is_due(since, Instant::now(), interval) {
            let note = self.till.ask(|ledger| ledger.checkpoint_if_behind()).await?;
            let note = note.map_err(|error| internal("the ledger signed no checkpoint", error))?;
            let size = self.size_of(&note)?;
            self.witnesses.lock().publish(note, size, Instant::now());
        }
        let newest = self.witnesses.lock().published.front().map(Published::with_cosignatures);
        let note = newest.ok_or_else(|| {
            refused(RefusedCode::Busy, "no checkpoint is published yet; try again in a moment")
        })?;
        if since > self.size_of(&note)? {
            // Whoever asks has seen more than there is, and will say so.
            let shorter = Consistency { old_size: 0, path: Vec::new(), note };
            return Ok(Reply::Checkpoint(shorter.to_text()));
        }
        let _turn = self.statements.acquire().await;
        let prover = self.prover.clone();
        let proof = blocking(move || prover.consistency(since, &note)).await?;
        Ok(Reply::Checkpoint(proof.map_err(not_proven)?.to_text()))
    }

    /// Takes a co-signature of a published checkpoint.
    pub(super) async fn cosign(
        &self,
        caller: PublicKey,
        size: u64,
        line: String,
    ) -> Result<Reply, Refused> {
        let bad = |message: &str| refused(RefusedCode::BadRequest, message);
        if line.len() > limits::COSIGNATURE_LINE_BYTES_MAX || !line.ends_with('\n') {
            return Err(bad("this is no line of a signed note"));
        }
        let note = self.witnesses.lock().of_size(size).map(|published| published.note.clone());
        let note = note.ok_or_else(|| {
            let message = format!(
                "no checkpoint of {size} entries is published any more; ask for the newest"
            );
            refused(RefusedCode::NotFound, message)
        })?;
        let cosigned = witness::check_line(&note, line.trim_end_matches('\n'));
        if cosigned.is_none_or(|cosigned| cosigned.witness != caller) {
            return Err(bad("this is not your co-signature of the published checkpoint"));
        }
        let known = self.desk.ask(move |desk| {
            let node = desk.state().book.nodes.get(&NodeId(caller.0))?;
            Some((node.facts.owner, node.class.is_some() && !node.barred))
        });
        let (owner, is_node) = known.await?.unwrap_or((caller, false));
        if let Some(published) = self.witnesses.lock().of_size(size) {
            published.add(Signer { owner, is_node, line });
        }
        Ok(Reply::Done)
    }

    fn size_of(&self, note: &str) -> Result<u64, Refused> {
        let key = public_key(&self.key);
        let opened = Checkpoint::open(note, &ledger_origin(key), Some(key));
        let opened = opened.map_err(|error| internal("the ledger's checkpoint is odd", error))?;
        Ok(opened.size)
    }
}

/// What whoever asked for a proof is told.
pub(super) fn not_proven(error: ProverError) -> Refused {
    match &error {
        ProverError::NotThere { .. } | ProverError::Damaged => {
            tracing::warn!("no proof was made: {error}");
            refused(RefusedCode::Busy, chain(&error))
        }
        _ => internal("no proof was made", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(owner: u8, is_node: bool, line: &str) -> Signer {
        Signer { owner: PublicKey([owner; 32]), is_node, line: format!("{line}\n") }
    }

    fn board(sizes: &[u64], at: Instant) -> Board {
        let mut board = Board::default();
        sizes.iter().for_each(|&size| board.publish(format!("{size}\n"), size, at));
        board
    }

    #[test]
    fn one_owner_counts_once_and_nodes_are_not_driven_out() {
        let mut board = board(&[7], Instant::now());
        let published = board.of_size(7).expect("published");
        published.add(signer(1, true, "a"));
        published.add(signer(1, true, "b"));
        published.add(signer(2, true, "c"));
        for client in 100..200 {
            published.add(signer(client, false, "client"));
        }
        assert_eq!(published.signers.len(), COSIGNATURES_MAX);
        let nodes: Vec<&Signer> = published.signers.iter().filter(|one| one.is_node).collect();
        assert_eq!(nodes, [&signer(1, true, "b"), &signer(2, true, "c")]);
        // The newest clients stay.
        assert_eq!(published.signers[0].owner, PublicKey([186; 32]));
        for node in 0..50 {
            published.add(signer(node, true, "node"));
        }
        assert!(published.signers.iter().all(|one| one.is_node && one.owner.0[0] >= 34));
    }

    #[test]
    fn a_checkpoint_is_published_for_a_while_or_until_somebody_has_seen_more() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut board = Board::default();
        assert!(board.is_due(0, start, minute));
        board.publish("7\n".to_owned(), 7, start);
        assert!(!board.is_due(7, start + minute / 2, minute));
        assert!(board.is_due(8, start, minute), "somebody has seen more");
        assert!(board.is_due(0, start + minute, minute));
        // The same again goes on gathering.
        board.of_size(7).expect("published").add(signer(1, true, "a"));
        board.publish("7\n".to_owned(), 7, start + minute);
        assert!(!board.is_due(0, start + minute, minute));
        assert_eq!(board.best(7).map(Published::with_cosignatures).as_deref(), Some("7\na\n"));
    }

    #[test]
    fn a_receipt_rests_on_the_most_co_signatures_that_cover_it() {
        let mut board = board(&[5, 10, 15, 20], Instant::now());
        assert!(board.of_size(5).is_none(), "too old");
        assert!(board.best(1).is_none(), "nobody has signed");
        for (size, count) in [(10, 3), (15, 3), (20, 1)] {
            let published = board.of_size(size).expect("published");
            (0..count).for_each(|owner| published.add(signer(owner, true, "a")));
        }
        let size = |entries| board.best(entries).map(|published| published.size);
        assert_eq!(
            [size(1), size(10), size(11), size(16)],
            [Some(10), Some(10), Some(15), Some(20)]
        );
        assert_eq!(size(21), None);
    }
}
