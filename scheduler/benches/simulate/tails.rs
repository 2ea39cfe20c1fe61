//! What the last unit of a job has waited for.

use std::collections::HashMap;
use std::fmt;

use super::farm::Farm;

/// What became of a unit, and when.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A node got it, as its lease of this place.
    Granted { node: u32, place: u32, needs_ms: u64, is_race: bool },
    /// The node began with it.
    Begun { node: u32, takes_ms: u64 },
    /// Its film came.
    Film { node: u32 },
    /// The node is gone.
    Gone { node: u32 },
}

/// Steps of units, by job and unit.
#[derive(Default)]
pub struct Steps(HashMap<(u32, u32), Vec<(u64, Step)>>);

/// A job's tail.
#[derive(Debug, Clone)]
pub struct Tail {
    pub times: f64,
    units: u32,
    usual_s: f64,
    /// Since 99 % of the job, seconds.
    steps: Vec<(f64, Step)>,
    ended_s: f64,
}

impl Farm {
    pub(super) fn note(&mut self, (job, unit_index): (protocol::JobId, u32), step: Step) {
        if let Some(steps) = &mut self.steps {
            let number = self.jobs[&job];
            steps.0.entry((number, unit_index)).or_default().push((self.now_ms, step));
        }
    }

    /// Notes what the last unit of a job went through, which has just ended.
    pub(super) fn note_tail(&mut self, number: u32) {
        let Some(steps) = &mut self.steps else { return };
        let order = &self.orders[number as usize];
        let Some(nearly_ms) = order.nearly_ms else { return };
        let job = &self.state.book.jobs[&order.job.expect("it was ordered")];
        let version = |at: &usize| job.units[*at].accepted.as_ref().map(|it| it.version);
        let Some(last) = (0..job.units.len()).max_by_key(version) else { return };
        let since_s = |ms: u64| (ms as f64 - nearly_ms as f64) / 1e3;
        let last = steps.0.remove(&(number, last as u32)).unwrap_or_default();
        let ended_s = since_s(self.now_ms);
        self.tails.push(Tail {
            times: ended_s * 1e3 / order.usual_ms,
            units: order.units(),
            usual_s: order.usual_ms / 1e3,
            steps: last.into_iter().map(|(ms, step)| (since_s(ms), step)).collect(),
            ended_s,
        });
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { times, units, usual_s, ended_s, .. } = self;
        write!(f, "{times:.2} x {usual_s:.1} s, {units} units:")?;
        for (at_s, step) in &self.steps {
            match step {
                Step::Granted { node, place, needs_ms, is_race } => {
                    let race = if *is_race { "race" } else { "lease" };
                    let needs_s = *needs_ms as f64 / 1e3;
                    write!(f, " [{at_s:.1} {race} {place} of {node}, {needs_s:.1} s]")?;
                }
                Step::Begun { node, takes_ms } => {
                    write!(f, " [{at_s:.1} {node} at it, {:.1} s]", *takes_ms as f64 / 1e3)?;
                }
                Step::Film { node } => write!(f, " [{at_s:.1} film of {node}]")?,
                Step::Gone { node } => write!(f, " [{at_s:.1} {node} gone]")?,
            }
        }
        write!(f, " [{ended_s:.1} end]")
    }
}
