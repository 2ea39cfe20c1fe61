//! A job's description as options say it one by one, and put together.

use client::description::{
    EnvironmentFile, LensWords, LookAt, NeedsWords, NoiseWords, SkyBySun, SunWords,
};
use client::{Description, DescriptionError, SceneAsks, SceneImport};

use crate::refusal::Problem;

/// Over the right shoulder, as the command line's.
const SUN_DIRECTION: [f32; 3] = [0.4, 0.8, 0.45];
/// Degrees, as the command line's.
const FOV_DEGREES: f32 = 40.0;
/// Samples before noise is looked at, as the command line's.
const MIN_SAMPLES: u32 = 32;
/// Haze of a clear day, as the command line's.
const HAZE: f32 = 3.0;

/// How far a picture reaches beyond its frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Overscan {
    /// Pixels beyond each edge.
    Pixels(u32),
    /// Their share of the frame's longer side, per cent.
    Percent(f32),
}

/// What options have said so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub description: Description,
    pub scene_import: SceneImport,
    pub needs: NeedsWords,
    pub overscan: Option<Overscan>,
    pub fstop: Option<f32>,
    pub aperture: Option<f32>,
    pub focus: Option<f32>,
    pub blades: Option<u32>,
    pub blade_rotation: Option<f32>,
    pub eye: Option<[f32; 3]>,
    pub target: Option<[f32; 3]>,
    pub vfov: Option<f32>,
    pub noise: Option<f32>,
    pub min_samples: Option<u32>,
    pub sun: Option<[f32; 3]>,
    pub sun_dir: Option<[f32; 3]>,
    pub sun_angle: Option<f32>,
    pub env: Option<String>,
    pub env_strength: Option<f32>,
    pub env_rotation: Option<f32>,
    pub sun_sky: Option<Vec<f32>>,
}

impl Draft {
    /// The job that is described, and how its scene is read.
    pub fn finish(self) -> Result<(Description, SceneImport), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut description = self.description.clone();
        description.lens = taken(self.lens(), &mut problems);
        description.look_at = taken(self.look_at(), &mut problems);
        description.sun = taken(self.sun(), &mut problems);
        description.noise = taken(self.noise(), &mut problems);
        description.overscan = taken(self.pixels(), &mut problems);
        let mut scene_import = self.scene_import.clone();
        scene_import.environment = taken(self.environment(), &mut problems);
        scene_import.sun_sky = taken(self.sky(), &mut problems);
        if scene_import.environment.is_some() && scene_import.sun_sky.is_some() {
            let both = "a scene has --env or --sun-sky around it, not both; leave one out";
            problems.push(Problem::Together(both));
        }
        if self.needs != NeedsWords::default() {
            description.needs = Some(self.needs);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        check(&description).map_err(|error| vec![Problem::Description(error)])?;
        Ok((description, scene_import))
    }

