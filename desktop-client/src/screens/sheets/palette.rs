//! Every command by its words.

use egui::{Align, Key, Layout, Modifiers, RichText, ScrollArea, Sense, TextEdit, Ui, Vec2};
use egui::{WidgetInfo, WidgetType};

use crate::command::{ACTIONS, Action, Command, Commands};
use crate::state::State;
use crate::state::sheet::Sheet;
use crate::theme::{self, RADIUS_CONTROL, palette, space};
use crate::widgets::{dim, focus_ring};

pub(super) fn show(
    state: &State,
    query: &str,
    chosen: usize,
    ui: &mut Ui,
    commands: &mut Commands,
) {
    super::sheet(ui, "Find a command", 520.0, commands, |ui, commands| {
        let found = found(query);
        let mut typed = query.to_owned();
        let mut chosen = chosen.min(found.len().saturating_sub(1));
        let (up, down, enter) = ui.input_mut(|input| {
            (
                input.consume_key(Modifiers::NONE, Key::ArrowUp),
                input.consume_key(Modifiers::NONE, Key::ArrowDown),
                input.consume_key(Modifiers::NONE, Key::Enter),
            )
        });
        let field = TextEdit::singleline(&mut typed)
            .hint_text("What do you want to do?")
            .desired_width(f32::INFINITY)
            .margin(egui::Margin::symmetric(8, 6));
        let field = ui.add(field);
        field.widget_info(|| WidgetInfo::labeled(WidgetType::TextEdit, true, "Find a command"));
        field.request_focus();
        if up {
            chosen = chosen.saturating_sub(1);
        }
        if down {
            chosen = (chosen + 1).min(found.len().saturating_sub(1));
        }
        if typed != query {
            chosen = 0;
        }
        let sheet = Sheet::Palette { query: typed.clone(), chosen };
        if state.sheet.as_ref() != Some(&sheet) {
            commands.push(Command::Sheet(Some(sheet)));
        }
        ui.add_space(space::TINY);
        if found.is_empty() {
            dim(ui, "No command has these words");
        }
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (place, action) in found.iter().enumerate() {
                if row(state, action, place == chosen, ui) || (enter && place == chosen) {
                    give(state, action, commands);
                }
            }
        });
    });
}

/// Gives a command that can be given; the palette goes before it.
fn give(state: &State, action: &Action, commands: &mut Commands) {
    if (action.enabled)(state).is_ok() {
        commands.push(Command::Sheet(None));
        commands.push((action.command)(state));
    }
}

/// Commands whose words hold every word of the query, those that begin with it first.
pub(crate) fn found(query: &str) -> Vec<&'static Action> {
    let query = query.trim().to_lowercase();
    let holds = |action: &&Action| {
        let words = format!("{} {}", action.group.word(), action.words).to_lowercase();
        query.split_whitespace().all(|part| words.contains(part))
    };
    let mut found: Vec<&Action> = ACTIONS.iter().filter(holds).collect();
    found.sort_by_key(|action| !action.words.to_lowercase().starts_with(&query));
    found
}

fn row(state: &State, action: &Action, is_chosen: bool, ui: &mut Ui) -> bool {
    let colours = palette(ui);
    let enabled = (action.enabled)(state);
    let size = Vec2::new(ui.available_width(), 30.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| {
        WidgetInfo::selected(WidgetType::Button, enabled.is_ok(), is_chosen, action.words)
    });
    if is_chosen || response.hovered() {
        ui.painter().rect_filled(rect, RADIUS_CONTROL, colours.selected);
    }
    if is_chosen {
        response.scroll_to_me(None);
    }
    focus_ring(ui, &response);
    let inside = egui::UiBuilder::new()
        .max_rect(rect.shrink2(Vec2::new(10.0, 0.0)))
        .layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(inside, |ui| {
        let text = if enabled.is_ok() { colours.text } else { colours.text_dim };
        ui.label(RichText::new(action.words).color(text));
        if let Err(why) = enabled {
            ui.label(RichText::new(why).small().color(colours.text_dim));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if let Some(keys) = action.keys.first() {
                let keys = RichText::new(keys.words()).font(theme::mono(11.0));
                ui.label(keys.color(colours.text_dim));
            }
        });
    });
    response.clicked()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(query: &str) -> Vec<&'static str> {
        found(query).iter().map(|action| action.words).collect()
    }

    #[test]
    fn commands_are_found_by_parts_of_their_words() {
        assert_eq!(found("").len(), ACTIONS.len());
        assert_eq!(words("stop")[0], "Stop…");
        assert_eq!(words("node stop").len(), 2, "the group counts, in any order");
        assert_eq!(words("price firm"), ["Get a firm price"]);
        assert_eq!(words("open")[0], "Open scene…", "what begins so comes first");
        assert!(words("teleport").is_empty());
    }
}
