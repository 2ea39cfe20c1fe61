//! What is rendered of a scene.

use clap::{Args, ValueEnum};
use client::Description;
use client::description::{CropBox, FilterName, LensWords, LookAt, ShutterName, SunWords};
use protocol::{CameraChoice, Crop, RenderSettings, Size};
use scene::Scene;

use crate::exit::{Exit, fail};
use crate::options::choice;
use crate::text;
use crate::values::{self, Overscan, Rgb, Triple};

/// From the scene towards the sun when nothing else is asked for: over the right shoulder.
const SUN_DIRECTION: Triple = Triple([0.4, 0.8, 0.45]);
/// Vertical field of view of a camera set by hand, degrees.
const VFOV_DEGREES: f32 = 40.0;

const POSITIONS: &[(&str, &str)] = &[
    ("start", "It opens at the frame's time"),
    ("center", "The frame's time is the middle"),
    ("end", "It closes at the frame's time"),
];

const FILTERS: &[(&str, &str)] = &[
    ("blackman-harris", "Sharp without ringing, 3 px wide"),
    ("gaussian", "Soft, 3 px wide"),
    ("box", "The pixel's own square"),
];

/// What is rendered of a scene.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Picture")]
pub struct PictureArgs {
    /// Frame size, pixels; without it the scene's, or 1280x720
    #[arg(long, value_name = "WxH", value_parser = values::size)]
    size: Option<Size>,
    /// The part of the frame that is rendered, pixels from its upper left; an EXR keeps its place,
    /// a PNG or JPEG holds it alone
    #[arg(long, value_name = "X,Y,WxH", allow_hyphen_values = true, value_parser = values::crop)]
    crop: Option<Crop>,
    /// Pixels beyond each edge of the frame, or their share of its longer side; only an EXR holds
    /// them
    #[arg(long, value_name = "PIXELS|SHARE%")]
    overscan: Option<Overscan>,
    /// Samples per pixel; without it the scene's, or 64
    #[arg(long, visible_alias = "samples", value_name = "N")]
    spp: Option<u32>,
    /// Scattering events after the camera ray; 8 without it
    #[arg(long, value_name = "N")]
    bounces: Option<u32>,
    /// Seed of every random number; 0 without it
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Lens: f-number on film 24 mm high; everything is sharp without a lens
    #[arg(long, value_name = "N", requires = "focus", group = "opening")]
    fstop: Option<f32>,
    /// Lens: radius of its opening, metres, instead of an f-number
    #[arg(long, value_name = "METRES", requires = "focus", group = "opening")]
    aperture: Option<f32>,
    /// Lens: how far away things are sharp, metres; needs an opening
    #[arg(long, value_name = "METRES", requires = "opening")]
    focus: Option<f32>,
    /// Lens: blades of the iris; round without it
    #[arg(long, value_name = "N", requires = "focus")]
    blades: Option<u32>,
    /// Lens: turn of the iris, degrees
    #[arg(long, value_name = "DEGREES", requires = "blades")]
    blade_rotation: Option<f32>,
    /// Shutter: how long it is open, as a fraction of a frame at --fps; what moves meanwhile is
    /// blurred. Without it, what the file's camera asks for; 0 stops all motion
    #[arg(
        long,
        value_name = "FRACTION",
        allow_negative_numbers = true,
        value_parser = values::shutter
    )]
    shutter: Option<f32>,
    /// Shutter: where the frame's time lies while it is open; center without it
    #[arg(long, value_name = "WHERE", value_parser = choice::<ShutterName>(POSITIONS))]
    shutter_position: Option<ShutterName>,
    /// All directions around the camera, equirectangular
    #[arg(long, conflicts_with = "focus")]
    panorama: bool,
    /// How samples spread over their pixel; blackman-harris without it
    #[arg(long, value_name = "FILTER", value_parser = choice::<FilterName>(FILTERS))]
    filter: Option<FilterName>,
    /// Whether dim paths are ended at random; on without it
    #[arg(long, visible_alias = "roulette", value_enum, value_name = "SWITCH")]
    rr: Option<Switch>,
    /// Light passes, layers of an EXR: direct and indirect, each diffuse, glossy and transmitted;
    /// emission and environment. Films are then three times as large
    #[arg(long, help_heading = "Output")]
    passes: bool,
    /// The scene's camera of this name; may be repeated, for a picture of each. Without it, the
    /// first one, or one that frames the scene
    #[arg(long, value_name = "NAME", conflicts_with_all = ["eye", "target"])]
    camera: Vec<String>,
    /// A picture of every camera that the scene has a name for
    #[arg(long, conflicts_with_all = ["camera", "eye", "target"])]
    all_cameras: bool,
    /// Camera set by hand: where it stands, metres, y up
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, requires = "target")]
    eye: Option<Triple>,
    /// Camera set by hand: the point in the middle of the picture
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, requires = "eye")]
    target: Option<Triple>,
    /// Camera set by hand: vertical field of view, degrees; 40 without it
    #[arg(long, value_name = "DEGREES", requires = "eye")]
    vfov: Option<f32>,
    /// Add a sun of this irradiance, W/m²
    #[arg(long, value_name = "E|R,G,B")]
    sun: Option<Rgb>,
    /// From the scene towards the sun
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, requires = "sun")]
    sun_dir: Option<Triple>,
    /// Apparent diameter of the sun, degrees: how soft its shadows are (the real sun's is 0.53)
    #[arg(long, value_name = "DEGREES", requires = "sun")]
    sun_angle: Option<f32>,
    /// A sky of this radiance all around, instead of the scene's own
    #[arg(long, value_name = "L|R,G,B")]
    sky: Option<Rgb>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Do it
    On,
    /// Do not
    Off,
}

