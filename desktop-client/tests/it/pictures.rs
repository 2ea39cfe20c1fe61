//! Screens as pictures, drawn by lavapipe.
//!
//! Renew them after a wanted change with `UPDATE_SNAPSHOTS=1`, and look at each.

use desktop_client::state::{Door, Event};
use egui::Theme;
use egui_kittest::{Harness, SnapshotResults};

use crate::fixtures::{connected_events, done_events, offline, rendering_events, window_of};

/// Whether a software Vulkan adapter is there: pictures are compared on that alone.
fn can_draw() -> bool {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN;
    let instance = wgpu::Instance::new(descriptor);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let adapters = runtime.block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let software = adapters.iter().any(|a| a.get_info().device_type == wgpu::DeviceType::Cpu);
    let required = std::env::var("TESSERA_REQUIRE_GPU_TESTS").is_ok_and(|value| value == "1");
    assert!(software || !required, "no software Vulkan adapter; install mesa-vulkan-drivers");
    if !software {
        println!("skipped: no software Vulkan adapter (Debian, Ubuntu: mesa-vulkan-drivers)");
    }
    software
}

#[test]
fn screens_look_as_they_did() {
    if !can_draw() {
        return;
    }
    let offline_events = || {
        let mut events = rendering_events();
        events.push(offline());
        events
    };
    let screens: [(&str, Theme, Door, Vec<Event>); 9] = [
        ("first_start", Theme::Dark, Door::Render, Vec::new()),
        ("empty", Theme::Dark, Door::Render, connected_events(Vec::new())),
        ("rendering", Theme::Dark, Door::Render, rendering_events()),
        ("rendering_light", Theme::Light, Door::Render, rendering_events()),
        ("done", Theme::Dark, Door::Render, done_events()),
        ("offline", Theme::Dark, Door::Render, offline_events()),
        ("my_node", Theme::Dark, Door::MyNode, rendering_events()),
        ("jobs", Theme::Dark, Door::Jobs, rendering_events()),
        ("wallet", Theme::Light, Door::Wallet, rendering_events()),
    ];
    let mut results = SnapshotResults::new();
    for (name, theme, door, events) in screens {
        let builder = Harness::builder().with_theme(theme).wgpu_setup(vulkan());
        let (mut harness, _ends) = window_of(builder, door, events);
        harness.snapshot(name);
        results.extend_harness(&mut harness);
    }
}

/// Vulkan only: where it is missing, OpenGL would draw other pixels.
fn vulkan() -> eframe::egui_wgpu::WgpuSetup {
    let mut setup = egui_kittest::wgpu::default_wgpu_setup();
    if let eframe::egui_wgpu::WgpuSetup::CreateNew(new) = &mut setup {
        new.instance_descriptor.backends = wgpu::Backends::VULKAN;
    }
    setup
}
