//! A studio's own door to a farm: scripts speak HTTP and JSON with it, it speaks with the farm's
//! scheduler as any customer does. docs/api.md is for who asks, docs/decisions/0025 says why it is a
//! program of the studio's and no part of the scheduler.
//!
//! - [`http`] is what is asked and answered; [`views`] are its words, [`problem`] its errors.
//! - [`Gather`](gather::Gather) reads the studio's jobs once for everybody, and tells
//!   [`News`](news::News) what is new.
//! - [`Gates`](gates::Gates) bounds what each token asks for.
//! - [`Orders`](orders::Orders) spends, and nobody else.
//! - [`files`] and [`scenes`] are what was sent, [`films`] what comes back.
//! - [`book`] is what is remembered: tokens, teams, orders, answers, events; [`hooks`] posts them.
//!
//! **Architecture invariant:** nothing here decides about money but what its own tokens may spend;
//! prices, escrow and verdicts are the farm's.

pub mod book;
mod clock;
mod door;
pub mod files;
pub mod films;
pub mod gates;
pub mod gather;
pub mod hooks;
pub mod http;
pub mod news;
pub mod orders;
pub mod problem;
pub mod scenes;
mod serve;
pub mod views;

pub use door::Door;
pub use serve::{Open, Rules, ServeError, book_path, open};
