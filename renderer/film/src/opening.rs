//! Pixels of a film that anyone can hold against the film's root.
//!
//! A film's root is the BLAKE3 hash of its bytes, and BLAKE3 is a tree over chunks of 1 KiB: the
//! chunks that hold some pixels, with the hashes beside their paths, show that just these values
//! were committed to, without the rest of the film. The encoding is that of bao, in chunk groups of
//! one chunk and without the length in front, which the tile tells.

use std::collections::BTreeSet;

use bao_tree::io::BaoContentItem;
use bao_tree::io::outboard::PreOrderMemOutboard;
use bao_tree::io::sync::{DecodeResponseIter, encode_ranges_validated};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges};
use protocol::{Digest, Rect};

use crate::bytes::{PIXEL_BYTES, film_pixel_bytes, sheets};
use crate::{FilmError, Sums};

/// One chunk of BLAKE3 to a group: the smallest openings.
const GROUP: BlockSize = BlockSize::ZERO;
/// Bytes of a chunk.
const CHUNK_BYTES: u64 = 1024;

/// Bytes that do not open pixels of a film.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// No pixels are asked for, or the bytes are no film of the tile.
    #[error("the opening is of no film of this tile: {0}")]
    Shape(String),
    /// A pixel is outside its tile.
    #[error("pixel {x},{y} is outside its tile")]
    Outside {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
    },
    /// Another film's bytes, altered or cut short.
    #[error("the opening does not lead to the film's root {root}; it was altered or is another's")]
    Root {
        /// The root it was held against.
        root: Digest,
    },
    /// More bytes than the pixels need.
    #[error("{0} bytes follow the opening; it was altered")]
    Trailing(usize),
    /// Words of the film that must be zero are not.
    #[error(transparent)]
    Film(#[from] FilmError),
}

/// Opens pixels of a film, in any order, none twice or any: a proof against its root.
///
/// `film_bytes` are those of [`crate::Film::to_bytes`]. The proof takes about 1.5 KiB a pixel of a tile of 128², three
/// times as much with light passes, less where pixels are neighbours.
///
/// # Errors
/// [`OpeningError::Shape`], [`OpeningError::Outside`].
pub fn open(
    film_bytes: &[u8],
    rect: Rect,
    has_passes: bool,
    places: &[(u32, u32)],
) -> Result<Vec<u8>, OpeningError> {
    let wanted = rect.pixel_count() * film_pixel_bytes(has_passes) as u64;
    if film_bytes.len() as u64 != wanted {
        return Err(OpeningError::Shape(format!("{} bytes, not {wanted}", film_bytes.len())));
    }
    let ranges = ranges(rect, has_passes, places)?;
    let outboard = PreOrderMemOutboard::create(film_bytes, GROUP);
    let mut opening = Vec::new();
    encode_ranges_validated(film_bytes, outboard, &ranges, &mut opening)
        .map_err(|error| OpeningError::Shape(error.to_string()))?;
    Ok(opening)
}

/// The sums that an opening shows, in the order of `places`; just these are under the root.
///
/// # Errors
/// See [`OpeningError`]. Hostile bytes never panic, and no more is allocated than they bring.
pub fn opened(
    root: Digest,
    rect: Rect,
    has_passes: bool,
    places: &[(u32, u32)],
    opening: &[u8],
) -> Result<Sums, OpeningError> {
    let ranges = ranges(rect, has_passes, places)?;
    let film_bytes = rect.pixel_count() * film_pixel_bytes(has_passes) as u64;
    let tree = BaoTree::new(film_bytes, GROUP);
    let mut rest = opening;
    let mut chunks = std::collections::BTreeMap::new();
    for item in DecodeResponseIter::new(root.0.into(), tree, &mut rest, &ranges) {
        match item {
            Ok(BaoContentItem::Leaf(leaf)) => {
                chunks.insert(leaf.offset / CHUNK_BYTES, leaf.data);
            }
            Ok(BaoContentItem::Parent(_)) => {}
            Err(_altered) => return Err(OpeningError::Root { root }),
        }
    }
    if !rest.is_empty() {
        return Err(OpeningError::Trailing(rest.len()));
    }
    // The opened pixels as a film of their own, one row high: its reader knows the layout.
    let mut bytes = Vec::with_capacity(places.len() * film_pixel_bytes(has_passes));
    for sheet in 0..sheets(has_passes) {
        for &(x, y) in places {
            let at = offset(rect, sheet, (x, y));
            let chunk = chunks.get(&(at / CHUNK_BYTES));
            let from = (at % CHUNK_BYTES) as usize;
            let pixel = chunk.and_then(|chunk| chunk.get(from..from + PIXEL_BYTES));
            bytes.extend_from_slice(pixel.ok_or(OpeningError::Root { root })?);
        }
    }
    Ok(Sums::from_bytes(places.len(), has_passes, &bytes)?)
}

