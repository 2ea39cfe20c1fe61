//! The ledger from outside: against a simple model, killed, on a full disk, without a scheduler.

mod copies;
mod damage;
mod full_disk;
mod index;
mod journal;
mod kill;
mod model;
mod offline;
mod proofs;
mod rules;
mod shared;
mod snapshots;
mod vouchers;

use ledger::{Account, Code, Ledger, Options, Transfer, account, transfer_id};
use protocol::{JobId, PublicKey, SigningKey, Tokens, TransferId};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public() -> PublicKey {
    protocol::sign::public_key(&key())
}

fn id(number: u64) -> TransferId {
    transfer_id("test", &[&number.to_le_bytes()])
}

fn micro(amount: u128) -> Tokens {
    Tokens::from_micro(amount)
}

fn wallet(number: u8) -> Account {
    account::wallet(PublicKey([number; 32]))
}

fn escrow(number: u8) -> Account {
    account::escrow(JobId([number; 16]))
}

fn grant(number: u64, to: Account, amount: u128) -> Transfer {
    Transfer::posted(id(number), (account::issuance(), to), micro(amount), Code::Grant)
}

/// Small segments, frequent checkpoints and snapshots, so that few transfers reach every path.
fn small() -> Options {
    Options {
        segment_bytes_max: 4000,
        checkpoint_records: 3,
        snapshot_entries: 20,
        ..Options::default()
    }
}

fn open(dir: &std::path::Path, options: &Options) -> Ledger {
    Ledger::open(dir, key(), options).expect("the ledger opens")
}

/// A size from the environment, for long runs by hand, or the size for every run.
fn number(variable: &str, small: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_unset) => small,
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough to draw moments.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % bound
    }
}
