//! Films on disk: one fsynced file each, named by its hash.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::Digest;

/// The folder of films.
#[derive(Debug)]
pub(super) struct Films {
    dir: PathBuf,
    written: AtomicU64,
}

/// A film that was not written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilmFileError {
    /// The disk failed.
    #[error("{what} a film failed; check the disk: {path}")]
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
    #[error("the film's bytes have changed on disk: {path}")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl Films {
    /// The films in `dir`, which is made when it is missing. Torn files of an earlier run go.
    pub(super) fn open(dir: PathBuf) -> Result<Self, FilmFileError> {
        fs::create_dir_all(&dir).map_err(|source| failed("making the folder of", &dir, source))?;
        let entries = fs::read_dir(&dir).map_err(|source| failed("listing", &dir, source))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ext| ext == "part") {
                fs::remove_file(&path).map_err(|source| failed("removing", &path, source))?;
            }
        }
        Ok(Self { dir, written: AtomicU64::new(0) })
    }

    /// Writes a film's bytes; durable when it returns.
    pub(super) fn write(&self, root: Digest, bytes: &[u8]) -> Result<(), FilmFileError> {
        let path = self.path(root);
        if path.exists() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.dir).to_owned();
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let part = self.dir.join(format!("{}-{number}.part", root.short()));
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

    /// Reads a film's bytes and checks them against their hash.
    pub(super) fn read(&self, root: Digest) -> Result<Vec<u8>, FilmFileError> {
        let path = self.path(root);
        let bytes = fs::read(&path).map_err(|source| failed("reading", &path, source))?;
        if Digest::from(blake3::hash(&bytes)) == root {
            Ok(bytes)
        } else {
            Err(FilmFileError::Changed { path })
        }
    }

    fn path(&self, root: Digest) -> PathBuf {
        let name = root.to_string();
        let hex = name.trim_start_matches("b3_");
        self.dir.join(&hex[..2]).join(format!("{hex}.film"))
    }
}

/// Makes a folder's names durable, where the system lets folders be synced.
fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> FilmFileError {
    FilmFileError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_are_found_by_their_hash_and_damage_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let films = Films::open(dir.path().join("films")).expect("opens");
        let root: Digest = blake3::hash(b"pixels").into();
        films.write(root, b"pixels").expect("writes");
        films.write(root, b"pixels").expect("writes again");
        assert_eq!(films.read(root).expect("reads"), b"pixels");
        fs::write(films.path(root), b"pixelx").expect("damages");
        assert!(matches!(films.read(root), Err(FilmFileError::Changed { .. })));
        assert!(films.read(Digest([0; 32])).is_err());
    }

    #[test]
    fn torn_files_are_cleared_on_opening() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("b3_00-1.part"), b"torn").expect("writes");
        Films::open(dir.path().to_owned()).expect("opens");
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 0);
    }
}