    fn lens(&self) -> Result<Option<LensWords>, &'static str> {
        let is_open = self.fstop.is_some() || self.aperture.is_some();
        match self.focus {
            Some(focus) if is_open => Ok(Some(LensWords {
                fstop: self.fstop,
                aperture: self.aperture,
                focus,
                blades: self.blades.unwrap_or(0),
                rotation_degrees: self.blade_rotation.unwrap_or(0.0),
            })),
            Some(_) => Err("--focus needs --fstop or --aperture; give one of them"),
            None if is_open || self.blades.is_some() || self.blade_rotation.is_some() => {
                Err("--fstop, --aperture, --blades and --blade-rotation need --focus; give it")
            }
            None => Ok(None),
        }
    }

    fn look_at(&self) -> Result<Option<LookAt>, &'static str> {
        match (self.eye, self.target) {
            (Some(eye), Some(target)) => {
                let vfov_degrees = self.vfov.unwrap_or(FOV_DEGREES);
                Ok(Some(LookAt { eye, target, vfov_degrees }))
            }
            (None, None) if self.vfov.is_none() => Ok(None),
            _ => Err("--eye, --target and --vfov are of one camera; give --eye and --target"),
        }
    }

    fn sun(&self) -> Result<Option<SunWords>, &'static str> {
        match self.sun {
            Some(irradiance) => Ok(Some(SunWords {
                direction: self.sun_dir.unwrap_or(SUN_DIRECTION),
                irradiance,
                angle_degrees: self.sun_angle.unwrap_or(0.0),
            })),
            None if self.sun_dir.is_some() || self.sun_angle.is_some() => {
                Err("--sun-dir and --sun-angle need --sun; give it")
            }
            None => Ok(None),
        }
    }

    fn noise(&self) -> Result<Option<NoiseWords>, &'static str> {
        match self.noise {
            Some(threshold) => {
                let min_samples = self.min_samples.unwrap_or(MIN_SAMPLES);
                Ok(Some(NoiseWords { threshold, min_samples }))
            }
            None if self.min_samples.is_some() => Err("--min-samples needs --noise; give it"),
            None => Ok(None),
        }
    }

    fn pixels(&self) -> Result<Option<u32>, &'static str> {
        match (self.overscan, self.description.size) {
            (None, _) => Ok(None),
            (Some(Overscan::Pixels(pixels)), _) => Ok(Some(pixels)),
            (Some(Overscan::Percent(share)), Some([width, height])) => {
                let longer = f64::from(width.max(height));
                Ok(Some((longer * f64::from(share) / 100.0).round() as u32))
            }
            (Some(Overscan::Percent(_)), None) => {
                Err("a share of the frame as --overscan needs --size; give it, or pixels")
            }
        }
    }

    fn environment(&self) -> Result<Option<EnvironmentFile>, &'static str> {
        match &self.env {
            Some(file) => Ok(Some(EnvironmentFile {
                file: file.clone(),
                strength: self.env_strength.unwrap_or(1.0),
                rotation_degrees: self.env_rotation.unwrap_or(0.0),
            })),
            None if self.env_strength.is_some() || self.env_rotation.is_some() => {
                Err("--env-strength and --env-rotation need --env; give it")
            }
            None => Ok(None),
        }
    }

    fn sky(&self) -> Result<Option<SkyBySun>, &'static str> {
        let (elevation_degrees, azimuth_degrees, haze) = match self.sun_sky.as_deref() {
            None => return Ok(None),
            Some([elevation, azimuth]) => (*elevation, *azimuth, HAZE),
            Some([elevation, azimuth, haze]) => (*elevation, *azimuth, *haze),
            Some(_) => return Err("--sun-sky has an elevation, an azimuth, and perhaps haze"),
        };
        let holds = elevation_degrees.abs() <= 90.0
            && azimuth_degrees.abs() <= 360.0
            && (1.0..=10.0).contains(&haze);
        match holds {
            true => Ok(Some(SkyBySun { elevation_degrees, azimuth_degrees, haze })),
            false => Err(
                "--sun-sky has an elevation from -90 to 90, an azimuth within ±360 and haze from 1 to 10",
            ),
        }
    }
}

/// What there is, or the problem where it belongs.
fn taken<T>(part: Result<Option<T>, &'static str>, problems: &mut Vec<Problem>) -> Option<T> {
    part.unwrap_or_else(|problem| {
        problems.push(Problem::Together(problem));
        None
    })
}

/// Checks what of a description can be checked without its scene.
///
/// # Errors
/// The first field that is not usable.
pub(crate) fn check(description: &Description) -> Result<(), DescriptionError> {
    let mut known = description.clone();
    if known.size.is_none() {
        // The frame's size is the scene's, and not known here.
        (known.crop, known.overscan) = (None, None);
    }
    let zeros = "0".repeat(64);
    let scene = format!("scn_{zeros}").parse().expect("invariant: 32 bytes");
    let me = format!("key_{zeros}").parse().expect("invariant: 32 bytes");
    known.spec(scene, &SceneAsks::default(), me)?;
    known.offer()?;
    known.max_cost()?;
    known.schedule()?;
    Ok(())
}
