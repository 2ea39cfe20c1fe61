//! The rows. Only those in sight are drawn, each as one thing that can be pressed.

use std::time::Duration;

use egui::accesskit::{Role, SortDirection};
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align2, Color32, FontId, Id, Painter, Pos2, Rect, ScrollArea, Sense, Shape, Stroke, Ui, Vec2,
    WidgetInfo, WidgetType, pos2,
};
use protocol::ShotIndex;
use protocol::view::{JobStatus, JobSummary};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::jobs::{Column, Wish};
use crate::theme::{self, Palette, RADIUS_SMALL, palette, space};
use crate::widgets::{focus_ring, icon};
use crate::words;

/// Height of a row.
const ROW: f32 = 24.0;
/// Height of the columns' names.
const HEADER: f32 = 26.0;
/// Least width of a name.
const NAME_MIN: f32 = 180.0;
/// Width of the mark of what is chosen.
const MARK: f32 = 3.0;
/// Room for the scroll bar to the right.
const SCROLL: f32 = 12.0;
/// Width of a bar in a cell.
const BAR: f32 = 72.0;

const fn width(column: Column) -> f32 {
    match column {
        Column::Name => NAME_MIN,
        Column::Status => 112.0,
        Column::Progress => 180.0,
        Column::Price => 92.0,
        Column::Spent => 80.0,
        Column::Refunded | Column::Ordered => 92.0,
        Column::Priority => 76.0,
        Column::Ready => 112.0,
    }
}

/// Where each shown column lies, from left to right.
fn places(state: &State, available: f32) -> (Vec<(Column, f32, f32)>, f32) {
    let shown: Vec<Column> = state.settings.jobs.shown().collect();
    let least: f32 = shown.iter().map(|column| width(*column)).sum::<f32>() + SCROLL;
    let spare = (available - least).max(0.0);
    let mut left = 0.0;
    let places = shown.into_iter().map(|column| {
        let wide = width(column) + if column == Column::Name { spare } else { 0.0 };
        left += wide;
        (column, left - wide, left)
    });
    (places.collect(), least + spare)
}

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let (places, whole) = places(state, ui.available_width());
    // Where the window is narrow, the list is moved sideways.
    ScrollArea::horizontal().id_salt("columns").auto_shrink(false).show(ui, |ui| {
        ui.set_width(whole);
        ui.spacing_mut().item_spacing.y = 0.0;
        header(state, &places, ui, commands);
        let rows = state.jobs.rows();
        let list = state.book.job_list();
        let area = ScrollArea::vertical().id_salt("jobs").auto_shrink(false);
        area.show_viewport(ui, |ui, viewport| {
            ui.set_height(rows.len() as f32 * ROW);
            let corner = ui.max_rect().min;
            let rect = |place: usize| {
                let top = corner.y + place as f32 * ROW;
                Rect::from_min_size(pos2(corner.x, top), Vec2::new(whole, ROW))
            };
            reveal(state, ui, rect);
            let first = (viewport.top() / ROW).floor().max(0.0) as usize;
            let end = ((viewport.bottom() / ROW).ceil().max(0.0) as usize).min(rows.len());
            for (place, row_index) in rows.iter().enumerate().take(end).skip(first) {
                let Some(job) = list.get(*row_index as usize) else { continue };
                row(state, job, rect(place), &places, ui, commands);
            }
        });
    });
}

/// Brings the row that one has gone to into sight.
fn reveal(state: &State, ui: &Ui, rect: impl Fn(usize) -> Rect) {
    let cursor = state.jobs.cursor();
    let seen = Id::new("cursor of jobs");
    let before = ui.data(|data| data.get_temp::<Option<protocol::JobId>>(seen));
    if before == Some(cursor) {
        return;
    }
    ui.data_mut(|data| data.insert_temp(seen, cursor));
    let list = state.book.job_list();
    let is_cursor = |row: &u32| list.get(*row as usize).map(|job| job.job) == cursor;
    if let Some(place) = state.jobs.rows().iter().position(is_cursor) {
        ui.scroll_to_rect(rect(place), None);
    }
}

