//! The desktop app: what an artist, a studio and a node's owner see of a farm.
//!
//! - [`state::State`] is all the app knows: [`state::State::apply`] takes in what happens outside,
//!   [`state::State::act`] what a person wants; both give back what is to be asked.
//! - [`screens::show`] draws a state and collects [`command::Command`]s; it does no I/O, so that
//!   tests draw any state from a literal.
//! - [`desk`] is where everything waits: the network, files, the process that previews.
//! - [`look`] shows light: pictures are textures of light, and a shader makes them visible.
//! - [`app::App`] ties them together.

pub mod app;
pub mod command;
pub mod desk;
pub mod look;
pub mod screens;
pub mod state;
pub mod theme;
pub mod widgets;
pub mod words;
