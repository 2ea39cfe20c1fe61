//! What a job's rays are: counted on a few pixels, and timed beside those of a reference scene.
//!
//! Which pixels these are is drawn from the scheduler's secret and from what decides the rays, so that
//! nobody can make just these cheap, and the same job has the same price whatever its seed.
//!
//! Time is the CPU time of the process that renders them, on one thread, so that other programs of the
//! machine hardly show.
//!
//! What its frames take of a node's memory is told by the same ones; see [`Memory`].
//!
//! The result of a job is kept, so that asking twice gives the same price and what-ifs cost nothing:
//! else an artist would ask until the clock was kind.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::settings::CHUNK_SAMPLES;
use protocol::{Digest, Footprint, JobSpec, RenderSettings, SigningKey, ViewIndex};
use sandbox::{Frame, Probed, Probing};

use super::hands::{Cause, HandError, Hands};
use crate::market::weight::{Timed, weight_percent};
use crate::quote::{Probe, SampleCost};

/// Results kept.
const KEPT_MAX: usize = 256;
/// No shot is timed again after this long: long times need it least.
const ROUNDS_TIME_MAX: Duration = Duration::from_secs(2);

/// Probes and what they found.
pub(super) struct Assays {
    /// Others than those that judge: nobody's probe holds a check up, or costs its scene a life.
    hands: Hands,
    kept: Mutex<Vec<(Digest, Probe)>>,
    secret: [u8; 32],
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

impl Assays {
    pub(super) fn new(key: &SigningKey, hands: Hands) -> Self {
        let secret = blake3::derive_key("tessera 2026 probe pixels v1", &key.to_bytes());
        Self { hands, kept: Mutex::default(), secret }
    }

    /// Probes a frame of each third through every camera, takes the dearest frame of each, and the mean
    /// over the cameras: all have the same number of frames. Blocks.
    pub(super) fn assay(&self, spec: &JobSpec) -> Result<Probe, HandError> {
        let key = key(spec);
        let kept = |list: &[(Digest, Probe)]| {
            list.iter().find(|(other, _)| *other == key).map(|(_, probe)| *probe)
        };
        if let Some(probe) = kept(&lock(&self.kept)) {
            return Ok(probe);
        }
        let draw = draw(&self.secret, &key);
        let probe = match probe(&self.hands, spec, &draw) {
            Err(error) if error.cause() == Cause::Passing => {
                self.hands.make_room(spec.scene);
                probe(&self.hands, spec, &draw)?
            }
            other => other?,
        };
        let mut list = lock(&self.kept);
        // Who asked twice at once has one price.
        if let Some(first) = kept(&list) {
            return Ok(first);
        }
        list.insert(0, (key, probe));
        list.truncate(KEPT_MAX);
        Ok(probe)
    }
}

/// What picks the probed pixels and frames: nobody else can know which.
fn draw(secret: &[u8; 32], key: &Digest) -> Draw {
    let hash = blake3::keyed_hash(secret, &key.0);
    let (words, _none_left) = hash.as_bytes().as_chunks();
    let word = |at: usize| u32::from_le_bytes(words[at]);
    Draw { pixels: word(0), frames: [1, 2, 3].map(word) }
}

fn probe(hands: &Hands, spec: &JobSpec, draw: &Draw) -> Result<Probe, HandError> {
    let all: Vec<u32> = spec.frames.frames().collect();
    let looked = draw.frames_of(all.len());
    let begun = Instant::now();
    let views = spec.view_count();
    let (mut bound, mut mean) = (SampleCost::ZERO, SampleCost::ZERO);
    let (mut scene, mut reference) = (Timed::default(), Timed::default());
    let (mut shots, mut pixels, mut memory) = (0, 0, Memory::default());
    for settings in (0..views).filter_map(|view| spec.settings_of(ViewIndex(view))) {
        let (mut dear_bound, mut dear_mean) = (SampleCost::ZERO, SampleCost::ZERO);
        for &index in &looked {
            let time_s = spec.frames.time_s(all[index]);
            let frame = Frame { scene: spec.scene, settings: settings.clone(), time_s };
            let again_for = ROUNDS_TIME_MAX.saturating_sub(begun.elapsed());
            let probed = hands.probe(Probing { frame, draw: draw.pixels, again_for })?;
            memory.see(&probed);
            scene.rays += probed.rays;
            scene.took += probed.took;
            reference.rays += probed.reference_rays;
            reference.took += probed.reference_took;
            dear_bound.raise(probed.closest_bound, probed.shadow_bound);
            dear_mean.raise(probed.closest_mean, probed.shadow_mean);
            shots += 1;
            pixels = probed.pixels;
        }
        bound.add(dear_bound, f64::from(views));
        mean.add(dear_mean, f64::from(views));
    }
    let weight_percent = weight_percent(scene, reference);
    tracing::debug!(
        scene = %spec.scene,
        weight_percent,
        scene_ms = scene.took.as_secs_f64() * 1e3,
        reference_ms = reference.took.as_secs_f64() * 1e3,
        "probed"
    );
    Ok(Probe { bound, mean, shots, pixels, weight_percent, memory: memory.footprint() })
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
    cpu_bytes: u64,
    gpu_bytes: u64,
}

impl Memory {
    fn see(&mut self, probed: &Probed) {
        let preparing = probed.preparing_bytes.div_ceil(3).saturating_mul(2);
        self.cpu_bytes = self.cpu_bytes.max(probed.cpu_bytes).max(preparing);
        self.gpu_bytes = self.gpu_bytes.max(probed.gpu_bytes);
    }

    const fn footprint(self) -> Footprint {
        Footprint::in_steps(self.cpu_bytes, self.gpu_bytes)
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
        let draw = |secret, key| draw(&[secret; 32], &Digest([key; 32]));
        assert_eq!(draw(1, 5), draw(1, 5), "a job has one price");
        assert_ne!(draw(1, 5), draw(2, 5), "another farm, other pixels and frames");
        assert_ne!(draw(1, 5), draw(1, 6), "another job, other pixels");
    }

    #[test]
    fn the_largest_frame_counts_and_two_thirds_of_what_it_takes_to_make_it_ready() {
        let probed = |cpu_bytes, gpu_bytes, preparing_bytes| Probed {
            pixels: 1,
            rays: protocol::RayCount::default(),
            took: Duration::ZERO,
            reference_rays: protocol::RayCount::default(),
            reference_took: Duration::ZERO,
            closest_mean: 0.0,
            shadow_mean: 0.0,
            closest_bound: 0.0,
            shadow_bound: 0.0,
            cpu_bytes,
            gpu_bytes,
            preparing_bytes,
        };
        let mut memory = Memory::default();
        memory.see(&probed(5_000, 7_000, 6_000));
        assert_eq!((memory.cpu_bytes, memory.gpu_bytes), (5_000, 7_000));
        memory.see(&probed(4_000, 8_000, 9_000));
        assert_eq!((memory.cpu_bytes, memory.gpu_bytes), (6_000, 8_000));
        let footprint = memory.footprint();
        assert!(footprint.cpu_bytes >= 6_000 && footprint.gpu_bytes >= 8_000);
    }
}
