//! The selected job: its picture as it arrives, its tiles, what it costs, and what can be done to it.

use egui::{Align, Button, ComboBox, Layout, RichText, ScrollArea, Ui, Vec2};
use protocol::view::{JobStatus, JobSummary};
use protocol::{Shot, Steering, TileIndex, ViewIndex};

use super::{compare, light, strip};
use crate::command::{Command, Commands, action};
use crate::state::live::Live;
use crate::state::sheet::Sheet;
use crate::state::{State, TileLook};
use crate::theme::{self, palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{
    self, LiveView, Touch, action_button, action_button_as, bar, card, dim, fact, fetched, heading,
    status,
};
use crate::words;

/// Width of the facts beside the picture.
const SIDE: f32 = 264.0;
/// Room for a tile's look with three digits, so that nothing jumps.
const CHIP: f32 = 112.0;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let Some(_list) = fetched(ui, &state.book.jobs, "Loading your jobs", commands) else { return };
    let Some(job) = state.selected_job() else {
        let hint = "It appears here as soon as the farm lists it, if it is this farm's";
        return widgets::empty(ui, Icon::Clock, "Waiting for the job", hint, |_| ());
    };
    header(state, ui, job, commands);
    let live = state.live.as_ref().filter(|live| live.job == job.job);
    tiles_line(ui, job, live, commands);
    trouble(ui, job, live);
    if let Some(live) = live {
        strip::show(state, ui, job, live, commands);
    }
    let height = ui.available_height();
    ui.horizontal_top(|ui| {
        let width = (ui.available_width() - SIDE - space::PAGE).max(0.0);
        ui.allocate_ui(Vec2::new(width, height), |ui| {
            if live.is_none() && state.live.is_none() {
                let hint = "Its frames have too many pixels for a window. Save it instead";
                widgets::empty(ui, Icon::Half, "Too large to be shown here", hint, |_| ());
            }
            if let Some(_live) = live.filter(|_| state.compares()) {
                let room = ui.available_size();
                compare::canvas(state, ui, room, commands);
            } else if let (Some(live), Some((_shot, still))) = (live, state.played()) {
                let (canvas, name) = (live.picture.size, "Frames as they are played");
                let port = widgets::still(ui, still, (canvas, name), state.port, &state.look);
                if port != state.port {
                    commands.push(Command::SetPort(port));
                }
            } else if let Some(live) = live {
                let view = LiveView {
                    live,
                    under: state.reel.still(live.job, live.shot),
                    spec: &job.spec,
                    is_over: job.status.is_over(),
                    port: state.port,
                    look: &state.look,
                };
                let touch = widgets::picture(ui, &view);
                if let Some(tile) = touch.first {
                    commands.push(Command::first(job, live.shot, Some(tile)));
                }
                if touch.port != state.port {
                    commands.push(Command::SetPort(touch.port));
                }
                tile_menu(state, ui, live, &touch, commands);
            }
        });
        ui.add_space(space::PAGE - space::ITEM);
        ui.allocate_ui_with_layout(
            Vec2::new(ui.available_width(), height),
            Layout::top_down(Align::Min),
            |ui| {
                ScrollArea::vertical().id_salt("job facts").show(ui, |ui| {
                    facts(ui, state, job, commands);
                });
            },
        );
    });
}

/// What can be done about who rendered a tile; the second button opens it there.
fn tile_menu(state: &State, ui: &Ui, live: &Live, touch: &Touch, commands: &mut Commands) {
    // The pointer goes on to the menu, over other tiles.
    let id = touch.response.id.with("tile");
    if touch.response.secondary_clicked() {
        ui.data_mut(|data| data.insert_temp(id, touch.tile));
    }
    let tile = ui.data(|data| data.get_temp::<Option<TileIndex>>(id)).flatten();
    let nodes = tile.map_or_else(Vec::new, |tile| live.nodes_of(tile));
    let (about, block) = match nodes.as_slice() {
        [] => return,
        [node] => (state.book.words_of_node(*node), "Block this node…"),
        several => (format!("{} nodes", several.len()), "Block one of them…"),
    };
    touch.response.context_menu(|ui| {
        ui.label(RichText::new(format!("Rendered by {about}")).color(palette(ui).text_dim));
        let item = ui.add_enabled(!state.is_stale(), Button::new(block));
        if item.on_disabled_hover_text(words::FARM_AWAY).clicked() {
            commands.push(Command::Sheet(Sheet::block(nodes)));
            ui.close();
        }
    });
}

/// What it is, how it stands, and what can be done to it.
fn header(state: &State, ui: &mut Ui, job: &JobSummary, commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.set_min_height(space::CONTROL);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if !job.status.is_over() {
                action_button(ui, state, action("Stop…"), false, commands);
                let words = if job.status == JobStatus::Paused { "Resume" } else { "Pause" };
                let under_way = state.steering.iter().any(|it| it.job == job.job);
                let words = if under_way { "One moment" } else { words };
                action_button_as(ui, state, action("Pause or resume"), words, false, commands);
            }
            let saving = if state.is_saving { "Saving" } else { "Save…" };
            let is_over = job.status.is_over();
            action_button_as(ui, state, action("Save…"), saving, is_over, commands);
            if state.can_verify().is_ok() {
                action_button(ui, state, action("Verify this frame"), false, commands);
            }
            ui.add_space(space::ITEM);
            let text = RichText::new(progress(state, job)).font(theme::mono(13.0));
            ui.label(text.color(palette(ui).text));
            ui.add_space(space::ITEM);
            let colour = icon::job_colour(job.status, palette(ui));
            status(ui, icon::of_job(job.status), words::job_status(job.status), colour);
            ui.add_space(space::ITEM);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                super::panes(state, ui, commands);
                heading(ui, &job.spec.name);
            });
        });
    });
    let share = job.units_accepted as f32 / job.units.max(1) as f32;
    let colour = icon::job_colour(job.status, palette(ui));
    let words = format!("{} accepted", words::units(job.units_accepted.into(), job.units.into()));
    let width = ui.available_width();
    bar(ui, width, share, colour, &words);
}

