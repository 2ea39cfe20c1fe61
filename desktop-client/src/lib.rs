//! The desktop app: what an artist and a node's owner see of a farm.
//!
//! - [`state::State`] is all the app knows; [`state::State::apply`] is the only way in.
//! - [`screens::show`] draws a state and collects [`command::Command`]s; it does no I/O, so that
//!   tests draw any state from a literal.
//! - [`bridge`] owns the network on a thread of its own.
//! - [`app::App`] ties them together.

pub mod app;
pub mod bridge;
pub mod command;
pub mod screens;
pub mod state;
pub mod theme;
pub mod widgets;
pub mod words;
