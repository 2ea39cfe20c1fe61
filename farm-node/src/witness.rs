//! Keeps the newest checkpoint of each farm's ledger, and notices when a farm tells another story
//! than it did before.
//!
//! A farm's ledger may only grow. Whoever works for it or orders from it keeps its last signed
//! checkpoint, asks for newer ones now and then, checks that they go on from the kept one, and
//! co-signs them. When one does not, both are kept as evidence, and the farm is not dealt with until
//! a person decides.
//!
//! ```text
//! checkpoints/
//! ├── key_3f….txt            the newest checkpoint of this farm, co-signed
//! ├── key_3f….forked/        evidence: this farm is not dealt with
//! │   ├── kept.txt           what it had signed before
//! │   ├── shown.txt          what it signed later, with what it said to tie it to the first
//! │   └── why.txt
//! └── lock
//! ```

mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use proof::{CheckpointError, Consistency, ConsistencyError, Fork, witness};
use protocol::{PublicKey, Reply, Request, SigningKey, limits};
use transport::{CallError, Connection};

pub use folder::{Kept, accept, kept};

/// How often a look is begun again because another process has seen more meanwhile.
const TRIES: usize = 4;

/// Why a farm's checkpoint was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The farm showed two histories, now or before.
    #[error(
        "this farm cannot be believed, {why}; the checkpoints that it signed are kept as evidence, show them to others; nothing more is done for it until you decide (tessera ledger witnessed --accept {farm}): {}",
        evidence.display()
    )]
    Forked {
        /// The farm.
        farm: PublicKey,
        /// What it did.
        why: String,
        /// Where both checkpoints are.
        evidence: PathBuf,
    },
    /// The kept checkpoint is none.
    #[error(
        "the kept checkpoint of the farm is damaged; restore it from a copy, or remove it to begin anew: {}",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
    /// The folder cannot be used.
    #[error("checkpoints cannot be kept; check the folder: {}", path.display())]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The farm did not answer.
    #[error("the farm showed no checkpoint of its ledger")]
    Call(#[source] CallError),
    /// The farm answered with something that says nothing.
    #[error("the farm showed no checkpoint to rely on")]
    Reply(#[source] ConsistencyError),
    /// The farm answered something else.
    #[error("the farm answered the question for its checkpoint with something else")]
    Unexpected,
    /// Other processes are always faster.
    #[error("too many programs keep checkpoints in this folder at once; try again: {}", .0.display())]
    Raced(PathBuf),
}

impl WitnessError {
    /// Whether the farm must not be dealt with, however often it is tried.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Forked { .. } | Self::Damaged { .. })
    }
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Entries of the farm's ledger.
    pub entries: u64,
    /// Who has co-signed the checkpoint besides.
    pub witnesses: Vec<PublicKey>,
    /// Our own co-signature, when it is of a checkpoint that we had not seen.
    line: Option<String>,
}

/// Keeps checkpoints in a folder and co-signs them with a key.
#[derive(Debug, Clone)]
pub struct Witness {
    folder: PathBuf,
    key: SigningKey,
}

impl Witness {
    /// A witness whose folder is made on first use.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, key: SigningKey) -> Self {
        Self { folder: folder.into(), key }
    }

    /// Where its checkpoints lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at the farm's newest checkpoint: asks for it, checks that it goes on from the kept one,
    /// keeps it, and hands back a co-signature.
    ///
    /// # Errors
    /// See [`WitnessError`].
    pub async fn look(
        self: &Arc<Self>,
        connection: &Connection,
        farm: PublicKey,
    ) -> Result<Seen, WitnessError> {
        for _try in 0..TRIES {
            let kept = self.blocking(move |own| folder::read(&own.folder, farm)).await?;
            let since = kept.as_ref().map_or(0, |kept| kept.checkpoint.size);
            let request = Request::Checkpoint { since };
            let reply = connection.call(&request, Bytes::new(), limits::CALL_TIMEOUT).await;
            let text = match reply.map_err(WitnessError::Call)? {
                (Reply::Checkpoint(text), _) => text,
                _other => return Err(WitnessError::Unexpected),
            };
            let taken = self.blocking(move |own| own.take(farm, since, &text)).await?;
            let Some(mut seen) = taken else { continue };
            if let Some(line) = seen.line.take() {
                let request = Request::Cosign { size: seen.entries, line };
                let told = connection.call(&request, Bytes::new(), limits::CALL_TIMEOUT).await;
                // What is kept is kept; whether the farm shows our name is its business.
                if let Err(error) = told {
                    tracing::debug!(%error, "the co-signature was not taken");
                }
            }
            return Ok(seen);
        }
        Err(WitnessError::Raced(self.folder.clone()))
    }

    /// Judges what a farm has shown to whoever keeps its checkpoint of `since` entries; `None` when
    /// another process keeps a newer one by now.
    ///
    /// What is returned is on the disk already.
    ///
    /// # Errors
    /// See [`WitnessError`].
    pub fn take(
        &self,
        farm: PublicKey,
        since: u64,
        text: &str,
    ) -> Result<Option<Seen>, WitnessError> {
        let _lock = folder::Lock::take(&self.folder)?;
        let kept = folder::read(&self.folder, farm)?;
        let kept_point = kept.as_ref().map(|kept| &kept.checkpoint);
        if kept_point.map_or(0, |point| point.size) != since {
            return Ok(None);
        }
        let shown = Consistency::parse(text).map_err(WitnessError::Reply)?;
        let point = match shown.check(farm, kept_point) {
            Ok(point) => point,
            Err(ConsistencyError::Fork(fork)) => {
                let before = kept.expect("invariant: a fork is from something kept").note;
                return Err(self.accuse(farm, &before, text, fork)?);
            }
            Err(other) => return Err(WitnessError::Reply(other)),
        };
        let cosigned = witness::cosignatures(&shown.note)
            .map_err(|error| WitnessError::Reply(error.into()))?
            .into_iter()
            .map(|cosigned| cosigned.witness);
        let own = protocol::sign::public_key(&self.key);
        let witnesses: Vec<PublicKey> = cosigned.filter(|witness| *witness != own).collect();
        let is_new = kept_point != Some(&point);
        let line = self.cosign(&shown.note, farm, is_new)?;
        Ok(Some(Seen { entries: point.size, witnesses, line }))
    }

    /// Keeps a checkpoint, and co-signs it, unless that was done before.
    fn cosign(
        &self,
        note: &str,
        farm: PublicKey,
        is_new: bool,
    ) -> Result<Option<String>, WitnessError> {
        if !is_new {
            return Ok(None);
        }
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let line = witness::cosign(note, now_s, &self.key)
            .map_err(|error| WitnessError::Reply(error.into()))?;
        folder::write(&self.folder, farm, &format!("{note}{line}"))?;
        Ok(Some(line))
    }

    /// Keeps the evidence; the error that says so.
    fn accuse(
        &self,
        farm: PublicKey,
        kept: &str,
        shown: &str,
        fork: Fork,
    ) -> Result<WitnessError, WitnessError> {
        let why = fork.to_string();
        let evidence = folder::accuse(&self.folder, farm, kept, shown, &why)?;
        Ok(WitnessError::Forked { farm, why, evidence })
    }

    /// Does what may wait for a disk.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, WitnessError> + Send + 'static,
    ) -> Result<T, WitnessError> {
        let own = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&own)).await;
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

#[cfg(test)]
mod tests;
