//! The selected job: its picture as it arrives, its tiles, its price.

use egui::{Align, ComboBox, Layout, RichText, Ui, Vec2};
use protocol::view::{JobStatus, JobSummary};
use protocol::{Shot, ShotIndex, ViewIndex};

use super::jobs;
use crate::command::{Command, Commands};
use crate::state::{Live, State, TileLook};
use crate::theme::{palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{self, bar, card, dim, fact, heading, number, status};
use crate::words;

/// Width of the facts beside the picture.
const SIDE: f32 = 232.0;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let Some(list) = &state.jobs else { return widgets::loading(ui, "Loading your jobs") };
    let Some(job) = state.selected_job() else {
        return if list.is_empty() {
            jobs::no_jobs(ui, state, commands);
        } else {
            widgets::loading(ui, "Loading the job");
        };
    };
    header(ui, job, list, commands);
    let live = state.live.as_ref().filter(|live| live.job == job.job);
    tiles_line(ui, job, live, commands);
    trouble(ui, job, live);
    let height = ui.available_height();
    ui.horizontal_top(|ui| {
        let width = ui.available_width() - SIDE - space::PAGE;
        ui.allocate_ui(Vec2::new(width, height), |ui| {
            if let Some(live) = live {
                widgets::picture(ui, live, &job.spec, job.status.is_over());
            }
        });
        ui.add_space(space::PAGE - space::ITEM);
        ui.allocate_ui_with_layout(
            Vec2::new(ui.available_width(), height),
            Layout::top_down(Align::Min),
            |ui| facts(ui, state, job, commands),
        );
    });
}

fn header(ui: &mut Ui, job: &JobSummary, list: &[JobSummary], commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.set_min_height(space::CONTROL);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if list.len() > 1 {
                job_picker(ui, job, list, commands);
                ui.add_space(space::ITEM);
            }
            number(
                ui,
                format!("{} of {}", words::bare_tokens(job.spent), words::tokens(job.price)),
                14.0,
            );
            ui.add_space(space::ITEM);
            number(ui, words::percent(job.units_accepted, job.units), 14.0);
            ui.add_space(space::ITEM);
            let colour = icon::job_colour(job.status, palette(ui));
            let word = words::job_status(job.status);
            ui.label(RichText::new(word).color(colour));
            icon::show(ui, icon::of_job(job.status), 16.0, colour);
            ui.add_space(space::ITEM);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                heading(ui, &job.spec.name);
            });
        });
    });
    let share = job.units_accepted as f32 / job.units.max(1) as f32;
    let colour = match job.status {
        JobStatus::Done | JobStatus::Stopped => palette(ui).ok,
        JobStatus::Failed | JobStatus::Cancelled | JobStatus::Paused => palette(ui).text_dim,
        JobStatus::Waiting | JobStatus::Rendering => palette(ui).accent,
    };
    let words = format!("{} of {} units accepted", job.units_accepted, job.units);
    let width = ui.available_width();
    bar(ui, width, share, colour, &words);
}

fn job_picker(ui: &mut Ui, job: &JobSummary, list: &[JobSummary], commands: &mut Commands) {
    let shown = ComboBox::from_id_salt("job").selected_text("Other jobs").width(120.0);
    shown.show_ui(ui, |ui| {
        for other in list {
            let chosen = other.job == job.job;
            let name = format!("{}  {}", other.spec.name, words::job_status(other.status));
            if ui.selectable_label(chosen, name).clicked() {
                commands.push(Command::Watch { job: other.job, shot: ShotIndex::default() });
            }
        }
    });
}

/// How many tiles are in which state; frame and camera, where there is more than one.
fn tiles_line(ui: &mut Ui, job: &JobSummary, live: Option<&Live>, commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.set_min_height(space::CONTROL);
        ui.spacing_mut().item_spacing.x = space::PAGE;
        if job.spec.shot_count() > 1
            && let Some(live) = live
            && let Some(shot) = job.spec.shot(live.shot)
        {
            shot_picker(ui, job, shot, commands);
        }
        let Some(live) = live.filter(|live| !live.tiles.is_empty()) else {
            dim(ui, "Waiting for news of the tiles");
            return;
        };
        for look in TileLook::ALL {
            let count = live.count(look);
            if count > 0 || look == TileLook::Accepted {
                let colour = icon::tile_colour(look, palette(ui));
                let word = format!("{} {count}", words::tile_look(look));
                status(ui, icon::of_tile(look), &word, colour);
            }
        }
        let tiles = words::plural(live.tiles.len() as u64, "tile", "tiles");
        dim(ui, format!("of {tiles}"));
    });
}

