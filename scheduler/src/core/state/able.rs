//! Nodes that could get a lease, by what is asked of them.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{NodeId, PublicKey, Tokens};

/// No node counts for more in what is likely: so that squares can be summed.
const PER_SECOND_MAX: u128 = 1 << 50;

/// Nodes that are here and could get a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Able {
    nodes: BTreeMap<NodeId, AbleNode>,
    /// What they have shown that they can do together: weighted centirays a second.
    per_second: u128,
    /// The same squared, node by node.
    squares: u128,
    asks: Asks,
    /// Those of veterans.
    veterans: Asks,
}

/// What is asked of a node that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AbleNode {
    pub(super) owner: PublicKey,
    pub(super) ask: Tokens,
    pub(super) per_second: u128,
    /// Whether it may be paired with whoever is no veteran.
    pub(super) is_veteran: bool,
}

/// What nodes work for at least, tokens per billion metered rays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asks {
    of: BTreeMap<PublicKey, BTreeSet<(Tokens, NodeId)>>,
    /// The lowest ask of each owner.
    lowest: BTreeSet<(Tokens, PublicKey)>,
}

impl Able {
    /// What they have shown that they can do together: weighted centirays a second.
    #[must_use]
    pub const fn per_second(&self) -> u128 {
        self.per_second
    }

    /// What the node can do that a unit is likeliest to be at: whoever is twice as fast gets twice as
    /// many. Weighted centirays a second.
    #[must_use]
    pub fn likely_per_second(&self) -> u128 {
        self.squares.checked_div(self.per_second).unwrap_or(0)
    }

    /// All of them, by id.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied()
    }

    /// All of them, with what is asked of each.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (NodeId, AbleNode)> {
        self.nodes.iter().map(|(id, able)| (*id, *able))
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.nodes.contains_key(&id)
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many owners they have.
    #[must_use]
    pub fn owners(&self) -> usize {
        self.asks.of.len()
    }

    /// The least that any of them works for, tokens per billion metered rays.
    #[must_use]
    pub fn lowest_ask(&self) -> Option<Tokens> {
        self.asks.lowest.first().map(|(ask, _)| *ask)
    }

    /// The least that a node of another owner works for, tokens per billion metered rays.
    #[must_use]
    pub fn lowest_ask_of_others(&self, owner: PublicKey) -> Option<Tokens> {
        self.asks.lowest_of_others(owner)
    }

    /// The least that a veteran of another owner works for.
    #[must_use]
    pub fn lowest_ask_of_veterans(&self, owner: PublicKey) -> Option<Tokens> {
        self.veterans.lowest_of_others(owner)
    }

    /// Those that are veterans, by owner.
    pub fn veteran_ids(&self) -> impl Iterator<Item = NodeId> {
        self.veterans.of.values().flatten().map(|(_, id)| *id)
    }

    pub(super) fn set(&mut self, id: NodeId, now: Option<AbleNode>) {
        let old = match now {
            Some(now) => self.nodes.insert(id, now),
            None => self.nodes.remove(&id),
        };
        self.per_second += now.map_or(0, |now| now.per_second);
        self.per_second -= old.map_or(0, |old| old.per_second);
        let square = |node: AbleNode| node.per_second.min(PER_SECOND_MAX).pow(2);
        self.squares += now.map_or(0, square);
        self.squares -= old.map_or(0, square);
        self.asks.set(id, old, now);
        let veteran = |node: Option<AbleNode>| node.filter(|node| node.is_veteran);
        self.veterans.set(id, veteran(old), veteran(now));
    }
}

impl Asks {
    fn lowest_of_others(&self, owner: PublicKey) -> Option<Tokens> {
        self.lowest.iter().find(|(_, other)| *other != owner).map(|(ask, _)| *ask)
    }

    fn set(&mut self, id: NodeId, old: Option<AbleNode>, now: Option<AbleNode>) {
        let asked = |node: AbleNode| (node.owner, node.ask);
        let (old, now) = (old.map(asked), now.map(asked));
        if old == now {
            return;
        }
        if let Some((owner, ask)) = old {
            self.change(owner, |asks| asks.remove(&(ask, id)));
        }
        if let Some((owner, ask)) = now {
            self.change(owner, |asks| asks.insert((ask, id)));
        }
    }

    fn change(
        &mut self,
        owner: PublicKey,
        with: impl FnOnce(&mut BTreeSet<(Tokens, NodeId)>) -> bool,
    ) {
        let lowest = |asks: &BTreeSet<(Tokens, NodeId)>| asks.first().map(|(ask, _)| *ask);
        let asks = self.of.entry(owner).or_default();
        let before = lowest(asks);
        with(asks);
        let after = lowest(asks);
        if after.is_none() {
            self.of.remove(&owner);
        }
        if before != after {
            if let Some(ask) = before {
                self.lowest.remove(&(ask, owner));
            }
            self.lowest.extend(after.map(|ask| (ask, owner)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_likelier_at_a_fast_node() {
        let (owner, ask) = (PublicKey([1; 32]), Tokens::ZERO);
        let node = |per_second| AbleNode { owner, ask, per_second, is_veteran: false };
        let mut able = Able::default();
        assert_eq!(able.likely_per_second(), 0, "nobody has shown anything");
        able.set(NodeId([1; 32]), Some(node(1)));
        able.set(NodeId([2; 32]), Some(node(9)));
        assert_eq!(able.likely_per_second(), 8, "nine units in ten at 9, one at 1");
        able.set(NodeId([3; 32]), Some(node(u128::from(u64::MAX))));
        able.set(NodeId([3; 32]), None);
        able.set(NodeId([2; 32]), Some(node(1)));
        assert_eq!((able.per_second(), able.likely_per_second()), (2, 1));
    }

    #[test]
    fn veterans_have_a_line_of_their_own() {
        let [mine, other] = [1, 2].map(|owner| PublicKey([owner; 32]));
        let node = |owner, ask, is_veteran| AbleNode {
            owner,
            ask: Tokens::from_micro(ask),
            per_second: 1,
            is_veteran,
        };
        let mut able = Able::default();
        able.set(NodeId([1; 32]), Some(node(other, 5, false)));
        able.set(NodeId([2; 32]), Some(node(mine, 1, true)));
        assert_eq!(able.lowest_ask_of_others(mine), Some(Tokens::from_micro(5)));
        assert_eq!(able.lowest_ask_of_veterans(mine), None, "a newcomer, and one of one's own");
        able.set(NodeId([1; 32]), Some(node(other, 5, true)));
        assert_eq!(able.lowest_ask_of_veterans(mine), Some(Tokens::from_micro(5)));
        able.set(NodeId([1; 32]), None);
        assert_eq!(able.lowest_ask_of_veterans(mine), None);
    }
}
