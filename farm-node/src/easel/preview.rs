//! The preview: one scene that an artist turns about, and one film, of the view at present.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use film::{Merged, half_means};
use protocol::settings::CHUNK_SAMPLES;
use protocol::{Batch, RenderSettings, SceneId, Size};
use renderer::{Cancel, Effort, RenderError, RenderScene, Work};
use scene::Scene;
use serde::{Deserialize, Serialize};

use super::{Easel, Frame, Key, RenderFault, render_with};

/// Most pixels of a view: what 4K has. Larger than a screen, nobody looks at it.
pub(crate) const SIGHT_PIXELS_MAX: u64 = 1 << 23;
/// Bytes of a pixel that is seen: four 16-bit floats.
pub(crate) const SEEN_PIXEL_BYTES: usize = 8;

/// What somebody wants to look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sight {
    /// The view. One that differs in anything begins with no samples; the same one goes on with
    /// those that it has.
    pub frame: Frame,
    /// Chunks of 16 samples to add to what is there, at most; at least one. Where the settings have
    /// fewer samples in all, a chunk is as short: 1 sample is a first look.
    pub chunks: u32,
}

/// What is seen of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Width and height: those of the settings' window, which is the crop, or all.
    pub size: Size,
    /// Means of the samples, as [`film::half_means`] gives them: rows from the upper left, bits of
    /// 16-bit floats, scene-linear Rec.709 radiance and coverage, which is not multiplied in.
    pub pixels: Vec<[u16; 4]>,
    /// Samples of every pixel.
    pub samples: u32,
    /// What it took to make the scene ready for this view.
    pub prepare: Duration,
    /// What it took to render the samples that were added.
    pub render: Duration,
}

impl Seen {
    /// Whether it has all samples that the settings ask for.
    #[must_use]
    pub const fn is_done(&self, settings: &RenderSettings) -> bool {
        self.samples >= settings.samples
    }
}

/// The scene on show. It is none of the prepared scenes that films are rendered of, and pushes none
/// of them out.
pub(super) struct Preview {
    id: SceneId,
    scene: Arc<Scene>,
    /// The bits of its time, and the scene as it was last seen.
    prepared: Option<(u32, RenderScene)>,
    view: Option<View>,
}

/// The view at present.
struct View {
    key: Key,
    films: Merged,
    /// Chunks that it has, from the first.
    chunks: u32,
}

impl Preview {
    /// Memory that it takes beside the scene, bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.prepared.as_ref().map_or(0, |(_, scene)| scene.cpu_bytes())
    }

    /// Sees the scene as the frame does.
    fn turn_to(&mut self, frame: &Frame) -> Result<(), RenderFault> {
        let key = Key::new(frame.scene, &frame.settings, frame.time_s);
        if self.prepared.is_some() && self.view.as_ref().is_some_and(|view| view.key == key) {
            return Ok(());
        }
        self.view = None;
        let time_bits = frame.time_s.to_bits();
        let (scene, settings) = (&*self.scene, &frame.settings);
        let seen = match self.prepared.take() {
            Some((bits, prepared)) if bits == time_bits => prepared.seen_through(scene, settings),
            _another_time => renderer::prepare_with(scene, settings, frame.time_s, Effort::Preview),
        };
        self.prepared = Some((time_bits, seen.map_err(RenderFault::Prepare)?));
        self.view = Some(View { key, films: Merged::default(), chunks: 0 });
        Ok(())
    }
}

impl Easel {
    /// Adds samples to a view and shows it; `None` when the scene's package is needed for it.
    ///
    /// Looks at `cancel` between its steps and while it renders, not while it prepares. What was
    /// added before stays.
    pub(crate) fn look(
        &mut self,
        sight: &Sight,
        package: Option<&Bytes>,
        cancel: &Cancel,
        progress: &mut dyn FnMut(),
    ) -> Result<Option<Seen>, RenderFault> {
        let begin = Instant::now();
        let Sight { frame, chunks } = sight;
        if !self.show(frame.scene, package)? {
            return Ok(None);
        }
        progress();
        go_on(cancel)?;
        let Self { open, backend, preview, .. } = self;
        let preview = preview.as_mut().expect("invariant: it was just put there");
        preview.turn_to(frame)?;
        let prepare = begin.elapsed();
        progress();

        // Chunk by chunk: whoever stops it keeps what was done.
        let begin = Instant::now();
        let (Some((_, scene)), Some(view)) = (&preview.prepared, &mut preview.view) else {
            unreachable!("invariant: it was just turned to the view");
        };
        let settings = scene.settings();
        let rect = settings.window();
        let end = view.chunks.saturating_add((*chunks).max(1)).min(settings.chunk_count());
        while view.chunks < end {
            go_on(cancel)?;
            let batch = Batch::new(view.chunks, 1).expect("invariant: one chunk is a batch");
            let work = Work { rect, batch };
            let film = render_with(open, backend, |own| own.render(scene, work, cancel))?;
            view.films.add(film);
            view.chunks += 1;
            progress();
        }
        let render = begin.elapsed();
        let sum = view.films.sum().expect("invariant: a view has a chunk at least");
        let samples = view.chunks.saturating_mul(CHUNK_SAMPLES).min(settings.samples);
        let (size, pixels) = (rect.size(), half_means(&sum));
        Ok(Some(Seen { size, pixels, samples, prepare, render }))
    }

    /// Puts a scene on show; false when its package is needed.
    fn show(&mut self, id: SceneId, package: Option<&Bytes>) -> Result<bool, RenderFault> {
        if self.preview.as_ref().is_some_and(|preview| preview.id == id) {
            return Ok(true);
        }
        let scene = match (&self.unpacked, package) {
            (Some((own, scene, _)), _) if *own == id => scene.clone(),
            (_, Some(package)) => {
                // One scene on show is enough.
                self.preview = None;
                Arc::new(scene::unpack_as(id, package).map_err(RenderFault::Unpack)?)
            }
            (_, None) => return Ok(false),
        };
        self.preview = Some(Preview { id, scene, prepared: None, view: None });
        Ok(true)
    }
}

fn go_on(cancel: &Cancel) -> Result<(), RenderError> {
    if cancel.is_set() { Err(RenderError::Cancelled) } else { Ok(()) }
}
