//! Films take half of their bytes on the wire: a body is packed where that makes it shorter.
//!
//! A film is records of 64 bytes, one a pixel, whose values differ little from one pixel to the next
//! in the bytes of sign and exponent, and some of which are the same everywhere. So the bytes go by
//! their place in the record, all first ones, then all second ones, and LZ4 does the rest. Nothing
//! depends on a body being a film: any other bytes come back as well, perhaps unpacked.

/// Bytes of a record.
const RECORD_BYTES: usize = 64;
/// Bytes that one that was sent stands for, at most: a run's length goes up by 255 with each.
pub const GROWS_MAX: usize = 255;
/// Bodies of fewer bytes are not worth it.
const PACKED_FROM_BYTES: usize = 1024;

/// The body packed, where that is shorter.
#[must_use]
pub fn pack(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < PACKED_FROM_BYTES {
        return None;
    }
    let packed = lz4_flex::block::compress(&by_place(body));
    (packed.len() < body.len()).then_some(packed)
}

/// The body of so many bytes that was packed so, if it is one.
#[must_use]
pub fn unpack(packed: &[u8], body_bytes: usize) -> Option<Vec<u8>> {
    let mut by_place = vec![0; body_bytes];
    let size = lz4_flex::block::decompress_into(packed, &mut by_place).ok()?;
    (size == body_bytes).then(|| by_record(&by_place))
}

/// The bytes of records by their place in them; what is no whole record follows as it is.
fn by_place(body: &[u8]) -> Vec<u8> {
    let (records, rest) = body.as_chunks::<RECORD_BYTES>();
    let mut sorted = vec![0; body.len()];
    let (blocks, last) = records.as_chunks::<RECORD_BYTES>();
    let mut put = |first: usize, place: usize, bytes: &[u8]| {
        let at = place * records.len() + first;
        sorted[at..at + bytes.len()].copy_from_slice(bytes);
    };
    for (number, block) in blocks.iter().enumerate() {
        for (place, bytes) in transposed(block).iter().enumerate() {
            put(number * RECORD_BYTES, place, bytes);
        }
    }
    let first = blocks.len() * RECORD_BYTES;
    for (number, record) in last.iter().enumerate() {
        for (place, byte) in record.iter().enumerate() {
            put(first + number, place, &[*byte]);
        }
    }
    sorted[records.len() * RECORD_BYTES..].copy_from_slice(rest);
    sorted
}

/// The reverse of [`by_place`].
fn by_record(sorted: &[u8]) -> Vec<u8> {
    let mut body = vec![0; sorted.len()];
    let (records, rest) = body.as_chunks_mut::<RECORD_BYTES>();
    let count = records.len();
    let (blocks, last) = records.as_chunks_mut::<RECORD_BYTES>();
    for (number, block) in blocks.iter_mut().enumerate() {
        let at = |place: usize| place * count + number * RECORD_BYTES;
        let bytes = |place| *sorted[at(place)..].first_chunk().expect("invariant: a whole block");
        *block = transposed(&std::array::from_fn(bytes));
    }
    let first = count - last.len();
    for (number, record) in last.iter_mut().enumerate() {
        *record = std::array::from_fn(|place| sorted[place * count + first + number]);
    }
    rest.copy_from_slice(&sorted[count * RECORD_BYTES..]);
    body
}

/// A square of bytes whose rows are its columns: small enough for the nearest cache, and its rows as long
/// as a line of it.
fn transposed(block: &[[u8; RECORD_BYTES]; RECORD_BYTES]) -> [[u8; RECORD_BYTES]; RECORD_BYTES] {
    let mut turned = [[0; RECORD_BYTES]; RECORD_BYTES];
    for row in (0..RECORD_BYTES).step_by(8) {
        for column in (0..RECORD_BYTES).step_by(8) {
            let word = |bytes: &[u8; RECORD_BYTES]| {
                let word = bytes[column..].first_chunk().expect("invariant: eights in 64");
                u64::from_le_bytes(*word)
            };
            let words = transposed_8(std::array::from_fn(|at| word(&block[row + at])));
            for (at, word) in words.iter().enumerate() {
                turned[column + at][row..row + 8].copy_from_slice(&word.to_le_bytes());
            }
        }
    }
    turned
}

