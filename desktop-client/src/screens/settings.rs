//! Which farm, who one is, how it looks.

use egui::{Align, Layout, RichText, Ui};

use super::connect::{own_farm, ticket_field};
use crate::command::{Command, Commands, action};
use crate::state::settings::Theme;
use crate::state::{Link, State};
use crate::theme::{self, palette, space};
use crate::widgets::{action_button, action_button_as, caption, card, check, dim, heading};

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    heading(ui, "Settings");
    ui.add_space(space::ITEM);
    ui.set_max_width(760.0);
    card(ui, |ui| {
        caption(ui, "Farm");
        ticket_field(ui, &state.ticket, commands);
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                action_button(ui, state, action("List blocked nodes"), false, commands);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| link(state, ui));
            });
        });
    });
    card(ui, |ui| {
        caption(ui, "A farm of your own");
        own_farm(state, ui, commands);
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
                dim(ui, "It is your account: your tokens, your jobs and your nodes belong to it");
                ui.horizontal(|ui| {
                    if ui.button("Copy key").clicked() {
                        commands.push(Command::Copy(key));
                    }
                    action_button(ui, state, action("Back up the key…"), false, commands);
                });
                let path = &identity.path;
                dim(ui, format!("Its secret half never leaves this file; keep a copy: {path}"));
            }
        }
    });
    card(ui, |ui| {
        caption(ui, "Appearance");
        ui.horizontal(|ui| {
            for (theme, word) in
                [(Theme::System, "As the system"), (Theme::Dark, "Dark"), (Theme::Light, "Light")]
            {
                if ui.selectable_label(state.settings.theme == theme, word).clicked() {
                    commands.push(Command::SetTheme(theme));
                }
            }
        });
        ui.horizontal(|ui| {
            ui.label("Size of everything");
            for words in ["Make everything smaller", "Make everything larger"] {
                let short = if words.ends_with("larger") { "Larger" } else { "Smaller" };
                action_button_as(ui, state, action(words), short, false, commands);
            }
            dim(ui, format!("{:.0} %", state.settings.zoom * 100.0));
        });
    });
    // What a screen shows is what is: the box is ticked once the entry is written.
    if let Some(mut with_session) = state.with_session {
        card(ui, |ui| {
            caption(ui, "This machine");
            let words = "Lend it from the start of the session";
            if check(ui, &mut with_session, words).changed() {
                commands.push(Command::StartWithSession(with_session));
            }
            dim(
                ui,
                "The app starts with your session, minimised, and your node with it. It keeps to \
                 the limits under My node",
            );
        });
    }
    card(ui, |ui| {
        caption(ui, "Prices");
        let mut ahead = state.settings.sends_ahead;
        let words = "Send scenes ahead for a firm price";
        if check(ui, &mut ahead, words).changed() {
            commands.push(Command::SendAhead(ahead));
        }
        dim(
            ui,
            "A farm needs the scene to say what it costs. The farm sees it then, its nodes do not \
             before you order",
        );
    });
    dim(ui, format!("Tessera {}", env!("CARGO_PKG_VERSION")));
}

/// How it stands with the farm.
fn link(state: &State, ui: &mut Ui) {
    match &state.link {
        Link::NoFarm => dim(ui, "No farm yet"),
        Link::Connecting => dim(ui, "Connecting"),
        Link::Connected => dim(ui, "Connected"),
        Link::Lost { why, .. } | Link::Unusable { why } => {
            let text = RichText::new(why).color(palette(ui).error);
            ui.add(egui::Label::new(text).wrap())
        }
    };
}
