//! Sheets over the page, and toasts beside it.

mod blocks;
mod many;
mod open;
mod palette;
mod refuse;
mod save;
mod stop;
mod verify;
mod wallet;

use egui::{
    Align, Align2, Area, Frame, Id, Layout, Margin, Order, RichText, Sense, Stroke, Ui, Vec2,
};

use crate::command::{ACTIONS, Command, Commands, Group};
use crate::state::State;
use crate::state::notices::{Notice, Tone};
use crate::state::sheet::Sheet;
use crate::theme::{RADIUS_CARD, palette as colours_of, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{self, dim, heading};
use crate::words;

/// Draws the open sheet.
pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    match &state.sheet {
        None => {}
        Some(Sheet::OpenScene { path }) => {
            sheet(ui, "Open a scene", 560.0, commands, |ui, commands| {
                open::show(state, path, ui, commands);
            });
        }
        Some(Sheet::Surround { path }) => {
            sheet(ui, "Light from an image", 560.0, commands, |ui, commands| {
                open::light(path, ui, commands);
            });
        }
        Some(Sheet::Palette { query, chosen }) => {
            palette::show(state, query, *chosen, ui, commands)
        }
        Some(Sheet::Keys) => sheet(ui, "Keys", 620.0, commands, |ui, _| keys(ui)),
        Some(Sheet::Notices) => {
            sheet(ui, "Notices", 560.0, commands, |ui, commands| notices(state, ui, commands));
        }
        Some(Sheet::Save(save)) => {
            sheet(ui, "Save the picture", 520.0, commands, |ui, commands| {
                save::show(save, ui, commands);
            });
        }
        Some(Sheet::Verify { pixels }) => {
            sheet(ui, "Verify this frame", 600.0, commands, |ui, commands| {
                verify::show(state, *pixels, ui, commands);
            });
        }
        Some(Sheet::Stop(job)) => {
            sheet(ui, "Stop this render", 460.0, commands, |ui, commands| {
                stop::stop(state, *job, ui, commands);
            });
        }
        Some(Sheet::Cancel(job)) => {
            sheet(ui, "Cancel this render", 460.0, commands, |ui, commands| {
                stop::cancel(state, *job, ui, commands);
            });
        }
        Some(Sheet::EndMany { jobs, steering }) => {
            sheet(ui, &many::title(jobs, *steering), 460.0, commands, |ui, commands| {
                many::end(state, jobs, *steering, ui, commands);
            });
        }
        Some(Sheet::Refuse(job)) => {
            sheet(ui, "Not on this machine", 460.0, commands, |ui, commands| {
                refuse::show(job, ui, commands);
            });
        }
        Some(Sheet::Block { nodes, node }) => {
            sheet(ui, "Block a node", 460.0, commands, |ui, commands| {
                blocks::ask(state, nodes, *node, ui, commands);
            });
        }
        Some(Sheet::Blocks) => {
            sheet(ui, "Blocked nodes", 560.0, commands, |ui, commands| {
                blocks::list(state, ui, commands);
            });
        }
        Some(Sheet::Wallet(it)) => {
            sheet(ui, wallet::title(it.matter), 460.0, commands, |ui, commands| {
                wallet::show(state, it, ui, commands);
            });
        }
        Some(Sheet::Prefer { jobs, priority }) => {
            sheet(ui, "Priority", 460.0, commands, |ui, commands| {
                many::prefer(state, jobs, *priority, ui, commands);
            });
        }
    }
}

/// A card in the middle, with what lies under it veiled; a press beside it puts it away.
fn sheet(
    ui: &mut Ui,
    title: &str,
    width: f32,
    commands: &mut Commands,
    contents: impl FnOnce(&mut Ui, &mut Commands),
) {
    let whole = ui.ctx().content_rect();
    let colours = colours_of(ui);
    let veil = Area::new(Id::new("veil")).order(Order::Middle).fixed_pos(whole.min);
    let behind = veil.show(ui.ctx(), |ui| {
        ui.painter().rect_filled(whole, 0.0, colours.veil);
        ui.allocate_rect(whole, Sense::click())
    });
    if behind.inner.clicked() {
        commands.push(Command::Sheet(None));
    }
    let place = Area::new(Id::new(("sheet", title)))
        .order(Order::Foreground)
        .anchor(Align2::CENTER_TOP, Vec2::new(0.0, (whole.height() * 0.12).max(24.0)));
    place.show(ui.ctx(), |ui| {
        // What lies under the veil is out of reach for keys, too.
        let layer = ui.layer_id();
        ui.memory_mut(|memory| memory.set_modal_layer(layer));
        let frame = Frame::new()
            .fill(colours.panel)
            .stroke(Stroke::new(1.0, colours.border))
            .corner_radius(RADIUS_CARD)
            .inner_margin(Margin::same(space::PAGE as i8));
        frame.show(ui, |ui| {
            ui.set_width(width.min(whole.width() - 48.0));
            ui.horizontal(|ui| {
                heading(ui, title);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if ui.button("Close").on_hover_text("Close  (Esc)").clicked() {
                        commands.push(Command::Sheet(None));
                    }
                });
            });
            ui.add_space(space::ITEM);
            contents(ui, commands);
        });
    });
}

