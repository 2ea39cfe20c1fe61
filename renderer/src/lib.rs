//! Light transport: one path integrator, two backends behind [`Backend`].

pub mod backend;

pub use backend::{Backend, Cancel, RenderError, Work};

/// A scene at one time, packed for tracing.
pub struct RenderScene;
