//! What the app remembers between two runs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Door;
use super::jobs::Listing;
use super::lending::Lending;

/// Scenes that are remembered.
const RECENT: usize = 8;
/// Least and greatest magnification of the window.
pub const ZOOM: std::ops::RangeInclusive<f32> = 0.8..=2.0;

/// Bright or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system is.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Bright.
    Light,
}

/// What the app remembers. A newer version's fields are kept as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The farm's ticket, or `@FILE`; a secret where the farm is private.
    pub farm: String,
    /// The door that opens first.
    pub door: Door,
    /// Bright or dark.
    pub theme: Theme,
    /// Magnification.
    pub zoom: f32,
    /// Whether scenes are sent to the farm for a firm price before it is ordered.
    pub sends_ahead: bool,
    /// Scenes that were opened, the last first.
    pub recent: Vec<PathBuf>,
    /// Where pictures are saved.
    pub folder: Option<PathBuf>,
    /// Whether a farm of one's own runs with the app.
    pub own_farm: bool,
    /// How the machine is lent.
    pub lending: Lending,
    /// How the list of jobs is looked at.
    pub jobs: Listing,
    /// What this version does not know.
    #[serde(flatten)]
    pub others: toml::Table,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            farm: String::new(),
            door: Door::default(),
            theme: Theme::default(),
            zoom: 1.0,
            sends_ahead: false,
            recent: Vec::new(),
            folder: None,
            own_farm: false,
            lending: Lending::default(),
            jobs: Listing::default(),
            others: toml::Table::new(),
        }
    }
}

impl Settings {
    /// Puts a scene in front of the remembered ones.
    pub fn opened(&mut self, path: &Path) {
        if path.to_str().is_none() {
            // TOML is text.
            return;
        }
        self.recent.retain(|recent| recent != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(RECENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_scene_comes_first_and_each_once() {
        let mut settings = Settings::default();
        for name in ["a", "b", "a", "c", "d", "e", "f", "g", "h", "i"] {
            settings.opened(Path::new(name));
        }
        let names: Vec<_> = settings.recent.iter().map(|path| path.display().to_string()).collect();
        assert_eq!(names, ["i", "h", "g", "f", "e", "d", "c", "a"]);
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let text = "farm = \"farmx\"\nzoom = 1.25\nhologram = true\n";
        let settings: Settings = toml::from_str(text).expect("it reads");
        assert_eq!((settings.farm.as_str(), settings.theme), ("farmx", Theme::System));
        let written = toml::to_string(&settings).expect("it writes");
        assert!(written.contains("hologram = true"), "{written}");
        assert_eq!(toml::from_str::<Settings>(&written).expect("it reads"), settings);
    }
}
