use film::{Frame, InsertError, Place};
use proptest::prelude::*;
use protocol::{Batch, Crop, Rect, RenderSettings, Size, TileGrid, TileIndex};

use crate::film_of;

const SIZE: Size = Size::new(23, 17);

fn tiles(side: u32) -> Vec<Rect> {
    let grid = TileGrid::new(Rect::of_size(SIZE), side);
    (0..grid.tile_count()).map(|tile| grid.rect(TileIndex(tile)).expect("of the grid")).collect()
}

/// Splits every tile into batches, as `lengths` says, and orders all films by `keys`.
fn any_split(samples: u32, side: u32, lengths: &[u32], keys: &[u32]) -> Frame {
    let chunks = samples.div_ceil(16);
    let mut films = Vec::new();
    for (index, rect) in tiles(side).into_iter().enumerate() {
        let longest = lengths[index % lengths.len()];
        for batch in Batch::cover(chunks, longest) {
            films.push((keys[films.len() % keys.len()], film_of(rect, batch, samples)));
        }
    }
    films.sort_by_key(|(key, _film)| *key);
    let mut frame = Frame::new(SIZE, samples);
    for (_key, film) in films {
        assert!(!frame.is_complete());
        frame.insert(film).expect("every film fits");
    }
    frame
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_and_order_gives_the_same_bits(
        samples in 1_u32..200,
        side in 3_u32..25,
        lengths in proptest::collection::vec(1_u32..17, 1..9),
        keys in proptest::collection::vec(any::<u32>(), 1..64),
    ) {
        let frame = any_split(samples, side, &lengths, &keys);
        prop_assert!(frame.is_complete());
        let whole = any_split(samples, 64, &[1 << 20], &[0]);
        let (picture, wanted) = (frame.picture(), whole.picture());
        prop_assert_eq!(film::compare::bit_equal_share(&wanted, &picture), Ok(1.0));
        prop_assert!(picture.samples.iter().all(|&count| count == samples));
    }
}

fn batch(first: u32, count: u32) -> Batch {
    Batch::new(first, count).expect("aligned")
}

#[test]
fn a_film_twice_is_fine_another_in_its_place_is_not() {
    let rect = Rect { x0: 0, y0: 0, x1: 8, y1: 8 };
    let mut frame = Frame::new(SIZE, 128);
    frame.insert(film_of(rect, batch(0, 4), 128)).expect("the first");
    let before = frame.picture();
    frame.insert(film_of(rect, batch(0, 4), 128)).expect("the same again");
    let mut other = film_of(rect, batch(0, 4), 128);
    other.pixels_mut()[7].depth += 1.0;
    let differs = InsertError::Differs { rect, batch: batch(0, 4) };
    assert_eq!(frame.insert(other), Err(differs));
    for (first, count) in [(0, 8), (2, 2), (3, 1)] {
        let overlap =
            InsertError::BatchOverlaps { rect, batch: batch(first, count), present: batch(0, 4) };
        let error = frame.insert(film_of(rect, batch(first, count), 128));
        assert_eq!(error, Err(overlap));
    }
    // Also once the film has merged away into its parent.
    frame.insert(film_of(rect, batch(4, 4), 128)).expect("the other half");
    frame.insert(film_of(rect, batch(0, 4), 128)).expect("still the same");
    assert!(frame.insert(film_of(rect, batch(0, 8), 128)).is_err());
    assert_ne!(film::compare::bit_equal_share(&before, &frame.picture()), Ok(1.0));
}

#[test]
fn films_out_of_range_are_refused() {
    let mut frame = Frame::new(SIZE, 40);
    let rect = Rect { x0: 0, y0: 0, x1: 8, y1: 8 };
    frame.insert(film_of(rect, batch(0, 2), 40)).expect("fits");
    for outside in [
        Rect { x0: 16, y0: 0, x1: 24, y1: 8 },
        Rect { x0: 0, y0: 16, x1: 8, y1: 18 },
        Rect { x0: 8, y0: 8, x1: 8, y1: 9 },
        Rect { x0: 9, y0: 0, x1: 8, y1: 9 },
    ] {
        let error = InsertError::OutsideFrame { rect: outside, window: Rect::of_size(SIZE) };
        assert_eq!(frame.insert(film::Film::zeroed(outside, batch(0, 1))), Err(error));
    }
    let past = InsertError::OutsideSamples { batch: batch(2, 2), chunk_count: 3 };
    assert_eq!(frame.insert(film_of(rect, batch(2, 2), 40)), Err(past));
    let shifted = Rect { x0: 7, y0: 7, x1: 12, y1: 12 };
    let overlap = InsertError::TileOverlaps { rect: shifted };
    assert_eq!(frame.insert(film_of(shifted, batch(0, 1), 40)), Err(overlap));
    // A refused tile claims no pixels.
    let clear = Rect { x0: 8, y0: 8, x1: 12, y1: 12 };
    frame.insert(film_of(clear, batch(0, 1), 40)).expect("nobody has these");
}

