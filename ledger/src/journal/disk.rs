//! Files: what a journal needs of a disk, and in which order.
//!
//! Whatever a journal changes goes through [`Disk`], one call a change, so that tests can lose
//! power at each of them. Only the [`Lock`] does not: it holds nothing, and losing it loses nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::OpenError;

const LEFTOVER: &str = "tmp";
/// Bytes of a file that are written between two syncs.
const BYTES_AT_ONCE: usize = 1 << 20;
const SEGMENT: &str = "segment";

/// A file that is open for writing.
#[derive(Debug)]
pub(crate) struct Output {
    pub path: PathBuf,
    pub file: File,
}

/// The changes a journal makes to a disk. Each call is a point at which power may fail.
pub(crate) trait Disk: Send + std::fmt::Debug {
    /// The same disk for another thread.
    fn share(&self) -> Box<dyn Disk>;
    /// Makes a directory in one that exists.
    fn make_dir(&mut self, dir: &Path) -> io::Result<()>;
    /// Makes an empty file.
    fn create(&mut self, path: &Path) -> io::Result<Output>;
    /// Opens a file for writing; changes nothing.
    fn open(&mut self, path: &Path) -> io::Result<Output>;
    /// Writes `bytes` from byte `at` on.
    fn write(&mut self, output: &mut Output, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what the file holds would survive a power cut.
    fn sync(&mut self, output: &mut Output) -> io::Result<()>;
    /// Shortens the file to `bytes`.
    fn cut(&mut self, output: &mut Output, bytes: u64) -> io::Result<()>;
    /// Gives a file another name in the same directory; what had that name before is gone.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Returns when the names in a directory would survive a power cut.
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()>;
}

/// The disk of the operating system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    fn share(&self) -> Box<dyn Disk> {
        Box::new(*self)
    }

    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn create(&mut self, path: &Path) -> io::Result<Output> {
        Ok(Output { path: path.to_owned(), file: File::create(path)? })
    }

    fn open(&mut self, path: &Path) -> io::Result<Output> {
        let file = OpenOptions::new().write(true).open(path)?;
        Ok(Output { path: path.to_owned(), file })
    }

    fn write(&mut self, output: &mut Output, at: u64, bytes: &[u8]) -> io::Result<()> {
        output.file.seek(SeekFrom::Start(at))?;
        output.file.write_all(bytes)
    }

    fn sync(&mut self, output: &mut Output) -> io::Result<()> {
        // The file's length counts as data here; only its times do not.
        output.file.sync_data()
    }

    fn cut(&mut self, output: &mut Output, bytes: u64) -> io::Result<()> {
        output.file.set_len(bytes)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        // Elsewhere directories cannot be opened as files; the file systems there journal names.
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }
}

/// Name of the segment that begins with entry `first_seq`.
pub(crate) fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.{SEGMENT}"))
}

/// All segments by the number of their first entry, in order.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
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

/// Makes a directory, and those above it that are missing. Their names are durable only after
/// [`sync_above`].
pub(crate) fn make_dirs(disk: &mut dyn Disk, dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        make_dirs(disk, above)?;
    }
    disk.make_dir(dir)
}

/// Makes the names of a new journal's directory and of all above it durable, whoever made them:
/// he may have been killed before he could.
pub(crate) fn sync_above(disk: &mut dyn Disk, dir: &Path) -> io::Result<()> {
    for dir in dir.ancestors().filter(|dir| dir.parent().is_some()) {
        match disk.sync_dir(above(dir)).map_err(|error| error.kind()) {
            // What may not be opened was not made by us, what cannot be written needs no sync, and
            // what knows no sync of directories is no disk.
            Err(
                io::ErrorKind::PermissionDenied
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::Unsupported,
            )
            | Ok(()) => {}
            Err(kind) => return Err(kind.into()),
        }
    }
    Ok(())
}

fn above(dir: &Path) -> &Path {
    match dir.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    }
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

/// Makes sure that what was read of a segment is on the disk and not only in memory: the first
/// `good_bytes`, of which the last `record` may never have been synced. The rest is cut off if
/// `is_cut` says that there is one.
///
/// After a failed sync the kernel shows pages as good that never reached the disk, and a second
/// sync passes over them; so the record is written once more, where it is. A file system that
/// never writes in place may have no room for that: a full disk is no reason not to open.
pub(crate) fn settle(
    disk: &mut dyn Disk,
    path: &Path,
    good_bytes: u64,
    is_cut: bool,
    record: &[u8],
) -> io::Result<Output> {
    let mut output = disk.open(path)?;
    if is_cut {
        disk.cut(&mut output, good_bytes)?;
    }
    if !record.is_empty() {
        match disk.write(&mut output, good_bytes - record.len() as u64, record) {
            Err(error) if is_full(&error) => {}
            written => written?,
        }
    }
    disk.sync(&mut output)?;
    Ok(output)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Writes a file that is there as a whole or not at all, and leaves it open. Its name is durable
/// only after [`Disk::sync_dir`].
pub(crate) fn write_whole(disk: &mut dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<Output> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(LEFTOVER);
    let name = PathBuf::from(name);
    let made = fill(disk, &name, bytes).and_then(|output| {
        disk.rename(&name, path)?;
        Ok(Output { path: path.to_owned(), ..output })
    });
    if made.is_err() {
        // The next opening removes it otherwise.
        let _best_effort = disk.remove(&name);
    }
    made
}

fn fill(disk: &mut dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<Output> {
    let mut output = disk.create(path)?;
    let mut at = 0;
    // Little by little: a record that waits for its own sync should not wait for a whole snapshot.
    for part in bytes.chunks(BYTES_AT_ONCE) {
        disk.write(&mut output, at, part)?;
        disk.sync(&mut output)?;
        at += part.len() as u64;
    }
    Ok(output)
}

/// Removes files that [`write_whole`] left when it was killed.
pub(crate) fn remove_leftovers(disk: &mut dyn Disk, dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == LEFTOVER) {
            disk.remove(&path)?;
        }
    }
    Ok(())
}
