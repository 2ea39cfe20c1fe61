//! The live picture with its map of tiles.

use std::sync::Arc;

use egui::{
    Color32, ColorImage, FontId, Id, Painter, Pos2, Rect, Response, Sense, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo, WidgetType,
};
use protocol::{JobId, JobSpec, ShotIndex, TileIndex};

use super::icon;
use crate::state::{Live, LivePicture, TileLook};
use crate::theme::{self, Palette, palette};
use crate::words;

/// Draws the picture as large as it fits, never above one point a pixel times four, with the
/// state of every tile that is not accepted yet, and tells about the tile under the pointer.
pub fn picture(ui: &mut Ui, live: &Live, spec: &JobSpec, over: bool) -> Response {
    let room = ui.available_size();
    let (area, response) = ui.allocate_exact_size(room, Sense::hover());
    let colours = palette(ui);
    ui.painter().rect_filled(area, theme::RADIUS_CONTROL, colours.surround);
    let frame = fit(area.shrink(12.0), &live.picture);
    ui.painter().rect_filled(frame, 0.0, colours.missing);
    let texture = texture(ui, live);
    let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
    ui.painter().image(texture.id(), frame, whole, tint());

    let scale = frame.width() / live.picture.size.width.max(1) as f32;
    let window = spec.settings.window();
    let rect_of = |tile: u32| {
        let rect = spec.grid().rect(TileIndex(tile))?.inside(&window);
        let corner = |x: u32, y: u32| frame.min + Vec2::new(x as f32, y as f32) * scale;
        Some(Rect::from_min_max(corner(rect.x0, rect.y0), corner(rect.x1, rect.y1)))
    };
    if !over {
        for tile in 0..live.tiles.len() {
            if let Some(rect) = rect_of(tile as u32) {
                let drawn = live.chunks.get(tile).is_some_and(|&chunks| chunks > 0);
                draw_tile(ui.painter(), rect, live.look(tile), drawn, colours);
            }
        }
    }
    let accepted = live.count(TileLook::Accepted);
    let name = format!("Render preview, {accepted} of {} tiles accepted", live.tiles.len());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &name));
    let tile = response.hover_pos().and_then(|pointer| {
        let inside = |tile: &usize| rect_of(*tile as u32).is_some_and(|r| r.contains(pointer));
        (0..live.tiles.len()).find(inside)
    });
    match tile {
        Some(tile) => response.on_hover_ui_at_pointer(|ui| tell(ui, live, spec, tile)),
        None => response,
    }
}

/// Untinted.
const fn tint() -> Color32 {
    Color32::WHITE
}

/// The largest rectangle of the picture's shape inside `area`.
fn fit(area: Rect, picture: &LivePicture) -> Rect {
    let size = Vec2::new(picture.size.width.max(1) as f32, picture.size.height.max(1) as f32);
    let scale = (area.width() / size.x).min(area.height() / size.y).clamp(0.01, 4.0);
    Rect::from_center_size(area.center(), size * scale)
}

/// Marks a tile that is not accepted whole. Where samples are `drawn`, only its corner: they are
/// what one wants to see.
fn draw_tile(painter: &Painter, rect: Rect, look: TileLook, drawn: bool, colours: &Palette) {
    if matches!(look, TileLook::Accepted | TileLook::Partial) {
        return;
    }
    let colour = icon::tile_colour(look, colours);
    if look == TileLook::Waiting {
        let faint = colours.text_dim.gamma_multiply(0.16);
        painter.rect_stroke(rect, 0.0, Stroke::new(1.0, faint), StrokeKind::Inside);
        return;
    }
    if drawn {
        let mark = Rect::from_min_size(rect.min + Vec2::splat(7.0), Vec2::splat(11.0));
        if rect.contains_rect(mark.expand(7.0)) {
            painter.rect_filled(mark.expand(3.0), 4.0, colours.scrim);
            icon::paint(painter, mark, icon::of_tile(look), colour);
        }
        return;
    }
    let line = Stroke::new(1.5, colour);
    painter.rect_stroke(rect.shrink(1.0), 2.0, line, StrokeKind::Inside);
    let side = (rect.width().min(rect.height()) * 0.3).clamp(0.0, 18.0);
    if side < 6.0 {
        return;
    }
    let mark = Rect::from_center_size(rect.center(), Vec2::splat(side));
    // A word where there is room for it.
    let font = FontId::proportional(11.0);
    let galley = painter.layout_no_wrap(words::tile_look(look).to_owned(), font, colour);
    let with_word = rect.width() > galley.size().x + 16.0 && rect.height() > side + 34.0;
    let lift = if with_word { galley.size().y / 2.0 + 1.0 } else { 0.0 };
    let ground = if with_word {
        let size = Vec2::new(galley.size().x.max(side) + 12.0, side + galley.size().y + 12.0);
        Rect::from_center_size(rect.center(), size)
    } else {
        mark.expand(4.0)
    };
    painter.rect_filled(ground, 4.0, colours.scrim);
    icon::paint(painter, mark.translate(Vec2::new(0.0, -lift)), icon::of_tile(look), colour);
    if with_word {
        let x = rect.center().x - galley.size().x / 2.0;
        painter.galley(Pos2::new(x, mark.bottom() - lift + 3.0), galley, colour);
    }
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

/// A texture that has caught up with the picture's first `changes`.
#[derive(Clone)]
struct Shown {
    job: JobId,
    shot: ShotIndex,
    changes: usize,
    handle: TextureHandle,
}

/// The picture's texture, brought up to date by the rectangles that changed.
fn texture(ui: &Ui, live: &Live) -> TextureHandle {
    let id = Id::new("live picture");
    let shown: Option<Shown> = ui.data(|data| data.get_temp(id));
    let same = |shown: &Shown| {
        let [width, height] = shown.handle.size();
        let size = live.picture.size;
        shown.job == live.job
            && shown.shot == live.shot
            && shown.changes <= live.picture.changes.len()
            && (width, height) == (size.width as usize, size.height as usize)
    };
    let mut shown = match shown.filter(same) {
        Some(shown) => shown,
        None => Shown {
            job: live.job,
            shot: live.shot,
            changes: live.picture.changes.len(),
            handle: ui.ctx().load_texture(
                "live picture",
                whole(&live.picture),
                TextureOptions::LINEAR,
            ),
        },
    };
    for rect in &live.picture.changes[shown.changes..] {
        let corner = [rect.x0 as usize, rect.y0 as usize];
        shown.handle.set_partial(corner, part(&live.picture, rect), TextureOptions::LINEAR);
    }
    shown.changes = live.picture.changes.len();
    let handle = shown.handle.clone();
    ui.data_mut(|data| data.insert_temp(id, shown));
    handle
}

fn whole(picture: &LivePicture) -> Arc<ColorImage> {
    let size = [picture.size.width as usize, picture.size.height as usize];
    Arc::new(ColorImage::new(size, picture.pixels.clone()))
}

fn part(picture: &LivePicture, rect: &protocol::Rect) -> Arc<ColorImage> {
    let width = picture.size.width as usize;
    let pixels = rect.pixels().map(|(x, y)| picture.pixels[y as usize * width + x as usize]);
    let size = [rect.width() as usize, rect.height() as usize];
    Arc::new(ColorImage::new(size, pixels.collect()))
}
