//! Object storage: films, evidence and scenes for all schedulers of a farm, beside their own disks.

mod scenes;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use n0_future::StreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _, ObjectStoreScheme, RetryConfig};

pub(super) use scenes::SceneDepot;

/// How long a call to a bucket is tried again.
const RETRIES: Duration = Duration::from_secs(10);

/// What is written to see whether it can be.
const TRIAL: &str = "trial";

/// A place for named bytes that all schedulers of a farm reach.
#[derive(Debug, Clone)]
pub(super) struct Depot {
    store: Arc<dyn ObjectStore>,
    runtime: tokio::runtime::Handle,
}

/// Something that was not written to or read from object storage.
#[derive(Debug, thiserror::Error)]
#[error("{what} failed in object storage: {name}")]
pub(super) struct DepotError {
    what: &'static str,
    name: String,
    #[source]
    source: object_store::Error,
}

/// One that lies there.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) size_bytes: u64,
    pub(super) modified: SystemTime,
}

/// Whether what was written then was so old at a time. A clock that says that it came later is believed.
pub(super) fn is_old(written: SystemTime, age: Duration, at: SystemTime) -> bool {
    at.duration_since(written).is_ok_and(|elapsed| elapsed >= age)
}

impl Depot {
    /// The place at a URL.
    ///
    /// # Errors
    /// The URL is not understood; the folder cannot be made; the bucket lacks its keys.
    pub(super) fn open(url: &str, runtime: tokio::runtime::Handle) -> anyhow::Result<Self> {
        let parsed = url.parse().with_context(|| format!("objects is no URL: {url}"))?;
        let (scheme, path) = ObjectStoreScheme::parse(&parsed)
            .with_context(|| format!("objects is of no kind that is known: {url}"))?;
        let store: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::Local => {
                let Ok(folder) = parsed.to_file_path() else {
                    bail!("objects is no folder of this machine: {url}");
                };
                std::fs::create_dir_all(&folder)
                    .with_context(|| format!("the folder cannot be made: {}", folder.display()))?;
                Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
            }
            ObjectStoreScheme::AmazonS3 => {
                // Whoever was first has chosen for the whole process.
                let _chosen = rustls::crypto::ring::default_provider().install_default();
                // Nodes and artists wait no longer than a call lasts.
                let retries = RetryConfig { retry_timeout: RETRIES, ..RetryConfig::default() };
                let bucket = AmazonS3Builder::from_env().with_url(url).with_retry(retries);
                let bucket = bucket
                    .build()
                    .with_context(|| format!("the object storage cannot be opened: {url}"))?;
                Arc::new(PrefixStore::new(bucket, path))
            }
            _ => bail!("objects is neither file:///folder nor s3://bucket/folder: {url}"),
        };
        Ok(Self { store, runtime })
    }

    /// Whether it keeps what is written, and lets it be removed: keys that may not do so show here, not with
    /// the first film.
    ///
    /// # Errors
    /// What it said.
    pub(super) async fn try_out(&self) -> Result<(), DepotError> {
        self.put(TRIAL, Bytes::from_static(b"tessera")).await?;
        self.get(TRIAL).await?;
        self.remove(TRIAL).await
    }

    /// Runs a call to it from a thread that may block.
    pub(super) fn block_on<R>(&self, call: impl Future<Output = R>) -> R {
        self.runtime.block_on(call)
    }

    /// Writes bytes under a name; what was there is replaced. Durable when it returns.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), DepotError> {
        let put = self.store.put(&Path::from(name), bytes.into()).await;
        put.map(drop).map_err(|source| failed("writing", name, source))
    }

    /// The bytes under a name, if there are any.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Bytes>, DepotError> {
        let got = async { self.store.get(&Path::from(name)).await?.bytes().await };
        match got.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed("reading", name, source)),
        }
    }

    /// Whether there is something under a name.
    pub(super) async fn has(&self, name: &str) -> Result<bool, DepotError> {
        match self.store.head(&Path::from(name)).await {
            Ok(_found) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(failed("looking", name, source)),
        }
    }

    /// Removes what is under a name; nothing there is well, too.
    pub(super) async fn remove(&self, name: &str) -> Result<(), DepotError> {
        match self.store.delete(&Path::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed("removing", name, source)),
        }
    }

    /// All whose names begin with this folder's.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Stored>, DepotError> {
        let mut listed = self.store.list(Some(&Path::from(folder)));
        let mut stored = Vec::new();
        while let Some(it) = listed.next().await {
            let it = it.map_err(|source| failed("listing", folder, source))?;
            stored.push(Stored {
                name: it.location.to_string(),
                size_bytes: it.size,
                modified: it.last_modified.into(),
            });
        }
        Ok(stored)
    }
}

fn failed(what: &'static str, name: &str, source: object_store::Error) -> DepotError {
    DepotError { what, name: name.to_owned(), source }
}
