//! Pictures as far as they have come, small enough for a page.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Context as _;
use film::{Film, Look, Picture, view_rgba8};
use protocol::{Digest, JobId, Rect, ShotIndex, Size, Unit};

use crate::core::{Book, kept_units};

/// Longer side of a mosaic at most, pixels.
const SIDE_MAX: u32 = 960;
/// Mosaics that are kept.
const KEPT: usize = 4;

/// What a mosaic is to show.
pub(super) struct Wanted {
    job: JobId,
    shot: ShotIndex,
    window: Rect,
    has_passes: bool,
    films: Vec<(Unit, Rect, Digest)>,
}

/// The films in use of a shot; none where there is no such shot.
pub(super) fn wanted(book: &Book, id: JobId, shot: ShotIndex) -> Option<Wanted> {
    let job = book.jobs.get(&id)?;
    job.spec.shot(shot)?;
    let (grid, settings) = (job.spec.grid(), &job.spec.settings);
    let own = job.units.iter().filter_map(|unit| Some((unit, unit.accepted.as_ref()?)));
    let in_use = kept_units(book, &job.spec).chain(own).filter(|(unit, _)| unit.unit.shot == shot);
    let films = in_use.filter_map(|(unit, accepted)| {
        Some((unit.unit, grid.rect(unit.unit.tile)?, accepted.film.root))
    });
    let films = films.collect();
    Some(Wanted { job: id, shot, window: settings.window(), has_passes: settings.passes, films })
}

/// The mosaics asked for last.
#[derive(Default)]
pub(super) struct Mosaics(VecDeque<((JobId, ShotIndex), Mosaic)>);

impl Mosaics {
    /// A shot's mosaic as PNG, with what has come since it was asked for before: all its films are read
    /// the first time.
    pub(super) fn png<E: Into<anyhow::Error>>(
        &mut self,
        wanted: &Wanted,
        read: impl Fn(Digest) -> Result<Vec<u8>, E>,
    ) -> anyhow::Result<Vec<u8>> {
        let key = (wanted.job, wanted.shot);
        let known = self.0.iter().position(|(known, _)| *known == key);
        let mut mosaic = known
            .and_then(|at| self.0.remove(at))
            .map(|(_, mosaic)| mosaic)
            .filter(|mosaic| !mosaic.holds_more_than(wanted))
            .unwrap_or_else(|| Mosaic::new(wanted.window));
        let fresh = wanted.films.iter().filter(|(unit, ..)| !mosaic.films.contains_key(unit));
        let fresh: Vec<_> = fresh.copied().collect();
        for (unit, rect, root) in fresh {
            let bytes = read(root).map_err(Into::into)?;
            let film = Film::from_bytes(rect, unit.batch, wanted.has_passes, &bytes)?;
            mosaic.add(unit, root, &film);
        }
        let png = mosaic.to_png();
        self.0.push_front((key, mosaic));
        self.0.truncate(KEPT);
        png
    }
}

/// Sums of light and samples, some pixels of the shot to one.
struct Mosaic {
    window: Rect,
    step: u32,
    size: Size,
    sums: Vec<([f32; 3], u32)>,
    films: BTreeMap<Unit, Digest>,
}

impl Mosaic {
    fn new(window: Rect) -> Self {
        let step = window.width().max(window.height()).div_ceil(SIDE_MAX).max(1);
        let size = Size::new(window.width().div_ceil(step), window.height().div_ceil(step));
        let sums = vec![([0.0; 3], 0); size.pixel_count() as usize];
        Self { window, step, size, sums, films: BTreeMap::new() }
    }

    /// Whether a film is in it that is no longer in use.
    fn holds_more_than(&self, wanted: &Wanted) -> bool {
        let in_use: BTreeMap<Unit, Digest> =
            wanted.films.iter().map(|&(unit, _, root)| (unit, root)).collect();
        self.films.iter().any(|(unit, root)| in_use.get(unit) != Some(root))
    }

    fn add(&mut self, unit: Unit, root: Digest, film: &Film) {
        let rect = film.rect();
        let places = (rect.y0..rect.y1).flat_map(|y| (rect.x0..rect.x1).map(move |x| (x, y)));
        for ((x, y), pixel) in places.zip(film.pixels()) {
            let (column, row) =
                ((x - self.window.x0) / self.step, (y - self.window.y0) / self.step);
            let (light, samples) = &mut self.sums[(row * self.size.width + column) as usize];
            light.iter_mut().zip(pixel.beauty).for_each(|(sum, more)| *sum += more);
            *samples = samples.saturating_add(pixel.samples);
        }
        self.films.insert(unit, root);
    }

    fn to_png(&self) -> anyhow::Result<Vec<u8>> {
        let mut picture = Picture::bare(self.size);
        for (index, (light, samples)) in self.sums.iter().enumerate() {
            picture.samples[index] = *samples;
            picture.beauty[index] = light.map(|sum| sum / (*samples).max(1) as f32);
        }
        let pixels = view_rgba8(&picture, &Look::default());
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().context("a mosaic's header")?;
        writer.write_image_data(&pixels).context("a mosaic's pixels")?;
        writer.finish().context("a mosaic's end")?;
        Ok(bytes)
    }
}