/// Every key, by where it belongs.
fn keys(ui: &mut Ui) {
    ui.spacing_mut().item_spacing.x = space::SECTION;
    let room = (ui.ctx().content_rect().height() * 0.88 - 170.0).max(200.0);
    egui::ScrollArea::vertical().max_height(room).show(ui, columns_of_keys);
    dim(
        ui,
        "On the preview, arrow keys turn, Shift with them pans, Page up and Page down go nearer and away",
    );
}

fn columns_of_keys(ui: &mut Ui) {
    ui.columns(2, |columns| {
        for group in Group::ALL {
            // So that both columns are about as long.
            let is_right = matches!(group, Group::Scene | Group::View | Group::Jobs);
            let ui = &mut columns[usize::from(is_right)];
            widgets::caption(ui, group.word());
            let with_keys = ACTIONS.iter().filter(|it| it.group == group && !it.keys.is_empty());
            for action in with_keys {
                let keys: Vec<String> = action.keys.iter().map(|it| it.words()).collect();
                widgets::fact(ui, action.words, &keys.join("  "));
            }
            ui.add_space(space::PAGE);
        }
    });
}

fn notices(state: &State, ui: &mut Ui, commands: &mut Commands) {
    if state.notices.list.is_empty() {
        dim(ui, "Nothing has happened yet");
        return;
    }
    egui::ScrollArea::vertical().max_height(420.0).show(ui, |ui| {
        for notice in state.notices.list.iter().rev() {
            line(notice, state, ui, commands);
            ui.separator();
        }
    });
}

fn line(notice: &Notice, state: &State, ui: &mut Ui, commands: &mut Commands) {
    let (icon, colour) = look_of(notice.tone, ui);
    ui.horizontal(|ui| {
        icon::show(ui, icon, 14.0, colour);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Dismiss").clicked() {
                commands.push(Command::Dismiss(notice.number));
            }
            offers(notice, ui, commands);
            let age = words::ago(notice.at_ms, state.now_ms);
            ui.label(RichText::new(age).small().color(colours_of(ui).text_dim));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(egui::Label::new(&notice.words).wrap());
            });
        });
    });
}

/// Where a notice leads.
fn offers(notice: &Notice, ui: &mut Ui, commands: &mut Commands) {
    if let Some(folder) = &notice.folder
        && ui.button("Show folder").clicked()
    {
        commands.push(Command::ShowFolder(folder.clone()));
    }
    if let Some(job) = notice.job
        && ui.button("Show job").clicked()
    {
        commands.push(Command::Watch { job, shot: protocol::ShotIndex::default() });
    }
}

fn look_of(tone: Tone, ui: &Ui) -> (Icon, egui::Color32) {
    let colours = colours_of(ui);
    match tone {
        Tone::Good => (Icon::Check, colours.ok),
        Tone::Warning => (Icon::Warning, colours.warn),
        Tone::Bad => (Icon::Warning, colours.error),
    }
}

/// What has just happened, above the status bar; it stays under the bell.
pub(super) fn toasts(state: &State, ui: &mut Ui, commands: &mut Commands) {
    if state.sheet.is_some() {
        return;
    }
    let mut shown: Vec<&Notice> = state.notices.in_sight(state.now_ms).collect();
    let at_once = shown.len().saturating_sub(3);
    shown.drain(..at_once);
    if shown.is_empty() {
        return;
    }
    let colours = colours_of(ui);
    let corner = Vec2::new(-space::PAGE, -(space::STATUS_BAR + space::ITEM));
    let area =
        Area::new(Id::new("toasts")).order(Order::Foreground).anchor(Align2::RIGHT_BOTTOM, corner);
    area.show(ui.ctx(), |ui| {
        for notice in shown {
            let (icon, colour) = look_of(notice.tone, ui);
            let frame = Frame::new()
                .fill(colours.raised)
                .stroke(Stroke::new(1.0, colour))
                .corner_radius(RADIUS_CARD)
                .inner_margin(Margin::symmetric(12, 8));
            frame.show(ui, |ui| {
                ui.set_max_width(420.0);
                ui.horizontal(|ui| {
                    icon::show(ui, icon, 16.0, colour);
                    ui.add(egui::Label::new(&notice.words).wrap());
                });
                ui.horizontal(|ui| {
                    offers(notice, ui, commands);
                    if ui.button("Dismiss").clicked() {
                        commands.push(Command::Dismiss(notice.number));
                    }
                });
            });
        }
    });
}
