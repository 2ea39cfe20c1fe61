//! What a Debian package says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use md5::{Digest as _, Md5};

use super::files::File;

/// Libraries that programs name, and the packages that bring them.
const PACKAGES: [(&str, &str); 8] = [
    ("libc.so.", "libc6"),
    ("libm.so.", "libc6"),
    ("libdl.so.", "libc6"),
    ("librt.so.", "libc6"),
    ("libpthread.so.", "libc6"),
    ("ld-linux", "libc6"),
    ("libgcc_s.so.", "libgcc-s1"),
    ("libstdc++.so.", "libstdc++6"),
];

/// What programs open while they run, and do without where nobody opens a window: the window's
/// system, its keys, and a driver of Vulkan. With Mesa's, any machine renders previews.
const RECOMMENDS: [&str; 10] = [
    "libvulkan1",
    "mesa-vulkan-drivers | vulkan-icd",
    "libwayland-client0",
    "libx11-6",
    "libx11-xcb1",
    "libxcb1",
    "libxcursor1",
    "libxi6",
    "libxkbcommon0",
    "libxkbcommon-x11-0",
];

/// What programs need of a system.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Libraries, by the names that programs have for them.
    pub libraries: BTreeSet<String>,
    /// The newest version of the C library whose words they use.
    pub glibc: (u32, u32),
}

impl Needs {
    /// Adds what `readelf --dynamic --version-info` says of a program.
    pub fn read(&mut self, said: &str) {
        for line in said.lines() {
            if let Some((_, rest)) = line.split_once("(NEEDED)")
                && let Some((_, name)) = rest.split_once('[')
            {
                self.libraries.insert(name.trim_end_matches([']', ' ']).to_owned());
            }
            let words = line.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_"));
            for version in words {
                let mut numbers = version.split('.').map(str::parse::<u32>);
                if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) {
                    self.glibc = self.glibc.max((major, minor));
                }
            }
        }
    }

    /// The packages that bring it, as `Depends` has them.
    ///
    /// # Errors
    /// A library that we know no package of.
    pub fn depends(&self) -> Result<String> {
        let mut packages: BTreeMap<&str, String> = BTreeMap::new();
        for library in &self.libraries {
            let Some((_, package)) = PACKAGES.iter().find(|(name, _)| library.starts_with(name))
            else {
                bail!("{library} is in no package that dist/control.rs knows; name it there");
            };
            let (major, minor) = self.glibc;
            let words = match *package {
                "libc6" => format!("libc6 (>= {major}.{minor})"),
                package => package.to_owned(),
            };
            packages.insert(package, words);
        }
        Ok(packages.into_values().collect::<Vec<_>>().join(", "))
    }
}

/// The package for machines like this one.
pub fn architecture(rust: &str) -> Result<&'static str> {
    match rust {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        "riscv64" => Ok("riscv64"),
        other => bail!("Debian's word for {other} is not known here"),
    }
}

/// A version as Debian sorts it: what comes before a release comes before it.
pub fn debian_version(number: &str) -> String {
    number.replacen('-', "~", 1)
}

/// The files of `control.tar.gz`.
pub fn files(number: &str, needs: &Needs, data: &[File]) -> Result<Vec<File>> {
    let architecture = architecture(std::env::consts::ARCH)?;
    let control = control(number, architecture, &needs.depends()?, data);
    Ok(vec![File::new("control", control), File::new("md5sums", sums(data)?)])
}

fn control(number: &str, architecture: &str, depends: &str, data: &[File]) -> String {
    // Kibibytes, each file's last one counted whole.
    let size: usize = data.iter().map(|file| file.bytes.len().div_ceil(1024)).sum();
    format!(
        "\
Package: tessera
Version: {version}
Architecture: {architecture}
Maintainer: The Tessera authors <noreply@invalid>
Installed-Size: {size}
Depends: {depends}
Recommends: {recommends}
Section: graphics
Priority: optional
Description: render farm that checks every tile and pays for verified work
 A scene is cut into tiles; strangers' machines trace them; random pixels of
 every tile are rendered again before anybody is paid; and the artist gets one
 firm price before the first ray.
 .
 This package has the desktop app, in which scenes are ordered and machines are
 lent, and the command line tool, which renders, runs nodes and runs farms.
",
        version = debian_version(number),
        recommends = RECOMMENDS.join(", "),
    )
}

fn sums(data: &[File]) -> Result<String> {
    let mut lines = String::new();
    let files: BTreeMap<&str, &File> = data.iter().map(|file| (&*file.path, file)).collect();
    for (path, file) in files {
        for byte in Md5::digest(&file.bytes) {
            write!(lines, "{byte:02x}")?;
        }
        writeln!(lines, "  usr/{path}")?;
    }
    Ok(lines)
}

/// Debian's form of who may do what with it.
pub fn copyright() -> File {
    let text = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Tessera

Files: *
Copyright: The Tessera authors
License: MIT or Apache-2.0
 The texts are beside this file, as LICENSE-MIT and LICENSE-APACHE. Those of the
 libraries that the programs hold are in THIRD-PARTY.gz.
";
    File::new("share/doc/tessera/copyright", text)
}

/// What `readelf` says of a program.
pub fn read_elf(program: &std::path::Path) -> Result<String> {
    let output = std::process::Command::new("readelf")
        .args(["--wide", "--dynamic", "--version-info"])
        .arg(program)
        .output()
        .context("a .deb needs readelf (Debian: binutils)")?;
    anyhow::ensure!(output.status.success(), "readelf cannot read {}", program.display());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
 0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libm.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
  0x0020:   Name: GLIBC_2.9  Flags: none  Version: 8
  0x0030:   Name: GLIBC_2.34  Flags: none  Version: 6
  0x0040:   Name: GCC_3.0  Flags: none  Version: 2
";

    #[test]
    fn a_package_depends_on_what_its_programs_name() -> Result<()> {
        let mut needs = Needs::default();
        needs.read(SAID);
        assert_eq!(needs.glibc, (2, 34), "2.34 is newer than 2.9");
        assert_eq!(needs.depends()?, "libc6 (>= 2.34), libgcc-s1");
        needs.read(" (NEEDED)  Shared library: [libfoo.so.1]");
        let why = needs.depends().expect_err("nobody knows it").to_string();
        assert!(why.starts_with("libfoo.so.1 is in no package"), "{why}");
        Ok(())
    }

    #[test]
    fn the_control_file_says_what_it_is() {
        let file = File::new("bin/tessera", vec![0; 1025]);
        let text = control("0.2.0-rc.1", "amd64", "libc6 (>= 2.34)", &[file]);
        let lines = [
            "Version: 0.2.0~rc.1",
            "Depends: libc6 (>= 2.34)",
            "Installed-Size: 2",
            // Policy wants an address; there is no domain that one could be of.
            "Maintainer: The Tessera authors <noreply@invalid>",
        ];
        for line in lines {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        // A field's further lines are indented, and none is empty.
        assert!(text.lines().all(|line| line.starts_with(' ') || line.contains(": ")), "{text}");
    }

    #[test]
    fn every_file_has_its_sum() -> Result<()> {
        let files = [File::new("b", ""), File::new("a", "abc")];
        assert_eq!(
            sums(&files)?,
            "900150983cd24fb0d6963f7d28e17f72  usr/a\nd41d8cd98f00b204e9800998ecf8427e  usr/b\n"
        );
        Ok(())
    }
}
