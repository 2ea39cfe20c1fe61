//! What of a template is left out, or is done otherwise than a worker would.

use std::fmt;

use crate::text::{Quoted, quoted_list};

/// Something that somebody should know before he orders.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The step that it is about; none where it is about all of the template.
    pub step: Option<String>,
    /// What it is.
    pub kind: NoteKind,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => write!(f, "step {}: {}", Quoted(step), self.kind),
            None => self.kind.fmt(f),
        }
    }
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteKind {
    /// A time that a task may take.
    #[error("the timeout is ignored: the scheduler knows how long a tile should take")]
    Timeout,
    /// How a task is ended.
    #[error("how a task is cancelled is ignored: a node just stops")]
    Cancelation,
    /// How many frames a task has.
    #[error("the chunks are ignored: a farm splits pictures into tiles")]
    Chunks,
    /// A host requirement.
    #[error("the requirement {} is ignored: {why}", Quoted(.name))]
    Requirement {
        /// Its name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// Options that say how pictures are written.
    #[error("how pictures are written is chosen when they are downloaded; ignored: {}", .0.join(", "))]
    OutputOptions(Vec<&'static str>),
    /// Options that say how a machine renders.
    #[error("the machine that renders is chosen by the farm; ignored: {}", .0.join(", "))]
    MachineOptions(Vec<&'static str>),
    /// Tasks that ask for what others ask for.
    #[error("{0} of the tasks say what others say; it is rendered once")]
    SameTasks(u64),
    /// Variables of an environment.
    #[error("the variables of the environment {} are ignored: nodes have none of a job", Quoted(.0))]
    Variables(String),
    /// A parameter that looks like a term of a job and is none.
    #[error("the parameter {} is called like what is said to the farm, and is not known", Quoted(.0))]
    UnknownTerm(String),
    /// Files that are not a scene.
    #[error("the files of {} are not sent: a scene brings its own", quoted_list(.0))]
    Files(Vec<String>),
    /// A setting of another farm.
    #[error("{} is ignored: it is a setting of another farm", Quoted(.0))]
    ForeignSetting(String),
    /// A wait for what this farm does not do.
    #[error("waits for the step {}, which runs with you; the farm waits for the jobs before it", Quoted(.0))]
    AfterClientStep(String),
}
