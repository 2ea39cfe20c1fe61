//! The scheduler's shell: clocks, disks, threads and the network around the pure core.
//!
//! One thread owns the state and its journal ([`desk`]), one the ledger ([`till`]), one renders
//! challenges ([`verifier`]); the door ([`door`]) answers peers from what those say.

mod assay;
mod by_hash;
mod depot;
mod desk;
mod docket;
mod door;
mod doubt;
mod frames;
mod golden;
mod lobby;
mod page;
mod queue;
mod restore;
mod run;
mod shared;
mod sweep;
mod till;
mod verifier;

pub use run::{News, Ready, run};
