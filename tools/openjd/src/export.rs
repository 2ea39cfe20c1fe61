//! A job as a template that others run: `tessera render` of each frame.

use client::description::FrameNumbers;
use client::{Description, DescriptionError, SceneImport};
use serde::Serialize;

use crate::draft;
use crate::frames;
use crate::needs;
use crate::paths::{is_inside, is_scene_id, stem, tidied};

mod arguments;
mod terms;
mod write;

use write::{Amount, Attribute, Writer};

/// Characters of a job's name in the specification.
const NAME_CHARS_MAX: usize = 128;
/// Characters of a parameter's value in the specification.
const VALUE_CHARS_MAX: usize = 1_024;
/// Parameters of a template in the specification.
const PARAMETERS_MAX: usize = 50;

/// Why a job is not written as a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It is no job.
    #[error("the job cannot be had, and is not written as a template")]
    Description(#[source] DescriptionError),
    /// A scene that only a farm has.
    #[error("the scene is the farm's {0:?}, and a template names a file; give the file")]
    NoFile(String),
    /// A text that no parameter takes.
    #[error(
        "the parameter {name} would have {chars} characters, and a template's has {VALUE_CHARS_MAX} at most; make it shorter"
    )]
    TooLong {
        /// The parameter's name.
        name: String,
        /// How many it would have.
        chars: usize,
    },
    /// More parameters than a template has.
    #[error(
        "the template would have {0} parameters, and {PARAMETERS_MAX} are allowed; export fewer cameras"
    )]
    TooMany(usize),
}

/// A template that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Values that the template does not hold, by their parameters' names: whoever uses it gives
    /// them, since it names no files outside its own folder.
    pub given: Vec<(String, String)>,
    template: write::Template,
}

impl Export {
    /// The template as JSON, which YAML is, too.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.template)
            .expect("invariant: its keys are strings, and nothing else fails");
        text.push('\n');
        text
    }
}

/// Writes a job as a template of the specification 2023-09.
///
/// The job's scene is the file at `scene`, or what the description names; a path that is relative is
/// taken from the folder that the template will lie in.
///
/// # Errors
/// The description is no job, its scene no file, or a text too long.
pub fn export(
    description: &Description,
    scene_import: &SceneImport,
    scene: Option<&str>,
) -> Result<Export, ExportError> {
    draft::check(description).map_err(ExportError::Description)?;
    let scene = scene.unwrap_or(&description.scene);
    if scene.is_empty() || is_scene_id(scene) {
        return Err(ExportError::NoFile(scene.to_owned()));
    }
    let scene = if cfg!(windows) { scene.replace('\\', "/") } else { scene.to_owned() };
    let mut writer = Writer::default();
    writer.argument("render");
    writer.file("Scene", &scene, None, &["*.glb", "*.gltf"]);
    let several = description.cameras.len() > 1;
    arguments::picture(&mut writer, description);
    arguments::surroundings(&mut writer, scene_import);
    if let Some(frames) = description.frames {
        writer.text("Frames", "Frames, as 1-240:2", &frames::text(frames));
        writer.argument("--frame");
        writer.argument("{{Task.Param.Frame}}");
    }
    writer.output(&output_name(&scene, several, description.frames));
    let name = name(&mut writer, description, &scene);
    terms::terms(&mut writer, description);
    let (amounts, attributes) = requirements(&mut writer, description);
    let write::Written { parameters, arguments, given } = writer.finish()?;
    let space = description.frames.map(|_| write::Space::of("Frame", "{{Param.Frames}}"));
    let step = write::Step::of(space, amounts, attributes, arguments);
    Ok(Export { given, template: write::Template::of(name, parameters, step) })
}

/// A name that a template's job can have.
pub(crate) fn job_name(text: &str) -> String {
    let fit = text.chars().filter(|char| !char.is_control()).map(|char| match char {
        '{' => '(',
        '}' => ')',
        other => other,
    });
    let name: String = fit.take(NAME_CHARS_MAX).collect();
    if name.is_empty() { "Tessera".to_owned() } else { name }
}

/// The job's name: what is chosen is a parameter, which holds any text.
fn name(writer: &mut Writer, description: &Description, scene: &str) -> String {
    let Some(name) = &description.name else { return job_name(stem(&tidied(scene))) };
    let parameter = writer.term("--name", name);
    match name.chars().count() <= NAME_CHARS_MAX {
        true => format!("{{{{Param.{parameter}}}}}"),
        false => job_name(name),
    }
}

/// A picture's file name: letters that every system takes, and places for cameras and frames.
fn output_name(scene: &str, several: bool, frames: Option<FrameNumbers>) -> String {
    let is_fit = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let fit = stem(scene).chars().map(|char| if is_fit(char) { char } else { '_' });
    let mut name: String = fit.take(60).collect();
    if several {
        name.push_str("_{camera}");
    }
    if frames.is_some() {
        name.push_str("_{frame}");
    }
    name + ".exr"
}

/// What of a job's needs hosts are asked for; the rest is said to the farm.
fn requirements(writer: &mut Writer, description: &Description) -> (Vec<Amount>, Vec<Attribute>) {
    use client::description::BackendName;
    let (mut amounts, mut attributes) = (Vec::new(), Vec::new());
    let Some(asked) = &description.needs else { return (amounts, attributes) };
    let mut memory = needs::MEMORY;
    match asked.backend {
        Some(BackendName::Gpu) => {
            amounts.push(Amount { name: needs::GPU, min: 1 });
            memory = needs::GPU_MEMORY;
        }
        // A host is asked for things, and not for their absence.
        Some(BackendName::Cpu) => {
            writer.term("--backend", "cpu");
        }
        None => {}
    }
    if let Some(gigabytes) = asked.memory_gb.filter(|&gigabytes| gigabytes > 0) {
        amounts.push(Amount { name: memory, min: needs::mebibytes(gigabytes) });
    }
    match &asked.pool {
        Some(pool) if needs::is_attribute(pool) => {
            attributes.push(Attribute { name: needs::POOL, any_of: vec![pool.clone()] });
        }
        Some(pool) => {
            writer.term("--pool", pool);
        }
        None => {}
    }
    if !asked.owners.is_empty() {
        writer.term("--owners", &asked.owners.join(","));
    }
    if asked.only_mine {
        writer.term("--only-mine", "true");
    }
    (amounts, attributes)
}

/// Whether a path can be the default of a parameter.
fn is_default(path: &str) -> bool {
    is_inside(path) && path.chars().count() <= VALUE_CHARS_MAX
}

/// The word that a value is written with.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("a name in words is a string, not {other:?}"),
    }
}
