//! What the tests need besides a Rust toolchain: a Vulkan driver for the GPU backend's tests, and
//! PostgreSQL's programs for those of several schedulers; and what the window's journey and packages
//! need.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

const INSTALL: &str = "apt-get install -y --no-install-recommends mesa-vulkan-drivers libvulkan1";

const INSTALL_POSTGRES: &str = "apt-get install -y --no-install-recommends postgresql";

const INSTALL_SCREEN: &str =
    "apt-get install -y --no-install-recommends xvfb xdotool imagemagick libxcursor1 libxi6";

const INSTALL_DRAW: &str = "apt-get install -y --no-install-recommends librsvg2-bin";

/// Whether the tests of the GPU backend can run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Vulkan {
    /// A driver is installed: they must run.
    Found,
    /// None is, and none could be installed: they are skipped by name.
    Missing,
}

/// Finds a Vulkan driver, or installs Mesa's software driver on Debian and Ubuntu as root.
pub fn vulkan() -> Result<Vulkan> {
    if installed() {
        return Ok(Vulkan::Found);
    }
    if can_install() {
        eprintln!("setup: no Vulkan driver found, installing Mesa's software driver");
        if apt(INSTALL) && installed() {
            return Ok(Vulkan::Found);
        }
    }
    eprintln!(
        "setup: no Vulkan driver found; the tests of the GPU backend are skipped.\n\
         setup: on Debian or Ubuntu run: sudo {INSTALL}"
    );
    Ok(Vulkan::Missing)
}

/// Finds PostgreSQL's programs, or installs them on Debian and Ubuntu as root. Tests start servers of
/// their own with them, and say so where they cannot.
pub fn postgres() {
    let found = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let on_path = Command::new("initdb").arg("--version").output().is_ok();
        on_path || versions.into_iter().any(|it| it.path().join("bin/initdb").exists())
    };
    if found() {
        return;
    }
    if can_install() {
        eprintln!("setup: no PostgreSQL found, installing it");
        if apt(INSTALL_POSTGRES) && found() {
            return;
        }
    }
    eprintln!(
        "setup: no PostgreSQL found; the tests of several schedulers are skipped.\n\
         setup: on Debian or Ubuntu run: sudo {INSTALL_POSTGRES}"
    );
}

/// Finds what draws a window where there is no screen, presses its keys and looks at it, or installs
/// it on Debian and Ubuntu as root.
pub fn screen() {
    tools(&["Xvfb", "xdotool", "import"], INSTALL_SCREEN);
}

/// Finds what draws the icon, or installs it on Debian and Ubuntu as root.
pub fn draw() {
    tools(&["rsvg-convert"], INSTALL_DRAW);
}

/// Finds programs on the PATH, or installs them, or says how.
fn tools(names: &[&str], install: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &str| std::env::split_paths(&path).any(|it| it.join(name).is_file());
    let missing = || names.iter().any(|name| !is_there(name));
    if missing() && !(can_install() && apt(install) && !missing()) {
        eprintln!(
            "setup: {} are needed\nsetup: on Debian or Ubuntu run: sudo {install}",
            names.join(", ")
        );
    }
}

/// Looks where the Vulkan loader looks for drivers; the loader itself is opened by the tests.
fn installed() -> bool {
    if std::env::var_os("VK_ICD_FILENAMES").is_some()
        || std::env::var_os("VK_DRIVER_FILES").is_some()
    {
        return true;
    }
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
    folders
        .iter()
        .any(|folder| std::fs::read_dir(folder).is_ok_and(|files| files.flatten().next().is_some()))
}

/// Whether this is Debian or Ubuntu, as root.
pub fn can_install() -> bool {
    cfg!(target_os = "linux") && is_root() && Path::new("/usr/bin/apt-get").exists()
}

/// Runs an `apt-get install` after bringing the packages' lists up to date; whether it worked.
pub fn apt(install: &str) -> bool {
    let shell = |line: &str| {
        Command::new("sh")
            .args(["-c", line])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .is_ok_and(|status| status.success())
    };
    shell("apt-get update -qq") && shell(&format!("{install} -qq"))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
