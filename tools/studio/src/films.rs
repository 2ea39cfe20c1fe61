//! Pictures of jobs: films as they are accepted, put together to files that are kept for a while.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::pictures::{PictureError, view_name};
use client::shots::{Shots, Whole};
use client::{Farm, FilmFault};
use film::{ExrOptions, Film, ImageFileError, Look, PngDepth, View, WriteError};
use protocol::view::AcceptedUnit;
use protocol::{JobId, JobSpec, ShotIndex};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use crate::gates::{FILM, Turn};
use crate::gather::Known;
use crate::problem::{Kind, Problem};

/// Jobs whose accepted units are remembered.
const JOBS_KEPT: usize = 16;
/// Bytes of finished files that are kept.
const FILES_BYTES_MAX: u64 = 8 << 30;
/// Films asked for at once: enough to hide the network, few enough to hold in memory.
pub const FETCHES: usize = 4;
/// Pictures put together at once: each may take a gigabyte.
const AT_ONCE: usize = 2;

/// A picture's kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Format {
    /// As rendered.
    Exr,
    /// Seen through a view.
    Png {
        /// Which.
        view: View,
        /// Brightens by powers of two.
        exposure_ev: f32,
    },
}

impl Format {
    /// What an HTTP answer says of it.
    #[must_use]
    pub const fn media_type(&self) -> &'static str {
        match self {
            Self::Exr => "image/x-exr",
            Self::Png { .. } => "image/png",
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Exr => "exr".to_owned(),
            Self::Png { view, exposure_ev } => {
                format!("png {} {}", view_name(*view), exposure_ev.to_bits())
            }
        }
    }

    const fn ending(&self) -> &'static str {
        match self {
            Self::Exr => "exr",
            Self::Png { .. } => "png",
        }
    }
}

/// A file that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Where it is.
    pub path: PathBuf,
    /// A word for exactly this content.
    pub tag: String,
    /// What to call it.
    pub name: String,
}

/// Accepted units of a job, as far as they were read.
#[derive(Default)]
struct Accepted {
    next: u64,
    by_shot: BTreeMap<ShotIndex, Vec<AcceptedUnit>>,
}

/// Accepted units, by job; each has a lock of its own.
type Jobs = BTreeMap<JobId, (u64, Arc<tokio::sync::Mutex<Accepted>>)>;

/// Pictures.
#[derive(Clone)]
pub struct Films {
    farm: Farm,
    folder: PathBuf,
    jobs: Arc<Mutex<Jobs>>,
    at_once: Arc<tokio::sync::Semaphore>,
}

