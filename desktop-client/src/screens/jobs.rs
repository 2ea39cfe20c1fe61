//! Every job of the caller, one row each.

use egui::{Align, Layout, RichText, Sense, Ui, WidgetInfo, WidgetType};
use egui_extras::{Column, TableBuilder};
use protocol::ShotIndex;
use protocol::view::JobSummary;

use crate::command::{Command, Commands};
use crate::state::State;
use crate::theme::{self, palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{self, bar, fetched, focus_ring, heading, status};
use crate::words;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let Some(jobs) = fetched(ui, &state.book.jobs, "Loading your jobs", commands) else { return };
    if jobs.is_empty() {
        return no_jobs(ui, state, commands);
    }
    heading(ui, "Jobs");
    ui.add_space(space::ITEM);
    let table = TableBuilder::new(ui)
        .striped(false)
        .resizable(false)
        .sense(Sense::click())
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::remainder().at_least(160.0).clip(true))
        .column(Column::exact(108.0))
        .column(Column::exact(200.0))
        .columns(Column::exact(92.0), 3)
        .column(Column::exact(120.0));
    let table = table.header(26.0, |mut row| {
        for (index, name) in
            ["Name", "Status", "Units", "Price, TES", "Spent", "Refunded", "Ordered"]
                .into_iter()
                .enumerate()
        {
            row.col(|ui| {
                if index == 6 {
                    ui.add_space(space::PAGE);
                }
                column_name(ui, name, (3..6).contains(&index));
            });
        }
    });
    table.body(|body| {
        body.rows(space::ROW, jobs.len(), |mut row| {
            let job = &jobs[row.index()];
            row.set_selected(state.selected == Some(job.job));
            let opened = cells(&mut row, job, state.now_ms);
            if opened || row.response().clicked() {
                commands.push(Command::Watch { job: job.job, shot: ShotIndex::default() });
            }
        });
    });
}

/// Fills a row; returns whether its name was pressed.
fn cells(row: &mut egui_extras::TableRow<'_, '_>, job: &JobSummary, now_ms: u64) -> bool {
    let mut opened = false;
    row.col(|ui| {
        let name = RichText::new(&job.spec.name).color(palette(ui).text);
        let label = ui.add(egui::Label::new(name).truncate().sense(Sense::click()));
        let words = format!("Open {}", job.spec.name);
        label.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &words));
        focus_ring(ui, &label);
        opened = label.clicked();
    });
    row.col(|ui| {
        let colour = icon::job_colour(job.status, palette(ui));
        status(ui, icon::of_job(job.status), words::job_status(job.status), colour);
    });
    row.col(|ui| {
        let words = format!("{} of {} units accepted", job.units_accepted, job.units);
        let share = job.units_accepted as f32 / job.units.max(1) as f32;
        let colour = icon::job_colour(job.status, palette(ui));
        bar(ui, 84.0, share, colour, &words);
        let text = format!("{} / {}", job.units_accepted, job.units);
        ui.label(RichText::new(text).font(theme::mono(12.0)));
    });
    for amount in [job.price, job.spent, job.refunded] {
        row.col(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.add_space(space::ITEM);
                let text = RichText::new(words::bare_tokens(amount)).font(theme::mono(12.5));
                ui.label(text).on_hover_text(format!("{amount} TES"));
            });
        });
    }
    row.col(|ui| {
        ui.add_space(space::PAGE);
        ui.label(words::ago(job.ordered_ms, now_ms))
            .on_hover_text(words::date_time(job.ordered_ms));
    });
    opened
}

/// The name over a column.
pub(super) fn column_name(ui: &mut Ui, name: &str, right: bool) {
    let text = RichText::new(name).size(12.0).color(palette(ui).text_dim);
    if right {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(space::ITEM);
            ui.label(text);
        });
    } else {
        ui.label(text);
    }
}

/// A studio's first sight.
fn no_jobs(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let hint = "Open a scene here, or submit one from a terminal; each job is a row of this page";
    widgets::empty(ui, Icon::List, "No jobs yet", hint, |ui| {
        let command = "tessera jobs submit scene.glb --farm $TESSERA_FARM -o frame.exr";
        if widgets::terminal_line(ui, command) {
            let command = command.replace("$TESSERA_FARM", &state.ticket);
            commands.push(Command::Copy(command));
        }
    });
}
