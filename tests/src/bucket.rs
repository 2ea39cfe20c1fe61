//! A bucket of a test's own: S3's words over HTTP, signatures checked, on this machine's disk.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::Place;

const NAME: &str = "films";
const KEY: &str = "tessera";
const SECRET: &str = "only for tests";

/// A bucket that can be taken away, and given back with all that it held.
pub struct Bucket {
    dir: tempfile::TempDir,
    address: SocketAddr,
    /// While it is there.
    server: Option<Runtime>,
}

impl Bucket {
    /// An empty one.
    ///
    /// # Errors
    /// No folder or no port is to be had.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join(NAME))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut bucket = Self { dir, address, server: None };
        bucket.open()?;
        Ok(bucket)
    }

    /// What a scheduler's settings call it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("s3://{NAME}/farm")
    }

    /// Where whoever has its keys runs.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place_of(SECRET)
    }

    /// Where somebody runs whose key was mistyped.
    #[must_use]
    pub fn place_with_a_wrong_key(&self) -> Place {
        self.place_of("a slip of the pen")
    }

    fn place_of(&self, secret: &str) -> Place {
        let words = [
            "env".to_owned(),
            format!("AWS_ENDPOINT=http://{}", self.address),
            "AWS_ALLOW_HTTP=true".to_owned(),
            "AWS_REGION=us-east-1".to_owned(),
            format!("AWS_ACCESS_KEY_ID={KEY}"),
            format!("AWS_SECRET_ACCESS_KEY={secret}"),
        ];
        Place::default().after(words)
    }

    /// Files that lie in it.
    ///
    /// # Errors
    /// Its disk cannot be read.
    pub fn files(&self) -> Result<usize> {
        let mut folders = vec![self.dir.path().join(NAME)];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    files += 1;
                }
            }
        }
        Ok(files)
    }

    /// Takes it away: nobody answers any more.
    pub fn close(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown_timeout(Duration::from_secs(1));
        }
    }

    /// Gives it back, where it was.
    ///
    /// # Errors
    /// Its port is another's by now.
    pub fn open(&mut self) -> Result<()> {
        let files = FileSystem::new(self.dir.path())
            .map_err(|error| anyhow::anyhow!("the bucket's folder cannot be used: {error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let server =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = server
            .block_on(TcpListener::bind(self.address))
            .context("the bucket's port cannot be had")?;
        self.address = listener.local_addr()?;
        server.spawn(serve(listener, service));
        self.server = Some(server);
        Ok(())
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.close();
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    while let Ok((stream, _address)) = listener.accept().await {
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            // Whoever hung up knows it.
            let _ended = connection.await;
        });
    }
}
