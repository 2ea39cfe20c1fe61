//! A backend and the scenes it has prepared.

mod preview;
mod probe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use film::{Film, Sums};
use protocol::settings::CHUNK_SAMPLES;
use protocol::{Batch, Rect, RenderSettings, SceneId, Size, Spots, encode};
use renderer::{Backend, Cancel, PrepareError, RenderError, RenderScene, Work};
use scene::{Scene, UnpackError};
use serde::{Deserialize, Serialize};

use crate::hand::{Open, OpenError};
use crate::process::WorkerError;
use crate::wire::Setup;
use preview::Preview;
pub(crate) use preview::{SEEN_PIXEL_BYTES, SIGHT_PIXELS_MAX};
pub use preview::{Seen, Sight};
use probe::Measure;
pub(crate) use probe::PROBE_SAMPLES_MAX;
pub use probe::{Probed, Probing};

/// Samples of the first step of a film; how many later ones have is measured.
const STEP_SAMPLES: u64 = 1 << 20;
/// Most samples of a step, so that there is progress to tell of.
const STEP_SAMPLES_MAX: u64 = 1 << 26;
/// A step that took less is followed by one of twice the samples.
const STEP_SHORT: Duration = Duration::from_millis(400);
/// And one that took more by one of half of them.
const STEP_LONG: Duration = Duration::from_secs(2);

/// Making a scene ready may take so many times its package, with what stays of it.
const READY_FACTOR: u64 = 6;

/// Why a film was not rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderFault {
    /// The package is damaged or hostile.
    #[error("the scene's package cannot be read")]
    Unpack(#[source] UnpackError),
    /// The scene cannot be prepared with these settings.
    #[error("the scene cannot be prepared")]
    Prepare(#[source] PrepareError),
    /// The backend failed or was stopped.
    #[error("the backend did not render")]
    Render(#[from] RenderError),
    /// The device was lost and does not open again.
    #[error("the device was lost and does not open again")]
    Reopen(#[source] OpenError),
    /// A bug in the renderer, met on this scene.
    #[error("the renderer failed: {0}")]
    Panicked(String),
    /// The render thread has ended.
    #[error("the render thread has ended")]
    Ended,
    /// The worker process was lost over it.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// No worker process is to be had.
    #[error("no worker process is to be had")]
    Unopened(#[source] WorkerError),
    /// What the worker process says why it did not render.
    #[error("{0}")]
    Apart(String),
    /// What it says why the scene does not fit.
    #[error("{0}")]
    TooLarge(String),
    /// A view that is larger than anybody looks at.
    #[error(
        "a view of {size} is too large to look at; choose a size of at most {SIGHT_PIXELS_MAX} pixels"
    )]
    View {
        /// Its size.
        size: Size,
    },
    /// A scene that nobody wants to touch again.
    #[error("this scene has ended {ended} worker processes here and is let alone for ten minutes")]
    Feared {
        /// Processes that it has ended.
        ended: u32,
    },
}

impl RenderFault {
    /// Whether the scene does not fit into the memory that there is for it, the device's or the
    /// worker's.
    #[must_use]
    pub const fn is_too_large(&self) -> bool {
        match self {
            Self::Render(error) => error.is_too_small(),
            Self::TooLarge(_) | Self::Worker(WorkerError::Memory { .. }) => true,
            _other => false,
        }
    }

    /// Whether there is nothing left to render with.
    #[must_use]
    pub const fn is_of_backend(&self) -> bool {
        matches!(
            self,
            Self::Reopen(_)
                | Self::Ended
                | Self::Unopened(_)
                | Self::Worker(WorkerError::NoBackend(_))
        )
    }
}

/// A frame to render something of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frame {
    /// Whose package it is prepared from.
    pub scene: SceneId,
    /// How it is rendered.
    pub settings: RenderSettings,
    /// Its time, seconds.
    pub time_s: f32,
}

/// A film to render.
#[derive(Debug, Clone)]
pub struct Order {
    /// Of what.
    pub frame: Frame,
    /// Which pixels and samples.
    pub work: Work,
}

/// How the backend is opened, and anew after a lost device.
#[derive(Debug)]
struct Opener {
    setup: Setup,
    open: Open,
}

impl Opener {
    fn open(&self) -> Result<Box<dyn Backend>, OpenError> {
        (self.open)(&self.setup)
    }
}

/// The backend and what it has at hand. One thread owns it.
pub struct Easel {
    opener: Opener,
    backend: Box<dyn Backend>,
    /// Samples of the next step of a film.
    step_samples: u64,
    /// The scene of the last `prepare`, and its package's bytes: the next frame of an animation needs it
    /// again.
    unpacked: Option<(SceneId, Arc<Scene>, u64)>,
    prepared: Prepared,
    preview: Option<Preview>,
    measure: Option<Measure>,
}

impl std::fmt::Debug for Easel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Easel").field("opener", &self.opener).finish_non_exhaustive()
    }
}

