//! What is written in Python: its tests, against farms of the program that was just built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::run::{run, target, tessera};

/// What the tests need beside the package itself; pinned, since a newer formatter may want other
/// lines.
const TOOLS: [&str; 5] =
    ["pytest==9.2.0", "ruff==0.17.6", "mypy==2.4.1", "hatchling==1.33.0", "schemathesis==4.32.5"];

/// Tests the SDK, asks a door in ways that nobody thought of, and tests the add-on where Blender's
/// module is installed. Where there is no Python, or nothing can be fetched for it, they are left out
/// with a word.
pub fn test(root: &Path) -> Result<()> {
    let Some(python) = environment(root) else { return Ok(()) };
    let sdk = root.join("tools/python");
    let module = |name: &str, words: &[&str], folder: &Path| {
        let mut command = Command::new(&python);
        command.arg("-m").arg(name).args(words).current_dir(folder);
        command.env("TESSERA_TEST_PROGRAM", tessera(root));
        run(&mut command)
    };
    module("ruff", &["check", "."], &sdk)?;
    module("ruff", &["format", "--check", "."], &sdk)?;
    module("pytest", &["-q", "-p", "no:cacheprovider"], &sdk)?;
    let add_on = root.join("tools/blender");
    module("ruff", &["check", "--no-cache", "."], &add_on)?;
    match is_well(Command::new(&python).args(["-c", "import bpy"]).stderr(Stdio::null())) {
        true => module("pytest", &["-q", "-p", "no:cacheprovider"], &add_on)?,
        false => eprintln!(
            "    Blender's module is not installed (tools/blender/tests/requirements.txt): the add-on's tests are left out"
        ),
    }
    module("mypy", &["--cache-dir", "/dev/null"], &sdk)
}

/// A virtual environment with all of it; none where that cannot be had.
fn environment(root: &Path) -> Option<PathBuf> {
    let folder = target(root).join("python");
    let program =
        |name: &str| folder.join(if cfg!(windows) { "Scripts" } else { "bin" }).join(name);
    let python = program("python");
    if !python.is_file() && !is_well(Command::new("python3").args(["-m", "venv"]).arg(&folder)) {
        eprintln!(
            "    no Python environment can be made (python3, python3-venv): its tests are left out"
        );
        return None;
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    install.args(TOOLS).arg("--editable").arg(root.join("tools/python"));
    if !is_well(&mut install) {
        eprintln!("    what the Python tests need cannot be fetched: they are left out");
        return None;
    }
    Some(python)
}

fn is_well(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}
