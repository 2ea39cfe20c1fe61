//! Reading a journal without changing it: all of it, verified, or what came since.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use proof::checkpoint::CHECKPOINT_BYTES_MAX;
use proof::merkle::Hash;
use proof::record::{BadRecord, Group, SEGMENT_HEADER_BYTES, SegmentHeader};
use proof::{Checkpoint, CheckpointError, Place, Signatures, Verifier, VerifyError};
use protocol::PublicKey;

use super::{CutTail, EntryProblem, FollowError, OpenError, Visit, disk, failed};

/// Name of the stored checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// No segment of ours is longer; a longer file is not read into memory.
const SEGMENT_BYTES_LIMIT: u64 = 1 << 30;

/// Which journal, and what it must agree with.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub dir: &'a Path,
    pub origin: &'a str,
    pub key: Option<PublicKey>,
    pub signatures: Signatures,
    pub witnessed: &'a [Checkpoint],
}

/// What reading a journal found.
pub(crate) struct Found {
    /// Stands at the end.
    pub verifier: Verifier,
    /// The last segment.
    pub last: Option<LastSegment>,
    /// A cut-short record at the end. It is still there.
    pub cut: Option<CutTail>,
    /// Entries at the stored checkpoint.
    pub checkpoint: Option<u64>,
}

/// The segment that grows.
pub(crate) struct LastSegment {
    pub path: PathBuf,
    pub header: SegmentHeader,
    /// Bytes that are good.
    pub good_bytes: u64,
    /// The bytes of its last good record, which end there; none when it has no record.
    pub record: Vec<u8>,
}

/// A place to read from, when what came before is known already.
pub(crate) struct Start<'a> {
    pub place: &'a Place,
    /// The segments that ended before it: first entry and bytes. They are not read, but must be
    /// there, as long as they were.
    pub before: &'a [(u64, u64)],
}

/// Reads and verifies a journal.
pub(crate) fn read(source: &Source<'_>, visit: &mut Visit<'_>) -> Result<Found, OpenError> {
    let mut verifier =
        Verifier::new(source.origin, source.key, source.signatures).map_err(broken(source.dir))?;
    source.witnessed.iter().for_each(|point| verifier.expect(point.clone()));
    let stored = stored_checkpoint(source)?.map(|(_note, point)| point);
    let checkpoint = stored.as_ref().map(|point| point.size);
    stored.into_iter().for_each(|point| verifier.expect(point));
    let mut reader = Reader { source, verifier, approach: None, last: None, cut: None };
    reader.segments(&list(source.dir)?, visit)?;
    reader.finish(checkpoint)
}

/// The same from a place on: what came before is not read, and checkpoints before it are not
/// checked. It refuses at least what [`read`] refuses from there on, but not always in the best
/// words: whoever is refused reads it all.
pub(crate) fn read_from(
    source: &Source<'_>,
    start: &Start<'_>,
    visit: &mut Visit<'_>,
) -> Result<Found, OpenError> {
    let size = start.place.frontier.size();
    let place = start.place.clone();
    let mut verifier = Verifier::starting_at(place, source.origin, source.key, source.signatures)
        .map_err(broken(source.dir))?;
    let stored = stored_checkpoint(source)?.map(|(_note, point)| point);
    let checkpoint = stored.as_ref().map(|point| point.size);
    let points = source.witnessed.iter().cloned().chain(stored);
    points.filter(|point| point.size >= size).for_each(|point| verifier.expect(point));
    verifier.check_story().map_err(broken(source.dir))?;

    let segments = list(source.dir)?;
    let (before, rest) = segments.split_at(start.before.len().min(segments.len()));
    for ((first_seq, path), known) in before.iter().zip(start.before) {
        let bytes = fs::metadata(path).map_err(failed("reading the segment", path))?.len();
        if (*first_seq, bytes) != *known || header_of(path)?.first_seq != *first_seq {
            return Err(OpenError::Header { segment: path.clone() });
        }
    }
    let Some((first_seq, path)) = rest.first().filter(|(first_seq, _)| *first_seq < size) else {
        let gap = VerifyError::Gap { expected: size, got: 0 };
        return Err(broken(source.dir)(gap));
    };
    let approach = Some((*first_seq, header_of(path)?.chain, start.place));
    let mut reader = Reader { source, verifier, approach, last: None, cut: None };
    reader.segments(rest, visit)?;
    reader.finish(checkpoint)
}