impl Easel {
    pub(crate) fn new(setup: Setup, open: Open) -> Result<Self, OpenError> {
        let prepared = Prepared { limit_bytes: setup.memory_bytes, scenes: Vec::new() };
        let opener = Opener { setup, open };
        Ok(Self {
            backend: opener.open()?,
            opener,
            step_samples: STEP_SAMPLES,
            unpacked: None,
            prepared,
            preview: None,
            measure: None,
        })
    }

    pub(crate) fn description(&self) -> String {
        self.backend.description()
    }

    pub(crate) fn is_on_gpu(&self) -> bool {
        !self.description().starts_with("cpu")
    }

    /// Whether a frame can be rendered without the scene's package.
    pub(crate) fn holds(&self, frame: &Frame) -> bool {
        let key = Key::new(frame.scene, &frame.settings, frame.time_s);
        let unpacked = self.unpacked.as_ref().is_some_and(|(id, ..)| *id == frame.scene);
        unpacked || self.prepared.scenes.iter().any(|(held, _)| held.is_like(&key))
    }

    /// Renders what is ordered; `None` when the package is needed for it. `progress` is called
    /// after every part of the work.
    pub(crate) fn film(
        &mut self,
        order: &Order,
        package: Option<&Bytes>,
        cancel: &Cancel,
        progress: &mut dyn FnMut(),
    ) -> Result<Option<Film>, RenderFault> {
        if !self.prepare(&order.frame, package, progress)? {
            return Ok(None);
        }
        self.render_in_steps(order.work, cancel, progress).map(Some)
    }

    /// Renders the pixels that a verification lease asks for, film by film; `None` when the package is
    /// needed for it.
    pub(crate) fn spots(
        &mut self,
        frame: &Frame,
        spots: &[Spots],
        package: Option<&Bytes>,
        cancel: &Cancel,
        progress: &mut dyn FnMut(),
    ) -> Result<Option<Vec<Sums>>, RenderFault> {
        if !self.prepare(frame, package, progress)? {
            return Ok(None);
        }
        let sums = spots.iter().map(|spots| {
            let sums = self.render_spots(spots, cancel)?;
            progress();
            Ok(sums)
        });
        sums.collect::<Result<_, _>>().map(Some)
    }

    /// Renders a whole frame of the built-in scene, honestly.
    pub(crate) fn golden(
        &mut self,
        settings: &RenderSettings,
        batch: Batch,
    ) -> Result<Film, RenderFault> {
        let work = Work { rect: Rect::of_size(settings.size), batch };
        self.prepare_golden(settings)?;
        self.render(work, &Cancel::default())
    }

    /// Metered rays a second on the built-in scene.
    pub(crate) fn benchmark(&mut self) -> Result<u64, RenderFault> {
        // About a million rays: half a second on one core.
        let settings =
            RenderSettings { size: Size::new(128, 72), samples: 16, ..RenderSettings::default() };
        let batch = Batch::new(0, 1).expect("invariant: one chunk is a batch");
        self.prepare_golden(&settings)?;
        // The first dispatch compiles and wakes the device.
        let corner = Rect { x0: 0, y0: 0, x1: 16, y1: 16 };
        self.render(Work { rect: corner, batch }, &Cancel::default())?;
        let begin = std::time::Instant::now();
        let work = Work { rect: Rect::of_size(settings.size), batch };
        let film = self.render(work, &Cancel::default())?;
        let seconds = begin.elapsed().as_secs_f64().max(1e-6);
        Ok((film.rays().metered_centirays() as f64 / 100.0 / seconds) as u64)
    }

