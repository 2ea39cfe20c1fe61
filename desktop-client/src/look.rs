//! Pictures on the screen: light in textures, exposure and view in a shader.
//!
//! A [`Shown`] is what a screen asks for; the textures catch up with its patches while egui
//! prepares the frame. `film::Look` is the truth that `view.wgsl` is compared with.

mod pipelines;
mod textures;

use std::collections::BTreeMap;

use eframe::egui_wgpu::{CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use egui::{PaintCallbackInfo, Rect, Ui};
use film::{Look, View};

use crate::state::picture::Picture;
use pipelines::Pipelines;
use textures::{PARAMS, Piece, Textures};

/// Frames that a picture's textures outlive its last showing.
const KEPT_FRAMES: u64 = 30;

/// A picture in a canvas.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What.
    pub picture: Picture,
    /// Where its pixels lie, points; may reach over the canvas.
    pub place: Rect,
    /// Through which look; a table is not applied.
    pub look: Look,
    /// Which part of the canvas it may cover, from left to right, 0..=1.
    pub wipe: [f32; 2],
    /// Whether pixels are shown as squares.
    pub is_nearest: bool,
    /// Tells pictures apart that lie over each other in one canvas.
    pub layer: u8,
    /// What it is held against: then the difference of both is shown.
    pub against: Option<Against>,
}

/// What a picture is held against.
#[derive(Debug, Clone)]
pub struct Against {
    /// What.
    pub picture: Picture,
    /// Where its pixels lie, points.
    pub place: Rect,
    /// By how much the difference is magnified.
    pub gain: f32,
}

impl Shown {
    /// A picture alone, and all of it.
    #[must_use]
    pub const fn of(picture: Picture, place: Rect, look: Look) -> Self {
        let wipe = [0.0, 1.0];
        Self { picture, place, look, wipe, is_nearest: false, layer: 0, against: None }
    }
}

/// Draws a picture, clipped to `canvas`.
pub fn paint(ui: &Ui, canvas: Rect, shown: Shown) {
    if canvas.is_positive() && shown.picture.changes() > 0 {
        let drawing = Drawing { shown, canvas };
        let callback = eframe::egui_wgpu::Callback::new_paint_callback(canvas, drawing);
        ui.painter().with_clip_rect(canvas).add(callback);
    }
}

/// Makes the pipelines; pictures are not drawn before that.
pub fn install(state: &RenderState) {
    let pipelines = Pipelines::new(&state.device, state.target_format);
    let target_encodes = state.target_format.is_srgb();
    let (pictures, pairs) = (BTreeMap::new(), Vec::new());
    let wheel = Wheel { pipelines, target_encodes, frame: 0, pictures, pairs };
    state.renderer.write().callback_resources.insert(wheel);
}

/// The pipelines and the pictures' textures.
struct Wheel {
    pipelines: Pipelines,
    /// Whether the target encodes for sRGB by itself.
    target_encodes: bool,
    frame: u64,
    /// By the picture's id and its layer.
    pictures: BTreeMap<(u64, u8), Kept>,
    /// The pieces of two pictures that lie over each other, where a difference is shown.
    pairs: Vec<wgpu::BindGroup>,
}

struct Kept {
    textures: Textures,
    used: u64,
}

impl Wheel {
    /// Has a picture's textures hold what there is of it.
    fn keep(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        key: (u64, u8),
        picture: &Picture,
    ) {
        let Pipelines { layout, sampler, .. } = &self.pipelines;
        let frame = self.frame;
        let kept = self.pictures.entry(key).or_insert_with(|| Kept {
            textures: Textures::new(device, layout, sampler, picture.size),
            used: frame,
        });
        if kept.textures.size() != picture.size {
            kept.textures = Textures::new(device, layout, sampler, picture.size);
        }
        kept.used = frame;
        kept.textures.catch_up(queue, picture);
    }

    /// Pairs the pieces of both pictures, as far as they lie over each other.
    fn pair(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, drawing: &Drawing, scale: f32) {
        self.pairs.clear();
        let Drawing { shown, canvas } = drawing;
        let Some(against) = &shown.against else { return };
        let (own, other) = (drawing.key(), drawing.other_key(against));
        let (Some(own), Some(other)) = (self.pictures.get(&own), self.pictures.get(&other)) else {
            return;
        };
        for piece in own.textures.pieces() {
            for others in other.textures.pieces() {
                let (here, there) = (
                    on_screen(shown.place, &shown.picture, piece.rect),
                    on_screen(against.place, &against.picture, others.rect),
                );
                let both = here.intersect(there);
                if !both.is_positive() {
                    continue;
                }
                let params = self.pair_params(
                    (shown, *canvas, scale),
                    both,
                    (piece, here),
                    (against, others, there),
                );
                let pair = self.pipelines.pair(device, &piece.texture, &others.texture);
                queue.write_buffer(&pair.params, 0, bytemuck::cast_slice(&params));
                self.pairs.push(pair.group);
            }
        }
    }

