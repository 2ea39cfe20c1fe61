//! A farm of simulated nodes, artists, a bank and checks around the real core: the very `step` and
//! `plan` that the scheduler runs. Driven by a heap of events to come; a seed decides everything.

mod farm;
mod ideal;
mod money;
mod nodes;
mod orders;
mod random;
mod report;
mod tails;
mod trust;

pub use farm::{Farm, Settings};
pub use report::Report;
