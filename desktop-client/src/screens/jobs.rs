//! Every job of the caller, a row each; what is chosen can be steered together.

mod actions;
mod filter;
mod table;

use egui::{Key, Modifiers, RichText, Ui};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::jobs::Wish;
use crate::theme::{palette, space};
use crate::widgets::icon::Icon;
use crate::widgets::{self, fetched};
use crate::words;

/// Rows that a page key goes.
const PAGE_ROWS: isize = 20;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let Some(jobs) = fetched(ui, &state.book.jobs, "Loading your jobs", commands) else { return };
    if jobs.is_empty() {
        return no_jobs(ui, state, commands);
    }
    walk(state, ui, commands);
    filter::show(state, ui, commands);
    if state.jobs.rows().is_empty() {
        return none_match(state, jobs.len(), ui, commands);
    }
    actions::show(state, ui, commands);
    table::show(state, ui, commands);
}

/// Keys that go through the list, while they mean nothing else.
fn walk(state: &State, ui: &Ui, commands: &mut Commands) {
    if state.sheet.is_some() || ui.ctx().egui_wants_keyboard_input() {
        return;
    }
    let steps = [
        (Key::ArrowDown, 1),
        (Key::ArrowUp, -1),
        (Key::PageDown, PAGE_ROWS),
        (Key::PageUp, -PAGE_ROWS),
        (Key::End, isize::MAX),
        (Key::Home, -isize::MAX),
    ];
    for (key, by) in steps {
        for (modifiers, extends) in [(Modifiers::SHIFT, true), (Modifiers::NONE, false)] {
            if ui.input_mut(|input| input.consume_key(modifiers, key)) {
                commands.push(Command::Jobs(Wish::Step { by, extends }));
            }
        }
    }
}

/// The name over a column.
pub(super) fn column_name(ui: &mut Ui, name: &str, right: bool) {
    let text = RichText::new(name).size(12.0).color(palette(ui).text_dim);
    if right {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.add_space(space::ITEM);
            ui.label(text);
        });
    } else {
        ui.label(text);
    }
}

/// A studio's first sight.
fn no_jobs(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let hint = "Open a scene here, or submit one from a terminal; each job is a row of this page";
    widgets::empty(ui, Icon::List, "No jobs yet", hint, |ui| {
        let command = "tessera jobs submit scene.glb --farm $TESSERA_FARM -o frame.exr";
        if widgets::terminal_line(ui, command) {
            let command = command.replace("$TESSERA_FARM", &state.ticket);
            commands.push(Command::Copy(command));
        }
    });
}

/// The filter holds none of them.
fn none_match(state: &State, count: usize, ui: &mut Ui, commands: &mut Commands) {
    let title = format!("No jobs match {}", state.settings.jobs.filter.trim());
    let hint = match count {
        1 => "The one job that you have is filtered out".to_owned(),
        count => {
            format!("All of your {} are filtered out", words::plural(count as u64, "job", "jobs"))
        }
    };
    widgets::empty(ui, Icon::List, &title, &hint, |ui| {
        if ui.button("Clear filter").clicked() {
            commands.push(Command::Jobs(Wish::Filter(String::new())));
        }
    });
}
