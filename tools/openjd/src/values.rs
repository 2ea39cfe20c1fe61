//! Parameters' values: as files hold them, and as the arguments of actions read them.

use std::collections::{BTreeMap, BTreeSet};

use openjd_model::template::{JobParameterDefinition, JobTemplate};
use openjd_model::{
    FormatString, JobParameterInputValues, PathParameterOptions, SymbolTable, build_symbol_table,
    preprocess_job_parameters,
};
use serde_json::Value;

use crate::import::ImportOptions;
use crate::parse;
use crate::paths::is_inside;
use crate::refusal::{Place, Problem, Refusal};
use crate::template::{Format, ParseError};
use crate::text::{of_model, plain};

/// What stands for a value that somebody gave, where it is asked what the template itself says.
const GIVEN: &str = "given";
/// What sessions on workers have: read where nothing depends on it, and refused elsewhere.
const SESSION: [&str; 3] =
    ["Session.WorkingDirectory", "Session.HasPathMappingRules", "Session.PathMappingRulesFile"];

/// Why a file has no values of parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValuesError {
    /// It cannot be read.
    #[error("the parameters' values cannot be read")]
    Unreadable(#[source] ParseError),
    /// It holds something else.
    #[error("{0} is no value of a parameter; write text, a number, or true or false")]
    Value(String),
    /// A list entry that is none.
    #[error("entry {0} of `parameterValues` has no `name` and `value`; give it both")]
    Entry(usize),
}

/// Reads the values of parameters from a file: `{"NAME": VALUE}`, or the `parameterValues` of a
/// Deadline Cloud job bundle.
///
/// # Errors
/// It holds something else.
pub fn read_values(text: &str, format: Format) -> Result<BTreeMap<String, String>, ValuesError> {
    let object = parse::object(text, format).map_err(ValuesError::Unreadable)?;
    let mut values = BTreeMap::new();
    if let Some(entries) = object.get("parameterValues").and_then(Value::as_array) {
        for (index, entry) in entries.iter().enumerate() {
            let name = entry.get("name").and_then(Value::as_str);
            let (Some(name), Some(value)) = (name, entry.get("value")) else {
                return Err(ValuesError::Entry(index));
            };
            values.insert(name.to_owned(), value_text(name, value)?);
        }
        return Ok(values);
    }
    for (name, value) in object.as_object().into_iter().flatten() {
        values.insert(name.clone(), value_text(name, value)?);
    }
    Ok(values)
}

fn value_text(name: &str, value: &Value) -> Result<String, ValuesError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(ValuesError::Value(plain(name))),
    }
}

/// The values that a template's arguments are resolved with.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    /// All of them.
    pub all: SymbolTable,
    /// The same with a word in place of each that somebody gave: what the template itself says.
    pub own: SymbolTable,
    /// The model's, which it makes jobs with.
    pub model: openjd_model::JobParameterValues,
}

impl Values {
    /// The values of a template's parameters: given ones, and defaults.
    pub fn bind(job: &JobTemplate, options: &ImportOptions) -> Result<Self, Vec<Refusal>> {
        let (model, given) = bound(job, options)?;
        let failed = |message: String| vec![refusal(Problem::Parameters(message))];
        let mut all = build_symbol_table(&model).map_err(|error| failed(of_model(&error)))?;
        let mut own = all.clone();
        // Paths are known to actions only, which are all that is resolved here.
        for definition in job.parameter_definitions_list() {
            let Some(value) = model.get(definition.name()) else { continue };
            let is_given = given.contains(definition.name());
            for scope in ["Param", "RawParam"] {
                let name = format!("{scope}.{}", definition.name());
                let text = value.value.to_display_string();
                if matches!(definition, JobParameterDefinition::PATH(_)) {
                    put(&mut all, &name, &text);
                    put(&mut own, &name, &text);
                }
                if is_given {
                    put(&mut own, &name, GIVEN);
                }
            }
        }
        for name in SESSION {
            put(&mut all, name, "session");
            put(&mut own, name, "session");
        }
        Ok(Self { all, own, model })
    }

    /// A text with the values put in.
    pub fn resolve(&self, text: &FormatString) -> Result<String, String> {
        resolve(text, &self.all)
    }

    /// A parameter's value.
    pub fn value(&self, name: &str) -> Option<String> {
        self.model.get(name).map(|value| value.value.to_display_string())
    }
}

/// Sets a name; what stands in its way is a name of the same scope, of which there is none.
pub(crate) fn put(table: &mut SymbolTable, name: &str, text: &str) {
    table.set(name, text).expect("invariant: names of parameters have no dots");
}

/// A text with values put in.
pub(crate) fn resolve(text: &FormatString, table: &SymbolTable) -> Result<String, String> {
    let usual = openjd_model::format_string::FormatStringOptions::new();
    text.resolve_string_with(table, &usual).map_err(|error| plain(&error.to_string()))
}

/// The model's values, and the names of those that were given.
fn bound(
    job: &JobTemplate,
    options: &ImportOptions,
) -> Result<(openjd_model::JobParameterValues, BTreeSet<String>), Vec<Refusal>> {
    let mut inputs = JobParameterInputValues::new();
    let mut given = BTreeSet::new();
    let mut refusals = Vec::new();
    for (name, value) in options.values.iter().filter(|(name, _)| !is_foreign(name)) {
        inputs.insert(name.clone(), value.as_str().into());
        given.insert(name.clone());
    }
    for definition in job.parameter_definitions_list() {
        let JobParameterDefinition::PATH(path) = definition else { continue };
        let name = definition.name();
        let value = match (options.values.get(name), &path.default, &options.folder) {
            (Some(value), _, Some(folder)) if !value.is_empty() => {
                folder.join(value).to_string_lossy().into_owned()
            }
            (Some(value), ..) => value.clone(),
            (None, Some(default), _) => {
                if !default.is_empty() && !is_inside(default) {
                    let place = Place::Parameter(name.to_owned());
                    refusals.push(Refusal { place, problem: Problem::Outside(default.clone()) });
                }
                default.clone()
            }
            (None, None, _) => continue,
        };
        // Elsewhere it would be absolute, and so no option.
        let value = if value.starts_with('-') { format!("./{value}") } else { value };
        inputs.insert(name.to_owned(), value.as_str().into());
    }
    // Paths were looked at above, the same on every system.
    let mut paths = PathParameterOptions::new("", "");
    paths.allow_template_dir_walk_up = true;
    match preprocess_job_parameters(job, &inputs, &[], &paths) {
        Ok(values) if refusals.is_empty() => Ok((values, given)),
        Ok(_values) => Err(refusals),
        Err(openjd_model::ModelError::DecodeValidation(messages)) => {
            refusals.extend(messages.lines().map(|line| refusal(Problem::Parameters(plain(line)))));
            Err(refusals)
        }
        Err(error) => {
            refusals.push(refusal(Problem::Parameters(of_model(&error))));
            Err(refusals)
        }
    }
}

/// Whether a value is a setting of Deadline Cloud, as `deadline:priority`.
pub(crate) fn is_foreign(name: &str) -> bool {
    name.contains(':')
}

fn refusal(problem: Problem) -> Refusal {
    Refusal { place: Place::Template, problem }
}
