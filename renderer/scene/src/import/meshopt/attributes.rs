//! Mode 0: bytes of elements, plane by plane, as differences from the element before.

use super::{MeshoptProblem as Problem, Reader};

/// Elements of a group, which share a bit width.
const GROUP: usize = 16;
/// Bytes of a block at most.
const BLOCK_BYTES: usize = 8192;
/// Elements of a block at most.
const BLOCK_ELEMENTS: usize = 256;

/// What a plane's two header bits of a group mean: bits of a difference.
type Widths = [u32; 4];
const VERSION_0: Widths = [0, 2, 4, 8];
const FINE: Widths = [0, 1, 2, 4];
const COARSE: Widths = [1, 2, 4, 8];

/// How four bytes of an element differ from those of the element before.
#[derive(Clone, Copy)]
enum Channel {
    Bytes,
    Shorts,
    /// Bits that differ, turned to the left by this many.
    Bits(u32),
}

/// Decodes `count` elements of `stride` bytes, a multiple of 4 of at most 256.
pub fn decode(stream: &[u8], stride: usize, count: usize) -> Result<Vec<u8>, Problem> {
    let mut reader = Reader { bytes: stream };
    let is_new = reader.header(&[0xa0, 0xa1], "the mode ATTRIBUTES")? == 0xa1;
    let channel_count = if is_new { stride / 4 } else { 0 };
    let tail_size = stride + channel_count;
    let tail = reader.tail(tail_size.max(if is_new { 24 } else { 32 }))?;
    let (first, modes) = tail[tail.len() - tail_size..].split_at(stride);
    let mut channels = vec![Channel::Bytes; stride / 4];
    for (channel, &mode) in channels.iter_mut().zip(modes) {
        *channel = match (mode & 15, mode >> 4) {
            (0, 0) => Channel::Bytes,
            (1, 0) => Channel::Shorts,
            (2, turn) => Channel::Bits(u32::from(turn)),
            _ => return Err(Problem::Damaged { what: "a channel's mode is not known" }),
        };
    }

    // A block has some bytes at least: a lying count fails before its memory is taken.
    let most = ((BLOCK_BYTES / stride) & !(GROUP - 1)).min(BLOCK_ELEMENTS);
    let least = if is_new { channel_count } else { stride };
    if count.div_ceil(most).saturating_mul(least) > reader.bytes.len() {
        return Err(Problem::Truncated);
    }
    let mut elements = Vec::with_capacity(count * stride);
    let mut last = first.to_vec();
    let mut planes = vec![0; BLOCK_BYTES];
    let mut left = count;
    while left > 0 {
        let block = left.min(most);
        left -= block;
        let padded = block.next_multiple_of(GROUP);
        let control = reader.take(channel_count)?;
        for (plane, bytes) in planes.chunks_exact_mut(padded).take(stride).enumerate() {
            let mode = control.get(plane / 4).map(|bits| bits >> (2 * (plane % 4)) & 3);
            match mode {
                None => read_plane(&mut reader, VERSION_0, bytes)?,
                Some(0) => read_plane(&mut reader, FINE, bytes)?,
                Some(1) => read_plane(&mut reader, COARSE, bytes)?,
                Some(2) => bytes.fill(0),
                // Literal: only the elements that there are.
                Some(_) => bytes[..block].copy_from_slice(reader.take(block)?),
            }
        }
        for element in 0..block {
            for ((channel, last), at) in channels.iter().zip(last.as_chunks_mut::<4>().0).zip(0..) {
                let byte = |plane: usize| planes[(4 * at + plane) * padded + element];
                *last = next(*channel, *last, [byte(0), byte(1), byte(2), byte(3)]);
            }
            elements.extend_from_slice(&last);
        }
    }
    reader.end()?;
    Ok(elements)
}

