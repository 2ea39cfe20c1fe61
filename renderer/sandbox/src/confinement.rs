//! What a worker is locked in with: a list that the worker itself reports.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod linux;

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub(crate) use linux::confine;

/// Variables that a worker gets where its keeper has them: where drivers are, and which to take.
pub(crate) const ENVIRONMENT: &[&str] = &[
    "LD_LIBRARY_PATH",
    "MESA_SHADER_CACHE_DISABLE",
    "MESA_VK_DEVICE_SELECT",
    "NODEVICE_SELECT",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "WGPU_ADAPTER_NAME",
    "__GL_SHADER_DISK_CACHE",
];

/// How far the walls are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// No file, few calls.
    Cpu,
    /// Room for a graphics driver: its files, its devices, its calls.
    Gpu,
}

/// Elsewhere than on Linux a process of its own is all there is; it is said of each wall.
#[cfg(not(target_os = "linux"))]
pub(crate) fn confine(_profile: Profile, _limit_bytes: u64) -> Confinement {
    let mut walls = Confinement::default();
    let none = || Err(format!("not made for {} yet", std::env::consts::OS));
    for wall in [Wall::Memory, Wall::Network, Wall::Files, Wall::Calls] {
        walls.note(wall, none());
    }
    walls
}

/// What stands between a worker and the rest of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confinement {
    /// One entry a wall.
    pub walls: Vec<Raised>,
}

/// A wall that was tried to be raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// Which.
    pub wall: Wall,
    /// Whether it stands.
    pub standing: Standing,
    /// What it is made of, or why it does not stand.
    pub words: String,
}

/// What may keep a worker in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Wall {
    /// Nothing of its keeper's environment variables.
    Environment,
    /// No terminal, a session of its own.
    Session,
    /// Ends with its keeper, however that ends.
    Orphan,
    /// No open file but the pipe.
    Descriptors,
    /// So much memory and no more.
    Memory,
    /// No core file, few descriptors, no file that grows.
    Limits,
    /// No way to more rights.
    Privileges,
    /// No network.
    Network,
    /// No files.
    Files,
    /// Few system calls.
    Calls,
}

impl Wall {
    /// Its name, for people and for JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Session => "session",
            Self::Orphan => "orphan",
            Self::Descriptors => "descriptors",
            Self::Memory => "memory",
            Self::Limits => "limits",
            Self::Privileges => "privileges",
            Self::Network => "network",
            Self::Files => "files",
            Self::Calls => "calls",
        }
    }
}

/// Whether a wall stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// As it is meant to.
    Whole,
    /// With gaps that the words name.
    Part,
    /// Not at all.
    Not,
}

impl Confinement {
    /// Notes a wall that stands, or why it does not.
    pub(crate) fn note(&mut self, wall: Wall, raised: Result<String, String>) {
        let (standing, words) = match raised {
            Ok(words) => (Standing::Whole, words),
            Err(why) => (Standing::Not, why),
        };
        self.walls.push(Raised { wall, standing, words });
    }

    /// Notes a wall with gaps.
    pub(crate) fn note_part(&mut self, wall: Wall, words: String) {
        self.walls.push(Raised { wall, standing: Standing::Part, words });
    }

    /// How a wall stands; one that was never tried does not.
    #[must_use]
    pub fn standing(&self, wall: Wall) -> Standing {
        let raised = self.walls.iter().find(|raised| raised.wall == wall);
        raised.map_or(Standing::Not, |raised| raised.standing)
    }

    /// Walls that do not stand as they are meant to.
    pub fn gaps(&self) -> impl Iterator<Item = &Raised> {
        self.walls.iter().filter(|raised| raised.standing != Standing::Whole)
    }

    /// The list with words and number bounded: a keeper does not believe its worker.
    pub(crate) fn bounded(mut self) -> Self {
        self.walls.truncate(32);
        for raised in &mut self.walls {
            raised.words = crate::plain(&raised.words);
        }
        self
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |standing| {
            let walls = self.walls.iter().filter(move |raised| raised.standing == standing);
            walls.map(|raised| raised.wall.name()).collect::<Vec<_>>().join(", ")
        };
        let whole = named(Standing::Whole);
        f.write_str(if whole.is_empty() { "nothing" } else { &whole })?;
        for (standing, word) in [(Standing::Part, "in part"), (Standing::Not, "missing")] {
            let names = named(standing);
            if !names.is_empty() {
                write!(f, "; {word}: {names}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let mut confinement = Confinement::default();
        assert_eq!(confinement.to_string(), "nothing");
        confinement.note(Wall::Network, Ok("own namespace".to_owned()));
        confinement.note_part(Wall::Files, "the driver's".to_owned());
        confinement.note(Wall::Calls, Err("no seccomp".to_owned()));
        assert_eq!(confinement.to_string(), "network; in part: files; missing: calls");
        assert_eq!(confinement.standing(Wall::Network), Standing::Whole);
        assert_eq!(confinement.standing(Wall::Memory), Standing::Not, "it was never tried");
        assert_eq!(confinement.gaps().count(), 2);
    }
}
