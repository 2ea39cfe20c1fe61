//! Scenes that were made here, and their way to the farm.

mod import;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use client::{Farm, SceneAsks};
use protocol::SceneId;
use scene::Package;
use tokio::sync::{Semaphore, watch};

pub use import::MakeError;
use import::{Record, import};

use crate::files::{FileHash, Files, Held};
use crate::views::{Arrival, NewScene, Scene, time};

/// Scenes read at once: each may take gigabytes.
const IMPORTS_AT_ONCE: usize = 1;

/// Where a scene's way to the farm has come to.
#[derive(Debug, Clone)]
enum Way {
    Going(Arrival),
    There(Arrival),
    Failed(Arc<client::Error>),
}

/// Scenes.
#[derive(Clone)]
pub struct Scenes {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    files: Files,
    farm: Farm,
    records: RwLock<BTreeMap<SceneId, Record>>,
    ways: Mutex<BTreeMap<SceneId, watch::Receiver<Way>>>,
    imports: Arc<Semaphore>,
}

/// Why a scene is not at the farm.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Its files are not here any more, or are not readable.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// The farm.
    #[error(transparent)]
    Farm(Arc<client::Error>),
    /// It was not made here.
    #[error("the scene {0} was not made here, and the farm does not hold it; send its files first")]
    Unknown(SceneId),
}

