//! How the machine is lent: when, how much of it, how hot.

use egui::{DragValue, TextEdit, Ui};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::lending::{Lending, Share, When};
use crate::widgets::{caption, card, check, dim, segmented, setting, slider};

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let mut lending = state.settings.lending.clone();
    card(ui, |ui| when(ui, &mut lending));
    card(ui, |ui| how_much(ui, &mut lending));
    if lending != state.settings.lending {
        commands.push(Command::SetLending(Box::new(lending)));
    }
}

fn when(ui: &mut Ui, lending: &mut Lending) {
    caption(ui, "When");
    let choices =
        [(When::Away, "While I am away"), (When::Hours, "In hours"), (When::Always, "Always")];
    if let Some(when) = segmented(ui, Some(lending.when), &choices) {
        lending.when = when;
    }
    match lending.when {
        When::Away => setting(ui, "Away after", |ui| {
            let value = DragValue::new(&mut lending.away_minutes).range(1..=1440);
            ui.add(value.suffix(" min"))
        }),
        When::Hours => {
            setting(ui, "From", |ui| {
                ui.add(DragValue::new(&mut lending.from_hour).range(0..=23).suffix(":00"))
            });
            setting(ui, "To", |ui| {
                ui.add(DragValue::new(&mut lending.to_hour).range(0..=23).suffix(":00"))
            });
        }
        When::Always => {}
    }
    let mut pauses = !lending.through_full_screen;
    check(ui, &mut pauses, "Pause while a program fills the screen");
    lending.through_full_screen = !pauses;
    let mut never = !lending.on_battery;
    check(ui, &mut never, "Never on battery");
    lending.on_battery = !never;
    check(ui, &mut lending.with_app, "Start with this app");
    if !cfg!(target_os = "linux") {
        dim(ui, "Keys, full screen and battery are not seen on this system yet");
    }
}

fn how_much(ui: &mut Ui, lending: &mut Lending) {
    caption(ui, "How much");
    let shares = Share::ALL.map(|share| (share, share.word()));
    if let Some(share) = segmented(ui, lending.share(), &shares) {
        lending.set(share);
    }
    let mut duty = f32::from(lending.duty_percent);
    slider(ui, "Computes", &mut duty, 1.0..=100.0, (" %", 0));
    lending.duty_percent = duty.round().clamp(1.0, 100.0) as u8;
    slider(ui, "Stop above", &mut lending.temperature_c, 30.0..=110.0, (" °C", 0));
    setting(ui, "Disk for scenes", |ui| {
        ui.add(DragValue::new(&mut lending.cache_gb).range(1..=10_000).suffix(" GB"))
    });
    // Nothing is as fast as it goes.
    let pace = |value: f64, _: std::ops::RangeInclusive<usize>| match value as u32 {
        0 => "as it comes".to_owned(),
        mb => format!("{mb} MB/s"),
    };
    setting(ui, "Download", |ui| {
        let value = DragValue::new(&mut lending.down_mb).range(0..=10_000);
        ui.add(value.custom_formatter(pace))
    });
    setting(ui, "Upload", |ui| {
        let value = DragValue::new(&mut lending.up_mb).range(0..=10_000);
        ui.add(value.custom_formatter(pace))
    });
    setting(ui, "Name at the farm", |ui| {
        let field = TextEdit::singleline(&mut lending.name).hint_text("desktop");
        ui.add(field.desired_width(124.0).margin(egui::Margin::symmetric(8, 6)))
    });
}
