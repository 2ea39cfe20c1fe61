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

/// What a probe looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Draw {
    pixels: u32,
    /// A number for each frame.
    frames: [u32; 3],
}

impl Draw {
    /// Which of a job's frames, in their order: one of each third, as far as it has any.
    fn frames_of(&self, count: usize) -> Vec<usize> {
        let parts = self.frames.len();
        let of_part = |(part, drawn): (usize, u32)| {
            let (first, end) = (part * count / parts, (part + 1) * count / parts);
            (end > first).then(|| first + drawn as usize % (end - first))
        };
        self.frames.into_iter().enumerate().filter_map(of_part).collect()
    }
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

    /// Probes a frame of each third through every camera, takes the dearest frame of each, and the mean
    /// over the cameras: all have the same number of frames. Blocks.
    pub(super) fn assay(&self, frames: &Frames, spec: &JobSpec) -> Result<Probe, AssayError> {
        let key = key(spec);
        let kept = |list: &[(Digest, Probe)]| {
            list.iter().find(|(other, _)| *other == key).map(|(_, probe)| *probe)
        };
        if let Some(probe) = kept(&lock(&self.kept)) {
            return Ok(probe);
        }
        let probe = self.probe(frames, spec, &self.draw(&key))?;
        let mut list = lock(&self.kept);
        list.insert(0, (key, probe));
        list.truncate(KEPT_MAX);
        Ok(probe)
    }

    /// What picks the probed pixels and frames: nobody else can know which.
    fn draw(&self, key: &Digest) -> Draw {
        let hash = blake3::keyed_hash(&self.secret, &key.0);
        let (words, _none_left) = hash.as_bytes().as_chunks();
        let word = |at: usize| u32::from_le_bytes(words[at]);
        Draw { pixels: word(0), frames: [1, 2, 3].map(word) }
    }

    fn probe(&self, frames: &Frames, spec: &JobSpec, draw: &Draw) -> Result<Probe, AssayError> {
        let mut backend = lock(&self.backend);
        let all: Vec<u32> = spec.frames.frames().collect();
        let looked = draw.frames_of(all.len());
        let reference = self.reference()?;
        let mut clock = Clock::new(draw.pixels);
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
    fn a_frame_of_each_third_is_probed() {
        let draw = Draw { pixels: 0, frames: [7, 0, u32::MAX] };
        assert_eq!(draw.frames_of(1), [0]);
        assert_eq!(draw.frames_of(2), [0, 1]);
        assert_eq!(draw.frames_of(3), [0, 1, 2]);
        let looked = draw.frames_of(300);
        assert_eq!(looked[..2], [7, 100]);
        assert!((200..300).contains(&looked[2]));
    }

    #[test]
    fn only_the_farm_knows_what_is_probed() {
        let draw = |secret, key| {
            Assays::new(&SigningKey::from_bytes(&[secret; 32])).draw(&Digest([key; 32]))
        };
        assert_eq!(draw(1, 5), draw(1, 5), "a job has one price");
        assert_ne!(draw(1, 5), draw(2, 5), "another farm, other pixels and frames");
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
