//! `tessera openjd`: Open Job Description templates as jobs, and jobs as templates. docs/openjd.md has
//! what is mapped, and what is refused.

mod submit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueHint};
use client::SceneImport;
use openjd::{
    Format, Import, ImportOptions, ImportedJob, ParseError, TEMPLATE_BYTES_MAX, Template,
};
use serde::Serialize;

use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::job_file::JobFile;
use crate::{json, text};

use self::submit::SubmitArgs;

/// What to do with templates.
#[derive(Debug, Subcommand)]
pub enum OpenjdCommand {
    /// Say what of a template cannot be had here, without running anything
    Check(CheckArgs),
    /// Write a template's jobs as job files
    Import(ImportArgs),
    /// Order a template's jobs, each after those it waits for
    Submit(Box<SubmitArgs>),
    /// Write a job file as a template
    Export(ExportArgs),
}

/// Which template, with which values.
#[derive(Debug, Args)]
pub struct TemplateArgs {
    /// The template, .json or .yaml
    #[arg(value_name = "TEMPLATE", value_hint = ValueHint::FilePath)]
    template: PathBuf,
    /// The value of a parameter; may be repeated
    #[arg(short = 'p', long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// A file of parameters' values, as other farms' programs write them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    values: Option<PathBuf>,
}

/// Options of `tessera openjd check`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera openjd check template.yaml

")]
pub struct CheckArgs {
    /// The template, .json or .yaml
    #[arg(value_name = "TEMPLATE", value_hint = ValueHint::FilePath)]
    template: PathBuf,
}

/// Options of `tessera openjd import`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera openjd import template.yaml -p Scene=shot.glb -o jobs
  tessera openjd import template.json --values parameter_values.yaml -o jobs

")]
pub struct ImportArgs {
    #[command(flatten)]
    template: TemplateArgs,
    /// Folder for the job files; made if it is not there
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: PathBuf,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

/// Options of `tessera openjd export`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera openjd export job.toml -o template.json

")]
pub struct ExportArgs {
    /// The job file
    #[arg(value_name = "JOB.toml", value_hint = ValueHint::FilePath)]
    job: PathBuf,
    /// Where the template goes; standard output without it
    #[arg(short, long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Does something with templates.
///
/// # Errors
/// Not found: no such file. Usage: it is no template, or no job. Failed: something in it cannot be
/// had here.
pub fn run(command: &OpenjdCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    match command {
        OpenjdCommand::Check(args) => check(args),
        OpenjdCommand::Import(args) => import(args),
        OpenjdCommand::Submit(args) => submit::run(args, interrupt),
        OpenjdCommand::Export(args) => export(args),
    }
}

/// Reads a template.
fn read(path: &Path) -> anyhow::Result<Template> {
    let text = file(path)?;
    Template::parse(&text, Format::of_path(path)).map_err(|error| match &error {
        ParseError::Invalid(defects) => {
            let defects: Vec<String> = defects.iter().map(ToString::to_string).collect();
            let message = format!("it is no template: {}", defects.join("; "));
            fail(Exit::Usage, format!("{message}: {}", path.display()))
        }
        _other => fail(Exit::Usage, format!("{error}: {}", path.display())),
    })
}

fn file(path: &Path) -> anyhow::Result<String> {
    let about = std::fs::metadata(path)
        .with_context(|| format!("the file cannot be read: {}", path.display()))
        .exit(Exit::NotFound)?;
    if about.len() > TEMPLATE_BYTES_MAX as u64 {
        let message =
            format!("a file of {} bytes is too long; at most {TEMPLATE_BYTES_MAX}", about.len());
        return Err(fail(Exit::Usage, format!("{message}: {}", path.display())));
    }
    let read = std::fs::read_to_string(path);
    read.with_context(|| format!("the file cannot be read: {}", path.display())).exit(Exit::Usage)
}

fn check(args: &CheckArgs) -> anyhow::Result<Exit> {
    let template = read(&args.template)?;
    for parameter in template.parameters() {
        note!("  parameter   {parameter}");
    }
    let refusals = template.check();
    for refusal in &refusals {
        text::print(refusal)?;
    }
    match refusals.is_empty() {
        true => {
            note!("  nothing of it is refused");
            Ok(Exit::Done)
        }
        false => Ok(Exit::Failed),
    }
}

impl TemplateArgs {
    /// The template's jobs, all of them or none.
    fn import(&self) -> anyhow::Result<Import> {
        let template = read(&self.template)?;
        let mut values = BTreeMap::new();
        if let Some(path) = &self.values {
            let read = openjd::read_values(&file(path)?, Format::of_path(path));
            let context = || format!("no values of parameters: {}", path.display());
            values = read.with_context(context).exit(Exit::Usage)?;
        }
        values.extend(self.parameters.iter().cloned());
        let folder = std::env::current_dir().context("where this is is not known")?;
        let imported = template.import(&ImportOptions { values, folder: Some(folder) });
        let imported = imported.map_err(|error| {
            let lines: Vec<String> =
                error.refusals().iter().map(|refusal| format!("\n  {refusal}")).collect();
            fail(Exit::Failed, format!("the template is refused:{}", lines.concat()))
        })?;
        for note in &imported.notes {
            note!("  note        {note}");
        }
        for step in &imported.client_steps {
            note!("  yours       step {:?} is for you to do: {}", step.step, step.command.word());
        }
        Ok(imported)
    }

