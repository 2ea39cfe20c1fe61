//! Files: what a journal needs of a disk, and in which order.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::OpenError;

const LEFTOVER: &str = "tmp";
const SEGMENT: &str = "segment";

/// The end of the last segment. A trait, so that tests can make disks fail.
pub(super) trait Output: Send + std::fmt::Debug {
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was written would survive a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// Shortens the file.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl Output for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

/// Opens a segment for writing at its end.
pub(super) fn output(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// Name of the segment that begins with entry `first_seq`.
pub(super) fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.{SEGMENT}"))
}

/// All segments by the number of their first entry, in order.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if path.extension().is_some_and(|extension| extension == SEGMENT)
            && let Some(first_seq) = stem.and_then(|stem| stem.parse().ok())
        {
            segments.push((first_seq, path));
        }
    }
    segments.sort();
    Ok(segments)
}

/// Makes a directory that survives a power cut.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    // Elsewhere directories cannot be opened as files; the file systems there journal names.
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Keeps other writers out for as long as it lives; a killed process lets go of it.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of a journal.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = match file {
            Ok(file) => file,
            Err(source) => return Err(OpenError::Io { what: "opening the lock", path, source }),
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
            Err(TryLockError::Error(source)) => {
                Err(OpenError::Io { what: "taking the lock", path, source })
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is just being started may hold a copy of
        // the file, and with it the lock, until it executes its program.
        let _best_effort = self.0.unlock();
    }
}

/// Cuts a segment to `bytes`, if asked to, and makes sure that what was read is on the disk and
/// not only in memory.
pub(super) fn settle(path: &Path, bytes: Option<u64>) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    if let Some(bytes) = bytes {
        file.set_len(bytes)?;
    }
    file.sync_all()
}

/// Writes a file that is there as a whole or not at all. Its name is durable only after
/// [`sync_dir`].
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(LEFTOVER);
    let made = File::create(&name).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let made = made.and_then(|()| fs::rename(&name, path));
    if made.is_err() {
        // The next opening removes it otherwise.
        let _best_effort = fs::remove_file(&name);
    }
    made
}

/// Removes files that [`write_whole`] left when it was killed.
pub(super) fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == LEFTOVER) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
