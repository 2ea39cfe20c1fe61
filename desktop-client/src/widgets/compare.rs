//! Kept pictures in a canvas: one of them, a wipe of both, or how far they are apart.

use egui::{Align2, FontId, Pos2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, WidgetType};
use film::Look;

use crate::look::{self, Against, Shown};
use crate::state::compare::{Compare, Kept, Showing, Slot};
use crate::state::port::{Canvas, Port};
use crate::theme::{self, palette};

/// How near to the wipe's line one takes hold of it, points.
const REACH: f32 = 8.0;

/// What a person has done to it.
pub struct Compared {
    /// What one sees of it from now on.
    pub port: Port,
    /// Where the line stands, if that was moved.
    pub wipe: Option<f32>,
}

/// Draws what is kept.
pub fn compare(ui: &mut Ui, compare: &Compare, look: &Look, port: Port, room: Vec2) -> Compared {
    let (area, response) = ui.allocate_exact_size(room, Sense::click_and_drag());
    let colours = palette(ui);
    ui.painter().rect_filled(area, theme::RADIUS_CONTROL, colours.surround);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, words(compare)));
    super::focus_ring(ui, &response);
    let mut result = Compared { port, wipe: None };
    let Some(first) = first(compare) else { return result };
    let canvas =
        Canvas { rect: area, size: first.canvas, pixels_per_point: ui.ctx().pixels_per_point() };
    let line = |frame: Rect| frame.left() + compare.wipe * frame.width();
    let before = port.place(&canvas);
    let pointer = response.interact_pointer_pos().or(response.hover_pos());
    let is_wipe = compare.showing == Showing::Wipe;
    let held = ui.data(|data| data.get_temp::<bool>(response.id)).unwrap_or(false);
    // Where one has pressed is what one has taken hold of.
    let origin = ui.input(|input| input.pointer.press_origin());
    let is_near =
        is_wipe && origin.or(pointer).is_some_and(|at| (at.x - line(before)).abs() <= REACH);
    let holds = if response.drag_started() { is_near } else { held && response.dragged() };
    ui.data_mut(|data| data.insert_temp(response.id, holds));
    if is_wipe && (holds || is_near) {
        ui.ctx().set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
    }
    if holds && let Some(at) = pointer {
        result.wipe = Some(((at.x - before.left()) / before.width()).clamp(0.0, 1.0));
    } else {
        result.port = port.moved(&canvas, super::motion(&response));
    }

    let frame = result.port.place(&canvas);
    let at = line(frame);
    draw(ui, compare, look, area, frame, at);
    let hover = response.hover_pos().filter(|_| !response.dragged());
    if let Some(pointer) = hover {
        response.on_hover_ui_at_pointer(|ui| tell(ui, compare, frame, pointer));
    }
    result
}

/// The picture whose frame is fitted.
fn first(compare: &Compare) -> Option<&Kept> {
    match compare.showing {
        Showing::Kept(Slot::B) => compare.kept(Slot::B),
        _other => compare.kept(Slot::A).or_else(|| compare.kept(Slot::B)),
    }
}

/// What one sees, for those who do not.
fn words(compare: &Compare) -> String {
    let name = |slot| compare.kept(slot).map_or("nothing", |kept| kept.name.as_str());
    let (a, b) = (name(Slot::A), name(Slot::B));
    match compare.showing {
        Showing::Live => "Nothing is compared".to_owned(),
        Showing::Kept(slot) => format!("Slot {}: {}", slot.word(), name(slot)),
        Showing::Wipe => {
            format!("Wipe at {:.0} %: A, {a}, to the left; B, {b}", compare.wipe * 100.0)
        }
        Showing::Difference => format!("Difference of A, {a}, and B, {b}"),
    }
}

