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
    let mut sorted = Vec::with_capacity(body.len());
    for place in 0..RECORD_BYTES {
        sorted.extend(records.iter().map(|record| record[place]));
    }
    sorted.extend_from_slice(rest);
    sorted
}

/// The reverse of [`by_place`].
fn by_record(sorted: &[u8]) -> Vec<u8> {
    let mut body = vec![0; sorted.len()];
    let (records, rest) = body.as_chunks_mut::<RECORD_BYTES>();
    let (places, last) = sorted.split_at(RECORD_BYTES * records.len());
    if !records.is_empty() {
        for (place, bytes) in places.chunks_exact(records.len()).enumerate() {
            records.iter_mut().zip(bytes).for_each(|(record, byte)| record[place] = *byte);
        }
    }
    rest.copy_from_slice(last);
    body
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
