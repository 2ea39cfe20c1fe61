//! A bank in few lines: balances, and reservations until they are settled.

use std::collections::HashMap;

use ledger::{Account, Transfer, TransferKind};
use protocol::TransferId;

/// What accounts hold, in micro-tokens.
#[derive(Default)]
pub struct Bank {
    posted: HashMap<Account, i128>,
    reserved: HashMap<Account, i128>,
    pending: HashMap<TransferId, (Account, Account, i128)>,
    pub transfers: u64,
}

impl Bank {
    /// Applies transfers that the core has asked for.
    ///
    /// # Panics
    /// When an account would hold less than nothing, or a reservation is settled twice.
    pub fn apply(&mut self, transfers: &[Transfer]) {
        for transfer in transfers {
            self.transfers += 1;
            let amount = transfer.amount.micro() as i128;
            let (debit, credit) = (transfer.debit, transfer.credit);
            match transfer.kind {
                TransferKind::Posted => self.shift(debit, credit, amount),
                TransferKind::Pending { .. } => {
                    self.pending.insert(transfer.id, (debit, credit, amount));
                    *self.reserved.entry(debit).or_default() += amount;
                    self.assert_enough(debit);
                }
                TransferKind::Post { pending, amount } => {
                    self.settle(pending);
                    self.shift(debit, credit, amount.micro() as i128);
                }
                TransferKind::Void { pending } => self.settle(pending),
            }
        }
    }

    fn settle(&mut self, pending: TransferId) {
        let (debit, _, amount) = self.pending.remove(&pending).expect("settled once");
        *self.reserved.get_mut(&debit).expect("reserved before") -= amount;
    }

    fn shift(&mut self, debit: Account, credit: Account, amount: i128) {
        *self.posted.entry(debit).or_default() -= amount;
        *self.posted.entry(credit).or_default() += amount;
        self.assert_enough(debit);
    }

    fn assert_enough(&self, account: Account) {
        let of = |map: &HashMap<Account, i128>| map.get(&account).copied().unwrap_or(0);
        let left = of(&self.posted) - of(&self.reserved);
        assert!(account.may_go_below_zero() || left >= 0, "{account} would hold {left}");
    }

    pub fn posted(&self, account: Account) -> i128 {
        self.posted.get(&account).copied().unwrap_or(0)
    }

    /// Whether nothing is reserved any more.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }
}
