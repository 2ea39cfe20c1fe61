//! A template's jobs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use client::{Description, SceneImport};

use crate::note::Note;
use crate::refusal::Refusal;
use crate::template::Template;

mod assemble;
mod order;
mod tasks;

/// What a template is imported with.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Values of its parameters, by their names. Settings of Deadline Cloud may be among them: of
    /// these `deadline:priority` is read.
    pub values: BTreeMap<String, String>,
    /// The folder that relative values of its PATH parameters are taken from, where it is another
    /// than the template's.
    pub folder: Option<PathBuf>,
}

/// What a template becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The name of its job.
    pub name: String,
    /// Its jobs, each after those that it depends on.
    pub jobs: Vec<ImportedJob>,
    /// What runs with whoever imported it, each after those that it depends on.
    pub client_steps: Vec<ClientStep>,
    /// What is left out, or done otherwise.
    pub notes: Vec<Note>,
}

/// A job of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedJob {
    /// The step that it is of.
    pub step: String,
    /// The job. A relative path in it is taken from the template's folder.
    pub description: Description,
    /// How its scene is read.
    pub scene_import: SceneImport,
    /// Jobs that must be done before it begins, by their places in [`Import::jobs`].
    pub after: Vec<usize>,
}

/// A step that renders nothing. It is not run by this library, and not by a farm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientStep {
    /// Its name.
    pub step: String,
    /// What it does.
    pub command: ClientCommand,
    /// The arguments after the command, of each run in turn: a stranger's words, to be looked at
    /// before they are used.
    pub runs: Vec<Vec<String>>,
    /// Jobs whose pictures it is for, by their places in [`Import::jobs`].
    pub after_jobs: Vec<usize>,
    /// Steps before it, by their places in [`Import::client_steps`].
    pub after_steps: Vec<usize>,
}

/// What a step does that renders nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCommand {
    /// Puts tiles together: no work, since whoever downloads has whole pictures.
    Assemble,
    /// Takes noise out of pictures.
    Denoise,
    /// Makes a film of pictures.
    Encode,
}

impl ClientCommand {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Assemble, Self::Denoise, Self::Encode];

    /// Its word after `tessera`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Assemble => "assemble",
            Self::Denoise => "denoise",
            Self::Encode => "encode",
        }
    }
}

/// Why a template does not become jobs.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Something in it cannot be had here: all that is known of.
    #[error("the template is refused: {}", told(.0))]
    Refused(Vec<Refusal>),
}

impl ImportError {
    /// All that is refused, in the template's order.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        match self {
            Self::Refused(refusals) => refusals,
        }
    }
}

fn told(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Template {
    /// The jobs that the template says. Nothing is read from a disk, and nothing is run.
    ///
    /// # Errors
    /// [`ImportError::Refused`] with everything that cannot be had: nothing of a template is ordered
    /// unless all of it is.
    pub fn import(&self, options: &ImportOptions) -> Result<Import, ImportError> {
        assemble::import(&self.job, options).map_err(ImportError::Refused)
    }
}
