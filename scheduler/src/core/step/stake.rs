//! Tokens that owners put at risk: fewer twins for them, and more to lose.

use ledger::{Code, Transfer, account};
use protocol::{LeaseId, PublicKey, Tokens};

use crate::core::event::Effect;
use crate::core::state::{Book, Stake};
use crate::money;

/// Puts tokens of an owner's wallet at risk; they count once the ledger has moved them.
pub(super) fn order(
    book: &mut Book,
    owner: PublicKey,
    amount: Tokens,
    id: [u8; 16],
    effects: &mut Vec<Effect>,
) {
    if amount.is_zero() || !book.stakes.entry(owner).or_default().said.insert(id) {
        return;
    }
    let accounts = (account::wallet(owner), account::stake(owner));
    let transfer = money::stake_id(owner, id);
    book.transfer(vec![Transfer::posted(transfer, accounts, amount, Code::Stake)], effects);
    book.stakes_ordered.insert(book.moves, (owner, amount, id));
}

/// The ledger has done a batch: if it was a stake, it counts from now on.
pub(super) fn moved(book: &mut Book, seq: u64) {
    if let Some((owner, amount, _)) = book.stakes_ordered.remove(&seq) {
        restore(book, owner, amount);
    }
}

/// The wallet held less: as if nothing had been said.
pub(super) fn unfunded(book: &mut Book, seq: u64) {
    if let Some((owner, _, id)) = book.stakes_ordered.remove(&seq) {
        book.outbox.remove(&seq);
        book.stakes.entry(owner).or_default().said.remove(&id);
    }
}

/// Adds to what an owner has at risk.
pub(super) fn restore(book: &mut Book, owner: PublicKey, amount: Tokens) {
    if !amount.is_zero() {
        let stake = book.stakes.entry(owner).or_default();
        stake.amount = money::plus(stake.amount, amount);
    }
}

/// Asks for some of it back: it is at risk as long as pay is held, and counts for nothing from now
/// on.
pub(super) fn withdraw(book: &mut Book, owner: PublicKey, amount: Tokens, now_ms: u64) {
    let leaves_ms = now_ms.saturating_add(book.policy.hold_ms);
    let Some(stake) = book.stakes.get_mut(&owner) else { return };
    let amount = amount.min(stake.amount);
    stake.amount = money::minus(stake.amount, amount);
    stake.leaving = money::plus(stake.leaving, amount);
    stake.leaves_ms = leaves_ms;
}

/// The time is over: it goes back to the wallet.
pub(super) fn leave(book: &mut Book, owner: PublicKey, effects: &mut Vec<Effect>) {
    let Some(stake) = book.stakes.get_mut(&owner) else { return };
    let amount = std::mem::take(&mut stake.leaving);
    stake.withdrawals += 1;
    let id = money::unstake_id(owner, stake.withdrawals);
    let accounts = (account::stake(owner), account::wallet(owner));
    book.transfer(vec![Transfer::posted(id, accounts, amount, Code::Unstake)], effects);
}

/// Takes all that the owner of a convicted node has at risk, to the appeal account.
pub(super) fn seize(
    book: &mut Book,
    cause: LeaseId,
    owner: PublicKey,
    effects: &mut Vec<Effect>,
) -> Tokens {
    let Some(Stake { amount, leaving, .. }) = book.stakes.get_mut(&owner) else {
        return Tokens::ZERO;
    };
    let taken = money::plus(std::mem::take(amount), std::mem::take(leaving));
    let accounts = (account::stake(owner), account::appeal());
    let id = money::lease_movement_id("stake seized", cause);
    book.transfer(vec![Transfer::posted(id, accounts, taken, Code::Slash)], effects);
    taken
}
