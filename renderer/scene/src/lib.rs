//! Scenes: import (glTF 2.0), the scene model, and the package that travels.
//!
//! ```no_run
//! let imported = scene::import("still-life.glb".as_ref(), &scene::ImportOptions::default())?;
//! for warning in &imported.report.warnings {
//!     println!("{warning}");
//! }
//! let package = scene::pack(&imported.scene);
//! println!("{}, {} bytes in {} parts", package.id(), package.size_bytes(), package.parts().count());
//! # Ok::<(), scene::ImportError>(())
//! ```
//!
//! An import is an artist's act, on the artist's machine; what travels, is quoted and rendered
//! is the package, whose bytes, and the parts they are cut into, are the scene's identity. Whoever holds a [`Scene`] from
//! [`import()`] or [`unpack`] holds a validated one.

pub mod animation;
mod edit;
mod golden;
mod import;
pub mod lamps;
mod layers;
pub mod limits;
pub mod model;
mod package;
mod tangents;
mod validate;
pub mod variation;

pub use animation::{Channel, Interpolation, Keys, MorphTarget, Property, Skin};
pub use golden::{golden, golden_in_motion};
pub use import::{
    AccessorProblem, DracoProblem, Folder, ImageProblem, ImportError, ImportOptions, ImportReport,
    ImportWarning, Imported, LampUnits, MeshoptProblem, MissingTextures, NoFiles, PrimitiveProblem,
    Resolver, UriProblem, Wishes, import, import_slice, read_environment,
};
pub use lamps::{AreaLight, AreaShape, Lens, SunSky};
pub use model::*;
pub use package::{Package, UnpackError, pack, unpack, unpack_as};
pub use validate::SceneError;
pub use variation::{Factor, LightFactor, Slot, Target, TextureSlot, Variation};
