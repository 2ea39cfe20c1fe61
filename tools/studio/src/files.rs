//! Files of scenes, each under the SHA-256 of its bytes: what is here is never sent twice, and what
//! was cut off goes on where it ended.

mod hash;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use n0_future::StreamExt as _;
use protocol::limits::SCENE_BYTES_MAX;
use tokio::io::AsyncWriteExt as _;

pub use hash::{FileHash, HashError};

use crate::views::FileState;

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The file does not end where they should go on.
    #[error("{received_bytes} bytes of the file are here; go on from there")]
    Offset {
        /// Bytes that are here.
        received_bytes: u64,
    },
    /// The file was said to have another size.
    #[error("the file was said to have {before} bytes, now {now}; send the size that it has")]
    OtherSize {
        /// What was said first.
        before: u64,
        /// What is said now.
        now: u64,
    },
    /// More than a scene may have.
    #[error("a file of {0} bytes is too large; a scene has at most {SCENE_BYTES_MAX}")]
    TooLarge(u64),
    /// More bytes came than were announced.
    #[error("more bytes came than the {0} that were announced; nothing beyond them was kept")]
    TooMany(u64),
    /// Whole, and another file.
    #[error("the bytes have the SHA-256 {found}; they were thrown away, send the file anew")]
    Hash {
        /// What they have.
        found: FileHash,
    },
    /// They should begin where the file has ended.
    #[error("byte {offset} is beyond the {size_bytes} of the file; send the size that it has")]
    Beyond {
        /// Where they should begin.
        offset: u64,
        /// What the file was said to have.
        size_bytes: u64,
    },
    /// Somebody is sending it.
    #[error("the same file is being sent by another request; ask again when that is done")]
    UnderWay,
    /// The connection was lost.
    #[error("the connection was lost after {received_bytes} bytes; go on from there")]
    Lost {
        /// Bytes that are here.
        received_bytes: u64,
    },
    /// The disk.
    #[error("the file cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

/// Files on a disk.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
    in_use: Arc<Mutex<InUse>>,
}

/// Files that somebody is about to use.
#[derive(Debug, Default)]
struct InUse {
    /// They are being sent.
    sent: BTreeSet<FileHash>,
    /// So many scenes are being made of them.
    held: BTreeMap<FileHash, u32>,
}

/// How workplaces are named.
const WORKPLACE: &str = "scene-";
/// Who sends nothing for so long has gone.
const STALL: Duration = Duration::from_secs(60);
/// Parts of files that nobody has gone on with for so long are thrown away.
const PARTS_KEPT: Duration = Duration::from_hours(7 * 24);
/// Bytes are flushed to the disk at least this often.
const FLUSH_BYTES: u64 = 64 << 20;

