//! How a scene's file is read, and what of it is left out.

use std::path::Path;

use scene::{ImportOptions, Imported, LampUnits, MissingTextures, SunSky};
use serde::{Deserialize, Serialize};

use super::SceneAsks;

/// How a scene's file is read; what is left out is usual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SceneImport {
    /// The animation of this name; without it, the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub animation: Option<String>,
    /// The material variant of this name; without it, the plain materials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What the numbers of the scene's lamps mean.
    pub lamps: LampsName,
    /// What becomes of textures whose files are not there.
    pub missing_textures: MissingName,
    /// An equirectangular image that surrounds the scene.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentFile>,
    /// A clear sky by its sun, instead of an environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sun_sky: Option<SkyBySun>,
    /// What of the scene is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Without>,
}

/// What the numbers of a file's lamps mean; see docs/extras.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LampsName {
    /// W/sr, and W/m² for the sun: as they are.
    #[default]
    Radiometric,
    /// Candela and lux, at 683 lumens a watt: Blender's lighting mode Standard.
    Photometric,
    /// Watts, and W/m² for the sun: Blender's lighting mode Raw.
    Watts,
}

impl LampsName {
    const fn units(self) -> LampUnits {
        match self {
            Self::Radiometric => LampUnits::Radiometric,
            Self::Photometric => LampUnits::Photometric,
            Self::Watts => LampUnits::Watts,
        }
    }
}

/// What becomes of textures whose files are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissingName {
    /// The scene is refused, with the texture's name.
    #[default]
    Refuse,
    /// They are shown in magenta.
    Magenta,
}

/// An image around the scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentFile {
    /// A Radiance HDR file: over HTTP a path among the scene's files, in a job file one beside it.
    pub file: String,
    /// Factor of its light.
    #[serde(default = "whole")]
    pub strength: f32,
    /// Turn about the vertical axis, degrees, counter-clockwise seen from above.
    #[serde(default)]
    pub rotation_degrees: f32,
}

const fn whole() -> f32 {
    1.0
}

/// A clear sky.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkyBySun {
    /// Of its sun, degrees above the horizon.
    pub elevation_degrees: f32,
    /// Of its sun, degrees from -z clockwise, as on a compass.
    pub azimuth_degrees: f32,
    /// Turbidity, from 1 (none) over 3 (a clear day) to 10.
    #[serde(default = "clear_day")]
    pub haze: f32,
}

const fn clear_day() -> f32 {
    3.0
}

/// What of a scene is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// Points, spots and distant lights.
    Lamps,
    /// The glow of surfaces.
    Emission,
}

/// Why a scene was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Both ask to surround it.
    #[error("a scene has an `environment` or a `sun_sky` around it, not both; leave one out")]
    TwoSkies,
    /// A sky that cannot be.
    #[error(
        "the sky of a sun at {elevation_degrees}° above the horizon, {azimuth_degrees}° and haze {haze} cannot be; the sun stands at -90 to 90 and within ±360, haze is 1 to 10"
    )]
    Sky {
        /// Degrees above the horizon.
        elevation_degrees: f32,
        /// Degrees from -z.
        azimuth_degrees: f32,
        /// Turbidity.
        haze: f32,
    },
    /// The importer's reason.
    #[error(transparent)]
    Import(#[from] scene::ImportError),
}

impl SceneImport {
    /// Reads the file at `path`; the environment's path is taken from `folder`.
    ///
    /// # Errors
    /// Wishes that cannot be, or the importer's reason.
    pub fn read(&self, path: &Path, folder: &Path) -> Result<Imported, ImportError> {
        let sun_sky = self.sun_sky.map(SkyBySun::checked).transpose()?;
        if sun_sky.is_some() && self.environment.is_some() {
            return Err(ImportError::TwoSkies);
        }
        let mut imported = scene::import(path, &self.options(folder))?;
        for without in &self.without {
            match without {
                Without::Lamps => imported.scene.remove_lamps(),
                Without::Emission => imported.scene.remove_emission(),
            }
        }
        if sun_sky.is_some() {
            imported.scene.environment = None;
            imported.scene.sun_sky = sun_sky;
        }
        Ok(imported)
    }

    fn options(&self, folder: &Path) -> ImportOptions {
        let usual = ImportOptions::default();
        let around = self.environment.as_ref();
        ImportOptions {
            environment: around.map(|around| folder.join(&around.file)),
            environment_strength: around.map_or(usual.environment_strength, |it| it.strength),
            environment_rotation_degrees: around.map_or(0.0, |it| it.rotation_degrees),
            animation: self.animation.clone(),
            variant: self.variant.clone(),
            lamps: self.lamps.units(),
            missing_textures: match self.missing_textures {
                MissingName::Refuse => MissingTextures::Refuse,
                MissingName::Magenta => MissingTextures::Magenta,
            },
            ..usual
        }
    }
}

impl SkyBySun {
    fn checked(self) -> Result<SunSky, ImportError> {
        let Self { elevation_degrees, azimuth_degrees, haze } = self;
        let can_be = (-90.0..=90.0).contains(&elevation_degrees)
            && azimuth_degrees.abs() <= 360.0
            && (1.0..=10.0).contains(&haze);
        if !can_be {
            return Err(ImportError::Sky { elevation_degrees, azimuth_degrees, haze });
        }
        Ok(SunSky {
            elevation: elevation_degrees.to_radians(),
            azimuth: azimuth_degrees.to_radians(),
            turbidity: haze,
            strength: 1.0,
        })
    }
}

/// Names that a scene's cameras can be asked for by.
#[must_use]
pub fn camera_names(imported: &Imported) -> Vec<String> {
    renderer::scene_cameras(&imported.scene).names
}

impl SceneAsks {
    /// What an imported file asks of its pictures.
    #[must_use]
    pub fn of(imported: &Imported) -> Self {
        let wishes = &imported.wishes;
        let first = protocol::CameraChoice::Default;
        let shutter = renderer::scene_shutter(&imported.scene, &first);
        Self {
            size: wishes.resolution,
            samples: wishes.samples,
            shutter: (shutter > 0.0).then_some(shutter),
            view: wishes.view.clone(),
            exposure: wishes.exposure,
        }
    }
}
