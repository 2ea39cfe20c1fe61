//! What the artist chooses: size, samples, camera, light.

mod crop;

use serde::{Deserialize, Serialize};

use crate::geometry::Size;
use crate::limits;

pub use crop::Crop;
use crop::and_overscan;

/// Samples of a pixel that are summed in index order into one chunk.
pub const CHUNK_SAMPLES: u32 = 16;

/// Everything besides the scene that decides a frame's pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenderSettings {
    /// Frame size, pixels: what the camera frames.
    pub size: Size,
    /// The part of the frame that is rendered; without it, all of it.
    pub crop: Option<Crop>,
    /// Pixels rendered beyond each edge of the frame, seen by the same camera.
    pub overscan: u32,
    /// Samples per pixel, 1..=65 536.
    pub samples: u32,
    /// Scattering events after the camera ray, 0..=64. 0 shows emitters only.
    pub bounces: u32,
    /// Seed of every random number of the job.
    pub seed: u32,
    /// Which camera looks.
    pub camera: CameraChoice,
    /// Light that the artist adds to the scene's own.
    pub lighting: Lighting,
    /// The camera's lens; without it everything is sharp.
    pub lens: Option<Lens>,
    /// Whether the picture shows all directions around the camera instead of what it frames:
    /// equirectangular, the way it looks in the middle.
    pub panorama: bool,
    /// How samples spread over the pixel that they belong to.
    pub filter: PixelFilter,
    /// Whether dim paths are ended at random, which costs noise and saves time; without it every
    /// path has all its bounces.
    pub roulette: bool,
    /// The camera's shutter; without it a frame shows one instant.
    pub shutter: Option<Shutter>,
    /// Whether films also say by which way light came: direct and indirect, diffuse, glossy and
    /// transmitted, emission and environment. Films are then three times as large.
    pub passes: bool,
}

impl Default for RenderSettings {
    fn default() -> Self {
        Self {
            size: Size::new(1280, 720),
            crop: None,
            overscan: 0,
            samples: 64,
            bounces: 8,
            seed: 0,
            camera: CameraChoice::Default,
            lighting: Lighting::default(),
            lens: None,
            panorama: false,
            filter: PixelFilter::default(),
            roulette: true,
            shutter: None,
            passes: false,
        }
    }
}

/// How long a frame's light is gathered: what moves meanwhile is blurred.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shutter {
    /// How long it is open, seconds, 0..=3600; 0 stops all motion.
    pub open_s: f32,
    /// Where the frame's time lies while it is open.
    pub position: ShutterPosition,
}

impl Shutter {
    /// From the frame's time to the opening, seconds; negative before it.
    #[must_use]
    pub fn opens_s(&self) -> f64 {
        let open_s = f64::from(self.open_s);
        match self.position {
            ShutterPosition::Start => 0.0,
            ShutterPosition::Center => -0.5 * open_s,
            ShutterPosition::End => -open_s,
        }
    }

    fn validate(&self) -> Result<(), SettingsError> {
        let is_short = (0.0..=SHUTTER_OPEN_S_MAX).contains(&self.open_s);
        if is_short { Ok(()) } else { Err(SettingsError::Shutter(self.open_s)) }
    }
}

/// Longest that a shutter may be open, seconds.
const SHUTTER_OPEN_S_MAX: f32 = 3600.0;

/// Where a frame's time lies while the shutter is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ShutterPosition {
    /// The shutter opens at the frame's time.
    Start,
    /// The frame's time is the middle, as in Blender.
    #[default]
    Center,
    /// The shutter closes at the frame's time.
    End,
}

/// A thin lens: what is not at its focus is blurred.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lens {
    /// How wide it is open.
    pub opening: Opening,
    /// Distance along the camera's axis at which things are sharp, metres.
    pub focus: f32,
    /// Blades of the iris, 3..=64; 0 for a round one.
    pub blades: u32,
    /// Turn of the iris, degrees, counter-clockwise as the camera looks.
    pub rotation_degrees: f32,
}

