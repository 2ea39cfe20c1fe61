//! The books as bytes, and back: what a snapshot holds. The same books give the same bytes.
//!
//! ```text
//! size u64 | time_ms u64
//! accounts u64 | each: length u16, state              in the order of their ids
//! open     u64 | each: length u16, transfer, expiry   in the order of their ids
//! for each entry, 49 bytes: id 16, digest 32, what became of it 1; zeros for an expiry
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proof::entry::ENTRY_BYTES_MAX;
use proof::merkle::Hash;
use proof::{AccountState, Entry, Transfer};
use protocol::{Digest, TransferId, wire};

use super::{Books, Known, Open, State};
use crate::apply::{Broken, Ended};
use crate::journal::EntryProblem;
use crate::snapshot::Fold;
use crate::totals::Totals;

/// Bytes an entry takes: id, digest, state.
const KNOWN_BYTES: usize = 16 + 32 + 1;
/// What became of an entry's transfer; 0 is an entry that applied none.
const STATES: [State; 5] = [
    State::Done,
    State::Open,
    State::Ended(Ended::Posted),
    State::Ended(Ended::Voided),
    State::Ended(Ended::Expired),
];

/// Bytes that are no books. Only another version, or a defect, writes such under a good hash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The bytes end early or go on.
    #[error("it has not the length it speaks of")]
    Length,
    /// A part is not in its canonical form or order.
    #[error("its {0} are not in canonical form")]
    Canonical(&'static str),
    /// It is of another number of entries.
    #[error("its books are of another place")]
    Place,
    /// What it says does not add up.
    #[error("its books do not add up")]
    Broken(#[from] Broken),
}

impl Fold for Books {
    type Seed = ();

    fn begin((): &()) -> Self {
        Self::default()
    }

    fn take_in(&mut self, seq: u64, entry: &[u8]) -> Result<(), EntryProblem> {
        Ok(self.replay(seq, &Entry::decode(entry)?)?)
    }

    fn write_image(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.size.to_le_bytes());
        to.extend_from_slice(&self.time_ms.to_le_bytes());
        to.extend_from_slice(&(self.accounts.len() as u64).to_le_bytes());
        self.account_states().for_each(|state| push(to, &state.encode()));
        to.extend_from_slice(&(self.open.len() as u64).to_le_bytes());
        for open in self.open.values() {
            push(to, &wire::encode(&(&open.transfer, open.expires_ms)));
        }
        let start = to.len();
        let size = usize::try_from(self.size).expect("invariant: ids are in memory");
        to.resize(start + size * KNOWN_BYTES, 0);
        let entries = &mut to[start..];
        // Each has its place, so that the order in which they come does not matter.
        self.known.iter().for_each(|(id, known)| {
            let at = known.seq as usize * KNOWN_BYTES;
            entries[at..at + 16].copy_from_slice(&id.0);
            entries[at + 16..at + 48].copy_from_slice(&known.digest.0);
            let state = STATES.iter().position(|&state| state == known.state);
            entries[at + 48] = 1 + state.expect("invariant: all states are listed") as u8;
        });
    }

    fn from_image((): &(), size: u64, image: &[u8]) -> Result<Self, EntryProblem> {
        let books = Self::read_image(image)?;
        if books.size() == size { Ok(books) } else { Err(ImageError::Place.into()) }
    }

    fn accounts(&self) -> (u64, Hash) {
        self.account_tree()
    }
}

impl Books {
    /// Reads books, and counts them again.
    fn read_image(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut rest = bytes;
        let (size, time_ms) = (number(&mut rest)?, number(&mut rest)?);

        let (mut sums, mut accounts, mut last) = (Totals::default(), BTreeMap::new(), None);
        for _ in 0..number(&mut rest)? {
            let state = AccountState::decode(part(&mut rest)?)
                .map_err(|_why| ImageError::Canonical("accounts"))?;
            let (id, totals) = (state.id(), Totals::from(state));
            if last >= Some(id) {
                return Err(ImageError::Canonical("accounts"));
            }
            sums = sums.checked_add(&totals).ok_or(Broken::Unequal(sums))?;
            accounts.insert(id, (state.account, totals));
            last = Some(id);
        }

        let (mut open, mut expiries) = (BTreeMap::new(), BTreeSet::new());
        for _ in 0..number(&mut rest)? {
            let (transfer, expires_ms): (Transfer, Option<u64>) =
                wire::decode(part(&mut rest)?, ENTRY_BYTES_MAX)
                    .map_err(|_why| ImageError::Canonical("open transfers"))?;
            let id = transfer.id;
            expiries.extend(expires_ms.map(|expires_ms| (expires_ms, id)));
            open.insert(id, Open { transfer, expires_ms });
        }

        let length = usize::try_from(size).ok().and_then(|size| size.checked_mul(KNOWN_BYTES));
        if length != Some(rest.len()) {
            return Err(ImageError::Length);
        }
        let (entries, _none) = rest.as_chunks::<KNOWN_BYTES>();
        let mut known = HashMap::with_capacity(entries.len());
        let (mut applied, mut opened) = (0, 0);
        for (seq, entry) in (0..).zip(entries) {
            let state = match entry[48] {
                0 if *entry == [0; KNOWN_BYTES] => continue,
                0 => return Err(ImageError::Canonical("entries")),
                tag => STATES.get(usize::from(tag) - 1).ok_or(ImageError::Canonical("entries"))?,
            };
            let (mut id, mut digest) = ([0; 16], [0; 32]);
            id.copy_from_slice(&entry[..16]);
            digest.copy_from_slice(&entry[16..48]);
            known.insert(TransferId(id), Known { seq, digest: Digest(digest), state: *state });
            (applied, opened) = (applied + 1, opened + usize::from(*state == State::Open));
        }
        let is_open = |id: &TransferId| known.get(id).is_some_and(|one| one.state == State::Open);
        if known.len() != applied || open.len() != opened || !open.keys().all(is_open) {
            return Err(ImageError::Canonical("entries"));
        }
        let books = Self { size, time_ms, sums, accounts, known, open, expiries };
        books.check()?;
        Ok(books)
    }
}

fn push(to: &mut Vec<u8>, part: &[u8]) {
    let length = u16::try_from(part.len()).expect("invariant: entries are far shorter");
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(part);
}

fn number(from: &mut &[u8]) -> Result<u64, ImageError> {
    let (number, rest) = from.split_first_chunk().ok_or(ImageError::Length)?;
    *from = rest;
    Ok(u64::from_le_bytes(*number))
}

fn part<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], ImageError> {
    let (length, rest) = from.split_first_chunk().ok_or(ImageError::Length)?;
    let length = usize::from(u16::from_le_bytes(*length));
    let (part, rest) = rest.split_at_checked(length).ok_or(ImageError::Length)?;
    *from = rest;
    Ok(part)
}
