//! Films and evidence on disk: one fsynced file each, named by its hash.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::Digest;

/// A folder of such files.
#[derive(Debug)]
pub(super) struct ByHash {
    dir: PathBuf,
    /// What they are: the ending of their names.
    kind: &'static str,
    written: AtomicU64,
}

/// A file that was not written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The disk failed.
    #[error("{what} failed; check the disk: {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file has other bytes than were written.
    #[error("the bytes have changed on disk: {path}")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl ByHash {
    /// The files of a kind in `dir`, which is made when it is missing. Torn ones of an earlier run go.
    pub(super) fn open(dir: PathBuf, kind: &'static str) -> Result<Self, FileError> {
        fs::create_dir_all(&dir).map_err(|source| failed("making", &dir, source))?;
        let entries = fs::read_dir(&dir).map_err(|source| failed("listing", &dir, source))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ext| ext == "part") {
                fs::remove_file(&path).map_err(|source| failed("removing", &path, source))?;
            }
        }
        Ok(Self { dir, kind, written: AtomicU64::new(0) })
    }

    /// Writes bytes under their hash; durable when it returns.
    pub(super) fn write(&self, hash: Digest, bytes: &[u8]) -> Result<(), FileError> {
        if self.path(hash).exists() {
            return Ok(());
        }
        self.replace(hash, bytes)
    }

    /// The same where something is there that has other bytes.
    pub(super) fn replace(&self, hash: Digest, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.path(hash);
        let folder = path.parent().unwrap_or(&self.dir).to_owned();
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let part = self.dir.join(format!("{}-{number}.part", hash.short()));
        let write = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            sync_folder(&folder)?;
            sync_folder(&self.dir)
        };
        write().map_err(|source| failed("writing", &path, source))
    }

    /// Reads bytes and checks them against their hash.
    pub(super) fn read(&self, hash: Digest) -> Result<Vec<u8>, FileError> {
        let path = self.path(hash);
        let bytes = fs::read(&path).map_err(|source| failed("reading", &path, source))?;
        if Digest::from(blake3::hash(&bytes)) == hash {
            Ok(bytes)
        } else {
            Err(FileError::Changed { path })
        }
    }

    fn path(&self, hash: Digest) -> PathBuf {
        let name = hash.to_string();
        let hex = name.trim_start_matches("b3_");
        self.dir.join(&hex[..2]).join(format!("{hex}.{}", self.kind))
    }
}

/// Makes a folder's names durable, where the system lets folders be synced.
fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> FileError {
    FileError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_are_found_by_their_hash_and_damage_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let films = ByHash::open(dir.path().join("films"), "film").expect("opens");
        let root: Digest = blake3::hash(b"pixels").into();
        films.write(root, b"pixels").expect("writes");
        films.write(root, b"pixels").expect("writes again");
        assert_eq!(films.read(root).expect("reads"), b"pixels");
        fs::write(films.path(root), b"pixelx").expect("damages");
        assert!(matches!(films.read(root), Err(FileError::Changed { .. })));
        films.replace(root, b"pixels").expect("restores");
        assert_eq!(films.read(root).expect("reads"), b"pixels");
        assert!(films.read(Digest([0; 32])).is_err());
    }

    #[test]
    fn torn_files_are_cleared_on_opening() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("b3_00-1.part"), b"torn").expect("writes");
        ByHash::open(dir.path().to_owned(), "film").expect("opens");
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 0);
    }
}
