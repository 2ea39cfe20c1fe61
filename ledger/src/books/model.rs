//! Random transfers, many of them wrong, against a model of the rules that shares no code with
//! the books: it says of each transfer all that is wrong with it, and keeps balances by itself.
//!
//! Every step takes O(log n), so that ten million transfers are a matter of a minute.

mod caller;

use std::collections::{BTreeSet, HashMap};

use proof::{Account, Event, Transfer, TransferKind, account};
use protocol::{JobId, NodeId, PublicKey, TransferId};

use self::caller::{Caller, Kind, Move};
use super::{Books, Staged};
use crate::apply::{ApplyError, BATCH_TRANSFERS_MAX, Ended, Outcome};
use crate::snapshot::Fold as _;
use crate::totals::MICRO_TOKENS_MAX;

/// How many transfers; ten million by hand.
const TRANSFERS: &str = "TESSERA_TEST_LEDGER_TRANSFERS";
const SEED: &str = "TESSERA_TEST_LEDGER_SEED";
const TRANSFERS_SMALL: u64 = 200_000;
/// Up to here all entries are kept and replayed.
const REPLAYED_MAX: u64 = 1_000_000;
/// Steps between two comparisons of everything.
const FULL_CHECK_STEPS: u64 = 20_000;

/// The first may go below zero.
fn accounts() -> Vec<Account> {
    let mut accounts =
        vec![account::issuance(), account::fee(), account::reserve(), account::treasury()];
    for number in 0..20 {
        accounts.push(account::wallet(PublicKey([number; 32])));
        accounts.push(account::escrow(JobId([number; 16])));
        accounts.push(account::held(NodeId([number; 32])));
    }
    accounts
}

/// In the order of its number.
fn id(number: u64) -> TransferId {
    TransferId(u128::from(number).to_be_bytes())
}

fn number_of(id: TransferId) -> u64 {
    u128::from_be_bytes(id.0) as u64
}

/// What can be wrong with a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    IdReused,
    NoAmount,
    SameAccount,
    NotEnough,
    Overflow,
    NotPending,
    Ended(Ended),
    TooLate,
    Differs,
    PostsMore,
}

