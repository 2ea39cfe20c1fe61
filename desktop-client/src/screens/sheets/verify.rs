//! What was checked of a frame, and what came of it.

use egui::{Color32, DragValue, Label, RichText, ScrollArea, Ui};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::verify::{Doing, Line, Standing, Verification};
use crate::theme::{Palette, palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{bar, dim, primary_button, setting, status};

/// Room for the standing of a part.
const STANDING: f32 = 128.0;
/// Height of what lies around the parts.
const AROUND: f32 = 230.0;
/// Least height for the parts.
const LINES_MIN: f32 = 24.0;

pub(super) fn show(state: &State, pixels: u32, ui: &mut Ui, commands: &mut Commands) {
    let Some(all) = state.verification() else {
        dim(ui, "Another frame is shown by now");
        return;
    };
    // What came of it and the buttons stay in sight in the smallest window, too.
    let room = (ui.ctx().content_rect().height() * 0.88 - AROUND).max(LINES_MIN);
    ScrollArea::vertical().auto_shrink([false, true]).max_height(room).show(ui, |ui| {
        ui.label(RichText::new(title(state, all)).color(palette(ui).text));
        dim(ui, "Nothing of this is the farm's word alone, but where it says so");
        ui.add_space(space::ITEM);
        for line in &all.lines {
            part(line, ui);
        }
    });
    ui.add_space(space::ITEM);
    match all.doing {
        Some(doing) => under_way(doing, ui, commands),
        None => ended(state, all, pixels, ui, commands),
    }
}

/// `lighthouse_v12, frame 12`.
fn title(state: &State, all: &Verification) -> String {
    let name = state.name_of(all.job);
    let spec = state.book.job(all.job).map(|row| &row.spec);
    let frame = spec.filter(|spec| spec.shot_count() > 1).and_then(|spec| spec.shot(all.shot));
    match frame {
        Some(shot) => format!("{name}, frame {}", shot.frame),
        None => name,
    }
}

fn part(line: &Line, ui: &mut Ui) {
    let (icon, colour) = look_of(line.standing, palette(ui));
    ui.horizontal_top(|ui| {
        ui.allocate_ui(egui::vec2(STANDING, space::CONTROL), |ui| {
            ui.set_min_width(STANDING);
            status(ui, icon, line.standing.words(), colour);
        });
        ui.vertical(|ui| {
            ui.label(RichText::new(line.part.words()).color(palette(ui).text));
            dim(ui, &line.words);
        });
    });
    ui.add_space(space::TINY);
}

fn look_of(standing: Standing, colours: &Palette) -> (Icon, Color32) {
    match standing {
        Standing::Holds => (Icon::Check, colours.ok),
        Standing::Fails => (Icon::Warning, colours.error),
        Standing::Differs => (Icon::Warning, colours.warn),
        Standing::Unchecked => (Icon::Half, colours.text_dim),
    }
}

fn under_way(doing: Doing, ui: &mut Ui, commands: &mut Commands) {
    let (words, share) = match doing {
        Doing::Fetching => ("Fetching the receipt".to_owned(), None),
        Doing::Checking => ("Checking signatures and paths".to_owned(), None),
        Doing::Rendering { done, of } => {
            (format!("Rendering random pixels, {done} of {of} films"), Some((done, of)))
        }
        Doing::Comparing { done, of } => {
            (format!("Opening what the nodes signed, {done} of {of} films"), Some((done, of)))
        }
    };
    ui.horizontal(|ui| {
        ui.spinner();
        dim(ui, &words);
    });
    if let Some((done, of)) = share {
        let width = ui.available_width();
        bar(ui, width, done as f32 / of.max(1) as f32, palette(ui).running, &words);
    }
    ui.horizontal(|ui| {
        if ui.button("Cancel").clicked() {
            commands.push(Command::StopVerifying);
        }
    });
}

fn ended(state: &State, all: &Verification, pixels: u32, ui: &mut Ui, commands: &mut Commands) {
    let (icon, colour) = look_of(all.standing(), palette(ui));
    ui.horizontal(|ui| {
        icon::show(ui, icon, 14.0, colour);
        ui.add(Label::new(RichText::new(all.words()).color(colour)).wrap());
    });
    ui.add_space(space::TINY);
    let mut wanted = pixels;
    setting(ui, "Pixels to render again", |ui| {
        ui.add(DragValue::new(&mut wanted).range(1..=100_000).speed(1))
    });
    if wanted != pixels {
        let sheet = crate::state::sheet::Sheet::Verify { pixels: wanted };
        commands.push(Command::Sheet(Some(sheet)));
    }
    let can = state.can_verify();
    ui.horizontal(|ui| {
        let again = ui.add_enabled_ui(can.is_ok(), |ui| primary_button(ui, "Verify again")).inner;
        if again.clicked() {
            commands.push(Command::VerifyAgain { pixels: wanted });
        }
        if ui.button("Copy").on_hover_text("Copy what was found").clicked() {
            commands.push(Command::Copy(report(state, all)));
        }
    });
}

/// What was found, as text.
fn report(state: &State, all: &Verification) -> String {
    let mut lines = vec![format!("{} ({})", title(state, all), all.job)];
    lines.extend(
        all.lines.iter().map(|line| {
            format!("{}: {}. {}", line.part.words(), line.standing.words(), line.words)
        }),
    );
    lines.push(all.words());
    lines.join("\n")
}
