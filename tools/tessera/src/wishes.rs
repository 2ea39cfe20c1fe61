//! What a scene's file asks of its picture: the defaults of what the command line leaves open.

use clap::ValueEnum as _;
use film::Look;
use protocol::{CameraChoice, Size};
use scene::{Imported, Scene};

use crate::options::PictureArgs;
use crate::output::{self, OutputArgs, ViewName};

/// Names that Blender gives views of ours.
const BLENDERS: [(&str, ViewName); 3] = [
    ("standard", ViewName::Srgb),
    ("khronos pbr neutral", ViewName::Neutral),
    ("aces 1.3", ViewName::Aces),
];

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
    pub view: Option<ViewName>,
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
            view: view.and_then(view_of),
            exposure_ev: wishes
                .exposure
                .filter(|_| output.is_some_and(|output| output.exposure.is_none())),
        };
        if let (Some(name), None) = (view, asked.view) {
            let names: Vec<String> = ViewName::value_variants().iter().map(name_of).collect();
            let names = names.join(", ");
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
            self.view.as_ref().map(name_of),
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

/// A view by its option's value, in any case, or by Blender's name.
fn view_of(name: &str) -> Option<ViewName> {
    let lower = name.trim().to_lowercase();
    let blenders = BLENDERS.into_iter().find(|(known, _)| *known == lower);
    let ours = || ViewName::from_str(&lower.replace([' ', '_'], "-"), true).ok();
    blenders.map(|(_, view)| view).or_else(ours)
}

fn name_of(view: &ViewName) -> String {
    let value = view.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_have_our_names_and_blenders() {
        let check = |name, view| assert_eq!(view_of(name), view, "{name}");
        check("agx", Some(ViewName::Agx));
        check("AgX", Some(ViewName::Agx));
        check("AgX Punchy", Some(ViewName::AgxPunchy));
        check("agx_punchy", Some(ViewName::AgxPunchy));
        check("Standard", Some(ViewName::Srgb));
        check("Khronos PBR Neutral", Some(ViewName::Neutral));
        check("Filmic", None);
        check("", None);
    }
}
