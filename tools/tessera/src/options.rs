//! Options that several commands share: the scene, the picture, the farm.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use protocol::{
    CameraChoice, Crop, FrameRange, Lens, Lighting, NoiseTarget, Opening, PixelFilter,
    RenderSettings, SettingsError, Shutter, ShutterPosition, Size, Sun,
};
use scene::{ImportOptions, Imported, LampUnits, MissingTextures, Scene, SunSky};

use crate::exit::{Exit, WithExit as _, fail};
use crate::local;
use crate::text;
use crate::values::{self, Clay, ClearSky, Frames, Overscan, Rgb, Triple};
use crate::wishes::Asked;

/// From the scene towards the sun when nothing else is asked for: over the right shoulder.
const SUN_DIRECTION: Triple = Triple([0.4, 0.8, 0.45]);

/// How little noise is enough.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Picture")]
pub struct NoiseArgs {
    /// A tile whose noise is at most this share of white has samples enough, as 0.01; then --spp are
    /// the most
    #[arg(long, value_name = "SHARE")]
    noise: Option<f32>,
    /// Samples per pixel before noise is looked at
    #[arg(long, value_name = "N", default_value_t = 32, requires = "noise")]
    min_samples: u32,
}

impl NoiseArgs {
    /// The target, where one is asked for.
    ///
    /// # Errors
    /// Usage: no share of white.
    pub fn target(&self) -> anyhow::Result<Option<NoiseTarget>> {
        let target = self.noise.map(|noise| NoiseTarget::try_new(noise, self.min_samples));
        target.transpose().exit(Exit::Usage)
    }
}

/// What surrounds the scene, and what of it is imported.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Surroundings")]
pub struct EnvironmentArgs {
    /// An equirectangular HDR image that surrounds the scene
    #[arg(long, value_name = "FILE.hdr", value_hint = ValueHint::FilePath)]
    pub env: Option<PathBuf>,
    /// Factor of its light
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "env")]
    pub env_strength: f32,
    /// Turn about the vertical axis, degrees, counter-clockwise seen from above
    #[arg(
        long,
        value_name = "DEGREES",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        requires = "env"
    )]
    pub env_rotation: f32,
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
    /// What the numbers of the scene's lamps mean; Blender's exporter writes photometric ones
    #[arg(long, value_enum, default_value_t = LampsName::Radiometric)]
    pub lamps: LampsName,
    /// What becomes of textures whose files are not there
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value_t = MissingName::Refuse,
        help_heading = "Picture"
    )]
    pub missing_textures: MissingName,
    /// Leave out the scene's own lamps, or the glow of its surfaces; commas between both
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', help_heading = "Picture")]
    pub without: Vec<Without>,
    /// Every surface matte and grey, scattering this share of light: `gray:0.8`
    #[arg(long = "override", value_name = "gray:SHARE", help_heading = "Picture")]
    pub clay: Option<Clay>,
}

/// What the numbers of a file's lamps mean; see docs/extras.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LampsName {
    /// W/sr, and W/m² for the sun: as they are
    Radiometric,
    /// Candela and lux, at 683 lumens a watt: Blender's lighting mode Standard
    Photometric,
    /// Watts, and W/m² for the sun: Blender's lighting mode Raw
    Watts,
}

impl LampsName {
    fn units(self) -> LampUnits {
        match self {
            Self::Radiometric => LampUnits::Radiometric,
            Self::Photometric => LampUnits::Photometric,
            Self::Watts => LampUnits::Watts,
        }
    }
}

/// What becomes of textures whose files are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MissingName {
    /// The scene is refused, with the texture's name
    Refuse,
    /// They are shown in magenta
    Magenta,
}

impl MissingName {
    fn policy(self) -> MissingTextures {
        match self {
            Self::Refuse => MissingTextures::Refuse,
            Self::Magenta => MissingTextures::Magenta,
        }
    }
}

/// What of a scene is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Without {
    /// Points, spots and distant lights
    Lamps,
    /// The glow of surfaces
    Emission,
}

impl EnvironmentArgs {
    /// Imports a scene as the options say.
    ///
    /// # Errors
    /// See [`local::import`].
    pub fn import(&self, path: &Path) -> anyhow::Result<Imported> {
        let mut imported = local::import(path, &self.import_options())?;
        let scene = &mut imported.scene;
        for without in &self.without {
            match without {
                Without::Lamps => scene.remove_lamps(),
                Without::Emission => scene.remove_emission(),
            }
        }
        if let Some(ClearSky { elevation, azimuth, turbidity }) = self.sun_sky {
            scene.environment = None;
            scene.sun_sky = Some(SunSky {
                elevation: elevation.to_radians(),
                azimuth: azimuth.to_radians(),
                turbidity,
                strength: 1.0,
            });
        }
        if let Some(Clay(share)) = self.clay {
            scene.make_clay(share);
        }
        Ok(imported)
    }

