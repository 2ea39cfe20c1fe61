//! Whom one keeps off one's jobs, and what it would do to keep one more off.

use egui::{Align, Button, Label, Layout, RichText, ScrollArea, Ui, WidgetInfo, WidgetType};
use protocol::NodeId;
use protocol::view::BlockView;

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::blocks::Blocking;
use crate::state::sheet::Sheet;
use crate::theme::{palette, space};
use crate::widgets::{dim, error_card, fact, primary_button};
use crate::words::{self, FARM_AWAY};

/// What it does to checking.
const WHILE_ANYBODY: &str = "Who blocks nodes chooses who renders. While anybody is blocked, your \
                             jobs get no twins from the reserve but three times the checked pixels \
                             where one was due, and nodes make no name by them";

/// Asks whether a node is to be blocked.
pub(super) fn ask(
    state: &State,
    nodes: &[NodeId],
    node: NodeId,
    ui: &mut Ui,
    commands: &mut Commands,
) {
    if nodes.len() == 1 {
        fact(ui, "Node", &state.book.words_of_node(node));
    } else {
        dim(ui, "Several nodes rendered this tile");
        ScrollArea::vertical().max_height(160.0).show(ui, |ui| {
            for other in nodes {
                if ui.radio(*other == node, state.book.words_of_node(*other)).clicked() {
                    let sheet = Sheet::Block { nodes: nodes.to_vec(), node: *other };
                    commands.push(Command::Sheet(Some(sheet)));
                }
            }
        });
    }
    dim(
        ui,
        "It gets nothing of your jobs from now on, neither to render nor to check. What it works on \
         goes on and is paid",
    );
    dim(ui, WHILE_ANYBODY);
    ui.add_space(space::ITEM);
    ui.horizontal(|ui| {
        let is_here = !state.is_stale();
        let button = ui.add_enabled_ui(is_here, |ui| primary_button(ui, "Block node")).inner;
        if button.on_disabled_hover_text(FARM_AWAY).clicked() {
            commands.push(Command::Block(Blocking::of(node)));
        }
        if ui.button("Leave it").clicked() {
            commands.push(Command::Sheet(None));
        }
    });
}

/// Shows whom one keeps off.
pub(super) fn list(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let blocks = &state.book.blocks;
    let Some(list) = blocks.get() else {
        match &blocks.trouble {
            Some(why) if !blocks.is_asked => {
                if error_card(ui, "The farm did not answer this", why, commands) {
                    commands.push(Command::Sheet(Some(Sheet::Blocks)));
                }
            }
            _on_its_way => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    dim(ui, "Loading whom you keep off your jobs");
                });
            }
        }
        return;
    };
    if state.is_stale() {
        dim(ui, "Not connected; showing whom you had blocked");
    }
    if let Some(why) = &blocks.trouble {
        ui.add(Label::new(RichText::new(why).color(palette(ui).error)).wrap());
    }
    if list.is_empty() {
        dim(ui, "Nobody is blocked. Right-click a tile of a render to block who rendered it");
        return;
    }
    dim(ui, WHILE_ANYBODY);
    ui.add_space(space::ITEM);
    ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
        for block in list {
            row(state, block, ui, commands);
        }
    });
}

fn row(state: &State, block: &BlockView, ui: &mut Ui, commands: &mut Commands) {
    let (name, back) = (words::blocked(block), Blocking::back(block.who));
    let is_under_way = state.blocking.contains(&back);
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let word = if is_under_way { "One moment" } else { "Unblock" };
            let can = !is_under_way && !state.is_stale();
            let button = ui.add_enabled(can, Button::new(word));
            let said = format!("{word} {name}");
            button.widget_info(|| WidgetInfo::labeled(WidgetType::Button, can, &said));
            if button.on_disabled_hover_text(FARM_AWAY).clicked() {
                commands.push(Command::Block(back));
            }
            let since = format!("blocked {}", words::ago(block.since_ms, state.now_ms));
            ui.label(RichText::new(since).small().color(palette(ui).text_dim))
                .on_hover_text(words::date_time(block.since_ms));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(name).wrap());
            });
        });
    });
}
