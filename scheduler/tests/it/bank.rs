//! A model of the ledger in a hundred lines: what the real one must agree with.

use std::collections::BTreeMap;

use ledger::{Account, Transfer, TransferKind};
use protocol::{Digest, Tokens, TransferId};

/// Balances, open pendings and all ids ever applied.
#[derive(Default)]
pub struct Bank {
    posted: BTreeMap<Account, i128>,
    pending: BTreeMap<TransferId, (Account, Account, u128)>,
    applied: BTreeMap<TransferId, Digest>,
    flows: BTreeMap<(Account, Account), u128>,
}

/// The one refusal that may happen: the debit account holds less.
#[derive(Debug)]
pub struct NotEnough {
    pub account: Account,
}

impl Bank {
    /// Applies a batch, all or nothing. Anything but a lack of tokens is a bug and panics.
    pub fn apply(&mut self, batch: &[Transfer]) -> Result<(), NotEnough> {
        let before =
            (self.posted.clone(), self.pending.clone(), self.applied.clone(), self.flows.clone());
        for transfer in batch {
            if let Err(refusal) = self.apply_one(transfer) {
                (self.posted, self.pending, self.applied, self.flows) = before;
                return Err(refusal);
            }
        }
        let sum: i128 = self.posted.values().sum();
        assert_eq!(sum, 0, "the sum over all accounts");
        Ok(())
    }

    fn apply_one(&mut self, transfer: &Transfer) -> Result<(), NotEnough> {
        assert!(!transfer.amount.is_zero(), "a transfer of nothing: {transfer:?}");
        let digest = transfer.digest();
        if let Some(before) = self.applied.get(&transfer.id) {
            assert_eq!(*before, digest, "one id, two transfers: {transfer:?}");
            return Ok(());
        }
        let amount = transfer.amount.micro();
        match transfer.kind {
            TransferKind::Posted => {
                self.want(transfer.debit, amount)?;
                self.shift(transfer.debit, transfer.credit, amount);
            }
            TransferKind::Pending { .. } => {
                self.want(transfer.debit, amount)?;
                let parts = (transfer.debit, transfer.credit, amount);
                self.pending.insert(transfer.id, parts);
            }
            TransferKind::Post { pending, amount: posted } => {
                let parts = self.pending.remove(&pending).expect("an open pending to post");
                assert_eq!(parts, (transfer.debit, transfer.credit, amount));
                assert!(posted.micro() <= amount && !posted.is_zero());
                self.shift(transfer.debit, transfer.credit, posted.micro());
            }
            TransferKind::Void { pending } => {
                let parts = self.pending.remove(&pending).expect("an open pending to void");
                assert_eq!(parts, (transfer.debit, transfer.credit, amount));
            }
        }
        self.applied.insert(transfer.id, digest);
        Ok(())
    }

    fn want(&self, account: Account, amount: u128) -> Result<(), NotEnough> {
        let enough = account.may_go_below_zero() || self.available(account).micro() >= amount;
        if enough { Ok(()) } else { Err(NotEnough { account }) }
    }

    fn shift(&mut self, debit: Account, credit: Account, amount: u128) {
        *self.posted.entry(debit).or_default() -= amount as i128;
        *self.posted.entry(credit).or_default() += amount as i128;
        *self.flows.entry((debit, credit)).or_default() += amount;
        assert!(debit.may_go_below_zero() || self.posted[&debit] >= 0, "{debit} below zero");
    }

    /// What an account can spend.
    pub fn available(&self, account: Account) -> Tokens {
        let reserved: u128 =
            self.pending.values().filter(|(from, ..)| *from == account).map(|p| p.2).sum();
        let posted = self.posted.get(&account).copied().unwrap_or(0);
        Tokens::from_micro(u128::try_from(posted).expect("not below zero") - reserved)
    }

    /// What an account holds, reservations included.
    pub fn posted(&self, account: Account) -> i128 {
        self.posted.get(&account).copied().unwrap_or(0)
    }

    /// What has gone from one account to another in all.
    pub fn flow(&self, from: Account, to: Account) -> u128 {
        self.flows.get(&(from, to)).copied().unwrap_or(0)
    }

    /// Whether a transfer was applied.
    pub fn has(&self, id: TransferId) -> bool {
        self.applied.contains_key(&id)
    }
}
