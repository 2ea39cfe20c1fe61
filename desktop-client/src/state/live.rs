//! A job as it is being watched.

use std::collections::BTreeSet;

use protocol::view::{AcceptedUnit, JobSummary, TileStatus};
use protocol::{JobId, NodeId, Rect, ShotIndex, Size, TileIndex, Unit};

use super::picture::{Picture, Texel};

/// A shot of a job as it is being watched.
#[derive(Debug, Clone)]
pub struct Live {
    /// The job.
    pub job: JobId,
    /// The shot that is shown.
    pub shot: ShotIndex,
    /// Status of each tile of that shot; empty until the first news.
    pub tiles: Vec<TileStatus>,
    /// Accepted units of that shot, in order of acceptance.
    pub accepted: Vec<AcceptedUnit>,
    /// How each shot of the job stands; empty until the first news.
    pub shots: Vec<TileLook>,
    /// Accepted chunks of each tile.
    pub chunks: Vec<u32>,
    /// What has come of the picture.
    pub picture: Picture,
    /// Why the picture stays incomplete, when it does.
    pub problem: Option<String>,
    seen: BTreeSet<Unit>,
}

/// News of the watched shot.
#[derive(Debug, Clone)]
pub enum Event {
    /// The job, its tiles, and units accepted since the last news.
    Update {
        /// The job as it is now.
        summary: Box<JobSummary>,
        /// The shot that the rest is about.
        shot: ShotIndex,
        /// Status of its tiles.
        tiles: Vec<TileStatus>,
        /// Units of it accepted since the last news.
        accepted: Vec<AcceptedUnit>,
        /// How each shot of the job stands.
        shots: Vec<TileLook>,
    },
    /// Light of the picture.
    Light {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
        /// Where, pixels of what is rendered.
        rect: Rect,
        /// Rows from the upper left.
        texels: Vec<Texel>,
    },
    /// The picture cannot be shown whole.
    Problem {
        /// The job.
        job: JobId,
        /// What happened.
        why: String,
    },
}

/// How a tile is shown: the farm names the least advanced of its batches, but samples that are
/// here are worth seeing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileLook {
    /// Nothing is here and no node has it.
    Waiting,
    /// Some of its samples are accepted; the others wait.
    Partial,
    /// Leased.
    Rendering,
    /// A film was refused; it goes elsewhere.
    Retrying,
    /// A film is being checked.
    Received,
    /// All of it is accepted.
    Accepted,
}

impl TileLook {
    /// Every look, in the order of a tile's life.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Partial,
        Self::Rendering,
        Self::Received,
        Self::Retrying,
        Self::Accepted,
    ];
}

/// How each shot stands, of whose tiles each has `count`: accepted where all of them are, else as the
/// one of them that most happens to.
#[must_use]
pub fn looks_of_shots(tiles: &[TileStatus], count: usize) -> Vec<TileLook> {
    let look = |tiles: &[TileStatus]| {
        let any = |status: TileStatus| tiles.contains(&status);
        match () {
            () if tiles.iter().all(|tile| *tile == TileStatus::Accepted) => TileLook::Accepted,
            () if any(TileStatus::Retrying) => TileLook::Retrying,
            () if any(TileStatus::Rendering) => TileLook::Rendering,
            () if any(TileStatus::Received) => TileLook::Received,
            () if any(TileStatus::Accepted) => TileLook::Partial,
            () => TileLook::Waiting,
        }
    };
    tiles.chunks(count.max(1)).map(look).collect()
}

impl Live {
    /// A shot of which nothing is known: its size in pixels, and how many tiles it has.
    #[must_use]
    pub fn new(
        (job, shot): (JobId, ShotIndex),
        (size, tile_count): (Size, usize),
        picture_id: u64,
    ) -> Self {
        Self {
            job,
            shot,
            tiles: Vec::new(),
            accepted: Vec::new(),
            shots: Vec::new(),
            chunks: vec![0; tile_count],
            picture: Picture::new(picture_id, size),
            problem: None,
            seen: BTreeSet::new(),
        }
    }

