//! What is chosen, in a line, and what can be done to all of it.

use egui::containers::menu::MenuButton;
use egui::{Align, Button, Frame, Layout, Margin, Panel, RichText, Ui, Vec2};
use protocol::ShotIndex;
use protocol::view::JobSummary;

use crate::command::{Command, Commands, action};
use crate::state::State;
use crate::state::jobs::{Deed, Wish, script};
use crate::theme::{self, palette, space};
use crate::widgets::icon;
use crate::widgets::{action_button, dim, status};
use crate::words;

/// What a deed is called, with how many it is done to.
fn words_of(deed: Deed, count: Option<usize>) -> String {
    let number = count.map(|count| format!(" {count}")).unwrap_or_default();
    match deed {
        Deed::Retry => match count {
            Some(count) => format!("Retry failed in {count}"),
            None => "Retry failed".to_owned(),
        },
        Deed::Pause => format!("Pause{number}"),
        Deed::Resume => format!("Resume{number}"),
        Deed::Prefer => "Priority…".to_owned(),
        Deed::Stop => format!("Stop{number}…"),
        Deed::Cancel => format!("Cancel{number}…"),
    }
}

/// The bar under the list.
pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let frame = Frame::new().inner_margin(Margin { top: space::ITEM as i8, ..Margin::ZERO });
    Panel::bottom("job actions").resizable(false).frame(frame).show(ui, |ui| {
        let line = Vec2::new(ui.available_width(), space::CONTROL);
        ui.allocate_ui_with_layout(line, Layout::right_to_left(Align::Center), |ui| {
            script_menu(state, ui, commands);
            action_button(ui, state, action("Copy ids"), false, commands);
            open(state, ui, commands);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| subject(state, ui));
        });
        ui.horizontal_wrapped(|ui| {
            for deed in Deed::ALL {
                button(state, deed, ui, commands);
            }
        });
    });
}

/// What is chosen.
fn subject(state: &State, ui: &mut Ui) {
    let (tally, mut chosen) = (state.jobs.tally(), state.jobs.chosen().iter());
    let one = chosen.next().filter(|_| tally.jobs == 1).and_then(|job| state.book.job(*job));
    let facts = |ui: &mut Ui, text: String| {
        ui.label(RichText::new(text).font(theme::mono(12.0)).color(palette(ui).text_dim));
    };
    match one {
        _none if tally.jobs == 0 => {
            dim(ui, "Nothing is selected");
        }
        Some(job) => {
            let colour = icon::job_colour(job.status, palette(ui));
            status(ui, icon::of_job(job.status), words::job_status(job.status), colour);
            let name = RichText::new(&job.spec.name).color(palette(ui).text);
            match &job.reason {
                Some(why) => {
                    ui.label(name);
                    let why = RichText::new(why).color(palette(ui).text_dim);
                    ui.add(egui::Label::new(why).truncate());
                }
                None => {
                    ui.add(egui::Label::new(name).truncate());
                    facts(ui, money(job));
                }
            }
        }
        None => {
            let words = format!("{} selected", words::plural(tally.jobs as u64, "job", "jobs"));
            ui.label(RichText::new(words).color(palette(ui).text));
            let mut parts = vec![words::units(tally.units_accepted, tally.units)];
            if !tally.price.is_zero() {
                parts.push(words::tokens(tally.price));
            }
            facts(ui, parts.join(" · "));
        }
    }
}

/// `31 of 60 units · 1.86 of 3.60 TES`.
fn money(job: &JobSummary) -> String {
    let units = words::units(job.units_accepted.into(), job.units.into());
    match job.price.is_zero() {
        true => units,
        false => {
            format!("{units} · {} of {}", words::bare_tokens(job.spent), words::tokens(job.price))
        }
    }
}

fn button(state: &State, deed: Deed, ui: &mut Ui, commands: &mut Commands) {
    let can = state.can_do(deed);
    let words = words_of(deed, can.ok());
    let keys = match deed {
        Deed::Retry => action("Retry failed").keys,
        Deed::Pause | Deed::Resume => action("Pause or resume").keys,
        _by_button => &[],
    };
    let keys = keys.first().map(|keys| format!("  ({})", keys.words())).unwrap_or_default();
    let meaning = match deed {
        Deed::Retry => "What nodes have failed at is tried again",
        Deed::Pause => "Nothing new is begun; what nodes have begun comes in",
        Deed::Resume => "They go on",
        Deed::Prefer => "Which of your jobs come first",
        Deed::Stop => "They end with the samples that they have",
        Deed::Cancel => "They end at once",
    };
    let button = ui.add_enabled(can.is_ok(), Button::new(words));
    let button = match can {
        Ok(_count) => button.on_hover_text(format!("{meaning}{keys}")),
        Err(why) => button.on_disabled_hover_text(why),
    };
    if button.clicked() {
        commands.push(Command::Jobs(Wish::Do(deed)));
    }
}

fn open(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let mut chosen = state.jobs.chosen().iter();
    let one = chosen.next().filter(|_| state.jobs.tally().jobs == 1);
    let button = ui.add_enabled(one.is_some(), Button::new("Open"));
    let button = button.on_hover_text("Show its picture  (Enter, or a double click)");
    let button = button.on_disabled_hover_text("Select one job first");
    if let Some(&job) = one.filter(|_| button.clicked()) {
        commands.push(Command::Watch { job, shot: ShotIndex::default() });
    }
}

/// The same for a terminal.
fn script_menu(state: &State, ui: &mut Ui, commands: &mut Commands) {
    MenuButton::new("Copy as command").ui(ui, |ui| {
        let count = state.book.job_list().len();
        let listed = script::list(&state.ticket, state.jobs.filter(), count);
        let item = ui.add_enabled(listed.is_ok(), Button::new("List of jobs"));
        let item = match &listed {
            Ok(_lines) => item,
            Err(why) => item.on_disabled_hover_text(*why),
        };
        if let Ok(lines) = listed
            && item.clicked()
        {
            commands.push(Command::Copy(lines));
            ui.close();
        }
        for deed in Deed::ALL.into_iter().filter(|deed| *deed != Deed::Prefer) {
            let can = state.can_do(deed);
            let words = words_of(deed, can.ok());
            let item = ui.add_enabled(can.is_ok(), Button::new(words.trim_end_matches('…')));
            if item.clicked() {
                let jobs = state.suited(deed);
                let lines = script::steer(&state.ticket, &jobs, deed.steering());
                commands.push(Command::Copy(lines));
                ui.close();
            }
            if let Err(why) = can {
                item.on_disabled_hover_text(why);
            }
        }
    });
}
