//! The caller's nodes with what they earn and why they are trusted; then the farm's.

mod earnings;
mod limits;
mod own;

use std::time::Duration;

use egui::{Align, Layout, RichText, ScrollArea, Ui, Vec2};
use egui_extras::{Column, TableBuilder};
use protocol::view::NodeView;

use super::jobs::column_name;
use crate::command::{Command, Commands};
use crate::state::State;
use crate::theme::{self, palette, space};
use crate::widgets::icon::Icon;
use crate::widgets::{bar, caption, card, dim, fact, fetched, heading, number, segmented, status};
use crate::words;

/// A node that said nothing for this long is called silent.
const SILENT_MS: u64 = 30_000;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let panes = [(false, "This machine"), (true, "The farm")];
    if let Some(shows_farm) = segmented(ui, Some(state.shows_farm), &panes) {
        commands.push(Command::ShowFarm(shows_farm));
    }
    ui.add_space(space::TINY);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| match state.shows_farm {
        false => mine(state, ui, commands),
        true => the_farm(state, ui, commands),
    });
}

/// The node of this machine, and what the farm says of all that pay the caller.
fn mine(state: &State, ui: &mut Ui, commands: &mut Commands) {
    own::show(state, ui, commands);
    let owner = state.identity.as_ref().map(|identity| identity.key);
    let mine = owner.map_or_else(Vec::new, |owner| state.book.nodes_of(owner));
    if mine.is_empty() {
        return;
    }
    ui.add_space(space::ITEM);
    heading(ui, "As the farm sees it");
    for node in &mine {
        node_card(ui, node, state.now_ms);
    }
}

fn the_farm(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let words = "Loading the farm's nodes";
    let Some(farm) = fetched(ui, &state.book.farm, words, commands) else { return };
    card(ui, |ui| {
        ui.columns(3, |columns| {
            let [first, second, third] = columns else { return };
            fact(first, "Nodes online", &farm.nodes.len().to_string());
            fact(first, "Jobs under way", &farm.jobs_active.to_string());
            let market = &farm.market;
            fact(second, "Nodes that may work", &market.nodes_able.to_string());
            fact(second, "Of these, for the base price", &market.nodes_willing.to_string());
            let line = market.line_ms.map(Duration::from_millis).map(words::span);
            fact(third, "Work that waits", line.as_deref().unwrap_or("not known"));
            let price = words::tokens(farm.price_per_gray);
            fact(third, "Base price, a billion rays", &price);
        });
    });
    ui.add_space(space::TINY);
    if farm.nodes.is_empty() {
        dim(ui, "No node is online. Jobs wait until one comes");
    } else {
        farm_table(ui, &farm.nodes, state);
    }
}

/// What a node is doing, by what the farm knows.
fn doing(ui: &mut Ui, node: &NodeView, now_ms: u64) {
    let colours = palette(ui);
    let silent = now_ms.saturating_sub(node.seen_ms) > SILENT_MS;
    let (icon, colour, word) = if node.barred {
        (Icon::Warning, colours.error, "Barred")
    } else if silent {
        (Icon::Cross, colours.text_dim, "Silent")
    } else if node.class.is_none() {
        (Icon::Arrows, colours.warn, "Qualifying")
    } else if node.leases > 0 {
        (Icon::Ring, colours.running, "Rendering")
    } else {
        (Icon::Check, colours.ok, "Ready")
    };
    status(ui, icon, word, colour);
}

fn node_card(ui: &mut Ui, node: &NodeView, now_ms: u64) {
    card(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label(RichText::new(&node.name).size(16.0).color(palette(ui).text));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                doing(ui, node, now_ms);
            });
        });
        dim(ui, &node.backend);
        if node.barred {
            let why = "This node was convicted of a wrong result. It gets no more work, and its \
                       held pay is withheld";
            ui.label(RichText::new(why).color(palette(ui).error));
        }
        ui.add_space(space::ITEM);
        ui.columns(3, |columns| {
            let [first, second, third] = columns else { return };
            caption(first, "Earned");
            number(first, words::tokens(node.earned), 20.0)
                .on_hover_text(format!("{} TES, in the wallet", node.earned));
            dim(first, format!("{} more held for a while", words::tokens(node.held)));

            caption(second, "Reputation");
            number(second, words::reputation(node), 20.0);
            let share = node.reputation.mean_ppm as f32 / 1e6;
            let colour = palette(second).ok;
            let words = format!("Reputation {}", words::reputation(node));
            let width = (second.available_width() - space::SECTION).min(180.0);
            bar(second, width, share, colour, &words);
            dim(second, words::reputation_reason(node));

            fact(third, "Rays paid for", &words::count(node.rays.total()));
            fact(third, "Leases now", &node.leases.to_string());
            fact(third, "Last heard", &words::ago(node.seen_ms, now_ms));
            fact(third, "Id", &node.node.short());
        });
    });
}

fn farm_table(ui: &mut Ui, nodes: &[NodeView], state: &State) {
    let table = TableBuilder::new(ui)
        .id_salt("farm")
        .vscroll(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::remainder().at_least(140.0).clip(true))
        .column(Column::exact(190.0).clip(true))
        .column(Column::exact(110.0))
        .column(Column::exact(96.0))
        .column(Column::exact(236.0).clip(true))
        .column(Column::exact(72.0));
    let table = table.header(26.0, |mut row| {
        for name in ["Node", "Runs on", "Status", "Reputation", "Because of", "Rays"] {
            row.col(|ui| column_name(ui, name, name == "Rays"));
        }
    });
    table.body(|body| {
        body.rows(space::ROW - 6.0, nodes.len(), |mut row| {
            let node = &nodes[row.index()];
            row.col(|ui| {
                ui.label(&node.name).on_hover_text(node.node.to_string());
            });
            row.col(|ui| {
                let text = RichText::new(&node.backend).color(palette(ui).text_dim);
                ui.add(egui::Label::new(text).truncate());
            });
            row.col(|ui| doing(ui, node, state.now_ms));
            row.col(|ui| {
                let (size, height) = (Vec2::new(44.0, 6.0), 12.5);
                let text = RichText::new(words::reputation(node)).font(theme::mono(height));
                ui.label(text);
                let share = node.reputation.mean_ppm as f32 / 1e6;
                let words = format!("Reputation {}", words::reputation(node));
                bar(ui, size.x, share, palette(ui).text_dim, &words);
            });
            row.col(|ui| {
                let text = RichText::new(words::reputation_reason(node));
                ui.add(egui::Label::new(text.color(palette(ui).text_dim)).truncate());
            });
            row.col(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.add_space(space::ITEM);
                    let rays = words::count(node.rays.total());
                    ui.label(RichText::new(rays).font(theme::mono(12.5)));
                });
            });
        });
    });
}
