//! What our Blender add-on says under `extras.tessera`, where glTF has no word for it
//! (`docs/extras.md`).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ImportError;
use super::json::{self, Extras};
use super::report::ImportWarning;
use super::{Importer, picture, uri};
use crate::lamps::{AreaLight, AreaShape, Lens, SunSky};
use crate::model::{Environment, Image, LightKind, Projection};

/// Height of a frame of 35 mm film, metres: what f-stops are told for unless the file says else.
const SENSOR_HEIGHT_M: f32 = 0.024;
/// A clear day.
const TURBIDITY: f32 = 3.0;

/// What a file asks of the picture, rather than of the scene.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// Exposure, stops.
    pub exposure: Option<f32>,
    /// Samples per pixel.
    pub samples: Option<u32>,
    /// Pixels across and down.
    pub resolution: Option<[u32; 2]>,
    /// Name of the view transform.
    pub view: Option<String>,
}

#[derive(Deserialize)]
struct LampExtras {
    radius: Option<f32>,
    angle: Option<f32>,
}

#[derive(Deserialize)]
struct NodeExtras {
    area: Option<Area>,
}

#[derive(Deserialize)]
struct Area {
    #[serde(default = "rectangle")]
    shape: String,
    size: [f32; 2],
    #[serde(default = "white")]
    color: [f32; 3],
    power: Option<f32>,
    radiance: Option<f32>,
    #[serde(default)]
    two_sided: bool,
}

fn rectangle() -> String {
    "rectangle".to_owned()
}

fn white() -> [f32; 3] {
    [1.0; 3]
}

fn one() -> f32 {
    1.0
}

#[derive(Deserialize)]
struct LensExtras {
    aperture: Option<f32>,
    fstop: Option<f32>,
    sensor_height: Option<f32>,
    focus_distance: Option<f32>,
    #[serde(default)]
    blades: u32,
    #[serde(default)]
    blade_rotation: f32,
    #[serde(default)]
    shutter: f32,
}

#[derive(Deserialize)]
struct SceneExtras {
    environment: Option<EnvironmentExtras>,
    sky: Option<[f32; 3]>,
    sun_sky: Option<SunSkyExtras>,
    #[serde(flatten)]
    wishes: Wishes,
}

#[derive(Deserialize)]
struct EnvironmentExtras {
    file: String,
    #[serde(default = "one")]
    strength: f32,
    #[serde(default)]
    rotation: f32,
}

#[derive(Deserialize)]
struct SunSkyExtras {
    elevation: f32,
    azimuth: f32,
    turbidity: Option<f32>,
    #[serde(default = "one")]
    strength: f32,
}

/// Names under `extras.tessera` of each kind of object.
const LAMP: &[&str] = &["radius", "angle"];
const NODE: &[&str] = &["area"];
const CAMERA: &[&str] = &[
    "aperture",
    "fstop",
    "sensor_height",
    "focus_distance",
    "blades",
    "blade_rotation",
    "shutter",
];
const SCENE: &[&str] =
    &["environment", "sky", "sun_sky", "exposure", "samples", "resolution", "view"];

