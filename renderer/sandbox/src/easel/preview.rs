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
            another_time => {
                // Two at a time may be too many.
                drop(another_time);
                renderer::prepare_with(scene, settings, frame.time_s, Effort::Preview)
            }
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
        let Self { opener, backend, preview, .. } = self;
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
            let film = render_with(opener, backend, |own| own.render(scene, work, cancel))?;
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

#[cfg(test)]
mod tests {
    use film::Film;
    use protocol::{CameraChoice, Rect};
    use renderer::prepare_with;

    use super::*;
    use crate::easel::Order;
    use crate::easel::tests::{easel, golden};

    fn settings(samples: u32) -> RenderSettings {
        RenderSettings { size: Size::new(24, 16), samples, ..RenderSettings::default() }
    }

    fn sight(settings: RenderSettings, chunks: u32) -> Sight {
        Sight { frame: Frame { scene: golden().0, settings, time_s: 0.0 }, chunks }
    }

    fn from_the_side(samples: u32) -> RenderSettings {
        let (eye, target) = ([3.0, 1.0, 2.0], [0.0, 0.5, 0.0]);
        let camera = CameraChoice::LookAt { eye, target, vfov_degrees: 30.0 };
        RenderSettings { camera, ..settings(samples) }
    }

    fn look(easel: &mut Easel, sight: &Sight) -> Seen {
        let (_id, package) = golden();
        let seen = easel.look(sight, Some(&package), &Cancel::default(), &mut || ());
        seen.expect("it renders").expect("it has the package")
    }

    /// All samples, as a lease would have them rendered.
    fn film(settings: &RenderSettings) -> Film {
        let chunks = settings.chunk_count().next_power_of_two();
        let batch = Batch::new(0, chunks).expect("aligned");
        let work = Work { rect: settings.window(), batch };
        let frame = Frame { scene: golden().0, settings: settings.clone(), time_s: 0.0 };
        let package = golden().1;
        let film =
            easel().film(&Order { frame, work }, Some(&package), &Cancel::default(), &mut || ());
        film.expect("it renders").expect("it has the package")
    }

    fn sum(easel: &Easel) -> Film {
        let view = easel.preview.as_ref().and_then(|preview| preview.view.as_ref());
        view.and_then(|view| view.films.sum()).expect("a view").into_owned()
    }

    #[test]
    fn a_view_with_all_samples_is_the_film() {
        // A part of a chunk; a chunk; three, the last in part; many.
        for samples in [1, 16, 40, 112] {
            let settings = from_the_side(samples);
            let whole = film(&settings);
            for chunks in [1, 2, u32::MAX] {
                let mut easel = easel();
                let sight = sight(settings.clone(), chunks);
                let mut seen = look(&mut easel, &sight);
                assert_eq!(seen.samples, (chunks.saturating_mul(16)).min(samples));
                let mut looks = 1;
                while !seen.is_done(&settings) {
                    seen = look(&mut easel, &sight);
                    looks += 1;
                }
                assert_eq!(looks, settings.chunk_count().div_ceil(chunks));
                assert_eq!(sum(&easel).root(), whole.root(), "{samples} samples by {chunks}");
                assert_eq!((seen.pixels.clone(), seen.samples), (half_means(&whole), samples));
                // More than all are not to be had.
                let again = look(&mut easel, &sight);
                assert_eq!((again.pixels, again.samples), (seen.pixels, samples));
            }
        }
    }

    #[test]
    fn another_view_begins_anew_and_the_scene_stays() {
        let mut easel = easel();
        let nodes = |easel: &Easel| {
            let prepared = easel.preview.as_ref().and_then(|preview| preview.prepared.as_ref());
            prepared.map(|(_, scene)| scene.nodes().as_ptr())
        };
        assert_eq!(look(&mut easel, &sight(settings(64), 2)).samples, 32);
        let trees = nodes(&easel);
        let mut check = |settings: RenderSettings, time_s| {
            let mut sight = sight(settings, 1);
            sight.frame.time_s = time_s;
            let seen = look(&mut easel, &sight);
            assert_eq!(seen.samples, 16, "with no sample of the view before");
            let settings = &sight.frame.settings;
            let prepared = prepare_with(&scene::golden(), settings, time_s, Effort::Preview);
            let preview = easel.preview.as_ref().and_then(|preview| preview.prepared.as_ref());
            let (_, shown) = preview.expect("a scene on show");
            assert_eq!(shown.digest(), prepared.expect("sound").digest());
            nodes(&easel)
        };
        assert_eq!(check(from_the_side(64), 0.0), trees, "trees are made once");
        assert_eq!(check(settings(64), 0.0), trees, "trees are made once");
        check(settings(64), 1.0);
    }

    #[test]
    fn a_view_that_is_stopped_keeps_its_chunks() {
        let mut easel = easel();
        let endless = sight(settings(65_536), u32::MAX);
        let (_id, package) = golden();
        let cancel = Cancel::default();
        let mut told = 0;
        let stopped = easel.look(&endless, Some(&package), &cancel, &mut || {
            told += 1;
            // After the package, the preparing and three chunks.
            if told == 5 {
                cancel.set();
            }
        });
        assert!(matches!(stopped, Err(RenderFault::Render(RenderError::Cancelled))), "{stopped:?}");
        let on = look(&mut easel, &sight(settings(65_536), 1));
        assert_eq!(on.samples, 4 * CHUNK_SAMPLES);
        // One that is stopped before it begins has the scene made ready all the same.
        let stopped = easel.look(&endless, None, &cancel, &mut || ());
        assert!(stopped.is_err());
        assert!(easel.preview.is_some());
    }

    #[test]
    fn views_and_films_keep_out_of_each_others_way() {
        let mut easel = easel();
        let (id, package) = golden();
        let nothing = easel.look(&sight(settings(1), 1), None, &Cancel::default(), &mut || ());
        assert_eq!(nothing.expect("an answer"), None, "the package is needed");
        let frame = Frame { scene: id, settings: settings(16), time_s: 0.0 };
        let work = Work {
            rect: Rect::of_size(frame.settings.size),
            batch: Batch::new(0, 1).expect("aligned"),
        };
        let order = Order { frame, work };
        let film = |easel: &mut Easel, package: Option<&Bytes>| {
            let film = easel.film(&order, package, &Cancel::default(), &mut || ());
            film.expect("it renders").map(|film| film.root())
        };
        let before = film(&mut easel, Some(&package));
        // What films have unpacked is of use to views.
        let seen = easel.look(&sight(settings(1), 1), None, &Cancel::default(), &mut || ());
        assert!(seen.expect("it renders").is_some());
        assert_eq!((easel.prepared.scenes.len(), film(&mut easel, None)), (1, before));
        // Where both are too much, films come first.
        easel.prepared.limit_bytes = 0;
        easel.prepared.scenes.clear();
        assert_eq!(film(&mut easel, None), before);
        assert!(easel.preview.is_none());
    }

    #[test]
    fn what_cannot_be_seen_is_said_and_another_view_can() {
        let mut easel = easel();
        let (_id, package) = golden();
        look(&mut easel, &sight(settings(1), 1));
        let camera = CameraChoice::Named("nobody".to_owned());
        let unseen = sight(RenderSettings { camera, ..settings(1) }, 1);
        let fault = easel.look(&unseen, Some(&package), &Cancel::default(), &mut || ());
        assert!(matches!(fault, Err(RenderFault::Prepare(_))), "{fault:?}");
        assert_eq!(look(&mut easel, &sight(settings(1), 1)).samples, 1);
    }
}
