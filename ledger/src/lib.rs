//! Double entry on a hash-chained, fsynced journal: accounts and transfers, nothing else moves
//! money.
//!
//! | module | what |
//! | --- | --- |
//! | [`account`], [`entry`] | the words: accounts, transfers, codes, links |
//! | [`Ledger`] | the books in memory with the journal behind them |
//! | [`books`] | the rules, pure |
//! | [`journal`] | an append-only journal for any entries; the scheduler keeps its events in one |
//! | [`Prover`] | proofs of entries and of growth, of a ledger in use |
//! | [`offline`] | verify, balances, statement, rebuild, export, prove, backup: without a scheduler |
//!
//! The journal is the truth. sled is an index that it rebuilds, and so are the hashes that proofs
//! are made of; both are written behind the acknowledgement. `docs/ledger.md` tells the whole story.
//!
//! **Architecture invariants:** no pixel, no network, no floating point, no calendar: the time
//! comes in as an argument, and is only compared with how long the process has counted.

pub mod apply;
mod audit;
mod behind;
pub mod books;
mod clock;
mod index;
pub mod journal;
mod ledger;
pub mod offline;
mod opening;
mod reader;
mod snapshot;
pub mod statement;
pub mod totals;
mod tree;
mod voucher;

pub use apply::{ApplyError, BATCH_TRANSFERS_MAX, Broken, Ended, Outcome, ReplayError};
pub use audit::{Audit, AuditReader};
pub use behind::Progress;
pub use books::Books;
pub use clock::{CLOCK_AHEAD_MS_MAX, CLOSED_MS_MAX};
pub use index::{IndexError, StoreError};
pub use journal::{PassedOver, PassedOverWhy, SnapshotError};
pub use ledger::{Applied, INDEX_DIR, JOURNAL_DIR, Ledger, OpenError, Options, TREE_DIR};
pub use proof::account::Account;
pub use proof::entry::{Code, Entry, Event, Link, Transfer, TransferKind, transfer_id};
pub use proof::{account, entry};
pub use reader::{Checker, Reader, StatementError};
pub use statement::{Phase, Row};
pub use totals::{Balance, MICRO_TOKENS_MAX, Totals};
pub use tree::{Prover, ProverError};
pub use voucher::{RedeemError, Redeemed, genuine, issue};

#[cfg(test)]
mod crash;
