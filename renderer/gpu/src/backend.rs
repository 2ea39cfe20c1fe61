//! The GPU as a renderer of tiles.

use film::{Film, Sums};
use protocol::{Batch, Rect};
use renderer::{Backend, Cancel, RenderError, RenderScene, Work};

use crate::device::{AdapterSummary, Device, GpuOptions, OpenError};
use crate::kernel::Kernel;
use crate::qualify::{self, Qualification};
use crate::shader::Shaders;

/// Side of the squares in which neighbouring invocations lie, pixels: neighbours' rays go
/// alike.
const BLOCK: u32 = 8;

/// A renderer on a graphics device.
///
/// It passed a self-test when it was opened; its films are those of the CPU backend, bit for bit
/// where [`Qualification::bit_equal`] says so.
pub struct GpuBackend {
    device: Device,
    kernel: Kernel,
    qualification: Qualification,
}

impl GpuBackend {
    /// Opens the best adapter that the options allow and tests it.
    ///
    /// Blocks for as long as the driver compiles the kernels: seconds the first time.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: &GpuOptions) -> Result<Self, OpenError> {
        let device = Device::open(options)?;
        let arithmetic = qualify::arithmetic(&device)?;
        let rounding = options.rounding.unwrap_or(arithmetic.rounding());
        let shaders = Shaders::new(&device, options.checks, rounding);
        let mut kernel = Kernel::new(&device, shaders)?;
        let qualification = qualify::golden(&device, &mut kernel, arithmetic)?;
        Ok(Self { device, kernel, qualification })
    }

    /// The adapter it runs on.
    #[must_use]
    pub const fn adapter(&self) -> &AdapterSummary {
        &self.device.summary
    }

    /// What the self-test found.
    #[must_use]
    pub const fn qualification(&self) -> &Qualification {
        &self.qualification
    }
}

impl Backend for GpuBackend {
    /// With the driver and its version: another may round otherwise, and a farm looks at the device anew.
    fn description(&self) -> String {
        let AdapterSummary { name, api, driver, .. } = &self.device.summary;
        let parts = [name, api, driver].map(String::as_str);
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("gpu ({})", parts.join(", "))
    }

    fn render(
        &mut self,
        scene: &RenderScene,
        work: Work,
        cancel: &Cancel,
    ) -> Result<Film, RenderError> {
        check_range(scene, work)?;
        let order = blocks(work.rect);
        let places: Vec<u32> = order.iter().map(|&(x, y)| x | y << 16).collect();
        let sums = render_list(&self.device, &mut self.kernel, scene, &places, work.batch, cancel)?;
        let width = work.rect.width();
        let mut rows = Sums::zeroed(sums.len(), sums.passes().is_some());
        for (from, (x, y)) in order.into_iter().enumerate() {
            let index = (y - work.rect.y0) * width + (x - work.rect.x0);
            rows.put(index as usize, &sums, from);
        }
        let film = Film::new(work.rect, work.batch, rows);
        Ok(film.expect("invariant: as many pixels as the tile has"))
    }

    fn render_pixels(
        &mut self,
        scene: &RenderScene,
        pixels: &[(u32, u32)],
        batch: Batch,
        cancel: &Cancel,
    ) -> Result<Sums, RenderError> {
        for &(x, y) in pixels {
            let rect = Rect { x0: x, y0: y, x1: x.saturating_add(1), y1: y.saturating_add(1) };
            check_range(scene, Work { rect, batch })?;
        }
        let places: Vec<u32> = pixels.iter().map(|&(x, y)| x | y << 16).collect();
        render_list(&self.device, &mut self.kernel, scene, &places, batch, cancel)
    }
}