#[test]
fn missing_pixels_are_transparent_and_tiles_can_be_had_alone() {
    let rect = Rect { x0: 4, y0: 2, x1: 9, y1: 6 };
    let mut frame = Frame::new(SIZE, 16);
    assert_eq!(frame.tile_picture(rect), None);
    frame.insert(film_of(rect, batch(0, 1), 16)).expect("fits");
    let picture = frame.picture();
    assert!(!frame.is_complete() && !picture.is_opaque());
    for (x, y) in Rect::of_size(SIZE).pixels() {
        let index = (y * SIZE.width + x) as usize;
        assert_eq!(picture.samples[index] > 0, rect.contains(x, y));
    }
    let tile = frame.tile_picture(rect).expect("there");
    assert_eq!(tile.size, Size::new(5, 4));
    let corner = 2 * SIZE.width as usize + 4;
    assert_eq!(tile.beauty[0].map(f32::to_bits), picture.beauty[corner].map(f32::to_bits));
    let share = 20.0 / f64::from(SIZE.width * SIZE.height);
    assert!((frame.share_done() - share).abs() < 1e-12);
}

/// A crop is its part of the whole frame, at its place; overscan lies around the frame.
#[test]
fn crops_and_overscan_are_parts_of_one_canvas() {
    let film = |rect: Rect| film_of(rect, batch(0, 1), 16);
    let settings = RenderSettings { size: SIZE, samples: 16, ..RenderSettings::default() };
    let crop = Crop { x: 4, y: 2, size: Size::new(5, 4) };
    let cropped = RenderSettings { crop: Some(crop), ..settings.clone() };
    let rect = Rect { x0: 4, y0: 2, x1: 9, y1: 6 };
    let mut part = Frame::of(&cropped);
    for outside in [Rect { x0: 3, ..rect }, Rect { y1: 7, ..rect }, Rect::of_size(SIZE)] {
        let error = InsertError::OutsideFrame { rect: outside, window: rect };
        assert_eq!(part.insert(film(outside)), Err(error));
    }
    part.insert(film(Rect { x1: 7, ..rect })).expect("fits");
    assert!(!part.is_complete() && (part.share_done() - 0.6).abs() < 1e-12);
    part.insert(film(Rect { x0: 7, ..rect })).expect("fits");
    assert!(part.is_complete());
    let part = part.picture();
    assert_eq!((part.size, part.place), (crop.size, Place { frame: SIZE, x: 4, y: 2 }));
    assert!(matches!(part.without_overscan(), std::borrow::Cow::Borrowed(_)));

    let wide = RenderSettings { overscan: 3, ..settings };
    let canvas = Rect::of_size(wide.canvas());
    let mut frame = Frame::of(&wide);
    frame.insert(film(canvas)).expect("fits");
    let picture = frame.picture();
    assert_eq!(picture.place, Place { frame: SIZE, x: -3, y: -3 });
    let cut = picture.without_overscan();
    assert_eq!((cut.size, cut.place), (SIZE, Place::whole(SIZE)));
    for (x, y) in Rect::of_size(SIZE).pixels() {
        let (here, there) = (y * SIZE.width + x, (y + 3) * canvas.width() + x + 3);
        let (here, there) = (here as usize, there as usize);
        assert_eq!(cut.beauty[here].map(f32::to_bits), picture.beauty[there].map(f32::to_bits));
        assert_eq!(cut.alpha[here].to_bits(), picture.alpha[there].to_bits());
        assert_eq!(cut.samples[here], picture.samples[there]);
    }
}

#[test]
fn a_tile_may_have_enough() {
    let (left, right) =
        (Rect { x0: 0, y0: 0, x1: 8, y1: 17 }, Rect { x0: 8, y0: 0, x1: 23, y1: 17 });
    let mut frame = Frame::new(SIZE, 128);
    frame.enough(left);
    frame.insert(film_of(left, batch(0, 2), 128)).expect("fits");
    frame.insert(film_of(left, batch(2, 2), 128)).expect("fits");
    let start = frame.start_of(left, 4).expect("two halves are there");
    assert_eq!(start.batch(), batch(0, 4));
    assert!(frame.start_of(left, 2).is_none() && frame.start_of(left, 8).is_none());
    assert!(frame.start_of(left, 3).is_none() && frame.start_of(right, 4).is_none());
    frame.enough(left);
    frame.enough(left);
    frame.insert(film_of(right, batch(0, 4), 128)).expect("fits");
    assert!(!frame.is_complete(), "one of two has enough");
    frame.insert(film_of(right, batch(4, 4), 128)).expect("fits");
    frame.enough(right);
    assert!(frame.is_complete());
    let samples = frame.picture().samples;
    assert_eq!((samples[0], samples[8]), (64, 128));
    // More than enough changes the count of samples and nothing else.
    frame.insert(film_of(left, batch(4, 4), 128)).expect("fits");
    assert!(frame.is_complete());
    assert!(frame.picture().samples.iter().all(|&samples| samples == 128));
}
