//! Segments and records: the bytes of a journal on disk.
//!
//! A segment is a header and records; a record is a group of entries that became durable at
//! once. All integers are little-endian. `docs/ledger.md` draws it.

use crate::merkle::Hash;

/// Bytes of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 60;
/// Bytes of a record before its entries: length, checksum and the group's head.
pub const RECORD_HEAD_BYTES: usize = 68;
/// Most bytes of one entry.
pub const ENTRY_BYTES_MAX: usize = 16 << 20;
/// Most bytes of one record: room for four of the longest entries, or 300 000 transfers.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

const SEGMENT_MAGIC: &[u8; 8] = b"TSRSEG1\n";
const RECORD_MAGIC: &[u8; 4] = b"TSG1";
const SIGNATURE_BYTES: usize = 64;
/// Length and checksum, which the length does not count.
const FRAME_BYTES: usize = 8;

/// What a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Number of its first entry.
    pub first_seq: u64,
    /// Drawn when the segment is made and repeated in each of its records: bytes inside an
    /// entry, which a stranger may have chosen, can never pass for a record.
    pub salt: [u8; 8],
    /// The chain before its first record.
    pub chain: Hash,
}

/// What a record holds, apart from its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHead {
    /// Number of its first entry.
    pub first_seq: u64,
    /// Number of entries, at least 1.
    pub count: u32,
    /// The chain before it.
    pub prev: Hash,
}

/// A record that was read.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// Where the record begins in its segment.
    pub offset: usize,
    /// Where the next begins.
    pub end: usize,
    /// What it holds, apart from its entries.
    pub head: GroupHead,
    /// The signature over its chain hash, when the journal is signed.
    pub signature: Option<[u8; 64]>,
    entries: &'a [u8],
}

/// A header that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the segment's header is damaged or missing")]
pub struct HeaderError;

/// Where reading a segment had to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRecord {
    /// Where the bad record begins.
    pub offset: usize,
    /// Where a good record follows: then this is damage, not a write that was cut short.
    pub good_after: Option<usize>,
}

impl SegmentHeader {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(SEGMENT_MAGIC);
        bytes[8..16].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt);
        bytes[24..56].copy_from_slice(&self.chain);
        let crc = crc32fast::hash(&bytes[..56]);
        bytes[56..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of a segment.
    ///
    /// # Errors
    /// When the bytes are too few, of another kind, or do not fit their checksum.
    pub fn decode(segment: &[u8]) -> Result<Self, HeaderError> {
        let bytes = segment.get(..SEGMENT_HEADER_BYTES).ok_or(HeaderError)?;
        let crc = u32::from_le_bytes(array(&bytes[56..]));
        if &bytes[..8] != SEGMENT_MAGIC || crc != crc32fast::hash(&bytes[..56]) {
            return Err(HeaderError);
        }
        Ok(Self {
            first_seq: u64::from_le_bytes(array(&bytes[8..16])),
            salt: array(&bytes[16..24]),
            chain: array(&bytes[24..56]),
        })
    }

    /// The records of the segment, from `offset` on (a record's beginning).
    #[must_use]
    pub const fn groups<'a>(&self, segment: &'a [u8], offset: usize) -> Groups<'a> {
        Groups { segment, salt: self.salt, offset, stopped: false }
    }
}

/// The chain before the first record of a journal.
#[must_use]
pub fn genesis(origin: &str) -> Hash {
    blake3::derive_key("tessera 2026 journal genesis v1", origin.as_bytes())
}

/// Entries that will become one record.
#[derive(Debug, Default)]
pub struct GroupBuilder {
    entries: Vec<u8>,
    count: u32,
}

impl GroupBuilder {
    /// Adds an entry; `false` when it does not fit (see [`ENTRY_BYTES_MAX`],
    /// [`RECORD_BYTES_MAX`]), and then nothing was added.
    #[must_use]
    pub fn push(&mut self, entry: &[u8]) -> bool {
        let record = RECORD_HEAD_BYTES + SIGNATURE_BYTES + self.entries.len() + 4 + entry.len();
        let full = record > RECORD_BYTES_MAX || self.count == u32::MAX;
        if full || entry.len() > ENTRY_BYTES_MAX {
            return false;
        }
        self.entries.extend_from_slice(&(entry.len() as u32).to_le_bytes());
        self.entries.extend_from_slice(entry);
        self.count += 1;
        true
    }

