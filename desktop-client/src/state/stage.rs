//! A scene on the stage: what was imported, where one stands, in what light, and what one sees.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::{CameraChoice, Lighting, RenderSettings, Size, Sun};
use scene::Package;

use super::orbit::Orbit;
use super::picture::{Picture, Texel};

/// The scene that is being prepared for a render, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    /// The file that is being read.
    pub opening: Option<PathBuf>,
    /// Why the last file was not read.
    pub trouble: Option<Trouble>,
    /// The scene.
    pub scene: Option<Box<Staged>>,
    /// Whether the next drag over the preview draws its crop.
    pub is_cropping: bool,
    /// The last look that was asked for at a scene that is gone.
    last_serial: u64,
}

/// A file that is no scene for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Which.
    pub path: PathBuf,
    /// What happened, what it means, what to do.
    pub why: String,
}

/// What was read of a file.
#[derive(Clone)]
pub struct Imported {
    /// The file.
    pub path: PathBuf,
    /// A name for people.
    pub name: String,
    /// What travels.
    pub package: Arc<Package>,
    /// What was imported, and what was not.
    pub report: Report,
    /// Its cameras; the first is the one that looks when nobody chooses. Never empty.
    pub sights: Vec<Sight>,
    /// Length of the scene's diagonal, metres.
    pub scale: f32,
    /// Length of its animation, seconds; 0 where nothing moves.
    pub animation_s: f32,
    /// What the file asks of the picture.
    pub wishes: scene::Wishes,
}

impl std::fmt::Debug for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Imported")
            .field("path", &self.path)
            .field("scene", &self.package.id())
            .finish_non_exhaustive()
    }
}

/// What was imported, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was left out or changed, in sentences; each once.
    pub warnings: Vec<String>,
    /// Triangles, each mesh counted once.
    pub triangles: u64,
    /// Textures.
    pub textures: usize,
    /// Bytes of vertices and pixels, decoded.
    pub bytes: u64,
    /// Bytes that travel.
    pub package_bytes: u64,
}

/// A camera of the scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// How settings name it.
    pub camera: CameraChoice,
    /// How people do.
    pub words: String,
    /// Where one stands when one begins to walk from there.
    pub orbit: Orbit,
    /// How long its shutter is open, as a fraction of a frame; 0 for one that the scene says nothing of.
    pub shutter: f32,
}

/// Light that the artist adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// Whether a sun shines.
    pub has_sun: bool,
    /// Its height above the horizon, degrees.
    pub sun_elevation: f32,
    /// Where it stands, degrees from -z clockwise, as on a compass.
    pub sun_azimuth: f32,
    /// Irradiance on a surface that faces it, W·m⁻².
    pub sun_strength: f32,
    /// Whether an even sky replaces the scene's surroundings.
    pub has_sky: bool,
    /// Its radiance, W·sr⁻¹·m⁻².
    pub sky_strength: f32,
}

impl Default for Light {
    fn default() -> Self {
        Self {
            has_sun: false,
            sun_elevation: 45.0,
            sun_azimuth: 135.0,
            sun_strength: 3.0,
            has_sky: false,
            sky_strength: 1.0,
        }
    }
}

/// A little warmer than white.
const SUN_COLOUR: [f32; 3] = [1.0, 0.95, 0.88];
/// A little bluer.
const SKY_COLOUR: [f32; 3] = [0.88, 0.94, 1.0];
/// Apparent diameter of our sun, degrees.
const SUN_ANGLE: f32 = 0.53;

impl Light {
    /// As settings have it.
    #[must_use]
    pub fn lighting(&self) -> Lighting {
        let (elevation, azimuth) = (self.sun_elevation.to_radians(), self.sun_azimuth.to_radians());
        let level = elevation.cos();
        let direction = [level * azimuth.sin(), elevation.sin(), -level * azimuth.cos()];
        let sun = Sun {
            direction,
            irradiance: SUN_COLOUR.map(|part| part * self.sun_strength),
            angle_degrees: SUN_ANGLE,
        };
        Lighting {
            sun: self.has_sun.then_some(sun),
            sky: self.has_sky.then(|| SKY_COLOUR.map(|part| part * self.sky_strength)),
        }
    }
}

/// An image of light around the scene, in place of what its file has there.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// The image, equirectangular, `.hdr`.
    pub path: PathBuf,
    /// Factor of its light.
    pub strength: f32,
    /// Turn about the vertical, degrees, counter-clockwise seen from above.
    pub rotation_degrees: f32,
}

impl Surroundings {
    /// An image as it is.
    #[must_use]
    pub const fn of(path: PathBuf) -> Self {
        Self { path, strength: 1.0, rotation_degrees: 0.0 }
    }
}

