//! Trees over boxes: `obvhs` builds a binary tree, this module makes it wide and compressed.
//!
//! A build runs on one thread, so it cannot depend on the number of threads; several trees, and the
//! pieces of very large ones, are built side by side instead.

mod pieces;

use obvhs::Boundable;
use obvhs::aabb::Aabb;
use obvhs::bvh2::Bvh2;
use obvhs::bvh2::node::Bvh2Node;
use obvhs::bvh2::reinsertion::ReinsertionOptimizer;
use obvhs::ploc::{PlocBuilder, PlocSearchDistance, SortPrecision};

use crate::sampler::{hash, to_unit};
use crate::tables::Node;

/// Levels of the tree over instances that a traversal has room for.
pub const TOP_DEPTH_MAX: u32 = 12;
/// Levels of a tree of triangles that a traversal has room for.
pub const TREE_DEPTH_MAX: u32 = 24;
/// Primitives of a leaf.
const LEAF_MAX: u32 = 3;
/// Cost of a primitive when a node costs 1 (Ylitie et al. 2017, section 3.3).
const PRIMITIVE_COST: f32 = 0.3;
/// Levels of a binary tree that recursion goes down.
const BINARY_DEPTH_MAX: u32 = 400;
/// Sum of the boxes' areas, in areas of the box around them, beyond which they are a heap.
const COVER_MAX: f64 = 1000.0;
/// Boxes of one place, to the scene's 2 millionth part, that are a heap.
const SAME_PLACE_MAX: usize = 256;
/// Smallest biased exponent of a grid: keeps grid steps well above denormal numbers.
const EXPONENT_MIN: u32 = 27;

/// An axis-aligned box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Lower corner.
    pub low: [f32; 3],
    /// Upper corner.
    pub high: [f32; 3],
}

impl Bounds {
    /// Holds nothing; the union with a box is the box.
    pub const EMPTY: Self = Self { low: [f32::MAX; 3], high: [f32::MIN; 3] };

    /// The smallest box that holds both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut both = *self;
        for axis in 0..3 {
            both.low[axis] = both.low[axis].min(other.low[axis]);
            both.high[axis] = both.high[axis].max(other.high[axis]);
        }
        both
    }

    /// The axis along which it is longest, the first of several.
    fn longest_axis(&self) -> usize {
        let length = |axis: usize| self.high[axis] - self.low[axis];
        (0..3).fold(0, |best, axis| if length(axis) > length(best) { axis } else { best })
    }

    fn of(aabb: &Aabb) -> Self {
        Self { low: aabb.min.to_array(), high: aabb.max.to_array() }
    }
}

impl Boundable for Bounds {
    fn aabb(&self) -> Aabb {
        Aabb::new(self.low.into(), self.high.into())
    }
}

/// A compressed wide tree; indices count from its own first node and primitive.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Nodes, the root first; empty when there is nothing.
    pub nodes: Vec<Node>,
    /// The primitives in the order of the leaves.
    pub order: Vec<u32>,
}

/// Builds a tree over boxes of finite numbers, at most `depth_max` levels deep.
#[must_use]
pub fn build(boxes: &[Bounds], depth_max: u32) -> Tree {
    if boxes.len() > pieces::WHOLE_MAX {
        return pieces::build(boxes, depth_max, pieces::PIECE_MAX);
    }
    build_whole(boxes, depth_max)
}

/// Builds a tree over all boxes at once.
fn build_whole(boxes: &[Bounds], depth_max: u32) -> Tree {
    if boxes.is_empty() {
        return Tree::default();
    }
    if is_heap(boxes) {
        return build_halved(boxes);
    }
    let indices: Vec<u32> = (0..boxes.len() as u32).collect();
    let uneven: Vec<Bounds> = boxes.iter().zip(0..).map(|(own, i)| make_uneven(own, i)).collect();
    let mut binary = PlocBuilder::with_capacity(boxes.len()).build(
        PlocSearchDistance::Medium,
        &uneven,
        indices,
        SortPrecision::U64,
        2,
    );
    ReinsertionOptimizer::default().run(&mut binary, 0.1, None);
    if binary_depth(&binary) > BINARY_DEPTH_MAX {
        return build_halved(boxes);
    }
    let mut builder = Builder::new(&binary);
    builder.weigh(0);
    builder.tree.nodes.push(EMPTY_NODE);
    // A chain of clusters, each many times the size of the last, is halved by number instead.
    if builder.emit(0, 0) <= depth_max { builder.tree } else { build_halved(boxes) }
}

