//! Accepted films to frames, shot by shot.

use std::collections::BTreeMap;

use film::{Film, Frame, FrameRate, Metadata};
use protocol::{CameraChoice, JobId, JobSpec, RenderSettings, Shot, ShotIndex, ViewIndex};

use crate::error::FilmFault;
use crate::pictures::{Label, camera_words};

/// The frames of a job, as far as they are here.
pub struct Shots {
    job: JobId,
    spec: JobSpec,
    /// A word for each camera's files.
    camera_words: Vec<String>,
    open: BTreeMap<ShotIndex, Frame>,
}

/// A frame that has all its samples, or as many as it gets.
pub struct Whole {
    /// Which.
    pub index: ShotIndex,
    /// Its films.
    pub frame: Frame,
}

impl Shots {
    /// Nothing yet.
    #[must_use]
    pub fn new(job: JobId, spec: &JobSpec) -> Self {
        let cameras = (0..spec.view_count()).filter_map(|view| spec.camera(ViewIndex(view)));
        let camera_words = camera_words(cameras);
        Self { job, spec: spec.clone(), camera_words, open: BTreeMap::new() }
    }

    /// Takes a film in; a frame that it completes is handed out and forgotten.
    ///
    /// # Errors
    /// [`FilmFault::Fit`].
    pub fn insert(&mut self, index: ShotIndex, film: Film) -> Result<Option<Whole>, FilmFault> {
        let settings = &self.spec.settings;
        let frame = self.open.entry(index).or_insert_with(|| Frame::of(settings));
        insert(frame, film, &self.spec)?;
        if !frame.is_complete() {
            return Ok(None);
        }
        Ok(self.open.remove(&index).map(|frame| Whole { index, frame }))
    }

    /// What is not complete.
    #[must_use]
    pub fn rest(&mut self) -> Vec<Whole> {
        let open = std::mem::take(&mut self.open);
        open.into_iter().map(|(index, frame)| Whole { index, frame }).collect()
    }

    /// The shot, what tells its files from the others', and what they say of it.
    ///
    /// # Errors
    /// [`FilmFault::Shot`].
    pub fn about(&self, index: ShotIndex) -> Result<(Shot, Label<'_>, Metadata), FilmFault> {
        let spec = &self.spec;
        let shot = spec.shot(index).ok_or(FilmFault::Shot)?;
        let settings = spec.settings_of(shot.view).ok_or(FilmFault::Shot)?;
        let metadata = Metadata {
            job: Some(self.job),
            scene: Some(spec.scene),
            frame: Some(shot.frame),
            frame_rate: FrameRate::nearest(spec.frames.fps),
            ..metadata(&settings)
        };
        let label = Label {
            camera: &self.camera_words[shot.view.0 as usize],
            of_cameras: spec.view_count() > 1,
            frame: shot.frame,
            of_frames: spec.frames.count() > 1,
        };
        Ok((shot, label, metadata))
    }
}

/// Puts a film into its frame; a tile that is as quiet as its job asks for gets no more.
///
/// # Errors
/// [`FilmFault::Fit`].
pub fn insert(frame: &mut Frame, film: Film, spec: &JobSpec) -> Result<(), FilmFault> {
    let rect = film.rect();
    frame.insert(film).map_err(FilmFault::Fit)?;
    if let Some(target) = spec.noise {
        frame.enough_if_quiet(rect, target);
    }
    Ok(())
}

/// What a picture of these settings says of itself.
#[must_use]
pub fn metadata(settings: &RenderSettings) -> Metadata {
    Metadata {
        software: format!("Tessera {}", env!("CARGO_PKG_VERSION")),
        engine: Some(renderer::ENGINE),
        samples: Some(settings.samples),
        camera: match &settings.camera {
            CameraChoice::Named(name) => Some(name.clone()),
            _ => None,
        },
        ..Metadata::default()
    }
}
