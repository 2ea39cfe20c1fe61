//! Watching the machine, so that the rendering halts the moment a person wants it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::manners::{Manners, Observer, Pause, decide, slept, woke};
use crate::worker::Reins;

/// How often it is looked whether somebody is there.
const LOOK: Duration = Duration::from_millis(50);

/// What a node heeds of its machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Watched {
    /// Why it does not render now.
    pub(crate) pause: Option<Pause>,
    /// All that the machine has slept.
    pub(crate) slept: Duration,
}

/// Watches on a thread of its own, until nobody listens any more: halts the worker and lets it go
/// on at once, and tells why. The machine's sleep waits a moment for `ready` to be notified.
pub(crate) fn begin(
    manners: Manners,
    data_dir: PathBuf,
    reins: Option<Reins>,
    ready: Arc<Notify>,
) -> watch::Receiver<Watched> {
    let mut now = Watched { pause: None, slept: slept() };
    let (sender, receiver) = watch::channel(now.clone());
    std::thread::spawn(move || {
        let mut observer = Observer::new(manners.clone(), data_dir, Some(ready));
        while !sender.is_closed() {
            let pause = decide(&manners, &observer.look(), now.pause.as_ref());
            if pause.is_some() != now.pause.is_some()
                && let Some(reins) = &reins
            {
                if pause.is_some() { reins.hold() } else { reins.release() }
            }
            let all = slept();
            let slept = woke(now.slept, all).map_or(now.slept, |_new| all);
            let next = Watched { pause, slept };
            if next != now {
                now = next;
                sender.send_replace(now.clone());
            }
            std::thread::sleep(LOOK);
        }
        // A stopping node waits for its worker.
        if let Some(reins) = &reins {
            reins.release();
        }
    });
    receiver
}
