//! The trusted renderer with its line, and verifiers where that is long.

use protocol::{LeaseId, Refusal, Unit};
use scheduler::core::{Check, CheckKind, CheckOutcome, Event, FilmRef, Finding, Tried, verifiers};

use super::farm::{Farm, Happening};
use super::nodes::truth;

/// How long a verifier is at a film's pixels, milliseconds: it ends a unit before.
const VERIFIER_MS: u64 = 5_000;
/// Bad films of a thousand that a challenge does not see.
const MISSED: f64 = 0.001;

impl Farm {
    /// A check is asked for: the trusted renderer does it, or a verifier when its line is long.
    pub(super) fn check(&mut self, check: Check) {
        let is_long = self.line.len() >= self.state.book.policy.verifier_line as usize;
        let entrusted = check.challenged().filter(|_| is_long).and_then(|challenged| {
            let here = |id| self.nodes[self.numbers[&id] as usize].is_here;
            Some((verifiers::choose(&self.state, &challenged, here)?, challenged))
        });
        if let Some((verifier, challenged)) = entrusted {
            self.findings += 1;
            let number = self.findings;
            self.entrusted.insert(number, (challenged, verifier));
            self.queue_in(VERIFIER_MS, Happening::Found { number });
            return;
        }
        let now_ms = self.now_ms as f64;
        self.free_ms = self.free_ms.max(now_ms) + 1e3 / self.settings.checks_per_second;
        self.line.push_back(check);
        self.tally.line_max = self.tally.line_max.max(self.line.len());
        self.queue_in((self.free_ms - now_ms).ceil() as u64, Happening::Checked);
    }

    pub(super) fn checked(&mut self) {
        let Some(check) = self.line.pop_front() else { return };
        let now_ms = self.now_ms;
        self.tally.checks += 1;
        let unit = check.piece.unit;
        let event = match check.kind {
            CheckKind::Challenge { film, challenge } => {
                let outcome = self.outcome(&unit, &film, challenge.pixels);
                Event::Judged { lease: film.lease, round: challenge.round, outcome, now_ms }
            }
            CheckKind::Recheck { film, challenge } => {
                let outcome = self.outcome(&unit, &film, challenge.pixels);
                Event::Rechecked { lease: film.lease, outcome, now_ms }
            }
            CheckKind::Dispute { film } => {
                let outcome = self.outcome(&unit, &film, 256);
                Event::DisputeHeard { lease: film.lease, outcome, now_ms }
            }
            CheckKind::Appeal { conviction: lease, film, .. } => {
                Event::AppealHeard { lease, holds: Some(film.root == truth(&unit)) }
            }
            CheckKind::Noise { .. } => unreachable!("no job of these has a noise target"),
            CheckKind::Trial { films } => {
                let tried = |film: &FilmRef| {
                    let differing = u32::from(film.root != truth(&unit)) * 9;
                    Tried { lease: film.lease, differing, evidence: None }
                };
                let (job, unit_index) = (unit.job, check.unit_index);
                Event::Tried { job, unit_index, films: films.iter().map(tried).collect(), now_ms }
            }
        };
        self.apply(event);
        self.waking = true;
    }

    fn outcome(&mut self, unit: &Unit, film: &FilmRef, pixels: u32) -> CheckOutcome {
        if film.root == truth(unit) || self.random.chance(MISSED) {
            return CheckOutcome::Passed { pixels };
        }
        // A convict's node hears of it and works no more.
        let number = self.numbers[&film.node];
        self.remove(number);
        let refusal = Refusal::Pixels { differing: 7, checked: pixels, x: 0, y: 0 };
        CheckOutcome::Refused { refusal, evidence: None }
    }

    /// A verifier has rendered the pixels, and says what it saw.
    pub(super) fn found(&mut self, number: u64) {
        let Some((challenged, (verifier, owner))) = self.entrusted.remove(&number) else { return };
        let film = challenged.film;
        let is_here = self.nodes[self.numbers[&verifier] as usize].is_here;
        if !is_here {
            self.check(challenged.into());
            return;
        }
        self.tally.found += 1;
        let mut lease = [7; 16];
        lease[..8].copy_from_slice(&number.to_le_bytes());
        let (lease, agrees) = (LeaseId(lease), film.root == truth(&challenged.piece.unit));
        let pixels = challenged.challenge.pixels;
        let finding = Finding { lease, verifier, owner, agrees, pixels, evidence: film.root };
        let (round, now_ms) = (challenged.challenge.round, self.now_ms);
        self.apply(Event::Found { lease: film.lease, round, finding, now_ms });
    }
}