/// How wide a lens is open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Opening {
    /// Radius, metres.
    Radius(f32),
    /// Focal length over diameter, on film 24 mm high that the camera's field of view fills; an
    /// orthographic camera counts as one of 50 mm.
    FNumber(f32),
}

impl Lens {
    fn validate(&self) -> Result<(), SettingsError> {
        let Self { opening, focus, blades, rotation_degrees } = self;
        let is_open = match opening {
            Opening::Radius(radius) => (0.0..=1e6).contains(radius),
            Opening::FNumber(number) => (1e-3..=1e6).contains(number),
        };
        if !is_open {
            Err(SettingsError::Lens(
                "its radius must be 0 to 1000000 m, or its f-number 0.001 to 1000000",
            ))
        } else if !(*focus >= 1e-6 && *focus <= 1e9) {
            Err(SettingsError::Lens("its focus must be 0.000001 to 1000000000 m away"))
        } else if !(*blades == 0 || (3..=64).contains(blades)) {
            Err(SettingsError::Lens("an iris has 3 to 64 blades, or 0 to be round"))
        } else if !finite(&[*rotation_degrees]) {
            Err(SettingsError::Lens("its rotation must be a number of degrees"))
        } else {
            Ok(())
        }
    }
}

/// How samples spread over the pixel that they belong to: the pixel filter, drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PixelFilter {
    /// A Blackman-Harris window 3 px wide: sharp without ringing.
    #[default]
    BlackmanHarris,
    /// A Gaussian of 0.5 px standard deviation, cut at ±1.5 px.
    Gaussian,
    /// The pixel's own square.
    Box,
}

/// Which camera looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CameraChoice {
    /// The scene's first camera; for a scene without one, a camera that frames the scene.
    Default,
    /// The scene's camera of this name.
    Named(String),
    /// A perspective camera set by hand, with y up.
    LookAt {
        /// Position, metres.
        eye: [f32; 3],
        /// The point in the middle of the picture, metres.
        target: [f32; 3],
        /// Vertical field of view, degrees, above 0 and below 180.
        vfov_degrees: f32,
    },
}

/// Light that the artist adds to the scene's own.
///
/// With neither set, a scene that has no light at all gets the renderer's studio light, so that
/// a bare model is never black.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Lighting {
    /// One distant light.
    pub sun: Option<Sun>,
    /// A constant environment of this RGB radiance, W·sr⁻¹·m⁻²; replaces the scene's environment.
    pub sky: Option<[f32; 3]>,
}

/// A light infinitely far away.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sun {
    /// From the scene towards the sun; any length above zero.
    pub direction: [f32; 3],
    /// RGB irradiance on a surface that faces it, W·m⁻².
    pub irradiance: [f32; 3],
    /// Apparent diameter, degrees, 0..=180; 0 for hard shadows. The irradiance stays.
    pub angle_degrees: f32,
}