/// Whether work lies inside the frame's canvas and its samples.
fn check_range(scene: &RenderScene, work: Work) -> Result<(), RenderError> {
    let canvas = Rect::of_size(scene.settings().canvas());
    let Rect { x0, y0, x1, y1 } = work.rect;
    let inside = x0 < x1 && y0 < y1 && canvas.holds(&work.rect);
    let chunks = scene.settings().chunk_count();
    if inside && work.batch.is_valid() && work.batch.first_chunk() < chunks {
        Ok(())
    } else {
        Err(RenderError::OutOfRange(work))
    }
}

/// Sums of pixels over a batch; chunks are merged by the same tree as everywhere.
pub(crate) fn render_list(
    device: &Device,
    kernel: &mut Kernel,
    scene: &RenderScene,
    places: &[u32],
    batch: Batch,
    cancel: &Cancel,
) -> Result<Sums, RenderError> {
    if places.is_empty() {
        return Ok(Sums::zeroed(0, scene.settings().passes));
    }
    let samples = batch.samples(scene.settings().samples);
    let mut tree = Tree::default();
    let rendered = kernel.render(device, scene, places, samples, cancel, |chunk| tree.push(chunk));
    match rendered {
        Ok(()) => Ok(tree.finish()),
        Err(RenderError::DeviceFull { .. }) => {
            Err(RenderError::DeviceFull { scene_bytes: scene.byte_size() })
        }
        Err(error) => Err(error),
    }
}

/// Pixels of a rectangle, block by block.
fn blocks(rect: Rect) -> Vec<(u32, u32)> {
    let mut order = Vec::with_capacity(rect.pixel_count() as usize);
    for y0 in (rect.y0..rect.y1).step_by(BLOCK as usize) {
        for x0 in (rect.x0..rect.x1).step_by(BLOCK as usize) {
            let (x1, y1) = ((x0 + BLOCK).min(rect.x1), (y0 + BLOCK).min(rect.y1));
            order.extend(Rect { x0, y0, x1, y1 }.pixels());
        }
    }
    order
}

/// Merges chunks that come one after the other as the batches above them merge: two neighbours
/// of one length become the run of twice the length, the lower first.
#[derive(Default)]
struct Tree {
    /// Runs with their length's logarithm, ever shorter.
    runs: Vec<(u32, Sums)>,
}

impl Tree {
    fn push(&mut self, chunk: Sums) {
        let mut level = 0;
        let mut run = chunk;
        while let Some((_, mut low)) = self.runs.pop_if(|(below, _)| *below == level) {
            low.add(&run);
            run = low;
            level += 1;
        }
        self.runs.push((level, run));
    }

    /// The whole batch: a run without its upper half is its lower half.
    fn finish(self) -> Sums {
        let mut runs = self.runs.into_iter().rev().map(|(_, run)| run);
        let last = runs.next().unwrap_or_default();
        runs.fold(last, |high, mut low| {
            low.add(&high);
            low
        })
    }
}

#[cfg(test)]
mod tests {
    use film::Pixel;

    use super::*;

    #[test]
    fn blocks_cover_every_pixel_once() {
        let rect = Rect { x0: 3, y0: 5, x1: 40, y1: 22 };
        let mut order = blocks(rect);
        assert_eq!(order[..2], [(3, 5), (4, 5)]);
        assert_eq!(order[BLOCK as usize], (3, 6), "the second row of the first block");
        order.sort_unstable();
        let mut wanted: Vec<_> = rect.pixels().collect();
        wanted.sort_unstable();
        assert_eq!(order, wanted);
    }

    /// The merge that the CPU backend does by recursion.
    fn by_recursion(chunks: &[Pixel], count: usize) -> Pixel {
        if count == 1 {
            return chunks[0];
        }
        let low = by_recursion(chunks, count / 2);
        match chunks.get(count / 2..) {
            Some(high) if !high.is_empty() => low.plus(&by_recursion(high, count / 2)),
            _ => low,
        }
    }

