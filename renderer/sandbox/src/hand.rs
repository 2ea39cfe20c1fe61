//! Who renders: a worker process, or this one.

use std::path::PathBuf;

use bytes::Bytes;
use film::{Film, Sums};
use protocol::{Batch, RenderSettings, Spots};
use renderer::trace::Path;
use renderer::{Backend, Cancel, CpuBackend};
use serde::{Deserialize, Serialize};

use crate::confinement::Confinement;
use crate::easel::{Easel, Frame, Order, Probed, Probing, RenderFault};
use crate::keeper::{Patience, Worker};
use crate::process::WorkerError;
use crate::reins::Reins;
use crate::wire::Setup;

/// What renders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// A GPU where there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU, or nothing.
    Gpu,
}

/// No backend opens.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OpenError(Box<dyn std::error::Error + Send + Sync>);

impl OpenError {
    /// For this reason.
    pub fn new(why: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(why))
    }
}

/// How a backend is opened: a program brings those that it has.
pub type Open = fn(&Setup) -> Result<Box<dyn Backend>, OpenError>;

/// The CPU, whatever is chosen: for programs that have no other backend.
///
/// # Errors
/// None.
pub fn open_cpu(setup: &Setup) -> Result<Box<dyn Backend>, OpenError> {
    Ok(Box::new(match setup.plain {
        true => CpuBackend::with_path(setup.threads, Path::Portable),
        false => CpuBackend::new(setup.threads),
    }))
}

/// Who renders. One thread owns it, and a worker process ends with that thread.
#[derive(Debug)]
pub enum Hand {
    /// This process.
    Here(Box<Easel>),
    /// One that is locked in.
    Apart(Box<Worker>),
}

impl Hand {
    /// Renders in this process.
    ///
    /// # Errors
    /// No backend opens.
    pub fn here(setup: Setup, open: Open) -> Result<Self, OpenError> {
        Ok(Self::Here(Box::new(Easel::new(setup, open)?)))
    }

    /// Renders in a process of its own; see [`Worker::start`].
    ///
    /// # Errors
    /// See [`WorkerError`].
    pub fn apart(program: PathBuf, setup: Setup, patience: Patience) -> Result<Self, WorkerError> {
        Ok(Self::Apart(Box::new(Worker::start(program, setup, patience)?)))
    }

    /// What it renders on, for people.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Here(easel) => easel.description(),
            Self::Apart(worker) => worker.description().to_owned(),
        }
    }

    /// What the rendering is locked in with; `None` where it is done in this process.
    #[must_use]
    pub fn confinement(&self) -> Option<Confinement> {
        match self {
            Self::Here(_) => None,
            Self::Apart(worker) => Some(worker.confinement().clone()),
        }
    }

    /// What halts the rendering; `None` where it is done in this process.
    #[must_use]
    pub fn reins(&self) -> Option<Reins> {
        match self {
            Self::Here(_) => None,
            Self::Apart(worker) => Some(worker.reins()),
        }
    }

    /// Whether a frame can be rendered without the scene's package.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] and [`RenderFault::Feared`].
    pub fn holds(&mut self, frame: &Frame) -> Result<bool, RenderFault> {
        match self {
            Self::Here(easel) => Ok(easel.holds(frame)),
            Self::Apart(worker) => worker.holds(frame),
        }
    }

    /// Renders what is ordered; `None` when the scene's package is needed for it.
    ///
    /// # Errors
    /// See [`Worker::film`].
    pub fn film(
        &mut self,
        order: &Order,
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Film>, RenderFault> {
        match self {
            Self::Here(easel) => easel.film(order, package, cancel, &mut || ()),
            Self::Apart(worker) => worker.film(order, package, cancel),
        }
    }

    /// Renders single pixels of a frame's films; `None` when the scene's package is needed for it.
    ///
    /// # Errors
    /// See [`Worker::spots`].
    pub fn spots(
        &mut self,
        frame: &Frame,
        spots: &[Spots],
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Vec<Sums>>, RenderFault> {
        match self {
            Self::Here(easel) => easel.spots(frame, spots, package, cancel, &mut || ()),
            Self::Apart(worker) => worker.spots(frame, spots, package, cancel),
        }
    }

    /// Counts and times the rays of some pixels; `None` when the scene's package is needed for it.
    ///
    /// # Errors
    /// See [`Worker::probe`].
    pub fn probe(
        &mut self,
        probing: &Probing,
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Probed>, RenderFault> {
        match self {
            Self::Here(easel) => easel.probe(probing, package, cancel, &mut || ()),
            Self::Apart(worker) => worker.probe(probing, package, cancel),
        }
    }

    /// Renders a whole frame of the built-in scene.
    ///
    /// # Errors
    /// See [`Worker::golden`].
    pub fn golden(&mut self, settings: &RenderSettings, batch: Batch) -> Result<Film, RenderFault> {
        match self {
            Self::Here(easel) => easel.golden(settings, batch),
            Self::Apart(worker) => worker.golden(settings, batch),
        }
    }

    /// Metered rays a second on the built-in scene.
    ///
    /// # Errors
    /// See [`Worker::benchmark`].
    pub fn benchmark(&mut self) -> Result<u64, RenderFault> {
        match self {
            Self::Here(easel) => easel.benchmark(),
            Self::Apart(worker) => worker.benchmark(),
        }
    }

    /// After a panic nothing of its state is trusted.
    pub fn recover(&mut self) {
        match self {
            Self::Here(easel) => easel.recover(),
            Self::Apart(worker) => worker.replace(),
        }
    }
}
