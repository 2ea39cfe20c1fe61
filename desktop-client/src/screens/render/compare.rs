//! What is kept in A and B, and how it is looked at.

use egui::Ui;

use crate::command::{Command, Commands, action};
use crate::state::State;
use crate::state::compare::{BOOST_EV_MAX, Showing, Slot, Wish};
use crate::theme::space;
use crate::widgets::{self, action_button_as, card, dim, segmented, slider};

/// The card of the slots.
pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let compare = &state.compare;
    card(ui, |ui| {
        widgets::caption(ui, "Compare");
        for slot in [Slot::A, Slot::B] {
            ui.horizontal(|ui| {
                let words = match slot {
                    Slot::A => "Keep in slot A",
                    Slot::B => "Keep in slot B",
                };
                let short = format!("Keep in {}", slot.word());
                action_button_as(ui, state, action(words), &short, false, commands);
                match compare.kept(slot) {
                    Some(kept) => dim(ui, &kept.name),
                    None => dim(ui, "Empty"),
                };
            });
        }
        let choices = [
            (Showing::Live, "Live"),
            (Showing::Kept(Slot::A), "A"),
            (Showing::Kept(Slot::B), "B"),
            (Showing::Wipe, "Wipe"),
            (Showing::Difference, "Diff"),
        ];
        let possible: Vec<_> =
            choices.into_iter().filter(|(showing, _)| compare.can_show(*showing)).collect();
        if possible.len() > 1 {
            ui.add_space(space::TINY);
            if let Some(showing) = segmented(ui, Some(compare.showing), &possible) {
                commands.push(Command::Compare(Wish::Show(showing)));
            }
        }
        if compare.showing == Showing::Wipe {
            let mut percent = compare.wipe * 100.0;
            slider(ui, "Line", &mut percent, 0.0..=100.0, (" %", 0));
            if (percent / 100.0 - compare.wipe).abs() > 1e-4 {
                commands.push(Command::Compare(Wish::Wipe(percent / 100.0)));
            }
        }
        if compare.showing == Showing::Difference {
            let mut boost = compare.boost_ev;
            slider(ui, "Boost", &mut boost, 0.0..=BOOST_EV_MAX, (" EV", 1));
            if (boost - compare.boost_ev).abs() > 1e-4 {
                commands.push(Command::Compare(Wish::Boost(boost)));
            }
            dim(ui, "The light of one less the other's, without its sign and without a view");
        }
    });
}

/// The canvas of what is kept, in the place of the picture that is being made.
pub(super) fn canvas(state: &State, ui: &mut Ui, room: egui::Vec2, commands: &mut Commands) {
    let compared = widgets::compare(ui, &state.compare, &state.look, state.port, room);
    if compared.port != state.port {
        commands.push(Command::SetPort(compared.port));
    }
    if let Some(at) = compared.wipe {
        commands.push(Command::Compare(Wish::Wipe(at)));
    }
}
