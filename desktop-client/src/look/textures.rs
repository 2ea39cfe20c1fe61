//! A picture's textures: pieces that every device can hold.

use protocol::{Rect, Size};

use crate::state::picture::Picture;

/// Side of a piece, texels: wgpu's least guaranteed side, so that a frame of any size is shown.
const PIECE_SIDE: u32 = 2048;
/// Bytes of a texel.
const TEXEL_BYTES: u32 = 8;
/// Bytes of the shader's parameters.
pub(super) const PARAMS_BYTES: u64 = PARAMS as u64 * 4;
/// Numbers of the shader's parameters.
pub(super) const PARAMS: usize = 40;

/// The pieces, and how far they have caught up.
pub(super) struct Textures {
    size: Size,
    pieces: Vec<Piece>,
    changes: u64,
}

pub(super) struct Piece {
    pub(super) rect: Rect,
    pub(super) texture: wgpu::Texture,
    params: wgpu::Buffer,
    group: wgpu::BindGroup,
}

impl Textures {
    pub(super) fn new(
        device: &wgpu::Device,
        layout: &wgpu::BindGroupLayout,
        sampler: &wgpu::Sampler,
        size: Size,
    ) -> Self {
        let steps = |length: u32| (0..length).step_by(PIECE_SIDE as usize);
        let rects = steps(size.height).flat_map(|y0| steps(size.width).map(move |x0| (x0, y0)));
        let piece = |(x0, y0): (u32, u32)| {
            let (x1, y1) = ((x0 + PIECE_SIDE).min(size.width), (y0 + PIECE_SIDE).min(size.height));
            Piece::new(device, layout, sampler, Rect { x0, y0, x1, y1 })
        };
        Self { size, pieces: rects.map(piece).collect(), changes: 0 }
    }

    /// Of the picture that they hold.
    pub(super) const fn size(&self) -> Size {
        self.size
    }

    /// Writes the patches that have come since the last time.
    pub(super) fn catch_up(&mut self, queue: &wgpu::Queue, picture: &Picture) {
        if picture.changes() < self.changes {
            // It begins anew under its old name.
            self.changes = 0;
        }
        for patch in picture.patches().iter().filter(|patch| patch.number > self.changes) {
            for piece in &self.pieces {
                piece.write(queue, patch.rect, bytemuck::cast_slice(&patch.texels));
            }
        }
        self.changes = picture.changes();
    }

    /// Tells the shader where each piece lies.
    pub(super) fn place(&self, queue: &wgpu::Queue, params: impl Fn(Rect) -> [f32; PARAMS]) {
        for piece in &self.pieces {
            queue.write_buffer(&piece.params, 0, bytemuck::cast_slice(&params(piece.rect)));
        }
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &wgpu::BindGroup> {
        self.pieces.iter().map(|piece| &piece.group)
    }
}

impl Piece {
    fn new(
        device: &wgpu::Device,
        layout: &wgpu::BindGroupLayout,
        sampler: &wgpu::Sampler,
        rect: Rect,
    ) -> Self {
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size: wgpu::Extent3d {
                width: rect.width(),
                height: rect.height(),
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba16Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("look"),
            size: PARAMS_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("picture"),
            layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: params.as_entire_binding() },
                wgpu::BindGroupEntry {
                    binding: 1,
                    resource: wgpu::BindingResource::TextureView(&view),
                },
                wgpu::BindGroupEntry {
                    binding: 2,
                    resource: wgpu::BindingResource::Sampler(sampler),
                },
            ],
        });
        Self { rect, texture, params, group }
    }

    /// Writes what of a patch lies in this piece.
    fn write(&self, queue: &wgpu::Queue, patch: Rect, texels: &[u8]) {
        let Rect { x0, y0, x1, y1 } = self.rect;
        let (left, top) = (patch.x0.max(x0), patch.y0.max(y0));
        let (right, bottom) = (patch.x1.min(x1), patch.y1.min(y1));
        if left >= right || top >= bottom {
            return;
        }
        let row_bytes = patch.width() * TEXEL_BYTES;
        let skipped = u64::from(top - patch.y0) * u64::from(row_bytes)
            + u64::from((left - patch.x0) * TEXEL_BYTES);
        let target = wgpu::TexelCopyTextureInfo {
            texture: &self.texture,
            mip_level: 0,
            origin: wgpu::Origin3d { x: left - x0, y: top - y0, z: 0 },
            aspect: wgpu::TextureAspect::All,
        };
        let rows = wgpu::TexelCopyBufferLayout {
            offset: skipped,
            bytes_per_row: Some(row_bytes),
            rows_per_image: None,
        };
        let size =
            wgpu::Extent3d { width: right - left, height: bottom - top, depth_or_array_layers: 1 };
        queue.write_texture(target, texels, rows, size);
    }
}