impl PictureArgs {
    /// Puts what is typed into a description, but for what only the scene tells: see
    /// [`PictureArgs::complete`].
    pub fn describe(&self, description: &mut Description) {
        let to = description;
        to.size = self.size.map(|size| [size.width, size.height]).or(to.size);
        to.crop = self.crop.map(crop_box).or(to.crop);
        // A share is of a size that is known; else it waits for the scene's.
        let overscan = self.overscan.zip(to.size).map(|(it, size)| overscan_px(it, size));
        to.overscan = overscan.or(to.overscan);
        to.samples = self.spp.or(to.samples);
        to.bounces = self.bounces.or(to.bounces);
        to.seed = self.seed.or(to.seed);
        to.shutter = self.shutter.or(to.shutter);
        to.shutter_position = self.shutter_position.or(to.shutter_position);
        to.panorama = self.panorama.then_some(true).or(to.panorama);
        to.filter = self.filter.or(to.filter);
        to.roulette = self.rr.map(|rr| rr == Switch::On).or(to.roulette);
        to.passes = self.passes.then_some(true).or(to.passes);
        to.sky = self.sky.map(|Rgb(radiance)| radiance).or(to.sky);
        to.lens = self.lens(to.lens).or(to.lens);
        to.sun = self.sun(to.sun).or(to.sun);
        if let (Some(Triple(eye)), Some(Triple(target))) = (self.eye, self.target) {
            let vfov_degrees = self.vfov.unwrap_or(VFOV_DEGREES);
            to.look_at = Some(LookAt { eye, target, vfov_degrees });
            to.cameras.clear();
        }
        if !self.camera.is_empty() || self.all_cameras {
            to.look_at = None;
            to.cameras.clone_from(&self.camera);
        }
    }

    /// Puts into a description what the options leave to the scene: all its cameras, and a share of
    /// its size.
    ///
    /// # Errors
    /// Usage: all cameras of a scene that is not at hand.
    pub fn complete(
        &self,
        description: &mut Description,
        scene: Option<&Scene>,
        size: Option<[u32; 2]>,
    ) -> anyhow::Result<()> {
        if self.all_cameras {
            description.cameras = all_cameras(scene)?;
        }
        let usual = RenderSettings::default().size;
        let frame = description.size.or(size).unwrap_or([usual.width, usual.height]);
        let overscan = self.overscan.map(|overscan| overscan_px(overscan, frame));
        description.overscan = overscan.or(description.overscan);
        Ok(())
    }

    fn lens(&self, before: Option<LensWords>) -> Option<LensWords> {
        Some(LensWords {
            fstop: self.fstop,
            aperture: self.aperture,
            focus: self.focus?,
            blades: self.blades.or(before.map(|lens| lens.blades)).unwrap_or(0),
            rotation_degrees: self
                .blade_rotation
                .or(before.map(|lens| lens.rotation_degrees))
                .unwrap_or(0.0),
        })
    }

    fn sun(&self, before: Option<SunWords>) -> Option<SunWords> {
        let Rgb(irradiance) = self.sun?;
        let direction = self.sun_dir.map(|Triple(direction)| direction);
        let before = before.map(|sun| (sun.direction, sun.angle_degrees));
        Some(SunWords {
            irradiance,
            direction: direction.or(before.map(|it| it.0)).unwrap_or(SUN_DIRECTION.0),
            angle_degrees: self.sun_angle.or(before.map(|it| it.1)).unwrap_or(0.0),
        })
    }
}

fn overscan_px(overscan: Overscan, [width, height]: [u32; 2]) -> u32 {
    overscan.pixels(Size::new(width, height))
}

fn crop_box(crop: Crop) -> CropBox {
    CropBox { x: crop.x, y: crop.y, width: crop.size.width, height: crop.size.height }
}

