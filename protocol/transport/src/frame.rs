//! The frame of a message: `header size | header | body size | sent size | body`, sizes as
//! little-endian u32; nothing follows a body size of 0. A body that is sent with fewer bytes than it
//! has is [packed](crate::packing).
//!
//! A pure decoder, fed with whatever bytes have arrived: it checks each size before it keeps a
//! byte, and never holds more than what came, until the whole of a packed body is here.

use bytes::{Buf as _, Bytes};

use crate::packing;

/// What a frame may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the header.
    pub header_bytes_max: usize,
    /// Bytes of the body.
    pub body_bytes_max: usize,
}

/// Bytes that are not a frame within its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The header is longer than it may be.
    #[error("a message of {size_bytes} bytes is over the limit of {limit_bytes}")]
    Header {
        /// The size that was announced.
        size_bytes: usize,
        /// The size that is allowed.
        limit_bytes: usize,
    },
    /// The body is longer than it may be.
    #[error("a body of {size_bytes} bytes is over the limit of {limit_bytes}")]
    Body {
        /// The size that was announced.
        size_bytes: usize,
        /// The size that is allowed.
        limit_bytes: usize,
    },
    /// The body cannot be what was sent for it.
    #[error("a body of {size_bytes} bytes does not come of the {sent_bytes} that were sent for it")]
    Packed {
        /// Bytes of the body that were announced.
        size_bytes: usize,
        /// Bytes that were sent, or announced to be.
        sent_bytes: usize,
    },
    /// The stream ended inside the frame.
    #[error("the message ended early")]
    Truncated,
    /// More bytes came after the frame.
    #[error("bytes are left over after the message")]
    Trailing,
}

/// What came out of the bytes fed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet; feed more.
    More,
    /// The header is complete and the body will have this many bytes. Said once.
    Header {
        /// Bytes of the body.
        body_bytes: usize,
        /// Bytes that are held for it, at most: more than the body where it is packed.
        held_bytes: usize,
    },
    /// The frame is complete.
    Done,
}

#[derive(Debug)]
enum State {
    HeaderSize,
    Header { left: usize },
    BodySize,
    SentSize { size_bytes: usize },
    Body { size_bytes: usize, left: usize },
    Done { size_bytes: usize },
}

/// Takes a frame apart as its bytes arrive.
#[derive(Debug)]
pub struct Decoder {
    bounds: Bounds,
    state: State,
    size: Vec<u8>,
    header: Vec<u8>,
    body: Vec<u8>,
}

/// The bytes before a body of so many bytes, of which so many are sent.
///
/// # Panics
/// When a part has 4 GiB or more; callers check against their bounds first.
#[must_use]
pub fn head(header: &[u8], body_bytes: usize, sent_bytes: usize) -> Vec<u8> {
    let size = |bytes: usize| u32::try_from(bytes).expect("invariant: sizes were checked before");
    let mut head = Vec::with_capacity(header.len() + 12);
    head.extend_from_slice(&size(header.len()).to_le_bytes());
    head.extend_from_slice(header);
    head.extend_from_slice(&size(body_bytes).to_le_bytes());
    if body_bytes > 0 {
        head.extend_from_slice(&size(sent_bytes).to_le_bytes());
    }
    head
}

