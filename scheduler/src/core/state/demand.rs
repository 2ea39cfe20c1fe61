//! What a job takes of a node: what its artist asks for, and the memory of its scene.

use protocol::{Equipment, Footprint, Needs, PublicKey};
use serde::{Deserialize, Serialize};

/// What the lines of jobs differ by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Demand {
    /// What its artist asks for.
    pub needs: Needs,
    /// Memory; nothing where every node has so much that is set up as usual. That one has it all the
    /// same is looked at when a lease is granted.
    pub memory: Footprint,
}

impl Demand {
    /// What a job with these needs and a scene of this size takes.
    #[must_use]
    pub fn of(needs: &Needs, memory: Footprint) -> Self {
        let memory = if memory.is_common() { Footprint::default() } else { memory };
        Self { needs: needs.clone(), memory }
    }

    /// Whether the job stands in the line of all nodes.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.needs.is_nothing() && self.memory == Footprint::default()
    }

    /// Whether a node of this owner, with this equipment, has it.
    #[must_use]
    pub fn allow(&self, owner: PublicKey, equipment: &Equipment) -> bool {
        self.needs.allow(owner, equipment) && self.memory.fits(equipment)
    }
}
