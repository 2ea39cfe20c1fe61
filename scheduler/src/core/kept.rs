//! What earlier jobs have rendered of a job's pictures.

use protocol::{Engine, JobId, JobSpec, PublicKey, limits};

use crate::core::state::{Accepted, Book, Job, UnitState};
use crate::split::Kept;

/// A job that cannot keep the samples of another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// No such job of the artist's.
    #[error("you have no such job to go on from: {0}")]
    Unknown(JobId),
    /// Its films are gone.
    #[error("the films of {0} were not kept for as long; order it anew")]
    Expired(JobId),
    /// It may still get samples.
    #[error("{0} is not over; stop it first, or wait until it is done")]
    UnderWay(JobId),
    /// Its samples are not of the same pictures.
    #[error(
        "{0} has other pictures: a job that goes on from it has the same scene, settings, frames and tiles, and as many samples or more"
    )]
    Differs(JobId),
    /// Samples of two engines do not mix.
    #[error(
        "{job} was rendered by {rendered_by}, this farm renders by {now}, and samples of two engines do not mix; order it anew"
    )]
    Engine {
        /// The earlier job.
        job: JobId,
        /// What it was rendered by.
        rendered_by: Engine,
        /// What the farm renders by.
        now: Engine,
    },
    /// Too many jobs, each the base of the next.
    #[error("a job can go on from {max} earlier ones at most; order it anew", max = limits::BASES_MAX)]
    TooMany,
}

/// The bases of a job that was ordered, its own first.
pub fn bases<'a>(book: &'a Book, spec: &JobSpec) -> impl Iterator<Item = &'a Job> {
    let base_of = |spec: &JobSpec| book.jobs.get(&spec.base?);
    std::iter::successors(base_of(spec), move |job| base_of(&job.spec))
}

/// Units of the bases of a job that was ordered whose films are in its pictures.
pub fn kept_units<'a>(
    book: &'a Book,
    spec: &JobSpec,
) -> impl Iterator<Item = (&'a UnitState, &'a Accepted)> {
    bases(book, spec).flat_map(move |base| {
        let units = base.units.iter().filter(|unit| spec.keeps(&base.spec, unit.unit.batch));
        units.filter_map(|unit| Some((unit, unit.accepted.as_ref()?)))
    })
}

/// What the bases of a job that is to be ordered have rendered of its pictures.
///
/// # Errors
/// See [`BaseError`].
pub fn kept(book: &Book, artist: PublicKey, spec: &JobSpec) -> Result<Kept, BaseError> {
    let (mut kept, mut next) = (Kept::default(), spec.base);
    for _ in 0..limits::BASES_MAX {
        let Some(id) = next else { return Ok(kept) };
        let base = sound_base(book, artist, spec, id)?;
        let accepted = base.units.iter().filter(|unit| unit.accepted.is_some());
        for unit in accepted.map(|unit| &unit.unit) {
            if spec.keeps(&base.spec, unit.batch) {
                kept.keep(unit.shot, unit.tile, unit.batch);
            }
        }
        next = base.spec.base;
    }
    if next.is_none() { Ok(kept) } else { Err(BaseError::TooMany) }
}

fn sound_base<'a>(
    book: &'a Book,
    artist: PublicKey,
    spec: &JobSpec,
    id: JobId,
) -> Result<&'a Job, BaseError> {
    let job = book.jobs.get(&id).filter(|job| job.artist == artist);
    let job = job.ok_or(BaseError::Unknown(id))?;
    let (rendered_by, now) = (job.engine, book.engine);
    if !job.is_over() {
        Err(BaseError::UnderWay(id))
    } else if job.expired {
        Err(BaseError::Expired(id))
    } else if !spec.continues(&job.spec) {
        Err(BaseError::Differs(id))
    } else if rendered_by != now {
        Err(BaseError::Engine { job: id, rendered_by, now })
    } else {
        Ok(job)
    }
}
