//! Runs the path kernel over a list of pixels, in dispatches short enough for any device.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use bevy_render::render_resource::{
    BindGroup, BindGroupLayout, Buffer, ComputePipeline, ShaderType,
};
use film::{PIXEL_BYTES, Passes, Pixel, Sums};
use protocol::settings::CHUNK_SAMPLES;
use renderer::{Cancel, RenderError, RenderScene};

use crate::compute::{self, Binding};
use crate::device::{AdapterKind, Device, OpenError};
use crate::shader::{Abilities, Shaders};
use crate::tables::{self, Uploaded};

/// Invocations of a workgroup.
const WORKGROUP: u32 = 64;
/// Workgroups of a row; a dispatch may have 65 535 in each dimension.
const COLUMNS_MAX: u32 = 1024;
/// Samples of a pixel in one dispatch: neighbours' paths of different lengths even out over them.
const SAMPLES_MAX: u32 = CHUNK_SAMPLES;
/// Pixels that keep a card busy; with fewer in a dispatch, more samples of each bring nothing.
const BUSY_PIXELS: u32 = 1 << 17;
/// Pixels that keep a software adapter busy.
const BUSY_PIXELS_SOFTWARE: u32 = 1 << 10;
/// How long a dispatch should take: a desktop's frame stays whole, and a stop is quick.
const DISPATCH_TARGET: Duration = Duration::from_millis(25);
/// Dispatches that are submitted before the first of them is waited for.
const IN_FLIGHT_MAX: usize = 2;
/// Pixel samples of the first dispatch on a device whose speed is not known.
const FIRST_SAMPLES: u64 = 4096;
/// Bytes of the chunks' sums on the device before they are read back.
const FILM_BYTES_MAX: u64 = 32 << 20;
// They and their way back are counted in what a scene takes on a device.
const _: () = assert!(2 * FILM_BYTES_MAX < renderer::footprint::DEVICE_BYTES / 2);

/// One dispatch's share of the work, see `shaders/render.wgsl`.
#[derive(ShaderType, Clone, Copy)]
struct Share {
    first_pixel: u32,
    pixel_count: u32,
    first_sample: u32,
    sample_count: u32,
    film_at: u32,
    fresh: u32,
    columns: u32,
}

/// The compiled kernel, the scenes it knows and the speed it was seen at.
pub(crate) struct Kernel {
    /// By what they can do: the simplest, and others since a scene first needed them.
    pipelines: Vec<(Abilities, ComputePipeline)>,
    shaders: Shaders,
    work_layout: BindGroupLayout,
    scene_layout: BindGroupLayout,
    uploaded: Uploaded,
    pace: Pace,
}

impl Kernel {
    /// Compiles the kernel; the driver may put the larger part off to the first dispatch.
    pub(crate) fn new(device: &Device, mut shaders: Shaders) -> Result<Self, OpenError> {
        let bindings = [Binding::Uniform, Binding::Read, Binding::Write, Binding::Write];
        let work_layout = compute::layout(device, "work", &bindings);
        let scene_layout = tables::layout(device);
        let simplest = Abilities::default();
        let pipeline = compile(&mut shaders, &[&work_layout, &scene_layout], simplest)?;
        let pace = Pace::new(device.summary.kind);
        let uploaded = Uploaded::default();
        let pipelines = vec![(simplest, pipeline)];
        Ok(Self { pipelines, shaders, work_layout, scene_layout, uploaded, pace })
    }

    /// The kernel that can do this, compiled where it is not yet.
    fn pipeline(&mut self, abilities: Abilities) -> Result<ComputePipeline, RenderError> {
        let known = self.pipelines.iter().find(|(able, _)| *able == abilities);
        if let Some((_, pipeline)) = known {
            return Ok(pipeline.clone());
        }
        let layouts = [&self.work_layout, &self.scene_layout];
        let compiled = compile(&mut self.shaders, &layouts, abilities);
        let pipeline = compiled.map_err(|error| RenderError::DeviceLost(error.to_string()))?;
        self.pipelines.push((abilities, pipeline.clone()));
        Ok(pipeline)
    }

    /// Drops the tables of all scenes.
    #[cfg(test)]
    pub(crate) fn forget_scenes(&mut self) {
        self.uploaded = Uploaded::default();
    }