    /// After a panic nothing of the backend's state is trusted.
    pub(crate) fn recover(&mut self) {
        self.prepared.scenes.clear();
        self.unpacked = None;
        self.preview = None;
        self.measure = None;
        match self.opener.open() {
            Ok(backend) => self.backend = backend,
            Err(error) => tracing::error!(%error, "the backend does not open again"),
        }
    }

    /// Brings the frame's scene to the front; false when its package is needed.
    fn prepare(
        &mut self,
        frame: &Frame,
        package: Option<&Bytes>,
        progress: &mut dyn FnMut(),
    ) -> Result<bool, RenderFault> {
        let key = Key::new(frame.scene, &frame.settings, frame.time_s);
        if self.prepared.bring(&key) {
            return Ok(true);
        }
        let at_hand = self.unpacked.as_ref().is_some_and(|(id, ..)| *id == frame.scene);
        if !at_hand {
            let Some(package) = package else {
                return Ok(false);
            };
            self.unpacked = None;
            self.make_room(package.len() as u64);
            let scene = scene::unpack_as(frame.scene, package).map_err(RenderFault::Unpack)?;
            self.unpacked = Some((frame.scene, Arc::new(scene), package.len() as u64));
            progress();
        }
        let unpacked = self.unpacked.as_ref().expect("invariant: it was just put there");
        let (scene, package_bytes) = (unpacked.1.clone(), unpacked.2);
        self.make_room(package_bytes);
        self.prepared.put(key, &scene, &frame.settings, frame.time_s)?;
        progress();
        Ok(true)
    }

    /// Lets go of what would be in the way of a film's scene with such a package: the preview first.
    fn make_room(&mut self, package_bytes: u64) {
        let shown = self.preview.as_ref().map_or(0, Preview::bytes);
        let wanted = package_bytes.saturating_mul(READY_FACTOR);
        let all = [self.prepared.bytes(), shown, wanted].into_iter().fold(0, u64::saturating_add);
        if all > self.prepared.limit_bytes {
            self.preview = None;
        }
        self.prepared.make_room(package_bytes);
    }

    fn prepare_golden(&mut self, settings: &RenderSettings) -> Result<(), RenderFault> {
        // No package hashes to zeros.
        let key = Key::new(SceneId([0; 32]), settings, 0.0);
        if !self.prepared.bring(&key) {
            self.prepared.put(key, &scene::golden(), settings, 0.0)?;
        }
        Ok(())
    }

    fn render(&mut self, work: Work, cancel: &Cancel) -> Result<Film, RenderFault> {
        self.with_backend(|backend, scene| backend.render(scene, work, cancel))
    }

    /// The same in steps of some time each: halves of the batch, and halves of these, which are
    /// added up as any others are.
    fn render_in_steps(
        &mut self,
        work: Work,
        cancel: &Cancel,
        progress: &mut dyn FnMut(),
    ) -> Result<Film, RenderFault> {
        let chunks = u64::from(work.batch.chunk_count());
        let samples = work.rect.pixel_count() * chunks * u64::from(CHUNK_SAMPLES);
        let chunk_count = self.prepared.front().settings().chunk_count();
        if let Some((low, high)) = halves(work.batch)
            && samples > self.step_samples
            && high.first_chunk() < chunk_count
        {
            let low = self.render_in_steps(Work { batch: low, ..work }, cancel, progress)?;
            let high = self.render_in_steps(Work { batch: high, ..work }, cancel, progress)?;
            return Ok(low.merge(&high).expect("invariant: both halves of one batch"));
        }
        let begin = Instant::now();
        let film = self.render(work, cancel)?;
        match begin.elapsed() {
            short if short < STEP_SHORT => {
                let twice = (samples * 2).min(STEP_SAMPLES_MAX);
                self.step_samples = self.step_samples.max(twice);
            }
            long if long > STEP_LONG => self.step_samples = samples.div_ceil(2),
            _well => {}
        }
        progress();
        Ok(film)
    }

    fn render_spots(&mut self, spots: &Spots, cancel: &Cancel) -> Result<Sums, RenderFault> {
        let Spots { batch, places } = spots;
        self.with_backend(|backend, scene| backend.render_pixels(scene, places, *batch, cancel))
    }

