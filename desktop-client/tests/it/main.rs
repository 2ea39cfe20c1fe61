//! The app from outside: what a person finds by name, what the screens look like, and the desks
//! against a farm that answers over loopback.

mod accessibility;
mod behaviour;
mod blocks;
mod compare;
mod crop;
mod desks;
mod first;
mod fixtures;
mod frames;
mod hand;
mod jobs;
mod look;
mod node;
mod pictures;
mod refusal;
mod stage;
mod verify;
mod wallet;
