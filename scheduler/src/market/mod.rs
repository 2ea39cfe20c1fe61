//! The market: what work costs, and whose turn it is.
//!
//! All of it is pure and in integers. [`base`] moves the base price, [`pace`] is what a node has
//! shown that it can do, [`place`] orders jobs that wait, [`weight`] is how heavy a scene is.
//! docs/market.md says why, and what was measured.

pub mod base;
pub mod pace;
pub mod place;
mod rules;
pub mod weight;

pub use rules::{Rules, RulesError};