    /// Number of entries.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries in order.
    pub fn entries(&self) -> Entries<'_> {
        Entries(&self.entries)
    }

    /// The chain after this group.
    #[must_use]
    pub fn chain(&self, first_seq: u64, prev: Hash) -> Hash {
        chain_after(&GroupHead { first_seq, count: self.count, prev }, &self.entries)
    }

    /// The record's bytes.
    #[must_use]
    pub fn encode(
        &self,
        first_seq: u64,
        prev: Hash,
        salt: [u8; 8],
        signature: Option<[u8; 64]>,
    ) -> Vec<u8> {
        let signature_bytes = signature.as_ref().map_or(&[][..], |bytes| bytes);
        let size = RECORD_HEAD_BYTES + self.entries.len() + signature_bytes.len();
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&((size - FRAME_BYTES) as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(RECORD_MAGIC);
        bytes.extend_from_slice(&salt);
        bytes.extend_from_slice(&first_seq.to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&[u8::from(signature.is_some()), 0, 0, 0]);
        bytes.extend_from_slice(&prev);
        bytes.extend_from_slice(&self.entries);
        bytes.extend_from_slice(signature_bytes);
        let crc = checksum(&bytes);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

impl<'a> Group<'a> {
    /// The entries in order.
    #[must_use]
    pub const fn entries(&self) -> Entries<'a> {
        Entries(self.entries)
    }

    /// The chain after this group: it commits to every entry up to here.
    #[must_use]
    pub fn chain(&self) -> Hash {
        chain_after(&self.head, self.entries)
    }

    /// The same record where the bytes that were read begin at `start` of its segment.
    #[must_use]
    pub const fn read_from(self, start: usize) -> Self {
        Self { offset: self.offset + start, end: self.end + start, ..self }
    }

    /// Reads the record at `offset`, or `None` when there is no good one.
    fn read(segment: &'a [u8], salt: [u8; 8], offset: usize) -> Option<Self> {
        let rest = segment.get(offset..)?;
        let frame = rest.get(..RECORD_HEAD_BYTES)?;
        if &frame[8..12] != RECORD_MAGIC || frame[12..20] != salt {
            return None;
        }
        let size = FRAME_BYTES.checked_add(u32::from_le_bytes(array(&frame[..4])) as usize)?;
        if size > RECORD_BYTES_MAX {
            return None;
        }
        let record = rest.get(..size)?;
        if checksum(record) != u32::from_le_bytes(array(&frame[4..8])) {
            return None;
        }
        let signature_at = match record[32..36] {
            [0, 0, 0, 0] => size,
            [1, 0, 0, 0] => size.checked_sub(SIGNATURE_BYTES)?,
            _ => return None,
        };
        let head = GroupHead {
            first_seq: u64::from_le_bytes(array(&record[20..28])),
            count: u32::from_le_bytes(array(&record[28..32])),
            prev: array(&record[36..68]),
        };
        let entries = record.get(RECORD_HEAD_BYTES..signature_at)?;
        let signature = (signature_at < size).then(|| array(&record[signature_at..]));
        head.first_seq.checked_add(u64::from(head.count))?;
        let is_whole = head.count > 0 && Entries(entries).counts(head.count);
        is_whole.then_some(Self { offset, end: offset + size, head, signature, entries })
    }
}

/// Entries of a record, in order.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a>(&'a [u8]);

impl Entries<'_> {
    /// Whether the bytes are exactly `count` entries.
    fn counts(self, count: u32) -> bool {
        let (mut rest, mut left) = (self.0, count);
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(after) = after.get(length..) else { return false };
            if left == 0 || length > ENTRY_BYTES_MAX {
                return false;
            }
            (rest, left) = (after, left - 1);
        }
        rest.is_empty() && left == 0
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, after) = self.0.split_first_chunk::<4>()?;
        let (entry, rest) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        Some(entry)
    }
}

/// The records of a segment; after a bad one there are no more.
#[derive(Debug)]
pub struct Groups<'a> {
    segment: &'a [u8],
    salt: [u8; 8],
    offset: usize,
    stopped: bool,
}

impl<'a> Iterator for Groups<'a> {
    type Item = Result<Group<'a>, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped || self.offset >= self.segment.len() {
            return None;
        }
        let group = Group::read(self.segment, self.salt, self.offset);
        match group {
            Some(group) => self.offset = group.end,
            None => self.stopped = true,
        }
        Some(group.ok_or_else(|| {
            BadRecord {
                offset: self.offset,
                good_after: (self.offset + 1..self.segment.len())
                    .find(|&offset| Group::read(self.segment, self.salt, offset).is_some()),
            }
        }))
    }
}

fn chain_after(head: &GroupHead, entries: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("tessera 2026 journal chain v1");
    hasher.update(&head.prev);
    hasher.update(&head.first_seq.to_le_bytes());
    hasher.update(&head.count.to_le_bytes());
    hasher.update(entries);
    *hasher.finalize().as_bytes()
}

