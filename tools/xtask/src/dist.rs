//! What is handed to people: programs with all that belongs to them, as a tarball for a prefix and,
//! on Linux, as a Debian package. The same sources, toolchain and options give the same bytes.

mod archive;
mod control;
mod files;
mod licences;
mod unit;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::run;
use control::Needs;
use files::{File, PROGRAMS, Prefix, Version};

/// Where Debian wants what nobody reads often.
const THIRD_PARTY: &str = "share/doc/tessera/THIRD-PARTY.gz";

/// Options of `cargo xtask dist`.
#[derive(Debug, Args)]
pub struct DistArgs {
    /// The profile that is built; `release` has assertions and symbols in it, and is built sooner
    #[arg(long, default_value = "dist")]
    profile: String,
}

/// Builds, packs, checks, and says how large it all is.
pub fn dist(root: &Path, args: &DistArgs) -> Result<()> {
    let profile = ["--profile", &args.profile];
    let programs = ["--package", "tessera", "--package", "desktop-client", "--bins"];
    run::cargo(root, &[&["build", "--locked"][..], &profile, &programs].concat(), &[])?;
    let built = run::target(root).join(&args.profile);
    let out = run::target(root).join("dist");
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;

    let target = target()?;
    let number = number(root)?;
    let (time_s, day) = time(root)?;
    let version = Version { number: &number, day: &day };
    let third_party = archive::gzipped(licences::text(root, &target)?.as_bytes())?;
    let third_party = File::new(THIRD_PARTY, third_party);
    for name in PROGRAMS {
        let path = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        told(&path, std::fs::metadata(&path)?.len());
    }

    let mut home = files::all(root, &built, &version, Prefix::Home)?;
    home.push(third_party.clone());
    let name = format!("tessera-{number}-{target}");
    let tarball = archive::gzipped(&archive::tar(&format!("{name}/"), &home, time_s)?)?;
    write(&out.join(format!("{name}.tar.gz")), &tarball)?;

    if cfg!(target_os = "linux") {
        let mut system = files::all(root, &built, &version, Prefix::System)?;
        system.extend([third_party, control::copyright()]);
        check(&system)?;
        let mut needs = Needs::default();
        for name in PROGRAMS {
            needs.read(&control::read_elf(&built.join(name))?);
        }
        let control = control::files(&number, &needs, &system)?;
        let architecture = control::architecture(std::env::consts::ARCH)?;
        let version = control::debian_version(&number);
        let name = format!("tessera_{version}_{architecture}.deb");
        write(&out.join(name), &archive::deb(&control, &system, time_s)?)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    told(path, bytes.len() as u64);
    Ok(())
}

fn told(path: &Path, bytes: u64) {
    println!("{}: {:.1} MB", path.display(), bytes as f64 / 1e6);
}

/// The workspace's version.
fn number(root: &Path) -> Result<String> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read the workspace's metadata")?;
    let ours = metadata.workspace_packages();
    let tessera = ours.iter().find(|package| *package.name == "tessera");
    Ok(tessera.context("the workspace has no tessera")?.version.to_string())
}

/// What is built for, as Rust names it.
fn target() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let said = String::from_utf8(output.stdout)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// The time of all files: the last commit's, or what the environment says; and its day.
fn time(root: &Path) -> Result<(u64, String)> {
    let git = |format: &str| -> Result<String> {
        let mut command = Command::new("git");
        command.args(["log", "-1", "--date=format-local:%Y-%m-%d", format]).env("TZ", "UTC");
        let output = command.current_dir(root).output().context("cannot run git")?;
        ensure!(output.status.success(), "git log ended with {}", output.status);
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let day = git("--format=%cd")?;
    let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds,
        Err(_unset) => git("--format=%ct")?,
    };
    Ok((seconds.parse().context("the time is no number of seconds")?, day))
}

/// Asks the tools that know about desktops, where they are installed.
fn check(files: &[File]) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let lay = |ending: &str| -> Result<PathBuf> {
        let file = files.iter().find(|file| file.path.ends_with(ending));
        let file = file.with_context(|| format!("no {ending} is packed"))?;
        let path = folder.path().join(file.path.rsplit('/').next().unwrap_or_default());
        std::fs::write(&path, &file.bytes)?;
        Ok(path)
    };
    // There is no domain that a reverse one could be made of.
    let lenient = "--override=cid-desktopapp-is-not-rdns=info,cid-contains-hyphen=pedantic";
    let asked: [(&str, &[&str], &str); 2] = [
        ("desktop-file-validate", &[], ".desktop"),
        ("appstreamcli", &["validate", "--no-net", lenient], ".metainfo.xml"),
    ];
    for (tool, arguments, ending) in asked {
        let path = lay(ending)?;
        match Command::new(tool).args(arguments).arg(&path).output() {
            Err(_missing) => eprintln!("dist: {tool} is not installed; {ending} is not checked"),
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stdout);
                ensure!(output.status.success(), "{tool} refuses {ending}:\n{words}");
            }
        }
    }
    Ok(())
}