    fn import_options(&self) -> ImportOptions {
        ImportOptions {
            environment: self.env.clone(),
            environment_strength: self.env_strength,
            environment_rotation_degrees: self.env_rotation,
            animation: self.animation.clone(),
            variant: self.variant.clone(),
            lamps: self.lamps.units(),
            missing_textures: self.missing_textures.policy(),
            ..ImportOptions::default()
        }
    }
}

/// What is rendered of a scene.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Picture")]
pub struct PictureArgs {
    /// Frame size, pixels; without it the scene's, or 1280x720
    #[arg(long, value_name = "WxH", value_parser = values::size)]
    pub size: Option<Size>,
    /// The part of the frame that is rendered, pixels from its upper left; an EXR keeps its place,
    /// a PNG or JPEG holds it alone
    #[arg(long, value_name = "X,Y,WxH", allow_hyphen_values = true, value_parser = values::crop)]
    pub crop: Option<Crop>,
    /// Pixels beyond each edge of the frame, or their share of its longer side; only an EXR holds
    /// them
    #[arg(long, value_name = "PIXELS|SHARE%", default_value = "0")]
    pub overscan: Overscan,
    /// Samples per pixel; without it the scene's, or 64
    #[arg(long, visible_alias = "samples", value_name = "N")]
    pub spp: Option<u32>,
    /// Scattering events after the camera ray
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub bounces: u32,
    /// Seed of every random number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u32,
    /// Lens: f-number on film 24 mm high; everything is sharp without a lens
    #[arg(long, value_name = "N", requires = "focus", group = "opening")]
    pub fstop: Option<f32>,
    /// Lens: radius of its opening, metres, instead of an f-number
    #[arg(long, value_name = "METRES", requires = "focus", group = "opening")]
    pub aperture: Option<f32>,
    /// Lens: how far away things are sharp, metres; needs an opening
    #[arg(long, value_name = "METRES", requires = "opening")]
    pub focus: Option<f32>,
    /// Lens: blades of the iris; round without it
    #[arg(long, value_name = "N", default_value_t = 0, requires = "focus")]
    pub blades: u32,
    /// Lens: turn of the iris, degrees
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0, requires = "blades")]
    pub blade_rotation: f32,
    /// Shutter: how long it is open, as a fraction of a frame at --fps; what moves meanwhile is
    /// blurred. Without it, what the file's camera asks for; 0 stops all motion
    #[arg(
        long,
        value_name = "FRACTION",
        allow_negative_numbers = true,
        value_parser = values::shutter
    )]
    pub shutter: Option<f32>,
    /// Shutter: where the frame's time lies while it is open
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = ShutterName::Center)]
    pub shutter_position: ShutterName,
    /// All directions around the camera, equirectangular
    #[arg(long, conflicts_with = "focus")]
    pub panorama: bool,
    /// How samples spread over their pixel
    #[arg(long, value_enum, default_value_t = FilterName::BlackmanHarris)]
    pub filter: FilterName,
    /// Whether dim paths are ended at random
    #[arg(long, visible_alias = "roulette", value_enum, default_value_t = Switch::On)]
    pub rr: Switch,
    /// Light passes, layers of an EXR: direct and indirect, each diffuse, glossy and transmitted;
    /// emission and environment. Films are then three times as large
    #[arg(long, help_heading = "Output")]
    pub passes: bool,
    /// The scene's camera of this name; may be repeated, for a picture of each. Without it, the
    /// first one, or one that frames the scene
    #[arg(long, value_name = "NAME", conflicts_with_all = ["eye", "target"])]
    pub camera: Vec<String>,
    /// A picture of every camera that the scene has a name for
    #[arg(long, conflicts_with_all = ["camera", "eye", "target"])]
    pub all_cameras: bool,
    /// Camera set by hand: where it stands, metres, y up
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, requires = "target")]
    pub eye: Option<Triple>,
    /// Camera set by hand: the point in the middle of the picture
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, requires = "eye")]
    pub target: Option<Triple>,
    /// Camera set by hand: vertical field of view, degrees
    #[arg(long, value_name = "DEGREES", default_value_t = 40.0, requires = "eye")]
    pub vfov: f32,
    /// Add a sun of this irradiance, W/m²
    #[arg(long, value_name = "E|R,G,B")]
    pub sun: Option<Rgb>,
    /// From the scene towards the sun
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, requires = "sun")]
    pub sun_dir: Option<Triple>,
    /// Apparent diameter of the sun, degrees: how soft its shadows are (the real sun's is 0.53)
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0, requires = "sun")]
    pub sun_angle: f32,
    /// A sky of this radiance all around, instead of the scene's own
    #[arg(long, value_name = "L|R,G,B")]
    pub sky: Option<Rgb>,
}

