//! A frame gathers films in any order and adds them up in one order.

use std::collections::BTreeMap;

use protocol::{Batch, Digest, NoiseTarget, Rect, RenderSettings, Size};

use crate::film::Film;
use crate::merged::Merged;
use crate::picture::{Means, Picture, Place};

/// The films of one frame.
///
/// Films merge by the fixed binary tree of [`Batch::parent`], and what is left over is folded
/// from the highest chunk down: any split into tiles and batches, in any order of arrival,
/// gives the same bits.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The pixels of the canvas that the picture has.
    window: Rect,
    place: Place,
    chunk_count: u32,
    tiles: BTreeMap<Rect, Tile>,
    /// Pixels that belong to a tile already.
    covered: Vec<bool>,
    complete_pixels: u64,
    /// Whether its films have light passes, once there is one.
    has_passes: Option<bool>,
}

#[derive(Debug, Clone, Default)]
struct Tile {
    inserted: BTreeMap<Batch, Digest>,
    films: Merged,
    chunks: u32,
    /// Whether it gets no more than it has.
    is_enough: bool,
}

/// Why a film was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// The tile is empty or reaches over the edge of what is rendered.
    #[error("tile {rect:?} is empty or does not lie inside {window:?}, what is rendered")]
    OutsideFrame {
        /// The film's pixels.
        rect: Rect,
        /// The pixels that are rendered.
        window: Rect,
    },
    /// The batch is none, or reaches past the frame's samples.
    #[error("batch {batch} does not lie inside the frame's {chunk_count} chunks")]
    OutsideSamples {
        /// The film's batch.
        batch: Batch,
        /// Chunks of the frame.
        chunk_count: u32,
    },
    /// Another tile of the frame has some of these pixels.
    #[error("tile {rect:?} overlaps another tile of the frame; films must share one tile grid")]
    TileOverlaps {
        /// The film's pixels.
        rect: Rect,
    },
    /// Some of these chunks are there already, in another batch.
    #[error("batch {batch} of tile {rect:?} overlaps batch {present}, which is there already")]
    BatchOverlaps {
        /// The film's pixels.
        rect: Rect,
        /// The film's batch.
        batch: Batch,
        /// The batch that holds some of its chunks.
        present: Batch,
    },
    /// The same batch of the same tile is there with other bytes.
    #[error("batch {batch} of tile {rect:?} is there already with other values")]
    Differs {
        /// The film's pixels.
        rect: Rect,
        /// The film's batch.
        batch: Batch,
    },
    /// Films of one frame have light passes all, or none has.
    #[error(
        "batch {batch} of tile {rect:?} differs from the frame's films in whether it has light passes; render them with the same settings"
    )]
    Passes {
        /// The film's pixels.
        rect: Rect,
        /// The film's batch.
        batch: Batch,
    },
}

impl Frame {
    /// An empty frame of `size` pixels and `samples` samples per pixel, all of it rendered.
    #[must_use]
    pub fn new(size: Size, samples: u32) -> Self {
        Self::of(&RenderSettings { size, samples, ..RenderSettings::default() })
    }

    /// An empty frame as the settings, which are valid, ask for: its crop, its overscan.
    #[must_use]
    pub fn of(settings: &RenderSettings) -> Self {
        let window = settings.window();
        Self {
            window,
            place: Place::of(settings),
            chunk_count: settings.chunk_count(),
            tiles: BTreeMap::new(),
            covered: vec![false; window.pixel_count() as usize],
            complete_pixels: 0,
            has_passes: None,
        }
    }

    /// Adds a film. A film that is there already, with the same bytes, changes nothing.
    ///
    /// # Errors
    /// See [`InsertError`]; the frame is then as it was.
    pub fn insert(&mut self, film: Film) -> Result<(), InsertError> {
        let (rect, batch) = (film.rect(), film.batch());
        self.check_range(rect, batch)?;
        let has_passes = film.passes().is_some();
        if self.has_passes.is_some_and(|frame_has| frame_has != has_passes) {
            return Err(InsertError::Passes { rect, batch });
        }
        if !self.tiles.contains_key(&rect) {
            self.claim(rect)?;
        }
        let chunk_count = self.chunk_count;
        let tile = self.tiles.entry(rect).or_default();
        let root = film.root();
        if let Some(present) = tile.inserted.get(&batch) {
            let same = *present == root;
            return if same { Ok(()) } else { Err(InsertError::Differs { rect, batch }) };
        }
        let overlaps = |present: &&Batch| {
            present.first_chunk() < batch.end_chunk() && batch.first_chunk() < present.end_chunk()
        };
        if let Some(&present) = tile.inserted.keys().find(overlaps) {
            return Err(InsertError::BatchOverlaps { rect, batch, present });
        }
        tile.add(film, root);
        self.has_passes = Some(has_passes);
        if tile.chunks == chunk_count && !tile.is_enough {
            self.complete_pixels += rect.pixel_count();
        }
        Ok(())
    }

