//! The frames of an animation, a cell each, and what plays them.

use egui::{
    Align, Align2, Layout, Rect, ScrollArea, Sense, Ui, Vec2, WidgetInfo, WidgetType, pos2,
};
use protocol::view::JobSummary;
use protocol::{Shot, ShotIndex};

use crate::command::{Command, Commands, action};
use crate::state::live::Live;
use crate::state::reel::Fetching;
use crate::state::{State, TileLook};
use crate::theme::{self, RADIUS_SMALL, palette};
use crate::widgets::icon;
use crate::widgets::{self, action_button_as, dim};
use crate::words;

/// Width and height of a cell.
const CELL: Vec2 = Vec2::new(44.0, 30.0);
/// Room for what is said of the frames at hand.
const SIDE: f32 = 250.0;

pub(super) fn show(
    state: &State,
    ui: &mut Ui,
    job: &JobSummary,
    live: &Live,
    commands: &mut Commands,
) {
    let Some(watched) = job.spec.shot(live.shot) else { return };
    if job.spec.frames.count() < 2 {
        return;
    }
    let played = state.played().map(|(shot, _)| shot);
    let shown = played.and_then(|shot| job.spec.shot(shot)).unwrap_or(watched);
    ui.horizontal(|ui| {
        ui.set_height(CELL.y + 8.0);
        let words = if state.reel.play.is_some() { "Pause frames" } else { "Play frames" };
        action_button_as(ui, state, action("Play or pause frames"), words, false, commands);
        let width = (ui.available_width() - SIDE).max(0.0);
        ui.allocate_ui_with_layout(
            Vec2::new(width, CELL.y + 8.0),
            Layout::left_to_right(Align::Center),
            |ui| cells(state, ui, job, live, shown, commands),
        );
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            at_hand(state, ui, job, shown, commands)
        });
    });
    if let Fetching::Failed(why) = &state.reel.fetching {
        dim(ui, format!("Not all frames could be fetched. {why}"));
    }
}

/// Only cells in sight are drawn.
fn cells(
    state: &State,
    ui: &mut Ui,
    job: &JobSummary,
    live: &Live,
    shown: Shot,
    commands: &mut Commands,
) {
    let frames = &job.spec.frames;
    let area = ScrollArea::horizontal().id_salt("frames").auto_shrink(false);
    area.show_viewport(ui, |ui, viewport| {
        ui.set_width(frames.count() as f32 * CELL.x);
        ui.set_height(CELL.y);
        let origin = ui.min_rect().min;
        let cell_of = |place: u32| {
            let min = pos2(origin.x + place as f32 * CELL.x, origin.y);
            Rect::from_min_size(min, CELL).shrink2(Vec2::new(1.5, 1.0))
        };
        let first = (viewport.left() / CELL.x).floor().max(0.0) as u32;
        let last = ((viewport.right() / CELL.x).ceil().max(0.0) as u32).min(frames.count());
        for place in first..last {
            let frame = frames.nth(place);
            let shot = frame.map(|frame| Shot { frame, ..shown });
            let Some((shot, index)) =
                shot.and_then(|shot| Some((shot, job.spec.shot_index(shot)?)))
            else {
                continue;
            };
            if cell(state, ui, cell_of(place), (live, shot, index), shot == shown) {
                commands.push(Command::Watch { job: job.job, shot: index });
            }
        }
        follow(ui, shown, frames.place(shown.frame).map(cell_of));
    });
}

/// Keeps the shown frame in sight, when it has become another.
fn follow(ui: &Ui, shown: Shot, cell: Option<Rect>) {
    let id = ui.id().with("shown frame");
    let last = ui.data(|data| data.get_temp::<u32>(id));
    if last == Some(shown.frame) {
        return;
    }
    ui.data_mut(|data| data.insert_temp(id, shown.frame));
    if let Some(cell) = cell {
        ui.scroll_to_rect(cell.expand2(Vec2::new(CELL.x, 0.0)), None);
    }
}

/// A frame; says whether it was pressed.
fn cell(
    state: &State,
    ui: &mut Ui,
    rect: Rect,
    (live, shot, index): (&Live, Shot, ShotIndex),
    is_shown: bool,
) -> bool {
    let response = ui.interact(rect, ui.id().with(("frame", index.0)), Sense::click());
    let look = live.shots.get(index.0 as usize).copied().unwrap_or(TileLook::Waiting);
    let is_here = state.reel.still(live.job, index).is_some();
    let at_hand = if is_here { ", at hand" } else { "" };
    let words = format!("Frame {}, {}{at_hand}", shot.frame, words::tile_look(look));
    response.widget_info(|| WidgetInfo::selected(WidgetType::Button, true, is_shown, &words));
    let colours = palette(ui);
    let fill = match (is_shown, response.hovered()) {
        (true, _) => colours.selected,
        (_, true) => colours.raised,
        _plain => colours.panel,
    };
    let painter = ui.painter();
    painter.rect_filled(rect, RADIUS_SMALL, fill);
    let line = if is_shown { colours.accent } else { colours.border };
    let stroke = egui::Stroke::new(1.0, line);
    painter.rect_stroke(rect, RADIUS_SMALL, stroke, egui::StrokeKind::Inside);
    let colour = icon::tile_colour(look, colours);
    let mark =
        Rect::from_center_size(pos2(rect.left() + 9.0, rect.center().y - 1.0), Vec2::splat(9.0));
    icon::paint(painter, mark, icon::of_tile(look), colour);
    let text = if is_shown || is_here { colours.text } else { colours.text_dim };
    let at = pos2(rect.right() - 5.0, rect.center().y - 1.0);
    painter.text(at, Align2::RIGHT_CENTER, shot.frame.to_string(), theme::mono(11.0), text);
    if is_here {
        let bar = Rect::from_min_max(
            rect.left_bottom() - Vec2::new(-4.0, 4.0),
            rect.right_bottom() - Vec2::new(4.0, 2.0),
        );
        painter.rect_filled(bar, 1.0, colours.text);
    }
    widgets::focus_ring(ui, &response);
    response.on_hover_text(words).clicked()
}

/// How many frames can be played, and what fetches the others.
fn at_hand(state: &State, ui: &mut Ui, job: &JobSummary, shown: Shot, commands: &mut Commands) {
    let is_of_it = state.reel.job == Some(job.job);
    let here = if is_of_it { state.reel.here(&job.spec, shown.view).len() } else { 0 };
    match &state.reel.fetching {
        Fetching::UnderWay if is_of_it => {
            if ui.button("Stop fetching").clicked() {
                commands.push(Command::StopFetchingFrames);
            }
            ui.spinner();
        }
        _idle => {
            action_button_as(
                ui,
                state,
                action("Fetch finished frames"),
                "Fetch frames",
                false,
                commands,
            );
        }
    }
    dim(ui, format!("{here} of {} at hand", job.spec.frames.count()));
}
