//! Job files: a job's description in TOML, as docs/api.md has it in JSON, with the scene as a file
//! beside it, and how that is imported.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use client::{Description, DescriptionError, SceneImport};

use crate::exit::{Exit, WithExit as _, fail};
use crate::toml_text::{self, Fault, Lines};

/// Most bytes of such a file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The table that says how the scene is imported.
const IMPORT: &str = "import";

/// A job file, read.
#[derive(Debug, Clone)]
pub struct JobFile {
    path: PathBuf,
    /// The job.
    pub description: Description,
    /// How its scene is imported.
    pub import: SceneImport,
    lines: Lines,
}

/// Whether a path is that of a job file: a scene's ends otherwise.
pub fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

impl JobFile {
    /// Reads one.
    ///
    /// # Errors
    /// Not found: no such file. Usage: it says what cannot be, with its line and field.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let size = std::fs::metadata(path)
            .with_context(|| format!("the job file cannot be read: {}", path.display()))
            .exit(Exit::NotFound)?
            .len();
        if size > FILE_BYTES_MAX {
            let message = format!("a job file has at most {FILE_BYTES_MAX} bytes, this has {size}");
            return Err(fail(Exit::Usage, format!("{message}: {}", path.display())));
        }
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the job file cannot be read: {}", path.display()))?;
        Self::parse(&text, path)
            .map_err(|error| fail(Exit::Usage, format!("{}:{error}", path.display())))
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Fault> {
        let mut job = toml_text::table(text)?;
        let lines = Lines::in_table(job.get_ref(), text);
        let import = job.get_mut().remove(IMPORT);
        let import = import.map(|import| {
            toml_text::read(toml_text::into_table(import, IMPORT, &lines)?, text, Some(IMPORT))
        });
        Ok(Self {
            path: path.to_owned(),
            description: toml_text::read(job, text, None)?,
            import: import.transpose()?.unwrap_or_default(),
            lines,
        })
    }

    /// The folder that its paths are taken from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Its name without the ending.
    pub fn stem(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// An error about a field of the job, with the file, and the line where it has the field.
    pub fn fault(&self, error: &DescriptionError) -> anyhow::Error {
        let line = self.lines.of(error.field).map_or(String::new(), |line| format!("{line}:"));
        fail(Exit::Usage, format!("{}:{line} {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<JobFile, String> {
        JobFile::parse(text, Path::new("shots/job.toml")).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_job_file_has_a_job_and_how_its_scene_is_imported() {
        let text = "scene = \"a.glb\"\nsamples = 4\n[lens]\nfstop = 2\nfocus = 1\n[import]\nlamps = \"watts\"\n[import.environment]\nfile = \"sky.hdr\"\n";
        let file = parsed(text).expect("a job file");
        assert_eq!((file.description.scene.as_str(), file.description.samples), ("a.glb", Some(4)));
        assert_eq!(file.import.environment.as_ref().map(|it| it.file.as_str()), Some("sky.hdr"));
        assert_eq!((file.folder(), file.stem().as_str()), (Path::new("shots"), "job"));
        let error = DescriptionError { field: "lens.fstop", problem: "is odd".to_owned() };
        assert_eq!(file.fault(&error).to_string(), "shots/job.toml:4: lens.fstop: is odd");
        let error = DescriptionError { field: "job", problem: "is odd".to_owned() };
        assert_eq!(file.fault(&error).to_string(), "shots/job.toml: job: is odd");
        assert!(is_one(Path::new("a.TOML")) && !is_one(Path::new("a.glb")));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_field() {
        let check = |text: &str, wanted: &[&str]| {
            let said = parsed(text).expect_err(text);
            assert!(wanted.iter().all(|word| said.contains(word)), "{text:?}: {said}");
        };
        check("scene = \"a\"\nsampels = 4\n", &["2: ", "`sampels`", "`samples`"]);
        check("\nsamples = \"many\"\n", &["2: ", "samples: ", "\"many\""]);
        check("samples = -1\n", &["1: ", "samples: ", "-1"]);
        check("[lens]\nfocus = 1\nfstops = 2\n", &["3: ", "lens", "`fstops`"]);
        check("filter = \"mitchell\"\n", &["1: ", "filter: ", "`mitchell`"]);
        check("[import]\nlamps = \"candles\"\n", &["2: ", "import.lamps: ", "`candles`"]);
        check("[import]\nlamp = 1\n", &["2: ", "import", "`lamp`"]);
        check("scene = \"a\"\nimport = 3\n", &["2: ", "import: ", "integer"]);
        check("a = = 2\n", &["1: "]);
        check("max_cost = 5\n", &["1: ", "max_cost: ", "string"]);
        check("samples = 1\nsamples = 2\n", &["2: ", "duplicate"]);
    }
}
