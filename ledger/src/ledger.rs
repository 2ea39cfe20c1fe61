//! The ledger: the books, and the journal that they are rebuilt from.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proof::{Account, Checkpoint, Entry, Head, Transfer, ledger_origin};
use protocol::sign::public_key;
use protocol::view::{LedgerCheck, StatementPage};
use protocol::{AccountId, PublicKey, SigningKey, TransferId};

use crate::apply::{ApplyError, Broken, Ended, Outcome};
use crate::audit::{Audit, AuditReader, Auditor};
use crate::behind::{Behind, Progress};
use crate::books::{Books, Staged};
use crate::clock::Clock;
use crate::index;
use crate::journal::PassedOver;
use crate::journal::{
    self, AppendError, CutTail, Disk, Journal, ShareError, SharedLog, SystemDisk,
};
use crate::offline;
use crate::opening::Opening;
use crate::reader::{Checker, Reader, StatementError};
use crate::snapshot::Keeper;
use crate::statement::Row;
use crate::totals::Balance;
use crate::tree::{self, Prover, Tree};

/// Where in the ledger's directory the journal lies.
pub const JOURNAL_DIR: &str = "journal";
/// Where in the ledger's directory the index lies.
pub const INDEX_DIR: &str = "index";
/// Where in the ledger's directory the hashes for proofs lie.
pub const TREE_DIR: &str = "tree";
/// How long a check waits for the index: a check without it says less.
const INDEX_CHECK_WAIT: Duration = Duration::from_secs(60);

/// How a ledger is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether an index and the hashes for proofs are kept beside the journal. Without them,
    /// statements read the whole journal, and a ledger in use proves nothing.
    pub index: bool,
    /// Checkpoints that others kept: the journal must agree with them.
    pub witnessed: Vec<Checkpoint>,
    /// See [`journal::Options::segment_bytes_max`].
    pub segment_bytes_max: u64,
    /// See [`journal::Options::checkpoint_records`].
    pub checkpoint_records: u32,
    /// Entries between two snapshots, which make the next opening short; 0 for none. A ledger
    /// that is sixteen times as long waits for a sixteenth of its length.
    pub snapshot_entries: u64,
    /// Whether what opening from a snapshot did not read is read in the background.
    pub audit: bool,
}

impl Options {
    /// Entries between two snapshots when nothing else is asked for: replaying them takes less
    /// than half a second.
    pub const SNAPSHOT_ENTRIES: u64 = 100_000;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            index: true,
            witnessed: Vec::new(),
            segment_bytes_max: journal::Options::SEGMENT_BYTES,
            checkpoint_records: journal::Options::CHECKPOINT_RECORDS,
            snapshot_entries: Self::SNAPSHOT_ENTRIES,
            audit: true,
        }
    }
}

