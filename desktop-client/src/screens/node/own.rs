//! The node of this machine: one button, what it is at and why, what it has earned, how it is.

use std::time::Duration;

use egui::{Align, Layout, RichText, Ui};

use super::{earnings, limits};
use crate::command::{Commands, action};
use crate::state::State;
use crate::state::node::{Doing, Run, Vitals};
use crate::theme::{palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{action_button, action_button_as, bar, caption, card, dim, fact, number};
use crate::words;

/// Width from which cards stand side by side.
const SIDE_BY_SIDE: f32 = 720.0;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    if ui.available_width() < SIDE_BY_SIDE {
        lending(state, ui, commands);
        limits::show(state, ui, commands);
        return;
    }
    ui.columns(2, |columns| {
        let [left, right] = columns else { return };
        lending(state, left, commands);
        limits::show(state, right, commands);
    });
}

fn lending(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let node = &state.node;
    card(ui, |ui| {
        ladder(state, ui);
        ui.add_space(space::ITEM);
        buttons(state, ui, commands);
        if node.run == Run::Off {
            ui.add_space(space::TINY);
            dim(
                ui,
                "It renders scene files and runs no scripts, in a process that is locked in. You \
                 can stop at any time: a tile that is given back costs nothing",
            );
        }
    });
    if node.run != Run::Off {
        card(ui, |ui| since_start(state, ui));
    }
    earnings::show(state, ui, commands);
    if let Some(vitals) = &node.vitals {
        card(ui, |ui| machine(vitals, ui));
    }
    if !node.lines.is_empty() {
        card(ui, |ui| {
            caption(ui, "What it said");
            for line in node.lines.iter().rev().take(6) {
                dim(ui, line);
            }
        });
    }
}

/// What it is at, and why.
fn ladder(state: &State, ui: &mut Ui) {
    let (node, colours) = (&state.node, palette(ui));
    let (mark, colour) = match (node.run, &node.doing) {
        (Run::Off, _) if node.trouble.is_some() => (Icon::Warning, colours.error),
        (Run::Off, _) => (Icon::Cross, colours.text_dim),
        (Run::Preparing | Run::Stopping, _) => (Icon::Arrows, colours.warn),
        (Run::Up, _) if !node.is_connected => (Icon::Arrows, colours.warn),
        (Run::Up, Doing::Paused { .. } | Doing::Finishing) => (Icon::Pause, colours.text_dim),
        (Run::Up, Doing::Waiting) => (Icon::Clock, colours.ok),
        (Run::Up, Doing::Fetching { .. }) => (Icon::Download, colours.running),
        (Run::Up, Doing::Rendering { .. }) => (Icon::Ring, colours.running),
    };
    let rung = node.rung();
    ui.horizontal(|ui| {
        icon::show(ui, mark, 20.0, colour);
        ui.label(RichText::new(rung.name).size(18.0).color(colours.text));
    });
    let is_idle = node.run == Run::Up && node.is_connected && node.doing == Doing::Waiting;
    if is_idle {
        dim(ui, state.why_no_work());
    } else if !rung.more.is_empty() {
        dim(ui, rung.more);
    }
    if let Some(backend) = &node.backend {
        dim(ui, backend);
    }
    if let Doing::Fetching { come, of } = node.doing {
        let share = come as f32 / of.max(1) as f32;
        let words = format!("{} of {} fetched", words::bytes(come), words::bytes(of));
        let width = ui.available_width();
        bar(ui, width, share, colours.running, &words);
    }
}

fn buttons(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let node = &state.node;
    ui.horizontal_wrapped(|ui| {
        let start = action("Start or pause my node");
        match (node.run, node.hold) {
            (Run::Off, _) => {
                action_button_as(ui, state, start, "Start", true, commands);
            }
            (_, None) => {
                action_button_as(ui, state, start, "Finish this tile, then pause", false, commands);
                let now = action("Stop the tile at once and pause my node");
                action_button_as(ui, state, now, "Pause now", false, commands);
            }
            (_, Some(_)) => {
                action_button_as(ui, state, start, "Go on", true, commands);
            }
        }
        if node.may_run_anyway() {
            action_button(ui, state, action("Run anyway for an hour"), false, commands);
        }
        if node.job().is_some() && !state.is_on_own_farm() {
            let refuse = action("Refuse the job at hand…");
            action_button_as(ui, state, refuse, "Not this job…", false, commands);
        }
        if node.run != Run::Off {
            action_button_as(ui, state, action("Stop my node"), "Stop", false, commands);
        }
    });
}

/// What has come of it since it was started.
fn since_start(state: &State, ui: &mut Ui) {
    let node = &state.node;
    caption(ui, "Since it was started");
    let paid = protocol::Tokens::from_micro(node.paid_micro);
    let tiles = words::plural(node.accepted, "tile accepted", "tiles accepted");
    ui.horizontal(|ui| {
        if state.book.is_free() {
            dim(ui, tiles);
            return;
        }
        number(ui, words::tokens(paid), 20.0).on_hover_text("Paid, some of it held for a while");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            dim(ui, tiles);
        });
    });
    if node.refused > 0 {
        let words = words::plural(node.refused, "result refused", "results refused");
        ui.label(RichText::new(words).color(palette(ui).error));
    }
    if let Some(rays) = node.rays_per_second {
        fact(ui, "Speed", &format!("{} rays/s", words::count(rays)));
    }
    if let Some((_kind, seconds)) = &node.yielded {
        let took = Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
        fact(ui, "Last left the machine to you within", &format!("{} ms", took.as_millis()));
    }
}

/// How the machine is; what its drivers do not tell is not drawn.
fn machine(vitals: &Vitals, ui: &mut Ui) {
    caption(ui, "This machine now");
    for card in &vitals.cards {
        let parts = [
            card.temperature_c.map(|c| format!("{c:.0} °C")),
            card.power_w.map(|w| format!("{w:.0} W")),
            card.fan_percent.map(|fan| format!("fan {fan} %")),
            card.memory
                .map(|(used, all)| format!("{} of {}", words::bytes(used), words::bytes(all))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        fact(ui, &card.name, &parts.join(" · "));
    }
    if let Some(c) = vitals.cpu_temperature_c {
        fact(ui, "Processor", &format!("{c:.0} °C"));
    }
    fact(ui, "Scenes on disk", &words::bytes(vitals.cache_bytes));
    fact(ui, "Fetched", &words::bytes(vitals.fetched_bytes));
    fact(ui, "Sent", &words::bytes(vitals.sent_bytes));
}
