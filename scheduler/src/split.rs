//! Job to units: fixed tiles, aligned batches, what the artist looks at first.

use std::collections::BTreeMap;

use protocol::{Batch, BatchLengths, JobId, JobSpec, ShotIndex, TileIndex, Unit, limits};

/// Most units of one job: its whole state stays in memory, and a listing of it on the wire.
pub const UNITS_MAX: u64 = 1 << 18;

/// A job too large to be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// More units than a job may have.
    #[error(
        "the job has {units} tiles over all its frames and cameras, at most {max} are taken; render fewer of them at a time or choose larger tiles (up to {side} px)",
        max = UNITS_MAX, side = limits::TILE_SIDE_PX_MAX
    )]
    TooManyUnits {
        /// How many it would have.
        units: u64,
    },
}

/// Batches of earlier jobs that stay in a job's pictures, by shot and tile; none overlaps another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    batches: BTreeMap<(ShotIndex, TileIndex), Vec<Batch>>,
}

/// What is to be rendered beside what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Samples of pixels, over all pictures.
    pub samples: u64,
    /// Pictures with any of them.
    pub shots: u32,
}

impl Kept {
    /// Keeps a batch.
    pub fn keep(&mut self, shot: ShotIndex, tile: TileIndex, batch: Batch) {
        self.batches.entry((shot, tile)).or_default().push(batch);
    }

    /// Number of batches.
    #[must_use]
    pub fn count(&self) -> usize {
        self.batches.values().map(Vec::len).sum()
    }

    /// What a job renders beside it.
    #[must_use]
    pub fn missing(&self, spec: &JobSpec) -> Missing {
        let (grid, samples) = (spec.grid(), spec.settings.samples);
        let of_shot = spec.settings.window().pixel_count() * u64::from(samples);
        let mut kept = BTreeMap::<ShotIndex, u64>::new();
        for (&(shot, tile), batches) in &self.batches {
            let pixels = grid.rect(tile).map_or(0, |rect| rect.pixel_count());
            let samples: u64 =
                batches.iter().map(|batch| batch.samples(samples).len() as u64).sum();
            *kept.entry(shot).or_default() += pixels * samples;
        }
        let whole = kept.values().filter(|&&samples| samples >= of_shot).count() as u32;
        let all = of_shot.saturating_mul(u64::from(spec.shot_count()));
        let samples = all.saturating_sub(kept.values().sum());
        Missing { samples, shots: spec.shot_count().saturating_sub(whole) }
    }

    /// The longest aligned runs of a batch that are not kept.
    fn cut(&self, shot: ShotIndex, tile: TileIndex, batch: Batch, parts: &mut Vec<Batch>) {
        // Aligned runs lie within each other or apart.
        let kept = self.batches.get(&(shot, tile)).map_or(&[][..], Vec::as_slice);
        let overlaps = |other: &&Batch| {
            other.first_chunk() < batch.end_chunk() && batch.first_chunk() < other.end_chunk()
        };
        match kept.iter().find(overlaps) {
            None => parts.push(batch),
            Some(other) if other.chunk_count() >= batch.chunk_count() => {}
            Some(_) => {
                let half = batch.chunk_count() / 2;
                for first in [batch.first_chunk(), batch.first_chunk() + half] {
                    let half = Batch::new(first, half).expect("invariant: half a batch is one");
                    self.cut(shot, tile, half, parts);
                }
            }
        }
    }
}

/// Cuts what is missing of a job into units: shots in order, of each the batches by index, tiles from
/// the centre.
///
/// The grid is the job's own and never changes; only the length of batches adapts, and it is fixed
/// when the job is ordered (see [`chunks_per_batch`]).
///
/// # Errors
/// [`SplitError::TooManyUnits`].
pub fn split(
    job: JobId,
    spec: &JobSpec,
    lengths: BatchLengths,
    kept: &Kept,
) -> Result<Vec<Unit>, SplitError> {
    let batches = spec.batches(lengths);
    let grid = spec.grid();
    let units = u64::from(spec.shot_count()) * u64::from(grid.tile_count()) * batches.len() as u64;
    if units > UNITS_MAX {
        return Err(SplitError::TooManyUnits { units });
    }
    let tiles: Vec<TileIndex> = grid.from_centre();
    let mut all = Vec::with_capacity(units as usize);
    for shot in spec.shots() {
        for &batch in &batches {
            for &tile in &tiles {
                let mut parts = Vec::with_capacity(1);
                kept.cut(shot, tile, batch, &mut parts);
                all.extend(parts.into_iter().map(|batch| Unit { job, shot, tile, batch }));
            }
        }
    }
    match all.len() as u64 {
        units if units > UNITS_MAX => Err(SplitError::TooManyUnits { units }),
        _ => Ok(all),
    }
}