    /// Everything there of a tile's first chunks, where they make one batch: what
    /// [`crate::is_quiet`] decides by.
    #[must_use]
    pub fn start_of(&self, rect: Rect, chunk_count: u32) -> Option<&Film> {
        self.tiles.get(&rect)?.films.get(Batch::new(0, chunk_count)?)
    }

    /// Says that a tile has samples enough: it counts as complete with those that it has.
    ///
    /// A tile without any stays incomplete.
    pub fn enough(&mut self, rect: Rect) {
        let Some(tile) = self.tiles.get_mut(&rect) else { return };
        if tile.chunks < self.chunk_count && !tile.is_enough {
            tile.is_enough = true;
            self.complete_pixels += rect.pixel_count();
        }
    }

    /// Says of a tile that it has samples enough, if that can be seen from what is there.
    ///
    /// Films are to be those up to where it was decided, in any order of arrival.
    pub fn enough_if_quiet(&mut self, rect: Rect, target: NoiseTarget) {
        let first = self.tiles.get(&rect).and_then(|tile| tile.films.first());
        if first.is_some_and(|film| crate::is_quiet(film, target)) {
            self.enough(rect);
        }
    }

    /// Whether every pixel has every sample, or enough of them.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete_pixels == self.window.pixel_count()
    }

    /// Whether every pixel has some samples.
    #[must_use]
    pub fn has_no_hole(&self) -> bool {
        self.covered.iter().all(|&covered| covered)
    }

    /// Share of the samples that are there, 0..=1.
    #[must_use]
    pub fn share_done(&self) -> f64 {
        let there: u64 =
            self.tiles.iter().map(|(rect, tile)| rect.pixel_count() * u64::from(tile.chunks)).sum();
        let wanted = self.window.pixel_count() * u64::from(self.chunk_count);
        if wanted == 0 { 1.0 } else { there as f64 / wanted as f64 }
    }

    /// Width and height of the picture.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.window.size()
    }

    /// Means of what is there; pixels without samples are transparent.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let mut means = Means::zeroed(self.window, self.has_passes == Some(true));
        for tile in self.tiles.values() {
            if let Some(sum) = tile.films.sum() {
                means.put(&sum);
            }
        }
        Picture { place: self.place, ..means.into_picture() }
    }

    /// Means of one tile, as a picture of the tile's size; `None` while it has no film.
    #[must_use]
    pub fn tile_picture(&self, rect: Rect) -> Option<Picture> {
        let sum = self.tiles.get(&rect)?.films.sum()?;
        Some(Picture::of_film(&sum))
    }

    fn check_range(&self, rect: Rect, batch: Batch) -> Result<(), InsertError> {
        if rect.pixel_count() == 0 || !self.window.holds(&rect) {
            return Err(InsertError::OutsideFrame { rect, window: self.window });
        }
        if !batch.is_valid() || batch.end_chunk() > self.chunk_count {
            return Err(InsertError::OutsideSamples { batch, chunk_count: self.chunk_count });
        }
        Ok(())
    }

    /// Marks the pixels of a new tile as taken.
    fn claim(&mut self, rect: Rect) -> Result<(), InsertError> {
        let width = self.window.width() as usize;
        let taken = rect.inside(&self.window);
        let rows = taken.y0 as usize..taken.y1 as usize;
        let row = |y: usize| y * width + taken.x0 as usize..y * width + taken.x1 as usize;
        if rows.clone().any(|y| self.covered[row(y)].iter().any(|&taken| taken)) {
            return Err(InsertError::TileOverlaps { rect });
        }
        for y in rows {
            self.covered[row(y)].fill(true);
        }
        Ok(())
    }
}

impl Tile {
    /// Adds a film whose chunks are not there yet.
    fn add(&mut self, film: Film, root: Digest) {
        self.inserted.insert(film.batch(), root);
        self.chunks += film.batch().chunk_count();
        self.films.add(film);
    }
}
