//! Whom this peer is connected with, and where they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iroh::TransportAddr;
use iroh::endpoint::Connection;
use protocol::PublicKey;

/// The connections that count as "connected": those we dialled, and those we admitted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    peers: Arc<Mutex<BTreeMap<PublicKey, BTreeMap<usize, Connection>>>>,
}

/// A place in the registry; given up when dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Registry,
    peer: PublicKey,
    id: usize,
}

impl Registry {
    /// Enters a connection.
    pub(crate) fn enter(&self, peer: PublicKey, connection: &Connection) -> Registered {
        let id = connection.stable_id();
        self.lock().entry(peer).or_default().insert(id, connection.clone());
        Registered { registry: self.clone(), peer, id }
    }

    /// Whether there is a connection with the peer.
    pub(crate) fn holds(&self, peer: PublicKey) -> bool {
        self.count(peer) > 0
    }

    /// How many connections there are with the peer.
    pub(crate) fn count(&self, peer: PublicKey) -> usize {
        let peers = self.lock();
        peers.get(&peer).map_or(0, |connections| connections.values().filter(is_open).count())
    }

    /// Where the peer is now: the addresses its connections run over.
    pub(crate) fn addresses(&self, peer: PublicKey) -> Vec<SocketAddr> {
        let peers = self.lock();
        let Some(connections) = peers.get(&peer) else {
            return Vec::new();
        };
        let mut addresses = Vec::new();
        for connection in connections.values().filter(is_open) {
            for path in &connection.paths() {
                if let TransportAddr::Ip(address) = path.remote_addr() {
                    addresses.push(*address);
                }
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, BTreeMap<usize, Connection>>> {
        // A map of handles is whole after any panic.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// Leaves the registry now; true when it was the peer's last connection.
    pub(crate) fn forget(&self) -> bool {
        let mut peers = self.registry.lock();
        let Some(connections) = peers.get_mut(&self.peer) else {
            return false;
        };
        let removed = connections.remove(&self.id).is_some();
        let last = !connections.values().any(|connection| is_open(&connection));
        if connections.is_empty() {
            peers.remove(&self.peer);
        }
        removed && last
    }
}

fn is_open(connection: &&Connection) -> bool {
    connection.close_reason().is_none()
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.forget();
    }
}
