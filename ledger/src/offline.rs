//! The ledger's commands that need no running scheduler: functions that return plain data.
//!
//! All of them read the journal without taking its lock, so that they can look at a ledger in
//! use; only [`rebuild`] needs it to itself.

mod backup;
mod export;
mod prove;

use std::io;
use std::path::{Path, PathBuf};

use proof::{Account, Checkpoint, Entry, Head, Signatures, ledger_origin};
use protocol::view::LedgerCheck;
use protocol::{AccountId, Digest, PublicKey};

use crate::books::Books;
use crate::index::{self, IndexError};
use crate::journal::{self, CutTail, EntryProblem, Follower, Lock, OpenError, Source};
use crate::ledger::{INDEX_DIR, JOURNAL_DIR, TREE_DIR};
use crate::opening::{PassedOver, Places};
use crate::reader::StatementError;
use crate::snapshot;
use crate::statement::Row;
use crate::totals::{Balance, Effect, Totals};

pub use backup::{BackupError, Copied, RestoreError, backup, restore};
pub use export::{ExportError, Format, date, export};
pub use prove::{Against, ProveError, Wanted, prove, prove_consistency};

/// Takes each entry with its bytes, and the books after it.
type VisitEntry<'a> = dyn FnMut(&Books, &Entry, &[u8]) -> Result<(), EntryProblem> + 'a;

/// A ledger that was verified from its first entry to its last.
#[derive(Debug)]
pub struct Verified {
    /// The books that the journal gives.
    pub books: Books,
    /// Where the journal stands.
    pub head: Head,
    /// The same as a checkpoint, not signed: for comparing with one that was.
    pub checkpoint: Checkpoint,
    /// A record at the end that is cut short: opening the ledger would cut it off.
    pub cut: Option<CutTail>,
    /// Entries at the snapshots that hold and give the same books as the journal.
    pub snapshots: Vec<u64>,
    /// Snapshots that opening would pass over: damaged, of another key or another version.
    pub unusable: Vec<PassedOver>,
    /// Entries at snapshots that are whole and signed, but hold other books than the journal gives.
    pub contradicted: Vec<u64>,
}

/// An account and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountBalance {
    /// Its id.
    pub id: AccountId,
    /// What it is.
    pub account: Account,
    /// What it holds.
    pub balance: Balance,
}

