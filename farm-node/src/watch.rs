//! Watching the machine and its owner's wishes, so that the rendering halts the moment a person
//! wants it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sandbox::{Reins, Rest};
use tokio::sync::{Notify, watch};

use crate::duty::{Duty, Phase};
use crate::event::NodeEvent;
use crate::manners::{Manners, Observation, Observer, Pause, decide, slept, woke};
use crate::studio::Busy;
use crate::wishes::{Hold, Unwanted, Wishes};
use crate::work::Events;

/// How often it is looked whether somebody is there.
const LOOK: Duration = Duration::from_millis(50);
/// How often it is looked whether a worker that was halted has stopped.
const YIELD_LOOK: Duration = Duration::from_millis(1);
/// A worker that has not stopped by then is looked at no closer than everything else.
const YIELD_CLOSELY: Duration = Duration::from_secs(1);

/// What a node heeds of its machine and its owner.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Watched {
    /// Why it does not render now, whatever its owner wishes.
    pub(crate) pause: Option<Pause>,
    /// Whether its owner wishes it to hold.
    pub(crate) hold: Option<Hold>,
    /// All that the machine has slept.
    pub(crate) slept: Duration,
    /// Jobs that its owner does not want rendered here.
    pub(crate) unwanted: Vec<Unwanted>,
}

impl Watched {
    /// Why the worker is halted, if it is.
    pub(crate) fn halts(&self) -> Option<Pause> {
        let now = self.hold.filter(|hold| *hold == Hold::Now);
        now.map(|hold| Pause::Held { hold }).or_else(|| self.pause.clone())
    }

    /// Whether no work is to be taken.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.pause.is_some() || self.hold.is_some()
    }
}

/// What the watch goes by.
pub(crate) struct Post {
    /// Those at start.
    pub(crate) manners: Manners,
    pub(crate) data_dir: PathBuf,
    pub(crate) wishes: watch::Receiver<Wishes>,
    pub(crate) reins: Option<Reins>,
    pub(crate) busy: Busy,
    /// Notified when the machine may sleep.
    pub(crate) ready: Arc<Notify>,
    pub(crate) events: Events,
}

/// A worker that was halted for a person and may not have stopped yet.
struct Yielding {
    pause: Pause,
    since: Instant,
}

struct Watch {
    post: Post,
    wishes: Wishes,
    now: Watched,
    yielding: Option<Yielding>,
    rests: bool,
}

/// Watches on a thread of its own, until nobody listens any more: halts the worker and lets it go
/// on at once, and tells why.
pub(crate) fn begin(post: Post) -> watch::Receiver<Watched> {
    let wishes = post.wishes.borrow().clone();
    let now = Watched { slept: slept(), ..Watched::default() };
    // Whoever is told to hold from the start takes nothing before the first look.
    let unwanted = wishes.unwanted.clone();
    let first = Watched { hold: wishes.hold, unwanted, ..now.clone() };
    let (sender, receiver) = watch::channel(first);
    std::thread::spawn(move || {
        let (yielding, rests) = (None, false);
        Watch { post, wishes, now, yielding, rests }.keep(&sender);
    });
    receiver
}

impl Watch {
    fn keep(mut self, sender: &watch::Sender<Watched>) {
        let (dir, ready) = (self.post.data_dir.clone(), self.post.ready.clone());
        let mut observer = Observer::new(self.manners().clone(), dir, Some(ready));
        let begun = Instant::now();
        while !sender.is_closed() {
            // Before the look: what it sees has happened by then.
            let looked = Instant::now();
            if let Some(wishes) = self.changed() {
                let before = std::mem::replace(&mut self.wishes, wishes);
                if before.manners != self.wishes.manners {
                    observer.heed(self.manners());
                }
            }
            let next = self.next(observer.look());
            if next != self.now {
                self.halt(&next, looked);
                self.now = next;
                sender.send_replace(self.now.clone());
            }
            let phase = self.wishes.duty_percent.unwrap_or(Duty::FULL).phase(begun.elapsed());
            self.rest(phase);
            self.tell_yielded();
            std::thread::sleep(self.wait(phase));
        }
        // A stopping node waits for its worker.
        if let Some(reins) = &self.post.reins {
            reins.release();
        }
    }

