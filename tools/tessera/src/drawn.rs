//! Random pixels of a finished picture, rendered here and held against what the farm delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use client::Farm;
use film::{Film, Frame, Sums};
use half::f16;
use proof::receipt::{Checked, CheckedUnit};
use protocol::{Batch, EVIDENCE_PIXELS_MAX, Engine, Receipt, Rect, TileIndex};
use renderer::{Backend as _, Cancel, CpuBackend, Effort};
use scene::Scene;

use crate::exit::{Exit, fail};
use crate::local;
use crate::text;

/// Pixels drawn from the system's randomness, which no farm can foresee, with their sums by batch.
pub struct Drawn<'a> {
    checked: &'a Checked,
    /// By tile: the pixels.
    places: BTreeMap<TileIndex, Vec<(u32, u32)>>,
    /// By tile and batch: their sums, in the order of `places`.
    sums: BTreeMap<(TileIndex, Batch), Sums>,
}

impl<'a> Drawn<'a> {
    /// Draws `count` pixels of the accepted tiles and renders them.
    ///
    /// # Errors
    /// Another engine; the scene cannot be prepared or rendered; the system has no randomness.
    pub fn render(
        receipt: &Receipt,
        checked: &'a Checked,
        scene: &Scene,
        count: u32,
    ) -> anyhow::Result<Self> {
        of_this_engine(receipt.engine)?;
        let shot = checked.spec.shot_settings(receipt.shot);
        let (settings, time_s) = shot.context("a shot that the job does not have")?;
        let frame = local::prepare(scene, &settings, time_s, Effort::default())?;
        let mut drawn = Self { checked, places: draw(checked, count)?, sums: BTreeMap::new() };
        let mut backend = CpuBackend::new(None);
        for CheckedUnit { unit, .. } in &checked.units {
            let Some(places) = drawn.places.get(&unit.tile) else { continue };
            let sums = backend.render_pixels(&frame, places, unit.batch, &Cancel::default())?;
            drawn.sums.insert((unit.tile, unit.batch), sums);
        }
        Ok(drawn)
    }

    fn count(&self) -> usize {
        self.places.values().map(Vec::len).sum()
    }

    /// Holds the pixels against a finished picture: to the bit, or to the half that it was rounded to.
    ///
    /// # Errors
    /// Failed: another picture, or pixels that differ. Only complete receipts have one.
    pub fn compare_picture(&self, path: &Path) -> anyhow::Result<()> {
        if !self.checked.complete {
            let message = "the receipt is not of a whole picture, so none can be held against it";
            return Err(fail(Exit::Failed, message));
        }
        let picture = film::read_exr(path)
            .with_context(|| format!("the picture cannot be read: {}", path.display()))?;
        let mut frame = Frame::of(&self.checked.spec.settings);
        for (&(tile, batch), sums) in &self.sums {
            for (at, &(x, y)) in self.places[&tile].iter().enumerate() {
                let rect = Rect { x0: x, y0: y, x1: x + 1, y1: y + 1 };
                let one = sums.picked(std::iter::once(at)).context("a pixel is not there")?;
                frame.insert(Film::new(rect, batch, one)?)?;
            }
        }
        let own = frame.picture();
        if own.size != picture.size {
            let message = format!(
                "the picture has {} pixels, the job's has {}; give the one that was delivered",
                picture.size, own.size
            );
            return Err(fail(Exit::Failed, message));
        }
        let window = self.checked.spec.settings.window();
        let differing = self.places.values().flatten().filter(|&&(x, y)| {
            let at = ((y - window.y0) * window.width() + (x - window.x0)) as usize;
            !is_same(own.beauty[at], picture.beauty[at])
        });
        let differing: Vec<(u32, u32)> = differing.copied().collect();
        self.conclude(&differing, "the picture")
    }

    /// Holds the pixels against the nodes' own films, opened under the roots that they signed.
    ///
    /// # Errors
    /// Failed: pixels that differ. Else the farm's reason.
    pub async fn compare_films(&self, farm: &Farm) -> anyhow::Result<()> {
        let mut differing = BTreeSet::new();
        let (grid, has_passes) = (self.checked.spec.grid(), self.checked.spec.settings.passes);
        for CheckedUnit { unit, root, .. } in &self.checked.units {
            let Some(places) = self.places.get(&unit.tile) else { continue };
            let own = &self.sums[&(unit.tile, unit.batch)];
            let rect = grid.rect(unit.tile).context("a tile outside the frame")?;
            for (start, some) in
                (0..).step_by(EVIDENCE_PIXELS_MAX).zip(places.chunks(EVIDENCE_PIXELS_MAX))
            {
                let opening = farm.opening(*unit, some).await?;
                let film = film::opening::opened(*root, rect, has_passes, some, &opening)?;
                let here = own.picked(start..start + some.len()).context("a pixel is not there")?;
                let wrong = (0..some.len()).filter(|&at| !film.is_same(&here, at));
                differing.extend(wrong.map(|at| some[at]));
            }
        }
        self.conclude(&Vec::from_iter(differing), "the films that the nodes signed")
    }

    fn conclude(&self, differing: &[(u32, u32)], what: &str) -> anyhow::Result<()> {
        let all = text::plural(self.count() as u64, "random pixel", "random pixels");
        let Some((x, y)) = differing.first() else {
            text::print(format_args!("pixels   {all}, rendered here, are those of {what}"))?;
            return Ok(());
        };
        let message = format!(
            "{} of {all}, rendered here, differ from {what}, the first at {x},{y}; nodes of class tolerant and denoised pictures may differ a little",
            differing.len()
        );
        Err(fail(Exit::Failed, message))
    }
}

/// Whether a film of that engine can be rendered here.
///
/// # Errors
/// Failed: it cannot.
pub fn of_this_engine(engine: Engine) -> anyhow::Result<()> {
    if engine == renderer::ENGINE {
        return Ok(());
    }
    let message = format!(
        "this program renders as {}, the film is of {engine}; use that version of Tessera",
        renderer::ENGINE
    );
    Err(fail(Exit::Failed, message))
}

/// Pixels of accepted tiles, each as likely as any other.
fn draw(checked: &Checked, count: u32) -> anyhow::Result<BTreeMap<TileIndex, Vec<(u32, u32)>>> {
    let grid = checked.spec.grid();
    let tiles: BTreeSet<TileIndex> = checked.units.iter().map(|unit| unit.unit.tile).collect();
    let rects: Vec<(TileIndex, Rect)> =
        tiles.into_iter().filter_map(|tile| Some((tile, grid.rect(tile)?))).collect();
    let all: u64 = rects.iter().map(|(_, rect)| rect.pixel_count()).sum();
    let mut drawn = BTreeSet::new();
    while drawn.len() < (u64::from(count).min(all)) as usize {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
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
