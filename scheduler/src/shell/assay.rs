//! What a job's rays are: counted on a few pixels, and timed beside those of a reference scene.
//!
//! Which pixels these are is drawn from the scheduler's secret and from what decides the rays, so that
//! nobody can make just these cheap, and the same job has the same price whatever its seed.
//!
//! Time is this process's CPU time on one thread, so that other programs of the machine hardly show;
//! checks that this process makes at the same moment lengthen both alike.
//!
//! What its frames take of a node's memory is told by the same ones; see [`Memory`].
//!
//! The result of a job is kept, so that asking twice gives the same price and what-ifs cost nothing:
//! else an artist would ask until the clock was kind.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use protocol::settings::CHUNK_SAMPLES;
use protocol::{Digest, Footprint, JobSpec, RenderSettings, SigningKey, Size, ViewIndex};
use renderer::{Cancel, CpuBackend, RenderScene};

use super::frames::{FrameError, Frames};
use crate::market::weight::{Timed, weight_percent};
use crate::quote::{Probe, SampleCost};

/// Results kept.
const KEPT_MAX: usize = 256;
/// Side of the reference picture, pixels.
const REFERENCE_SIDE_PX: u32 = 256;
/// Shots are timed so many times, and the least time counts: whatever disturbs makes it longer.
const ROUNDS: u32 = 3;
/// No further round is begun after this long: long times need it least.
const ROUNDS_TIME_MAX: Duration = Duration::from_secs(2);

/// Probes and what they found.
pub(super) struct Assays {
    backend: Mutex<CpuBackend>,
    kept: Mutex<Vec<(Digest, Probe)>>,
    secret: [u8; 32],
    reference: Mutex<Option<Arc<RenderScene>>>,
}

