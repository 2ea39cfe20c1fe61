//! From a wish to verify a frame to what came of it.

use protocol::view::{JobStatus, JobSummary};

use super::notices::Tone;
use super::sheet::Sheet;
use super::verify::{Event, News, Standing, Verification};
use super::{State, TileLook};
use crate::desk::{Ask, VerifyAsk};

impl State {
    /// Why the watched frame cannot be verified.
    ///
    /// # Errors
    /// What is missing, in a few words.
    pub fn can_verify(&self) -> Result<(), &'static str> {
        let (Some(job), Some(live)) = (self.selected_job(), &self.live) else {
            return Err("There is no frame to verify");
        };
        let is_stopped = matches!(job.status, JobStatus::Done | JobStatus::Stopped);
        let all = live.tiles.len();
        if job.expired {
            Err("Its films are gone: it ended long ago")
        } else if is_stopped && job.units_accepted > 0 || all > 0 && self.is_here(job) {
            Ok(())
        } else {
            Err("This frame is not finished")
        }
    }

    /// Whether every tile of the watched frame is accepted.
    fn is_here(&self, job: &JobSummary) -> bool {
        let live = self.live.as_ref().filter(|live| live.job == job.job);
        live.is_some_and(|live| live.count(TileLook::Accepted) == live.tiles.len())
    }

    /// Whether what was verified last is the watched frame.
    #[must_use]
    pub fn verification(&self) -> Option<&Verification> {
        let live = self.live.as_ref()?;
        let last = self.verify.last.as_ref()?;
        ((last.job, last.shot) == (live.job, live.shot)).then_some(last)
    }

    /// Verifies the watched frame; what is known of it already is shown.
    pub(super) fn show_verification(&mut self, pixels: u32, asks: &mut Vec<Ask>) {
        if self.verification().is_none() {
            self.start_verifying(pixels, asks);
        }
        self.sheet = Some(Sheet::Verify { pixels });
    }

    /// Verifies the watched frame, whatever is known of it.
    pub(super) fn start_verifying(&mut self, pixels: u32, asks: &mut Vec<Ask>) {
        if self.can_verify().is_err() {
            return;
        }
        let (Some(live), Some(job), Some(identity)) =
            (&self.live, self.selected_job(), &self.identity)
        else {
            return;
        };
        let scene = self.stage.scene.as_ref();
        let package = scene.map(|scene| scene.imported.package.clone());
        let serial = self.verify.serial + 1;
        let ask = VerifyAsk {
            serial,
            job: live.job,
            shot: live.shot,
            me: identity.key,
            pixels,
            package: package.filter(|package| package.id() == job.spec.scene),
            shown: live.is_whole().then(|| live.picture.clone()),
        };
        let last = Verification::new(live.job, live.shot);
        (self.verify.serial, self.verify.last) = (serial, Some(last));
        asks.push(Ask::Verify(Box::new(ask)));
    }

    /// Gives the verification up that is under way.
    pub(super) fn stop_verifying(&mut self, asks: &mut Vec<Ask>) {
        let Some(last) = self.verify.last.as_mut().filter(|last| last.doing.is_some()) else {
            return;
        };
        last.apply(News::Ended(Err("Cancelled".to_owned())));
        // What is still on its way is of nothing any more.
        self.verify.serial += 1;
        asks.push(Ask::StopVerifying);
    }

    pub(super) fn verified(&mut self, event: Event) {
        if event.serial != self.verify.serial {
            return;
        }
        let Some(last) = &mut self.verify.last else { return };
        last.apply(event.news);
        let is_seen = matches!(self.sheet, Some(Sheet::Verify { .. }));
        if last.doing.is_some() || is_seen {
            return;
        }
        let (tone, job) = match last.standing() {
            Standing::Holds => (Tone::Good, last.job),
            Standing::Fails => (Tone::Bad, last.job),
            Standing::Differs | Standing::Unchecked => (Tone::Warning, last.job),
        };
        let words = format!("{}: {}", self.name_of(job), self.verify_words());
        self.notices.add(self.now_ms, tone, words).job = Some(job);
    }

    fn verify_words(&self) -> String {
        self.verify.last.as_ref().map_or_else(String::new, Verification::words)
    }
}
