//! What is handed to people, file by file, under a prefix such as `/usr` or `~/.local`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::unit;
use crate::icon;

/// The programs, in the order in which they are told of.
pub const PROGRAMS: [&str; 2] = ["tessera", "tessera-desktop"];

/// Where it will be unpacked, as far as files have to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `/usr`, by a package.
    System,
    /// `~/.local`, by hand.
    Home,
}

/// A file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// From the prefix, with `/` between names.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl File {
    /// A file that everybody reads.
    pub fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes: bytes.into() }
    }
}

/// What is said of the version.
pub struct Version<'v> {
    /// Its number.
    pub number: &'v str,
    /// Its day, as `2026-11-30`.
    pub day: &'v str,
}

/// All files but the licences of others, of programs that lie in `built`.
pub fn all(root: &Path, built: &Path, version: &Version<'_>, prefix: Prefix) -> Result<Vec<File>> {
    let read =
        |path: &str| std::fs::read(root.join(path)).with_context(|| format!("cannot read {path}"));
    let mut files = Vec::new();
    for name in PROGRAMS {
        let program = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let bytes = std::fs::read(built.join(&program))
            .with_context(|| format!("cannot read {}", built.join(&program).display()))?;
        files.push(File { path: format!("bin/{program}"), mode: 0o755, bytes });
    }
    for name in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        files.push(File::new(format!("share/doc/tessera/{name}"), read(name)?));
    }
    if cfg!(target_os = "linux") {
        desktop(&read, version, &mut files)?;
        command_line(built, prefix, &mut files)?;
    }
    Ok(files)
}

/// What a desktop shows the app by.
fn desktop(
    read: &impl Fn(&str) -> Result<Vec<u8>>,
    version: &Version<'_>,
    files: &mut Vec<File>,
) -> Result<()> {
    let entry = read("assets/package/tessera-desktop.desktop")?;
    files.push(File::new("share/applications/tessera-desktop.desktop", entry));
    files.push(File::new("share/mime/packages/tessera.xml", read("assets/package/tessera.xml")?));
    let about = String::from_utf8(read("assets/package/tessera-desktop.metainfo.xml")?)?;
    let about = about.replace("@VERSION@", version.number).replace("@DATE@", version.day);
    files.push(File::new("share/metainfo/tessera-desktop.metainfo.xml", about));
    let icons = "share/icons/hicolor";
    let drawing = read("assets/icon/tessera.svg")?;
    files.push(File::new(format!("{icons}/scalable/apps/tessera.svg"), drawing));
    let png = read("assets/icon/tessera.png")?;
    for side in icon::SIDES {
        let path = format!("{icons}/{side}x{side}/apps/tessera.png");
        files.push(File::new(path, icon::sized(&png, side)?));
    }
    Ok(())
}

/// What the command line tool itself tells shells, readers and systemd.
fn command_line(built: &Path, prefix: Prefix, files: &mut Vec<File>) -> Result<()> {
    let program = built.join("tessera");
    for (shell, path) in [
        ("bash", "share/bash-completion/completions/tessera"),
        ("fish", "share/fish/vendor_completions.d/tessera.fish"),
        ("zsh", "share/zsh/site-functions/_tessera"),
    ] {
        // Debian's zsh looks for what packages bring elsewhere.
        let path = match (shell, prefix) {
            ("zsh", Prefix::System) => "share/zsh/vendor-completions/_tessera",
            _other => path,
        };
        files.push(File::new(path, said(Command::new(&program).args(["completions", shell]))?));
    }
    let pages = tempfile::tempdir().context("no temporary folder")?;
    said(Command::new(&program).arg("man").arg(pages.path()))?;
    for page in std::fs::read_dir(pages.path())? {
        let page = page?;
        let name = page.file_name().to_string_lossy().into_owned();
        let bytes = super::archive::gzipped(&std::fs::read(page.path())?)?;
        files.push(File::new(format!("share/man/man1/{name}.gz"), bytes));
    }
    let printed = said(Command::new(&program).args(unit::ARGUMENTS))?;
    let printed = String::from_utf8(printed)?;
    files.push(File::new(unit::path(prefix), unit::packaged(&printed, prefix)?));
    Ok(())
}

/// What a program prints.
fn said(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {words}", output.status);
    Ok(output.stdout)
}
