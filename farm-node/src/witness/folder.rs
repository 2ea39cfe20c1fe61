//! The files of a witness.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use proof::checkpoint::CHECKPOINT_BYTES_MAX;
use proof::{Checkpoint, CheckpointError, Cosignature, ledger_origin, witness};
use protocol::PublicKey;

use super::WitnessError;

const EXTENSION: &str = "txt";
const FORKED: &str = "forked";
const WHY: &str = "why.txt";

/// A checkpoint that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whose ledger it is of.
    pub farm: PublicKey,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Its signed text.
    pub note: String,
    /// Who has co-signed it, ourselves among them.
    pub witnesses: Vec<Cosignature>,
    /// Why this farm is not dealt with, and the evidence, if it has shown two histories.
    pub forked: Option<(String, PathBuf)>,
}

/// Keeps other processes out while a checkpoint is compared and replaced.
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, WitnessError> {
        let path = folder.join("lock");
        let locked = fs::create_dir_all(folder)
            .and_then(|()| OpenOptions::new().create(true).truncate(false).write(true).open(&path))
            .and_then(|file| file.lock().map(|()| file));
        locked.map(Self).map_err(at(&path))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child process that is just being started may hold a copy of the file.
        let _best_effort = self.0.unlock();
    }
}

/// The kept checkpoint of a farm that may be dealt with.
pub(super) fn read(folder: &Path, farm: PublicKey) -> Result<Option<Kept>, WitnessError> {
    if let Some((why, evidence)) = forked(folder, farm)? {
        return Err(WitnessError::Forked { farm, why, evidence });
    }
    open(folder, farm)
}

/// The kept checkpoint, whatever became of the farm.
fn open(folder: &Path, farm: PublicKey) -> Result<Option<Kept>, WitnessError> {
    let path = path(folder, farm);
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(file) => {
            let most = CHECKPOINT_BYTES_MAX as u64 + 1;
            file.take(most).read_to_end(&mut bytes).map_err(at(&path))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(&path)(error)),
    };
    let damaged = |source| WitnessError::Damaged { path: path.clone(), source };
    let note = String::from_utf8(bytes)
        .map_err(|_why| damaged(CheckpointError::Malformed("it is not text")))?;
    let checkpoint = Checkpoint::open(&note, &ledger_origin(farm), Some(farm)).map_err(damaged)?;
    let witnesses = witness::cosignatures(&note).map_err(damaged)?;
    Ok(Some(Kept { farm, checkpoint, note, witnesses, forked: None }))
}

/// Replaces the kept checkpoint: after this it survives a power cut.
pub(super) fn write(folder: &Path, farm: PublicKey, note: &str) -> Result<(), WitnessError> {
    let path = path(folder, farm);
    write_synced(&path.with_extension("new"), note)
        .and_then(|()| fs::rename(path.with_extension("new"), &path))
        .and_then(|()| sync_dir(folder))
        .map_err(at(&path))
}

/// Keeps both checkpoints as evidence; returns where.
pub(super) fn accuse(
    folder: &Path,
    farm: PublicKey,
    kept: &str,
    shown: &str,
    why: &str,
) -> Result<PathBuf, WitnessError> {
    let evidence = path(folder, farm).with_extension(FORKED);
    let draft = path(folder, farm).with_extension("forked-new");
    let made = (|| {
        if draft.is_dir() {
            fs::remove_dir_all(&draft)?;
        }
        fs::create_dir(&draft)?;
        for (name, text) in [("kept.txt", kept), ("shown.txt", shown), (WHY, why)] {
            write_synced(&draft.join(name), text)?;
        }
        sync_dir(&draft)?;
        fs::rename(&draft, &evidence)?;
        sync_dir(folder)
    })();
    made.map_err(at(&evidence)).map(|()| evidence)
}

/// Why a farm is not dealt with, and where the evidence is.
fn forked(folder: &Path, farm: PublicKey) -> Result<Option<(String, PathBuf)>, WitnessError> {
    let evidence = path(folder, farm).with_extension(FORKED);
    match evidence.try_exists().map_err(at(&evidence))? {
        false => Ok(None),
        true => {
            let why = fs::read_to_string(evidence.join(WHY));
            let why = why.unwrap_or_else(|_gone| "it showed two histories before".to_owned());
            Ok(Some((why, evidence)))
        }
    }
}

/// All that a folder keeps, by farm. A folder that is not there keeps nothing.
///
/// # Errors
/// [`WitnessError::Io`], [`WitnessError::Damaged`].
pub fn kept(folder: &Path) -> Result<Vec<Kept>, WitnessError> {
    let files = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files.map_err(at(folder))?,
    };
    let mut all = Vec::new();
    for file in files {
        let path = file.map_err(at(folder))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let farm = stem.and_then(|stem| stem.parse::<PublicKey>().ok());
        let is_checkpoint = path.extension().is_some_and(|end| end == EXTENSION);
        if let Some(farm) = farm.filter(|_farm| is_checkpoint)
            && let Some(kept) = open(folder, farm)?
        {
            all.push(Kept { forked: forked(folder, farm)?, ..kept });
        }
    }
    all.sort_by_key(|kept| kept.farm);
    Ok(all)
}

/// Deals with a farm again: its kept checkpoint is forgotten, so that its present history is
/// believed. The evidence stays under another name, which is returned; `None` when there is none.
///
/// # Errors
/// [`WitnessError::Io`].
pub fn accept(folder: &Path, farm: PublicKey) -> Result<Option<PathBuf>, WitnessError> {
    let _lock = Lock::take(folder)?;
    let Some((_why, evidence)) = forked(folder, farm)? else { return Ok(None) };
    let settled = (1..).map(|number| evidence.with_extension(format!("settled-{number}")));
    let settled = settled.into_iter().find(|path| !path.exists());
    let settled = settled.expect("invariant: numbers do not end");
    let path = path(folder, farm);
    // The checkpoint goes first: cut short, this leaves a farm that is still refused.
    let done = match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _removed => fs::rename(&evidence, &settled).and_then(|()| sync_dir(folder)),
    };
    done.map_err(at(&path)).map(|()| Some(settled))
}

fn path(folder: &Path, farm: PublicKey) -> PathBuf {
    folder.join(format!("{farm}.{EXTENSION}"))
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync_dir(folder: &Path) -> io::Result<()> {
    // Elsewhere directories cannot be opened as files; the file systems there journal names.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn at(path: &Path) -> impl Fn(io::Error) -> WitnessError + use<> {
    let path = path.to_owned();
    move |source| WitnessError::Io { path: path.clone(), source }
}