    /// Renders with the scene in front.
    fn with_backend<T>(
        &mut self,
        render: impl Fn(&mut dyn Backend, &RenderScene) -> Result<T, RenderError>,
    ) -> Result<T, RenderFault> {
        let scene = self.prepared.front();
        render_with(&self.opener, &mut self.backend, |backend| render(backend, scene))
    }
}

/// Renders; a lost device is opened anew, once.
fn render_with<T>(
    opener: &Opener,
    backend: &mut Box<dyn Backend>,
    render: impl Fn(&mut dyn Backend) -> Result<T, RenderError>,
) -> Result<T, RenderFault> {
    match render(&mut **backend) {
        Err(RenderError::DeviceLost(reason)) => {
            tracing::warn!(%reason, "the device was lost; opening it again");
            *backend = opener.open().map_err(RenderFault::Reopen)?;
            Ok(render(&mut **backend)?)
        }
        rendered => Ok(rendered?),
    }
}

/// The halves of a batch of several chunks.
fn halves(batch: Batch) -> Option<(Batch, Batch)> {
    let (first, half) = (batch.first_chunk(), batch.chunk_count() / 2);
    Some((Batch::new(first, half)?, Batch::new(first + half, half)?))
}

/// What decides a prepared scene.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    scene: SceneId,
    /// Those without the seed.
    settings: Vec<u8>,
    time_bits: u32,
    seed: u32,
}

impl Key {
    fn new(scene: SceneId, settings: &RenderSettings, time_s: f32) -> Self {
        let seed = settings.seed;
        let settings = encode(&RenderSettings { seed: 0, ..settings.clone() });
        Self { scene, settings, time_bits: time_s.to_bits(), seed }
    }

    /// Whether they differ in random numbers at most.
    fn is_like(&self, other: &Self) -> bool {
        Self { seed: other.seed, ..self.clone() } == *other
    }
}

/// Prepared scenes within a limit of bytes, the last used one in front.
struct Prepared {
    limit_bytes: u64,
    scenes: Vec<(Key, RenderScene)>,
}

impl Prepared {
    /// Brings a scene to the front; one that differs in its seed alone is given the other.
    fn bring(&mut self, key: &Key) -> bool {
        let same = self.scenes.iter().position(|(held, _)| held == key);
        let Some(place) = same.or_else(|| self.scenes.iter().position(|(it, _)| it.is_like(key)))
        else {
            return false;
        };
        let (held, scene) = self.scenes.remove(place);
        let scene = match held.seed == key.seed {
            true => scene,
            false => scene.with_seed(key.seed, f32::from_bits(key.time_bits)),
        };
        self.scenes.insert(0, (key.clone(), scene));
        true
    }

    fn put(
        &mut self,
        key: Key,
        scene: &Scene,
        settings: &RenderSettings,
        time_s: f32,
    ) -> Result<(), RenderFault> {
        let prepared = renderer::prepare(scene, settings, time_s).map_err(RenderFault::Prepare)?;
        self.scenes.insert(0, (key, prepared));
        while self.scenes.len() > 1 && self.bytes() > self.limit_bytes {
            self.scenes.pop();
        }
        Ok(())
    }

    /// Lets go of what would be in the way of a scene with such a package: beside others, one that fits
    /// alone could end the worker.
    fn make_room(&mut self, package_bytes: u64) {
        let wanted = package_bytes.saturating_mul(READY_FACTOR);
        while !self.scenes.is_empty() && self.bytes().saturating_add(wanted) > self.limit_bytes {
            self.scenes.pop();
        }
    }

    fn bytes(&self) -> u64 {
        self.scenes.iter().map(|(_, scene)| scene.cpu_bytes()).sum()
    }

