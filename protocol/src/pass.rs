//! Passes: the scheduler's word that one node may fetch a scene from another.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::{PublicKey, SceneId};
use crate::sign::{Signable, Signed};

/// Lets a node fetch a scene from any node of the farm that gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenePass {
    /// Who fetches: the key at the other end of the connection.
    pub fetcher: PublicKey,
    /// What.
    pub scene: SceneId,
    /// Until when a transfer may begin, milliseconds since 1970 by the scheduler's clock.
    pub expires_ms: u64,
}

impl Signable for ScenePass {
    const DOMAIN: &'static str = "tessera 2026 scene pass v1";
}

/// A node that gives a scene.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its key.
    pub node: PublicKey,
    /// Where the scheduler sees it.
    pub addresses: Vec<SocketAddr>,
}

/// Who gives a scene besides the scheduler, and the pass for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holders {
    /// Nodes to try in this order, at most [`crate::limits::HOLDERS_NAMED_MAX`].
    pub holders: Vec<Holder>,
    /// What to show them.
    pub pass: Signed<ScenePass>,
}