fn header(state: &State, places: &[(Column, f32, f32)], ui: &mut Ui, commands: &mut Commands) {
    let size = Vec2::new(ui.available_width(), HEADER);
    let (line, _response) = ui.allocate_exact_size(size, Sense::empty());
    let colours = palette(ui);
    ui.painter().hline(line.x_range(), line.bottom() - 0.5, Stroke::new(1.0, colours.border));
    let sort = state.settings.jobs.sort;
    for &(column, from, to) in places {
        let cell = Rect::from_x_y_ranges(line.left() + from..=line.left() + to, line.y_range());
        let response = ui.interact(cell, ui.id().with(("column", column)), Sense::click());
        let is_sorted = sort.column == column;
        let words = match (is_sorted, sort.descending) {
            (false, _) => column.word().to_owned(),
            (true, true) => format!("{}, sorted downwards", column.word()),
            (true, false) => format!("{}, sorted upwards", column.word()),
        };
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &words));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_role(Role::ColumnHeader);
            if is_sorted {
                node.set_sort_direction(match sort.descending {
                    true => SortDirection::Descending,
                    false => SortDirection::Ascending,
                });
            }
        });
        let colour = if is_sorted || response.hovered() { colours.text } else { colours.text_dim };
        let inside = inside(cell);
        let drawn = match column.is_figure() {
            true => text(
                ui.painter(),
                inside,
                Align2::RIGHT_CENTER,
                column.word(),
                theme::sans(12.0),
                colour,
            ),
            false => text(
                ui.painter(),
                inside,
                Align2::LEFT_CENTER,
                column.word(),
                theme::sans(12.0),
                colour,
            ),
        };
        if is_sorted {
            let x = if column.is_figure() { drawn.left() - 8.0 } else { drawn.right() + 8.0 };
            arrow(ui.painter(), pos2(x, drawn.center().y), sort.descending, colours.accent);
        }
        focus_ring(ui, &response);
        if response.clicked() {
            commands.push(Command::Jobs(Wish::SortBy(column)));
        }
    }
}

/// Where a cell's words may be.
fn inside(cell: Rect) -> Rect {
    cell.shrink2(Vec2::new(space::ITEM, 0.0))
}

/// A small triangle: its tip to where the greatest is.
fn arrow(painter: &Painter, centre: Pos2, is_down: bool, colour: Color32) {
    let tip = if is_down { 2.5 } else { -2.5 };
    let corners = [
        centre + Vec2::new(-3.5, -tip),
        centre + Vec2::new(3.5, -tip),
        centre + Vec2::new(0.0, tip),
    ];
    painter.add(Shape::convex_polygon(corners.to_vec(), colour, Stroke::NONE));
}

fn row(
    state: &State,
    job: &JobSummary,
    rect: Rect,
    places: &[(Column, f32, f32)],
    ui: &mut Ui,
    commands: &mut Commands,
) {
    let response = ui.interact(rect, ui.id().with(job.job), Sense::click());
    let colours = palette(ui);
    let is_chosen = state.jobs.chosen().contains(&job.job);
    let is_cursor = state.jobs.cursor() == Some(job.job);
    let words = format!(
        "{}, {}, {} accepted, {}",
        job.spec.name,
        words::job_status(job.status),
        words::units(job.units_accepted.into(), job.units.into()),
        words::tokens(job.price),
    );
    response
        .widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, is_chosen, &words));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_role(Role::Row);
        node.clear_toggled();
        node.set_selected(is_chosen);
    });
    // Show what is chosen, what the pointer is at, and where the keys are.
    let painter = ui.painter();
    if is_chosen {
        painter.rect_filled(rect, 0.0, colours.selected);
        let mark = Rect::from_min_size(rect.min, Vec2::new(MARK, ROW));
        painter.rect_filled(mark, 0.0, colours.accent);
    } else if response.hovered() {
        painter.rect_filled(rect, 0.0, colours.raised);
    }
    if is_cursor && !is_chosen {
        let stroke = Stroke::new(1.0, colours.control);
        painter.rect_stroke(rect, RADIUS_SMALL, stroke, egui::StrokeKind::Inside);
    }
    let is_steered = state.steering.iter().any(|it| it.job == job.job);
    for &(column, from, to) in places {
        let cell = Rect::from_x_y_ranges(rect.left() + from..=rect.left() + to, rect.y_range());
        let look = Cell { job, now_ms: state.now_ms, is_steered, colours };
        look.draw(column, inside(cell), painter);
    }
    focus_ring(ui, &response);
    press(&response, job, ui, commands);
    let at = response.hover_pos().map(|pointer| pointer.x - rect.left());
    let column = at.and_then(|x| places.iter().find(|(_, from, to)| (*from..*to).contains(&x)));
    if let Some(said) = column.and_then(|(column, ..)| told(*column, job)) {
        response.on_hover_text_at_pointer(said);
    }
}