    /// The sums of each of `places` (x in the lower half of the word, y in the upper) over
    /// `samples`, which begin at a chunk: chunks are summed on the device and handed to `merge`
    /// in their order.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub(crate) fn render(
        &mut self,
        device: &Device,
        scene: &RenderScene,
        places: &[u32],
        samples: Range<u32>,
        cancel: &Cancel,
        mut merge: impl FnMut(Sums),
    ) -> Result<(), RenderError> {
        device.check()?;
        let passes = scene.settings().passes;
        let pixel_bytes = if passes { PIXEL_BYTES + size_of::<Passes>() } else { PIXEL_BYTES };
        let film_bytes = (places.len() * pixel_bytes) as u64;
        compute::check_size(device, film_bytes)?;
        let motion = scene.header().motion_keys > 0;
        let pipeline = self.pipeline(Abilities { motion, passes })?;
        let scene = self.uploaded.get(device, &self.scene_layout, scene)?.group.clone();
        let pixels = compute::table(device, "pixels", bytemuck::must_cast_slice(places))?;
        let chunks: Vec<u32> = samples.clone().step_by(CHUNK_SAMPLES as usize).collect();
        let limit = FILM_BYTES_MAX.min(device.binding_bytes_max());
        let layers = (limit / film_bytes.max(1)).clamp(1, chunks.len().max(1) as u64);
        let film = compute::output(device, "film", film_bytes * layers)?;
        let faults = compute::output(device, "faults", 4)?;
        let mut run = Run {
            device,
            kernel: &pipeline,
            layout: &self.work_layout,
            scene: &scene,
            buffers: [&pixels, &film, &faults],
            pixel_count: places.len() as u32,
            cancel,
            pace: &mut self.pace,
            in_flight: VecDeque::new(),
            idle_since: Instant::now(),
        };
        for group in chunks.chunks(layers as usize) {
            // A driver that counts loops gets shorter dispatches from then on.
            while !run.group(group, samples.end)? {
                if run.pace.samples_max == 1 {
                    return Err(RenderError::DeviceLost(format!(
                        "{} ends loops of the kernel early; update its driver or use the CPU backend",
                        device.summary.name
                    )));
                }
                run.pace.samples_max = 1;
            }
            let words = compute::read(device, &film, film_bytes * group.len() as u64)?;
            let layer_words = places.len().max(1) * pixel_bytes / 4;
            words.chunks(layer_words).for_each(|layer| merge(sums(layer, passes)));
        }
        Ok(())
    }
}

/// The sums that the kernel has written, pixel by pixel, each followed by its passes where there are
/// any.
fn sums(words: &[u32], has_passes: bool) -> Sums {
    if !has_passes {
        return Sums::from(bytemuck::cast_slice::<u32, Pixel>(words).to_vec());
    }
    let rows: &[[u32; (PIXEL_BYTES + size_of::<Passes>()) / 4]] = bytemuck::cast_slice(words);
    let split = |row: &[u32; 40]| {
        let (pixel, passes) = row.split_at(PIXEL_BYTES / 4);
        let (pixel, passes): (&[Pixel], &[Passes]) =
            (bytemuck::cast_slice(pixel), bytemuck::cast_slice(passes));
        (pixel[0], passes[0])
    };
    let (pixels, passes) = rows.iter().map(split).unzip();
    Sums::with_passes(pixels, passes)
}

fn compile(
    shaders: &mut Shaders,
    layouts: &[&BindGroupLayout],
    abilities: Abilities,
) -> Result<ComputePipeline, OpenError> {
    let text = include_str!("shaders/render.wgsl").to_owned();
    shaders.pipeline(text, "render.wgsl", layouts, abilities)
}

/// One call's dispatches.
struct Run<'a> {
    device: &'a Device,
    kernel: &'a ComputePipeline,
    layout: &'a BindGroupLayout,
    scene: &'a BindGroup,
    buffers: [&'a Buffer; 3],
    pixel_count: u32,
    cancel: &'a Cancel,
    pace: &'a mut Pace,
    in_flight: VecDeque<Flight>,
    idle_since: Instant,
}

/// A dispatch that was submitted.
struct Flight {
    submission: wgpu::SubmissionIndex,
    submitted: Instant,
    samples: u64,
}