/// Four bytes of the element behind `last`.
fn next(channel: Channel, last: [u8; 4], difference: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d] = last;
    let [i, j, k, l] = difference;
    match channel {
        Channel::Bytes => {
            let sum = |last: u8, code: u8| {
                last.wrapping_add(if code & 1 == 0 { code >> 1 } else { !(code >> 1) })
            };
            [sum(a, i), sum(b, j), sum(c, k), sum(d, l)]
        }
        Channel::Shorts => {
            let sum = |last: [u8; 2], code: [u8; 2]| {
                let (last, code) = (u16::from_le_bytes(last), u16::from_le_bytes(code));
                let step = if code & 1 == 0 { code >> 1 } else { !(code >> 1) };
                last.wrapping_add(step).to_le_bytes()
            };
            let ([a, b], [c, d]) = (sum([a, b], [i, j]), sum([c, d], [k, l]));
            [a, b, c, d]
        }
        Channel::Bits(turn) => {
            let bits = u32::from_le_bytes(difference).rotate_right(turn);
            (u32::from_le_bytes(last) ^ bits).to_le_bytes()
        }
    }
}

/// Reads the differences of one byte of every element, whole groups of them.
fn read_plane(reader: &mut Reader, widths: Widths, bytes: &mut [u8]) -> Result<(), Problem> {
    let groups = bytes.as_chunks_mut::<GROUP>().0;
    let header = reader.take(groups.len().div_ceil(4))?;
    for (index, group) in groups.iter_mut().enumerate() {
        let bits = header[index / 4] >> (2 * (index % 4)) & 3;
        match widths[usize::from(bits)] {
            0 => group.fill(0),
            8 => group.copy_from_slice(reader.take(GROUP)?),
            width => read_group(reader, width as usize, group)?,
        }
    }
    Ok(())
}

/// Reads sixteen numbers of 1, 2 or 4 bits; one with all bits set stands for a byte behind them.
fn read_group(reader: &mut Reader, width: usize, group: &mut [u8; GROUP]) -> Result<(), Problem> {
    let packed = reader.take(2 * width)?;
    let mask = (1 << width) - 1;
    let each = 8 / width;
    for (index, value) in group.iter_mut().enumerate() {
        // Single bits lie in the byte from the lowest, wider numbers from the highest.
        let place = if width == 1 { index % each } else { each - 1 - index % each };
        let code = packed[index / each] >> (place * width) & mask;
        *value = if code == mask { reader.byte()? } else { code };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_example_decodes() {
        let bytes = [0x17, 0x5f, 0xf0, 0xbc, 0x77, 0xa9, 0x21, 0x00, 0x34, 0xb5];
        let mut group = [0; GROUP];
        let mut reader = Reader { bytes: &bytes };
        read_group(&mut reader, 4, &mut group).expect("whole");
        assert_eq!(reader.end(), Ok(()));
        let signed = group.map(|code| next(Channel::Bytes, [0; 4], [code; 4])[0] as i8);
        assert_eq!(signed, [-1, -4, -3, 26, -91, 0, -6, 6, -4, -4, 5, -5, 1, -1, 0, 0]);
    }

    #[test]
    fn single_bits_lie_from_the_lowest() {
        let mut group = [0; GROUP];
        read_group(&mut Reader { bytes: &[0b101, 0, 7, 9] }, 1, &mut group).expect("whole");
        assert_eq!(group[..4], [7, 0, 9, 0]);
    }

    #[test]
    fn damage_is_named() {
        let check = |stream: &[u8], part: &str| {
            let error = decode(stream, 4, 16).expect_err(part).to_string();
            assert!(error.contains(part), "{error:?} should contain {part:?}");
        };
        check(&[], "ends early");
        check(&[0xe1; 64], "begins with byte 0xe1");
        check(&[0xa0; 8], "ends early");
        let mut still = vec![0xa0];
        still.resize(1 + 4 + 32, 0);
        assert_eq!(decode(&still, 4, 16), Ok(vec![0; 64]));
        still.push(0);
        check(&still, "1 bytes too many");
        let mut new = vec![0xa1, 0b1010_1010];
        new.resize(2 + 23, 0);
        new.push(3);
        check(&new, "a channel's mode is not known");
    }
}
