//! Which scene is opened: a path, completed as one types, or one that was opened before.

use egui::{Key, Modifiers, RichText, ScrollArea, TextEdit, Ui};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::sheet::Sheet;
use crate::state::stage::Surroundings;
use crate::theme::{palette, space};
use crate::widgets::{self, dim, primary_button};

/// A field for a path; says whether it was entered.
pub(super) fn field(ui: &mut Ui, name: &str, hint: &str, typed: &mut String) -> bool {
    let label = dim(ui, name);
    let field = TextEdit::singleline(typed)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .margin(egui::Margin::symmetric(8, 6));
    let field = ui.add(field).labelled_by(label.id);
    // Enter takes the focus away, and is looked for before the field takes it back.
    let is_entered =
        field.lost_focus() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
    if !field.has_focus() && ui.memory(|memory| memory.focused().is_none()) {
        field.request_focus();
    }
    is_entered
}

/// Which image lights the scene.
pub(super) fn light(path: &str, ui: &mut Ui, commands: &mut Commands) {
    let mut typed = path.to_owned();
    let name = "Equirectangular image, .hdr";
    let entered = field(ui, name, "/home/you/studio.hdr", &mut typed);
    if typed != path {
        commands.push(Command::Sheet(Some(Sheet::Surround { path: typed.clone() })));
    }
    ui.horizontal(|ui| {
        let pressed = primary_button(ui, "Light with it").clicked();
        if (pressed || entered) && !typed.trim().is_empty() {
            let surroundings = Surroundings::of(typed.trim().into());
            commands.push(Command::Surround(Some(surroundings)));
        }
        dim(ui, "It can also be dropped on the scene");
    });
}

pub(super) fn show(state: &State, path: &str, ui: &mut Ui, commands: &mut Commands) {
    let mut typed = path.to_owned();
    let entered = field(ui, "File, .glb or .gltf", "/home/you/scene.glb", &mut typed);
    if typed != path {
        commands.push(Command::Sheet(Some(Sheet::OpenScene { path: typed.clone() })));
    }
    ui.horizontal(|ui| {
        let pressed = primary_button(ui, "Open").clicked();
        if (pressed || entered) && !typed.trim().is_empty() {
            commands.push(Command::OpenScene(typed.trim().into()));
        }
        dim(ui, "A file can also be dropped anywhere in the window");
    });
    if state.settings.recent.is_empty() {
        return;
    }
    ui.add_space(space::ITEM);
    widgets::caption(ui, "Opened before");
    ScrollArea::vertical().max_height(220.0).show(ui, |ui| {
        for recent in &state.settings.recent {
            let shown = recent.display().to_string();
            if ui.link(RichText::new(&shown).color(palette(ui).text)).clicked() {
                commands.push(Command::OpenScene(recent.clone()));
            }
        }
    });
}
