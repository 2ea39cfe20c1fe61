//! What a renderer promises, whatever it runs on.

use std::sync::atomic::{AtomicBool, Ordering};

use film::{Film, Sums};
use protocol::{Batch, Rect};

use crate::RenderScene;

/// A renderer of tiles. Same scene, same work, same engine: same bits, on every backend of a class.
pub trait Backend: Send {
    /// What it runs on, for people: `cpu (avx2, 16 threads)`.
    fn description(&self) -> String;

    /// Renders a batch of a tile.
    ///
    /// Blocks until done; looks at `cancel` at least every few tens of milliseconds.
    ///
    /// # Shapes and units
    /// See [`film::Pixel`]. `work.rect` lies inside the scene's frame.
    ///
    /// # Errors
    /// See [`RenderError`]. Nothing of a failed call is kept.
    fn render(
        &mut self,
        scene: &RenderScene,
        work: Work,
        cancel: &Cancel,
    ) -> Result<Film, RenderError>;

    /// Renders single pixels of a batch: what a challenge asks for.
    ///
    /// Each pixel has the same bits as in the film of any tile that holds it, light passes included
    /// where the settings ask for them.
    ///
    /// # Errors
    /// See [`RenderError`].
    fn render_pixels(
        &mut self,
        scene: &RenderScene,
        pixels: &[(u32, u32)],
        batch: Batch,
        cancel: &Cancel,
    ) -> Result<Sums, RenderError>;
}

/// What to render: pixels and chunks of the prepared frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Pixels, inside the frame.
    pub rect: Rect,
    /// Chunks, inside the settings' sample count.
    pub batch: Batch,
}

/// Tells a render to stop; cheap to look at.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Asks for a stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a render did not yield.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// Somebody asked for a stop.
    #[error("stopped before it was done")]
    Cancelled,
    /// The work lies outside the frame or its samples.
    #[error("{0:?} lies outside the frame or its samples")]
    OutOfRange(Work),
    /// The device needs more memory than it has.
    #[error(
        "the scene needs {needed_bytes} bytes in one piece on this device, which allows {limit_bytes}; use a device with more memory or the CPU backend"
    )]
    OutOfMemory {
        /// Bytes needed.
        needed_bytes: u64,
        /// Bytes to be had.
        limit_bytes: u64,
    },
    /// The device's memory is full, with tables that it would bind one by one.
    #[error(
        "the graphics device has no memory left for the scene, whose tables take {scene_bytes} bytes; close other programs, or use a device with more memory or the CPU backend"
    )]
    DeviceFull {
        /// Bytes of all tables of the scene.
        scene_bytes: u64,
    },
    /// The driver reset or went away: open a new backend and try once more.
    #[error("the graphics device was lost: {0}")]
    DeviceLost(String),
}

impl RenderError {
    /// Whether the device is too small for the scene, and another backend may not be.
    #[must_use]
    pub const fn is_too_small(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. } | Self::DeviceFull { .. })
    }
}
