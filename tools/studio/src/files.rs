//! Files of scenes, each under the SHA-256 of its bytes: what is here is never sent twice, and what
//! was cut off goes on where it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use n0_future::StreamExt as _;
use protocol::limits::SCENE_BYTES_MAX;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::views::FileState;

/// SHA-256 of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileHash([u8; 32]);

/// Text that is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no SHA-256; write it as 64 hexadecimal digits")]
pub struct HashError(String);

impl FromStr for FileHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let error = || HashError(text.chars().take(80).collect());
        if text.len() != 64 || !text.is_ascii() {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_not_ascii| error())?;
            // `from_str_radix` takes a sign.
            let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let parsed = u8::from_str_radix(digits, 16).ok().filter(|_| plain);
            *byte = parsed.ok_or_else(error)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

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
        let _turn = self.turn(hash).ok_or(PutError::UnderWay)?;
        if let Some(state) = self.state(hash).filter(|state| state.complete) {
            return Ok(state);
        }
        match self.announced(hash) {
            Some(before) if before != size_bytes && offset > 0 => {
                return Err(PutError::OtherSize { before, now: size_bytes });
            }
            // Whoever begins anew knows better than who was here before.
            Some(before) if before != size_bytes => {
                drop(tokio::fs::remove_file(self.part(hash)).await);
                tokio::fs::write(self.part_size(hash), size_bytes.to_string()).await?;
            }
            Some(_) => {}
            None => tokio::fs::write(self.part_size(hash), size_bytes.to_string()).await?,
        }
        let received_bytes = self.append(hash, offset, size_bytes, body).await?;
        if received_bytes < size_bytes {
            let sha256 = hash.to_string();
            return Ok(FileState { sha256, size_bytes, received_bytes, complete: false });
        }
        self.finish(hash).await?;
        self.state(hash).ok_or_else(|| io::Error::other("the file has gone").into())
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
            let room = size_bytes - received;
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

    /// Looks at the whole file's hash and puts it in its place.
    async fn finish(&self, hash: FileHash) -> Result<(), PutError> {
        let files = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let part = files.part(hash);
            let found = hash_of(&part)?;
            if found != hash {
                std::fs::remove_file(&part)?;
                std::fs::remove_file(files.part_size(hash))?;
                return Err(PutError::Hash { found });
            }
            let path = files.path(hash);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::rename(&part, &path)?;
            std::fs::remove_file(files.part_size(hash))?;
            // Its last bytes may have come long before.
            let _is_there = files.touch(hash);
            Ok(())
        });
        done.await.map_err(io::Error::other)?
    }

    /// Throws away parts that nobody has gone on with for a week; how many.
    ///
    /// # Errors
    /// The disk.
    pub fn tidy(&self) -> io::Result<usize> {
        let mut thrown = 0;
        for entry in std::fs::read_dir(self.folder.join("part"))? {
            let entry = entry?;
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age > PARTS_KEPT {
                std::fs::remove_file(entry.path())?;
                thrown += 1;
            }
        }
        Ok(thrown)
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
        match std::fs::remove_file(self.path(hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _gone => Ok(()),
        }
    }
}

