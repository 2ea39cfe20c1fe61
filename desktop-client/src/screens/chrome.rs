//! Rail, status bar, and the line that says when something is wrong.

use egui::{Align, Frame, Layout, Margin, RichText, Stroke, Ui};

use crate::command::{Command, Commands, action, door_name};
use crate::state::sheet::Sheet;
use crate::state::{Door, Link, State};
use crate::theme::{self, RADIUS_CARD, palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{bar_button, row_button};
use crate::words;

/// The doors in the rail's order.
const DOORS: [Door; 5] = [Door::Render, Door::MyNode, Door::Jobs, Door::Wallet, Door::Settings];

/// The doors.
pub(super) fn rail(state: &State, ui: &mut Ui, commands: &mut Commands) {
    ui.spacing_mut().item_spacing.y = space::TINY;
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        ui.add_space(8.0);
        logo(ui);
        ui.label(RichText::new("Tessera").font(theme::sans(17.0)).color(palette(ui).text));
    });
    ui.add_space(space::CARD);
    for door in DOORS {
        if door == Door::Wallet {
            ui.add_space(2.0);
            ui.separator();
            ui.add_space(2.0);
        }
        let name = door_name(door);
        let button = row_button(ui, icon::of_door(door), name, state.door == door);
        let keys = action(&format!("Open {name}")).keys.first();
        let keys = keys.map(|keys| format!("  ({})", keys.words())).unwrap_or_default();
        if button.on_hover_text(format!("{name}{keys}")).clicked() {
            commands.push(Command::Open(door));
        }
    }
}

/// Four tiles, one lit.
fn logo(ui: &mut Ui) {
    let (rect, _response) = ui.allocate_exact_size(egui::Vec2::splat(16.0), egui::Sense::empty());
    let colours = palette(ui);
    for (x, y, colour) in [
        (0.0, 0.0, colours.text),
        (9.0, 0.0, colours.accent),
        (0.0, 9.0, colours.text_dim),
        (9.0, 9.0, colours.text),
    ] {
        let corner = rect.min + egui::Vec2::new(x, y);
        let tile = egui::Rect::from_min_size(corner, egui::Vec2::splat(7.0));
        ui.painter().rect_filled(tile, 1.5, colour);
    }
}

/// Connection, nodes, balance: each opens where more is told.
pub(super) fn status_bar(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let colours = palette(ui);
    ui.horizontal_centered(|ui| {
        let (icon, colour, word) = match &state.link {
            Link::NoFarm => (Icon::Clock, colours.text_dim, "No farm yet"),
            Link::Connecting => (Icon::Ring, colours.running, "Connecting"),
            Link::Connected => (Icon::Check, colours.ok, "Connected"),
            Link::Lost { .. } | Link::Unusable { .. } => {
                (Icon::Warning, colours.error, "Not connected")
            }
        };
        if bar_button(ui, Some((icon, colour)), word, theme::sans(13.0)).clicked() {
            commands.push(Command::Open(Door::Settings));
        }
        if let Some(farm) = state.book.farm.get() {
            let nodes = words::plural(farm.nodes.len() as u64, "node online", "nodes online");
            if bar_button(ui, None, &nodes, theme::sans(13.0)).clicked() {
                commands.push(Command::Open(Door::MyNode));
            }
            let active = u64::from(farm.jobs_active);
            if active > 0 {
                let jobs = words::plural(active, "job on the farm", "jobs on the farm");
                if bar_button(ui, None, &jobs, theme::sans(13.0)).clicked() {
                    commands.push(Command::Open(Door::Jobs));
                }
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            bell(state, ui, commands);
            if let Some(wallet) = state.book.wallet.get().filter(|_| !state.book.is_free()) {
                let balance = format!("Balance {}", words::tokens(wallet.balance));
                if bar_button(ui, None, &balance, theme::mono(12.5)).clicked() {
                    commands.push(Command::Open(Door::Wallet));
                }
            }
        });
    });
}

/// What happened, by number.
fn bell(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let unread = state.notices.unread();
    let (word, colour) = match unread {
        0 => ("Notices".to_owned(), palette(ui).text_dim),
        unread => (words::plural(unread as u64, "notice", "notices"), palette(ui).accent),
    };
    if bar_button(ui, Some((Icon::Bell, colour)), &word, theme::sans(13.0)).clicked() {
        commands.push(Command::Sheet(Some(Sheet::Notices)));
    }
}

/// A line over the screen while the farm is away: what happened, what it means, what to do.
pub(super) fn trouble(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let (text, button) = match &state.link {
        Link::Lost { why, retry_at_ms } => {
            let seconds = retry_at_ms.saturating_sub(state.now_ms).div_ceil(1000);
            let meaning = match state.heard_ms {
                Some(heard_ms) => format!(
                    "Your renders continue on the farm; showing the state from {}.",
                    words::date_time(heard_ms)
                ),
                None => format!("{why}."),
            };
            let next = match seconds {
                0 => "Trying again".to_owned(),
                _ => format!("Retrying in {seconds} s"),
            };
            (format!("Not connected. {meaning} {next}"), Some("Retry now"))
        }
        Link::Unusable { why } => (why.clone(), Some("Try again")),
        Link::Connecting if state.heard_ms.is_some() => ("Connecting again".to_owned(), None),
        Link::NoFarm | Link::Connecting | Link::Connected => return,
    };
    let colours = palette(ui);
    let frame = Frame::new()
        .fill(colours.panel)
        .stroke(Stroke::new(1.0, colours.warn))
        .corner_radius(RADIUS_CARD)
        .inner_margin(Margin::symmetric(12, 6));
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_height(space::CONTROL);
            icon::show(ui, Icon::Warning, 16.0, colours.warn);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if button.is_some_and(|words| ui.button(words).clicked()) {
                    commands.push(Command::RetryNow);
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let label = ui.add(egui::Label::new(&text).wrap());
                    if let Link::Lost { why, .. } = &state.link {
                        label.on_hover_text(why);
                    }
                });
            });
        });
    });
    ui.add_space(space::ITEM);
}

/// While a file is dragged over the window: what dropping it does.
pub(super) fn dropping(ui: &mut Ui) {
    let hovered = ui.ctx().input(|input| input.raw.hovered_files.clone());
    let Some(file) = hovered.first() else { return };
    let name = file.path.as_deref().and_then(std::path::Path::file_name);
    let words = match name {
        Some(name) => format!("Drop to open {}", name.to_string_lossy()),
        None => "Drop to open the scene".to_owned(),
    };
    let colours = palette(ui);
    let rect = ui.ctx().content_rect();
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::new("dropping"));
    let painter = ui.ctx().layer_painter(layer);
    painter.rect_filled(rect, 0.0, colours.veil);
    let inside = rect.shrink(space::SECTION);
    let corners = [
        inside.left_top(),
        inside.right_top(),
        inside.right_bottom(),
        inside.left_bottom(),
        inside.left_top(),
    ];
    let line = Stroke::new(2.0, colours.accent);
    painter.extend(egui::Shape::dashed_line(&corners, line, 10.0, 6.0));
    let font = theme::sans(22.0);
    let galley = painter.layout_no_wrap(words, font, colours.on_picture);
    painter.galley(rect.center() - galley.size() / 2.0, galley, colours.on_picture);
}
