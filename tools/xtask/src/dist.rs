//! What is handed to people: programs with all that belongs to them, as a tarball for a prefix and,
//! on Linux, as a Debian package. The same files and the same time give archives of the same bytes;
//! whether sources give the same programs twice is up to the compiler.

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
    let time_s = time(root)?;
    let day = day(time_s);
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

/// The time of all files, seconds since 1970: the last commit's, or what the environment says.
fn time(root: &Path) -> Result<u64> {
    let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds,
        Err(_unset) => {
            let mut command = Command::new("git");
            command.args(["log", "-1", "--format=%ct"]).current_dir(root);
            let output = command.output().context("cannot run git")?;
            ensure!(output.status.success(), "git log ended with {}", output.status);
            String::from_utf8(output.stdout)?
        }
    };
    seconds.trim().parse().context("the time is no number of seconds")
}

/// The day of a time by UTC, as `2026-11-30`.
fn day(time_s: u64) -> String {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut days) = (1970, time_s / 86_400);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_day() {
        let check = |time_s: u64, expected: &str| assert_eq!(day(time_s), expected, "{time_s}");
        check(0, "1970-01-01");
        check(86_399, "1970-01-01");
        check(86_400, "1970-01-02");
        check(951_782_400, "2000-02-29");
        check(951_868_800, "2000-03-01");
        check(1_795_429_860, "2026-11-23");
        check(1_798_761_599, "2026-12-31");
        check(1_798_761_600, "2027-01-01");
        check(4_107_542_400, "2100-03-01");
    }
}
