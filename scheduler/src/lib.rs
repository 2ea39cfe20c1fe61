//! The scheduler: jobs to tiles, tiles to leases, leases to verdicts, verdicts to payments.
//!
//! [`core`] is a state machine without clock, thread or network; [`verify`], [`market`],
//! [`quote`](mod@quote), [`split`](mod@split), [`reputation`] and [`money`] are pure; the shell around them, [`run()`],
//! is the rest: one journal, one ledger, one trusted renderer, one door.

mod config;
pub mod core;
mod earnings;
pub mod market;
pub mod money;
pub mod quote;
pub mod reputation;
mod shell;
pub mod split;
pub mod verify;

pub use config::{Config, ConfigError, Database, DatabaseError};
pub use quote::{Prices, quote};
pub use shell::{News, Ready, drain, history, keep_open, run};
pub use split::{Kept, split};