/// Why a ledger was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The journal.
    #[error("the ledger's journal was not opened")]
    Journal(#[from] journal::OpenError),
    /// The journal replays, but what it gives does not add up.
    #[error("the ledger's books do not add up; verify the journal and restore it from a backup")]
    Broken(#[from] Broken),
    /// The threads beside it.
    #[error("no thread for the ledger's index or audit")]
    Thread(#[source] io::Error),
}

/// A durable batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What became of each transfer, in order.
    pub outcomes: Vec<Outcome>,
    /// Time of its entries, milliseconds since 1970: the time given, or one from the last entry's on
    /// when the clock was set back.
    pub time_ms: u64,
}

/// Accounts and transfers, kept in memory and in a journal on disk.
///
/// One process owns it; within the process one owner calls it (`&mut`).
///
/// # Life of a job
/// ```
/// use ledger::{Code, Ledger, Options, Transfer, account, transfer_id};
/// use protocol::{JobId, NodeId, PublicKey, SigningKey, Tokens};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let key = SigningKey::from_bytes(&[1; 32]);
/// let mut ledger = Ledger::open(dir, key, &Options::default())?;
/// let (artist, node, job) = (PublicKey([1; 32]), NodeId([2; 32]), JobId([3; 16]));
/// let tokens = |amount: u64| Tokens::from_whole(amount);
/// let id = |what: &str| transfer_id(what, &[&job.0]);
///
/// // The operator grants tokens; an order moves its price into escrow.
/// let (wallet, escrow, held) = (account::wallet(artist), account::escrow(job), account::held(node));
/// let grant = Transfer::posted(id("grant"), (account::issuance(), wallet), tokens(100), Code::Grant);
/// let order = Transfer::posted(id("order"), (wallet, escrow), tokens(60), Code::Escrow);
/// ledger.apply(&[grant, order], 1_000)?;
///
/// // A lease sets its highest pay aside; the verdict posts what was earned, and the fee with it.
/// let lease = Transfer::pending(id("lease"), (escrow, held), tokens(20), Code::Pay, 30_000);
/// ledger.apply(&[lease.clone()], 2_000)?;
/// let pay = Transfer::post(id("pay"), &lease, tokens(15));
/// let fee = Transfer::posted(id("fee"), (escrow, account::fee()), tokens(2), Code::Fee);
/// ledger.apply(&[pay.clone(), fee], 3_000)?;
/// assert_eq!(ledger.balance(held).available, tokens(15));
///
/// // A refused result frees what its lease had set aside; a lease that lapses does so by itself.
/// let refused = Transfer::pending(id("refused"), (escrow, held), tokens(20), Code::Pay, 30_000);
/// let lapsed = Transfer::pending(id("lapsed"), (escrow, held), tokens(20), Code::Pay, 30_000);
/// ledger.apply(&[refused.clone(), lapsed.clone()], 4_000)?;
/// ledger.apply(&[Transfer::void(id("void"), &refused)], 5_000)?;
/// assert_eq!(ledger.expire(40_000)?, [lapsed]);
///
/// // The job ends: held pay is released, the rest of the escrow goes back.
/// let rest = ledger.balance(escrow).available;
/// let owner = account::wallet(node.into());
/// let release = Transfer::posted(id("release"), (held, owner), tokens(15), Code::Release);
/// let refund = Transfer::posted(id("refund"), (escrow, wallet), rest, Code::Refund);
/// ledger.apply(&[release, refund], 50_000)?;
/// assert_eq!(ledger.balance(escrow).posted, 0);
/// assert_eq!(ledger.balance(wallet).available, tokens(100 - 15 - 2));
///
/// // Said twice, it is done once.
/// assert!(ledger.apply(&[pay], 60_000)?.outcomes[0].was_applied_before());
/// assert!(ledger.check().verified && ledger.check().sum_is_zero);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Ledger {
    dir: PathBuf,
    key: PublicKey,
    journal: Journal,
    books: Books,
    clock: Clock,
    opened: Instant,
    cut: Option<CutTail>,
    opened_at: u64,
    passed_over: Vec<PassedOver>,
    keeper: Keeper<Books>,
    auditor: Auditor,
    index: Option<index::Keeper>,
    tree: Option<Tree>,
}

impl Ledger {
    /// Opens the ledger in `dir`, or begins one there. `key` signs it: a ledger belongs to one.
    ///
    /// The books come from the newest good snapshot and the journal after it; without one, from
    /// the whole journal. What was not read is read in the background (see [`Ledger::audit`]), and
    /// the index catches up there too.
    ///
    /// # Errors
    /// See [`OpenError`]: a journal that is altered, or shorter than a checkpoint or snapshot, or
    /// damaged where it is read, is refused, never repaired.
    pub fn open(dir: &Path, key: SigningKey, options: &Options) -> Result<Self, OpenError> {
        Self::open_on(Box::new(SystemDisk), dir, key, options)
    }