impl Films {
    /// Files are kept in this folder, which is made; what is in it is of no use to anybody else.
    ///
    /// # Errors
    /// The disk.
    pub fn open(folder: &Path, farm: Farm) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let at_once = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        Ok(Self { farm, folder: folder.to_owned(), jobs: Arc::default(), at_once })
    }

    /// A shot of a job as a file, for whose turn it is; unless `partial`, only when nothing of it is
    /// missing.
    ///
    /// # Errors
    /// Not complete; expired; the farm; the disk.
    pub async fn picture(
        &self,
        known: &Known,
        shot: ShotIndex,
        (format, partial): (Format, bool),
        turn_at_farm: &Turn,
    ) -> Result<Ready, Problem> {
        let summary = &known.summary;
        if summary.expired {
            let detail =
                "the job ended long ago and the farm has not kept its films; order it anew";
            return Err(Problem::new(Kind::NotFound, detail));
        }
        let units = self.accepted(summary.job, shot).await?;
        let tag = tag(summary.job, shot, &units, format);
        let name = self.name(&summary.spec, summary.job, shot, format)?;
        let ending =
            if partial { format!("part.{}", format.ending()) } else { format.ending().to_owned() };
        let path = self.folder.join(format!("{tag}.{ending}"));
        if path.is_file() {
            return Ok(Ready { path, tag, name });
        }
        let turn = Arc::clone(&self.at_once).acquire_owned().await;
        let turn = turn.map_err(|error| Problem::internal(&error))?;
        let job = (summary.job, &summary.spec);
        let whole = self.frame(job, shot, &units, turn_at_farm).await?;
        let is_whole =
            whole.frame.is_complete() || (summary.status.is_over() && whole.frame.has_no_hole());
        if !is_whole && !partial {
            let share = whole.frame.share_done();
            let detail = format!(
                "{:.0} % of the picture is accepted; ask again later, or with partial=true",
                share * 100.0
            );
            let problem = Problem::new(Kind::NotComplete, detail).with("share_done", share);
            return Err(if summary.status.is_over() { problem } else { problem.after(5) });
        }
        self.write((summary.job, &summary.spec), whole, format, (path.clone(), turn)).await?;
        Ok(Ready { path, tag, name })
    }

    /// Accepted units of a shot, all that there are now.
    async fn accepted(&self, job: JobId, shot: ShotIndex) -> Result<Vec<AcceptedUnit>, Problem> {
        let of_job = self.of_job(job);
        let mut accepted = of_job.lock().await;
        loop {
            let update = self.farm.watch(job, accepted.next, Duration::ZERO).await?;
            let is_last = update.accepted.is_empty();
            accepted.next = update.next;
            for unit in update.accepted {
                accepted.by_shot.entry(unit.unit.shot).or_default().push(unit);
            }
            if is_last {
                return Ok(accepted.by_shot.get(&shot).cloned().unwrap_or_default());
            }
        }
    }

    fn of_job(&self, job: JobId) -> Arc<tokio::sync::Mutex<Accepted>> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let now = jobs.values().map(|(used, _)| *used).max().unwrap_or(0) + 1;
        let (used, accepted) = jobs.entry(job).or_default();
        *used = now;
        let accepted = Arc::clone(accepted);
        while jobs.len() > JOBS_KEPT {
            let oldest = jobs.iter().min_by_key(|(_, (used, _))| *used).map(|(job, _)| *job);
            oldest.map(|job| jobs.remove(&job));
        }
        accepted
    }

    /// Fetches a shot's films and puts them together.
    async fn frame(
        &self,
        (job, spec): (JobId, &JobSpec),
        shot: ShotIndex,
        units: &[AcceptedUnit],
        turn: &Turn,
    ) -> Result<Whole, Problem> {
        let mut shots = Shots::new(job, spec);
        let (mut queue, mut fetches) = (units.iter().cloned(), JoinSet::new());
        loop {
            while fetches.len() < FETCHES
                && let Some(unit) = queue.next()
            {
                turn.ask_farm(FILM).await?;
                let (farm, spec) = (self.farm.clone(), spec.clone());
                fetches.spawn(async move { farm.film(&spec, &unit).await });
            }
            let Some(fetched) = fetches.join_next().await else { break };
            let film: Film = fetched.map_err(|error| Problem::internal(&error))??;
            if let Some(whole) = shots.insert(shot, film).map_err(fault)? {
                return Ok(whole);
            }
        }
        shots.rest().pop().ok_or_else(|| {
            let detail = "nothing of the picture is accepted yet; ask again later";
            Problem::new(Kind::NotComplete, detail).with("share_done", 0.0).after(5)
        })
    }

    fn name(
        &self,
        spec: &JobSpec,
        job: JobId,
        shot: ShotIndex,
        format: Format,
    ) -> Result<String, Problem> {
        let shots = Shots::new(job, spec);
        let (_, label, _) = shots.about(shot).map_err(fault)?;
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = spec.name.chars().map(plain).collect();
        let path = label.name(Path::new(&format!("{name}.{}", format.ending())));
        Ok(path.display().to_string())
    }

    /// Writes a picture beside its place and moves it there.
    async fn write(
        &self,
        (job, spec): (JobId, &JobSpec),
        whole: Whole,
        format: Format,
        (path, turn): (PathBuf, OwnedSemaphorePermit),
    ) -> Result<(), Problem> {
        let shots = Shots::new(job, spec);
        let (_, _, metadata) = shots.about(whole.index).map_err(fault)?;
        let folder = self.folder.clone();
        let written = tokio::task::spawn_blocking(move || {
            // Also when whoever asked has hung up.
            let _turn = turn;
            let picture = whole.frame.picture();
            let new = tempfile::Builder::new().suffix(".new").tempfile_in(&folder)?;
            match format {
                Format::Exr => {
                    film::write_exr(&picture, new.path(), &metadata, &ExrOptions::default())?;
                }
                Format::Png { view, exposure_ev } => {
                    let look = Look { exposure_ev, ..Look::of(view) };
                    film::write_png(&picture, new.path(), &look, PngDepth::default())?;
                }
            }
            new.persist(path).map_err(|error| error.error)?;
            sweep(&folder)
        });
        let written = written.await.map_err(|error| Problem::internal(&error))?;
        written.map_err(|error: FileError| Problem::internal(&error))
    }
}

/// Why a picture was not written.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error(transparent)]
    Exr(#[from] WriteError),
    #[error(transparent)]
    Image(#[from] ImageFileError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("the pictures' folder is not usable")]
    Disk(#[from] std::io::Error),
}

fn fault(fault: FilmFault) -> Problem {
    client::Error::Film(fault).into()
}

/// A word for what a picture is made of.
fn tag(job: JobId, shot: ShotIndex, units: &[AcceptedUnit], format: Format) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("tessera 2026 studio picture v1");
    hasher.update(&job.0);
    hasher.update(&shot.0.to_le_bytes());
    let mut roots: Vec<[u8; 32]> = units.iter().map(|unit| unit.root.0).collect();
    roots.sort_unstable();
    roots.iter().for_each(|root| {
        hasher.update(root);
    });
    hasher.update(format.words().as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Removes the files that were made longest ago, as long as there are too many bytes.
fn sweep(folder: &Path) -> Result<(), FileError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Another request may have removed it.
        let Ok(about) = entry.metadata() else { continue };
        files.push((about.modified()?, about.len(), entry.path()));
    }
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, size, path) in files {
        if bytes <= FILES_BYTES_MAX {
            break;
        }
        bytes -= size;
        drop(std::fs::remove_file(path));
    }
    Ok(())
}
