//! The wgpu backend on bevy_render.

mod app;
mod backend;
mod compute;
mod device;
mod evaluate;
mod kernel;
mod qualify;
mod shader;
mod spirv;
mod tables;

pub use backend::GpuBackend;
pub use device::{AdapterKind, AdapterSummary, GpuOptions, OpenError, adapters, chosen};
pub use evaluate::{EvaluateError, Evaluator, Function};
pub use qualify::{Arithmetic, Qualification};
pub use shader::{BoundsChecks, Rounding, ShaderChecks};