/// Through which camera one looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standpoint {
    /// One of the scene's, by its place in [`Imported::sights`].
    Sight(usize),
    /// One's own.
    Free(Orbit),
}

/// A scene on the stage.
#[derive(Debug, Clone)]
pub struct Staged {
    /// What was read.
    pub imported: Imported,
    /// Through which camera one looks.
    pub standpoint: Standpoint,
    /// Light that is added.
    pub light: Light,
    /// What is around the scene instead of what its file has there.
    pub surroundings: Option<Surroundings>,
    /// What is to be around it, while that is being read.
    pub surrounding: Option<Surroundings>,
    /// Why it is not.
    pub surrounding_trouble: Option<String>,
    /// Which frame's time is shown.
    pub frame: u32,
    /// What one sees.
    pub preview: Preview,
    /// The last look at what was on the stage before.
    first_serial: u64,
}

impl Staged {
    /// A scene as it was imported.
    #[must_use]
    pub fn new(imported: Imported, picture_id: u64) -> Self {
        Self {
            imported,
            standpoint: Standpoint::Sight(0),
            light: Light::default(),
            surroundings: None,
            surrounding: None,
            surrounding_trouble: None,
            frame: 0,
            preview: Preview::new(picture_id),
            first_serial: 0,
        }
    }

    /// Keeps of the same file's last import where one stood, and the light.
    pub fn keep(&mut self, last: &Self) {
        self.standpoint = match last.standpoint {
            Standpoint::Sight(place) if place >= self.imported.sights.len() => Standpoint::Sight(0),
            standpoint => standpoint,
        };
        self.light = last.light;
        self.frame = last.frame;
        self.surrounding.clone_from(&last.surroundings);
    }

    /// The camera as settings have it.
    #[must_use]
    pub fn camera(&self) -> CameraChoice {
        match self.standpoint {
            Standpoint::Sight(place) => {
                let sight = self.imported.sights.get(place);
                sight.map_or(CameraChoice::Default, |sight| sight.camera.clone())
            }
            Standpoint::Free(orbit) => orbit.camera(),
        }
    }

    /// Where one stands.
    #[must_use]
    pub fn orbit(&self) -> Option<Orbit> {
        match self.standpoint {
            Standpoint::Sight(place) => self.imported.sights.get(place).map(|sight| sight.orbit),
            Standpoint::Free(orbit) => Some(orbit),
        }
    }

    /// How long the shutter of the camera is open, as a fraction of a frame.
    #[must_use]
    pub fn shutter(&self) -> f32 {
        match self.standpoint {
            Standpoint::Sight(place) => {
                self.imported.sights.get(place).map_or(0.0, |sight| sight.shutter)
            }
            Standpoint::Free(_) => 0.0,
        }
    }
}

/// What one sees of the scene.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The picture; of the size of what was last rendered.
    pub picture: Picture,
    /// What is asked for: it counts up with every change.
    pub serial: u64,
    /// Samples a pixel that the picture has.
    pub samples: u32,
    /// Samples that it will have.
    pub wanted: u32,
    /// Why nothing is drawn, or not what is asked for.
    pub trouble: Option<String>,
}

impl Preview {
    const fn new(picture_id: u64) -> Self {
        let picture = Picture::new(picture_id, Size::new(1, 1));
        Self { picture, serial: 0, samples: 0, wanted: 0, trouble: None }
    }
}

/// A look at the scene: what the worker is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Which of the looks it is.
    pub serial: u64,
    /// How it is rendered, at the size of the preview.
    pub settings: RenderSettings,
    /// The frame's time, seconds.
    pub time_s: f32,
}

/// News of the stage.
#[derive(Clone)]
pub enum Event {
    /// A file was read.
    Imported(Box<Imported>),
    /// A file was not read.
    NotImported(Trouble),
    /// Other surroundings are around the scene, or not.
    Surrounded {
        /// Which were asked for; those of the file without.
        surroundings: Option<Surroundings>,
        /// The scene with them, or why there is none.
        package: Result<Arc<Package>, String>,
    },
    /// A preview, as far as it has come.
    Seen {
        /// Which look it is.
        serial: u64,
        /// Its size, pixels.
        size: Size,
        /// Rows from the upper left.
        texels: Vec<Texel>,
        /// Samples a pixel.
        samples: u32,
    },
    /// There is no preview.
    NotSeen {
        /// Which look was asked for.
        serial: u64,
        /// Why.
        why: String,
    },
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Imported(_) => "Imported",
            Self::NotImported(_) => "NotImported",
            Self::Surrounded { .. } => "Surrounded",
            Self::Seen { .. } => "Seen",
            Self::NotSeen { .. } => "NotSeen",
        })
    }
}

