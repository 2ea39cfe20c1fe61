//! The one owner of the ledger.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ledger::{Account, ApplyError, Ledger, Transfer};
use tokio::sync::oneshot;

use super::desk::{DeskHandle, Stopped};
use super::queue::Queue;
use crate::core::Event;

/// Batches that share one fsync.
const TOGETHER_MAX: usize = 64;

/// Something for the till to do.
pub(super) enum Errand {
    /// Money to move.
    Move(Batch),
    /// A question.
    Ask(Box<dyn FnOnce(&mut Ledger) + Send>),
}

/// A batch of the outbox.
pub(super) struct Batch {
    pub(super) seq: u64,
    pub(super) transfers: Vec<Transfer>,
}

/// Asks the till.
#[derive(Clone)]
pub(super) struct TillHandle {
    errands: Arc<Queue<Errand>>,
}

impl TillHandle {
    pub(super) fn new(errands: Arc<Queue<Errand>>) -> Self {
        Self { errands }
    }

    /// Runs `ask` with the ledger and returns its answer.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Ledger) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (give, answer) = oneshot::channel();
        let errand = Errand::Ask(Box::new(move |ledger| drop(give.send(ask(ledger)))));
        self.errands.push(errand);
        answer.await.map_err(|_gone| Stopped)
    }
}

/// Milliseconds since 1970; the ledger keeps its own time from going back.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Works until the queue is closed.
pub(super) fn work(mut ledger: Ledger, errands: &Queue<Errand>, desk: &DeskHandle) {
    while let Some(some) = errands.take(TOGETHER_MAX) {
        let mut batches = Vec::new();
        for errand in some {
            match errand {
                Errand::Move(batch) => batches.push(batch),
                Errand::Ask(ask) => {
                    move_money(&mut ledger, std::mem::take(&mut batches), desk);
                    ask(&mut ledger);
                }
            }
        }
        move_money(&mut ledger, batches, desk);
    }
}

fn move_money(ledger: &mut Ledger, batches: Vec<Batch>, desk: &DeskHandle) {
    if batches.is_empty() {
        return;
    }
    let lists: Vec<&[Transfer]> = batches.iter().map(|batch| &batch.transfers[..]).collect();
    match ledger.apply_all(&lists, now_ms()) {
        Ok(results) => {
            for (batch, result) in batches.iter().zip(results) {
                report(batch, result.map(|_applied| ()), desk);
            }
        }
        Err(error) => {
            let error = anyhow::Error::new(error).context("the ledger cannot be written");
            desk.tell(move |desk| desk.fail(error));
        }
    }
}

fn report(batch: &Batch, result: Result<(), ApplyError>, desk: &DeskHandle) {
    let seq = batch.seq;
    match (result, unfunded(batch)) {
        (Ok(()), _) => desk.tell(move |desk| {
            let now_ms = desk.now_ms();
            desk.apply(Event::Moved { seq, now_ms });
        }),
        (Err(ApplyError::NotEnough { .. }), Some(unfunded)) => {
            desk.tell(move |desk| desk.apply(unfunded));
        }
        (Err(error), _) => {
            // The book and the ledger disagree about money: stop rather than guess.
            let context = format!("the ledger refused batch {seq} of the scheduler's outbox");
            let error = anyhow::Error::new(error).context(context);
            desk.tell(move |desk| desk.fail(error));
        }
    }
}

/// What it means when the wallet that a batch is paid from holds less: the two that people order,
/// whose wallet may have changed since it was looked at.
fn unfunded(batch: &Batch) -> Option<Event> {
    match (batch.transfers.first()?.debit, batch.transfers.first()?.credit) {
        (Account::Wallet(_), Account::Escrow(job)) => Some(Event::Unfunded { job }),
        (Account::Wallet(_), Account::Stake(_)) => Some(Event::StakeUnfunded { seq: batch.seq }),
        _ => None,
    }
}
