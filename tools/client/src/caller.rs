//! Who asks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farm_node::Witness;
use protocol::{PublicKey, SigningKey};
use transport::{Peer, PeerConfig, identity};

use crate::error::Error;

/// A person's key, and the socket that farms are called from.
pub struct Caller {
    pub(crate) peer: Peer,
    pub(crate) key: SigningKey,
    pub(crate) witness: Arc<Witness>,
    // Scenes wait here until a scheduler has fetched them.
    _scenes: tempfile::TempDir,
}

/// Where checkpoints of farms are kept by whoever's key file this is.
#[must_use]
pub fn checkpoints_beside(key_path: &Path) -> PathBuf {
    key_path.with_file_name("checkpoints")
}

impl Caller {
    /// The person whose key file this is, made on first use. Checkpoints of farms' ledgers are kept
    /// beside it.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::Folder`], [`Error::Bind`].
    pub async fn bind(key_path: &Path, bind: SocketAddr) -> Result<Arc<Self>, Error> {
        let key = identity::load_or_create(key_path).map_err(Error::Key)?;
        let witness = Arc::new(Witness::new(checkpoints_beside(key_path), key.clone()));
        let scenes = tempfile::Builder::new().prefix("tessera-").tempdir();
        let scenes = scenes.map_err(Error::Folder)?;
        let mut config = PeerConfig::new(key.to_bytes(), scenes.path());
        config.bind = bind;
        let peer = Peer::bind(config).await.map_err(Error::Bind)?;
        Ok(Arc::new(Self { peer, key, witness, _scenes: scenes }))
    }

    /// Who that is.
    #[must_use]
    pub fn id(&self) -> PublicKey {
        self.peer.id()
    }

    /// Says goodbye to everybody.
    pub async fn close(&self) {
        self.peer.close().await;
    }
}
