//! The live picture with its map of tiles.

use egui::{
    Color32, FontId, Painter, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2,
    WidgetInfo, WidgetType,
};
use film::Look;
use protocol::{JobSpec, TileIndex};

use super::icon;
use crate::look::{self, Shown};
use crate::state::picture::Picture;
use crate::state::port::{Canvas, Motion, Port};
use crate::state::{TileLook, live::Live};
use crate::theme::{self, Palette, palette};
use crate::words;

/// A live picture, and how it is looked at.
pub struct LiveView<'a> {
    /// The shot.
    pub live: &'a Live,
    /// The same, smaller, for as long as it is not here.
    pub under: Option<&'a Picture>,
    /// Its job.
    pub spec: &'a JobSpec,
    /// Whether the job is over: then its tiles tell nothing any more.
    pub is_over: bool,
    /// Which part of it one sees.
    pub port: Port,
    /// How light is seen.
    pub look: &'a Look,
}

/// What a person does to a live picture in a frame.
pub struct Touch {
    /// The canvas.
    pub response: Response,
    /// Which part of the picture one sees from now on.
    pub port: Port,
    /// The tile under the pointer.
    pub tile: Option<TileIndex>,
    /// The waiting tile that was clicked.
    pub first: Option<TileIndex>,
}

/// Draws the picture with the state of every tile that is not accepted yet, and tells about the tile
/// under the pointer.
pub fn picture(ui: &mut Ui, view: &LiveView<'_>) -> Touch {
    let LiveView { live, spec, .. } = *view;
    let room = ui.available_size();
    let (area, response) = ui.allocate_exact_size(room, Sense::click_and_drag());
    let colours = palette(ui);
    ui.painter().rect_filled(area, theme::RADIUS_CONTROL, colours.surround);
    let canvas = Canvas {
        rect: area,
        size: live.picture.size,
        pixels_per_point: ui.ctx().pixels_per_point(),
    };
    let port = view.port.moved(&canvas, motion(&response));
    let frame = port.place(&canvas);
    let painter = ui.painter().with_clip_rect(area);
    painter.rect_filled(frame, 0.0, colours.missing);
    let scale = frame.width() / live.picture.size.width.max(1) as f32;
    let is_nearest = scale * ui.ctx().pixels_per_point() >= 3.0;
    if let Some(under) = view.under.filter(|_| live.picture.patches().len() < live.tiles.len()) {
        look::paint(ui, area, Shown::of(under.clone(), frame, view.look.clone()));
    }
    let shown = Shown::of(live.picture.clone(), frame, view.look.clone());
    look::paint(ui, area, Shown { is_nearest, ..shown });

    let window = spec.settings.window();
    let rect_of = |tile: u32| {
        let rect = spec.grid().rect(TileIndex(tile))?.inside(&window);
        let corner = |x: u32, y: u32| frame.min + Vec2::new(x as f32, y as f32) * scale;
        Some(Rect::from_min_max(corner(rect.x0, rect.y0), corner(rect.x1, rect.y1)))
    };
    if !view.is_over {
        for tile in 0..live.tiles.len() {
            if let Some(rect) = rect_of(tile as u32).filter(|rect| rect.intersects(area)) {
                let drawn = live.chunks.get(tile).is_some_and(|&chunks| chunks > 0);
                draw_tile(&painter, rect, live.look(tile), drawn, colours);
            }
        }
    }
    let accepted = live.count(TileLook::Accepted);
    let name = format!("Render preview, {accepted} of {} tiles accepted", live.tiles.len());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &name));
    super::focus_ring(ui, &response);
    let tile = response.hover_pos().and_then(|pointer| {
        let inside = |tile: &usize| rect_of(*tile as u32).is_some_and(|r| r.contains(pointer));
        (0..live.tiles.len()).find(inside).map(|tile| (tile, pointer))
    });
    let waits = |tile: usize| !view.is_over && live.look(tile) == TileLook::Waiting;
    let clicked = tile.map(|(tile, _)| tile).filter(|tile| response.clicked() && waits(*tile));
    let response = match tile {
        Some((tile, pointer)) if !response.dragged() => response.on_hover_ui_at_pointer(|ui| {
            tell(ui, live, spec, tile);
            let pixel = ((pointer - frame.min) / scale).to_pos2();
            tell_light(ui, live, pixel);
            if waits(tile) {
                ui.label("Click to have it rendered first, and then what is around it");
            }
            if live.accepted_of(TileIndex(tile as u32)).next().is_some() {
                ui.label("Right-click to keep its node off your jobs");
            }
        }),
        _outside => response,
    };
    let index = |tile: usize| TileIndex(tile as u32);
    Touch { response, port, tile: tile.map(|(tile, _)| index(tile)), first: clicked.map(index) }
}