    /// The same on another disk.
    pub(crate) fn open_on(
        disk: Box<dyn Disk>,
        dir: &Path,
        key: SigningKey,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let public = public_key(&key);
        let journal_options = journal::Options {
            origin: ledger_origin(public),
            signing_key: Some(key),
            segment_bytes_max: options.segment_bytes_max,
            checkpoint_records: options.checkpoint_records,
            witnessed: options.witnessed.clone(),
        };
        let path = dir.join(JOURNAL_DIR);
        let mut opening = Opening::<Books>::new(&());
        let (journal, cut) =
            Journal::open_by(disk, &path, journal_options, &mut |source| opening.read(source))?;
        let Opening { fold: books, used, passed_over, .. } = opening;
        books.check()?;
        let opened_at = used.as_ref().map_or(0, |used| used.state.checkpoint.size);
        let last = used.is_some().then_some(opened_at);
        let keeper = Keeper::new(&journal, (), options.snapshot_entries, last);
        let auditor = match used.filter(|_used| options.audit) {
            Some(used) => Auditor::start(dir, public, used).map_err(OpenError::Thread)?,
            None => Auditor::default(),
        };
        let (mut index, mut tree) = (None, None);
        if options.index {
            let (size, to) = (books.size(), |name| dir.join(name));
            let started = index::start(to(INDEX_DIR), path.clone(), size);
            index = Some(started.map_err(OpenError::Thread)?);
            let started = tree::start(to(TREE_DIR), path, size);
            tree = Some(started.map_err(OpenError::Thread)?);
        }
        let (clock, opened) = (Clock::default(), Instant::now());
        Ok(Self {
            dir: dir.to_owned(),
            key: public,
            journal,
            books,
            clock,
            opened,
            cut,
            opened_at,
            passed_over,
            keeper,
            auditor,
            index,
            tree,
        })
    }

    /// Applies a batch, all of it or nothing. It is durable when this returns.
    ///
    /// A transfer that was applied before, with the same content, is passed over and reported:
    /// saying the same twice is harmless. `now_ms` is in milliseconds since 1970; a clock behind
    /// the last entry does not stop the ledger, whose time then goes on half as fast as the machine
    /// counts.
    ///
    /// # Errors
    /// See [`ApplyError`]; nothing of the batch was applied then. After
    /// [`AppendError::Unsure`] the ledger takes no more until it is opened again. A clock more than
    /// [`CLOCK_AHEAD_MS_MAX`](crate::CLOCK_AHEAD_MS_MAX) ahead of the time that passed since it was
    /// last read, or since the last entry more than [`CLOSED_MS_MAX`](crate::CLOSED_MS_MAX) when it
    /// is read first, is [`ApplyError::ClockAhead`].
    pub fn apply(&mut self, batch: &[Transfer], now_ms: u64) -> Result<Applied, ApplyError> {
        let now_ms = self.believe(now_ms)?;
        let mut staged = self.books.stage(batch, now_ms)?;
        let (outcomes, time_ms) = (std::mem::take(&mut staged.outcomes), self.books.time_ms());
        self.commit(vec![staged])?;
        Ok(Applied { outcomes, time_ms })
    }

    /// Applies several batches, each all or nothing for itself, and makes them durable at once:
    /// one `fdatasync` for all.
    ///
    /// # Errors
    /// The inner errors refuse their batch alone. The outer error is the journal's or the clock's:
    /// none of the batches was applied then.
    pub fn apply_all(
        &mut self,
        batches: &[&[Transfer]],
        now_ms: u64,
    ) -> Result<Vec<Result<Applied, ApplyError>>, ApplyError> {
        let now_ms = self.believe(now_ms)?;
        let mut results = Vec::with_capacity(batches.len());
        let mut all_staged = Vec::with_capacity(batches.len());
        for batch in batches {
            results.push(self.books.stage(batch, now_ms).map(|mut staged| {
                let outcomes = std::mem::take(&mut staged.outcomes);
                all_staged.push(staged);
                Applied { outcomes, time_ms: self.books.time_ms() }
            }));
        }
        self.commit(all_staged)?;
        Ok(results)
    }

