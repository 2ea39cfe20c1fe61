//! Halting a worker from another thread, and letting it go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Halts the rendering at once and lets it go on where it was, whatever it is at.
#[derive(Debug, Clone, Default)]
pub struct Reins(Arc<Mutex<Rein>>);

#[derive(Debug, Default)]
struct Rein {
    held: bool,
    /// The worker's process id, while it has one.
    process: Option<u32>,
}

impl Reins {
    /// Halts the worker: it computes nothing until [`Reins::release`], and keeps all it has.
    pub fn hold(&self) {
        let mut rein = self.lock();
        rein.held = true;
        signal(rein.process, true);
    }

    /// Lets the worker go on.
    pub fn release(&self) {
        let mut rein = self.lock();
        rein.held = false;
        signal(rein.process, false);
    }

    /// Whether the worker is halted.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.lock().held
    }

    /// A worker runs, and heeds the reins.
    pub(super) fn harness(&self, process: u32) {
        let mut rein = self.lock();
        rein.process = Some(process);
        if rein.held {
            signal(rein.process, true);
        }
    }

    /// The worker has ended and was not waited for yet: its number is still nobody else's.
    pub(super) fn unharness(&self) {
        self.lock().process = None;
    }

    fn lock(&self) -> MutexGuard<'_, Rein> {
        // Both fields are whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn signal(process: Option<u32>, stop: bool) {
    use rustix::process::{Pid, Signal, kill_process};
    let Some(pid) = process.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { return };
    if let Err(error) = kill_process(pid, if stop { Signal::STOP } else { Signal::CONT }) {
        tracing::debug!(%error, "the worker does not heed the reins");
    }
}

#[cfg(not(unix))]
fn signal(_process: Option<u32>, _stop: bool) {}