impl Importer<'_> {
    /// Reads what lies under `tessera`; names that are not `known` are named in the report.
    fn tessera<T: DeserializeOwned>(
        &mut self,
        owner: &str,
        extras: &Extras,
        known: &[&str],
    ) -> Result<Option<T>, ImportError> {
        let Some(text) = extras.tessera() else { return Ok(None) };
        let failed = |source| ImportError::Extras { owner: owner.to_owned(), source };
        let value: Value = serde_json::from_str(text).map_err(failed)?;
        for name in value.as_object().into_iter().flat_map(|object| object.keys()) {
            if !known.contains(&name.as_str()) {
                self.warn_extra(owner, name);
            }
        }
        T::deserialize(value).map(Some).map_err(failed)
    }

    fn warn_extra(&mut self, owner: &str, name: &str) {
        let name = name.chars().take(80).collect();
        self.warnings.push(ImportWarning::Extra { owner: owner.to_owned(), name });
    }

    /// Radius, metres, and angle, radians, of a punctual light.
    pub fn lamp_size(
        &mut self,
        name: &str,
        extras: &Extras,
        kind: LightKind,
    ) -> Result<(f32, f32), ImportError> {
        let owner = format!("light {name}");
        let Some(LampExtras { radius, angle }) = self.tessera(&owner, extras, LAMP)? else {
            return Ok((0.0, 0.0));
        };
        let (ours, others) = match kind {
            LightKind::Directional => (("angle", angle), ("radius", radius)),
            LightKind::Point | LightKind::Spot { .. } => (("radius", radius), ("angle", angle)),
        };
        if others.1.is_some() {
            self.warn_extra(&owner, others.0);
        }
        let value = ours.1.unwrap_or(0.0);
        Ok(match kind {
            LightKind::Directional => (0.0, value.to_radians()),
            LightKind::Point | LightKind::Spot { .. } => (value, 0.0),
        })
    }

    /// Lens and shutter of a camera.
    pub fn lens(
        &mut self,
        name: &str,
        extras: &Extras,
        projection: &Projection,
    ) -> Result<Lens, ImportError> {
        let owner = format!("camera {name}");
        let Some(extras) = self.tessera::<LensExtras>(&owner, extras, CAMERA)? else {
            return Ok(Lens::default());
        };
        let aperture = match (extras.aperture, extras.fstop) {
            (Some(_), Some(_)) => {
                let problem = "has an aperture and an fstop; one of them is enough";
                return Err(ImportError::ExtrasProblem { owner, problem });
            }
            (Some(aperture), None) => aperture,
            (None, None) => 0.0,
            (None, Some(fstop)) => match *projection {
                // The focal length is that of the view's angle on the sensor's height.
                Projection::Perspective { vfov } => {
                    let half = f64::from(extras.sensor_height.unwrap_or(SENSOR_HEIGHT_M)) / 2.0;
                    let focal_length = half / (f64::from(vfov) / 2.0).tan();
                    (focal_length / (2.0 * f64::from(fstop))) as f32
                }
                Projection::Orthographic { .. } => {
                    let problem = "has an fstop, which an orthographic camera cannot have";
                    return Err(ImportError::ExtrasProblem { owner, problem });
                }
            },
        };
        let defaults = Lens::default();
        Ok(Lens {
            aperture,
            focus_distance: extras.focus_distance.unwrap_or(defaults.focus_distance),
            blades: extras.blades,
            blade_rotation: extras.blade_rotation.to_radians(),
            shutter: extras.shutter,
        })
    }

    /// An area light on a node.
    pub fn read_node_extras(&mut self, node: u32, source: &json::Node) -> Result<(), ImportError> {
        if source.extras.tessera().is_none() {
            return Ok(());
        }
        let name = self.scene.nodes[node as usize].name.clone();
        let owner = format!("node {name}");
        let extras = self.tessera::<NodeExtras>(&owner, &source.extras, NODE)?;
        let Some(area) = extras.and_then(|extras| extras.area) else { return Ok(()) };
        let problem = |problem| ImportError::ExtrasProblem { owner: owner.clone(), problem };
        let shape = match area.shape.as_str() {
            "rectangle" => AreaShape::Rectangle,
            "disk" => AreaShape::Disk,
            _ => return Err(problem("has an area of no shape we know: rectangle or disk")),
        };
        let radiance = match (area.power, area.radiance) {
            (None, Some(radiance)) => radiance,
            (Some(power), None) => {
                // A flat lamp of radiance L sends π · L · area watts to each of its sides.
                let sides = if area.two_sided { 2.0 } else { 1.0 };
                power / (std::f32::consts::PI * shape.area(area.size) * sides)
            }
            _ => return Err(problem("has an area that needs a power or a radiance, and only one")),
        };
        self.scene.area_lights.push(AreaLight {
            name,
            node,
            shape,
            size: area.size,
            radiance: area.color.map(|channel| channel * radiance),
            two_sided: area.two_sided,
        });
        Ok(())
    }

    /// What surrounds the scene, and what the file asks of the picture.
    pub fn read_scene_extras(
        &mut self,
        index: u32,
        source: &json::Scene,
    ) -> Result<(), ImportError> {
        let owner = format!("scene {}", super::name(source.name.as_deref(), "scene", index));
        let Some(extras) = self.tessera::<SceneExtras>(&owner, &source.extras, SCENE)? else {
            return Ok(());
        };
        let surroundings =
            [extras.environment.is_some(), extras.sky.is_some(), extras.sun_sky.is_some()];
        if surroundings.into_iter().filter(|is_there| *is_there).count() > 1 {
            let problem = "has more than one of environment, sky and sun_sky";
            return Err(ImportError::ExtrasProblem { owner, problem });
        }
        if !self.has_environment {
            if let Some(environment) = extras.environment {
                self.read_environment(index, &environment)?;
            }
            self.scene.environment =
                extras.sky.map(Environment::Constant).or(self.scene.environment.take());
            if let Some(sky) = extras.sun_sky {
                self.scene.sun_sky = Some(SunSky {
                    elevation: sky.elevation.to_radians(),
                    azimuth: sky.azimuth.to_radians(),
                    turbidity: sky.turbidity.unwrap_or(TURBIDITY),
                    strength: sky.strength,
                });
            }
        }
        self.read_wishes(owner, extras.wishes)
    }

    fn read_environment(
        &mut self,
        index: u32,
        source: &EnvironmentExtras,
    ) -> Result<(), ImportError> {
        let text = &source.file;
        let bytes = uri::read(text, self.resolver, self.budget.left)
            .map_err(|problem| super::uri_error("scene", index, text, problem))?;
        let decoded = picture::decode_environment(&bytes, &mut self.budget)
            .map_err(|problem| ImportError::Environment { path: text.into(), problem })?;
        let picture::Decoded { width, height, pixels, .. } = decoded;
        let name = if text.starts_with("data:") { "environment" } else { text };
        let image = Image { name: super::cut(name), width, height, pixels };
        let image = super::push(&mut self.scene.images, image);
        let (strength, rotation) = (source.strength, source.rotation.to_radians());
        self.scene.environment = Some(Environment::Map { image, strength, rotation });
        Ok(())
    }

    fn read_wishes(&mut self, owner: String, wishes: Wishes) -> Result<(), ImportError> {
        let problem = match &wishes {
            Wishes { samples: Some(0), .. } => Some("asks for 0 samples"),
            Wishes { resolution: Some([0, _] | [_, 0]), .. } => Some("asks for 0 pixels"),
            Wishes { exposure: Some(stops), .. } if stops.abs() > 100.0 => {
                Some("asks for an exposure beyond ±100 stops")
            }
            Wishes { view: Some(view), .. } if view.len() > 80 => Some("asks for too long a view"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(ImportError::ExtrasProblem { owner, problem });
        }
        self.wishes = wishes;
        Ok(())
    }
}