    fn front(&self) -> &RenderScene {
        let (_key, scene) = self.scenes.first().expect("invariant: prepared before rendered");
        scene
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hand::open_cpu;

    pub(crate) fn easel() -> Easel {
        Easel::new(Setup { memory_bytes: 1 << 30, ..Setup::default() }, open_cpu).expect("it opens")
    }

    pub(crate) fn golden() -> (SceneId, Bytes) {
        let package = scene::pack(&scene::golden());
        (package.id(), package.into_bytes())
    }

    #[test]
    fn a_frame_of_another_seed_is_not_prepared_anew_and_has_its_bits() {
        let (id, package) = golden();
        let frame = |seed| {
            let size = Size::new(16, 12);
            let settings = RenderSettings { size, samples: 16, seed, ..RenderSettings::default() };
            Frame { scene: id, settings, time_s: 0.5 }
        };
        let batch = Batch::new(0, 1).expect("aligned");
        let mut easel = easel();
        let mut film = |seed, package: Option<&Bytes>| {
            let frame = frame(seed);
            let work = Work { rect: Rect::of_size(frame.settings.size), batch };
            let film = easel.film(&Order { frame, work }, package, &Cancel::default(), &mut || ());
            // So that nothing could be prepared.
            easel.unpacked = None;
            film.expect("it renders").map(|film| film.root())
        };
        let first = film(1, Some(&package)).expect("a film");
        let second = film(2, None).expect("made of the first");
        assert_eq!(film(1, None), Some(first), "and back");
        let alone = || self::easel();
        let mut other = alone();
        let frame = frame(2);
        let work = Work { rect: Rect::of_size(frame.settings.size), batch };
        let order = Order { frame, work };
        let film = other.film(&order, Some(&package), &Cancel::default(), &mut || ());
        assert_eq!(film.expect("it renders").map(|film| film.root()), Some(second));
        assert_ne!(first, second);
    }

    #[test]
    fn a_film_in_steps_has_the_same_bits() {
        let settings =
            RenderSettings { size: Size::new(32, 24), samples: 128, ..RenderSettings::default() };
        let mut easel = easel();
        let batch = Batch::new(0, 8).expect("aligned");
        let work = Work { rect: Rect::of_size(settings.size), batch };
        easel.prepare_golden(&settings).expect("prepared");
        let whole = easel.render(work, &Cancel::default()).expect("rendered");
        for (step_samples, steps) in [(u64::MAX, 1), (40_000, 4), (1, 8)] {
            easel.step_samples = step_samples;
            let mut told = 0;
            let film = easel.render_in_steps(work, &Cancel::default(), &mut || told += 1);
            assert_eq!(film.expect("rendered").root(), whole.root());
            assert!(told <= steps, "steps grow where they are short: {told} of {steps}");
        }
    }

    #[test]
    fn others_make_room_for_a_scene_before_it_is_made_ready() {
        let settings = RenderSettings { size: Size::new(16, 16), ..RenderSettings::default() };
        let scene = scene::golden();
        let mut prepared = Prepared { limit_bytes: u64::MAX, scenes: Vec::new() };
        for time_s in [0.0, 1.0] {
            let key = Key::new(SceneId([0; 32]), &settings, time_s);
            prepared.put(key, &scene, &settings, time_s).expect("prepared");
        }
        let both = prepared.bytes();
        prepared.limit_bytes = both + 600;
        prepared.make_room(100);
        assert_eq!(prepared.scenes.len(), 2);
        prepared.make_room(101);
        assert_eq!(prepared.scenes.len(), 1, "the one used longest ago goes");
        prepared.make_room(both);
        assert!(prepared.scenes.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_told_from_what_fails() {
        let too_large = [
            RenderError::OutOfMemory { needed_bytes: 2, limit_bytes: 1 }.into(),
            RenderError::DeviceFull { scene_bytes: 2 }.into(),
            WorkerError::Memory { limit_mib: 1 }.into(),
            RenderFault::TooLarge("as the worker says".to_owned()),
        ];
        assert!(too_large.iter().all(RenderFault::is_too_large));
        let others = [
            RenderError::Cancelled.into(),
            WorkerError::Stopped.into(),
            RenderFault::Apart("as the worker says".to_owned()),
            RenderFault::Feared { ended: 2 },
        ];
        assert!(!others.iter().any(RenderFault::is_too_large));
    }

    #[test]
    fn a_batch_has_halves_down_to_a_chunk() {
        let batch = |first, count| Batch::new(first, count).expect("aligned");
        assert_eq!(halves(batch(8, 4)), Some((batch(8, 2), batch(10, 2))));
        assert_eq!(halves(batch(9, 1)), None);
    }
}
