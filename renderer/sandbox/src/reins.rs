//! Halting a worker from another thread, and letting it go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Halts the rendering at once and lets it go on where it was, whatever it is at.
#[derive(Debug, Clone, Default)]
pub struct Reins(Arc<Mutex<Rein>>);

#[derive(Debug, Default)]
struct Rein {
    held: bool,
    rest: Option<Rest>,
    /// Rests that were begun.
    rests: u64,
    /// The worker's process id, while it has one.
    process: Option<u32>,
}

/// A short halt of a worker that works only a share of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Whether it counts as time in which the worker cannot be expected to say anything.
    pub excuses: bool,
}

impl Reins {
    /// Halts the worker: it computes nothing until [`Reins::release`], and keeps all it has.
    pub fn hold(&self) {
        self.change(|rein| rein.held = true);
    }

    /// Lets the worker go on, from a rest as well.
    pub fn release(&self) {
        self.change(|rein| (rein.held, rein.rest) = (false, None));
    }

    /// Halts the worker for a rest, or ends that; who is held stays so.
    pub fn rest(&self, rest: Option<Rest>) {
        self.change(|rein| {
            rein.rests += u64::from(rest.is_some() && rein.rest.is_none());
            rein.rest = rest;
        });
    }

    /// Rests that were begun so far.
    #[must_use]
    pub fn rests(&self) -> u64 {
        self.lock().rests
    }

    /// Whether the worker is halted and must not be expected to say anything.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let rein = self.lock();
        rein.held || rein.rest.is_some_and(|rest| rest.excuses)
    }

    /// Whether no thread of the worker runs any more, as the system says; `None` where it does not
    /// tell, or there is no worker.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn has_stopped(&self) -> Option<bool> {
        let process = self.lock().process?;
        let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
        // One that is gone meanwhile runs no more either.
        let mut states = threads
            .filter_map(|thread| state(&std::fs::read_to_string(thread.path().join("stat")).ok()?));
        Some(states.all(|state| matches!(state, 'T' | 'Z' | 'X')))
    }

    /// The same elsewhere.
    #[cfg(not(target_os = "linux"))]
    #[must_use]
    pub fn has_stopped(&self) -> Option<bool> {
        None
    }

    /// A worker runs, and heeds the reins.
    pub(crate) fn harness(&self, process: u32) {
        let mut rein = self.lock();
        rein.process = Some(process);
        if rein.stops() {
            signal(rein.process, true);
        }
    }

    /// The worker has ended and was not waited for yet: its number is still nobody else's.
    pub(crate) fn unharness(&self) {
        self.lock().process = None;
    }

    fn change(&self, change: impl FnOnce(&mut Rein)) {
        let mut rein = self.lock();
        change(&mut rein);
        signal(rein.process, rein.stops());
    }

    fn lock(&self) -> MutexGuard<'_, Rein> {
        // Every field is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rein {
    const fn stops(&self) -> bool {
        self.held || self.rest.is_some()
    }
}

/// The state in a thread's `stat` (proc(5)): `T` is stopped, `Z` and `X` are ended.
#[cfg(target_os = "linux")]
fn state(stat: &str) -> Option<char> {
    // The name in brackets may hold anything.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_thread_s_state_is_found_after_any_name() {
        assert_eq!(state("7 (a ) R name) T 1 7 7 0 -1"), Some('T'));
        assert_eq!(state("7 (short)"), None);
        assert_eq!(state(""), None);
    }

    /// Waits until the system says so; nothing takes long here.
    fn until_stopped(reins: &Reins, stopped: bool) {
        let begun = Instant::now();
        while reins.has_stopped() != Some(stopped) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never is: {stopped}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_rests_and_who_is_held_stops_and_both_must_end() {
        let reins = Reins::default();
        assert_eq!(reins.has_stopped(), None, "nobody to ask about");
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
        reins.harness(child.id());
        until_stopped(&reins, false);
        reins.rest(Some(Rest { excuses: false }));
        until_stopped(&reins, true);
        assert!(!reins.is_held(), "a rest is no excuse");
        reins.rest(Some(Rest { excuses: true }));
        assert!(reins.is_held() && reins.rests() == 1, "the same rest, now an excuse");
        reins.hold();
        reins.rest(None);
        until_stopped(&reins, true);
        reins.rest(Some(Rest { excuses: false }));
        reins.release();
        until_stopped(&reins, false);
        assert_eq!((reins.is_held(), reins.rests()), (false, 2));
        reins.unharness();
        child.kill().expect("it runs");
        child.wait().expect("it ended");
    }
}
