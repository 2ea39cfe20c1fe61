//! How far the tiles of a job are that ends them when they have little noise.
//!
//! Samples beyond those after which it is decided next are not rendered before it is: so a picture does
//! not depend on who was quick, and nothing is rendered in vain.

use protocol::{JobSpec, NoiseTarget, Unit};
use serde::{Deserialize, Serialize};

/// The tiles of a job with a noise target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quiet {
    target: NoiseTarget,
    chunk_count: u32,
    /// Of each shot.
    tiles_per_shot: u32,
    tiles: Vec<Tile>,
    /// Tiles of which something is still to be decided.
    undecided: u32,
}

/// A tile of a shot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Tile {
    /// Chunks that are rendered before it is decided, or all where nothing is left to decide.
    chunks: u32,
    /// Whether it has samples enough with these.
    has_ended: bool,
    /// Chunks before the end of the job's last unit of it: those of its bases may be behind.
    own: u32,
}

impl Quiet {
    /// Nothing is decided yet of the tiles of these units; none where the job has no target.
    pub(in crate::core) fn of(spec: &JobSpec, units: &[Unit]) -> Option<Self> {
        let (target, chunk_count) = (spec.noise?, spec.settings.chunk_count());
        let tiles_per_shot = spec.grid().tile_count();
        let chunks = target.next_decision(0, chunk_count);
        let count = tiles_per_shot as usize * spec.shot_count() as usize;
        let tiles = vec![Tile { chunks, has_ended: false, own: 0 }; count];
        let mut it = Self { target, chunk_count, tiles_per_shot, tiles, undecided: 0 };
        for unit in units {
            let place = it.place(unit);
            let own = it.tiles[place].own.max(unit.batch.end_chunk());
            it.set(place, Tile { own, ..it.tiles[place] });
        }
        Some(it)
    }

    /// How little noise is enough.
    #[must_use]
    pub const fn target(&self) -> NoiseTarget {
        self.target
    }

    /// Whether something is still to be decided.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        self.undecided > 0
    }

    /// Whether a unit is not rendered because its tile has ended.
    #[must_use]
    pub fn spares(&self, unit: &Unit) -> bool {
        self.tiles[self.place(unit)].has_ended && !self.wants(unit)
    }

    /// Whether a unit is rendered as far as it is decided.
    #[must_use]
    pub fn wants(&self, unit: &Unit) -> bool {
        unit.batch.first_chunk() < self.tiles[self.place(unit)].chunks
    }

    /// After how many chunks it is decided next of a unit's tile; none where nothing is to be decided.
    #[must_use]
    pub fn decides_after(&self, unit: &Unit) -> Option<u32> {
        let tile = self.tiles[self.place(unit)];
        tile.has_open_end().then_some(tile.chunks)
    }

    /// It was decided of a unit's tile: it ends, or it gets more samples.
    pub(in crate::core) fn decide(&mut self, unit: &Unit, ends: bool) {
        let place = self.place(unit);
        let old = self.tiles[place];
        let next = || self.target.next_decision(old.chunks, self.chunk_count);
        let chunks = if ends { old.chunks } else { next() };
        let tile = Tile { chunks, has_ended: ends, ..old };
        self.set(place, tile);
    }

    /// A unit turned out to be bad, and what was decided of its tile with it: it is decided again when
    /// it was rendered anew.
    pub(in crate::core) fn decide_again(&mut self, unit: &Unit) {
        let place = self.place(unit);
        let old = self.tiles[place];
        let chunks = self.target.next_decision(unit.batch.end_chunk() - 1, self.chunk_count);
        if chunks <= old.chunks {
            self.set(place, Tile { chunks, has_ended: false, ..old });
        }
    }

    fn set(&mut self, place: usize, tile: Tile) {
        let old = std::mem::replace(&mut self.tiles[place], tile);
        self.undecided += u32::from(tile.has_open_end());
        self.undecided -= u32::from(old.has_open_end());
    }

    fn place(&self, unit: &Unit) -> usize {
        unit.shot.0 as usize * self.tiles_per_shot as usize + unit.tile.0 as usize
    }
}

impl Tile {
    const fn has_open_end(self) -> bool {
        !self.has_ended && self.chunks < self.own
    }
}
