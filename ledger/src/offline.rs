//! The ledger's commands that need no running scheduler: functions that return plain data.
//!
//! All of them read the journal without taking its lock, so that they can look at a ledger in
//! use; only [`rebuild`] needs it to itself.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use proof::merkle::{self, Hash};
use proof::{Account, Checkpoint, Entry, Event, Head, Signatures, TransferKind, ledger_origin};
use protocol::view::LedgerCheck;
use protocol::{AccountId, Digest, PublicKey, TransferId};

use crate::books::Books;
use crate::index::{self, IndexError};
use crate::journal::{self, CutTail, EntryProblem, Follower, Lock, OpenError, Source};
use crate::ledger::{INDEX_DIR, JOURNAL_DIR, StatementError};
use crate::opening::{PassedOver, Places};
use crate::snapshot;
use crate::statement::{Phase, Row};
use crate::totals::{Balance, Effect, Totals};

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

/// An entry, and what ties it to a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Number of the entry.
    pub seq: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Hashes from the entry up to the root.
    pub path: Vec<Hash>,
    /// The root and its size. Not signed: compare it with one that was.
    pub checkpoint: Checkpoint,
}

impl Inclusion {
    /// Whether the path ties the entry to the checkpoint.
    #[must_use]
    pub fn holds(&self) -> bool {
        let (leaf, size) = (merkle::leaf(&self.entry), self.checkpoint.size);
        merkle::is_included(leaf, self.seq, size, &self.path, &self.checkpoint.root)
    }
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

/// Why a ledger was not exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal does not hold.
    #[error("the ledger was not exported: its journal does not hold")]
    Journal(#[from] OpenError),
    /// The output failed.
    #[error("writing the export failed")]
    Write(#[source] io::Error),
}

/// The key whose ledger lies in `dir`, by the name in its stored checkpoint: a claim that
/// verifying under that key proves. `None` when there is no checkpoint.
#[must_use]
pub fn claimed_key(dir: &Path) -> Option<PublicKey> {
    let path = dir.join(JOURNAL_DIR).join("checkpoint");
    let note = std::fs::read_to_string(path).ok()?;
    let hex = note.lines().next()?.strip_prefix("tessera/ledger/")?;
    format!("{}_{hex}", PublicKey::PREFIX).parse().ok()
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
pub fn check(dir: &Path, key: PublicKey, expected: Option<&Books>) -> LedgerCheck {
    let verified = match verify(dir, key, &[]) {
        Ok(verified) => verified,
        Err(error) => {
            let problem = Some(in_full(&error));
            let head = Digest([0; 32]);
            return LedgerCheck { sum_is_zero: false, verified: false, entries: 0, head, problem };
        }
    };
    let balanced = verified.books.check();
    let is_expected = expected.is_none_or(|books| *books == verified.books);
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

/// Builds the index anew from the journal and returns the number of entries in it; snapshots are
/// removed, so that the next opening reads the journal alone. The ledger must not be in use.
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
    let path = dir.join(INDEX_DIR);
    match std::fs::remove_dir_all(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RebuildError::Remove { path, source })
        }
        _removed => Ok(index::build(&path, &journal, size)?),
    }
}

/// Writes every entry as a line of JSON and returns how many.
///
/// # Errors
/// See [`ExportError`]; lines already written are not taken back.
pub fn export(dir: &Path, key: PublicKey, to: &mut dyn Write) -> Result<u64, ExportError> {
    let mut failed = None;
    let verified = verify_with(dir, key, &[], &mut |books, entry, _bytes| {
        let seq = books.size() - 1;
        // A broken pipe ends the export, not the journal's reading: tell the two apart below.
        writeln!(to, "{}", json_line(seq, entry)).map_err(|error| {
            failed = Some(error);
            "the export could not be written".into()
        })
    });
    match (verified, failed) {
        (_, Some(error)) => Err(ExportError::Write(error)),
        (Err(error), None) => Err(error.into()),
        (Ok(verified), None) => {
            to.flush().map_err(ExportError::Write)?;
            Ok(verified.head.size)
        }
    }
}

/// Proves that a transfer is in the ledger: its entry and the hashes that tie it to the root.
/// `None` when it is not.
///
/// # Errors
/// See [`OpenError`].
pub fn prove(
    dir: &Path,
    key: PublicKey,
    transfer: TransferId,
) -> Result<Option<Inclusion>, OpenError> {
    let (mut leaves, mut found) = (Vec::new(), None);
    let verified = verify_with(dir, key, &[], &mut |books, entry, bytes| {
        let seq = books.size() - 1;
        leaves.push(merkle::leaf(bytes));
        if let Event::Transfer(this) = &entry.event
            && this.id == transfer
        {
            found = Some((seq, bytes.to_vec()));
        }
        Ok(())
    })?;
    Ok(found.and_then(|(seq, entry)| {
        let path = merkle::inclusion(&leaves, usize::try_from(seq).ok()?)?;
        Some(Inclusion { seq, entry, path, checkpoint: verified.checkpoint })
    }))
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
    let (dir, origin) = (dir.join(JOURNAL_DIR), ledger_origin(key));
    let (key, signatures) = (Some(key), Signatures::Every);
    let source = Source { dir: &dir, origin: &origin, key, signatures, witnessed };
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

/// One entry as JSON. All values are numbers or our own words, so nothing needs escaping.
fn json_line(seq: u64, entry: &Entry) -> String {
    let transfer = entry.transfer();
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let text = |value: &dyn std::fmt::Display| format!("\"{value}\"");
    fields.insert("seq", seq.to_string());
    fields.insert("time_ms", entry.time_ms.to_string());
    fields.insert("transfer", text(&transfer.id));
    fields.insert("debit", text(&transfer.debit));
    fields.insert("credit", text(&transfer.credit));
    fields.insert("micro_tokens", text(&transfer.amount.micro()));
    fields.insert("code", text(&transfer.code));
    let phase = match Phase::of(&entry.event) {
        Phase::Posted => "posted",
        Phase::SetAside => "pending",
        Phase::PostedPending => "post",
        Phase::Voided => "void",
        Phase::Expired => "expired",
    };
    fields.insert("phase", text(&phase));
    match transfer.kind {
        TransferKind::Posted => {}
        TransferKind::Pending { timeout_ms } => {
            fields.insert("timeout_ms", timeout_ms.to_string());
        }
        TransferKind::Post { pending, amount } => {
            fields.insert("pending", text(&pending));
            fields.insert("posted_micro_tokens", text(&amount.micro()));
        }
        TransferKind::Void { pending } => {
            fields.insert("pending", text(&pending));
        }
    }
    if let Some(job) = transfer.link.job {
        fields.insert("job", text(&job));
    }
    if let Some(unit) = transfer.link.unit {
        fields.insert("shot", unit.shot.0.to_string());
        fields.insert("tile", unit.tile.0.to_string());
        fields.insert("batch", text(&unit.batch));
    }
    if let Some(evidence) = transfer.link.evidence {
        fields.insert("evidence", text(&evidence));
    }
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
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
