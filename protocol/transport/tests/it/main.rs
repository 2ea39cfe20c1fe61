//! Real endpoints on loopback.

mod calls;
mod desk;
mod giving;
mod hostile;
mod pace;
mod parts;
mod rate;
mod scenes;