/// What a press on a row does.
fn press(response: &egui::Response, job: &JobSummary, ui: &Ui, commands: &mut Commands) {
    let (held, enter) = ui.input(|input| (input.modifiers, input.key_pressed(egui::Key::Enter)));
    let opens = response.double_clicked() || (response.has_focus() && enter);
    if opens {
        commands.push(Command::Watch { job: job.job, shot: ShotIndex::default() });
    } else if response.clicked() {
        commands.push(Command::Jobs(match (held.command, held.shift) {
            (true, _) => Wish::Toggle(job.job),
            (false, true) => Wish::ChooseThrough(job.job),
            (false, false) => Wish::Choose(job.job),
        }));
    }
}

/// What a cell has no room for.
fn told(column: Column, job: &JobSummary) -> Option<String> {
    match column {
        Column::Name => Some(format!("{}\n{}", job.spec.name, job.job)),
        Column::Status => job.reason.clone(),
        Column::Progress => Some(words::percent(job.units_accepted, job.units)),
        Column::Price => Some(format!("{} TES", job.price)),
        Column::Spent => Some(format!("{} TES", job.spent)),
        Column::Refunded => Some(format!("{} TES", job.refunded)),
        Column::Priority => None,
        Column::Ready => job.wanted_by_ms.map(|ms| format!("Wanted by {}", words::date_time(ms))),
        Column::Ordered => Some(words::date_time(job.ordered_ms)),
    }
}

/// A row's cells.
struct Cell<'j> {
    job: &'j JobSummary,
    now_ms: u64,
    is_steered: bool,
    colours: &'static Palette,
}

impl Cell<'_> {
    fn draw(&self, column: Column, cell: Rect, painter: &Painter) {
        let (job, colours) = (self.job, self.colours);
        let mono = theme::mono(12.0);
        let amount = |amount: protocol::Tokens, painter: &Painter| {
            let colour = if amount.is_zero() { colours.text_dim } else { colours.text };
            text(
                painter,
                cell,
                Align2::RIGHT_CENTER,
                &words::bare_tokens(amount),
                mono.clone(),
                colour,
            );
        };
        match column {
            Column::Name => {
                text(
                    painter,
                    cell,
                    Align2::LEFT_CENTER,
                    &job.spec.name,
                    theme::sans(13.5),
                    colours.text,
                );
            }
            Column::Status => self.status(cell, painter),
            Column::Progress => self.progress(cell, painter),
            Column::Price => amount(job.price, painter),
            Column::Spent => amount(job.spent, painter),
            Column::Refunded => amount(job.refunded, painter),
            Column::Priority => {
                let number = u8::from(job.priority).to_string();
                text(painter, cell, Align2::RIGHT_CENTER, &number, mono, colours.text);
            }
            Column::Ready => {
                let (said, is_late) = ready(job, self.now_ms);
                let colour = if is_late { colours.warn } else { colours.text };
                text(painter, cell, Align2::LEFT_CENTER, &said, theme::sans(13.0), colour);
            }
            Column::Ordered => {
                let said = words::ago(job.ordered_ms, self.now_ms);
                text(
                    painter,
                    cell,
                    Align2::LEFT_CENTER,
                    &said,
                    theme::sans(13.0),
                    colours.text_dim,
                );
            }
        }
    }

    fn status(&self, cell: Rect, painter: &Painter) {
        let status = self.job.status;
        let colour = icon::job_colour(status, self.colours);
        let centre = pos2(cell.left() + 7.0, cell.center().y);
        icon::paint(
            painter,
            Rect::from_center_size(centre, Vec2::splat(14.0)),
            icon::of_job(status),
            colour,
        );
        let mut rest = cell;
        rest.min.x += 20.0;
        let word = words::job_status(status);
        // Something has been asked of it, and the farm has not answered.
        let word = if self.is_steered { format!("{word}…") } else { word.to_owned() };
        text(painter, rest, Align2::LEFT_CENTER, &word, theme::sans(13.5), colour);
    }

    fn progress(&self, cell: Rect, painter: &Painter) {
        let (job, colours) = (self.job, self.colours);
        let centre = pos2(cell.left() + BAR / 2.0, cell.center().y);
        let track = Rect::from_center_size(centre, Vec2::new(BAR, 6.0));
        painter.rect_filled(track, 3.0, colours.track);
        let share = job.units_accepted as f32 / job.units.max(1) as f32;
        let mut filled = track;
        filled.set_width(BAR * share.clamp(0.0, 1.0));
        if filled.width() >= 1.0 {
            painter.rect_filled(filled, 3.0, icon::job_colour(job.status, colours));
        }
        let mut rest = cell;
        rest.min.x += BAR + space::TINY;
        let said = format!("{} / {}", job.units_accepted, job.units);
        text(painter, rest, Align2::RIGHT_CENTER, &said, theme::mono(12.0), colours.text);
    }
}