/// The right to send a file.
struct Turn {
    hash: FileHash,
    files: Files,
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

fn hash_of(path: &Path) -> io::Result<FileHash> {
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(FileHash(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> FileHash {
        FileHash(Sha256::digest(bytes).into())
    }

    async fn put(
        files: &Files,
        of: &[u8],
        offset: u64,
        bytes: &'static [u8],
    ) -> Result<FileState, PutError> {
        files.put(hash(of), offset, of.len() as u64, Body::from(bytes)).await
    }

    #[test]
    fn hashes_are_sixty_four_digits() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<FileHash>().expect("a hash").to_string(), text);
        for bad in ["", "00", &"0g".repeat(32), &"+f".repeat(32), &"é".repeat(32)] {
            assert!(bad.parse::<FileHash>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_file_comes_in_pieces_and_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).expect("opens");
        let whole = b"what is here is never sent twice";
        assert_eq!(files.state(hash(whole)), None);
        let state = put(&files, whole, 0, &whole[..10]).await.expect("taken");
        assert_eq!((state.received_bytes, state.complete), (10, false));
        let again = Files::open(folder.path()).expect("opens");
        let wrong = put(&again, whole, 0, &whole[..10]).await;
        assert!(matches!(wrong, Err(PutError::Offset { received_bytes: 10 })), "{wrong:?}");
        let state = put(&again, whole, 10, &whole[10..]).await.expect("taken");
        assert!(state.complete && files.has(hash(whole)));
        assert_eq!(std::fs::read(files.path(hash(whole))).expect("there"), whole);
        let state = put(&files, whole, 0, b"ignored").await.expect("it is here already");
        assert!(state.complete);
    }

    #[tokio::test]
    async fn bytes_of_another_hash_or_size_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).expect("opens");
        let other = put(&files, b"these", 0, b"those").await;
        assert!(matches!(&other, Err(PutError::Hash { found }) if *found == hash(b"those")));
        assert_eq!(files.state(hash(b"these")), None, "thrown away");
        let many = put(&files, b"these", 0, b"these and more").await;
        assert!(matches!(many, Err(PutError::TooMany(5))), "{many:?}");
        put(&files, b"these", 0, b"th").await.expect("taken");
        let size = files.put(hash(b"these"), 2, 9, Body::from("ese")).await;
        assert!(matches!(size, Err(PutError::OtherSize { before: 5, now: 9 })), "{size:?}");
        let anew = files.put(hash(b"these"), 0, 9, Body::from("thes")).await.expect("begun anew");
        assert_eq!((anew.size_bytes, anew.received_bytes), (9, 4));
        let right = put(&files, b"these", 0, b"these").await.expect("begun anew");
        assert!(right.complete);
        let huge = files.put(hash(b"huge"), 0, u64::MAX, Body::empty()).await;
        assert!(matches!(huge, Err(PutError::TooLarge(u64::MAX))), "{huge:?}");
    }
    const DAY: Duration = Duration::from_hours(24);

    /// Makes a file look as if nobody had used it for so long.
    fn age(files: &Files, of: &[u8], by: Duration) {
        let file = std::fs::OpenOptions::new().write(true).open(files.path(hash(of)));
        let then = SystemTime::now() - by;
        file.and_then(|file| file.set_modified(then)).expect("it looks older");
    }

    #[tokio::test]
    async fn what_nobody_has_used_for_a_day_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).expect("opens");
        for name in [&b"old"[..], b"young", b"asked for", b"wanted"] {
            files.put(hash(name), 0, name.len() as u64, Body::from(name)).await.expect("taken");
        }
        put(&files, b"a part", 0, b"a").await.expect("taken");
        for name in [&b"old"[..], b"asked for", b"wanted"] {
            age(&files, name, 2 * DAY);
        }
        assert!(files.state(hash(b"asked for")).is_some_and(|state| state.complete));
        assert_eq!(files.unused(DAY).expect("read").len(), 2);
        assert!(files.touch(hash(b"wanted")), "after the sweep has begun");
        let sweep = |name: &[u8]| files.sweep(hash(name), DAY).expect("read");
        assert_eq!(sweep(b"old"), Some(3));
        for name in [&b"young"[..], b"asked for", b"wanted", b"old"] {
            assert_eq!(sweep(name), None);
        }
        assert!(!files.has(hash(b"old")) && files.has(hash(b"wanted")));
        assert!(files.state(hash(b"a part")).is_some(), "parts have their own time");
    }

    #[tokio::test]
    async fn what_is_sent_or_made_into_a_scene_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).expect("opens");
        put(&files, b"it", 0, b"it").await.expect("taken");
        age(&files, b"it", 2 * DAY);
        let sweep = || files.sweep(hash(b"it"), DAY).expect("read");
        let (one, other) = (files.hold([hash(b"it")]), files.hold([hash(b"it")]));
        assert_eq!(sweep(), None);
        drop(one);
        assert_eq!(sweep(), None, "two scenes are made of it");
        files.remove(hash(b"it")).expect("it stays");
        assert!(files.has(hash(b"it")));
        drop(other);
        let turn = files.turn(hash(b"it")).expect("nobody sends it");
        assert_eq!(sweep(), None);
        drop(turn);
        assert_eq!(sweep(), Some(2));
    }
}