/// Why an index was not rebuilt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The journal does not hold, or the ledger is in use.
    #[error("the index was not rebuilt: its journal cannot be read")]
    Journal(#[from] OpenError),
    /// The old index or a snapshot could not be removed.
    #[error("what was there could not be removed: {}", path.display())]
    Remove {
        /// The index, or the snapshot.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The new index could not be written.
    #[error("the new index could not be written")]
    Index(#[from] IndexError),
}

/// The key whose ledger lies in `dir`, by the name in its stored checkpoint: a claim that
/// verifying under that key proves. `None` when there is no checkpoint.
#[must_use]
pub fn claimed_key(dir: &Path) -> Option<PublicKey> {
    let path = dir.join(JOURNAL_DIR).join("checkpoint");
    let note = std::fs::read_to_string(path).ok()?;
    proof::claimed_key(&note)
}

/// Verifies the ledger of `key` in `dir`: every checksum, the chain, every signature, the stored
/// checkpoint and `witnessed` ones, and replays every transfer by the rules.
///
/// # Errors
/// See [`OpenError`].
pub fn verify(dir: &Path, key: PublicKey, witnessed: &[Checkpoint]) -> Result<Verified, OpenError> {
    verify_with(dir, key, witnessed, &mut |_books, _entry, _bytes| Ok(()))
}

/// Verifies the ledger and says what came out in a form to show. Never fails: what is wrong is in
/// [`LedgerCheck::problem`].
#[must_use]
pub fn check(dir: &Path, key: PublicKey, witnessed: &[Checkpoint]) -> LedgerCheck {
    check_against(dir, key, witnessed, None)
}

/// The same, and compares with the books of a ledger in use, which may have grown since.
pub(crate) fn check_against(
    dir: &Path,
    key: PublicKey,
    witnessed: &[Checkpoint],
    expected: Option<&Books>,
) -> LedgerCheck {
    let mut is_expected = expected.is_none_or(|books| books.size() == 0);
    let verified = verify_with(dir, key, witnessed, &mut |books, _entry, _bytes| {
        if let Some(expected) = expected.filter(|expected| expected.size() == books.size()) {
            is_expected = books.holds_like(expected);
        }
        Ok(())
    });
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => {
            let problem = Some(in_full(&error));
            let head = Digest([0; 32]);
            return LedgerCheck { sum_is_zero: false, verified: false, entries: 0, head, problem };
        }
    };
    let balanced = verified.books.check();
    let problem = match (&balanced, is_expected, verified.contradicted.first()) {
        (Err(broken), _, _) => Some(in_full(broken)),
        (Ok(()), false, _) => {
            Some("the books in memory differ from the journal's replay".to_owned())
        }
        (Ok(()), true, Some(size)) => {
            Some(format!("the snapshot at entry {size} holds other books than the journal gives"))
        }
        (Ok(()), true, None) => None,
    };
    LedgerCheck {
        sum_is_zero: balanced.is_ok(),
        verified: is_expected && verified.contradicted.is_empty(),
        entries: verified.head.size,
        head: verified.head.chain,
        problem,
    }
}

/// Snapshots that opening would pass over, whatever the journal holds: damaged, of another key or
/// another version.
#[must_use]
pub fn unusable_snapshots(dir: &Path, key: PublicKey) -> Vec<PassedOver> {
    Places::find(&dir.join(JOURNAL_DIR), &ledger_origin(key), key).bad
}

/// What every account holds, by kind and owner.
///
/// # Errors
/// See [`OpenError`].
pub fn balances(dir: &Path, key: PublicKey) -> Result<Vec<AccountBalance>, OpenError> {
    let books = verify(dir, key, &[])?.books;
    let mut balances: Vec<AccountBalance> = books
        .accounts()
        .map(|(id, account, totals)| AccountBalance { id, account, balance: totals.balance() })
        .collect();
    balances.sort_by_key(|row| row.account);
    Ok(balances)
}

/// Rows of an account, newest first, and how many there are; without limit 0 for all.
///
/// # Errors
/// See [`OpenError`].
pub fn statement(
    dir: &Path,
    key: PublicKey,
    account: AccountId,
    offset: u64,
    limit: Option<u32>,
) -> Result<(Vec<Row>, u64), OpenError> {
    let mut rows = Rows::new(account);
    verify_with(dir, key, &[], &mut |books, entry, _bytes| rows.take_in(books.size() - 1, entry))?;
    Ok(rows.page(offset, limit.map_or(usize::MAX, |limit| limit as usize)))
}

/// Builds the index anew from the journal and returns the number of entries in it; snapshots and
/// the hashes for proofs are removed, so that the next opening reads the journal alone. The ledger must not be in use.
///
/// # Errors
/// See [`RebuildError`].
pub fn rebuild(dir: &Path, key: PublicKey) -> Result<u64, RebuildError> {
    let journal = dir.join(JOURNAL_DIR);
    let _lock = Lock::take(&journal)?;
    let size = verify(dir, key, &[])?.head.size;
    for (_, path) in snapshot::list(&journal).unwrap_or_default() {
        std::fs::remove_file(&path).map_err(|source| RebuildError::Remove { path, source })?;
    }
    for path in [dir.join(TREE_DIR), dir.join(INDEX_DIR)] {
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(RebuildError::Remove { path, source });
            }
            _removed => {}
        }
    }
    Ok(index::rebuild(&dir.join(INDEX_DIR), &journal, size)?)
}

/// Rows of an account read from the journal of a ledger in use, of which `size` entries are
/// durable.
pub(crate) fn scan(
    journal: &Path,
    account: AccountId,
    size: u64,
    offset: u64,
    limit: usize,
) -> Result<(Vec<Row>, u64), StatementError> {
    let mut rows = Rows::new(account);
    let mut follower = Follower::starting_at(journal, 0)
        .map_err(|source| StatementError::Io { path: journal.to_owned(), source })?;
    follower.follow(size, &mut |group| {
        for (seq, bytes) in (group.head.first_seq..).zip(group.entries()) {
            rows.take_in(seq, &Entry::decode(bytes)?)?;
        }
        Ok(())
    })?;
    Ok(rows.page(offset, limit))
}