impl Decoder {
    /// A decoder at the start of a frame.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            state: State::HeaderSize,
            size: Vec::new(),
            header: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Takes bytes off the front of `input` up to the next [`Step`].
    ///
    /// After [`Step::Header`] the body's memory is not reserved yet: the caller may still decline.
    ///
    /// # Errors
    /// [`FrameError::Header`] and [`FrameError::Body`], before anything of that part is kept.
    pub fn feed(&mut self, input: &mut Bytes) -> Result<Step, FrameError> {
        loop {
            match &mut self.state {
                State::HeaderSize => {
                    let Some(size_bytes) = take_size(&mut self.size, input) else {
                        return Ok(Step::More);
                    };
                    let limit_bytes = self.bounds.header_bytes_max;
                    if size_bytes > limit_bytes {
                        return Err(FrameError::Header { size_bytes, limit_bytes });
                    }
                    self.state = State::Header { left: size_bytes };
                }
                State::Header { left } => {
                    if !take_part(&mut self.header, left, input) {
                        return Ok(Step::More);
                    }
                    self.state = State::BodySize;
                }
                State::BodySize => {
                    let Some(size_bytes) = take_size(&mut self.size, input) else {
                        return Ok(Step::More);
                    };
                    let limit_bytes = self.bounds.body_bytes_max;
                    if size_bytes > limit_bytes {
                        return Err(FrameError::Body { size_bytes, limit_bytes });
                    }
                    if size_bytes == 0 {
                        self.state = State::Body { size_bytes, left: 0 };
                        return Ok(Step::Header { body_bytes: 0, held_bytes: 0 });
                    }
                    self.state = State::SentSize { size_bytes };
                }
                State::SentSize { size_bytes } => {
                    let Some(sent_bytes) = take_size(&mut self.size, input) else {
                        return Ok(Step::More);
                    };
                    let size_bytes = *size_bytes;
                    let grown_max = sent_bytes.saturating_mul(packing::GROWS_MAX);
                    if sent_bytes > size_bytes || grown_max < size_bytes {
                        return Err(FrameError::Packed { size_bytes, sent_bytes });
                    }
                    self.state = State::Body { size_bytes, left: sent_bytes };
                    // What was sent, its bytes by place, and the body.
                    let is_packed = sent_bytes < size_bytes;
                    let held_bytes =
                        if is_packed { sent_bytes + 2 * size_bytes } else { size_bytes };
                    return Ok(Step::Header { body_bytes: size_bytes, held_bytes });
                }
                State::Body { size_bytes, left } => {
                    if !take_part(&mut self.body, left, input) {
                        return Ok(Step::More);
                    }
                    self.state = State::Done { size_bytes: *size_bytes };
                }
                State::Done { .. } if input.is_empty() => return Ok(Step::Done),
                State::Done { .. } => return Err(FrameError::Trailing),
            }
        }
    }

    /// The header, complete once [`Step::Header`] was returned.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Reserves the body's memory at once, for a caller who has agreed to its size.
    pub fn reserve_body(&mut self) {
        if let State::Body { left, .. } = self.state {
            self.body.reserve_exact(left);
        }
    }

    /// The header and the body, at the end of the stream. Unpacking a body takes its time.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] when the frame is not complete, [`FrameError::Packed`] when its body
    /// cannot be unpacked.
    pub fn finish(self) -> Result<(Vec<u8>, Bytes), FrameError> {
        let State::Done { size_bytes } = self.state else { return Err(FrameError::Truncated) };
        let sent_bytes = self.body.len();
        let body = if sent_bytes == size_bytes {
            self.body
        } else {
            packing::unpack(&self.body, size_bytes)
                .ok_or(FrameError::Packed { size_bytes, sent_bytes })?
        };
        Ok((self.header, body.into()))
    }
}

/// A size, once its four bytes are together.
fn take_size(held: &mut Vec<u8>, input: &mut Bytes) -> Option<usize> {
    let count = (4 - held.len()).min(input.len());
    held.extend_from_slice(&input.split_to(count));
    let size = u32::from_le_bytes(held.as_slice().try_into().ok()?);
    held.clear();
    Some(size as usize)
}

