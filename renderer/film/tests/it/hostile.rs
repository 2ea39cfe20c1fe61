//! Bytes from a stranger: an error, never a panic, never memory out of proportion.

use film::{
    ExrOptions, Film, FilmError, Frame, Metadata, PIXEL_BYTES, ReadError, film_pixel_bytes,
    read_exr_bytes,
};
use proptest::prelude::*;
use protocol::{Batch, Rect, Size};

use crate::film_of;

fn good_file() -> Vec<u8> {
    let rect = Rect { x0: 0, y0: 0, x1: 9, y1: 20 };
    let mut frame = Frame::new(Size::new(9, 20), 16);
    frame.insert(film_of(rect, Batch::new(0, 1).expect("aligned"), 16)).expect("fits");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("good.exr");
    film::write_exr(&frame.picture(), &path, &Metadata::default(), &ExrOptions::default())
        .expect("writes");
    std::fs::read(path).expect("reads")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Each case alters the file in twenty ways; half of them aim at the header.
    #[test]
    fn altered_exr_files_are_read_or_refused(seed in any::<u64>()) {
        let good = good_file();
        let mut state = seed | 1;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..20 {
            let mut bytes = good.clone();
            for _ in 0..=next(4) {
                let reach = if round % 2 == 0 { 900.min(bytes.len()) } else { bytes.len() };
                let at = next(reach);
                match next(4) {
                    0 => bytes[at] ^= 1 << next(8),
                    1 => bytes[at] = [0, 0x7f, 0x80, 0xff][next(4)],
                    2 => bytes.truncate(at + 1),
                    _ => { bytes.insert(at, next(256) as u8); }
                }
            }
            // Reading may succeed (a value's bits changed); it must end, and with one size.
            if let Ok(picture) = read_exr_bytes(&bytes) {
                prop_assert_eq!(picture.size.pixel_count(), picture.pixel_count() as u64);
            }
        }
    }

    #[test]
    fn tables_of_any_words_are_read_or_refused(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "LUT_3D_SIZE", "2", "129", "DOMAIN_MIN", "DOMAIN_MAX", "0", "1", "-1", "1e30",
                "NaN", "\n", "\n", "#", "TITLE", "LUT_3D_INPUT_RANGE", "☂",
            ]), 0..60),
        colour in proptest::array::uniform3(any::<f32>()),
    ) {
        let start = ["", "LUT_3D_SIZE 2\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n0 0 1\n1 0 1\n0 1 1\n1 1 1\n"];
        for start in start {
            if let Ok(lut) = film::Lut::parse(&format!("{start}{}", words.join(" "))) {
                let shown = lut.apply(colour);
                prop_assert!(shown.iter().all(|value| (0.0..=1.0).contains(value)), "{shown:?}");
            }
        }
    }

    #[test]
    fn films_of_any_bytes_are_whole_or_refused(
        width in 0_u32..4, height in 0_u32..4, has_passes: bool,
        bytes in proptest::collection::vec(any::<u8>(), 0..1700),
    ) {
        let rect = Rect { x0: 3, y0: 1, x1: 3 + width, y1: 1 + height };
        let batch = Batch::new(0, 1).expect("aligned");
        let wanted_bytes = rect.pixel_count() * film_pixel_bytes(has_passes) as u64;
        match Film::from_bytes(rect, batch, has_passes, &bytes) {
            Ok(film) => prop_assert_eq!(film.to_bytes(), bytes),
            Err(FilmError::Reserved { word }) => {
                prop_assert!(has_passes && bytes[word * 4..][..4].iter().any(|&byte| byte != 0));
            }
            Err(error) => {
                let got_bytes = bytes.len() as u64;
                prop_assert_eq!(error, FilmError::Size { rect, wanted_bytes, got_bytes });
                prop_assert_ne!(got_bytes, wanted_bytes);
            }
        }
    }
}

#[test]
fn any_bits_survive_a_film() {
    let rect = Rect { x0: 0, y0: 0, x1: 4, y1: 1 };
    let bytes: Vec<u8> = (0..4 * PIXEL_BYTES).map(|i| (i * 37) as u8).collect();
    let film =
        Film::from_bytes(rect, Batch::new(0, 1).expect("aligned"), false, &bytes).expect("fits");
    assert_eq!(film.to_bytes(), bytes);
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let good = good_file();
    read_exr_bytes(&good).expect("the whole file reads");
    for length in (0..good.len()).step_by(13) {
        let error = read_exr_bytes(&good[..length]).expect_err("part of a file");
        assert!(matches!(error, ReadError::Decode { .. } | ReadError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn a_header_that_claims_a_vast_frame_is_refused_before_memory_is_taken() {
    let mut bytes = good_file();
    let mut patch = |name: &[u8], offset: usize, value: u32| {
        let found = bytes.windows(name.len()).position(|window| window == name);
        let at = found.expect("the attribute is there") + name.len() + offset;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    // 200 000 × 200 000 pixels, in blocks of 16 lines.
    patch(b"dataWindow\0box2i\0\x10\0\0\0", 8, 199_999);
    patch(b"dataWindow\0box2i\0\x10\0\0\0", 12, 199_999);
    patch(b"chunkCount\0int\0\x04\0\0\0", 0, 12_500);
    let error = read_exr_bytes(&bytes).expect_err("too large");
    assert!(matches!(error, ReadError::TooLarge { .. }), "{error:?}");
}
