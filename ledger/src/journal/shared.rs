//! A journal that several machines have: its records are also kept in a log that all of them reach,
//! and what is there counts.
//!
//! One of them writes: a record goes to the log first, and is acknowledged when it is on the own disk
//! too. The others catch up. A record is the same everywhere but for the salt of the segment it lies
//! in, which is zero in the log.

use std::fmt;

use proof::VerifyError;
use proof::merkle::Hash;
use proof::record::{Group, GroupBuilder, SegmentHeader, genesis};
use proof::verify::sign_group;

use super::{AppendError, EntryProblem, FollowError, Follower, Journal};

/// The salt of records in a log.
const SALT: [u8; 8] = [0; 8];

/// Where the records of one journal are kept for all machines.
pub trait SharedLog: Send + fmt::Debug {
    /// The record with the highest number; none when there is none.
    ///
    /// # Errors
    /// The log cannot be reached.
    fn last(&mut self) -> Result<Option<Vec<u8>>, EntryProblem>;

    /// Hands the records that begin with entry `first_seq` or a later one to `visit`, in order.
    ///
    /// # Errors
    /// The log cannot be reached, or what `visit` says.
    fn read(
        &mut self,
        first_seq: u64,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), EntryProblem>,
    ) -> Result<(), EntryProblem>;

    /// Adds the record that begins with entry `first_seq`. When this returns it is durable, and the only
    /// one that begins there.
    ///
    /// # Errors
    /// The log cannot be reached, or somebody else writes it now.
    fn append(&mut self, first_seq: u64, record: &[u8]) -> Result<(), EntryProblem>;
}

