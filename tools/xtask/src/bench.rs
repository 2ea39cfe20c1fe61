//! `cargo xtask bench render`: Tessera beside other path tracers, by the tool in `tools/peers`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{run, setup};

/// System libraries of Blender's module and, for Mitsuba, LLVM; and the packages that bring them.
const LIBRARIES: [(&str, &str); 6] = [
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon.so.0", "libxkbcommon0"),
    ("libSM.so.6", "libsm6"),
    ("libGL.so.1", "libgl1"),
    ("libEGL.so.1", "libegl1"),
    ("libLLVM.so.19", "libllvm19"),
];

/// Sets up what is missing, builds `tessera`, and hands `arguments` to the tool.
pub fn render(root: &Path, arguments: &[String]) -> Result<()> {
    libraries();
    let python = python(root)?;
    run::cargo(root, &["build", "--release", "--bin", "tessera"], &[])?;
    let mut command = Command::new(python);
    command.arg(root.join("tools/peers/bench.py")).args(arguments);
    command.env("TESSERA", run::tessera(root));
    if arguments.first().is_some_and(|first| first == "rays") {
        command.env("TESSERA_TRACE_BENCH", trace_bench(root)?);
    }
    run::run(&mut command)
}

/// Installs missing libraries on Debian and Ubuntu as root, or says what to install.
fn libraries() {
    let missing = || -> Vec<&str> {
        let known = Command::new("ldconfig").arg("-p").output();
        let known = known.map(|found| String::from_utf8_lossy(&found.stdout).into_owned());
        let known = known.unwrap_or_default();
        let absent = LIBRARIES.iter().filter(|(library, _)| !known.contains(library));
        absent.map(|(_, package)| *package).collect()
    };
    let packages = missing();
    if packages.is_empty() {
        return;
    }
    let install = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    eprintln!("setup: libraries of the other renderers are missing: {}", packages.join(", "));
    if !(setup::can_install() && setup::apt(&install) && missing().is_empty()) {
        eprintln!("setup: on Debian or Ubuntu run: sudo {install}");
    }
}

/// The Python of the tool's own environment, which is made once for each list of packages.
fn python(root: &Path) -> Result<PathBuf> {
    let folder = run::target(root).join("peers-venv");
    let requirements = root.join("tools/peers/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let done = folder.join("installed.txt");
    let python = folder.join("bin").join("python");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("setup: making a Python environment in {}", folder.display());
    run::run(Command::new("python3.11").args(["-m", "venv"]).arg(&folder))
        .context("the other renderers need Python 3.11 with its venv module")?;
    let install = ["-m", "pip", "install", "--quiet", "--requirement"];
    run::run(Command::new(&python).args(install).arg(&requirements))?;
    std::fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}

/// Builds the renderer's trace bench; cargo tells where it lies.
fn trace_bench(root: &Path) -> Result<PathBuf> {
    let arguments = ["bench", "--profile", "release", "-p", "renderer", "--bench", "trace"];
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .args(["--no-run", "--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "building the trace bench ended with {}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "trace")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo named no program for the trace bench")
}
