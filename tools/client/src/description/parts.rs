//! Parts of a description, in words and numbers of scripts.

use protocol::{
    BackendKind, CameraChoice, Crop, Lens, Needs, NoiseTarget, Opening, PixelFilter, Pool,
    PublicKey, ShutterPosition, Size, Sun,
};
use serde::{Deserialize, Serialize};

use super::DescriptionError;

/// Bytes of a gigabyte.
const GIGABYTE: u64 = 1_000_000_000;

/// A camera set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookAt {
    /// Where it stands, metres, y up.
    pub eye: [f32; 3],
    /// The point in the middle of the picture.
    pub target: [f32; 3],
    /// Vertical field of view, degrees.
    #[serde(default = "usual_fov")]
    pub vfov_degrees: f32,
}

const fn usual_fov() -> f32 {
    40.0
}

impl LookAt {
    pub(super) const fn camera(self) -> CameraChoice {
        let Self { eye, target, vfov_degrees } = self;
        CameraChoice::LookAt { eye, target, vfov_degrees }
    }
}

/// How little noise is enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoiseWords {
    /// A share of white, as 0.01.
    pub threshold: f32,
    /// Samples per pixel before noise is looked at.
    #[serde(default = "usual_samples")]
    pub min_samples: u32,
}

const fn usual_samples() -> u32 {
    32
}

impl NoiseWords {
    pub(super) fn target(self) -> Result<NoiseTarget, DescriptionError> {
        let target = NoiseTarget::try_new(self.threshold, self.min_samples);
        target.map_err(DescriptionError::of("noise.threshold"))
    }
}

/// Which frames: `first`, `last`, and every `step`-th from the first on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameNumbers {
    /// The first frame.
    pub first: u32,
    /// The last frame, if the steps lead to it.
    pub last: u32,
    /// Every how many frames.
    #[serde(default = "one")]
    pub step: u32,
}

const fn one() -> u32 {
    1
}

/// A part of the frame, pixels from its upper left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CropBox {
    /// Its left column; below 0 in the overscan.
    pub x: i32,
    /// Its top row; below 0 in the overscan.
    pub y: i32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl CropBox {
    pub(super) const fn crop(self) -> Crop {
        Crop { x: self.x, y: self.y, size: Size::new(self.width, self.height) }
    }
}

/// Where a frame's time lies while the shutter is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShutterName {
    /// It opens at the frame's time.
    Start,
    /// The frame's time is the middle.
    #[default]
    Center,
    /// It closes at the frame's time.
    End,
}

impl ShutterName {
    pub(super) const fn position(self) -> ShutterPosition {
        match self {
            Self::Start => ShutterPosition::Start,
            Self::Center => ShutterPosition::Center,
            Self::End => ShutterPosition::End,
        }
    }
}

/// A lens: `fstop` or `aperture`, and `focus`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LensWords {
    /// f-number on film 24 mm high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fstop: Option<f32>,
    /// Radius of its opening, metres, instead of an f-number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aperture: Option<f32>,
    /// How far away things are sharp, metres.
    pub focus: f32,
    /// Blades of the iris; 0 is round.
    #[serde(default)]
    pub blades: u32,
    /// Turn of the iris, degrees.
    #[serde(default)]
    pub rotation_degrees: f32,
}

impl LensWords {
    pub(super) fn lens(self) -> Result<Lens, DescriptionError> {
        let Self { fstop, aperture, focus, blades, rotation_degrees } = self;
        let opening = match (fstop, aperture) {
            (Some(number), None) => Opening::FNumber(number),
            (None, Some(radius)) => Opening::Radius(radius),
            (Some(_), Some(_)) => {
                let problem = "a lens has `fstop` or `aperture`, not both; leave one out";
                return Err(DescriptionError::new("lens", problem));
            }
            (None, None) => {
                let problem = "a lens needs its opening; give `fstop` or `aperture`";
                return Err(DescriptionError::new("lens", problem));
            }
        };
        Ok(Lens { opening, focus, blades, rotation_degrees })
    }
}

/// How samples spread over their pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FilterName {
    /// Sharp without ringing, 3 px wide.
    BlackmanHarris,
    /// Soft, 3 px wide.
    Gaussian,
    /// The pixel's own square.
    Box,
}

impl FilterName {
    pub(super) const fn filter(self) -> PixelFilter {
        match self {
            Self::BlackmanHarris => PixelFilter::BlackmanHarris,
            Self::Gaussian => PixelFilter::Gaussian,
            Self::Box => PixelFilter::Box,
        }
    }
}

/// A sun.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SunWords {
    /// From the scene towards the sun.
    #[serde(default = "usual_direction")]
    pub direction: [f32; 3],
    /// W/m²: red, green, blue.
    pub irradiance: [f32; 3],
    /// Apparent diameter, degrees.
    #[serde(default)]
    pub angle_degrees: f32,
}

/// Over the right shoulder, as the command line's.
const fn usual_direction() -> [f32; 3] {
    [0.4, 0.8, 0.45]
}

impl SunWords {
    pub(super) const fn sun(self) -> Sun {
        let Self { direction, irradiance, angle_degrees } = self;
        Sun { direction, irradiance, angle_degrees }
    }
}

/// What a node renders on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackendName {
    /// Its processor.
    Cpu,
    /// A graphics card.
    Gpu,
}

/// Which nodes may render a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NeedsWords {
    /// Only nodes of whoever orders.
    pub only_mine: bool,
    /// Only nodes of these owners, by their keys.
    pub owners: Vec<String>,
    /// Only nodes in this pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Only nodes that render on this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendName>,
    /// Only nodes with so much memory for a scene, gigabytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<u32>,
}

impl NeedsWords {
    /// What is asked of nodes by whoever has this key.
    ///
    /// # Errors
    /// An owner or a pool that is none.
    pub fn needs(&self, me: PublicKey) -> Result<Needs, DescriptionError> {
        let owners = self.owners.iter().map(|text| text.parse::<PublicKey>());
        let mut owners: std::collections::BTreeSet<PublicKey> =
            owners.collect::<Result<_, _>>().map_err(DescriptionError::of("needs.owners"))?;
        if self.only_mine {
            owners.insert(me);
        }
        let pool = self.pool.as_deref().map(str::parse::<Pool>).transpose();
        Ok(Needs {
            owners,
            pool: pool.map_err(DescriptionError::of("needs.pool"))?,
            backend: self.backend.map(|backend| match backend {
                BackendName::Cpu => BackendKind::Cpu,
                BackendName::Gpu => BackendKind::Gpu,
            }),
            memory_bytes: u64::from(self.memory_gb.unwrap_or(0)) * GIGABYTE,
        })
    }
}

/// A time, milliseconds since 1970.
pub(super) fn time_ms(text: &str) -> Result<u64, DescriptionError> {
    let error = || {
        let problem = format!("{text:?} is no time; write it as 2026-12-01T08:00:00Z");
        DescriptionError::new("wanted_by", problem)
    };
    let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|_none| error())?;
    u64::try_from(time.timestamp_millis()).map_err(|_before_1970| error())
}