impl PictureArgs {
    /// The settings of a camera's picture, not yet checked against their ranges; what no option says
    /// is as the scene asks. Shutters are fractions of a frame, of which there are `fps` in a second.
    pub fn settings(&self, camera: &CameraChoice, asked: &Asked, fps: f32) -> RenderSettings {
        let default = RenderSettings::default();
        let sun = self.sun.map(|Rgb(irradiance)| Sun {
            direction: self.sun_dir.unwrap_or(SUN_DIRECTION).0,
            irradiance,
            angle_degrees: self.sun_angle,
        });
        let share = self.shutter.or(asked.shutter).unwrap_or(0.0);
        let shutter = (share > 0.0)
            .then(|| Shutter { open_s: share / fps, position: self.shutter_position.position() });
        let size = self.size.or(asked.size).unwrap_or(default.size);
        RenderSettings {
            size,
            crop: self.crop,
            overscan: self.overscan.pixels(size),
            samples: self.spp.or(asked.samples).unwrap_or(default.samples),
            bounces: self.bounces,
            seed: self.seed,
            shutter,
            camera: camera.clone(),
            lighting: Lighting { sun, sky: self.sky.map(|Rgb(radiance)| radiance) },
            lens: self.lens(),
            panorama: self.panorama,
            filter: self.filter.filter(),
            roulette: self.rr == Switch::On,
            passes: self.passes,
        }
    }
}

impl PictureArgs {
    /// Checks what is known before the scene is: a crop of a frame whose size the scene may still
    /// ask for is checked with it.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self, fps: f32) -> Result<(), SettingsError> {
        let settings = self.settings(&self.set_camera(), &Asked::default(), fps);
        let (crop, overscan) = match self.size {
            Some(_) => (settings.crop, settings.overscan),
            None => (None, 0),
        };
        RenderSettings { crop, overscan, ..settings }.validate()
    }

    /// Which cameras look, at least one; without a scene, its cameras cannot be listed.
    ///
    /// # Errors
    /// Usage: one is named twice, or all are asked for of a scene that is not at hand.
    pub fn cameras(&self, scene: Option<&Scene>) -> anyhow::Result<Vec<CameraChoice>> {
        let mut cameras: Vec<CameraChoice> = match (self.all_cameras, scene) {
            (true, None) => {
                let message = "the cameras of a scene that the farm holds are not listed here; name each with --camera";
                return Err(fail(Exit::Usage, message));
            }
            (true, Some(scene)) => {
                let all = renderer::scene_cameras(scene);
                if all.nameless > 0 {
                    let left_out = text::plural(all.nameless, "camera", "cameras");
                    eprintln!("  warning     {left_out} without a name of its own left out");
                }
                all.names.into_iter().map(CameraChoice::Named).collect()
            }
            (false, _) => self.camera.iter().cloned().map(CameraChoice::Named).collect(),
        };
        for (at, camera) in cameras.iter().enumerate() {
            if cameras[..at].contains(camera) {
                return Err(fail(Exit::Usage, format!("the same camera twice: --camera {camera}")));
            }
        }
        if cameras.is_empty() {
            cameras.push(self.set_camera());
        }
        Ok(cameras)
    }

    /// The camera that is set by hand, or the one that looks where none is asked for.
    fn set_camera(&self) -> CameraChoice {
        match (self.eye, self.target) {
            (Some(Triple(eye)), Some(Triple(target))) => {
                CameraChoice::LookAt { eye, target, vfov_degrees: self.vfov }
            }
            _ => CameraChoice::Default,
        }
    }

    fn lens(&self) -> Option<Lens> {
        let opening = match (self.fstop, self.aperture) {
            (Some(number), _) => Opening::FNumber(number),
            (None, Some(radius)) => Opening::Radius(radius),
            (None, None) => return None,
        };
        Some(Lens {
            opening,
            focus: self.focus?,
            blades: self.blades,
            rotation_degrees: self.blade_rotation,
        })
    }
}

/// Where a frame's time lies while the shutter is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShutterName {
    /// It opens at the frame's time
    Start,
    /// The frame's time is the middle
    Center,
    /// It closes at the frame's time
    End,
}

impl ShutterName {
    const fn position(self) -> ShutterPosition {
        match self {
            Self::Start => ShutterPosition::Start,
            Self::Center => ShutterPosition::Center,
            Self::End => ShutterPosition::End,
        }
    }
}

