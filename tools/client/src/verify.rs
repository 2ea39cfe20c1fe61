//! What anybody can check of a finished picture: a receipt by its signatures, and random pixels by
//! rendering them again.
//!
//! Who renders is left to the program: pixels are [`Drawn`], rendered by whatever backend there is,
//! and held against what the farm delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use film::opening::OpeningError;
use film::{Film, FilmError, Frame, InsertError, Picture, Sums};
use half::f16;
use protocol::{
    Batch, Crop, EVIDENCE_PIXELS_MAX, Engine, Receipt, Rect, RenderSettings, Size, Spots,
    TileIndex, Tokens, Unit,
};

use crate::error::Error;
use crate::farm::Farm;

pub use proof::receipt::{Checked, CheckedUnit, ReceiptError, check};
pub use proof::{Checkpoint, Cosignature};

/// Why pixels were not held against anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The films are of another engine.
    #[error("this program renders as {ours}, the film is of {theirs}; use that version of Tessera")]
    Engine {
        /// This program's.
        ours: Engine,
        /// The films'.
        theirs: Engine,
    },
    /// The system's random source fails.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    /// A unit that is not rendered yet, or of another number of pixels.
    #[error("a pixel is not there")]
    Pixel,
    /// A unit past the grid.
    #[error("a tile outside the frame")]
    Tile,
    /// What was rendered makes no film.
    #[error("a pixel makes no film")]
    Film(#[from] FilmError),
    /// What was rendered does not go together.
    #[error("a pixel does not fit its frame")]
    Fit(#[from] InsertError),
    /// Only whole pictures can be held against.
    #[error("the receipt is not of a whole picture, so none can be held against it")]
    NotWhole,
    /// Another picture.
    #[error("the picture has {there} pixels, the job's has {own}; give the one that was delivered")]
    Size {
        /// Of the picture.
        there: Size,
        /// Of the job's.
        own: Size,
    },
    /// Pixels of a film that do not lead to its root.
    #[error("a film was not opened as its node has signed it")]
    Opening(#[from] OpeningError),
    /// The farm does not open its films.
    #[error("the farm did not open a film")]
    Farm(#[source] Error),
}

impl VerifyError {
    /// Whether bytes came that are not those that a node has signed, instead of none.
    #[must_use]
    pub const fn is_altered(&self) -> bool {
        use OpeningError::{Film, Root, Trailing};
        matches!(self, Self::Opening(Root { .. } | Trailing(_) | Film(_)))
    }
}

/// Whether films of that engine can be rendered here.
///
/// # Errors
/// [`VerifyError::Engine`].
pub fn of_this_engine(theirs: Engine) -> Result<(), VerifyError> {
    match renderer::ENGINE {
        ours if ours == theirs => Ok(()),
        ours => Err(VerifyError::Engine { ours, theirs }),
    }
}

/// What a checked receipt sums up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// Films that are signed, accepted and paid.
    pub films: usize,
    /// Nodes that rendered them.
    pub nodes: usize,
    /// Pixels that the farm rendered again.
    pub pixels_checked: u64,
    /// What the nodes were paid.
    pub paid: Tokens,
}

impl Outline {
    /// Of a receipt.
    #[must_use]
    pub fn of(checked: &Checked) -> Self {
        let units = &checked.units;
        let nodes: BTreeSet<_> = units.iter().map(|unit| unit.node).collect();
        let paid = units.iter().try_fold(Tokens::ZERO, |sum, unit| sum.checked_add(unit.pay));
        Self {
            films: units.len(),
            nodes: nodes.len(),
            pixels_checked: units.iter().map(|unit| u64::from(unit.pixels_checked)).sum(),
            paid: paid.unwrap_or_default(),
        }
    }
}

/// A pixel's place in the frame with its overscan, and its light.
pub type Mean = ((u32, u32), [f32; 3]);

/// What became of holding pixels against something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Pixels that were held against it.
    pub count: usize,
    /// Those of them that are others there.
    pub differing: Vec<(u32, u32)>,
}

/// Random pixels of the accepted tiles of a receipt, with their sums once they are rendered.
pub struct Drawn {
    checked: Arc<Checked>,
    /// By tile: the pixels.
    places: BTreeMap<TileIndex, Vec<(u32, u32)>>,
    /// By tile and batch: their sums, in the order of `places`.
    sums: BTreeMap<TileIndex, BTreeMap<Batch, Sums>>,
}

impl Drawn {
    /// Draws `count` pixels of the accepted tiles, from the system's randomness, which no farm can
    /// foresee.
    ///
    /// # Errors
    /// [`VerifyError::Engine`], [`VerifyError::Random`].
    pub fn draw(receipt: &Receipt, checked: Arc<Checked>, count: u32) -> Result<Self, VerifyError> {
        of_this_engine(receipt.engine)?;
        let places = draw(&checked, count)?;
        Ok(Self { checked, places, sums: BTreeMap::new() })
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.values().map(Vec::len).sum()
    }

    /// What is to be rendered: of each unit its pixels, and their samples.
    #[must_use]
    pub fn wanted(&self) -> Vec<(Unit, Spots)> {
        let units = self.checked.units.iter().map(|unit| unit.unit);
        let of = |unit: Unit| {
            let places = self.places.get(&unit.tile)?.clone();
            Some((unit, Spots { batch: unit.batch, places }))
        };
        units.filter_map(of).collect()
    }

    /// Takes in what was rendered of a unit.
    ///
    /// # Errors
    /// [`VerifyError::Pixel`] where that is not as many pixels as were wanted of it.
    pub fn rendered(&mut self, unit: Unit, sums: Sums) -> Result<(), VerifyError> {
        if self.places.get(&unit.tile).is_none_or(|places| places.len() != sums.len()) {
            return Err(VerifyError::Pixel);
        }
        self.sums.entry(unit.tile).or_default().insert(unit.batch, sums);
        Ok(())
    }

    /// The light of each pixel, by its place in the frame with its overscan: the mean of all samples
    /// that the receipt's films have of it.
    ///
    /// # Errors
    /// What was rendered does not go together.
    pub fn means(&self) -> Result<Vec<Mean>, VerifyError> {
        let settings = &self.checked.spec.settings;
        let mut means = Vec::with_capacity(self.count());
        for (tile, places) in &self.places {
            let batches = self.sums.get(tile).ok_or(VerifyError::Pixel)?;
            for (at, &(x, y)) in places.iter().enumerate() {
                let mut frame = Frame::of(&settings_of_one(settings, (x, y)));
                let rect = Rect { x0: x, y0: y, x1: x + 1, y1: y + 1 };
                for (&batch, sums) in batches {
                    let one = sums.picked(std::iter::once(at)).ok_or(VerifyError::Pixel)?;
                    frame.insert(Film::new(rect, batch, one)?)?;
                }
                let own = frame.picture().beauty;
                means.push(((x, y), *own.first().ok_or(VerifyError::Pixel)?));
            }
        }
        Ok(means)
    }

    /// Holds the pixels against a finished picture: to the bit, or to the half that it was rounded to.
    ///
    /// # Errors
    /// [`VerifyError::NotWhole`], [`VerifyError::Size`]: another picture.
    pub fn against_picture(&self, picture: &Picture) -> Result<Compared, VerifyError> {
        if !self.checked.complete {
            return Err(VerifyError::NotWhole);
        }
        let window = self.checked.spec.settings.window();
        if window.size() != picture.size {
            return Err(VerifyError::Size { there: picture.size, own: window.size() });
        }
        let means = self.means()?;
        let there = |(x, y): (u32, u32)| {
            picture.beauty[((y - window.y0) * window.width() + (x - window.x0)) as usize]
        };
        let differing = means.iter().filter(|(place, own)| !is_same(*own, there(*place)));
        let differing = differing.map(|(place, _)| *place).collect();
        Ok(Compared { count: means.len(), differing })
    }

    /// Holds the pixels against the nodes' own films, opened under the roots that they signed.
    /// `progress` is told how many films of how many have been looked into.
    ///
    /// # Errors
    /// [`VerifyError::Farm`], [`VerifyError::Opening`].
    pub async fn against_films(
        &self,
        farm: &Farm,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Compared, VerifyError> {
        let mut differing = BTreeSet::new();
        let (grid, has_passes) = (self.checked.spec.grid(), self.checked.spec.settings.passes);
        let units = self.checked.units.iter();
        let units: Vec<_> =
            units.filter_map(|it| Some((it, self.places.get(&it.unit.tile)?))).collect();
        for (done, (CheckedUnit { unit, root, .. }, places)) in units.iter().enumerate() {
            progress(done, units.len());
            let own = self.sums.get(&unit.tile).and_then(|sums| sums.get(&unit.batch));
            let own = own.ok_or(VerifyError::Pixel)?;
            let rect = grid.rect(unit.tile).ok_or(VerifyError::Tile)?;
            for (start, some) in
                (0..).step_by(EVIDENCE_PIXELS_MAX).zip(places.chunks(EVIDENCE_PIXELS_MAX))
            {
                let opening = farm.opening(*unit, some).await.map_err(VerifyError::Farm)?;
                let film = film::opening::opened(*root, rect, has_passes, some, &opening)?;
                let here = own.picked(start..start + some.len()).ok_or(VerifyError::Pixel)?;
                let wrong = (0..some.len()).filter(|&at| !film.is_same(&here, at));
                differing.extend(wrong.map(|at| some[at]));
            }
        }
        Ok(Compared { count: self.count(), differing: differing.into_iter().collect() })
    }
}

/// The settings of a picture of one pixel of the frame: no frame of full size is held for it.
fn settings_of_one(settings: &RenderSettings, (x, y): (u32, u32)) -> RenderSettings {
    let at = |place: u32| (i64::from(place) - i64::from(settings.overscan)) as i32;
    let crop = Crop { x: at(x), y: at(y), size: Size::new(1, 1) };
    RenderSettings { crop: Some(crop), ..settings.clone() }
}

/// Pixels of accepted tiles, each as likely as any other.
fn draw(
    checked: &Checked,
    count: u32,
) -> Result<BTreeMap<TileIndex, Vec<(u32, u32)>>, VerifyError> {
    let grid = checked.spec.grid();
    let tiles: BTreeSet<TileIndex> = checked.units.iter().map(|unit| unit.unit.tile).collect();
    let rects: Vec<(TileIndex, Rect)> =
        tiles.into_iter().filter_map(|tile| Some((tile, grid.rect(tile)?))).collect();
    let all: u64 = rects.iter().map(|(_, rect)| rect.pixel_count()).sum();
    let mut drawn = BTreeSet::new();
    while drawn.len() < (u64::from(count).min(all)) as usize {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(VerifyError::Random)?;
        drawn.insert((u128::from_le_bytes(bytes) % u128::from(all)) as u64);
    }
    let mut places: BTreeMap<TileIndex, Vec<(u32, u32)>> = BTreeMap::new();
    let mut before = 0;
    for (tile, rect) in rects {
        let end = before + rect.pixel_count();
        for &at in drawn.range(before..end) {
            let (width, at) = (u64::from(rect.width()), at - before);
            let place = (rect.x0 + (at % width) as u32, rect.y0 + (at / width) as u32);
            places.entry(tile).or_default().push(place);
        }
        before = end;
    }
    Ok(places)
}

/// Whether a picture holds this light: the very bits, or those of the nearest half.
fn is_same(own: [f32; 3], picture: [f32; 3]) -> bool {
    let pairs = || own.into_iter().zip(picture);
    let half = |value: f32| f16::from_f32(value).to_f32();
    pairs().all(|(own, there)| own.to_bits() == there.to_bits())
        || pairs().all(|(own, there)| half(own).to_bits() == there.to_bits())
}

#[cfg(test)]
mod tests {
    use protocol::{Digest, JobId, JobSpec, NodeId, PublicKey, RayCount, ShotIndex};
    use renderer::{Backend as _, Cancel, CpuBackend, Effort};

    use super::*;

    const SIZE: Size = Size::new(48, 32);

    /// A picture of the built-in scene in four tiles of one batch and two of two, all accepted.
    fn checked() -> Checked {
        let settings = RenderSettings {
            size: SIZE,
            overscan: 4,
            samples: 32,
            bounces: 2,
            ..RenderSettings::default()
        };
        let spec = JobSpec {
            name: "golden".to_owned(),
            scene: scene::pack(&scene::golden()).id(),
            settings,
            more_cameras: Vec::new(),
            frames: protocol::FrameRange::STILL,
            tile_side_px: 32,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        };
        let chunks = spec.settings.chunk_count();
        let batches: Vec<Batch> = Batch::cover(chunks, 1).collect();
        assert!(batches.len() > 1, "means are merged");
        let tiles = (0..spec.grid().tile_count()).map(TileIndex);
        let units = tiles.flat_map(|tile| {
            batches.iter().map(move |&batch| CheckedUnit {
                unit: Unit { job: JobId([1; 16]), shot: ShotIndex(0), tile, batch },
                node: NodeId([tile.0 as u8 % 2; 32]),
                root: Digest([0; 32]),
                rays: RayCount::default(),
                pixels_checked: 10,
                pay: Tokens::from_micro(5),
            })
        });
        let units: Vec<CheckedUnit> = units.collect();
        let checkpoint =
            Checkpoint { origin: "test".to_owned(), size: 1, root: Default::default() };
        let (job, artist) = (JobId([1; 16]), PublicKey([2; 32]));
        Checked { job, spec, artist, units, complete: true, checkpoint, witnesses: Vec::new() }
    }

    fn receipt() -> Receipt {
        let (jobs, checkpoint) = (Vec::new(), String::new());
        Receipt { engine: renderer::ENGINE, shot: ShotIndex(0), jobs, checkpoint }
    }

    /// Pixels of it, rendered here.
    fn drawn(checked: &Arc<Checked>, count: u32) -> Drawn {
        let mut drawn = Drawn::draw(&receipt(), Arc::clone(checked), count).expect("drawn");
        let (settings, time_s) = checked.spec.shot_settings(ShotIndex(0)).expect("a shot");
        let frame = renderer::prepare_with(&scene::golden(), &settings, time_s, Effort::default());
        let (frame, mut backend) = (frame.expect("prepared"), CpuBackend::new(None));
        for (unit, Spots { batch, places }) in drawn.wanted() {
            let sums = backend.render_pixels(&frame, &places, batch, &Cancel::default());
            drawn.rendered(unit, sums.expect("rendered")).expect("of its size");
        }
        drawn
    }

    /// The whole picture, rendered tile by tile.
    fn picture(checked: &Checked) -> Picture {
        let (settings, time_s) = checked.spec.shot_settings(ShotIndex(0)).expect("a shot");
        let scene = renderer::prepare_with(&scene::golden(), &settings, time_s, Effort::default());
        let (scene, mut backend) = (scene.expect("prepared"), CpuBackend::new(None));
        let mut frame = Frame::of(&settings);
        for CheckedUnit { unit, .. } in &checked.units {
            let rect = checked.spec.grid().rect(unit.tile).expect("a tile");
            let work = renderer::Work { rect, batch: unit.batch };
            let film = backend.render(&scene, work, &Cancel::default()).expect("rendered");
            frame.insert(film).expect("it fits");
        }
        frame.picture()
    }

    #[test]
    fn the_very_picture_holds_and_every_other_does_not() {
        let checked = Arc::new(checked());
        let drawn = drawn(&checked, 200);
        let mut picture = picture(&checked);
        let held = drawn.against_picture(&picture).expect("the same size");
        assert_eq!((held.count, held.differing.len()), (200, 0));
        // Rounded to halves it is the same picture, in which not a bit may be another.
        for light in &mut picture.beauty {
            *light = light.map(|value| f16::from_f32(value).to_f32());
        }
        assert_eq!(drawn.against_picture(&picture).expect("the same size").differing, []);
        let (place, _) = drawn.means().expect("means")[7];
        let window = checked.spec.settings.window();
        let at = ((place.1 - window.y0) * window.width() + (place.0 - window.x0)) as usize;
        picture.beauty[at][1] = picture.beauty[at][1].mul_add(1.01, 1e-3);
        assert_eq!(drawn.against_picture(&picture).expect("the same size").differing, [place]);
        // Every pixel has been drawn once where more are asked for than there are.
        let all = Drawn::draw(&receipt(), Arc::clone(&checked), 1_000_000).expect("drawn");
        assert_eq!(all.count() as u64, window.pixel_count());
    }

    #[test]
    fn what_cannot_be_held_against_is_said() {
        let mut checked = checked();
        let picture = Frame::new(Size::new(8, 8), 16).picture();
        let none = drawn(&Arc::new(checked.clone()), 4).against_picture(&picture);
        assert!(matches!(none, Err(VerifyError::Size { .. })), "{none:?}");
        checked.complete = false;
        let checked = Arc::new(checked);
        let none = drawn(&checked, 4).against_picture(&picture);
        assert!(matches!(none, Err(VerifyError::NotWhole)), "{none:?}");
        let other = Receipt { engine: Engine(renderer::ENGINE.0 + 1), ..receipt() };
        let refused = Drawn::draw(&other, checked, 4).err();
        assert!(matches!(refused, Some(VerifyError::Engine { .. })), "{refused:?}");
    }

    #[test]
    fn what_is_altered_is_told_from_what_did_not_come() {
        let root = Digest([7; 32]);
        for altered in [OpeningError::Root { root }, OpeningError::Trailing(3)] {
            assert!(VerifyError::from(altered.clone()).is_altered(), "{altered}");
        }
        let shape = OpeningError::Shape("0 bytes".to_owned());
        for other in [VerifyError::from(shape), VerifyError::Pixel, VerifyError::NotWhole] {
            assert!(!other.is_altered(), "{other}");
        }
    }

    #[test]
    fn a_receipt_is_summed_up() {
        let checked = checked();
        let films = checked.units.len();
        let Outline { nodes, pixels_checked, paid, .. } = Outline::of(&checked);
        assert_eq!((nodes, pixels_checked), (2, films as u64 * 10));
        assert_eq!(paid, Tokens::from_micro(films as u128 * 5));
    }
}
