//! Nothing is on the stage: where a scene comes from.

use egui::{RichText, Ui};

use crate::command::{Command, Commands, action};
use crate::state::State;
use crate::theme::{palette, space};
use crate::widgets::icon::Icon;
use crate::widgets::{self, action_button, card, dim};

/// The width of what stands in the middle.
const WIDTH: f32 = 460.0;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    if let Some(path) = &state.stage.opening {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return widgets::loading(ui, &format!("Reading {name}"));
    }
    let zone = egui::Rect::from_center_size(
        ui.max_rect().center_top() + egui::vec2(0.0, ui.max_rect().height() * 0.36),
        egui::vec2(WIDTH + 80.0, 240.0),
    );
    let corners = [
        zone.left_top(),
        zone.right_top(),
        zone.right_bottom(),
        zone.left_bottom(),
        zone.left_top(),
    ];
    let line = egui::Stroke::new(1.5, palette(ui).border);
    ui.painter().extend(egui::Shape::dashed_line(&corners, line, 8.0, 6.0));
    let hint = ".glb or .gltf, 4 GB at most; anywhere in this window";
    widgets::empty(ui, Icon::Cube, "Drop a scene to render it", hint, |ui| {
        action_button(ui, state, action("Open scene…"), true, commands);
        if let Some(trouble) = &state.stage.trouble {
            ui.add_space(space::PAGE);
            ui.allocate_ui(egui::vec2(WIDTH, 0.0), |ui| not_read(ui, trouble, commands));
        }
        if !state.settings.recent.is_empty() {
            ui.add_space(space::SECTION);
            ui.allocate_ui(egui::vec2(WIDTH, 0.0), |ui| recent(state, ui, commands));
        }
    });
}

/// Why the last file is not on the stage.
pub(super) fn not_read(
    ui: &mut Ui,
    trouble: &crate::state::stage::Trouble,
    commands: &mut Commands,
) {
    let name = trouble.path.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("{name} cannot be opened");
    let why = format!("{}\n{}", trouble.why, trouble.path.display());
    if widgets::error_card(ui, &title, &why, commands) {
        commands.push(Command::OpenScene(trouble.path.clone()));
    }
}

/// Scenes that were opened before.
fn recent(state: &State, ui: &mut Ui, commands: &mut Commands) {
    card(ui, |ui| {
        widgets::caption(ui, "Opened before");
        for path in state.settings.recent.iter().take(5) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let folder = path.parent().map(|it| it.display().to_string()).unwrap_or_default();
            ui.horizontal(|ui| {
                let words = RichText::new(&name).color(palette(ui).text);
                if ui.link(words).on_hover_text(path.display().to_string()).clicked() {
                    commands.push(Command::OpenScene(path.clone()));
                }
                ui.add(
                    egui::Label::new(RichText::new(folder).color(palette(ui).text_dim)).truncate(),
                );
            });
        }
        if state.settings.recent.is_empty() {
            dim(ui, "None yet");
        }
    });
}