/// `51 % · 4 min left · 1.86 of 3.60 TES`.
fn progress(state: &State, job: &JobSummary) -> String {
    let mut parts = vec![words::percent(job.units_accepted, job.units)];
    let left_ms = job.done_ms.map(|done_ms| done_ms.saturating_sub(state.now_ms));
    if let Some(left_ms) = left_ms.filter(|_| job.status == JobStatus::Rendering) {
        parts.push(format!("{} left", words::span(std::time::Duration::from_millis(left_ms))));
    }
    if !job.price.is_zero() {
        parts.push(format!("{} of {}", words::bare_tokens(job.spent), words::tokens(job.price)));
    }
    parts.join(" · ")
}

/// How many tiles are in which state; frame and camera, where there is more than one.
fn tiles_line(ui: &mut Ui, job: &JobSummary, live: Option<&Live>, commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.set_min_height(space::CONTROL);
        ui.spacing_mut().item_spacing.x = space::ITEM;
        if job.spec.shot_count() > 1
            && let Some(live) = live
            && let Some(shot) = job.spec.shot(live.shot)
        {
            shot_picker(ui, job, shot, commands);
            if !job.status.is_over() {
                let words = "This picture is rendered before the job's others";
                if ui.button("This frame first").on_hover_text(words).clicked() {
                    commands.push(Command::first(job, live.shot, None));
                }
                ui.add_space(space::ITEM);
            }
        }
        let Some(live) = live.filter(|live| !live.tiles.is_empty()) else {
            dim(ui, "Waiting for news of the tiles");
            return;
        };
        let counts = live.counts();
        for (look, count) in TileLook::ALL.into_iter().zip(counts) {
            // Each has its place, whether there are any or not: nothing moves under the eye.
            let colours = palette(ui);
            let colour =
                if count > 0 { icon::tile_colour(look, colours) } else { colours.text_dim };
            let word = format!("{} {count}", words::tile_look(look));
            ui.allocate_ui_with_layout(
                Vec2::new(CHIP, space::CONTROL),
                Layout::left_to_right(Align::Center),
                |ui| {
                    ui.set_min_width(CHIP);
                    status(ui, icon::of_tile(look), &word, colour);
                },
            );
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            dim(ui, words::plural(live.tiles.len() as u64, "tile", "tiles"));
        });
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
            let typed = egui::DragValue::new(&mut wanted.frame).range(range);
            ui.add(typed).labelled_by(label.id);
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
        (None, _) if job.expired => {
            let words = "Its films are gone: it ended long ago. Render it again to see it";
            (Icon::Clock, palette(ui).text_dim, words.to_owned())
        }
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
        widgets::caption(ui, "Look");
        light::look(&state.look, ui, commands);
        ui.horizontal(|ui| {
            for words in ["Show all of it", "Show its own size"] {
                let action = action(words);
                let short = if words.contains("all") { "Fit" } else { "1:1" };
                action_button_as(ui, state, action, short, false, commands);
            }
        });
    });
    compare::show(state, ui, commands);
    card(ui, |ui| {
        widgets::caption(ui, "Job");
        if !job.price.is_zero() {
            fact(ui, "Price", &words::tokens(job.price));
            fact(ui, "Spent", &words::tokens(job.spent));
            fact(ui, "Returned", &words::tokens(job.refunded));
        }
        fact(ui, "Ordered", &words::ago(job.ordered_ms, state.now_ms));
        if let Some(ended_ms) = job.ended_ms {
            fact(ui, "Ended", &words::ago(ended_ms, state.now_ms));
        }
        if let Some(nodes) = job.nodes_here {
            fact(ui, "Nodes that can", &nodes.to_string());
        }
        fact(ui, "Priority", &u8::from(job.priority).to_string());
        fact(ui, "Id", &job.job.short());
        ui.horizontal(|ui| {
            if ui.button("Copy id").on_hover_text(job.job.to_string()).clicked() {
                commands.push(Command::Copy(job.job.to_string()));
            }
            if !job.status.is_over() {
                let retry = Steering::Retry(protocol::Selection::default());
                let words = "What nodes have failed at is tried again";
                if ui.button("Retry failed").on_hover_text(words).clicked() {
                    commands.push(Command::Steer { job: job.job, steering: retry });
                }
            }
        });
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
        if let Some(noise) = job.spec.noise {
            fact(ui, "Enough noise", &format!("{:.1} % of white", noise.threshold() * 100.0));
        }
        fact(ui, "Bounces", &settings.bounces.to_string());
        fact(ui, "Tile", &format!("{0} × {0} px", job.spec.tile_side_px));
        if job.spec.frames.count() > 1 {
            let frames = job.spec.frames;
            fact(ui, "Frames", &format!("{}–{}", frames.first, frames.last));
        }
        if job.spec.view_count() > 1 {
            fact(ui, "Cameras", &job.spec.view_count().to_string());
        }
        fact(ui, "Forgeries caught", &job.assurance.to_string());
    });
}
