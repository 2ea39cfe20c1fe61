//! What a frame's rays are: counted on a few pixels, and timed beside those of the built-in scene.
//!
//! Time is this process's CPU time on one thread, so that other programs of the machine hardly show.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cpu_time::ProcessTime;
use protocol::settings::CHUNK_SAMPLES;
use protocol::{RayCount, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, RenderScene};
use serde::{Deserialize, Serialize};

use super::{Easel, Frame, RenderFault};

/// Side of the built-in scene's picture, pixels.
const REFERENCE_SIDE_PX: u32 = 256;
/// Frames are timed so many times, and the least time counts: whatever disturbs makes it longer.
const ROUNDS: u32 = 3;
/// No probe takes so long, even of a thread's own time.
const TOOK_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Samples that are rendered for a probe at most, of the frame and of the built-in scene.
pub(crate) const PROBE_SAMPLES_MAX: u64 =
    renderer::PROBE_PIXELS * CHUNK_SAMPLES as u64 * ROUNDS as u64 * 2;

/// A frame whose rays are to be counted and timed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Probing {
    /// The frame.
    pub frame: Frame,
    /// Which pixels; see [`renderer::probe()`].
    pub draw: u32,
    /// No further round is begun after this long: long times need it least.
    pub again_for: Duration,
}

/// What a frame's rays are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Pixels probed.
    pub pixels: u32,
    /// Rays counted.
    pub rays: RayCount,
    /// CPU time that they took on one thread.
    pub took: Duration,
    /// Rays of the built-in scene.
    pub reference_rays: RayCount,
    /// CPU time that these took.
    pub reference_took: Duration,
    /// See [`renderer::Probe::closest_mean`].
    pub closest_mean: f64,
    /// See [`renderer::Probe::shadow_mean`].
    pub shadow_mean: f64,
    /// See [`renderer::Probe::closest_bound`].
    pub closest_bound: f64,
    /// See [`renderer::Probe::shadow_bound`].
    pub shadow_bound: f64,
    /// Memory of the frame on a CPU, bytes.
    pub cpu_bytes: u64,
    /// Memory of the frame on a GPU, bytes.
    pub gpu_bytes: u64,
    /// Memory that making it ready takes, its package included, bytes.
    pub preparing_bytes: u64,
}

impl Probed {
    /// Whether these are numbers that a probe can give.
    pub(crate) fn is_sound(&self) -> bool {
        let each = [self.closest_mean, self.shadow_mean, self.closest_bound, self.shadow_bound];
        let times = [self.took, self.reference_took];
        self.pixels > 0
            && times.iter().all(|took| *took < TOOK_MAX)
            && each.iter().all(|rays| rays.is_finite() && *rays >= 0.0)
    }
}

/// What frames are timed with and beside.
#[derive(Debug)]
pub(super) struct Measure {
    backend: CpuBackend,
    reference: RenderScene,
}

impl Measure {
    fn new() -> Result<Self, RenderFault> {
        let size = Size::new(REFERENCE_SIDE_PX, REFERENCE_SIDE_PX);
        let settings = RenderSettings { size, samples: CHUNK_SAMPLES, ..RenderSettings::default() };
        let reference = renderer::prepare(&scene::golden(), &settings, 0.0);
        let reference = reference.map_err(RenderFault::Prepare)?;
        Ok(Self { backend: CpuBackend::new(Some(std::num::NonZeroUsize::MIN)), reference })
    }

    /// Probes a frame, with the built-in scene before each round.
    fn take(
        &mut self,
        frame: &RenderScene,
        draw: u32,
        again_for: Duration,
        cancel: &Cancel,
        progress: &mut dyn FnMut(),
    ) -> Result<Probed, RenderFault> {
        let begun = Instant::now();
        let (mut reference_took, mut took) = (Duration::MAX, Duration::MAX);
        let mut round = 0;
        loop {
            let (looked, of_it) = timed(&mut self.backend, &self.reference, 0, cancel)?;
            reference_took = reference_took.min(of_it);
            let (probe, of_it) = timed(&mut self.backend, frame, draw, cancel)?;
            took = took.min(of_it);
            progress();
            round += 1;
            if round < ROUNDS && begun.elapsed() < again_for {
                continue;
            }
            let renderer::Probe { pixels, rays, closest_mean, shadow_mean, .. } = probe;
            return Ok(Probed {
                pixels,
                rays,
                took,
                reference_rays: looked.rays,
                reference_took,
                closest_mean,
                shadow_mean,
                closest_bound: probe.closest_bound,
                shadow_bound: probe.shadow_bound,
                cpu_bytes: frame.cpu_bytes(),
                gpu_bytes: frame.gpu_bytes(),
                preparing_bytes: 0,
            });
        }
    }
}