/// Names of all cameras of a scene, where they have names of their own.
fn all_cameras(scene: Option<&Scene>) -> anyhow::Result<Vec<String>> {
    let Some(scene) = scene else {
        let message = "the cameras of a scene that the farm holds are not listed here; name each with --camera";
        return Err(fail(Exit::Usage, message));
    };
    let all = renderer::scene_cameras(scene);
    if all.nameless > 0 {
        let left_out = text::plural(all.nameless, "camera", "cameras");
        note!("  warning     {left_out} without a name of its own left out");
    }
    Ok(all.names)
}

/// Which camera is the first that looks.
pub fn first_camera(description: &Description) -> CameraChoice {
    match (description.look_at, description.cameras.first()) {
        (Some(LookAt { eye, target, vfov_degrees }), _) => {
            CameraChoice::LookAt { eye, target, vfov_degrees }
        }
        (None, Some(name)) => CameraChoice::Named(name.clone()),
        (None, None) => CameraChoice::Default,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use client::SceneAsks;
    use protocol::{PublicKey, SceneId};

    use super::*;
    use crate::options::named;
    use crate::wishes;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        picture: PictureArgs,
    }

    fn described(words: &[&str], scene: Option<&Scene>) -> Result<Description, String> {
        let line = Line::try_parse_from([&["tessera"], words].concat()).expect("a sound line");
        let mut description = Description::default();
        line.picture.describe(&mut description);
        let completed = line.picture.complete(&mut description, scene, None);
        completed.map_err(|error| error.to_string())?;
        Ok(description)
    }

    /// How long the shutter is open at 25 frames a second.
    fn open_s(words: &[&str], scene: Option<&Scene>) -> Option<f32> {
        let description =
            Description { fps: Some(25.0), ..described(words, scene).expect("sound") };
        let camera = first_camera(&description);
        let shutter = scene.and_then(|scene| wishes::shutter_of(scene, &camera));
        let asks = SceneAsks { shutter, ..SceneAsks::default() };
        let spec = description.spec(SceneId([0; 32]), &asks, PublicKey([0; 32])).expect("sound");
        spec.settings.shutter.map(|shutter| shutter.open_s)
    }

    #[test]
    fn names_of_choices_are_those_of_descriptions() {
        assert!(POSITIONS.iter().all(|(name, _)| named::<ShutterName>(name).is_ok()));
        assert!(FILTERS.iter().all(|(name, _)| named::<FilterName>(name).is_ok()));
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
            let cameras = described(words, scene)?.camera_choices();
            let cameras = cameras.map_err(|error| error.to_string())?;
            Ok(cameras.iter().map(ToString::to_string).collect())
        };
        let names = |list: &[&str]| Ok(list.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(cameras(&[], None), names(&["the scene's first camera"]));
        assert_eq!(cameras(&["--camera", "b", "--camera", "a"], None), names(&["b", "a"]));
        assert_eq!(cameras(&["--all-cameras"], Some(&scene)), names(&["golden"]));
        let twice = cameras(&["--camera", "a", "--camera", "a"], None).expect_err("refused");
        assert!(twice.contains("\"a\" stands there twice"), "{twice}");
        assert!(cameras(&["--all-cameras"], None).expect_err("no scene").contains("--camera"));
        scene.cameras.clear();
        scene.nodes.iter_mut().for_each(|node| node.camera = None);
        let none = cameras(&["--all-cameras"], Some(&scene));
        assert_eq!(none, names(&["the scene's first camera"]));
    }

    #[test]
    fn a_crop_may_lie_in_the_overscan() {
        let words = ["--size", "96x64", "--crop=-3,8,70x50", "--overscan", "4"];
        let line = Line::try_parse_from([&["tessera"], &words[..]].concat()).expect("a line");
        let mut description = Description::default();
        line.picture.describe(&mut description);
        assert_eq!(description.overscan, Some(4));
        crate::described::check(&description).expect("before the scene is known, too");
    }

    #[test]
    fn lenses_and_suns_keep_what_is_not_typed() {
        let mut description: Description = serde_json::from_str(
            r#"{"lens": {"aperture": 0.1, "focus": 2, "blades": 6, "rotation_degrees": 5},
                "sun": {"irradiance": [1, 1, 1], "direction": [0, 1, 0], "angle_degrees": 2},
                "look_at": {"eye": [0, 0, 1], "target": [0, 0, 0]}, "panorama": true}"#,
        )
        .expect("a description");
        let words = ["tessera", "--fstop", "2.8", "--focus", "3", "--sun", "4", "--camera", "a"];
        Line::try_parse_from(words).expect("a sound line").picture.describe(&mut description);
        let lens = description.lens.expect("a lens");
        assert_eq!((lens.fstop, lens.aperture, lens.blades), (Some(2.8), None, 6));
        let sun = description.sun.expect("a sun");
        assert_eq!((sun.direction, sun.irradiance), ([0.0, 1.0, 0.0], [4.0; 3]));
        assert_eq!((description.look_at, description.panorama), (None, Some(true)));
        assert_eq!(description.cameras, ["a"]);
    }
}
