//! What draws pictures: one alone through a look, and two as their difference.

use super::textures::PARAMS_BYTES;

/// The pipelines, with what they bind.
pub(super) struct Pipelines {
    /// One picture through its look.
    pub(super) view: wgpu::RenderPipeline,
    /// How far two are apart.
    pub(super) difference: wgpu::RenderPipeline,
    /// What the first of them binds.
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) sampler: wgpu::Sampler,
    pair_layout: wgpu::BindGroupLayout,
}

/// Two pieces that lie over each other.
pub(super) struct Pair {
    pub(super) params: wgpu::Buffer,
    pub(super) group: wgpu::BindGroup,
}

impl Pipelines {
    pub(super) fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let source = wgpu::ShaderSource::Wgsl(include_str!("view.wgsl").into());
        let shader = device
            .create_shader_module(wgpu::ShaderModuleDescriptor { label: Some("look"), source });
        let texture = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let filtering = wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering);
        let bound = [uniform, texture, filtering, texture];
        let layout_of = |count: usize| {
            let entries: Vec<_> = (0..).zip(&bound[..count]).map(entry).collect();
            let label = Some("look");
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label,
                entries: &entries,
            })
        };
        let (layout, pair_layout) = (layout_of(3), layout_of(4));
        let view = pipeline(device, &shader, &layout, format, "fs_main");
        let difference = pipeline(device, &shader, &pair_layout, format, "fs_difference");
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("look"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        Self { view, difference, layout, sampler, pair_layout }
    }

    /// Binds two pieces together.
    pub(super) fn pair(
        &self,
        device: &wgpu::Device,
        own: &wgpu::Texture,
        other: &wgpu::Texture,
    ) -> Pair {
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("difference"),
            size: PARAMS_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let view = wgpu::TextureViewDescriptor::default();
        let (own, other) = (own.create_view(&view), other.create_view(&view));
        let bound = [
            params.as_entire_binding(),
            wgpu::BindingResource::TextureView(&own),
            wgpu::BindingResource::Sampler(&self.sampler),
            wgpu::BindingResource::TextureView(&other),
        ];
        let entries = (0..).zip(bound);
        let entries: Vec<_> =
            entries.map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("difference"),
            layout: &self.pair_layout,
            entries: &entries,
        });
        Pair { params, group }
    }
}

fn entry((binding, ty): (u32, &wgpu::BindingType)) -> wgpu::BindGroupLayoutEntry {
    let visibility = wgpu::ShaderStages::VERTEX_FRAGMENT;
    wgpu::BindGroupLayoutEntry { binding, visibility, ty: *ty, count: None }
}

fn pipeline(
    device: &wgpu::Device,
    shader: &wgpu::ShaderModule,
    layout: &wgpu::BindGroupLayout,
    format: wgpu::TextureFormat,
    fragment: &str,
) -> wgpu::RenderPipeline {
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("look"),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    let target = wgpu::ColorTargetState {
        format,
        blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
        write_mask: wgpu::ColorWrites::ALL,
    };
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("look"),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: shader,
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
            module: shader,
            entry_point: Some(fragment),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(target)],
        }),
        multiview_mask: None,
        cache: None,
    })
}