impl Scenes {
    /// Scenes whose records are in this folder, which is made.
    ///
    /// # Errors
    /// The disk; a record that cannot be read.
    pub fn open(folder: &Path, files: Files, farm: Farm) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut records = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let Ok(scene) = name.parse::<SceneId>() else {
                // A record that a crash has left unfinished.
                if name.starts_with(".tmp") {
                    std::fs::remove_file(&path)?;
                }
                continue;
            };
            let text = std::fs::read_to_string(&path)?;
            let record = serde_json::from_str(&text).map_err(|error| {
                io::Error::other(format!("{error}; remove the file: {}", path.display()))
            })?;
            records.insert(scene, record);
        }
        let (folder, records) = (folder.to_owned(), RwLock::new(records));
        let (ways, imports) = (Mutex::default(), Arc::new(Semaphore::new(IMPORTS_AT_ONCE)));
        Ok(Self { inner: Arc::new(Inner { folder, files, farm, records, ways, imports }) })
    }

    /// Makes a scene of files that are here, for a team, and sends it on its way to the farm.
    ///
    /// # Errors
    /// [`MakeError`].
    pub async fn make(&self, new: NewScene, team: Option<String>) -> Result<Scene, MakeError> {
        let (id, record, package, held) = self.inner.import(new).await?;
        let inner = Arc::clone(&self.inner);
        let noted = tokio::task::spawn_blocking(move || {
            let _held = held;
            inner.note(id, record, team)
        });
        noted.await.map_err(io::Error::other)??;
        self.set_off(id, package);
        self.get(id).ok_or_else(|| MakeError::Disk(io::Error::other("the scene was removed")))
    }

    /// Whether whoever is of this team, or of none, may see a scene.
    #[must_use]
    pub fn is_seen_by(&self, id: SceneId, team: Option<&str>) -> bool {
        let records = self.inner.read();
        records.get(&id).is_some_and(|record| record.is_of(team))
    }

    /// A scene that was made here.
    #[must_use]
    pub fn get(&self, id: SceneId) -> Option<Scene> {
        let records = self.inner.read();
        Some(self.scene(id, records.get(&id)?))
    }

    /// What a scene asks of its pictures; nothing where it was not made here.
    #[must_use]
    pub fn asks(&self, id: SceneId) -> SceneAsks {
        self.inner.read().get(&id).map_or_else(SceneAsks::default, |record| record.asks.clone())
    }

    /// What a job of a scene is called that has no name of its own: its file's, without the ending.
    #[must_use]
    pub fn job_name(&self, id: SceneId) -> Option<String> {
        let records = self.inner.read();
        let stem = Path::new(&records.get(&id)?.root).file_stem()?;
        Some(stem.to_string_lossy().into_owned())
    }

    /// All scenes that whoever is of this team, or of none, may see, newest first.
    #[must_use]
    pub fn list(&self, team: Option<&str>) -> Vec<Scene> {
        let records = self.inner.read();
        let seen = records.iter().filter(|(_, record)| record.is_of(team));
        let mut scenes: Vec<(u64, Scene)> =
            seen.map(|(id, it)| (it.created_ms, self.scene(*id, it))).collect();
        scenes.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.scene.cmp(&b.1.scene)));
        scenes.into_iter().map(|(_, scene)| scene).collect()
    }

    /// Forgets a scene for a team, or for all where there is none; with the last team, its files that
    /// no other scene names go, too. Whether it was here. Waits for the disk.
    ///
    /// # Errors
    /// The disk.
    pub fn remove(&self, id: SceneId, team: Option<&str>) -> io::Result<bool> {
        let mut records = self.inner.write();
        let Some(record) = records.get_mut(&id).filter(|record| record.is_of(team)) else {
            return Ok(false);
        };
        match team {
            Some(team) => drop(record.teams.remove(&Some(team.to_owned()))),
            None => record.teams.clear(),
        }
        if !record.teams.is_empty() {
            let record = record.clone();
            self.inner.keep(id, &record)?;
            return Ok(true);
        }
        let Some(record) = records.remove(&id) else { return Ok(false) };
        std::fs::remove_file(self.inner.record_path(id))?;
        let named: BTreeSet<&String> =
            records.values().flat_map(|record| record.files.values()).collect();
        for hash in record.files.values().filter(|hash| !named.contains(hash)) {
            if let Ok(hash) = hash.parse() {
                self.inner.files.remove(hash)?;
            }
        }
        self.inner.ways().remove(&id);
        Ok(true)
    }

    /// Throws away files that no scene names and nobody has used for so long; which, and how many
    /// bytes each had.
    ///
    /// # Errors
    /// The disk, before any went.
    pub fn sweep(&self, unused_for: Duration) -> io::Result<Vec<(FileHash, u64)>> {
        let unused = self.inner.files.unused(unused_for)?;
        Ok(sweep(&self.inner.files, unused, &self.inner.records, unused_for))
    }

    /// Waits until a scene is at the farm.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn at_farm(&self, id: SceneId) -> Result<(), SendError> {
        let known = self.inner.ways().get(&id).cloned();
        let mut way = match known {
            Some(way) if !matches!(*way.borrow(), Way::Failed(_)) => way,
            _none => self.set_off_again(id).await?,
        };
        let end = way.wait_for(|way| !matches!(way, Way::Going(_))).await;
        match end.as_deref() {
            Ok(Way::Failed(error)) => Err(SendError::Farm(Arc::clone(error))),
            Ok(_there) => Ok(()),
            Err(_dropped) => Err(SendError::Farm(Arc::new(client::Error::Stopped))),
        }
    }

    /// The farm does not hold a scene that was there: it is sent again.
    pub fn is_lost(&self, id: SceneId) {
        self.inner.ways().remove(&id);
    }

    async fn set_off_again(&self, id: SceneId) -> Result<watch::Receiver<Way>, SendError> {
        let record = self.inner.read().get(&id).cloned().ok_or(SendError::Unknown(id))?;
        let Record { root, files, import, .. } = record;
        let (_, _, package, _held) = self.inner.import(NewScene { root, files, import }).await?;
        Ok(self.set_off(id, package))
    }

    fn set_off(&self, id: SceneId, package: Package) -> watch::Receiver<Way> {
        let size_bytes = package.size_bytes();
        let going = Arrival { received_bytes: 0, size_bytes, whole: false };
        let (told, way) = watch::channel(Way::Going(going));
        self.inner.ways().insert(id, way.clone());
        let farm = self.inner.farm.clone();
        tokio::spawn(async move {
            let progress = |arrival: protocol::view::SceneArrival| {
                told.send_replace(Way::Going(arrival.into()));
            };
            let end = match farm.offer_scene(package, progress).await {
                Ok(arrival) => Way::There(arrival.into()),
                Err(error) => {
                    tracing::warn!(scene = %id, "not sent to the farm: {}", error.words());
                    Way::Failed(Arc::new(error))
                }
            };
            // What the farm holds need not lie here as well; its files do.
            if let Err(error) = farm.forget_scene(id).await {
                tracing::warn!(scene = %id, "its package stays here: {}", error.words());
            }
            told.send_replace(end);
        });
        way
    }

    fn scene(&self, id: SceneId, record: &Record) -> Scene {
        let way = self.inner.ways().get(&id).map(|way| way.borrow().clone());
        let not_there = Arrival { size_bytes: record.size_bytes, ..Arrival::default() };
        Scene {
            scene: id.to_string(),
            root: record.root.clone(),
            created: time(record.created_ms),
            size_bytes: record.size_bytes,
            warnings: record.warnings.clone(),
            cameras: record.cameras.clone(),
            asks: record.asks.clone(),
            animation: record.animation,
            at_farm: match way {
                Some(Way::Going(arrival) | Way::There(arrival)) => arrival,
                Some(Way::Failed(_)) | None => not_there,
            },
        }
    }
}