    /// Takes news in; what is of another job or shot is no news.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Update { summary, shot, tiles, accepted, shots } => {
                if summary.job == self.job {
                    self.shots = shots;
                }
                if (summary.job, shot) == (self.job, self.shot) {
                    self.tiles = tiles;
                    accepted.into_iter().for_each(|unit| self.accept(unit));
                }
            }
            Event::Light { job, shot, rect, texels } => {
                if (job, shot) == (self.job, self.shot) {
                    self.picture.write(rect, texels);
                    self.problem = None;
                }
            }
            Event::Problem { job, why } => {
                if job == self.job {
                    self.problem = Some(why);
                }
            }
        }
    }

    /// Number of tiles of each look, in the order of [`TileLook::ALL`].
    #[must_use]
    pub fn counts(&self) -> [usize; TileLook::ALL.len()] {
        let mut counts = [0; TileLook::ALL.len()];
        for tile in 0..self.tiles.len() {
            counts[place(self.look(tile))] += 1;
        }
        counts
    }

    /// Number of tiles that look so.
    #[must_use]
    pub fn count(&self, look: TileLook) -> usize {
        self.counts()[place(look)]
    }

    /// Whether every tile is accepted, and every film of it is drawn.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let are_accepted = self.tiles.iter().all(|tile| *tile == TileStatus::Accepted);
        let films = self.accepted.len() as u64;
        !self.tiles.is_empty() && are_accepted && films > 0 && self.picture.changes() >= films
    }

    /// How a tile is shown; a tile that the frame lacks waits.
    #[must_use]
    pub fn look(&self, tile: usize) -> TileLook {
        let started = self.chunks.get(tile).is_some_and(|&chunks| chunks > 0);
        match self.tiles.get(tile) {
            Some(TileStatus::Accepted) => TileLook::Accepted,
            Some(TileStatus::Received) => TileLook::Received,
            Some(TileStatus::Retrying) => TileLook::Retrying,
            Some(TileStatus::Rendering) => TileLook::Rendering,
            Some(TileStatus::Waiting) if started => TileLook::Partial,
            Some(TileStatus::Waiting) | None => TileLook::Waiting,
        }
    }

    /// Takes a unit in, once.
    fn accept(&mut self, unit: AcceptedUnit) {
        if !self.seen.insert(unit.unit) {
            return;
        }
        if let Some(chunks) = self.chunks.get_mut(unit.unit.tile.0 as usize) {
            *chunks = chunks.saturating_add(unit.unit.batch.chunk_count());
        }
        self.accepted.push(unit);
    }

    /// Accepted units of one tile.
    pub fn accepted_of(&self, tile: TileIndex) -> impl Iterator<Item = &AcceptedUnit> {
        self.accepted.iter().filter(move |it| it.unit.tile == tile)
    }

    /// Who rendered what is accepted of a tile, each once.
    #[must_use]
    pub fn nodes_of(&self, tile: TileIndex) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for unit in self.accepted_of(tile) {
            if !nodes.contains(&unit.node) {
                nodes.push(unit.node);
            }
        }
        nodes
    }
}

/// Its place in [`TileLook::ALL`].
const fn place(look: TileLook) -> usize {
    match look {
        TileLook::Waiting => 0,
        TileLook::Partial => 1,
        TileLook::Rendering => 2,
        TileLook::Received => 3,
        TileLook::Retrying => 4,
        TileLook::Accepted => 5,
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Batch, Digest, RayCount};

    use super::*;

    #[test]
    fn who_rendered_a_tile_is_told_once() {
        let (job, shot) = (JobId([1; 16]), ShotIndex(0));
        let mut live = Live::new((job, shot), (Size::new(128, 64), 2), 1);
        for (tile, chunk, node) in [(0, 0, 7), (0, 1, 8), (0, 2, 7), (1, 0, 9)] {
            let batch = Batch::new(chunk, 1).expect("aligned");
            live.accept(AcceptedUnit {
                unit: Unit { job, shot, tile: TileIndex(tile), batch },
                node: NodeId([node; 32]),
                root: Digest([0; 32]),
                rays: RayCount::default(),
                pixels_checked: 0,
            });
        }
        assert_eq!(live.nodes_of(TileIndex(0)), [NodeId([7; 32]), NodeId([8; 32])]);
        assert_eq!(live.nodes_of(TileIndex(2)), []);
    }

    #[test]
    fn a_frame_looks_as_what_happens_to_it() {
        use TileStatus::{Accepted, Received, Rendering, Retrying, Waiting};
        let tiles = [
            [Accepted, Accepted],
            [Accepted, Waiting],
            [Waiting, Waiting],
            [Rendering, Retrying],
            [Accepted, Rendering],
            [Received, Accepted],
        ];
        let looks = looks_of_shots(tiles.as_flattened(), 2);
        let wanted = [
            TileLook::Accepted,
            TileLook::Partial,
            TileLook::Waiting,
            TileLook::Retrying,
            TileLook::Rendering,
            TileLook::Received,
        ];
        assert_eq!(looks, wanted);
    }
}