/// The rows of one account, as entries pass by.
struct Rows {
    account: AccountId,
    totals: Totals,
    rows: Vec<Row>,
}

impl Rows {
    fn new(account: AccountId) -> Self {
        Self { account, totals: Totals::default(), rows: Vec::new() }
    }

    fn take_in(&mut self, seq: u64, entry: &Entry) -> Result<(), EntryProblem> {
        let (transfer, effect) = (entry.transfer(), Effect::of(&entry.event));
        let (debit, credit) = (transfer.debit.id(), transfer.credit.id());
        let changed = match self.account {
            account if account == debit => effect.on_debit(&self.totals),
            account if account == credit => effect.on_credit(&self.totals),
            _ => return Ok(()),
        };
        self.totals = changed.ok_or("the account's sums do not add up")?;
        self.rows.push(Row::new(seq, entry, self.account == credit, &self.totals));
        Ok(())
    }

    fn page(mut self, offset: u64, limit: usize) -> (Vec<Row>, u64) {
        let total = self.rows.len() as u64;
        self.rows.reverse();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        (self.rows.into_iter().skip(offset).take(limit).collect(), total)
    }
}

/// Verifies a journal that lies in a directory of its own.
fn verify_dir(
    journal: &Path,
    key: PublicKey,
    witnessed: &[Checkpoint],
) -> Result<Verified, OpenError> {
    verify_at(journal, key, witnessed, &mut |_books, _entry, _bytes| Ok(()))
}

/// Verifies the ledger and what its snapshots hold.
fn verify_with(
    dir: &Path,
    key: PublicKey,
    witnessed: &[Checkpoint],
    visit: &mut VisitEntry<'_>,
) -> Result<Verified, OpenError> {
    let journal = dir.join(JOURNAL_DIR);
    let origin = ledger_origin(key);
    let places = Places::find(&journal, &origin, key);
    let mut points = witnessed.to_vec();
    points.extend(places.signed);
    let (mut snapshots, mut contradicted) = (Vec::new(), Vec::new());
    let verified = verify_journal(dir, key, &points, &mut |books, entry, bytes| {
        let size = books.size();
        let here = places.good.iter().filter(|one| one.state.checkpoint.size == size);
        for outline in here {
            let list = if outline.is_of(books) { &mut snapshots } else { &mut contradicted };
            list.push(size);
        }
        visit(books, entry, bytes)
    })?;
    Ok(Verified { snapshots, unusable: places.bad, contradicted, ..verified })
}

/// Verifies the ledger but not its snapshots.
pub(crate) fn verify_journal(
    dir: &Path,
    key: PublicKey,
    witnessed: &[Checkpoint],
    visit: &mut VisitEntry<'_>,
) -> Result<Verified, OpenError> {
    verify_at(&dir.join(JOURNAL_DIR), key, witnessed, visit)
}

fn verify_at(
    dir: &Path,
    key: PublicKey,
    witnessed: &[Checkpoint],
    visit: &mut VisitEntry<'_>,
) -> Result<Verified, OpenError> {
    let origin = ledger_origin(key);
    let (key, signatures) = (Some(key), Signatures::Every);
    let source = Source { dir, origin: &origin, key, signatures, witnessed };
    let mut books = Books::default();
    let found = journal::read(&source, &mut |seq, bytes| {
        let entry = Entry::decode(bytes)?;
        books.replay(seq, &entry)?;
        visit(&books, &entry, bytes)
    })?;
    let (head, checkpoint) = (found.verifier.head(), found.verifier.checkpoint());
    let (snapshots, unusable, contradicted) = (Vec::new(), Vec::new(), Vec::new());
    Ok(Verified { books, head, checkpoint, cut: found.cut, snapshots, unusable, contradicted })
}

/// An error with all its causes.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
