//! What stands on the render thread: the backend and the scenes it has prepared.

use bytes::Bytes;
use film::{Film, Sums};
use protocol::{Batch, Rect, RenderSettings, SceneId, Size, Spots, encode};
use renderer::{Backend, Cancel, PrepareError, RenderError, RenderScene, Work};
use scene::{Scene, UnpackError};

use crate::backend::OpenBackendError;
use crate::cheat::Fraud;

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
    Reopen(#[source] OpenBackendError),
    /// A bug in the renderer, met on this scene.
    #[error("the renderer failed: {0}")]
    Panicked(String),
    /// The render thread has ended.
    #[error("the render thread has ended")]
    Ended,
}

/// A frame to render something of.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) scene: SceneId,
    pub(crate) settings: RenderSettings,
    pub(crate) time_s: f32,
}

/// A film to render.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) frame: Frame,
    pub(crate) work: Work,
}

/// Opens the backend anew, after a lost device.
pub(crate) type Opener = Box<dyn Fn() -> Result<Box<dyn Backend>, OpenBackendError> + Send>;

/// The backend and what it has at hand. One thread owns it.
pub(crate) struct Easel {
    open: Opener,
    backend: Box<dyn Backend>,
    fraud: Option<Fraud>,
    /// The scene of the last `prepare`: the next frame of an animation needs it again.
    unpacked: Option<(SceneId, Scene)>,
    prepared: Prepared,
}

impl Easel {
    pub(crate) fn new(
        open: Opener,
        memory_bytes: u64,
        fraud: Option<Fraud>,
    ) -> Result<Self, OpenBackendError> {
        let backend = open()?;
        let prepared = Prepared { limit_bytes: memory_bytes, scenes: Vec::new() };
        Ok(Self { open, backend, fraud, unpacked: None, prepared })
    }

    pub(crate) fn description(&self) -> String {
        self.backend.description()
    }

    /// Whether a frame can be rendered without the scene's package.
    pub(crate) fn holds(&self, frame: &Frame) -> bool {
        let key = Key::new(frame.scene, &frame.settings, frame.time_s);
        let unpacked = self.unpacked.as_ref().is_some_and(|(id, _)| *id == frame.scene);
        unpacked || self.prepared.scenes.iter().any(|(held, _)| *held == key)
    }

    /// Renders what a lease asks for; `None` when the package is needed for it.
    pub(crate) fn film(
        &mut self,
        order: &Order,
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Film>, RenderFault> {
        let shown = match &self.fraud {
            Some(fraud) => fraud.instead(order),
            None => order.clone(),
        };
        if !self.prepare(&shown.frame, package)? {
            return Ok(None);
        }
        let film = self.render(shown.work, cancel)?;
        Ok(Some(match &mut self.fraud {
            Some(fraud) => fraud.dressed(film, order, &shown),
            None => film,
        }))
    }

    /// Renders the pixels that a verification lease asks for, film by film; `None` when the package is
    /// needed for it.
    pub(crate) fn spots(
        &mut self,
        frame: &Frame,
        spots: &[Spots],
        package: Option<&Bytes>,
    ) -> Result<Option<Vec<Sums>>, RenderFault> {
        if !self.prepare(frame, package)? {
            return Ok(None);
        }
        let sums = spots.iter().map(|spots| {
            let told = self.fraud.as_mut().and_then(|fraud| fraud.found(frame, spots));
            told.map_or_else(|| self.render_spots(spots), Ok)
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
        match (self.open)() {
            Ok(backend) => self.backend = backend,
            Err(error) => tracing::error!(%error, "the backend does not open again"),
        }
    }

    /// Brings the frame's scene to the front; false when its package is needed.
    fn prepare(&mut self, frame: &Frame, package: Option<&Bytes>) -> Result<bool, RenderFault> {
        let key = Key::new(frame.scene, &frame.settings, frame.time_s);
        if self.prepared.bring(&key) {
            return Ok(true);
        }
        let at_hand = self.unpacked.as_ref().is_some_and(|(id, _)| *id == frame.scene);
        if !at_hand {
            let Some(package) = package else {
                return Ok(false);
            };
            self.unpacked = None;
            let scene = scene::unpack(package).map_err(RenderFault::Unpack)?;
            self.unpacked = Some((frame.scene, scene));
        }
        let (_id, scene) = self.unpacked.as_ref().expect("invariant: it was just put there");
        self.prepared.put(key, scene, &frame.settings, frame.time_s)?;
        Ok(true)
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

    fn render_spots(&mut self, Spots { batch, places }: &Spots) -> Result<Sums, RenderFault> {
        let cancel = Cancel::default();
        self.with_backend(|backend, scene| backend.render_pixels(scene, places, *batch, &cancel))
    }

    /// Renders with the scene in front; a lost device is opened anew, once.
    fn with_backend<T>(
        &mut self,
        render: impl Fn(&mut dyn Backend, &RenderScene) -> Result<T, RenderError>,
    ) -> Result<T, RenderFault> {
        let scene = self.prepared.front();
        match render(&mut *self.backend, scene) {
            Err(RenderError::DeviceLost(reason)) => {
                tracing::warn!(%reason, "the device was lost; opening it again");
                self.backend = (self.open)().map_err(RenderFault::Reopen)?;
                Ok(render(&mut *self.backend, scene)?)
            }
            rendered => Ok(rendered?),
        }
    }
}

/// What decides a prepared scene.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    scene: SceneId,
    settings: Vec<u8>,
    time_bits: u32,
}

impl Key {
    fn new(scene: SceneId, settings: &RenderSettings, time_s: f32) -> Self {
        Self { scene, settings: encode(settings), time_bits: time_s.to_bits() }
    }
}

/// Prepared scenes within a limit of bytes, the last used one in front.
struct Prepared {
    limit_bytes: u64,
    scenes: Vec<(Key, RenderScene)>,
}

impl Prepared {
    fn bring(&mut self, key: &Key) -> bool {
        let place = self.scenes.iter().position(|(held, _)| held == key);
        if let Some(place) = place {
            self.scenes[..=place].rotate_right(1);
        }
        place.is_some()
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
        let total = |scenes: &[(Key, RenderScene)]| -> u64 {
            scenes.iter().map(|(_, scene)| scene.byte_size()).sum()
        };
        while self.scenes.len() > 1 && total(&self.scenes) > self.limit_bytes {
            self.scenes.pop();
        }
        Ok(())
    }

    fn front(&self) -> &RenderScene {
        let (_key, scene) = self.scenes.first().expect("invariant: prepared before rendered");
        scene
    }
}