    /// The owner's wishes, where they are others than before.
    fn changed(&self) -> Option<Wishes> {
        let wishes = self.post.wishes.borrow();
        (*wishes != self.wishes).then(|| wishes.clone())
    }

    fn manners(&self) -> &Manners {
        self.wishes.manners.as_ref().unwrap_or(&self.post.manners)
    }

    fn next(&self, seen: Observation) -> Watched {
        let anyway = self.wishes.run_anyway.filter(|anyway| anyway.holds(now_ms()));
        let seen = match anyway {
            Some(anyway) => seen.overridden(anyway),
            None => seen,
        };
        let pause = decide(self.manners(), &seen, self.now.pause.as_ref());
        let all = slept();
        let slept = woke(self.now.slept, all).map_or(self.now.slept, |_new| all);
        let unwanted = self.wishes.unwanted.clone();
        Watched { pause, hold: self.wishes.hold, slept, unwanted }
    }

    /// Halts the worker or lets it go on, where that changes.
    fn halt(&mut self, next: &Watched, looked: Instant) {
        let (halts, halted) = (next.halts(), self.now.halts().is_some());
        if halts.is_some() == halted {
            return;
        }
        let busy = self.post.busy.is_set();
        if let Some(reins) = &self.post.reins {
            if halts.is_some() {
                reins.hold()
            } else {
                reins.release()
            }
            self.rests = false;
        }
        let yields = halts.filter(|pause| busy && pause.is_of_a_person());
        self.yielding = yields.map(|pause| Yielding { pause, since: looked });
    }

    /// Begins a rest or ends one. Who is halted, or has nothing to do, needs none.
    fn rest(&mut self, phase: Phase) {
        let Some(reins) = &self.post.reins else { return };
        let rests = phase.rests && self.now.halts().is_none() && self.post.busy.is_set();
        if rests != self.rests {
            let excuses = self.wishes.duty_percent.is_some_and(Duty::excuses);
            reins.rest(rests.then_some(Rest { excuses }));
            self.rests = rests;
        }
    }

    /// Tells how long it took until nothing rendered any more, once that is so.
    fn tell_yielded(&mut self) {
        if self.yielding.is_none() {
            return;
        }
        let stopped = match &self.post.reins {
            Some(reins) => reins.has_stopped(),
            // The lease at hand is rendered to its end.
            None => Some(!self.post.busy.is_set()),
        };
        if let Some(Yielding { pause, since }) = self.yielding.take_if(|_it| stopped == Some(true))
        {
            let after = since.elapsed();
            (self.post.events)(NodeEvent::Yielded { pause, after });
        }
    }

    /// Until the next look, or the next change of the duty.
    fn wait(&self, phase: Phase) -> Duration {
        let closely = |it: &Yielding| it.since.elapsed() < YIELD_CLOSELY;
        let look = if self.yielding.as_ref().is_some_and(closely) { YIELD_LOOK } else { LOOK };
        look.min(phase.lasts)
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_at_hand_is_finished_and_everything_else_halts() {
        let check = |pause: Option<Pause>, hold, halts: Option<&str>, at_rest| {
            let watched = Watched { pause, hold, ..Watched::default() };
            let words = watched.halts().map(|pause| pause.to_string());
            assert_eq!((words.as_deref(), watched.is_at_rest()), (halts, at_rest));
        };
        let stopped = "you stopped it at once; resumes when you start it again";
        let battery = "on battery; resumes when plugged in";
        check(None, None, None, false);
        check(None, Some(Hold::AfterThisTile), None, true);
        check(None, Some(Hold::Now), Some(stopped), true);
        check(Some(Pause::Battery), None, Some(battery), true);
        check(Some(Pause::Battery), Some(Hold::AfterThisTile), Some(battery), true);
        check(Some(Pause::Battery), Some(Hold::Now), Some(stopped), true);
    }
}
