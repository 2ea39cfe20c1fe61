//! Before there is a farm: ask for its ticket, and wait for its first word.

use egui::{Id, Key, RichText, TextEdit, Ui, Vec2};

use crate::command::{Command, Commands};
use crate::state::{Link, State};
use crate::theme::{palette, space};
use crate::widgets::icon::Icon;
use crate::widgets::{empty, loading, primary_button};

/// The first screen of the first start.
pub(super) fn show(ui: &mut Ui, commands: &mut Commands) {
    let hint = "Paste the ticket that its scheduler printed: one word that begins with farm";
    empty(ui, Icon::Cube, "Connect to a farm", hint, |ui| {
        ui.allocate_ui(Vec2::new(460.0, space::CONTROL), |ui| {
            ticket_field(ui, "", commands);
        });
    });
}

/// A field for a ticket with its button.
pub(super) fn ticket_field(ui: &mut Ui, current: &str, commands: &mut Commands) {
    let id = Id::new(("ticket", current));
    let mut text: String = ui.data(|data| data.get_temp(id)).unwrap_or_else(|| current.to_owned());
    ui.horizontal(|ui| {
        let label = ui.label("Farm ticket");
        let width = (ui.available_width() - 83.0).max(120.0);
        let field = TextEdit::singleline(&mut text)
            .hint_text("farm…")
            .desired_width(width)
            .margin(egui::Margin::symmetric(8, 6));
        let field = ui.add(field).labelled_by(label.id);
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let pressed = primary_button(ui, "Connect").clicked();
        if (pressed || entered) && !text.trim().is_empty() {
            commands.push(Command::Connect(text.clone()));
        }
    });
    ui.data_mut(|data| data.insert_temp(id, text));
}

/// Nothing has been heard of the farm yet.
pub(super) fn first_contact(state: &State, ui: &mut Ui) {
    match &state.link {
        Link::Connecting | Link::Connected => loading(ui, "Connecting to the farm"),
        Link::NoFarm | Link::Lost { .. } | Link::Unusable { .. } => {
            let hint = "Check that its scheduler runs, or enter another ticket under Settings";
            empty(ui, Icon::Warning, "The farm does not answer", hint, |ui| {
                let ticket: String = state.ticket.chars().take(24).collect();
                let colour = palette(ui).text_dim;
                ui.label(RichText::new(format!("{ticket}…")).monospace().color(colour));
            });
        }
    }
}
