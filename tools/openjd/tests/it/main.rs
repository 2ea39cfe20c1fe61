//! Templates as studios have them, there and back.

mod export;
mod import;
mod jobs;
mod limits;
mod refused;
mod round_trip;

use std::collections::BTreeMap;

use openjd::{Format, Import, ImportOptions, Template};

/// A template of these fields, of a job that is called "Shot".
fn template(fields: &str) -> Template {
    let text = format!("specificationVersion: jobtemplate-2023-09\nname: Shot\n{fields}");
    Template::parse(&text, Format::Yaml).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A template of one step that renders with these arguments, as YAML has them.
fn renders(arguments: &str) -> Template {
    template(&format!("steps: [{}]", step("Render", arguments, "")))
}

/// A step with more fields.
fn step(name: &str, arguments: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!(
        "{{name: {name}, script: {{actions: {{onRun: {{command: tessera, args: [{arguments}]}}}}}}{more}}}"
    )
}

fn values(pairs: &[(&str, &str)]) -> ImportOptions {
    let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ImportOptions { values: values.collect::<BTreeMap<_, _>>(), folder: None }
}

fn imported(template: &Template, pairs: &[(&str, &str)]) -> Import {
    template.import(&values(pairs)).unwrap_or_else(|error| panic!("{error}"))
}

/// What is refused, a line each.
fn refusals(template: &Template, pairs: &[(&str, &str)]) -> Vec<String> {
    let error = template.import(&values(pairs)).expect_err("refused");
    error.refusals().iter().map(ToString::to_string).collect()
}

/// Notes, a line each.
fn notes(import: &Import) -> Vec<String> {
    import.notes.iter().map(ToString::to_string).collect()
}
