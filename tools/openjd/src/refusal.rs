//! What of a template is refused, where, and why.

use std::fmt;

use client::DescriptionError;

use crate::text::{Quoted, plain, quoted_list};

/// What may run, in a message.
const ALLOWED: &str =
    "`tessera` with the arguments `render SCENE …`, `assemble`, `denoise …` or `encode …`";

/// Something in a template that cannot be had here.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Where it stands.
    pub place: Place,
    /// What it is, why it cannot be had, and what to do.
    pub problem: Problem,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// All of it.
    Template,
    /// A parameter of the job, by its name.
    Parameter(String),
    /// An environment.
    Environment {
        /// Its name.
        environment: String,
        /// The step that it is of; none where it is the job's.
        step: Option<String>,
    },
    /// A step, by its name.
    Step(String),
    /// What a step runs.
    Action {
        /// The step's name.
        step: String,
        /// Which of its actions, as `onRun`.
        action: &'static str,
        /// What it runs.
        command: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template => f.write_str("template"),
            Self::Parameter(name) => write!(f, "parameter {}", Quoted(name)),
            Self::Environment { environment, step: None } => {
                write!(f, "environment {}", Quoted(environment))
            }
            Self::Environment { environment, step: Some(step) } => {
                write!(f, "step {}, environment {}", Quoted(step), Quoted(environment))
            }
            Self::Step(name) => write!(f, "step {}", Quoted(name)),
            Self::Action { step, action, command } => {
                write!(f, "step {}, {action}, command {}", Quoted(step), Quoted(command))
            }
        }
    }
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A program that is not Tessera's.
    #[error(
        "it is not run: the machines of a public farm run no code of strangers; allowed is {ALLOWED}"
    )]
    Command,
    /// Another of Tessera's commands, or none.
    #[error("`tessera {}` is no work of a farm; allowed is {ALLOWED}", .0.escape_debug())]
    Subcommand(String),
    /// Files that stand in the template.
    #[error("its embedded files ({}) are not carried to anybody: a farm takes scenes only; leave them out", quoted_list(.0))]
    EmbeddedFiles(Vec<String>),
    /// An environment that does something.
    #[error("its {action} runs {}, which no node does: the machines of a public farm run no code of strangers; leave the environment out", Quoted(.command))]
    EnvironmentAction {
        /// Which of its actions.
        action: &'static str,
        /// What it runs.
        command: String,
    },
    /// A host requirement that no node can be asked for.
    #[error("the requirement {} cannot be asked of nodes: {why}", Quoted(.name))]
    Requirement {
        /// Its name.
        name: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// An argument that is no option of `tessera render`.
    #[error("`tessera render` has no option {}; docs/openjd.md has those that it has", Quoted(.0))]
    UnknownOption(String),
    /// An option that a template cannot give.
    #[error("the option {option} cannot be taken from a template: {why}")]
    Option {
        /// Its name.
        option: &'static str,
        /// Why, and what to do.
        why: &'static str,
    },
    /// An option without its value.
    #[error("the option {0} needs a value; give it one")]
    MissingValue(&'static str),
    /// A value for an option that is only said.
    #[error("the option {option} takes no value, {} was given; leave it out", Quoted(.value))]
    NeedlessValue {
        /// Its name.
        option: &'static str,
        /// What was given.
        value: String,
    },
    /// A value that is not what its option wants.
    #[error("the option {option} cannot be {}; expected {wanted}", Quoted(.value))]
    Value {
        /// Its name.
        option: &'static str,
        /// What was given.
        value: String,
        /// What it wants.
        wanted: &'static str,
    },
    /// An option that another one needs, or excludes.
    #[error("{0}")]
    Together(&'static str),
    /// An option whose name is another one in each task.
    #[error("the argument {} has another option's name in each task; only values may differ", Quoted(.0))]
    VaryingOption(String),
    /// No scene among the arguments.
    #[error("`tessera render` needs a scene; write it after `render`")]
    NoScene,
    /// More than one.
    #[error("`tessera render` takes one scene, and {} is another one; leave one out", Quoted(.0))]
    SecondScene(String),
    /// A file that the template may not name.
    #[error("the file {} is not beside the template or in a folder there; make it a PATH parameter, and give its value yourself", Quoted(.0))]
    Outside(String),
    /// An argument of a session on a worker.
    #[error("the argument {} is of a session on a worker, and there is none; leave it out", Quoted(.0))]
    Session(String),
    /// An argument that is not resolved.
    #[error("the argument {} cannot be resolved ({message}); see its names", Quoted(.argument))]
    Argument {
        /// As the template has it.
        argument: String,
        /// Why not.
        message: String,
    },
    /// Frames that cannot be.
    #[error("{} names no frames; expected 12, 1-240, 1-240:2, or several with commas, from 0 on", Quoted(.0))]
    Frames(String),
    /// More frames than a job has.
    #[error("{count} frames are more than the {max} that a job has; split the step")]
    FrameCount {
        /// How many are asked for.
        count: u64,
        /// How many there may be.
        max: u64,
    },
    /// More arguments than are looked at.
    #[error("{count} arguments are more than the {max} that are looked at; leave some out")]
    ArgumentCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// More jobs before one than it can wait for.
    #[error("it comes after {count} jobs, and a job waits for {max} at most; split the template")]
    AfterCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// More tasks than are looked at.
    #[error("the template has more than {max} tasks; split it")]
    TaskCount {
        /// How many there may be.
        max: usize,
    },
    /// More jobs than a template may become.
    #[error("the template becomes more than {max} jobs; split it, or have frames of one step")]
    JobCount {
        /// How many there may be.
        max: usize,
    },
    /// More text than is looked at.
    #[error("the arguments of all tasks have more than {max} bytes; split the template")]
    TextSize {
        /// How many there may be.
        max: usize,
    },
    /// A parameter without a value, or with one that it may not have.
    #[error("{0}")]
    Parameters(String),
    /// What the model says of a step.
    #[error("{0}")]
    Model(String),
    /// What the farm says of a job.
    #[error("{}", plain(&.0.to_string()))]
    Description(DescriptionError),
}
