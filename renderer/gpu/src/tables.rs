//! A prepared scene's tables on the device.

use bevy_render::render_resource::{BindGroup, BindGroupLayout, Buffer};
use protocol::Digest;
use renderer::{RenderError, RenderScene};

use crate::compute::{self, Binding};
use crate::device::Device;

/// Scenes that stay on the device: the one at work, and the one that its neighbour leases want.
const SCENES_MAX: usize = 2;

/// One scene's tables, bound as the shaders' group 1.
pub(crate) struct Tables {
    view: Digest,
    stuff: Stuff,
    pub group: BindGroup,
}

/// The tables that all views of a scene share, as [`RenderScene::stuff_digest`] lists them.
#[derive(Clone)]
pub(crate) struct Stuff {
    digest: Digest,
    buffers: [Buffer; 5],
}

/// Layout of group 1, see `shaders/tables.wgsl`.
pub(crate) fn layout(device: &Device) -> BindGroupLayout {
    let mut bindings = vec![Binding::Uniform];
    bindings.extend([Binding::Read; 7]);
    compute::layout(device, "scene", &bindings)
}

impl Tables {
    /// Copies a scene's tables to the device as they stand; `shared` are those of another view of it,
    /// which are there already.
    ///
    /// # Errors
    /// [`RenderError::OutOfMemory`] before anything is allocated, when one table is larger than
    /// the device binds; or when the driver has no room.
    pub(crate) fn upload(
        device: &Device,
        layout: &BindGroupLayout,
        scene: &RenderScene,
        shared: Option<Stuff>,
    ) -> Result<Self, RenderError> {
        let words = scene.words();
        let (words, environment) =
            (bytemuck::cast_slice(&words), bytemuck::cast_slice(scene.environment()));
        let stuff: [(&str, &[u8]); 5] = [
            ("nodes", bytemuck::cast_slice(scene.nodes())),
            ("triangles", bytemuck::cast_slice(scene.triangles())),
            ("indices", bytemuck::cast_slice(scene.indices())),
            ("attributes", bytemuck::cast_slice(scene.attributes())),
            ("texels", bytemuck::cast_slice(scene.texels())),
        ];
        for bytes in [words, environment].into_iter().chain(stuff.map(|(_, bytes)| bytes)) {
            compute::check_size(device, bytes.len() as u64)?;
        }
        let upload = |label, bytes| {
            let buffer = compute::table(device, label, bytes)?;
            // The copy on the way there goes before the next is made: `RenderScene::gpu_bytes` counts one.
            device.queue.submit([]);
            device.wait()?;
            Ok::<_, RenderError>(buffer)
        };
        let header = compute::uniform_bytes(device, bytemuck::bytes_of(scene.header()));
        let words = upload("words", words)?;
        let stuff = match shared {
            Some(shared) => shared,
            None => {
                let [nodes, triangles, indices, attributes, texels] = stuff;
                let upload = |(label, bytes)| upload(label, bytes);
                let buffers = [
                    upload(nodes)?,
                    upload(triangles)?,
                    upload(indices)?,
                    upload(attributes)?,
                    upload(texels)?,
                ];
                Stuff { digest: scene.stuff_digest(), buffers }
            }
        };
        let environment = upload("environment", environment)?;
        let mut bound = vec![&header, &words];
        bound.extend(&stuff.buffers);
        bound.push(&environment);
        let group = compute::group(device, "scene", layout, &bound);
        Ok(Self { view: scene.view_digest(), stuff, group })
    }

    fn is_of(&self, scene: &RenderScene) -> bool {
        self.stuff.digest == scene.stuff_digest() && self.view == scene.view_digest()
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
        let tables = match self.scenes.iter().position(|tables| tables.is_of(scene)) {
            Some(at) => self.scenes.remove(at),
            None => {
                let mut stuff = self.scenes.iter().map(|tables| &tables.stuff);
                let shared = stuff.find(|own| own.digest == scene.stuff_digest()).cloned();
                let kept = self.scenes.len().min(SCENES_MAX - 1);
                self.scenes.drain(..self.scenes.len() - kept);
                match Tables::upload(device, layout, scene, shared) {
                    // Alone it may fit.
                    Err(RenderError::DeviceFull { .. }) if kept > 0 => {
                        self.scenes.clear();
                        device.wait()?;
                        Tables::upload(device, layout, scene, None)?
                    }
                    uploaded => uploaded?,
                }
            }
        };
        self.scenes.push(tables);
        Ok(&self.scenes[self.scenes.len() - 1])
    }
}
