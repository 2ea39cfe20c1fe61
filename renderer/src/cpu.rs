//! The CPU backend: waves of paths on all cores.

use std::num::NonZeroUsize;
use std::sync::Arc;

use film::{Film, Sums};
use protocol::{Batch, Rect};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::RenderScene;
use crate::backend::{Backend, Cancel, RenderError, Work};
use crate::trace::{Path, Tracer};
use crate::wave::{Wave, wave_pixels};

/// Renders on the CPU: the reference that every other backend is compared with.
#[derive(Debug, Clone)]
pub struct CpuBackend {
    /// Its own threads; none where the system gives none: then the caller's does the work.
    pool: Option<Arc<ThreadPool>>,
    threads: usize,
    path: Path,
}

impl CpuBackend {
    /// A backend with its own threads: as many as given, else as many as there are cores.
    #[must_use]
    pub fn new(threads: Option<NonZeroUsize>) -> Self {
        Self::with_path(threads, Path::best())
    }

    /// A backend that works in a given way, or in the fastest that the machine has below it: for
    /// measuring and for tests. Every way gives the same bits.
    #[must_use]
    pub fn with_path(threads: Option<NonZeroUsize>, path: Path) -> Self {
        let count = threads
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        let pool = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("render {index}"))
            .build();
        match pool {
            Ok(pool) => Self { pool: Some(Arc::new(pool)), threads: count, path },
            Err(_why) => Self { pool: None, threads: 1, path },
        }
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Renders `count` pixels, or stops.
    fn render_places(
        &self,
        scene: &RenderScene,
        batch: Batch,
        cancel: &Cancel,
        count: usize,
        place: impl Fn(usize) -> (u32, u32) + Sync,
    ) -> Result<Sums, RenderError> {
        let has_passes = scene.settings().passes;
        let mut sums = Sums::zeroed(count, has_passes);
        self.run(|| {
            let tracer = Tracer::new(scene, self.path);
            let run = (batch.first_chunk(), batch.chunk_count());
            let piece = wave_pixels(scene.settings().samples);
            let (pixels, passes) = sums.parts_mut();
            // Without passes every piece gets none of none.
            let mut passes = passes.chunks_mut(piece);
            let pieces: Vec<_> = pixels
                .chunks_mut(piece)
                .map(|pixels| (pixels, passes.next().unwrap_or_default()))
                .collect();
            pieces.into_par_iter().enumerate().try_for_each_init(
                Wave::boxed,
                |wave, (number, (pixels, passes))| {
                    let first = number * piece;
                    let places: Vec<_> = (first..first + pixels.len()).map(&place).collect();
                    let rendered = wave.render(&tracer, &places, run, cancel);
                    let rendered = rendered.ok_or(RenderError::Cancelled)?;
                    pixels.copy_from_slice(rendered.pixels());
                    passes.copy_from_slice(rendered.passes().unwrap_or_default());
                    Ok(())
                },
            )
        })?;
        Ok(sums)
    }
}

/// Whether a batch and the pixels of a rectangle are of this frame's canvas.
fn check(scene: &RenderScene, work: Work) -> Result<(), RenderError> {
    let settings = scene.settings();
    let Work { rect, batch } = work;
    let canvas = Rect::of_size(settings.canvas());
    let inside = rect.x0 < rect.x1 && rect.y0 < rect.y1 && canvas.holds(&rect);
    if inside && batch.is_valid() && batch.first_chunk() < settings.chunk_count() {
        Ok(())
    } else {
        Err(RenderError::OutOfRange(work))
    }
}

impl Backend for CpuBackend {
    fn description(&self) -> String {
        let plural = if self.threads == 1 { "" } else { "s" };
        format!("cpu ({}, {} thread{plural})", self.path.name(), self.threads)
    }

    fn render(
        &mut self,
        scene: &RenderScene,
        work: Work,
        cancel: &Cancel,
    ) -> Result<Film, RenderError> {
        check(scene, work)?;
        let Work { rect, batch } = work;
        let (width, count) = (rect.width() as usize, rect.pixel_count() as usize);
        let sums = self.render_places(scene, batch, cancel, count, |index| {
            (rect.x0 + (index % width) as u32, rect.y0 + (index / width) as u32)
        })?;
        Ok(Film::new(rect, batch, sums).expect("invariant: as many pixels as the tile has"))
    }

    fn render_pixels(
        &mut self,
        scene: &RenderScene,
        pixels: &[(u32, u32)],
        batch: Batch,
        cancel: &Cancel,
    ) -> Result<Sums, RenderError> {
        for &(x, y) in pixels {
            let (x1, y1) = (x.saturating_add(1), y.saturating_add(1));
            check(scene, Work { rect: Rect { x0: x, y0: y, x1, y1 }, batch })?;
        }
        self.render_places(scene, batch, cancel, pixels.len(), |index| pixels[index])
    }
}

#[cfg(test)]
mod tests {
    use protocol::{RenderSettings, Size};

    use super::*;

    /// While a thread waits for what another took of its work, it begins on other work on top of
    /// the same stack, and so on: little of it must be taken each time.
    #[test]
    fn threads_need_little_stack() {
        let (size, samples) = (Size::new(64, 64), 1024);
        let settings = RenderSettings { size, samples, ..RenderSettings::default() };
        let scene = crate::prepare(&scene::golden(), &settings, 0.0).expect("prepares");
        let work = Work { rect: Rect::of_size(size), batch: Batch::new(0, 1).expect("aligned") };
        for path in Path::all() {
            let mut backend = CpuBackend::with_path(None, path);
            let pool = ThreadPoolBuilder::new().num_threads(4).stack_size(128 << 10).build();
            backend.pool = Some(Arc::new(pool.expect("a pool")));
            backend.render(&scene, work, &Cancel::default()).expect("renders");
        }
    }
}
