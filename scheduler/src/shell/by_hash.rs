//! Films and evidence on disk: one fsynced file each, named by its hash; and in object storage, where
//! there is one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use protocol::Digest;

use super::depot::{Depot, DepotError, is_old};

/// A folder of such files.
#[derive(Debug)]
pub(super) struct ByHash {
    dir: PathBuf,
    /// What they are: the ending of their names.
    kind: &'static str,
    written: AtomicU64,
    /// Its folders that are durable themselves.
    folders: Mutex<BTreeSet<PathBuf>>,
    /// Where all schedulers of the farm find them.
    depot: Option<Depot>,
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
    /// The object storage failed.
    #[error(transparent)]
    Depot(#[from] DepotError),
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
        Ok(Self { dir, kind, written: AtomicU64::new(0), folders: Mutex::default(), depot: None })
    }

    /// The same, kept in object storage too.
    pub(super) fn stored_in(self, depot: Option<Depot>) -> Self {
        Self { depot, ..self }
    }

    /// Writes bytes under their hash; durable when it returns.
    pub(super) fn write(&self, hash: Digest, bytes: &[u8]) -> Result<(), FileError> {
        match File::options().write(true).open(self.path(hash)) {
            // As new as one that is written now: nothing sweeps it away.
            Ok(file) if file.set_modified(SystemTime::now()).is_ok() => self.store(hash, bytes),
            _missing_or_not_ours => self.replace(hash, bytes),
        }
    }

    /// The same where something is there that has other bytes.
    pub(super) fn replace(&self, hash: Digest, bytes: &[u8]) -> Result<(), FileError> {
        self.write_here(hash, bytes)?;
        self.store(hash, bytes)
    }

    fn store(&self, hash: Digest, bytes: &[u8]) -> Result<(), FileError> {
        let Some(depot) = &self.depot else { return Ok(()) };
        depot.block_on(depot.put(&self.name(hash), Bytes::copy_from_slice(bytes)))?;
        Ok(())
    }

    fn write_here(&self, hash: Digest, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.path(hash);
        let folder = path.parent().unwrap_or(&self.dir).to_owned();
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let part = self.dir.join(format!("{}-{number}.part", hash.short()));
        let write = || -> io::Result<()> {
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.keep_folder(&folder)?;
            fs::rename(&part, &path)?;
            sync_folder(&folder)
        };
        write().map_err(|source| failed("writing", &path, source))
    }

    /// Makes a folder durable, for this run's first file in it.
    fn keep_folder(&self, folder: &Path) -> io::Result<()> {
        // Held all the while: who finds it kept may rely on it.
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if !folders.contains(folder) || !folder.is_dir() {
            fs::create_dir_all(folder)?;
            sync_folder(&self.dir)?;
            folders.insert(folder.to_owned());
        }
        Ok(())
    }

    /// Reads bytes and checks them against their hash. What another scheduler has written comes from
    /// object storage, and stays here.
    pub(super) fn read(&self, hash: Digest) -> Result<Vec<u8>, FileError> {
        let here = self.read_here(hash);
        let Some(depot) = self.depot.as_ref().filter(|_| here.is_err()) else { return here };
        match depot.block_on(depot.get(&self.name(hash)))? {
            Some(bytes) if Digest::from(blake3::hash(&bytes)) == hash => {
                self.write_here(hash, &bytes)?;
                Ok(bytes.into())
            }
            _missing_or_changed => here,
        }
    }

    fn read_here(&self, hash: Digest) -> Result<Vec<u8>, FileError> {
        let path = self.path(hash);
        let bytes = fs::read(&path).map_err(|source| failed("reading", &path, source))?;
        if Digest::from(blake3::hash(&bytes)) == hash {
            Ok(bytes)
        } else {
            Err(FileError::Changed { path })
        }
    }

    /// Removes all files but these and those that were younger than `age` at the time when these were
    /// known, whose hashes may not be among them yet; how many went, and their bytes.
    pub(super) fn sweep(
        &self,
        kept: &BTreeSet<Digest>,
        age: Duration,
        at: SystemTime,
    ) -> Result<(u64, u64), FileError> {
        let (mut files, mut bytes) = (0, 0);
        let listing =
            |dir: &Path| fs::read_dir(dir).map_err(|source| failed("listing", dir, source));
        for folder in listing(&self.dir)?.flatten().filter(|entry| entry.path().is_dir()) {
            for entry in listing(&folder.path())?.flatten() {
                let path = entry.path();
                let hash = self.hash(&path);
                let Ok(metadata) = entry.metadata() else { continue };
                let is_old = metadata.modified().is_ok_and(|modified| is_old(modified, age, at));
                if !is_old || hash.is_none_or(|hash| kept.contains(&hash)) {
                    continue;
                }
                fs::remove_file(&path).map_err(|source| failed("removing", &path, source))?;
                (files, bytes) = (files + 1, bytes + metadata.len());
            }
        }
        self.sweep_stored(kept, age, at)?;
        Ok((files, bytes))
    }

    /// The same in object storage: what this disk never had goes there, too.
    fn sweep_stored(
        &self,
        kept: &BTreeSet<Digest>,
        age: Duration,
        at: SystemTime,
    ) -> Result<(), FileError> {
        let Some(depot) = &self.depot else { return Ok(()) };
        let kept: BTreeSet<String> = kept.iter().map(|hash| self.name(*hash)).collect();
        for stored in depot.block_on(depot.list(self.kind))? {
            if is_old(stored.modified, age, at) && !kept.contains(&stored.name) {
                depot.block_on(depot.remove(&stored.name))?;
            }
        }
        Ok(())
    }

    /// The hash that a file of this kind is named by.
    fn hash(&self, path: &Path) -> Option<Digest> {
        let is_kind = path.extension().is_some_and(|ext| ext == self.kind);
        let hex = path.file_stem().filter(|_| is_kind)?.to_str()?;
        format!("b3_{hex}").parse().ok()
    }

    /// Its name in object storage.
    fn name(&self, hash: Digest) -> String {
        format!("{}/{hash}", self.kind)
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
    fn what_is_not_kept_is_swept_away_once_it_is_old() {
        let dir = tempfile::tempdir().expect("a folder");
        let films = ByHash::open(dir.path().to_owned(), "film").expect("opens");
        let write = |bytes: &[u8]| {
            let root: Digest = blake3::hash(bytes).into();
            films.write(root, bytes).expect("writes");
            root
        };
        let (kept, gone) = (write(b"kept"), write(b"gone for good"));
        // What is named otherwise is none of ours.
        let other = films.path(gone).with_extension("txt");
        fs::write(&other, b"a note").expect("writes");
        let all = BTreeSet::from([kept]);
        assert_eq!(
            films.sweep(&all, Duration::from_secs(3600), SystemTime::now()).expect("sweeps"),
            (0, 0)
        );
        // What came after it was known what is kept stays, however old it is by now.
        let before = SystemTime::now() - Duration::from_secs(60);
        assert_eq!(films.sweep(&all, Duration::ZERO, before).expect("sweeps"), (0, 0));
        assert_eq!(films.sweep(&all, Duration::ZERO, SystemTime::now()).expect("sweeps"), (1, 13));
        assert!(films.read(kept).is_ok() && films.read(gone).is_err() && other.exists());
    }

    #[test]
    fn torn_files_are_cleared_on_opening() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("b3_00-1.part"), b"torn").expect("writes");
        ByHash::open(dir.path().to_owned(), "film").expect("opens");
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 0);
    }
}
