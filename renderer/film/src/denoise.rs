//! Denoising: a picture of few samples made to look like one of many.
//!
//! A denoised picture is a guess and stands beside the noisy one, never in its place: the noisy
//! one is what was verified and paid.

mod a_trous;
mod oidn;

use crate::layer;
use crate::picture::Picture;

pub use a_trous::a_trous;
pub use oidn::{Oidn, OidnError};

/// The name of [`a_trous()`] that files and people get to see.
pub const A_TROUS: &str = "à-trous, Tessera's own";

/// A picture that could not be denoised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DenoiseError {
    /// A layer that guides the filter is missing.
    #[error(
        "the picture has no layer `{layer}`, which guides the denoiser; render it with Tessera"
    )]
    NoLayer {
        /// The layer's name.
        layer: &'static str,
    },
    /// Open Image Denoise failed.
    #[error("Open Image Denoise failed; the à-trous filter needs less memory: {message}")]
    Library {
        /// What it says.
        message: String,
    },
}

/// What guides a filter: layers that carry little noise and know where edges are.
struct Guides<'a> {
    albedo: &'a [[f32; 3]],
    normal: &'a [[f32; 3]],
    depth: &'a [f32],
    variance: &'a [f32],
}

impl<'a> Guides<'a> {
    fn of(picture: &'a Picture) -> Result<Self, DenoiseError> {
        let triples = |layer| picture.triples(layer).ok_or(DenoiseError::NoLayer { layer });
        let scalars = |layer| picture.scalars(layer).ok_or(DenoiseError::NoLayer { layer });
        Ok(Self {
            albedo: triples(layer::ALBEDO)?,
            normal: triples(layer::NORMAL)?,
            depth: scalars(layer::DEPTH)?,
            variance: scalars(layer::VARIANCE)?,
        })
    }
}

fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}
