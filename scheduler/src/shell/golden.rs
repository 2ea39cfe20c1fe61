//! Qualification: a golden film with a fresh seed decides a node's class.

use film::Film;
use protocol::{Batch, Class, Rect, RenderSettings, Size};
use renderer::{Backend as _, Cancel, CpuBackend, Work};

use crate::verify;

/// Side of the golden frame, pixels.
const SIDE_PX: u32 = 32;
/// Samples per pixel of the golden frame: one chunk.
const SAMPLES: u32 = 16;

/// A golden film that does not qualify its node.
#[derive(Debug, thiserror::Error)]
pub(super) enum GoldenError {
    /// Not a film of that size.
    #[error("the golden film does not have {SIDE_PX}x{SIDE_PX} pixels")]
    Shape(#[source] film::FilmError),
    /// Too far from the reference for either class.
    #[error(
        "the golden film differs from the reference in {differing} of {pixels} pixels beyond the tolerance; update the node or let it render with its CPU"
    )]
    Differs {
        /// Pixels that differ.
        differing: u32,
        /// Pixels in all.
        pixels: u64,
    },
    /// The reference could not be rendered here.
    #[error("the reference could not be rendered")]
    Prepare(#[source] renderer::PrepareError),
    /// The reference could not be rendered here.
    #[error("the reference could not be rendered")]
    Render(#[source] renderer::RenderError),
}

/// Settings of a golden frame with a fresh seed.
pub(super) fn settings(seed: u32) -> RenderSettings {
    let size = Size::new(SIDE_PX, SIDE_PX);
    RenderSettings { size, samples: SAMPLES, seed, ..RenderSettings::default() }
}

/// Compares a golden film with the reference: equal bits are class Exact.
pub(super) fn judge(
    bytes: &[u8],
    settings: &RenderSettings,
    backend: &mut CpuBackend,
) -> Result<Class, GoldenError> {
    let rect = Rect::of_size(settings.size);
    let batch = Batch::new(0, 1).expect("invariant: one chunk is aligned");
    let film = Film::from_bytes(rect, batch, settings.passes, bytes).map_err(GoldenError::Shape)?;
    let frame = renderer::prepare(&scene::golden(), settings, 0.0).map_err(GoldenError::Prepare)?;
    let work = Work { rect, batch };
    let trusted = backend.render(&frame, work, &Cancel::default()).map_err(GoldenError::Render)?;
    let differing = |class| verify::differing_pixels(class, film.sums(), trusted.sums());
    if differing(Class::Exact) == 0 {
        return Ok(Class::Exact);
    }
    match differing(Class::Tolerant) {
        0 => Ok(Class::Tolerant),
        differing => Err(GoldenError::Differs { differing, pixels: rect.pixel_count() }),
    }
}
