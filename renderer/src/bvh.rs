//! Trees over boxes: `obvhs` builds a binary tree, this module makes it wide and compressed.
//!
//! A build runs on one thread, so it cannot depend on the number of threads; several trees, and the
//! pieces of large ones, are built side by side instead.

mod halves;
mod packing;
mod pieces;
mod wide;

use obvhs::Boundable;
use obvhs::aabb::Aabb;
use obvhs::bvh2::Bvh2;
use obvhs::bvh2::reinsertion::ReinsertionOptimizer;
use obvhs::ploc::{PlocBuilder, PlocSearchDistance, SortPrecision};

use crate::sampler::{hash, to_unit};
use crate::tables::Node;

pub use packing::{byte, plane};
pub(crate) use pieces::WHOLE_MAX;

/// Levels of the tree over instances that a traversal has room for.
pub const TOP_DEPTH_MAX: u32 = 12;
/// Levels of a tree of triangles that a traversal has room for.
pub const TREE_DEPTH_MAX: u32 = 24;
/// Levels of a binary tree that recursion goes down.
const BINARY_DEPTH_MAX: u32 = 400;

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

/// How much work goes into a tree.
///
/// Rays meet the same in either tree, so films have the same bits: a tree only skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// For frames: boxes cluster with the best of many neighbours, and the tree is improved.
    #[default]
    Full,
    /// For a first look: small pieces side by side, whose boxes cluster with the next best.
    Preview,
}

/// Builds a tree over boxes of finite numbers, at most `depth_max` levels deep.
#[must_use]
pub fn build(boxes: &[Bounds], depth_max: u32, effort: Effort) -> Tree {
    let (whole_max, piece_max) = match effort {
        Effort::Full => (pieces::WHOLE_MAX, pieces::PIECE_MAX),
        Effort::Preview => (pieces::PREVIEW_PIECE_MAX, pieces::PREVIEW_PIECE_MAX),
    };
    if boxes.len() > whole_max {
        return pieces::build(boxes, depth_max, piece_max, effort);
    }
    build_whole(boxes, depth_max, effort)
}

/// Builds a tree over all boxes at once.
fn build_whole(boxes: &[Bounds], depth_max: u32, effort: Effort) -> Tree {
    if boxes.is_empty() {
        return Tree::default();
    }
    if halves::is_heap(boxes) {
        return halves::build(boxes);
    }
    let indices: Vec<u32> = (0..boxes.len() as u32).collect();
    let uneven: Vec<Bounds> = boxes.iter().zip(0..).map(|(own, i)| make_uneven(own, i)).collect();
    let (search, improved) = match effort {
        Effort::Full => (PlocSearchDistance::Medium, 0.1),
        Effort::Preview => (PlocSearchDistance::Minimum, 0.0),
    };
    let mut ploc = PlocBuilder::with_capacity(boxes.len());
    let mut binary = ploc.build(search, &uneven, indices, SortPrecision::U64, 2);
    if improved > 0.0 {
        ReinsertionOptimizer::default().run(&mut binary, improved, None);
    }
    if binary_depth(&binary) > BINARY_DEPTH_MAX {
        return halves::build(boxes);
    }
    let (tree, depth) = wide::widen(&binary);
    // A chain of clusters, each many times the size of the last, is halved by number instead.
    if depth <= depth_max { tree } else { halves::build(boxes) }
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

#[cfg(test)]
mod tests {
    use super::packing::scale_of;
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

    const EFFORTS: [Effort; 2] = [Effort::Full, Effort::Preview];

    /// Builds with every effort and checks; returns the depth of the deepest.
    fn deepest(boxes: &[Bounds], depth_max: u32) -> u32 {
        let depths = EFFORTS.map(|effort| check(&build(boxes, depth_max, effort), boxes));
        depths[0].max(depths[1])
    }

    #[test]
    fn boxes_hold_what_they_must() {
        for (count, size) in [(1, 0.0), (2, 1.0), (3, 0.1), (9, 0.0), (1000, 0.2), (5000, 50.0)] {
            deepest(&random_boxes(count, count, size), TREE_DEPTH_MAX);
        }
        deepest(&[Bounds { low: [1.0; 3], high: [1.0; 3] }; 300], TREE_DEPTH_MAX);
        // More than a piece of a preview's.
        let many = random_boxes(pieces::PREVIEW_PIECE_MAX as u32 + 1, 5, 0.1);
        assert!(deepest(&many, TREE_DEPTH_MAX) < 16);
    }

    #[test]
    fn pieces_are_joined_to_one_tree() {
        // 1 to 64 pieces: no node over them, one half full, one full, and two levels.
        for piece_max in [5000, 2500, 1000, 625, 400, 80] {
            let boxes = random_boxes(5000, 7, 0.5);
            let tree = pieces::build(&boxes, TREE_DEPTH_MAX, piece_max, Effort::Full);
            assert!(check(&tree, &boxes) < 10, "pieces of {piece_max}");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build();
            let other = pool
                .expect("a pool")
                .install(|| pieces::build(&boxes, TREE_DEPTH_MAX, piece_max, Effort::Full));
            assert_eq!((tree.nodes, tree.order), (other.nodes, other.order));
        }
        let same = vec![Bounds { low: [1.0; 3], high: [1.0; 3] }; 3000];
        assert!(check(&pieces::build(&same, TREE_DEPTH_MAX, 100, Effort::Full), &same) < 8);
    }

    #[test]
    fn heaps_of_boxes_are_built_quickly_and_not_deep() {
        let same = vec![Bounds { low: [1.0; 3], high: [1.0; 3] }; 30_000];
        assert!(deepest(&same, TREE_DEPTH_MAX) < 8);
        let nested: Vec<Bounds> = (1..30_000)
            .map(|i| Bounds { low: [-(i as f32), 0.0, -1.0], high: [i as f32 * 1.5, 1.0, 1.0] })
            .collect();
        assert!(deepest(&nested, TREE_DEPTH_MAX) < 8);
        let row: Vec<Bounds> = (0..30_000_u16)
            .map(|i| Bounds {
                low: [f32::from(i), 0.0, 0.0],
                high: [f32::from(i) + 1.0, 1e-3, 1e-3],
            })
            .collect();
        assert!(deepest(&row, TREE_DEPTH_MAX) < 12);
    }

    #[test]
    fn chains_of_ever_larger_boxes_stay_shallow() {
        let boxes: Vec<Bounds> = (0..60_u8)
            .flat_map(|i| {
                let at = f32::from_bits((80 + u32::from(i)) << 23);
                [Bounds { low: [at; 3], high: [at * 1.1; 3] }; 20]
            })
            .collect();
        assert!(deepest(&boxes, 4) <= 4, "1200 boxes need four levels of eight");
    }

    #[test]
    fn the_same_boxes_give_the_same_tree_in_any_pool() {
        let boxes = random_boxes(pieces::PREVIEW_PIECE_MAX as u32 + 9, 3, 0.5);
        for (effort, boxes) in [(Effort::Full, &boxes[..20_000]), (Effort::Preview, &boxes)] {
            let wanted = build(boxes, TREE_DEPTH_MAX, effort);
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let tree = pool.expect("a pool").install(|| build(boxes, TREE_DEPTH_MAX, effort));
                assert_eq!((tree.nodes, tree.order), (wanted.nodes.clone(), wanted.order.clone()));
            }
        }
    }
}