impl Inner {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<SceneId, Record>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<SceneId, Record>> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn ways(&self) -> std::sync::MutexGuard<'_, BTreeMap<SceneId, watch::Receiver<Way>>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record_path(&self, id: SceneId) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// Notes that a team has made a scene.
    fn note(&self, id: SceneId, mut record: Record, team: Option<String>) -> io::Result<()> {
        let mut records = self.write();
        if let Some(before) = records.get(&id) {
            record.teams = before.teams.clone();
        }
        record.teams.insert(team);
        self.keep(id, &record)?;
        records.insert(id, record);
        Ok(())
    }

    fn keep(&self, id: SceneId, record: &Record) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, record)?;
        file.as_file().sync_all()?;
        file.persist(self.record_path(id)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Reads a scene of its files, on a thread that may block; they stay here until it is noted whose
    /// they are.
    async fn import(&self, new: NewScene) -> Result<(SceneId, Record, Package, Held), MakeError> {
        let held = self.files.hold(new.files.values().filter_map(|hash| hash.parse().ok()));
        let turn = Arc::clone(&self.imports).acquire_owned().await.map_err(io::Error::other)?;
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Also when whoever asked has hung up.
            let _turn = turn;
            import(&files, new).map(|(id, record, package)| (id, record, package, held))
        });
        done.await.map_err(io::Error::other)?
    }
}

/// Throws away files that no scene names, one by one: nobody waits for a scene as long as for all of
/// them.
fn sweep(
    files: &Files,
    mut unused: Vec<FileHash>,
    records: &RwLock<BTreeMap<SceneId, Record>>,
    unused_for: Duration,
) -> Vec<(FileHash, u64)> {
    let read = || records.read().unwrap_or_else(PoisonError::into_inner);
    let named: BTreeSet<FileHash> = {
        let records = read();
        let named = records.values().flat_map(|record| record.files.values());
        named.filter_map(|hash| hash.parse().ok()).collect()
    };
    unused.retain(|hash| !named.contains(hash));
    let mut swept = Vec::new();
    for hash in unused {
        // Until it is gone, no scene gets a name that it had not before.
        let records = read();
        let name = hash.to_string();
        let mut names = records.values().flat_map(|record| record.files.values());
        if names.any(|named| named.eq_ignore_ascii_case(&name)) {
            continue;
        }
        match files.sweep(hash, unused_for) {
            Ok(bytes) => swept.extend(bytes.map(|bytes| (hash, bytes))),
            Err(error) => tracing::error!(%hash, "a file that no scene names stays: {error}"),
        }
    }
    swept
}

#[cfg(test)]
mod tests {
    use client::SceneImport;

    use super::*;

    #[tokio::test]
    async fn files_that_no_scene_names_are_swept() {
        use sha2::Digest as _;
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).expect("opens");
        let mut hashes = Vec::new();
        for bytes in [&b"a scene"[..], b"nothing"] {
            let digest = sha2::Sha256::digest(bytes);
            let hash = crate::book::hex("", &digest).parse::<FileHash>().expect("a hash");
            let body = axum::body::Body::from(bytes);
            files.put(hash, 0, bytes.len() as u64, body).await.expect("taken");
            hashes.push(hash);
        }
        let record = Record {
            root: "a.gltf".to_owned(),
            created_ms: 0,
            size_bytes: 0,
            warnings: Vec::new(),
            cameras: Vec::new(),
            asks: SceneAsks::default(),
            animation: None,
            files: BTreeMap::from([("a.gltf".to_owned(), hashes[0].to_string())]),
            import: SceneImport::default(),
            teams: BTreeSet::new(),
        };
        let records = RwLock::new(BTreeMap::from([(SceneId([1; 32]), record)]));
        let unused = files.unused(Duration::ZERO).expect("read");
        assert_eq!(unused.len(), 2);
        let swept = sweep(&files, unused, &records, Duration::ZERO);
        assert_eq!(swept, [(hashes[1], 7)]);
        assert!(files.has(hashes[0]) && !files.has(hashes[1]));
    }
}