/// Moves what has arrived of a part; true when the part is complete.
fn take_part(held: &mut Vec<u8>, left: &mut usize, input: &mut Bytes) -> bool {
    let count = (*left).min(input.len());
    held.extend_from_slice(&input[..count]);
    input.advance(count);
    *left -= count;
    *left == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { header_bytes_max: 40, body_bytes_max: 90 };

    fn frame(header: &[u8], body: &[u8]) -> Vec<u8> {
        [&head(header, body.len(), body.len()), body].concat()
    }

    /// The same with what was sent for a body of another size.
    fn packed_frame(header: &[u8], body_bytes: usize, sent: &[u8]) -> Vec<u8> {
        [&head(header, body_bytes, sent.len()), sent].concat()
    }

    /// Feeds `bytes` cut into pieces of the given lengths, in turn.
    fn decode(bytes: &[u8], pieces: &[usize]) -> Result<(Vec<u8>, Bytes), FrameError> {
        let mut decoder = Decoder::new(BOUNDS);
        let mut lengths = pieces.iter().cycle();
        let mut rest = Bytes::copy_from_slice(bytes);
        while !rest.is_empty() {
            let length = lengths.next().map_or(1, |&length| length.max(1)).min(rest.len());
            let mut piece = rest.split_to(length);
            while let Step::Header { .. } = decoder.feed(&mut piece)? {
                decoder.reserve_body();
            }
            assert!(decoder.header.capacity() + decoder.body.capacity() <= 2 * 130);
        }
        decoder.finish()
    }

    #[test]
    fn sizes_are_refused_before_a_byte_is_kept() {
        let mut decoder = Decoder::new(BOUNDS);
        let mut input = Bytes::copy_from_slice(&u32::MAX.to_le_bytes());
        let error = FrameError::Header { size_bytes: u32::MAX as usize, limit_bytes: 40 };
        assert_eq!(decoder.feed(&mut input), Err(error));
        assert_eq!(decoder.header.capacity(), 0);

        let mut decoder = Decoder::new(BOUNDS);
        let mut input = Bytes::from(head(b"header", 91, 1));
        assert!(matches!(decoder.feed(&mut input), Err(FrameError::Body { size_bytes: 91, .. })));
        assert_eq!(decoder.body.capacity(), 0);
    }

    #[test]
    fn a_packed_body_is_held_to_its_announced_size() {
        let bounds = Bounds { header_bytes_max: 40, body_bytes_max: 10_000 };
        let feed = |bytes: &[u8]| {
            let mut decoder = Decoder::new(bounds);
            let mut rest = Bytes::copy_from_slice(bytes);
            let step = decoder.feed(&mut rest)?;
            decoder.feed(&mut rest)?;
            Ok((step, decoder.finish()?.1))
        };
        let body = vec![7; 10_000];
        let packed = packing::pack(&body).expect("it is shorter");
        let held_bytes = 2 * body.len() + packed.len();
        let step = Step::Header { body_bytes: body.len(), held_bytes };
        assert_eq!(feed(&packed_frame(b"film", body.len(), &packed)), Ok((step, body.into())));
        // Another size is announced than comes of it, within the bounds or not.
        let error = FrameError::Packed { size_bytes: 9_999, sent_bytes: packed.len() };
        assert_eq!(feed(&packed_frame(b"film", 9_999, &packed)), Err(error));
        let error = FrameError::Body { size_bytes: 10_001, limit_bytes: 10_000 };
        assert_eq!(feed(&packed_frame(b"film", 10_001, &packed)), Err(error));
        let error = FrameError::Packed { size_bytes: 3, sent_bytes: 4 };
        assert_eq!(feed(&packed_frame(b"film", 3, b"four")), Err(error));
        // Before anything is unpacked: so much can never come of so little.
        let error = FrameError::Packed { size_bytes: 10_000, sent_bytes: 39 };
        assert_eq!(feed(&packed_frame(b"film", 10_000, &[0; 39])), Err(error));
    }

    #[test]
    fn empty_parts_are_parts() {
        assert_eq!(decode(&frame(b"", b""), &[1]), Ok((Vec::new(), Bytes::new())));
    }

    proptest! {
        #[test]
        fn frames_round_trip_however_they_are_cut(
            header in prop::collection::vec(any::<u8>(), 0..=40),
            body in prop::collection::vec(any::<u8>(), 0..=90),
            pieces in prop::collection::vec(1..50_usize, 1..8),
        ) {
            let decoded = decode(&frame(&header, &body), &pieces);
            prop_assert_eq!(decoded, Ok((header, body.into())));
        }

        #[test]
        fn a_cut_or_longer_frame_is_refused(
            header in prop::collection::vec(any::<u8>(), 0..=40),
            body in prop::collection::vec(any::<u8>(), 0..=90),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = frame(&header, &body);
            let kept = cut.index(bytes.len());
            prop_assert_eq!(decode(&bytes[..kept], &[7]), Err(FrameError::Truncated));
            bytes.push(0);
            prop_assert_eq!(decode(&bytes, &[7]), Err(FrameError::Trailing));
        }

        #[test]
        fn any_bytes_are_taken_without_a_panic_or_memory(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            pieces in prop::collection::vec(1..50_usize, 1..8),
        ) {
            let _outcome = decode(&bytes, &pieces);
        }
    }
}
