//! Accepted films to pictures: fetched as they are accepted, written frame by frame.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
use film::{Film, Frame, FrameRate};
use protocol::view::AcceptedUnit;
use protocol::{Batch, JobId, JobSpec, TileIndex};
use tokio::task::JoinSet;

use crate::client::Farm;
use crate::output::Outputs;

/// Films asked for at once: enough to hide the network, few enough to hold in memory.
const FETCHES: usize = 4;

/// The pictures of a job, as far as they are here.
pub struct Download {
    job: JobId,
    spec: JobSpec,
    outputs: Outputs,
    open: BTreeMap<u32, Frame>,
    seen: BTreeSet<(u32, TileIndex, Batch)>,
    written: Vec<PathBuf>,
}

/// What came of a download.
pub struct Downloaded {
    /// Files, in the order they were written.
    pub written: Vec<PathBuf>,
    /// Frames of which something is missing; they are transparent there.
    pub incomplete: Vec<u32>,
}

impl Download {
    /// Nothing yet.
    pub fn new(job: JobId, spec: &JobSpec, outputs: Outputs) -> Self {
        Self {
            job,
            spec: spec.clone(),
            outputs,
            open: BTreeMap::new(),
            seen: BTreeSet::new(),
            written: Vec::new(),
        }
    }

    /// Fetches these films; frames that they complete are written and dropped from memory.
    ///
    /// # Errors
    /// A film cannot be fetched, or a file not be written.
    pub async fn take(&mut self, farm: &Farm, units: &[AcceptedUnit]) -> anyhow::Result<()> {
        let mut queue = units.iter();
        let mut fetches: JoinSet<anyhow::Result<(u32, Film)>> = JoinSet::new();
        loop {
            while fetches.len() < FETCHES
                && let Some(unit) = queue.next()
            {
                if self.seen.insert((unit.frame, unit.tile, unit.batch)) {
                    let (farm, job, spec) = (farm.clone(), self.job, self.spec.clone());
                    let unit = unit.clone();
                    fetches.spawn(async move {
                        let film = farm.film(job, &spec, &unit).await?;
                        Ok((unit.frame, film))
                    });
                }
            }
            let Some(fetched) = fetches.join_next().await else { return Ok(()) };
            let (frame, film) = fetched.context("a fetch was cut off")??;
            self.insert(frame, film)?;
        }
    }

    /// Writes what is incomplete, too.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self) -> anyhow::Result<Downloaded> {
        let incomplete: Vec<u32> = self.open.keys().copied().collect();
        for (number, frame) in std::mem::take(&mut self.open) {
            self.write(number, &frame)?;
        }
        Ok(Downloaded { written: self.written, incomplete })
    }

    fn insert(&mut self, number: u32, film: Film) -> anyhow::Result<()> {
        let settings = &self.spec.settings;
        let frame = self.open.entry(number).or_insert_with(|| Frame::of(settings));
        frame.insert(film).context("an accepted film does not fit its frame")?;
        if frame.is_complete()
            && let Some(frame) = self.open.remove(&number)
        {
            self.write(number, &frame)?;
        }
        Ok(())
    }

    fn write(&mut self, number: u32, frame: &Frame) -> anyhow::Result<()> {
        let metadata = film::Metadata {
            job: Some(self.job),
            scene: Some(self.spec.scene),
            frame: Some(number),
            frame_rate: FrameRate::nearest(self.spec.frames.fps),
            ..crate::local::metadata(&self.spec.settings)
        };
        let number = (self.spec.frames.count() > 1).then_some(number);
        self.written.extend(self.outputs.write(&frame.picture(), number, &metadata)?);
        Ok(())
    }
}
