//! The wgpu backend on bevy_render.

mod app;
mod compute;
mod device;
mod evaluate;
mod shader;
mod spirv;
mod tables;

pub use device::{AdapterKind, AdapterSummary, GpuOptions, OpenError, adapters};
pub use evaluate::{EvaluateError, Evaluator, Function};
pub use shader::{BoundsChecks, Rounding};
