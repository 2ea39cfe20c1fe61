//! The books: accounts, ids and pending transfers in memory, and the rules by which entries
//! change them. Pure: no disk, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};

use proof::merkle::{Frontier, Hash};
use proof::{Account, AccountState, Entry, Event, Transfer, TransferKind};
use protocol::{AccountId, Digest, Tokens, TransferId};

use crate::apply::{ApplyError, BATCH_TRANSFERS_MAX, Broken, Ended, Outcome, ReplayError};
use crate::totals::{Effect, MICRO_TOKENS_MAX, Totals};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Done,
    Open,
    Ended(Ended),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    seq: u64,
    digest: Digest,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    transfer: Transfer,
    expires_ms: Option<u64>,
}

/// How to take a batch back.
#[derive(Debug)]
enum Undo {
    Account(AccountId, Option<(Account, Totals)>),
    Known(TransferId, Option<Known>),
    Opened(TransferId),
    Closed(Open),
}

/// A batch that has been applied to the books but is not durable yet.
#[derive(Debug)]
pub(crate) struct Staged {
    pub outcomes: Vec<Outcome>,
    pub entries: Vec<Entry>,
    undo: Vec<Undo>,
    before: (Totals, u64, u64),
}

/// Accounts, ids and open transfers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    size: u64,
    time_ms: u64,
    sums: Totals,
    accounts: BTreeMap<AccountId, (Account, Totals)>,
    known: HashMap<TransferId, Known>,
    open: BTreeMap<TransferId, Open>,
    expiries: BTreeSet<(u64, TransferId)>,
}

impl Books {
    /// Number of entries taken in.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Time of the last entry, milliseconds since 1970.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// What an account adds up to; nothing for one that was never named.
    #[must_use]
    pub fn totals(&self, account: AccountId) -> Totals {
        self.accounts.get(&account).map(|(_, totals)| *totals).unwrap_or_default()
    }

