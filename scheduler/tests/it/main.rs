//! Tests of the scheduler's core as a whole.

mod bank;
mod simulator;
mod world;
