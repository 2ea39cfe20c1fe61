//! What surrounds the scene, and what of it is imported.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use client::SceneImport;
use client::description::{EnvironmentFile, LampsName, MissingName, SkyBySun, Without};
use scene::Imported;

use crate::exit::{Exit, fail};
use crate::local;
use crate::options::choice;
use crate::values::{Clay, ClearSky};

const LAMPS: &[(&str, &str)] = &[
    ("radiometric", "W/sr, and W/m² for the sun: as they are"),
    ("photometric", "Candela and lux, at 683 lumens a watt: Blender's lighting mode Standard"),
    ("watts", "Watts, and W/m² for the sun: Blender's lighting mode Raw"),
];

const MISSING: &[(&str, &str)] = &[
    ("refuse", "The scene is refused, with the texture's name"),
    ("magenta", "They are shown in magenta"),
];

const WITHOUT: &[(&str, &str)] =
    &[("lamps", "Points, spots and distant lights"), ("emission", "The glow of surfaces")];

/// What surrounds the scene, and what of it is imported.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Surroundings")]
pub struct EnvironmentArgs {
    /// An equirectangular HDR image that surrounds the scene
    #[arg(long, value_name = "FILE.hdr", value_hint = ValueHint::FilePath)]
    pub env: Option<PathBuf>,
    /// Factor of its light; 1 without it
    #[arg(long, value_name = "FACTOR", requires = "env")]
    pub env_strength: Option<f32>,
    /// Turn about the vertical axis, degrees, counter-clockwise seen from above
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true, requires = "env")]
    pub env_rotation: Option<f32>,
    /// A clear sky by its sun: degrees above the horizon, degrees from -z clockwise as on a compass,
    /// and haze from 1 (none) over 3 (a clear day) to 10
    #[arg(
        long,
        value_name = "ELEVATION,AZIMUTH[,HAZE]",
        allow_hyphen_values = true,
        conflicts_with = "env"
    )]
    pub sun_sky: Option<ClearSky>,
    /// The scene's animation of this name; without it, the first one
    #[arg(long, value_name = "NAME", help_heading = "Picture")]
    pub animation: Option<String>,
    /// The scene's material variant of this name; without it, its plain materials
    #[arg(long, value_name = "NAME", help_heading = "Picture")]
    pub variant: Option<String>,
    /// What the numbers of the scene's lamps mean, radiometric without it; Blender's exporter writes
    /// photometric ones
    #[arg(long, value_name = "UNITS", value_parser = choice::<LampsName>(LAMPS))]
    pub lamps: Option<LampsName>,
    /// What becomes of textures whose files are not there; refuse without it
    #[arg(
        long,
        value_name = "WHAT",
        value_parser = choice::<MissingName>(MISSING),
        help_heading = "Picture"
    )]
    pub missing_textures: Option<MissingName>,
    /// Leave out the scene's own lamps, or the glow of its surfaces; commas between both
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        value_parser = choice::<Without>(WITHOUT),
        help_heading = "Picture"
    )]
    pub without: Vec<Without>,
    /// Every surface matte and grey, scattering this share of light: `gray:0.8`
    #[arg(long = "override", value_name = "gray:SHARE", help_heading = "Picture")]
    pub clay: Option<Clay>,
}

impl EnvironmentArgs {
    /// Imports a scene as the options say.
    ///
    /// # Errors
    /// See [`local::import`].
    pub fn import(&self, path: &Path) -> anyhow::Result<Imported> {
        self.import_over(&SceneImport::default(), path, Path::new(""))
    }

    /// Imports a scene as the options say, and as `import` does where they say nothing; its paths
    /// are taken from `folder`.
    ///
    /// # Errors
    /// See [`local::import`].
    pub fn import_over(
        &self,
        import: &SceneImport,
        path: &Path,
        folder: &Path,
    ) -> anyhow::Result<Imported> {
        let import = self.over(import)?;
        // A path that is typed is taken from where one stands.
        let folder = if self.env.is_some() { Path::new("") } else { folder };
        let mut imported = local::import(path, &import, folder)?;
        if let Some(Clay(share)) = self.clay {
            imported.scene.make_clay(share);
        }
        Ok(imported)
    }

    /// What is typed, and where nothing is what was said before.
    fn over(&self, before: &SceneImport) -> anyhow::Result<SceneImport> {
        let mut import = before.clone();
        if let Some(path) = &self.env {
            let file = path.to_str().ok_or_else(|| {
                let message = "the path of --env must be readable as UTF-8; rename the file";
                fail(Exit::Usage, format!("{message}: {}", path.display()))
            })?;
            import.sun_sky = None;
            import.environment = Some(EnvironmentFile {
                file: file.to_owned(),
                strength: self.env_strength.unwrap_or(1.0),
                rotation_degrees: self.env_rotation.unwrap_or(0.0),
            });
        }
        if let Some(ClearSky { elevation, azimuth, turbidity }) = self.sun_sky {
            import.environment = None;
            import.sun_sky = Some(SkyBySun {
                elevation_degrees: elevation,
                azimuth_degrees: azimuth,
                haze: turbidity,
            });
        }
        import.animation = self.animation.clone().or(import.animation);
        import.variant = self.variant.clone().or(import.variant);
        import.lamps = self.lamps.unwrap_or(import.lamps);
        import.missing_textures = self.missing_textures.unwrap_or(import.missing_textures);
        if !self.without.is_empty() {
            import.without.clone_from(&self.without);
        }
        Ok(import)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::named;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        environment: EnvironmentArgs,
    }

    fn over(before: &str, words: &[&str]) -> String {
        let before: SceneImport = serde_json::from_str(before).expect("an import");
        let line = Line::try_parse_from([&["tessera"], words].concat()).expect("a sound line");
        let import = line.environment.over(&before).expect("sound");
        serde_json::to_string(&import).expect("writes")
    }

    #[test]
    fn names_of_choices_are_those_of_descriptions() {
        assert!(LAMPS.iter().all(|(name, _)| named::<LampsName>(name).is_ok()));
        assert!(MISSING.iter().all(|(name, _)| named::<MissingName>(name).is_ok()));
        assert!(WITHOUT.iter().all(|(name, _)| named::<Without>(name).is_ok()));
    }

    #[test]
    fn what_is_typed_wins_over_the_file() {
        let file = r#"{"lamps":"watts","missing_textures":"magenta","environment":{"file":"a.hdr","strength":2.0,"rotation_degrees":90.0},"without":["lamps"]}"#;
        assert_eq!(over(file, &[]), file);
        let sky = over(file, &["--sun-sky", "30,90,5", "--lamps", "photometric"]);
        let wanted = r#"{"lamps":"photometric","missing_textures":"magenta","sun_sky":{"elevation_degrees":30.0,"azimuth_degrees":90.0,"haze":5.0},"without":["lamps"]}"#;
        assert_eq!(sky, wanted);
        let words = [
            "--env",
            "b.hdr",
            "--env-rotation",
            "-10",
            "--without",
            "emission,lamps",
            "--variant",
            "x",
        ];
        let wanted = r#"{"variant":"x","lamps":"photometric","missing_textures":"magenta","environment":{"file":"b.hdr","strength":1.0,"rotation_degrees":-10.0},"without":["emission","lamps"]}"#;
        assert_eq!(over(&sky, &words), wanted);
    }
}