/// A box grown by up to a thousandth of its size, by a hash of its number.
///
/// Clusters join when each is the other's best neighbour. In an even row all neighbours are as
/// good, everybody looks the same way, and one pair joins at a time: unevenness breaks the ties.
fn make_uneven(own: &Bounds, index: u32) -> Bounds {
    let side = |axis: usize| own.high[axis] - own.low[axis];
    let longest = side(0).max(side(1)).max(side(2));
    let growth = longest * to_unit(hash(index)) * 1e-3;
    Bounds { low: own.low, high: own.high.map(|value| value + growth) }
}

/// Whether so many boxes lie in one place that clustering neighbours would join one pair at a
/// time: most of them over most of the others, or hundreds with the same middle.
fn is_heap(boxes: &[Bounds]) -> bool {
    let all = boxes.iter().fold(Bounds::EMPTY, |sum, own| sum.union(own));
    let area = |b: &Bounds| {
        let side = |axis: usize| f64::from(b.high[axis]) - f64::from(b.low[axis]);
        side(0) * side(1) + side(1) * side(2) + side(2) * side(0)
    };
    let covered: f64 = boxes.iter().map(area).sum();
    if covered > area(&all) * COVER_MAX {
        return true;
    }
    let cell = |own: &Bounds, axis: usize| {
        let (low, high) = (f64::from(all.low[axis]), f64::from(all.high[axis]));
        let middle = (f64::from(own.low[axis]) + f64::from(own.high[axis])) * 0.5;
        let share = if high > low { (middle - low) / (high - low) } else { 0.0 };
        (share * f64::from(1 << 21)) as u64
    };
    let mut cells: Vec<u64> =
        boxes.iter().map(|own| cell(own, 0) << 42 | cell(own, 1) << 21 | cell(own, 2)).collect();
    cells.sort_unstable();
    cells.windows(SAME_PLACE_MAX).any(|run| run.first() == run.last())
}

/// Levels of a binary tree.
fn binary_depth(binary: &Bvh2) -> u32 {
    let mut deepest = 0;
    let mut waiting = vec![(0_usize, 1_u32)];
    while let Some((index, depth)) = waiting.pop() {
        deepest = deepest.max(depth);
        let node = &binary.nodes[index];
        if !node.is_leaf() {
            let first = node.first_index as usize;
            waiting.extend([(first, depth + 1), (first + 1, depth + 1)]);
        }
    }
    deepest
}

fn build_halved(boxes: &[Bounds]) -> Tree {
    let binary = halve(boxes);
    let mut builder = Builder::new(&binary);
    builder.balanced = true;
    builder.weigh(0);
    builder.tree.nodes.push(EMPTY_NODE);
    builder.emit(0, 0);
    builder.tree
}

