//! Accepted films to pictures: fetched as they are accepted, written shot by shot.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use client::pictures::{Existing, Outputs};
use client::shots::{Shots, Whole};
use client::{Error, Farm};
use film::Film;
use protocol::view::AcceptedUnit;
use protocol::{JobId, JobSpec, Shot, ShotIndex, Unit};
use tokio::task::JoinSet;

use crate::exit::{Exit, fail};
use crate::output;
use crate::values::Frames;
use crate::video::{Plan, Video};

/// Films asked for at once: enough to hide the network, few enough to hold in memory.
const FETCHES: usize = 4;

/// The pictures of a job, as far as they are here.
pub struct Download {
    spec: JobSpec,
    outputs: Outputs,
    shots: Shots,
    /// Shots that are not here yet, whether they have begun or not.
    wanted: BTreeSet<ShotIndex>,
    /// All shots that were asked for.
    asked: BTreeSet<ShotIndex>,
    video: Option<Plan>,
    skipped: u32,
    seen: BTreeSet<Unit>,
    written: Vec<PathBuf>,
}

/// What came of a download.
#[derive(Default)]
pub struct Downloaded {
    /// Files, in the order they were written.
    pub written: Vec<PathBuf>,
    /// Shots whose files were there.
    pub skipped: u32,
    /// Shots with pixels without samples; they are transparent there.
    pub incomplete: Vec<Shot>,
    /// Shots without holes that have not all their samples, with the share that they have.
    pub short: Vec<(Shot, f64)>,
    /// Whether what is not whole was not written, since more of it is to come.
    pub left: bool,
    /// Shots of which nothing is accepted.
    pub missing: u32,
    /// The video that is to be made of them, where all are whole.
    pub video: Option<Video>,
}

impl Download {
    /// Nothing yet; all of the job's pictures are wanted, but for those whose files are to be left.
    pub fn new(job: JobId, spec: &JobSpec, outputs: Outputs) -> Self {
        Self::of_shots(job, spec, outputs, spec.shots().collect())
    }

    /// Nothing yet; the pictures of these frames are wanted.
    ///
    /// # Errors
    /// Not found: the job has no such frame.
    pub fn of_frames(
        job: JobId,
        spec: &JobSpec,
        outputs: Outputs,
        frames: Frames,
    ) -> anyhow::Result<Self> {
        let Frames { first, last } = frames;
        let is_in = |index: &ShotIndex| {
            spec.shot(*index).is_some_and(|shot| (first..=last).contains(&shot.frame))
        };
        let wanted: BTreeSet<ShotIndex> = spec.shots().filter(is_in).collect();
        if wanted.is_empty() {
            let message = format!(
                "the job has no frame from {first} to {last}; it has frames {} to {}",
                spec.frames.first, spec.frames.last
            );
            return Err(fail(Exit::NotFound, message));
        }
        Ok(Self::of_shots(job, spec, outputs, wanted))
    }

    fn of_shots(job: JobId, spec: &JobSpec, outputs: Outputs, asked: BTreeSet<ShotIndex>) -> Self {
        let (shots, mut wanted) = (Shots::new(job, spec), asked.clone());
        if outputs.existing == Existing::Skip {
            let is_there = |index: ShotIndex| {
                shots.about(index).is_ok_and(|(_, label, _)| outputs.are_there(&label))
            };
            wanted.retain(|index| !is_there(*index));
        }
        let skipped = (asked.len() - wanted.len()) as u32;
        let (seen, written, video) = (BTreeSet::new(), Vec::new(), None);
        Self { spec: spec.clone(), outputs, shots, wanted, asked, video, skipped, seen, written }
    }

    /// The same, with a video of its frames.
    ///
    /// # Errors
    /// Usage: they make none.
    pub fn with_video(mut self, video: Option<Plan>) -> anyhow::Result<Self> {
        if let Some(plan) = &video {
            plan.check(&self.spec)?;
        }
        self.video = video;
        Ok(self)
    }

    /// Whether nothing is wanted any more.
    pub fn is_whole(&self) -> bool {
        self.wanted.is_empty()
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
                if self.wanted.contains(&unit.unit.shot) && self.seen.insert(unit.unit) {
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
                self.wanted.remove(&whole.index);
            }
        }
    }

    /// Writes what is incomplete, too; where files that are there are left and more is to come, it
    /// is left to another time, so that what is there is whole.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self, more_comes: bool) -> anyhow::Result<Downloaded> {
        let leaves = more_comes && self.outputs.existing == Existing::Skip;
        let mut files = Downloaded { left: leaves, ..Downloaded::default() };
        for whole in self.shots.rest() {
            self.wanted.remove(&whole.index);
            if !leaves {
                self.write(&whole)?;
            }
            match (self.spec.shot(whole.index), whole.frame.has_no_hole()) {
                (Some(shot), true) => files.short.push((shot, whole.frame.share_done())),
                (shot, _) => files.incomplete.extend(shot),
            }
        }
        files.missing = self.wanted.len() as u32;
        let is_whole = files.missing == 0 && files.incomplete.is_empty() && files.short.is_empty();
        let plan = self.video.take().filter(|_| is_whole && self.asked.len() > 1);
        files.video = plan.map(|plan| self.video_of(plan)).transpose()?;
        Ok(Downloaded { written: self.written, skipped: self.skipped, ..files })
    }

    /// The video of all that was asked for: of the first of each frame's files.
    fn video_of(&self, plan: Plan) -> anyhow::Result<Video> {
        let name = |index: &ShotIndex| {
            let (_shot, label, _metadata) = self.shots.about(*index)?;
            Ok(self.outputs.names(&label).into_iter().next().unwrap_or_default())
        };
        let frames = self.asked.iter().map(name).collect::<Result<_, client::FilmFault>>()?;
        Ok(plan.of(frames, &self.spec, self.outputs.look.clone()))
    }

    fn write(&mut self, whole: &Whole) -> anyhow::Result<()> {
        let (_shot, label, metadata) = self.shots.about(whole.index)?;
        let picture = whole.frame.picture();
        self.written.extend(output::write(&self.outputs, &picture, &label, &metadata)?);
        Ok(())
    }
}
