//! Which farm, who one is, how it looks.

use egui::{RichText, ThemePreference, Ui};

use super::connect::ticket_field;
use crate::command::{Command, Commands};
use crate::state::{Link, State};
use crate::theme::{self, palette, space};
use crate::widgets::{caption, card, dim, heading};

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    heading(ui, "Settings");
    ui.add_space(space::ITEM);
    ui.set_max_width(760.0);
    card(ui, |ui| {
        caption(ui, "Farm");
        ticket_field(ui, &state.ticket, commands);
        match &state.link {
            Link::NoFarm => dim(ui, "No farm yet"),
            Link::Connecting => dim(ui, "Connecting"),
            Link::Connected => dim(ui, "Connected"),
            Link::Lost { why, .. } | Link::Unusable { why } => {
                let text = RichText::new(why).color(palette(ui).error);
                ui.add(egui::Label::new(text).wrap())
            }
        };
    });
    card(ui, |ui| {
        caption(ui, "Your key");
        match &state.identity {
            None => {
                dim(ui, "Not read yet");
            }
            Some(identity) => {
                let key = identity.key.to_string();
                ui.add(egui::Label::new(RichText::new(&key).font(theme::mono(12.0))).wrap());
                dim(ui, "It is your account. Tell it to whoever should send you tokens");
                if ui.button("Copy key").clicked() {
                    commands.push(Command::Copy(key));
                }
                let path = &identity.path;
                dim(ui, format!("Its secret half never leaves this file; keep a copy: {path}"));
            }
        }
    });
    card(ui, |ui| {
        caption(ui, "Appearance");
        let current = ui.ctx().options(|options| options.theme_preference);
        ui.horizontal(|ui| {
            for (preference, word) in [
                (ThemePreference::System, "As the system"),
                (ThemePreference::Dark, "Dark"),
                (ThemePreference::Light, "Light"),
            ] {
                if ui.selectable_label(current == preference, word).clicked() {
                    ui.ctx().set_theme(preference);
                }
            }
        });
    });
    dim(ui, format!("Tessera {}", env!("CARGO_PKG_VERSION")));
}