fn draw(ui: &Ui, compare: &Compare, look: &Look, area: Rect, frame: Rect, line: f32) {
    let share = ((line - area.left()) / area.width()).clamp(0.0, 1.0);
    let one = |slot: Slot, wipe: [f32; 2]| {
        let Some(kept) = compare.kept(slot) else { return };
        let place = kept.place(kept.frame_within(frame));
        let layer = if slot == Slot::A { 1 } else { 2 };
        let shown = Shown::of(kept.picture.clone(), place, look.clone());
        look::paint(
            ui,
            area,
            Shown { wipe, layer, is_nearest: is_nearest(ui, kept, place), ..shown },
        );
    };
    match (compare.showing, compare.both()) {
        (Showing::Kept(slot), _) => {
            one(slot, [0.0, 1.0]);
            plate(ui, area, Align2::LEFT_TOP, slot, compare);
        }
        (Showing::Wipe, Some(_)) => {
            one(Slot::A, [0.0, share]);
            one(Slot::B, [share, 1.0]);
            let (top, bottom) = (Pos2::new(line, area.top()), Pos2::new(line, area.bottom()));
            let painter = ui.painter().with_clip_rect(area);
            painter.line_segment([top, bottom], Stroke::new(3.0, palette(ui).scrim));
            painter.line_segment([top, bottom], Stroke::new(1.0, palette(ui).on_picture));
            let grip =
                Rect::from_center_size(Pos2::new(line, area.center().y), Vec2::new(6.0, 28.0));
            painter.rect_filled(grip.expand(1.0), 4.0, palette(ui).scrim);
            painter.rect_filled(grip, 3.0, palette(ui).on_picture);
            plate(ui, area, Align2::LEFT_TOP, Slot::A, compare);
            plate(ui, area, Align2::RIGHT_TOP, Slot::B, compare);
        }
        (Showing::Difference, Some((a, b))) => {
            let (here, there) = (a.place(a.frame_within(frame)), b.place(b.frame_within(frame)));
            ui.painter().with_clip_rect(area).rect_filled(here, 0.0, palette(ui).scrim);
            let gain = compare.boost_ev.exp2();
            let against = Some(Against { picture: b.picture.clone(), place: there, gain });
            let shown = Shown::of(a.picture.clone(), here, look.clone());
            let is_nearest = is_nearest(ui, a, here);
            look::paint(ui, area, Shown { against, is_nearest, layer: 1, ..shown });
            plate(ui, area, Align2::LEFT_TOP, Slot::A, compare);
            plate(ui, area, Align2::RIGHT_TOP, Slot::B, compare);
        }
        _nothing => {}
    }
}

/// Whether pixels are so large that one wants to see their edges.
fn is_nearest(ui: &Ui, kept: &Kept, place: Rect) -> bool {
    let points = place.width() / kept.picture.size.width.max(1) as f32;
    points * ui.ctx().pixels_per_point() >= 3.0
}

/// A picture's letter and name upon it.
fn plate(ui: &Ui, area: Rect, corner: Align2, slot: Slot, compare: &Compare) {
    let Some(kept) = compare.kept(slot) else { return };
    let colours = palette(ui);
    let text = format!("{}  {}", slot.word(), kept.name);
    let galley = ui.painter().layout_no_wrap(text, theme::sans(12.5), colours.on_picture);
    let inset = area.shrink(10.0);
    let size = galley.size() + Vec2::new(16.0, 8.0);
    let rect = corner.align_size_within_rect(size, inset);
    let painter = ui.painter().with_clip_rect(area);
    painter.rect_filled(rect, 4.0, colours.scrim);
    painter.galley(rect.min + Vec2::new(8.0, 4.0), galley, colours.on_picture);
}

/// The light of both under the pointer.
fn tell(ui: &mut Ui, compare: &Compare, frame: Rect, pointer: Pos2) {
    let light = |slot: Slot| {
        let kept = compare.kept(slot)?;
        kept.light_at(kept.place(kept.frame_within(frame)), pointer)
    };
    let font = FontId::monospace(11.0);
    let mut say = |what: &str, rgb: [f32; 3]| {
        let [red, green, blue] = rgb.map(|value| format!("{value:.4}"));
        let text = format!("{what}   {red}  {green}  {blue}");
        ui.label(egui::RichText::new(text).font(font.clone()).color(palette(ui).text_dim));
    };
    let (a, b) = (light(Slot::A), light(Slot::B));
    if let Some(rgb) = a {
        say("A  ", rgb);
    }
    if let Some(rgb) = b {
        say("B  ", rgb);
    }
    if let (Some(a), Some(b)) = (a, b) {
        say("A-B", [a[0] - b[0], a[1] - b[1], a[2] - b[2]]);
    }
}