/// Units that each node should have to do of a job, at least: the last one keeps the artist waiting
/// for as long as it takes.
const UNITS_PER_NODE: u128 = 24;

/// How long a unit of a job should take, milliseconds: `shortest_ms`, and longer up to `longest_ms`
/// where nodes have so much to do that short ones gain nothing, and cost a film, a challenge and
/// entries of the ledger each.
///
/// The job renders so many `samples` of pixels, and `nodes` trace `rays_per_second` each.
#[must_use]
pub fn unit_ms(
    samples: u64,
    millirays_per_sample: u64,
    (nodes, rays_per_second): (usize, u64),
    (shortest_ms, longest_ms): (u64, u64),
) -> u64 {
    // rays/s × ms is millirays.
    let all_per_second = u128::from(rays_per_second.max(1)) * nodes.max(1) as u128;
    let job_ms = u128::from(samples) * u128::from(millirays_per_sample) / all_per_second;
    let unit_ms = u64::try_from(job_ms / UNITS_PER_NODE).unwrap_or(u64::MAX);
    unit_ms.min(longest_ms).max(shortest_ms)
}

/// How many chunks a batch should have: the one place where work adapts to nodes.
///
/// A unit should take `unit_ms` on a node that traces `rays_per_second`, given the quote's rays
/// for one sample of one pixel (in thousandths). At most the whole tile, at least one chunk, and
/// always so long that the whole job stays under [`UNITS_MAX`].
#[must_use]
pub fn chunks_per_batch(
    spec: &JobSpec,
    millirays_per_sample: u64,
    rays_per_second: u64,
    unit_ms: u64,
) -> u32 {
    let chunks = spec.settings.chunk_count();
    let tile_pixels = u128::from(spec.tile_side_px) * u128::from(spec.tile_side_px);
    let millirays_per_chunk = tile_pixels
        * u128::from(protocol::settings::CHUNK_SAMPLES)
        * u128::from(millirays_per_sample.max(1));
    // rays/s × ms is millirays.
    let wanted = u128::from(rays_per_second.max(1)) * u128::from(unit_ms) / millirays_per_chunk;
    let tiles = u64::from(spec.grid().tile_count()) * u64::from(spec.shot_count());
    // A cover of n chunks by runs of up to c has at most n / c + log2(n) + 1 runs, growing ones too.
    let batches_max = (UNITS_MAX / tiles.max(1)).saturating_sub(17).max(1);
    let fewest = u64::from(chunks).div_ceil(batches_max).next_power_of_two();
    let longest = u64::from(chunks).next_power_of_two();
    let chosen = u64::try_from(wanted).unwrap_or(u64::MAX).clamp(1, longest).max(fewest);
    chosen.min(longest) as u32
}