/// Settings that cannot be rendered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A side of the frame is 0 or too long.
    #[error("frame size {0} is out of range; each side must be 1 to {max} px and the frame at most {pixels} pixels", max = limits::FRAME_SIDE_PX_MAX, pixels = limits::FRAME_PIXELS_MAX)]
    Size(Size),
    /// The frame with its overscan is too large.
    #[error("{overscan} px of overscan around a frame of {size} are too many; each side of both together must be at most {max} px, and they at most {pixels} pixels", max = limits::FRAME_SIDE_PX_MAX, pixels = limits::FRAME_PIXELS_MAX)]
    Overscan {
        /// Pixels beyond each edge.
        overscan: u32,
        /// The frame's size.
        size: Size,
    },
    /// The crop has no pixels.
    #[error("the crop {0} has no pixels; give it a width and a height of at least 1 px")]
    CropEmpty(Crop),
    /// The crop reaches over an edge of the frame, or lies outside of it.
    #[error("the crop {crop} does not lie inside the frame of {size}{}; its columns must be {} to {} and its rows {} to {}", and_overscan(*overscan), -i64::from(*overscan), i64::from(size.width) - 1 + i64::from(*overscan), -i64::from(*overscan), i64::from(size.height) - 1 + i64::from(*overscan))]
    CropOutside {
        /// The crop.
        crop: Crop,
        /// The frame's size.
        size: Size,
        /// Pixels beyond each edge.
        overscan: u32,
    },
    /// Samples out of range.
    #[error("{0} samples per pixel is out of range; choose 1 to {max}", max = limits::SAMPLES_MAX)]
    Samples(u32),
    /// Bounces out of range.
    #[error("{0} bounces is out of range; choose at most {max}", max = limits::BOUNCES_MAX)]
    Bounces(u32),
    /// The camera set by hand does not look anywhere.
    #[error("the camera is not usable: {0}")]
    Camera(&'static str),
    /// The lens cannot be.
    #[error("the lens is not usable: {0}")]
    Lens(&'static str),
    /// The shutter's time is no time.
    #[error("a shutter cannot be open for {0} s; choose 0..={SHUTTER_OPEN_S_MAX} s")]
    Shutter(f32),
    /// The added light is not finite, negative, or has no direction.
    #[error("the lighting is not usable: {0}")]
    Lighting(&'static str),
    /// The camera's name is too long.
    #[error("a camera name of {0} characters is too long; at most {max}", max = limits::NAME_CHARS_MAX)]
    CameraName(usize),
}

impl RenderSettings {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.validate_window()?;
        if !(1..=limits::SAMPLES_MAX).contains(&self.samples) {
            return Err(SettingsError::Samples(self.samples));
        }
        if self.bounces > limits::BOUNCES_MAX {
            return Err(SettingsError::Bounces(self.bounces));
        }
        self.camera.validate()?;
        self.lens.as_ref().map_or(Ok(()), Lens::validate)?;
        self.shutter.as_ref().map_or(Ok(()), Shutter::validate)?;
        self.lighting.validate()
    }

    /// Chunks of [`CHUNK_SAMPLES`] samples; the last may be shorter.
    #[must_use]
    pub const fn chunk_count(&self) -> u32 {
        self.samples.div_ceil(CHUNK_SAMPLES)
    }
}

fn finite(values: &[f32]) -> bool {
    // A bound far inside f32 keeps squares and sums finite too.
    values.iter().all(|value| value.abs() <= 1e9)
}

impl std::fmt::Display for CameraChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("the scene's first camera"),
            Self::Named(name) => f.write_str(name),
            Self::LookAt { eye: [x, y, z], .. } => write!(f, "the camera at {x},{y},{z}"),
        }
    }
}

