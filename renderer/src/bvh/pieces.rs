//! Trees over many boxes, built in pieces: in the memory of a few of them, and side by side.
//!
//! The boxes are halved by number along their longest axis until pieces are small, whatever the
//! number of threads; each piece gets a tree of its own, and wide nodes over the halves join them.
//! Clustering needs some 300 bytes a box while it works: of ten million boxes at once three gigabytes.
//! Halves by number are worse than clusters: rays are some 7 % slower (a landscape of 856 000
//! triangles, cut into four), so trees are built whole while their memory can be had.

use rayon::prelude::*;

use super::packing::{EMPTY_NODE, set_child_bounds, slots, start_node};
use super::{Bounds, Effort, Tree, build_whole};
use crate::tables::Node;

/// Boxes above which a tree is built in pieces: 1.3 GB at once below.
pub(crate) const WHOLE_MAX: usize = 1 << 22;
/// Boxes of a piece at most.
pub(super) const PIECE_MAX: usize = 1 << 18;

/// Boxes above which a tree for a preview is built in pieces, and boxes of such a piece at most.
pub(super) const PREVIEW_PIECE_MAX: usize = 1 << 16;

/// A part of the boxes with its tree.
struct Piece {
    tree: Tree,
    bounds: Bounds,
}

/// Builds a tree over boxes in pieces of at most `piece_max`.
pub(super) fn build(boxes: &[Bounds], depth_max: u32, piece_max: usize, effort: Effort) -> Tree {
    let mut levels = 0_u32;
    while boxes.len() >> levels > piece_max {
        levels += 1;
    }
    let mut order: Vec<u32> = (0..boxes.len() as u32).collect();
    let mut parts = vec![order.as_mut_slice()];
    for _ in 0..levels {
        parts = parts.into_par_iter().flat_map_iter(|part| halves(boxes, part)).collect();
    }
    // Three levels of halves are one of wide nodes.
    let below = depth_max.saturating_sub(levels.div_ceil(3));
    let pieces: Vec<Piece> =
        parts.into_par_iter().map(|part| build_piece(boxes, part, below, effort)).collect();
    let mut tree = Tree { nodes: vec![EMPTY_NODE], order: Vec::with_capacity(boxes.len()) };
    join(&mut tree, 0, &pieces);
    tree
}

/// Parts the boxes in the middle of their longest axis.
fn halves<'a>(boxes: &[Bounds], part: &'a mut [u32]) -> [&'a mut [u32]; 2] {
    let all = part.iter().fold(Bounds::EMPTY, |sum, &index| sum.union(&boxes[index as usize]));
    let axis = all.longest_axis();
    let center = |index: u32| boxes[index as usize].low[axis] + boxes[index as usize].high[axis];
    let middle = part.len() / 2;
    // Which boxes go where is certain; in what order is not, and is made so by `build_piece`.
    part.select_nth_unstable_by(middle, |&a, &b| center(a).total_cmp(&center(b)).then(a.cmp(&b)));
    let (low, high) = part.split_at_mut(middle);
    [low, high]
}

fn build_piece(boxes: &[Bounds], part: &mut [u32], depth_max: u32, effort: Effort) -> Piece {
    part.sort_unstable();
    let own: Vec<Bounds> = part.iter().map(|&index| boxes[index as usize]).collect();
    let mut tree = build_whole(&own, depth_max, effort);
    for index in &mut tree.order {
        *index = part[*index as usize];
    }
    Piece { tree, bounds: own.iter().fold(Bounds::EMPTY, |sum, own| sum.union(own)) }
}

fn bounds_of(pieces: &[Piece]) -> Bounds {
    pieces.iter().fold(Bounds::EMPTY, |sum, piece| sum.union(&piece.bounds))
}

/// Writes the wide node `at` over pieces, a power of two of them, and all below.
fn join(tree: &mut Tree, at: usize, pieces: &[Piece]) {
    if let [piece] = pieces {
        append(tree, at, piece);
        return;
    }
    let groups: Vec<&[Piece]> = pieces.chunks((pieces.len() / 8).max(1)).collect();
    let boxes: Vec<Bounds> = groups.iter().map(|group| bounds_of(group)).collect();
    let all = bounds_of(pieces);
    let mut node = start_node(&all);
    node.first_child = tree.nodes.len() as u32;
    node.first_primitive = tree.order.len() as u32;
    let mut children = Vec::with_capacity(8);
    for (slot, child) in slots(&all, &boxes).into_iter().enumerate() {
        let Some(child) = child else { continue };
        set_child_bounds(&mut node, slot, &boxes[child]);
        node.exponents_and_inner |= 1 << (24 + slot);
        node.meta[slot / 4] |= (0b001_11000 | slot as u32) << (slot % 4 * 8);
        children.push(groups[child]);
    }
    let first = node.first_child as usize;
    tree.nodes.resize(first + children.len(), EMPTY_NODE);
    tree.nodes[at] = node;
    for (offset, group) in children.into_iter().enumerate() {
        join(tree, first + offset, group);
    }
}

/// Puts a piece's root at `at` and its other nodes at the end.
fn append(tree: &mut Tree, at: usize, piece: &Piece) {
    // The root's children follow it in the piece, and not here.
    let (nodes, primitives) = (tree.nodes.len() as u32 - 1, tree.order.len() as u32);
    let moved = |node: &Node| Node {
        first_child: node.first_child + nodes,
        first_primitive: node.first_primitive + primitives,
        ..*node
    };
    let [root, others @ ..] = piece.tree.nodes.as_slice() else { return };
    tree.nodes[at] = moved(root);
    tree.nodes.extend(others.iter().map(moved));
    tree.order.extend_from_slice(&piece.tree.order);
}
