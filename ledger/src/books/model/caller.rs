//! Whoever calls the books: transfers as numbers, most of them sound, and all kinds of wrong ones.

use std::collections::VecDeque;

use proof::{Account, Code, Transfer, TransferKind};
use protocol::Tokens;

use super::{Model, id};
use crate::totals::MICRO_TOKENS_MAX;

/// Pending transfers that are remembered to be ended, in time or not.
const LEASES: usize = 3000;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Posted,
    Pending { timeout_ms: u32 },
    Post { pending: u64, amount: u128 },
    Void { pending: u64 },
}

/// A transfer in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Move {
    pub number: u64,
    pub debit: u8,
    pub credit: u8,
    pub is_fee: bool,
    pub amount: u128,
    pub kind: Kind,
}

impl Move {
    pub(super) fn transfer(&self, accounts: &[Account]) -> Transfer {
        let pair = (accounts[usize::from(self.debit)], accounts[usize::from(self.credit)]);
        let code = if self.is_fee { Code::Fee } else { Code::Pay };
        let amount = Tokens::from_micro(self.amount);
        let mut transfer = Transfer::posted(id(self.number), pair, amount, code);
        transfer.kind = match self.kind {
            Kind::Posted => TransferKind::Posted,
            Kind::Pending { timeout_ms } => {
                TransferKind::Pending { timeout_ms: u64::from(timeout_ms) }
            }
            Kind::Post { pending, amount } => {
                TransferKind::Post { pending: id(pending), amount: Tokens::from_micro(amount) }
            }
            Kind::Void { pending } => TransferKind::Void { pending: id(pending) },
        };
        transfer
    }
}

/// Draws transfers: most of them sound, all kinds of wrong ones among them.
pub(super) struct Caller {
    pub random: Random,
    pub now_ms: u64,
    next: u64,
    leases: VecDeque<u64>,
}

impl Caller {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random(seed), now_ms: 1_000_000, next: 0, leases: VecDeque::new() }
    }

    /// A pending transfer was applied, and may be ended.
    pub(super) fn remember(&mut self, pending: u64) {
        self.leases.push_back(pending);
        if self.leases.len() > LEASES {
            self.leases.pop_front();
        }
    }

    fn draw(&mut self, model: &Model, is_careful: bool) -> Move {
        let random = &mut self.random;
        let count = model.held.len() as u64;
        let is_grant = random.one_in(3);
        let debit = if is_grant { 0 } else { 1 + random.below(count - 1) as u8 };
        let credit = (u64::from(debit) + 1 + random.below(count - 1)) % count;
        let held = &model.held[usize::from(debit)];
        let free = (held.posted - held.leaving as i128).max(0) as u64;
        // Much from issuance, at most a third of what others have.
        let most = if debit == 0 { 1_000_000 } else { free / 3 };
        let amount = u128::from(1 + random.below(most.max(1)));
        let timeout_ms = if random.one_in(4) { 0 } else { 1 + random.below(3000) as u32 };
        let is_fee = random.one_in(2);
        let kind = if random.one_in(2) { Kind::Posted } else { Kind::Pending { timeout_ms } };
        self.next += 1;
        let number = self.next;
        let mut is = Move { number, debit, credit: credit as u8, is_fee, amount, kind };
        // A third of all end a lease, the older ones of which have mostly ended.
        if !self.leases.is_empty() && random.one_in(3) {
            let mut at = random.below(self.leases.len() as u64) as usize;
            if is_careful {
                at = self.leases.len() - 1 - at / 40;
            }
            let pending = self.leases.swap_remove_back(at).expect("it is there");
            let lease = model.records.get(&pending).map_or(is, |record| record.is);
            let share = u128::from(random.below(1000)) * lease.amount / 999;
            let posted = share.clamp(1, lease.amount.max(1));
            let kind = match random.below(3) {
                0 => Kind::Void { pending },
                _ => Kind::Post { pending, amount: posted },
            };
            is = Move { number, kind, ..lease };
            if !is_careful || random.one_in(30) {
                // It will be ended a second time.
                self.leases.push_back(pending);
            }
        }
        if is_careful { is } else { self.spoil(is, model) }
    }

    /// Makes a transfer wrong in one of many ways, or leaves it.
    fn spoil(&mut self, mut is: Move, model: &Model) -> Move {
        let random = &mut self.random;
        let old = 1 + random.below(self.next);
        match random.below(14) {
            0 => is.amount = 0,
            1 => is.credit = is.debit,
            2 => is.debit = random.below(model.held.len() as u64) as u8,
            3 => is.amount += 1,
            4 => is.amount = is.amount.saturating_mul(1 << random.below(60)),
            5 => is.amount = MICRO_TOKENS_MAX + 1 + u128::from(random.next()),
            6 => is.number = old,
            7 | 8 => {
                // Said again, word for word or almost.
                is = model.records.get(&old).map_or(is, |record| record.is);
                is.is_fee ^= random.one_in(3);
            }
            9 => is.kind = Kind::Void { pending: old },
            10 => is.kind = Kind::Post { pending: self.next + 5, amount: 1 },
            11 => is.kind = Kind::Post { pending: old, amount: u128::from(random.below(2)) },
            12 => {
                if let Kind::Post { pending, amount } = is.kind {
                    is.kind = Kind::Post { pending, amount: amount + is.amount };
                }
            }
            _ => {}
        }
        is
    }

    pub(super) fn batch(&mut self, model: &Model) -> Vec<Move> {
        let size = match self.random.below(20) {
            0 => 20 + self.random.below(60),
            1..=5 => 2 + self.random.below(8),
            _ => 1,
        };
        let is_careful = !self.random.one_in(6);
        (0..size).map(|_| self.draw(model, is_careful)).collect()
    }

    /// The clock goes on; now and then it is set back a little, or stands.
    pub(super) fn tick(&mut self) -> u64 {
        match self.random.below(200) {
            0 => self.now_ms = self.now_ms.saturating_sub(self.random.below(500)),
            1 => self.now_ms += self.random.below(2000),
            more => self.now_ms += more % 3,
        }
        self.now_ms
    }
}