impl CameraChoice {
    pub(crate) fn validate(&self) -> Result<(), SettingsError> {
        match self {
            Self::Default => Ok(()),
            Self::Named(name) if name.chars().count() > limits::NAME_CHARS_MAX => {
                Err(SettingsError::CameraName(name.chars().count()))
            }
            Self::Named(_) => Ok(()),
            Self::LookAt { eye, target, vfov_degrees } => {
                let apart = eye.iter().zip(target).any(|(a, b)| (a - b).abs() > 0.0);
                if !finite(eye) || !finite(target) {
                    Err(SettingsError::Camera("eye and target must be within ±1e9 m"))
                } else if !apart {
                    Err(SettingsError::Camera("eye and target are the same point; move one"))
                } else if !(*vfov_degrees > 0.0 && *vfov_degrees < 180.0) {
                    Err(SettingsError::Camera("the field of view must lie between 0° and 180°"))
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl Lighting {
    fn validate(&self) -> Result<(), SettingsError> {
        let light = |rgb: &[f32; 3]| finite(rgb) && rgb.iter().all(|&value| value >= 0.0);
        if self.sky.is_some_and(|sky| !light(&sky)) {
            return Err(SettingsError::Lighting("the sky must be 0 to 1e9 in every channel"));
        }
        if let Some(sun) = &self.sun {
            if !light(&sun.irradiance) {
                return Err(SettingsError::Lighting("the sun must be 0 to 1e9 in every channel"));
            }
            let length_squared: f32 = sun.direction.iter().map(|d| d * d).sum();
            if !finite(&sun.direction) || length_squared < 1e-12 {
                return Err(SettingsError::Lighting("the sun's direction must point somewhere"));
            }
            if !(0.0..=180.0).contains(&sun.angle_degrees) {
                return Err(SettingsError::Lighting("the sun's angle must be 0 to 180 degrees"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut RenderSettings), valid: bool) {
        let mut settings = RenderSettings::default();
        change(&mut settings);
        assert_eq!(settings.validate().is_ok(), valid, "{settings:?}");
    }

    #[test]
    fn shutters_open_around_before_or_after_the_frames_time() {
        let opens_s = |position| Shutter { open_s: 0.5, position }.opens_s();
        let all = [ShutterPosition::Start, ShutterPosition::Center, ShutterPosition::End];
        assert_eq!(all.map(opens_s).map(f64::to_bits), [0.0, -0.25, -0.5].map(f64::to_bits));
    }

    #[test]
    fn ranges_are_checked() {
        check(|_| (), true);
        check(|s| s.size = Size::new(0, 10), false);
        check(|s| s.size = Size::new(32_768, 32_768), false);
        check(|s| s.samples = 0, false);
        check(|s| s.samples = 65_537, false);
        check(|s| s.bounces = 65, false);
        check(|s| s.lighting.sky = Some([f32::NAN, 0.0, 0.0]), false);
        check(|s| s.lighting.sky = Some([-1.0, 0.0, 0.0]), false);
        let wide =
            |direction, angle_degrees| Some(Sun { direction, irradiance: [1.0; 3], angle_degrees });
        check(|s| s.lighting.sun = wide([0.0; 3], 0.0), false);
        check(|s| s.lighting.sun = wide([0.0, 1.0, 0.0], 0.0), true);
        check(|s| s.lighting.sun = wide([0.0, 1.0, 0.0], 0.53), true);
        check(|s| s.lighting.sun = wide([0.0, 1.0, 0.0], 180.5), false);
        check(|s| s.lighting.sun = wide([0.0, 1.0, 0.0], f32::NAN), false);
        let look =
            |target, vfov_degrees| CameraChoice::LookAt { eye: [0.0; 3], target, vfov_degrees };
        check(|s| s.camera = look([0.0; 3], 40.0), false);
        check(|s| s.camera = look([1.0; 3], 180.0), false);
        check(|s| s.camera = look([1.0; 3], f32::NAN), false);
        check(|s| s.camera = look([1.0; 3], 40.0), true);
        let lens = |radius, focus, blades| {
            let opening = Opening::Radius(radius);
            Some(Lens { opening, focus, blades, rotation_degrees: 0.0 })
        };
        check(|s| s.lens = lens(0.01, 2.0, 0), true);
        check(|s| s.lens = lens(0.01, 2.0, 6), true);
        check(|s| s.lens = lens(-0.01, 2.0, 0), false);
        check(|s| s.lens = lens(f32::NAN, 2.0, 0), false);
        check(|s| s.lens = lens(0.01, 0.0, 0), false);
        check(|s| s.lens = lens(0.01, 2.0, 2), false);
        let shutter = |open_s| Some(Shutter { open_s, position: ShutterPosition::Center });
        check(|s| s.shutter = shutter(0.0), true);
        check(|s| s.shutter = shutter(0.02), true);
        check(|s| s.shutter = shutter(-0.02), false);
        check(|s| s.shutter = shutter(3601.0), false);
        check(|s| s.shutter = shutter(f32::NAN), false);
    }
}