    /// The folder that scenes are named from.
    fn folder(&self) -> &Path {
        self.template.parent().unwrap_or(Path::new(""))
    }
}

/// A job file.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    description: &'a client::Description,
    #[serde(skip_serializing_if = "is_usual")]
    import: &'a SceneImport,
}

fn is_usual(import: &&SceneImport) -> bool {
    **import == SceneImport::default()
}

fn import(args: &ImportArgs) -> anyhow::Result<Exit> {
    let imported = args.template.import()?;
    let folder = &args.output;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("the folder cannot be made: {}", folder.display()))?;
    let names: Vec<String> = imported.jobs.iter().enumerate().map(file_name).collect();
    for (job, name) in imported.jobs.iter().zip(&names) {
        let after: Vec<&str> = job.after.iter().map(|&place| names[place].as_str()).collect();
        let path = folder.join(name);
        write(&path, job, &after, args.template.folder())?;
        match args.json {
            true => text::print(serde_json::json!({
                "v": json::VERSION,
                "job_file": path.display().to_string(),
                "step": job.step,
                "after": after,
            }))?,
            false => text::print(path.display())?,
        }
    }
    Ok(Exit::Done)
}

/// `02-beauty.toml`: in order, and after its step.
fn file_name((place, job): (usize, &ImportedJob)) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let step: String = job.step.chars().map(plain).take(60).collect();
    format!("{:02}-{step}.toml", place + 1)
}

fn write(path: &Path, job: &ImportedJob, after: &[&str], beside: &Path) -> anyhow::Result<()> {
    let mut description = job.description.clone();
    // A job file's paths are taken from where it is.
    let scene = beside.join(&description.scene);
    let scene = std::path::absolute(scene).context("where the scene is is not known")?;
    description.scene = scene.display().to_string();
    let mut scene_import = job.scene_import.clone();
    if let Some(around) = &mut scene_import.environment {
        let file = std::path::absolute(beside.join(&around.file));
        around.file = file.context("where the environment is is not known")?.display().to_string();
    }
    let written = Written { description: &description, import: &scene_import };
    let mut text = toml::to_string(&written).context("the job cannot be written")?;
    if !after.is_empty() {
        text.insert_str(0, &format!("# Begins when these are done: {}\n", after.join(", ")));
    }
    std::fs::write(path, text)
        .with_context(|| format!("the job file was not written: {}", path.display()))
}

fn export(args: &ExportArgs) -> anyhow::Result<Exit> {
    let job = JobFile::read(&args.job)?;
    let exported = openjd::export(&job.description, &job.import, None);
    let exported = exported.map_err(|error| fail(Exit::Usage, error))?;
    for (name, value) in &exported.given {
        note!("  parameter   whoever runs it gives {name}={value}");
    }
    let template = exported.to_json();
    match &args.output {
        None => text::print(template.trim_end())?,
        Some(path) => {
            std::fs::write(path, template)
                .with_context(|| format!("the template was not written: {}", path.display()))?;
            text::print(path.display())?;
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_templates_job_is_a_job_file_that_reads_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("01-a.toml");
        let description = client::Description {
            scene: "shots/a.glb".to_owned(),
            samples: Some(16),
            frames: Some(client::description::FrameNumbers { first: 1, last: 9, step: 2 }),
            ..client::Description::default()
        };
        let job = ImportedJob {
            step: "a".to_owned(),
            description: description.clone(),
            scene_import: SceneImport::default(),
            after: vec![0],
        };
        write(&path, &job, &["00-z.toml"], Path::new("/studio")).expect("written");
        let text = std::fs::read_to_string(&path).expect("there");
        assert!(text.starts_with("# Begins when these are done: 00-z.toml\n"), "{text}");
        let read = JobFile::read(&path).expect("a job file");
        let scene = "/studio/shots/a.glb".to_owned();
        assert_eq!(read.description, client::Description { scene, ..description });
        assert_eq!(read.import, SceneImport::default());
    }

    #[test]
    fn files_are_named_in_order_after_their_steps() {
        let job = |step: &str| ImportedJob {
            step: step.to_owned(),
            description: client::Description::default(),
            scene_import: SceneImport::default(),
            after: Vec::new(),
        };
        assert_eq!(file_name((0, &job("Beauty"))), "01-Beauty.toml");
        assert_eq!(file_name((9, &job("../up & away"))), "10-___up___away.toml");
        assert_eq!(parameter("Scene=a=b"), Ok(("Scene".to_owned(), "a=b".to_owned())));
        assert!(parameter("Scene").is_err());
    }
}