impl Run<'_> {
    /// Fills the film with the sums of chunks, one after the other; returns whether all loops
    /// came to their end.
    fn group(&mut self, chunks: &[u32], samples_end: u32) -> Result<bool, RenderError> {
        let [_, _, faults] = self.buffers;
        self.device.queue.write_buffer(faults, 0, &[0; 4]);
        for (layer, &first) in (0..).zip(chunks) {
            let end = (first + CHUNK_SAMPLES).min(samples_end);
            self.chunk(first..end, layer * self.pixel_count)?;
        }
        self.drain()?;
        Ok(compute::read(self.device, faults, 4)?.first() == Some(&0))
    }

    /// Adds the samples of one chunk to the film at `film_at`, from zero.
    fn chunk(&mut self, samples: Range<u32>, film_at: u32) -> Result<(), RenderError> {
        let mut first_sample = samples.start;
        while first_sample < samples.end {
            let at_once = self.pace.samples(self.pixel_count);
            let sample_count = at_once.min(samples.end - first_sample);
            let mut first_pixel = 0;
            while first_pixel < self.pixel_count {
                let left = self.pixel_count - first_pixel;
                let pixel_count = self.pace.pixels(sample_count).min(left);
                self.submit(Share {
                    first_pixel,
                    pixel_count,
                    first_sample,
                    sample_count,
                    film_at,
                    fresh: u32::from(first_sample == samples.start),
                    columns: 0,
                })?;
                first_pixel += pixel_count;
            }
            first_sample += sample_count;
        }
        Ok(())
    }

    fn submit(&mut self, mut share: Share) -> Result<(), RenderError> {
        while self.in_flight.len() >= IN_FLIGHT_MAX {
            self.finish_one()?;
        }
        if self.cancel.is_set() {
            self.drain()?;
            return Err(RenderError::Cancelled);
        }
        let workgroups = share.pixel_count.div_ceil(WORKGROUP);
        let columns = workgroups.clamp(1, COLUMNS_MAX);
        share.columns = columns * WORKGROUP;
        let uniform = compute::uniform_of(self.device, &share);
        let [pixels, film, faults] = self.buffers;
        let group =
            compute::group(self.device, "work", self.layout, &[&uniform, pixels, film, faults]);
        let rows = workgroups.div_ceil(columns);
        let groups = [&group, self.scene];
        let submission = compute::dispatch(self.device, self.kernel, &groups, [columns, rows, 1]);
        self.in_flight.push_back(Flight {
            submission,
            submitted: Instant::now(),
            samples: u64::from(share.pixel_count) * u64::from(share.sample_count),
        });
        Ok(())
    }

    /// Waits for the oldest dispatch and learns from how long it took.
    fn finish_one(&mut self) -> Result<(), RenderError> {
        let Some(flight) = self.in_flight.pop_front() else { return Ok(()) };
        self.device.wait_for(flight.submission)?;
        let now = Instant::now();
        let started = flight.submitted.max(self.idle_since);
        self.idle_since = now;
        self.pace.learn(flight.samples, now.duration_since(started));
        Ok(())
    }

    fn drain(&mut self) -> Result<(), RenderError> {
        while !self.in_flight.is_empty() {
            self.finish_one()?;
        }
        Ok(())
    }
}

/// How much work a dispatch gets, so that it takes about as long as it should.
///
/// It decides only how work is cut, never what is computed.
#[derive(Debug, Clone, Copy)]
struct Pace {
    samples_per_dispatch: u64,
    /// Samples of a pixel in one dispatch.
    samples_max: u32,
    /// Pixels that keep the device busy.
    busy_pixels: u32,
}

impl Pace {
    const fn new(kind: AdapterKind) -> Self {
        let busy_pixels = match kind {
            AdapterKind::Software => BUSY_PIXELS_SOFTWARE,
            _ => BUSY_PIXELS,
        };
        Self { samples_per_dispatch: FIRST_SAMPLES, samples_max: SAMPLES_MAX, busy_pixels }
    }

    /// Samples per pixel of the next dispatches over `pixel_count` pixels.
    fn samples(self, pixel_count: u32) -> u32 {
        let pixels = pixel_count.clamp(1, self.busy_pixels);
        let fits = self.samples_per_dispatch / u64::from(pixels);
        fits.clamp(1, u64::from(self.samples_max)) as u32
    }

    /// Pixels of the next dispatch at so many samples each, in whole workgroups.
    fn pixels(self, sample_count: u32) -> u32 {
        let fits = self.samples_per_dispatch / u64::from(sample_count.max(1));
        let whole = fits / u64::from(WORKGROUP) * u64::from(WORKGROUP);
        whole.clamp(u64::from(WORKGROUP), 1 << 24) as u32
    }

    /// Moves towards what would have taken [`DISPATCH_TARGET`]: at most to twice or half of it,
    /// so that one slow dispatch, such as the first, which compiles, does not count for much.
    fn learn(&mut self, samples: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let target = u64::try_from(DISPATCH_TARGET.as_micros()).unwrap_or(u64::MAX);
        let fitting = samples.saturating_mul(target) / micros;
        let low = self.samples_per_dispatch / 2;
        let high = self.samples_per_dispatch.saturating_mul(2);
        self.samples_per_dispatch = fitting.clamp(low, high).clamp(64, 1 << 26);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_the_device() {
        let mut pace = Pace::new(AdapterKind::Discrete);
        // A device of 1 000 000 samples a second: 25 000 of them take 25 ms.
        for _ in 0..20 {
            let samples = pace.samples_per_dispatch;
            pace.learn(samples, Duration::from_micros(samples));
        }
        assert_eq!(pace.samples_per_dispatch, 25_000);
        assert_eq!((pace.samples(50_000), pace.pixels(1)), (1, 24_960));
        assert_eq!((pace.samples(10_000), pace.pixels(2)), (2, 12_480));
        assert_eq!(pace.samples(100), SAMPLES_MAX);
        let software = Pace { busy_pixels: BUSY_PIXELS_SOFTWARE, ..pace };
        assert_eq!(software.samples(50_000), SAMPLES_MAX, "many samples of few pixels");
        pace.learn(25_000, Duration::from_secs(10));
        assert_eq!(pace.samples_per_dispatch, 12_500, "one slow dispatch halves it, no more");
    }

    #[test]
    fn a_dispatch_is_never_empty() {
        let mut pace = Pace { samples_per_dispatch: 1, ..Pace::new(AdapterKind::Discrete) };
        pace.learn(1, Duration::from_secs(100));
        assert!(pace.samples(1 << 18) == 1 && pace.pixels(4) == WORKGROUP);
    }
}
