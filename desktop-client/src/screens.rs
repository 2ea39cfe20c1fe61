//! What is drawn. A screen reads the state and collects commands; it does no I/O.

mod chrome;
mod connect;
mod jobs;
mod node;
mod render;
mod settings;
mod sheets;
mod wallet;

use egui::{CentralPanel, Frame, Margin, Panel, Ui};

use crate::command::Commands;
use crate::state::{Door, Link, State};
use crate::theme::{palette, space};

/// Draws the whole window.
pub fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let colours = palette(ui);
    let bar = Frame::new().fill(colours.panel).inner_margin(Margin::symmetric(8, 3));
    Panel::bottom("status bar")
        .exact_size(space::STATUS_BAR)
        .resizable(false)
        .frame(bar)
        .show(ui, |ui| chrome::status_bar(state, ui, commands));
    let rail = Frame::new().fill(colours.panel).inner_margin(Margin::same(8));
    Panel::left("rail")
        .exact_size(space::RAIL)
        .resizable(false)
        .frame(rail)
        .show(ui, |ui| chrome::rail(state, ui, commands));
    let page = Frame::new().fill(colours.bg).inner_margin(Margin::same(space::PAGE as i8));
    CentralPanel::default().frame(page).show(ui, |ui| {
        // A scene is prepared without a farm; a job needs none to be looked at once it is here.
        match state.door {
            Door::Settings => return settings::show(state, ui, commands),
            Door::Render if state.shows_stage() => {
                chrome::trouble(state, ui, commands);
                return render::show(state, ui, commands);
            }
            _other => {}
        }
        if matches!(state.link, Link::NoFarm) {
            return connect::show(state, ui, commands);
        }
        chrome::trouble(state, ui, commands);
        if state.heard_ms.is_none() {
            return connect::first_contact(state, ui);
        }
        match state.door {
            Door::Render => render::show(state, ui, commands),
            Door::MyNode => node::show(state, ui, commands),
            Door::Jobs => jobs::show(state, ui, commands),
            Door::Wallet => wallet::show(state, ui, commands),
            Door::Settings => {}
        }
    });
    chrome::dropping(ui);
    sheets::show(state, ui, commands);
    sheets::toasts(state, ui, commands);
}
