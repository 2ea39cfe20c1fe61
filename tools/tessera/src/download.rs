//! Accepted films to pictures: fetched as they are accepted, written shot by shot.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use client::pictures::Outputs;
use client::shots::{Shots, Whole};
use client::{Error, Farm};
use film::Film;
use protocol::view::AcceptedUnit;
use protocol::{JobId, JobSpec, Shot, ShotIndex, Unit};
use tokio::task::JoinSet;

use crate::output;

/// Films asked for at once: enough to hide the network, few enough to hold in memory.
const FETCHES: usize = 4;

/// The pictures of a job, as far as they are here.
pub struct Download {
    spec: JobSpec,
    outputs: Outputs,
    shots: Shots,
    seen: BTreeSet<Unit>,
    written: Vec<PathBuf>,
}

/// What came of a download.
pub struct Downloaded {
    /// Files, in the order they were written.
    pub written: Vec<PathBuf>,
    /// Shots with pixels without samples; they are transparent there.
    pub incomplete: Vec<Shot>,
    /// Shots without holes that have not all their samples, with the share that they have.
    pub short: Vec<(Shot, f64)>,
}

impl Download {
    /// Nothing yet.
    pub fn new(job: JobId, spec: &JobSpec, outputs: Outputs) -> Self {
        let shots = Shots::new(job, spec);
        let (seen, written) = (BTreeSet::new(), Vec::new());
        Self { spec: spec.clone(), outputs, shots, seen, written }
    }

    /// Fetches these films; pictures that they complete are written and dropped from memory.
    ///
    /// # Errors
    /// A film cannot be fetched, or a file not be written.
    pub async fn take(&mut self, farm: &Farm, units: &[AcceptedUnit]) -> anyhow::Result<()> {
        let mut queue = units.iter();
        let mut fetches: JoinSet<Result<(ShotIndex, Film), Error>> = JoinSet::new();
        loop {
            while fetches.len() < FETCHES
                && let Some(unit) = queue.next()
            {
                if self.seen.insert(unit.unit) {
                    let (farm, spec, unit) = (farm.clone(), self.spec.clone(), unit.clone());
                    fetches.spawn(async move {
                        let film = farm.film(&spec, &unit).await?;
                        Ok((unit.unit.shot, film))
                    });
                }
            }
            let Some(fetched) = fetches.join_next().await else { return Ok(()) };
            let (shot, film) = fetched.context("a fetch was cut off")??;
            if let Some(whole) = self.shots.insert(shot, film)? {
                self.write(&whole)?;
            }
        }
    }

    /// Writes what is incomplete, too.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self) -> anyhow::Result<Downloaded> {
        let (mut incomplete, mut short) = (Vec::new(), Vec::new());
        for whole in self.shots.rest() {
            self.write(&whole)?;
            match (self.spec.shot(whole.index), whole.frame.has_no_hole()) {
                (Some(shot), true) => short.push((shot, whole.frame.share_done())),
                (shot, _) => incomplete.extend(shot),
            }
        }
        Ok(Downloaded { written: self.written, incomplete, short })
    }

    fn write(&mut self, whole: &Whole) -> anyhow::Result<()> {
        let (_shot, label, metadata) = self.shots.about(whole.index)?;
        let picture = whole.frame.picture();
        self.written.extend(output::write(&self.outputs, &picture, &label, &metadata)?);
        Ok(())
    }
}
