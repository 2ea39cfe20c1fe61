//! What a scheduler finds on its disk: its keys, its two journals and what they come to.

use std::path::Path;
use std::{fs, io};

use anyhow::Context as _;
use ledger::journal::{Fold, Journal, Keeper, OpenError, Opened, Options, PassedOver};
use ledger::{Audit, AuditReader, Ledger};
use protocol::sign::public_key;
use protocol::{Digest, Invitation, PROTOCOL_VERSION, SigningKey};
use transport::identity;

use super::by_hash::ByHash;
use super::depot::Depot;
use super::shared::{self, LEDGER_LOG, PostgresLog, SCHEDULER_LOG};
use super::spawn;
use crate::config::Config;
use crate::core::{Secret, State};

/// What a farm is known by and draws from.
pub(super) struct Keys {
    pub(super) key: SigningKey,
    pub(super) secret: SigningKey,
}

/// Those of a scheduler that has been here.
pub(super) fn known_keys(dir: &Path) -> anyhow::Result<Keys> {
    let (key, secret) = (identity::load(&dir.join("key"))?, identity::load(&dir.join("secret"))?);
    Ok(Keys { key, secret })
}

/// Those of a scheduler that begins or goes on.
///
/// # Errors
/// The folder holds a farm of another protocol; the disk fails.
pub(super) fn keys(dir: &Path) -> anyhow::Result<Keys> {
    fs::create_dir_all(dir)
        .with_context(|| format!("the data folder cannot be made: {}", dir.display()))?;
    claim(dir)?;
    let key = identity::load_or_create(&dir.join("key"))?;
    let secret = identity::load_or_create(&dir.join("secret"))?;
    Ok(Keys { key, secret })
}