/// A job that cannot be probed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AssayError {
    /// One of its frames cannot be prepared.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// One of its frames cannot be rendered.
    #[error("the probe failed")]
    Render(#[from] renderer::RenderError),
    /// The reference scene cannot be prepared here.
    #[error("the reference scene cannot be prepared")]
    Reference(#[source] renderer::PrepareError),
}

impl Assays {
    pub(super) fn new(key: &SigningKey) -> Self {
        let backend = Mutex::new(CpuBackend::new(Some(NonZeroUsize::MIN)));
        let secret = blake3::derive_key("tessera 2026 probe pixels v1", &key.to_bytes());
        Self { backend, kept: Mutex::default(), secret, reference: Mutex::default() }
    }

    /// Probes the first, middle and last frame through every camera, takes the dearest frame of
    /// each, and the mean over the cameras: all have the same number of frames. Blocks.
    pub(super) fn assay(&self, frames: &Frames, spec: &JobSpec) -> Result<Probe, AssayError> {
        let key = key(spec);
        let kept = |list: &[(Digest, Probe)]| {
            list.iter().find(|(other, _)| *other == key).map(|(_, probe)| *probe)
        };
        if let Some(probe) = kept(&lock(&self.kept)) {
            return Ok(probe);
        }
        let probe = self.probe(frames, spec, self.draw(&key))?;
        let mut list = lock(&self.kept);
        list.insert(0, (key, probe));
        list.truncate(KEPT_MAX);
        Ok(probe)
    }

    /// What picks the probed pixels.
    fn draw(&self, key: &Digest) -> u32 {
        let hash = blake3::keyed_hash(&self.secret, &key.0);
        let [a, b, c, d, ..] = *hash.as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    fn probe(&self, frames: &Frames, spec: &JobSpec, draw: u32) -> Result<Probe, AssayError> {
        let mut backend = lock(&self.backend);
        let all: Vec<u32> = spec.frames.frames().collect();
        let mut looked = vec![0, all.len() / 2, all.len() - 1];
        looked.dedup();
        let reference = self.reference()?;
        let mut clock = Clock::new(draw);
        let views = spec.view_count();
        let (mut bound, mut mean) = (SampleCost::ZERO, SampleCost::ZERO);
        let (mut shots, mut pixels) = (0, 0);
        let mut memory =
            Memory { package_bytes: frames.package_bytes(spec.scene)?, ..Memory::default() };
        for settings in (0..views).filter_map(|view| spec.settings_of(ViewIndex(view))) {
            let (mut dear_bound, mut dear_mean) = (SampleCost::ZERO, SampleCost::ZERO);
            for &index in &looked {
                let time_s = spec.frames.time_s(all[index]);
                let frame = frames.frame(spec.scene, &settings, time_s)?;
                memory.see(&frame);
                let probe = clock.time(&mut backend, &frame, &reference)?;
                dear_bound.raise(probe.closest_bound, probe.shadow_bound);
                dear_mean.raise(probe.closest_mean, probe.shadow_mean);
                shots += 1;
                pixels = probe.pixels;
            }
            bound.add(dear_bound, f64::from(views));
            mean.add(dear_mean, f64::from(views));
        }
        let weight_percent = weight_percent(clock.scene, clock.reference);
        tracing::debug!(
            scene = %spec.scene,
            weight_percent,
            scene_ms = clock.scene.took.as_secs_f64() * 1e3,
            reference_ms = clock.reference.took.as_secs_f64() * 1e3,
            "probed"
        );
        Ok(Probe { bound, mean, shots, pixels, weight_percent, memory: memory.footprint() })
    }

    fn reference(&self) -> Result<Arc<RenderScene>, AssayError> {
        let mut reference = lock(&self.reference);
        if let Some(frame) = &*reference {
            return Ok(frame.clone());
        }
        let size = Size::new(REFERENCE_SIDE_PX, REFERENCE_SIDE_PX);
        let settings = RenderSettings { size, samples: CHUNK_SAMPLES, ..RenderSettings::default() };
        let frame = renderer::prepare(&scene::golden(), &settings, 0.0);
        let frame = Arc::new(frame.map_err(AssayError::Reference)?);
        Ok(reference.insert(frame).clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What decides a job's rays a sample. Its name, its seed, samples beyond the first chunk and what it
/// goes on from do not.
fn key(spec: &JobSpec) -> Digest {
    let settings = RenderSettings {
        seed: 0,
        samples: spec.settings.samples.min(CHUNK_SAMPLES),
        ..spec.settings.clone()
    };
    JobSpec {
        name: String::new(),
        settings,
        base: None,
        noise: None,
        needs: protocol::Needs::default(),
        ..spec.clone()
    }
    .digest()
}

/// What frames take of a node's memory at most: bounds that follow from their tables, whatever this
/// machine took.
///
/// On a CPU a node holds prepared scenes in what it gives to them, and its worker may use half as much
/// again while it makes one ready, when the package and the scene read from it are there as well; the
/// larger of both counts. On a GPU it is the device's memory.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    package_bytes: u64,
    cpu_bytes: u64,
    gpu_bytes: u64,
}

impl Memory {
    fn see(&mut self, frame: &RenderScene) {
        let preparing = frame.preparing_bytes(self.package_bytes).div_ceil(3).saturating_mul(2);
        self.cpu_bytes = self.cpu_bytes.max(frame.cpu_bytes()).max(preparing);
        self.gpu_bytes = self.gpu_bytes.max(frame.gpu_bytes());
    }

    const fn footprint(self) -> Footprint {
        Footprint::in_steps(self.cpu_bytes, self.gpu_bytes)
    }
}

/// Times of the shots and of the reference, taken in turn on one machine.
struct Clock {
    draw: u32,
    begun: Instant,
    scene: Timed,
    reference: Timed,
}

impl Clock {
    fn new(draw: u32) -> Self {
        Self { draw, begun: Instant::now(), scene: Timed::default(), reference: Timed::default() }
    }

    /// Probes a shot, with the reference before each round.
    fn time(
        &mut self,
        backend: &mut CpuBackend,
        frame: &RenderScene,
        reference: &RenderScene,
    ) -> Result<renderer::Probe, renderer::RenderError> {
        let (mut of_reference, mut of_shot) = (Duration::MAX, Duration::MAX);
        let mut round = 0;
        loop {
            let begun = ProcessTime::now();
            let looked = renderer::probe(backend, reference, 0, &Cancel::default())?;
            of_reference = of_reference.min(begun.elapsed());
            let begun = ProcessTime::now();
            let probe = renderer::probe(backend, frame, self.draw, &Cancel::default())?;
            of_shot = of_shot.min(begun.elapsed());
            round += 1;
            if round >= ROUNDS || self.begun.elapsed() >= ROUNDS_TIME_MAX {
                self.reference.rays += looked.rays;
                self.reference.took += of_reference;
                self.scene.rays += probe.rays;
                self.scene.took += of_shot;
                return Ok(probe);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{FrameRange, SceneId};

    use super::*;

    #[test]
    fn what_does_not_change_the_rays_does_not_change_the_key() {
        let spec = |name: &str, seed, samples, bounces| JobSpec {
            name: name.to_owned(),
            scene: SceneId([1; 32]),
            settings: RenderSettings { seed, samples, bounces, ..RenderSettings::default() },
            more_cameras: Vec::new(),
            frames: FrameRange::STILL,
            tile_side_px: 64,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        };
        let one = key(&spec("one", 1, 64, 4));
        assert_eq!(key(&spec("two", 2, 4_096, 4)), one);
        assert_ne!(key(&spec("one", 1, 8, 4)), one);
        assert_ne!(key(&spec("one", 1, 64, 5)), one);
    }

    #[test]
    fn only_the_farm_knows_which_pixels_are_probed() {
        let draw = |secret, key| {
            Assays::new(&SigningKey::from_bytes(&[secret; 32])).draw(&Digest([key; 32]))
        };
        assert_eq!(draw(1, 5), draw(1, 5), "a job has one price");
        assert_ne!(draw(1, 5), draw(2, 5), "another farm, other pixels");
        assert_ne!(draw(1, 5), draw(1, 6), "another job, other pixels");
    }

    #[test]
    fn the_largest_frame_counts_and_its_package_twice() {
        let assays = Assays::new(&SigningKey::from_bytes(&[1; 32]));
        let frame = assays.reference().expect("prepares");
        let of = |package_bytes| {
            let mut memory = Memory { package_bytes, ..Memory::default() };
            memory.see(&frame);
            memory
        };
        let (none, large) = (of(0), of(1_500_000_000));
        assert_eq!(none.gpu_bytes, frame.gpu_bytes());
        assert!(none.cpu_bytes >= frame.cpu_bytes());
        // Two thirds of it twice.
        let beside = large.cpu_bytes - 2_000_000_000;
        assert!((beside / 2 * 3).abs_diff(frame.preparing_bytes(0)) < 10, "{beside}");
        assert_eq!(of(0).footprint(), none.footprint(), "whatever the clock says");
        let mut both = large;
        both.package_bytes = 0;
        both.see(&frame);
        assert_eq!(both.footprint(), large.footprint());
        assert!(large.footprint().cpu_bytes >= large.cpu_bytes);
    }

    #[test]
    fn the_reference_weighs_what_it_weighs() {
        let assays = Assays::new(&SigningKey::from_bytes(&[1; 32]));
        let reference = assays.reference().expect("prepares");
        let mut clock = Clock::new(0);
        clock.time(&mut lock(&assays.backend), &reference, &reference).expect("renders");
        assert_eq!(clock.scene.rays, clock.reference.rays);
        assert!(clock.scene.rays.closest > 10_000, "{:?}", clock.scene);
    }
}
