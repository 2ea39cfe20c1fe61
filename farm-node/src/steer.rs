//! Passing an owner's wishes on to what they are about.

use std::sync::Arc;

use tokio::sync::watch;
use transport::PeerPace;

use crate::config::Config;
use crate::duty::Duty;
use crate::event::NodeEvent;
use crate::wishes::Wishes;
use crate::work::Workshop;

/// What holds where nothing else is wished.
pub(crate) struct Base {
    pace: PeerPace,
    cache_bytes: u64,
}

impl Base {
    pub(crate) fn of(config: &Config) -> Self {
        let pace = PeerPace {
            down_bytes_per_second: config.down_bytes_per_second,
            up_bytes_per_second: config.up_bytes_per_second,
        };
        Self { pace, cache_bytes: config.cache_bytes }
    }

    pub(crate) const fn pace(&self) -> PeerPace {
        self.pace
    }

    /// The pace and the disk space that are wished for.
    fn with(&self, wishes: &Wishes) -> (PeerPace, u64) {
        let pace = PeerPace {
            down_bytes_per_second: wishes.down_bytes_per_second.or(self.pace.down_bytes_per_second),
            up_bytes_per_second: wishes.up_bytes_per_second.or(self.pace.up_bytes_per_second),
        };
        (pace, wishes.cache_bytes.map_or(self.cache_bytes, Into::into))
    }
}

/// Heeds wishes as they come, until nobody can have any more. Those that no node can meet change
/// nothing, and that is told.
pub(crate) async fn steer(
    mut wishes: watch::Receiver<Wishes>,
    heeded: watch::Sender<Wishes>,
    base: Base,
    workshop: Arc<Workshop>,
) {
    let error = |message| (workshop.events)(NodeEvent::Error { message, retry_in: None });
    let is_duty_possible = cfg!(unix) && workshop.studio.reins().is_some();
    let mut told = None;
    loop {
        let wished = wishes.borrow_and_update().clone();
        match wished.check() {
            Ok(()) => {
                let (pace, cache_bytes) = base.with(&wished);
                workshop.peer.set_pace(pace);
                workshop.shelf().cache.set_limit(cache_bytes);
                let duty = wished.duty_percent.filter(|duty| *duty != Duty::FULL);
                if let (Some(duty), false) = (duty, is_duty_possible)
                    && told != Some(duty)
                {
                    let percent = u8::from(duty);
                    error(format!(
                        "a duty of {percent} % has no effect here: there is no worker process that could be halted"
                    ));
                }
                told = duty;
                heeded.send_if_modified(|before| {
                    let is_new = *before != wished;
                    *before = wished;
                    is_new
                });
            }
            Err(refused) => error(format!("a wish changes nothing: {refused}")),
        }
        if wishes.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn a_wish_replaces_a_setting_and_its_end_brings_that_back() {
        let bytes = NonZeroU64::new;
        let pace = PeerPace { down_bytes_per_second: bytes(5), up_bytes_per_second: None };
        let base = Base { pace, cache_bytes: 100 };
        assert_eq!(base.with(&Wishes::default()), (pace, 100));
        let wishes = Wishes {
            down_bytes_per_second: bytes(7),
            up_bytes_per_second: bytes(8),
            cache_bytes: bytes(9),
            ..Wishes::default()
        };
        let pace = PeerPace { down_bytes_per_second: bytes(7), up_bytes_per_second: bytes(8) };
        assert_eq!(base.with(&wishes), (pace, 9));
    }
}