    /// A backend on a software adapter, or `None` where there is none; the tests in `tests/it`
    /// insist on one where they must.
    fn backend() -> Option<GpuBackend> {
        let adapter = crate::adapters()
            .into_iter()
            .find(|adapter| adapter.kind == crate::AdapterKind::Software && adapter.exact)?;
        let options =
            GpuOptions { software: true, adapter: Some(adapter.name), ..GpuOptions::default() };
        Some(GpuBackend::open(&options).expect("the adapter opens"))
    }

    fn golden() -> (RenderScene, Work) {
        let size = protocol::Size::new(16, 8);
        let settings =
            protocol::RenderSettings { size, samples: 1, ..protocol::RenderSettings::default() };
        let scene = renderer::prepare(&scene::golden(), &settings, 0.0).expect("it is sound");
        let batch = Batch::new(0, 1).expect("aligned");
        (scene, Work { rect: Rect::of_size(size), batch })
    }

    #[test]
    fn what_goes_wrong_is_an_error() {
        let Some(mut backend) = backend() else { return };
        let (scene, work) = golden();
        let cancel = Cancel::default();

        // A device that binds less than the scene's largest table.
        let real = backend.device.summary.binding_bytes_max;
        backend.device.summary.binding_bytes_max = 4096;
        backend.kernel.forget_scenes();
        let error = backend.render(&scene, work, &cancel).expect_err("it does not fit");
        assert!(
            matches!(error, RenderError::OutOfMemory { needed_bytes: 4097.., limit_bytes: 4096 }),
            "{error}"
        );
        backend.device.summary.binding_bytes_max = real;
        backend.render(&scene, work, &cancel).expect("nothing is left of the failure");

        // A device that is lost, before and during a call.
        backend.device.destroy();
        for _ in 0..2 {
            let error = backend.render(&scene, work, &cancel).expect_err("it is lost");
            assert!(matches!(error, RenderError::DeviceLost(_)) && !error.is_too_small());
        }
    }

    #[test]
    fn a_scene_that_does_not_fit_beside_another_is_tried_alone() {
        let Some(mut backend) = backend() else { return };
        let (scene, work) = golden();
        let other = renderer::prepare(&scene::golden(), scene.settings(), 1.0).expect("sound");
        let other = other.with_seed(9, 1.0);
        let cancel = Cancel::default();
        let wanted = backend.render(&other, work, &cancel).expect("it fits");
        backend.kernel.forget_scenes();
        backend.device.full.set(1);
        let error =
            backend.render(&scene, work, &cancel).expect_err("it is alone and does not fit");
        assert!(error.is_too_small(), "{error}");
        backend.render(&scene, work, &cancel).expect("it fits");
        backend.device.full.set(1);
        let film = backend.render(&other, work, &cancel).expect("the other goes");
        assert_eq!(film.root(), wanted.root());
    }

    #[test]
    fn a_full_device_is_an_error_that_names_the_scenes_bytes() {
        let Some(mut backend) = backend() else { return };
        let (scene, work) = golden();
        backend.device.fill();
        let error = backend.render(&scene, work, &Cancel::default()).expect_err("it is full");
        assert!(error.is_too_small());
        let bytes = scene.byte_size();
        assert_eq!(error, RenderError::DeviceFull { scene_bytes: bytes });
        assert!(error.to_string().contains(&format!("{bytes} bytes; close other programs")));
    }

    #[test]
    fn chunks_merge_by_the_fixed_tree() {
        for count in 1..=16_usize {
            let chunk = |i: usize| Pixel {
                beauty: [1.0 / (i as f32 + 1.3), 0.1 * i as f32, 1e7 / (i as f32 + 0.7)],
                samples: 16,
                ..Pixel::default()
            };
            let chunks: Vec<Pixel> = (0..count).map(chunk).collect();
            let mut tree = Tree::default();
            chunks.iter().for_each(|&chunk| tree.push(vec![chunk].into()));
            let wanted = by_recursion(&chunks, count.next_power_of_two());
            assert_eq!(tree.finish().pixels()[0].bits(), wanted.bits(), "{count} chunks");
        }
    }
}