    fn pair_params(
        &self,
        (shown, canvas, scale): (&Shown, Rect, f32),
        both: Rect,
        (piece, here): (&Piece, Rect),
        (against, others, there): (&Against, &Piece, Rect),
    ) -> [f32; PARAMS] {
        let mut params = params(shown, canvas, piece.rect, scale, self.target_encodes);
        let (min, max) = (inside(canvas, both.min), inside(canvas, both.max));
        params[..4].copy_from_slice(&[min[0], min[1], max[0], max[1]]);
        params[8] *= against.gain;
        let part = |of: Rect| {
            let (min, max) = (inside(of, both.min), inside(of, both.max));
            [min[0], min[1], max[0], max[1]]
        };
        params[28..32].copy_from_slice(&part(here));
        params[32..36].copy_from_slice(&part(there));
        let span = spans(against.place, &against.picture, scale);
        let (width, height) = (others.rect.width() as f32, others.rect.height() as f32);
        params[36..40].copy_from_slice(&[width, height, span[0], span[1]]);
        params
    }
}

/// One picture of one frame.
struct Drawing {
    shown: Shown,
    canvas: Rect,
}

impl Drawing {
    const fn key(&self) -> (u64, u8) {
        (self.shown.picture.id, self.shown.layer)
    }

    const fn other_key(&self, against: &Against) -> (u64, u8) {
        (against.picture.id, self.shown.layer.wrapping_add(1))
    }
}

impl CallbackTrait for Drawing {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let Some(wheel) = resources.get_mut::<Wheel>() else { return Vec::new() };
        wheel.frame += 1;
        let frame = wheel.frame;
        wheel.pictures.retain(|_key, kept| kept.used + KEPT_FRAMES > frame);
        wheel.keep(device, queue, self.key(), &self.shown.picture);
        let scale = screen.pixels_per_point;
        if let Some(against) = &self.shown.against {
            wheel.keep(device, queue, self.other_key(against), &against.picture);
            wheel.pair(device, queue, self, scale);
            return Vec::new();
        }
        let target_encodes = wheel.target_encodes;
        if let Some(kept) = wheel.pictures.get(&self.key()) {
            kept.textures.place(queue, |piece| {
                params(&self.shown, self.canvas, piece, scale, target_encodes)
            });
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(wheel) = resources.get::<Wheel>() else { return };
        if self.shown.against.is_some() {
            pass.set_pipeline(&wheel.pipelines.difference);
            for group in &wheel.pairs {
                pass.set_bind_group(0, group, &[]);
                pass.draw(0..4, 0..1);
            }
            return;
        }
        let Some(kept) = wheel.pictures.get(&self.key()) else { return };
        pass.set_pipeline(&wheel.pipelines.view);
        for group in kept.textures.groups() {
            pass.set_bind_group(0, group, &[]);
            pass.draw(0..4, 0..1);
        }
    }
}

/// Points to a pixel of a picture.
fn points(place: Rect, picture: &Picture) -> egui::Vec2 {
    let egui::Vec2 { x, y } = place.size();
    egui::vec2(x / picture.size.width.max(1) as f32, y / picture.size.height.max(1) as f32)
}

/// Texels to a pixel of the screen.
fn spans(place: Rect, picture: &Picture, pixels_per_point: f32) -> [f32; 2] {
    let points = points(place, picture);
    [points.x, points.y].map(|points| 1.0 / (points * pixels_per_point).max(1e-6))
}

/// Where a piece of a picture lies, points.
fn on_screen(place: Rect, picture: &Picture, piece: protocol::Rect) -> Rect {
    let points = points(place, picture);
    let corner = |x: u32, y: u32| place.min + egui::vec2(x as f32, y as f32) * points;
    Rect::from_min_max(corner(piece.x0, piece.y0), corner(piece.x1, piece.y1))
}

/// A place as shares of a rectangle.
fn inside(of: Rect, at: egui::Pos2) -> [f32; 2] {
    let share = (at - of.min) / of.size();
    [share.x, share.y]
}

/// The shader's parameters for the piece of a picture, see `Params` in `view.wgsl`.
fn params(
    shown: &Shown,
    canvas: Rect,
    piece: protocol::Rect,
    pixels_per_point: f32,
    target_encodes: bool,
) -> [f32; PARAMS] {
    let place = on_screen(shown.place, &shown.picture, piece);
    let ([left, top], [right, bottom]) = (inside(canvas, place.min), inside(canvas, place.max));
    let span = spans(shown.place, &shown.picture, pixels_per_point);
    let [red, green, blue] = shown.look.white_balance.matrix().unwrap_or(IDENTITY);
    let flag = |is: bool| if is { 1.0 } else { 0.0 };
    let gain = shown.look.exposure_ev.exp2();
    let (view, nearest) = (number(shown.look.view), flag(shown.is_nearest));
    let rows = [
        [left, top, right, bottom],
        [piece.width() as f32, piece.height() as f32, span[0], span[1]],
        [gain, view, flag(target_encodes), nearest],
        [red[0], red[1], red[2], 0.0],
        [green[0], green[1], green[2], 0.0],
        [blue[0], blue[1], blue[2], 0.0],
        [shown.wipe[0], shown.wipe[1], 0.0, 0.0],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
        [1.0; 4],
    ];
    let mut all = [0.0; PARAMS];
    all.copy_from_slice(rows.as_flattened());
    all
}

const IDENTITY: [[f32; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// The view's number in the shader.
const fn number(view: View) -> f32 {
    match view {
        View::Agx => 0.0,
        View::AgxPunchy => 1.0,
        View::Neutral => 2.0,
        View::AcesLike => 3.0,
        View::Srgb => 4.0,
        View::Raw => 5.0,
    }
}