fn timed(
    backend: &mut dyn Backend,
    frame: &RenderScene,
    draw: u32,
    cancel: &Cancel,
) -> Result<(renderer::Probe, Duration), RenderFault> {
    let begun = ProcessTime::now();
    let probe = renderer::probe(backend, frame, draw, cancel)?;
    Ok((probe, begun.elapsed()))
}

impl Easel {
    /// Counts and times the rays of some pixels; `None` when the scene's package is needed for it.
    pub(crate) fn probe(
        &mut self,
        probing: &Probing,
        package: Option<&Bytes>,
        cancel: &Cancel,
        progress: &mut dyn FnMut(),
    ) -> Result<Option<Probed>, RenderFault> {
        let Probing { frame, draw, again_for } = probing;
        let unpacked = self.unpacked.as_ref().filter(|(id, ..)| *id == frame.scene);
        let package_bytes = package.map(|package| package.len() as u64);
        let package_bytes = package_bytes.or(unpacked.map(|(.., bytes)| *bytes));
        let Some(package_bytes) = package_bytes else { return Ok(None) };
        if !self.prepare(frame, package, progress)? {
            return Ok(None);
        }
        let measure = match &mut self.measure {
            Some(measure) => measure,
            none => none.insert(Measure::new()?),
        };
        let prepared = self.prepared.front();
        let probed = measure.take(prepared, *draw, *again_for, cancel, progress)?;
        let preparing_bytes = prepared.preparing_bytes(package_bytes);
        Ok(Some(Probed { preparing_bytes, ..probed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::easel::tests::{easel, golden};

    fn probing(samples: u32) -> Probing {
        let size = Size::new(REFERENCE_SIDE_PX, REFERENCE_SIDE_PX);
        let settings = RenderSettings { size, samples, ..RenderSettings::default() };
        let frame = Frame { scene: golden().0, settings, time_s: 0.0 };
        Probing { frame, draw: 0, again_for: Duration::from_secs(2) }
    }

    #[test]
    fn the_built_in_scene_weighs_what_it_weighs() {
        let (_id, package) = golden();
        let mut easel = easel();
        let mut probe = |package: Option<&Bytes>| {
            let probed = easel.probe(&probing(16), package, &Cancel::default(), &mut || ());
            probed.expect("it renders")
        };
        assert_eq!(probe(None), None, "the package is needed");
        let probed = probe(Some(&package)).expect("a probe");
        assert_eq!(probed.rays, probed.reference_rays);
        assert!(probed.rays.closest > 10_000, "{probed:?}");
        assert!(probed.is_sound());
        assert!(probed.closest_bound > probed.closest_mean);
        let again = probe(None).expect("what was unpacked is at hand");
        assert_eq!((again.rays, again.preparing_bytes), (probed.rays, probed.preparing_bytes));
    }

    #[test]
    fn memory_is_told_by_the_frame_and_its_package() {
        let (_id, package) = golden();
        let mut easel = easel();
        let probed = easel.probe(&probing(16), Some(&package), &Cancel::default(), &mut || ());
        let probed = probed.expect("it renders").expect("a probe");
        let prepared = easel.prepared.front();
        assert_eq!(probed.cpu_bytes, prepared.cpu_bytes());
        assert_eq!(probed.gpu_bytes, prepared.gpu_bytes());
        assert_eq!(probed.preparing_bytes, prepared.preparing_bytes(package.len() as u64));
        assert!(probed.preparing_bytes > prepared.preparing_bytes(0));
    }

    #[test]
    fn what_no_probe_can_give_is_not_sound() {
        let (_id, package) = golden();
        let probed = easel().probe(&probing(1), Some(&package), &Cancel::default(), &mut || ());
        let probed = probed.expect("it renders").expect("a probe");
        for closest_bound in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(!Probed { closest_bound, ..probed }.is_sound());
        }
        assert!(!Probed { pixels: 0, ..probed }.is_sound());
        assert!(!Probed { took: Duration::MAX, ..probed }.is_sound());
    }
}
