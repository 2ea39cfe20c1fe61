//! Telling when a node pauses and when it goes on: one voice for all who have a reason.

use tokio::sync::watch;

use crate::event::NodeEvent;
use crate::manners::Pause;
use crate::watch::Watched;
use crate::work::Events;

/// What a node's work has to say to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Desk {
    /// Why there is no work.
    pub(crate) pause: Option<Pause>,
    /// Whether something is unfinished, or not handed in.
    pub(crate) is_at_hand: bool,
}

/// What a node is at, as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
enum Standing {
    Works,
    /// It will pause when what is at hand is done.
    Finishes,
    Pauses(Pause),
}

impl Standing {
    /// Whether there is nothing new to tell: figures move all the time.
    fn reads_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pauses(now), Self::Pauses(before)) => {
                now == before || now.to_string() == before.to_string()
            }
            _ => self == other,
        }
    }
}

/// Tells every change, until it is aborted.
pub(crate) async fn announce(
    mut watched: watch::Receiver<Watched>,
    mut desk: watch::Receiver<Desk>,
    events: Events,
) {
    let mut before = Standing::Works;
    loop {
        let now = standing(&watched.borrow_and_update(), &desk.borrow_and_update());
        if !now.reads_as(&before) {
            events(match &now {
                Standing::Works => NodeEvent::Resumed,
                Standing::Finishes => NodeEvent::Finishing,
                Standing::Pauses(pause) => NodeEvent::Paused { pause: pause.clone() },
            });
            before = now;
        }
        let changed = tokio::select! {
            changed = watched.changed() => changed,
            changed = desk.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// The owner's word first, then the machine's, then the farm's.
fn standing(watched: &Watched, desk: &Desk) -> Standing {
    if let Some(pause) = watched.halts() {
        return Standing::Pauses(pause);
    }
    match (watched.hold, &desk.pause) {
        (Some(_), _) if desk.is_at_hand => Standing::Finishes,
        (Some(hold), _) => Standing::Pauses(Pause::Held { hold }),
        (None, Some(pause)) => Standing::Pauses(pause.clone()),
        (None, None) => Standing::Works,
    }
}

/// What the work's pause becomes with another reason: who is barred is not told less than that.
pub(crate) fn weightier(before: Option<&Pause>, reason: Pause) -> Pause {
    match (before, &reason) {
        (Some(Pause::Barred), Pause::Refused { .. }) => Pause::Barred,
        _other => reason,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::wishes::Hold;

    #[test]
    fn the_owners_word_comes_first_and_a_tile_is_finished() {
        use Standing::{Finishes, Pauses, Works};
        let check = |pause: Option<Pause>, hold, farm: Option<Pause>, is_at_hand, expected| {
            let watched = Watched { pause, hold, ..Watched::default() };
            let now = standing(&watched, &Desk { pause: farm, is_at_hand });
            assert_eq!(now, expected);
        };
        let held = |hold| Pauses(Pause::Held { hold });
        let (tile, now) = (Hold::AfterThisTile, Hold::Now);
        check(None, None, None, true, Works);
        check(None, Some(tile), None, true, Finishes);
        check(None, Some(tile), Some(Pause::Barred), false, held(tile));
        check(None, Some(now), None, true, held(now));
        check(Some(Pause::Battery), None, Some(Pause::Barred), true, Pauses(Pause::Battery));
        check(Some(Pause::Battery), Some(tile), None, true, Pauses(Pause::Battery));
        check(None, None, Some(Pause::Barred), true, Pauses(Pause::Barred));
    }

    #[test]
    fn who_is_barred_stays_so_until_he_is_not() {
        let refused = || Pause::Refused { message: "no".to_owned() };
        assert_eq!(weightier(None, refused()), refused());
        assert_eq!(weightier(Some(&Pause::Barred), refused()), Pause::Barred);
        assert_eq!(weightier(Some(&refused()), Pause::Barred), Pause::Barred);
        assert_eq!(weightier(Some(&Pause::Barred), Pause::BackendLost), Pause::BackendLost);
    }

    #[test]
    fn figures_that_read_the_same_are_no_news() {
        let full = |free_bytes, wanted_bytes| {
            Standing::Pauses(Pause::DiskFull { free_bytes, wanted_bytes })
        };
        let told = full(46_300_000_000, 100_000_000_000);
        assert!(told.reads_as(&full(46_290_000_000, 100_000_000_000)));
        assert!(!told.reads_as(&full(44_000_000_000, 100_000_000_000)));
        assert!(!told.reads_as(&Standing::Pauses(Pause::Battery)));
        assert!(!told.reads_as(&Standing::Works) && Standing::Works.reads_as(&Standing::Works));
    }

    /// Whoever is joined with this has its turn meanwhile, whoever of them comes first.
    async fn heard_by_all() {
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn each_change_is_told_once() {
        let (seen, watched) = watch::channel(Watched::default());
        let (work, desk) = watch::channel(Desk::default());
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let (words, heard) = (told.clone(), told);
        let events = move |event: NodeEvent| words.lock().expect("whole").push(event.to_string());
        let announcing = announce(watched, desk, Arc::new(events));
        let changing = async {
            let hold = |hold| seen.send_replace(Watched { hold, ..Watched::default() });
            work.send_replace(Desk { pause: None, is_at_hand: true });
            heard_by_all().await;
            hold(Some(Hold::AfterThisTile));
            heard_by_all().await;
            hold(Some(Hold::AfterThisTile));
            heard_by_all().await;
            work.send_replace(Desk::default());
            heard_by_all().await;
            hold(None);
            heard_by_all().await;
            drop((seen, work));
        };
        tokio::join!(announcing, changing);
        let expected = [
            "finishes what is at hand, then pauses",
            "paused: you paused it after a tile; resumes when you start it again",
            "resumed",
        ];
        assert_eq!(*heard.lock().expect("whole"), expected);
    }
}