/// Chooses the frame and the camera that are shown, of what the job has several of.
fn shot_picker(ui: &mut Ui, job: &JobSummary, shown: Shot, commands: &mut Commands) {
    let (spec, mut wanted) = (&job.spec, shown);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::ITEM;
        if spec.frames.count() > 1 {
            let range = spec.frames.first..=spec.frames.last;
            let label = ui.label("Frame");
            let step = f64::from(spec.frames.step);
            let slider = egui::Slider::new(&mut wanted.frame, range).step_by(step);
            ui.add(slider).labelled_by(label.id);
        }
        if spec.view_count() > 1 {
            let name = |view: ViewIndex| spec.camera(view).map(ToString::to_string);
            let label = ui.label("Camera");
            let shown = name(wanted.view).unwrap_or_default();
            let list = ComboBox::from_id_salt("camera").selected_text(shown);
            let list = list.show_ui(ui, |ui| {
                for view in (0..spec.view_count()).map(ViewIndex) {
                    ui.selectable_value(&mut wanted.view, view, name(view).unwrap_or_default());
                }
            });
            list.response.labelled_by(label.id);
        }
    });
    if wanted != shown
        && let Some(shot) = spec.shot_index(wanted)
    {
        commands.push(Command::Watch { job: job.job, shot });
    }
}

/// Why a job or its picture is not what it should be.
fn trouble(ui: &mut Ui, job: &JobSummary, live: Option<&Live>) {
    let problem = live.and_then(|live| live.problem.as_ref());
    let (icon, colour, text) = match (&job.reason, problem) {
        (Some(reason), _) if job.status == JobStatus::Failed => {
            (Icon::Warning, palette(ui).error, reason.clone())
        }
        // Paused, or to begin after others: nothing is wrong.
        (Some(reason), _) => (icon::of_job(job.status), palette(ui).text_dim, reason.clone()),
        (None, Some(why)) => {
            (Icon::Arrows, palette(ui).warn, format!("The picture is not whole yet. {why}"))
        }
        (None, None) => return,
    };
    ui.horizontal(|ui| {
        icon::show(ui, icon, 14.0, colour);
        ui.add(egui::Label::new(RichText::new(text).color(colour)).wrap());
    });
}

fn facts(ui: &mut Ui, state: &State, job: &JobSummary, commands: &mut Commands) {
    card(ui, |ui| {
        widgets::caption(ui, "Money, TES");
        fact(ui, "Price", &words::bare_tokens(job.price));
        fact(ui, "Spent", &words::bare_tokens(job.spent));
        fact(ui, "Refunded", &words::bare_tokens(job.refunded));
    });
    card(ui, |ui| {
        widgets::caption(ui, "Render");
        let settings = &job.spec.settings;
        fact(ui, "Size", &words::size(settings.size));
        if let Some(crop) = &settings.crop {
            fact(ui, "Crop", &crop.to_string());
        }
        if settings.overscan > 0 {
            fact(ui, "Overscan", &format!("{} px", settings.overscan));
        }
        fact(ui, "Samples", &format!("{} spp", settings.samples));
        fact(ui, "Bounces", &settings.bounces.to_string());
        fact(ui, "Tile", &format!("{0} × {0} px", job.spec.tile_side_px));
        if job.spec.frames.count() > 1 {
            let frames = job.spec.frames;
            fact(ui, "Frames", &format!("{}–{}", frames.first, frames.last));
        }
        if job.spec.view_count() > 1 {
            fact(ui, "Cameras", &job.spec.view_count().to_string());
        }
    });
    card(ui, |ui| {
        widgets::caption(ui, "Job");
        fact(ui, "Ordered", &words::ago(job.ordered_ms, state.now_ms));
        if let Some(ended_ms) = job.ended_ms {
            fact(ui, "Ended", &words::ago(ended_ms, state.now_ms));
        }
        fact(ui, "Id", &job.job.short());
        if ui.button("Copy id").on_hover_text(job.job.to_string()).clicked() {
            commands.push(Command::Copy(job.job.to_string()));
        }
    });
}