/// The chunks that hold these pixels.
fn ranges(
    rect: Rect,
    has_passes: bool,
    places: &[(u32, u32)],
) -> Result<ChunkRanges, OpeningError> {
    if places.is_empty() {
        return Err(OpeningError::Shape("it opens no pixel".to_owned()));
    }
    if let Some(&(x, y)) = places.iter().find(|(x, y)| !rect.contains(*x, *y)) {
        return Err(OpeningError::Outside { x, y });
    }
    let chunks = (0..sheets(has_passes)).flat_map(|sheet| {
        places.iter().map(move |&place| offset(rect, sheet, place) / CHUNK_BYTES)
    });
    // A pixel never straddles two chunks: 16 of them fill one.
    let chunks: BTreeSet<u64> = chunks.collect();
    let mut ranges = ChunkRanges::empty();
    for chunk in chunks {
        ranges |= ChunkRanges::from(ChunkNum(chunk)..ChunkNum(chunk + 1));
    }
    Ok(ranges)
}

/// Where a pixel's bytes begin in its sheet of the film.
fn offset(rect: Rect, sheet: usize, (x, y): (u32, u32)) -> u64 {
    let row = u64::from(y - rect.y0) * u64::from(rect.width());
    let index = row + u64::from(x - rect.x0);
    (sheet as u64 * rect.pixel_count() + index) * PIXEL_BYTES as u64
}

#[cfg(test)]
mod tests {
    use protocol::Batch;

    use super::*;
    use crate::{Film, Passes, Pixel};

    const TILE: Rect = Rect { x0: 32, y0: 64, x1: 69, y1: 93 };

    fn film(has_passes: bool) -> Film {
        let pixels = (0..TILE.pixel_count() as u32).map(|at| Pixel {
            beauty: [at as f32, 0.5, -0.0],
            samples: 16,
            closest_rays: at,
            ..Pixel::default()
        });
        let pixels: Vec<Pixel> = pixels.collect();
        let sums = match has_passes {
            false => Sums::from(pixels),
            true => {
                let passes = pixels.iter().map(|pixel| Passes {
                    emission: pixel.beauty,
                    environment: pixel.beauty.map(|value| value + 0.25),
                    ..Passes::default()
                });
                let passes = passes.collect();
                Sums::with_passes(pixels, passes)
            }
        };
        Film::new(TILE, Batch::new(0, 1).expect("a batch"), sums).expect("a film")
    }

    const PLACES: [(u32, u32); 4] = [(68, 92), (32, 64), (50, 80), (51, 80)];

    #[test]
    fn what_is_opened_is_what_the_film_holds() {
        for has_passes in [false, true] {
            let film = film(has_passes);
            let bytes = film.to_bytes();
            for places in [&PLACES[..], &PLACES[..1]] {
                let opening = open(&bytes, TILE, has_passes, places).expect("opens");
                let sums = opened(film.root(), TILE, has_passes, places, &opening).expect("holds");
                let indices = places.iter().map(|&(x, y)| film.index(x, y).expect("inside"));
                assert_eq!(sums, film.sums().picked(indices).expect("inside"));
            }
        }
    }

    #[test]
    fn no_other_bytes_open_it() {
        let film = film(false);
        let (root, bytes) = (film.root(), film.to_bytes());
        let opening = open(&bytes, TILE, false, &PLACES).expect("opens");
        for at in 0..opening.len() {
            let mut altered = opening.clone();
            altered[at] ^= 1;
            let refused = opened(root, TILE, false, &PLACES, &altered);
            assert_eq!(refused, Err(OpeningError::Root { root }), "byte {at}");
        }
        for length in 0..opening.len() {
            let refused = opened(root, TILE, false, &PLACES, &opening[..length]);
            assert_eq!(refused, Err(OpeningError::Root { root }), "{length} bytes");
        }
        let longer = [&opening[..], &[0]].concat();
        let refused = opened(root, TILE, false, &PLACES, &longer);
        assert_eq!(refused, Err(OpeningError::Trailing(1)));
        // The opening of one set of pixels shows no other.
        assert!(opened(root, TILE, false, &PLACES[..1], &opening).is_err());
        let elsewhere = Digest([7; 32]);
        assert!(opened(elsewhere, TILE, false, &PLACES, &opening).is_err());
    }

    #[test]
    fn nonsense_is_refused_with_a_word() {
        let bytes = film(false).to_bytes();
        assert!(matches!(open(&bytes, TILE, true, &PLACES), Err(OpeningError::Shape(_))));
        assert!(matches!(open(&bytes, TILE, false, &[]), Err(OpeningError::Shape(_))));
        let outside = open(&bytes, TILE, false, &[(69, 64)]);
        assert_eq!(outside, Err(OpeningError::Outside { x: 69, y: 64 }));
    }
}
