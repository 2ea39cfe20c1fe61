//! What is listed, and how: the filter, what is wrong with it, and the columns.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::text::CCursor;
use egui::{
    Align, Button, Id, Layout, PopupCloseBehavior, RichText, Stroke, TextEdit, Ui, Vec2,
    WidgetInfo, WidgetType,
};

use crate::command::{Command, Commands, action};
use crate::state::State;
use crate::state::jobs::{Column, FilterError, KEYS, Wish};
use crate::theme::{palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{check, heading};
use crate::words;

/// Height of the line that counts, or says what is wrong: always there, so that nothing jumps.
const COUNT_LINE: f32 = 22.0;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.set_min_height(space::CONTROL);
        heading(ui, "Jobs");
        ui.add_space(space::ITEM);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            columns(state, ui, commands);
            if !state.settings.jobs.filter.is_empty() && ui.button("Clear filter").clicked() {
                commands.push(Command::Jobs(Wish::Filter(String::new())));
            }
            field(state, ui, commands);
        });
    });
    let line = Vec2::new(ui.available_width(), COUNT_LINE);
    ui.allocate_ui_with_layout(line, Layout::left_to_right(Align::Center), |ui| {
        match &state.jobs.trouble {
            Some(trouble) => {
                let colour = palette(ui).error;
                icon::show(ui, Icon::Warning, 14.0, colour);
                let words = RichText::new(&trouble.words).color(colour);
                ui.add(egui::Label::new(words).truncate());
            }
            None => {
                let words = RichText::new(count(state)).color(palette(ui).text_dim);
                ui.label(words);
            }
        }
    });
}

/// `4 jobs`, `2 of 4 jobs, 1 selected`.
fn count(state: &State) -> String {
    let (rows, all) = (state.jobs.rows().len(), state.book.job_list().len());
    let all_words = words::plural(all as u64, "job", "jobs");
    let listed = if rows == all { all_words } else { format!("{rows} of {all_words}") };
    match state.jobs.tally().jobs {
        0 => listed,
        chosen => format!("{listed}, {chosen} selected"),
    }
}

fn field(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let mut typed = state.settings.jobs.filter.clone();
    let shown = TextEdit::singleline(&mut typed)
        // What stands beside it comes and goes, and the keyboard stays here.
        .id(Id::new("filter of jobs"))
        .hint_text("Filter, as status:failed name:shot_0* priority:>50")
        .desired_width(ui.available_width())
        .margin(egui::Margin::symmetric(8, 5))
        .show(ui);
    let field = shown.response.response;
    field.widget_info(|| WidgetInfo::labeled(WidgetType::TextEdit, true, "Filter jobs"));
    if let Some(trouble) = &state.jobs.trouble
        && typed == state.settings.jobs.filter
    {
        underline(ui, &typed, trouble, &shown.galley, shown.galley_pos, shown.text_clip_rect);
    }
    if state.jobs.wants_filter {
        field.request_focus();
        commands.push(Command::Jobs(Wish::FilterFocused));
    }
    if typed != state.settings.jobs.filter {
        commands.push(Command::Jobs(Wish::Filter(typed)));
    }
    let keys = action("Filter jobs").keys.iter().map(|keys| keys.words());
    let examples = KEYS.map(|(key, value)| format!("{key}:{value}")).join("\n");
    let keys = keys.collect::<Vec<_>>().join("  ");
    field.on_hover_text(format!("{examples}\n-status:done turns a term round\n({keys})"));
}

/// Shows which part of the filter is wrong.
fn underline(
    ui: &Ui,
    text: &str,
    trouble: &FilterError,
    galley: &egui::Galley,
    corner: egui::Pos2,
    clip: egui::Rect,
) {
    let letters = |bytes: usize| text.get(..bytes).map_or(0, |before| before.chars().count());
    let x = |bytes: usize| galley.pos_from_cursor(CCursor::new(letters(bytes))).left();
    let (from, to) = (x(trouble.at.start), x(trouble.at.end));
    let y = corner.y + galley.size().y;
    let stroke = Stroke::new(2.0, palette(ui).error);
    ui.painter().with_clip_rect(clip.expand(2.0)).hline(corner.x + from..=corner.x + to, y, stroke);
}

/// Which columns are shown.
fn columns(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    MenuButton::from_button(Button::new("Columns")).config(config).ui(ui, |ui| {
        for column in Column::ALL.into_iter().filter(|it| *it != Column::Name) {
            let mut is_shown = !state.settings.jobs.hidden.contains(&column);
            if check(ui, &mut is_shown, column.word()).changed() {
                commands.push(Command::Jobs(Wish::Show(column, is_shown)));
            }
        }
    });
}
