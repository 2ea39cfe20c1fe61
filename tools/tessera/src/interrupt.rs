//! Ctrl+C: the first asks for a clean stop, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use renderer::Cancel;
use tokio::sync::watch;

use crate::exit::Exit;

/// How long a stop may take when nobody waits for us any more.
const ORPHAN_STOP_MAX: Duration = Duration::from_secs(15);

/// A wish to stop, shared by everything that can be stopped.
#[derive(Debug, Clone)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cancel: Cancel,
    sender: watch::Sender<bool>,
    again: AtomicBool,
}

impl Interrupt {
    /// Listens for Ctrl+C and, where the system has it, for a polite kill.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub fn install() -> anyhow::Result<Self> {
        let interrupt = Self::new();
        let seen = interrupt.clone();
        ctrlc::set_handler(move || seen.signal()).context("cannot listen for Ctrl+C")?;
        Ok(interrupt)
    }

    fn new() -> Self {
        let (sender, _receiver) = watch::channel(false);
        let shared = Shared { cancel: Cancel::default(), sender, again: AtomicBool::new(false) };
        Self { shared: Arc::new(shared) }
    }

    /// Asks for a stop.
    pub fn stop(&self) {
        self.shared.cancel.set();
        self.shared.sender.send_replace(true);
    }

    /// Whether a stop was asked for.
    pub fn is_set(&self) -> bool {
        self.shared.cancel.is_set()
    }

    /// What a render looks at.
    pub fn cancel(&self) -> &Cancel {
        &self.shared.cancel
    }

    /// What becomes true when a stop is asked for.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.shared.sender.subscribe()
    }

    /// Waits until a stop is asked for.
    pub async fn wait(&self) {
        let mut receiver = self.shared.sender.subscribe();
        // The sender lives as long as `self`, so that waiting ends with a stop only.
        let _stopped = receiver.wait_for(|stop| *stop).await;
    }

    /// Stops when standard input ends: a child stops with its parent, however that one died.
    pub fn stop_on_stdin_eof(&self) {
        let interrupt = self.clone();
        std::thread::spawn(move || {
            let _ended = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            interrupt.stop_as_orphan();
        });
    }

    /// Stops, and ends the process where that hangs: nobody is left to insist.
    pub fn stop_as_orphan(&self) -> ! {
        self.stop();
        std::thread::sleep(ORPHAN_STOP_MAX);
        std::process::exit(Exit::Failed as i32);
    }

    fn signal(&self) {
        if self.shared.again.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_seen_before_and_after_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let interrupt = Interrupt::new();
        assert!(!interrupt.is_set());
        runtime.block_on(async {
            let waiting = interrupt.clone();
            tokio::join!(waiting.wait(), async { interrupt.stop() });
            interrupt.wait().await;
        });
        assert!(interrupt.is_set() && interrupt.cancel().is_set());
    }
}