/// How long batches are: growing ones where that is asked for, unless the job would have too many
/// units for it; very long animations come picture by picture instead.
#[must_use]
pub fn lengths(spec: &JobSpec, chunks_max: u32, growing: bool) -> BatchLengths {
    let lengths = BatchLengths { chunks_max, growing };
    let tiles = u64::from(spec.grid().tile_count()) * u64::from(spec.shot_count());
    let is_few = tiles * spec.batches(lengths).len() as u64 <= UNITS_MAX;
    BatchLengths { growing: growing && is_few, ..lengths }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::{CameraChoice, FrameRange, RenderSettings, SceneId, ShotIndex, Size};

    use super::*;

    const fn of_up_to(chunks_max: u32) -> BatchLengths {
        BatchLengths { chunks_max, growing: false }
    }

    fn spec(size: Size, samples: u32, frames: FrameRange) -> JobSpec {
        JobSpec {
            name: "test".to_owned(),
            scene: SceneId([0; 32]),
            settings: RenderSettings { size, samples, ..RenderSettings::default() },
            more_cameras: Vec::new(),
            frames,
            tile_side_px: 32,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        }
    }

    #[test]
    fn units_are_as_long_as_the_job_allows() {
        // 240 million samples of one ray.
        let check = |nodes, speed, expected| {
            assert_eq!(unit_ms(240_000_000, 1_000, (nodes, speed), (4_000, 20_000)), expected);
        };
        check(1, 1_000_000, 10_000);
        check(2, 1_000_000, 5_000);
        check(10, 1_000_000, 4_000);
        check(1, 100_000, 20_000);
        check(0, 0, 20_000);
        // Who sets one length for all has it.
        assert_eq!(unit_ms(240_000_000, 1_000, (1, 1_000_000), (30_000, 20_000)), 30_000);
    }

    #[test]
    fn long_animations_grow_no_pictures() {
        let frames = |last| FrameRange { first: 1, last, step: 1, fps: 24.0 };
        let grows = |last| {
            let spec = spec(Size::new(96, 64), 64, frames(last));
            let lengths = lengths(&spec, chunks_per_batch(&spec, 1, 1, 1), true);
            let units = split(JobId([0; 16]), &spec, lengths, &Kept::default()).expect("taken");
            (lengths.growing, units.len())
        };
        // Six tiles of four chunks, one at a time; or three batches that grow, as 1 + 1 + 2.
        assert_eq!(grows(1), (true, 24));
        assert_eq!(grows(14_000), (true, 252_000));
        assert_eq!(grows(15_000), (false, 90_000));
    }

    #[test]
    fn every_sample_of_every_pixel_of_every_frame_is_in_one_unit() {
        let frames = FrameRange { first: 1, last: 3, step: 2, fps: 24.0 };
        let left = CameraChoice::Named("left".to_owned());
        let spec = JobSpec { more_cameras: vec![left], ..spec(Size::new(70, 33), 100, frames) };
        let units = split(JobId([0; 16]), &spec, of_up_to(4), &Kept::default()).expect("small");
        let mut samples = std::collections::BTreeMap::<(ShotIndex, u32, u32), u32>::new();
        for unit in &units {
            for (x, y) in spec.grid().rect(unit.tile).expect("a tile").pixels() {
                *samples.entry((unit.shot, x, y)).or_default() +=
                    unit.batch.samples(100).len() as u32;
            }
        }
        assert_eq!(samples.len(), 2 * 2 * 70 * 33);
        assert!(samples.values().all(|&count| count == 100));
        assert_eq!(units.iter().collect::<BTreeSet<_>>().len(), units.len());
    }

    #[test]
    fn what_is_kept_is_not_rendered_again_and_nothing_else_is_left_out() {
        let frames = FrameRange { first: 1, last: 2, step: 1, fps: 24.0 };
        let spec = spec(Size::new(70, 33), 1_000, frames);
        let batch = |first, count| Batch::new(first, count).expect("aligned");
        let mut kept = Kept::default();
        kept.keep(ShotIndex(1), TileIndex(3), batch(0, 16));
        kept.keep(ShotIndex(1), TileIndex(3), batch(16, 4));
        kept.keep(ShotIndex(1), TileIndex(3), batch(23, 1));
        kept.keep(ShotIndex(1), TileIndex(0), batch(40, 2));
        let lengths = [1, 4, 8, 64].map(of_up_to);
        let growing = lengths.map(|lengths| BatchLengths { growing: true, ..lengths });
        for lengths in lengths.into_iter().chain(growing) {
            let mut chunks = std::collections::BTreeMap::<(ShotIndex, TileIndex), Vec<u32>>::new();
            let units = split(JobId([0; 16]), &spec, lengths, &kept).expect("small");
            let batches = units.iter().map(|unit| ((unit.shot, unit.tile), unit.batch));
            let batches =
                batches.chain(kept.batches.iter().flat_map(|(&place, batches)| {
                    batches.iter().map(move |&batch| (place, batch))
                }));
            for (place, batch) in batches {
                let of_tile = chunks.entry(place).or_default();
                of_tile.extend(batch.first_chunk()..batch.end_chunk());
            }
            assert_eq!(chunks.len(), 2 * 3 * 2);
            for mut of_tile in chunks.into_values() {
                of_tile.sort_unstable();
                assert_eq!(of_tile, (0..63).collect::<Vec<_>>(), "{lengths:?}");
            }
            let samples = |unit: &Unit| {
                let rect = spec.grid().rect(unit.tile).expect("a tile");
                rect.pixel_count() * unit.batch.samples(1_000).len() as u64
            };
            let missing = Missing { samples: units.iter().map(samples).sum(), shots: 2 };
            assert_eq!(kept.missing(&spec), missing);
        }
    }

    #[test]
    fn a_picture_that_is_all_there_is_no_work() {
        let spec =
            spec(Size::new(32, 32), 40, FrameRange { first: 1, last: 2, step: 1, fps: 24.0 });
        let mut kept = Kept::default();
        assert_eq!(kept.missing(&spec), Missing { samples: 2 * 1_024 * 40, shots: 2 });
        for batch in Batch::cover(3, 2) {
            kept.keep(ShotIndex(0), TileIndex(0), batch);
        }
        assert_eq!(kept.missing(&spec), Missing { samples: 1_024 * 40, shots: 1 });
        for batch in Batch::cover(3, 1) {
            kept.keep(ShotIndex(1), TileIndex(0), batch);
        }
        assert_eq!(kept.missing(&spec), Missing { samples: 0, shots: 0 });
        assert_eq!(split(JobId([0; 16]), &spec, of_up_to(4), &kept), Ok(Vec::new()));
    }

    #[test]
    fn shots_have_the_camera_and_the_time_of_their_own() {
        let frames = FrameRange { first: 6, last: 12, step: 6, fps: 24.0 };
        let left = CameraChoice::Named("left".to_owned());
        let spec = spec(Size::new(8, 8), 16, frames);
        let spec = JobSpec { more_cameras: vec![left.clone()], ..spec };
        let shot =
            |index| spec.shot_settings(ShotIndex(index)).map(|(s, t)| (s.camera, t.to_bits()));
        let (early, late) = (0.25_f32.to_bits(), 0.5_f32.to_bits());
        assert_eq!(shot(0), Some((CameraChoice::Default, early)));
        assert_eq!(shot(1), Some((left.clone(), early)));
        assert_eq!(shot(3), Some((left, late)));
        assert_eq!(shot(4), None);
    }

    #[test]
    fn the_first_unit_is_the_first_frames_centre() {
        let spec = spec(Size::new(96, 96), 16, FrameRange::STILL);
        let units = split(JobId([0; 16]), &spec, of_up_to(1), &Kept::default()).expect("small");
        assert_eq!(units[0].tile, TileIndex(4));
    }

    #[test]
    fn too_many_units_are_refused_by_number() {
        let frames = FrameRange { first: 0, last: 9_999, step: 1, fps: 24.0 };
        let spec = spec(Size::new(1920, 1080), 16, frames);
        assert_eq!(
            split(JobId([0; 16]), &spec, of_up_to(1), &Kept::default()),
            Err(SplitError::TooManyUnits { units: 10_000 * 60 * 34 })
        );
    }

    #[test]
    fn batches_grow_with_the_nodes_and_stop_at_the_tile() {
        let spec = spec(Size::new(128, 128), 256, FrameRange::STILL);
        // 32² pixels × 16 samples × 6 rays = 98 304 rays a chunk.
        let chunks = |rays_per_second| chunks_per_batch(&spec, 6_000, rays_per_second, 2_000);
        assert_eq!(chunks(1), 1);
        assert_eq!(chunks(98_304 * 2), 4);
        assert_eq!(chunks(u64::MAX), 16);
    }

    #[test]
    fn a_slow_farm_does_not_split_a_long_job_too_finely() {
        let frames = FrameRange { first: 0, last: 99, step: 1, fps: 24.0 };
        let spec = spec(Size::new(640, 360), 65_536, frames);
        let chunks = chunks_per_batch(&spec, 6_000, 1, 1);
        let units = split(JobId([0; 16]), &spec, of_up_to(chunks), &Kept::default());
        assert!(units.is_ok(), "{chunks}");
    }
}
