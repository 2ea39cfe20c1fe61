//! Parts that screens share.

mod compare;
pub mod icon;
mod tiles;

use egui::{
    Align, Button, Color32, FontId, Frame, Layout, Response, RichText, Sense, Stroke, StrokeKind,
    Ui, Vec2, WidgetInfo, WidgetType,
};

use crate::command::{Action, Command, Commands};
use crate::state::State;
use crate::state::fetched::Fetched;
use crate::theme::{self, RADIUS_CARD, RADIUS_CONTROL, RADIUS_SMALL, palette, space};
use icon::Icon;

pub use compare::compare;
pub(crate) use tiles::motion;
pub use tiles::{LiveView, Touch, picture, still};

/// A card: a panel with a line around it, as wide as there is room.
pub fn card<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let colours = palette(ui);
    let frame = Frame::new()
        .fill(colours.panel)
        .stroke(Stroke::new(1.0, colours.border))
        .corner_radius(RADIUS_CARD)
        .inner_margin(space::CARD);
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        contents(ui)
    });
    shown.inner
}

/// A screen's title.
pub fn heading(ui: &mut Ui, text: &str) {
    let label = ui.add(egui::Label::new(RichText::new(text).heading()).truncate());
    label.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, text));
}

/// A word over what it names.
pub fn caption(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).color(palette(ui).text_dim).size(12.0));
}

/// Dim text.
pub fn dim(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.add(egui::Label::new(RichText::new(text).color(palette(ui).text_dim)).wrap())
}

/// A number, of one width.
pub fn number(ui: &mut Ui, text: impl Into<String>, size: f32) -> Response {
    ui.label(RichText::new(text).font(theme::mono(size)).color(palette(ui).text))
}

/// An icon and the word for it, in one colour: never one without the other.
pub fn status(ui: &mut Ui, icon: Icon, word: &str, colour: Color32) {
    let backwards = ui.layout().prefer_right_to_left();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        // The icon stands before the word, also where things line up from the right.
        if !backwards {
            icon::show(ui, icon, 14.0, colour);
        }
        ui.label(RichText::new(word).color(colour));
        if backwards {
            icon::show(ui, icon, 14.0, colour);
        }
    });
}

/// The button that a screen is about.
pub fn primary_button(ui: &mut Ui, text: &str) -> Response {
    let colours = palette(ui);
    let text = RichText::new(text).color(colours.on_accent);
    ui.add(Button::new(text).fill(colours.accent).min_size(Vec2::new(0.0, space::CONTROL)))
}

/// A name and a value on one line, the value to the right.
pub fn fact(ui: &mut Ui, name: &str, value: &str) {
    let line = Vec2::new(ui.available_width(), 18.0);
    ui.allocate_ui_with_layout(line, Layout::left_to_right(Align::Center), |ui| {
        ui.label(RichText::new(name).color(palette(ui).text_dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add(egui::Label::new(RichText::new(value).font(theme::mono(12.5))).truncate());
        });
    });
}

/// A bar that fills from the left, with its words for those who do not see it.
pub fn bar(ui: &mut Ui, width: f32, share: f32, colour: Color32, words: &str) {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width, 6.0), Sense::hover());
    let colours = palette(ui);
    ui.painter().rect_filled(rect, 3.0, colours.track);
    let mut filled = rect;
    filled.set_width(rect.width() * share.clamp(0.0, 1.0));
    if filled.width() >= 1.0 {
        ui.painter().rect_filled(filled, 3.0, colour);
    }
    response.widget_info(|| WidgetInfo::labeled(WidgetType::ProgressIndicator, true, words));
}

/// Something that can be pressed, drawn as an icon and a word, selected or not.
pub fn row_button(ui: &mut Ui, icon: Icon, word: &str, selected: bool) -> Response {
    let size = Vec2::new(ui.available_width(), 34.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(WidgetType::Button, true, selected, word));
    let colours = palette(ui);
    let fill = if selected || response.hovered() { colours.raised } else { Color32::TRANSPARENT };
    let painter = ui.painter();
    painter.rect_filled(rect, RADIUS_CONTROL, fill);
    if selected {
        let mark = egui::Rect::from_min_size(rect.min, Vec2::new(3.0, rect.height()));
        painter.rect_filled(mark.shrink2(Vec2::new(0.0, 7.0)), 1.5, colours.accent);
    }
    let text = if selected { colours.text } else { colours.text_dim };
    let mark = egui::Rect::from_center_size(
        egui::pos2(rect.left() + 20.0, rect.center().y),
        Vec2::splat(16.0),
    );
    icon::paint(painter, mark, icon, if selected { colours.accent } else { text });
    painter.text(
        egui::pos2(rect.left() + 38.0, rect.center().y),
        egui::Align2::LEFT_CENTER,
        word,
        theme::sans(14.0),
        text,
    );
    focus_ring(ui, &response);
    response
}

