//! skeleton
pub mod journal;
pub mod ledger;
pub mod offline;

pub use ledger::{
    Applied, ApplyError, Balance, Ledger, OpenError, Options, Outcome, StatementError,
};
pub use proof::account::Account;
pub use proof::entry::{Code, Entry, Event, Link, Transfer, TransferKind, transfer_id};
pub use proof::{account, entry};
