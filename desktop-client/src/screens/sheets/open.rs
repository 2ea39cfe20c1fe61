//! Which scene is opened: a path, completed as one types, or one that was opened before.

use egui::{Key, Modifiers, RichText, ScrollArea, TextEdit, Ui};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::sheet::Sheet;
use crate::theme::{palette, space};
use crate::widgets::{self, dim, primary_button};

pub(super) fn show(state: &State, path: &str, ui: &mut Ui, commands: &mut Commands) {
    let mut typed = path.to_owned();
    let label = dim(ui, "File, .glb or .gltf");
    let field = TextEdit::singleline(&mut typed)
        .hint_text("/home/you/scene.glb")
        .desired_width(f32::INFINITY)
        .margin(egui::Margin::symmetric(8, 6));
    let field = ui.add(field).labelled_by(label.id);
    if !field.has_focus() && ui.memory(|memory| memory.focused().is_none()) {
        field.request_focus();
    }
    let entered =
        field.lost_focus() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
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