/// When a job is there, in words, and whether that is or will be too late.
fn ready(job: &JobSummary, now_ms: u64) -> (String, bool) {
    let span = |from: u64, to: u64| words::span(Duration::from_millis(to.saturating_sub(from)));
    let is_over = job.status.is_over();
    let at_ms = if is_over { job.ended_ms } else { job.done_ms };
    let by_ms = job.wanted_by_ms;
    match (at_ms, by_ms) {
        (Some(at), Some(by)) if at > by => (format!("late by {}", span(by, at)), true),
        (None, Some(by)) if now_ms > by && !is_over => {
            (format!("late by {}", span(by, now_ms)), true)
        }
        (Some(_), Some(_)) if is_over => ("in time".to_owned(), false),
        (Some(at), _) if job.status == JobStatus::Rendering => {
            (format!("in {}", span(now_ms, at)), false)
        }
        (_, Some(by)) if !is_over => (format!("due in {}", span(now_ms, by)), false),
        _unknown => (String::new(), false),
    }
}

/// Draws a line of text, cut where the cell ends; returns where it lies.
fn text(
    painter: &Painter,
    cell: Rect,
    align: Align2,
    words: &str,
    font: FontId,
    colour: Color32,
) -> Rect {
    let mut line = LayoutJob::simple_singleline(words.to_owned(), font, colour);
    line.wrap = TextWrapping::truncate_at_width(cell.width());
    let galley = painter.layout_job(line);
    let place = align.align_size_within_rect(galley.size(), cell);
    painter.galley(place.min, galley, colour);
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::jobs::tests::job;

    #[test]
    fn a_job_is_ready_in_words() {
        const MINUTE_MS: u64 = 60_000;
        let check = |status, at: Option<u64>, by: Option<u64>, expected: &str, late| {
            let mut job = job(1, "shot", status);
            (job.wanted_by_ms, job.done_ms, job.ended_ms) = (by, None, None);
            if status.is_over() {
                job.ended_ms = at
            } else {
                job.done_ms = at
            }
            assert_eq!(ready(&job, 10 * MINUTE_MS), (expected.to_owned(), late));
        };
        let min = |minutes: u64| Some(minutes * MINUTE_MS);
        use JobStatus::{Done, Paused, Rendering, Waiting};
        check(Rendering, min(14), None, "in 4 min", false);
        check(Rendering, min(14), min(20), "in 4 min", false);
        check(Rendering, min(24), min(20), "late by 4 min", true);
        check(Rendering, None, min(20), "due in 10 min", false);
        check(Waiting, None, min(8), "late by 2 min", true);
        check(Paused, min(14), None, "", false);
        check(Done, min(8), None, "", false);
        check(Done, min(8), min(9), "in time", false);
        check(Done, min(8), min(5), "late by 3 min", true);
    }
}
