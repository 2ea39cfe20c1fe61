//! The one owner of the ledger.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ledger::journal::AppendError;
use ledger::{Account, ApplyError, Ended, Ledger, Transfer, TransferKind};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use super::desk::{DeskHandle, Stopped};
use super::queue::Queue;
use crate::core::Event;

/// Batches that share one fsync.
const TOGETHER_MAX: usize = 256;

/// How long entries go without a checkpoint at most: until then they cannot be proven.
const TEND_INTERVAL: Duration = Duration::from_secs(30);

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

/// Looks after a ledger that nobody moves money in, once in a while and for ever; ends when the
/// till has.
pub(super) async fn tend(till: &TillHandle) {
    let mut interval = tokio::time::interval(TEND_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let tended = till.ask(|ledger| {
            if let Err(error) = expire(ledger, now_ms()) {
                tracing::warn!("nothing was freed that was set aside too long: {error}");
            }
            if let Err(error) = ledger.checkpoint_if_behind() {
                tracing::warn!("the ledger's checkpoint was not stored: {error}");
            }
        });
        if tended.await.is_err() {
            return;
        }
    }
}

/// Frees what was set aside for longer than it may be, before money moves. The scheduler resolves
/// each lease itself and long before that, so this finds something only after it was stopped for
/// longer than [`crate::money::RESERVATION_TIMEOUT_MS`].
fn expire(ledger: &mut Ledger, now_ms: u64) -> Result<(), ApplyError> {
    if ledger.next_expiry_ms().is_none_or(|at_ms| at_ms > now_ms) {
        return Ok(());
    }
    for transfer in ledger.expire(now_ms)? {
        let (id, amount, debit) = (transfer.id, transfer.amount, transfer.debit);
        tracing::warn!(%id, %amount, "set aside too long, free again in the {debit}");
    }
    Ok(())
}

/// A batch as it must be written when some of what it ends has expired. What would be freed is
/// free; what would be paid out of it is paid out of the account it went back to, where the book
/// still counts it as reserved.
fn without_expired(ledger: &Ledger, transfers: &[Transfer]) -> Vec<Transfer> {
    let has_expired = |pending| ledger.ended(pending) == Some(Ended::Expired);
    let written = transfers.iter().filter_map(|transfer| match transfer.kind {
        TransferKind::Void { pending } if has_expired(pending) => None,
        TransferKind::Post { pending, amount } if has_expired(pending) => {
            Some(Transfer { amount, kind: TransferKind::Posted, ..transfer.clone() })
        }
        _ => Some(transfer.clone()),
    });
    written.collect()
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
                    if ledger.is_closed() {
                        let error = anyhow::anyhow!(AppendError::Closed { path: "ledger".into() });
                        desk.tell(move |desk| desk.fail(error));
                    }
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
    let now_ms = now_ms();
    let moved = expire(ledger, now_ms).and_then(|()| {
        let lists: Vec<Vec<Transfer>> =
            batches.iter().map(|batch| without_expired(ledger, &batch.transfers)).collect();
        let lists: Vec<&[Transfer]> = lists.iter().map(Vec::as_slice).collect();
        ledger.apply_all(&lists, now_ms)
    });
    match moved {
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

/// What it means when the wallet that a batch is paid from holds less: of what people order,
/// whose wallet may have changed since it was looked at.
fn unfunded(batch: &Batch) -> Option<Event> {
    match (batch.transfers.first()?.debit, batch.transfers.first()?.credit) {
        (Account::Wallet(_), Account::Escrow(job)) => Some(Event::Unfunded { job }),
        (Account::Wallet(_), Account::Reserve) => Some(Event::DisputeUnfunded { seq: batch.seq }),
        (Account::Wallet(_), Account::Stake(_)) => Some(Event::StakeUnfunded { seq: batch.seq }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Code, Options, account};
    use protocol::{JobId, NodeId, SigningKey, Tokens, TransferId};

    use super::*;

    const DAY_MS: u64 = 24 * 3_600_000;

    #[test]
    fn a_farm_that_was_off_for_too_long_still_ends_its_leases() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options { index: false, ..Options::default() };
        let key = SigningKey::from_bytes(&[1; 32]);
        let open = || Ledger::open(dir.path(), key.clone(), &options).expect("opens");
        let mut ledger = open();
        let id = |number| TransferId([number; 16]);
        let (escrow, held) = (account::escrow(JobId([1; 16])), account::held(NodeId([2; 32])));
        let tokens = Tokens::from_whole;
        let paid = |id, pair, amount| Transfer::posted(id, pair, amount, Code::Grant);
        let lease =
            |number| Transfer::pending(id(number), (escrow, held), tokens(40), Code::Pay, DAY_MS);
        ledger
            .apply(&[paid(id(1), (account::issuance(), escrow), tokens(100))], DAY_MS)
            .expect("pays");
        ledger.apply(&[lease(2), lease(3)], DAY_MS).expect("sets aside");

        // Nothing has expired: what the book asks for is what is written.
        let verdict = [
            Transfer::post(id(4), &lease(2), tokens(30)),
            Transfer::void(id(5), &lease(3)),
            paid(id(6), (escrow, account::fee()), tokens(1)),
        ];
        expire(&mut ledger, 2 * DAY_MS - 1).expect("nothing to do");
        assert_eq!(without_expired(&ledger, &verdict), verdict);

        // Started a month later, the ledger alone would refuse it, and the scheduler would stop.
        drop(ledger);
        let mut ledger = open();
        let now_ms = 40 * DAY_MS;
        assert!(ledger.apply(&verdict, now_ms).is_err());
        expire(&mut ledger, now_ms).expect("expires");
        assert_eq!(ledger.balance(escrow).available, tokens(100));
        let written = without_expired(&ledger, &verdict);
        ledger.apply(&written, now_ms).expect("moves");
        assert_eq!(ledger.balance(held).available, tokens(30));
        assert_eq!(ledger.balance(escrow).available, tokens(69));
        // Asked again after a crash, it is done once.
        let again = ledger.apply(&without_expired(&ledger, &verdict), now_ms).expect("harmless");
        assert!(again.outcomes.iter().all(|outcome| outcome.was_applied_before()));
    }
}