impl Stage {
    /// Takes news in. What is shown of a look that nobody asks for any more is left out, unless it is
    /// nearer to what is asked for than what is there. Says whether it was of use.
    pub fn apply(&mut self, event: Event, picture_id: &mut u64) -> bool {
        match event {
            Event::Imported(imported) => {
                if self.opening.as_ref() != Some(&imported.path) {
                    return false;
                }
                self.opening = None;
                self.trouble = None;
                *picture_id += 1;
                // A look at the last scene that is still on its way is none at this one.
                let serial = self.scene.as_ref().map_or(0, |last| last.preview.serial);
                let mut scene = Staged::new(*imported, *picture_id);
                scene.preview.serial = serial.max(self.last_serial);
                scene.first_serial = scene.preview.serial;
                self.scene = Some(Box::new(scene));
            }
            Event::NotImported(trouble) => {
                if self.opening.as_ref() != Some(&trouble.path) {
                    return false;
                }
                self.opening = None;
                self.trouble = Some(trouble);
            }
            Event::Surrounded { surroundings, package } => {
                let Some(scene) = &mut self.scene else { return false };
                // Of several that were asked for the last one counts.
                if scene.surrounding != surroundings {
                    return false;
                }
                match package {
                    Ok(package) => {
                        scene.imported.report.package_bytes = package.size_bytes();
                        scene.imported.package = package;
                        scene.surroundings = surroundings;
                        scene.surrounding_trouble = None;
                    }
                    Err(why) => {
                        scene.surrounding.clone_from(&scene.surroundings);
                        scene.surrounding_trouble = Some(why);
                    }
                }
            }
            Event::Seen { serial, size, texels, samples } => {
                let Some(scene) = &mut self.scene else { return false };
                let preview = &mut scene.preview;
                // A look that is under way while one drags on is of use: it is the newest there is.
                if serial > preview.serial || serial <= scene.first_serial {
                    return false;
                }
                if preview.picture.size != size {
                    // The same name, so that its textures are the only ones.
                    preview.picture = Picture::new(preview.picture.id, size);
                }
                preview.picture.write(protocol::Rect::of_size(size), texels);
                preview.trouble = None;
                preview.samples = if serial == preview.serial { samples } else { 0 };
            }
            Event::NotSeen { serial, why } => {
                let Some(scene) = &mut self.scene else { return false };
                if serial == scene.preview.serial {
                    scene.preview.trouble = Some(why);
                }
            }
        }
        true
    }

    /// Nothing is on the stage any more.
    pub fn clear(&mut self) {
        let serial = self.scene.as_ref().map_or(0, |last| last.preview.serial);
        *self = Self { last_serial: serial.max(self.last_serial), ..Self::default() };
    }
}

/// The largest size of these proportions within `room`, both at least one pixel.
#[must_use]
pub fn fitted(size: Size, room: Size) -> Size {
    let (width, height) = (u64::from(size.width.max(1)), u64::from(size.height.max(1)));
    let (most_wide, most_high) = (u64::from(room.width.max(1)), u64::from(room.height.max(1)));
    if width <= most_wide && height <= most_high {
        return size;
    }
    let (wide, high) = if width * most_high > height * most_wide {
        (most_wide, (height * most_wide + width / 2) / width)
    } else {
        ((width * most_high + height / 2) / height, most_high)
    };
    Size::new(wide.max(1) as u32, high.max(1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sun_stands_where_a_compass_says() {
        let light = |elevation, azimuth| {
            let light = Light {
                has_sun: true,
                sun_elevation: elevation,
                sun_azimuth: azimuth,
                ..Light::default()
            };
            light.lighting().sun.expect("it shines").direction
        };
        let near = |a: [f32; 3], b: [f32; 3]| {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} is not {b:?}");
        };
        near(light(90.0, 0.0), [0.0, 1.0, 0.0]);
        near(light(0.0, 0.0), [0.0, 0.0, -1.0]);
        near(light(0.0, 90.0), [1.0, 0.0, 0.0]);
        assert_eq!(Light::default().lighting(), Lighting::default(), "nothing is added unasked");
    }

    #[test]
    fn previews_keep_their_proportions() {
        let fit = |w, h| fitted(Size::new(w, h), Size::new(640, 480));
        assert_eq!(fit(1920, 1080), Size::new(640, 360));
        assert_eq!(fit(1080, 1920), Size::new(270, 480));
        assert_eq!(fit(320, 200), Size::new(320, 200), "never larger than the picture");
        assert_eq!(fit(30_000, 10), Size::new(640, 1));
    }
}