/// The same of eight bytes by eight, by swapping ever smaller squares of it (Warren, Hacker's Delight,
/// 7-3).
const fn transposed_8(mut rows: [u64; 8]) -> [u64; 8] {
    let mut side = 4;
    let mut kept: u64 = u32::MAX as u64;
    while side > 0 {
        let mut upper = 0;
        while upper < 8 {
            let lower = upper + side;
            let swapped = ((rows[upper] >> (8 * side)) ^ rows[lower]) & kept;
            rows[lower] ^= swapped;
            rows[upper] ^= swapped << (8 * side);
            upper += 1;
            if upper & side != 0 {
                upper += side;
            }
        }
        side /= 2;
        kept ^= kept << (8 * side);
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Records of floats that go up slowly, as a film's do, and of zeros.
    fn film(pixels: usize) -> Vec<u8> {
        let value = |index: usize| match index % 16 {
            word @ 0..4 => (1.0 + index as f32 * 1e-3 + word as f32).to_bits(),
            4..8 => 64,
            _ => 0,
        };
        (0..pixels * 16).flat_map(|index| value(index).to_le_bytes()).collect()
    }

    #[test]
    fn what_is_like_a_film_takes_less_than_half() {
        let body = film(64 * 64);
        let packed = pack(&body).expect("it is shorter");
        assert!(packed.len() * 2 < body.len(), "{} of {}", packed.len(), body.len());
        assert_eq!(unpack(&packed, body.len()), Some(body.clone()));
        // Of another size, or cut, it is none.
        assert_eq!(unpack(&packed, body.len() + 1), None);
        assert_eq!(unpack(&packed, body.len() - 1), None);
        assert_eq!(unpack(&packed[..packed.len() - 1], body.len()), None);
    }

    #[test]
    fn what_gets_no_shorter_stays_as_it_is() {
        let mut next = noise_from(7);
        let noise: Vec<u8> = (0..10_000).map(|_| next()).collect();
        assert_eq!(pack(&noise), None);
        assert_eq!(pack(&[0; PACKED_FROM_BYTES - 1]), None, "too short to gain by it");
        assert!(pack(&[0; PACKED_FROM_BYTES]).is_some());
    }

    /// Bytes without a pattern: xorshift.
    fn noise_from(mut state: u64) -> impl FnMut() -> u8 {
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        }
    }

    proptest! {
        #[test]
        fn bytes_are_sorted_by_their_place(body in prop::collection::vec(any::<u8>(), 0..20_000)) {
            let (records, rest) = body.as_chunks::<RECORD_BYTES>();
            let of_place = |place: usize| records.iter().map(move |record| record[place]);
            let mut wanted: Vec<u8> = (0..RECORD_BYTES).flat_map(of_place).collect();
            wanted.extend(rest);
            prop_assert_eq!(&by_place(&body), &wanted);
            prop_assert_eq!(by_record(&wanted), body);
        }

        #[test]
        fn any_body_comes_back(
            bytes in prop::collection::vec(any::<u8>(), 1..80),
            times in 20_usize..200,
            more in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let body = [bytes.repeat(times), more].concat();
            if let Some(packed) = pack(&body) {
                prop_assert!(packed.len() < body.len());
                prop_assert_eq!(unpack(&packed, body.len()), Some(body));
            }
        }

        #[test]
        fn any_bytes_unpack_or_not_without_a_panic(
            packed in prop::collection::vec(any::<u8>(), 0..300),
            size in 0_usize..5_000,
        ) {
            let body = unpack(&packed, size);
            prop_assert!(body.is_none_or(|body| body.len() == size));
        }
    }
}
