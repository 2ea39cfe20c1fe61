//! A node against a farm that is made up, over real connections.

mod farm;
mod life;
mod scenes;
mod trust;
mod wishes;
