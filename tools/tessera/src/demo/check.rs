//! The demo's own look at the picture: tiles of the written file, rendered again here.

use std::path::Path;

use anyhow::Context as _;
use film::{Frame, Picture};
use protocol::{Batch, Digest, JobId, JobSpec, Rect, TileIndex};
use renderer::{Backend as _, Cancel, CpuBackend, RenderScene, Work};

/// Share of pixels that may differ by more than a thousandth where a node's device does not
/// round as the CPU does (DESIGN.md section 6.4).
const TOLERANT_SHARE_MAX: f64 = 0.01;

/// How the file's tiles compare with ours.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureCheck {
    /// Tiles compared.
    pub tiles: Vec<TileIndex>,
    /// Pixels compared.
    pub pixels: u64,
    /// Pixels that are not equal to the bit.
    pub unequal: u64,
    /// Pixels that differ by more than a thousandth.
    pub beyond: u64,
}

impl PictureCheck {
    /// Whether every pixel is equal to the bit.
    pub const fn is_equal(&self) -> bool {
        self.unequal == 0
    }

    /// Whether the picture is right, as far as it was looked at.
    pub fn is_right(&self) -> bool {
        self.beyond as f64 <= TOLERANT_SHARE_MAX * self.pixels as f64
    }
}

/// Tiles to look at: those of `first`, then others by the job's id, `count` in all.
pub fn choose(job: JobId, spec: &JobSpec, first: &[TileIndex], count: usize) -> Vec<TileIndex> {
    let mut tiles = first.to_vec();
    let mut others: Vec<TileIndex> = (0..spec.grid().tile_count()).map(TileIndex).collect();
    others.sort_by_key(|tile| Digest::of("demo tile", &[&job.0, &tile.0.to_le_bytes()]));
    tiles.extend(others);
    let mut seen = std::collections::BTreeSet::new();
    tiles.retain(|tile| seen.insert(*tile));
    tiles.truncate(count);
    tiles
}

/// Renders `tiles` here and compares them with the same pixels of the written EXR.
///
/// # Errors
/// The file cannot be read, or the render fails.
pub fn check(
    exr: &Path,
    scene: &RenderScene,
    spec: &JobSpec,
    tiles: Vec<TileIndex>,
    cancel: &Cancel,
) -> anyhow::Result<PictureCheck> {
    let written = film::read_exr(exr).context("the written picture cannot be read back")?;
    let settings = scene.settings();
    let mut cpu = CpuBackend::new(None);
    let mut frame = Frame::new(settings.size, settings.samples);
    let mut rects = Vec::with_capacity(tiles.len());
    for &tile in &tiles {
        let rect = spec.grid().rect(tile).context("a tile past the frame")?;
        rects.push(rect);
        for batch in Batch::cover(settings.chunk_count(), u32::MAX) {
            let film = cpu.render(scene, Work { rect, batch }, cancel)?;
            frame.insert(film)?;
        }
    }
    let ours = frame.picture();
    let mut found = PictureCheck { tiles, pixels: 0, unequal: 0, beyond: 0 };
    for rect in rects {
        compare(&ours, &written, rect, &mut found);
    }
    Ok(found)
}

fn compare(ours: &Picture, written: &Picture, rect: Rect, found: &mut PictureCheck) {
    for (x, y) in rect.pixels() {
        let index = y as usize * ours.size.width as usize + x as usize;
        found.pixels += 1;
        let (Some(a), Some(b)) = (ours.beauty.get(index), written.beauty.get(index)) else {
            found.unequal += 1;
            found.beyond += 1;
            continue;
        };
        let samples = ours.samples.get(index) == written.samples.get(index);
        if !samples || a.map(f32::to_bits) != b.map(f32::to_bits) {
            found.unequal += 1;
        }
        let largest = a.iter().chain(b).fold(0.0_f32, |largest, &value| largest.max(value));
        // Not a number is within no limit.
        let close = a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3 * largest);
        if !samples || !close {
            found.beyond += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Size;

    use super::*;

    fn picture(value: f32) -> Picture {
        let mut picture = Picture::transparent(Size::new(4, 2));
        picture.beauty.fill([value; 3]);
        picture.samples.fill(64);
        picture
    }

    fn found(ours: &Picture, written: &Picture) -> PictureCheck {
        let mut found = PictureCheck { tiles: Vec::new(), pixels: 0, unequal: 0, beyond: 0 };
        compare(ours, written, Rect { x0: 1, y0: 0, x1: 3, y1: 2 }, &mut found);
        found
    }

    #[test]
    fn equal_close_and_wrong_pixels_are_told_apart() {
        let equal = found(&picture(0.5), &picture(0.5));
        assert!(equal.is_equal() && equal.is_right() && equal.pixels == 4);
        let close = found(&picture(0.5), &picture(0.500_1));
        assert!(!close.is_equal() && close.is_right());
        assert!(!found(&picture(0.5), &picture(0.6)).is_right());
        assert!(!found(&picture(0.5), &picture(f32::NAN)).is_right());
        let mut fewer = picture(0.5);
        fewer.samples.fill(16);
        assert!(!found(&picture(0.5), &fewer).is_right());
    }

    #[test]
    fn refused_tiles_are_looked_at_first() {
        let spec = JobSpec {
            name: "a".to_owned(),
            scene: protocol::SceneId([0; 32]),
            settings: protocol::RenderSettings::default(),
            more_cameras: Vec::new(),
            frames: protocol::FrameRange::STILL,
            tile_side_px: 128,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        };
        let tiles = choose(JobId([7; 16]), &spec, &[TileIndex(3), TileIndex(3)], 3);
        assert_eq!(tiles.len(), 3);
        assert_eq!(tiles[0], TileIndex(3));
        assert!(!tiles[1..].contains(&TileIndex(3)));
    }
}
