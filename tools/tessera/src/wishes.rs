//! What a scene's file asks of its picture: the defaults of what the command line leaves open.

use client::pictures::{VIEWS, view_name, view_named};
use film::{Look, View};
use protocol::{CameraChoice, Size};
use scene::{Imported, Scene};

use crate::options::PictureArgs;
use crate::output::{self, OutputArgs};

/// Wishes of a scene that no option stands against.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Asked {
    /// How long the shutter of the scene's camera is open, as a fraction of a frame.
    pub shutter: Option<f32>,
    /// Frame size, pixels.
    pub size: Option<Size>,
    /// Samples per pixel.
    pub samples: Option<u32>,
    /// Which view.
    pub view: Option<View>,
    /// Exposure, stops.
    pub exposure_ev: Option<f32>,
}

impl Asked {
    /// What a scene asks of a camera's picture and the options leave open; says on standard error what that is, and
    /// which view is not known. Without `output` nobody looks at a picture here.
    pub fn of(
        imported: &Imported,
        picture: &PictureArgs,
        camera: &CameraChoice,
        output: Option<&OutputArgs>,
    ) -> Self {
        let wishes = &imported.wishes;
        let view = wishes.view.as_deref().filter(|_| output.is_some_and(|o| o.view.is_none()));
        let asked = Self {
            shutter: shutter_of(&imported.scene, picture, camera),
            size: wishes
                .resolution
                .filter(|_| picture.size.is_none())
                .map(|[width, height]| Size::new(width, height)),
            samples: wishes.samples.filter(|_| picture.spp.is_none()),
            view: view.and_then(view_named),
            exposure_ev: wishes
                .exposure
                .filter(|_| output.is_some_and(|output| output.exposure.is_none())),
        };
        if let (Some(name), None) = (view, asked.view) {
            let names = VIEWS.map(|(_, name)| name).join(", ");
            eprintln!("  warning     the scene asks for a view that is none of {names}: {name}");
        }
        if let Some(line) = asked.line() {
            eprintln!("  from the scene: {line}");
        }
        asked
    }

    /// Changes of a look what the scene asks.
    pub fn set(&self, look: &mut Look) {
        output::set(look, self.view, self.exposure_ev);
    }

    fn line(&self) -> Option<String> {
        let words = [
            self.size.map(|size| size.to_string()),
            self.samples.map(|samples| format!("{samples} samples")),
            self.shutter.map(|share| format!("a shutter of {share} frames")),
            self.view.map(|view| view_name(view).to_owned()),
            self.exposure_ev.map(|stops| format!("{stops:+} EV")),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// How long the shutter of a camera that looks is open, where no option says so.
pub fn shutter_of(scene: &Scene, picture: &PictureArgs, camera: &CameraChoice) -> Option<f32> {
    let share = renderer::scene_shutter(scene, camera);
    (picture.shutter.is_none() && share > 0.0).then_some(share)
}
