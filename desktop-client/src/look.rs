//! Pictures on the screen: light in textures, exposure and view in a shader.
//!
//! A [`Shown`] is what a screen asks for; the textures catch up with its patches while egui
//! prepares the frame. `film::Look` is the truth that `view.wgsl` is compared with.

mod textures;

use std::collections::BTreeMap;

use eframe::egui_wgpu::{CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use egui::{PaintCallbackInfo, Rect, Ui};
use film::{Look, View};

use crate::state::picture::Picture;
use textures::Textures;

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
}

/// Draws a picture, clipped to `canvas`.
pub fn paint(ui: &Ui, canvas: Rect, shown: Shown) {
    if canvas.is_positive() && shown.picture.changes() > 0 {
        let drawing = Drawing { shown, canvas };
        let callback = eframe::egui_wgpu::Callback::new_paint_callback(canvas, drawing);
        ui.painter().with_clip_rect(canvas).add(callback);
    }
}

/// Makes the pipeline; pictures are not drawn before that.
pub fn install(state: &RenderState) {
    let wheel = Wheel::new(&state.device, state.target_format);
    state.renderer.write().callback_resources.insert(wheel);
}

/// The pipeline and the pictures' textures.
struct Wheel {
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
    /// Whether the target encodes for sRGB by itself.
    target_encodes: bool,
    frame: u64,
    /// By the picture's id and the side of a wipe.
    pictures: BTreeMap<(u64, u32), Kept>,
}

struct Kept {
    textures: Textures,
    used: u64,
}

impl Wheel {
    fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let source = wgpu::ShaderSource::Wgsl(include_str!("look/view.wgsl").into());
        let shader = device
            .create_shader_module(wgpu::ShaderModuleDescriptor { label: Some("look"), source });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
            ty,
            count: None,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("look"),
            entries: &[
                entry(
                    0,
                    wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                ),
                entry(
                    1,
                    wgpu::BindingType::Texture {
                        sample_type: wgpu::TextureSampleType::Float { filterable: true },
                        view_dimension: wgpu::TextureViewDimension::D2,
                        multisampled: false,
                    },
                ),
                entry(2, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("look"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let target = wgpu::ColorTargetState {
            format,
            blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
            write_mask: wgpu::ColorWrites::ALL,
        };
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("look"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &shader,
                entry_point: Some("vs_main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState {
                topology: wgpu::PrimitiveTopology::TriangleStrip,
                ..wgpu::PrimitiveState::default()
            },
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &shader,
                entry_point: Some("fs_main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(target)],
            }),
            multiview_mask: None,
            cache: None,
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("look"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        let target_encodes = format.is_srgb();
        let pictures = BTreeMap::new();
        Self { pipeline, layout, sampler, target_encodes, frame: 0, pictures }
    }
}

/// One picture of one frame.
struct Drawing {
    shown: Shown,
    canvas: Rect,
}

impl Drawing {
    /// Pictures that are wiped over each other are two.
    fn key(&self) -> (u64, u32) {
        (self.shown.picture.id, self.shown.wipe[0].to_bits())
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
        let kept = wheel.pictures.entry(self.key()).or_insert_with(|| {
            let size = self.shown.picture.size;
            let textures = Textures::new(device, &wheel.layout, &wheel.sampler, size);
            Kept { textures, used: frame }
        });
        if kept.textures.size() != self.shown.picture.size {
            let size = self.shown.picture.size;
            kept.textures = Textures::new(device, &wheel.layout, &wheel.sampler, size);
        }
        kept.used = frame;
        kept.textures.catch_up(queue, &self.shown.picture);
        let scale = screen.pixels_per_point;
        kept.textures.place(queue, |piece| {
            params(&self.shown, self.canvas, piece, scale, wheel.target_encodes)
        });
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(wheel) = resources.get::<Wheel>() else { return };
        let Some(kept) = wheel.pictures.get(&self.key()) else { return };
        pass.set_pipeline(&wheel.pipeline);
        for group in kept.textures.groups() {
            pass.set_bind_group(0, group, &[]);
            pass.draw(0..4, 0..1);
        }
    }
}

/// The shader's parameters for the piece of a picture, see `Params` in `view.wgsl`.
fn params(
    shown: &Shown,
    canvas: Rect,
    piece: protocol::Rect,
    pixels_per_point: f32,
    target_encodes: bool,
) -> [f32; 28] {
    let size = shown.picture.size;
    let points = shown.place.size() / egui::vec2(size.width as f32, size.height as f32);
    let corner = |x: u32, y: u32| {
        let at = shown.place.min + egui::vec2(x as f32, y as f32) * points;
        let inside = (at - canvas.min) / canvas.size();
        [inside.x, inside.y]
    };
    let ([left, top], [right, bottom]) = (corner(piece.x0, piece.y0), corner(piece.x1, piece.y1));
    let span = |points: f32| 1.0 / (points * pixels_per_point).max(1e-6);
    let [red, green, blue] = shown.look.white_balance.matrix().unwrap_or(IDENTITY);
    let flag = |is: bool| if is { 1.0 } else { 0.0 };
    let gain = shown.look.exposure_ev.exp2();
    let (view, nearest) = (number(shown.look.view), flag(shown.is_nearest));
    let rows = [
        [left, top, right, bottom],
        [piece.width() as f32, piece.height() as f32, span(points.x), span(points.y)],
        [gain, view, flag(target_encodes), nearest],
        [red[0], red[1], red[2], 0.0],
        [green[0], green[1], green[2], 0.0],
        [blue[0], blue[1], blue[2], 0.0],
        [shown.wipe[0], shown.wipe[1], 0.0, 0.0],
    ];
    let mut all = [0.0; 28];
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
