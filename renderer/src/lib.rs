//! Light transport: one path integrator, two backends behind [`Backend`].

pub mod backend;
pub mod math;
pub mod render_scene;
pub mod sampler;
pub mod tables;

mod wide;

pub use backend::{Backend, Cancel, RenderError, Work};
pub use render_scene::RenderScene;
