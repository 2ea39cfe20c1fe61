//! A prepared scene's tables on the device.

use bevy_render::render_resource::{BindGroup, BindGroupLayout};
use protocol::Digest;
use renderer::{RenderError, RenderScene};

use crate::compute::{self, Binding};
use crate::device::Device;

/// Scenes that stay on the device: the one at work, and the one that its neighbour leases want.
const SCENES_MAX: usize = 2;

/// One scene's tables, bound as the shaders' group 1.
pub(crate) struct Tables {
    digest: Digest,
    pub group: BindGroup,
}

/// Layout of group 1, see `shaders/tables.wgsl`.
pub(crate) fn layout(device: &Device) -> BindGroupLayout {
    let mut bindings = vec![Binding::Uniform];
    bindings.extend([Binding::Read; 7]);
    compute::layout(device, "scene", &bindings)
}

impl Tables {
    /// Copies a scene's tables to the device as they stand.
    ///
    /// # Errors
    /// [`RenderError::OutOfMemory`] before anything is allocated, when one table is larger than
    /// the device binds; or when the driver has no room.
    pub(crate) fn upload(
        device: &Device,
        layout: &BindGroupLayout,
        scene: &RenderScene,
    ) -> Result<Self, RenderError> {
        let words = scene.words();
        let tables: [(&str, &[u8]); 7] = [
            ("words", bytemuck::cast_slice(&words)),
            ("nodes", bytemuck::cast_slice(scene.nodes())),
            ("triangles", bytemuck::cast_slice(scene.triangles())),
            ("indices", bytemuck::cast_slice(scene.indices())),
            ("attributes", bytemuck::cast_slice(scene.attributes())),
            ("texels", bytemuck::cast_slice(scene.texels())),
            ("environment", bytemuck::cast_slice(scene.environment())),
        ];
        for (_, bytes) in &tables {
            compute::check_size(device, bytes.len() as u64)?;
        }
        let header = compute::uniform_bytes(device, bytemuck::bytes_of(scene.header()));
        let mut buffers = vec![header];
        for (label, bytes) in tables {
            buffers.push(compute::table(device, label, bytes)?);
            // The copy on the way there goes before the next is made: `RenderScene::gpu_bytes` counts one.
            device.queue.submit([]);
            device.wait()?;
        }
        let bound: Vec<_> = buffers.iter().collect();
        let group = compute::group(device, "scene", layout, &bound);
        Ok(Self { digest: scene.digest(), group })
    }
}

/// The scenes on the device, the one used last at the end.
#[derive(Default)]
pub(crate) struct Uploaded {
    scenes: Vec<Tables>,
}

impl Uploaded {
    /// The tables of a scene; uploaded when they are not there yet, in the place of those that
    /// were not used for the longest time.
    ///
    /// # Errors
    /// See [`Tables::upload`].
    pub(crate) fn get(
        &mut self,
        device: &Device,
        layout: &BindGroupLayout,
        scene: &RenderScene,
    ) -> Result<&Tables, RenderError> {
        let digest = scene.digest();
        let tables = match self.scenes.iter().position(|tables| tables.digest == digest) {
            Some(at) => self.scenes.remove(at),
            None => {
                let kept = self.scenes.len().min(SCENES_MAX - 1);
                self.scenes.drain(..self.scenes.len() - kept);
                match Tables::upload(device, layout, scene) {
                    // Alone it may fit.
                    Err(RenderError::DeviceFull { .. }) if kept > 0 => {
                        self.scenes.clear();
                        device.wait()?;
                        Tables::upload(device, layout, scene)?
                    }
                    uploaded => uploaded?,
                }
            }
        };
        self.scenes.push(tables);
        Ok(&self.scenes[self.scenes.len() - 1])
    }
}