/// A quiet button of the status bar: an icon and a word.
pub fn bar_button(
    ui: &mut Ui,
    icon: Option<(Icon, Color32)>,
    word: &str,
    font: FontId,
) -> Response {
    let colours = palette(ui);
    let galley = ui.painter().layout_no_wrap(word.to_owned(), font, colours.text);
    let icon_width = if icon.is_some() { 20.0 } else { 0.0 };
    let size = Vec2::new(galley.size().x + icon_width + 12.0, 24.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, word));
    if response.hovered() {
        ui.painter().rect_filled(rect, 4.0, colours.raised);
    }
    if let Some((icon, colour)) = icon {
        let centre = egui::pos2(rect.left() + 13.0, rect.center().y);
        let square = egui::Rect::from_center_size(centre, Vec2::splat(14.0));
        icon::paint(ui.painter(), square, icon, colour);
    }
    let corner =
        egui::pos2(rect.left() + 6.0 + icon_width, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(corner, galley, colours.text);
    focus_ring(ui, &response);
    response
}

/// A button of the table: its words, its keys, and why it cannot be pressed, are the table's.
pub fn action_button(
    ui: &mut Ui,
    state: &State,
    action: &'static Action,
    is_primary: bool,
    commands: &mut Commands,
) -> Response {
    action_button_as(ui, state, action, action.words, is_primary, commands)
}

/// The same with other words, where what it does depends on what there is.
pub fn action_button_as(
    ui: &mut Ui,
    state: &State,
    action: &'static Action,
    words: &str,
    is_primary: bool,
    commands: &mut Commands,
) -> Response {
    let enabled = (action.enabled)(state);
    let keys = action.keys.first().map(|keys| format!("  ({})", keys.words()));
    let response = ui
        .add_enabled_ui(enabled.is_ok(), |ui| match is_primary {
            true => primary_button(ui, words),
            false => ui.button(words),
        })
        .inner;
    let response = match enabled {
        Ok(()) => match keys {
            Some(keys) => response.on_hover_text(format!("{words}{keys}")),
            None => response,
        },
        Err(why) => response.on_disabled_hover_text(why),
    };
    if response.clicked() {
        commands.push((action.command)(state));
    }
    response
}

/// What was fetched; before it is here, a word that it is on its way, or why it is not.
pub fn fetched<'f, T>(
    ui: &mut Ui,
    fetched: &'f Fetched<T>,
    loading_words: &str,
    commands: &mut Commands,
) -> Option<&'f T> {
    match (&fetched.value, &fetched.trouble) {
        (Some(value), _) => Some(value),
        (None, Some(why)) => {
            if error_card(ui, "The farm did not answer this", why, commands) {
                commands.push(Command::Refresh);
            }
            None
        }
        (None, None) => {
            loading(ui, loading_words);
            None
        }
    }
}

/// What went wrong, what it means, what to do; returns whether it is to be tried again.
pub fn error_card(ui: &mut Ui, title: &str, why: &str, commands: &mut Commands) -> bool {
    let colours = palette(ui);
    let frame = Frame::new()
        .fill(colours.panel)
        .stroke(Stroke::new(1.0, colours.error))
        .corner_radius(RADIUS_CARD)
        .inner_margin(space::CARD);
    let mut again = false;
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width().min(640.0));
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            ui.horizontal(|ui| {
                icon::show(ui, Icon::Warning, 16.0, colours.error);
                ui.label(RichText::new(title).color(colours.text));
            });
            dim(ui, why);
            ui.horizontal(|ui| {
                again = ui.button("Try again").clicked();
                if ui.button("Copy details").clicked() {
                    commands.push(Command::Copy(format!("{title}: {why}")));
                }
            });
        });
    });
    again
}