/// Reads a signed journal, which another process may be writing, and verifies all of it; how many
/// entries there are. What is not whole yet at its end is left out.
///
/// # Errors
/// See [`OpenError`].
pub fn read_signed(
    dir: &Path,
    origin: &str,
    key: PublicKey,
    visit: &mut Visit<'_>,
) -> Result<u64, OpenError> {
    let signatures = Signatures::Last;
    let source = Source { dir, origin, key: Some(key), signatures, witnessed: &[] };
    Ok(read(&source, visit)?.verifier.size())
}

/// The segments that end before entry `size`: first entry and bytes.
pub(crate) fn segments_before(dir: &Path, size: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut segments = disk::segments(dir)?;
    segments.retain(|(first_seq, _)| *first_seq < size);
    segments.pop();
    segments
        .into_iter()
        .map(|(first_seq, path)| Ok((first_seq, fs::metadata(path)?.len())))
        .collect()
}

fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    disk::segments(dir).map_err(failed("listing segments", dir))
}

fn header_of(path: &Path) -> Result<SegmentHeader, OpenError> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.ok()
        .and_then(|()| SegmentHeader::decode(&bytes).ok())
        .ok_or_else(|| OpenError::Header { segment: path.to_owned() })
}

fn broken(path: &Path) -> impl FnOnce(VerifyError) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Broken { path, source }
}

/// Goes through the segments in order.
struct Reader<'a> {
    source: &'a Source<'a>,
    verifier: Verifier,
    /// On the way to the place where verifying begins only the chain is followed: the next entry,
    /// the chain before it, and the place.
    approach: Option<(u64, Hash, &'a Place)>,
    last: Option<LastSegment>,
    cut: Option<CutTail>,
}

impl Reader<'_> {
    fn segments(
        &mut self,
        segments: &[(u64, PathBuf)],
        visit: &mut Visit<'_>,
    ) -> Result<(), OpenError> {
        for (index, (first_seq, path)) in segments.iter().enumerate() {
            self.segment(*first_seq, path, index + 1 == segments.len(), visit)?;
        }
        Ok(())
    }

    fn segment(
        &mut self,
        first_seq: u64,
        path: &Path,
        is_last: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), OpenError> {
        let bytes = read_segment(path)?;
        let header = SegmentHeader::decode(&bytes)
            .ok()
            .filter(|header| header.first_seq == first_seq)
            .ok_or_else(|| OpenError::Header { segment: path.to_owned() })?;
        if self.approach.is_none() {
            match self.verifier.segment(&header) {
                Err(VerifyError::Chain { seq: 0 }) => {
                    let (origin, segment) = (self.source.origin.to_owned(), path.to_owned());
                    return Err(OpenError::OtherJournal { origin, segment });
                }
                checked => checked.map_err(broken(path))?,
            }
        }
        let (mut good_bytes, mut record) = (SEGMENT_HEADER_BYTES, 0..0);
        for group in header.groups(&bytes, SEGMENT_HEADER_BYTES) {
            match group {
                Ok(group) => {
                    (good_bytes, record) = (group.end, group.offset..group.end);
                    if self.approaches(&group).map_err(broken(path))? {
                        continue;
                    }
                    self.verifier.group(&group).map_err(broken(path))?;
                    visit_entries(&group, visit)?;
                }
                Err(BadRecord { offset, good_after: None }) if is_last => {
                    let left = bytes.len() - offset;
                    let (offset, left) = (offset as u64, left as u64);
                    self.cut = Some(CutTail { segment: path.to_owned(), offset, bytes: left });
                }
                Err(BadRecord { offset, .. }) => {
                    let (segment, size) = (path.to_owned(), self.verifier.head().size);
                    return Err(OpenError::Damaged { segment, offset: offset as u64, size });
                }
            }
        }
        if is_last {
            let (path, good_bytes) = (path.to_owned(), good_bytes as u64);
            let record = bytes[record].to_vec();
            self.last = Some(LastSegment { path, header, good_bytes, record });
        }
        Ok(())
    }

    /// Whether the record lies before the place where verifying begins; the chain must lead there.
    fn approaches(&mut self, group: &Group<'_>) -> Result<bool, VerifyError> {
        let Some((seq, chain, place)) = self.approach.take() else { return Ok(false) };
        if (group.head.first_seq, group.head.prev) != (seq, chain) {
            return Err(VerifyError::Chain { seq });
        }
        let (size, next) = (place.frontier.size(), seq + u64::from(group.head.count));
        let chain = group.chain();
        if next < size {
            self.approach = Some((next, chain, place));
        } else if (next, chain) != (size, place.chain) {
            return Err(VerifyError::Story { checkpoint: size });
        }
        Ok(true)
    }

    fn finish(mut self, checkpoint: Option<u64>) -> Result<Found, OpenError> {
        let broken = broken(self.source.dir);
        if let Some((size, _, place)) = self.approach {
            let checkpoint = place.frontier.size();
            return Err(broken(VerifyError::Short { size, checkpoint }));
        }
        self.verifier.finish().map_err(broken)?;
        Ok(Found { verifier: self.verifier, last: self.last, cut: self.cut, checkpoint })
    }
}

