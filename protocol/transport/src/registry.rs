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
    peers: Arc<Mutex<BTreeMap<PublicKey, BTreeMap<usize, Entry>>>>,
}

#[derive(Debug, Clone)]
struct Entry {
    connection: Connection,
    /// Whether the peer dialled: then it gives scenes over this very connection.
    admitted: bool,
}

/// A place in the registry; given up when dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Registry,
    peer: PublicKey,
    id: usize,
}

impl Registry {
    /// Enters a connection that we dialled.
    pub(crate) fn enter_dialled(&self, peer: PublicKey, connection: &Connection) -> Registered {
        self.enter(peer, connection, false)
    }

    /// Enters a connection that the peer dialled.
    pub(crate) fn enter_admitted(&self, peer: PublicKey, connection: &Connection) -> Registered {
        self.enter(peer, connection, true)
    }

    fn enter(&self, peer: PublicKey, connection: &Connection, admitted: bool) -> Registered {
        let id = connection.stable_id();
        let entry = Entry { connection: connection.clone(), admitted };
        self.lock().entry(peer).or_default().insert(id, entry);
        Registered { registry: self.clone(), peer, id }
    }

    /// The open connections that the peer dialled, the newest first.
    pub(crate) fn admitted(&self, peer: PublicKey) -> Vec<Connection> {
        let peers = self.lock();
        let entries = peers.get(&peer).into_iter().flat_map(|entries| entries.values().rev());
        let admitted = entries.filter(|entry| entry.admitted && is_open(entry));
        admitted.map(|entry| entry.connection.clone()).collect()
    }

    /// Whether there is a connection with the peer.
    pub(crate) fn holds(&self, peer: PublicKey) -> bool {
        self.count(peer) > 0
    }

    /// How many connections there are with the peer.
    pub(crate) fn count(&self, peer: PublicKey) -> usize {
        let peers = self.lock();
        peers
            .get(&peer)
            .map_or(0, |connections| connections.values().filter(|entry| is_open(entry)).count())
    }

    /// Where the peer is now: the addresses its connections run over.
    pub(crate) fn addresses(&self, peer: PublicKey) -> Vec<SocketAddr> {
        let peers = self.lock();
        let Some(connections) = peers.get(&peer) else {
            return Vec::new();
        };
        let mut addresses = Vec::new();
        for entry in connections.values().filter(|entry| is_open(entry)) {
            for path in &entry.connection.paths() {
                if let TransportAddr::Ip(address) = path.remote_addr() {
                    addresses.push(*address);
                }
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, BTreeMap<usize, Entry>>> {
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
        let last = !connections.values().any(is_open);
        if connections.is_empty() {
            peers.remove(&self.peer);
        }
        removed && last
    }
}

fn is_open(entry: &Entry) -> bool {
    entry.connection.close_reason().is_none()
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.forget();
    }
}
