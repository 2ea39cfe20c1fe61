//! A small disk: a file system in memory that only what runs in its place sees.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::place::{Holder, Place};

/// A file system of some megabytes over a folder, until it is dropped.
pub struct Disk {
    holder: Holder,
    folder: PathBuf,
}

impl Disk {
    /// Puts a disk of so many megabytes over a folder, which is made.
    ///
    /// # Errors
    /// Why it cannot be had here.
    pub fn over(folder: &Path, size_mb: u32) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let holder = Holder::new(&Place::default(), &["--mount"])
            .or_else(|_not_root| Holder::new(&Place::default(), &["--user", "--mount"]))
            .context("no namespaces of mounts here")?;
        let disk = Self { holder, folder: folder.to_owned() };
        disk.run(&format!("mount -t tmpfs -o size={size_mb}m tessera-test"))
            .context("no mounts")?;
        Ok(disk)
    }

    /// Where processes see it.
    #[must_use]
    pub fn place(&self) -> Place {
        self.holder.place()
    }

    /// Fills it to its last page.
    ///
    /// # Errors
    /// There is no shell.
    pub fn fill(&self) -> Result<()> {
        let filler = self.filler();
        let fill = format!("cat /dev/zero > '{filler}' 2> /dev/null; test -s '{filler}'");
        self.place().run(&fill).map(drop)
    }

    /// Takes away what filled it.
    ///
    /// # Errors
    /// Nothing did.
    pub fn clear(&self) -> Result<()> {
        self.place().run(&format!("rm '{}'", self.filler())).map(drop)
    }

    /// Takes the disk away; what was on it is in the folder, for all to see.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn keep(self) -> Result<()> {
        let copy = self.folder.with_extension("copy");
        let line = format!("cp -r '{}' '{}'", self.folder.display(), copy.display());
        self.place().run(&line)?;
        fs::remove_dir_all(&self.folder)?;
        fs::rename(&copy, &self.folder)?;
        Ok(())
    }

    fn filler(&self) -> String {
        self.folder.join("filler").display().to_string()
    }

    fn run(&self, command: &str) -> Result<String> {
        self.place().run(&format!("{command} '{}'", self.folder.display()))
    }
}
