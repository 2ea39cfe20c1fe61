//! Real endpoints on loopback.

mod calls;
mod desk;
mod hostile;
mod rate;
mod scenes;