/// Says in the folder by which protocol it is written: another one's events are read as nonsense, if at
/// all.
fn claim(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join("protocol");
    let found = match fs::read_to_string(&path) {
        Ok(text) if text.trim() == PROTOCOL_VERSION.to_string() => return Ok(()),
        Ok(text) => format!("protocol {}", text.trim()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !dir.join("journal").exists() {
                let written = fs::write(&path, format!("{PROTOCOL_VERSION}\n"));
                return written.with_context(|| format!("cannot write {}", path.display()));
            }
            "an earlier protocol".to_owned()
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    anyhow::bail!(
        "the data folder holds a farm of {found}, and this program speaks protocol {PROTOCOL_VERSION}; end that farm's jobs with the release that it was begun with, and give this one a folder of its own: {}",
        dir.display()
    )
}

/// The name of the scheduler's journal.
pub(super) fn journal_origin(key: &SigningKey) -> String {
    format!("tessera-scheduler/{}", public_key(key))
}

/// A journal that is open, with what its entries come to and who makes its snapshots.
pub(super) struct Folded<F: Fold> {
    /// Goes before the journal, whose lock says that nobody else writes beside it.
    pub(super) keeper: Keeper<F>,
    pub(super) journal: Journal,
    pub(super) fold: F,
}

impl<F: Fold> Folded<F> {
    /// Opens one, and says what was not as it should be.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(super) fn open(
        dir: &Path,
        options: Options,
        seed: F::Seed,
        snapshot_entries: u64,
    ) -> Result<Self, OpenError> {
        let opened = Journal::open_folded::<F>(dir, options, &seed)?;
        let Opened { journal, fold, snapshot, passed_over, cut } = opened;
        if let Some(cut) = cut {
            let (bytes, dir) = (cut.bytes, dir.display());
            tracing::warn!(bytes, "a journal's torn end was cut off: {dir}");
        }
        tell_passed_over(&passed_over);
        tell_open(dir, journal.size(), snapshot);
        let keeper = Keeper::new(&journal, seed, snapshot_entries, snapshot);
        Ok(Self { journal, fold, keeper })
    }
}

/// Logs why a snapshot was not made, once.
pub(super) fn tell_problem<F: Fold>(keeper: &mut Keeper<F>) {
    if let Some(problem) = keeper.news() {
        let problem: &dyn std::error::Error = problem;
        tracing::error!(problem, "no snapshot was made; the next start reads more");
    }
}

/// Logs how much of a journal need not be read.
fn tell_open(dir: &Path, entries: u64, snapshot: Option<u64>) {
    tracing::info!(entries, ?snapshot, "a journal is open: {}", dir.display());
}

/// Logs which snapshots were of no use: what they would have spared was read.
fn tell_passed_over(snapshots: &[PassedOver]) {
    for snapshot in snapshots {
        let why = anyhow::Error::msg(snapshot.why.to_string());
        tracing::warn!("a snapshot is not used, {why}: {}", snapshot.path.display());
    }
}

/// What is on disk.
pub(super) struct Found {
    pub(super) key: SigningKey,
    pub(super) invitation: Option<Invitation>,
    pub(super) journal: Folded<State>,
    pub(super) ledger: Ledger,
    pub(super) films: ByHash,
    pub(super) evidence: ByHash,
}

pub(super) fn open(
    config: &Config,
    depot: Option<Depot>,
    term: Option<i64>,
) -> anyhow::Result<Found> {
    let dir = &config.data_dir;
    let Keys { key, secret } = keys(dir)?;
    let invitation = config.private.then(|| invitation(&secret, config.invitation));
    let films = ByHash::open(dir.join("films"), "film")?.stored_in(depot.clone());
    let evidence = ByHash::open(dir.join("evidence"), "evidence")?.stored_in(depot);
    let options = Options::new(journal_origin(&key)).signed_by(key.clone());
    let every = config.snapshot_entries;
    let secret = Secret::new(secret.to_bytes());
    let mut journal = Folded::<State>::open(&dir.join("journal"), options, secret, every)
        .context("the scheduler's journal was not opened")?;
    let options = ledger::Options { snapshot_entries: every, ..ledger::Options::default() };
    let mut ledger = Ledger::open(&dir.join("ledger"), key.clone(), &options)
        .context("the ledger was not opened")?;
    tell_passed_over(ledger.passed_over());
    let opened_at = ledger.opened_at();
    let snapshot = (opened_at > 0).then_some(opened_at);
    tell_open(&dir.join("ledger").join(ledger::JOURNAL_DIR), ledger.head().size, snapshot);
    tell_audit(ledger.audit_reader())?;
    if let Some(database) = &config.database {
        let log = |name| PostgresLog::open(database, public_key(&key), name, term).map(Box::new);
        journal
            .journal
            .share(log(SCHEDULER_LOG)?)
            .context("the scheduler's journal is not shared")?;
        ledger.share(log(LEDGER_LOG)?).context("the ledger's journal is not shared")?;
        let term = term.context("nobody leads without a term")?;
        shared::tell_whole(database, public_key(&key), term)?;
    }
    Ok(Found { key, invitation, journal, ledger, films, evidence })
}

/// The invitation of this number: a function of the farm's secret, so that nothing more is to be kept.
fn invitation(secret: &SigningKey, number: u32) -> Invitation {
    let secret = secret.to_bytes();
    let digest = Digest::of("tessera 2026 invitation v1", &[&secret, &number.to_le_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    Invitation(bytes)
}

/// Logs what reading the whole ledger in the background finds.
fn tell_audit(audit: AuditReader) -> anyhow::Result<()> {
    // It ends by itself when the ledger is closed.
    let _detached = spawn("ledger audit's log", move || match audit.wait() {
        Audit::Damaged { problem } => tracing::error!("the ledger is damaged: {problem}"),
        Audit::Contradicted { problem } => tracing::error!("the ledger has stopped: {problem}"),
        Audit::Holds { entries } => tracing::info!(entries, "the whole ledger was verified"),
        _ => {}
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_protocol_is_refused_with_a_word() {
        let dir = tempfile::tempdir().expect("a folder");
        let begun = keys(dir.path()).expect("a new folder");
        let again = keys(dir.path()).expect("the same protocol");
        assert_eq!(public_key(&begun.key), public_key(&again.key));
        let refused = || keys(dir.path()).err().expect("of another protocol").to_string();
        fs::write(dir.path().join("protocol"), "7\n").expect("writes");
        assert!(refused().contains("a farm of protocol 7"), "{}", refused());
        // Before folders said so.
        fs::create_dir(dir.path().join("journal")).expect("makes");
        fs::remove_file(dir.path().join("protocol")).expect("removes");
        assert!(refused().contains("an earlier protocol"), "{}", refused());
    }
}
