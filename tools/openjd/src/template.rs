//! A template as a whole: its text, its parameters, and what is wrong with it as a template.

use std::fmt;
use std::path::Path;

use openjd_model::template::JobTemplate;

use crate::parse;
use crate::refusal::Refusal;
use crate::steps;
use crate::terms;
use crate::text::{Quoted, quoted_list};

/// Bytes of a template's text: the largest public samples have a twentieth.
pub const TEMPLATE_BYTES_MAX: usize = 1 << 20;

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Format {
    /// What the name of a file says; YAML where it says nothing, which nearly all JSON is, too.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
            true => Self::Json,
            false => Self::Yaml,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        })
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is not read.
    #[error("the template has {bytes} bytes, more than {max}; leave out what renders nothing")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// It is not what it should be.
    #[error("the text is no {format} with keys and values ({message}); correct it")]
    Unreadable {
        /// What it should be.
        format: Format,
        /// What its reader says.
        message: String,
    },
    /// It is written in more than the language that is known.
    #[error("the template asks for the extensions {}, which are not known here; known are {}", quoted_list(.0), parse::EXTENSIONS.join(", "))]
    Extensions(Vec<String>),
    /// The specification forbids it.
    #[error("the template breaks the specification 2023-09: {}", listed(.0))]
    Invalid(Vec<Defect>),
}

/// What of a template the specification forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// Where, as `steps[0] -> script`; empty where it is all of it.
    pub place: String,
    /// What.
    pub problem: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.is_empty() {
            true => f.write_str(&self.problem),
            false => write!(f, "{}: {}", self.place, self.problem),
        }
    }
}

fn listed(defects: &[Defect]) -> String {
    defects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A parameter of a template's job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type, as `PATH`.
    pub kind: String,
    /// Its value where none is given.
    pub default: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it says something to the farm, as `TesseraPriority` does.
    pub is_term: bool,
}

/// A template that keeps the specification.
#[derive(Debug, Clone)]
pub struct Template {
    pub(crate) job: JobTemplate,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// It is no template of the specification 2023-09, with all that is wrong.
    pub fn parse(text: &str, format: Format) -> Result<Self, ParseError> {
        parse::job_template(text, format).map(|job| Self { job })
    }

    /// Its job's name as it stands there, parameters not yet put in.
    #[must_use]
    pub fn name(&self) -> &str {
        self.job.name.raw()
    }

    /// Its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let definitions = self.job.parameter_definitions_list().iter();
        let parameters = definitions.map(|definition| Parameter {
            name: definition.name().to_owned(),
            kind: definition.type_name().to_owned(),
            default: definition.default_value(),
            description: definition.description().map(str::to_owned),
            is_term: terms::option(definition.name()).is_some(),
        });
        parameters.collect()
    }

    /// What of it is refused, whatever values its parameters have. More may be refused with values.
    #[must_use]
    pub fn check(&self) -> Vec<Refusal> {
        steps::refusals(&self.job)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.kind)?;
        match &self.default {
            Some(default) => write!(f, ", {} without a value", Quoted(default)),
            None => f.write_str(", needs a value"),
        }
    }
}
