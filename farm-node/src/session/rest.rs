//! A node that takes no work for now, and what becomes of the leases that it holds.

use std::time::Duration;

use bytes::Bytes;
use protocol::{GivenBack, Lease, LeaseId, Request, limits};
use tokio::time::Instant;

use super::{Answer, BARRED_WAIT, Session};
use crate::announce::weightier;
use crate::bench::Stage;
use crate::manners::{AfterSleep, Pause, after_sleep, woke};
use crate::wishes::{Hold, Unwanted};

/// A halt that lasts longer is none that a lease waits for: another node has it.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(60);
/// Why leases are given back.
const WHY: &str = "the node pauses";
/// Why a lease is dropped whose job its owner does not want.
const UNWANTED: &str = "its job is unwanted here";

/// Which of the leases that are not finished go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GoBack {
    All,
    /// All but the one that is being rendered.
    Waiting,
    None,
}

impl Session<'_> {
    /// Takes note of a pause that the node makes of itself or by its owner's wish, or of its end, and
    /// of a sleep. Closes the connection and says why, where the scheduler has forgotten it over that.
    pub(super) fn heed(&mut self) -> Option<String> {
        let now = self.agent.watched.borrow_and_update().clone();
        self.sleeps = now.pause == Some(Pause::Sleep);
        self.at_rest = now.is_at_rest();
        self.hold = now.hold;
        let since = self.halted;
        self.halted = now.halts().map(|_pause| since.unwrap_or_else(Instant::now));
        // First, as it says more.
        self.give_back_unwanted();
        self.give_back();
        self.may_sleep();
        let slept = woke(self.slept, now.slept)?;
        self.slept = now.slept;
        match after_sleep(slept) {
            AfterSleep::Redial => {
                self.connection.close("this machine has slept");
                Some(format!("this machine has slept for {} s", slept.as_secs()))
            }
            AfterSleep::Beat => {
                self.beat();
                None
            }
        }
    }

    /// Lets the machine sleep once nothing is being given back any more.
    pub(super) fn may_sleep(&self) {
        if self.sleeps && self.releasing == 0 {
            self.agent.ready.notify_one();
        }
    }

    /// Gives back what is not finished and will not be.
    pub(super) fn give_back(&mut self) {
        let halted = self.halted.map(|since| since.elapsed());
        let which = go_back(self.hold, self.sleeps, halted);
        let bench = &self.agent.workshop.bench;
        let unfinished = self.agent.held.iter().filter(|(_, held)| held.finished.is_none());
        let leases = unfinished.map(|(id, _)| *id).filter(|id| which.takes(bench.stage(*id)));
        let leases: Vec<LeaseId> = leases.collect();
        if leases.is_empty() {
            return;
        }
        leases.iter().for_each(|lease| self.agent.let_go(*lease, WHY));
        self.release(leases, WHY.to_owned(), GivenBack::Undone);
    }

    /// Gives back what the owner does not want rendered here, with his word to the operator.
    pub(super) fn give_back_unwanted(&mut self) {
        let unwanted = self.agent.watched.borrow().unwanted.clone();
        for Unwanted { job, report } in unwanted {
            let held = self.agent.held.iter();
            let of_job = held
                .filter(|(_, held)| held.finished.is_none() && held.lease.piece.unit.job == job);
            let leases: Vec<LeaseId> = of_job.map(|(id, _)| *id).collect();
            if leases.is_empty() {
                continue;
            }
            leases.iter().for_each(|lease| self.agent.let_go(*lease, UNWANTED));
            self.release(leases, report, GivenBack::Unwanted);
        }
    }

    /// Gives leases back that were asked for before a pause.
    pub(super) fn decline(&mut self, mut leases: Vec<Lease>) {
        let unwanted = self.agent.watched.borrow().unwanted.clone();
        for Unwanted { job, report } in unwanted {
            let of_job = leases.extract_if(.., |lease| lease.piece.unit.job == job);
            let of_job: Vec<LeaseId> = of_job.map(|lease| lease.id).collect();
            if !of_job.is_empty() {
                self.release(of_job, report, GivenBack::Unwanted);
            }
        }
        let others: Vec<LeaseId> = leases.iter().map(|lease| lease.id).collect();
        if !others.is_empty() {
            self.release(others, WHY.to_owned(), GivenBack::Undone);
        }
    }

    pub(super) fn release(&mut self, leases: Vec<LeaseId>, reason: String, why: GivenBack) {
        self.releasing += 1;
        let request = Request::Release { leases, reason, why };
        self.call(request, Bytes::new(), limits::CALL_TIMEOUT, Answer::Released);
    }

    /// Asks for no work for a while.
    pub(super) fn pause(&mut self, reason: Pause) {
        self.poll_after = Instant::now() + BARRED_WAIT;
        self.agent.desk.send_if_modified(|desk| {
            let pause = Some(weightier(desk.pause.as_ref(), reason));
            let is_new = desk.pause != pause;
            desk.pause = pause;
            is_new
        });
    }

    /// This reason not to work is over, if it was one.
    pub(super) fn works_again(&self, reason: &Pause) {
        self.end_pause(|pause| pause == reason);
    }

    /// The farm gives work to this node again, if it did not.
    pub(super) fn is_not_refused(&self) {
        self.end_pause(|pause| matches!(pause, Pause::Refused { .. }));
    }

    fn end_pause(&self, is_over: impl Fn(&Pause) -> bool) {
        self.agent
            .desk
            .send_if_modified(|desk| desk.pause.take_if(|pause| is_over(pause)).is_some());
    }
}

impl GoBack {
    /// Whether a lease goes back that is so far. One that is rendered is handed in.
    fn takes(self, stage: Stage) -> bool {
        match self {
            Self::All => stage != Stage::IsOver,
            Self::Waiting => stage == Stage::Waits,
            Self::None => false,
        }
    }
}

/// What becomes of leases, by the owner's wish, a coming sleep, and how long the worker is halted.
fn go_back(hold: Option<Hold>, sleeps: bool, halted: Option<Duration>) -> GoBack {
    match hold {
        _any if sleeps => GoBack::All,
        Some(Hold::Now) => GoBack::All,
        _other if halted.is_some_and(|halted| halted >= GIVE_BACK_AFTER) => GoBack::All,
        Some(Hold::AfterThisTile) => GoBack::Waiting,
        None => GoBack::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_waits_for_a_short_halt_only() {
        let check = |hold, sleeps, halted_s: Option<u64>, expected| {
            let halted = halted_s.map(Duration::from_secs);
            assert_eq!(go_back(hold, sleeps, halted), expected, "{hold:?} {sleeps} {halted:?}");
        };
        check(None, false, None, GoBack::None);
        check(None, false, Some(59), GoBack::None);
        check(None, false, Some(60), GoBack::All);
        check(None, true, Some(0), GoBack::All);
        let tile = Some(Hold::AfterThisTile);
        check(tile, false, None, GoBack::Waiting);
        check(tile, false, Some(59), GoBack::Waiting);
        check(tile, false, Some(60), GoBack::All);
        check(tile, true, None, GoBack::All);
        check(Some(Hold::Now), false, Some(0), GoBack::All);
    }

    #[test]
    fn what_is_rendered_never_goes_back() {
        let stages = [Stage::Waits, Stage::Renders, Stage::IsOver];
        let taken = |which: GoBack| stages.map(|stage| which.takes(stage));
        assert_eq!(taken(GoBack::All), [true, true, false]);
        assert_eq!(taken(GoBack::Waiting), [true, false, false]);
        assert_eq!(taken(GoBack::None), [false, false, false]);
    }
}
