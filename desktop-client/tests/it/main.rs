//! The app from outside: what a person finds by name, what the screens look like, and the bridge
//! against a farm that answers over loopback.

mod accessibility;
mod behaviour;
mod bridge;
mod fixtures;
mod pictures;
