//! A calendar that lies to one process: a small library, put before the system's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

use crate::Place;

/// A calendar that can be set.
pub struct Clock {
    library: PathBuf,
    ahead: PathBuf,
}

impl Clock {
    /// One that tells the time, for now. Builds its library in a folder.
    ///
    /// # Errors
    /// Why that cannot be had here.
    pub fn new(folder: &Path) -> Result<Self> {
        let here = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));
        ensure!(here, "a calendar that lies is made for Linux on x86-64 only");
        let (source, library) = (folder.join("preload.rs"), folder.join("libpreload.so"));
        fs::write(&source, include_str!("clock/preload.rs"))?;
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut build = Command::new(rustc);
        build.args([
            "--edition=2024",
            "--crate-type=cdylib",
            "-Cpanic=abort",
            "-Copt-level=2",
            "-o",
        ]);
        let built = build.arg(&library).arg(&source).output().context("no compiler")?;
        let said = String::from_utf8_lossy(&built.stderr);
        ensure!(built.status.success(), "the library does not build: {said}");
        let clock = Self { library, ahead: folder.join("ahead") };
        clock.set(0)?;
        let told = clock.place().run("date +%s")?;
        clock.set(86_400)?;
        let tomorrow = clock.place().run("date +%s")?;
        clock.set(0)?;
        let ahead = tomorrow.trim().parse::<i64>()? - told.trim().parse::<i64>()?;
        ensure!(ahead >= 86_400, "programs do not take it: {ahead} s ahead");
        Ok(clock)
    }

    /// Sets it ahead by so many seconds, or back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set(&self, ahead_s: i64) -> Result<()> {
        // Readers find the old one or the new one whole.
        let new = self.ahead.with_extension("new");
        fs::write(&new, ahead_s.to_ne_bytes())?;
        Ok(fs::rename(new, &self.ahead)?)
    }

    /// Where it is believed.
    #[must_use]
    pub fn place(&self) -> Place {
        let variable = |name: &str, value: &Path| format!("{name}={}", value.display());
        Place::default().after([
            "env".to_owned(),
            variable("LD_PRELOAD", &self.library),
            variable("TESSERA_TEST_CLOCK", &self.ahead),
        ])
    }
}
