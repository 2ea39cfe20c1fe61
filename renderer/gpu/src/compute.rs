//! Buffers, dispatches and reading back, in the few forms that the kernels need.

use bevy_render::render_resource::encase::internal::WriteInto;
use bevy_render::render_resource::{
    BindGroup, BindGroupLayout, Buffer, BufferUsages, ComputePipeline, ShaderType, encase,
};
use bevy_tasks::block_on;
use renderer::RenderError;

use crate::device::Device;

/// A table that shaders read; never empty, because a binding may not be.
///
/// # Errors
/// [`RenderError::OutOfMemory`] when the device does not allow a table of that size,
/// [`RenderError::DeviceFull`], of no scene yet, when it has no room for it.
pub(crate) fn table(device: &Device, label: &str, bytes: &[u8]) -> Result<Buffer, RenderError> {
    let size = bytes.len() as u64;
    let buffer = allocate(device, label, size, BufferUsages::STORAGE | BufferUsages::COPY_DST)?;
    let whole = bytes.len() / 4 * 4;
    device.queue.write_buffer(&buffer, 0, &bytes[..whole]);
    if whole < bytes.len() {
        let mut word = [0; 4];
        word[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
        device.queue.write_buffer(&buffer, whole as u64, &word);
    }
    Ok(buffer)
}

/// A zeroed buffer that shaders write and the host reads.
///
/// # Errors
/// As those of [`table`].
pub(crate) fn output(device: &Device, label: &str, size: u64) -> Result<Buffer, RenderError> {
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
    allocate(device, label, size, usage)
}

/// Memory on the device, never none at all.
fn allocate(
    device: &Device,
    label: &str,
    needed_bytes: u64,
    usage: BufferUsages,
) -> Result<Buffer, RenderError> {
    check_size(device, needed_bytes)?;
    #[cfg(test)]
    if let Some(left) = device.full.get().checked_sub(1) {
        device.full.set(left);
        return Err(RenderError::DeviceFull { scene_bytes: 0 });
    }
    let scope = device.device.wgpu_device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let buffer = device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: needed_bytes.next_multiple_of(16).max(16),
        usage,
        mapped_at_creation: false,
    });
    match block_on(scope.pop()) {
        None => Ok(buffer),
        Some(_why) => Err(RenderError::DeviceFull { scene_bytes: 0 }),
    }
}

/// A uniform buffer that holds a value, laid out as WGSL wants it.
pub(crate) fn uniform_of<T: ShaderType + WriteInto>(device: &Device, value: &T) -> Buffer {
    let mut bytes = encase::UniformBuffer::new(Vec::new());
    bytes.write(value).expect("invariant: a vector takes any number of bytes");
    uniform_bytes(device, bytes.as_ref())
}

/// A uniform buffer of bytes that are laid out already.
///
/// Not mapped at creation, as wgpu's helper does: that panics on a device that is lost.
pub(crate) fn uniform_bytes(device: &Device, bytes: &[u8]) -> Buffer {
    let buffer = device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("uniform"),
        size: (bytes.len() as u64).next_multiple_of(16),
        usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    device.queue.write_buffer(&buffer, 0, bytes);
    buffer
}

/// Fails when a single table is larger than the device binds.
pub(crate) fn check_size(device: &Device, needed_bytes: u64) -> Result<(), RenderError> {
    let limit_bytes = device.binding_bytes_max();
    if needed_bytes <= limit_bytes {
        Ok(())
    } else {
        Err(RenderError::OutOfMemory { needed_bytes, limit_bytes })
    }
}

/// What a binding of a kernel is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    Uniform,
    Read,
    Write,
}

/// A group's layout, bindings numbered from 0.
pub(crate) fn layout(device: &Device, label: &str, bindings: &[Binding]) -> BindGroupLayout {
    let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..)
        .zip(bindings)
        .map(|(binding, kind)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match kind {
                    Binding::Uniform => wgpu::BufferBindingType::Uniform,
                    Binding::Read => wgpu::BufferBindingType::Storage { read_only: true },
                    Binding::Write => wgpu::BufferBindingType::Storage { read_only: false },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.device.create_bind_group_layout(label, &entries)
}

/// A group of whole buffers, in binding order.
pub(crate) fn group(
    device: &Device,
    label: &str,
    layout: &BindGroupLayout,
    buffers: &[&Buffer],
) -> BindGroup {
    let entries: Vec<wgpu::BindGroupEntry> = (0..)
        .zip(buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    device.device.create_bind_group(label, layout, &entries)
}

/// Submits one dispatch; does not wait.
pub(crate) fn dispatch(
    device: &Device,
    pipeline: &ComputePipeline,
    groups: &[&BindGroup],
    workgroups: [u32; 3],
) -> wgpu::SubmissionIndex {
    let mut encoder = device.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(pipeline);
        for (index, &group) in (0..).zip(groups) {
            pass.set_bind_group(index, &**group, &[]);
        }
        pass.dispatch_workgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    device.queue.submit([encoder.finish()])
}

/// The first `size` bytes of a buffer; waits for all that was submitted.
///
/// # Errors
/// [`RenderError::DeviceLost`] when the device is gone or does not answer.
pub(crate) fn read(device: &Device, buffer: &Buffer, size: u64) -> Result<Vec<u32>, RenderError> {
    let staging = device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("read back"),
        size,
        usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, size);
    device.queue.submit([encoder.finish()]);
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    staging.slice(..).map_async(wgpu::MapMode::Read, move |result| {
        // The receiver is gone only when the wait below failed, which was reported.
        let _ = sender.send(result);
    });
    device.wait()?;
    match receiver.try_recv() {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return Err(RenderError::DeviceLost(why.to_string())),
        Err(why) => return Err(RenderError::DeviceLost(format!("no data came back: {why}"))),
    }
    let view = staging.slice(..).get_mapped_range();
    let words = bytemuck::pod_collect_to_vec(&view);
    drop(view);
    staging.unmap();
    Ok(words)
}
