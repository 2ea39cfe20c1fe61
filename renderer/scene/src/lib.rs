//! Scenes: import (glTF 2.0), the scene model, and the package that travels.

pub mod model;

pub use model::*;
