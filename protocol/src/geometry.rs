//! Pixels: sizes, rectangles and the tile grid of a frame.

use serde::{Deserialize, Serialize};

use crate::job::TileIndex;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Pixels to the right.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    /// A size of `width` × `height` pixels.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Number of pixels.
    #[must_use]
    pub const fn pixel_count(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A rectangle of pixels, half-open: `x0 <= x < x1`, `y0 <= y < y1`; y grows downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge, inside.
    pub x0: u32,
    /// Upper edge, inside.
    pub y0: u32,
    /// Right edge, outside.
    pub x1: u32,
    /// Lower edge, outside.
    pub y1: u32,
}

impl Rect {
    /// The rectangle that covers a whole frame.
    #[must_use]
    pub const fn of_size(size: Size) -> Self {
        Self { x0: 0, y0: 0, x1: size.width, y1: size.height }
    }

    /// Pixels to the right; 0 for a rectangle turned inside out.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.x1.saturating_sub(self.x0)
    }

    /// Pixels down; 0 for a rectangle turned inside out.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.y1.saturating_sub(self.y0)
    }

    /// Its width and height.
    #[must_use]
    pub const fn size(&self) -> Size {
        Size::new(self.width(), self.height())
    }

    /// Whether every pixel of another rectangle lies inside.
    #[must_use]
    pub const fn holds(&self, inner: &Self) -> bool {
        inner.x0 >= self.x0 && inner.y0 >= self.y0 && inner.x1 <= self.x1 && inner.y1 <= self.y1
    }

    /// The same pixels, told from the upper left of a rectangle that holds them.
    #[must_use]
    pub const fn inside(&self, outer: &Self) -> Self {
        Self {
            x0: self.x0.saturating_sub(outer.x0),
            y0: self.y0.saturating_sub(outer.y0),
            x1: self.x1.saturating_sub(outer.x0),
            y1: self.y1.saturating_sub(outer.y0),
        }
    }

    /// Number of pixels.
    #[must_use]
    pub const fn pixel_count(&self) -> u64 {
        self.width() as u64 * self.height() as u64
    }

    /// Whether the pixel lies inside.
    #[must_use]
    pub const fn contains(&self, x: u32, y: u32) -> bool {
        x >= self.x0 && x < self.x1 && y >= self.y0 && y < self.y1
    }

    /// Pixel coordinates in rows from the upper left.
    pub fn pixels(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        let rect = *self;
        (rect.y0..rect.y1).flat_map(move |y| (rect.x0..rect.x1).map(move |x| (x, y)))
    }
}

/// How what is rendered of a frame is cut into tiles, from its upper left; fixed when a job is
/// split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TileGrid {
    window: Rect,
    tile_side_px: u32,
}

impl TileGrid {
    /// A grid of square tiles over the pixels that are rendered; those at the right and lower edges
    /// are cut.
    ///
    /// # Panics
    /// When `tile_side_px` is 0; a validated [`crate::JobSpec`] never has that.
    #[must_use]
    pub const fn new(window: Rect, tile_side_px: u32) -> Self {
        assert!(tile_side_px > 0, "a tile has at least one pixel");
        Self { window, tile_side_px }
    }

    /// Tiles to the right.
    #[must_use]
    pub const fn columns(&self) -> u32 {
        self.window.width().div_ceil(self.tile_side_px)
    }

    /// Tiles down.
    #[must_use]
    pub const fn rows(&self) -> u32 {
        self.window.height().div_ceil(self.tile_side_px)
    }

    /// Number of tiles in a frame.
    #[must_use]
    pub const fn tile_count(&self) -> u32 {
        self.columns() * self.rows()
    }

    /// The pixels of a tile (numbered in rows from the upper left), or `None` past the last.
    #[must_use]
    pub fn rect(&self, tile: TileIndex) -> Option<Rect> {
        if tile.0 >= self.tile_count() {
            return None;
        }
        let x0 = self.window.x0 + tile.0 % self.columns() * self.tile_side_px;
        let y0 = self.window.y0 + tile.0 / self.columns() * self.tile_side_px;
        Some(Rect {
            x0,
            y0,
            x1: x0.saturating_add(self.tile_side_px).min(self.window.x1),
            y1: y0.saturating_add(self.tile_side_px).min(self.window.y1),
        })
    }

    /// The tile that a pixel of the frame is in, or `None` where nothing is rendered.
    #[must_use]
    pub const fn tile_at(&self, x: u32, y: u32) -> Option<TileIndex> {
        if !self.window.contains(x, y) {
            return None;
        }
        let (column, row) =
            ((x - self.window.x0) / self.tile_side_px, (y - self.window.y0) / self.tile_side_px);
        Some(TileIndex(row * self.columns() + column))
    }

    /// How many rings of tiles around one another of the same picture is.
    #[must_use]
    pub const fn rings_between(&self, one: TileIndex, other: TileIndex) -> u32 {
        let across = (one.0 % self.columns()).abs_diff(other.0 % self.columns());
        let down = (one.0 / self.columns()).abs_diff(other.0 / self.columns());
        if across > down { across } else { down }
    }

    /// All tiles, those nearest the centre first: what the artist looks at appears first.
    #[must_use]
    pub fn from_centre(&self) -> Vec<TileIndex> {
        let mut tiles: Vec<TileIndex> = (0..self.tile_count()).map(TileIndex).collect();
        let (columns, rows) = (i64::from(self.columns()), i64::from(self.rows()));
        tiles.sort_by_key(|tile| {
            let x = 2 * (i64::from(tile.0) % columns) - (columns - 1);
            let y = 2 * (i64::from(tile.0) / columns) - (rows - 1);
            (x * x + y * y, tile.0)
        });
        tiles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_pixel_once() {
        for window in [
            Rect::of_size(Size::new(130, 67)),
            Rect { x0: 7, y0: 30, x1: 137, y1: 97 },
            Rect { x0: 64, y0: 1, x1: 65, y1: 2 },
        ] {
            let grid = TileGrid::new(window, 32);
            let mut seen = vec![0; window.pixel_count() as usize];
            for tile in grid.from_centre() {
                let rect = grid.rect(tile).expect("a tile of the grid");
                assert!(window.holds(&rect) && rect.width() <= 32 && rect.height() <= 32);
                assert_eq!(grid.tile_at(rect.x1 - 1, rect.y0), Some(tile));
                for (x, y) in rect.inside(&window).pixels() {
                    seen[(y * window.width() + x) as usize] += 1;
                }
            }
            assert!(seen.iter().all(|&count| count == 1), "{window:?}");
            assert_eq!(grid.rect(TileIndex(grid.tile_count())), None);
            assert_eq!(grid.tile_at(window.x1, window.y0), None);
        }
    }

    #[test]
    fn rings_lie_around_a_tile() {
        // Four columns, three rows.
        let grid = TileGrid::new(Rect::of_size(Size::new(100, 70)), 32);
        let rings = (0..12).map(|tile| grid.rings_between(TileIndex(4), TileIndex(tile)));
        assert_eq!(rings.collect::<Vec<_>>(), [1, 1, 2, 3, 0, 1, 2, 3, 1, 1, 2, 3]);
    }

    #[test]
    fn the_centre_comes_first() {
        assert_eq!(
            TileGrid::new(Rect::of_size(Size::new(96, 96)), 32).from_centre()[0],
            TileIndex(4)
        );
    }
}
