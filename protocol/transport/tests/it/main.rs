//! Real endpoints on loopback.

mod calls;
mod desk;
mod hostile;
mod parts;
mod rate;
mod scenes;
