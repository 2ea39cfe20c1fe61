//! The trees as the SIMD path of the CPU walks them.

/// Wide trees of a scene.
#[derive(Debug, Default)]
pub struct WideScene;