impl Files {
    /// Files in this folder, which is made.
    ///
    /// # Errors
    /// The disk.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join("part"))?;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // A workplace that a crash has left.
            if entry.file_name().to_string_lossy().starts_with(WORKPLACE) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Self { folder: folder.to_owned(), in_use: Arc::default() })
    }

    /// Where a whole file is.
    #[must_use]
    pub fn path(&self, hash: FileHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// A folder on the same disk that goes when it is dropped.
    ///
    /// # Errors
    /// The disk.
    pub fn workplace(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(WORKPLACE).tempdir_in(&self.folder)
    }

    fn part(&self, hash: FileHash) -> PathBuf {
        self.folder.join("part").join(hash.to_string())
    }

    fn part_size(&self, hash: FileHash) -> PathBuf {
        self.folder.join("part").join(format!("{hash}.size"))
    }

    /// Whether a file is whole.
    #[must_use]
    pub fn has(&self, hash: FileHash) -> bool {
        self.path(hash).is_file()
    }

    /// Notes that a file is wanted now, so that it is not swept for a while; whether it is whole.
    #[must_use]
    pub fn touch(&self, hash: FileHash) -> bool {
        // Nobody sweeps it meanwhile.
        let _in_use = self.in_use();
        let file = std::fs::OpenOptions::new().write(true).open(self.path(hash));
        match file.and_then(|file| file.set_modified(SystemTime::now())) {
            Ok(()) => true,
            // It is there all the same, and only looks older than it is.
            Err(_) => self.has(hash),
        }
    }

    /// How far a file has come; none where nothing of it is here. Who hears that it is whole does not
    /// send it: that keeps it for a while.
    #[must_use]
    pub fn state(&self, hash: FileHash) -> Option<FileState> {
        let sha256 = hash.to_string();
        if self.touch(hash)
            && let Ok(found) = std::fs::metadata(self.path(hash))
        {
            let (size_bytes, received_bytes) = (found.len(), found.len());
            return Some(FileState { sha256, size_bytes, received_bytes, complete: true });
        }
        let received_bytes = std::fs::metadata(self.part(hash)).ok()?.len();
        let size_bytes = self.announced(hash)?;
        Some(FileState { sha256, size_bytes, received_bytes, complete: false })
    }

    fn announced(&self, hash: FileHash) -> Option<u64> {
        std::fs::read_to_string(self.part_size(hash)).ok()?.trim().parse().ok()
    }

    /// Takes bytes of a file of this size, from `offset` on.
    ///
    /// # Errors
    /// [`PutError`]; what came before it is kept, but for bytes of another hash.
    pub async fn put(
        &self,
        hash: FileHash,
        offset: u64,
        size_bytes: u64,
        body: Body,
    ) -> Result<FileState, PutError> {
        if size_bytes > SCENE_BYTES_MAX {
            return Err(PutError::TooLarge(size_bytes));
        }
        if offset > size_bytes {
            return Err(PutError::Beyond { offset, size_bytes });
        }
        let turn = self.turn(hash).ok_or(PutError::UnderWay)?;
        // Who hangs up keeps his turn until nothing more of his is written.
        let done = tokio::spawn(turn.receive(offset, size_bytes, body));
        done.await.map_err(io::Error::other)?
    }

    fn turn(&self, hash: FileHash) -> Option<Turn> {
        self.in_use().sent.insert(hash).then(|| Turn { hash, files: self.clone() })
    }

    /// Keeps files where they are, as far as they are here, until this is dropped.
    #[must_use]
    pub fn hold(&self, hashes: impl IntoIterator<Item = FileHash>) -> Held {
        let hashes: Vec<FileHash> = hashes.into_iter().collect();
        let mut in_use = self.in_use();
        for hash in &hashes {
            *in_use.held.entry(*hash).or_default() += 1;
        }
        Held { hashes, files: self.clone() }
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        // Sets are whole after any panic.
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what comes; returns how much is here then.
    async fn append(
        &self,
        hash: FileHash,
        offset: u64,
        size_bytes: u64,
        body: Body,
    ) -> Result<u64, PutError> {
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(self.part(hash)).await?;
        let mut received = file.metadata().await?.len();
        if received != offset {
            return Err(PutError::Offset { received_bytes: received });
        }
        let mut unflushed = 0;
        let mut stream = body.into_data_stream();
        loop {
            let next = tokio::time::timeout(STALL, stream.next()).await;
            let bytes = match next {
                Ok(None) => break,
                Ok(Some(bytes)) => bytes.ok(),
                Err(_stalled) => None,
            };
            let Some(bytes) = bytes else {
                file.sync_all().await?;
                return Err(PutError::Lost { received_bytes: received });
            };
            // A part that is too long already is thrown away for its hash.
            let room = size_bytes.saturating_sub(received);
            if bytes.len() as u64 > room {
                file.sync_all().await?;
                return Err(PutError::TooMany(size_bytes));
            }
            file.write_all(&bytes).await?;
            received += bytes.len() as u64;
            unflushed += bytes.len() as u64;
            if unflushed >= FLUSH_BYTES {
                file.sync_data().await?;
                unflushed = 0;
            }
        }
        file.sync_all().await?;
        Ok(received)
    }

    /// Throws away parts that nobody has gone on with for a week; how many.
    ///
    /// # Errors
    /// The disk.
    pub fn tidy(&self) -> io::Result<usize> {
        let mut thrown = 0;
        for entry in std::fs::read_dir(self.folder.join("part"))? {
            thrown += usize::from(self.tidy_part(&entry?.path())?);
        }
        Ok(thrown)
    }

    /// Throws a part away that is old, and its size with it; whether it did.
    fn tidy_part(&self, path: &Path) -> io::Result<bool> {
        let part = path.with_extension("");
        // The size is older than what was sent last, and stays as long as that.
        if *path != part && part.exists() {
            return Ok(false);
        }
        let hash: Option<FileHash> = part.file_name().and_then(|name| name.to_str()?.parse().ok());
        // Nobody begins to send it meanwhile.
        let in_use = self.in_use();
        if hash.is_some_and(|hash| in_use.sent.contains(&hash)) {
            return Ok(false);
        }
        let age = match std::fs::metadata(path) {
            Ok(found) => found.modified()?.elapsed().unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if age <= PARTS_KEPT {
            return Ok(false);
        }
        remove(path)?;
        remove(&path.with_extension("size"))?;
        Ok(true)
    }

    /// Whole files that nobody has sent, asked for or used for so long.
    ///
    /// # Errors
    /// The disk.
    pub fn unused(&self, unused_for: Duration) -> io::Result<Vec<FileHash>> {
        let mut unused = Vec::new();
        for folder in std::fs::read_dir(&self.folder)? {
            let folder = folder?;
            if folder.file_name().len() != 2 {
                continue;
            }
            for file in std::fs::read_dir(folder.path())? {
                let name = file?.file_name();
                let hash = name.to_str().and_then(|name| name.parse().ok());
                if let Some(hash) = hash
                    && self.is_unused(hash, unused_for).is_some()
                {
                    unused.push(hash);
                }
            }
        }
        Ok(unused)
    }

    /// Forgets a whole file that nobody has used for so long, unless somebody is about to; how many
    /// bytes it had.
    ///
    /// # Errors
    /// The disk.
    pub fn sweep(&self, hash: FileHash, unused_for: Duration) -> io::Result<Option<u64>> {
        let in_use = self.in_use();
        if in_use.sent.contains(&hash) || in_use.held.contains_key(&hash) {
            return Ok(None);
        }
        let Some(bytes) = self.is_unused(hash, unused_for) else { return Ok(None) };
        std::fs::remove_file(self.path(hash))?;
        Ok(Some(bytes))
    }

    /// How many bytes a file has that is here and that nobody has used for so long.
    fn is_unused(&self, hash: FileHash, unused_for: Duration) -> Option<u64> {
        let found = std::fs::metadata(self.path(hash)).ok()?;
        let age = found.modified().ok()?.elapsed().unwrap_or_default();
        (age >= unused_for).then_some(found.len())
    }

    /// Forgets a whole file, unless a scene is being made of it.
    ///
    /// # Errors
    /// The disk.
    pub fn remove(&self, hash: FileHash) -> io::Result<()> {
        let in_use = self.in_use();
        if in_use.held.contains_key(&hash) {
            return Ok(());
        }
        remove(&self.path(hash))
    }
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _gone => Ok(()),
    }
}

/// The right to send a file: nobody else writes to its part, or moves it.
struct Turn {
    hash: FileHash,
    files: Files,
}

impl Turn {
    /// Takes bytes of the file, from `offset` on.
    async fn receive(
        self,
        offset: u64,
        size_bytes: u64,
        body: Body,
    ) -> Result<FileState, PutError> {
        let (hash, files) = (self.hash, self.files.clone());
        if let Some(state) = files.state(hash).filter(|state| state.complete) {
            return Ok(state);
        }
        match files.announced(hash) {
            Some(before) if before == size_bytes => {}
            Some(before) if offset > 0 => {
                return Err(PutError::OtherSize { before, now: size_bytes });
            }
            // Whoever begins anew knows better than who was here before; and a part without a size
            // is nobody's.
            _other => {
                drop(tokio::fs::remove_file(files.part(hash)).await);
                tokio::fs::write(files.part_size(hash), size_bytes.to_string()).await?;
            }
        }
        let received_bytes = files.append(hash, offset, size_bytes, body).await?;
        if received_bytes < size_bytes {
            let sha256 = hash.to_string();
            return Ok(FileState { sha256, size_bytes, received_bytes, complete: false });
        }
        // The turn goes along: it ends when the file is in its place, whoever waits for it here.
        let done = tokio::task::spawn_blocking(move || self.finish());
        done.await.map_err(io::Error::other)??;
        files.state(hash).ok_or_else(|| io::Error::other("the file has gone").into())
    }

    /// Looks at the whole file's hash and puts it in its place.
    fn finish(self) -> Result<(), PutError> {
        let (files, hash) = (&self.files, self.hash);
        let part = files.part(hash);
        let found = FileHash::of(&part)?;
        if found != hash {
            remove(&part)?;
            remove(&files.part_size(hash))?;
            return Err(PutError::Hash { found });
        }
        let path = files.path(hash);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::rename(&part, &path)?;
        remove(&files.part_size(hash))?;
        // Its last bytes may have come long before.
        let _is_there = files.touch(hash);
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.files.in_use().sent.remove(&self.hash);
    }
}

/// Files that stay where they are until this is dropped.
#[derive(Debug)]
pub struct Held {
    hashes: Vec<FileHash>,
    files: Files,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut in_use = self.files.in_use();
        for hash in &self.hashes {
            if let Some(count) = in_use.held.get_mut(hash) {
                *count -= 1;
                if *count == 0 {
                    in_use.held.remove(hash);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
