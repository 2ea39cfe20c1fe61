//! Random batches, many of them invalid, against a model that keeps a list of what was accepted
//! and adds all of it up each time it is asked.

use ledger::{
    Account, ApplyError, Balance, Code, Ledger, Options, Transfer, TransferKind, account,
};
use proptest::prelude::*;
use protocol::Tokens;

use crate::{escrow, id, micro, open, wallet};

fn accounts() -> [Account; 6] {
    [account::issuance(), wallet(1), wallet(2), escrow(1), account::fee(), account::reserve()]
}

/// What a caller does.
#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Draft>, u64),
    Expire(u64),
    Reopen,
}

/// A transfer in numbers; most combinations make sense, many do not.
#[derive(Debug, Clone)]
struct Draft {
    id: u64,
    debit: usize,
    credit: usize,
    amount: u128,
    kind: u8,
    other: u64,
    timeout_ms: u64,
    is_faithful: bool,
}

fn draft() -> impl Strategy<Value = Draft> {
    (0..60_u64, 0..6_usize, 0..6_usize, 0..40_u128, 0..8_u8, 0..60_u64, 0..30_u64, 0..10_u8)
        .prop_map(|(id, debit, credit, amount, kind, other, timeout_ms, faithful)| Draft {
            id,
            // Half of all tokens come from issuance, so that the others have some.
            debit: if kind % 2 == 0 { 0 } else { debit },
            credit,
            amount,
            kind,
            other,
            timeout_ms,
            is_faithful: faithful > 0,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop::collection::vec(draft(), 0..5), 0..8_u64)
            .prop_map(|(drafts, passed_ms)| Step::Apply(drafts, passed_ms)),
        2 => (0..20_u64).prop_map(Step::Expire),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Ended,
}

/// What was accepted: each transfer, its expiry, and whether it is open.
#[derive(Debug, Clone, Default)]
struct Model {
    accepted: Vec<(Transfer, u64, Fate)>,
    now_ms: u64,
}

impl Model {
    fn find(&self, number: u64) -> Option<usize> {
        self.accepted.iter().position(|(transfer, _, _)| transfer.id == id(number))
    }

    fn transfer(&self, draft: &Draft) -> Transfer {
        let accounts = accounts();
        let pair = (accounts[draft.debit], accounts[draft.credit]);
        let (this, amount) = (id(draft.id), micro(draft.amount));
        let other = self.find(draft.other).map(|index| self.accepted[index].0.clone());
        let faithful = other.filter(|_| draft.is_faithful);
        let pending = faithful.unwrap_or(Transfer::pending(
            id(draft.other),
            pair,
            amount,
            Code::Pay,
            draft.timeout_ms,
        ));
        match draft.kind {
            0..=2 => Transfer::posted(this, pair, amount, Code::Grant),
            3..=5 => Transfer::pending(this, pair, amount, Code::Pay, draft.timeout_ms),
            6 => Transfer::post(this, &pending, amount),
            _ => Transfer::void(this, &pending),
        }
    }

    fn balance(&self, account: Account) -> Balance {
        let (mut posted, mut debits, mut credits) = (0_i128, 0_u128, 0_u128);
        for (transfer, _, fate) in &self.accepted {
            let moved = match transfer.kind {
                TransferKind::Posted => transfer.amount.micro(),
                TransferKind::Post { amount, .. } => amount.micro(),
                _ => 0,
            };
            let is_pending = matches!(transfer.kind, TransferKind::Pending { .. });
            let aside = if is_pending && *fate == Fate::Open { transfer.amount.micro() } else { 0 };
            if transfer.debit == account {
                posted -= moved as i128;
                debits += aside;
            }
            if transfer.credit == account {
                posted += moved as i128;
                credits += aside;
            }
        }
        let available = u128::try_from(posted - debits as i128).unwrap_or(0);
        Balance {
            posted,
            pending_debits: micro(debits),
            pending_credits: micro(credits),
            available: micro(available),
        }
    }

    /// Whether the ledger must accept it now; and if so, takes it in.
    fn accept(&mut self, transfer: &Transfer) -> bool {
        let known = self.accepted.iter().find(|(known, _, _)| known.id == transfer.id);
        if let Some((known, _, _)) = known {
            return known == transfer;
        }
        if transfer.amount.is_zero() || transfer.debit == transfer.credit {
            return false;
        }
        let mut expires_ms = u64::MAX;
        match transfer.kind {
            TransferKind::Posted | TransferKind::Pending { .. } => {
                let available = self.balance(transfer.debit).available;
                if transfer.debit != account::issuance() && available < transfer.amount {
                    return false;
                }
                if let TransferKind::Pending { timeout_ms: timeout_ms @ 1.. } = transfer.kind {
                    expires_ms = self.now_ms + timeout_ms;
                }
            }
            TransferKind::Post { pending, .. } | TransferKind::Void { pending } => {
                let moves = match transfer.kind {
                    TransferKind::Post { amount, .. } => amount,
                    _ => transfer.amount,
                };
                let now_ms = self.now_ms;
                let open = self.accepted.iter_mut().find(|(of, expires_ms, fate)| {
                    let is_pending = matches!(of.kind, TransferKind::Pending { .. });
                    let fits = (of.debit, of.credit, of.amount)
                        == (transfer.debit, transfer.credit, transfer.amount);
                    let is_open = *fate == Fate::Open && *expires_ms > now_ms;
                    of.id == pending && is_pending && is_open && fits
                });
                match open {
                    Some((_, _, fate)) if moves > Tokens::ZERO && moves <= transfer.amount => {
                        *fate = Fate::Ended;
                    }
                    _ => return false,
                }
            }
        }
        self.accepted.push((transfer.clone(), expires_ms, Fate::Open));
        true
    }

    fn expire(&mut self) -> Vec<Transfer> {
        let mut due: Vec<(u64, Transfer)> = Vec::new();
        for (transfer, expires_ms, fate) in &mut self.accepted {
            if *fate == Fate::Open && *expires_ms <= self.now_ms {
                *fate = Fate::Ended;
                due.push((*expires_ms, transfer.clone()));
            }
        }
        due.sort_by_key(|(expires_ms, transfer)| (*expires_ms, transfer.id));
        due.into_iter().map(|(_, transfer)| transfer).collect()
    }
}

fn compare(ledger: &Ledger, model: &Model) -> Result<(), TestCaseError> {
    let mut sum = 0;
    for account in accounts() {
        prop_assert_eq!(ledger.balance(account), model.balance(account), "{}", account);
        sum += ledger.balance(account).posted;
    }
    prop_assert_eq!(sum, 0);
    prop_assert_eq!(ledger.books().check(), Ok(()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_does_what_the_model_does(steps in prop::collection::vec(step(), 1..30)) {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options { index: false, ..crate::small() };
        let mut ledger = open(dir.path(), &options);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Apply(drafts, passed_ms) => {
                    let mut after = model.clone();
                    after.now_ms += passed_ms;
                    let mut batch = Vec::new();
                    let mut is_good = true;
                    for draft in &drafts {
                        let transfer = after.transfer(draft);
                        is_good = is_good && after.accept(&transfer);
                        batch.push(transfer);
                    }
                    let before = ledger.books().clone();
                    let applied = ledger.apply(&batch, after.now_ms);
                    prop_assert!(is_good || *ledger.books() == before, "a refusal changed them");
                    prop_assert_eq!(applied.is_ok(), is_good, "{:?}: {:?}", batch, applied);
                    prop_assert!(!matches!(applied, Err(ApplyError::Journal(_))));
                    // The journal's time moves with its entries only.
                    let wrote = is_good && after.accepted.len() > model.accepted.len();
                    match wrote {
                        true => model = after,
                        false => prop_assert!(!is_good || after.accepted.len() == model.accepted.len()),
                    }
                }
                Step::Expire(passed_ms) => {
                    let mut after = model.clone();
                    after.now_ms += passed_ms;
                    let due = after.expire();
                    prop_assert_eq!(&ledger.expire(after.now_ms).expect("writes"), &due);
                    if !due.is_empty() {
                        model = after;
                    }
                }
                Step::Reopen => {
                    let books = ledger.books().clone();
                    drop(ledger);
                    ledger = open(dir.path(), &options);
                    prop_assert_eq!(ledger.books(), &books);
                }
            }
            compare(&ledger, &model)?;
        }
        let check = ledger.check();
        prop_assert!(check.verified && check.sum_is_zero, "{:?}", check);
    }
}
