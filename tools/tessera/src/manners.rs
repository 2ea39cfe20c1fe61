//! How the program behaves towards whoever started it: whether it talks, whether it asks.
//!
//! Said once, before anything runs, and the same everywhere: the one thing here that is global, so
//! that not every function that says a line is handed the wish for silence.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

static IS_QUIET: AtomicBool = AtomicBool::new(false);
static MAY_ASK: AtomicBool = AtomicBool::new(true);

/// Sets them.
pub fn set(is_quiet: bool, may_ask: bool) {
    IS_QUIET.store(is_quiet, Ordering::Relaxed);
    MAY_ASK.store(may_ask, Ordering::Relaxed);
}

/// Whether nothing but errors is to be said.
pub fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

/// Whether somebody is here to answer.
pub fn may_ask() -> bool {
    MAY_ASK.load(Ordering::Relaxed) && std::io::stdin().is_terminal()
}

/// Says a line on standard error, unless silence is wanted.
macro_rules! note {
    ($($words:tt)*) => {
        if !$crate::manners::is_quiet() {
            eprintln!($($words)*);
        }
    };
}