/// Draws a picture that is a smaller one of `canvas` pixels, and nothing else; returns what one sees of
/// it from now on.
pub fn still(
    ui: &mut Ui,
    picture: &Picture,
    (size, name): (protocol::Size, &str),
    port: Port,
    look: &Look,
) -> Port {
    let (area, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    let colours = palette(ui);
    ui.painter().rect_filled(area, theme::RADIUS_CONTROL, colours.surround);
    let canvas = Canvas { rect: area, size, pixels_per_point: ui.ctx().pixels_per_point() };
    let port = port.moved(&canvas, motion(&response));
    look::paint(ui, area, Shown::of(picture.clone(), port.place(&canvas), look.clone()));
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, name));
    super::focus_ring(ui, &response);
    port
}

/// What a person does to a canvas in this frame.
pub(crate) fn motion(response: &Response) -> Motion {
    let Some(pointer) = response.hover_pos() else {
        return Motion { drag: response.drag_delta(), factor: 1.0, pointer: Pos2::ZERO };
    };
    let (scroll, pinch) =
        response.ctx.input(|input| (input.smooth_scroll_delta.y, input.zoom_delta()));
    Motion { drag: response.drag_delta(), factor: (scroll * 0.004).exp() * pinch, pointer }
}

/// Marks a tile that is not accepted whole. Where samples are `drawn`, only its corner: they are
/// what one wants to see.
fn draw_tile(painter: &Painter, rect: Rect, look: TileLook, drawn: bool, colours: &Palette) {
    if matches!(look, TileLook::Accepted | TileLook::Partial) {
        return;
    }
    let colour = icon::tile_colour_on_picture(look, colours);
    let rect = Rect::from_min_max(rect.min.round(), rect.max.round());
    if look == TileLook::Waiting {
        let faint = colours.on_picture.gamma_multiply(0.14);
        painter.rect_stroke(rect, 0.0, Stroke::new(1.0, faint), StrokeKind::Inside);
        return;
    }
    if drawn {
        let mark = Rect::from_min_size(rect.min + Vec2::splat(7.0), Vec2::splat(11.0));
        if rect.contains_rect(mark.expand(7.0)) {
            plate(painter, mark.expand(3.0), colours);
            icon::paint(painter, mark, icon::of_tile(look), colour);
        }
        return;
    }
    painter.rect_stroke(rect.shrink(1.0), 2.0, Stroke::new(3.0, colours.scrim), StrokeKind::Inside);
    painter.rect_stroke(rect.shrink(2.0), 2.0, Stroke::new(1.0, colour), StrokeKind::Inside);
    let side = (rect.width().min(rect.height()) * 0.3).clamp(0.0, 18.0);
    if side < 6.0 {
        return;
    }
    let mark = Rect::from_center_size(rect.center(), Vec2::splat(side));
    plate(painter, mark.expand(4.0), colours);
    icon::paint(painter, mark, icon::of_tile(look), colour);
}

fn plate(painter: &Painter, rect: Rect, colours: &Palette) {
    painter.rect_filled(rect, 4.0, colours.scrim);
}

/// Who made a tile, and what was checked.
fn tell(ui: &mut Ui, live: &Live, spec: &JobSpec, tile: usize) {
    let columns = spec.grid().columns() as usize;
    let (column, row) = (tile % columns + 1, tile / columns + 1);
    let look = live.look(tile);
    let colour = icon::tile_colour(look, palette(ui));
    super::status(ui, icon::of_tile(look), words::tile_look(look), colour);
    let samples: usize = live
        .accepted_of(TileIndex(tile as u32))
        .map(|it| it.unit.batch.samples(spec.settings.samples).len())
        .sum();
    ui.label(format!("Tile {column},{row}: {samples} of {} spp", spec.settings.samples));
    for unit in live.accepted_of(TileIndex(tile as u32)) {
        let samples = unit.unit.batch.samples(spec.settings.samples);
        ui.label(format!(
            "{} spp by {}, {} rays, {} checked",
            samples.len(),
            unit.node.short(),
            words::count(unit.rays.total()),
            words::plural(u64::from(unit.pixels_checked), "pixel", "pixels"),
        ));
    }
}

/// The light of the pixel under the pointer.
pub(crate) fn tell_light(ui: &mut Ui, live: &Live, pixel: Pos2) {
    let (x, y) = (pixel.x.max(0.0) as u32, pixel.y.max(0.0) as u32);
    if let Some(rgb) = live.picture.light(x, y) {
        let [red, green, blue] = rgb.map(|value| format!("{value:.3}"));
        let text = format!("{x}, {y}   {red}  {green}  {blue}");
        let font = FontId::monospace(11.0);
        ui.label(egui::RichText::new(text).font(font).color(dim_of(ui)));
    }
}

fn dim_of(ui: &Ui) -> Color32 {
    palette(ui).text_dim
}
