//! A binary tree becomes wide: at most eight children a node, chosen by the cost model of Ylitie,
//! Karras and Laine, "Efficient incoherent ray traversal on GPUs through compressed wide BVHs", 2017.

use obvhs::bvh2::Bvh2;
use obvhs::bvh2::node::Bvh2Node;

use super::packing::{EMPTY_NODE, set_child_bounds, slots, start_node};
use super::{Bounds, Tree};

/// Primitives of a leaf.
const LEAF_MAX: u32 = 3;
/// Cost of a primitive when a node costs 1 (Ylitie et al. 2017, section 3.3).
const PRIMITIVE_COST: f32 = 0.3;

/// Makes a binary tree wide, of least cost; returns its depth as well.
pub(super) fn widen(binary: &Bvh2) -> (Tree, u32) {
    Builder::new(binary, false).build()
}

/// Makes a binary tree wide by opening the fullest nodes, so that one that halves stays shallow.
pub(super) fn widen_evenly(binary: &Bvh2) -> Tree {
    Builder::new(binary, true).build().0
}

/// The best way to show a binary subtree as at most `i + 1` wide nodes or leaves.
#[derive(Clone, Copy, Default)]
struct Choice {
    cost: f32,
    /// How many of them the left child gets; 0: take one less in all.
    left: u8,
    /// For a single one: whether it is a leaf.
    leaf: bool,
}

struct Builder<'a> {
    binary: &'a Bvh2,
    choices: Vec<[Choice; 7]>,
    counts: Vec<u32>,
    balanced: bool,
    tree: Tree,
}

impl<'a> Builder<'a> {
    fn new(binary: &'a Bvh2, balanced: bool) -> Self {
        Self {
            binary,
            choices: vec![[Choice::default(); 7]; binary.nodes.len()],
            counts: vec![0; binary.nodes.len()],
            balanced,
            tree: Tree::default(),
        }
    }

    fn build(mut self) -> (Tree, u32) {
        self.weigh(0);
        self.tree.nodes.push(EMPTY_NODE);
        let depth = self.emit(0, 0);
        (self.tree, depth)
    }

    fn node(&self, index: usize) -> &'a Bvh2Node {
        &self.binary.nodes[index]
    }

    /// Fills in the choices of a subtree (Ylitie et al. 2017, section 3.3).
    fn weigh(&mut self, index: usize) {
        let node = self.node(index);
        let area = node.aabb().half_area();
        if node.is_leaf() {
            self.counts[index] = 1;
            let choice = Choice { cost: area * PRIMITIVE_COST, left: 0, leaf: true };
            self.choices[index] = [choice; 7];
            return;
        }
        let (left, right) = (node.first_index as usize, node.first_index as usize + 1);
        self.weigh(left);
        self.weigh(right);
        let count = self.counts[left] + self.counts[right];
        self.counts[index] = count;
        let split = |parts: usize| {
            let mut best = Choice { cost: f32::INFINITY, left: 0, leaf: false };
            for k in 1..parts {
                let cost = self.choices[left][k - 1].cost + self.choices[right][parts - k - 1].cost;
                if cost < best.cost {
                    best = Choice { cost, left: k as u8, leaf: false };
                }
            }
            best
        };
        let mut choices = [Choice::default(); 7];
        let inner = split(8);
        choices[0] = Choice { cost: inner.cost + area, ..inner };
        let leaf_cost = area * count as f32 * PRIMITIVE_COST;
        if count <= LEAF_MAX && leaf_cost < choices[0].cost {
            choices[0] = Choice { cost: leaf_cost, left: 0, leaf: true };
        }
        for parts in 2..=7 {
            let best = split(parts);
            let fewer = choices[parts - 2];
            choices[parts - 1] =
                if best.cost < fewer.cost { best } else { Choice { left: 0, ..fewer } };
        }
        self.choices[index] = choices;
    }

    /// The children of a wide node that stands for the binary node.
    fn children(&self, index: usize) -> Vec<usize> {
        let node = self.node(index);
        if node.is_leaf() {
            return vec![index];
        }
        let first = node.first_index as usize;
        let mut children = Vec::with_capacity(8);
        if self.balanced {
            // Open the fullest child until there are eight.
            children.extend([first, first + 1]);
            while children.len() < 8 {
                let open = |&(_, &child): &(usize, &usize)| self.counts[child] > LEAF_MAX;
                let fullest = children.iter().enumerate().filter(open);
                let Some((at, &child)) =
                    fullest.max_by_key(|&(at, &child)| (self.counts[child], usize::MAX - at))
                else {
                    break;
                };
                children[at] = self.node(child).first_index as usize;
                children.push(self.node(child).first_index as usize + 1);
            }
        } else {
            let left = self.split_of_eight(index);
            self.gather(first, left, &mut children);
            self.gather(first + 1, 8 - left, &mut children);
        }
        children
    }

    fn split_of_eight(&self, index: usize) -> usize {
        let choice = self.choices[index][0];
        if choice.left > 0 {
            return choice.left as usize;
        }
        // The root of a scene of one leaf: any split will do.
        1
    }

    fn gather(&self, index: usize, parts: usize, children: &mut Vec<usize>) {
        let mut parts = parts;
        while parts > 1 && self.choices[index][parts - 1].left == 0 && !self.node(index).is_leaf() {
            parts -= 1;
        }
        if parts == 1 || self.node(index).is_leaf() {
            children.push(index);
            return;
        }
        let left = self.choices[index][parts - 1].left as usize;
        let first = self.node(index).first_index as usize;
        self.gather(first, left, children);
        self.gather(first + 1, parts - left, children);
    }

    fn is_leaf(&self, index: usize) -> bool {
        if self.balanced { self.counts[index] <= LEAF_MAX } else { self.choices[index][0].leaf }
    }

    /// Writes the wide node `at` for the binary node `index` and all below; returns the depth.
    fn emit(&mut self, at: usize, index: usize) -> u32 {
        let bounds = Bounds::of(self.node(index).aabb());
        let children = self.children(index);
        let boxes: Vec<Bounds> =
            children.iter().map(|&child| Bounds::of(self.node(child).aabb())).collect();
        let mut node = start_node(&bounds);
        node.first_child = self.tree.nodes.len() as u32;
        node.first_primitive = self.tree.order.len() as u32;
        let mut inner = Vec::with_capacity(8);
        for (slot, child) in slots(&bounds, &boxes).into_iter().enumerate() {
            let Some(child) = child else { continue };
            set_child_bounds(&mut node, slot, &boxes[child]);
            let child = children[child];
            let meta = if self.is_leaf(child) {
                let offset = self.tree.order.len() as u32 - node.first_primitive;
                self.gather_primitives(child);
                let count = self.counts[child];
                ((1 << count) - 1) << 5 | offset
            } else {
                node.exponents_and_inner |= 1 << (24 + slot);
                inner.push(child);
                0b001_11000 | slot as u32
            };
            node.meta[slot / 4] |= meta << (slot % 4 * 8);
        }
        let first = node.first_child as usize;
        self.tree.nodes.resize(first + inner.len(), EMPTY_NODE);
        self.tree.nodes[at] = node;
        let mut depth = 0;
        for (offset, child) in inner.into_iter().enumerate() {
            depth = depth.max(self.emit(first + offset, child));
        }
        depth + 1
    }

    fn gather_primitives(&mut self, index: usize) {
        let node = self.node(index);
        let first = node.first_index as usize;
        if node.is_leaf() {
            self.tree.order.push(self.binary.primitive_indices[first]);
        } else {
            self.gather_primitives(first);
            self.gather_primitives(first + 1);
        }
    }
}
