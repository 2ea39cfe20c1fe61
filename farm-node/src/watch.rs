//! Watching the machine, so that the rendering halts the moment a person wants it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use crate::manners::{Manners, Observer, Pause, decide};
use crate::worker::Reins;

/// How often it is looked whether somebody is there.
const LOOK: Duration = Duration::from_millis(50);

/// Watches on a thread of its own, until nobody listens any more: halts the worker and lets it go
/// on at once, and tells why.
pub(crate) fn begin(
    manners: Manners,
    data_dir: PathBuf,
    reins: Option<Reins>,
) -> watch::Receiver<Option<Pause>> {
    let (sender, receiver) = watch::channel(None);
    std::thread::spawn(move || {
        let mut observer = Observer::new(manners.clone(), data_dir);
        let mut now: Option<Pause> = None;
        while !sender.is_closed() {
            let next = decide(&manners, &observer.look(), now.as_ref());
            if next.is_some() != now.is_some()
                && let Some(reins) = &reins
            {
                if next.is_some() { reins.hold() } else { reins.release() }
            }
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
