//! A job as its file and the command line describe it together.

use std::path::{Path, PathBuf};

use client::{Description, DescriptionError, SceneAsks, SceneImport};
use protocol::{JobSpec, SceneId};

use crate::exit::{Exit, fail};
use crate::job_file::{self, JobFile};
use crate::local;
use crate::wishes::NOBODY;

/// A job, as far as it is known without its scene.
#[derive(Debug, Clone)]
pub struct Described {
    /// What is rendered.
    pub description: Description,
    /// How the scene is imported, where no option says so.
    pub import: SceneImport,
    /// The scene.
    pub source: Source,
    /// The file that says so.
    pub file: Option<JobFile>,
}

/// Where a scene is.
#[derive(Debug, Clone)]
pub enum Source {
    /// In a file here.
    File(PathBuf),
    /// At the farm.
    Held(SceneId),
}

impl Described {
    /// A job of the scene file, job file or scene that is named.
    ///
    /// # Errors
    /// Usage: none of them, or both a scene and its file. What [`JobFile::read`] says.
    pub fn new(path: Option<&Path>, held: Option<SceneId>) -> anyhow::Result<Self> {
        let file = path.filter(|path| job_file::is_one(path)).map(JobFile::read).transpose()?;
        let source = match (path, held, &file) {
            (_, Some(held), Some(_)) | (None, Some(held), None) => Source::Held(held),
            (Some(_), None, Some(file)) => source_of(file)?,
            (Some(path), None, None) if path.to_str().is_some_and(is_held) && !path.exists() => {
                let message =
                    "a file is wanted, and this is a scene that a farm holds; name it with --scene";
                return Err(fail(Exit::Usage, format!("{message} {}", path.display())));
            }
            (Some(path), None, None) if is_template(path) => {
                let message = "this looks like a template of Open Job Description; order it with: tessera openjd submit";
                return Err(fail(Exit::Usage, format!("{message} {}", path.display())));
            }
            (Some(path), None, None) => Source::File(path.to_owned()),
            (Some(path), Some(_), None) => {
                let message = "a job has a scene file or --scene, not both; leave one out";
                return Err(fail(Exit::Usage, format!("{message}: {}", path.display())));
            }
            (None, _, _) => return Err(fail(Exit::Usage, "name a scene file, or --scene")),
        };
        let description = file.as_ref().map(|file| file.description.clone());
        let import = file.as_ref().map(|file| file.import.clone());
        Ok(Self {
            description: description.unwrap_or_default(),
            import: import.unwrap_or_default(),
            source,
            file,
        })
    }

    /// A name for its files: the scene's, or else the job file's.
    pub fn file_name(&self) -> String {
        match (&self.source, &self.file) {
            (Source::File(path), _) => local::name_of(path),
            (Source::Held(_), Some(file)) => file.stem(),
            (Source::Held(_), None) => "job".to_owned(),
        }
    }

    /// The folder that paths of a job file are taken from.
    pub fn folder(&self) -> &Path {
        self.file.as_ref().map_or(Path::new(""), JobFile::folder)
    }

    /// An error about a field.
    pub fn fault(&self, error: &DescriptionError) -> anyhow::Error {
        fault(error, self.file.as_ref())
    }

    /// Checks what is known before the scene is: a crop of a frame whose size the scene may still
    /// ask for is checked with it.
    ///
    /// # Errors
    /// Usage: the first field that cannot be.
    pub fn check(&self) -> anyhow::Result<()> {
        check(&self.description).map_err(|error| self.fault(&error))
    }

    /// The job of a scene that asks for this; whose it is is not known yet.
    ///
    /// # Errors
    /// Usage: the first field that cannot be.
    pub fn spec(&self, scene: SceneId, asks: &SceneAsks) -> anyhow::Result<JobSpec> {
        self.description.spec(scene, asks, NOBODY).map_err(|error| self.fault(&error))
    }
}

fn source_of(file: &JobFile) -> anyhow::Result<Source> {
    let scene = file.description.scene.as_str();
    if scene.is_empty() {
        let problem =
            "a job needs its scene; name a file beside this one, or a scene of the farm's, scn_…";
        let error = DescriptionError { field: "scene", problem: problem.to_owned() };
        return Err(file.fault(&error));
    }
    if is_held(scene) {
        let id = scene.parse::<SceneId>();
        return id.map(Source::Held).map_err(|error| {
            file.fault(&DescriptionError { field: "scene", problem: error.to_string() })
        });
    }
    Ok(Source::File(file.folder().join(scene)))
}

/// Whether a word means a scene that a farm holds, and not a file.
fn is_held(scene: &str) -> bool {
    scene.starts_with("scn_") && !scene.contains(['.', '/', '\\'])
}

/// Whether a file is written as templates are.
fn is_template(path: &Path) -> bool {
    let is = |ending: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending));
    ["yaml", "yml", "json"].into_iter().any(is)
}

/// Checks what is known of a job before its scene is.
///
/// # Errors
/// The first field that cannot be.
pub fn check(description: &Description) -> Result<(), DescriptionError> {
    let mut early = description.clone();
    if early.size.is_none() {
        (early.crop, early.overscan) = (None, None);
    }
    early.spec(SceneId([0; 32]), &SceneAsks::default(), NOBODY).map(drop)
}

/// An error about a field of a job, by the file that has it, or else by the option.
pub fn fault(error: &DescriptionError, file: Option<&JobFile>) -> anyhow::Error {
    if let Some(file) = file {
        return file.fault(error);
    }
    let option = match error.field {
        "job" => return fail(Exit::Usage, &error.problem),
        "cameras" => "camera",
        "noise.threshold" => "noise",
        "needs.owners" => "owners",
        "needs.pool" => "pool",
        "max_cost" => "max-cost",
        "wanted_by" => "by",
        other => other,
    };
    fail(Exit::Usage, format!("--{option}: {}", error.problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::classify;

    #[test]
    fn a_scene_of_the_farms_is_no_file() {
        let id = SceneId([0x5c; 32]).to_string();
        let error = Described::new(Some(Path::new(&id)), None).expect_err("no file");
        assert_eq!(classify(&error), Exit::Usage);
        assert!(error.to_string().ends_with(&format!("name it with --scene {id}")), "{error}");
        let error = Described::new(Some(Path::new("shots/job.YAML")), None).expect_err("no scene");
        assert!(error.to_string().ends_with("tessera openjd submit shots/job.YAML"), "{error}");
        let file = Described::new(Some(Path::new("scn_1.glb")), None).expect("a scene's file");
        assert!(matches!(file.source, Source::File(_)));
    }
}