const EMPTY_NODE: Node = Node {
    origin: [0; 3],
    exponents_and_inner: 0,
    first_child: 0,
    first_primitive: 0,
    meta: [0; 2],
    low_x: [0; 2],
    high_x: [0; 2],
    low_y: [0; 2],
    high_y: [0; 2],
    low_z: [0; 2],
    high_z: [0; 2],
};

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
    fn new(binary: &'a Bvh2) -> Self {
        Self {
            binary,
            choices: vec![[Choice::default(); 7]; binary.nodes.len()],
            counts: vec![0; binary.nodes.len()],
            balanced: false,
            tree: Tree::default(),
        }
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

/// Puts each child, by its index, into the slot of the octant it lies in, the clearest cases first:
/// rays visit slots in the order of `slot XOR octant` (Ylitie et al. 2017, section 3.2).
fn slots(bounds: &Bounds, children: &[Bounds]) -> [Option<usize>; 8] {
    let center = |b: &Bounds, axis: usize| (b.low[axis] + b.high[axis]) * 0.5;
    let mut slots = [None; 8];
    let mut left: Vec<(usize, [f32; 3])> = children
        .iter()
        .enumerate()
        .map(|(child, own)| {
            let axis = |axis| center(own, axis) - center(bounds, axis);
            (child, [axis(0), axis(1), axis(2)])
        })
        .collect();
    while !left.is_empty() {
        let mut best = (f32::NEG_INFINITY, 0, 0);
        for (which, (_, offset)) in left.iter().enumerate() {
            for (slot, taken) in slots.iter().enumerate() {
                let side = |bit: usize| if slot & bit == 0 { -1.0 } else { 1.0 };
                let gain = offset[0] * side(4) + offset[1] * side(2) + offset[2] * side(1);
                if taken.is_none() && gain > best.0 {
                    best = (gain, which, slot);
                }
            }
        }
        let (_, which, slot) = best;
        // Without a finite gain slot 0 may be taken already.
        let slot = if slots[slot].is_some() {
            slots.iter().position(Option::is_none).unwrap_or(slot)
        } else {
            slot
        };
        slots[slot] = Some(left.remove(which).0);
    }
    slots
}

/// A binary tree that halves the boxes by number along the longest axis of their centres.
fn halve(boxes: &[Bounds]) -> Bvh2 {
    let mut binary = Bvh2::zeroed(boxes.len());
    binary.primitive_indices = (0..boxes.len() as u32).collect();
    binary.nodes.clear();
    binary.nodes.push(Bvh2Node::default());
    let mut order = std::mem::take(&mut binary.primitive_indices);
    halve_range(boxes, &mut order, 0, 0, &mut binary.nodes);
    binary.primitive_indices = order;
    binary
}

fn halve_range(
    boxes: &[Bounds],
    order: &mut [u32],
    offset: usize,
    at: usize,
    nodes: &mut Vec<Bvh2Node>,
) {
    let all = order.iter().fold(Bounds::EMPTY, |sum, &index| sum.union(&boxes[index as usize]));
    if order.len() == 1 {
        nodes[at] = Bvh2Node::new(all.aabb(), 1, offset as u32);
        return;
    }
    let axis = all.longest_axis();
    let center = |index: u32| {
        let own = &boxes[index as usize];
        own.low[axis] + own.high[axis]
    };
    order.sort_by(|&a, &b| center(a).total_cmp(&center(b)).then(a.cmp(&b)));
    let middle = order.len() / 2;
    let first = nodes.len();
    nodes.extend([Bvh2Node::default(); 2]);
    nodes[at] = Bvh2Node::new(all.aabb(), 0, first as u32);
    let (low, high) = order.split_at_mut(middle);
    halve_range(boxes, low, offset, first, nodes);
    halve_range(boxes, high, offset + middle, first + 1, nodes);
}

/// Where plane `q` lies: the one expression that builders and traversals share.
#[inline(always)]
#[must_use]
pub fn plane(origin: f32, scale: f32, q: u32) -> f32 {
    origin + q as f32 * scale
}

fn scale_of(exponent: u32) -> f32 {
    f32::from_bits(exponent << 23)
}

fn start_node(bounds: &Bounds) -> Node {
    let mut node = EMPTY_NODE;
    for axis in 0..3 {
        let (low, high) = (bounds.low[axis], bounds.high[axis]);
        let step = (high - low) * (1.0 / 255.0);
        let mut exponent = (step.to_bits() >> 23).max(EXPONENT_MIN);
        while plane(low, scale_of(exponent), 255) < high && exponent < 254 {
            exponent += 1;
        }
        node.origin[axis] = low.to_bits();
        node.exponents_and_inner |= exponent << (8 * axis);
    }
    node
}

fn set_child_bounds(node: &mut Node, slot: usize, bounds: &Bounds) {
    for axis in 0..3 {
        let origin = f32::from_bits(node.origin[axis]);
        let scale = scale_of(node.exponents_and_inner >> (8 * axis) & 0xff);
        let guess = |value: f32| ((value - origin) / scale).clamp(0.0, 255.0) as u32;
        let mut low = guess(bounds.low[axis]);
        while low > 0 && plane(origin, scale, low) > bounds.low[axis] {
            low -= 1;
        }
        let mut high = guess(bounds.high[axis]);
        while high < 255 && plane(origin, scale, high) < bounds.high[axis] {
            high += 1;
        }
        let (lows, highs) = match axis {
            0 => (&mut node.low_x, &mut node.high_x),
            1 => (&mut node.low_y, &mut node.high_y),
            _ => (&mut node.low_z, &mut node.high_z),
        };
        lows[slot / 4] |= low << (slot % 4 * 8);
        highs[slot / 4] |= high << (slot % 4 * 8);
    }
}

/// Byte `index` of eight.
#[inline(always)]
#[must_use]
pub fn byte(words: [u32; 2], index: usize) -> u32 {
    words[index / 4] >> (index % 4 * 8) & 0xff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_boxes(count: u32, seed: u32, size: f32) -> Vec<Bounds> {
        let unit = |i: u32, k: u32| hash(hash(i * 16 + k) ^ seed) as f32 / u32::MAX as f32;
        (0..count)
            .map(|i| {
                let low = [unit(i, 0) * 10.0, unit(i, 1) - 5.0, unit(i, 2) * 100.0];
                let high = [0, 1, 2].map(|k| low[k] + unit(i, 3 + k as u32) * size);
                Bounds { low, high }
            })
            .collect()
    }

    /// Walks all of a tree: every child's box holds its primitives' boxes.
    fn check(tree: &Tree, boxes: &[Bounds]) -> u32 {
        let mut seen = vec![false; boxes.len()];
        let depth = check_node(tree, 0, boxes, &mut seen).1;
        assert!(seen.iter().all(|&seen| seen), "every primitive has a leaf");
        depth
    }

    fn check_node(tree: &Tree, at: u32, boxes: &[Bounds], seen: &mut [bool]) -> (Bounds, u32) {
        let node = &tree.nodes[at as usize];
        let (mut all, mut depth, mut next) = (Bounds::EMPTY, 0, node.first_child);
        for slot in 0..8 {
            let meta = byte(node.meta, slot);
            let mut held = Bounds::EMPTY;
            if meta == 0 {
                continue;
            } else if node.exponents_and_inner >> (24 + slot) & 1 == 1 {
                assert_eq!(meta, 0b001_11000 | slot as u32);
                let (bounds, below) = check_node(tree, next, boxes, seen);
                next += 1;
                held = bounds;
                depth = depth.max(below);
            } else {
                for i in 0..(meta >> 5).count_ones() {
                    let primitive = tree.order[(node.first_primitive + (meta & 31) + i) as usize];
                    assert!(!std::mem::replace(&mut seen[primitive as usize], true));
                    held = held.union(&boxes[primitive as usize]);
                }
            }
            let planes =
                [(node.low_x, node.high_x), (node.low_y, node.high_y), (node.low_z, node.high_z)];
            for (axis, (lows, highs)) in planes.into_iter().enumerate() {
                let origin = f32::from_bits(node.origin[axis]);
                let scale = scale_of(node.exponents_and_inner >> (8 * axis) & 0xff);
                assert!(plane(origin, scale, byte(lows, slot)) <= held.low[axis]);
                assert!(plane(origin, scale, byte(highs, slot)) >= held.high[axis]);
            }
            all = all.union(&held);
        }
        (all, depth + 1)
    }

    #[test]
    fn boxes_hold_what_they_must() {
        for (count, size) in [(1, 0.0), (2, 1.0), (3, 0.1), (9, 0.0), (1000, 0.2), (5000, 50.0)] {
            let boxes = random_boxes(count, count, size);
            check(&build(&boxes, TREE_DEPTH_MAX), &boxes);
        }
        let same = vec![Bounds { low: [1.0; 3], high: [1.0; 3] }; 300];
        check(&build(&same, TREE_DEPTH_MAX), &same);
    }

    #[test]
    fn pieces_are_joined_to_one_tree() {
        // 1 to 64 pieces: no node over them, one half full, one full, and two levels.
        for piece_max in [5000, 2500, 1000, 625, 400, 80] {
            let boxes = random_boxes(5000, 7, 0.5);
            let tree = pieces::build(&boxes, TREE_DEPTH_MAX, piece_max);
            assert!(check(&tree, &boxes) < 10, "pieces of {piece_max}");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build();
            let other =
                pool.expect("a pool").install(|| pieces::build(&boxes, TREE_DEPTH_MAX, piece_max));
            assert_eq!((tree.nodes, tree.order), (other.nodes, other.order));
        }
        let same = vec![Bounds { low: [1.0; 3], high: [1.0; 3] }; 3000];
        assert!(check(&pieces::build(&same, TREE_DEPTH_MAX, 100), &same) < 8);
    }

    #[test]
    fn heaps_of_boxes_are_built_quickly_and_not_deep() {
        let same = vec![Bounds { low: [1.0; 3], high: [1.0; 3] }; 30_000];
        assert!(check(&build(&same, TREE_DEPTH_MAX), &same) < 8);
        let nested: Vec<Bounds> = (1..30_000)
            .map(|i| Bounds { low: [-(i as f32), 0.0, -1.0], high: [i as f32 * 1.5, 1.0, 1.0] })
            .collect();
        assert!(check(&build(&nested, TREE_DEPTH_MAX), &nested) < 8);
        let row: Vec<Bounds> = (0..30_000_u16)
            .map(|i| Bounds {
                low: [f32::from(i), 0.0, 0.0],
                high: [f32::from(i) + 1.0, 1e-3, 1e-3],
            })
            .collect();
        assert!(check(&build(&row, TREE_DEPTH_MAX), &row) < 12);
    }

    #[test]
    fn chains_of_ever_larger_boxes_stay_shallow() {
        let boxes: Vec<Bounds> = (0..60_u8)
            .flat_map(|i| {
                let at = f32::from_bits((80 + u32::from(i)) << 23);
                [Bounds { low: [at; 3], high: [at * 1.1; 3] }; 20]
            })
            .collect();
        assert!(check(&build(&boxes, 4), &boxes) <= 4, "1200 boxes need four levels of eight");
    }

    #[test]
    fn the_same_boxes_give_the_same_tree_in_any_pool() {
        let boxes = random_boxes(20_000, 3, 0.5);
        let wanted = build(&boxes, TREE_DEPTH_MAX);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let tree = pool.expect("a pool").install(|| build(&boxes, TREE_DEPTH_MAX));
            assert_eq!((tree.nodes, tree.order), (wanted.nodes.clone(), wanted.order.clone()));
        }
    }
}