    /// All accounts that were ever named, by id.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, Account, Totals)> {
        self.accounts.iter().map(|(id, (account, totals))| (*id, *account, *totals))
    }

    /// What an account is.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<Account> {
        self.accounts.get(&id).map(|(account, _)| *account)
    }

    /// All accounts with their sums, by id: the leaves of the account tree.
    pub fn account_states(&self) -> impl Iterator<Item = AccountState> {
        self.accounts.values().map(|(account, totals)| totals.of_account(*account))
    }

    /// How many accounts there are, and the root of the tree over them.
    #[must_use]
    pub fn account_tree(&self) -> (u64, Hash) {
        let mut tree = Frontier::default();
        self.account_states().for_each(|state| tree.push(state.leaf()));
        (tree.size(), tree.root())
    }

    /// The entry that applied a transfer.
    #[must_use]
    pub fn entry_of(&self, id: TransferId) -> Option<u64> {
        self.known.get(&id).map(|known| known.seq)
    }

    /// How a pending transfer ended; `None` while it is open, and for any other.
    #[must_use]
    pub fn ended(&self, id: TransferId) -> Option<Ended> {
        match self.known.get(&id)?.state {
            State::Ended(ended) => Some(ended),
            State::Done | State::Open => None,
        }
    }

    /// The same without the ids of transfers, which are most of it.
    #[must_use]
    pub(crate) fn without_ids(&self) -> Self {
        Self {
            known: HashMap::new(),
            accounts: self.accounts.clone(),
            open: self.open.clone(),
            expiries: self.expiries.clone(),
            ..*self
        }
    }

    /// Whether accounts, sums and open transfers are the same.
    pub(crate) fn holds_like(&self, other: &Self) -> bool {
        (self.size, self.time_ms, self.sums) == (other.size, other.time_ms, other.sums)
            && self.accounts == other.accounts
            && self.open == other.open
            && self.expiries == other.expiries
    }

    /// An open pending transfer.
    #[must_use]
    pub fn pending(&self, id: TransferId) -> Option<&Transfer> {
        self.open.get(&id).map(|open| &open.transfer)
    }

    /// Open pending transfers.
    pub fn open(&self) -> impl Iterator<Item = &Transfer> {
        self.open.values().map(|open| &open.transfer)
    }

    /// When the next pending transfer expires, milliseconds since 1970.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.expiries.first().map(|(expires_ms, _)| *expires_ms)
    }

    /// Applies a batch, all or nothing. The caller makes it durable, or takes it back.
    pub(crate) fn stage(&mut self, batch: &[Transfer], now_ms: u64) -> Result<Staged, ApplyError> {
        if batch.len() > BATCH_TRANSFERS_MAX {
            return Err(ApplyError::BatchTooLarge(batch.len()));
        }
        let mut staged = self.begin();
        // The owner judges the clock; whatever he believes, time does not go back here.
        let time_ms = now_ms.max(self.time_ms);
        for transfer in batch {
            match self.transfer(transfer, time_ms, &mut staged) {
                Ok(outcome) => staged.outcomes.push(outcome),
                Err(error) => {
                    self.undo(staged);
                    return Err(error);
                }
            }
        }
        self.assert_balanced(&staged);
        Ok(staged)
    }

    /// Ends pending transfers whose time is over, at most a batch of them.
    pub(crate) fn stage_expiries(&mut self, now_ms: u64) -> Staged {
        let mut staged = self.begin();
        let time_ms = now_ms.max(self.time_ms);
        while let Some((expires_ms, id)) = self.expiries.first().copied()
            && expires_ms <= time_ms
            && staged.entries.len() < BATCH_TRANSFERS_MAX
        {
            let transfer = self.open[&id].transfer.clone();
            let event = Event::Expired(transfer);
            self.event(event, time_ms, &mut staged)
                .expect("invariant: what was set aside can be freed");
        }
        self.assert_balanced(&staged);
        staged
    }

    /// Takes a staged batch back. Batches are taken back in reverse order.
    pub(crate) fn undo(&mut self, staged: Staged) {
        for undo in staged.undo.into_iter().rev() {
            match undo {
                Undo::Account(id, Some(before)) => {
                    self.accounts.insert(id, before);
                }
                Undo::Account(id, None) => {
                    self.accounts.remove(&id);
                }
                Undo::Known(id, Some(before)) => {
                    self.known.insert(id, before);
                }
                Undo::Known(id, None) => {
                    self.known.remove(&id);
                }
                Undo::Opened(id) => {
                    self.close(id);
                }
                Undo::Closed(open) => self.reopen(open),
            }
        }
        (self.sums, self.size, self.time_ms) = staged.before;
    }

    /// Takes in an entry of the journal by the rules that let it in.
    ///
    /// # Errors
    /// See [`ReplayError`]; the books are of no more use then.
    pub fn replay(&mut self, seq: u64, entry: &Entry) -> Result<(), ReplayError> {
        if seq != self.size {
            return Err(ReplayError::Sequence { got: seq, expected: self.size });
        }
        if entry.time_ms < self.time_ms {
            let (time_ms, last_ms) = (entry.time_ms, self.time_ms);
            return Err(ReplayError::Time { time_ms, last_ms });
        }
        let mut staged = self.begin();
        match &entry.event {
            Event::Transfer(transfer) => {
                let outcome = self
                    .transfer(transfer, entry.time_ms, &mut staged)
                    .map_err(ReplayError::Refused)?;
                if !matches!(outcome, Outcome::Applied { .. }) {
                    return Err(ReplayError::Twice(transfer.id));
                }
            }
            Event::Expired(transfer) => {
                let is_due = self.open.get(&transfer.id).is_some_and(|open| {
                    open.transfer == *transfer
                        && open.expires_ms.is_some_and(|expires| expires <= entry.time_ms)
                });
                let overflow = |_why| ReplayError::NotExpired(transfer.id);
                if !is_due {
                    return Err(ReplayError::NotExpired(transfer.id));
                }
                self.event(entry.event.clone(), entry.time_ms, &mut staged).map_err(overflow)?;
            }
        }
        self.assert_balanced(&staged);
        Ok(())
    }

    /// Counts everything again.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check(&self) -> Result<(), Broken> {
        let mut counted = Totals::default();
        for (account, totals) in self.accounts.values() {
            counted = counted.checked_add(totals).ok_or(Broken::Unequal(self.sums))?;
            if totals.available() < 0 && !account.may_go_below_zero() {
                return Err(Broken::BelowZero(*account));
            }
        }
        if counted != self.sums {
            let (running, counted) = (Box::new(self.sums), Box::new(counted));
            return Err(Broken::Sums { running, counted });
        }
        if !is_equal(&counted) {
            return Err(Broken::Unequal(counted));
        }
        let open: u128 = self.open().map(|transfer| transfer.amount.micro()).sum();
        if open != counted.debits_pending {
            return Err(Broken::Pending { set_aside: counted.debits_pending, open });
        }
        Ok(())
    }

    fn begin(&self) -> Staged {
        Staged {
            outcomes: Vec::new(),
            entries: Vec::new(),
            undo: Vec::new(),
            before: (self.sums, self.size, self.time_ms),
        }
    }

    fn transfer(
        &mut self,
        transfer: &Transfer,
        time_ms: u64,
        staged: &mut Staged,
    ) -> Result<Outcome, ApplyError> {
        let id = transfer.id;
        if let Some(known) = self.known.get(&id) {
            return match known.digest == transfer.digest() {
                true => Ok(Outcome::AlreadyApplied { seq: known.seq }),
                false => Err(ApplyError::IdReused { transfer: id, seq: known.seq }),
            };
        }
        if transfer.amount.is_zero() {
            return Err(ApplyError::NoAmount { transfer: id });
        }
        if transfer.debit == transfer.credit {
            return Err(ApplyError::SameAccount { transfer: id, account: transfer.debit });
        }
        match transfer.kind {
            TransferKind::Posted | TransferKind::Pending { .. } => self.check_funds(transfer)?,
            TransferKind::Post { pending, amount } => {
                self.check_end(transfer, pending, time_ms)?;
                if amount.is_zero() {
                    return Err(ApplyError::NoAmount { transfer: id });
                }
                if amount > transfer.amount {
                    let set_aside = transfer.amount;
                    return Err(ApplyError::PostsMore { transfer: id, amount, set_aside });
                }
            }
            TransferKind::Void { pending } => self.check_end(transfer, pending, time_ms)?,
        }
        let seq = self.size;
        self.event(Event::Transfer(transfer.clone()), time_ms, staged)?;
        Ok(Outcome::Applied { seq })
    }

    fn check_funds(&self, transfer: &Transfer) -> Result<(), ApplyError> {
        let (id, amount) = (transfer.id, transfer.amount);
        if amount.micro() > MICRO_TOKENS_MAX {
            return Err(ApplyError::Overflow { transfer: id });
        }
        let available = self.totals(transfer.debit.id()).available();
        if transfer.debit.may_go_below_zero() || available >= amount.micro() as i128 {
            return Ok(());
        }
        let available = Tokens::from_micro(available.unsigned_abs());
        Err(ApplyError::NotEnough { transfer: id, account: transfer.debit, available, amount })
    }

    fn check_end(
        &self,
        transfer: &Transfer,
        pending: TransferId,
        time_ms: u64,
    ) -> Result<(), ApplyError> {
        let id = transfer.id;
        let Some(open) = self.open.get(&pending) else {
            return Err(match self.known.get(&pending).map(|known| known.state) {
                Some(State::Ended(ended)) => ApplyError::Ended { transfer: id, pending, ended },
                _ => ApplyError::NotPending { transfer: id, pending },
            });
        };
        let set_aside = &open.transfer;
        let differs = |field| Err(ApplyError::Differs { transfer: id, pending, field });
        if let Some(expired_ms) = open.expires_ms.filter(|&expires_ms| expires_ms <= time_ms) {
            let now_ms = time_ms;
            return Err(ApplyError::TooLate { transfer: id, pending, expired_ms, now_ms });
        }
        if transfer.debit != set_aside.debit {
            return differs("debit account");
        }
        if transfer.credit != set_aside.credit {
            return differs("credit account");
        }
        if transfer.amount != set_aside.amount {
            return differs("amount");
        }
        Ok(())
    }

    /// Changes the books by an event that has been checked.
    fn event(&mut self, event: Event, time_ms: u64, staged: &mut Staged) -> Result<(), ApplyError> {
        let (Event::Transfer(transfer) | Event::Expired(transfer)) = &event;
        let id = transfer.id;
        let effect = Effect::of(&event);
        let overflow = ApplyError::Overflow { transfer: id };
        let changed = self
            .change(transfer.debit, |totals| effect.on_debit(totals), &mut staged.undo)
            .and_then(|()| {
                self.change(transfer.credit, |totals| effect.on_credit(totals), &mut staged.undo)
            });
        changed.ok_or(overflow)?;

        let seq = self.size;
        match (&event, transfer.kind) {
            (Event::Expired(_), _) => self.end(id, Ended::Expired, &mut staged.undo),
            (_, TransferKind::Posted) => {
                self.know(transfer, seq, State::Done, &mut staged.undo);
            }
            (_, TransferKind::Pending { timeout_ms }) => {
                self.know(transfer, seq, State::Open, &mut staged.undo);
                let expires_ms = (timeout_ms > 0).then(|| time_ms.saturating_add(timeout_ms));
                self.reopen(Open { transfer: transfer.clone(), expires_ms });
                staged.undo.push(Undo::Opened(id));
            }
            (_, TransferKind::Post { pending, .. }) => {
                self.know(transfer, seq, State::Done, &mut staged.undo);
                self.end(pending, Ended::Posted, &mut staged.undo);
            }
            (_, TransferKind::Void { pending }) => {
                self.know(transfer, seq, State::Done, &mut staged.undo);
                self.end(pending, Ended::Voided, &mut staged.undo);
            }
        }
        (self.size, self.time_ms) = (seq + 1, time_ms);
        staged.entries.push(Entry { time_ms, event });
        Ok(())
    }

    fn change(
        &mut self,
        account: Account,
        apply: impl FnOnce(&Totals) -> Option<Totals>,
        undo: &mut Vec<Undo>,
    ) -> Option<()> {
        let id = account.id();
        let place = self.accounts.entry(id);
        let before = match &place {
            btree_map::Entry::Occupied(found) => Some(*found.get()),
            btree_map::Entry::Vacant(_) => None,
        };
        let old = before.map(|(_, totals)| totals).unwrap_or_default();
        let new = apply(&old)?;
        self.sums = self.sums.checked_sub(&old)?.checked_add(&new)?;
        undo.push(Undo::Account(id, before));
        place.insert_entry((account, new));
        Some(())
    }

    fn know(&mut self, transfer: &Transfer, seq: u64, state: State, undo: &mut Vec<Undo>) {
        let known = Known { seq, digest: transfer.digest(), state };
        undo.push(Undo::Known(transfer.id, self.known.insert(transfer.id, known)));
    }

    fn end(&mut self, pending: TransferId, ended: Ended, undo: &mut Vec<Undo>) {
        let known = self.known.get_mut(&pending).expect("invariant: an open transfer is known");
        undo.push(Undo::Known(pending, Some(*known)));
        known.state = State::Ended(ended);
        undo.push(Undo::Closed(self.close(pending)));
    }

    fn close(&mut self, id: TransferId) -> Open {
        let open = self.open.remove(&id).expect("invariant: it was checked to be open");
        if let Some(expires_ms) = open.expires_ms {
            self.expiries.remove(&(expires_ms, id));
        }
        open
    }

    fn reopen(&mut self, open: Open) {
        let id = open.transfer.id;
        if let Some(expires_ms) = open.expires_ms {
            self.expiries.insert((expires_ms, id));
        }
        self.open.insert(id, open);
    }

    /// The invariants that a batch could have broken, before it reaches the journal.
    fn assert_balanced(&self, staged: &Staged) {
        assert!(is_equal(&self.sums), "debits and credits differ: {:?}", self.sums);
        for undo in &staged.undo {
            if let Undo::Account(id, _) = undo {
                let (account, totals) = &self.accounts[id];
                let is_covered = totals.available() >= 0 || account.may_go_below_zero();
                assert!(is_covered, "the {account} is below zero: {totals:?}");
            }
        }
        assert!(self.size == staged.before.1 + staged.entries.len() as u64, "a gap in numbers");
        assert!(self.time_ms >= staged.before.2, "time went backwards");
    }
}

/// Whether debits equal credits, posted and pending; the sum over all accounts is zero then.
const fn is_equal(sums: &Totals) -> bool {
    sums.debits_posted == sums.credits_posted && sums.debits_pending == sums.credits_pending
}

mod image;
#[cfg(test)]
mod model;