    /// Ends the pending transfers whose time is over at `now_ms`, and returns them.
    ///
    /// Until this is called they stay set aside, though they can no longer be posted.
    ///
    /// # Errors
    /// [`ApplyError::Journal`], [`ApplyError::ClockAhead`]; those that were not returned are still
    /// set aside.
    pub fn expire(&mut self, now_ms: u64) -> Result<Vec<Transfer>, ApplyError> {
        let now_ms = self.believe(now_ms)?;
        let mut expired = Vec::new();
        loop {
            let staged = self.books.stage_expiries(now_ms);
            if staged.entries.is_empty() {
                return Ok(expired);
            }
            expired.extend(staged.entries.iter().map(|entry| entry.transfer().clone()));
            self.commit(vec![staged])?;
        }
    }

    /// When the next pending transfer expires, milliseconds since 1970.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.books.next_expiry_ms()
    }

    /// What an account holds; nothing for one that was never named.
    #[must_use]
    pub fn balance(&self, account: impl Into<AccountId>) -> Balance {
        self.books.totals(account.into()).balance()
    }

    /// What an account is; `None` for one that was never named.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<Account> {
        self.books.account(id)
    }

    /// Whether a transfer was applied.
    #[must_use]
    pub fn contains(&self, id: TransferId) -> bool {
        self.books.entry_of(id).is_some()
    }

    /// How a pending transfer ended; `None` while it is open, and for any other.
    #[must_use]
    pub fn ended(&self, id: TransferId) -> Option<Ended> {
        self.books.ended(id)
    }

    /// A pending transfer that has not ended.
    #[must_use]
    pub fn pending(&self, id: TransferId) -> Option<&Transfer> {
        self.books.pending(id)
    }

    /// Accounts, ids and open transfers as they are now.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// Where the journal stands.
    #[must_use]
    pub fn head(&self) -> Head {
        self.journal.head()
    }

    /// The key that signs this ledger.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// What was cut off the journal's end when it was opened.
    #[must_use]
    pub const fn cut(&self) -> Option<&CutTail> {
        self.cut.as_ref()
    }

    /// Entries of the snapshot that the books were opened from; 0 when the whole journal was read.
    #[must_use]
    pub const fn opened_at(&self) -> u64 {
        self.opened_at
    }

    /// Snapshots that were not used when the ledger was opened.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Entries at the newest good snapshot, and why the last one was not written, if it was not.
    #[must_use]
    pub fn snapshot_status(&self) -> (Option<u64>, Option<String>) {
        (self.keeper.last(), self.keeper.problem().map(|problem| offline::in_full(problem)))
    }

    /// What reading the whole journal in the background has found so far.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.auditor.found()
    }

    /// For asking in any thread.
    #[must_use]
    pub fn audit_reader(&self) -> AuditReader {
        self.auditor.reader()
    }

    /// The same once it is done; it takes as long as the journal is.
    pub fn wait_for_audit(&mut self) -> Audit {
        self.auditor.wait()
    }

    /// Where the journal stands, as a snapshot says it.
    #[cfg(test)]
    pub(crate) fn place(&self) -> proof::Place {
        self.journal.place()
    }

    /// Waits for a snapshot that is being made, so that a test's disk counts alike in every run.
    #[cfg(test)]
    pub(crate) fn wait_for_snapshot(&mut self) {
        self.keeper.wait();
    }

    /// How far the index is; `None` when none is kept.
    #[must_use]
    pub fn index_status(&self) -> Option<Progress> {
        self.index.as_ref().map(Behind::progress)
    }

    /// Proves what the ledger holds, in any thread; `None` when no hashes are kept.
    #[must_use]
    pub fn prover(&self) -> Option<Prover> {
        let hashes = self.tree.as_ref()?.reader();
        Some(Prover::new(self.key, self.journal.dir().to_owned(), hashes))
    }

    /// Reads statements as of now, in any thread and however long it takes.
    #[must_use]
    pub fn reader(&self) -> Reader {
        let (journal, size) = (self.journal.dir().to_owned(), self.books.size());
        Reader { journal, size, index: self.index.as_ref().map(Behind::reader) }
    }

    /// Checks the ledger as it is now, in any thread and however long it takes.
    #[must_use]
    pub fn checker(&self) -> Checker {
        let (dir, key, audit) = (self.dir.clone(), self.key, self.audit());
        Checker { dir, key, books: self.books.without_ids(), audit }
    }

    /// The same at once.
    #[must_use]
    pub fn check(&self) -> LedgerCheck {
        self.checker().run()
    }

    /// Entries of an account, as of now.
    ///
    /// # Errors
    /// See [`Reader::statement`].
    pub fn statement(
        &self,
        account: impl Into<AccountId>,
        offset: u64,
        limit: u32,
    ) -> Result<StatementPage, StatementError> {
        self.reader().statement(account, offset, limit)
    }

    /// Rows of an account, as of now.
    ///
    /// # Errors
    /// See [`Reader::rows`].
    pub fn rows(
        &self,
        account: AccountId,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<Row>, u64), StatementError> {
        self.reader().rows(account, offset, limit)
    }

    /// Whether the index, once it has caught up, says the same as the books: totals of every
    /// account. `None` when there is no working index.
    #[must_use]
    pub fn check_index(&self) -> Option<bool> {
        let store = self.index.as_ref()?.reader().wait_for(self.books.size(), INDEX_CHECK_WAIT)?;
        let mut accounts = self.books.accounts();
        Some(accounts.all(|(id, _, totals)| store.totals(id).is_ok_and(|found| found == totals)))
    }

    /// Signs and stores a checkpoint and returns its text: for every node and client to keep.
    ///
    /// # Errors
    /// See [`Journal::checkpoint`].
    pub fn checkpoint(&mut self) -> Result<String, AppendError> {
        self.journal.checkpoint()
    }

    /// The text of a checkpoint of all that is durable; it is stored unless it is already. What no
    /// checkpoint covers cannot be proven to anyone, nor is it missed when all of it is lost.
    ///
    /// # Errors
    /// As [`Ledger::checkpoint`].
    pub fn checkpoint_if_behind(&mut self) -> Result<String, AppendError> {
        self.journal.checkpoint_if_behind()
    }

    /// Whether it takes no more until it is opened again, since a write was not confirmed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.journal.is_closed()
    }

    /// Writes to a log that several machines share from now on; see [`Journal::share`].
    ///
    /// # Errors
    /// See [`ShareError`].
    pub fn share(&mut self, log: Box<dyn SharedLog>) -> Result<(), ShareError> {
        self.journal.share(log)
    }

    fn believe(&mut self, now_ms: u64) -> Result<u64, ApplyError> {
        if let Some(problem) = self.auditor.contradiction() {
            return Err(ApplyError::Contradicted(problem));
        }
        let at_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last_ms = (self.books.size() > 0).then(|| self.books.time_ms());
        self.clock.believe(now_ms, last_ms, at_ms)
    }

    /// Makes staged batches durable, or takes all of them back.
    fn commit(&mut self, all_staged: Vec<Staged>) -> Result<(), ApplyError> {
        let entries = all_staged.iter().flat_map(|staged| &staged.entries);
        let encoded: Vec<Vec<u8>> = entries.map(Entry::encode).collect();
        if encoded.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.journal.append_sync(&encoded) {
            all_staged.into_iter().rev().for_each(|staged| self.books.undo(staged));
            return Err(error.into());
        }
        assert_eq!(self.journal.next_seq(), self.books.size(), "journal and books number alike");
        self.index.iter().for_each(|index| index.advance(self.books.size()));
        self.tree.iter().for_each(|tree| tree.advance(self.books.size()));
        self.keeper.advance(&self.journal);
        Ok(())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.keeper.close(&self.journal, &self.books);
    }
}