/// Why a journal is not shared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The log cannot be read or written.
    #[error("the shared log of the journal cannot be used")]
    Log(#[source] EntryProblem),
    /// What the log holds is no record.
    #[error(
        "the shared log holds bytes that are no record, after entry {size}; restore it from a backup"
    )]
    Record {
        /// Entries before them.
        size: u64,
    },
    /// Entries are missing from the log.
    #[error(
        "the shared log lacks entries from number {size} on; restore the database from a backup"
    )]
    Gap {
        /// The first that is missing.
        size: u64,
    },
    /// The log does not go on from what is on the disk.
    #[error(
        "the journal on this disk and the shared log are two; move the journal's folder away, and it is made again from the log"
    )]
    Other(#[source] VerifyError),
    /// There are entries in the log that are not on the disk.
    #[error("the shared log has {log} entries and the disk {disk}; catch up first")]
    Behind {
        /// Entries in the log.
        log: u64,
        /// Entries on the disk.
        disk: u64,
    },
    /// The disk.
    #[error("the journal on this disk cannot be written")]
    Append(#[from] AppendError),
    /// The disk, reading.
    #[error("the journal on this disk cannot be read")]
    Follow(#[from] FollowError),
}

impl Journal {
    /// Takes in what the log has beyond this journal; how many entries.
    ///
    /// # Errors
    /// See [`ShareError`]. The journal takes no more after one that is not [`ShareError::Log`].
    pub fn catch_up(&mut self, log: &mut dyn SharedLog) -> Result<u64, ShareError> {
        self.sync()?;
        let before = self.head().size;
        let mut failed = None;
        let read = log.read(before, &mut |record| {
            self.take_record(record).map_err(|error| {
                self.is_poisoned = true;
                failed = Some(error);
                "the record was not taken".into()
            })
        });
        match (failed, read) {
            (Some(error), _) => Err(error),
            (None, Err(problem)) => Err(ShareError::Log(problem)),
            (None, Ok(())) => {
                self.verifier.finish().map_err(|problem| {
                    self.is_poisoned = true;
                    ShareError::Other(problem)
                })?;
                let taken = self.head().size - before;
                if taken == 0 {
                    self.compare(log)?;
                }
                Ok(taken)
            }
        }
    }

    /// Whether the log and the disk are one where both end at the same entry.
    fn compare(&self, log: &mut dyn SharedLog) -> Result<(), ShareError> {
        let (size, chain) = end(log, &self.options.origin)?;
        let head = self.head();
        match size == head.size && chain != head.chain.0 {
            true => Err(ShareError::Other(VerifyError::Chain { seq: size })),
            false => Ok(()),
        }
    }

    /// Writes to the log from now on, and before that what this journal has beyond it: so one machine's
    /// journal becomes several machines'.
    ///
    /// # Errors
    /// See [`ShareError`]. The journal is not shared then.
    pub fn share(&mut self, mut log: Box<dyn SharedLog>) -> Result<(), ShareError> {
        self.sync()?;
        let head = self.head();
        let (size, chain) = end(&mut *log, &self.options.origin)?;
        if size > head.size {
            return Err(ShareError::Behind { log: size, disk: head.size });
        }
        let other = || ShareError::Other(VerifyError::Chain { seq: size });
        if size == head.size && chain != head.chain.0 {
            return Err(other());
        }
        let (mut problem, mut begins) = (None, size == head.size);
        let mut follower = Follower::starting_at(&self.dir, size)
            .map_err(|source| FollowError::Io { path: self.dir.clone(), source })?;
        let followed = follower.follow(head.size, &mut |group| {
            if group.head.first_seq < size {
                return Ok(());
            }
            begins |= (group.head.first_seq, group.head.prev) == (size, chain);
            if !begins {
                return Err("it does not go on from the log".into());
            }
            log.append(group.head.first_seq, &record_of(group)).map_err(|error| {
                problem = Some(error);
                "the log did not take it".into()
            })
        });
        match (problem, followed) {
            (Some(problem), _) => return Err(ShareError::Log(problem)),
            (None, Err(_)) if !begins => return Err(other()),
            (None, followed) => followed?,
        }
        self.shared = Some(log);
        Ok(())
    }

    /// Takes in a record as a log has it.
    fn take_record(&mut self, record: &[u8]) -> Result<(), ShareError> {
        let group = parse(record).ok_or(ShareError::Record { size: self.head().size })?;
        let head = self.head();
        if group.head.first_seq > head.size {
            return Err(ShareError::Gap { size: head.size });
        }
        let continues = (group.head.first_seq, group.head.prev) == (head.size, head.chain.0);
        if !continues {
            return Err(ShareError::Other(VerifyError::Chain { seq: head.size }));
        }
        // A record's signature is the same each time it is made, and all machines have the key.
        let key = self.options.signing_key.as_ref();
        let signature = key.map(|key| sign_group(&self.options.origin, &group.chain(), key));
        if signature.is_some() && signature != group.signature {
            return Err(ShareError::Record { size: head.size });
        }
        let built = rebuilt(&group).ok_or(ShareError::Record { size: head.size })?;
        self.put(|salt| built.encode(head.size, head.chain.0, salt, group.signature))?;
        self.verifier.group(&group).map_err(ShareError::Other)
    }
}

fn parse(record: &[u8]) -> Option<Group<'_>> {
    // Only the salt of a segment says which records are its own.
    let segment = SegmentHeader { first_seq: 0, salt: SALT, chain: [0; 32] };
    let group = segment.groups(record, 0).next()?.ok()?;
    (group.end == record.len()).then_some(group)
}

/// A record of a segment, as a log has it.
fn record_of(group: &Group<'_>) -> Vec<u8> {
    let built = rebuilt(group).expect("invariant: what was written as a record fits one");
    built.encode(group.head.first_seq, group.head.prev, SALT, group.signature)
}

/// The entries of a record for another; none where they do not fit.
fn rebuilt(group: &Group<'_>) -> Option<GroupBuilder> {
    let mut built = GroupBuilder::default();
    group.entries().all(|entry| built.push(entry)).then_some(built)
}

/// Entries of a log, and the chain after them.
fn end(log: &mut dyn SharedLog, origin: &str) -> Result<(u64, Hash), ShareError> {
    let Some(record) = log.last().map_err(ShareError::Log)? else {
        return Ok((0, genesis(origin)));
    };
    let group = parse(&record).ok_or(ShareError::Record { size: 0 })?;
    Ok((group.head.first_seq + u64::from(group.head.count), group.chain()))
}

/// A record that is to be written, as a log has it.
pub(super) fn encode(
    group: &GroupBuilder,
    head: &proof::Head,
    signature: Option<[u8; 64]>,
) -> Vec<u8> {
    group.encode(head.size, head.chain.0, SALT, signature)
}
