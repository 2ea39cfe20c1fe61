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
mod drain;
mod golden;
mod hands;
mod history;
mod lobby;
mod open;
mod page;
mod parts;
mod queue;
mod restore;
mod run;
mod shared;
mod sweep;
mod till;
mod verifier;

pub use drain::{drain, keep_open};
pub use history::history;
pub use run::{News, Ready, run};

/// A thread of the scheduler's.
fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
