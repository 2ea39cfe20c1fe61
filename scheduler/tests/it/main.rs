//! Tests of the scheduler as a whole: the core in a simulator, the shell over real sockets.

mod bank;
mod blocks;
mod callers;
mod convictions;
mod deadlines;
mod disputes;
mod evidence;
mod farm;
mod first;
mod history;
mod keep;
mod market;
mod memory;
mod needs;
mod noise;
mod page;
mod private;
mod receipts;
mod retries;
mod scenes;
#[path = "../../benches/simulate/mod.rs"]
mod simulate;
mod simulation;
mod simulator;
mod steering;
mod tails;
mod trust;
mod unwanted;
mod verification;
mod verifiers;
mod vouchers;
mod witnesses;
mod world;
