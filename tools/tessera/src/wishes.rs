//! What a scene's file asks of its pictures: the defaults of what nobody has said.

use client::description::Description;
use client::pictures::{VIEWS, view_name, view_named};
use client::{DescriptionError, SceneAsks};
use film::{Look, View};
use protocol::{CameraChoice, PublicKey, RenderSettings, SceneId};
use scene::{Imported, Scene};

use crate::options::first_camera;
use crate::output::{self, OutputArgs};

/// What a scene asks of the pictures of a camera.
pub fn asks_of(imported: &Imported, camera: &CameraChoice) -> SceneAsks {
    SceneAsks { shutter: shutter_of(&imported.scene, camera), ..SceneAsks::of(imported) }
}

/// How long the shutter of a camera that looks is open.
pub fn shutter_of(scene: &Scene, camera: &CameraChoice) -> Option<f32> {
    Some(renderer::scene_shutter(scene, camera)).filter(|share| *share > 0.0)
}

/// Settings of a render here, one of each camera that looks, which may each have a shutter of its
/// own.
///
/// # Errors
/// The first field that is not usable.
pub fn views(
    description: &Description,
    imported: &Imported,
) -> Result<Vec<RenderSettings>, DescriptionError> {
    let one = |camera: CameraChoice| {
        let asks = asks_of(imported, &camera);
        let alone = match &camera {
            CameraChoice::Named(name) => vec![name.clone()],
            CameraChoice::Default | CameraChoice::LookAt { .. } => Vec::new(),
        };
        let described = Description { cameras: alone, ..description.clone() };
        Ok(described.spec(SceneId([0; 32]), &asks, NOBODY)?.settings)
    };
    description.camera_choices()?.into_iter().map(one).collect()
}

/// Whose job it is that is rendered here, or not ordered yet.
pub const NOBODY: PublicKey = PublicKey([0; 32]);

/// What the views of PNGs are to be where no option says so.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    view: Option<View>,
    exposure_ev: Option<f32>,
}

impl Seen {
    /// What a scene asks and the options leave open; says which view is not known. Without `output`
    /// nobody looks at a picture here.
    pub fn of(asks: &SceneAsks, output: Option<&OutputArgs>) -> Self {
        let name = asks.view.as_deref().filter(|_| output.is_some_and(|it| it.view.is_none()));
        let view = name.and_then(view_named);
        if let (Some(name), None) = (name, view) {
            let names = VIEWS.map(|(_, name)| name).join(", ");
            note!("  warning     the scene asks for a view that is none of {names}: {name}");
        }
        let exposure_ev = asks.exposure.filter(|_| output.is_some_and(|it| it.exposure.is_none()));
        Self { view, exposure_ev }
    }

    /// Changes of a look what the scene asks.
    pub fn set(&self, look: &mut Look) {
        output::set(look, self.view, self.exposure_ev);
    }
}

/// Says on standard error what of a job is as the scene asks.
pub fn say(description: &Description, asks: &SceneAsks, seen: &Seen) {
    let shutter = asks.shutter.filter(|_| description.shutter.is_none());
    let shutter =
        shutter.filter(|_| !matches!(first_camera(description), CameraChoice::LookAt { .. }));
    let words = [
        asks.size.filter(|_| description.size.is_none()).map(|[x, y]| format!("{x}x{y}")),
        asks.samples
            .filter(|_| description.samples.is_none())
            .map(|samples| format!("{samples} samples")),
        shutter.map(|share| format!("a shutter of {share} frames")),
        seen.view.map(|view| view_name(view).to_owned()),
        seen.exposure_ev.map(|stops| format!("{stops:+} EV")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    if !words.is_empty() {
        note!("  from the scene: {}", words.join(", "));
    }
}
