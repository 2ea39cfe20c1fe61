//! Tests of the scheduler as a whole: the core in a simulator, the shell over real sockets.

mod bank;
mod callers;
mod farm;
mod market;
mod simulator;
mod trust;
mod world;
