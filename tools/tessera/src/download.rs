//! Accepted films to pictures: fetched as they are accepted, written shot by shot.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
use film::{Film, Frame, FrameRate};
use protocol::view::AcceptedUnit;
use protocol::{JobId, JobSpec, Shot, ShotIndex, Unit, ViewIndex};
use tokio::task::JoinSet;

use crate::client::Farm;
use crate::output::{Label, Outputs, camera_words};

/// Films asked for at once: enough to hide the network, few enough to hold in memory.
const FETCHES: usize = 4;

/// The pictures of a job, as far as they are here.
pub struct Download {
    job: JobId,
    spec: JobSpec,
    outputs: Outputs,
    /// A word for each camera's files.
    camera_words: Vec<String>,
    open: BTreeMap<ShotIndex, Frame>,
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
        Self {
            job,
            spec: spec.clone(),
            outputs,
            camera_words: camera_words(
                (0..spec.view_count()).filter_map(|view| spec.camera(ViewIndex(view))),
            ),
            open: BTreeMap::new(),
            seen: BTreeSet::new(),
            written: Vec::new(),
        }
    }

    /// Fetches these films; pictures that they complete are written and dropped from memory.
    ///
    /// # Errors
    /// A film cannot be fetched, or a file not be written.
    pub async fn take(&mut self, farm: &Farm, units: &[AcceptedUnit]) -> anyhow::Result<()> {
        let mut queue = units.iter();
        let mut fetches: JoinSet<anyhow::Result<(ShotIndex, Film)>> = JoinSet::new();
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
            self.insert(shot, film)?;
        }
    }

    /// Writes what is incomplete, too.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self) -> anyhow::Result<Downloaded> {
        let (mut incomplete, mut short) = (Vec::new(), Vec::new());
        for (index, frame) in std::mem::take(&mut self.open) {
            self.write(index, &frame)?;
            match (self.spec.shot(index), frame.has_no_hole()) {
                (Some(shot), true) => short.push((shot, frame.share_done())),
                (shot, _) => incomplete.extend(shot),
            }
        }
        Ok(Downloaded { written: self.written, incomplete, short })
    }

    fn insert(&mut self, shot: ShotIndex, film: Film) -> anyhow::Result<()> {
        let settings = &self.spec.settings;
        let frame = self.open.entry(shot).or_insert_with(|| Frame::of(settings));
        let rect = film.rect();
        frame.insert(film).context("an accepted film does not fit its frame")?;
        if let Some(target) = self.spec.noise {
            frame.enough_if_quiet(rect, target);
        }
        if frame.is_complete()
            && let Some(frame) = self.open.remove(&shot)
        {
            self.write(shot, &frame)?;
        }
        Ok(())
    }

    fn write(&mut self, index: ShotIndex, frame: &Frame) -> anyhow::Result<()> {
        let spec = &self.spec;
        let shot = spec.shot(index).context("a film of a shot that the job does not have")?;
        let settings = spec.settings_of(shot.view).context("a shot without a camera")?;
        let metadata = film::Metadata {
            job: Some(self.job),
            scene: Some(self.spec.scene),
            frame: Some(shot.frame),
            frame_rate: FrameRate::nearest(self.spec.frames.fps),
            ..crate::local::metadata(&settings)
        };
        let label = Label {
            camera: &self.camera_words[shot.view.0 as usize],
            of_cameras: spec.view_count() > 1,
            frame: shot.frame,
            of_frames: spec.frames.count() > 1,
        };
        self.written.extend(self.outputs.write(&frame.picture(), &label, &metadata)?);
        Ok(())
    }
}
