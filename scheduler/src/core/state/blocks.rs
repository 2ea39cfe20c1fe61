//! Nodes that artists keep off their jobs.

use std::collections::BTreeMap;

use protocol::PublicKey;
use serde::{Deserialize, Serialize};

use super::{Book, Job, Node};

/// Whom artists keep off their jobs, with since when: keys of nodes and of owners.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Blocks(BTreeMap<PublicKey, BTreeMap<PublicKey, u64>>);

impl Blocks {
    /// Those of an artist, with since when.
    pub fn of(&self, artist: PublicKey) -> impl Iterator<Item = (PublicKey, u64)> {
        self.0.get(&artist).into_iter().flatten().map(|(&who, &since_ms)| (who, since_ms))
    }

    /// Whether an artist keeps anybody off.
    #[must_use]
    pub fn are_there(&self, artist: PublicKey) -> bool {
        self.0.contains_key(&artist)
    }

    /// Whether an artist keeps this node off, or its owner.
    #[must_use]
    pub fn hold(&self, artist: PublicKey, node: &Node) -> bool {
        let is_among = |own: &BTreeMap<PublicKey, u64>| {
            own.contains_key(&PublicKey(node.id.0)) || own.contains_key(&node.facts.owner)
        };
        self.0.get(&artist).is_some_and(is_among)
    }

    /// Keeps somebody off, or lets him back.
    pub(in crate::core) fn set(
        &mut self,
        artist: PublicKey,
        who: PublicKey,
        since_ms: Option<u64>,
    ) {
        let own = self.0.entry(artist).or_default();
        match since_ms {
            Some(since_ms) => drop(own.entry(who).or_insert(since_ms)),
            None => drop(own.remove(&who)),
        }
        if own.is_empty() {
            self.0.remove(&artist);
        }
    }
}

impl Book {
    /// Whether a job's units are for a node, as far as the artist's wishes, its memory and its own word
    /// go.
    #[must_use]
    pub fn is_for(&self, job: &Job, node: &Node) -> bool {
        job.is_for(node) && !self.blocks.hold(job.artist, node)
    }

    /// Whether some of the nodes that meet a job's needs do not get it.
    pub(in crate::core) fn passes_some_by(&self, job: &Job) -> bool {
        let said_no = !job.too_small.is_empty() || !job.unwanted_by.is_empty();
        said_no || self.blocks.are_there(job.artist)
    }

    /// Whether nobody has picked a job's nodes, by what he asks of them, by a scene that few can hold, or
    /// by keeping others off.
    #[must_use]
    pub fn is_for_any(&self, job: &Job) -> bool {
        job.is_for_any() && !self.blocks.are_there(job.artist)
    }
}