/// A pixel filter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FilterName {
    /// Sharp without ringing, 3 px wide
    BlackmanHarris,
    /// Soft, 3 px wide
    Gaussian,
    /// The pixel's own square
    Box,
}

impl FilterName {
    const fn filter(self) -> PixelFilter {
        match self {
            Self::BlackmanHarris => PixelFilter::BlackmanHarris,
            Self::Gaussian => PixelFilter::Gaussian,
            Self::Box => PixelFilter::Box,
        }
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Do it
    On,
    /// Do not
    Off,
}

/// Which frames of an animation.
#[derive(Debug, Clone, Args)]
pub struct FrameArgs {
    /// Frames, first and last; a still without it
    #[arg(long, value_name = "A-B")]
    pub frames: Option<Frames>,
    /// Every how many frames
    #[arg(long, value_name = "N", default_value_t = 1, requires = "frames")]
    pub step: u32,
    /// Frames a second of the animation
    #[arg(long, value_name = "RATE", default_value_t = 24.0)]
    pub fps: f32,
}

impl FrameArgs {
    /// The range, not yet checked.
    pub fn range(&self) -> FrameRange {
        match self.frames {
            Some(Frames { first, last }) => {
                FrameRange { first, last, step: self.step, fps: self.fps }
            }
            None => FrameRange { fps: self.fps, ..FrameRange::STILL },
        }
    }
}

/// Which farm, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Farm")]
pub struct FarmArgs {
    /// The scheduler's ticket, or @FILE that holds it
    #[arg(long, value_name = "TICKET|@FILE", env = "TESSERA_FARM")]
    pub farm: String,
    /// The key file that says who you are; made on first use
    #[arg(long, value_name = "FILE", env = "TESSERA_KEY", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wishes;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        picture: PictureArgs,
    }

    /// How long the shutter is open at 25 frames a second.
    fn open_s(words: &[&str], scene: Option<&Scene>) -> Option<f32> {
        let line = Line::try_parse_from([&["tessera"], words].concat()).expect("a sound line");
        let camera = line.picture.cameras(scene).expect("each once").remove(0);
        let shutter = scene.and_then(|scene| wishes::shutter_of(scene, &line.picture, &camera));
        let asked = Asked { shutter, ..Asked::default() };
        line.picture.settings(&camera, &asked, 25.0).shutter.map(|shutter| shutter.open_s)
    }

    #[test]
    fn shutters_are_fractions_of_a_frame_the_scenes_unless_asked_for() {
        let mut scene = scene::golden();
        assert_eq!(open_s(&[], Some(&scene)), None);
        assert_eq!(open_s(&["--shutter", "1"], None), Some(0.04));
        scene.cameras[0].lens.shutter = 0.5;
        assert_eq!(open_s(&[], Some(&scene)), Some(0.02));
        assert_eq!(open_s(&["--camera", "golden"], Some(&scene)), Some(0.02));
        assert_eq!(open_s(&["--shutter", "1"], Some(&scene)), Some(0.04));
        assert_eq!(open_s(&["--shutter", "0"], Some(&scene)), None);
        // The file's camera does not look.
        assert_eq!(open_s(&["--eye", "0,0,9", "--target", "0,0,0"], Some(&scene)), None);
    }

    #[test]
    fn cameras_are_named_or_all_or_the_first() {
        let mut scene = scene::golden();
        let cameras = |words: &[&str], scene: Option<&Scene>| -> Result<Vec<String>, String> {
            let line = Line::try_parse_from([&["tessera"], words].concat()).expect("a sound line");
            let cameras = line.picture.cameras(scene).map_err(|error| error.to_string())?;
            Ok(cameras.iter().map(ToString::to_string).collect())
        };
        let names = |list: &[&str]| Ok(list.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(cameras(&[], None), names(&["the scene's first camera"]));
        assert_eq!(cameras(&["--camera", "b", "--camera", "a"], None), names(&["b", "a"]));
        assert_eq!(cameras(&["--all-cameras"], Some(&scene)), names(&["golden"]));
        let twice = cameras(&["--camera", "a", "--camera", "a"], None).expect_err("refused");
        assert!(twice.contains("--camera a"), "{twice}");
        assert!(cameras(&["--all-cameras"], None).expect_err("no scene").contains("--camera"));
        scene.cameras.clear();
        scene.nodes.iter_mut().for_each(|node| node.camera = None);
        let none = cameras(&["--all-cameras"], Some(&scene));
        assert_eq!(none, names(&["the scene's first camera"]));
    }
}