/// One of a few, side by side.
pub fn segmented<T: Copy + PartialEq>(
    ui: &mut Ui,
    chosen: Option<T>,
    choices: &[(T, &str)],
) -> Option<T> {
    let mut picked = None;
    let colours = palette(ui);
    let frame = Frame::new().fill(colours.raised).corner_radius(RADIUS_CONTROL).inner_margin(2);
    frame.show(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.horizontal(|ui| {
            for (choice, word) in choices {
                let is_chosen = chosen == Some(*choice);
                let text = if is_chosen { colours.text } else { colours.text_dim };
                let fill = if is_chosen { colours.panel } else { Color32::TRANSPARENT };
                let button = Button::new(RichText::new(*word).color(text))
                    .fill(fill)
                    .stroke(Stroke::NONE)
                    .min_size(Vec2::new(0.0, space::CONTROL - 4.0));
                let pressed = ui.add(button);
                pressed.widget_info(|| {
                    WidgetInfo::selected(WidgetType::RadioButton, true, is_chosen, *word)
                });
                if pressed.clicked() && !is_chosen {
                    picked = Some(*choice);
                }
            }
        });
    });
    picked
}

/// A name to the left and a control to the right, labelled by it.
pub fn setting(ui: &mut Ui, name: &str, control: impl FnOnce(&mut Ui) -> Response) {
    let line = Vec2::new(ui.available_width(), space::CONTROL);
    ui.allocate_ui_with_layout(line, Layout::left_to_right(Align::Center), |ui| {
        let label = ui.label(RichText::new(name).color(palette(ui).text_dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            control(ui).labelled_by(label.id);
        });
    });
}

/// A box to tick.
pub fn check(ui: &mut Ui, is_ticked: &mut bool, words: &str) -> Response {
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        for look in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active] {
            // The box is small: with the radius of a button it would be round.
            look.corner_radius = RADIUS_SMALL;
        }
        ui.spacing_mut().interact_size.y = 24.0;
        ui.checkbox(is_ticked, words)
    })
    .inner
}

/// A number by a slider and by typing, both with the same name.
pub fn slider(
    ui: &mut Ui,
    name: &str,
    value: &mut f32,
    range: std::ops::RangeInclusive<f32>,
    (unit, decimals): (&str, usize),
) {
    let line = Vec2::new(ui.available_width(), space::CONTROL);
    ui.allocate_ui_with_layout(line, Layout::left_to_right(Align::Center), |ui| {
        let label = ui.label(RichText::new(name).color(palette(ui).text_dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let step = (range.end() - range.start()) / 400.0;
            let typed = egui::DragValue::new(value)
                .range(range.clone())
                .suffix(unit)
                .max_decimals(decimals)
                .speed(step);
            ui.add_sized(Vec2::new(64.0, space::CONTROL), typed).labelled_by(label.id);
            ui.spacing_mut().slider_width = (ui.available_width() - space::ITEM).clamp(60.0, 130.0);
            let slid = egui::Slider::new(value, range).show_value(false);
            ui.add(slid).labelled_by(label.id);
        });
    });
}

/// Shows where the keyboard is.
pub fn focus_ring(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let stroke = Stroke::new(2.0, palette(ui).focus);
        ui.painter().rect_stroke(response.rect, RADIUS_CONTROL, stroke, StrokeKind::Inside);
    }
}

/// A state with nothing to show yet: an icon, what it is, what to do.
pub fn empty(ui: &mut Ui, icon: Icon, title: &str, hint: &str, more: impl FnOnce(&mut Ui)) {
    let room = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.add_space((room * 0.3).max(space::SECTION));
        let colour = palette(ui).text_dim;
        icon::show(ui, icon, 40.0, colour);
        ui.add_space(space::ITEM);
        ui.label(RichText::new(title).heading());
        ui.label(RichText::new(hint).color(colour));
        ui.add_space(space::ITEM);
        more(ui);
    });
}

/// Words that wait with a spinner.
pub fn loading(ui: &mut Ui, words: &str) {
    let room = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.add_space((room * 0.4).max(space::SECTION));
        ui.spinner();
        ui.add_space(space::ITEM);
        ui.label(RichText::new(words).color(palette(ui).text_dim));
    });
}

/// A command for a terminal, with a button that copies it; returns whether that was pressed.
pub fn terminal_line(ui: &mut Ui, command: &str) -> bool {
    let colours = palette(ui);
    let frame = Frame::new()
        .fill(colours.raised)
        .corner_radius(RADIUS_CONTROL)
        .inner_margin(egui::Margin::symmetric(12, 6));
    let mut pressed = false;
    ui.horizontal(|ui| {
        let font = theme::mono(12.5);
        let width = ui.painter().layout_no_wrap(command.to_owned(), font.clone(), colours.text);
        let all = width.size().x + 24.0 + 8.0 + 60.0;
        ui.add_space(((ui.available_width() - all) / 2.0).max(0.0));
        frame.show(ui, |ui| ui.label(RichText::new(command).font(font).color(colours.text)));
        pressed = ui.button("Copy").on_hover_text("Copy the command, ready to run").clicked();
    });
    pressed
}
