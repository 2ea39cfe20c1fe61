//! Before there is a farm: ask for its ticket, and wait for its first word.

use egui::{Align, Id, Key, Layout, RichText, TextEdit, Ui, Vec2};

use crate::command::{Command, Commands, action};
use crate::state::own_farm::OwnFarm;
use crate::state::{Link, State};
use crate::theme::palette;
use crate::widgets::icon::Icon;
use crate::widgets::{action_button, caption, card, dim, empty, loading, primary_button};

/// Width of the choices.
const WIDTH: f32 = 480.0;

/// The first screen where a farm is needed: join one, or start one.
pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let hint = "A farm renders your scenes on many machines, and pays you for lending yours";
    empty(ui, Icon::Cube, "Connect to a farm", hint, |ui| {
        ui.allocate_ui(Vec2::new(WIDTH, 0.0), |ui| {
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                card(ui, |ui| {
                    caption(ui, "Join one");
                    ticket_field(ui, "", commands);
                    dim(ui, "Its ticket is one word that begins with farm; whoever runs it has it");
                });
                card(ui, |ui| {
                    caption(ui, "Or start your own");
                    own_farm(state, ui, commands);
                });
            });
        });
    });
}

/// Starts a farm on this machine.
pub(super) fn own_farm(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let words = match &state.own_farm {
        OwnFarm::Off => {
            "A private farm on this machine, with this machine as its first node. It costs \
             nothing, and nobody gets in without its ticket"
        }
        OwnFarm::Starting => "It starts",
        OwnFarm::Up { .. } => "It runs, until this app ends",
        OwnFarm::Failed { why } => why,
    };
    dim(ui, words);
    match &state.own_farm {
        OwnFarm::Up { .. } => {
            if ui.button("Stop it").clicked() {
                commands.push(Command::StopOwnFarm);
            }
        }
        OwnFarm::Starting => {
            ui.spinner();
        }
        OwnFarm::Off | OwnFarm::Failed { .. } => {
            let start = action("Start a farm on this machine");
            action_button(ui, state, start, false, commands);
        }
    }
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