fn visit_entries(group: &Group<'_>, visit: &mut Visit<'_>) -> Result<(), OpenError> {
    for (seq, entry) in (group.head.first_seq..).zip(group.entries()) {
        visit(seq, entry).map_err(|source| OpenError::Entry { seq, source })?;
    }
    Ok(())
}

fn read_segment(path: &Path) -> Result<Vec<u8>, OpenError> {
    let size = fs::metadata(path).map_err(failed("reading the segment", path))?.len();
    if size > SEGMENT_BYTES_LIMIT {
        return Err(OpenError::Header { segment: path.to_owned() });
    }
    fs::read(path).map_err(failed("reading the segment", path))
}

/// The checkpoint that is stored beside the segments, and its note.
pub(crate) fn stored_checkpoint(
    source: &Source<'_>,
) -> Result<Option<(String, Checkpoint)>, OpenError> {
    let path = source.dir.join(CHECKPOINT);
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(file) => file
            .take(CHECKPOINT_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed("reading the checkpoint", &path))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("reading the checkpoint", &path)(error)),
    };
    let opened = String::from_utf8(bytes)
        .map_err(|_why| CheckpointError::Malformed("it is not text"))
        .and_then(|note| {
            let point = Checkpoint::open(&note, source.origin, source.key)?;
            Ok((note, point))
        });
    opened.map(Some).map_err(|source| OpenError::Checkpoint { path, source })
}

/// Reads on where it stopped, while another thread writes.
#[derive(Debug)]
pub(crate) struct Follower {
    dir: PathBuf,
    next_seq: u64,
    at: Option<(PathBuf, SegmentHeader, u64)>,
}

impl Follower {
    /// Starts at the last segment's beginning that is not after entry `seq`.
    pub(crate) fn starting_at(dir: &Path, seq: u64) -> io::Result<Self> {
        let segments = disk::segments(dir)?;
        let mut starts = segments.iter().rev().map(|(first_seq, _)| *first_seq);
        let next_seq = starts.find(|&first_seq| first_seq <= seq).unwrap_or(0);
        Ok(Self { dir: dir.to_owned(), next_seq, at: None })
    }

    /// Hands records to `visit` until entry `until` would come.
    pub(crate) fn follow(
        &mut self,
        until: u64,
        visit: &mut dyn FnMut(&Group<'_>) -> Result<(), EntryProblem>,
    ) -> Result<(), FollowError> {
        while self.next_seq < until {
            let (path, header, offset) = match self.at.take() {
                Some(at) => at,
                None => self.enter()?,
            };
            let bytes = read_after(&path, offset)
                .map_err(|source| FollowError::Io { path: path.clone(), source })?;
            let mut good_bytes = offset;
            let before = self.next_seq;
            // A bad record is one that is being written, or damage: then entries are missing.
            for group in header.groups(&bytes, 0).map_while(Result::ok) {
                if self.next_seq >= until {
                    break;
                }
                let seq = group.head.first_seq;
                let group = group.read_from(offset as usize);
                visit(&group).map_err(|source| FollowError::Entry { seq, source })?;
                self.next_seq = seq + u64::from(group.head.count);
                good_bytes = group.end as u64;
            }
            if self.next_seq > before {
                self.at = Some((path, header, good_bytes));
            } else if header.first_seq == self.next_seq {
                let (seq, dir) = (self.next_seq, self.dir.clone());
                return Err(FollowError::Missing { seq, dir });
            }
        }
        Ok(())
    }

    fn enter(&self) -> Result<(PathBuf, SegmentHeader, u64), FollowError> {
        let path = disk::segment_path(&self.dir, self.next_seq);
        let missing = || FollowError::Missing { seq: self.next_seq, dir: self.dir.clone() };
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        File::open(&path)
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(|_why| missing())?;
        let header = SegmentHeader::decode(&bytes)
            .ok()
            .filter(|header| header.first_seq == self.next_seq)
            .ok_or_else(missing)?;
        Ok((path, header, SEGMENT_HEADER_BYTES as u64))
    }
}

fn read_after(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
