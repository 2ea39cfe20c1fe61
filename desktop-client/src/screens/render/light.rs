//! Light that is added, and how light is seen.

use egui::{ComboBox, DragValue, Ui};
use film::{Look, View};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::sheet::Sheet;
use crate::state::stage::{Light, Staged};
use crate::theme::palette;
use crate::widgets::{self, card, check, dim, setting, slider};

/// The views as people choose them.
pub(super) const VIEWS: [(View, &str); 6] = [
    (View::Agx, "AgX"),
    (View::AgxPunchy, "AgX, punchy"),
    (View::Neutral, "Khronos Neutral"),
    (View::AcesLike, "ACES-like"),
    (View::Srgb, "Plain sRGB"),
    (View::Raw, "Raw values"),
];
/// How far light is pushed, stops.
const EXPOSURE: std::ops::RangeInclusive<f32> = -8.0..=8.0;

/// Sun and sky.
pub(super) fn show(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    let mut light = scene.light;
    card(ui, |ui| {
        widgets::caption(ui, "Light");
        check(ui, &mut light.has_sun, "Add a sun");
        if light.has_sun {
            slider(ui, "Height", &mut light.sun_elevation, 0.0..=90.0, (" °", 0));
            slider(ui, "Direction", &mut light.sun_azimuth, 0.0..=360.0, (" °", 0));
            setting(ui, "Strength", |ui| {
                let value = DragValue::new(&mut light.sun_strength).range(0.0..=1000.0);
                ui.add(value.speed(0.05).suffix(" W/m²"))
            });
        }
        check(ui, &mut light.has_sky, "Replace the surroundings by an even sky");
        if light.has_sky {
            setting(ui, "Brightness", |ui| {
                let value = DragValue::new(&mut light.sky_strength).range(0.0..=1000.0);
                ui.add(value.speed(0.02).suffix(" W/sr m²"))
            });
        }
        surroundings(scene, ui, commands);
        look(&state.look, ui, commands);
    });
    if light != scene.light {
        // Strength is dragged through values that no light has.
        let cut = Light {
            sun_strength: light.sun_strength.max(0.0),
            sky_strength: light.sky_strength.max(0.0),
            ..light
        };
        commands.push(Command::Shine(cut));
    }
}

/// The image around the scene.
fn surroundings(scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    let Some(shown) = &scene.surrounding else {
        ui.horizontal(|ui| {
            if ui.button("Light from an image…").clicked() {
                let path = String::new();
                commands.push(Command::Sheet(Some(Sheet::Surround { path })));
            }
        });
        trouble(scene, ui);
        return;
    };
    ui.horizontal(|ui| {
        if scene.surrounding != scene.surroundings {
            ui.spinner();
        }
        let name = shown.path.file_name().unwrap_or_default().to_string_lossy();
        dim(ui, name).on_hover_text(shown.path.display().to_string());
        if ui.button("Remove").clicked() {
            commands.push(Command::Surround(None));
        }
    });
    trouble(scene, ui);
    let mut new = shown.clone();
    let mut is_let_go = false;
    setting(ui, "Its brightness", |ui| {
        let value = DragValue::new(&mut new.strength).range(0.0..=1000.0).speed(0.02);
        let response = ui.add(value.update_while_editing(false));
        is_let_go |= response.changed();
        response
    });
    setting(ui, "Its turn", |ui| {
        let value = DragValue::new(&mut new.rotation_degrees).range(-360.0..=360.0);
        let response = ui.add(value.suffix(" °").update_while_editing(false));
        is_let_go |= response.changed();
        response
    });
    if is_let_go && new != *shown {
        commands.push(Command::Surround(Some(new)));
    }
}

fn trouble(scene: &Staged, ui: &mut Ui) {
    if let Some(why) = &scene.surrounding_trouble {
        let text = egui::RichText::new(why).color(palette(ui).error);
        ui.add(egui::Label::new(text).wrap());
    }
}

/// Exposure and view: they change what one sees, never the data.
pub(super) fn look(look: &Look, ui: &mut Ui, commands: &mut Commands) {
    let mut new = look.clone();
    slider(ui, "Exposure", &mut new.exposure_ev, EXPOSURE, (" EV", 2));
    let shown = VIEWS.iter().find(|(view, _)| *view == look.view).map_or("AgX", |(_, name)| name);
    setting(ui, "View", |ui| {
        let list = ComboBox::from_id_salt("view").selected_text(shown).width(150.0);
        let list = list.show_ui(ui, |ui| {
            for (view, name) in VIEWS {
                ui.selectable_value(&mut new.view, view, name);
            }
        });
        list.response
    });
    if new != *look {
        commands.push(Command::SetLook(new));
    }
}