fn wrong(error: &ApplyError) -> Wrong {
    match error {
        ApplyError::IdReused { .. } => Wrong::IdReused,
        ApplyError::NoAmount { .. } => Wrong::NoAmount,
        ApplyError::SameAccount { .. } => Wrong::SameAccount,
        ApplyError::NotEnough { .. } => Wrong::NotEnough,
        ApplyError::Overflow { .. } => Wrong::Overflow,
        ApplyError::NotPending { .. } => Wrong::NotPending,
        ApplyError::Ended { ended, .. } => Wrong::Ended(*ended),
        ApplyError::TooLate { .. } => Wrong::TooLate,
        ApplyError::Differs { .. } => Wrong::Differs,
        ApplyError::PostsMore { .. } => Wrong::PostsMore,
        other => panic!("not a transfer's fault: {other}"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    is: Move,
    seq: u64,
    expires_ms: u64,
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    posted: i128,
    leaving: u128,
    arriving: u128,
}

/// What was before, for taking steps back.
#[derive(Debug, Default)]
struct Before {
    held: Vec<(u8, Held)>,
    records: Vec<(u64, Option<Record>)>,
    size: u64,
    time_ms: u64,
}

#[derive(Debug, Default)]
struct Model {
    held: Vec<Held>,
    records: HashMap<u64, Record>,
    open: BTreeSet<u64>,
    expiries: BTreeSet<(u64, u64)>,
    size: u64,
    time_ms: u64,
}

impl Model {
    fn before(&self) -> Before {
        Before { size: self.size, time_ms: self.time_ms, ..Before::default() }
    }

    /// All that is wrong with a transfer whose id is new.
    fn wrongs(&self, is: &Move, time_ms: u64) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        let mut note = |is_wrong: bool, what: Wrong| {
            if is_wrong {
                wrongs.push(what);
            }
        };
        note(is.amount == 0, Wrong::NoAmount);
        note(is.debit == is.credit, Wrong::SameAccount);
        let pending = match is.kind {
            Kind::Posted | Kind::Pending { .. } => {
                let held = &self.held[usize::from(is.debit)];
                let free = held.posted - held.leaving as i128;
                let is_short = is.debit != 0 && (free < 0 || is.amount > free as u128);
                note(is_short, Wrong::NotEnough);
                note(is.amount > MICRO_TOKENS_MAX, Wrong::Overflow);
                return wrongs;
            }
            Kind::Post { pending, amount } => {
                note(amount == 0, Wrong::NoAmount);
                note(amount > is.amount, Wrong::PostsMore);
                pending
            }
            Kind::Void { pending } => pending,
        };
        match self.records.get(&pending) {
            Some(Record {
                is: Move { kind: Kind::Pending { .. }, .. }, ended: Some(how), ..
            }) => {
                note(true, Wrong::Ended(*how));
            }
            Some(found @ Record { is: Move { kind: Kind::Pending { .. }, .. }, .. }) => {
                note(found.expires_ms <= time_ms, Wrong::TooLate);
                let whole = (found.is.debit, found.is.credit, found.is.amount);
                note(whole != (is.debit, is.credit, is.amount), Wrong::Differs);
            }
            _ => note(true, Wrong::NotPending),
        }
        wrongs
    }

    fn change(&mut self, account: u8, before: &mut Before, change: impl FnOnce(&mut Held)) {
        let held = &mut self.held[usize::from(account)];
        before.held.push((account, *held));
        change(held);
    }

    fn put(&mut self, number: u64, record: Option<Record>, before: &mut Before) {
        let old = self.set(number, record);
        before.records.push((number, old));
    }

    /// Keeps the sets of open transfers and of expiries as the records say.
    fn set(&mut self, number: u64, record: Option<Record>) -> Option<Record> {
        let is_open = |record: &Record| {
            matches!(record.is.kind, Kind::Pending { .. }) && record.ended.is_none()
        };
        let old = match record {
            Some(record) => self.records.insert(number, record),
            None => self.records.remove(&number),
        };
        if let Some(old) = old.filter(is_open) {
            self.open.remove(&number);
            self.expiries.remove(&(old.expires_ms, number));
        }
        if let Some(new) = record.filter(is_open) {
            self.open.insert(number);
            if new.expires_ms < u64::MAX {
                self.expiries.insert((new.expires_ms, number));
            }
        }
        old
    }

    fn accept(&mut self, is: Move, time_ms: u64, before: &mut Before) {
        let amount = is.amount;
        let mut expires_ms = u64::MAX;
        let (mut moved, mut aside, mut freed) = (0, 0, 0);
        match is.kind {
            Kind::Posted => moved = amount,
            Kind::Pending { timeout_ms } => {
                aside = amount;
                if timeout_ms > 0 {
                    expires_ms = time_ms + u64::from(timeout_ms);
                }
            }
            Kind::Post { pending, amount: posted } => {
                (moved, freed) = (posted, amount);
                self.end(pending, Ended::Posted, before);
            }
            Kind::Void { pending } => {
                freed = amount;
                self.end(pending, Ended::Voided, before);
            }
        }
        self.change(is.debit, before, |held| {
            held.posted -= moved as i128;
            held.leaving = held.leaving + aside - freed;
        });
        self.change(is.credit, before, |held| {
            held.posted += moved as i128;
            held.arriving = held.arriving + aside - freed;
        });
        let record = Record { is, seq: self.size, expires_ms, ended: None };
        self.put(is.number, Some(record), before);
        (self.size, self.time_ms) = (self.size + 1, time_ms);
    }

    fn end(&mut self, pending: u64, how: Ended, before: &mut Before) {
        let record = Record { ended: Some(how), ..self.records[&pending] };
        self.put(pending, Some(record), before);
    }

    /// Takes a batch in, or says what is wrong with its first bad transfer.
    fn apply(&mut self, batch: &[Move], now_ms: u64) -> Result<(Vec<Outcome>, Before), Vec<Wrong>> {
        let time_ms = now_ms.max(self.time_ms);
        let (mut before, mut outcomes) = (self.before(), Vec::new());
        for is in batch {
            let wrongs = match self.records.get(&is.number) {
                Some(known) if known.is == *is => {
                    outcomes.push(Outcome::AlreadyApplied { seq: known.seq });
                    continue;
                }
                Some(_other) => vec![Wrong::IdReused],
                None => self.wrongs(is, time_ms),
            };
            if !wrongs.is_empty() {
                self.take_back(before);
                return Err(wrongs);
            }
            outcomes.push(Outcome::Applied { seq: self.size });
            self.accept(*is, time_ms, &mut before);
        }
        Ok((outcomes, before))
    }

    /// Ends what is due, and returns it in order.
    fn expire(&mut self, now_ms: u64) -> Vec<u64> {
        let time_ms = now_ms.max(self.time_ms);
        let mut due = Vec::new();
        while let Some((_, number)) = self.expiries.first().copied().filter(|at| at.0 <= time_ms) {
            let Move { debit, credit, amount, .. } = self.records[&number].is;
            let mut unneeded = Before::default();
            self.end(number, Ended::Expired, &mut unneeded);
            self.change(debit, &mut unneeded, |held| held.leaving -= amount);
            self.change(credit, &mut unneeded, |held| held.arriving -= amount);
            (self.size, self.time_ms) = (self.size + 1, time_ms);
            due.push(number);
        }
        due
    }

    fn take_back(&mut self, before: Before) {
        for (account, held) in before.held.into_iter().rev() {
            self.held[usize::from(account)] = held;
        }
        for (number, record) in before.records.into_iter().rev() {
            self.set(number, record);
        }
        (self.size, self.time_ms) = (before.size, before.time_ms);
    }
}

/// What came of the transfers.
#[derive(Debug, Default)]
struct Tally {
    transfers: u64,
    applied: u64,
    repeated: u64,
    expired: u64,
    taken_back: u64,
    wrong: HashMap<String, u64>,
}

/// The books, the model, and what has been compared.
struct Run {
    accounts: Vec<Account>,
    books: Books,
    model: Model,
    caller: Caller,
    tally: Tally,
    /// Encoded entries, while they are few enough to be kept.
    entries: Option<Vec<Vec<u8>>>,
}

impl Run {
    fn new(seed: u64, transfers: u64) -> Self {
        let accounts = accounts();
        let held = vec![Held::default(); accounts.len()];
        let model = Model { held, ..Model::default() };
        let caller = Caller::new(seed);
        let entries = (transfers <= REPLAYED_MAX).then(Vec::new);
        let (books, tally) = (Books::default(), Tally::default());
        Self { accounts, books, model, caller, tally, entries }
    }

    /// Stages a batch on both sides and compares what they say.
    fn stage(&mut self, batch: &[Move], now_ms: u64) -> Option<(Staged, Before)> {
        let transfers: Vec<Transfer> = batch.iter().map(|is| is.transfer(&self.accounts)).collect();
        let staged = self.books.stage(&transfers, now_ms);
        let expected = self.model.apply(batch, now_ms);
        self.tally.transfers += batch.len() as u64;
        self.compare(batch);
        match (staged, expected) {
            (Ok(mut staged), Ok((outcomes, before))) => {
                assert_eq!(std::mem::take(&mut staged.outcomes), outcomes, "{batch:?}");
                let is_new = |outcome: &&Outcome| !outcome.was_applied_before();
                assert_eq!(staged.entries.len(), outcomes.iter().filter(is_new).count());
                assert!(staged.entries.iter().all(|entry| entry.time_ms == self.model.time_ms));
                let repeated = outcomes.iter().filter(|outcome| outcome.was_applied_before());
                self.tally.repeated += repeated.count() as u64;
                Some((staged, before))
            }
            (Err(error), Err(wrongs)) => {
                let found = wrong(&error);
                assert!(wrongs.contains(&found), "{error}: {wrongs:?} of {batch:?}");
                *self.tally.wrong.entry(format!("{found:?}")).or_default() += 1;
                None
            }
            (staged, expected) => panic!("{staged:?}, but {expected:?}: {batch:?}"),
        }
    }

    /// Stages a few batches, and keeps them or takes all of them back, as a journal does that
    /// could not write.
    fn step(&mut self) {
        let mut all = Vec::new();
        for _ in 0..1 + self.caller.random.below(3) {
            let (batch, now_ms) = (self.caller.batch(&self.model), self.caller.tick());
            all.extend(self.stage(&batch, now_ms).map(|staged| (staged, batch)));
        }
        if self.caller.random.one_in(40) {
            for ((staged, before), batch) in all.into_iter().rev() {
                self.tally.taken_back += staged.entries.len() as u64;
                self.books.undo(staged);
                self.model.take_back(before);
                self.compare(&batch);
            }
            return;
        }
        for ((staged, _), _) in all {
            self.keep(&staged);
        }
    }

    fn keep(&mut self, staged: &Staged) {
        self.tally.applied += staged.entries.len() as u64;
        for entry in &staged.entries {
            if let Event::Transfer(transfer) = &entry.event
                && let TransferKind::Pending { .. } = transfer.kind
            {
                self.caller.remember(number_of(transfer.id));
            }
        }
        if let Some(entries) = &mut self.entries {
            entries.extend(staged.entries.iter().map(proof::Entry::encode));
        }
    }

    fn expire(&mut self) {
        let now_ms = self.caller.now_ms;
        let due = self.model.expire(now_ms);
        let mut expired = Vec::new();
        loop {
            let staged = self.books.stage_expiries(now_ms);
            assert!(staged.entries.len() <= BATCH_TRANSFERS_MAX);
            if staged.entries.is_empty() {
                break;
            }
            for entry in &staged.entries {
                let Event::Expired(transfer) = &entry.event else { panic!("{entry:?}") };
                expired.push(number_of(transfer.id));
            }
            self.keep(&staged);
        }
        assert_eq!(expired, due);
        let moves: Vec<Move> = due.iter().map(|number| self.model.records[number].is).collect();
        self.compare(&moves);
        self.tally.expired += due.len() as u64;
    }

    /// Compares what the moves may have changed.
    fn compare(&self, moves: &[Move]) {
        let accounts = moves.iter().flat_map(|is| [is.debit, is.credit]);
        accounts.for_each(|account| self.compare_account(account));
        assert_eq!(
            (self.books.size(), self.books.time_ms()),
            (self.model.size, self.model.time_ms)
        );
        let next_ms = self.model.expiries.first().map(|(expires_ms, _)| *expires_ms);
        assert_eq!(self.books.next_expiry_ms(), next_ms);
    }

    fn compare_account(&self, account: u8) {
        let held = &self.model.held[usize::from(account)];
        let totals = self.books.totals(self.accounts[usize::from(account)].id());
        let found = (totals.posted(), totals.debits_pending, totals.credits_pending);
        assert_eq!(found, (held.posted, held.leaving, held.arriving), "account {account}");
    }

    /// Compares everything.
    fn compare_all(&self) {
        (0..self.accounts.len() as u8).for_each(|account| self.compare_account(account));
        assert_eq!(self.model.held.iter().map(|held| held.posted).sum::<i128>(), 0);
        assert_eq!(self.books.check(), Ok(()));
        let open = self.books.open().map(|transfer| number_of(transfer.id));
        assert!(open.eq(self.model.open.iter().copied()), "other transfers are open");
    }

    /// Goes on with the books as a snapshot would give them back; ever slower, so not in long runs.
    fn restore(&mut self) {
        if self.entries.is_none() {
            return;
        }
        let (mut image, mut again) = (Vec::new(), Vec::new());
        self.books.write_image(&mut image);
        let restored = Books::from_image(&(), self.books.size(), &image).expect("a good image");
        assert!(restored == self.books, "restored books differ");
        restored.write_image(&mut again);
        assert!(again == image, "the same books have other bytes");
        self.books = restored;
    }

    /// The entries, read back from their bytes, give the same books.
    fn replay(&self) {
        let mut books = Books::default();
        for (seq, bytes) in (0..).zip(self.entries.iter().flatten()) {
            let entry = proof::Entry::decode(bytes).expect("an entry");
            books.replay(seq, &entry).expect("what was let in once");
        }
        assert!(self.entries.is_none() || books == self.books, "the replay differs");
    }
}

fn number(variable: &str, small: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_unset) => small,
    }
}

#[test]
fn the_books_do_what_the_model_does() {
    let (transfers, seed) = (number(TRANSFERS, TRANSFERS_SMALL), number(SEED, 1));
    println!("{transfers} transfers of seed {seed}");
    let mut run = Run::new(seed, transfers);
    let mut step = 0_u64;
    while run.tally.transfers < transfers {
        run.step();
        step += 1;
        if run.caller.random.one_in(30) {
            run.expire();
        }
        if step.is_multiple_of(FULL_CHECK_STEPS) {
            run.compare_all();
            run.restore();
        }
    }
    run.compare_all();
    run.restore();
    run.replay();
    println!("{:?}", run.tally);
    // Every kind of trouble was met, and most transfers were sound.
    let tally = &run.tally;
    assert_eq!(tally.wrong.len(), 12, "{:?}", tally.wrong);
    assert!(tally.applied > transfers / 2, "{tally:?}");
    assert!(
        tally.repeated.min(tally.expired).min(tally.taken_back) > transfers / 1000,
        "{tally:?}"
    );
}
