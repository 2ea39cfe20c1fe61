//! Bevy's app, as far as a farm needs it: a render world without windows that adopts our device.
//!
//! Bevy can choose an adapter by itself, but panics where there is none and takes a software one
//! where it was not asked for, so adapter and device are ours and the render plugin is told to
//! use them. What lives on is bevy's device and queue; the app's schedules, made for frames, are
//! not run.

use std::sync::Arc;

use bevy_app::{App, PluginsState, TaskPoolPlugin};
use bevy_asset::AssetPlugin;
use bevy_render::RenderPlugin;
use bevy_render::renderer::{
    RenderAdapter, RenderAdapterInfo, RenderDevice, RenderInstance, RenderQueue, WgpuWrapper,
};
use bevy_render::settings::RenderCreation;
use bevy_window::{ExitCondition, WindowPlugin};

/// Hands a device to bevy's renderer and returns it as bevy's resources.
///
/// Bevy sets handlers for lost devices and uncaptured errors on the device; whoever wants their
/// own sets them afterwards.
pub(crate) fn adopt(
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
) -> (RenderDevice, RenderQueue) {
    let device = RenderDevice::from(device);
    let queue = RenderQueue(Arc::new(WgpuWrapper::new(queue)));
    let creation = RenderCreation::manual(
        device.clone(),
        queue.clone(),
        RenderAdapterInfo(WgpuWrapper::new(adapter.get_info())),
        RenderAdapter(Arc::new(WgpuWrapper::new(adapter))),
        RenderInstance(Arc::new(WgpuWrapper::new(instance))),
    );
    let mut app = App::new();
    app.add_plugins((
        TaskPoolPlugin::default(),
        bevy_time::TimePlugin,
        bevy_diagnostic::FrameCountPlugin,
        WindowPlugin {
            primary_window: None,
            exit_condition: ExitCondition::DontExit,
            ..WindowPlugin::default()
        },
        AssetPlugin::default(),
        bevy_image::ImagePlugin::default(),
        bevy_mesh::MeshPlugin,
        bevy_camera::CameraPlugin,
        RenderPlugin {
            render_creation: creation,
            synchronous_pipeline_compilation: true,
            ..RenderPlugin::default()
        },
    ));
    while app.plugins_state() == PluginsState::Adding {
        bevy_tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
    let world = app.world();
    let adopted = (
        world.get_resource::<RenderDevice>().cloned(),
        world.get_resource::<RenderQueue>().cloned(),
    );
    match adopted {
        (Some(device), Some(queue)) => (device, queue),
        // The plugin puts what it was given into the world; what it was given is as good.
        _ => (device, queue),
    }
}
