//! The scheduler: jobs to tiles, tiles to leases, leases to verdicts, verdicts to payments.
//!
//! [`core`] is a state machine without clock, thread or network; [`verify`], [`quote`](mod@quote),
//! [`split`](mod@split), [`reputation`] and [`money`] are pure; `shell` is the rest: one journal,
//! one ledger, one trusted renderer, one door.

pub mod core;
pub mod money;
pub mod reputation;
pub mod split;
pub mod verify;

pub use split::split;