/// CRC-32 of a record: of its length, and of all after the checksum.
fn checksum(record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[..4]);
    hasher.update(&record[FRAME_BYTES..]);
    hasher.finalize()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: [u8; 8] = *b"saltsalt";

    fn header() -> SegmentHeader {
        SegmentHeader { first_seq: 3, salt: SALT, chain: genesis("test") }
    }

    fn record(first_seq: u64, entries: &[&[u8]], signed: bool) -> Vec<u8> {
        let mut builder = GroupBuilder::default();
        assert!(entries.iter().all(|entry| builder.push(entry)));
        builder.encode(first_seq, genesis("test"), SALT, signed.then_some([5; 64]))
    }

    fn segment(records: &[Vec<u8>]) -> Vec<u8> {
        [header().encode().to_vec(), records.concat()].concat()
    }

    #[test]
    fn records_round_trip() {
        let bytes = segment(&[record(3, &[b"a", b"", b"ccc"], true), record(6, &[b"d"], false)]);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
        let groups: Vec<_> = header()
            .groups(&bytes, SEGMENT_HEADER_BYTES)
            .collect::<Result<_, _>>()
            .expect("two good records");
        assert_eq!(groups[0].entries().collect::<Vec<_>>(), [&b"a"[..], b"", b"ccc"]);
        assert_eq!(groups[0].head, GroupHead { first_seq: 3, count: 3, prev: genesis("test") });
        assert_eq!((groups[0].signature, groups[1].signature), (Some([5; 64]), None));
        assert_eq!(groups[1].end, bytes.len());
        assert_ne!(groups[0].chain(), groups[1].chain());
    }

    #[test]
    fn every_flipped_bit_of_a_record_or_header_is_noticed() {
        let bytes = segment(&[record(3, &[b"some", b"entries"], true)]);
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let good = SegmentHeader::decode(&altered).is_ok_and(|header| {
                header.groups(&altered, SEGMENT_HEADER_BYTES).all(|g| g.is_ok())
            });
            assert!(!good, "bit {bit}");
        }
    }

    #[test]
    fn damage_is_told_from_a_torn_tail() {
        let records = [record(3, &[b"one"], true), record(4, &[b"two"], true)];
        let mut bytes = segment(&records);
        let second = SEGMENT_HEADER_BYTES + records[0].len();
        bytes[SEGMENT_HEADER_BYTES + 70] ^= 1;
        let bad = BadRecord { offset: SEGMENT_HEADER_BYTES, good_after: Some(second) };
        let groups: Vec<_> = header().groups(&bytes, SEGMENT_HEADER_BYTES).collect();
        assert!(matches!(groups[..], [Err(found)] if found == bad));

        let torn = &segment(&records)[..second + 90];
        let last = header().groups(torn, SEGMENT_HEADER_BYTES).last().expect("a bad record");
        assert_eq!(last.err(), Some(BadRecord { offset: second, good_after: None }));
    }

    #[test]
    fn a_record_inside_an_entry_never_passes_for_one() {
        // A stranger's bytes look like a record in every way but the salt, which he cannot know.
        let mut builder = GroupBuilder::default();
        assert!(builder.push(b"evil"));
        let inner = builder.encode(9, genesis("test"), *b"guessed!", None);
        let outer = record(3, &[&inner], true);
        let torn = &segment(&[outer])[..SEGMENT_HEADER_BYTES + RECORD_HEAD_BYTES + 4 + inner.len()];
        let bad = header().groups(torn, SEGMENT_HEADER_BYTES).last().expect("a bad record");
        assert_eq!(bad.err().and_then(|bad| bad.good_after), None);
    }

    #[test]
    fn what_does_not_fit_is_not_added() {
        let mut builder = GroupBuilder::default();
        assert!(!builder.push(&vec![0; ENTRY_BYTES_MAX + 1]));
        let longest = vec![0; ENTRY_BYTES_MAX];
        let pushed = (0..5).filter(|_| builder.push(&longest)).count();
        assert_eq!((pushed, builder.count()), (3, 3));
        assert!(builder.encode(0, genesis("test"), SALT, None).len() <= RECORD_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn hostile_segments_never_panic(
            mut noise in prop::collection::vec(any::<u8>(), 0..400),
            patches in prop::collection::vec((0_usize..400, any::<u8>()), 0..4),
        ) {
            for found in header().groups(&noise, 0) {
                prop_assert!(found.is_err());
            }
            let good = segment(&[record(3, &[b"one", b"two"], true), record(5, &[b"3"], false)]);
            noise.splice(..0, good);
            for (at, value) in patches {
                let at = at % noise.len();
                noise[at] = value;
            }
            if let Ok(header) = SegmentHeader::decode(&noise) {
                let entries: usize = header
                    .groups(&noise, SEGMENT_HEADER_BYTES)
                    .flatten()
                    .map(|group| group.entries().count())
                    .sum();
                prop_assert!(entries <= 3);
            }
        }
    }
}
