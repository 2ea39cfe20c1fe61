//! Light transport: one path integrator, two backends behind [`Backend`].
//!
//! A [`scene::Scene`] with settings becomes a [`RenderScene`] by [`prepare()`]; a backend turns it
//! and a piece of work into a film. Equal inputs give equal bits, on every machine and however the
//! work is split; `docs/renderer.md` says how.

pub mod backend;
pub mod bsdf;
pub mod bvh;
pub mod camera;
pub mod columns;
pub mod environment;
pub mod first;
pub mod footprint;
pub mod integrator;
pub mod light;
pub mod light_tree;
pub mod math;
pub mod moving;
pub mod precise;
pub mod ray;
pub mod render_scene;
pub mod sampler;
pub mod surface;
pub mod tables;
pub mod texture;
pub mod trace;

mod cpu;
mod draws;
mod events;
mod passes;
mod prepare;
mod probe;
mod scatter;
mod wave;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use backend::{Backend, Cancel, RenderError, Work};
pub use bvh::{Bounds, Effort};
pub use cpu::CpuBackend;
pub use first::{FirstHits, first_hits, moving_first_hits};
pub use prepare::{
    Moves, Pose, PrepareError, SceneCameras, pose, prepare, prepare_with, scene_bounds,
    scene_cameras, scene_shutter,
};
pub use probe::{PROBE_PIXELS, Probe, probe};
pub use render_scene::RenderScene;

/// The version of everything here that decides a film's bits.
///
/// Raise it whenever the golden hashes in `tests/it/golden.rs` change.
pub const ENGINE: protocol::Engine = protocol::Engine(6);
