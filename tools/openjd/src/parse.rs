//! From text to the model's template, with strangers' texts in mind.

use openjd_model::error::{ModelError, PathElement, ValidationErrors};
use openjd_model::template::JobTemplate;
use openjd_model::template::parse::document_string_to_object;
use openjd_model::{CallerLimits, DocumentType, decode_job_template};
use serde_json::Value;

use crate::template::{Defect, Format, ParseError, TEMPLATE_BYTES_MAX};
use crate::text::{Quoted, of_model, plain};

/// Extensions of the language that are read. `EXPR` is not: it computes, and a stranger's template
/// could let that take hours.
pub(crate) const EXTENSIONS: [&str; 4] =
    ["FEATURE_BUNDLE_1", "REDACTED_ENV_VARS", "TASK_CHUNKING", "WRAP_ACTIONS"];
/// Steps of a template: as many as it may have jobs.
const STEPS_MAX: usize = 256;
/// Characters of a name between braces: three parts of 512 are more than the model takes.
const NAME_CHARS_MAX: usize = 1_600;
/// Values of a text, those that aliases repeat counted each time: a megabyte has fewer.
const VALUES_MAX: usize = 250_000;
/// Bytes of all its strings, those that aliases repeat counted each time.
const STRING_BYTES_MAX: usize = 4 * TEMPLATE_BYTES_MAX;
/// Defects that are told.
const DEFECTS_MAX: usize = 50;

/// The job template of a text.
pub(crate) fn job_template(text: &str, format: Format) -> Result<JobTemplate, ParseError> {
    let object = object(text, format)?;
    let unknown = unknown_extensions(&object);
    if !unknown.is_empty() {
        return Err(ParseError::Extensions(unknown));
    }
    let defects = computations(&object);
    if !defects.is_empty() {
        return Err(ParseError::Invalid(defects));
    }
    let limits = CallerLimits { max_step_count: Some(STEPS_MAX), ..CallerLimits::default() };
    decode_job_template(object, Some(&EXTENSIONS), &limits).map_err(|error| invalid(&error))
}

/// The object that a text says, of bounded size.
pub(crate) fn object(text: &str, format: Format) -> Result<Value, ParseError> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(ParseError::TooLarge { bytes: text.len(), max: TEMPLATE_BYTES_MAX });
    }
    let unreadable = |message: String| ParseError::Unreadable { format, message };
    // A byte order mark is no part of the text; some editors write one.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let kind = match format {
        Format::Json => DocumentType::Json,
        Format::Yaml => DocumentType::Yaml,
    };
    let object = document_string_to_object(text, kind, &CallerLimits::default());
    let object = object.map_err(|error| unreadable(of_model(&error)))?;
    let (mut values, mut bytes) = (0, 0);
    visit(&object, &mut |value| {
        values += 1;
        bytes += value.as_str().map_or(0, str::len);
    });
    if values > VALUES_MAX || bytes > STRING_BYTES_MAX {
        return Err(unreadable(format!("it says {values} values with {bytes} bytes")));
    }
    Ok(object)
}

/// Visits all values of one, itself included; its reader has bounded how deep they are.
fn visit(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        Value::Object(fields) => fields.iter().for_each(|(_, field)| visit(field, see)),
        _ => {}
    }
}

/// The extensions that a template asks for and that are not read.
fn unknown_extensions(object: &Value) -> Vec<String> {
    let names = object.get("extensions").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.filter(|name| !EXTENSIONS.contains(name)).map(str::to_owned).collect()
}

/// What stands between double braces and is more than a name: it would be computed. The model is
/// not shown it, so that nothing of a stranger's is parsed as a program.
fn computations(object: &Value) -> Vec<Defect> {
    let mut defects = Vec::new();
    let fields = object.as_object().into_iter().flatten();
    // Parameters and descriptions have plain text.
    let fields =
        fields.filter(|(key, _)| !matches!(key.as_str(), "parameterDefinitions" | "description"));
    for (key, field) in fields {
        visit(field, &mut |value| {
            let Some(bad) = value.as_str().and_then(computation) else { return };
            if defects.len() < DEFECTS_MAX {
                let problem = format!(
                    "{} is no name; only a parameter's name may stand between double braces",
                    Quoted(bad)
                );
                defects.push(Defect { place: plain(key), problem });
            }
        });
    }
    defects
}

/// The first text between double braces that is no dotted name; what braces do not close is for the
/// model to refuse.
fn computation(text: &str) -> Option<&str> {
    let inner = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    inner.map(|(name, _)| name.trim()).find(|name| {
        let is_part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.');
        !name.chars().all(is_part) || name.len() > NAME_CHARS_MAX
    })
}

fn invalid(error: &ModelError) -> ParseError {
    let defects = match error {
        ModelError::ModelValidation(errors) => of_validation(errors),
        other => vec![Defect { place: String::new(), problem: of_model(other) }],
    };
    ParseError::Invalid(defects)
}

fn of_validation(errors: &ValidationErrors) -> Vec<Defect> {
    let defects = errors.errors.iter().take(DEFECTS_MAX).map(|error| {
        let mut place = String::new();
        for element in &error.path {
            match element {
                PathElement::Field(name) if place.is_empty() => place.push_str(name),
                PathElement::Field(name) => place.extend([" -> ", name]),
                PathElement::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        Defect { place: plain(&place), problem: plain(&error.message) }
    });
    defects.collect()
}

#[cfg(test)]
mod tests;
