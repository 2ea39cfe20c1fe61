//! A template as it is written, field by field in the specification's order.

use serde::Serialize;

use super::{ExportError, PARAMETERS_MAX, VALUE_CHARS_MAX, is_default};
use crate::paths::tidied;
use crate::terms;

/// What the group of the farm's parameters is called in others' windows.
const GROUP: &str = "Tessera";

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Template {
    specification_version: &'static str,
    name: String,
    description: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameter_definitions: Vec<Parameter>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameter {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_flow: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    user_interface: Shown,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    control: &'static str,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_label: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    file_filters: Vec<Filter>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Filter {
    label: &'static str,
    patterns: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_requirements: Option<Requirements>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_space: Option<Space>,
    script: Script,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Requirements {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    amounts: Vec<Amount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Amount {
    pub name: &'static str,
    pub min: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attribute {
    pub name: &'static str,
    pub any_of: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Space {
    task_parameter_definitions: Vec<TaskParameter>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct TaskParameter {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    range: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Script {
    actions: Actions,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Actions {
    on_run: Action,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Action {
    command: &'static str,
    args: Vec<String>,
}

impl Template {
    pub fn of(name: String, parameter_definitions: Vec<Parameter>, step: Step) -> Self {
        Self {
            specification_version: "jobtemplate-2023-09",
            name,
            description: "Written by `tessera openjd export`; `tessera openjd import` reads it.",
            parameter_definitions,
            steps: vec![step],
        }
    }
}

impl Step {
    pub fn of(
        parameter_space: Option<Space>,
        amounts: Vec<Amount>,
        attributes: Vec<Attribute>,
        args: Vec<String>,
    ) -> Self {
        let asks = !amounts.is_empty() || !attributes.is_empty();
        Self {
            name: "Render",
            host_requirements: asks.then_some(Requirements { amounts, attributes }),
            parameter_space,
            script: Script { actions: Actions { on_run: Action { command: "tessera", args } } },
        }
    }
}

impl Space {
    pub fn of(name: &'static str, range: &'static str) -> Self {
        Self { task_parameter_definitions: vec![TaskParameter { name, kind: "INT", range }] }
    }
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub parameters: Vec<Parameter>,
    pub arguments: Vec<String>,
    /// Values that are not in the template.
    pub given: Vec<(String, String)>,
}

/// Parameters and arguments as they are written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    parameters: Vec<Parameter>,
    arguments: Vec<String>,
    given: Vec<(String, String)>,
}

impl Writer {
    /// An argument as it stands.
    pub fn argument(&mut self, argument: &str) {
        self.arguments.push(argument.to_owned());
    }

    /// An option with a value of ours.
    pub fn option(&mut self, option: &str, value: &str) {
        // What begins with a line would be taken for an option.
        if value.starts_with('-') {
            self.arguments.push(format!("{option}={value}"));
        } else {
            self.arguments.extend([option.to_owned(), value.to_owned()]);
        }
    }

    /// An option with a value that somebody chose: what an argument cannot hold is a parameter.
    pub fn chosen(&mut self, option: &str, parameter: &str, value: &str) {
        let is_plain =
            !value.contains("{{") && !value.contains("}}") && !value.contains(char::is_control);
        if is_plain {
            return self.option(option, value);
        }
        self.text(parameter, parameter, value);
        let reference = format!("{{{{Param.{parameter}}}}}");
        self.arguments.push(format!("{option}={reference}"));
    }

    /// A parameter of text.
    pub fn text(&mut self, name: &str, label: &str, default: &str) {
        self.parameters.push(Parameter {
            name: name.to_owned(),
            kind: "STRING",
            object_type: None,
            data_flow: None,
            default: Some(default.to_owned()),
            user_interface: Shown::of("LINE_EDIT", label),
        });
    }

    /// What is said to the farm only; the parameter's name.
    pub fn term(&mut self, option: &'static str, value: &str) -> String {
        let name = terms::parameter(option);
        self.text(&name, option.trim_start_matches('-'), value);
        if let Some(parameter) = self.parameters.last_mut() {
            parameter.user_interface.group_label = Some(GROUP);
        }
        name
    }

    /// A file as a parameter, and as an argument, of an option or by itself.
    pub fn file(
        &mut self,
        name: &str,
        path: &str,
        option: Option<&str>,
        patterns: &[&'static str],
    ) {
        let default = is_default(path).then(|| tidied(path));
        if default.is_none() {
            self.given.push((name.to_owned(), path.to_owned()));
        }
        let mut user_interface = Shown::of("CHOOSE_INPUT_FILE", name);
        user_interface.file_filters.push(Filter { label: "Files", patterns: patterns.to_vec() });
        self.parameters.push(Parameter {
            name: name.to_owned(),
            kind: "PATH",
            object_type: Some("FILE"),
            data_flow: Some("IN"),
            default,
            user_interface,
        });
        self.arguments.extend(option.map(str::to_owned));
        self.arguments.push(format!("{{{{Param.{name}}}}}"));
    }

    /// Where pictures go.
    pub fn output(&mut self, name: &str) {
        self.parameters.push(Parameter {
            name: "OutputDir".to_owned(),
            kind: "PATH",
            object_type: Some("DIRECTORY"),
            data_flow: Some("OUT"),
            default: Some("output".to_owned()),
            user_interface: Shown::of("CHOOSE_DIRECTORY", "Folder of the pictures"),
        });
        self.arguments.extend(["--out".to_owned(), format!("{{{{Param.OutputDir}}}}/{name}")]);
    }

    /// All that was written.
    pub fn finish(self) -> Result<Written, ExportError> {
        let long = self.parameters.iter().find_map(|parameter| {
            let chars = parameter.default.as_ref()?.chars().count();
            let name = parameter.name.clone();
            (chars > VALUE_CHARS_MAX).then_some(ExportError::TooLong { name, chars })
        });
        if let Some(error) = long {
            return Err(error);
        }
        if self.parameters.len() > PARAMETERS_MAX {
            return Err(ExportError::TooMany(self.parameters.len()));
        }
        let Self { parameters, arguments, given } = self;
        Ok(Written { parameters, arguments, given })
    }
}

impl Shown {
    fn of(control: &'static str, label: &str) -> Self {
        let (label, file_filters) = (label.to_owned(), Vec::new());
        Self { control, label, group_label: None, file_filters }
    }
}
